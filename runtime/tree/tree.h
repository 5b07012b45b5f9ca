/* What the parts of this folder share: one tl__tree a node, settings at a frontier, and the plan
 * that turns entries into one store batch. Database handles and ingest both build on it. */
#ifndef TL_TREE_TREE_H
#define TL_TREE_TREE_H

#include <stdatomic.h>
#include <tidelock/auth.h>
#include <tidelock/entry.h>
#include "base/buf.h"
#include "base/system/env.h"
#include "base/system/log.h"
#include "crypto/pool.h"
#include "model/ids.h"
#include "store/store.h"

#define TL__STORE_SETTINGS  "_settings"
#define TL__STORE_ROOT      "_root"
#define TL__DEVICE_KEY_NAME "_device_key" /* of the node's own among the private keys */

/* Raised when a rule of trust changes: stored verdicts of an older version are judged again
 * (tl__rules_check; with the first page, tree/ingest/ingest_resume.c). */
#define TL__RULES_VERSION 1

typedef struct tl__settings_cache tl__settings_cache;
typedef struct tl__signers tl__signers;
typedef struct tl__quarantine tl__quarantine;
typedef struct tl__recent tl__recent;
struct tl__rights_cache;
struct tl__tips_cache;

struct tl__fresh;

/* Told after entries became visible, on the thread that wrote them; must only wake someone. `fresh`
 * (tree/api/fresh.h) is the listener's; NULL: it has to be read. */
typedef struct tl__tree_listener {
	void (*committed)(void *ud, const tl_id *db, uint64_t arrival, struct tl__fresh *fresh);
	void *ud;
} tl__tree_listener;

/* Bounds of what is kept outside the DAG (options; defaults TL__PENDING_* and TL__QUARANTINE_*). */
typedef struct tl__aside_limits {
	size_t pending_entries; /* of one sender */
	uint64_t pending_bytes;
	uint64_t stranger_bytes;   /* pending ones of all senders without relation together */
	size_t quarantine_entries; /* of all senders together */
	uint64_t quarantine_bytes;
} tl__aside_limits;

typedef struct tl__tree {
	tl__store *store;
	tl__verify_pool *pool;
	const tl__clock *clock;
	tl__random random; /* for ids and entropy: secure in a real node, seeded in the simulator */
	const tl__log *log;
	tl__settings_cache *settings;
	struct tl__rights_cache *rights;
	struct tl__tips_cache *tips;
	tl__recent *recent;
	tl__tree_listener listener;
	struct tl__tree_locks *locks;
	tl__quarantine *quarantine;
	tl__signers *signers;
	struct tl__aside_limits limits; /* of setting aside; a member that is 0 has its default */
	size_t piece_entries;           /* 0: TL__INGEST_PIECE_ENTRIES */
	size_t citations_max;           /* 0: TL__CITATIONS_MAX */
	atomic_bool resumed;            /* what was set aside is looked at again, once */
	atomic_bool fruitless;          /* little of the page before entered the DAG */
	atomic_size_t ahead;            /* pages prepared, not judged yet */
	/* Writes that set something pending aside, from 1; and how many there were when nothing was
	 * pending in any database. */
	atomic_uint_fast64_t pendings, none_pending;
} tl__tree;

/* Borrows everything it is given. TL_OK or TL_E_NOMEM. */
int tl__tree_init(tl__tree *tree, tl__store *store, tl__verify_pool *pool, const tl__clock *clock,
	tl__random random, const tl__log *log) TL_MUST_USE;
void tl__tree_free(tl__tree *tree);

/* Lock of one database for whoever writes entries into it: ingest alone, local commits together, so
 * that they share a durability point. Taken around plan and write; never twice by one thread, never
 * while user code runs. A waiting ingest goes before new commits. */
typedef enum tl__tree_writer { TL__WRITES_INGEST, TL__WRITES_COMMIT } tl__tree_writer;
void tl__tree_lock(tl__tree *tree, const tl_id *db, tl__tree_writer writer);
void tl__tree_unlock(tl__tree *tree, const tl_id *db);
/* What tl__tree_init and tl__tree_free call. */
int tl__tree_locks_new(struct tl__tree_locks **out) TL_MUST_USE;
void tl__tree_locks_free(struct tl__tree_locks *locks); /* NULL is fine */

/* --- settings --------------------------------------------------------------------------------- */

/* Settings of a database in one state: shared, immutable, counted. */
typedef struct tl__settings {
	tl_value *doc; /* merged `_settings` Doc */
	tl_auth *auth;
	atomic_uint readers; /* private */
} tl__settings;

/* Settings at the present: what an entry on all of the database's tips would see. */
int tl__settings_now(
	tl__tree *tree, tl__snapshot *s, const tl_id *db, tl__settings **out) TL_MUST_USE;
/* Settings seen by an entry with these main parents: also those at the tips that a delegation
 * cites. TL_E_ENTRY_NOT_FOUND when one of them is not in the DAG. */
int tl__settings_of_parents(tl__tree *tree, tl__snapshot *s, const tl_id *db, const tl_id *parents,
	size_t count, tl__settings **out) TL_MUST_USE;
void tl__settings_release(tl__settings *settings); /* NULL is fine */

/* --- plan ------------------------------------------------------------------------------------- */

/* Entries of one database that a delegation step cites. */
typedef struct tl__cite {
	tl_id db;
	tl_id *tips; /* ascending, each once */
	size_t count;
} tl__cite;

/* Entries about to enter one database's DAG, parents first, with everything derived from them:
 * heights, frontiers, tips, stamps. Later entries may stand on earlier ones of the same plan. */
typedef struct tl__plan tl__plan;

int tl__plan_new(tl__plan **out, tl__tree *tree, tl__snapshot *s, const tl_id *db) TL_MUST_USE;
void tl__plan_free(tl__plan *plan); /* NULL is fine */
/* All that the plan will be asked about and that was committed here is in its snapshot: of what was
 * committed lately the store need not be asked. */
void tl__plan_on_recent(tl__plan *plan);

/* Optional: looks these ids up in one go, so that the calls below need not ask the store for them
 * one by one. Ids that are in no DAG are remembered as such. */
int tl__plan_prefetch(tl__plan *plan, const tl_id *ids, size_t count) TL_MUST_USE;
/* Whether an entry of the DAG or of this plan carries that store; false for an unknown id. */
int tl__plan_carries(tl__plan *plan, tl_str store, const tl_id *id, bool *carries) TL_MUST_USE;
/* Settings at an entry's main parents, seen through the plan; for a root entry its own `_settings`.
 */
int tl__plan_settings(tl__plan *plan, tl_entry *entry, tl__settings **out) TL_MUST_USE;
/* Adds an entry (retained) with its verdict: TL__VERIFIED or TL__VOID. All main
 * and store parents must be there (TL_E_ENTRY_NOT_FOUND), the id not yet (TL_E_ALREADY_EXISTS for
 * one of this plan or known to be stored), the entry checked with tl_entry_check. On an error the
 * plan is as before. */
int tl__plan_add(tl__plan *plan, tl_entry *entry, tl__verdict verdict) TL_MUST_USE;
/* What the entry added last, a good one, cites of delegated databases: nothing, unless this was
 * said. After an error it is to be taken back. */
int tl__plan_cites(tl__plan *plan, const tl__cite *cites, size_t count) TL_MUST_USE;
/* What these entries, all in the DAG or the plan, hand on of citations, ascending; *at belongs to
 * the plan. */
int tl__plan_cited_at(tl__plan *plan, const tl_id *ids, size_t count, const tl__citation **at,
	size_t *cited) TL_MUST_USE;
/* Whether an entry of the DAG hands on what it should, if it is good and cites these. */
int tl__plan_cited_is(tl__plan *plan, const tl_entry *entry, const tl__cite *cites, size_t count,
	bool *is) TL_MUST_USE;
/* Settings at these entries, all in the DAG or the plan: what an entry with them as main parents
 * would see. */
int tl__plan_settings_at(
	tl__plan *plan, const tl_id *ids, size_t count, tl__settings **out) TL_MUST_USE;
/* Takes back the last `count` additions (a verdict that was assumed proved wrong). */
void tl__plan_undo(tl__plan *plan, size_t count);
size_t tl__plan_count(const tl__plan *plan);
/* The batch of everything planned; borrowed until the plan is freed or changed. Callers may add
 * asides, locals and keys to it before writing. */
int tl__plan_batch(tl__plan *plan, tl__batch *batch) TL_MUST_USE;

/* --- state ------------------------------------------------------------------------------------ */

/* Present value at a path of literal components: NULL in *out when absent; a tombstone is returned
 * as such (TL_DELETED). A container is read with everything below it. *out is yours.
 * TL_E_DATABASE_NOT_FOUND never comes: an unknown store is empty. */
int tl__state_get(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, tl_value **out) TL_MUST_USE;
/* The whole Doc, tombstones included. */
int tl__state_doc(tl__snapshot *s, const tl_id *db, tl_str store, tl_value **out) TL_MUST_USE;
/* Some children of a Doc, in key order. */
typedef struct tl__page {
	tl_str prefix; /* their keys begin with it */
	tl_str after;  /* and come after this one; ptr NULL: from the first */
	size_t limit;  /* children at most, tombstones among them; large ones make a page shorter */
	bool more;     /* result: there may be others behind the last one */
} tl__page;
#define TL__PAGE_BYTES (256u * 1024)
/* A page of the Doc at the components: *out is a Doc with these children alone and yours, NULL when
 * no Doc stands there. */
int tl__state_page(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, tl__page *page, tl_value **out) TL_MUST_USE;
/* The same of a Doc in memory; *out is a Doc. */
int tl__doc_page(const tl_value *doc, tl__page *page, tl_value **out) TL_MUST_USE;
/* How many of the components lead to a List: *at is 0 when there is none on their way. */
int tl__state_list(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, size_t *at) TL_MUST_USE;
/* The same as the whole Doc for the ancestors-or-self (in that store) of these entries: folds
 * history in (height, id) order. Void entries contribute nothing. */
int tl__state_fold(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *tips, size_t count,
	tl_value **out) TL_MUST_USE;

/* Order of folding: height, then id. */
int tl__stamp_compare(const tl__stamp *a, const tl__stamp *b);
/* Whether a stamp at this path, if it were there, would be gone: replaced by something newer above.
 */
int tl__state_is_gone(tl__snapshot *s, const tl_id *db, tl_str store, tl_str path,
	const tl__stamp *stamp, bool *gone) TL_MUST_USE;
/* Takes dead rows of one store out of its state: those that something newer above them replaced, so
 * that nobody reads them. Looks at about `rows` rows behind *cursor (empty at the start, and again
 * when the end was reached) and writes one batch. *dropped (may be NULL) is how many went. May run
 * at any time beside readers and writers. */
int tl__state_clean(tl__tree *tree, const tl_id *db, tl_str store, size_t rows, tl__buf *cursor,
	size_t *dropped) TL_MUST_USE;

/* --- ingest ----------------------------------------------------------------------------------- */

typedef enum tl__fate_kind {
	TL__FATE_VERIFIED = 0,
	TL__FATE_VOID,
	TL__FATE_KNOWN,
	TL__FATE_PENDING,
	TL__FATE_INVALID,
	TL__FATE_DECLINED
} tl__fate_kind;

/* What became of one received line. `code` of an invalid one: TL_E_KEY_NOT_FOUND, TL_E_BAD_KEY,
 * TL_E_KEY_REVOKED, TL_E_INSUFFICIENT_PERMISSIONS, TL_E_BAD_SIGNATURE, TL_E_INVALID_TIP (of a
 * delegation), TL_E_BAD_ENTRY (a store parent without the store, an impossible path). Of a pending
 * one: TL_E_WAITS_FOR_PARENT, TL_E_WAITS_FOR_DATABASE. Of a declined one: TL_E_BAD_JSON,
 * TL_E_BAD_ENTRY, TL_E_NOT_CANONICAL, TL_E_TOO_LARGE (the line), TL_E_FOREIGN_ENTRY,
 * TL_E_UNKNOWN_DATABASE, TL_E_SET_ASIDE_FULL, TL_E_PARENT_DECLINED. */
typedef struct tl__fate {
	tl_id id; /* all zero when the line has none */
	bool has_id;
	tl__fate_kind kind;
	int code;
	uint64_t arrival; /* of verified and void ones that entered now */
} tl__fate;

/* What can be done with a page before its turn comes. */
typedef struct tl__prepared tl__prepared;

/* Whether somebody waits for the thread that does something long. NULL: nobody ever does. */
typedef struct tl__others {
	bool (*wait)(void *ud);
	void *ud;
} tl__others;

typedef struct tl__ingest_page {
	tl_id db;
	const tl_str *lines; /* entry texts */
	size_t count;
	tl_entry_form form;
	tl_str sender;       /* key text or "anonymous:<address>" */
	bool related;        /* the sender has a relation with this database */
	bool accept_unknown; /* an unknown database may be created by its root being in this page */
	const tl__put_local *locals; /* written in the same batch (cursors) */
	size_t local_count;
	tl__prepared *prepared; /* of these lines, borrowed; or NULL */
	tl__others others;      /* asked all along; see tl__ingest_piece */
	bool told; /* who gave it tells what arrived: the listener is not, where one turn took all
		      of it and it went well */
} tl__ingest_page;

typedef struct tl__ingest_result {
	tl__fate *fates; /* page->count elements, in the order of the lines */
	/* Ids of this database that pending entries of the page wait for, and the entries those
	 * wait for in turn: ask the sender. */
	tl_id *missing;
	size_t missing_count;
	/* Databases of which a delegation cites entries that we lack: root ids. */
	tl_id *missing_databases;
	size_t missing_database_count;
	uint64_t entered; /* entries that entered this database's DAG, promoted ones included */
	uint64_t before, after; /* its newest arrival before the first piece and after the last one:
				   equal to `entered` apart when nobody else wrote between */
	size_t evicted;         /* quarantined entries, of any database, that made room */
} tl__ingest_result;

/* Begins to read the page's lines, and to verify their signatures, on the threads of the pool, so
 * that both go on while the pages before it are written. Which key an entry is signed by is only
 * guessed: nothing is decided here. Never blocks; any thread. The lines must stay until
 * tl__prepared_free. NULL in *out, and TL_OK, when enough pages are under way: then, and on
 * TL_E_NOMEM, the page does without. */
int tl__ingest_prepare(tl__prepared **out, tl__tree *tree, const tl__ingest_page *page) TL_MUST_USE;
/* NULL is fine. May wait for a few signatures. */
void tl__prepared_free(tl__prepared *prepared);

/* Judges and stores a page; lines may come in any order. Entries of other pages that became ready
 * are promoted with it; those of other databases, which cite an entry of this page, right behind
 * it. Blocks on the store; any thread, without a tl__tree_lock held. On an error what was written
 * is a part of the page without its locals, or only memory for the answer ran out: send it again.
 * *out is then empty. Entries that became visible are told to the tree's listener. Release *out
 * with tl__ingest_result_free. */
int tl__ingest(tl__tree *tree, const tl__ingest_page *page, tl__ingest_result *out) TL_MUST_USE;
void tl__ingest_result_free(tl__ingest_result *result);

/* The same piece by piece. While nobody waits it goes on, and a page is one batch. When somebody
 * does, it ends after TL__INGEST_PIECE_ENTRIES or TL__INGEST_PIECE_BYTES more, parents first, each
 * piece a batch of its own and the last one with the page's locals; fates are those of the end.
 * *state is NULL at first. When it is not NULL afterwards, more is to be done: call it again with
 * the same page and result, from any thread, whatever others wrote meanwhile. *out is complete at
 * the end. An error ends it. */
typedef struct tl__ingesting tl__ingesting;
int tl__ingest_piece(tl__tree *tree, const tl__ingest_page *page, tl__ingesting **state,
	tl__ingest_result *out) TL_MUST_USE;
/* Gives it up between two pieces; NULL is fine. */
void tl__ingesting_free(tl__ingesting *state);

/* Of a piece, when somebody waits; one entry always comes. */
#define TL__INGEST_PIECE_ENTRIES 16
#define TL__INGEST_PIECE_BYTES   (32u * 1024)

/* Limits of setting aside. */
#define TL__PENDING_MAX_ENTRIES        10000
#define TL__PENDING_MAX_BYTES          (64u * 1024 * 1024)
#define TL__PENDING_MAX_STRANGER_BYTES (64u * 1024 * 1024)
#define TL__QUARANTINE_MAX_ENTRIES     10000
#define TL__QUARANTINE_MAX_BYTES       (64u * 1024 * 1024)
#define TL__INGEST_MAX_AHEAD           4    /* pages prepared at a time */
#define TL__INGEST_MAX_MISSING         1000 /* ids told of one page; the rest with the next ones */

#endif
