/* What keys may do in each database at present: computed once for each state of its settings and
 * kept, with an index from keys to databases, so that a question costs neither per database nor per
 * tip. Whoever writes entries tells so. */
#ifndef TL_TREE_RIGHTS_H
#define TL_TREE_RIGHTS_H

#include "base/arena.h"
#include "tree/tree.h"

/* Bounds. What does not fit is computed anew for each question about another one, and `list` shows
 * it to related peers and whoever reads what is public, not to keys that its settings name. */
#define TL__RIGHTS_MAX_BYTES  (32u * 1024 * 1024) /* of all that is kept, by estimate */
#define TL__RIGHTS_SLICE      16                  /* databases looked at by one tl__rights_settle */
#define TL__RIGHTS_NAME_BYTES 255                 /* of a database's name that are kept */
#define TL__RIGHTS_MAX_KEYS   17                  /* of one question */

typedef struct tl__right {
	tl_key key;
	tl_permission permission;
	tl_str name; /* of the record */
} tl__right;

/* Of one database: shared, immutable, counted. */
typedef struct tl__rights {
	bool system;    /* by the root's `name` */
	bool is_public; /* the Active global record is there */
	tl_permission public_permission;
	tl_str name;           /* of the settings, as much as is kept; ptr NULL: none */
	const tl__right *keys; /* ascending; of each key the best Active record */
	size_t count;
	size_t bytes; /* by estimate */
	tl__arena arena;
	atomic_uint readers; /* private */
} tl__rights;

/* What the library calls its own databases; see tl__root_is_system. */
bool tl__is_system_name(tl_str name);
/* Of a database, as much as is kept; ptr NULL: none. Belongs to the settings, which may be NULL. */
tl_str tl__settings_name(const tl_value *settings);
/* Those of the present. NULL when the root is not in the DAG. Release with tl__rights_release. */
int tl__rights_now(tl__tree *tree, const tl_id *db, tl__rights **out) TL_MUST_USE;
void tl__rights_release(tl__rights *rights);                                     /* NULL is fine */
const tl__right *tl__rights_of_key(const tl__rights *rights, const tl_key *key); /* NULL: none */
/* Whether it gives reading. A record that is named as the device's own, as 0.2.0 makes it, never
 * does: such nodes sign whatever they are asked to. */
bool tl__right_reads(const tl__right *right);
/* The database in its own snapshot; what tl__rights_now keeps. */
int tl__rights_compute(tl__tree *tree, const tl_id *db, tl__rights **out) TL_MUST_USE;

/* --- kept ------------------------------------------------------------------------------------- */

typedef struct tl__rights_cache tl__rights_cache;
int tl__rights_cache_new(tl__rights_cache **out) TL_MUST_USE;
void tl__rights_cache_free(tl__rights_cache *cache); /* NULL is fine */

/* Retained for the caller, or NULL. *generation is for tl__rights_keep. */
tl__rights *tl__rights_kept(tl__rights_cache *cache, const tl_id *db, uint64_t *generation);
/* Nothing when it was written meanwhile. TL_OK or TL_E_NOMEM: then they are computed again. */
int tl__rights_keep(
	tl__rights_cache *cache, const tl_id *db, uint64_t generation, tl__rights *rights);
/* A batch was handed to the store, whatever became of it. */
void tl__rights_wrote(tl__tree *tree, const tl__batch *batch);

/* --- list ------------------------------------------------------------------------------------- */

/* A database that the store holds; whether all are told. */
void tl__rights_held(tl__tree *tree, const tl_id *db);
void tl__rights_all_held(tl__tree *tree, bool all);
/* Looks at some that changed, or were never looked at. *more: call it again. */
int tl__rights_settle(tl__tree *tree, bool *more) TL_MUST_USE;

/* The first databases behind `after` (NULL: from the start), ascending, that are public, named or
 * readable by one of the keys; never system ones. */
typedef struct tl__rights_query {
	const tl_key *keys;
	size_t key_count;
	const tl_id *named; /* readable whatever the keys; ascending */
	size_t named_count;
	const tl_id *after;
	size_t max;
} tl__rights_query;
/* `out` has room for query->max; *more: there are others. */
void tl__rights_list(
	tl__tree *tree, const tl__rights_query *query, tl_id *out, size_t *count, bool *more);
/* Whether the settings of any database name this key. */
bool tl__rights_name_key(tl__tree *tree, const tl_key *key);

#endif
