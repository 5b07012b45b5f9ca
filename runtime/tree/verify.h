/* What the two halves of verify share. Only for verify*.c. */
#ifndef TL_TREE_VERIFY_H
#define TL_TREE_VERIFY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "tree/handles.h"
#include "tree/judge.h"

typedef struct tl__verify {
	tl_database *db;
	tl__snapshot *snapshot;
	tl__judge judge;
	tl_finding finding;
	void *ud;
	uint64_t findings;
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

/* Judges every entry anew and counts those whose stored verdict is another. Reads the whole
 * database. */
int tl__verify_verdicts(tl_database *db, uint64_t *differing) TL_MUST_USE;

void tl__verify_report(tl__verify *v, const tl_id *entry, const char *format, ...) TL_FORMAT(3, 4);

/* Walks all entries in arrival order. */
int tl__verify_entries(tl__verify *v) TL_MUST_USE;
/* Tips, and each store's state against a fold; after the walk. */
int tl__verify_derived(tl__verify *v) TL_MUST_USE;
/* Key of `members`: in the buffer, valid until it changes. */
int tl__verify_member_key(tl__buf *buf, tl_str store, const tl_id *id, tl_str *out) TL_MUST_USE;

#endif
