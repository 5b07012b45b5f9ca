/* What the files of the memory backend share: tables, their keys and the fixed part of their values
 * (copied in and out; what varies in length follows it). Numbers in keys are big-endian, so that
 * key order is number order. */
#ifndef TL_STORE_MEMORY_H
#define TL_STORE_MEMORY_H

#include "base/buf.h"
#include "store/backend.h"
#include "store/rows.h"

/* A scope is a store of a database, or with an empty name the database itself. */
typedef enum tl__table {
	TL__T_DATABASE,     /* db id -> tl__m_db */
	TL__T_SCOPE,        /* database number, name -> scope number */
	TL__T_ENTRY,        /* database number, arrival -> tl__m_entry, parents, bytes */
	TL__T_ARRIVAL,      /* database number, id -> arrival */
	TL__T_JOINT,        /* database number, UINT64_MAX less the arrival -> nothing */
	TL__T_CHILD,        /* database number, parent id, arrival -> nothing */
	TL__T_ORDER,        /* scope, height, id -> arrival */
	TL__T_MEMBER,       /* scope, id -> tl__m_member, parents */
	TL__T_TIP,          /* scope, id -> nothing */
	TL__T_FRONTIER,     /* database number, SHA-256 of its ids -> frontier number */
	TL__T_FRONTIER_IDS, /* database number, frontier number -> ids */
	TL__T_STATE,        /* scope, path -> tl__m_stamps: stamps, value */
	TL__T_ASIDE,        /* database number, id -> tl__m_aside, sender, bytes */
	TL__T_ASIDE_ORDER,  /* database number or 0, verdict, sequence -> key in TL__T_ASIDE */
	TL__T_WAIT,         /* database number, pending id, awaited id -> nothing */
	TL__T_WAITER,       /* awaited id, database number, pending id -> db id */
	TL__T_NEED,         /* database number, pending id, needed id -> nothing */
	TL__T_NEEDED,       /* needed id, database number, pending id -> db id */
	TL__T_USAGE,        /* verdict, 's' and sender, or 'x' -> tl__m_usage */
	TL__T_LOCAL,        /* key -> value */
	TL__T_KEY,          /* name -> value */
	TL__TABLES
} tl__table;

typedef struct tl__m_db {
	tl__db_row row;
	uint64_t asides;
	uint64_t joint; /* the last one noted */
	uint32_t number;
} tl__m_db;

typedef struct tl__m_entry {
	tl_id id;
	uint8_t chain[32];
	uint64_t height;
	uint64_t frontier;
	uint64_t cited; /* frontier number; 0: none */
	uint32_t parent_count;
	uint32_t size;
	tl__verdict verdict;
} tl__m_entry;

typedef struct tl__m_member {
	uint64_t height;
	tl__verdict verdict;
	uint32_t parent_count;
	bool unreadable;
} tl__m_member;

/* The up to three stamps of a path. */
typedef struct tl__m_stamps {
	bool has[3];
	tl__stamp stamps[3];
} tl__m_stamps;

typedef struct tl__m_aside {
	tl_id db;
	uint64_t sequence;
	uint32_t size;
	uint32_t rules;
	uint32_t sender_len;
	int reason;
	tl__verdict verdict;
	bool related;
	bool pinned;
} tl__m_aside;

typedef struct tl__m_usage {
	uint64_t count;
	uint64_t bytes;
} tl__m_usage;

/* One version of everything. */
typedef struct tl__m_view {
	tl__rows *roots[TL__TABLES];
	uint64_t version;
	uint64_t frontiers; /* last numbers given */
	uint64_t sequence;
	uint32_t databases;
	uint32_t scopes;
} tl__m_view;

typedef struct tl__m_snapshot {
	tl__snapshot base;
	tl__m_view view;
	tl__buf key;
	tl__block_list dead; /* blocks that this is the newest snapshot to see */
	struct tl__m_snapshot *older, *newer;
} tl__m_snapshot;

typedef struct tl__memory {
	tl__store base;
	pthread_mutex_t lock; /* of the following */
	tl__m_view now;
	tl__m_snapshot *newest;
} tl__memory;

/* --- keys: built in a buffer whose failure sticks until it is asked --------------------------- */

static inline tl__buf *tl__k_start(tl__buf *key)
{
	key->len = 0;
	return key;
}

static inline tl__buf *tl__k_number(tl__buf *key, uint32_t number)
{
	uint8_t b[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
		(uint8_t)number};

	tl__buf_append(key, b, sizeof b);
	return key;
}

static inline tl__buf *tl__k_long(tl__buf *key, uint64_t number)
{
	return tl__k_number(tl__k_number(key, (uint32_t)(number >> 32)), (uint32_t)number);
}

static inline tl__buf *tl__k_id(tl__buf *key, const tl_id *id)
{
	tl__buf_append(key, id->b, TL_ID_BYTES);
	return key;
}

static inline tl__buf *tl__k_str(tl__buf *key, tl_str text)
{
	tl__buf_str(key, text);
	return key;
}

/* Number at a place of a key. */
uint64_t tl__k_read_long(tl_str key, size_t at);

/* --- looking up ------------------------------------------------------------------------------- */

/* False when the database (the scope) has no number; the key buffer is used. */
bool tl__m_find_db(const tl__m_view *view, const tl_id *db, tl__m_db *out);
bool tl__m_find_scope(
	const tl__m_view *view, tl__buf *key, uint32_t db, tl_str name, uint32_t *scope);
/* Copies the fixed part of a row's value; the rest is returned. */
tl_str tl__m_split(const tl__row *row, void *fixed, size_t size);
/* Row of an entry in the DAG by its id, or NULL. */
const tl__row *tl__m_entry_row(
	const tl__m_view *view, tl__buf *key, uint32_t db, const tl_id *id, uint64_t *arrival);

static inline const tl__m_view *tl__m_view_of(tl__snapshot *s)
{
	return &((tl__m_snapshot *)s)->view;
}

static inline tl__buf *tl__m_key_of(tl__snapshot *s)
{
	return &((tl__m_snapshot *)s)->key;
}

/* The snapshot's key buffer, empty, an earlier failure forgotten. */
static inline tl__buf *tl__m_key_start(tl__snapshot *s)
{
	tl__buf_clear(tl__m_key_of(s));
	return tl__m_key_of(s);
}

/* The row at the snapshot's key buffer, or NULL. */
static inline const tl__row *tl__m_get(tl__snapshot *s, tl__table table)
{
	return tl__rows_get(tl__m_view_of(s)->roots[table], tl__buf_view(tl__m_key_of(s)));
}

/* A walk over every row whose key starts with the first `prefix_len` bytes of the key buffer, from
 * the key buffer on; those bytes must stay. TL_E_NOMEM when the key found no room. */
static inline TL_MUST_USE int tl__m_seek(
	tl__snapshot *s, tl__table table, size_t prefix_len, tl__rows_walk *walk)
{
	tl_str from = tl__buf_view(tl__m_key_of(s));
	int rc = tl__buf_status(tl__m_key_of(s));

	if (rc == TL_OK)
		tl__rows_seek(
			walk, tl__m_view_of(s)->roots[table], from, (tl_str){from.ptr, prefix_len});
	return rc;
}

/* memory_write.c */
int tl__m_apply(tl__store *store, tl__batch *batch);
/* memory_aside.c: the part of a change that concerns entries set aside. */
typedef struct tl__m_change {
	tl__rows_edit edit;
	tl__m_view view;
	tl__m_db db;
	tl_id db_id;
	tl__buf key;
	tl__buf last_frontier; /* the one interned last, and its number */
	uint64_t last_frontier_number;
} tl__m_change;

int tl__m_put(tl__m_change *change, tl__table table, tl_str key, const void *fixed, size_t size,
	const tl_str *more, size_t more_count);
int tl__m_aside_put(tl__m_change *change, const tl__put_aside *aside);
int tl__m_aside_drop(tl__m_change *change, const tl_id *id);

/* memory_read.c, memory_aside.c */
extern const tl__entry_reads tl__m_entry_reads;
extern const tl__scope_reads tl__m_scope_reads;
extern const tl__aside_reads tl__m_aside_reads;

#endif
