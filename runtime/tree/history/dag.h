/* One reader's view of a database's DAG: a snapshot, remembered as it is asked, plus the entries of
 * a plan laid over it. Everything that walks history goes through here: heights, frontiers, folds.
 *
 * A view belongs to one thread at a time and lives as long as its snapshot. Pointers it hands out
 * live as long as the view. */
#ifndef TL_TREE_DAG_H
#define TL_TREE_DAG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/ids.h"
#include "tree/tree.h"

/* A set of entries carrying `_settings`; equal sets are the same struct. */
typedef struct tl__dag_set {
	const tl_id *ids; /* ascending */
	size_t count;
	struct tl__dag_set
		*reduced;       /* without those that are ancestors of others; NULL: not yet known
				 */
	tl__settings *settings; /* of this frontier, counted; NULL: not yet known */
	size_t newest;          /* greatest order among the entries they are made of */
	uint64_t walk;          /* private */
} tl__dag_set;

/* What an entry hands on of citations; equal ones are the same struct. */
typedef struct tl__dag_cited {
	const tl__citation *at; /* ascending */
	size_t count;
	uint64_t walk; /* private */
} tl__dag_cited;

typedef struct tl__dag_node {
	bool there; /* false: known not to be in the DAG */
	tl__verdict verdict;
	size_t order; /* 0: in the snapshot; else 1 + place in the plan */
	uint64_t height;
	uint64_t frontier;     /* interned number, when in the snapshot */
	tl__dag_set *at;       /* frontier of the entry; NULL: not yet loaded */
	tl__dag_set *after;    /* what it hands to its children; NULL: not yet known */
	uint64_t cited_number; /* interned, when in the snapshot */
	tl__dag_cited *cited;  /* NULL: not yet loaded */
} tl__dag_node;

/* An entry as part of a store. */
typedef struct tl__dag_member {
	bool there; /* false: known not to carry the store */
	bool unreadable;
	tl__verdict verdict;
	tl__stamp stamp; /* height in this store, id */
	const tl_id *parents;
	size_t parent_count;
	tl_entry *entry; /* of a plan: borrowed; NULL: in the snapshot */
	size_t order;    /* as of its node */
	uint64_t walk;   /* private */
} tl__dag_member;

typedef struct tl__dag_store {
	tl_str name;
	tl__map members; /* id -> tl__dag_member */
} tl__dag_store;

typedef struct tl__dag {
	tl__snapshot *snapshot;
	tl_id db;
	tl__arena arena;
	tl__map nodes;           /* id -> tl__dag_node */
	tl__map stores;          /* name -> tl__dag_store */
	tl__map sets;            /* ids -> tl__dag_set */
	tl__map numbers;         /* interned number -> tl__dag_set */
	tl__map cited;           /* citations -> tl__dag_cited */
	tl__map cited_numbers;   /* interned number -> tl__dag_cited */
	tl__dag_store *settings; /* the store `_settings` */
	tl__recent *recent;      /* asked before the store; NULL: not */
	uint64_t walk;           /* number of the last walk: marks what it met */
} tl__dag;

/* After a failure tl__dag_free is still due. */
int tl__dag_init(tl__dag *dag, tl__snapshot *s, const tl_id *db) TL_MUST_USE;
void tl__dag_free(tl__dag *dag);

/* Loads what is not yet remembered, in one question to the store. */
int tl__dag_load(tl__dag *dag, const tl_id *ids, size_t count) TL_MUST_USE;
/* NULL when not in the DAG; load first. */
tl__dag_node *tl__dag_node_of(const tl__dag *dag, const tl_id *id);
/* Loads and demands that all are in the DAG: TL_E_ENTRY_NOT_FOUND. */
int tl__dag_need(tl__dag *dag, const tl_id *ids, size_t count) TL_MUST_USE;

int tl__dag_store_of(tl__dag *dag, tl_str name, tl__dag_store **out) TL_MUST_USE;
/* As tl__dag_load and tl__dag_node_of, for members of a store. */
int tl__dag_load_members(
	tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count) TL_MUST_USE;
tl__dag_member *tl__dag_member_of(const tl__dag_store *store, const tl_id *id);

/* Sees the members among these ids and all their ancestors in the store, each once. The callback
 * returns TL_OK to go on to the member's parents, TL__STORE_STOP to leave them out, or an error. It
 * must not walk. Members met have walk == dag->walk afterwards. */
typedef int (*tl__dag_seen)(void *ud, tl__dag_member *member);
int tl__dag_walk(tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count,
	tl__dag_seen seen, void *ud) TL_MUST_USE;

/* The set of these ids, in any order and repeated at will. */
int tl__dag_set_of(tl__dag *dag, const tl_id *ids, size_t count, tl__dag_set **out) TL_MUST_USE;
/* The struct of these citations, which are in order. */
int tl__dag_cited_from(
	tl__dag *dag, const tl__citation *at, size_t count, tl__dag_cited **out) TL_MUST_USE;
/* Without those that are ancestors of others in the `_settings` DAG. */
int tl__dag_reduce(tl__dag *dag, tl__dag_set *set, tl__dag_set **out) TL_MUST_USE;
/* The frontier of an entry with these main parents, all of them loaded and there. */
int tl__dag_frontier(
	tl__dag *dag, const tl_id *parents, size_t count, tl__dag_set **out) TL_MUST_USE;

/* citations.c. What these entries, all of them loaded and there, hand on together. */
int tl__dag_cited_of(tl__dag *dag, const tl_id *ids, size_t count, tl__dag_cited **out) TL_MUST_USE;
/* What the entry `id` that names these and cites `own` hands on: see tl__citations_hand_on. */
int tl__dag_hand_on(tl__dag *dag, const tl_id *id, const tl_id *names, size_t count, tl__buf *own,
	size_t most, tl__dag_cited **out) TL_MUST_USE;

/* Left fold of the deltas of the good members among these ids and their ancestors in the store, in
 * (height, id) order, positions in lowest terms. *newest (may be NULL) is the greatest order met.
 * *out is yours. */
int tl__dag_fold(tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count, tl_value **out,
	size_t *newest) TL_MUST_USE;
/* Merges one good member's delta into `doc`. */
int tl__dag_merge(
	tl__dag *dag, tl__dag_store *store, tl__dag_member *member, tl_value *doc) TL_MUST_USE;

/* Settings at a reduced frontier, through the caches. *out is retained for the caller. */
int tl__settings_of_set(
	tl__tree *tree, tl__dag *dag, tl__dag_set *set, tl__settings **out) TL_MUST_USE;
/* Settings of a Doc, which is owned from then on, also on failure. */
int tl__settings_make(tl_value *doc, tl__settings **out) TL_MUST_USE;
tl__settings *tl__settings_retain(tl__settings *settings);

/* The cache of settings that all threads of a tree share. Settings at a frontier never change, so
 * it is only bounded, never wrong. */
int tl__settings_cache_new(tl__settings_cache **out) TL_MUST_USE;
void tl__settings_cache_free(tl__settings_cache *cache); /* NULL is fine */
/* Retained for the caller, or NULL. */
tl__settings *tl__settings_cache_get(
	tl__settings_cache *cache, const tl_id *db, const tl__dag_set *set);
/* Best effort: what finds no memory is not kept. */
void tl__settings_cache_put(
	tl__settings_cache *cache, const tl_id *db, const tl__dag_set *set, tl__settings *settings);

#define TL__SETTINGS_CACHE_COUNT 256
#define TL__SETTINGS_CACHE_BYTES (8u * 1024 * 1024) /* of documents, by estimate */

/* Whether this root's database is a system one: `_users`, `_databases`, `_instance`, `_sync`,
 * `_user_…`. By the `name` that the root itself sets: it never changes, so nobody can make a
 * database a system one, or a system one ordinary, later. */
bool tl__root_is_system(const tl_entry *root);

#endif
