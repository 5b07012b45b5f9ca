/* Every entry that the recorded exchanges of a file show, and who stands on whom: what a recorded
 * server or client must have held can be put together from it. */
#ifndef SPEC_VECTORS_POOL_H
#define SPEC_VECTORS_POOL_H

#include "../check.h"

typedef struct pool_entry {
	tl_id id, db;
	tl_str text;
	tl_id *parents; /* main and of all stores */
	size_t parent_count;
} pool_entry;

typedef struct pool {
	pool_entry *at;
	size_t count;
} pool;

/* Of the requests and answers of this section; made once and kept. */
const pool *pool_of(const node *section);
const pool_entry *pool_find(const pool *p, const tl_id *id);

/* Marks (array of p->count) these ids and everything they stand on, as far as the pool has it. */
void pool_mark(const pool *p, const tl_id *ids, size_t count, bool *marks);
/* Marks the whole database. */
void pool_mark_db(const pool *p, const tl_id *db, bool *marks);

/* The entries of a message: of an answer (its root too), or of SendEntries. Texts in `arena`. */
typedef struct entry_list {
	tl_str *texts;
	tl_id *ids; /* all zero for what is no entry */
	size_t count;
	bool has_root; /* the first one is the root of a bootstrap */
} entry_list;

bool entries_of_answer(tl__arena *arena, tl_str body, entry_list *out);
bool entries_of_request(tl__arena *arena, tl_str body, entry_list *out);
bool list_has(const entry_list *list, const tl_id *id);

#endif
