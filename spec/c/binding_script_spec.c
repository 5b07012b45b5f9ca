/* tidelock/script.h from C: threads that load, ask and unload at the same time, and a node that is
 * closed meanwhile. What policies decide is in spec/lua/scripts_spec.lua. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <tidelock/script.h>
#include <tidelock/sync.h>
#include "check.h"
#include "scratch.h"

#define THREADS 8
#define TURNS   40

static char policy_path[512];

static void write_policy(const char *text)
{
	FILE *file = fopen(policy_path, "w");

	REQUIRE(file != NULL);
	fputs(text, file);
	REQUIRE(fclose(file) == 0);
}

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)level;
	(void)part;
	(void)text;
	atomic_fetch_add((atomic_uint *)ud, 1);
}

static tl_node *open_node(const char *name)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	config.name = name;
	config.log_level = TL_LOG_OFF;
	CHECK(tl_node_open(&node, &config) == TL_OK);
	return node;
}

static tl_script *load(tl_node *node, atomic_uint *lines)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	tl_script *script = NULL;

	options.log = quiet;
	options.log_ud = lines;
	CHECK(tl_script_load(node, TL_SCRIPT_POLICY, policy_path, &options, &script) == TL_OK);
	return script;
}

static bool shows(tl_script *script, const char *what)
{
	const char *json = NULL;

	return tl_script_status(script, &json) == TL_OK && strstr(json, what) != NULL;
}

static void a_policy_is_loaded_reloaded_and_unloaded(void)
{
	atomic_uint lines = 0;
	tl_script *script, *other;
	tl_node *node;

	write_policy("return require 'tidelock.policy'.deny 'no'\n");
	node = open_node("a");
	script = load(node, &lines);
	REQUIRE(script != NULL);
	CHECK(shows(script, "\"running\""));
	CHECK(tl_script_load(node, TL_SCRIPT_POLICY, policy_path, NULL, &other) ==
			TL_E_ALREADY_EXISTS &&
		!other);
	write_policy("return {\n");
	CHECK(tl_script_reload(script) == TL_E_BAD_SCRIPT);
	CHECK(strncmp(tl_error_message(tl_last_error()), "policy.lua:", 11) == 0);
	CHECK(shows(script, "\"stale\""));
	write_policy("return require 'tidelock.policy'.usual()\n");
	CHECK(tl_script_reload(script) == TL_OK && shows(script, "\"running\""));
	CHECK(tl_script_unload(script) == TL_OK && shows(script, "\"unloaded\""));
	CHECK(tl_script_unload(script) == TL_E_CLOSED && tl_script_reload(script) == TL_E_CLOSED);
	tl_script_free(script);
	script = load(node, &lines);
	tl_script_free(script); /* it stays */
	tl_node_close_within(node, 0);
}

static void what_is_no_use_is_refused(void)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	tl_node *node = open_node("a");
	tl_script *script = NULL;

	CHECK(tl_script_load(NULL, TL_SCRIPT_POLICY, "x", NULL, &script) == TL_E_BAD_ARGUMENT);
	CHECK(tl_script_load(node, TL_SCRIPT_POLICY, NULL, NULL, &script) == TL_E_BAD_ARGUMENT);
	CHECK(tl_script_load(node, TL_SCRIPT_POLICY, "x", NULL, NULL) == TL_E_BAD_ARGUMENT);
	CHECK(tl_script_load(node, (tl_script_kind)9, "x", NULL, &script) == TL_E_UNSUPPORTED);
	options.size = 1;
	CHECK(tl_script_load(node, TL_SCRIPT_POLICY, "x", &options, &script) == TL_E_BAD_ARGUMENT);
	CHECK(tl_script_load(node, TL_SCRIPT_POLICY, "/nowhere/x", NULL, &script) == TL_E_IO);
	CHECK(tl_script_reload(NULL) == TL_E_BAD_ARGUMENT && !script);
	CHECK(tl_script_unload(NULL) == TL_E_BAD_ARGUMENT);
	tl_script_free(NULL);
	tl_node_close_within(node, 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct crowd {
	tl_node *node;
	tl_script *script;
	atomic_uint lines, wrong;
} crowd;

static bool is_expected(int rc)
{
	return rc == TL_OK || rc == TL_E_CLOSED || rc == TL_E_ALREADY_EXISTS ||
	       rc == TL_E_BAD_SCRIPT;
}

static void *come_and_go(void *ud)
{
	crowd *c = ud;

	for (int i = 0; i < TURNS; i++) {
		tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
		tl_script *mine = NULL;
		int rc;

		options.shadow = i % 2;
		options.log = quiet;
		options.log_ud = &c->lines;
		rc = tl_script_load(c->node, TL_SCRIPT_POLICY, policy_path, &options, &mine);
		c->wrong += !is_expected(rc);
		c->wrong += !is_expected(tl_script_reload(c->script));
		if (mine)
			c->wrong += !is_expected(tl_script_unload(mine));
		tl_script_free(mine);
	}
	return NULL;
}

static void *write_versions(void *ud)
{
	(void)ud;
	for (int i = 0; i < TURNS; i++) {
		char text[128];

		snprintf(text, sizeof text, "return require 'tidelock.policy'.deny 'no %d'\n", i);
		write_policy(text);
		write_policy("return {\n");
	}
	return NULL;
}

static void threads_load_and_unload_while_the_node_is_closed(void)
{
	pthread_t threads[THREADS];
	crowd c = {.lines = 0};
	const char *json;

	write_policy("return require 'tidelock.policy'.deny 'no'\n");
	c.node = open_node("a");
	(void)tl_node_retain(c.node);
	c.script = load(c.node, &c.lines);
	REQUIRE(c.script != NULL);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(
				&threads[i], NULL, i == 0 ? write_versions : come_and_go, &c) == 0);
	for (int i = 0; i < TURNS; i++)
		CHECK(tl_script_status(c.script, &json) == TL_OK);
	tl_node_close_within(c.node, 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(c.wrong == 0);
	while (!shows(c.script, "\"unloaded\""))
		usleep(1000);
	tl_script_free(c.script);
	tl_node_free(c.node);
}

int main(void)
{
	char folder[SCRATCH_PATH];

	scratch_make(folder);
	snprintf(policy_path, sizeof policy_path, "%s/policy.lua", folder);
	RUN(a_policy_is_loaded_reloaded_and_unloaded);
	RUN(what_is_no_use_is_refused);
	RUN(threads_load_and_unload_while_the_node_is_closed);
	scratch_remove(folder);
	return spec_end();
}
