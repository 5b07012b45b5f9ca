/* Spool: the lines of one exchange, put into an order that can be linked.
 *
 * A peer on 0.2.0 answers with a whole database in random order. Lines are added as they come;
 * those whose parents went out before, or are held already, go out at once, parents first, in
 * pages. The others wait. After the last line whatever is left goes out too, parents first among
 * themselves: ingest then says what is missing.
 *
 * One limit of memory: the index, about 70 bytes a waiting line, and the texts of lines, which move
 * to a temporary file without a name when both together would exceed it; of the texts 64 KiB stay
 * in memory however large the index is, to be written at once. After the last line the index
 * shrinks to about 25 bytes a line, and goes while the pages go out.
 *
 * An intake (intake.c) takes nothing out before the last line, although much could be linked
 * earlier: nothing may be stored before the answer's kind, tree id and root are checked, members
 * of the answer come in any order, and a spool is one thread's at a time, while reading and ingest
 * are two.
 *
 * One thread at a time. tl__spool_next may block (store reads, file reads), tl__spool_add for a
 * write to the file. */
#ifndef TL_TREE_SPOOL_H
#define TL_TREE_SPOOL_H

#include <tidelock/entry.h>
#include "tree/tree.h"

#define TL__SPOOL_MEMORY_BYTES (4u * 1024 * 1024)
#define TL__SPOOL_WRITE_BYTES  (64u * 1024)
#define TL__SPOOL_MAX_BYTES    (1024u * 1024 * 1024) /* max_response_bytes */

/* A page for ingest. A larger entry travels alone. */
#define TL__PAGE_MAX_ENTRIES 1000
#define TL__PAGE_MAX_BYTES   (1024u * 1024)

typedef struct tl__spool tl__spool;

typedef struct tl__spool_options {
	tl_id db;
	size_t memory_bytes;   /* index and texts together; 0 = TL__SPOOL_MEMORY_BYTES */
	uint64_t max_bytes;    /* of all lines together; 0 = TL__SPOOL_MAX_BYTES */
	const char *directory; /* of the temporary file; NULL = $TMPDIR or /tmp */
	/* Sets held[i] for ids that need not be waited for, e.g. tl__spool_held with a tree as
	 * `ud`. The lines of a page must then be ingested before another is added. NULL:
	 * only lines of this spool are known, and their ids are remembered (70 bytes each). */
	int (*held)(void *ud, const tl_id *db, const tl_id *ids, size_t count, bool *held);
	void *ud;
} tl__spool_options;

typedef struct tl__spool_page {
	const tl_str *lines; /* canonical bytes; valid until the second tl__spool_next from now */
	size_t count;        /* 0: nothing can be linked now, or `end` */
	bool end;            /* no line is left and none will come */
} tl__spool_page;

/* Copies what it needs of the options, except `ud`. */
int tl__spool_new(tl__spool **out, const tl__spool_options *options) TL_MUST_USE;
void tl__spool_free(tl__spool *spool); /* NULL is fine */

/* Adds one entry text, copied. *refused is TL_OK, or why this line is none of this database's
 * entries (TL_E_BAD_JSON, TL_E_NOT_CANONICAL, TL_E_BAD_ENTRY, TL_E_TOO_LARGE, TL_E_FOREIGN_ENTRY):
 * it is left out, the others go on. A line that is waiting already is passed over. Errors end the
 * exchange: TL_E_TOO_LARGE (more than max_bytes), TL_E_IO, TL_E_NOMEM. */
int tl__spool_add(tl__spool *spool, tl_str line, tl_entry_form form, int *refused) TL_MUST_USE;
/* No line will follow. */
void tl__spool_finish(tl__spool *spool);
/* The next page. */
int tl__spool_next(tl__spool *spool, tl__spool_page *page) TL_MUST_USE;

typedef struct tl__spool_usage {
	size_t waiting;        /* lines not given out */
	uint64_t index_bytes;  /* allocated for the order, whatever the lines' lengths */
	uint64_t memory_bytes; /* of texts in memory, some perhaps of lines gone out */
	uint64_t file_bytes;   /* of texts in the file, likewise */
} tl__spool_usage;

/* For options.held: what the store holds of the database, set aside or not. `tree` is a tl__tree.
 */
int tl__spool_held(void *tree, const tl_id *db, const tl_id *ids, size_t count, bool *held);

#endif
