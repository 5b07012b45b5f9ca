/* Exchanges with a 0.2.0 peer. */
#include "sync/out/outbound.h"
#include "v0_rig.h"

#define HOME "127.0.0.1:9001"

static tl_database *db;
static tl_id root;

/* Takes the oldest v0 request off. Free with tl__v0_request_free. */
static bool take_v0(tl__v0_request *out, uint64_t *exchange)
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

static void answer_tree_bytes(uint64_t exchange, const tl_id *asked_for, tl_str bytes)
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

static void text_of(const tl_id *id, char out[TL_ID_TEXT_LEN + 1])
{
	tl_id_format(id, out);
}

static void answer_bootstrap(
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

static void answer_incremental(uint64_t exchange, const tl_id *tree, const tl_id *tip,
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
static void relate_theirs(remote *from, size_t count)
{
	make_remote(from, count);
	root = from->id[0];
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static void relate_ours(size_t count)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (size_t i = 1; i < count; i++)
		(void)write_text(db, "data", "n", "x");
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static void commit_one(void)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};

	(void)write_text(db, "data", "n", "more");
	rig_event(&event);
}

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

/* Bob holds what we hold. */
static void in_step(size_t count)
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

/* --- one that does not tell ------------------------------------------------------------------- */

#define NO_TREE z("{\"Error\":\"no such tree\"}")

/* It was given all of it, and still says nothing. */
static void give_blindly(size_t count)
{
	tl__v0_request request;
	uint64_t exchange;

	relate_ours(count);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &root, NO_TREE);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == count);
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("{\"Count\":2}"));
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &root, NO_TREE);
	rig_pass(50);
}

static void one_that_takes_all_and_tells_nothing_is_no_failure(void)
{
	tl__pair *pair;

	give_blindly(3);
	pair = pair_of(&bob, &root);
	CHECK(pair->attempts == 0 && !pair->stalled && !tl__pair_dirty(pair));
	CHECK(pair->last_code == TL_E_NOT_AVAILABLE && strstr(pair->last_error, "enable sync"));
	CHECK(pair->ack == 0 && !pair->level);
	rig_pass(100000);
	CHECK(r.send_count == 0);
	tl_database_free(db);
}

static void it_gets_each_commit_once(void)
{
	tl__v0_request request;
	uint64_t exchange;

	give_blindly(3);
	for (int i = 0; i < 12; i++) {
		commit_one();
		REQUIRE(take_v0(&request, &exchange));
		CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 1);
		tl__v0_request_free(&request);
		answer_bytes(exchange, 200, z("\"Ack\""));
		rig_pass(50);
	}
	rig_pass(1000);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE);
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &root, NO_TREE);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->attempts == 0 && !pair_of(&bob, &root)->stalled);
	tl_database_free(db);
}

static void what_it_was_sent_without_a_word_is_remembered(void)
{
	tl__v0_request request;
	uint64_t exchange;

	give_blindly(3);
	rig_pass(1000);
	rig_stop();
	CHECK(rig_start(NULL));
	CHECK(pair_of(&bob, &root)->untold && !tl__pair_dirty(pair_of(&bob, &root)));
	answer_handshake(&bob, false);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE);
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &root, NO_TREE);
	rig_pass(50);
	CHECK(r.send_count == 0); /* nothing is sent again */
	CHECK(strstr(pair_of(&bob, &root)->last_error, "enable sync"));
	commit_one();
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 1);
	tl__v0_request_free(&request);
	tl_database_free(db);
}

/* Its user has enabled sync: what it lacks is found by its tips. */
static void once_it_tells_it_is_brought_up(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	give_blindly(4);
	copy_entries(&all, &root);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[1], &all, 0, 0);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 2);
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("{\"Count\":2}"));
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[3], &all, 0, 0);
	CHECK(pair_of(&bob, &root)->ack == 4 && pair_of(&bob, &root)->level);
	CHECK(pair_of(&bob, &root)->last_code == TL_OK);
	free_remote(&all);
	tl_database_free(db);
}

/* --- several databases ------------------------------------------------------------------------ */

/* Two requests at once may lock such a node up. */
static void one_exchange_at_a_time(void)
{
	tl_database *second;
	tl__v0_request request;
	uint64_t exchange;

	relate_ours(2);
	second = new_database("alice");
	CHECK_DONE(
		pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(second), NULL), TL_OK);
	CHECK(r.send_count == 1);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &root, z("\"Ack\""));
	CHECK(r.send_count == 1);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE && request.sync_tree.tip_count == 1);
	tl__v0_request_free(&request);
	tl_database_free(second);
	tl_database_free(db);
}

static void a_large_push_is_split_parents_first(void)
{
	static char text[300000];
	tl__v0_request request;
	uint64_t exchange;
	size_t messages = 0, entries = 0;
	remote all;

	memset(text, 'x', sizeof text - 1);
	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (int i = 0; i < 15; i++)
		(void)write_text(db, "data", "n", text);
	copy_entries(&all, &root);
	meet_v0(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[0], &all, 0, 0);
	for (;;) {
		REQUIRE(sends("/api/v0", NULL));
		CHECK(r.sends[0].send.body.len < 1024 * 1024);
		REQUIRE(take_v0(&request, &exchange));
		if (request.kind != TL__V0_SEND_ENTRIES)
			break;
		messages++;
		entries += request.entry_count;
		tl__v0_request_free(&request);
		answer_bytes(exchange, 200, z("{\"Count\":6}"));
	}
	tl__v0_request_free(&request);
	CHECK(messages == 5 && entries == 15);
	answer_incremental(exchange, &root, &all.id[15], &all, 0, 0);
	CHECK(pair_of(&bob, &root)->ack == 16);
	free_remote(&all);
	tl_database_free(db);
}

/* The largest that we write ourselves. */
static void write_large(void)
{
	static char text[1024 * 1024 - 900];

	memset(text, 'x', sizeof text - 1);
	(void)write_text(db, "data", "large", text);
}

/* From now on bob is reached by a transport whose messages are smaller than that. */
static void reach_bob_by_streams(void)
{
	tl__sync_event event = {.kind = TL__SYNC_TRANSPORT, .transport.type = z("iroh")};

	snprintf(peer_of(&bob)->addresses[0].address.type, sizeof(tl_address){0}.type, "iroh");
	rig_event(&event);
}

/* The next request must be a push: how many entries it has. */
static size_t pushed(void)
{
	tl__v0_request request;
	uint64_t exchange;
	size_t count;

	if (!take_v0(&request, &exchange))
		return 0;
	CHECK(request.kind == TL__V0_SEND_ENTRIES);
	count = request.entry_count;
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("\"Ack\""));
	return count;
}

/* The next request must ask for tips: it is told this one of ours. */
static void answer_tip(size_t arrival)
{
	tl__v0_request request;
	uint64_t exchange;
	remote all;

	copy_entries(&all, &root);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SYNC_TREE);
	tl__v0_request_free(&request);
	answer_incremental(exchange, &root, &all.id[arrival - 1], &all, 0, 0);
	free_remote(&all);
}

static const char *said_of_bob(void)
{
	return pair_of(&bob, &root)->last_error;
}

/* A 0.2.0 store breaks on an entry whose parents it lacks. */
static void nothing_is_sent_that_stands_on_what_fits_no_message(void)
{
	uint64_t op;

	in_step(3);
	reach_bob_by_streams();
	write_large();
	commit_one();
	answer_tip(3);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == 3);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_TOO_LARGE);
	CHECK(strstr(said_of_bob(), "2 entries are not sent"));
	for (int i = 0; i < 3; i++) { /* nor what comes later, in exchanges of its own */
		rig_pass(50);
		commit_one();
		answer_tip(3);
		CHECK(r.send_count == 0);
	}
	CHECK(strstr(said_of_bob(), "5 entries are not sent"));
	/* Once somebody else has given it the large one, it is a parent like any other. */
	rig_pass(50);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_tip(4);
	CHECK(pushed() == 4);
	answer_tip(8);
	CHECK_DONE(op, TL_OK);
	CHECK(pair_of(&bob, &root)->ack == 8 && said_of_bob()[0] == 0);
	rig_pass(50);
	commit_one();
	CHECK(pushed() == 1);
	rig_pass(1000);
	answer_tip(9);
	CHECK(pair_of(&bob, &root)->ack == 9);
	tl_database_free(db);
}

/* Bob built on what we hold while we did too: the union goes both ways. */
static void both_sides_new_end_with_the_union(void)
{
	tl__v0_request request;
	uint64_t exchange;
	remote from, ours;

	relate_theirs(&from, 6);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	from.count = 3;
	answer_bootstrap(exchange, &root, &from, 0);
	from.count = 6;
	rig_pass(50);
	CHECK_OK(tl__database_open(&w.host, &root, &db));
	CHECK_OK(tl_database_set_default_auth_key(db, z("bob")));
	commit_one();
	copy_entries(&ours, &root);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(request.kind == TL__V0_SEND_ENTRIES && request.entry_count == 1);
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("\"Ack\""));
	rig_pass(1000);
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	{
		tl__buf out = TL__BUF_INIT;
		char id[TL_ID_TEXT_LEN + 1], a[TL_ID_TEXT_LEN + 1], b[TL_ID_TEXT_LEN + 1];
		tl_str tips[2];

		text_of(&root, id);
		text_of(&ours.id[3], a);
		text_of(&from.id[5], b);
		tips[0] = z(a);
		tips[1] = z(b);
		tl__v0_begin_incremental(&out, z(id), tips, 2);
		for (size_t i = 3; i < 6; i++)
			tl__v0_stream_entry(&out, (tl_str){from.bytes[i], from.len[i]}, i == 3);
		tl__v0_end_incremental(&out);
		answer_tree_bytes(exchange, &root, tl__buf_view(&out));
		tl__buf_free(&out);
	}
	CHECK(r.send_count == 0);
	CHECK(tl__sync_find_db(r.core, &root)->arrivals == 7);
	CHECK(pair_of(&bob, &root)->ack == 7);
	CHECK(pair_of(&bob, &root)->level);
	free_remote(&ours);
	free_remote(&from);
	tl_database_free(db);
}

static void a_refused_push_is_tried_again(void)
{
	tl__v0_request request;
	uint64_t exchange;

	in_step(3);
	commit_one();
	REQUIRE(take_v0(&request, &exchange));
	tl__v0_request_free(&request);
	answer_bytes(exchange, 200, z("{\"Error\":\"gone\"}"));
	CHECK(pair_of(&bob, &root)->attempts == 1);
	rig_pass(2100);
	CHECK(r.send_count == 1);
	tl_database_free(db);
}

/* --- first words ------------------------------------------------------------------------------ */

static void a_handshake_comes_before_the_first_request_of_a_process(void)
{
	in_step(2);
	rig_pass(1000);
	rig_stop();
	CHECK(rig_start(NULL));
	REQUIRE(r.send_count == 1);
	answer_handshake(&bob, false);
	CHECK(sends("/api/v0", NULL));
	CHECK(r.sends[0].send.intake == &tl__v0_intake);
	tl_database_free(db);
}

static void access_is_asked_for_and_repeated_with_that_key(void)
{
	tl__sync_command command = {.kind = TL__SYNC_ACCESS};
	tl_address address = http(HOME);
	tl__v0_request request;
	uint64_t exchange, op;
	tl_secret secret;

	CHECK_OK(secret_of(NULL, z("laptop"), &secret));
	command.address = &address;
	command.has_db = true;
	tl_id_of(&command.db, "x", 1);
	command.name = z("laptop");
	command.secrets = &secret;
	command.secret_count = 1;
	command.permission = (tl_permission){TL_WRITE, 10};
	op = rig_command(command);
	answer_handshake(&bob, false);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(tl__str_eq(request.sync_tree.requesting_key, z(key_of("laptop"))));
	CHECK(tl__str_eq(request.sync_tree.requesting_key_name, z("laptop")));
	CHECK(request.sync_tree.has_permission);
	tl__v0_request_free(&request);
	answer_tree_bytes(exchange, &command.db,
		z("{\"BootstrapPending\":{\"request_id\":\"q7\",\"message\":\"m\"}}"));
	CHECK_DONE(op, TL_OK);
	CHECK_TEXT(rig_text(op), "{\"status\":\"pending\",\"request_id\":\"q7\"}");
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &command.db, NULL), TL_OK);
	REQUIRE(take_v0(&request, &exchange));
	CHECK(tl__str_eq(request.sync_tree.requesting_key, z(key_of("laptop"))));
	tl__v0_request_free(&request);
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
	RUN_RIG(a_status_other_than_2xx_is_a_failure);
	RUN_RIG(what_is_missing_is_fetched_with_everything);
	RUN_RIG(our_tips_come_with_ancestors_at_doubling_distance);
	RUN_RIG(a_push_is_confirmed_by_tips);
	RUN_RIG(an_ack_is_no_fate);
	RUN_RIG(commits_are_confirmed_now_and_then);
	RUN_RIG(a_flush_confirms_at_once);
	RUN_RIG(one_that_takes_all_and_tells_nothing_is_no_failure);
	RUN_RIG(it_gets_each_commit_once);
	RUN_RIG(what_it_was_sent_without_a_word_is_remembered);
	RUN_RIG(once_it_tells_it_is_brought_up);
	RUN_RIG(one_exchange_at_a_time);
	RUN_RIG(a_large_push_is_split_parents_first);
	RUN_RIG(nothing_is_sent_that_stands_on_what_fits_no_message);
	RUN_RIG(both_sides_new_end_with_the_union);
	RUN_RIG(a_refused_push_is_tried_again);
	RUN_RIG(a_handshake_comes_before_the_first_request_of_a_process);
	RUN_RIG(access_is_asked_for_and_repeated_with_that_key);
	return spec_end();
}
