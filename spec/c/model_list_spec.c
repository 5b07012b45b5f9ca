/* Lists: items by position, counted as people see them. */
#include "base/system/env.h"
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

/* Puts `count` items into a list of two, each at the place that `place` gives. */
static int put_in(tl_value *list, int count, size_t (*place)(int))
{
	int code = TL_OK, done = 0;

	while (code == TL_OK && done < count) {
		code = tl_list_insert(list, place(done), tl_value_int(done));
		done += code == TL_OK;
	}
	CHECK(code == TL_OK || code == TL_E_POSITION_EXHAUSTED);
	CHECK(ascending(list));
	return done;
}

static size_t behind_the_last(int done)
{
	return (size_t)done + 1;
}

static size_t before_the_last(int done)
{
	(void)done;
	return 1;
}

/* Into the gap on the other side of the one just put in. */
static size_t zigzag(int done)
{
	return (size_t)(done + 1) / 2 + 1;
}

static size_t zagzig(int done)
{
	return (size_t)done / 2 + 1;
}

static void thousands_go_in_at_one_place(void)
{
	size_t (*const places[])(int) = {behind_the_last, before_the_last};

	for (size_t way = 0; way < 2; way++) {
		tl_value *list = list_of(2);

		CHECK(put_in(list, 10000, places[way]) == 10000);
		for (int i = 0; i < 10000; i++) {
			size_t at = 1 + (size_t)(way == 0 ? i : 9999 - i);

			if (tl_value_as_int(tl_list_get(list, at)) != i)
				FAIL_CASE("an item stands elsewhere");
		}
		tl_value_free(list);
	}
}

/* Fibonacci numbers: the longest row of simplest fractions whose parts have 64 bits. Between 1 and
 * 2 the numerator, which has a sign, is the one to end it. */
static void a_zigzag_goes_in_as_long_as_fractions_have_64_bits(void)
{
	size_t (*const places[])(int) = {zigzag, zagzig};
	static const struct {
		int64_t from;
		int fits;
	} gaps[] = {{0, 91}, {-1, 91}, {1, 89}, {-2, 89}};

	for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
		for (size_t way = 0; way < 2; way++) {
			tl_position left = {gaps[i].from, 1, {0}};
			tl_position right = {gaps[i].from + 1, 1, {0}};
			tl_value *list = tl_value_list();

			CHECK_OK(tl_list_put(list, &left, tl_value_int(-1)));
			CHECK_OK(tl_list_put(list, &right, tl_value_int(-1)));
			int done = put_in(list, 1000, places[way]);

			if (done != gaps[i].fits)
				printf("%" PRId64 " way %zu: %d\n", gaps[i].from, way, done);
			CHECK(done == gaps[i].fits);
			CHECK(tl_list_len(list) == 2 + (size_t)done);
			tl_value_free(list);
		}
}

static bool lowest_terms(const tl_position *position)
{
	uint64_t a = position->numerator < 0 ? -(uint64_t)position->numerator
					     : (uint64_t)position->numerator;
	uint64_t b = position->denominator;

	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a == 1;
}

/* What one item gets between two, or at an end (NULL). */
static int place_between(const tl_position *left, const tl_position *right, tl_position *got)
{
	tl_value *list = tl_value_list(), *value;
	int code;

	if ((left && tl_list_put(list, left, tl_value_int(1)) != TL_OK) ||
		(right && tl_list_put(list, right, tl_value_int(2)) != TL_OK))
		exit(2);
	code = tl_list_insert(list, left ? 1 : 0, tl_value_int(9));
	if (code == TL_OK) {
		CHECK(tl_value_as_int(tl_list_get(list, left ? 1 : 0)) == 9);
		CHECK(ascending(list));
		CHECK(tl_list_raw_at(list, left ? 1 : 0, got, &value));
		CHECK(lowest_terms(got));
	}
	tl_value_free(list);
	return code;
}

static void a_place_is_the_simplest_fraction(void)
{
	static const struct {
		tl_position left, right;
		int64_t numerator;
		uint64_t denominator;
	} cases[] = {
		{{0, 1, {0}}, {1, 1, {0}}, 1, 2},
		{{1, 3, {0}}, {1, 2, {0}}, 2, 5},
		{{2, 6, {0}}, {7, 14, {0}}, 2, 5},
		{{-1, 2, {0}}, {-1, 3, {0}}, -2, 5},
		{{-7, 2, {0}}, {9, 2, {0}}, 0, 1},
		{{-7, 2, {0}}, {0, 1, {0}}, -1, 1},
		{{0, 5, {0}}, {1, 100, {0}}, 1, 101},
		{{5, 2, {0}}, {17, 2, {0}}, 3, 1},
		{{-17, 2, {0}}, {-5, 2, {0}}, -3, 1},
		{{1, 1, {0}}, {INT64_MAX, 1, {0}}, 2, 1},
		{{INT64_MIN, 1, {0}}, {INT64_MIN + 2, 1, {0}}, INT64_MIN + 1, 1},
		{{INT64_MIN, 1, {0}}, {INT64_MAX, 1, {0}}, 0, 1},
		{{1, UINT64_MAX, {0}}, {3, UINT64_MAX, {0}}, 1, UINT64_MAX / 3 + 1},
		{{INT64_MAX, UINT64_MAX, {0}}, {INT64_MAX, UINT64_MAX - 1, {0}}, 0, 0},
		{{INT64_MIN, 1, {0}}, {INT64_MIN + 1, 1, {0}}, 0, 0},
		{{INT64_MAX - 1, 1, {0}}, {INT64_MAX, 1, {0}}, 0, 0},
		{{0, 1, {0}}, {1, UINT64_MAX, {0}}, 0, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl_position got = {0};
		int code = place_between(&cases[i].left, &cases[i].right, &got);
		bool fits = cases[i].denominator != 0;

		CHECK(code == (fits ? TL_OK : TL_E_POSITION_EXHAUSTED));
		if (got.numerator != cases[i].numerator || got.denominator != cases[i].denominator)
			printf("case %zu: %" PRId64 "/%" PRIu64 "\n", i, got.numerator,
				got.denominator);
		CHECK(got.numerator == cases[i].numerator);
		CHECK(got.denominator == cases[i].denominator);
	}
}

static void an_end_is_the_next_whole_number(void)
{
	static const struct {
		tl_position item;
		int64_t before, behind;
	} cases[] = {
		{{0, 1, {0}}, -1, 1},
		{{0, 9, {0}}, -1, 1},
		{{5, 2, {0}}, 2, 3},
		{{-5, 2, {0}}, -3, -2},
		{{6, 2, {0}}, 2, 4},
		{{-6, 2, {0}}, -4, -2},
		{{1, UINT64_MAX, {0}}, 0, 1},
		{{-1, UINT64_MAX, {0}}, -1, 0},
		{{INT64_MAX, 2, {0}}, INT64_MAX / 2, INT64_MAX / 2 + 1},
		{{INT64_MIN, 2, {0}}, INT64_MIN / 2 - 1, INT64_MIN / 2 + 1},
		{{INT64_MIN, UINT64_MAX, {0}}, -1, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl_position before = {0}, behind = {0};

		CHECK_OK(place_between(NULL, &cases[i].item, &before));
		CHECK_OK(place_between(&cases[i].item, NULL, &behind));
		CHECK(before.numerator == cases[i].before && before.denominator == 1);
		CHECK(behind.numerator == cases[i].behind && behind.denominator == 1);
	}
}

/* --- items of one fraction -------------------------------------------------------------------- */

/* Two that were pushed by two peers, written in two ways. */
static tl_value *twins(uint8_t left, uint8_t right)
{
	tl_position first = {3, 2, {left}}, second = {6, 4, {right}};
	tl_value *list = list_of(1);

	if (tl_list_put(list, &first, tl_value_int(-1)) != TL_OK ||
		tl_list_put(list, &second, tl_value_int(-2)) != TL_OK ||
		tl_list_push(list, tl_value_int(7)) != TL_OK)
		exit(2);
	return list;
}

static void an_item_between_twins_stands_there(void)
{
	for (int round = 0; round < 200; round++) {
		tl_value *list = twins((uint8_t)round, (uint8_t)(round + 1)), *value;
		tl_position got;

		CHECK_OK(tl_list_insert(list, 2, tl_value_int(9)));
		CHECK(tl_value_as_int(tl_list_get(list, 2)) == 9);
		CHECK(ascending(list));
		CHECK(tl_list_raw_at(list, 2, &got, &value));
		CHECK(got.numerator == 3 && got.denominator == 2);
		CHECK((got.uuid[6] & 0xf0) == 0x40 && (got.uuid[8] & 0xc0) == 0x80);
		/* and beside them */
		CHECK_OK(tl_list_insert(list, 1, tl_value_int(10)));
		CHECK_OK(tl_list_insert(list, 5, tl_value_int(11)));
		CHECK(tl_value_as_int(tl_list_get(list, 1)) == 10);
		CHECK(tl_value_as_int(tl_list_get(list, 5)) == 11);
		CHECK(ascending(list));
		tl_value_free(list);
	}
}

static size_t behind_the_twin(int done)
{
	return (size_t)done + 2;
}

static size_t before_the_twin(int done)
{
	(void)done;
	return 2;
}

static size_t zigzag_of_twins(int done)
{
	return zigzag(done) + 1;
}

static void thousands_go_in_between_twins(void)
{
	tl_value *list = twins(60, 70);

	CHECK(put_in(list, 10000, behind_the_twin) == 10000);
	CHECK(tl_value_as_int(tl_list_get(list, 10001)) == 9999);
	tl_value_free(list);
	list = twins(60, 70);
	CHECK(put_in(list, 10000, before_the_twin) == 10000);
	CHECK(tl_value_as_int(tl_list_get(list, 2)) == 9999);
	tl_value_free(list);
	list = twins(60, 70);
	CHECK(put_in(list, 1000, zigzag_of_twins) >= 91);
	tl_value_free(list);
}

/* Ids that differ in the last byte only. */
static void narrow_ids_are_used_up_to_the_last(void)
{
	for (uint8_t room = 0; room < 5; room++) {
		tl_position first = {1, 1, {0}}, second = {1, 1, {0}};
		tl_value *list = tl_value_list();

		first.uuid[15] = 10;
		second.uuid[15] = (uint8_t)(11 + room);
		CHECK_OK(tl_list_put(list, &first, tl_value_int(1)));
		CHECK_OK(tl_list_put(list, &second, tl_value_int(2)));
		for (int i = 0; i < 20; i++)
			CHECK(tl_list_insert(list, 1, tl_value_int(3)) == TL_OK ||
				tl_error_code(tl_last_error()) == TL_E_POSITION_EXHAUSTED);
		CHECK(tl_list_len(list) >= 2 + (size_t)(room > 0));
		CHECK(tl_list_len(list) <= 2 + (size_t)room);
		CHECK(ascending(list));
		CHECK(tl_value_as_int(tl_list_get(list, 0)) == 1);
		CHECK(tl_value_as_int(tl_list_get(list, tl_list_len(list) - 1)) == 2);
		tl_value_free(list);
	}
}

/* Deleted items between two visible ones: no room beside the last of them is no reason to refuse,
 * and none of them comes back. */
static void deleted_items_take_no_room(void)
{
	tl_value *list = tl_value_list(), *value;
	tl_position at = {1, 1, {1}};
	size_t raw;

	for (uint8_t i = 0; i < 5; i++) {
		at.uuid[0] = i < 4 ? 1 : 9;
		at.uuid[15] = i;
		CHECK_OK(tl_list_put(
			list, &at, i == 0 || i == 4 ? tl_value_int(i) : tl_value_deleted()));
	}
	CHECK_OK(tl_list_insert(list, 1, tl_value_int(9)));
	CHECK(tl_list_len(list) == 3 && tl_list_raw_len(list) == 6);
	CHECK(tl_value_as_int(tl_list_get(list, 1)) == 9);
	/* One at the very end of the numbers does not close the list. */
	at = (tl_position){INT64_MAX, 1, {0}};
	CHECK_OK(tl_list_put(list, &at, tl_value_deleted()));
	CHECK_OK(tl_list_push(list, tl_value_int(10)));
	CHECK_OK(tl_list_insert(list, 4, tl_value_int(11)));
	CHECK(tl_value_as_int(tl_list_get(list, 4)) == 11);
	CHECK(ascending(list));
	raw = tl_list_raw_len(list);
	CHECK(tl_list_raw_at(list, raw - 1, &at, &value) && tl_value_type(value) == TL_DELETED);
	tl_value_free(list);
}

/* Where both have what the other put in, the new item is where it was asked for. */
static void the_place_holds_after_merging(void)
{
	tl_value *mine = tl_value_doc(), *theirs, *list;

	CHECK_OK(tl_doc_put(mine, TL__STR("l"), list_of(1)));
	theirs = tl_value_copy(mine);
	CHECK_OK(tl_list_push(tl_doc_raw(mine, TL__STR("l")), tl_value_int(1)));
	CHECK_OK(tl_list_push(tl_doc_raw(theirs, TL__STR("l")), tl_value_int(2)));
	CHECK_OK(tl_doc_merge(mine, theirs));
	list = tl_doc_raw(mine, TL__STR("l"));
	CHECK(tl_list_len(list) == 3);
	CHECK_OK(tl_list_insert(list, 2, tl_value_int(9)));
	CHECK_OK(tl_doc_merge(theirs, mine));
	list = tl_doc_raw(theirs, TL__STR("l"));
	CHECK(tl_list_len(list) == 4 && tl_value_as_int(tl_list_get(list, 2)) == 9);
	tl_value_free(mine);
	tl_value_free(theirs);
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
	tl__random random = tl__random_seeded(&memory, spec_seed(31));

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
	RUN(thousands_go_in_at_one_place);
	RUN(a_zigzag_goes_in_as_long_as_fractions_have_64_bits);
	RUN(a_place_is_the_simplest_fraction);
	RUN(an_end_is_the_next_whole_number);
	RUN(an_item_between_twins_stands_there);
	RUN(thousands_go_in_between_twins);
	RUN(narrow_ids_are_used_up_to_the_last);
	RUN(deleted_items_take_no_room);
	RUN(the_place_holds_after_merging);
	RUN(insert_counts_visible_items);
	RUN(equal_positions_are_one_place);
	RUN(positions_compare_as_numbers);
	RUN(lists_do_what_arrays_do);
	return spec_end();
}
