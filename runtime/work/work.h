/* Store work of the sync core. The core never touches the store: it hands out a tl__work, somebody
 * runs it (the engine on the store worker, the simulator at once) and gives it back. A work owns
 * everything in it; whoever holds the pointer owns the work.
 *
 * Driver: `tl__work_prepare(host, work)` if the work will have to wait for others,
 * `tl__work_slice(host, work)` until it is done, then the event TL__SYNC_WORKED with the same
 * pointer. Kinds and members are the core's business. Works of one party are begun in the order
 * they were handed out; those of several in any order (and at once when they are about different
 * databases). */
#ifndef TL_TREE_WORK_H
#define TL_TREE_WORK_H

#include "base/arena.h"
#include "base/map.h"
#include "tree/api/database.h"
#include "work/intake.h"
#include "work/party.h"
#include "wire/v1.h"

/* Bounds of one work. */
#define TL__WORK_MAX_SCAN    10000        /* arrivals read for one page */
#define TL__WORK_SLICE_ROWS  256          /* read in a slice: about 2 ms with its bytes */
#define TL__WORK_SLICE_BYTES (128 * 1024) /* of entries, likewise; one always comes */
#define TL__WORK_STRANGERS   4            /* so many slices of theirs are one */

/* --- work ------------------------------------------------------------------------------------- */

/* What a work goes on with in its next slice. */
typedef struct tl__planning tl__planning;
typedef struct tl__paging tl__paging;

typedef enum tl__work_kind {
	TL__WORK_LOAD,   /* everything the core remembers, at start */
	TL__WORK_SAVE,   /* local documents, and records of the `_sync` database */
	TL__WORK_INGEST, /* judge and store a page, or all that an intake holds */
	TL__WORK_TIPS,   /* what we hold: tips, and which of our keys count there */
	TL__WORK_LOOKUP, /* which of these ids we hold, and how */
	TL__WORK_PLAN,   /* what a peer lacks, as a page to push */
	TL__WORK_PAGE,   /* answer to pull */
	TL__WORK_ACCESS, /* what these keys may do in a database now */
	TL__WORK_LIST,   /* databases these keys may read */
	TL__WORK_EXPIRE, /* access requests of `_sync` that nobody decided in time */
	TL__WORK_GRANT,  /* a record for a key, by one of ours */
	TL__WORK_WATCH, /* which of these databases are ahead of a place, and a page of the first */
	TL__WORK_MATTERS, /* which of these keys any settings name */
	TL__WORK_VERIFY,  /* proofs, and the hash of a body: needs no store */
	TL__WORK_OTHER    /* of somebody above, who brings what runs it: `way` */
} tl__work_kind;

/* What the settings say of a database, as far as serving and asking need it. */
typedef struct tl__work_rights {
	bool held;      /* its root is in the DAG */
	bool system;    /* by the root's `name`: _users _databases _instance _sync _user_* */
	bool is_public; /* the Active global record is there */
	tl_permission public_permission;
	tl_str db_name; /* of the settings; ptr NULL: none */
	/* Of each key asked for, in order: whether it holds an Active record now, and the best. */
	struct tl__work_right {
		bool active;
		tl_permission permission;
		tl_str name; /* of the record */
	} * keys;
	size_t key_count;
} tl__work_rights;

typedef struct tl__work_db {
	tl_id id;
	uint64_t arrivals;
	tl_id tips[16];   /* the first ones */
	size_t tip_count; /* in `tips` */
	/* Of a list that describes them. */
	tl_str name;  /* of the settings; ptr NULL: none */
	bool granted; /* it is public, or one of the keys reads it */
} tl__work_db;

/* Where the id of `_sync` is kept: a local document holding the id's text. Local documents of this
 * layer begin with "sync/". */
#define TL__LOCAL_SYNC_DB    "node/sync_database"
#define TL__LOCAL_SYNC_START "sync/"
#define TL__LOCAL_HISTORY    "sync-history/" /* not loaded */

typedef struct tl__work_load {
	/* Out. */
	tl_id sync_db; /* the `_sync` database: made, signed by the device key, when there is none
			*/
	tl__put_local *locals; /* local documents whose key begins with "sync/", ascending */
	size_t local_count;
	tl_value *peers, *trees; /* Docs of these stores of `_sync`; freed with the work */
	tl__work_db *dbs;
	size_t db_count;
} tl__work_load;

#define TL__SYNC_REQUESTS "bootstrap_requests" /* Table of access requests in `_sync` */

/* A change to a Doc store of `_sync`: made only when the present value differs. A change without a
 * value removes the path and everything below it. */
typedef struct tl__work_record {
	const char *store; /* "peers", "trees", "settings_map"; TL__SYNC_REQUESTS is a Table */
	tl_str path[3];    /* literal components */
	size_t path_len;   /* 1 to 3 */
	bool is_int;       /* number instead of text */
	int64_t number;
	tl_str text; /* ptr NULL and !is_int: remove */
} tl__work_record;

typedef struct tl__work_save {
	const tl__put_local *locals;
	size_t local_count;
	const tl__work_record *records; /* at most one commit, and none when nothing differs */
	size_t record_count;
	tl_id sync_db; /* the commit is signed by the device key */
} tl__work_save;

typedef struct tl__work_expire {
	/* In */
	tl_id sync_db;   /* the commit is signed by the device key */
	int64_t before;  /* Unix ms: pending requests that are older go */
	size_t max_rows; /* in one run: one commit at most, and none without such a row */
	/* Out */
	size_t removed;
	bool more; /* there are others: run another work */
} tl__work_expire;

typedef struct tl__work_place {
	uint64_t n;
	uint8_t c[16]; /* first bytes of chain_n */
} tl__work_place;

/* Arrivals (from, to]. */
typedef struct tl__arrivals {
	uint64_t from, to;
} tl__arrivals;
bool tl__arrivals_hold(const tl__arrivals *ranges, size_t count, uint64_t arrival);

typedef struct tl__work_ingest {
	/* In: the page; its lines stay until the work is given back. */
	tl__ingest_page page;
	tl__intake *intake; /* instead of page.lines: one page of it a run. Freed with the work. */
	bool has_since;     /* push: the sender's place in our order */
	tl__work_place since;
	const tl_id *told; /* tips that the sender told with it: for whoever gave the work */
	size_t told_count;
	/* Out */
	tl__ingest_result result; /* freed with the work */
	bool more;                /* the intake holds more: run the same work again */
	tl__ingesting *ingesting; /* private: between two pieces of a page */
	tl__ingest_page ahead;    /* private: the intake's page after this one, when has_ahead */
	bool has_ahead, more_ahead;
	uint64_t before, after; /* arrival numbers around it: after − before == result.entered
				   says that nobody else wrote. What arrived is told so, and
				   by the tree's listener only where it took several turns */
	/* Fates over all pages of an intake. */
	uint64_t fates[TL__FATE_DECLINED + 1];
	int declined_code;     /* of the first declined line; TL_OK when none */
	bool since_valid;      /* `since` is a place in our order */
	tl__work_place cursor; /* largest m >= since.n with every arrival of (n, m] in this page */
	uint64_t head;         /* arrivals and tips of the database afterwards */
	size_t tip_count;
	uint8_t tips_hash[32];
} tl__work_ingest;

typedef struct tl__work_tips {
	/* In */
	size_t max_tips; /* more: only count and hash */
	const tl_key *keys;
	size_t key_count;
	/* Out */
	bool held;         /* false: the root is missing and `ids` is empty */
	uint64_t arrivals; /* of the same snapshot */
	tl_id *ids;
	size_t id_count;
	size_t tip_count;
	uint8_t tips_hash[32]; /* tl__v1_tips_hash of all of them */
	uint32_t key_mask;     /* bit i: keys[i] holds an Active record there now */
} tl__work_tips;

typedef enum tl__work_found {
	TL__FOUND_NOT = 0,
	TL__FOUND_DAG,
	TL__FOUND_PENDING,
	TL__FOUND_QUARANTINE
} tl__work_found;

typedef struct tl__work_lookup {
	const tl_id *ids;
	size_t count;
	tl__work_found *found; /* out: in order */
	bool same_tips;        /* out: `ids` is exactly the set of our tips */
	uint64_t arrivals;
	size_t at; /* private: looked up so far */
} tl__work_lookup;

#define TL__WORK_MAX_LEFT 100000 /* with more, nothing further is sent */

/* Which entries are left out of what a peer gets, because they or what they stand on are too large
 * for it. */
typedef struct tl__left_out {
	tl__map ids;
	uint64_t first; /* smallest arrival among them; 0 = none */
} tl__left_out;

typedef struct tl__work_plan {
	/* In */
	uint64_t from;       /* arrivals up to here are settled */
	const tl_id *theirs; /* tips the peer is known to hold */
	size_t their_count;
	const tl_id *want; /* only these, whatever `from` (what pending entries wait for) */
	size_t want_count;
	const tl__arrivals *skip; /* came from the peer itself */
	size_t skip_count;
	bool by_tips; /* `theirs` is complete: what it lacks from the first arrival on, `from`
			 counts for nothing */
	size_t max_bytes, max_entries;
	size_t max_entry_bytes; /* v0: what is larger is left out; 0 = no such limit */
	const tl_key *keys;
	size_t key_count;
	tl__left_out left; /* in and out, the work's meanwhile; for max_entry_bytes */
	/* Out: parents first. */
	tl_str *lines;
	tl_id *ids;
	uint64_t *arrivals;
	size_t count;
	uint64_t to; /* everything in (from, to] is in this page, left out or known to the peer */
	tl__work_place place; /* of `to`; `from` is where it began */
	uint64_t head;        /* last arrival when it began */
	bool more;
	bool held;
	uint32_t key_mask;
	tl__planning *planning; /* private */
} tl__work_plan;

typedef struct tl__work_page {
	/* In: what the request states. */
	const tl_id *tips; /* of the requester: their ancestors are left out */
	size_t tip_count;
	const tl_id *have; /* exactly these are left out */
	size_t have_count;
	const tl_id *want; /* answered first, from the DAG and from quarantine */
	size_t want_count;
	bool has_cursor;
	tl__work_place cursor;
	bool has_seen; /* place of ours that the requester says it has acknowledged */
	tl__work_place seen;
	const tl__arrivals *skip; /* came from the requester itself: left out */
	size_t skip_count;
	size_t max_bytes, max_entries;
	/* Out: as of one moment. */
	tl_str *lines;
	size_t count;
	tl_id *absent; /* wanted and not held */
	size_t absent_count;
	bool cursor_valid, seen_valid;
	tl__work_place next;
	uint64_t left; /* arrivals behind `next` */
	bool more;
	tl_id *our_tips;
	size_t our_tip_count;
	uint8_t tips_hash[32];
	tl__paging *paging; /* private */
} tl__work_page;

/* One database of a watch. */
typedef struct tl__work_watched {
	tl_id db;
	bool has_cursor;
	tl__work_place cursor; /* looked at when `checks` */
	bool checks;           /* else cursor.n alone counts: the place was valid before */
	const tl_key *keys;    /* whose rights */
	size_t key_count;
	uint64_t reader; /* the caller's, as `line` */
	size_t line;
	const tl__arrivals *skip; /* came from the requester itself: left out */
	size_t skip_count;
	/* Out */
	tl__work_rights rights;
	uint64_t arrivals;
	bool valid;
} tl__work_watched;

typedef struct tl__work_watch {
	tl__work_watched *lines;
	size_t count;
	bool shared; /* in: the lines are readers of one database, at one place: the page is all
			theirs */
	size_t looked_up; /* private: lines whose rights are at hand */
	size_t paged;     /* in: SIZE_MAX. Out: the first line that is held, valid and ahead */
	/* Of that line; in: max_bytes, max_entries. */
	tl__work_page page;
} tl__work_watch;

typedef struct tl__work_access {
	const tl_key *keys;
	size_t key_count;
	tl__work_rights rights; /* out */
} tl__work_access;

/* What the maker may give now, and no more. */
typedef struct tl__work_grant {
	tl_str signer; /* name of the private key … */
	tl_key maker;  /* … that must still be this one */
	tl_key key;    /* who gets it */
	tl_str name;   /* of the record, or a number behind it */
	tl_permission permission;
} tl__work_grant;

typedef struct tl__work_list {
	const tl_key *keys;
	size_t key_count;
	const tl_id *related; /* readable whatever the keys */
	size_t related_count;
	bool has_after;
	tl_id after; /* only ids behind it */
	size_t max;
	bool describe; /* names, and what is granted */
	/* Out: the first databases that are public, related or readable by one of the keys,
	 * ascending; never system ones. */
	tl__work_db *dbs;
	size_t db_count;
	bool more; /* there are others behind them */
} tl__work_list;

typedef struct tl__work_matters {
	const tl_key *keys;
	size_t count;
	bool anywhere; /* in any database, for reading; else in the work's */
	bool *named;   /* out: in order */
} tl__work_matters;

/* The memory of all this is the caller's until the work is given back. */
typedef struct tl__work_verify {
	tl__v1_frame frame;
	const size_t *proofs; /* which */
	const tl_key *keys;   /* of each */
	size_t count;
	bool *good;  /* out: in order */
	tl_str body; /* ptr NULL: none to look at */
	uint8_t sha256[32];
	bool body_good; /* out: it has that hash */
} tl__work_verify;

struct tl__work;

/* How a kind of somebody above is run. */
typedef struct tl__work_way {
	int (*run)(tl__tree *tree, struct tl__work *work); /* a slice; TL_OK or why it failed */
	void (*clear)(void *own); /* what lies outside of the work's arena; NULL: nothing does */
	bool apart;               /* it looks at no tree */
} tl__work_way;

typedef struct tl__work_other {
	const tl__work_way *way;
	void *own; /* in the work's arena; NULL until tl__work_begin_other */
} tl__work_other;

typedef struct tl__work {
	tl__work_kind kind;
	tl_id db; /* all zero when not about one */
	tl__party party;
	tl__arena arena;
	/* Whose it is inside the core. */
	void (*done)(void *sync, struct tl__work *work);
	uint64_t owner;        /* number that `done` finds its state with */
	struct tl__work *next; /* the core's, while it has it */
	/* By whoever runs it, optional: whether somebody waits meanwhile. Then a page is taken in
	 * pieces (a slice each), else at once. */
	tl__others others;
	/* Result: TL_OK, or a code with its kept error (may be NULL when memory ran out). */
	int code;
	tl_error *error;
	/* Of the slice run last: */
	bool again;         /* it is not done */
	tl__tree *tree;     /* that it is run on */
	size_t rows, bytes; /* what it has read of the history */
	union {
		tl__work_load load;
		tl__work_save save;
		tl__work_ingest ingest;
		tl__work_tips tips;
		tl__work_lookup lookup;
		tl__work_plan plan;
		tl__work_page page;
		tl__work_access access;
		tl__work_watch watch;
		tl__work_list list;
		tl__work_expire expire;
		tl__work_grant grant;
		tl__work_matters matters;
		tl__work_verify verify;
		tl__work_other other;
	};
} tl__work;

/* db may be NULL. *out is yours: tl__work_free. TL_OK or TL_E_NOMEM. */
int tl__work_new(tl__work **out, tl__work_kind kind, const tl_id *db) TL_MUST_USE;
void tl__work_free(tl__work *work); /* NULL is fine */
/* Makes a work of kind TL__WORK_OTHER one of this way, with zeroed memory of its own. NULL: none
 * was left; the work stays the caller's. */
void *tl__work_begin_other(tl__work *work, const tl__work_way *way, size_t size);
/* Optional: begins what needs no store, on other threads, for a work that waits its turn. Never
 * blocks. */
void tl__work_prepare(tl__host *host, tl__work *work);
/* Runs a slice of it: blocks for the store. Any thread, one at a time a work. True: it is not done,
 * run it again once others had their turn. Else the result is in the work. Its commits
 * are those of the node itself: the host is `by_node`, or without hooks. */
bool tl__work_slice(tl__host *host, tl__work *work) TL_MUST_USE;
void tl__work_run(tl__host *host, tl__work *work); /* all slices */
/* Optional, instead: true when its result is there without a look at the store, as that of a
 * question about rights that are kept. Never blocks. false: it is to be run, and is as it was. */
bool tl__work_at_once(tl__host *host, tl__work *work);
struct tl__fresh;
/* The result of a look at one database from what just became visible there, which is all that is
 * behind the place of each reader, and its only tip. Touches no store. false: it is to be run, and
 * is as it was. `fresh` outlives the work. */
bool tl__work_watch_fresh(tl__work *work, const struct tl__fresh *fresh);
/* The same for a plan from the place before it on: a page of that one entry. */
bool tl__work_plan_fresh(tl__work *work, const struct tl__fresh *fresh);
/* Whether works of the same party wait until it is done, also between its slices: pages are taken
 * in the order they came. */
bool tl__work_keeps_place(const tl__work *work);
/* Whether it may be run by any thread at any time, beside all others, in one slice. */
bool tl__work_is_apart(const tl__work *work);

/* Whether the slice has read enough. */
static inline bool tl__work_spent(const tl__work *work)
{
	size_t times = work->party.rank == TL__PARTY_STRANGER ? TL__WORK_STRANGERS : 1;

	return work->rows >= TL__WORK_SLICE_ROWS / times ||
	       work->bytes >= TL__WORK_SLICE_BYTES / times;
}

/* What runs the kinds; each leaves its failure in the thread's last error. */
int tl__work_load_run(tl__host *host, tl__work *work) TL_MUST_USE;
int tl__work_save_run(tl__host *host, tl__work *work) TL_MUST_USE;
int tl__work_expire_run(tl__host *host, tl__work *work) TL_MUST_USE;
int tl__work_grant_run(tl__host *host, tl__work *work) TL_MUST_USE;
void tl__work_ingest_prepare(tl__tree *tree, tl__work *work);
int tl__work_ingest_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_tips_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_lookup_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_plan_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
/* Serving: work/work_serve.c */
int tl__work_page_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_watch_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_access_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_list_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_matters_run(tl__tree *tree, tl__work *work) TL_MUST_USE;
int tl__work_verify_run(tl__work *work) TL_MUST_USE;
/* What tl__work_free calls. */
void tl__work_plan_clear(tl__work_plan *plan);
void tl__work_page_clear(tl__work_page *page);
/* Part of an ingest with has_since: the place after it (serving). */
int tl__work_since(tl__tree *tree, tl__work *work) TL_MUST_USE;

/* Shared by them: rights of these keys in a database; memory from the arena. A database that is not
 * held gives rights->held false and TL_OK. */
int tl__work_rights_of(tl__tree *tree, const tl_id *db, const tl_key *keys, size_t count,
	tl__arena *arena, tl__work_rights *out) TL_MUST_USE;

#endif
