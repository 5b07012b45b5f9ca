/* Memory runs out at every allocation of two cores in turn, while they meet, keep a database in
 * step, ask for access, restart and stop: every command still ends, the one that failed can be
 * repeated, both sides come in step, and nothing is leaked. */
#include "sim_help.h"

#define ROUND (10 * MINUTE) /* more than a periodic tick */

typedef struct story {
	const char *name;
	bool v0;
} story;

static tl__sim_peer *a, *b;
static tl_id db;
static size_t failing; /* the allocation of this run */
static unsigned repeated;

/* --- commands --------------------------------------------------------------------------------- */

/* Runs it, and once more when memory ran out below it: ten seconds later it must succeed. */
static void insist(const char *what, tl__sim_peer *peer, tl__sync_command *command)
{
	tl__sim_result result;
	int rc = TL_E_INTERNAL;

	if (!spec_case_ok)
		return;
	for (int turn = 0; turn < 2 && rc != TL_OK; turn++) {
		if (turn > 0)
			tl__sim_run(sim, 10000);
		rc = run_command(peer, command, &result, HOUR);
		CHECK(result.complete);
		repeated += rc != TL_OK;
	}
	if (rc != TL_OK)
		printf("%s of %s: %s\n", what, tl__sim_name(peer),
			tl_error_message(tl_last_error()));
	CHECK(rc == TL_OK);
}

static void insist_keys(tl__sim_peer *peer)
{
	tl__sync_command command = {.kind = TL__SYNC_SET_KEYS, .secret_count = 1};
	tl_str name = z(tl__sim_name(peer));
	tl_secret secret;

	CHECK_OK(tl__sim_secret(tl__sim_name(peer), &secret));
	command.secrets = &secret;
	command.secret_names = &name;
	insist("keys", peer, &command);
}

static void insist_connect(tl__sim_peer *peer, tl__sim_peer *other)
{
	tl__sync_command command = {.kind = TL__SYNC_CONNECT};
	tl_address address;

	tl__sim_address(other, &address);
	command.address = &address;
	insist("connect", peer, &command);
}

static void insist_pair(
	const char *what, tl__sim_peer *peer, tl__sync_command_kind kind, const tl__sim_peer *other)
{
	tl__sync_command command = {
		.kind = kind, .has_key = true, .has_db = true, .name = TL__STR("manual")};

	command.key = *tl__sim_key(other);
	command.db = db;
	command.timeout_ms = 60000;
	insist(what, peer, &command);
}

static void insist_plain(const char *what, tl__sim_peer *peer, tl__sync_command_kind kind)
{
	tl__sync_command command = {.kind = kind, .timeout_ms = 60000};

	insist(what, peer, &command);
}

/* Whether it is granted is not asked: only that it ends. */
static void insist_access(tl__sim_peer *peer, tl__sim_peer *other)
{
	tl__sync_command command = {.kind = TL__SYNC_ACCESS, .has_db = true, .secret_count = 1};
	tl_secret secret;
	tl_address address;

	CHECK_OK(tl__sim_secret("guest", &secret));
	tl__sim_address(other, &address);
	command.address = &address;
	command.db = db;
	command.secrets = &secret;
	command.name = TL__STR("guest");
	command.permission = (tl_permission){TL_READ, 0};
	insist("access", peer, &command);
}

/* Its token stands for the key of that name. */
static void insist_share(tl__sim_peer *peer, tl__sim_peer *guest)
{
	tl__sync_share share = {.expires_ms = HOUR};
	tl__sync_command make = {.kind = TL__SYNC_SHARE,
		.has_db = true,
		.db = db,
		.permission = {TL_WRITE, 9},
		.name = z(tl__sim_name(peer)),
		.share = &share};
	tl__sync_command join = {.kind = TL__SYNC_JOIN,
		.has_key = true,
		.key = *tl__sim_key(peer),
		.has_db = true,
		.db = db,
		.permission = {TL_WRITE, 9},
		.name = TL__STR("newcomer"),
		.secret_count = 2,
		.address_count = 1};
	tl_secret secrets[2];
	tl_address address;

	CHECK_OK(tl__sim_public("token", &share.key));
	CHECK_OK(tl__sim_public(tl__sim_name(peer), &share.maker));
	insist("share", peer, &make);
	CHECK_OK(tl__sim_secret("newcomer", &secrets[0]));
	CHECK_OK(tl__sim_secret("token", &secrets[1]));
	tl__sim_address(peer, &address);
	join.secrets = secrets;
	join.addresses = &address;
	insist("join", guest, &join);
}

/* --- the story -------------------------------------------------------------------------------- */

static tl_policy_answer give_all(void *ud, const tl_policy_question *question, const char **reason)
{
	(void)ud;
	(void)reason;
	return question->kind == TL_POLICY_READ ? TL_POLICY_ALLOW : TL_POLICY_PASS;
}

static tl__sim_peer *add(const char *name, bool v0)
{
	tl__sim_config config = {.name = name, .v0_only = v0};
	tl__sim_peer *peer;

	if (v0)
		config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = give_all};
	peer = tl__sim_add(sim, &config);
	if (peer)
		insist_keys(peer);
	return peer;
}

static void meet(const story *s)
{
	a = add("p0", false);
	b = add("p1", s->v0);
	REQUIRE(a && b);
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	if (s->v0)
		CHECK_OK(set_public(a, &db, (tl_permission){TL_READ, 0}));
	insist_connect(a, b);
	insist_connect(b, a);
	insist_pair("relate", a, TL__SYNC_RELATE, b);
	insist_pair("relate", b, TL__SYNC_RELATE, a);
}

static void work_together(const story *s)
{
	CHECK(settle(a, b, &db, ROUND));
	put(a, &db, "k", "from a");
	put(b, &db, "l", "from b");
	CHECK(settle(a, b, &db, ROUND));
	insist_pair("sync", b, TL__SYNC_SYNC_PAIR, a);
	insist_pair("wait", a, TL__SYNC_WAIT, b);
	insist_plain("flush", a, TL__SYNC_FLUSH);
	if (s->v0)
		return;
	insist_pair("discover", b, TL__SYNC_DISCOVER, a);
	insist_access(b, a);
	insist_share(a, b);
}

static void come_back(void)
{
	tl__sim_kill(b);
	put(a, &db, "k", "meanwhile");
	tl__sim_start(b);
	insist_keys(b);
	CHECK(settle(a, b, &db, ROUND));
	CHECK(reads(b, &db, "k", "meanwhile") && reads(a, &db, "l", "from b"));
	insist_plain("stop", a, TL__SYNC_STOP);
	insist_plain("stop", b, TL__SYNC_STOP);
}

/* One run; whether an allocation failed in it. */
static bool run(const story *s)
{
	long before = tl__alloc_balance();
	bool failed = false;

	if (!sim_begin(1))
		return false;
	(void)tl__sim_fail_alloc(sim, failing);
	meet(s);
	if (spec_case_ok)
		work_together(s);
	if (spec_case_ok)
		come_back();
	failed = tl__sim_fail_alloc(sim, 0);
	if (!spec_case_ok)
		printf("%s: allocation %zu\n", s->name, failing);
	sim_end();
	CHECK(tl__alloc_balance() == before);
	return failed;
}

/* Each run has several thousand allocations: every tenth or so is tried, or with TL_SPEC_STEP=1
 * each. */
static void sweep(const story *s)
{
	const char *text = getenv("TL_SPEC_STEP");
	size_t step = text ? strtoul(text, NULL, 10) : 0;

	if (step == 0)
		step = 11;
	repeated = 0;
	failing = 1;
	while (spec_case_ok && run(s))
		failing += step;
	CHECK(failing > 1000); /* else nobody did anything */
	printf("%s: about %zu allocations, %u commands repeated\n", s->name, failing, repeated);
}

static void no_allocation_failure_parts_two_peers(void)
{
	sweep(&(story){"version 1", false});
}

static void nor_two_peers_of_the_old_protocol(void)
{
	sweep(&(story){"version 0", true});
}

static void log_nothing(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static void a_core_is_made_whole_or_not_at_all(void)
{
	char text[TL_KEY_TEXT_LEN + 1];
	const char *const accepted[] = {text};
	const tl__log log = {log_nothing, NULL, TL_LOG_ERROR, NULL};
	tl__sync_config config = {.name = "p0", .log = &log};
	long before = tl__alloc_balance();
	bool failed = true;
	tl_secret device;
	tl__seeded seed;

	key_text("p1", text);
	CHECK_OK(tl__sim_secret("p0", &device));
	config.device = &device;
	config.random = tl__random_seeded(&seed, spec_seed(1));
	config.options = (tl_sync_options)TL_SYNC_OPTIONS_INIT;
	config.options.accept_databases_from = accepted;
	config.options.accept_databases_from_count = 1;
	for (size_t n = 1; failed && n < 1000; n++) {
		tl__sync *core = NULL;
		int rc;

		(void)tl__alloc_fail_at(n);
		rc = tl__sync_new(&core, &config);
		failed = tl__alloc_fail_at(0);
		CHECK(rc == TL_OK || (failed && rc == TL_E_NOMEM && !core));
		tl__sync_free(core);
		CHECK(tl__alloc_balance() == before);
	}
	CHECK(!failed);
}

int main(void)
{
	RUN(a_core_is_made_whole_or_not_at_all);
	RUN(no_allocation_failure_parts_two_peers);
	RUN_V0(RUN, nor_two_peers_of_the_old_protocol);
	return spec_end();
}
