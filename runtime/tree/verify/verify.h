/* What the parts of verify share. Only for verify*.c. */
#ifndef TL_TREE_VERIFY_H
#define TL_TREE_VERIFY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/number_set.h"
#include "tree/api/handles.h"
#include "tree/trust/judge.h"
#include "tree/history/lines.h"

/* One check, of one database or several. */
typedef struct tl__verify_task {
	tl__host *host;
	tl_verify_options options;
	tl_verify_result result;
	uint64_t total;    /* entries */
	uint64_t asked_at; /* ms, monotonic */
} tl__verify_task;

/* A store of the database, or with index 0 the database itself. */
typedef struct tl__verify_store {
	tl_str name;
	uint64_t index;
	uint64_t open;      /* members that no other one names as a parent */
	uint64_t accounted; /* rows of its state that are as an entry says */
	bool differs;       /* its state lacks something */
	bool unreadable;    /* that was told: nothing more is asked of its state */
	tl__buf ids;        /* to ask about for the page at hand */
	struct tl__verify_store *next;
} tl__verify_store;

/* An entry as its row says, and what it is in one store. */
typedef struct tl__verify_known {
	uint64_t arrival, height;
} tl__verify_known;

typedef struct tl__verify_member {
	uint64_t height;
	bool unreadable;
} tl__verify_member;

/* What deltas put into the state, until it is compared. */
typedef struct tl__verify_raises {
	tl__arena arena;
	void *at; /* verify_state.c */
	size_t count, cap, bytes;
} tl__verify_raises;

/* Nothing in it grows with the number of entries but `open`: 8 bytes or so for each that is a tip
 * at that moment. */
typedef struct tl__verify {
	tl__verify_task *task;
	tl__tree *tree;
	tl_id db;
	tl__snapshot *snapshot;
	tl__judge judge;
	bool derived;      /* look at tips and state, too */
	uint64_t verdicts; /* findings that concern a verdict */
	tl__arena arena;   /* of the stores */
	tl__map stores;    /* name -> tl__verify_store */
	tl__verify_store whole, *first_store;
	tl__number_set open;                /* store index and arrival of tips */
	bool alone[TL__LINES_PAGE_ENTRIES]; /* of the page: was the only tip when it came */
	tl__arena recent;                   /* of the next two */
	tl__map known;                      /* id -> tl__verify_known */
	tl__map members;                    /* store index, id -> tl__verify_member */
	tl__verify_raises raises;
	uint64_t arrivals;
	uint8_t chain[32];
} tl__verify;

/* verify_run.c. Judges every entry anew and counts those whose stored verdict is another. Reads the
 * whole database. */
int tl__verify_verdicts(tl__host *host, const tl_id *db, uint64_t *differing) TL_MUST_USE;

/* Whether to go on: TL_E_CANCELLED when the task's caller says no, TL_E_CLOSED when its node
 * closes. Asks only now and then. */
int tl__verify_ask(tl__verify_task *task) TL_MUST_USE; /* at a pace */
int tl__verify_ask_now(tl__verify_task *task) TL_MUST_USE;
/* A finding; the sentence may hold names that others chose. */
void tl__verify_tell(tl__verify_task *task, const tl_id *db, const tl_id *entry, tl_str sentence);
void tl__verify_report(tl__verify *v, const tl_id *entry, const char *format, ...) TL_FORMAT(3, 4);

/* Begins to judge: what the judge and its plan remember of the history goes with each call. */
int tl__verify_judge_anew(tl__verify *v) TL_MUST_USE;
void tl__verify_judge_end(tl__verify *v);

/* verify.c. Walks all entries in arrival order. */
int tl__verify_entries(tl__verify *v) TL_MUST_USE;
/* A tip by its number in the store and in the order of arrival, as a member of `open`. */
static inline uint64_t tl__verify_tip(const tl__verify_store *store, uint64_t arrival)
{
	return store->index << 40 | arrival;
}

/* verify_ahead.c: what of an entry can be checked without its ancestors, by the threads of the
 * pool. */
typedef struct tl__checked {
	int code;           /* TL_E_NOMEM: not checked */
	const char *broken; /* why its bytes are no entry of the database: a sentence; or NULL */
	tl_entry *entry;    /* unless broken */
	bool readable;      /* the data of all its stores is a Doc */
	bool verified, genuine; /* whether the signature was verified with this key, and held */
	tl_key key;
} tl__checked;

/* A page of entries in arrival order. In its place between start and free. */
typedef struct tl__verify_page {
	tl__lines lines;
	tl__checked *at;
	tl__pool_batch batch;
	const tl__verify *verify;
} tl__verify_page;

/* Reads the page from this arrival number on and has the pool begin. After a failure
 * tl__verify_page_free is still due. */
int tl__verify_page_start(tl__verify_page *page, const tl__verify *v, uint64_t from) TL_MUST_USE;
/* Waits until all of it is checked. */
int tl__verify_page_finish(tl__verify_page *page) TL_MUST_USE;
/* Zeroed is fine; so it is afterwards. */
void tl__verify_page_free(tl__verify_page *page);
/* Whether the data of one of its stores is a Doc. TL_E_NOMEM. */
int tl__verify_data(const tl_entry *entry, size_t store, bool *readable) TL_MUST_USE;

/* verify_known.c: what rows say of a page's entries and of those they name. */
int tl__verify_look_up(tl__verify *v, const tl__verify_page *page) TL_MUST_USE;
void tl__verify_forget(tl__verify *v);
/* NULL: not in the DAG; not in the store. After the look-up of the page that names it. */
const tl__verify_known *tl__verify_known_of(const tl__verify *v, const tl_id *id);
const tl__verify_member *tl__verify_member_of(
	const tl__verify *v, const tl__verify_store *store, const tl_id *id);
int tl__verify_store_of(tl__verify *v, tl_str name, tl__verify_store **out) TL_MUST_USE;

/* verify_state.c: notes what a good entry says of a store; compares what was noted with the state;
 * at the end tells whether that is the fold of the history. */
int tl__verify_delta(tl__verify *v, const tl_entry *entry, size_t at, tl__verify_store *store,
	const tl__verify_member *member) TL_MUST_USE;
int tl__verify_deltas(tl__verify *v) TL_MUST_USE;
int tl__verify_state(tl__verify *v, tl__verify_store *store) TL_MUST_USE;

/* verify_derived.c. Tips, and each store's state; after the walk. */
int tl__verify_derived(tl__verify *v) TL_MUST_USE;

#endif
