/* Bounds of the work that gives a tree answer of 0.2.0, as tree_work_spec.c has them of pages. */
#include "v0/work/works.h"
#include "work_help.h"

static tl__v0_stream *new_stream(tl__work **work, const tl_database *db)
{
	tl__v0_stream *stream;

	CHECK_OK(tl__work_new(work, TL__WORK_OTHER, tl_database_root_id(db)));
	stream = tl__work_begin_other(*work, &tl__v0_stream_work, sizeof *stream);
	stream->max_bytes = 1024 * 1024;
	return stream;
}

/* Whoever has everything is told so without a look at the history. */
static void equal_tips_are_answered_at_once(void)
{
	enum { WIDE = 40 };
	tl_database *db = new_database("admin");
	tl_id tips[WIDE];
	tl__v0_stream *stream;
	tl__work *work;

	write_entries(tl_database_root_id(db), WIDE, false);
	for (size_t i = 0; i < WIDE; i++)
		tips[i] = number(WIDE - 1 - i).id; /* in whatever order */
	stream = new_stream(&work, db);
	stream->stop = tips;
	stream->stop_count = WIDE;
	CHECK(run_slices(work) == 0);
	CHECK(stream->held && stream->count == 0 && !stream->more);
	tl__work_free(work);
	tl_database_free(db);
}

/* Of two branches the asker has one: exactly the other one is given. */
static void what_is_above_no_tip_of_the_asker_is_given(void)
{
	enum { LENGTH = 600 };
	tl_database *db = new_database("admin");
	tl_id tip = number(LENGTH - 1).id;
	tl__v0_stream *stream;
	tl__work *work;

	write_entries(tl_database_root_id(db), LENGTH, true);
	write_branch(tl_database_root_id(db), LENGTH, LENGTH);
	stream = new_stream(&work, db);
	stream->stop = &tip;
	stream->stop_count = 1;
	CHECK(run_slices(work) < 5 * LENGTH);
	CHECK(stream->count == LENGTH && !stream->more);
	tl__work_free(work);
	tl_database_free(db);
}

/* A piece is bounded like a page, and the pieces hold everything once. */
static void a_stream_gives_so_many_arrivals_in_a_piece(void)
{
	tl_database *db;
	size_t given = 0, turns = 0;
	tl__v0_stream *stream;
	tl__work *work;

	(void)long_chain(&db);
	stream = new_stream(&work, db);
	stream->bootstrap = true;
	do {
		tl__work_run(&w.host, work);
		CHECK_OK(work->code);
		CHECK(stream->count <= TL__WORK_MAX_SCAN);
		given += stream->count;
	} while (work->code == TL_OK && stream->more && ++turns < 10);
	CHECK(given == CHAIN && turns == 1);
	tl__work_free(work);
	tl_database_free(db);
}

static void a_joint_ends_the_search(void)
{
	enum { LENGTH = 5000, LACKS = 10 };
	tl_database *db = new_database("admin");
	tl_id tip = number(LENGTH - LACKS - 1).id;
	tl__v0_stream *stream;
	tl__work *work;

	write_entries(tl_database_root_id(db), LENGTH, true);
	stream = new_stream(&work, db);
	stream->stop = &tip;
	stream->stop_count = 1;
	CHECK(run_slices(work) < 3 * BATCH);
	CHECK(stream->count == LACKS && !stream->more);
	tl__work_free(work);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(equal_tips_are_answered_at_once);
	RUN_EACH(what_is_above_no_tip_of_the_asker_is_given);
	RUN_EACH(a_stream_gives_so_many_arrivals_in_a_piece);
	RUN_EACH(a_joint_ends_the_search);
	return spec_end();
}
