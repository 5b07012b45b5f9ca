/* Shares: a token gives access once, to whoever has it, and to nobody who guesses. The texts:
 * spec/vectors. Real processes: spec/lua/share_spec.lua. */
#include "sync_access_help.h"
#include "sync_share_help.h"

static const tl_permission administering = {TL_ADMIN, 0};

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
	RUN_SIM(who_joins_holds_the_database);
	RUN_SIM(another_node_hears_no_token);
	return spec_end();
}
