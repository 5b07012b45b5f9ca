/* Store contract: what every backend offers. It knows ids, bytes, numbers and stamps; it knows
 * nothing of merging or trust.
 *
 * A write is a value: a batch of operations on one database (and on local documents and keys),
 * applied wholly or not at all. Any thread may write at any time with tl__store_write: whoever
 * comes first becomes leader and applies what waits, with one durability point for all of a turn.
 * A turn is for local commits or for the others; local commits go first, then the kinds take turns
 * while both wait. A turn takes nothing more after TL__STORE_TURN_MS, and one of the others nothing
 * more once a local commit waits.
 *
 * Reads are batch operations on a snapshot. A snapshot is a consistent view that writers neither
 * wait for nor change. A snapshot belongs to one thread at a time. Row pointers handed to a visitor
 * live only during that call, and a visitor must not call the store. A visitor returns TL_OK to go
 * on, TL__STORE_STOP to end the walk with TL_OK, or an error code, which ends the walk and is
 * returned. */
#ifndef TL_STORE_STORE_H
#define TL_STORE_STORE_H

#include <stdbool.h>
#include <tidelock/types.h>
#include <tidelock/error.h>
#include "base/system/log.h"

#define TL__STORE_TURN_MS 10
#define TL__STORE_STOP    1

typedef struct tl__store tl__store;
typedef struct tl__snapshot tl__snapshot;

/* --- writing ---------------------------------------------------------------------------------- */

typedef enum tl__verdict {
	TL__VERIFIED = 0,
	TL__VOID = 1,
	TL__INVALID = 2, /* quarantine */
	TL__PENDING = 3
} tl__verdict;

/* Place of an entry in a store's order: compared by height, then id. */
typedef struct tl__stamp {
	uint64_t height;
	tl_id id;
} tl__stamp;

/* One store that an entry carries. */
typedef struct tl__put_store {
	tl_str name;
	uint64_t height; /* in this store */
	const tl_id *parents;
	size_t parent_count;
	bool unreadable; /* its data is no Doc and contributes nothing */
} tl__put_store;

/* An entry entering the DAG. All its parents are in the DAG or earlier in the batch. The backend
 * assigns the next arrival number and chain hash, takes the parents out of the tips and makes the
 * entry a tip, in the database and in each store. An entry that is in the DAG already is skipped
 * (arrival 0); one that was set aside leaves there. */
typedef struct tl__put_entry {
	tl_id id;
	tl__verdict verdict; /* TL__VERIFIED or TL__VOID */
	tl_str bytes;
	uint64_t height;
	const tl_id *parents;
	size_t parent_count;
	const tl__put_store *stores;
	size_t store_count;
	tl_str frontier; /* settings frontier: ids in ascending order, TL_ID_BYTES each; interned */
	tl_str cited;    /* citations that it hands on: pairs of ids likewise; mostly empty */
	uint64_t arrival;  /* result */
	uint8_t chain[32]; /* result: chain hash of that arrival */
} tl__put_entry;

typedef enum tl__stamp_kind {
	TL__STAMP_DOC = 0,
	TL__STAMP_LIST = 1,
	TL__STAMP_LEAF = 2
} tl__stamp_kind;

/* Raises a stamp: kept only if it is greater than the one there. */
typedef struct tl__raise {
	tl_str store;
	tl_str path; /* encoded (model/doc_path.h), not empty */
	tl__stamp_kind kind;
	tl__stamp stamp;
	tl_str value; /* value JSON for a leaf; empty otherwise */
} tl__raise;

/* An entry kept outside the DAG: pending or in quarantine. Replaces a row of the same id; with the
 * same verdict it keeps that row's place in the order. One that is in the DAG is passed over. */
typedef struct tl__put_aside {
	tl_id id;
	tl_str bytes;
	tl__verdict verdict; /* TL__INVALID or TL__PENDING */
	tl_str sender;       /* who sent it: key text, or "anonymous:<address>" */
	bool related;        /* the sender has a relation with this database */
	int reason;          /* error code that says why */
	uint32_t rules;      /* version of the trust rules that judged it */
	bool pinned;         /* a void entry cites it: not evicted */
	const tl_id *waits_for;
	size_t waits_count;
	const tl_id *needs; /* what a pending one names or cites: tl__read_needed; may repeat */
	size_t needs_count;
} tl__put_aside;

typedef struct tl__put_local {
	tl_str key;
	tl_str value; /* ptr NULL removes */
} tl__put_local;

typedef struct tl__put_key {
	tl_str name;
	tl_str value; /* opaque; ptr NULL removes */
} tl__put_key;

/* Everything is borrowed until the write returns. Order of effect: entries, raises, drops, asides,
 * drop_asides, locals, keys. */
typedef struct tl__batch {
	tl_id db; /* all zero when the batch has only locals and keys */
	tl__put_entry *entries;
	size_t entry_count;
	const tl__raise *raises;
	size_t raise_count;
	const tl__raise
		*drops; /* stamps to remove unless they are newer by now; values are ignored */
	size_t drop_count;
	const tl__put_aside *asides;
	size_t aside_count;
	const tl_id *drop_asides;
	size_t drop_aside_count;
	const tl__put_local *locals;
	size_t local_count;
	const tl__put_key *keys;
	size_t key_count;
	bool local_commit; /* goes before batches that are not */
	int result;        /* TL_OK or the error of this batch */
	tl_error *error;   /* kept error of this batch or NULL; moved to the writer's last error */
} tl__batch;

/* Applies one batch. Blocks until it is durable (as the store's durability says). Any thread. */
int tl__store_write(tl__store *store, tl__batch *batch) TL_MUST_USE;

/* --- reading ---------------------------------------------------------------------------------- */

int tl__snapshot_open(tl__store *store, tl__snapshot **out) TL_MUST_USE;
/* The same for an application's reads, which come back to the same rows: what they touch is kept in
 * memory for longer. Not for walks over everything. */
int tl__snapshot_open_warm(tl__store *store, tl__snapshot **out) TL_MUST_USE;
void tl__snapshot_close(tl__snapshot *snapshot); /* NULL is fine */

/* A database known to the store. */
typedef struct tl__db_row {
	tl_id db;
	uint64_t arrivals; /* last arrival number; 0 when only asides are held */
	uint8_t chain[32]; /* chain hash of that arrival; zero at 0 */
	uint64_t void_count;
	uint64_t void_bytes;
} tl__db_row;
typedef int (*tl__db_visit)(void *ud, const tl__db_row *row);

/* Parts of an entry row that cost something; the rest is always filled. */
enum { TL__WITH_BYTES = 1, TL__WITH_PARENTS = 2, TL__WITH_CHAIN = 4, TL__WITH_CITED = 8 };

typedef struct tl__entry_row {
	tl_id id;
	uint64_t arrival;
	uint64_t height;
	tl__verdict verdict;
	uint64_t frontier; /* interned number: equal numbers, equal frontiers */
	uint64_t cited;    /* number of its citations, likewise; 0: none */
	uint32_t size;     /* length of the canonical bytes */
	tl_str bytes;
	const tl_id *parents; /* main parents */
	size_t parent_count;
	uint8_t chain[32];
} tl__entry_row;
typedef int (*tl__entry_visit)(void *ud, const tl__entry_row *row);

/* A joint: an arrival after which the database had one tip alone, so that all before it are its
 * ancestors. One is noted with a batch when the last lies so many arrivals back. */
#define TL__STORE_JOINT_EVERY 64

/* The reads that a snapshot offers, by subject. Each is called by its name below. */
typedef struct tl__entry_reads {
	int (*databases)(tl__snapshot *s, tl__db_visit visit, void *ud);
	/* TL_E_DATABASE_NOT_FOUND when nothing of it is held. */
	int (*database)(tl__snapshot *s, const tl_id *db, tl__db_row *out);
	/* The given ids that are in the DAG, each once, in no particular order; others are passed
	 * over. */
	int (*entries)(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
		unsigned with, tl__entry_visit visit, void *ud);
	/* Arrivals from..to (inclusive), ascending, at most `limit`. */
	int (*arrivals)(tl__snapshot *s, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
		unsigned with, tl__entry_visit visit, void *ud);
	/* In (height, id) order from after `after` (NULL: from the start), at most `limit`. With a
	 * non-empty store name (tl__store_scope): the entries that carry that store, by their
	 * height in it (row->height is that one). */
	int (*by_height)(tl__snapshot *s, const tl_id *db, tl_str store, const tl__stamp *after,
		size_t limit, unsigned with, tl__entry_visit visit, void *ud);
	/* *out is the last joint noted up to `upto`; 0: there is none. */
	int (*joint)(tl__snapshot *s, const tl_id *db, uint64_t upto, uint64_t *out);
	/* DAG entries that name `id` as a main parent. */
	int (*children)(
		tl__snapshot *s, const tl_id *db, const tl_id *id, tl__entry_visit visit, void *ud);
} tl__entry_reads;

/* An entry within one store. */
typedef struct tl__member_row {
	tl_id id;
	uint64_t height;
	tl__verdict verdict;
	bool unreadable;
	const tl_id *parents; /* in this store */
	size_t parent_count;
} tl__member_row;
typedef int (*tl__member_visit)(void *ud, const tl__member_row *row);

typedef int (*tl__id_visit)(void *ud, const tl_id *id);
typedef int (*tl__name_visit)(void *ud, tl_str name);

/* Where an empty name means the database itself, a store that is called "" (0.2.0 takes any text
 * for a name) goes by another one, which no text can be. */
#define TL__STORE_NAMELESS "\xff"

static inline tl_str tl__store_scope(tl_str store)
{
	return store.len > 0 ? store : (tl_str){TL__STORE_NAMELESS, 1};
}

/* The other way round. */
static inline tl_str tl__store_called(tl_str scope)
{
	return scope.len == 1 && scope.ptr[0] == TL__STORE_NAMELESS[0] ? (tl_str){"", 0} : scope;
}

typedef struct tl__state_row {
	tl_str path;
	tl__stamp_kind kind;
	tl__stamp stamp;
	tl_str value;
} tl__state_row;
typedef int (*tl__state_visit)(void *ud, const tl__state_row *row);

/* Within a store of a database. */
typedef struct tl__scope_reads {
	/* Those of the given ids that carry the store, in no particular order. */
	int (*members)(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *ids,
		size_t count, tl__member_visit visit, void *ud);
	/* Tips in ascending order; an empty store name means the database itself: tl__store_scope.
	 */
	int (*tips)(tl__snapshot *s, const tl_id *db, tl_str store, tl__id_visit visit, void *ud);
	/* Names of the stores any entry carries, ascending; one that is called "" comes last. */
	int (*store_names)(tl__snapshot *s, const tl_id *db, tl__name_visit visit, void *ud);
	/* Ids of an interned frontier, ascending; of citations, two and two. */
	int (*frontier)(
		tl__snapshot *s, const tl_id *db, uint64_t frontier, tl__id_visit visit, void *ud);
	/* Stamps at exactly these paths, in the order given, kinds ascending. */
	int (*state)(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *paths,
		size_t count, tl__state_visit visit, void *ud);
	/* Stamps at all paths that begin with `prefix` and come after `after` (empty: from the
	 * first), in (path, kind) order, at most `limit` rows; but the rows of one path stay
	 * together, so there may be two more, and the last path seen is where to go on. */
	int (*state_range)(tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix,
		tl_str after, size_t limit, tl__state_visit visit, void *ud);
} tl__scope_reads;

typedef struct tl__aside_row {
	tl_id db;
	tl_id id;
	tl__verdict verdict;
	tl_str bytes; /* empty unless TL__WITH_BYTES */
	tl_str sender;
	bool related;
	int reason;
	uint32_t rules;
	bool pinned;
	uint64_t sequence; /* order of setting aside: smaller is older */
	uint32_t size;
} tl__aside_row;
typedef int (*tl__aside_visit)(void *ud, const tl__aside_row *row);
typedef int (*tl__waiter_visit)(void *ud, const tl_id *db, const tl_id *waiter);

/* Of what is set aside. */
typedef struct tl__aside_reads {
	int (*asides)(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
		unsigned with, tl__aside_visit visit, void *ud);
	/* All of one verdict, oldest first, after `sequence`, at most `limit`; db NULL: of every
	 * database. */
	int (*aside_list)(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t sequence,
		size_t limit, unsigned with, tl__aside_visit visit, void *ud);
	/* Pending entries that wait for `id`, of any database (a cited entry may lie in another).
	 */
	int (*waiters)(tl__snapshot *s, const tl_id *id, tl__waiter_visit visit, void *ud);
	/* What a pending entry waits for. */
	int (*waits)(tl__snapshot *s, const tl_id *db, const tl_id *pending, tl__id_visit visit,
		void *ud);
	/* Whether an entry set aside, of whatever database, needs this one. */
	int (*needed)(tl__snapshot *s, const tl_id *id, bool *needed);
	/* Count and bytes set aside with that verdict: of one sender (all databases), or of all
	 * senders without relation together when `sender.ptr` is NULL. */
	int (*aside_usage)(tl__snapshot *s, tl__verdict verdict, tl_str sender, uint64_t *count,
		uint64_t *bytes);
} tl__aside_reads;

typedef struct tl__reads {
	const tl__entry_reads *entry;
	const tl__scope_reads *scope;
	const tl__aside_reads *aside;
} tl__reads;

/* First member of each backend's snapshot; filled when it is opened. */
struct tl__snapshot {
	tl__store *store;
	const tl__reads *reads;
};

/* A visitor that has seen enough ends a walk well. */
static inline TL_MUST_USE int tl__walked(int rc)
{
	return rc == TL__STORE_STOP ? TL_OK : rc;
}

#define tl__read_databases(s, ...) tl__walked((s)->reads->entry->databases(s, __VA_ARGS__))
#define tl__read_database(s, ...)  tl__walked((s)->reads->entry->database(s, __VA_ARGS__))
#define tl__read_entries(s, ...)   tl__walked((s)->reads->entry->entries(s, __VA_ARGS__))
#define tl__read_arrivals(s, ...)  tl__walked((s)->reads->entry->arrivals(s, __VA_ARGS__))
#define tl__read_by_height(s, ...) tl__walked((s)->reads->entry->by_height(s, __VA_ARGS__))
#define tl__read_joint(s, ...)     tl__walked((s)->reads->entry->joint(s, __VA_ARGS__))
#define tl__read_children(s, ...)  tl__walked((s)->reads->entry->children(s, __VA_ARGS__))
#define tl__read_members(s, db, store, ...)                                                        \
	tl__walked((s)->reads->scope->members(s, db, tl__store_scope(store), __VA_ARGS__))
#define tl__read_tips(s, ...)        tl__walked((s)->reads->scope->tips(s, __VA_ARGS__))
#define tl__read_store_names(s, ...) tl__walked((s)->reads->scope->store_names(s, __VA_ARGS__))
#define tl__read_frontier(s, ...)    tl__walked((s)->reads->scope->frontier(s, __VA_ARGS__))
#define tl__read_state(s, db, store, ...)                                                          \
	tl__walked((s)->reads->scope->state(s, db, tl__store_scope(store), __VA_ARGS__))
#define tl__read_state_range(s, db, store, ...)                                                    \
	tl__walked((s)->reads->scope->state_range(s, db, tl__store_scope(store), __VA_ARGS__))
#define tl__read_asides(s, ...)      tl__walked((s)->reads->aside->asides(s, __VA_ARGS__))
#define tl__read_aside_list(s, ...)  tl__walked((s)->reads->aside->aside_list(s, __VA_ARGS__))
#define tl__read_waiters(s, ...)     tl__walked((s)->reads->aside->waiters(s, __VA_ARGS__))
#define tl__read_waits(s, ...)       tl__walked((s)->reads->aside->waits(s, __VA_ARGS__))
#define tl__read_needed(s, ...)      tl__walked((s)->reads->aside->needed(s, __VA_ARGS__))
#define tl__read_aside_usage(s, ...) tl__walked((s)->reads->aside->aside_usage(s, __VA_ARGS__))

/* Local documents and keys are read at the present, not at the snapshot's moment. *value is yours
 * (tl__free; keys: wipe first). TL_E_NOT_FOUND / TL_E_KEY_NOT_FOUND. */
int tl__read_local(tl__store *store, tl_str key, char **value, size_t *len) TL_MUST_USE;
typedef int (*tl__local_visit)(void *ud, tl_str key, tl_str value);
int tl__read_locals(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud) TL_MUST_USE;
int tl__read_key(tl__store *store, tl_str name, char **value, size_t *len) TL_MUST_USE;
int tl__read_key_names(tl__store *store, tl__name_visit visit, void *ud) TL_MUST_USE;

/* --- upkeep ----------------------------------------------------------------------------------- */

/* Checks the backend's own integrity and every derived row's checksum; each finding is a sentence.
 * TL_OK also when there were findings. go_on (may be NULL) is asked now and then; false ends it
 * with TL_E_CANCELLED. */
typedef void (*tl__finding)(void *ud, tl_str sentence);
typedef bool (*tl__go_on)(void *ud);
int tl__store_check(tl__store *store, tl__finding finding, tl__go_on go_on, void *ud) TL_MUST_USE;
/* A consistent copy into a new file (sqlite only; else TL_E_UNSUPPORTED). */
/* Told of bytes; false ends it with TL_E_CANCELLED and nothing is left. May be NULL. */
typedef bool (*tl__copied)(void *ud, uint64_t done, uint64_t total);
int tl__store_backup(tl__store *store, const char *file, tl__copied copied, void *ud) TL_MUST_USE;
/* The newest arrival of a database, as every later snapshot shows it (or a newer one), without a
 * snapshot; 0: not at hand, as of what was not written since the opening. Any thread. */
uint64_t tl__store_newest(tl__store *store, const tl_id *db);
/* A process forked from the one that opened the store must not use it: TL_E_BAD_STATE, here and
 * from every call. Closing it, and its snapshots, touches nothing there. Neither takes a lock. */
int tl__store_own(const tl__store *store) TL_MUST_USE;
bool tl__store_inherited(const tl__store *store);
/* The descriptor of the store's directory, the store's own: whatever lies beside its file is opened
 * through it. -1 for a store in memory. */
int tl__store_directory(tl__store *store);

typedef enum tl__durability {
	TL__DURABLE_FULL = 0, /* what was acknowledged survives power loss */
	TL__DURABLE_RELAXED   /* survives SIGKILL; the last moments may be lost at power loss */
} tl__durability;

int tl__store_open_memory(tl__store **out, const tl__log *log) TL_MUST_USE;

/* Opens or creates the data directory `path` (file tidelock.db in it; directory mode 0700). Errors:
 * TL_E_ALREADY_OPEN (this process holds it), TL_E_STORE_LOCKED (another process, named by pid),
 * TL_E_STORE_READ_ONLY, TL_E_STORE_NEWER (schema of a later version), TL_E_STORE_DAMAGED, TL_E_IO.
 */
int tl__store_open_sqlite(tl__store **out, const char *path, tl__durability durability,
	const tl__log *log) TL_MUST_USE;

/* No snapshot may be open, no call running. NULL is fine. */
void tl__store_close(tl__store *store);

/* Limits of this layer. */
#define TL__STORE_MAX_LOCAL_BYTES (1024u * 1024)
#define TL__STORE_MAX_SNAPSHOTS   256
#define TL__STORE_MAX_NEWEST      4096 /* databases of which the newest arrival is at hand */

#endif
