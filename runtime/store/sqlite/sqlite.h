/* What the files of the SQLite backend share. Private to runtime/store/sqlite*.c. */
#ifndef TL_STORE_SQLITE_H
#define TL_STORE_SQLITE_H

#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/map.h"
#include "store/backend.h"
#include "store/sqlite/sqlite_sql.h"

#define TL__SQ_VERSION     4          /* of the schema (PRAGMA user_version) */
#define TL__SQ_APPLICATION 0x746c6b31 /* "tlk1" (PRAGMA application_id) */

#define TL__SQ_FILE "tidelock.db"
#define TL__SQ_LOCK "lock"

#define TL__SQ_WRITE_CACHE_KIB 16384
#define TL__SQ_READ_CACHE_KIB  2048
#define TL__SQ_WARM_CACHE_KIB  16384 /* of one reader, for reads that come back */
#define TL__SQ_LOG_CACHE_KIB   64
#define TL__SQ_IDLE_READERS    8    /* connections kept for the next snapshot */
#define TL__SQ_BUSY_MS         1000 /* wait for a foreign program that writes */
/* The log is copied into the file by a thread each so many pages. It starts anew from `enough` on,
 * when no more than `rest` is left to copy: a commit does that, and waits a little for readers.
 * Beyond the limit a commit copies whatever is left. */
#define TL__SQ_LOG_STEP_PAGES   6000
#define TL__SQ_LOG_ENOUGH_PAGES 12000
#define TL__SQ_LOG_REST_PAGES   2000
#define TL__SQ_LOG_LIMIT_PAGES  16000
#define TL__SQ_LOG_WAIT_MS      20
#define TL__SQ_LOG_TRIES        8                  /* to catch up with commits */
#define TL__SQ_LOG_MAX_FILE     (64 * 1024 * 1024) /* the log file is cut to this when it restarts */
#define TL__SQ_MAX_DATABASES    (1 << 22)
#define TL__SQ_MAX_ARRIVAL      ((UINT64_C(1) << 40) - 1)
#define TL__SQ_MAX_INTERNED     4096
#define TL__SQ_RECENT           1024

typedef struct tl__sq_conn {
	sqlite3 *db;
	sqlite3_stmt *stmts[TL__SQL_COUNT]; /* prepared at first use */
	const uint64_t *sum_key;
	tl__buf sum;     /* what the next checksum is over; its failure sticks */
	tl__map numbers; /* databases and scopes by name; their rows never change or go */
	tl__buf key;     /* for `numbers` */
	tl__buf order;   /* key of the last row of a walk */
	const char *file;
	bool warm;                /* has the large cache */
	struct tl__sq_conn *next; /* in the pool */
} tl__sq_conn;

/* An entry written a moment ago, most often the parent of the next one. */
typedef struct tl__sq_recent {
	tl_id id;
	int64_t n;
} tl__sq_recent;

/* Ids that were interned last; number 0: none. Most entries have what the one before them had. */
typedef struct tl__sq_interned {
	tl__buf ids;
	int64_t db, number;
} tl__sq_interned;

/* What a batch needs to know of its database. */
typedef struct tl__sq_known {
	int64_t db; /* its number */
	tl__db_row row;
	int64_t asides;
	bool has_joint;
	uint64_t joint;    /* the last one noted; when has_joint */
	tl__db_row stored; /* what its row says, which need not be written again */
	int64_t stored_asides;
} tl__sq_known;

typedef struct tl__sq_log {
	atomic_int pages;   /* length after the last commit */
	atomic_int copied;  /* of them, as far as the last copy came */
	int last;           /* length after the commit before; the writer's, as is the next */
	int tried;          /* length when a copy was last asked for */
	atomic_bool faulty; /* the disk failed: copied no more, so that nothing is lost */
	pthread_t thread;
	bool started; /* the writer's */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted, copying, ending;
	tl__sq_conn *conn; /* the thread's, opened with it */
} tl__sq_log;

typedef struct tl__sqlite {
	tl__store base;
	char *folder; /* as given */
	char *file;   /* in it, for messages */
	char *place;  /* the file for SQLite (sqlite_place.c) */
	dev_t device; /* of the file */
	ino_t inode;
	int folder_fd, lock_fd;
	bool registered;
	tl__durability durability;
	uint64_t sum_key[2];
	/* the writer: whoever has the turn */
	tl__sq_conn *writer;
	size_t applied; /* batches of this turn */
	int broken;     /* code of what lost the turn; TL_OK: nothing did */
	tl_error *broken_error;
	uint32_t seen_version; /* data version of the writer */
	tl__sq_recent *recent; /* TL__SQ_RECENT slots by id */
	tl__sq_known known;    /* the database written last; db 0 is none */
	tl__sq_interned frontier, cited;
	tl__sq_log log;
	/* readers */
	pthread_mutex_t pool_lock;
	size_t reading; /* snapshots open */
	tl__sq_conn *idle;
	size_t idle_count;
	tl__sq_conn *warm; /* the reader with the large cache while it is idle */
	bool has_warm;
} tl__sqlite;

typedef struct tl__sq_snapshot {
	tl__snapshot base;
	tl__sq_conn *conn;
} tl__sq_snapshot;

/* --- sqlite_place.c: the same files whatever becomes of their path ---------------------------- */

/* Opens a file by a name from tl__sq_place. *out is to be closed also after a failure. */
int tl__sq_open_place(sqlite3 **out, const char *place) TL_MUST_USE;
/* The name under which SQLite finds a file of the directory, of which `path` is a path; yours. */
int tl__sq_place(int directory, const char *path, const char *name, char **out) TL_MUST_USE;
/* TL_E_IO when the store's file is not in its directory any more. */
int tl__sq_still_there(const tl__sqlite *store) TL_MUST_USE;

/* --- sqlite_conn.c: connections --------------------------------------------------------------- */

/* The error of the connection (or of `rc` alone when conn is NULL) as ours, with a sentence. */
int tl__sq_fail(tl__sq_conn *conn, int rc, const char *doing);
int tl__sq_conn_open(tl__sq_conn **out, const tl__sqlite *store, int cache_kib) TL_MUST_USE;
void tl__sq_conn_close(tl__sq_conn *conn); /* NULL is fine */
/* Runs SQL text that gives no rows, or whose rows do not matter. */
int tl__sq_exec(tl__sq_conn *conn, const char *sql, const char *doing) TL_MUST_USE;
/* A reader from the pool, and back. There is one with a large cache: `warm` asks for it, and gets
 * another one while it is out. */
int tl__sq_reader_take(tl__sqlite *store, bool warm, tl__sq_conn **out) TL_MUST_USE;
void tl__sq_reader_give(tl__sqlite *store, tl__sq_conn *conn);
/* Closes one that failed. NULL is fine. */
void tl__sq_reader_drop(tl__sqlite *store, tl__sq_conn *conn);
void tl__sq_forget_numbers(tl__sq_conn *conn);

/* --- sqlite_query.c: one statement from binding to reset -------------------------------------- */

typedef struct tl__sq_query {
	tl__sq_conn *conn;
	sqlite3_stmt *stmt;
	int rc;   /* first failure of preparing or binding (SQLite's) */
	int last; /* parameter bound last */
} tl__sq_query;

/* Columns of a table that its checksum covers come first and in one order everywhere: when bound
 * for writing, and when read. Binding notes them for the checksum as it goes. */
void tl__sq_start(tl__sq_query *q, tl__sq_conn *conn, tl__sql which);
void tl__sq_int(tl__sq_query *q, int64_t value);
void tl__sq_blob(tl__sq_query *q, tl_str bytes); /* borrowed until the query ends */
void tl__sq_id(tl__sq_query *q, const tl_id *id);
/* Bytes that no checksum covers (they have their id): after tl__sq_sum. */
void tl__sq_blob_free(tl__sq_query *q, tl_str bytes);
/* Binds the checksum of everything bound so far. */
void tl__sq_sum(tl__sq_query *q, char table);
/* One row more: *row says whether there is one. After an error or the end the query has ended. */
int tl__sq_step(tl__sq_query *q, bool *row) TL_MUST_USE;
/* The same for a loop over all: false at the end, and once *rc is an error; then it has ended. */
bool tl__sq_next(tl__sq_query *q, int *rc);
/* Runs to the end. */
int tl__sq_run(tl__sq_query *q) TL_MUST_USE;
void tl__sq_end(tl__sq_query *q); /* may be called twice */

int64_t tl__sq_col_int(tl__sq_query *q, int column);
tl_str tl__sq_col_blob(tl__sq_query *q, int column); /* until the next step or end */
/* Whether the column holds an id. */
bool tl__sq_col_id(tl__sq_query *q, int column, tl_id *out);
/* Compares `count` columns from `first` on with the checksum in the column after them:
 * TL_E_STORE_DAMAGED. */
int tl__sq_row_check(tl__sq_query *q, char table, int first, int count) TL_MUST_USE;
int tl__sq_damaged(tl__sq_conn *conn, char table);
/* The keys of a walk ascend: pages in the wrong place could lead it in circles, and whoever goes on
 * behind its last row. `begin` notes what comes before the first; then each row's key is compared
 * (`same`: it may be the last one again). TL_E_STORE_DAMAGED. */
int tl__sq_order_begin(tl__sq_conn *conn, tl_str key) TL_MUST_USE;
int tl__sq_order(tl__sq_conn *conn, char table, tl_str key, bool same) TL_MUST_USE;
/* A number as a key that compares as it does; `id` (may be NULL) comes behind it. */
typedef struct tl__sq_sortable {
	uint8_t b[8 + TL_ID_BYTES];
	size_t len;
} tl__sq_sortable;
tl__sq_sortable tl__sq_sortable_of(int64_t number, const tl_id *id);
static inline tl_str tl__sq_sort_key(const tl__sq_sortable *key)
{
	return (tl_str){(const char *)key->b, key->len};
}

/* --- sqlite_number.c: interned databases, scopes, entries ------------------------------------- */

/* Number of a database or of a scope (store of a database; an empty name is the database itself);
 * 0 when there is none, unless `make`. */
int tl__sq_database(tl__sq_conn *conn, const tl_id *db, int64_t *number) TL_MUST_USE;
int tl__sq_scope(
	tl__sq_conn *conn, int64_t db, tl_str name, bool make, int64_t *number) TL_MUST_USE;
int tl__sq_scope_of(tl__sq_conn *conn, const tl_id *db, tl_str name, int64_t *number) TL_MUST_USE;

/* Number of an entry: its database above, its arrival below. */
static inline int64_t tl__sq_n(int64_t db, uint64_t arrival)
{
	return (int64_t)((uint64_t)db << 40 | arrival);
}

static inline uint64_t tl__sq_arrival(int64_t n)
{
	return (uint64_t)n & TL__SQ_MAX_ARRIVAL;
}

/* --- sqlite_lock.c: a folder belongs to one process and one store in it ----------------------- */

int tl__sq_lock(tl__sqlite *store) TL_MUST_USE;
void tl__sq_unlock(tl__sqlite *store);

/* --- sqlite_schema.c -------------------------------------------------------------------------- */

/* Creates the schema in an empty file, or checks what is there; fills the checksum key. */
int tl__sq_schema(tl__sqlite *store, tl__sq_conn *conn) TL_MUST_USE;

/* --- sqlite_upgrade.c ------------------------------------------------------------------------- */

/* Brings a file of an older version up to TL__SQ_VERSION, in one transaction. */
int tl__sq_upgrade(tl__sqlite *store, tl__sq_conn *conn, int64_t version) TL_MUST_USE;
/* What these versions brought. */
extern const char tl__sq_schema_2[], tl__sq_schema_3[], tl__sq_schema_4[];
/* sqlite_upgrade_cited.c: fills what 4 brought. */
int tl__sq_upgrade_cited(tl__sqlite *store, tl__sq_conn *conn) TL_MUST_USE;

/* --- sqlite_write.c, sqlite_turn.c, sqlite_aside.c -------------------------------------------- */

typedef struct tl__sq_change {
	tl__sqlite *store;
	tl__sq_conn *conn;
	tl__batch *batch;
	tl__sq_known db;
	tl__map tips;   /* scope and id -> whether it becomes a tip or ceases to be one */
	tl__buf stores; /* of an entry, packed */
} tl__sq_change;

int tl__sq_begin(tl__store *store);
int tl__sq_apply(tl__store *store, tl__batch *batch);
int tl__sq_commit(tl__store *store);
int tl__sq_write_batch(tl__sqlite *store, tl__batch *batch) TL_MUST_USE;
int tl__sq_aside_put(tl__sq_change *change, const tl__put_aside *aside) TL_MUST_USE;
int tl__sq_aside_drop(tl__sq_change *change, const tl_id *id) TL_MUST_USE;
/* Number of an entry in the DAG, 0 when it is not there. */
int tl__sq_entry_number(tl__sq_conn *conn, int64_t db, const tl_id *id, int64_t *n) TL_MUST_USE;

/* --- sqlite_log.c: the log back into the file ------------------------------------------------- */

void tl__sq_log_init(tl__sq_log *log);
void tl__sq_log_end(tl__sqlite *store); /* waits for a copy that runs */
/* After a commit, by who has the turn: sees to it that the log is copied now and then. What was
 * committed is safe whatever comes of this. */
void tl__sq_log_trim(tl__sqlite *store);
/* When a long log waited for readers and this was the last of them: copies it. Any thread. */
void tl__sq_log_trim_behind_reader(tl__sqlite *store, tl__sq_conn *conn);

/* --- sqlite_read.c, sqlite_store.c, sqlite_aside.c -------------------------------------------- */

static inline tl__sq_conn *tl__sq_conn_of(tl__snapshot *s)
{
	return ((tl__sq_snapshot *)s)->conn;
}

/* Columns of TL__SQ_ENTRY. */
enum {
	TL__E_N,
	TL__E_DB,
	TL__E_ID,
	TL__E_HEIGHT,
	TL__E_VERDICT,
	TL__E_FRONTIER,
	TL__E_SIZE,
	TL__E_PARENTS,
	TL__E_STORES,
	TL__E_CHAIN,
	TL__E_SUM,
	TL__E_BYTES,
	TL__E_COUNT
};

/* What an entry carries of one store, as packed in entry.stores: scope and height (8 bytes each),
 * number of parents (4), unreadable (1), the parents' ids; numbers little-endian. */
#define TL__SQ_PACKED_BYTES 21
typedef struct tl__sq_member {
	int64_t scope;
	uint64_t height;
	uint32_t parent_count;
	bool unreadable;
	const tl_id *parents;
} tl__sq_member;

void tl__sq_pack(tl__buf *out, const tl__sq_member *member);
/* The next one of a packed list, from *at on; false at its end (or when it is cut off). */
bool tl__sq_unpack(tl_str packed, size_t *at, tl__sq_member *out);

/* The database's number and row (db 0: there is none), with the arrivals and chain of its last
 * entry. */
int tl__sq_load_database(tl__sq_conn *conn, const tl_id *db, tl__sq_known *out) TL_MUST_USE;

static inline int64_t tl__sq_clamp(uint64_t number)
{
	return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

/* The last joint of the database of this number. */
int tl__sq_last_joint(tl__sq_conn *conn, int64_t db, uint64_t upto, uint64_t *out) TL_MUST_USE;
/* After the batch's entries and tips are written. */
int tl__sq_note_joint(tl__sq_change *change) TL_MUST_USE;
int tl__sq_put_joint(tl__sq_conn *conn, int64_t db, uint64_t arrival) TL_MUST_USE;

/* sqlite_interned.c: number of a list of ids, given when it is new; `last` is the one before. */
int tl__sq_intern(tl__sq_conn *conn, tl__sq_interned *last, int64_t db, tl_str ids,
	int64_t *number) TL_MUST_USE;
/* The ids under a number, until the query ends; *found false: there are none. */
int tl__sq_interned_ids(tl__sq_query *q, tl__sq_conn *conn, int64_t db, uint64_t number,
	bool *found, tl_str *ids) TL_MUST_USE;
/* What an entry hands on of citations, by its number; 0: nothing. */
int tl__sq_put_cited(tl__sq_conn *conn, int64_t n, int64_t interned) TL_MUST_USE;
int tl__sq_cited(tl__sq_conn *conn, int64_t n, uint64_t *interned) TL_MUST_USE;

extern const tl__entry_reads tl__sq_entry_reads;
extern const tl__scope_reads tl__sq_scope_reads;
extern const tl__aside_reads tl__sq_aside_reads;

/* --- sqlite_local.c, sqlite_check.c, sqlite_backup.c ------------------------------------------ */

int tl__sq_local(tl__store *store, tl_str key, char **value, size_t *len);
int tl__sq_locals(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud);
int tl__sq_key(tl__store *store, tl_str name, char **value, size_t *len);
int tl__sq_key_names(tl__store *store, tl__name_visit visit, void *ud);
int tl__sq_check(tl__store *store, tl__finding finding, tl__go_on go_on, void *ud);
int tl__sq_backup(tl__store *store, const char *file, tl__copied copied, void *ud);

#endif
