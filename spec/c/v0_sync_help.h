/* What the specs of exchanges with a 0.2.0 peer share: its answers. */
#ifndef SPEC_V0_SYNC_HELP_H
#define SPEC_V0_SYNC_HELP_H

#include "sync/out/outbound.h"
#include "v0_rig.h"

#define HOME "127.0.0.1:9001"

static tl_database *db;
static tl_id root;

/* Takes the oldest v0 request off. Free with tl__v0_request_free. */
static inline bool take_v0(tl__v0_request *out, uint64_t *exchange)
{
	static tl__buf kept;
	tl__v0_refusal refusal;

	if (!sends("/api/v0", NULL))
		return false;
	tl__buf_free(&kept);
	tl__buf_str(&kept, tl__buf_view(&r.sends[0].send.body));
	*exchange = r.sends[0].send.exchange;
	drop_send(0);
	return tl__v0_request_read(out, tl__buf_view(&kept), &refusal) == TL_OK;
}

static inline void answer_tree_bytes(uint64_t exchange, const tl_id *asked_for, tl_str bytes)
{
	tl__sync_event event = {.kind = TL__SYNC_ANSWERED};
	tl__intake *intake = NULL;
	int rc = tl__v0_intake.open(&intake, &w.tree, asked_for, 1 << 20);

	if (rc == TL_OK)
		rc = tl__v0_intake.feed(intake, bytes.ptr, bytes.len);
	if (rc == TL_OK)
		rc = tl__v0_intake.finish(intake);
	event.answered.exchange = exchange;
	event.answered.code = rc;
	event.answered.status = 200;
	event.answered.channel = TL__STR("none");
	if (rc == TL_OK)
		event.answered.intake = intake;
	else
		tl__intake_free(intake);
	rig_event(&event);
}

static inline void text_of(const tl_id *id, char out[TL_ID_TEXT_LEN + 1])
{
	tl_id_format(id, out);
}

static inline void answer_bootstrap(
	uint64_t exchange, const tl_id *tree, const remote *from, size_t root_at)
{
	tl__buf out = TL__BUF_INIT;
	char id[TL_ID_TEXT_LEN + 1];
	bool first = true;

	text_of(tree, id);
	tl__v0_begin_bootstrap(&out, z(id), (tl_str){from->bytes[root_at], from->len[root_at]});
	for (size_t i = from->count; i-- > 1;) { /* children first: any order is taken */
		tl__v0_stream_entry(&out, (tl_str){from->bytes[i], from->len[i]}, first);
		first = false;
	}
	tl__v0_end_bootstrap(&out, false, NULL);
	answer_tree_bytes(exchange, tree, tl__buf_view(&out));
	tl__buf_free(&out);
}

static inline void answer_incremental(uint64_t exchange, const tl_id *tree, const tl_id *tip,
	const remote *from, size_t first, size_t count)
{
	tl__buf out = TL__BUF_INIT;
	char id[TL_ID_TEXT_LEN + 1], tip_text[TL_ID_TEXT_LEN + 1];
	tl_str tips[1];

	text_of(tree, id);
	text_of(tip, tip_text);
	tips[0] = z(tip_text);
	tl__v0_begin_incremental(&out, z(id), tips, 1);
	for (size_t i = first; i < first + count; i++)
		tl__v0_stream_entry(&out, (tl_str){from->bytes[i], from->len[i]}, i == first);
	tl__v0_end_incremental(&out);
	answer_tree_bytes(exchange, tree, tl__buf_view(&out));
	tl__buf_free(&out);
}

/* Bob's database, not held here. */
static inline void relate_theirs(remote *from, size_t count)
{
	make_remote(from, count);
	root = from->id[0];
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static inline void relate_ours(size_t count)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (size_t i = 1; i < count; i++)
		(void)write_text(db, "data", "n", "x");
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static inline void commit_one(void)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};

	(void)write_text(db, "data", "n", "more");
	rig_event(&event);
}

/* Bob holds what we hold. */
static inline void in_step(size_t count)
{
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	relate_ours(count);
	copy_entries(&all, &root);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[count - 1], &all, 0, 0);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == count);
	free_remote(&all);
	rig_pass(50);
}

#endif
