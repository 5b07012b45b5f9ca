/* Histories of many entries, written past all rules: only their order counts; and works run on them
 * slice by slice. */
#ifndef SPEC_WORK_HELP_H
#define SPEC_WORK_HELP_H

#include "tree_help.h"
#include "work/held.h"
#include "work/work.h"
#include "work/work_serve.h"

#define BATCH 1000

typedef struct numbered {
	char text[24];
	tl_id id;
} numbered;

static inline numbered number(size_t n)
{
	numbered out;

	snprintf(out.text, sizeof out.text, "entry %zu", n);
	tl_id_of(&out.id, out.text, strlen(out.text));
	return out;
}

/* Entries `first` and so on: each on top of the one before it (a chain), or all on the root. */
static inline void write_some(const tl_id *root, size_t first, size_t count, bool chain)
{
	static tl__put_entry puts[BATCH];
	static numbered made[BATCH + 1];
	tl__batch batch = {.db = *root, .entries = puts};
	tl_id last = *root;

	for (size_t done = 0; done < count; done += batch.entry_count) {
		batch.entry_count = count - done < BATCH ? count - done : BATCH;
		made[0].id = last;
		for (size_t i = 0; i < batch.entry_count; i++) {
			made[i + 1] = number(first + done + i);
			puts[i] = (tl__put_entry){.id = made[i + 1].id,
				.bytes = z(made[i + 1].text),
				.verdict = TL__VERIFIED,
				.height = chain ? done + i + 1 : 1,
				.parents = chain ? &made[i].id : root,
				.parent_count = 1,
				.frontier = TL__STR("")};
		}
		REQUIRE(tl__store_write(w.store, &batch) == TL_OK);
		last = made[batch.entry_count].id;
	}
}

static inline void write_entries(const tl_id *root, size_t count, bool chain)
{
	write_some(root, 0, count, chain);
}

static inline void write_branch(const tl_id *root, size_t first, size_t count)
{
	write_some(root, first, count, true);
}

/* A database with a chain that is a little longer than one page looks. */
enum { OVER = 10, CHAIN = TL__WORK_MAX_SCAN + OVER - 1 }; /* and the root */

static inline tl_id long_chain(tl_database **db)
{
	*db = new_database("admin");
	write_entries(tl_database_root_id(*db), CHAIN, true);
	return number(CHAIN - 1).id;
}

/* Runs it slice by slice: each reads no more than a slice may, or one thing over it. Returns what
 * all of them have read. */
static inline size_t run_slices(tl__work *work)
{
	size_t rows = 0;
	bool again;

	do {
		again = tl__work_slice(&w.host, work);
		CHECK(work->rows < TL__WORK_SLICE_ROWS + 64);
		rows += work->rows;
	} while (again);
	CHECK_OK(work->code);
	return rows;
}

#endif
