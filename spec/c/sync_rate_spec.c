/* How much passes in a second: pages of a second's worth, and time to pay them. */
#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"
#define RATE 1000

static tl_database *db;
static tl_id root;
static uint64_t pulled_from;

static void configure(uint64_t rate)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};

	options.rate = rate;
	command.key = bob.key;
	command.db = root;
	command.pair_options = &options;
	CHECK_DONE(rig_command(command), TL_OK);
}

/* What the oldest request, a pull, wants; answered with one entry of `from`. */
static uint64_t one_entry(const remote *from, size_t at, const tl_id *tip)
{
	page_answer page = {.n = at + 1, .more = at + 1 < from->count, .from = from};
	tl__v1_pull pull = {0};
	tl__v1_frame frame;
	tl__v1_request header;
	const tl__buf *body = &r.sends[0].send.body;

	if (r.send_count == 0 || tl__v1_frame_read(&frame, body->ptr, body->len) != TL_OK ||
		tl__v1_request_read(&header, frame.header) != TL_OK)
		return 0;
	CHECK_OK(tl__v1_read_pull(&pull, header.args));
	pulled_from = pull.has_cursor ? pull.cursor.n : 0;
	page.first = at;
	page.count = 1;
	page.tips = tip;
	page.tip_count = page.more ? 0 : 1;
	answer_page(&bob, &page);
	return pull.budget;
}

static void pages_that_are_pulled_are_paid_by_time(void)
{
	remote theirs;
	uint64_t op;

	make_remote(&theirs, 3);
	root = theirs.id[0];
	meet(&bob, HOME);
	configure(RATE);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	CHECK(one_entry(&theirs, 0, NULL) == RATE);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->seen.n == 1);
	CHECK(pair_of(&bob, &root)->attempts == 0 && r.events[TL_EVENT_SYNC_FAILED] == 0);
	/* Whoever asks for it waits as long as it takes. */
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	rig_pass(theirs.len[0] * 1000 / RATE - 100);
	CHECK(r.send_count == 0);
	rig_pass(200);
	CHECK(one_entry(&theirs, 1, NULL) == RATE);
	CHECK(r.send_count == 0 && !rig_result(op));
	rig_pass(theirs.len[1] * 1000 / RATE + 200);
	CHECK(one_entry(&theirs, 2, &theirs.id[2]) == RATE);
	rig_pass(theirs.len[2] * 1000 / RATE + 200);
	CHECK(r.send_count == 0 || sends("/tidelock/v1/pull", NULL));
	if (r.send_count > 0)
		answer_page(&bob, &(page_answer){.n = 3, .tips = &theirs.id[2], .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	CHECK(pair_of(&bob, &root)->db->arrivals == 3);
	free_remote(&theirs);
}

/* The same where the rate is the peer's. */
static void whoever_waits_waits_for_the_rate_of_the_peer(void)
{
	tl__v1_refusal refusal = {.wait_ms = 500, .code = TL__STR(TL__V1_CODE_RATE)};
	tl__buf args = TL__BUF_INIT;
	remote theirs;
	uint64_t op;
	asked a;

	make_remote(&theirs, 2);
	root = theirs.id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	CHECK(one_entry(&theirs, 0, NULL) > 0);
	REQUIRE(take_v1(&a));
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(&a, &bob, TL__V1_BUSY, tl__buf_view(&args), TL__STR(""));
	asked_free(&a);
	tl__buf_free(&args);
	CHECK(!rig_result(op) && r.send_count == 0);
	rig_pass(400);
	CHECK(r.send_count == 0);
	rig_pass(200);
	CHECK(one_entry(&theirs, 1, &theirs.id[1]) > 0 && pulled_from == 1);
	CHECK_DONE(op, TL_OK);
	CHECK(pair_of(&bob, &root)->db->arrivals == 2 && r.events[TL_EVENT_SYNC_FAILED] == 0);
	free_remote(&theirs);
}

static void so_are_those_that_are_pushed(void)
{
	size_t pushed = 0, pages = 0;

	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (int i = 0; i < 5; i++)
		(void)write_text(db, "data", "n", i % 2 ? "x" : "y");
	meet(&bob, HOME);
	configure(RATE);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	while (pushed < 6 && pages < 10) {
		if (sends("/tidelock/v1/pull", NULL))
			answer_page(&bob, &(page_answer){.n = pushed});
		CHECK(r.send_count == 1 && r.sends[0].send.body.len < 3 * RATE);
		pushed += answer_push(&bob, TL__V1_FATE_VERIFIED, pushed + 1, NULL);
		pages++;
		CHECK(pushed == 6 || r.send_count == 0);
		rig_pass(2500);
	}
	CHECK(pushed == 6 && pages >= 3);
	CHECK(pair_of(&bob, &root)->ack == 6 && r.events[TL_EVENT_SYNC_FAILED] == 0);
	tl_database_free(db);
}

static void without_a_rate_nothing_waits(void)
{
	remote theirs;

	make_remote(&theirs, 3);
	root = theirs.id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	CHECK(one_entry(&theirs, 0, NULL) > RATE);
	CHECK(one_entry(&theirs, 1, NULL) > RATE);
	CHECK(one_entry(&theirs, 2, &theirs.id[2]) > RATE);
	CHECK(pair_of(&bob, &root)->free_at == 0);
	free_remote(&theirs);
}

static void a_pause_ends_an_exchange_behind_its_page(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};
	remote theirs;

	make_remote(&theirs, 3);
	root = theirs.id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	options.paused = true;
	command.key = bob.key;
	command.db = root;
	command.pair_options = &options;
	CHECK_DONE(rig_command(command), TL_OK);
	(void)one_entry(&theirs, 0, NULL);
	rig_pass(60000);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->seen.n == 1);
	CHECK(pair_of(&bob, &root)->attempts == 0 && pair_of(&bob, &root)->db->arrivals == 1);
	command.pair_options = NULL;
	CHECK_DONE(rig_command(command), TL_OK);
	(void)one_entry(&theirs, 1, NULL);
	(void)one_entry(&theirs, 2, &theirs.id[2]);
	CHECK(pair_of(&bob, &root)->db->arrivals == 3);
	free_remote(&theirs);
}

/* What was declined is read once more, page by page, up to where everything was seen. */
static void so_is_what_was_declined_and_is_read_again(void)
{
	remote theirs, some;

	make_remote(&theirs, 4);
	root = theirs.id[0];
	some = theirs;
	for (size_t i = 3; i > 1; i--) {
		some.bytes[i] = theirs.bytes[i - 1];
		some.len[i] = theirs.len[i - 1];
	}
	some.bytes[1] = tl__copy_bytes("{\"tree\":1}", 10); /* an entry of another database */
	some.len[1] = 10;
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob,
		&(page_answer){
			.n = 4, .from = &some, .count = 4, .tips = &theirs.id[2], .tip_count = 1});
	CHECK(pair_of(&bob, &root)->seen.n == 4 && !pair_of(&bob, &root)->has_sure);
	configure(RATE);
	pair_of(&bob, &root)->from_sure = true;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	for (size_t at = 0; at < 4; at++) {
		(void)one_entry(&some, at, at == 3 ? &theirs.id[2] : NULL);
		CHECK(pulled_from == at);
		CHECK(r.send_count == 0 && pair_of(&bob, &root)->seen.n == 4);
		rig_pass(2 * RATE);
	}
	CHECK(pair_of(&bob, &root)->attempts == 0);
	tl__free(some.bytes[1]);
	free_remote(&theirs);
}

static void nobody_waits_for_a_peer_that_is_put_to_rest(void)
{
	const char *const rests[] = {"inactive", "blocked"};

	for (size_t i = 0; i < 2; i++) {
		uint64_t ops[4];
		remote theirs;

		REQUIRE(rig_open(NULL));
		make_remote(&theirs, 3);
		root = theirs.id[0];
		meet(&bob, HOME);
		configure(RATE);
		CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
		(void)one_entry(&theirs, 0, NULL);
		ops[0] = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
		ops[1] = rig_command((tl__sync_command){
			.kind = TL__SYNC_SYNC_PAIR, .has_key = true, .key = bob.key});
		ops[2] = pair_command(TL__SYNC_WAIT, &bob.key, &root, NULL);
		ops[3] = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH});
		CHECK(r.send_count == 0);
		for (size_t op = 0; op < 4; op++)
			CHECK(!rig_result(ops[op]));
		CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, rests[i]), TL_OK);
		for (size_t op = 0; op < 4; op++)
			CHECK_DONE(ops[op], op < 3 ? TL_E_CANCELLED : TL_OK);
		free_remote(&theirs);
		rig_close();
	}
}

int main(void)
{
	RUN_RIG(pages_that_are_pulled_are_paid_by_time);
	RUN_RIG(whoever_waits_waits_for_the_rate_of_the_peer);
	RUN_RIG(so_are_those_that_are_pushed);
	RUN_RIG(without_a_rate_nothing_waits);
	RUN_RIG(a_pause_ends_an_exchange_behind_its_page);
	RUN_RIG(so_is_what_was_declined_and_is_read_again);
	RUN(nobody_waits_for_a_peer_that_is_put_to_rest);
	return spec_end();
}
