/* Exchanges that end before they are done, by a rate or a pause: what they got counts, what they
 * lack is asked for, and nothing waits for what is not owed any more. */
#include "sync/out/outbound.h"
#include "base/str.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"
#define RATE 1000

static remote theirs;
static tl_id root;

static void configure(const tl_pair_options *options)
{
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};

	command.key = bob.key;
	command.db = root;
	command.pair_options = options;
	CHECK_DONE(rig_command(command), TL_OK);
}

static void configure_rate(uint64_t rate)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;

	options.rate = rate;
	configure(&options);
}

/* Bob has a chain of three, of which nothing is here. */
static void relate(uint64_t rate)
{
	make_remote(&theirs, 3);
	root = theirs.id[0];
	meet(&bob, HOME);
	configure_rate(rate);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static void give(size_t at, bool more)
{
	page_answer page = {.n = at + 1, .more = more, .from = &theirs, .first = at, .count = 1};

	page.tips = &theirs.id[2];
	page.tip_count = !more;
	answer_page(&bob, &page);
}

static void what_came_before_it_rests_counts(void)
{
	relate(RATE);
	for (size_t i = 0; i < 3; i++) {
		give(i, i < 2);
		rig_pass(theirs.len[i] * 1000 / RATE + 300);
	}
	CHECK(pair_of(&bob, &root)->received == 3);
	CHECK(pair_of(&bob, &root)->total_count > 0);
	free_remote(&theirs);
}

static void what_is_missing_is_asked_for_before_it_rests(void)
{
	relate(RATE);
	give(0, true);
	CHECK(r.send_count == 0);
	rig_pass(theirs.len[0] * 1000 / RATE + 300);
	give(2, false);
	CHECK(r.send_count == 1 && sends("/tidelock/v1/pull", NULL));
	give(1, false);
	CHECK(pair_of(&bob, &root)->db->arrivals == 3 && !pair_of(&bob, &root)->gap);
	free_remote(&theirs);
}

static void so_is_what_a_peer_waits_for(void)
{
	tl_database *db = new_database("alice");

	root = *tl_database_root_id(db);
	(void)write_text(db, "data", "n", "1");
	meet(&bob, HOME);
	configure_rate(RATE);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_PENDING, 1, &root) > 0);
	CHECK(r.send_count == 1 && sends("/tidelock/v1/push", NULL));
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL) == 1);
	CHECK(r.events[TL_EVENT_SYNC_FAILED] == 0);
	tl_database_free(db);
}

static void another_rate_lets_go_at_once(void)
{
	relate(1); /* minutes for each entry */
	give(0, true);
	rig_pass(60000);
	CHECK(r.send_count == 0);
	configure_rate(0);
	CHECK(r.send_count == 1);
	give(1, true);
	give(2, false);
	CHECK(pair_of(&bob, &root)->db->arrivals == 3);
	free_remote(&theirs);
}

/* Somebody asks for it while an exchange runs that nobody asked for, and which rests then. */
static void a_command_outlives_a_pause(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	uint64_t op;

	relate(0);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	options.paused = true;
	configure(&options);
	give(0, true);
	rig_pass(1000);
	CHECK(r.send_count == 1);
	give(1, true);
	give(2, false);
	CHECK_DONE(op, TL_OK);
	rig_pass(600000);
	CHECK(r.send_count == 0 && r.events[TL_EVENT_SYNC_FAILED] == 0);
	free_remote(&theirs);
}

static void another_direction_counts_from_the_next_page_on(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	uint64_t op;

	relate(0);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	options.direction = TL_DIRECTION_PUSH;
	configure(&options);
	give(0, true);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->received == 1);
	CHECK_DONE(op, TL_OK);
	rig_pass(600000);
	CHECK(r.send_count == 0 && r.events[TL_EVENT_SYNC_FAILED] == 0);
	free_remote(&theirs);
}

/* 0.2.0 peers are asked behind what they were sent; not where nothing is sent to them any more. */
static void a_flush_waits_for_no_confirmation_of_what_is_only_pulled(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl__sync_command flush = {.kind = TL__SYNC_FLUSH, .send_only = true};

	relate(0);
	for (size_t i = 0; i < 3; i++)
		give(i, i < 2);
	options.direction = TL_DIRECTION_PULL;
	configure(&options);
	pair_of(&bob, &root)->confirm_by = r.now + 1000;
	CHECK_DONE(rig_command(flush), TL_OK);
	free_remote(&theirs);
}

/* --- by a policy ------------------------------------------------------------------------------ */

static void judge(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	(void)question;
	verdict->answer = TL_POLICY_USUAL;
	verdict->rate = *(uint64_t *)ud;
}

static void set_policy(const tl_policy *policy)
{
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY, .policy = policy};

	CHECK_DONE(rig_command(command), TL_OK);
}

static void ask(void)
{
	tl_policy_question question = {
		.kind = TL_POLICY_READ, .peer = &carol.key, .otherwise = true};
	tl_policy_verdict verdict;

	(void)tl__sync_ask_policy(r.core, &question, &verdict);
}

static void a_stranger_is_free_when_the_policy_goes(void)
{
	uint64_t rate = 10;
	tl_policy policy = {.size = sizeof policy, .judge = judge, .ud = &rate};

	tl__client_heard(r.core, &carol.key, "http:1");
	set_policy(&policy);
	ask();
	CHECK(tl__rate_page(r.core, &carol.key, NULL, 1000) == 10);
	tl__rate_spend(r.core, &carol.key, NULL, 1000);
	CHECK(tl__rate_free_at(r.core, &carol.key, NULL) == r.now + 100000);
	/* A higher rate pays the same sooner. */
	rate = 1000;
	ask();
	CHECK(tl__rate_free_at(r.core, &carol.key, NULL) == r.now + 1000);
	set_policy(NULL);
	CHECK(tl__rate_page(r.core, &carol.key, NULL, 1000) == 1000);
	CHECK(tl__rate_free_at(r.core, &carol.key, NULL) == 0);
}

/* What strangers say may be as long as their requests. */
static void what_is_kept_of_a_decision_is_short(void)
{
	static char text[2000000];
	tl_policy_question question = {.kind = TL_POLICY_READ};
	tl_policy_verdict verdict = {.size = sizeof verdict, .answer = TL_POLICY_DENY};
	tl__buf out = TL__BUF_INIT;

	memset(text, 'x', sizeof text);
	text[TL__V1_MAX_TEXT - 1] = '\xc3';
	text[TL__V1_MAX_TEXT] = '\xa4';
	question.claimed_key = question.key_name = (tl_str){text, sizeof text};
	tl__trace_keep(r.core, &question, &verdict, false);
	tl__sync_put_decisions(r.core, 1, &out);
	CHECK_OK(tl__buf_status(&out));
	CHECK(out.len < 2000 && tl__utf8_valid(tl__buf_view(&out)));
	tl__buf_free(&out);
}

int main(void)
{
	RUN_RIG(what_came_before_it_rests_counts);
	RUN_RIG(what_is_missing_is_asked_for_before_it_rests);
	RUN_RIG(so_is_what_a_peer_waits_for);
	RUN_RIG(another_rate_lets_go_at_once);
	RUN_RIG(a_command_outlives_a_pause);
	RUN_RIG(another_direction_counts_from_the_next_page_on);
	RUN_RIG(a_flush_waits_for_no_confirmation_of_what_is_only_pulled);
	RUN_RIG(a_stranger_is_free_when_the_policy_goes);
	RUN_RIG(what_is_kept_of_a_decision_is_short);
	return spec_end();
}
