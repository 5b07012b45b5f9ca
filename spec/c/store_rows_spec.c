/* The copy-on-write rows under the memory store: against a plain table, with older versions held,
 * and with every allocation failing once. */
#include "check.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/rows.h"

enum { KEYS = 700, STEPS = 12000 };

static tl_str key_of(size_t i, char memory[16])
{
	return (tl_str){memory, (size_t)snprintf(memory, 16, "key %04zu", i)};
}

static int put(tl__rows_edit *edit, tl__rows **root, size_t i, int value)
{
	char memory[16];
	tl__row *row = tl__row_new(edit, key_of(i, memory), sizeof value);

	if (!row)
		return TL_E_NOMEM;
	memcpy(row->data + row->key_len, &value, sizeof value);
	return tl__rows_put(edit, root, row);
}

/* Walks everything and compares with the table; -1 is absent. */
static bool same(const tl__rows *root, const int table[KEYS])
{
	tl__rows_walk walk;
	size_t i = 0;

	tl__rows_seek(&walk, root, TL__STR(""), TL__STR(""));
	for (const tl__row *row; (row = tl__rows_next(&walk)); i++) {
		char memory[16];
		int value;

		while (i < KEYS && table[i] < 0)
			i++;
		if (i == KEYS || !tl__str_eq(tl__row_key(row), key_of(i, memory)))
			return false;
		memcpy(&value, tl__row_value(row).ptr, sizeof value);
		if (value != table[i] || tl__rows_get(root, key_of(i, memory)) != row)
			return false;
	}
	while (i < KEYS && table[i] < 0)
		i++;
	return i == KEYS;
}

static void commit(tl__rows_edit *edit, tl__block_list *held)
{
	tl__blocks_move(held, &edit->retired, UINT64_MAX);
}

/* A version is held while a few hundred edits go on; then it must still be what it was. */
static void older_versions_stay_as_they_were(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(3));
	static int table[KEYS], old_table[KEYS];
	tl__rows *root = NULL, *old = NULL;
	tl__block_list held;

	for (size_t i = 0; i < KEYS; i++)
		table[i] = old_table[i] = -1;
	tl__blocks_init(&held);
	for (int step = 0; step < STEPS; step++) {
		size_t i = (size_t)tl__random_below(&random, KEYS);
		bool growing = step / 3000 % 2 == 0;
		char memory[16];
		tl__rows_edit edit;

		tl__rows_edit_init(&edit, (uint64_t)step + 1);
		if (tl__random_below(&random, 4) < (growing ? 3 : 1)) {
			REQUIRE(put(&edit, &root, i, step) == TL_OK);
			table[i] = step;
		} else {
			REQUIRE(tl__rows_remove(&edit, &root, key_of(i, memory)) == TL_OK);
			table[i] = -1;
		}
		commit(&edit, &held);
		if (step % 300 == 0) {
			REQUIRE(same(root, table) && same(old, old_table));
			tl__blocks_free(&held);
			old = root;
			memcpy(old_table, table, sizeof table);
		}
	}
	for (size_t i = 0; i < KEYS; i++) {
		char memory[16];
		tl__rows_edit edit;

		tl__rows_edit_init(&edit, STEPS + i + 1);
		REQUIRE(tl__rows_remove(&edit, &root, key_of(i, memory)) == TL_OK);
		commit(&edit, &held);
	}
	CHECK(root == NULL && same(old, old_table));
	tl__blocks_free(&held);
}

static void a_walk_starts_anywhere_and_ends_with_its_prefix(void)
{
	tl__rows *root = NULL;
	tl__rows_edit edit;
	tl__rows_walk walk;
	const tl__row *row;
	size_t count = 0;

	tl__rows_edit_init(&edit, 1);
	for (size_t i = 0; i < KEYS; i += 2)
		REQUIRE(put(&edit, &root, i, 1) == TL_OK);
	for (size_t i = 0; i < KEYS; i++) {
		char memory[16], expected[16];

		tl__rows_seek(&walk, root, key_of(i, memory), TL__STR(""));
		row = tl__rows_next(&walk);
		if (i + i % 2 < KEYS)
			CHECK(row && tl__str_eq(tl__row_key(row), key_of(i + i % 2, expected)));
		else
			CHECK(!row);
	}
	tl__rows_seek(&walk, root, TL__STR("key 01"), TL__STR("key 01"));
	while (tl__rows_next(&walk))
		count++;
	CHECK(count == 50 && !tl__rows_next(&walk));
	tl__rows_free(root);
}

/* An edit in which the n-th allocation fails is undone; the version before is untouched. */
static void no_allocation_failure_harms_it(void)
{
	static int table[KEYS];
	tl__rows *root = NULL;
	tl__rows_edit edit;
	bool fired = true;

	tl__rows_edit_init(&edit, 1);
	for (size_t i = 0; i < KEYS; i++) {
		REQUIRE(put(&edit, &root, i, 1) == TL_OK);
		table[i] = 1;
	}
	for (size_t n = 1; fired; n++) {
		tl__rows *changed = root;
		int rc = TL_OK;
		char memory[16];

		tl__rows_edit_init(&edit, n + 1);
		tl__alloc_fail_at(n);
		for (size_t i = 0; rc == TL_OK && i < KEYS; i += 5)
			rc = i % 2 ? put(&edit, &changed, i, 2)
				   : tl__rows_remove(&edit, &changed, key_of(i, memory));
		fired = tl__alloc_fail_at(0);
		CHECK((rc == TL_E_NOMEM) == fired);
		tl__rows_edit_undo(&edit);
		REQUIRE(same(root, table));
	}
	tl__rows_free(root);
}

int main(void)
{
	RUN(older_versions_stay_as_they_were);
	RUN(a_walk_starts_anywhere_and_ends_with_its_prefix);
	RUN(no_allocation_failure_harms_it);
	return spec_end();
}
