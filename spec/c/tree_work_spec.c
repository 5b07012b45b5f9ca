/* Bounds of the store works that serve a peer: how far one page looks, and how much is left out of
 * it because the peer has it. */
#include "work_help.h"

static void new_page(tl__work **out, tl_database *db, const tl_id *tips, size_t count)
{
	tl__work *work;

	REQUIRE(tl__work_new(&work, TL__WORK_PAGE, tl_database_root_id(db)) == TL_OK);
	work->page.tips = tips;
	work->page.tip_count = count;
	work->page.max_bytes = 1024 * 1024;
	work->page.max_entries = SIZE_MAX;
	*out = work;
}

static void a_page_looks_at_so_many_arrivals(void)
{
	tl__work_place cursor = {0};
	tl_database *db;

	(void)long_chain(&db);
	for (int turn = 0; turn < 2; turn++) {
		tl__work *work = NULL;

		new_page(&work, db, NULL, 0);
		REQUIRE(work != NULL);
		work->page.has_cursor = turn > 0;
		work->page.cursor = cursor;
		(void)run_slices(work);
		CHECK(work->page.cursor_valid);
		CHECK(work->page.count == (turn == 0 ? TL__WORK_MAX_SCAN : OVER));
		CHECK(work->page.next.n == TL__WORK_MAX_SCAN + (turn == 0 ? 0 : OVER));
		CHECK(work->page.more == (turn == 0));
		cursor = work->page.next;
		tl__work_free(work);
	}
	tl_database_free(db);
}

static void a_plan_looks_at_so_many_arrivals(void)
{
	uint64_t from = 0;
	tl_database *db;

	(void)long_chain(&db);
	for (int turn = 0; turn < 2; turn++) {
		tl__work *work;

		REQUIRE(tl__work_new(&work, TL__WORK_PLAN, tl_database_root_id(db)) == TL_OK);
		work->plan.from = from;
		work->plan.max_bytes = 1024 * 1024;
		work->plan.max_entries = SIZE_MAX;
		(void)run_slices(work);
		CHECK(work->plan.head == TL__WORK_MAX_SCAN + OVER);
		CHECK(work->plan.to == TL__WORK_MAX_SCAN + (turn == 0 ? 0 : OVER));
		CHECK(work->plan.count == work->plan.to - from);
		CHECK(work->plan.more == (turn == 0));
		from = work->plan.to;
		tl__work_free(work);
	}
	tl_database_free(db);
}

/* Whoever has everything is told so without a look at the history. */
static void equal_tips_are_answered_at_once(void)
{
	enum { WIDE = 40 };
	tl_database *db = new_database("admin");
	tl_id tips[WIDE];
	tl__work *work = NULL;

	write_entries(tl_database_root_id(db), WIDE, false);
	for (size_t i = 0; i < WIDE; i++)
		tips[i] = number(WIDE - 1 - i).id; /* in whatever order */
	new_page(&work, db, tips, WIDE);
	REQUIRE(work != NULL);
	CHECK(run_slices(work) == 0);
	CHECK(work->page.count == 0 && !work->page.more && work->page.next.n == WIDE + 1);
	tl__work_free(work);
	REQUIRE(tl__work_new(&work, TL__WORK_PLAN, tl_database_root_id(db)) == TL_OK);
	work->plan.theirs = tips;
	work->plan.their_count = WIDE;
	CHECK(run_slices(work) == 0);
	CHECK(work->plan.count == 0 && !work->plan.more && work->plan.to == WIDE + 1);
	tl__work_free(work);
	tl_database_free(db);
}

/* Of two branches the asker has one: exactly the other one is given, whoever asks how. */
static void what_is_above_no_tip_of_the_asker_is_given(void)
{
	enum { LENGTH = 600 };
	tl_database *db = new_database("admin");
	const tl_id *root = tl_database_root_id(db);
	tl_id tip;
	tl__work *work = NULL;

	write_entries(root, LENGTH, true);
	tip = number(LENGTH - 1).id;
	write_branch(root, LENGTH, LENGTH);
	new_page(&work, db, &tip, 1);
	REQUIRE(work != NULL);
	CHECK(run_slices(work) < 5 * LENGTH);
	CHECK(work->page.count == LENGTH && !work->page.more);
	CHECK(strncmp(work->page.lines[0].ptr, number(LENGTH).text, 9) == 0);
	tl__work_free(work);
	REQUIRE(tl__work_new(&work, TL__WORK_PLAN, root) == TL_OK);
	work->plan.by_tips = true;
	work->plan.theirs = &tip;
	work->plan.their_count = 1;
	work->plan.max_bytes = 1024 * 1024;
	work->plan.max_entries = SIZE_MAX;
	CHECK(run_slices(work) < 5 * LENGTH);
	CHECK(work->plan.count == LENGTH && !work->plan.more);
	tl__work_free(work);
	tl_database_free(db);
}

/* Many ids to look up, some of them twice. */
static void ids_are_looked_up_slice_by_slice(void)
{
	enum { COUNT = 1000 };
	static tl_id ids[COUNT];
	tl_database *db = new_database("admin");
	tl__work *work;

	write_entries(tl_database_root_id(db), COUNT / 2, true);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = number(i / 2 * 2).id; /* each even one twice, half of them unknown */
	REQUIRE(tl__work_new(&work, TL__WORK_LOOKUP, tl_database_root_id(db)) == TL_OK);
	work->lookup.ids = ids;
	work->lookup.count = COUNT;
	CHECK(run_slices(work) == COUNT);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(work->lookup.found[i] == (i < COUNT / 2 ? TL__FOUND_DAG : TL__FOUND_NOT));
	CHECK(!work->lookup.same_tips);
	tl__work_free(work);
	tl_database_free(db);
}

/* Behind a joint nothing is searched, and nothing behind it is read again for another page. */
static void a_joint_ends_the_search(void)
{
	enum { LENGTH = 5000, LACKS = 10 };
	tl_database *db = new_database("admin");
	const tl_id *root = tl_database_root_id(db);
	tl_id tip = number(LENGTH - LACKS - 1).id;
	tl__work *work = NULL;

	write_entries(root, LENGTH, true);
	new_page(&work, db, &tip, 1);
	REQUIRE(work != NULL);
	CHECK(run_slices(work) < 3 * BATCH);
	CHECK(work->page.count == LACKS && !work->page.more);
	tl__work_free(work);
	tl_database_free(db);
}

/* What a peer has is searched up to a bound; the rest is sent though it has it. A branch beside it
 * lets no joint end the search. */
static void what_a_peer_has_is_left_out_up_to_a_bound(void)
{
	enum { COUNT = TL__HELD_MAX + 500 };
	tl_database *db = new_database("admin");
	const tl_id *root = tl_database_root_id(db);
	tl_id last = number(COUNT - 1).id;
	tl__held held;
	tl__work *work;
	tl__snapshot *s = NULL;

	write_branch(root, COUNT, 1);
	write_entries(root, COUNT, true);
	REQUIRE(tl__work_new(&work, TL__WORK_PAGE, root) == TL_OK);
	REQUIRE(tl__snapshot_open(w.store, &s) == TL_OK);
	REQUIRE(tl__held_begin(&held, &last, 1, 0) == TL_OK);
	while (!held.found) {
		CHECK_OK(tl__held_find(&held, s, work));
		work->rows = work->bytes = 0;
	}
	CHECK(held.count == TL__HELD_MAX);
	CHECK(held.arrivals[TL__HELD_MAX - 1] == COUNT + 2);
	CHECK(held.arrivals[0] == COUNT + 3 - TL__HELD_MAX);
	tl__held_free(&held);
	tl__snapshot_close(s);
	tl__work_free(work);
	tl_database_free(db);
}

static void the_bound_of_what_is_left_out(void)
{
	backend = "memory"; /* a hundred thousand entries */
	REQUIRE(world_open());
	what_a_peer_has_is_left_out_up_to_a_bound();
	world_close();
}

static void write_on(const tl_id *root, const tl_id *parent, size_t n)
{
	const numbered child = number(n);
	tl__put_entry put = {.id = child.id,
		.bytes = z(child.text),
		.verdict = TL__VERIFIED,
		.height = 2,
		.parents = parent,
		.parent_count = 1,
		.frontier = TL__STR("")};
	tl__batch batch = {.db = *root, .entries = &put, .entry_count = 1};

	CHECK_OK(tl__store_write(w.store, &batch));
}

/* Tips of a database that has many are those of the present, whoever asks how often. */
static void many_tips_are_those_of_the_present(void)
{
	enum { TIPS = 100 };
	tl_database *db = new_database("admin");
	const tl_id *root = tl_database_root_id(db);
	const numbered first = number(0), child = number(TIPS);

	write_entries(root, TIPS, false);
	for (int turn = 0; turn < 4; turn++) {
		uint8_t sha256[32];
		bool has_first = false, has_child = false;
		tl__work *work;

		REQUIRE(tl__work_new(&work, TL__WORK_TIPS, root) == TL_OK);
		work->tips.max_tips = 1000;
		tl__work_run(&w.host, work);
		CHECK_OK(work->code);
		CHECK(work->tips.tip_count == TIPS && work->tips.id_count == TIPS);
		for (size_t i = 0; i < work->tips.id_count; i++) {
			has_first |= memcmp(&work->tips.ids[i], &first.id, sizeof(tl_id)) == 0;
			has_child |= memcmp(&work->tips.ids[i], &child.id, sizeof(tl_id)) == 0;
		}
		CHECK(has_first == (turn < 2) && has_child == (turn >= 2));
		tl__v1_tips_hash(work->tips.ids, work->tips.id_count, sha256);
		CHECK(memcmp(sha256, work->tips.tips_hash, sizeof sha256) == 0);
		tl__work_free(work);
		if (turn == 1)
			write_on(root, &first.id, TIPS);
	}
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(a_page_looks_at_so_many_arrivals);
	RUN_EACH(a_plan_looks_at_so_many_arrivals);
	RUN_EACH(equal_tips_are_answered_at_once);
	RUN_EACH(what_is_above_no_tip_of_the_asker_is_given);
	RUN_EACH(a_joint_ends_the_search);
	RUN_EACH(ids_are_looked_up_slice_by_slice);
	RUN(the_bound_of_what_is_left_out);
	RUN_EACH(many_tips_are_those_of_the_present);
	return spec_end();
}
