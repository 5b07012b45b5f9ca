/* Bounds of the store works that serve a peer: how far one page looks, and how much is left out of
 * it because the peer has it. The entries are written past all rules: only their order counts here.
 */
#include "tree/work.h"
#include "tree/work_serve.h"
#include "tree_help.h"

#define BATCH 1000

typedef struct numbered {
	char text[24];
	tl_id id;
} numbered;

static numbered number(size_t n)
{
	numbered out;

	snprintf(out.text, sizeof out.text, "entry %zu", n);
	tl_id_of(&out.id, out.text, strlen(out.text));
	return out;
}

/* Entries 0 to count-1: each on top of the one before it (a chain), or all on the root. */
static void write_entries(const tl_id *root, size_t count, bool chain)
{
	static tl__put_entry puts[BATCH];
	static numbered made[BATCH + 1];
	tl__batch batch = {.db = *root, .entries = puts};
	tl_id last = *root;

	for (size_t done = 0; done < count; done += batch.entry_count) {
		batch.entry_count = count - done < BATCH ? count - done : BATCH;
		made[0].id = last;
		for (size_t i = 0; i < batch.entry_count; i++) {
			made[i + 1] = number(done + i);
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

/* A database with a chain that is a little longer than one page looks. */
enum { OVER = 10, CHAIN = TL__WORK_MAX_SCAN + OVER - 1 }; /* and the root */

static tl_id long_chain(tl_database **db)
{
	*db = new_database("admin");
	write_entries(tl_database_root_id(*db), CHAIN, true);
	return number(CHAIN - 1).id;
}

/* The asker has all of it: nothing is given, and two pages come to the end. */
static void a_page_looks_at_so_many_arrivals(void)
{
	tl__work_place cursor = {0};
	tl_database *db;
	tl_id tip = long_chain(&db);

	for (int turn = 0; turn < 2; turn++) {
		tl__work *work;

		REQUIRE(tl__work_new(&work, TL__WORK_PAGE, tl_database_root_id(db)) == TL_OK);
		work->page.tips = &tip;
		work->page.tip_count = 1;
		work->page.has_cursor = turn > 0;
		work->page.cursor = cursor;
		work->page.max_bytes = 1024 * 1024;
		work->page.max_entries = 1000;
		tl__work_run(&w.host, work);
		CHECK_OK(work->code);
		CHECK(work->page.cursor_valid && work->page.count == 0);
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
	tl_id tip = long_chain(&db);

	for (int turn = 0; turn < 2; turn++) {
		tl__work *work;

		REQUIRE(tl__work_new(&work, TL__WORK_PLAN, tl_database_root_id(db)) == TL_OK);
		work->plan.from = from;
		work->plan.theirs = &tip;
		work->plan.their_count = 1;
		work->plan.max_bytes = 1024 * 1024;
		work->plan.max_entries = 1000;
		tl__work_run(&w.host, work);
		CHECK_OK(work->code);
		CHECK(work->plan.count == 0 && work->plan.head == TL__WORK_MAX_SCAN + OVER);
		CHECK(work->plan.to == TL__WORK_MAX_SCAN + (turn == 0 ? 0 : OVER));
		CHECK(work->plan.more == (turn == 0));
		from = work->plan.to;
		tl__work_free(work);
	}
	tl_database_free(db);
}

/* A piece of a v0 answer is bounded like a page, and the pieces hold everything once. */
static void a_stream_gives_so_many_arrivals_in_a_piece(void)
{
	tl_database *db;
	size_t given = 0, turns = 0;
	tl__work *work;

	(void)long_chain(&db);
	REQUIRE(tl__work_new(&work, TL__WORK_STREAM, tl_database_root_id(db)) == TL_OK);
	work->stream.bootstrap = true;
	work->stream.max_bytes = 1024 * 1024;
	do {
		tl__work_run(&w.host, work);
		CHECK_OK(work->code);
		CHECK(work->stream.count <= TL__WORK_MAX_SCAN);
		given += work->stream.count;
	} while (work->code == TL_OK && work->stream.more && ++turns < 10);
	CHECK(given == CHAIN && turns == 1);
	tl__work_free(work);
	tl_database_free(db);
}

/* What a peer has is looked up to a bound; the rest is sent though it has it. */
static void what_a_peer_has_is_left_out_up_to_a_bound(void)
{
	enum { STEP = 256, COUNT = TL__WORK_MAX_FILTER + 2 * STEP };
	tl_id *ids = tl__alloc(COUNT * sizeof *ids);
	tl_database *db = new_database("admin");
	const tl_id *root = tl_database_root_id(db);
	tl__snapshot *s = NULL;
	tl__map held;

	REQUIRE(ids != NULL);
	write_entries(root, COUNT, false);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = number(i).id;
	REQUIRE(tl__snapshot_open(w.store, &s) == TL_OK);
	tl__map_init(&held);
	CHECK_OK(tl__ancestors_behind(s, root, ids, COUNT, 0, &held));
	CHECK(held.count >= TL__WORK_MAX_FILTER && held.count < TL__WORK_MAX_FILTER + STEP);
	CHECK(tl__map_has(&held, tl__map_key_id(&ids[0])));
	CHECK(!tl__map_has(&held, tl__map_key_id(&ids[COUNT - 1])));
	tl__map_free(&held);
	tl__snapshot_close(s);
	tl__free(ids);
	tl_database_free(db);
}

static void the_bound_of_what_is_left_out(void)
{
	backend = "memory"; /* a hundred thousand entries */
	REQUIRE(world_open());
	what_a_peer_has_is_left_out_up_to_a_bound();
	world_close();
}

int main(void)
{
	RUN_EACH(a_page_looks_at_so_many_arrivals);
	RUN_EACH(a_plan_looks_at_so_many_arrivals);
	RUN_EACH(a_stream_gives_so_many_arrivals_in_a_piece);
	RUN(the_bound_of_what_is_left_out);
	return spec_end();
}
