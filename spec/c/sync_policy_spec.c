/* What a policy is asked, what it may answer, and what of it can be seen. */
#include "serve_help.h"

#define MANY (2 * TL__SYNC_MAX_DECISIONS)

/* The last question of each kind, its texts copied. */
typedef struct noted {
	unsigned count;
	tl_policy_question q;
	char name[64], said[64], db_name[64], transport[16], permission[24], key_name[64];
} noted;

typedef struct script {
	noted asked[TL_POLICY_DELEGATED + 1];
	tl_policy_verdict answers[TL_POLICY_DELEGATED + 1];
	unsigned dropped;
} script;

static script play;
static tl_id notes;

static void copy(char *out, size_t size, tl_str text)
{
	snprintf(out, size, "%.*s", TL__STR_ARG(text));
}

static void judge(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	script *s = ud;
	noted *to = &s->asked[question->kind];

	CHECK(question->size == sizeof *question && verdict->size == sizeof *verdict);
	CHECK(verdict->answer == TL_POLICY_PASS && !verdict->reason[0] && verdict->rate == 0);
	to->count++;
	to->q = *question;
	copy(to->name, sizeof to->name, question->peer_name);
	copy(to->said, sizeof to->said, question->said_name);
	copy(to->db_name, sizeof to->db_name, question->db_name);
	copy(to->transport, sizeof to->transport, question->transport);
	copy(to->permission, sizeof to->permission, question->permission);
	copy(to->key_name, sizeof to->key_name, question->key_name);
	*verdict = s->answers[question->kind];
	verdict->size = sizeof *verdict;
}

static void drop(void *ud)
{
	((script *)ud)->dropped++;
}

static tl_policy policy_of(script *s)
{
	tl_policy policy = TL_POLICY_INIT;

	policy.judge = judge;
	policy.drop = drop;
	policy.ud = s;
	return policy;
}

static void set_policy(const tl_policy *policy)
{
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY, .policy = policy};
	tl__sim_result result;

	CHECK_OK(run_command(bob, &command, &result, MINUTE));
}

static void begin_policy(void)
{
	tl_policy policy = policy_of(&play);

	begin_serve(NULL);
	memset(&play, 0, sizeof play);
	notes = make_db(bob, "notes");
	set_policy(&policy);
}

static void end_policy(void)
{
	set_policy(NULL);
	CHECK(play.dropped == 1);
}

static void answer(tl_policy_kind kind, tl_policy_answer answer, const char *reason)
{
	tl_policy_verdict *verdict = &play.answers[kind];

	verdict->answer = answer;
	snprintf(verdict->reason, sizeof verdict->reason, "%s", reason);
	snprintf(verdict->where, sizeof verdict->where, "spec.lua:%d", (int)kind + 1);
}

static tl__buf decisions(size_t limit)
{
	tl__buf out = TL__BUF_INIT;

	tl__sync_put_decisions(core_of(bob), limit, &out);
	CHECK_OK(tl__buf_status(&out));
	tl__buf_byte(&out, 0);
	return out;
}

static bool decided(const char *text)
{
	tl__buf out = decisions(0);
	bool found = out.ptr && strstr(out.ptr, text);

	if (!found)
		printf("decisions: %.2000s\n", out.ptr ? out.ptr : "");
	tl__buf_free(&out);
	return found;
}

static size_t count_decisions(size_t limit)
{
	tl__buf out = decisions(limit);
	size_t count = 0;

	for (const char *at = out.ptr; (at = strstr(at, "{\"time\"")); at++)
		count++;
	tl__buf_free(&out);
	return count;
}

/* --- what is asked ---------------------------------------------------------------------------- */

static void rename_alice(const char *name)
{
	tl__sync_command command = {.kind = TL__SYNC_RENAME, .has_key = true, .name = z(name)};
	tl__sim_result result;

	command.key = alice_key;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
}

static void a_question_says_who_asks_and_about_what(void)
{
	const noted *read = &play.asked[TL_POLICY_READ], *list = &play.asked[TL_POLICY_LIST];
	const char *proof = "laptop";
	heard h;

	begin_policy();
	relate_alice(&notes);
	rename_alice("my phone");
	h = say_hello(&alice_key, true);
	heard_free(&h);
	CHECK(pulled(&notes, &proof, 1) == 1);
	CHECK(play.asked[TL_POLICY_CONNECT].count == 2 && read->count == 1);
	CHECK(play.asked[TL_POLICY_CONNECT].q.db == NULL);
	CHECK(read->q.related && !read->q.granted && read->q.otherwise && !read->q.encrypted);
	CHECK(!read->q.outbound && read->q.protocol == 1 && read->q.key_count == 1);
	CHECK(strcmp(read->name, "my phone") == 0 && strcmp(read->said, "alice") == 0);
	CHECK(strcmp(read->db_name, "notes") == 0 && strcmp(read->transport, "http") == 0);
	CHECK(read->q.time_ms > 0 && read->q.time_ms <= tl__sim_wall(bob));
	CHECK(listed(NULL, 0, NULL) == 1);
	CHECK(list->q.related && !list->q.granted && strcmp(list->db_name, "notes") == 0);
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_READ, 0}));
	CHECK(listed(NULL, 0, NULL) == 1 && list->q.granted);
	CHECK(pulled(&notes, NULL, 0) == 2 && read->q.granted);
	end_policy();
}

static void an_access_request_says_what_is_asked_for(void)
{
	const noted *asked = &play.asked[TL_POLICY_REQUEST];
	tl__v1_access args = {.name = TL__STR("laptop"), .permission = {TL_WRITE, 7}};
	tl__buf text = TL__BUF_INIT;
	tl__v1_request m;

	begin_policy();
	args.key = alice_key;
	tl__v1_write_access(&text, &args);
	m = request_of("access", &notes, tl__buf_view(&text));
	CHECK_SIGNED(say(&m), OK);
	CHECK(asked->count == 1 && asked->q.otherwise);
	CHECK(strcmp(asked->permission, "write:7") == 0 && strcmp(asked->key_name, "laptop") == 0);
	CHECK(strcmp(asked->db_name, "notes") == 0);
	CHECK(core_of(bob)->serve->access.count == 1);
	tl__buf_free(&text);
	end_policy();
}

/* Whatever it says of itself: nobody is matched by that. */
static void a_stranger_with_the_name_of_a_peer_is_a_stranger(void)
{
	const noted *read = &play.asked[TL_POLICY_READ];
	tl__v1_hello hello = {.name = TL__STR("nas"), .max_body_bytes = TL__V1_MAX_BODY_BYTES};
	tl__buf args = TL__BUF_INIT;
	tl__v1_request m;

	begin_policy();
	hello.key = alice_key;
	hello.max_page_entries = 10;
	tl__v1_write_hello(&args, &hello);
	m = request_of("hello", NULL, tl__buf_view(&args));
	CHECK_SIGNED(say(&m), OK);
	CHECK(pulled(&notes, NULL, 0) == 0);
	CHECK(read->count == 1 && !read->q.peer_name.ptr && strcmp(read->said, "nas") == 0);
	CHECK(!read->q.related && !read->q.granted && !read->q.otherwise);
	tl__buf_free(&args);
	end_policy();
}

/* --- what it answers -------------------------------------------------------------------------- */

static void each_answer_does_what_it_says(void)
{
	static const tl_policy_answer answers[] = {TL_POLICY_PASS, TL_POLICY_ALLOW, TL_POLICY_DENY,
		TL_POLICY_DEFER, TL_POLICY_USUAL, (tl_policy_answer)77};
	static const bool to_stranger[] = {false, true, false, false, false, false};
	static const bool to_related[] = {true, true, false, false, true, false};

	begin_policy();
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		answer(TL_POLICY_READ, answers[i], "");
		CHECK((pulled(&notes, NULL, 0) > 0) == to_stranger[i]);
	}
	relate_alice(&notes);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		answer(TL_POLICY_READ, answers[i], "");
		CHECK((pulled(&notes, NULL, 0) > 0) == to_related[i]);
	}
	CHECK(decided("\"reason\":\"the policy gave an answer that is none\""));
	end_policy();
}

static void whoever_comes_when_there_is_no_time_is_told_to_wait(void)
{
	static const tl_policy_kind kinds[] = {TL_POLICY_CONNECT, TL_POLICY_READ, TL_POLICY_LIST};

	begin_policy();
	relate_alice(&notes);
	for (size_t i = 0; i < 3; i++) {
		tl__v1_request m = kinds[i] == TL_POLICY_LIST
					   ? request_of("list", NULL, LIST_ARGS)
					   : request_of("pull", &notes, PULL_ARGS);
		tl__v1_refusal refusal;
		heard h;

		answer(kinds[i], TL_POLICY_BUSY, "");
		h = say(&m);
		CHECK(h.is_signed && h.status == TL__V1_BUSY);
		CHECK_OK(tl__v1_read_refusal(&refusal, h.args));
		CHECK(refusal.wait_ms == 1000);
		heard_free(&h);
		answer(kinds[i], TL_POLICY_PASS, "");
	}
	CHECK(decided("\"answer\":\"busy\",\"allowed\":false"));
	CHECK(core_of(bob)->refusal_count == 0);
	end_policy();
}

/* The reason is the owner's: who is refused learns a code. */
static void a_refusal_is_told_by_a_code_and_kept_with_its_reason(void)
{
	tl__buf status = TL__BUF_INIT;
	heard h;

	begin_policy();
	relate_alice(&notes);
	answer(TL_POLICY_READ, TL_POLICY_DENY, "screens only write");
	h = pull(&notes, NULL, 0);
	CHECK(h.status == TL__V1_NOT_AVAILABLE);
	for (size_t i = 0; i + 7 < h.raw.len; i++)
		CHECK(memcmp(h.raw.ptr + i, "screens", 7) != 0);
	heard_free(&h);
	tl__sync_status(core_of(bob), 0, &status);
	tl__buf_byte(&status, 0);
	CHECK(strstr(status.ptr, "\"reason\":\"screens only write\",\"where\":\"spec.lua:4\""));
	tl__buf_free(&status);
	CHECK(decided("\"kind\":\"read\",\"peer\":\"ed25519:"));
	CHECK(decided("\"related\":true,\"granted\":false,\"encrypted\":false,\"usual\":true,"
		      "\"address\":\"http:" REMOTE "\""));
	CHECK(decided("\"db_name\":\"notes\""));
	CHECK(decided("\"reason\":\"screens only write\",\"where\":\"spec.lua:4\","
		      "\"answer\":\"deny\",\"allowed\":false"));
	end_policy();
}

static void judge_badly(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	(void)ud;
	(void)question;
	verdict->answer = TL_POLICY_DENY;
	memset(verdict->reason, 0xff, sizeof verdict->reason);
	memset(verdict->where, 'x', sizeof verdict->where);
}

static void texts_of_a_policy_are_made_fit_to_be_shown(void)
{
	tl_policy policy = TL_POLICY_INIT;
	tl__buf out;

	begin_policy();
	policy.judge = judge_badly;
	set_policy(&policy);
	CHECK(play.dropped == 1);
	CHECK_SIGNED(pull(&notes, NULL, 0), NOT_PERMITTED);
	out = decisions(1);
	CHECK(tl__utf8_valid(z(out.ptr)) && strstr(out.ptr, "\"reason\":\"\\\\xff"));
	CHECK(strstr(out.ptr, "\"where\":\"xxxx"));
	tl__buf_free(&out);
	set_policy(NULL);
}

/* --- rates ------------------------------------------------------------------------------------ */

static uint64_t told_to_wait(heard h)
{
	tl__v1_refusal refusal = {0};
	uint64_t wait_ms = 0;

	CHECK(h.is_signed && h.status == TL__V1_BUSY);
	if (h.status == TL__V1_BUSY && tl__v1_read_refusal(&refusal, h.args) == TL_OK)
		wait_ms = refusal.wait_ms;
	heard_free(&h);
	return wait_ms;
}

static void a_peer_with_a_rate_is_given_pages_and_told_to_wait(void)
{
	uint64_t wait;

	begin_policy();
	for (int i = 0; i < 5; i++)
		put(bob, &notes, "k", i % 2 ? "x" : "y");
	answer(TL_POLICY_READ, TL_POLICY_ALLOW, "");
	CHECK(pulled(&notes, NULL, 0) == 6);
	play.answers[TL_POLICY_READ].rate = 1000;
	CHECK(pulled(&notes, NULL, 0) == 1);
	wait = told_to_wait(pull(&notes, NULL, 0));
	CHECK(wait > 100 && wait < 3000);
	tl__sim_run(sim, wait + 1);
	CHECK(pulled(&notes, NULL, 0) == 1);
	/* In whatever direction. */
	answer(TL_POLICY_WRITE, TL_POLICY_ALLOW, "");
	CHECK(push_lines(&notes, NULL, 0, NULL, 0).status == TL__V1_BUSY);
	tl__sim_run(sim, 3000);
	play.answers[TL_POLICY_READ].rate = 0;
	CHECK(pulled(&notes, NULL, 0) == 6 && pulled(&notes, NULL, 0) == 6);
	end_policy();
}

static void so_is_a_stranger_with_his_first_request(void)
{
	begin_policy();
	for (int i = 0; i < 5; i++)
		put(bob, &notes, "k", i % 2 ? "x" : "y");
	answer(TL_POLICY_CONNECT, TL_POLICY_ALLOW, "");
	answer(TL_POLICY_READ, TL_POLICY_ALLOW, "");
	play.answers[TL_POLICY_CONNECT].rate = 1000;
	CHECK(pulled(&notes, NULL, 0) == 1);
	CHECK(told_to_wait(pull(&notes, NULL, 0)) > 100);
	end_policy();
}

static void what_a_peer_with_a_rate_gives_is_paid_too(void)
{
	tl_id tip;
	made first, second;

	begin_policy();
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_WRITE, 5}));
	tip = tip_of(&notes);
	first = make_entry(&notes, &tip, "data", DATA, "alice");
	second = make_entry(&notes, &first.id, "data", DATA, "alice");
	play.answers[TL_POLICY_WRITE].rate = 500;
	CHECK(push_lines(&notes, &first.text, 1, NULL, 0).count == 1);
	CHECK(push_lines(&notes, &second.text, 1, NULL, 0).status == TL__V1_BUSY);
	CHECK(!bob_has(&notes, &second.id));
	tl__sim_run(sim, 5000);
	CHECK(push_lines(&notes, &second.text, 1, NULL, 0).count == 1);
	CHECK(bob_has(&notes, &second.id));
	made_free(&first);
	made_free(&second);
	end_policy();
}

static void a_page_has_the_bytes_that_the_policy_gives_it(void)
{
	begin_policy();
	for (int i = 0; i < 5; i++)
		put(bob, &notes, "k", i % 2 ? "x" : "y");
	answer(TL_POLICY_CONNECT, TL_POLICY_USUAL, "");
	answer(TL_POLICY_READ, TL_POLICY_ALLOW, "");
	play.answers[TL_POLICY_CONNECT].page = 1500;
	relate_alice(&notes);
	CHECK(pulled(&notes, NULL, 0) < 6 && pulled(&notes, NULL, 0) > 0);
	play.answers[TL_POLICY_READ].page = 1000000; /* says something else for itself */
	CHECK(pulled(&notes, NULL, 0) == 6);
	set_policy(NULL);
	CHECK(play.dropped == 1 && pulled(&notes, NULL, 0) == 6);
}

static void a_pair_with_a_rate_holds_its_peer_as_well(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};
	tl__sim_result result;

	begin_policy();
	relate_alice(&notes);
	options.rate = 1000;
	command.key = alice_key;
	command.db = notes;
	command.pair_options = &options;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	CHECK(pulled(&notes, NULL, 0) == 1);
	CHECK(told_to_wait(pull(&notes, NULL, 0)) > 0);
	end_policy();
}

/* --- what pairs give ------------------------------------------------------------------------- */

static void a_relation_gives_by_its_direction(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};
	tl__sim_result result;
	tl_id tip;
	made by_bob;

	begin_policy();
	relate_alice(&notes);
	tip = tip_of(&notes);
	by_bob = make_entry(&notes, &tip, "data", DATA, "bob");
	command.key = alice_key;
	command.db = notes;
	command.pair_options = &options;
	options.direction = TL_DIRECTION_PUSH;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	CHECK(listed(NULL, 0, NULL) == 1 && pulled(&notes, NULL, 0) > 0);
	CHECK(push_lines(&notes, &by_bob.text, 1, NULL, 0).status == TL__V1_NOT_PERMITTED);
	CHECK(!play.asked[TL_POLICY_WRITE].q.related && !play.asked[TL_POLICY_WRITE].q.otherwise);
	options.direction = TL_DIRECTION_PULL;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	CHECK(listed(NULL, 0, NULL) == 0 && pulled(&notes, NULL, 0) == 0);
	CHECK(push_lines(&notes, &by_bob.text, 1, NULL, 0).count == 1);
	CHECK(play.asked[TL_POLICY_WRITE].q.related && !play.asked[TL_POLICY_READ].q.related);
	made_free(&by_bob);
	end_policy();
}

/* --- the trace -------------------------------------------------------------------------------- */

static void the_last_decisions_are_kept(void)
{
	tl__buf one;

	begin_policy();
	CHECK(count_decisions(0) == 0);
	CHECK_SIGNED(pull(&notes, NULL, 0), NOT_AVAILABLE);
	CHECK(count_decisions(0) == 2 && count_decisions(1) == 1);
	one = decisions(1);
	CHECK(strstr(one.ptr, "\"kind\":\"read\"")); /* newest first */
	tl__buf_free(&one);
	for (unsigned i = 0; i < MANY; i++) {
		tl_policy_question question = {.kind = TL_POLICY_DIAL, .address = "sim:a"};
		tl_policy_verdict verdict;

		question.otherwise = i == MANY - 1;
		(void)tl__sync_ask_policy(core_of(bob), &question, &verdict);
	}
	CHECK(count_decisions(0) == TL__SYNC_MAX_DECISIONS);
	CHECK(count_decisions(MANY) == TL__SYNC_MAX_DECISIONS);
	one = decisions(1);
	CHECK(strstr(one.ptr, "\"usual\":true"));
	tl__buf_free(&one);
	CHECK(!play.dropped);
	end_policy();
}

int main(void)
{
	RUN_SIM(a_question_says_who_asks_and_about_what);
	RUN_SIM(an_access_request_says_what_is_asked_for);
	RUN_SIM(a_stranger_with_the_name_of_a_peer_is_a_stranger);
	RUN_SIM(each_answer_does_what_it_says);
	RUN_SIM(whoever_comes_when_there_is_no_time_is_told_to_wait);
	RUN_SIM(a_refusal_is_told_by_a_code_and_kept_with_its_reason);
	RUN_SIM(texts_of_a_policy_are_made_fit_to_be_shown);
	RUN_SIM(a_peer_with_a_rate_is_given_pages_and_told_to_wait);
	RUN_SIM(so_is_a_stranger_with_his_first_request);
	RUN_SIM(what_a_peer_with_a_rate_gives_is_paid_too);
	RUN_SIM(a_page_has_the_bytes_that_the_policy_gives_it);
	RUN_SIM(a_pair_with_a_rate_holds_its_peer_as_well);
	RUN_SIM(a_relation_gives_by_its_direction);
	RUN_SIM(the_last_decisions_are_kept);
	return spec_end();
}
