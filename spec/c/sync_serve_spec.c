/* The order of checks of protocol v1: every one of them, what is said when it fails, and what that
 * may change. */
#include "serve_help.h"

static tl_id notes; /* a database that alice's key may write */

static void with_notes(const tl__sim_config *config)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_WRITE, 5}));
}

/* --- 1: lengths, the remote's bucket ---------------------------------------------------------- */

static void a_good_request_is_answered(void)
{
	heard h;

	with_notes(NULL);
	h = pull(&notes, NULL, 0); /* alice's device key is the one that is granted */
	CHECK(h.is_signed && h.status == TL__V1_OK && h.http == 200 && !h.closes);
	CHECK(tl__str_eq(h.header.channel, TL__STR("none")));
	CHECK(memcmp(h.header.epoch, core_of(bob)->epoch, sizeof h.header.epoch) == 0);
	CHECK(entries_in(&h) == 2);
	heard_free(&h);
}

static void frames_of_wrong_length_are_refused(void)
{
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;
	heard h;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	CHECK_UNSIGNED(say_bytes("pull", TL__STR("")), BAD_REQUEST);
	CHECK_UNSIGNED(say_bytes("pull", TL__STR("\0\0\0\0")), BAD_REQUEST);
	CHECK_UNSIGNED(say_bytes("pull", TL__STR("\0\1\0\1xxxx")), BAD_REQUEST);
	for (size_t cut = 1; cut < frame.len; cut += 37)
		CHECK_UNSIGNED(
			say_bytes("pull", (tl_str){frame.ptr, frame.len - cut}), BAD_REQUEST);
	tl__buf_byte(&frame, 'x'); /* a body that was not announced */
	CHECK_SIGNED(say_bytes("pull", tl__buf_view(&frame)), BAD_REQUEST);
	h = say_bytes("pull", TL__STR("junk"));
	CHECK(h.http == 400 && h.closes);
	heard_free(&h);
	tl__buf_free(&frame);
}

/* {"x":"…"} of so many bytes. */
static void write_args(tl__buf *out, size_t len)
{
	tl__buf_text(out, "{\"x\":\"");
	while (out->len < len - 2)
		tl__buf_byte(out, 'x');
	tl__buf_text(out, "\"}");
}

/* The longest header, all signatures, the longest body: read whole, and not a byte more. */
static void a_frame_is_so_long_at_most(void)
{
	static const char *const keys[TL__V1_MAX_KEYS] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6",
		"k7", "k8", "k9", "k10", "k11", "k12", "k13", "k14", "k15"};
	tl__buf frame = TL__BUF_INIT, args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	with_notes(NULL);
	while (body.len < TL__V1_MAX_LARGE_BODY)
		tl__buf_byte(&body, 'x');
	write_args(&args, 100);
	m = request_of("unheard", &notes, tl__buf_view(&args));
	write_frame(&frame, &m, keys, TL__V1_MAX_KEYS, tl__buf_view(&body));
	REQUIRE(frame.len < TL__SYNC_MAX_FRAME);
	tl__buf_clear(&args);
	write_args(&args, 100 + TL__SYNC_MAX_FRAME - frame.len);
	m.args = tl__buf_view(&args);
	tl__buf_clear(&frame);
	write_frame(&frame, &m, keys, TL__V1_MAX_KEYS, tl__buf_view(&body));
	CHECK(frame.len == TL__SYNC_MAX_FRAME);
	CHECK_SIGNED(say_bytes("unheard", tl__buf_view(&frame)), UNKNOWN_METHOD);
	tl__buf_byte(&frame, 'x');
	h = say_bytes("unheard", tl__buf_view(&frame));
	CHECK(h.answered && h.http == 413);
	heard_free(&h);
	tl__buf_free(&frame);
	tl__buf_free(&args);
	tl__buf_free(&body);
}

static void a_full_host_bucket_answers_429(void)
{
	heard h;

	begin_serve(NULL);
	empty_bucket(TL__STR("203.0.113.9"), TL__SERVE_REMOTE_BURST, TL__SERVE_REMOTE_PER_S);
	h = say_bytes("pull", TL__STR("junk"));
	CHECK(h.http == 429);
	heard_free(&h);
}

/* A machine that has all addresses of a /64 is no crowd. */
static void a_net_of_ipv6_shares_a_bucket(void)
{
	static const voice one = {"[2001:db8:1:2::1]:4000", "none"},
			   two = {"[2001:db8:1:2:ffff::2]:4000", "none"},
			   other = {"[2001:db8:1:3::1]:4000", "none"},
			   mapped = {"[::ffff:203.0.113.9]:4000", "none"};
	heard h;

	begin_serve(NULL);
	empty_bucket(TL__STR("2001:db8:1:2::/64"), TL__SERVE_REMOTE_BURST, TL__SERVE_REMOTE_PER_S);
	h = say_bytes_from(&one, "pull", TL__STR("junk"));
	CHECK(h.http == 429);
	heard_free(&h);
	empty_bucket(TL__STR("2001:db8:1:2::/64"), TL__SERVE_REMOTE_BURST, TL__SERVE_REMOTE_PER_S);
	h = say_bytes_from(&two, "pull", TL__STR("junk"));
	CHECK(h.http == 429);
	heard_free(&h);
	h = say_bytes_from(&other, "pull", TL__STR("junk"));
	CHECK(h.http == 400);
	heard_free(&h);
	empty_bucket(TL__STR("203.0.113.9"), TL__SERVE_REMOTE_BURST, TL__SERVE_REMOTE_PER_S);
	h = say_bytes_from(&mapped, "pull", TL__STR("junk"));
	CHECK(h.http == 429);
	heard_free(&h);
}

/* --- 2: who, what, when ----------------------------------------------------------------------- */

static void a_request_for_somebody_else_is_refused(void)
{
	tl__v1_request m;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	m.to = device_of("carol");
	CHECK_UNSIGNED(say(&m), WRONG_RECIPIENT);
	/* Redirected: signed for bob's key, but as if bob himself had sent it. */
	m = request_of("pull", &notes, PULL_ARGS);
	m.from = *tl__sim_key(bob);
	CHECK_UNSIGNED(say(&m), BAD_REQUEST);
}

static void the_path_names_the_method(void)
{
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	CHECK_UNSIGNED(say_bytes("push", tl__buf_view(&frame)), BAD_REQUEST);
	CHECK_UNSIGNED(say_bytes("Pull", tl__buf_view(&frame)), BAD_REQUEST);
	CHECK_UNSIGNED(say_bytes("pull/", tl__buf_view(&frame)), BAD_REQUEST);
	tl__buf_free(&frame);
}

static void an_unknown_method_is_told_signed(void)
{
	tl__v1_request m;

	with_notes(NULL);
	m = request_of("reconcile", &notes, TL__STR("{}"));
	CHECK_SIGNED(say(&m), UNKNOWN_METHOD);
}

static void a_header_of_another_form_is_refused(void)
{
	tl__v1_request m;

	with_notes(NULL);
	m = request_of("pull", NULL, PULL_ARGS); /* a pull is about a database */
	CHECK_UNSIGNED(say(&m), BAD_REQUEST);
	m = request_of("list", &notes, LIST_ARGS); /* a list is not */
	CHECK_UNSIGNED(say(&m), BAD_REQUEST);
	m = request_of("pull", &notes, PULL_ARGS);
	m.has_to = false; /* only hello may ask who is there */
	CHECK_UNSIGNED(say(&m), BAD_REQUEST);
}

static void a_wrong_clock_is_told_signed(void)
{
	static const int64_t off[] = {60001, -60001, 3600000, INT64_C(-1000000000000)};
	tl__v1_request m;

	with_notes(NULL);
	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		m = request_of("pull", &notes, PULL_ARGS);
		m.time += off[i];
		CHECK_SIGNED(say(&m), CLOCK_SKEW);
	}
	m = request_of("pull", &notes, PULL_ARGS);
	m.time += 59000;
	CHECK_SIGNED(say(&m), OK);
	m = request_of("pull", &notes, PULL_ARGS);
	m.time -= 59000;
	CHECK_SIGNED(say(&m), OK);
}

static void another_process_is_noticed(void)
{
	tl__v1_request m;
	uint8_t old[TL__V1_EPOCH_BYTES];
	heard h;

	with_notes(NULL);
	memcpy(old, core_of(bob)->epoch, sizeof old);
	restart(bob);
	tl__sim_run(sim, 10);
	m = request_of("pull", &notes, PULL_ARGS);
	memcpy(m.epoch, old, sizeof old);
	h = say(&m);
	CHECK(h.is_signed && h.status == TL__V1_STALE_EPOCH);
	CHECK(memcmp(h.header.epoch, core_of(bob)->epoch, sizeof old) == 0);
	heard_free(&h);
	m = request_of("pull", &notes, PULL_ARGS);
	m.has_epoch = false; /* absent is as good as wrong */
	CHECK_SIGNED(say(&m), STALE_EPOCH);
}

static void who_is_blocked_gets_nothing(void)
{
	tl__v1_request m;
	char text[TL_KEY_TEXT_LEN + 1];
	tl__sync_command command = {.kind = TL__SYNC_REGISTER, .has_key = true};
	tl__sim_result result;

	with_notes(NULL);
	command.key = alice_key;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	command.kind = TL__SYNC_SET_STATUS;
	command.name = TL__STR("blocked");
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	tl_key_format(&alice_key, text);
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say(&m), NOT_PERMITTED);
	CHECK_SIGNED(say_hello(&alice_key, true), NOT_PERMITTED);
	m = request_of("push", &notes, PUSH_ARGS);
	CHECK_SIGNED(say(&m), NOT_PERMITTED);
	m = request_of("list", NULL, LIST_ARGS);
	CHECK_SIGNED(say(&m), NOT_PERMITTED);
	command.name = TL__STR("active");
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say(&m), OK);
}

/* --- 3 and 4: new, and signed ----------------------------------------------------------------- */

static void a_replayed_request_is_refused(void)
{
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	CHECK_SIGNED(say_bytes("pull", tl__buf_view(&frame)), OK);
	CHECK_UNSIGNED(say_bytes("pull", tl__buf_view(&frame)), REPLAYED);
	tl__sim_run(sim, 50000);
	CHECK_UNSIGNED(say_bytes("pull", tl__buf_view(&frame)), REPLAYED);
	tl__sim_run(sim, 30000); /* by now its time is too old, whatever is remembered */
	CHECK(core_of(bob)->serve->senders.count == 1);
	CHECK_UNSIGNED(say_bytes("pull", tl__buf_view(&frame)), REPLAYED);
	tl__sim_run(sim, TL__V1_NONCE_KEPT_MS);
	CHECK_SIGNED(say_bytes("pull", tl__buf_view(&frame)), CLOCK_SKEW);
	restart(bob);
	tl__sim_run(sim, 10);
	CHECK_SIGNED(say_bytes("pull", tl__buf_view(&frame)), CLOCK_SKEW);
	tl__buf_free(&frame);
}

static void an_altered_request_is_refused(void)
{
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	/* One bit anywhere in header and signature. */
	for (size_t at = 4; at < frame.len; at += 23) {
		heard h;

		frame.ptr[at] = (char)(frame.ptr[at] ^ 1);
		h = say_bytes("pull", tl__buf_view(&frame));
		CHECK(h.answered && h.status != TL__V1_OK);
		heard_free(&h);
		frame.ptr[at] = (char)(frame.ptr[at] ^ 1);
	}
	/* Nothing of all that has used the nonce up. */
	CHECK_SIGNED(say_bytes("pull", tl__buf_view(&frame)), OK);
	tl__buf_free(&frame);
}

static void somebody_elses_signature_is_refused(void)
{
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;
	tl_secret mallory;

	with_notes(NULL);
	CHECK_OK(tl__sim_secret("mallory", &mallory));
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_OK(tl__v1_request_write(&frame, &m, &mallory, NULL, 0, TL__STR(""), NULL));
	CHECK_UNSIGNED(say_bytes("pull", tl__buf_view(&frame)), BAD_REQUEST);
	CHECK(core_of(bob)->serve->senders.count == 0);
	tl__buf_free(&frame);
}

/* What is said before the signature was checked changes nothing. */
static void early_refusals_leave_no_trace(void)
{
	tl__v1_request m;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	m.time += 100000;
	CHECK_SIGNED(say(&m), CLOCK_SKEW);
	m = request_of("unheard", NULL, TL__STR("{}"));
	CHECK_SIGNED(say(&m), UNKNOWN_METHOD);
	CHECK(core_of(bob)->serve->senders.count == 0);
	CHECK(core_of(bob)->knock_count == 0 && !core_of(bob)->peers);
}

/* --- 7: body -------------------------------------------------------------------- */

static void the_body_is_the_one_that_was_signed_for(void)
{
	made e;
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT, body = TL__BUF_INIT;

	with_notes(NULL);
	e = make_entry(&notes, &notes, "data", DATA, "alice");
	tl__v1_write_entry(&body, e.text);
	m = request_of("push", &notes, PUSH_ARGS);
	write_frame(&frame, &m, NULL, 0, tl__buf_view(&body));
	frame.ptr[frame.len - 20] = (char)(frame.ptr[frame.len - 20] ^ 1);
	CHECK_SIGNED(say_bytes("push", tl__buf_view(&frame)), BAD_REQUEST);
	CHECK(!bob_has(&notes, &e.id));
	m = request_of("push", &notes, PUSH_ARGS);
	tl__buf_clear(&frame);
	write_frame(&frame, &m, NULL, 0, tl__buf_view(&body));
	CHECK_UNSIGNED(
		say_bytes("push", (tl_str){frame.ptr, frame.len - body.len - 70}), BAD_REQUEST);
	CHECK_SIGNED(say_bytes("push", (tl_str){frame.ptr, frame.len - 1}), BAD_REQUEST);
	made_free(&e);
	tl__buf_free(&frame);
	tl__buf_free(&body);
}

static void lines_of_another_kind_are_refused(void)
{
	tl__v1_request m;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say_with(&m, NULL, 0, TL__STR("{\"tree\":{}}\n")), BAD_REQUEST);
	m = request_of("pull", &notes, TL__STR("{}"));
	CHECK_SIGNED(say(&m), BAD_REQUEST);
	m = request_of("push", &notes, PUSH_ARGS);
	CHECK_SIGNED(say_with(&m, NULL, 0, TL__STR("{\"tree\":{}}")), BAD_REQUEST); /* no end */
	m = request_of("push", &notes, TL__STR("{\"seen\":1}"));
	CHECK_SIGNED(say(&m), BAD_REQUEST);
	m = request_of("list", NULL, TL__STR("{\"after\":\"x\"}"));
	CHECK_SIGNED(say(&m), BAD_REQUEST);
	m = request_of("list", NULL, LIST_ARGS);
	CHECK_SIGNED(say_with(&m, NULL, 0, TL__STR("x\n")), BAD_REQUEST);
	m = request_of("access", &notes, TL__STR("{\"key\":1}"));
	CHECK_SIGNED(say(&m), BAD_REQUEST);
	m = request_of("hello", NULL, TL__STR("{}"));
	CHECK_SIGNED(say(&m), BAD_REQUEST);
}

int main(void)
{
	RUN_SIM(a_good_request_is_answered);
	RUN_SIM(frames_of_wrong_length_are_refused);
	RUN_SIM(a_frame_is_so_long_at_most);
	RUN_SIM(a_full_host_bucket_answers_429);
	RUN_SIM(a_net_of_ipv6_shares_a_bucket);
	RUN_SIM(a_request_for_somebody_else_is_refused);
	RUN_SIM(the_path_names_the_method);
	RUN_SIM(an_unknown_method_is_told_signed);
	RUN_SIM(a_header_of_another_form_is_refused);
	RUN_SIM(a_wrong_clock_is_told_signed);
	RUN_SIM(another_process_is_noticed);
	RUN_SIM(who_is_blocked_gets_nothing);
	RUN_SIM(a_replayed_request_is_refused);
	RUN_SIM(an_altered_request_is_refused);
	RUN_SIM(somebody_elses_signature_is_refused);
	RUN_SIM(early_refusals_leave_no_trace);
	RUN_SIM(the_body_is_the_one_that_was_signed_for);
	RUN_SIM(lines_of_another_kind_are_refused);
	return spec_end();
}
