/* Shares whatever is lost: crashes, guests that leave or come twice, revocations that fail. */
#include "sync_access_help.h"
#include "sync_share_help.h"

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

int main(void)
{
	RUN(no_crash_lets_two_keys_in);
	RUN(who_leaves_meanwhile_uses_it_once);
	RUN(who_comes_by_two_ways_is_one_guest);
	RUN_SIM(nobody_touches_one_that_is_being_made);
	RUN_SIM(what_could_not_be_taken_back_stays);
	return spec_end();
}
