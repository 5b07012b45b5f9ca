/* Exchanges with a 0.2.0 peer. */
#include "v0_sync_help.h"

/* --- pull ------------------------------------------------------------------------------------- */

static void an_unknown_database_is_asked_for_without_tips(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote from;

	relate_theirs(&from, 8);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE);
	CHECK(request.sync_tree.tip_count == 0);
	CHECK(tl__str_eq(request.sync_tree.peer_pubkey, z(r.core->key_text)));
	CHECK(!request.sync_tree.requesting_key.ptr);
	tl__v0_request_free(&request);
	answer_bootstrap(exchange, &root, &from, 0);
	CHECK(r.send_count == 0);
	CHECK(tl__sync_find_db(r.core, &root)->arrivals == 8);
	CHECK(pair_of(&bob, &root)->ack == 8);
	CHECK(pair_of(&bob, &root)->received == 8);
	CHECK(pair_of(&bob, &root)->level);
	free_remote(&from);
}

static void another_root_than_asked_for_is_refused(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote from;

	relate_theirs(&from, 4);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_bootstrap(exchange, &root, &from, 2);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_WRONG_ROOT);
	CHECK(tl__sync_find_db(r.core, &root)->arrivals == 0);
	free_remote(&from);
}

/* Nothing of it could be kept. */
static void an_answer_without_the_root_is_a_failure(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote from;

	relate_theirs(&from, 4);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &from.id[3], &from, 0, 0);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_WRONG_ROOT);
	CHECK(pair_of(&bob, &root)->attempts == 1);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &from.id[3], &from, 3, 1);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_WRONG_ROOT);
	CHECK(pair_of(&bob, &root)->attempts > 0);
	free_remote(&from);
}

static void an_answer_about_another_database_is_refused(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote from;
	tl_id other;

	relate_theirs(&from, 4);
	tl_id_of(&other, "x", 1);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_bootstrap(exchange, &other, &from, 0);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_WRONG_ROOT);
	CHECK(tl__sync_find_db(r.core, &root)->arrivals == 0);
	free_remote(&from);
}

static void whatever_else_it_answers_is_a_failure(void)
{
	static const struct {
		const char *text;
		int code;
	} answers[] = {{"{\"Error\":\"no such tree\"}", TL_E_SYNC_PROTOCOL_ERROR},
		{"\"Ack\"", TL_E_UNEXPECTED_RESPONSE}, {"{\"Count\":3}", TL_E_UNEXPECTED_RESPONSE},
		{"{\"BootstrapPending\":{\"request_id\":\"q\",\"message\":\"m\"}}",
			TL_E_BOOTSTRAP_PENDING}};

	/* A database that we lack: nothing could be offered instead. */
	tl_id_of(&root, "theirs", 6);
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		tl__v0_request request;
		uint64_t exchange;

		REQUIRE(take_v0(&request, &exchange));
		tl__v0_request_free(&request);
		answer_tree_bytes(exchange, &root, z(answers[i].text));
		CHECK(pair_of(&bob, &root)->last_code == answers[i].code);
		(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	}
}

static void a_refusal_may_mean_that_it_lacks_the_database(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	relate_ours(2);
	copy_entries(&all, &root);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &root, z("{\"Error\":\"no such tree\"}"));
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 2);
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("{\"Count\":2}"));
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[1], &all, 0, 0);
	CHECK(pair_of(&bob, &root)->ack == 2);
	CHECK(r.send_count == 0);
	free_remote(&all);
	tl_database_free(db);
}

/* It acknowledges what is sent, and breaks before it says what it kept. */
static void an_ack_is_nothing_that_moves(void)
{
	const tl__pair *pair;

	relate_ours(2);
	pair = pair_of(&bob, &root);
	r.core->next_check = UINT64_MAX; /* no handshakes between */
	for (int i = 0; i < 10; i++) {
		tl__v0_request request;
		uint64_t exchange;

		CHECK(!pair->stalled);
		REQUIRE(take_v0(&request, &exchange));
		tl__v0_request_free(&request);
		answer_tree_bytes(exchange, &root, z("{\"Error\":\"no such tree\"}"));
		REQUIRE(take_v0(&request, &exchange));
		CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 2);
		tl__v0_request_free(&request);
		answer_bytes(exchange, 200, z("{\"Count\":2}"));
		REQUIRE(take_v0(&request, &exchange));
		tl__v0_request_free(&request);
		answer_bytes(exchange, 502, z("no"));
		CHECK(pair->attempts == (uint32_t)i + 1 && pair->last_code == TL_E_NETWORK);
		rig_pass(70000);
	}
	CHECK(pair->stalled);
	tl_database_free(db);
}

static void a_status_other_than_2xx_is_a_failure(void)
{
	uint64_t exchange;

	relate_ours(1);
	exchange = r.sends[0].send.exchange;
	drop_send(0);
	answer_bytes(exchange, 413, z("too much"));
	CHECK(pair_of(&bob, &root)->last_code == TL_E_NETWORK);
	tl_database_free(db);
}

static void what_is_missing_is_fetched_with_everything(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote from;

	relate_theirs(&from, 6);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	from.count = 3;
	answer_bootstrap(exchange, &root, &from, 0);
	from.count = 6;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.sync_tree.tip_count > 0);
	tl__v0_request_free(&request);
	/* An entry without its parents: one cannot be asked for by name. */
	answer_incremental(exchange, &root, &from.id[5], &from, 5, 1);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.sync_tree.tip_count == 0);
	tl__v0_request_free(&request);
	answer_bootstrap(exchange, &root, &from, 0);
	CHECK(tl__sync_find_db(r.core, &root)->arrivals == 6);
	CHECK(pair_of(&bob, &root)->attempts == 0);
	free_remote(&from);
}

/* --- push ------------------------------------------------------------------------------------- */

static void our_tips_come_with_ancestors_at_doubling_distance(void)
{
	tl__v0_request request;
	uint64_t exchange;

	relate_ours(20);
	REQUIRE(take_v0(&request, &exchange));
	/* The tip, and 1, 2, 4, 8 and 16 before it. */
	CHECK(request.sync_tree.tip_count == 6);
	tl__v0_request_free(&request);
	tl_database_free(db);
}

static void a_push_is_confirmed_by_tips(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	in_step(3);
	commit_one();
	copy_entries(&all, &root);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 1);
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("\"Ack\""));
	CHECK(pair_of(&bob, &root)->ack == 3);
	CHECK(r.send_count == 0); /* until it is quiet */
	rig_pass(1000);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE);
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[3], &all, 0, 0);
	CHECK(pair_of(&bob, &root)->ack == 4);
	CHECK(r.send_count == 0);
	free_remote(&all);
	tl_database_free(db);
}

static void an_ack_is_no_fate(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	in_step(3);
	commit_one();
	copy_entries(&all, &root);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("\"Ack\""));
	rig_pass(1000);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	/* Its tips are what they were. */
	answer_incremental(exchange, &root, &all.id[2], &all, 0, 0);
	CHECK(pair_of(&bob, &root)->ack == 3);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_DECLINED);
	CHECK(r.send_count == 0);
	rig_pass(100000);
	CHECK(r.send_count == 0);
	free_remote(&all);
	tl_database_free(db);
}

/* Commits for eleven seconds: one question within them, and one when it is quiet. */
static void commits_are_confirmed_now_and_then(void)
{
	size_t pushes = 0, questions = 0, held = 3;
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	in_step(3);
	for (int i = 0; i < 32; i++) {
		if (i < 22)
			commit_one();
		copy_entries(&all, &root);
		while (take_v0(&request, &exchange)) {
			bool question = request.kind == TL__V0_SYNC_TREE;

			questions += question;
			pushes += !question;
			held += question ? 0 : request.entry_count;
			tl__v0_request_free(&request);
			if (question)
				answer_incremental(exchange, &root, &all.id[held - 1], &all, 0, 0);
			else
				answer_bytes(exchange, 200, z("\"Ack\""));
		}
		free_remote(&all);
		rig_pass(500);
	}
	CHECK(pushes == 22 && questions == 2);
	CHECK(pair_of(&bob, &root)->ack == 25);
	CHECK(pair_of(&bob, &root)->level);
	tl_database_free(db);
}

/* Whoever waits is not told of a push whose fate is open. */
static void a_flush_confirms_at_once(void)
{
	tl__sync_command command = {.kind = TL__SYNC_FLUSH, .timeout_ms = 60000};
	tl__v0_request request;
	uint64_t exchange, op;
	remote all;

	in_step(3);
	commit_one();
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("\"Ack\""));
	copy_entries(&all, &root);
	op = rig_command(command);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE);
	tl__v0_request_free(&request);
	CHECK(!rig_result(op));
	answer_incremental(exchange, &root, &all.id[3], &all, 0, 0);
	CHECK_DONE(op, TL_OK);
	rig_pass(20000);
	CHECK(r.send_count == 0);
	free_remote(&all);
	tl_database_free(db);
}

int main(void)
{
	rig_v0 = tl__v0_spoken();
	RUN_RIG(an_unknown_database_is_asked_for_without_tips);
	RUN_RIG(another_root_than_asked_for_is_refused);
	RUN_RIG(an_answer_without_the_root_is_a_failure);
	RUN_RIG(an_answer_about_another_database_is_refused);
	RUN_RIG(whatever_else_it_answers_is_a_failure);
	RUN_RIG(a_refusal_may_mean_that_it_lacks_the_database);
	RUN_RIG(an_ack_is_nothing_that_moves);
	RUN_RIG(a_status_other_than_2xx_is_a_failure);
	RUN_RIG(what_is_missing_is_fetched_with_everything);
	RUN_RIG(our_tips_come_with_ancestors_at_doubling_distance);
	RUN_RIG(a_push_is_confirmed_by_tips);
	RUN_RIG(an_ack_is_no_fate);
	RUN_RIG(commits_are_confirmed_now_and_then);
	RUN_RIG(a_flush_confirms_at_once);
	return spec_end();
}
