/* Progress is what entered, also in answers of a 0.2.0 peer: sync_gain_spec.c has it of v1. */
#include "gain_help.h"
#include "sync/out/outbound.h"
#include "v0_rig.h"

#define HOME "127.0.0.1:9001"

enum { FORGED = 8000 };

static void write_forged_answer(tl__buf *out, const remote *from)
{
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(&root, id);
	tl__v0_begin_bootstrap(out, z(id), (tl_str){from->bytes[0], from->len[0]});
	for (unsigned i = 0; i < FORGED; i++) {
		tl_entry *entry = forge(i, false);

		tl__v0_stream_entry(out, tl_entry_bytes(entry), i == 0);
		tl_entry_free(entry);
	}
	tl__v0_end_bootstrap(out, false, NULL);
	CHECK_OK(tl__buf_status(out));
}

static size_t ingests; /* pages that were stored of the answer */

static void give_answer(tl_str bytes)
{
	tl__sync_event event = {.kind = TL__SYNC_ANSWERED};

	REQUIRE(sends(TL__V0_PATH, NULL));
	event.answered.exchange = r.sends[0].send.exchange;
	event.answered.status = 200;
	event.answered.channel = TL__STR("none");
	drop_send(0);
	CHECK_OK(tl__v0_intake.open(&event.answered.intake, &w.tree, &root, bytes.len));
	CHECK_OK(tl__v0_intake.feed(event.answered.intake, bytes.ptr, bytes.len));
	CHECK_OK(tl__v0_intake.finish(event.answered.intake));
	r.hold_works = true;
	rig_event(&event);
	for (ingests = 0; r.held_count > 0 && r.held[0]->kind == TL__WORK_INGEST; ingests++) {
		tl__work *work = r.held[0];

		r.held_count = 0;
		event = (tl__sync_event){.kind = TL__SYNC_WORKED, .work = work};
		tl__work_run(&w.host, work);
		rig_event(&event);
	}
	rig_release_works();
}

static void a_v0_answer_of_forged_entries_is_read_for_a_few_pages(void)
{
	tl__buf answer = TL__BUF_INIT;
	remote from;

	make_remote(&from, 1);
	root = from.id[0];
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	write_forged_answer(&answer, &from);
	give_answer(tl__buf_view(&answer));
	/* The first one holds the root. */
	CHECK(ingests == 1 + TL__SYNC_MAX_IDLE_PAGES + 1);
	ended_fruitless("invalid");
	CHECK(pair_of(&bob, &root)->useless_until > r.now);
	tl__buf_free(&answer);
	free_remote(&from);
}

/* One that does not end is spooled again each time. */
static void answers_that_do_not_end_are_read_half_as_far_each_time(void)
{
	uint64_t most = r.core->options.max_response_bytes, wanted = most, before = 0;
	tl__buf answer = TL__BUF_INIT;
	remote from;

	make_remote(&from, 1);
	root = from.id[0];
	meet_v0(&bob, HOME);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "127.0.0.1:9002"), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	for (unsigned i = 1; i <= 10; i++) {
		tl__pair *pair = pair_of(&bob, &root);
		uint64_t waits;

		REQUIRE(sends(TL__V0_PATH, NULL));
		CHECK(r.sends[0].send.limit == wanted);
		answer_failure(TL_E_TOO_LARGE);
		CHECK(r.send_count == 0); /* his other address would give as much */
		CHECK(pair->last_code == TL_E_TOO_LARGE && peer_of(&bob)->fruitless == i);
		waits = pair->useless_until - r.now;
		CHECK(waits >= 2 * before || waits == r.core->options.retry_max_ms);
		before = waits;
		rig_pass(waits - 1);
		CHECK(r.send_count == 0);
		/* Answered before the other address is tried beside it. */
		for (uint64_t ms = 0; ms < r.core->options.retry_max_ms && r.send_count == 0;
			ms += TL__RACE_BESIDE_MS / 2)
			rig_pass(TL__RACE_BESIDE_MS / 2);
		wanted = wanted / 2 > 16u * 1024 * 1024 ? wanted / 2 : 16u * 1024 * 1024;
	}
	CHECK(wanted == 16u * 1024 * 1024);
	/* One that fits makes good. */
	tl__buf_str(&answer, TL__STR(""));
	{
		char id[TL_ID_TEXT_LEN + 1];

		tl_id_format(&root, id);
		tl__v0_begin_bootstrap(&answer, z(id), (tl_str){from.bytes[0], from.len[0]});
		tl__v0_end_bootstrap(&answer, false, NULL);
	}
	give_answer(tl__buf_view(&answer));
	CHECK(peer_of(&bob)->fruitless == 0);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(sends(TL__V0_PATH, NULL));
	CHECK(r.sends[0].send.limit == most);
	answer_failure(TL_E_CONNECTION_FAILED);
	tl__buf_free(&answer);
	free_remote(&from);
}

int main(void)
{
	rig_v0 = tl__v0_spoken();
	RUN_RIG(a_v0_answer_of_forged_entries_is_read_for_a_few_pages);
	RUN_RIG(answers_that_do_not_end_are_read_half_as_far_each_time);
	return spec_end();
}
