/* What may go wrong with a store, a process or a peer's word, and how it ends well. */
#include <dirent.h>
#include "scratch.h"
#include "sim_help.h"
#include "sync/core/core.h"

static tl__sim_peer *a, *b;
static tl_id db;
static char folder[SCRATCH_PATH], saved[SCRATCH_PATH + 16];

/* --- stores that go back ---------------------------------------------------------------------- */

static bool copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char bytes[65536];
	size_t n;
	bool good = in && out;

	while (good && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
		good = fwrite(bytes, 1, n, out) == n;
	if (in)
		fclose(in);
	if (out)
		good = fclose(out) == 0 && good;
	return good;
}

/* All files of a data directory, over what is there. */
static void copy_folder(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *item;

	mkdir(to, 0700);
	REQUIRE(dir);
	while ((item = readdir(dir)) != NULL) {
		char source[600], target[600];

		if (item->d_name[0] == '.')
			continue;
		snprintf(source, sizeof source, "%s/%s", from, item->d_name);
		snprintf(target, sizeof target, "%s/%s", to, item->d_name);
		CHECK(copy_file(source, target));
	}
	closedir(dir);
}

/* `a` in memory, `b` on disk, in step. */
static void one_on_disk(void)
{
	tl__sim_config config = {.name = "p1"};

	scratch_make(folder);
	snprintf(saved, sizeof saved, "%s.saved", folder);
	config.folder = folder;
	a = add_peer("p0");
	b = add_peer_with(&config);
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	tl__sim_run(sim, 1000);
}

static void clean_up(void)
{
	tl__sim_kill(b);
	scratch_remove(folder);
	scratch_remove(saved);
}

static void take_copy(void)
{
	tl__sim_kill(b);
	copy_folder(folder, saved);
	tl__sim_start(b);
	give_keys(b);
	tl__sim_run(sim, 100);
}

static void put_copy_back(void)
{
	tl__sim_kill(b);
	scratch_remove(folder);
	copy_folder(saved, folder);
	tl__sim_start(b);
	give_keys(b);
}

static void commit_on(tl__sim_peer *peer, int count)
{
	for (int i = 0; i < count; i++) {
		char text[24];

		snprintf(text, sizeof text, "%d", i);
		put(peer, &db, tl__sim_name(peer), text);
	}
}

/* What it had got from the other since then comes again. */
static void a_store_that_went_back_gets_all_again(void)
{
	one_on_disk();
	take_copy();
	commit_on(a, 30);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	put_copy_back();
	CHECK(settle(a, b, &db, 10 * MINUTE));
	CHECK(arrivals(b, &db) == 32);
	clean_up();
}

/* What it had given to the other comes back from there. */
static void a_store_that_went_back_gets_its_own_again(void)
{
	one_on_disk();
	take_copy();
	commit_on(b, 30);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	put_copy_back();
	CHECK(arrivals(b, &db) == 2);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	CHECK(arrivals(b, &db) == 32);
	clean_up();
}

/* Its new history takes the places of the old one: places alone would lie. */
static void another_history_at_the_same_places(void)
{
	one_on_disk();
	take_copy();
	commit_on(b, 20);
	commit_on(a, 5);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	tl__sim_partition(b, 1);
	put_copy_back();
	tl__sim_run(sim, 1000);
	for (int i = 0; i < 25; i++)
		put(b, &db, "again", "x");
	commit_on(a, 3);
	tl__sim_run(sim, MINUTE);
	tl__sim_heal(sim);
	CHECK(settle(a, b, &db, 30 * MINUTE));
	CHECK(arrivals(a, &db) == 2 + 20 + 5 + 25 + 3);
	clean_up();
}

/* A copy that knows that it is one. */
static void a_copy_is_another_store(void)
{
	one_on_disk();
	take_copy();
	commit_on(a, 10);
	commit_on(b, 10);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	tl__sim_set_incarnation(b, 77);
	put_copy_back();
	commit_on(b, 3);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	clean_up();
}

/* --- processes that end ----------------------------------------------------------------------- */

static void a_bootstrap_goes_on_where_it_ended(void)
{
	uint64_t bytes, all;
	char big[2001];

	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	for (int i = 0; i < 3000; i++)
		put(a, &db, "k", big);
	all = (uint64_t)3000 * 2000;
	pair_up(a, b, &db);
	for (int kills = 0; kills < 4; kills++) {
		uint64_t before = arrivals(b, &db);

		for (int i = 0; i < 1000 && arrivals(b, &db) < before + 300; i++)
			tl__sim_run(sim, 1);
		restart(b);
		tl__sim_run(sim, 1);
	}
	CHECK(settle(a, b, &db, 10 * MINUTE));
	CHECK(arrivals(b, &db) == 3002);
	bytes = tl__sim_bytes(sim);
	if (bytes > all * 2)
		printf("%" PRIu64 " bytes moved for %" PRIu64 "\n", bytes, all);
	CHECK(bytes < all * 2); /* a page or two at each end, never all of it again */
}

static bool remembers(tl__sim_peer *peer, const tl__sim_peer *other)
{
	return tl__sync_is_related(tl__sim_core(peer), tl__sim_key(other), &db);
}

/* Killed right behind the answer. Old: the other is a 0.2.0 node. */
static void answered_is_durable_with(bool old)
{
	tl__sync_command command = {.kind = TL__SYNC_SYNC_WITH, .has_db = true};
	const tl_permission writing = {TL_WRITE, 5};
	tl__sim_result result;
	tl_address address;

	a = add_peer("p0");
	b = add_peer("p1");
	tl__sim_set_v0_only(a, old);
	db = make_db(a, "notes");
	CHECK_OK(set_public(a, &db, (tl_permission){TL_READ, 0}));
	tl__sim_address(a, &address);
	command.address = &address;
	command.db = db;
	CHECK_OK(run_command(b, &command, &result, MINUTE));
	restart(b);
	tl__sim_run(sim, 100);
	CHECK(remembers(b, a));
	/* Which key asked is told again with every later question. */
	CHECK_OK(request_access_for(b, a, &db, "p1", writing, &result));
	restart(b);
	tl__sim_run(sim, 100);
	CHECK(tl__sync_find_db(tl__sim_core(b), &db)->has_access);
}

static void what_was_answered_outlives_the_process(void)
{
	answered_is_durable_with(false);
}

static void what_was_answered_about_an_old_peer_too(void)
{
	answered_is_durable_with(true);
}

static void kills_at_any_moment_lose_nothing(void)
{
	tl__sim_net net = tl__sim_perfect;

	net.latency_max_ms = 20;
	net.work_max_ms = 10;
	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	pair_up(a, b, &db);
	tl__sim_set_net(sim, &net);
	for (int i = 0; i < 60; i++) {
		tl__sim_peer *victim = tl__sim_chance(sim, 500) ? a : b;

		put(a, &db, "a", "x");
		if (holds(b, &db))
			put(b, &db, "b", "x");
		tl__sim_run(sim, tl__sim_below(sim, 40));
		restart(victim);
		tl__sim_run(sim, tl__sim_below(sim, 300));
	}
	CHECK(settle(a, b, &db, HOUR));
}

/* --- a word that is not true ------------------------------------------------------------------ */

/* A peer of v1 that says yes to everything and names an entry as its newest that nobody has. */
typedef struct liar {
	tl_secret secret;
	tl_key key;
	unsigned hellos, pulls, pushes;
} liar;

static void liar_args(liar *l, tl__v1_method method, tl__buf *args, tl__buf *body)
{
	tl__v1_page page = {.cursor_valid = true, .seen_valid = true, .has_tips = true};
	tl__v1_hello hello = {.key = l->key,
		.name = TL__STR("liar"),
		.max_body_bytes = TL__V1_MAX_BODY_BYTES,
		.max_page_entries = 100};
	tl__v1_fates fates = {.seen_valid = true};
	tl_id id;

	switch (method) {
	case TL__V1_HELLO:
		l->hellos++;
		tl__v1_write_hello(args, &hello);
		break;
	case TL__V1_PULL:
		l->pulls++;
		tl_id_of(&id, "nothing", 7);
		page.tips.count = 1;
		tl__v1_tips_hash(&id, 1, page.tips.sha256);
		tl__v1_write_page(args, &page);
		tl__v1_write_id(body, TL__V1_LINE_TIP, &id);
		break;
	default:
		l->pushes++;
		tl__v1_write_fates(args, &fates);
		break;
	}
}

static void liar_v1(liar *l, const tl__sync_request *request, tl__sim_answer *answer)
{
	tl__v1_response r = {.status = TL__V1_OK, .channel = TL__STR("none")};
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_method method = TL__V1_HELLO;
	tl__v1_frame frame;
	tl__v1_request m;

	if (tl__v1_frame_read(&frame, request->body.ptr, request->body.len) != TL_OK ||
		tl__v1_request_read(&m, frame.header) != TL_OK ||
		tl__v1_method_parse(&method, m.method) != TL_OK ||
		tl__v1_request_hash(&frame, r.re) != TL_OK)
		return;
	r.time = m.time;
	memset(r.epoch, 5, sizeof r.epoch);
	liar_args(l, method, &args, &body);
	r.args = tl__buf_view(&args);
	answer->answered =
		tl__v1_response_write(&answer->body, &r, &l->secret, tl__buf_view(&body)) == TL_OK;
	tl__buf_free(&args);
	tl__buf_free(&body);
}

static void liar_answers(void *ud, const tl__sync_request *request, tl__sim_answer *answer)
{
	if (tl__str_starts(request->path, TL__STR(TL__V1_PATH_PREFIX)))
		liar_v1(ud, request, answer);
	else
		answer->status = 404, answer->answered = true;
}

static int connect_pinned(tl__sim_peer *from, const char *address, const tl_key *key)
{
	tl__sync_command command = {.kind = TL__SYNC_CONNECT, .has_key = true, .key = *key};
	tl_address to = {.type = "http"};
	tl__sim_result result;

	snprintf(to.text, sizeof to.text, "%s", address);
	command.address = &to;
	return run_command(from, &command, &result, MINUTE);
}

static void a_liar_about_tips_is_found_out(void)
{
	static liar l;
	tl__sync_command command = {.kind = TL__SYNC_RELATE, .has_key = true, .has_db = true};
	tl__sim_result result;
	uint64_t failed;

	memset(&l, 0, sizeof l);
	CHECK_OK(tl__sim_secret("liar", &l.secret));
	tl_secret_public(&l.secret, &l.key);
	tl__sim_add_script(sim, "liar", liar_answers, &l);
	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	pair_up(a, b, &db);
	CHECK_OK(connect_pinned(a, "liar:1", &l.key));
	command.key = l.key;
	command.db = db;
	command.name = TL__STR("manual");
	CHECK_OK(run_command(a, &command, &result, MINUTE));
	put(a, &db, "k", "true");
	CHECK(settle(a, b, &db, MINUTE));
	tl__sim_run(sim, HOUR);
	failed = tl__sim_events(a, TL_EVENT_SYNC_FAILED);
	CHECK(failed > 0 && l.pulls > 0);
	CHECK(l.pulls < 200); /* asked again, but with patience */
	CHECK(arrivals(a, &db) == 3 && settle(a, b, &db, MINUTE));
	put(b, &db, "k", "still");
	CHECK(settle(a, b, &db, MINUTE));
}

/* Somebody else at a known address gets nothing. */
static void a_peer_is_its_key_not_its_address(void)
{
	static liar l;
	uint64_t before;

	memset(&l, 0, sizeof l);
	CHECK_OK(tl__sim_secret("liar", &l.secret));
	tl_secret_public(&l.secret, &l.key);
	tl__sim_add_script(sim, "liar", liar_answers, &l);
	a = add_peer("p0");
	b = add_peer("p1");
	before = tl__sim_requests(sim, a, NULL, "");
	CHECK_CODE(connect_pinned(a, "liar:1", tl__sim_key(b)), TL_E_KEY_MISMATCH);
	CHECK(tl__sim_requests(sim, a, NULL, "") == before + 1);
	CHECK(l.pulls == 0 && l.pushes == 0);
}

/* --- the old protocol ------------------------------------------------------------------------- */

static tl_policy_answer give_all(void *ud, const tl_policy_question *question, const char **reason)
{
	(void)ud;
	(void)reason;
	return question->kind == TL_POLICY_READ ? TL_POLICY_ALLOW : TL_POLICY_PASS;
}

static void with_relic(void)
{
	tl__sim_config config = {.name = "p1", .v0_only = true};

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = give_all};
	a = add_peer("p0");
	b = add_peer_with(&config);
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	CHECK_OK(set_public(a, &db, (tl_permission){TL_READ, 0}));
}

static void a_0_2_0_peer_is_kept_in_step(void)
{
	with_relic();
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	put(a, &db, "k", "from a");
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(b, &db, "k", "from a"));
	put(b, &db, "k", "from b");
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(a, &db, "k", "from b"));
	CHECK(tl__sim_requests(sim, NULL, b, TL__V1_PATH_PREFIX) == 0);
}

/* A pinned peer that suddenly knows nothing of v1 is not believed. */
static void nobody_is_talked_down(void)
{
	uint64_t before;

	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	CHECK_OK(change(b, TL__SYNC_UNRELATE, a, &db, "manual")); /* b does not ask */
	before = tl__sim_requests(sim, a, b, "/api/v0");
	tl__sim_set_v0_only(b, true);
	put(a, &db, "k", "secret");
	tl__sim_run(sim, HOUR);
	CHECK(tl__sim_requests(sim, a, b, "/api/v0") == before);
	CHECK(!reads(b, &db, "k", "secret"));
	CHECK_CODE(connect_to(a, b), TL_E_DOWNGRADE_REFUSED);
	tl__sim_set_v0_only(b, false);
	CHECK(settle(a, b, &db, 10 * MINUTE));
}

/* A push that a 0.2.0 node lost is found out by its tips. */
static void a_lost_push_is_made_again(void)
{
	tl__sim_net net = tl__sim_perfect;

	with_relic();
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	net.loss = 400;
	tl__sim_set_net(sim, &net);
	for (int i = 0; i < 10; i++) {
		put(a, &db, "k", "x");
		tl__sim_run(sim, 10000);
	}
	tl__sim_set_net(sim, &tl__sim_perfect);
	CHECK(settle(a, b, &db, HOUR));
}

/* --- blocked ---------------------------------------------------------------------------------- */

static void a_blocked_peer_is_cut_off_both_ways(void)
{
	uint64_t before;

	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	CHECK_OK(change(a, TL__SYNC_SET_STATUS, b, NULL, "blocked"));
	before = tl__sim_requests(sim, a, NULL, "");
	put(a, &db, "k", "by a");
	put(b, &db, "k", "by b");
	tl__sim_run(sim, HOUR);
	CHECK(tl__sim_requests(sim, a, NULL, "") == before);
	CHECK(!reads(b, &db, "k", "by a") && !reads(a, &db, "k", "by b"));
	CHECK_OK(change(a, TL__SYNC_SET_STATUS, b, NULL, "active"));
	CHECK(settle(a, b, &db, 10 * MINUTE));
}

int main(void)
{
	RUN_SIM(a_store_that_went_back_gets_all_again);
	RUN_SIM(a_store_that_went_back_gets_its_own_again);
	RUN_SIM(another_history_at_the_same_places);
	RUN_SIM(a_copy_is_another_store);
	RUN_SIM(a_bootstrap_goes_on_where_it_ended);
	RUN_SIM(kills_at_any_moment_lose_nothing);
	RUN_SIM(what_was_answered_outlives_the_process);
	RUN_V0(RUN_SIM, what_was_answered_about_an_old_peer_too);
	RUN_SIM(a_liar_about_tips_is_found_out);
	RUN_SIM(a_peer_is_its_key_not_its_address);
	RUN_V0(RUN_SIM, a_0_2_0_peer_is_kept_in_step);
	RUN_V0(RUN_SIM, nobody_is_talked_down);
	RUN_V0(RUN_SIM, a_lost_push_is_made_again);
	RUN_SIM(a_blocked_peer_is_cut_off_both_ways);
	return spec_end();
}
