/* The steps of an exchange with a 0.2.0 peer: each way between them is walked. */
#include "v0_sync_help.h"
#include "session_walk.h"

#define NO_SUCH_TREE "{\"Error\":\"no such tree\"}"
#define TOO_LARGE    413 /* HTTP status */

static remote all;

/* --- what may happen ----------------------------------------------------------------------------- */

/* We hold `count` entries; the first question is under way. */
static void have(size_t count)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (size_t i = 1; i < count; i++)
		(void)write_text(db, "data", "n", "x");
	meet_v0(&bob, HOME);
	walk_begins();
}

static void start(void)
{
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

static uint64_t wanted(tl__v0_request_kind kind)
{
	tl__v0_request request;
	uint64_t exchange = 0;

	if (!take_v0(&request, &exchange)) {
		FAIL_CASE("a request was expected");
		return 0;
	}
	CHECK(request.kind == kind);
	tl__v0_request_free(&request);
	return exchange;
}

/* Bob has what we have up to this entry, and nothing else. */
static void tell(size_t tip)
{
	free_remote(&all);
	copy_entries(&all, &root);
	answer_incremental(wanted(TL__V0_SYNC_TREE), &root, &all.id[tip], &all, 0, 0);
}

static void tell_nothing(void)
{
	answer_tree_bytes(wanted(TL__V0_SYNC_TREE), &root, z(NO_SUCH_TREE));
}

static void take(void)
{
	answer_bytes(wanted(TL__V0_SEND_ENTRIES), 200, z("\"Ack\""));
}

static void end(void)
{
	CHECK(r.send_count == 0);
	tl_database_free(db);
	db = NULL;
	free_remote(&all);
}

/* --- the walks ----------------------------------------------------------------------------------- */

static void bob_has_all(void)
{
	have(2);
	start();
	tell(1);
	end();
}

static void bob_lacks_some(void)
{
	have(3);
	start();
	tell(0);
	take();
	tell(2);
	end();
}

static void a_commit(void)
{
	in_step(2);
	walk_begins();
	commit_one();
	take();
	end();
}

static void bob_does_not_say(void)
{
	have(2);
	start();
	tell_nothing();
	take();
	tell_nothing();
	end();
}

static void only_pulled(void)
{
	have(2);
	only(TL_DIRECTION_PULL, &root);
	start();
	tell(1);
	end();
}

/* An entry came without its parents, and one cannot be asked for by name. */
static void something_is_missing(void)
{
	make_remote(&all, 4);
	root = all.id[0];
	meet_v0(&bob, HOME);
	walk_begins();
	start();
	all.count = 2;
	answer_bootstrap(wanted(TL__V0_SYNC_TREE), &root, &all, 0);
	all.count = 4;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_incremental(wanted(TL__V0_SYNC_TREE), &root, &all.id[3], &all, 3, 1);
	answer_bootstrap(wanted(TL__V0_SYNC_TREE), &root, &all, 0);
	answer_incremental(wanted(TL__V0_SYNC_TREE), &root, &all.id[3], &all, 0, 0);
	end();
}

static void a_message_is_too_large_for_the_way(void)
{
	have(3);
	start();
	tell(0);
	answer_bytes(wanted(TL__V0_SEND_ENTRIES), TOO_LARGE, z(""));
	take();
	take();
	tell(2);
	end();
}

/* What is committed fits no Iroh stream: there is nothing to send, so bob is asked. */
static void what_is_committed_does_not_fit(void)
{
	tl__sync_event iroh = {.kind = TL__SYNC_TRANSPORT, .transport.type = TL__STR("iroh")};
	tl__sync_event timer = {.kind = TL__SYNC_TIMER};
	static char text[1024 * 1024 - 700]; /* of an entry of 1 MiB */

	memset(text, 'x', sizeof text - 1);
	in_step(2);
	rig_event(&iroh);
	snprintf(peer_of(&bob)->addresses[0].address.type,
		sizeof peer_of(&bob)->addresses[0].address.type, "iroh");
	walk_begins();
	(void)write_text(db, "data", "n", text);
	rig_event(&timer);
	tell(1);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_TOO_LARGE);
	end();
}

/* --- broken off at each step --------------------------------------------------------------------- */

static void broken_off_at(tl__step step)
{
	have(3);
	r.hold_works = true;
	(void)pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL);
	if (step != TL__STEP_V0_TIPS)
		hold_until(&root, TL__STEP_V0_ASK);
	if (step == TL__STEP_V0_STORE || step == TL__STEP_V0_PLAN || step == TL__STEP_V0_SEND)
		tell(0);
	hold_until(&root, step);
	break_off(&root);
	end();
}

static void broken_off_at_tips(void)
{
	broken_off_at(TL__STEP_V0_TIPS);
}

static void broken_off_at_ask(void)
{
	broken_off_at(TL__STEP_V0_ASK);
}

static void broken_off_at_store(void)
{
	broken_off_at(TL__STEP_V0_STORE);
}

static void broken_off_at_plan(void)
{
	broken_off_at(TL__STEP_V0_PLAN);
}

static void broken_off_at_send(void)
{
	broken_off_at(TL__STEP_V0_SEND);
}

static const walk walks[] = {
	{"bob has all", bob_has_all, "begin v0_tips v0_ask v0_store v0_plan over"},
	{"bob lacks some", bob_lacks_some,
		"begin v0_tips v0_ask v0_store v0_plan v0_send v0_tips v0_ask v0_store v0_plan "
		"over"},
	{"a commit", a_commit, "begin v0_plan v0_send over"},
	{"bob does not say", bob_does_not_say,
		"begin v0_tips v0_ask v0_plan v0_send v0_tips v0_ask over"},
	{"only pulled", only_pulled, "begin v0_tips v0_ask v0_store over"},
	{"something is missing", something_is_missing,
		"begin v0_tips v0_ask v0_store v0_plan over, "
		"begin v0_tips v0_ask v0_store v0_tips v0_ask v0_store v0_tips v0_ask v0_store "
		"v0_plan over"},
	{"a message is too large for the way", a_message_is_too_large_for_the_way,
		"begin v0_tips v0_ask v0_store v0_plan v0_send v0_plan v0_send v0_plan v0_send "
		"v0_tips v0_ask v0_store v0_plan over"},
	{"what is committed does not fit", what_is_committed_does_not_fit,
		"begin v0_plan v0_tips v0_ask v0_store v0_plan over"},
	{"broken off at tips", broken_off_at_tips, "begin v0_tips ending over"},
	{"broken off at ask", broken_off_at_ask, "begin v0_tips v0_ask ending over"},
	{"broken off at store", broken_off_at_store, "begin v0_tips v0_ask v0_store ending over"},
	{"broken off at plan", broken_off_at_plan,
		"begin v0_tips v0_ask v0_store v0_plan ending over"},
	{"broken off at send", broken_off_at_send,
		"begin v0_tips v0_ask v0_store v0_plan v0_send ending over"},
};

int main(void)
{
	rig_v0 = tl__v0_spoken();
	run_walks(walks, sizeof walks / sizeof *walks);
	check_all_walked(true);
	return spec_end();
}
