/* What the parts of verify share. Only for verify*.c. */
#ifndef TL_TREE_VERIFY_H
#define TL_TREE_VERIFY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "tree/handles.h"
#include "tree/judge.h"
#include "tree/lines.h"

/* One check, of one database or several. */
typedef struct tl__verify_task {
	tl__host *host;
	tl_verify_options options;
	tl_verify_result result;
	uint64_t total;    /* entries */
	uint64_t asked_at; /* ms, monotonic */
} tl__verify_task;

typedef struct tl__verify {
	tl__verify_task *task;
	tl__tree *tree;
	tl_id db;
	tl__snapshot *snapshot;
	tl__judge judge;
	uint64_t verdicts; /* findings that concern a verdict */
	tl__arena arena;
	tl__map entries; /* id -> tl__seen */
	tl__map members; /* store name, 0xff, id -> tl__seen, height within the store */
	tl__map stores;  /* names */
	uint64_t arrivals;
	uint8_t chain[32];
} tl__verify;

/* An entry walked over. */
typedef struct tl__seen {
	uint64_t height;
	bool named; /* as a parent by another one */
} tl__seen;

/* verify_run.c. Judges every entry anew and counts those whose stored verdict is another. Reads the
 * whole database. */
int tl__verify_verdicts(tl__host *host, const tl_id *db, uint64_t *differing) TL_MUST_USE;

/* Whether to go on: TL_E_CANCELLED when the task's caller says no, TL_E_CLOSED when its node
 * closes. Asks only now and then. */
int tl__verify_ask(tl__verify_task *task) TL_MUST_USE;
void tl__verify_report(tl__verify *v, const tl_id *entry, const char *format, ...) TL_FORMAT(3, 4);

/* verify.c. Walks all entries in arrival order. */
int tl__verify_entries(tl__verify *v) TL_MUST_USE;

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

/* verify_derived.c. Tips, and each store's state against a fold; after the walk. */
int tl__verify_derived(tl__verify *v) TL_MUST_USE;
/* Key of `members`: in the buffer, valid until it changes. */
int tl__verify_member_key(tl__buf *buf, tl_str store, const tl_id *id, tl_str *out) TL_MUST_USE;

#endif
