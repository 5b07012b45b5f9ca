/* The steps of an exchange with a v1 peer: each way between them is walked, what README.md says of
 * them is what the code has, and where no way leads none is taken. */
#include "session_walk.h"

#define HOME   "127.0.0.1:9001"
#define README "runtime/sync/out/README.md"
#define PULL   "/tidelock/v1/pull"
#define PUSH   "/tidelock/v1/push"
#define WATCH  "/tidelock/v1/watch"

static tl_database *db;
static tl_id root;
static remote theirs;

/* --- what may happen ----------------------------------------------------------------------------- */

static void start(void)
{
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

/* We hold `count` entries, bob is known. */
static void have(size_t count)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (size_t i = 1; i < count; i++)
		(void)write_text(db, "data", "n", "x");
	meet(&bob, HOME);
	walk_begins();
}

/* Bob holds a chain of six, of which nothing is here. */
static void lack(void)
{
	make_remote(&theirs, 6);
	root = theirs.id[0];
	meet(&bob, HOME);
	walk_begins();
}

static void give(size_t first, size_t count, bool more)
{
	answer_page(&bob, &(page_answer){.n = first + count,
				  .more = more,
				  .from = &theirs,
				  .first = first,
				  .count = count,
				  .tips = &theirs.id[5],
				  .tip_count = !more});
}

static void give_nothing(void)
{
	answer_page(&bob, &(page_answer){.n = 0});
}

static void refuse(const char *path, tl__v1_status status)
{
	asked a;

	CHECK(sends(path, NULL));
	REQUIRE(take_v1(&a));
	refuse_v1(&a, &bob, status);
	asked_free(&a);
}

static void take(size_t count)
{
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 9, NULL) == count);
}

static void in_step(void)
{
	have(2);
	start();
	give_nothing();
	take(2);
	rig_pass(300);
	walk_begins();
}

static void commit_one(void)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};

	(void)write_text(db, "data", "n", "more");
	rig_event(&event);
}

static void end(void)
{
	CHECK(r.send_count == 0);
	tl_database_free(db);
	db = NULL;
	free_remote(&theirs);
}

/* --- the walks ----------------------------------------------------------------------------------- */

static void bob_has_nothing(void)
{
	have(3);
	start();
	give_nothing();
	take(3);
	end();
}

static void a_commit(void)
{
	in_step();
	commit_one();
	take(1);
	end();
}

static void bob_has_all(void)
{
	lack();
	start();
	give(0, 3, true);
	give(3, 3, false);
	end();
}

static void a_tip_is_missing(void)
{
	lack();
	start();
	give(0, 5, false);
	give(5, 1, false);
	end();
}

static void by_name_there_is_more(void)
{
	lack();
	start();
	give(0, 4, false);
	give(5, 1, true);
	give(4, 1, false);
	give(5, 0, false); /* asked by name before it came */
	end();
}

static void only_pulled(void)
{
	lack();
	only(TL_DIRECTION_PULL, &root);
	start();
	give(0, 6, false);
	end();
}

static void only_pulled_from_one_without_tips(void)
{
	have(1);
	only(TL_DIRECTION_PULL, &root);
	start();
	give_nothing();
	end();
}

static void only_pushed(void)
{
	have(2);
	only(TL_DIRECTION_PUSH, &root);
	start();
	take(2);
	end();
}

/* Bob may read by a rule, and is asked for nothing by hand. */
static void neither(void)
{
	in_step();
	pair_of(&bob, &root)->does = 0;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	end();
}

static void reading_is_refused(void)
{
	in_step();
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	(void)write_text(db, "data", "n", "z");
	refuse(PULL, TL__V1_NOT_AVAILABLE);
	take(1);
	refuse(PULL, TL__V1_NOT_AVAILABLE);
	end();
}

static void reading_is_refused_by_one_that_lacks_what_we_lack(void)
{
	tl_id nowhere;

	tl_id_of(&nowhere, "nowhere", 7);
	in_step();
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	(void)write_text(db, "data", "n", "z");
	refuse(PULL, TL__V1_NOT_AVAILABLE);
	CHECK(answer_push(&bob, TL__V1_FATE_PENDING, 9, &nowhere) == 1);
	refuse(PULL, TL__V1_NOT_AVAILABLE);
	end();
}

static void what_waits_there_is_sent(void)
{
	have(2);
	start();
	give_nothing();
	CHECK(answer_push(&bob, TL__V1_FATE_PENDING, 9, &root) == 2);
	take(1);
	end();
}

static void bob_is_ahead(void)
{
	in_step();
	commit_one();
	r.stands = 50;
	take(1);
	give_nothing();
	end();
}

/* The page of a watch that says nothing new, and at which place bob stands. */
static void answer_watch(uint64_t n)
{
	tl__v1_watched args = {.has_page = true, .db = root, .cursor = place(&bob, n)};
	tl__buf header = TL__BUF_INIT, body = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	args.tips.count = 1;
	tl__v1_tips_hash(&root, 1, args.tips.sha256);
	tl__v1_write_watched(&header, &args);
	tl__v1_write_id(&body, TL__V1_LINE_TIP, &root);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&header), tl__buf_view(&body));
	tl__buf_free(&header);
	tl__buf_free(&body);
	asked_free(&a);
}

/* What a watch has told is not pulled again while it is being stored. */
static void a_watch_told_what_bob_is_ahead_by(void)
{
	in_step();
	peer_of(&bob)->watch_offered = true;
	tl__peer_changed(r.core, peer_of(&bob));
	rig_pass(1);
	REQUIRE(sends(WATCH, NULL));
	commit_one();
	r.hold_works = true;
	answer_watch(50);
	r.stands = 50;
	take(1);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->seen.n < 50);
	rig_release_works();
	rig_pass(1);
	CHECK(pair_of(&bob, &root)->seen.n == 50);
	CHECK(sends(WATCH, NULL) && r.send_count == 1);
	drop_send(0);
	end();
}

static void it_takes_nothing(void)
{
	in_step();
	commit_one();
	refuse(PUSH, TL__V1_NOT_PERMITTED);
	refuse(PULL, TL__V1_BUSY);
	end();
}

/* Entries went there: what it was given is pushed once more, by its tips. */
static void bob_lost_entries(void)
{
	in_step();
	pair_of(&bob, &root)->db->arrivals = pair_of(&bob, &root)->ack;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_page(&bob, &(page_answer){.n = 0, .tips = &root, .tip_count = 1});
	take(1);
	CHECK(sends(PULL, NULL));
	drop_send(0);
	end();
}

static void eidetica_is_not_spoken(void)
{
	in_step();
	peer_of(&bob)->protocol = TL__PROTOCOL_V0;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	end();
}

/* --- broken off at each step --------------------------------------------------------------------- */

static void broken_off_at_tips(void)
{
	have(2);
	r.hold_works = true;
	(void)pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL);
	hold_until(&root, TL__STEP_TIPS);
	break_off(&root);
	end();
}

static void broken_off_at_pages(void)
{
	have(2);
	start();
	break_off(&root);
	end();
}

static void broken_off_at_named(void)
{
	lack();
	start();
	r.hold_works = true;
	give(0, 6, false);
	CHECK(step_now(&root) == TL__STEP_NAMED);
	break_off(&root);
	end();
}

static void broken_off_at_check(void)
{
	lack();
	start();
	r.hold_works = true;
	give(0, 6, false);
	hold_until(&root, TL__STEP_CHECK);
	break_off(&root);
	end();
}

static void broken_off_at_plan(void)
{
	have(2);
	start();
	r.hold_works = true;
	give_nothing();
	hold_until(&root, TL__STEP_PLAN);
	break_off(&root);
	end();
}

static void broken_off_at_fates(void)
{
	have(2);
	start();
	give_nothing();
	break_off(&root);
	end();
}

static const walk walks[] = {
	{"bob has nothing", bob_has_nothing, "begin tips pages named plan fates over"},
	{"a commit", a_commit, "begin plan fates over"},
	{"bob has all", bob_has_all, "begin tips pages named check plan over"},
	{"a tip is missing", a_tip_is_missing,
		"begin tips pages named check named check plan over"},
	{"by name there is more", by_name_there_is_more,
		"begin tips pages named check named pages named check plan over"},
	{"only pulled", only_pulled, "begin tips pages named check over"},
	{"only pulled from one without tips", only_pulled_from_one_without_tips,
		"begin tips pages named over"},
	{"only pushed", only_pushed, "begin plan fates over"},
	{"neither", neither, "begin over"},
	{"reading is refused", reading_is_refused,
		"begin tips pages plan fates tips pages ending over"},
	{"reading is refused by one that lacks what we lack",
		reading_is_refused_by_one_that_lacks_what_we_lack,
		"begin tips pages plan fates plan tips pages ending over"},
	{"what waits there is sent", what_waits_there_is_sent,
		"begin tips pages named plan fates plan fates plan over"},
	{"bob is ahead", bob_is_ahead, "begin plan fates tips pages named plan over"},
	{"a watch told what bob is ahead by", a_watch_told_what_bob_is_ahead_by,
		"begin plan fates over"},
	{"it takes nothing", it_takes_nothing, "begin plan fates tips pages ending over"},
	{"bob lost entries", bob_lost_entries,
		"begin tips pages named check plan fates over, begin tips pages"},
	{"eidetica 0.2.0 is not spoken", eidetica_is_not_spoken, "begin ending over"},
	{"broken off at tips", broken_off_at_tips, "begin tips ending over"},
	{"broken off at pages", broken_off_at_pages, "begin tips pages ending over"},
	{"broken off at named", broken_off_at_named, "begin tips pages named ending over"},
	{"broken off at check", broken_off_at_check, "begin tips pages named check ending over"},
	{"broken off at plan", broken_off_at_plan, "begin tips pages named plan ending over"},
	{"broken off at fates", broken_off_at_fates,
		"begin tips pages named plan fates ending over"},
};

/* --- where no way leads -------------------------------------------------------------------------- */

/* Between the two is no way: the exchange fails cleanly, and whoever tests is told. */
static void check_no_way(tl__step from, tl__step to)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};
	tl__session *session;

	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	session = pair_of(&bob, &root)->session;
	REQUIRE(session && r.send_count == 1);
	session->step = from;
	CHECK(!tl__session_go(r.core, session, to));
	CHECK(!pair_of(&bob, &root)->session);
	CHECK(pair_of(&bob, &root)->last_code == TL_E_INTERNAL);
	CHECK(r.core->misstep && tl__sync_overlooked(r.core));
	r.core->misstep = false;
	rig_event(&event);
	answer_failure(TL_E_CANCELLED);
}

static void where_no_way_leads_an_exchange_fails(void)
{
	unsigned tried = 0;

	in_step();
	w.log.level = TL_LOG_OFF;
	for (int from = 0; from < TL__STEP_ENDING; from++)
		for (int to = 0; to < TL__STEPS; to++) {
			if (from == to || tl__step_leads((tl__step)from, (tl__step)to))
				continue;
			check_no_way((tl__step)from, (tl__step)to);
			tried++;
		}
	CHECK(tried > 50);
	end();
}

/* Who fails already goes nowhere but to its end. */
static void from_the_end_no_way_leads_back(void)
{
	for (int to = 0; to < TL__STEPS; to++) {
		CHECK(tl__step_leads(TL__STEP_ENDING, (tl__step)to) == (to == TL__STEP_OVER));
		CHECK(!tl__step_leads(TL__STEP_OVER, (tl__step)to));
	}
}

/* --- the table of the README --------------------------------------------------------------------- */

static void the_readme_has_these_ways_and_no_others(void)
{
	bool told[TL__STEPS][TL__STEPS] = {{false}};
	char line[400], from_text[40], to_text[40];
	FILE *file = fopen(README, "r");
	tl__step from = TL__STEP_BEGIN, to = TL__STEP_BEGIN;

	REQUIRE(file);
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, "| all but `over` | `ending` |", 29) == 0)
			for (int step = 0; step < TL__STEP_ENDING; step++)
				told[step][TL__STEP_ENDING] = true;
		else if (sscanf(line, "| `%39[a-z0-9_]` | `%39[a-z0-9_]` |", from_text, to_text) ==
			 2) {
			CHECK(step_named(from_text, &from) && step_named(to_text, &to));
			CHECK(!told[from][to]);
			told[from][to] = true;
		}
	}
	(void)fclose(file);
	for (int a = 0; a < TL__STEPS; a++)
		for (int b = 0; b < TL__STEPS; b++)
			if (told[a][b] != tl__step_leads((tl__step)a, (tl__step)b)) {
				spec_case_ok = false;
				printf("%s to %s: %s\n", tl__step_name((tl__step)a),
					tl__step_name((tl__step)b),
					told[a][b] ? "only in the README" : "only in the code");
			}
}

int main(void)
{
	run_walks(walks, sizeof walks / sizeof *walks);
	check_all_walked(false);
	RUN_RIG(where_no_way_leads_an_exchange_fails);
	RUN_RIG(from_the_end_no_way_leads_back);
	RUN_RIG(the_readme_has_these_ways_and_no_others);
	return spec_end();
}
