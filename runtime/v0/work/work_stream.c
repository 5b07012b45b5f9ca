/* Serving: pieces of a 0.2.0 tree answer, slice by slice. */
#include <string.h>
#include "base/str.h"
#include "v0/work/works.h"
#include "work/held.h"

struct tl__streaming {
	tl__arena arena; /* of the piece */
	tl__piece piece;
	bool in_piece; /* it is not full yet */
	tl__held held;
	tl__pass pass;
};

static int give_piece(void *ud, const tl__entry_row *row)
{
	tl__work *work = ud;
	const tl__v0_stream *stream = work->other.own;
	tl__piece *piece = &stream->streaming->piece;
	int rc;

	/* A bootstrap has told the root already. */
	if (stream->bootstrap && tl__id_equal(&row->id, &work->db))
		return TL_OK;
	rc = tl__piece_add(piece, row->bytes);
	return rc == TL_OK && piece->full ? TL__STORE_STOP : rc;
}

static int take_root(void *ud, const tl__entry_row *row)
{
	tl__work *work = ud;
	tl__v0_stream *stream = work->other.own;

	stream->root = tl__arena_str(&work->arena, row->bytes);
	stream->held = true;
	return stream->root.ptr ? TL_OK : TL_E_NOMEM;
}

static int count_row(void *ud, const tl__entry_row *row)
{
	(void)row;
	++*(size_t *)ud;
	return TL_OK;
}

/* Of tips that we lack only what is new above ours is wanted: the other side looks for the place.
 */
static int add_checkpoints(tl__snapshot *s, tl__work *work, uint64_t head)
{
	tl__v0_stream *stream = work->other.own;
	size_t held = 0;
	int rc = tl__read_entries(
		s, &work->db, stream->stop, stream->stop_count, 0, count_row, &held);

	if (rc != TL_OK || held == stream->stop_count)
		return rc;
	return tl__checkpoints_add(s, &work->db, head, TL__V0_NEAR_CHECKPOINTS, &work->arena,
		&stream->our_tips, &stream->our_tip_count);
}

/* What the answer holds is fixed: later pieces go on up to the same arrival. */
static int fix_end(tl__snapshot *s, tl__work *work)
{
	tl__v0_stream *stream = work->other.own;
	struct tl__streaming *state = stream->streaming;
	tl__db_row row;
	int rc = tl__read_database(s, &work->db, &row);

	if (rc == TL_OK)
		rc = tl__tips_read(s, work, &stream->our_tips, &stream->our_tip_count, NULL);
	if (rc != TL_OK)
		return rc;
	state->pass = (tl__pass){.upto = row.arrivals, .held = &state->held, .max_rows = SIZE_MAX};
	rc = tl__held_begin_beside(&state->held, stream->stop, stream->stop_count, 0,
		stream->our_tips, stream->our_tip_count, row.arrivals);
	return rc == TL_OK && !stream->bootstrap ? add_checkpoints(s, work, row.arrivals) : rc;
}

static int begin_stream(tl__snapshot *s, tl__work *work)
{
	tl__v0_stream *stream = work->other.own;
	int rc;

	stream->streaming = tl__arena_alloc(&work->arena, 1, sizeof *stream->streaming);
	if (!stream->streaming)
		return TL_E_NOMEM;
	rc = tl__read_entries(s, &work->db, &work->db, 1, TL__WITH_BYTES, take_root, work);
	if (rc == TL_E_DATABASE_NOT_FOUND)
		rc = TL_OK;
	return rc == TL_OK && stream->held ? fix_end(s, work) : rc;
}

static int fill_piece(tl__snapshot *s, tl__work *work)
{
	tl__v0_stream *stream = work->other.own;
	struct tl__streaming *state = stream->streaming;
	bool stopped = false;
	int rc = tl__held_find(&state->held, s, work);

	if (!state->in_piece) {
		tl__arena_free(&state->arena);
		state->piece = (tl__piece){.arena = &state->arena,
			.max_bytes = stream->max_bytes,
			.max_entries = TL__WORK_MAX_SCAN};
	}
	if (rc == TL_OK && state->held.found)
		rc = tl__pass_on(&state->pass, s, work, TL__WITH_BYTES, give_piece, work, &stopped);
	stream->lines = state->piece.lines;
	stream->count = state->piece.count;
	stream->more = state->pass.at < state->pass.upto;
	work->again = rc == TL_OK && stream->more && !stopped;
	state->in_piece = work->again;
	return rc;
}

static int run(tl__tree *tree, tl__work *work)
{
	const tl__v0_stream *stream = work->other.own;
	tl__snapshot *s = NULL;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc == TL_OK && !stream->streaming)
		rc = begin_stream(s, work);
	if (rc == TL_OK && stream->held)
		rc = fill_piece(s, work);
	tl__snapshot_close(s);
	return rc;
}

static void clear(void *own)
{
	tl__v0_stream *stream = own;

	if (!stream->streaming)
		return;
	tl__arena_free(&stream->streaming->arena);
	tl__held_free(&stream->streaming->held);
}

const tl__work_way tl__v0_stream_work = {.run = run, .clear = clear};
