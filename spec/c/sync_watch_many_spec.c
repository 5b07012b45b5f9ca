/* More databases with one peer than one watch names: several watches, then turns. */
#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"
#define MANY 1500

static tl_id ids[MANY];
static unsigned named[MANY]; /* how often, by the number of the database */
static uint32_t held_ms;     /* the longest that was asked for */

static void make_ids(void)
{
	char text[24];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "database %u", i);
		tl_id_of(&ids[i], text, strlen(text));
	}
}

/* Whose place is known, as after a pull that ended level. */
static void relate_many(unsigned from, unsigned to)
{
	tl__peer *peer = peer_of(&bob);

	for (unsigned i = from; i < to; i++) {
		tl__pair *pair = NULL;

		CHECK_OK(tl__pair_relate(r.core, peer, &ids[i], TL__STR("manual"), &pair));
		REQUIRE(pair);
		pair->wanted = false;
		pair->has_seen = pair->has_sure = true;
		pair->seen = pair->sure = place(&bob, 1);
	}
}

static void begin_with(unsigned count)
{
	make_ids();
	meet(&bob, HOME);
	peer_of(&bob)->watch_offered = true;
	tl__peer_changed(r.core, peer_of(&bob));
	relate_many(0, count);
	memset(named, 0, sizeof named);
	rig_pass(1);
}

static void note_lines(const asked *a)
{
	tl__v1_watch args;
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	size_t count = 0;

	CHECK_OK(tl__v1_read_watch(&args, a->header.args));
	held_ms = args.hold_ms > held_ms ? (uint32_t)args.hold_ms : held_ms;
	CHECK_OK(tl__v1_body_open(&body, TL__V1_BODY_WATCH, (tl_str){a->body, a->body_len}, NULL));
	while (tl__v1_body_next(&body, &line, &end) == TL_OK && !end) {
		tl__pair *pair = tl__sync_find_pair(r.core, &bob.key, &line.id);

		CHECK(pair && pair->watched);
		count++;
		for (unsigned i = 0; i < MANY; i++)
			named[i] += memcmp(&ids[i], &line.id, sizeof *ids) == 0;
	}
	CHECK(count > 0 && count <= TL__V1_MAX_WATCH_LINES);
}

/* Answers all that is held with nothing; how many there were. */
static unsigned end_all(void)
{
	size_t held = r.send_count;
	asked a[TL__PEER_WATCHES];

	CHECK(held <= TL__PEER_WATCHES);
	held_ms = 0;
	for (size_t i = 0; i < held && i < TL__PEER_WATCHES; i++) {
		CHECK(sends("/tidelock/v1/watch", NULL));
		if (!take_v1(&a[i])) {
			FAIL_CASE("a watch was expected");
			return 0;
		}
		note_lines(&a[i]);
	}
	rig_pass(held_ms);
	for (size_t i = 0; i < held && i < TL__PEER_WATCHES; i++) {
		answer_v1(&a[i], &bob, TL__V1_OK, TL__STR("{\"page\":null}"), TL__STR(""));
		asked_free(&a[i]);
	}
	rig_pass(1);
	return (unsigned)held;
}

static unsigned count_named(unsigned count, unsigned times)
{
	unsigned out = 0;

	for (unsigned i = 0; i < count; i++)
		out += named[i] == times;
	return out;
}

static void one_watch_names_as_many_as_it_may(void)
{
	begin_with(TL__V1_MAX_WATCH_LINES);
	CHECK(end_all() == 1 && held_ms == TL__WATCH_HOLD_MS);
	CHECK(count_named(TL__V1_MAX_WATCH_LINES, 1) == TL__V1_MAX_WATCH_LINES);
	CHECK(end_all() == 1);
}

static void one_more_is_in_another(void)
{
	begin_with(TL__V1_MAX_WATCH_LINES + 1);
	CHECK(end_all() == 2 && held_ms == TL__WATCH_HOLD_MS);
	CHECK(count_named(TL__V1_MAX_WATCH_LINES + 1, 1) == TL__V1_MAX_WATCH_LINES + 1);
	CHECK(end_all() == 2);
	CHECK(count_named(TL__V1_MAX_WATCH_LINES + 1, 2) == TL__V1_MAX_WATCH_LINES + 1);
}

static void a_thousand_are_in_four(void)
{
	begin_with(1000);
	CHECK(end_all() == 4 && held_ms == TL__WATCH_HOLD_MS);
	CHECK(count_named(1000, 1) == 1000);
	CHECK(end_all() == 4);
	CHECK(count_named(1000, 2) == 1000);
}

/* Takes off what was cancelled; how many still are held. */
static size_t still_held(void)
{
	for (size_t i = r.send_count; i-- > 0;) {
		bool held = false;

		for (size_t k = 0; k < TL__PEER_WATCHES; k++) {
			const tl__call *call = r.core->call_list;

			while (call && call->exchange != r.sends[i].send.exchange)
				call = call->next;
			held = held || (call && call->number == peer_of(&bob)->watches[k].call);
		}
		if (!held)
			drop_send(i);
	}
	return r.send_count;
}

static bool all_watched(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (!tl__sync_find_pair(r.core, &bob.key, &ids[i])->watched)
			return false;
	return true;
}

static void one_that_comes_later_disturbs_one_watch(void)
{
	size_t sent;

	begin_with(600);
	CHECK(r.send_count == 3 && all_watched(0, 600));
	sent = r.sent;
	rig_pass(1000);
	relate_many(600, 601);
	rig_pass(100);
	CHECK(r.sent == sent + 1 && still_held() == 3 && all_watched(0, 601));
}

/* None is left out for long where four do not name all. */
static void more_than_four_name_take_turns(void)
{
	unsigned rounds = 0;

	begin_with(MANY);
	while (count_named(MANY, 0) > 0 && rounds++ < 4)
		CHECK(end_all() == 4);
	CHECK(count_named(MANY, 0) == 0);
	(void)end_all();
	CHECK(held_ms == TL__WATCH_MIN_HOLD_MS);
	/* Where some go, the others need no turns any more. */
	for (unsigned i = 0; i < 1000; i++)
		CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &ids[i], NULL), TL_OK);
	rig_pass(100);
	CHECK(still_held() == 2 && all_watched(1000, MANY));
	CHECK(end_all() == 2 && held_ms == TL__WATCH_HOLD_MS);
}

int main(void)
{
	RUN_RIG(one_watch_names_as_many_as_it_may);
	RUN_RIG(one_more_is_in_another);
	RUN_RIG(a_thousand_are_in_four);
	RUN_RIG(one_that_comes_later_disturbs_one_watch);
	RUN_RIG(more_than_four_name_take_turns);
	return spec_end();
}
