/* Exchanges with a 0.2.0 peer that tells nothing, of several databases, and its first words. */
#include "v0_sync_help.h"

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
