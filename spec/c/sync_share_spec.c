/* Shares: a token gives access once, to whoever has it, and to nobody who guesses. The texts:
 * spec/vectors. Real processes: spec/lua/share_spec.lua. */
#include "sync_access_help.h"

#define DAY ((uint64_t)24 * HOUR)

static const tl_permission administering = {TL_ADMIN, 0};

/* --- making ----------------------------------------------------------------------------------- */

/* Its token stands for the private key of this name. */
static int share_as(const char *token, const char *maker, const tl_id *db, tl_permission permission,
	uint64_t expires_ms)
{
	tl__sync_share share = {.expires_ms = expires_ms};
	tl__sync_command command = {.kind = TL__SYNC_SHARE,
		.has_db = true,
		.db = *db,
		.permission = permission,
		.name = z(maker),
		.share = &share};
	tl__sim_result result;

	CHECK_OK(tl__sim_public(token, &share.key));
	CHECK_OK(tl__sim_public(maker, &share.maker));
	return run_command(bob, &command, &result, MINUTE);
}

static int share(const char *token, const tl_id *db, tl_permission permission)
{
	return share_as(token, "bob", db, permission, DAY);
}

static void id_of(const char *token, char out[TL_SHARE_ID_LEN + 1])
{
	tl_key key = device_of(token);

	snprintf(out, TL_SHARE_ID_LEN + 1, "%02x%02x%02x%02x%02x%02x%02x%02x", key.b[0], key.b[1],
		key.b[2], key.b[3], key.b[4], key.b[5], key.b[6], key.b[7]);
}

static int revoke_share(const char *token)
{
	char id[TL_SHARE_ID_LEN + 1];
	tl__sync_command command = {.kind = TL__SYNC_UNSHARE};
	tl__sim_result result;

	id_of(token, id);
	command.name = z(id);
	return run_command(bob, &command, &result, MINUTE);
}

/* Whether the list has this share so. */
static bool is_listed(const char *token, const char *state)
{
	char id[TL_SHARE_ID_LEN + 1], member[64];
	tl__buf out = TL__BUF_INIT;
	const char *at;
	bool good;

	id_of(token, id);
	snprintf(member, sizeof member, "\"state\":\"%s\"", state);
	tl__sync_put_shares(core_of(bob), tl__sim_wall(bob), &out);
	tl__buf_byte(&out, 0);
	at = strstr(out.ptr, id);
	good = at && strstr(at, "\"state\"") && strstr(at, "\"state\"") == strstr(at, member);
	tl__buf_free(&out);
	return good;
}

/* --- asking ----------------------------------------------------------------------------------- */

typedef struct tried {
	outcome o;
	tl__buf args; /* of the answer */
} tried;

/* By the key of that name, over the share of a token, with proofs by these keys. */
static tried redeem_with(const char *key, const char *token, const tl_id *db,
	tl_permission permission, const char *const *proofs, size_t count)
{
	tl__v1_access args = {
		.name = TL__STR("laptop"), .permission = permission, .has_share = true};
	tl__v1_access_answer answer = {0};
	tried out = {.o.result = TL__V1_ACCESS_REFUSED, .args = TL__BUF_INIT};
	tl__buf text = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	args.key = device_of(key);
	args.share = device_of(token);
	tl__v1_write_access(&text, &args);
	m = request_of("access", db, tl__buf_view(&text));
	h = say_with(&m, proofs, count, TL__STR(""));
	CHECK(h.is_signed);
	out.o.status = h.status;
	tl__buf_str(&out.args, h.args);
	if (h.status == TL__V1_OK && tl__v1_read_access_answer(&answer, h.args) == TL_OK) {
		out.o.result = answer.result;
		out.o.permission = answer.permission;
		snprintf(out.o.code, sizeof out.o.code, "%.*s", TL__STR_ARG(answer.code));
	}
	heard_free(&h);
	tl__buf_free(&text);
	return out;
}

static outcome redeem_for(
	const char *key, const char *token, const tl_id *db, tl_permission permission)
{
	const char *const proofs[] = {key, token};
	tried t = redeem_with(key, token, db, permission, proofs, 2);

	tl__buf_free(&t.args);
	return t.o;
}

static outcome redeem(const char *key, const char *token)
{
	return redeem_for(key, token, &notes, writing);
}

static bool is_granted(outcome o)
{
	return o.status == TL__V1_OK && o.result == TL__V1_ACCESS_GRANTED;
}

static bool is_refused(outcome o, const char *code)
{
	bool good = o.status == TL__V1_OK && o.result == TL__V1_ACCESS_REFUSED &&
		    strcmp(o.code, code) == 0;

	if (!good)
		printf("%s: %s\n", tl__v1_status_name(o.status), o.code);
	return good;
}

/* What the settings say of a key; its record's name goes to `name`. */
static bool has_record(const char *key, tl_permission permission, char name[64])
{
	tl_database *db = NULL;
	tl_settings_store *settings = NULL;
	tl_auth *auth = NULL;
	tl_permission best = {TL_READ, 0};
	char text[TL_KEY_TEXT_LEN + 1];
	tl_str record = TL__STR_NULL;
	bool has;

	key_text(key, text);
	CHECK_OK(tl__database_open(tl__sim_host(bob), &notes, &db));
	CHECK_OK(tl_database_settings_store(db, &settings));
	CHECK_OK(tl_settings_store_get_auth(settings, &auth));
	has = tl_auth_best(auth, z(text), &best, &record) == TL_OK &&
	      !tl__str_eq(record, TL__STR("*")) && tl_permission_compare(best, permission) == 0;
	if (has && name)
		snprintf(name, 64, "%.*s", TL__STR_ARG(record));
	tl_auth_free(auth);
	tl_settings_store_free(settings);
	tl_database_free(db);
	return has;
}

static void with_private(const tl__sim_config *config)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	(void)put(bob, &notes, "k", "from bob");
}

/* --- once ------------------------------------------------------------------------------------- */

static void a_token_gives_access_once(void)
{
	char name[64];

	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	CHECK(is_listed("token", "open"));
	CHECK(is_granted(redeem("guest", "token")));
	CHECK(has_record("guest", writing, name) && strcmp(name, "laptop") == 0);
	CHECK(is_listed("token", "used"));
	CHECK(is_refused(redeem("other", "token"), "share_used"));
	CHECK(!has_record("other", writing, NULL));
	/* The same key gets the same answer, also in another process. */
	CHECK(is_granted(redeem("guest", "token")));
	tl__sim_run(sim, 1000);
	restart(bob);
	tl__sim_run(sim, 100);
	CHECK(is_granted(redeem("guest", "token")));
	CHECK(is_refused(redeem("other", "token"), "share_used"));
	CHECK(core_of(bob)->serve->access.count == 0); /* no owner was asked */
	CHECK(pulled(&notes, (const char *const[]){"guest"}, 1) >= 2);
	CHECK_CODE(revoke_share("token"), TL_E_SHARE_USED);
}

static void what_was_taken_back_is_not_given_again(void)
{
	const tl_permission none = {TL_READ, 0};

	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	CHECK(is_granted(redeem("guest", "token")));
	CHECK_OK(grant(bob, &notes, "bob", administering)); /* something else moves */
	CHECK(is_granted(redeem("guest", "token")));
	{
		tl_transaction *tx = begin(bob, &notes, "bob");
		tl_settings_store *settings = NULL;

		CHECK_OK(tl_transaction_get_settings(tx, &settings));
		CHECK_OK(tl_settings_store_revoke_auth_key(settings, TL__STR("laptop")));
		tl_settings_store_free(settings);
		CHECK_OK(finish(tx, NULL));
	}
	CHECK(is_refused(redeem("guest", "token"), "share_used"));
	CHECK(is_refused(redeem_for("guest", "token", &notes, none), "share_used"));
	/* Nor over another share. */
	CHECK_OK(share("second", &notes, writing));
	CHECK(is_refused(redeem("guest", "second"), "not_permitted"));
}

static void who_may_already_uses_nothing_up(void)
{
	with_private(NULL);
	CHECK_OK(grant(bob, &notes, "member", writing));
	CHECK_OK(share("token", &notes, writing));
	CHECK(is_granted(redeem("member", "token")));
	CHECK(is_listed("token", "open"));
	CHECK(is_granted(redeem("guest", "token")));
	CHECK(is_granted(redeem("member", "token"))); /* and goes on when it is used */
}

static void guests_whose_keys_are_called_the_same_get_records_of_their_own(void)
{
	char first[64], second[64];

	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	CHECK_OK(share("second", &notes, writing));
	CHECK(is_granted(redeem("guest", "token")));
	CHECK(is_granted(redeem("other", "second")));
	CHECK(has_record("guest", writing, first) && strcmp(first, "laptop") == 0);
	CHECK(has_record("other", writing, second) && strcmp(second, "laptop-2") == 0);
}

/* --- who has no token ------------------------------------------------------------------------- */

static void who_guesses_learns_nothing(void)
{
	const char *const both[] = {"guest", "wrong"}, *const alone[] = {"guest"};
	const char *const right[] = {"guest", "token"};
	tl_id none, own, others;
	tried t[6];

	with_private(NULL);
	others = make_db(bob, "others");
	tl_id_of(&none, "none", 4);
	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK_OK(share("token", &notes, writing));
	t[0] = redeem_with("guest", "wrong", &notes, writing, both, 2);
	t[1] = redeem_with("guest", "wrong", &none, writing, both, 2);
	t[2] = redeem_with("guest", "wrong", &own, writing, both, 2);
	/* Who saw the share's key on the way has no proof by it. */
	t[3] = redeem_with("guest", "token", &notes, writing, alone, 1);
	t[4] = redeem_with("guest", "token", &notes, writing, both, 2);
	/* It is about another database. */
	t[5] = redeem_with("guest", "token", &others, writing, right, 2);
	for (size_t i = 0; i < 6; i++) {
		CHECK(t[i].o.status == TL__V1_NOT_AVAILABLE);
		CHECK(tl__str_eq(tl__buf_view(&t[i].args), tl__buf_view(&t[0].args)));
	}
	for (size_t i = 0; i < 6; i++)
		tl__buf_free(&t[i].args);
	CHECK(!has_record("guest", writing, NULL) && is_listed("token", "open"));
	CHECK(is_granted(redeem("guest", "token")));
}

static void who_guesses_may_not_guess_often(void)
{
	unsigned told = 0, busy = 0;

	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	for (unsigned i = 0; i < 3 * TL__SERVE_SOURCE_WISH_BURST; i++) {
		tl__v1_status status = redeem("guest", "wrong").status;

		told += status == TL__V1_NOT_AVAILABLE;
		busy += status == TL__V1_BUSY;
	}
	CHECK(told >= TL__SERVE_SOURCE_WISH_BURST && told < 2 * TL__SERVE_SOURCE_WISH_BURST);
	CHECK(told + busy == 3 * TL__SERVE_SOURCE_WISH_BURST);
	/* Whoever has the token, from there too, is not held up by that. */
	CHECK(is_granted(redeem("guest", "token")));
}

/* The proof is over the whole request: by somebody else it is none. */
static void a_proof_that_was_overheard_is_of_no_use(void)
{
	const char *const proofs[] = {"guest", "token"};
	tl__v1_access args = {.name = TL__STR("laptop"), .permission = writing, .has_share = true};
	tl__buf text = TL__BUF_INIT, frame = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	args.key = device_of("guest");
	args.share = device_of("token");
	tl__v1_write_access(&text, &args);
	m = request_of("access", &notes, tl__buf_view(&text));
	write_frame(&frame, &m, proofs, 2, TL__STR(""));
	h = say_bytes("access", tl__buf_view(&frame));
	CHECK(h.is_signed && h.status == TL__V1_OK);
	heard_free(&h);
	h = say_bytes("access", tl__buf_view(&frame)); /* once more, as it was */
	CHECK(!h.is_signed && h.status == TL__V1_REPLAYED);
	heard_free(&h);
	h = say_bytes_from(&(voice){REMOTE, "tls:00"}, "access", tl__buf_view(&frame));
	CHECK(h.status != TL__V1_OK);
	heard_free(&h);
	tl__buf_free(&text);
	tl__buf_free(&frame);
}

/* --- its bounds ------------------------------------------------------------------------------- */

static void it_expires(void)
{
	with_private(NULL);
	CHECK_OK(share_as("token", "bob", &notes, writing, 60000));
	CHECK_OK(share_as("second", "bob", &notes, writing, 120000));
	tl__sim_run(sim, 60000);
	CHECK(is_refused(redeem("guest", "token"), "share_expired"));
	CHECK(is_listed("token", "expired"));
	CHECK(is_granted(redeem("guest", "second")));
}

static void it_can_be_taken_back(void)
{
	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	CHECK_OK(revoke_share("token"));
	CHECK(redeem("guest", "token").status == TL__V1_NOT_AVAILABLE);
	CHECK_CODE(revoke_share("token"), TL_E_SHARE_NOT_FOUND);
	restart(bob); /* at once */
	tl__sim_run(sim, 100);
	CHECK(redeem("guest", "token").status == TL__V1_NOT_AVAILABLE);
	CHECK(!has_record("guest", writing, NULL));
}

static void it_gives_no_more_than_it_says(void)
{
	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	CHECK(is_refused(redeem_for("guest", "token", &notes, (tl_permission){TL_WRITE, 4}),
		"not_permitted"));
	CHECK(is_refused(redeem_for("guest", "token", &notes, administering), "not_permitted"));
	CHECK(is_listed("token", "open"));
	CHECK(is_granted(redeem_for("guest", "token", &notes, reading)));
	CHECK(has_record("guest", reading, NULL));
	CHECK(is_refused(redeem("other", "token"), "share_used"));
}

static void it_gives_no_more_than_its_maker_may_give_then(void)
{
	with_private(NULL);
	CHECK_OK(grant(bob, &notes, "deputy", administering));
	CHECK_OK(share_as("token", "deputy", &notes, writing, DAY));
	CHECK_OK(grant(bob, &notes, "deputy", writing)); /* lowered meanwhile */
	CHECK(is_refused(redeem("guest", "token"), "not_permitted"));
	CHECK(!has_record("guest", writing, NULL));
	/* Whoever came first may come again; nobody else does. */
	CHECK(is_refused(redeem("other", "token"), "share_used"));
	CHECK_OK(grant(bob, &notes, "deputy", (tl_permission){TL_ADMIN, 3}));
	CHECK(is_granted(redeem("guest", "token")));
	/* An Admin of some priority makes nobody stronger. */
	CHECK_OK(share_as("second", "deputy", &notes, (tl_permission){TL_ADMIN, 1}, DAY));
	CHECK(is_refused(redeem_for("other", "second", &notes, (tl_permission){TL_ADMIN, 1}),
		"not_permitted"));
}

static tl_policy_answer no_requests(void *ud, const tl_policy_question *question, const char **why)
{
	(void)ud;
	(void)why;
	return question->kind == TL_POLICY_REQUEST ? TL_POLICY_DENY : TL_POLICY_PASS;
}

static void the_policy_may_refuse_it(void)
{
	tl__sim_config config = {.name = "bob"};

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = no_requests};
	with_private(&config);
	CHECK_OK(share("token", &notes, writing));
	CHECK(is_refused(redeem("guest", "token"), "not_permitted"));
	CHECK(is_listed("token", "open") && !has_record("guest", writing, NULL));
}

static void there_may_be_a_thousand(void)
{
	char token[16];

	with_private(NULL);
	CHECK_OK(share_as("short", "bob", &notes, writing, 1000));
	for (int i = 1; i < TL__SERVE_MAX_SHARES; i++) {
		snprintf(token, sizeof token, "token%d", i);
		CHECK_OK(share(token, &notes, writing));
	}
	CHECK_CODE(share("one more", &notes, writing), TL_E_TOO_LARGE);
	tl__sim_run(sim, 1000); /* one of them ends */
	CHECK_OK(share("one more", &notes, writing));
	CHECK(!is_listed("short", "expired") && is_listed("one more", "open"));
	CHECK_CODE(share("and one", &notes, writing), TL_E_TOO_LARGE);
	tl__sim_run(sim, 32 * DAY); /* those that ended long ago are forgotten */
	CHECK_OK(share("and one", &notes, writing));
	CHECK(core_of(bob)->serve->offers.count == 1);
}

/* --- whatever is lost ------------------------------------------------------------------------- */

/* A guest asks, and is gone `ms` later; whether he was answered before. */
static bool asks_and_leaves(uint64_t ms)
{
	const tl__sim_net slow = {.latency_min_ms = 1,
		.latency_max_ms = 1,
		.dial_ms = 1000,
		.idle_ms = 1000,
		.work_min_ms = 3,
		.work_max_ms = 3};
	const char *const proofs[] = {"guest", "token"};
	tl__v1_access args = {.name = TL__STR("laptop"), .permission = writing, .has_share = true};
	tl__sync_request request = {.path = TL__STR(TL__V1_PATH_PREFIX "access"),
		.content_type = TL__STR(TL__V1_CONTENT_TYPE),
		.remote = TL__STR(REMOTE),
		.channel = TL__STR("none"),
		.transport = TL__STR("http")};
	tl__buf text = TL__BUF_INIT, frame = TL__BUF_INIT;
	tl__sim_answer answer;
	tl__v1_request m;

	with_private(NULL);
	CHECK_OK(share("token", &notes, writing));
	tl__sim_set_net(sim, &slow);
	args.key = device_of("guest");
	args.share = device_of("token");
	tl__v1_write_access(&text, &args);
	m = request_of("access", &notes, tl__buf_view(&text));
	write_frame(&frame, &m, proofs, 2, TL__STR(""));
	request.body = tl__buf_view(&frame);
	tl__sim_ask(bob, &request, &answer, ms);
	tl__buf_free(&answer.body);
	tl__buf_free(&text);
	tl__buf_free(&frame);
	return answer.answered;
}

/* The process ends `ms` after the request came; then another key comes first. */
static bool crash_after(uint64_t ms)
{
	bool other, guest, was_answered = asks_and_leaves(ms);

	restart(bob);
	tl__sim_run(sim, 100);
	other = is_granted(redeem("other", "token"));
	guest = is_granted(redeem("guest", "token"));
	CHECK(other != guest);
	CHECK(has_record("other", writing, NULL) == other);
	CHECK(has_record("guest", writing, NULL) == guest);
	CHECK(!was_answered || guest);
	if (guest)
		CHECK_CODE(revoke_share("token"), TL_E_SHARE_USED);
	return was_answered;
}

static void no_crash_lets_two_keys_in(void)
{
	bool answered = false;
	unsigned runs = 0;

	for (uint64_t ms = 0; ms < 100 && !answered && spec_case_ok; ms++, runs++) {
		if (!sim_begin(1))
			return;
		answered = crash_after(ms);
		sim_end();
	}
	CHECK(answered && runs > 8); /* it ended in between, too */
}

/* Makes the guest a reader. */
static void lower_guest(const char *record)
{
	tl_transaction *tx = begin(bob, &notes, "bob");
	tl_settings_store *settings = NULL;
	char text[TL_KEY_TEXT_LEN + 1];

	key_text("guest", text);
	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_set_auth_key(
		settings, z(record), z(text), reading, TL_KEY_ACTIVE));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
}

/* Whoever got the record has used the share, and gets nothing of it again. */
static bool leave_after(uint64_t ms)
{
	bool was_answered = asks_and_leaves(ms);
	char record[64];

	tl__sim_run(sim, 1000);
	if (has_record("guest", writing, record)) {
		CHECK_CODE(revoke_share("token"), TL_E_SHARE_USED);
		lower_guest(record);
		CHECK(is_refused(redeem("guest", "token"), "share_used"));
	} else {
		CHECK(!was_answered);
		CHECK_OK(revoke_share("token"));
		CHECK(redeem("guest", "token").status == TL__V1_NOT_AVAILABLE);
	}
	return was_answered;
}

static void who_leaves_meanwhile_uses_it_once(void)
{
	bool answered = false;

	for (uint64_t ms = 0; ms < 100 && !answered && spec_case_ok; ms++) {
		if (!sim_begin(1))
			return;
		answered = leave_after(ms);
		sim_end();
	}
	CHECK(answered);
}

/* The same request comes by another way, where the first one is left: it is one share for one key.
 */
static bool come_again_after(uint64_t ms)
{
	bool was_answered = asks_and_leaves(ms);

	CHECK(is_granted(redeem("guest", "token")));
	tl__sim_run(sim, 1000);
	CHECK(has_record("guest", writing, NULL));
	CHECK(is_refused(redeem("other", "token"), "share_used"));
	CHECK_CODE(revoke_share("token"), TL_E_SHARE_USED);
	return was_answered;
}

static void who_comes_by_two_ways_is_one_guest(void)
{
	bool answered = false;

	for (uint64_t ms = 0; ms < 100 && !answered && spec_case_ok; ms++) {
		if (!sim_begin(1))
			return;
		answered = come_again_after(ms);
		sim_end();
	}
	CHECK(answered);
}

/* It is nobody's before it is durable, and whoever makes it hears what became of it. */
static void nobody_touches_one_that_is_being_made(void)
{
	tl__sync_share share = {.expires_ms = 1};
	tl__sync_command command = {.kind = TL__SYNC_SHARE,
		.has_db = true,
		.permission = writing,
		.name = TL__STR("bob"),
		.share = &share};
	tl__sim_result result = {.complete = false};
	char token[16];

	with_private(NULL);
	for (int i = 1; i < TL__SERVE_MAX_SHARES; i++) {
		snprintf(token, sizeof token, "token%d", i);
		CHECK_OK(share_as(token, "bob", &notes, writing, DAY));
	}
	tl__sim_set_net(sim, &(tl__sim_net){.work_min_ms = 100, .work_max_ms = 100});
	command.db = notes;
	CHECK_OK(tl__sim_public("token", &share.key));
	CHECK_OK(tl__sim_public("bob", &share.maker));
	tl__sim_command(bob, &command, &result, 0);
	tl__sim_run(sim, 10);
	CHECK(!result.complete && !is_listed("token", "expired"));
	CHECK_CODE(revoke_share("token"), TL_E_SHARE_NOT_FOUND);
	CHECK_CODE(share_as("one more", "bob", &notes, writing, DAY), TL_E_TOO_LARGE);
	tl__sim_run(sim, 1000);
	CHECK(result.complete && result.code == TL_OK);
	CHECK(is_listed("token", "expired"));
}

/* Taking it back holds, or fails and can be done again. */
static void what_could_not_be_taken_back_stays(void)
{
	bool failed = true;
	int failures = 0;

	with_private(NULL);
	for (size_t n = 1; failed && spec_case_ok; n++) {
		int rc;

		CHECK_OK(share("token", &notes, writing));
		tl__sim_run(sim, 1000);
		(void)tl__sim_fail_alloc(sim, n);
		rc = revoke_share("token");
		failed = tl__sim_fail_alloc(sim, 0);
		failures += rc != TL_OK;
		CHECK(is_listed("token", "open") == (rc != TL_OK));
		tl__sim_run(sim, MINUTE);
		if (rc != TL_OK)
			CHECK_OK(revoke_share("token"));
		restart(bob);
		tl__sim_run(sim, 100);
		CHECK(redeem("guest", "token").status == TL__V1_NOT_AVAILABLE);
	}
	CHECK(failures > 0);
}

/* --- joining ---------------------------------------------------------------------------------- */

static int join(tl__sim_peer *peer, const char *token, tl__sim_peer *at, tl__sim_result *result)
{
	tl_address addresses[2] = {{"http", "nobody:1"}};
	tl__sync_command command = {.kind = TL__SYNC_JOIN,
		.has_key = true,
		.key = *tl__sim_key(bob),
		.has_db = true,
		.db = notes,
		.permission = writing,
		.name = TL__STR("my.key"),
		.secret_count = 2,
		.addresses = addresses,
		.address_count = 2};
	tl_secret secrets[2];

	tl__sim_address(at, &addresses[1]);
	CHECK_OK(tl__sim_secret(tl__sim_name(peer), &secrets[0]));
	CHECK_OK(tl__sim_secret(token, &secrets[1]));
	command.secrets = secrets;
	return run_command(peer, &command, result, HOUR);
}

static void who_joins_holds_the_database(void)
{
	tl__sim_peer *carol, *dave;
	char id[TL_ID_TEXT_LEN + 1], name[64];
	tl__sim_result result;

	with_private(NULL);
	carol = add_peer("carol");
	dave = add_peer("dave");
	CHECK_OK(share("token", &notes, writing));
	CHECK_OK(join(carol, "token", bob, &result));
	tl_id_format(&notes, id);
	CHECK(strcmp(result.text, id) == 0);
	CHECK(reads(carol, &notes, "k", "from bob"));
	CHECK(has_record("carol", writing, name) && strcmp(name, "my-key") == 0);
	CHECK(tl__sync_is_related(core_of(carol), tl__sim_key(bob), &notes));
	CHECK_OK(join(carol, "token", bob, &result)); /* goes on */
	/* What is written there comes here, and the other way. */
	put(carol, &notes, "l", "from carol");
	put(bob, &notes, "m", "later");
	tl__sim_run(sim, MINUTE);
	CHECK(reads(bob, &notes, "l", "from carol") && reads(carol, &notes, "m", "later"));
	CHECK_CODE(join(dave, "token", bob, &result), TL_E_SHARE_USED);
	CHECK_CODE(join(dave, "wrong", bob, &result), TL_E_SHARE_NOT_FOUND);
	CHECK(!holds(dave, &notes));
	CHECK_CODE(join(bob, "token", bob, &result), TL_E_OWN_SHARE);
	CHECK_OK(share_as("second", "bob", &notes, writing, 1));
	tl__sim_run(sim, 10);
	CHECK_CODE(join(dave, "second", bob, &result), TL_E_SHARE_EXPIRED);
}

/* Another node is at the address: nothing of the token is told to it. */
static void another_node_hears_no_token(void)
{
	tl__sim_peer *carol, *mallory;
	tl__sim_result result;

	with_private(NULL);
	carol = add_peer("carol");
	mallory = add_peer("mallory");
	CHECK_OK(share("token", &notes, writing));
	CHECK_CODE(join(carol, "token", mallory, &result), TL_E_KEY_MISMATCH);
	CHECK(tl__sim_requests(sim, carol, mallory, TL__V1_PATH_PREFIX "access") == 0);
	CHECK(tl__sim_requests(sim, carol, mallory, "/api/v0") == 0);
	CHECK(is_listed("token", "open"));
}

int main(void)
{
	RUN_SIM(a_token_gives_access_once);
	RUN_SIM(what_was_taken_back_is_not_given_again);
	RUN_SIM(who_may_already_uses_nothing_up);
	RUN_SIM(guests_whose_keys_are_called_the_same_get_records_of_their_own);
	RUN_SIM(who_guesses_learns_nothing);
	RUN_SIM(who_guesses_may_not_guess_often);
	RUN_SIM(a_proof_that_was_overheard_is_of_no_use);
	RUN_SIM(it_expires);
	RUN_SIM(it_can_be_taken_back);
	RUN_SIM(it_gives_no_more_than_it_says);
	RUN_SIM(it_gives_no_more_than_its_maker_may_give_then);
	RUN_SIM(the_policy_may_refuse_it);
	RUN_SIM(there_may_be_a_thousand);
	RUN(no_crash_lets_two_keys_in);
	RUN(who_leaves_meanwhile_uses_it_once);
	RUN(who_comes_by_two_ways_is_one_guest);
	RUN_SIM(nobody_touches_one_that_is_being_made);
	RUN_SIM(what_could_not_be_taken_back_stays);
	RUN_SIM(who_joins_holds_the_database);
	RUN_SIM(another_node_hears_no_token);
	return spec_end();
}
