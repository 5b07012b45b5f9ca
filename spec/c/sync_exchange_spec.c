/* Exchanges with a v1 peer: pages, cursors, the end check, fates. */
#include "sync_exchange_help.h"

static void commit_one(void)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};

	(void)write_text(db, "data", "n", "more");
	rig_event(&event);
}

/* --- pull ------------------------------------------------------------------------------------- */

/* Bob's database, not held here, is asked for. */
static void relate_theirs(remote *from, size_t count)
{
	make_remote(from, count);
	root = from->id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static void pages_follow_each_other_by_cursor(void)
{
	remote from;
	tl__v1_pull pull;
	asked a;

	relate_theirs(&from, 10);
	answer_page(&bob, &(page_answer){.n = 4, .more = true, .from = &from, .count = 4});
	CHECK(arrivals() == 4);
	REQUIRE(sends("/tidelock/v1/pull", NULL));
	answer_page(&bob, &(page_answer){.n = 10,
				  .from = &from,
				  .first = 4,
				  .count = 6,
				  .tips = &from.id[9],
				  .tip_count = 1});
	CHECK(arrivals() == 10);
	/* What came from bob alone need not be sent back to him. */
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == 10);
	CHECK(pair_of(&bob, &root)->seen.n == 10 && pair_of(&bob, &root)->sure.n == 10);
	CHECK(pair_of(&bob, &root)->level);
	CHECK(r.events[TL_EVENT_ENTRIES_RECEIVED] == 2);
	CHECK(r.events[TL_EVENT_SYNC_FINISHED] == 1);
	CHECK(strstr(local("sync/pull", &bob, &root), "\"n\":10"));
	/* The next one goes on from there. */
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.has_cursor && pull.cursor.n == 10 && pull.has_seen && pull.seen.n == 10);
	CHECK(pull.tips.count == 1);
	asked_free(&a);
	free_remote(&from);
}

static void the_next_page_is_asked_for_while_one_is_stored(void)
{
	remote from;

	relate_theirs(&from, 10);
	r.hold_works = true;
	answer_page(&bob, &(page_answer){.n = 4, .more = true, .from = &from, .count = 4});
	for (size_t n = 4; n < 8; n += 2) {
		CHECK(sends("/tidelock/v1/pull", NULL));
		answer_page(&bob,
			&(page_answer){
				.n = n + 2, .more = true, .from = &from, .first = n, .count = 2});
	}
	/* Three wait to be stored: no fourth is asked for. */
	CHECK(r.send_count == 0);
	rig_release_works();
	CHECK(sends("/tidelock/v1/pull", NULL));
	CHECK(arrivals() == 8);
	free_remote(&from);
}

static void the_cursor_is_stored_with_the_page(void)
{
	remote from;

	relate_theirs(&from, 5);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 3});
	/* Before the exchange is over, and before anything else was saved. */
	CHECK(strstr(local("sync/pull", &bob, &root), "\"seen\":{"));
	CHECK(strstr(local("sync/pull", &bob, &root), "\"sure\":null"));
	free_remote(&from);
}

static bool ends_with(tl_str bytes, const char *end)
{
	size_t len = strlen(end);

	return bytes.len >= len && memcmp(bytes.ptr + bytes.len - len, end, len) == 0;
}

static void missing_tips_are_asked_for_by_name(void)
{
	remote from;
	asked a;
	char want[128], id[TL_ID_TEXT_LEN + 1];

	relate_theirs(&from, 6);
	answer_page(&bob,
		&(page_answer){
			.n = 6, .from = &from, .count = 5, .tips = &from.id[5], .tip_count = 1});
	tl_id_format(&from.id[5], id);
	snprintf(want, sizeof want, "{\"want\":\"%s\"}\n", id);
	REQUIRE(sends("/tidelock/v1/pull", NULL));
	CHECK(ends_with(tl__buf_view(&r.sends[0].send.body), want));
	answer_page(&bob, &(page_answer){.n = 6,
				  .from = &from,
				  .first = 5,
				  .count = 1,
				  .tips = &from.id[5],
				  .tip_count = 1});
	CHECK(r.send_count == 0);
	CHECK(arrivals() == 6 && pair_of(&bob, &root)->level);
	(void)a;
	free_remote(&from);
}

static void a_responder_that_lies_about_tips_is_not_believed(void)
{
	remote from;
	tl_id invented;

	relate_theirs(&from, 3);
	tl_id_of(&invented, "nothing", 7);
	answer_page(&bob,
		&(page_answer){
			.n = 3, .from = &from, .count = 3, .tips = &invented, .tip_count = 1});
	answer_page(&bob, &(page_answer){.n = 3,
				  .tips = &invented,
				  .tip_count = 1,
				  .absent = &invented,
				  .absent_count = 1});
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->attempts == 1);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_SYNC_PROTOCOL_ERROR);
	CHECK(!pair_of(&bob, &root)->has_seen && !pair_of(&bob, &root)->has_sure);
	CHECK(r.events[TL_EVENT_SYNC_FAILED] == 1);
	CHECK(arrivals() == 3);
	free_remote(&from);
}

static void a_responder_that_gets_nowhere_is_left(void)
{
	remote from;

	relate_theirs(&from, 3);
	answer_page(&bob, &(page_answer){.n = 1, .more = true, .from = &from, .count = 1});
	answer_page(&bob, &(page_answer){.n = 1, .more = true});
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_SYNC_PROTOCOL_ERROR);
	free_remote(&from);
}

static void over_declined_entries_only_seen_moves(void)
{
	remote from, foreign;

	relate_theirs(&from, 4);
	/* An entry of another database is no entry of this one. */
	foreign = from;
	foreign.bytes[3] = tl__copy_bytes("{\"tree\":1}", 10);
	foreign.len[3] = 10;
	answer_page(&bob,
		&(page_answer){
			.n = 4, .from = &foreign, .count = 4, .tips = &from.id[2], .tip_count = 1});
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->has_seen && pair_of(&bob, &root)->seen.n == 4);
	CHECK(!pair_of(&bob, &root)->has_sure);
	CHECK(!pair_of(&bob, &root)->level);
	tl__free(foreign.bytes[3]);
	free_remote(&from);
}

static void sure_is_where_it_starts_again(void)
{
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY};
	tl__v1_pull pull;
	asked a;

	in_step(2);
	pair_of(&bob, &root)->seen = place(&bob, 7);
	pair_of(&bob, &root)->has_seen = true;
	pair_of(&bob, &root)->sure = place(&bob, 3);
	pair_of(&bob, &root)->has_sure = true;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.cursor.n == 7);
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_BUSY);
	/* A change of policy, or a day. */
	CHECK_DONE(rig_command(command), TL_OK);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.cursor.n == 3 && pull.seen.n == 7);
	asked_free(&a);
	tl_database_free(db);
}

/* What was evicted is unknown again, whoever made it go. */
static void after_an_eviction_it_starts_from_sure(void)
{
	tl__work work = {.kind = TL__WORK_INGEST, .ingest.result.evicted = 1};
	tl__v1_pull pull;
	asked a;

	in_step(2);
	pair_of(&bob, &root)->seen = place(&bob, 7);
	pair_of(&bob, &root)->sure = place(&bob, 3);
	pair_of(&bob, &root)->has_seen = pair_of(&bob, &root)->has_sure = true;
	tl__sync_ingest_ends(r.core, NULL, NULL, &work);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.has_cursor && pull.cursor.n == 3 && pull.seen.n == 7);
	asked_free(&a);
	tl_database_free(db);
}

/* Its word is good, but one exchange does not ask for everything: the rest comes from `sure`. */
static void what_one_exchange_did_not_get_comes_with_the_next_tick(void)
{
	page_answer page = {.n = 20, .count = 1, .more = true};
	tl__v1_pull pull;
	remote from;
	asked a;

	relate_theirs(&from, 20);
	page.from = &from;
	answer_page(&bob, &page);
	page = (page_answer){
		.n = 20, .from = &from, .count = 1, .tips = &from.id[19], .tip_count = 1};
	for (page.first = 19; page.first >= 19 - TL__SYNC_MAX_ROUNDS; page.first--)
		answer_page(&bob, &page);
	CHECK(r.send_count == 0 && arrivals() == 1);
	CHECK(pair_of(&bob, &root)->attempts == 0 && pair_of(&bob, &root)->gap);
	CHECK(pair_of(&bob, &root)->seen.n == 20 && !pair_of(&bob, &root)->has_sure);
	rig_pass(300 * 1000);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(!pull.has_cursor && pull.seen.n == 20);
	refuse_v1(&a, &bob, TL__V1_BUSY);
	asked_free(&a);
	free_remote(&from);
}

/* --- push ------------------------------------------------------------------------------------- */

static void a_commit_costs_one_request(void)
{
	size_t before;

	in_step(3);
	rig_pass(50);
	before = r.sent;
	commit_one();
	REQUIRE(sends("/tidelock/v1/push", NULL));
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 1);
	CHECK(r.send_count == 0 && r.sent == before + 1);
	CHECK(pair_of(&bob, &root)->ack == 4);
	CHECK(pair_of(&bob, &root)->seen.n == 4 && pair_of(&bob, &root)->sure.n == 4);
	rig_pass(1000);
	CHECK(r.send_count == 0);
	tl_database_free(db);
}

static void a_burst_of_commits_is_paced(void)
{
	size_t before;

	in_step(2);
	rig_pass(50);
	before = r.sent;
	for (int i = 0; i < 40; i++) {
		commit_one();
		if (r.send_count > 0)
			(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
		rig_pass(5);
	}
	rig_pass(20);
	if (r.send_count > 0)
		(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	/* 200 ms: one at once, then one each 20 ms. */
	CHECK(r.sent - before >= 8 && r.sent - before <= 2 + 220 / 20);
	CHECK(pair_of(&bob, &root)->ack == 42);
	tl_database_free(db);
}

static void what_the_peer_lacks_follows_from_its_tips(void)
{
	remote all;

	relate_ours(6);
	copy_entries(&all, &root);
	/* Bob holds the first four. */
	answer_page(&bob, &(page_answer){.n = 4, .tips = &all.id[3], .tip_count = 1});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 6, NULL) == 2);
	CHECK(pair_of(&bob, &root)->ack == 6);
	free_remote(&all);
	tl_database_free(db);
}

static void declined_entries_are_not_offered_again_until_a_tick(void)
{
	relate_ours(2);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_DECLINED, 0, NULL) == 2);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == 0 && pair_of(&bob, &root)->offered == 2);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_DECLINED);
	CHECK(pair_of(&bob, &root)->attempts == 0);
	rig_pass(200000);
	CHECK(r.send_count == 0);
	/* New ones are sent all the same, and do not count as acknowledged before the others. */
	commit_one();
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
	CHECK(pair_of(&bob, &root)->ack == 0);
	rig_pass(110000);
	REQUIRE(sends("/tidelock/v1/pull", NULL));
	answer_page(&bob, &(page_answer){.n = 1});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 3, NULL) == 3);
	CHECK(pair_of(&bob, &root)->ack == 3);
	CHECK(pair_of(&bob, &root)->last_code == TL_OK);
	tl_database_free(db);
}

static void a_new_process_of_the_peer_is_offered_them_again(void)
{
	asked a;

	relate_ours(2);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_DECLINED, 0, NULL) == 2);
	rig_pass(100);
	commit_one();
	REQUIRE(take_v1(&a));
	asked_free(&a);
	bob.epoch[3] ^= 1;
	refuse_v1(&a, &bob, TL__V1_STALE_EPOCH);
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
	rig_pass(100);
	REQUIRE(sends("/tidelock/v1/hello", NULL)); /* it may offer something else now */
	answer_hello(&bob);
	REQUIRE(sends("/tidelock/v1/push", NULL));
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 3, NULL) == 3);
	CHECK(pair_of(&bob, &root)->ack == 3);
	tl_database_free(db);
}

static void what_pending_entries_wait_for_is_sent(void)
{
	remote all;

	in_step(3);
	copy_entries(&all, &root);
	rig_pass(50);
	commit_one();
	(void)answer_push(&bob, TL__V1_FATE_PENDING, 3, &all.id[2]);
	REQUIRE(sends("/tidelock/v1/push", NULL));
	CHECK(memmem(r.sends[0].send.body.ptr, r.sends[0].send.body.len, all.bytes[2], all.len[2]));
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 3, NULL) == 1);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == 4);
	free_remote(&all);
	tl_database_free(db);
}

static void what_nobody_has_cannot_be_sent(void)
{
	tl_id invented;

	in_step(3);
	tl_id_of(&invented, "nothing", 7);
	rig_pass(50);
	commit_one();
	(void)answer_push(&bob, TL__V1_FATE_PENDING, 3, &invented);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == 3);
	CHECK(!tl__pair_dirty(pair_of(&bob, &root)));
	tl_database_free(db);
}

static void fates_of_other_entries_are_refused(void)
{
	tl__v1_fates args = {.seen_valid = true};
	tl__v1_line line = {.kind = TL__V1_LINE_FATE, .has_id = true};
	tl__buf header = TL__BUF_INIT, body = TL__BUF_INIT;
	asked a;

	in_step(2);
	rig_pass(50);
	commit_one();
	REQUIRE(take_v1(&a));
	line.code = TL__STR("");
	tl_id_of(&line.id, "x", 1);
	tl__v1_write_line(&body, &line);
	tl__v1_write_fates(&header, &args);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&header), tl__buf_view(&body));
	CHECK(pair_of(&bob, &root)->attempts == 1);
	CHECK(pair_of(&bob, &root)->ack == 2);
	tl__buf_free(&header);
	tl__buf_free(&body);
	asked_free(&a);
	tl_database_free(db);
}

/* One that may only read may hold nothing but what came from the peer: a pull shows it. */
static void a_refused_push_looks_before_it_fails(void)
{
	asked a;

	in_step(3);
	rig_pass(50);
	commit_one();
	REQUIRE(take_v1(&a));
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_NOT_PERMITTED);
	REQUIRE(sends("/tidelock/v1/pull", NULL));
	CHECK(pair_of(&bob, &root)->attempts == 0);
	REQUIRE(take_v1(&a));
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_NOT_AVAILABLE);
	REQUIRE(sends("/tidelock/v1/push", NULL));
	REQUIRE(take_v1(&a));
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_NOT_PERMITTED);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->attempts == 1);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_NOT_PERMITTED);
	tl_database_free(db);
}

static void a_database_the_peer_lacks_is_given_to_it(void)
{
	asked a;

	relate_ours(2);
	REQUIRE(take_v1(&a));
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_NOT_AVAILABLE);
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL) == 2);
	CHECK(pair_of(&bob, &root)->ack == 2);
	CHECK(pair_of(&bob, &root)->attempts == 0);
	tl_database_free(db);
}

static void a_database_nobody_has_is_not_available(void)
{
	tl__sync_command command = {.kind = TL__SYNC_SYNC_WITH};
	tl_address address = http(HOME);
	uint64_t op;
	asked a;

	command.address = &address;
	command.has_db = true;
	tl_id_of(&command.db, "x", 1);
	op = rig_command(command);
	answer_hello(&bob);
	answer_hello(&bob);
	REQUIRE(take_v1(&a));
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_NOT_AVAILABLE);
	CHECK_DONE(op, TL_E_NOT_AVAILABLE);
	CHECK(r.send_count == 0);
}

/* Nothing of it could be kept: that it was fetched would be no truth. */
static void an_answer_without_the_root_is_a_failure(void)
{
	tl__sync_command command = {.kind = TL__SYNC_SYNC_WITH};
	tl_address address = http(HOME);
	uint64_t op;

	command.address = &address;
	command.has_db = true;
	tl_id_of(&command.db, "x", 1);
	op = rig_command(command);
	answer_hello(&bob);
	answer_hello(&bob);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK_DONE(op, TL_E_WRONG_ROOT);
	CHECK(r.send_count == 0);
}

int main(void)
{
	RUN_RIG(pages_follow_each_other_by_cursor);
	RUN_RIG(the_next_page_is_asked_for_while_one_is_stored);
	RUN_RIG(the_cursor_is_stored_with_the_page);
	RUN_RIG(missing_tips_are_asked_for_by_name);
	RUN_RIG(a_responder_that_lies_about_tips_is_not_believed);
	RUN_RIG(a_responder_that_gets_nowhere_is_left);
	RUN_RIG(over_declined_entries_only_seen_moves);
	RUN_RIG(sure_is_where_it_starts_again);
	RUN_RIG(after_an_eviction_it_starts_from_sure);
	RUN_RIG(what_one_exchange_did_not_get_comes_with_the_next_tick);
	RUN_RIG(a_commit_costs_one_request);
	RUN_RIG(a_burst_of_commits_is_paced);
	RUN_RIG(what_the_peer_lacks_follows_from_its_tips);
	RUN_RIG(declined_entries_are_not_offered_again_until_a_tick);
	RUN_RIG(a_new_process_of_the_peer_is_offered_them_again);
	RUN_RIG(what_pending_entries_wait_for_is_sent);
	RUN_RIG(what_nobody_has_cannot_be_sent);
	RUN_RIG(fates_of_other_entries_are_refused);
	RUN_RIG(a_refused_push_looks_before_it_fails);
	RUN_RIG(a_database_the_peer_lacks_is_given_to_it);
	RUN_RIG(a_database_nobody_has_is_not_available);
	RUN_RIG(an_answer_without_the_root_is_a_failure);
	return spec_end();
}
