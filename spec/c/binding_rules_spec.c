/* Rules of a node from C: peers, databases, names and facts change on several threads, the file is
 * written again and again, and the node is closed in the middle. What rules mean is in
 * spec/lua/rules_spec.lua. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <tidelock/crypto.h>
#include <tidelock/script.h>
#include <tidelock/sync.h>
#include "check.h"
#include "scratch.h"

#define THREADS 6
#define TURNS   60

static char rules_path[512];

static void write_rules(const char *text)
{
	FILE *file = fopen(rules_path, "w");

	REQUIRE(file != NULL);
	fputs(text, file);
	REQUIRE(fclose(file) == 0);
}

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static tl_node *open_node(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	config.log_level = TL_LOG_OFF;
	CHECK(tl_node_open(&node, &config) == TL_OK);
	CHECK(tl_node_add_private_key(node, "me", NULL, NULL) == TL_OK);
	return node;
}

static int load(tl_node *node, tl_script **script)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;

	options.log = quiet;
	return tl_script_load(node, TL_SCRIPT_RULES, rules_path, &options, script);
}

static bool shows(tl_script *script, const char *what)
{
	const char *json = NULL;

	return tl_script_status(script, &json) == TL_OK && strstr(json, what) != NULL;
}

static void peer_key(int number, char out[TL_KEY_TEXT_LEN + 1])
{
	const uint8_t seed[TL_SEED_BYTES] = {(uint8_t)number, 7};
	tl_secret secret;
	tl_key key;

	CHECK(tl_secret_from_seed(&secret, seed) == TL_OK);
	tl_secret_public(&secret, &key);
	tl_key_format(&key, out);
}

static int make_database(tl_node *node)
{
	tl_database *db = NULL;
	int rc = tl_node_new_database(node, NULL, "me", &db);

	tl_database_free(db);
	return rc;
}

static void a_node_has_rules_from_c_alone(void)
{
	tl_script_options shadow = TL_SCRIPT_OPTIONS_INIT;
	char key[TL_KEY_TEXT_LEN + 1];
	tl_node *node = open_node();
	tl_script *script = NULL, *other = NULL;

	write_rules(
		"return { require 'tidelock.rule' { 'all', databases = '*', peers = 'all' } }\n");
	CHECK(make_database(node) == TL_OK);
	peer_key(1, key);
	CHECK(tl_sync_register_peer(node, key, NULL) == TL_OK);
	shadow.shadow = true;
	CHECK(tl_script_load(node, TL_SCRIPT_RULES, rules_path, &shadow, &other) ==
			TL_E_BAD_ARGUMENT &&
		!other);
	REQUIRE(load(node, &script) == TL_OK);
	CHECK(shows(script, "\"kind\":\"rules\"") && shows(script, "\"relations\":1"));
	CHECK(load(node, &other) == TL_E_ALREADY_EXISTS && !other);
	write_rules("return {\n");
	CHECK(tl_script_reload(script) == TL_E_BAD_SCRIPT && shows(script, "\"stale\""));
	tl_node_close_within(node, 0);
	while (!shows(script, "\"unloaded\""))
		usleep(1000);
	tl_script_free(script);
}

static void rules_need_synchronisation(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_script *script = NULL;
	tl_node *node = NULL;

	config.log_level = TL_LOG_OFF;
	config.without_sync = true;
	write_rules("return {}\n");
	CHECK(tl_node_open(&node, &config) == TL_OK);
	CHECK(load(node, &script) == TL_E_SYNC_NOT_ENABLED && !script);
	tl_node_close(node);
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct crowd {
	tl_node *node;
	tl_script *script;
	atomic_uint wrong;
} crowd;

static void expect(crowd *c, int rc)
{
	c->wrong += rc != TL_OK && rc != TL_E_CLOSED && rc != TL_E_BAD_SCRIPT && rc != TL_E_BUSY &&
		    rc != TL_E_ALREADY_EXISTS && rc != TL_E_PEER_NOT_FOUND &&
		    rc != TL_E_PEER_ALREADY_EXISTS && rc != TL_E_IO;
}

static void *change_peers(void *ud)
{
	crowd *c = ud;
	char key[TL_KEY_TEXT_LEN + 1];

	for (int i = 0; i < TURNS; i++) {
		peer_key(i % 7, key);
		expect(c, tl_sync_register_peer(c->node, key, i % 2 ? "desk" : NULL));
		expect(c, tl_sync_rename_peer(c->node, key, "work"));
		if (i % 3 == 0)
			expect(c, tl_sync_remove_peer(c->node, key));
	}
	return NULL;
}

static void *make_databases(void *ud)
{
	crowd *c = ud;

	for (int i = 0; i < TURNS; i++)
		expect(c, make_database(c->node));
	return NULL;
}

static void *set_facts(void *ud)
{
	crowd *c = ud;

	for (int i = 0; i < 10 * TURNS; i++)
		expect(c, tl_sync_set_fact(c->node, "metered", i % 2 ? "true" : "false"));
	return NULL;
}

static void *load_again(void *ud)
{
	crowd *c = ud;

	for (int i = 0; i < TURNS; i++) {
		tl_script *mine = NULL;

		expect(c, tl_script_reload(c->script));
		expect(c, load(c->node, &mine));
		if (mine)
			expect(c, tl_script_unload(mine));
		tl_script_free(mine);
	}
	return NULL;
}

static void *write_versions(void *ud)
{
	(void)ud;
	for (int i = 0; i < TURNS; i++) {
		char text[256];

		snprintf(text, sizeof text,
			"return { require 'tidelock.rule' { 'r%d', databases = '*', peers = "
			"function(p) return p.name ~= 'desk' end,\nwhen = function(ctx) return not "
			"ctx.facts.metered end } }\n",
			i % 3);
		write_rules(text);
		if (i % 5 == 0)
			unlink(rules_path);
		else
			write_rules("return { require 'tidel");
	}
	return NULL;
}

static void *look(void *ud)
{
	crowd *c = ud;
	const char *json;

	for (int i = 0; i < 10 * TURNS; i++)
		expect(c, tl_script_failures(c->script, &json));
	return NULL;
}

static void threads_change_everything_while_the_node_is_closed(void)
{
	void *(*const calls[THREADS])(void *) = {
		change_peers, make_databases, set_facts, load_again, write_versions, look};
	pthread_t threads[THREADS];
	crowd c = {.wrong = 0};
	const char *json;

	write_rules(
		"return { require 'tidelock.rule' { 'all', databases = '*', peers = 'all' } }\n");
	c.node = open_node();
	(void)tl_node_retain(c.node);
	REQUIRE(load(c.node, &c.script) == TL_OK);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, calls[i], &c) == 0);
	for (int i = 0; i < TURNS; i++) {
		CHECK(tl_script_status(c.script, &json) == TL_OK);
		usleep(2000);
	}
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
	snprintf(rules_path, sizeof rules_path, "%s/rules.lua", folder);
	RUN(a_node_has_rules_from_c_alone);
	RUN(rules_need_synchronisation);
	RUN(threads_change_everything_while_the_node_is_closed);
	scratch_remove(folder);
	return spec_end();
}
