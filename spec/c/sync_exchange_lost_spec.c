/* What outlives an exchange with a v1 peer: stores that were rolled back, what is remembered,
 * relations. */
#include "sync_exchange_help.h"

/* --- stores that were rolled back ------------------------------------------------------------- */

static void a_rolled_back_responder_is_given_everything_again(void)
{
	remote all;

	in_step(4);
	copy_entries(&all, &root);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	/* Bob's store is as it was after two entries; our place there means nothing to it. */
	answer_page(&bob, &(page_answer){.n = 2,
				  .cursor_invalid = true,
				  .seen_invalid = true,
				  .tips = &all.id[1],
				  .tip_count = 1});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 2);
	CHECK(pair_of(&bob, &root)->ack == 4);
	CHECK(pair_of(&bob, &root)->seen.n == 4);
	free_remote(&all);
	tl_database_free(db);
}

static void a_push_notices_it_too(void)
{
	tl__v1_fates args = {.seen_valid = false};
	tl__v1_line line = {.kind = TL__V1_LINE_FATE, .has_id = true};
	tl__buf header = TL__BUF_INIT, body = TL__BUF_INIT;
	tl_id id;
	asked a;

	in_step(4);
	rig_pass(50);
	id = write_text(db, "data", "n", "more");
	{
		tl__sync_event event = {.kind = TL__SYNC_TIMER};
		rig_event(&event);
	}
	REQUIRE(take_v1(&a));
	line.code = TL__STR("");
	line.id = id;
	tl__v1_write_line(&body, &line);
	tl__v1_write_fates(&header, &args);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&header), tl__buf_view(&body));
	CHECK(!pair_of(&bob, &root)->has_seen && pair_of(&bob, &root)->ack == 0);
	rig_pass(100);
	CHECK(sends("/tidelock/v1/pull", NULL));
	tl__buf_free(&header);
	tl__buf_free(&body);
	asked_free(&a);
	tl_database_free(db);
}

/* It answers with valid cursors, but what it was given is gone. */
static void lost_entries_show_in_the_tips(void)
{
	remote all;

	in_step(4);
	copy_entries(&all, &root);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_page(&bob, &(page_answer){.n = 4, .tips = &all.id[1], .tip_count = 1});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 2);
	/* And it looks again until the tips are equal. */
	answer_page(&bob, &(page_answer){.n = 4, .tips = &all.id[3], .tip_count = 1});
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->level);
	free_remote(&all);
	tl_database_free(db);
}

static void another_store_behind_the_same_key_starts_anew(void)
{
	asked a;

	in_step(3);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	/* The epoch is unknown again after a restart of ours: hello comes first. */
	REQUIRE(take_v1(&a));
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_BUSY);
	peer_of(&bob)->epoch_known = false;
	bob.incarnation[0] ^= 1;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_hello(&bob);
	CHECK(pair_of(&bob, &root)->ack == 0);
	CHECK(sends("/tidelock/v1/pull", NULL));
	tl_database_free(db);
}

/* --- what is remembered ----------------------------------------------------------------------- */

static void everything_is_there_after_a_restart(void)
{
	char id[TL_ID_TEXT_LEN + 1], list[128];
	tl__v1_pull pull;
	asked a;

	in_step(3);
	rig_pass(1000);
	tl_id_format(&root, id);
	snprintf(list, sizeof list, "[\"%s\"]", bob.text);
	CHECK_TEXT(record("trees", id, "peer_pubkeys"), list);
	rig_stop();
	CHECK(rig_start(NULL));
	REQUIRE(peer_of(&bob) && pair_of(&bob, &root));
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(peer_of(&bob)->addresses[0].proven);
	CHECK(pair_of(&bob, &root)->ack == 3);
	CHECK(pair_of(&bob, &root)->seen.n == 3);
	CHECK(tl__pair_has_tag(pair_of(&bob, &root), z("manual")));
	/* The epoch is not: hello first. */
	answer_hello(&bob);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.has_seen && pull.seen.n == 3);
	asked_free(&a);
	tl_database_free(db);
}

static int count_local(void *ud, tl_str key, tl_str value)
{
	(void)key;
	if (tl__str_starts(value, z("{\"sync_id\":")))
		++*(size_t *)ud;
	return TL_OK;
}

static void cursor_metadata_and_history_are_kept(void)
{
	tl__buf out = TL__BUF_INIT;
	const char *stored;
	size_t count = 0;
	char prefix[80];

	in_step(3);
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_failure(TL_E_CONNECTION_FAILED);
	rig_pass(300);
	CHECK(strstr(local("sync/cursor", &bob, &root), "\"total_synced_count\":3"));
	CHECK(strstr(local("sync/metadata", &bob, NULL), "\"successful_sync_count\":1"));
	CHECK(strstr(local("sync/metadata", &bob, NULL), "\"failed_sync_count\":1"));
	tl__sync_history_prefix(&bob.key, prefix);
	CHECK_OK(tl__read_locals(w.store, z(prefix), count_local, &count));
	CHECK(count == 2);
	tl__sync_metadata_json(r.core, &bob.key, &out);
	stored = local("sync/metadata", &bob, NULL);
	CHECK(strncmp(out.ptr, stored, strlen(stored) - 1) == 0);
	CHECK(strstr(out.ptr, ",\"synced_trees\":[\"sha256:"));
	CHECK(!strstr(stored, "synced_trees"));
	tl__buf_clear(&out);
	tl__sync_cursor_json(r.core, &carol.key, &root, &out);
	CHECK(strstr(out.ptr, "\"last_synced_entry\":null"));
	tl__buf_free(&out);
	tl_database_free(db);
}

static void history_is_bounded(void)
{
	char prefix[80];
	size_t count = 0;

	in_step(1);
	for (unsigned i = 0; i < TL__SYNC_MAX_HISTORY + 10; i++)
		tl__record_exchange(r.core, pair_of(&bob, &root),
			&(tl__sync_outcome){.started = r.wall, .error = ""});
	rig_pass(300);
	tl__sync_history_prefix(&bob.key, prefix);
	CHECK_OK(tl__read_locals(w.store, z(prefix), count_local, &count));
	CHECK(count == TL__SYNC_MAX_HISTORY);
	tl_database_free(db);
}

/* --- relations -------------------------------------------------------------------------------- */

static void a_reload_of_rules_touches_only_its_own(void)
{
	relate_ours(1);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, "rule:laptops"), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &root, "rule:laptops"), TL_OK);
	CHECK(pair_of(&bob, &root) != NULL);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, "rule:laptops"), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &root, "manual"), TL_OK);
	CHECK(pair_of(&bob, &root) != NULL);
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE_TAG, &bob.key, &root, "rule:laptops"), TL_OK);
	CHECK(pair_of(&bob, &root) == NULL);
	tl_database_free(db);
}

static void a_relation_taken_away_ends_its_exchange(void)
{
	uint64_t op;

	relate_ours(1);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &root, NULL), TL_OK);
	CHECK_DONE(op, TL_E_CANCELLED);
	CHECK(r.cancelled == r.sends[0].send.exchange);
	answer_failure(TL_E_CANCELLED);
	CHECK(r.core->sessions == NULL && r.core->call_list == NULL);
	tl_database_free(db);
}

static void a_removed_peer_is_forgotten(void)
{
	relate_ours(1);
	CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_OK);
	CHECK(!peer_of(&bob) && !pair_of(&bob, &root));
	CHECK(record("peers", bob.text, "pubkey")[0] == 0);
	answer_failure(TL_E_CANCELLED);
	CHECK(r.core->sessions == NULL);
	CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_E_PEER_NOT_FOUND);
	tl_database_free(db);
}

/* --- discover and access ---------------------------------------------------------------------- */

static void databases_offered_are_listed(void)
{
	tl__v1_line line = {.kind = TL__V1_LINE_DATABASE, .has_id = true, .arrivals = 7};
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	uint64_t op;
	asked a;

	meet(&bob, HOME);
	op = peer_command(TL__SYNC_DISCOVER, &bob.key, NULL);
	REQUIRE(sends("/tidelock/v1/list", NULL) && take_v1(&a));
	tl_id_of(&line.id, "x", 1);
	tl__v1_write_line(&body, &line);
	tl__v1_write_listing(&args, false);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&args), tl__buf_view(&body));
	CHECK_DONE(op, TL_OK);
	CHECK(strstr(rig_text(op), "\"arrivals\":7"));
	tl__buf_free(&args);
	tl__buf_free(&body);
	asked_free(&a);
}

static void access_is_asked_for_with_a_proof_and_remembered(void)
{
	tl__v1_access_answer answer = {.result = TL__V1_ACCESS_PENDING};
	tl__sync_command command = {.kind = TL__SYNC_ACCESS};
	tl_address address = http(HOME);
	tl__v1_access access;
	tl__arena arena = TL__ARENA_INIT;
	tl__buf args = TL__BUF_INIT;
	tl_secret secret;
	tl_key key;
	uint64_t op;
	asked a;

	CHECK_OK(secret_of(NULL, z("laptop"), &secret));
	tl_secret_public(&secret, &key);
	command.address = &address;
	command.has_db = true;
	tl_id_of(&command.db, "x", 1);
	command.name = z("laptop");
	command.secrets = &secret;
	command.secret_count = 1;
	command.permission = (tl_permission){TL_WRITE, 10};
	op = rig_command(command);
	answer_hello(&bob);
	answer_hello(&bob);
	REQUIRE(sends("/tidelock/v1/access", NULL) && take_v1(&a));
	CHECK(a.header.key_count == 1 && memcmp(a.header.keys[0].b, key.b, TL_KEY_BYTES) == 0);
	CHECK_OK(tl__v1_read_access(&access, a.header.args, &arena));
	CHECK(access.permission.kind == TL_WRITE && access.permission.priority == 10);
	answer.request_id = TL__STR("abc");
	tl__v1_write_access_answer(&args, &answer);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&args), TL__STR(""));
	CHECK_DONE(op, TL_OK);
	CHECK_TEXT(rig_text(op), "{\"status\":\"pending\",\"request_id\":\"abc\"}");
	CHECK(tl__sync_find_db(r.core, &command.db)->has_access);
	command.name = z("a.b");
	CHECK_DONE(rig_command(command), TL_E_BAD_ARGUMENT);
	tl__arena_free(&arena);
	tl__buf_free(&args);
	asked_free(&a);
}

int main(void)
{
	RUN_RIG(a_rolled_back_responder_is_given_everything_again);
	RUN_RIG(a_push_notices_it_too);
	RUN_RIG(lost_entries_show_in_the_tips);
	RUN_RIG(another_store_behind_the_same_key_starts_anew);
	RUN_RIG(everything_is_there_after_a_restart);
	RUN_RIG(cursor_metadata_and_history_are_kept);
	RUN_RIG(history_is_bounded);
	RUN_RIG(a_reload_of_rules_touches_only_its_own);
	RUN_RIG(a_relation_taken_away_ends_its_exchange);
	RUN_RIG(a_removed_peer_is_forgotten);
	RUN_RIG(databases_offered_are_listed);
	RUN_RIG(access_is_asked_for_with_a_proof_and_remembered);
	return spec_end();
}
