/* Lists: items by position, counted as people see them. */
#include "base/env.h"
#include "base/str.h"
#include "check.h"
#include <tidelock/doc.h>

static tl_value *list_of(int count)
{
	tl_value *list = tl_value_list();

	for (int i = 0; i < count; i++)
		if (tl_list_push(list, tl_value_int(i)) != TL_OK)
			exit(2);
	return list;
}

static bool holds(const tl_value *list, const int *numbers, size_t count)
{
	if (tl_list_len(list) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (tl_value_as_int(tl_list_get(list, i)) != numbers[i])
			return false;
	return tl_list_get(list, count) == NULL;
}

static bool ascending(const tl_value *list)
{
	tl_position before, at;
	tl_value *value;

	for (size_t i = 0; tl_list_raw_at(list, i, &at, &value); i++) {
		if (i > 0 && tl_position_compare(&before, &at) >= 0)
			return false;
		before = at;
	}
	return true;
}

static void pushed_items_come_last(void)
{
	static const int wanted[] = {0, 1, 2};
	tl_value *list = list_of(3), *value;
	tl_position position;

	CHECK(holds(list, wanted, 3));
	for (size_t i = 0; i < 3; i++) {
		CHECK(tl_list_raw_at(list, i, &position, &value));
		CHECK(position.numerator == (int64_t)i && position.denominator == 1);
		CHECK((position.uuid[6] & 0xf0) == 0x40 && (position.uuid[8] & 0xc0) == 0x80);
	}
	CHECK(!tl_list_raw_at(list, 3, &position, &value));
	tl_value_free(list);
}

static void push_stays_last_behind_any_position(void)
{
	static const tl_position places[] = {
		{-7, 2, {0}}, {7, 2, {0}}, {-1, 3, {0}}, {5, 0, {0}}, {INT64_MAX - 1, 1, {0}}};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		tl_value *list = tl_value_list();

		CHECK_OK(tl_list_put(list, &places[i], tl_value_int(1)));
		CHECK_OK(tl_list_push(list, tl_value_int(2)));
		if (places[i].denominator != 0) {
			CHECK(ascending(list));
			CHECK(tl_value_as_int(tl_list_get(list, 1)) == 2);
		}
		tl_value_free(list);
	}
}

static void positions_run_out_with_a_word(void)
{
	tl_position last = {INT64_MAX, 1, {0}}, nowhere = {1, 0, {0}};
	tl_value *list = tl_value_list();

	CHECK_OK(tl_list_put(list, &last, tl_value_int(1)));
	CHECK_CODE(tl_list_push(list, tl_value_int(2)), TL_E_POSITION_EXHAUSTED);
	CHECK_CODE(tl_list_insert(list, 1, tl_value_int(2)), TL_E_POSITION_EXHAUSTED);
	CHECK_OK(tl_list_insert(list, 0, tl_value_int(0)));
	tl_value_free(list);
	/* Denominator 0 next to the place: an error, not a crash. */
	list = tl_value_list();
	CHECK_OK(tl_list_put(list, &nowhere, tl_value_int(1)));
	CHECK_CODE(tl_list_insert(list, 0, tl_value_int(0)), TL_E_POSITION_EXHAUSTED);
	CHECK(tl_list_len(list) == 1);
	tl_value_free(list);
}

/* Always in front of the same item: the gap halves until no fraction is left. */
static void a_gap_can_be_used_up(void)
{
	tl_value *list = list_of(2);
	int code = TL_OK, inserted = 0;

	while (code == TL_OK && inserted < 1000) {
		code = tl_list_insert(list, 1, tl_value_int(100 + inserted));
		inserted += code == TL_OK;
	}
	CHECK(code == TL_E_POSITION_EXHAUSTED);
	CHECK(inserted >= 60);
	CHECK(ascending(list));
	CHECK(tl_list_len(list) == 2 + (size_t)inserted);
	tl_value_free(list);
}

static void insert_counts_visible_items(void)
{
	static const int wanted[] = {10, 1, 11, 3, 12};
	tl_value *list = list_of(4);

	CHECK_OK(tl_list_remove(list, 0));
	CHECK_OK(tl_list_remove(list, 1)); /* 1 and 3 are left */
	CHECK(tl_list_len(list) == 2 && tl_list_raw_len(list) == 4);
	CHECK_OK(tl_list_insert(list, 0, tl_value_int(10)));
	CHECK_OK(tl_list_insert(list, 2, tl_value_int(11)));
	CHECK_OK(tl_list_insert(list, 4, tl_value_int(12)));
	CHECK(holds(list, wanted, 5));
	CHECK(ascending(list));
	CHECK_CODE(tl_list_insert(list, 6, tl_value_int(1)), TL_E_INDEX_OUT_OF_BOUNDS);
	CHECK_CODE(tl_list_set(list, 5, tl_value_int(1)), TL_E_INDEX_OUT_OF_BOUNDS);
	CHECK_CODE(tl_list_remove(list, 5), TL_E_INDEX_OUT_OF_BOUNDS);
	CHECK_CODE(tl_list_push(list, NULL), TL_E_NOMEM);
	tl_value_free(list);
}

static void equal_positions_are_one_place(void)
{
	tl_position half = {1, 2, {7}}, same = {2, 4, {7}}, other = {1, 2, {8}}, got;
	tl_value *list = tl_value_list(), *value;

	CHECK_OK(tl_list_put(list, &half, tl_value_int(1)));
	CHECK_OK(tl_list_put(list, &same, tl_value_int(2)));
	CHECK_OK(tl_list_put(list, &other, tl_value_int(3)));
	CHECK(tl_list_raw_len(list) == 2);
	CHECK(tl_list_raw_at(list, 0, &got, &value));
	CHECK(got.numerator == 1 && got.denominator == 2 && tl_value_as_int(value) == 2);
	tl_value_free(list);
}

/* Products of 64-bit numbers do not overflow. */
static void positions_compare_as_numbers(void)
{
	static const tl_position up[] = {{INT64_MIN, 1, {0}}, {-1, 1, {0}}, {-1, UINT64_MAX, {0}},
		{0, 5, {0}}, {1, UINT64_MAX, {0}}, {1, UINT64_MAX - 1, {0}},
		{INT64_MAX - 1, INT64_MAX, {0}}, {1, 1, {0}}, {1, 1, {1}}, {INT64_MAX, 1, {0}}};
	size_t count = sizeof up / sizeof *up;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			CHECK((tl_position_compare(&up[i], &up[j]) > 0) == (i > j) &&
				(tl_position_compare(&up[i], &up[j]) < 0) == (i < j));
}

/* Against an array that does the same. */
static void lists_do_what_arrays_do(void)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, 31);

	for (int round = 0; round < 50; round++) {
		tl_value *list = tl_value_list();
		int array[200];
		size_t count = 0;

		for (int step = 0; step < 100; step++) {
			size_t at = (size_t)tl__random_below(&random, count + 1);

			if (tl__random_below(&random, 3) > 0) {
				int code = tl_list_insert(list, at, tl_value_int(step));

				if (code == TL_E_POSITION_EXHAUSTED)
					continue;
				CHECK_OK(code);
				memmove(array + at + 1, array + at, (count - at) * sizeof *array);
				array[at] = step;
				count++;
			} else if (at < count) {
				CHECK_OK(tl_list_remove(list, at));
				count--;
				memmove(array + at, array + at + 1, (count - at) * sizeof *array);
			}
		}
		CHECK(holds(list, array, count));
		CHECK(ascending(list));
		tl_value_free(list);
	}
}

int main(void)
{
	RUN(pushed_items_come_last);
	RUN(push_stays_last_behind_any_position);
	RUN(positions_run_out_with_a_word);
	RUN(a_gap_can_be_used_up);
	RUN(insert_counts_visible_items);
	RUN(equal_positions_are_one_place);
	RUN(positions_compare_as_numbers);
	RUN(lists_do_what_arrays_do);
	return spec_end();
}
