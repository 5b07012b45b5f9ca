/* Hook files from C: threads that commit while the gate is loaded anew, unloaded, and its node is
 * closed. What gates are told and answer is in spec/lua/gates_spec.lua. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <tidelock/node.h>
#include <tidelock/script.h>
#include <tidelock/sync.h>
#include <tidelock/transaction.h>
#include "check.h"
#include "gate/door.h"
#include "scratch.h"

#define THREADS 8
#define TURNS   40

static char hook_path[512];

static void write_hook(const char *text)
{
	FILE *file = fopen(hook_path, "w");

	REQUIRE(file != NULL);
	fputs(text, file);
	REQUIRE(fclose(file) == 0);
}

/* It refuses what is "bad", and how often it was asked goes from version to version. */
static void write_version(int number)
{
	char text[512];

	snprintf(text, sizeof text,
		"local count, version = 0, %d\n"
		"return { databases = 'notes', before_commit = function(ctx)\n"
		"  count = count + 1\n"
		"  local value = ctx.changes[1] and ctx.changes[1].value\n"
		"  if value == 'count' then return nil, tostring(count) end\n"
		"  if value == 'bad' then return nil, 'this is bad' end\n"
		"end, save = function() return count end,\n"
		"restore = function(old) count = old end }\n",
		number);
	write_hook(text);
}

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)level;
	(void)part;
	(void)text;
	atomic_fetch_add((atomic_uint *)ud, 1);
}

static tl_str z(const char *text)
{
	return (tl_str){text, strlen(text)};
}

/* --- a node and those who commit to it -------------------------------------------------------- */

typedef struct crowd {
	tl_node *node;
	tl_database *db;
	tl_script *script;
	pthread_t threads[THREADS];
	atomic_uint lines, asked, wrong;
	atomic_uint passed, refused, closed; /* of what is bad */
	atomic_bool over;
} crowd;

static tl_script *load(crowd *c)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	tl_script *script = NULL;

	options.log = quiet;
	options.log_ud = &c->lines;
	CHECK(tl_script_load(c->node, TL_SCRIPT_HOOK, hook_path, &options, &script) == TL_OK);
	return script;
}

static void open_crowd(crowd *c)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	char key[TL_KEY_TEXT_LEN + 1];
	tl_value *settings = tl_value_doc();

	memset(c, 0, sizeof *c);
	config.log_level = TL_LOG_OFF;
	REQUIRE(tl_node_open(&c->node, &config) == TL_OK);
	REQUIRE(tl_node_add_private_key(c->node, "me", NULL, key) == TL_OK);
	REQUIRE(tl_doc_put(settings, z("name"), tl_value_text(z("notes"))) == TL_OK);
	REQUIRE(tl_node_new_database(c->node, settings, "me", &c->db) == TL_OK);
	tl_value_free(settings);
	write_version(0);
	c->script = load(c);
	REQUIRE(c->script != NULL);
}

static int commit(crowd *c, const char *text)
{
	tl_doc_store *store = NULL;
	tl_transaction *tx = NULL;
	int rc = tl_transaction_new(c->db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, z("d"), &store);
	if (rc == TL_OK)
		rc = tl_doc_store_set_string(store, z("k"), z(text));
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
	return rc;
}

static bool says(const char *reason)
{
	const tl_error *cause = tl_error_cause(tl_last_error());

	return cause && strcmp(tl_error_message(cause), reason) == 0;
}

static void *commit_both(void *ud)
{
	crowd *c = ud;

	for (int i = 0; i < TURNS; i++) {
		c->wrong += commit(c, "good") != TL_OK;
		c->wrong += commit(c, "bad") != TL_E_HOOK_FAILED || !says("this is bad");
		c->asked += 2;
	}
	return NULL;
}

static void *commit_bad(void *ud)
{
	crowd *c = ud;

	while (!c->over) {
		int rc = commit(c, "bad");

		c->passed += rc == TL_OK;
		c->refused += rc == TL_E_HOOK_FAILED;
		c->closed += rc == TL_E_CLOSED;
		c->wrong += rc != TL_OK && rc != TL_E_HOOK_FAILED && rc != TL_E_CLOSED;
		if (rc == TL_E_CLOSED)
			break;
	}
	return NULL;
}

static void start(crowd *c, void *(*work)(void *ud))
{
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&c->threads[i], NULL, work, c) == 0);
}

static void join(crowd *c)
{
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(c->threads[i], NULL);
}

static void close_crowd(crowd *c)
{
	tl_script_free(c->script);
	tl_database_free(c->db);
	tl_node_close_within(c->node, 0);
}

/* --- cases ------------------------------------------------------------------------------------ */

static void it_is_loaded_anew_while_eight_threads_commit(void)
{
	char expected[32];
	crowd c;

	open_crowd(&c);
	start(&c, commit_both);
	for (int i = 1; i <= TURNS; i++) {
		write_version(i);
		CHECK(tl_script_reload(c.script) == TL_OK);
		write_hook(i % 2 ? "return {\n"
				 : "return { before_commit = function() end, restore "
				   "= function() error 'no' end }\n");
		CHECK(tl_script_reload(c.script) == TL_E_BAD_SCRIPT);
	}
	join(&c);
	CHECK(c.wrong == 0);
	CHECK(commit(&c, "count") == TL_E_HOOK_FAILED);
	snprintf(expected, sizeof expected, "%u", c.asked + 1);
	CHECK(says(expected)); /* no version has lost what the one before was asked */
	close_crowd(&c);
}

static void it_comes_and_goes_while_eight_threads_commit(void)
{
	crowd c;

	open_crowd(&c);
	start(&c, commit_bad);
	for (int i = 0; i < TURNS; i++) {
		CHECK(tl_script_unload(c.script) == TL_OK);
		tl_script_free(c.script);
		while (c.passed == 0) /* nobody is asked */
			usleep(100);
		c.script = load(&c);
		REQUIRE(c.script != NULL);
		CHECK(commit(&c, "bad") == TL_E_HOOK_FAILED);
	}
	c.over = true;
	join(&c);
	CHECK(c.wrong == 0 && c.passed > 0 && c.refused > 0);
	close_crowd(&c);
}

static void nothing_slips_through_while_the_node_is_closed(void)
{
	for (int i = 0; i < 10; i++) {
		crowd c;

		open_crowd(&c);
		start(&c, commit_bad);
		while (c.refused < THREADS)
			usleep(100);
		tl_node_close_within(c.node, 0);
		join(&c);
		CHECK(c.passed == 0 && c.wrong == 0 && c.closed == THREADS);
		CHECK(tl_script_reload(c.script) == TL_E_CLOSED);
		tl_script_free(c.script);
		tl_database_free(c.db);
	}
}

/* A line that is told under the gate's lock cannot commit, and nobody waits for ever. */
static int from_sink;

static void commit_from_sink(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)level;
	(void)part;
	if (strstr(text, "asked"))
		from_sink = commit(ud, "good");
}

static void a_sink_that_commits_is_refused(void)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	crowd c;

	open_crowd(&c);
	CHECK(tl_script_unload(c.script) == TL_OK);
	tl_script_free(c.script);
	write_hook("return { before_commit = function() print 'asked' end }\n");
	options.log = commit_from_sink;
	options.log_ud = &c;
	REQUIRE(tl_script_load(c.node, TL_SCRIPT_HOOK, hook_path, &options, &c.script) == TL_OK);
	from_sink = TL_OK;
	CHECK(commit(&c, "good") == TL_OK);
	CHECK(from_sink == TL_E_HOOK_FAILED);
	close_crowd(&c);
}

static void only_a_policy_is_a_shadow(void)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	tl_script *script = NULL;
	crowd c;

	open_crowd(&c);
	options.shadow = true;
	CHECK(tl_script_load(c.node, TL_SCRIPT_HOOK, hook_path, &options, &script) ==
		TL_E_BAD_ARGUMENT);
	CHECK(tl_script_load(c.node, TL_SCRIPT_HOOK, hook_path, NULL, &script) ==
		TL_E_ALREADY_EXISTS);
	CHECK(tl_node_tell(c.node, TL_EVENT_OVERFLOW, "x") == TL_E_BAD_ARGUMENT);
	close_crowd(&c);
}

static void a_policy_of_the_host_leaves_hooks_alone(void)
{
	char path[600];
	tl_script *script = NULL;
	const char *json;
	crowd c;

	open_crowd(&c);
	snprintf(path, sizeof path, "%s.policy", hook_path);
	REQUIRE(rename(hook_path, path) == 0);
	write_hook("return require 'tidelock.policy'.deny 'no'\n");
	CHECK(tl_script_load(c.node, TL_SCRIPT_POLICY, hook_path, NULL, &script) == TL_OK);
	CHECK(tl_sync_set_policy(c.node, NULL) == TL_OK);
	do
		REQUIRE(tl_script_status(script, &json) == TL_OK);
	while (!strstr(json, "\"unloaded\"") && usleep(1000) == 0);
	CHECK(commit(&c, "bad") == TL_E_HOOK_FAILED);
	tl_script_free(script);
	close_crowd(&c);
}

/* --- before the hook files are loaded --------------------------------------------------------- */

static int come_through(void *ud, const tl_hook_context *context)
{
	(void)context;
	((crowd *)ud)->passed++;
	return TL_OK;
}

static void *make_database(void *ud)
{
	crowd *c = ud;
	int rc = tl_node_new_database(c->node, NULL, "me", &c->db);

	c->refused += rc == TL_E_HOOK_FAILED;
	c->wrong += rc != TL_OK && rc != TL_E_HOOK_FAILED;
	c->over = true;
	return NULL;
}

static void who_commits_waits_until_they_are_there(void)
{
	for (int passes = 0; passes < 2; passes++) {
		crowd c = {.wrong = 0};
		tlua_door *door = tlua_door_new();
		tl_hook hook = tlua_door_for_node(door), behind = TL_HOOK_INIT, late;
		const tl_hook *list[] = {&hook, &behind};
		tl_node_config config = TL_NODE_CONFIG_INIT;
		char key[TL_KEY_TEXT_LEN + 1];

		behind.before_commit = come_through;
		behind.ud = &c;
		late = behind; /* comes while it waits, as hook files do */
		config.hooks = list;
		config.hook_count = 2;
		REQUIRE(tl_node_open(&c.node, &config) == TL_OK);
		REQUIRE(tl_node_add_private_key(c.node, "me", NULL, key) == TL_OK);
		REQUIRE(pthread_create(&c.threads[0], NULL, make_database, &c) == 0);
		usleep(50000);
		CHECK(!c.over && c.passed == 0);
		CHECK(tl_node_add_hook(c.node, &late, NULL) == TL_OK);
		tlua_door_open(door, passes);
		tlua_door_release(door);
		pthread_join(c.threads[0], NULL);
		CHECK(c.wrong == 0 && c.passed == 2 * (unsigned)passes && c.refused == !passes);
		tl_database_free(c.db);
		tl_node_close_within(c.node, 0);
	}
}

int main(void)
{
	char folder[SCRATCH_PATH];

	scratch_make(folder);
	snprintf(hook_path, sizeof hook_path, "%s/hook.lua", folder);
	RUN(it_is_loaded_anew_while_eight_threads_commit);
	RUN(it_comes_and_goes_while_eight_threads_commit);
	RUN(nothing_slips_through_while_the_node_is_closed);
	RUN(a_sink_that_commits_is_refused);
	RUN(only_a_policy_is_a_shadow);
	RUN(a_policy_of_the_host_leaves_hooks_alone);
	RUN(who_commits_waits_until_they_are_there);
	scratch_remove(folder);
	return spec_end();
}
