/* Store contract: entries set aside, who waits for what, what each sender uses. Each case runs on
 * every backend. */
#include "store_help.h"

enum { DB = 1000000, OTHER = 2000000 };

static tl__snapshot *s;

static int set_aside(unsigned db, unsigned n, tl__verdict verdict, const char *sender, bool related,
	const tl_id *waits, size_t count)
{
	spec_entry *e = entry_number(n);
	tl__put_aside aside = {.id = e->id,
		.bytes = e->bytes,
		.verdict = verdict,
		.sender = tl__str_z(sender),
		.related = related,
		.reason = TL_E_BAD_SIGNATURE,
		.rules = 3,
		.pinned = n % 2 == 1,
		.waits_for = waits,
		.waits_count = count};
	tl__batch batch = {.db = id_number(db), .asides = &aside, .aside_count = 1};

	return tl__store_write(store, &batch);
}

static int drop_aside(unsigned db, unsigned n)
{
	tl_id id = id_number(n);
	tl__batch batch = {.db = id_number(db), .drop_asides = &id, .drop_aside_count = 1};

	return tl__store_write(store, &batch);
}

/* "count bytes" of a sender, NULL for strangers. */
static const char *usage(tl__verdict verdict, const char *sender)
{
	static char text[64];
	uint64_t count = 99, bytes = 99;

	if (tl__snapshot_open(store, &s) != TL_OK)
		return "no snapshot";
	CHECK_OK(tl__read_aside_usage(s, verdict, tl__str_z(sender), &count, &bytes));
	tl__snapshot_close(s);
	snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, count, bytes);
	return text;
}

static size_t waiting_for(unsigned n);

static int see_waiter(void *ud, const tl_id *db, const tl_id *waiter)
{
	spec_seen *to = ud;
	tl_id first = id_number(DB);

	note(to, waiter, same_id(db, &first) ? DB : OTHER, TL__STR(""));
	return TL_OK;
}

static size_t waiting_for(unsigned n)
{
	tl_id id = id_number(n);

	if (tl__snapshot_open(store, &s) != TL_OK)
		return 999;
	CHECK_OK(tl__read_waiters(s, &id, see_waiter, fresh()));
	tl__snapshot_close(s);
	return seen.count;
}

static size_t waits_of(unsigned db, unsigned n)
{
	tl_id database = id_number(db), id = id_number(n);

	if (tl__snapshot_open(store, &s) != TL_OK)
		return 999;
	CHECK_OK(tl__read_waits(s, &database, &id, see_id, fresh()));
	tl__snapshot_close(s);
	return seen.count;
}

static int see_full(void *ud, const tl__aside_row *row)
{
	*(int *)ud += 1;
	CHECK(row->verdict == TL__INVALID && row->related && row->reason == TL_E_BAD_SIGNATURE);
	CHECK(row->rules == 3 && row->pinned && row->size == entry_number(1)->bytes.len);
	CHECK(tl__str_eq(row->sender, TL__STR("key a")));
	CHECK(tl__str_eq(row->bytes, entry_number(1)->bytes));
	return TL_OK;
}

static bool is_needed(unsigned n)
{
	tl_id id = id_number(n);
	bool needed = false;

	if (tl__snapshot_open(store, &s) != TL_OK)
		return false;
	CHECK_OK(tl__read_needed(s, &id, &needed));
	tl__snapshot_close(s);
	return needed;
}

static int need(unsigned db, unsigned n, const tl_id *needs, size_t count)
{
	spec_entry *e = entry_number(n);
	tl__put_aside aside = {.id = e->id,
		.bytes = e->bytes,
		.verdict = TL__PENDING,
		.sender = TL__STR("a"),
		.needs = needs,
		.needs_count = count};
	tl__batch batch = {.db = id_number(db), .asides = &aside, .aside_count = 1};

	return tl__store_write(store, &batch);
}

/* As long as one that needs it is there, wherever. */
static void what_is_needed_is_told(void)
{
	tl_id needs[3] = {id_number(7), id_number(8), id_number(7)};

	CHECK(!is_needed(7));
	CHECK_OK(need(DB, 1, needs, 3));
	CHECK_OK(need(OTHER, 2, needs, 1));
	CHECK(is_needed(7) && is_needed(8) && !is_needed(1));
	CHECK_OK(drop_aside(DB, 1));
	CHECK(is_needed(7) && !is_needed(8));
	CHECK_OK(need(OTHER, 2, needs + 1, 1)); /* in place of what it said before */
	CHECK(!is_needed(7) && is_needed(8));
	CHECK_OK(drop_aside(OTHER, 2));
	CHECK(!is_needed(8));
}

static void rows_come_back_as_they_were(void)
{
	tl_id db = id_number(DB), ids[2] = {id_number(1), id_number(9)}, other = id_number(OTHER);
	tl__db_row row;
	int count = 0;

	CHECK_OK(set_aside(DB, 1, TL__INVALID, "key a", true, NULL, 0));
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_asides(s, &db, ids, 2, TL__WITH_BYTES, see_full, &count));
	CHECK(count == 1);
	CHECK_OK(tl__read_asides(s, &db, ids, 2, 0, see_aside, fresh()));
	CHECK(seen.count == 1 && seen.texts[0][0] == '\0');
	CHECK_OK(tl__read_asides(s, &other, ids, 2, 0, see_aside, fresh()));
	CHECK(seen.count == 0);
	CHECK_OK(tl__read_database(s, &db, &row)); /* known by what it has aside */
	CHECK(row.arrivals == 0);
	CHECK_OK(tl__read_entries(s, &db, ids, 2, 0, see_entry, fresh()));
	CHECK(seen.count == 0);
	tl__snapshot_close(s);
	CHECK_OK(drop_aside(DB, 1));
	CHECK_OK(drop_aside(DB, 1));
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_CODE(tl__read_database(s, &db, &row), TL_E_DATABASE_NOT_FOUND);
	tl__snapshot_close(s);
}

static size_t list(const tl_id *db, tl__verdict verdict, uint64_t after, size_t limit)
{
	if (tl__snapshot_open(store, &s) != TL_OK)
		return 999;
	CHECK_OK(tl__read_aside_list(s, db, verdict, after, limit, 0, see_aside, fresh()));
	tl__snapshot_close(s);
	return seen.count;
}

static void lists_are_oldest_first(void)
{
	tl_id db = id_number(DB), two = id_number(2), three = id_number(3);
	uint64_t first;

	CHECK_OK(set_aside(DB, 2, TL__PENDING, "a", true, NULL, 0));
	CHECK_OK(set_aside(OTHER, 3, TL__PENDING, "a", true, NULL, 0));
	CHECK_OK(set_aside(DB, 1, TL__PENDING, "a", true, NULL, 0));
	CHECK_OK(set_aside(DB, 4, TL__INVALID, "a", true, NULL, 0));
	CHECK(list(NULL, TL__PENDING, 0, 9) == 3);
	CHECK(same_id(&seen.ids[0], &two) && same_id(&seen.ids[1], &three));
	CHECK(seen.numbers[0] < seen.numbers[1] && seen.numbers[1] < seen.numbers[2]);
	first = seen.numbers[0];
	CHECK(list(NULL, TL__PENDING, first, 9) == 2);
	CHECK(list(NULL, TL__PENDING, first, 1) == 1);
	CHECK(list(&db, TL__PENDING, 0, 9) == 2 && same_id(&seen.ids[0], &two));
	CHECK(list(&db, TL__INVALID, 0, 9) == 1 && list(NULL, TL__INVALID, 0, 9) == 1);
	/* replaced with the same verdict it keeps its place, with another one it is the newest */
	CHECK_OK(set_aside(DB, 2, TL__PENDING, "b", true, NULL, 0));
	CHECK(list(NULL, TL__PENDING, 0, 9) == 3 && same_id(&seen.ids[0], &two));
	CHECK(seen.numbers[0] == first);
	CHECK_OK(set_aside(DB, 2, TL__INVALID, "b", true, NULL, 0));
	CHECK(list(NULL, TL__PENDING, 0, 9) == 2);
	CHECK(list(NULL, TL__INVALID, 0, 9) == 2 && same_id(&seen.ids[1], &two));
}

static void usage_follows_each_sender(void)
{
	CHECK(strcmp(usage(TL__PENDING, "a"), "0 0") == 0);
	CHECK_OK(set_aside(DB, 1, TL__PENDING, "a", true, NULL, 0)); /* 7 bytes each */
	CHECK_OK(set_aside(OTHER, 2, TL__PENDING, "a", false, NULL, 0));
	CHECK_OK(set_aside(OTHER, 3, TL__PENDING, "b", false, NULL, 0));
	CHECK_OK(set_aside(OTHER, 4, TL__INVALID, "b", false, NULL, 0));
	CHECK(strcmp(usage(TL__PENDING, "a"), "2 14") == 0);
	CHECK(strcmp(usage(TL__PENDING, "b"), "1 7") == 0);
	CHECK(strcmp(usage(TL__PENDING, NULL), "2 14") == 0);
	CHECK(strcmp(usage(TL__INVALID, NULL), "1 7") == 0);
	CHECK(strcmp(usage(TL__INVALID, "a"), "0 0") == 0);
	CHECK_OK(set_aside(OTHER, 2, TL__PENDING, "b", true, NULL, 0)); /* another sender now */
	CHECK(strcmp(usage(TL__PENDING, "a"), "1 7") == 0);
	CHECK(strcmp(usage(TL__PENDING, "b"), "2 14") == 0);
	CHECK(strcmp(usage(TL__PENDING, NULL), "1 7") == 0);
	CHECK_OK(drop_aside(OTHER, 3));
	CHECK(strcmp(usage(TL__PENDING, "b"), "1 7") == 0);
	CHECK(strcmp(usage(TL__PENDING, NULL), "0 0") == 0);
}

static void waits_lead_both_ways(void)
{
	tl_id ids[2] = {id_number(50), id_number(51)}, one = id_number(1);

	CHECK_OK(set_aside(DB, 1, TL__PENDING, "a", true, ids, 2));
	CHECK_OK(set_aside(OTHER, 2, TL__PENDING, "a", true, ids, 1));
	CHECK(waiting_for(50) == 2 && seen.numbers[0] + seen.numbers[1] == DB + OTHER);
	CHECK(waiting_for(51) == 1 && same_id(&seen.ids[0], &one) && seen.numbers[0] == DB);
	CHECK(waiting_for(1) == 0);
	CHECK(waits_of(DB, 1) == 2 && waits_of(OTHER, 2) == 1 && waits_of(OTHER, 1) == 0);
	CHECK_OK(set_aside(DB, 1, TL__PENDING, "a", true, &ids[1], 1)); /* replaces its waits */
	CHECK(waiting_for(50) == 1 && waits_of(DB, 1) == 1);
	CHECK_OK(drop_aside(DB, 1));
	CHECK(waiting_for(51) == 0 && waits_of(DB, 1) == 0 && waiting_for(50) == 1);
}

static void entering_the_dag_leaves_aside(void)
{
	tl_id waits = id_number(50), db = id_number(DB);

	CHECK_OK(set_aside(DB, 1, TL__PENDING, "a", false, &waits, 1));
	CHECK_OK(set_aside(DB, 2, TL__INVALID, "a", false, NULL, 0));
	CHECK_OK(write_entry(DB, 1, 0, NULL, 0, NULL));
	CHECK(list(&db, TL__PENDING, 0, 9) == 0 && list(NULL, TL__INVALID, 0, 9) == 1);
	CHECK(waiting_for(50) == 0 && waits_of(DB, 1) == 0);
	CHECK(strcmp(usage(TL__PENDING, "a"), "0 0") == 0);
	CHECK(arrivals_of(DB) == 1);
	CHECK_OK(set_aside(DB, 1, TL__INVALID, "a", false, NULL, 0)); /* it is in the DAG */
	CHECK(list(NULL, TL__INVALID, 0, 9) == 1);
	CHECK(strcmp(usage(TL__INVALID, "a"), "1 7") == 0);
}

int main(void)
{
	RUN_EACH(rows_come_back_as_they_were);
	RUN_EACH(what_is_needed_is_told);
	RUN_EACH(lists_are_oldest_first);
	RUN_EACH(usage_follows_each_sender);
	RUN_EACH(waits_lead_both_ways);
	RUN_EACH(entering_the_dag_leaves_aside);
	return spec_end();
}
