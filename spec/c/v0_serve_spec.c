/* What 0.2.0 peers are answered (wire/README.md), with the holes closed: such a peer
 * proves nothing, so it reads what everybody may read and nothing is recorded of it. */
#include "v0/work/works.h"
#include "serve_help.h"

static tl_id notes;
static const tl_permission reading = {TL_READ, 0}, writing = {TL_WRITE, 5};

/* Texts that live for a moment; four at a time. */
static const char *db_text(const tl_id *db)
{
	static char texts[4][TL_ID_TEXT_LEN + 1];
	static unsigned next;
	char *out = texts[next++ % 4];

	tl_id_format(db, out);
	return out;
}

static const char *tree_request(const tl_id *db, const char *tips, const char *credentials)
{
	static char text[1024];

	snprintf(text, sizeof text, "{\"SyncTree\":{\"tree_id\":\"%s\",\"our_tips\":[%s]%s}}",
		db_text(db), tips, credentials);
	return text;
}

static const char *credentials(const char *key, const char *name, const char *permission)
{
	static char text[400];
	char key_of[TL_KEY_TEXT_LEN + 1];

	key_text(key, key_of);
	snprintf(text, sizeof text,
		",\"requesting_key\":\"%s\",\"requesting_key_name\":%s,\"requested_permission\":%s",
		key_of, name, permission);
	return text;
}

static void with_notes(const tl__sim_config *config, bool open)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "writer", writing));
	if (open)
		CHECK_OK(set_public(bob, &notes, reading));
}

/* --- requests as such ------------------------------------------------------------------------- */

static void what_cannot_be_read_has_its_status(void)
{
	static const char json[] = "application/json";

	begin_serve(NULL);
	CHECK(v0_status("text/plain", "{\"SendEntries\":[]}") == 415);
	CHECK(v0_status(NULL, "{\"SendEntries\":[]}") == 415);
	CHECK(v0_status("Application/JSON; charset=utf-8", "{\"SendEntries\":[]}") == 200);
	CHECK(v0_status("application/cbor+json", "{\"SendEntries\":[]}") == 200);
	CHECK(v0_status(json, "{\"SendEntries\":[") == 400);
	CHECK(v0_status(json, "null") == 400);
	CHECK(v0_status(json, "{\"GetTips\":{\"tree_id\":\"x\"}}") == 422);
	CHECK(v0_status(json, "{\"SyncTree\":{\"our_tips\":[]}}") == 422);
	CHECK(v0_status(json, "{\"SendEntries\":[{\"tree\":{}}]}") == 422);
	CHECK(v0_status(json, "{\"SyncTree\":{\"tree_id\":\"x\",\"our_tips\":[],\"zz\":1}}") ==
		200);
}

static void a_body_over_the_limit_is_refused(void)
{
	tl__buf text = TL__BUF_INIT;
	tl__sim_answer answer;

	begin_serve(NULL);
	tl__buf_text(&text, "{\"SendEntries\":[]}");
	while (text.len < TL__V0_MAX_REQUEST_BYTES)
		tl__buf_byte(&text, ' ');
	ask_from(&plain_voice, TL__V0_PATH, TL__V0_CONTENT_TYPE, tl__buf_view(&text), &answer);
	CHECK(answer.status == 200);
	tl__buf_free(&answer.body);
	tl__buf_byte(&text, ' ');
	ask_from(&plain_voice, TL__V0_PATH, TL__V0_CONTENT_TYPE, tl__buf_view(&text), &answer);
	CHECK(answer.status == 413);
	tl__buf_free(&answer.body);
	ask_from(&plain_voice, "/api/v1", TL__V0_CONTENT_TYPE, TL__STR("{}"), &answer);
	CHECK(answer.status == 404);
	tl__buf_free(&answer.body);
	tl__buf_free(&text);
}

/* --- handshake -------------------------------------------------------------------------------- */

static const char *handshake(unsigned version, size_t bytes)
{
	static char text[8192];
	size_t len = (size_t)snprintf(text, sizeof text,
		"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"junk\",\"display_name\":null,"
		"\"protocol_version\":%u,\"challenge\":[",
		version);

	for (size_t i = 0; i < bytes; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s7", i > 0 ? "," : "");
	snprintf(text + len, sizeof text - len, "],\"listen_addresses\":[]}}");
	return text;
}

static void a_handshake_is_answered_and_leaves_nothing(void)
{
	tl__buf body;

	with_notes(NULL, true);
	body = say_v0(handshake(0, 32));
	CHECK(strstr(body.ptr, "\"protocol_version\":0,\"challenge_response\":["));
	CHECK(strstr(body.ptr, "\"tidelock\":{\"versions\":[1]}"));
	CHECK(strstr(body.ptr, db_text(&notes))); /* it is public */
	tl__buf_free(&body);
	CHECK(!core_of(bob)->peers && core_of(bob)->knock_count == 0);
}

static void a_handshake_lists_nothing_that_is_not_public(void)
{
	tl__buf body;
	tl_id own;

	with_notes(NULL, false);
	body = say_v0(handshake(0, 32));
	CHECK(strstr(body.ptr, "\"available_trees\":[]"));
	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK(!strstr(body.ptr, db_text(&own)));
	tl__buf_free(&body);
}

static void only_32_bytes_are_ever_signed(void)
{
	begin_serve(NULL);
	CHECK(v0_says(handshake(0, 31), "{\"Error\":"));
	CHECK(v0_says(handshake(0, 33), "{\"Error\":"));
	CHECK(v0_says(handshake(0, 0), "{\"Error\":"));
	CHECK(v0_says(handshake(0, 500), "{\"Error\":"));
	CHECK(v0_says(handshake(1, 32), "{\"Error\":"));
}

/* --- trees ------------------------------------------------------------------------------------ */

static void what_is_public_is_given(void)
{
	tl__buf body;
	const char *first, *second;
	tl_id a, b;
	char tip[80];

	with_notes(NULL, true);
	a = put(bob, &notes, "k", "one");
	b = put(bob, &notes, "k", "two");
	body = say_v0(tree_request(&notes, "", ""));
	CHECK(strstr(body.ptr, "{\"Bootstrap\":{\"tree_id\":\"") == body.ptr);
	CHECK(strstr(body.ptr, "\"key_approved\":false,\"granted_permission\":null}}"));
	first = strstr(body.ptr, "one");
	second = strstr(body.ptr, "two");
	CHECK(first && second && first < second); /* parents first */
	tl__buf_free(&body);
	snprintf(tip, sizeof tip, "\"%s\"", db_text(&a));
	body = say_v0(tree_request(&notes, tip, ""));
	CHECK(strstr(body.ptr, "{\"Incremental\":{") == body.ptr && strstr(body.ptr, db_text(&b)));
	CHECK(!strstr(body.ptr, "one") && strstr(body.ptr, "two"));
	tl__buf_free(&body);
	/* Ids that are none do no harm: 0.2.0 looks whether it has met them. */
	body = say_v0(tree_request(&notes, "\"\",\"x\"", ""));
	CHECK(strstr(body.ptr, "{\"Incremental\":{") == body.ptr && strstr(body.ptr, "one"));
	tl__buf_free(&body);
}

static void what_is_not_public_looks_like_nothing(void)
{
	tl_id none;
	tl__buf hidden, absent;
	char tip[80];

	with_notes(NULL, false);
	tl_id_of(&none, "none", 4);
	hidden = say_v0(tree_request(&notes, "", ""));
	absent = say_v0(tree_request(&none, "", ""));
	CHECK(strcmp(hidden.ptr, absent.ptr) == 0 && strstr(hidden.ptr, "{\"Error\":"));
	tl__buf_free(&hidden);
	tl__buf_free(&absent);
	/* Neither an invented tip nor a claimed key opens it. */
	snprintf(tip, sizeof tip, "\"%s\"", db_text(&none));
	CHECK(v0_says(tree_request(&notes, tip, ""), "{\"Error\":"));
	CHECK(v0_says(
		tree_request(&notes, "", credentials("writer", "null", "null")), "{\"Error\":"));
	CHECK(v0_says(
		tree_request(&notes, "", credentials("writer", "\"w\"", "null")), "{\"Error\":"));
}

static void a_claim_counts_where_the_owner_says_so(void)
{
	const tl__sim_config config = {.name = "bob", .options.v0_claims = true};

	with_notes(&config, false);
	CHECK(v0_says(tree_request(&notes, "", ""), "{\"Error\":"));
	CHECK(v0_says(
		tree_request(&notes, "", credentials("other", "\"w\"", "null")), "{\"Error\":"));
	CHECK(v0_says(tree_request(&notes, "", credentials("writer", "null", "null")),
		"\"key_approved\":false"));
	CHECK(v0_says(tree_request(&notes, "", credentials("writer", "\"w\"", "null")),
		"\"key_approved\":true,\"granted_permission\":{\"Write\":5}"));
	CHECK(v0_says(tree_request(&notes, "", credentials("writer", "\"w\"", "\"Read\"")),
		"\"key_approved\":true,\"granted_permission\":\"Read\""));
	CHECK(v0_says(tree_request(&notes, "", credentials("writer", "\"w\"", "{\"Admin\":0}")),
		"{\"BootstrapPending\":{"));
}

static void everybodys_permission_needs_no_claim(void)
{
	with_notes(NULL, true);
	CHECK(v0_says(tree_request(&notes, "", credentials("anyone", "\"me\"", "\"Read\"")),
		"\"key_approved\":true,\"granted_permission\":\"Read\""));
	CHECK(v0_says(tree_request(&notes, "", credentials("anyone", "\"me\"", "{\"Write\":1}")),
		"{\"BootstrapPending\":{"));
}

static void own_system_databases_are_never_served(void)
{
	tl_id own;
	char tip[80];

	with_notes(NULL, true);
	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK(v0_says(tree_request(&own, "", ""), "{\"Error\":"));
	snprintf(tip, sizeof tip, "\"%s\"", db_text(&notes));
	CHECK(v0_says(tree_request(&own, tip, ""), "{\"Error\":"));
}

/* Large answers go out in pieces, the next one asked for when the last was taken. */
static void a_large_answer_comes_in_pieces(void)
{
	char *big = malloc(100001);
	tl__buf body;
	size_t found = 0;

	REQUIRE(big);
	memset(big, 'x', 100000);
	big[100000] = '\0';
	with_notes(NULL, true);
	for (int i = 0; i < 12; i++)
		put(bob, &notes, "k", big);
	body = say_v0(tree_request(&notes, "", ""));
	CHECK(body.len > 12 * 100000);
	for (const char *at = body.ptr; (at = strstr(at, "xxxxxx\\\"")) != NULL; at++)
		found++;
	CHECK(found == 12);
	tl__buf_free(&body);
	free(big);
}

/* --- SendEntries ------------------------------------------------------------------------------ */

static bool send_says(const tl_str *lines, size_t count, const char *wanted)
{
	tl__buf document = TL__BUF_INIT;
	bool good;

	tl__v0_write_send_entries(&document, lines, count);
	good = v0_says(document.ptr, wanted);
	tl__buf_free(&document);
	return good;
}

static void pushes_need_a_relation_or_a_public_database(void)
{
	made good;
	tl_id tip;

	with_notes(NULL, false);
	tip = tip_of(&notes);
	good = make_entry(&notes, &tip, "data", DATA, "writer");
	CHECK(send_says(&good.text, 1, "\"Ack\"")); /* applied silently: not */
	CHECK(!bob_has(&notes, &good.id));
	made_free(&good);
}

static void only_what_verifies_counts(void)
{
	made good, next, bare, forged;
	tl_id tip;

	with_notes(NULL, true);
	tip = tip_of(&notes);
	good = make_entry(&notes, &tip, "data", DATA, "writer");
	next = make_entry(&notes, &good.id, "data", DATA, "writer");
	bare = make_entry(&notes, &tip, "other", DATA, NULL);
	forged = make_entry(&notes, &tip, "other", DATA, "stranger");
	{
		const tl_str lines[] = {next.text, good.text, bare.text, forged.text};

		CHECK(send_says(lines, 0, "\"Ack\""));
		CHECK(send_says(lines, 4, "{\"Count\":2}")); /* any order */
	}
	CHECK(bob_has(&notes, &good.id) && bob_has(&notes, &next.id));
	CHECK(!bob_has(&notes, &bare.id) && !bob_has(&notes, &forged.id));
	CHECK(arrivals(bob, &notes) == 5);
	made_free(&good);
	made_free(&next);
	made_free(&bare);
	made_free(&forged);
}

static void several_databases_travel_in_one_push(void)
{
	tl_id other;
	made a, b, unknown;
	tl_id tip;

	with_notes(NULL, true);
	other = make_db(bob, "other");
	CHECK_OK(set_public(bob, &other, reading));
	tip = tip_of(&notes);
	a = make_entry(&notes, &tip, "data", DATA, "bob");
	tip = tip_of(&other);
	b = make_entry(&other, &tip, "data", DATA, "bob");
	unknown = make_root("unknown", "alice");
	{
		const tl_str lines[] = {b.text, unknown.text, a.text};

		CHECK(send_says(lines, 3, "{\"Count\":2}"));
	}
	CHECK(bob_has(&notes, &a.id) && bob_has(&other, &b.id) && !holds(bob, &unknown.id));
	made_free(&a);
	made_free(&b);
	made_free(&unknown);
}

/* What names a pinned key is anonymous all the same, and touches nothing of that key. */
static void a_pinned_key_cannot_be_named(void)
{
	tl__sim_peer *carol;
	tl__peer before;
	char text[TL_KEY_TEXT_LEN + 1], request[400];

	with_notes(NULL, false);
	carol = add_peer("carol");
	CHECK_OK(connect_to(bob, carol));
	CHECK_OK(relate(bob, carol, &notes));
	tl__sim_run(sim, MINUTE);
	tl_key_format(tl__sim_key(carol), text);
	before = *tl__sync_find_peer(core_of(bob), tl__sim_key(carol));
	CHECK(before.protocol == TL__PROTOCOL_V1);
	snprintf(request, sizeof request,
		"{\"SyncTree\":{\"tree_id\":\"%s\",\"our_tips\":[],\"peer_pubkey\":\"%s\"}}",
		db_text(&notes), text);
	CHECK(v0_says(request, "{\"Error\":"));
	snprintf(request, sizeof request,
		"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"%s\",\"display_name\":"
		"\"evil\","
		"\"protocol_version\":0,\"challenge\":[%s],\"listen_addresses\":["
		"{\"transport_type\":\"http\",\"address\":\"evil:1\"}]}}",
		text, "1,2,3");
	(void)v0_status("application/json", request);
	{
		const tl__peer *after = tl__sync_find_peer(core_of(bob), tl__sim_key(carol));

		CHECK(after->protocol == TL__PROTOCOL_V1 &&
			after->address_count == before.address_count &&
			after->last_seen == before.last_seen);
	}
}

/* Each asks for its rights: more databases than that are passed over. */
static void a_message_is_about_so_many_databases(void)
{
	made entries[TL__V0_READ_GROUPS + 1];
	tl_str lines[TL__V0_READ_GROUPS + 1];
	tl_id dbs[TL__V0_READ_GROUPS + 1];
	char wanted[40];

	with_notes(NULL, false);
	for (size_t i = 0; i <= TL__V0_READ_GROUPS; i++) {
		tl_id tip;

		dbs[i] = make_db(bob, "open");
		CHECK_OK(set_public(bob, &dbs[i], (tl_permission){TL_WRITE, 5}));
		CHECK_OK(grant(bob, &dbs[i], "writer", (tl_permission){TL_WRITE, 5}));
		tip = tip_of(&dbs[i]);
		entries[i] = make_entry(&dbs[i], &tip, "data", DATA, "writer");
		lines[i] = entries[i].text;
	}
	snprintf(wanted, sizeof wanted, "{\"Count\":%d}", TL__V0_READ_GROUPS);
	CHECK(send_says(lines, TL__V0_READ_GROUPS + 1, wanted));
	for (size_t i = 0; i <= TL__V0_READ_GROUPS; i++) {
		CHECK(bob_has(&dbs[i], &entries[i].id) == (i < TL__V0_READ_GROUPS));
		made_free(&entries[i]);
	}
}

int main(void)
{
	RUN_SIM(what_cannot_be_read_has_its_status);
	RUN_SIM(a_body_over_the_limit_is_refused);
	RUN_SIM(a_handshake_is_answered_and_leaves_nothing);
	RUN_SIM(a_handshake_lists_nothing_that_is_not_public);
	RUN_SIM(only_32_bytes_are_ever_signed);
	RUN_SIM(what_is_public_is_given);
	RUN_SIM(what_is_not_public_looks_like_nothing);
	RUN_SIM(a_claim_counts_where_the_owner_says_so);
	RUN_SIM(everybodys_permission_needs_no_claim);
	RUN_SIM(own_system_databases_are_never_served);
	RUN_SIM(a_large_answer_comes_in_pieces);
	RUN_SIM(pushes_need_a_relation_or_a_public_database);
	RUN_SIM(only_what_verifies_counts);
	RUN_SIM(several_databases_travel_in_one_push);
	RUN_SIM(a_pinned_key_cannot_be_named);
	RUN_SIM(a_message_is_about_so_many_databases);
	return spec_end();
}
