/* Limits of the core that are about others: each of them is driven over its edge. What a request
 * or an exchange may hold otherwise is in the specs of its subject. */
#include "sync/out/session.h"
#include "sync/in/serve.h"
#include "asking_help.h"

#define HOME "127.0.0.1:9001"

#define NOWHERE "/nowhere" /* costs no more than a token */

/* --- how often, how many ---------------------------------------------------------------------- */

static void a_source_asks_so_often_and_no_more(void)
{
	for (uint64_t i = 1; i <= TL__SERVE_REMOTE_BURST; i++) {
		CHECK(ask(i, "192.0.2.1:5000", NOWHERE, TL__STR("")) == 404);
		r.core->serve->shares[TL__SHARE_STRANGERS].tokens = TL__SERVE_STRANGERS_BURST;
	}
	CHECK(ask(1, "192.0.2.1:6000", NOWHERE, TL__STR("")) == 429);
	r.now += 1000;
	CHECK(ask(2, "192.0.2.2:5000", NOWHERE, TL__STR("")) == 404);
	CHECK(ask(1, "192.0.2.1:5000", NOWHERE, TL__STR("")) == 404);
	forget();
}

static const char *source(uint32_t number)
{
	static char text[40];

	snprintf(text, sizeof text, "10.%u.%u.%u:5000", number >> 16, number >> 8 & 255,
		number & 255);
	return text;
}

/* However many sources they have. */
static void strangers_ask_so_often_together(void)
{
	for (uint32_t i = 0; i < TL__SERVE_STRANGERS_BURST; i++)
		CHECK(ask(i + 1, source(i), NOWHERE, TL__STR("")) == 404);
	CHECK(ask(1, source(TL__SERVE_STRANGERS_BURST), NOWHERE, TL__STR("")) == 429);
	r.now += 1000;
	for (uint32_t i = 0; i < TL__SERVE_STRANGERS_PER_S; i++)
		CHECK(ask(i + 1, source(i), NOWHERE, TL__STR("")) == 404);
	CHECK(ask(1, source(7), NOWHERE, TL__STR("")) == 429);
	r.now += 1000 * TL__SERVE_STRANGERS_BURST / TL__SERVE_STRANGERS_PER_S;
	forget();
}

/* A newcomer takes the place of whoever was away longest, and never that of a peer. */
static void so_many_sources_are_remembered(void)
{
	static const tl__serve_rate rate = {2, 0};

	CHECK(tl__serve_take(r.core, TL__STR("peer"), rate));
	tl__serve_known(r.core, TL__STR("peer"));
	CHECK(tl__serve_take(r.core, TL__STR("first"), rate));
	for (uint32_t i = 1; i < TL__SERVE_MAX_BUCKETS; i++)
		CHECK(tl__serve_take(r.core, z(source(i)), rate));
	CHECK(tl__serve_take(r.core, TL__STR("first"), rate));
	CHECK(!tl__serve_take(r.core, TL__STR("first"), rate));
	CHECK(r.core->serve->buckets.count == TL__SERVE_MAX_BUCKETS + 1);
	CHECK(tl__serve_take(r.core, TL__STR("newcomer"), rate));
	CHECK(r.core->serve->buckets.count == TL__SERVE_MAX_BUCKETS + 1);
	CHECK(!tl__map_has(&r.core->serve->buckets, z(source(1))));
	CHECK(!tl__serve_take(r.core, TL__STR("first"), rate));
	CHECK(tl__serve_is_source_known(r.core, TL__STR("peer")));
	CHECK(tl__serve_take(r.core, TL__STR("peer"), rate));
	CHECK(!tl__serve_take(r.core, TL__STR("peer"), rate));
}

/* --- pieces of a v0 answer -------------------------------------------------------------------- */

static tl_id big_database(size_t entries, size_t bytes)
{
	tl_database *db = new_database("alice");
	tl_id root = *tl_database_root_id(db);
	tl__buf text = TL__BUF_INIT;

	while (text.len < bytes)
		tl__buf_byte(&text, 'x');
	tl__buf_byte(&text, '\0');
	CHECK_OK(tl__buf_status(&text));
	for (size_t i = 0; i < entries; i++)
		(void)write_text(db, "data", "n", text.ptr);
	tl__buf_free(&text);
	tl_database_free(db);
	return root;
}

/* Bootstraps it; how many pieces were taken. */
static size_t bootstrap(const tl_id *root)
{
	tl__sync_event drained = {.kind = TL__SYNC_DRAINED, .incoming = 1};
	char id[TL_ID_TEXT_LEN + 1], request[400];

	tl_id_format(root, id);
	snprintf(request, sizeof request,
		"{\"SyncTree\":{\"tree_id\":\"%s\",\"our_tips\":[],\"requesting_key\":\"%s\"}}", id,
		key_of("alice"));
	CHECK(ask(1, "192.0.2.1:5000", TL__V0_PATH, z(request)) == 0);
	run_kept(kept_count);
	while (kept_count > 0)
		run_kept(1);
	for (size_t seen = 0; spec_case_ok && ended_count == 0 && pieces > seen;) {
		seen = pieces;
		take_actions();
		CHECK(pieces == seen); /* none before the last was taken */
		tell(&drained);
		while (kept_count > 0)
			run_kept(1);
	}
	CHECK(begun_count == 1 && ended_count == 1);
	return pieces;
}

static void claims_count(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;

	rig_stop();
	options.v0_claims = true;
	REQUIRE(rig_start(&options));
}

static void a_piece_has_so_many_bytes(void)
{
	enum { ENTRY = 50000, ENTRIES = 12 };
	tl_id root;

	claims_count();
	root = big_database(ENTRIES, ENTRY);
	CHECK(bootstrap(&root) > ENTRIES * (size_t)ENTRY / TL__SERVE_PIECE_BYTES);
	CHECK(piece_bytes > (size_t)ENTRIES * ENTRY);
	/* Around the entries of the first one stands what begins the answer, with the root. */
	CHECK(longest_piece <= TL__SERVE_PIECE_BYTES + 4096);
	CHECK(longest_piece > TL__SERVE_PIECE_BYTES - ENTRY - 4096);
	forget();
}

static void a_longer_entry_is_a_piece_alone(void)
{
	tl_id root;

	claims_count();
	root = big_database(2, TL__SERVE_PIECE_BYTES + 1000);
	CHECK(bootstrap(&root) >= 2);
	CHECK(longest_piece > TL__SERVE_PIECE_BYTES &&
		longest_piece < (size_t)2 * TL__SERVE_PIECE_BYTES);
	forget();
}

/* --- who takes pages is not pushed to --------------------------------------------------------- */

/* Bob pulls, one entry a page unless `whole`. */
static void bob_pulls(const tl_id *root, bool whole)
{
	tl__sync_event event = {.kind = TL__SYNC_REQUEST};
	tl__v1_request m = {.has_to = true,
		.to = r.core->key,
		.from = bob.key,
		.method = TL__STR("pull"),
		.has_db = true,
		.db = *root,
		.time = r.wall,
		.has_epoch = true,
		.channel = TL__STR("none")};
	tl__buf frame = TL__BUF_INIT;

	tl__v1_nonce_write(m.nonce, (const uint8_t *)"bob's...", r.next_op++);
	m.args = whole ? TL__STR("{\"cursor\":null,\"seen\":null,\"budget\":1000000,"
				 "\"tips\":{\"count\":0,\"sha256\":null}}")
		       : TL__STR("{\"cursor\":null,\"seen\":null,\"budget\":1,"
				 "\"tips\":{\"count\":0,\"sha256\":null}}");
	memcpy(m.epoch, r.core->epoch, sizeof m.epoch);
	CHECK_OK(tl__v1_request_write(&frame, &m, &bob.secret, NULL, 0, TL__STR(""), NULL));
	event.request = (tl__sync_request){.incoming = r.next_op,
		.path = TL__STR("/tidelock/v1/pull"),
		.content_type = z(TL__V1_CONTENT_TYPE),
		.remote = TL__STR("192.0.2.1:5000"),
		.channel = TL__STR("none"),
		.transport = TL__STR("http"),
		.body = tl__buf_view(&frame)};
	rig_event(&event);
	CHECK(r.answer_count == 1 && r.answers[0].answer.status == 200);
	for (size_t i = 0; i < r.answer_count; i++)
		tl__sync_action_drop(&r.answers[i]);
	r.answer_count = 0;
	tl__buf_free(&frame);
}

static void commit_one(tl_database *db)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};

	(void)write_text(db, "data", "n", "more");
	rig_event(&event);
}

static void pushes_are_held_back_so_long(void)
{
	tl_database *db = new_database("alice");
	tl_id root = *tl_database_root_id(db);

	for (int i = 0; i < 3; i++)
		(void)write_text(db, "data", "n", "x");
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 4);
	rig_pass(1000);
	CHECK(r.send_count == 0);
	/* More pages are to come. */
	bob_pulls(&root, false);
	commit_one(db);
	rig_pass(TL__SERVE_PULLING_MS - 1);
	CHECK(r.send_count == 0);
	/* Behind the last one it is a moment. */
	bob_pulls(&root, true);
	rig_pass(TL__SERVE_PULLED_MS - 1);
	CHECK(r.send_count == 0);
	rig_pass(1);
	CHECK(sends("/tidelock/v1/pull", NULL)); /* what he has is looked at first */
	answer_failure(TL_E_CONNECTION_FAILED);
	tl_database_free(db);
}

static void nobody_holds_pushes_back_for_longer(void)
{
	tl_database *db = new_database("alice");
	tl_id root = *tl_database_root_id(db);

	for (int i = 0; i < 3; i++)
		(void)write_text(db, "data", "n", "x");
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 4);
	rig_pass(1000);
	bob_pulls(&root, false);
	commit_one(db);
	rig_pass(TL__SERVE_PULLING_MS - 1);
	CHECK(r.send_count == 0);
	rig_pass(1);
	CHECK(sends("/tidelock/v1/pull", NULL));
	answer_failure(TL_E_CONNECTION_FAILED);
	tl_database_free(db);
}

/* --- addresses -------------------------------------------------------------------------------- */

static const char *place_of(int number)
{
	static char text[40];

	snprintf(text, sizeof text, "127.0.0.1:%d", 7000 + number);
	return text;
}

static void a_peer_has_so_many_addresses(void)
{
	tl__peer *peer;

	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "bob"), TL_OK);
	for (int i = 0; i < TL__SYNC_MAX_ADDRESSES; i++)
		CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, place_of(i)), TL_OK);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, place_of(20)), TL_E_TOO_LARGE);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, place_of(3)), TL_OK);
	peer = peer_of(&bob);
	REQUIRE(peer);
	CHECK(peer->address_count == TL__SYNC_MAX_ADDRESSES);
	CHECK_DONE(address_command(TL__SYNC_REMOVE_ADDRESS, &bob.key, place_of(3)), TL_OK);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, place_of(20)), TL_OK);
	/* One that it answers at takes the place of the last. */
	meet(&bob, place_of(30));
	CHECK(peer->address_count == TL__SYNC_MAX_ADDRESSES);
	{
		tl_address works = http(place_of(30)), last = http(place_of(20));

		CHECK(tl__peer_address_at(peer, &works) >= 0);
		CHECK(tl__peer_address_at(peer, &last) < 0);
	}
}

static void so_many_of_our_own_addresses_are_told(void)
{
	tl_address own[TL__SYNC_MAX_ADDRESSES + 3];
	tl__sync_event event = {.kind = TL__SYNC_SERVERS};

	for (int i = 0; i < TL__SYNC_MAX_ADDRESSES + 3; i++)
		own[i] = http(place_of(i));
	event.servers.addresses = own;
	event.servers.count = TL__SYNC_MAX_ADDRESSES + 3;
	rig_event(&event);
	CHECK(r.core->server_count == TL__SYNC_MAX_ADDRESSES);
	event.servers.count = 2;
	rig_event(&event);
	CHECK(r.core->server_count == 2);
}

/* --- who only knocked ------------------------------------------------------------------------- */

static void a_knock_is_remembered_so_many_days(void)
{
	const int64_t kept_ms = (int64_t)TL__SYNC_KNOCKING_DAYS * 24 * 3600 * 1000;
	tl_key other = {{9}};

	tl__sync_knocked(r.core, &bob.key, TL__STR("bob"), "http:192.0.2.1:5");
	CHECK(r.core->knock_count == 1);
	r.core->wall += kept_ms;
	tl__sync_knocked(r.core, &carol.key, TL__STR("carol"), "http:192.0.2.2:5");
	CHECK(r.core->knock_count == 2);
	r.core->wall += 1;
	tl__sync_knocked(r.core, &other, TL__STR("other"), "http:192.0.2.3:5");
	CHECK(r.core->knock_count == 2); /* bob is forgotten, carol is not */
}

/* --- one exchange ----------------------------------------------------------------------------- */

/* The cursor of the pull that comes `ms` after the last one from `sure`, which stands at 3 and
 * `seen` at 7. */
static uint64_t pulls_from(int64_t ms)
{
	tl_database *db = new_database("alice");
	tl_id root = *tl_database_root_id(db);
	tl__v1_pull pull = {.has_cursor = false};
	tl__pair *pair;
	asked a;

	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
	pair = pair_of(&bob, &root);
	pair->seen = place(&bob, 7);
	pair->sure = place(&bob, 3);
	pair->has_seen = pair->has_sure = true;
	r.wall = pair->sure_since + ms;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	CHECK(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	asked_free(&a);
	tl_database_free(db);
	return pull.has_cursor ? pull.cursor.n : 0;
}

static void for_a_day_what_was_declined_rests(void)
{
	CHECK(pulls_from(TL__SYNC_SURE_AGAIN_MS) == 7);
}

static void a_day_later_it_is_asked_for_again(void)
{
	CHECK(pulls_from(TL__SYNC_SURE_AGAIN_MS + 1) == 3);
}

static void an_exchange_asks_for_so_many_ids(void)
{
	tl__session session = {.number = 0};
	tl_id id = {{0}};

	tl__map_init(&session.asked);
	for (uint32_t i = 0; i < TL__SYNC_MAX_ASIDE; i++) {
		memcpy(id.b, &i, sizeof i);
		CHECK(tl__session_note(&session, &id));
		CHECK(!tl__session_note(&session, &id)); /* once each */
	}
	id.b[5] = 1;
	CHECK(!tl__session_note(&session, &id));
	CHECK(session.asked.count == TL__SYNC_MAX_ASIDE);
	tl__map_free(&session.asked);
}

static void an_answer_of_ours_may_be_a_frame_long(void)
{
	CHECK(tl__sync_max_request(TL__STR("/tidelock/v1/pull")) == TL__SYNC_MAX_FRAME);
	CHECK(tl__sync_max_request(TL__STR(TL__V0_PATH)) == TL__V0_MAX_REQUEST_BYTES);
	CHECK(tl__sync_max_request(TL__STR(NOWHERE)) == 0);
	(void)connect_to(HOME, &bob.key);
	REQUIRE(sends("/tidelock/v1/hello", NULL));
	CHECK(r.sends[0].send.limit == TL__SYNC_MAX_FRAME);
	answer_failure(TL_E_CONNECTION_FAILED);
}

int main(void)
{
	rig_v0 = tl__v0_spoken();
	RUN_RIG(a_source_asks_so_often_and_no_more);
	RUN_RIG(strangers_ask_so_often_together);
	RUN_RIG(so_many_sources_are_remembered);
	RUN_V0(RUN_RIG, a_piece_has_so_many_bytes);
	RUN_V0(RUN_RIG, a_longer_entry_is_a_piece_alone);
	RUN_RIG(pushes_are_held_back_so_long);
	RUN_RIG(nobody_holds_pushes_back_for_longer);
	RUN_RIG(a_peer_has_so_many_addresses);
	RUN_RIG(so_many_of_our_own_addresses_are_told);
	RUN_RIG(a_knock_is_remembered_so_many_days);
	RUN_RIG(for_a_day_what_was_declined_rests);
	RUN_RIG(a_day_later_it_is_asked_for_again);
	RUN_RIG(an_exchange_asks_for_so_many_ids);
	RUN_RIG(an_answer_of_ours_may_be_a_frame_long);
	return spec_end();
}
