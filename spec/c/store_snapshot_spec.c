/* Store contract: a snapshot does not move while writers go on. Each case runs on every backend. */
#include <pthread.h>
#include <stdatomic.h>
#include "store_help.h"

enum { DB = 1000000 };

static void a_snapshot_stays_at_its_moment(void)
{
	tl__snapshot *before, *between, *after;
	tl_id db = id_number(DB), tip;
	tl__db_row row;

	REQUIRE(tl__snapshot_open(store, &before) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 3, "notes"));
	REQUIRE(tl__snapshot_open(store, &between) == TL_OK);
	CHECK_OK(write_entry(DB, 4, 3, &(tl_id){{0}}, 0, "notes"));
	REQUIRE(tl__snapshot_open(store, &after) == TL_OK);
	CHECK_CODE(tl__read_database(before, &db, &row), TL_E_DATABASE_NOT_FOUND);
	CHECK_OK(tl__read_database(between, &db, &row));
	CHECK(row.arrivals == 3);
	tip = id_number(3);
	CHECK_OK(tl__read_tips(between, &db, TL__STR("notes"), see_id, fresh()));
	CHECK(seen.count == 1 && same_id(&seen.ids[0], &tip));
	CHECK_OK(tl__read_tips(after, &db, TL__STR("notes"), see_id, fresh()));
	CHECK(seen.count == 2);
	tl__snapshot_close(between);
	CHECK_CODE(tl__read_database(before, &db, &row), TL_E_DATABASE_NOT_FOUND);
	tl__snapshot_close(before);
	CHECK_OK(tl__read_database(after, &db, &row));
	CHECK(row.arrivals == 4);
	tl__snapshot_close(after);
	tl__snapshot_close(NULL);
}

static void only_so_many_are_open(void)
{
	static tl__snapshot *held[TL__STORE_MAX_SNAPSHOTS];
	tl__snapshot *one_more;

	for (size_t i = 0; i < TL__STORE_MAX_SNAPSHOTS; i++)
		REQUIRE(tl__snapshot_open(store, &held[i]) == TL_OK);
	CHECK_CODE(tl__snapshot_open(store, &one_more), TL_E_BUSY);
	tl__snapshot_close(held[0]);
	CHECK_OK(tl__snapshot_open(store, &held[0]));
	CHECK_OK(write_chain(DB, 1, 2, NULL));
	for (size_t i = 0; i < TL__STORE_MAX_SNAPSHOTS; i++)
		tl__snapshot_close(held[i]);
}

/* --- while threads write ---------------------------------------------------------------------- */

static atomic_bool stop;
static atomic_int writer_result;

/* Every batch raises two paths to one height: a snapshot that saw half of it would differ. */
static void *write_pairs(void *ud)
{
	tl_id id = id_number(7);

	(void)ud;
	for (uint64_t height = 1; !atomic_load(&stop); height++) {
		tl__raise raises[2] = {
			{TL__STR("a"), TL__STR("x"), TL__STAMP_LEAF, {height, id}, TL__STR("v")},
			{TL__STR("b"), TL__STR("y"), TL__STAMP_DOC, {height, id}, TL__STR("")}};
		tl__batch batch = {.db = id_number(DB), .raises = raises, .raise_count = 2};
		int rc = tl__store_write(store, &batch);

		if (rc != TL_OK)
			atomic_store(&writer_result, rc);
	}
	return NULL;
}

static int see_number(void *ud, const tl__state_row *row)
{
	*(uint64_t *)ud = row->stamp.height;
	return TL_OK;
}

static void *read_pairs(void *ud)
{
	tl_id db = id_number(DB);
	unsigned *bad = ud;

	for (int i = 0; i < 300; i++) {
		tl_str x = TL__STR("x"), y = TL__STR("y");
		tl__snapshot *s;
		uint64_t a = 0, b = 0, again = 0;
		int rc = tl__snapshot_open(store, &s);

		if (rc != TL_OK) {
			++*bad;
			continue;
		}
		rc = tl__read_state(s, &db, TL__STR("a"), &x, 1, see_number, &a);
		if (rc == TL_OK)
			rc = tl__read_state(s, &db, TL__STR("b"), &y, 1, see_number, &b);
		if (rc == TL_OK)
			rc = tl__read_state(s, &db, TL__STR("a"), &x, 1, see_number, &again);
		*bad += rc != TL_OK || a != b || a != again;
		tl__snapshot_close(s);
	}
	return NULL;
}

static void readers_see_whole_batches_only(void)
{
	pthread_t writer, readers[3];
	unsigned bad[3] = {0};

	atomic_store(&stop, false);
	atomic_store(&writer_result, TL_OK);
	REQUIRE(pthread_create(&writer, NULL, write_pairs, NULL) == 0);
	for (size_t i = 0; i < COUNT(readers); i++)
		CHECK(pthread_create(&readers[i], NULL, read_pairs, &bad[i]) == 0);
	for (size_t i = 0; i < COUNT(readers); i++)
		pthread_join(readers[i], NULL);
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	CHECK(bad[0] + bad[1] + bad[2] == 0 && atomic_load(&writer_result) == TL_OK);
}

int main(void)
{
	RUN_EACH(a_snapshot_stays_at_its_moment);
	RUN_EACH(only_so_many_are_open);
	RUN_EACH(readers_see_whole_batches_only);
	return spec_end();
}
