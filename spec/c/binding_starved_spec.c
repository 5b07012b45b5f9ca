/* Scripts of a node while memory runs out: each allocation in turn fails, of the library and of
 * what has cells, on whatever thread it is, while a policy and a hook are loaded, asked, loaded
 * anew and unloaded, and while rules are, and look at what has changed. Errors are errors, what was
 * at work stays, and nothing is let through. The linker puts these functions before the C library's
 * (Makefile). */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <tidelock/crypto.h>
#include <tidelock/node.h>
#include <tidelock/script.h>
#include <tidelock/sync.h>
#include <tidelock/transaction.h>
#include "check.h"
#include "host/folder.h"
#include "rules/governor_impl.h"
#include "scratch.h"

/* --- allocations that fail -------------------------------------------------------------------- */

static atomic_long left = -1; /* allocations until one fails; negative: none does */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
	long before = atomic_load(&left);

	while (before >= 0 && !atomic_compare_exchange_weak(&left, &before, before - 1))
		;
	return before == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
	return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

/* --- a node and its scripts ------------------------------------------------------------------- */

static const char policy_text[] =
	"local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'\n"
	"local fleet = keyring 'fleet.keys' -- %d\n"
	"return policy.first { policy.usual { peer = fleet.all }, policy.deny 'no' }\n";
static const char hook_text[] =
	"local count = 0 -- %d\n"
	"return { databases = { 'notes', 'n*' }, before_commit = function(ctx)\n"
	"  count = count + 1\n"
	"  for _, change in ipairs(ctx.changes) do\n"
	"    if change.value == 'bad' then return nil, 'this is bad' end\n"
	"    if ctx:get('d', change.path) == 'bad' then return nil, 'never' end\n"
	"  end\n"
	"end, save = function() return count end, restore = function(old) count = old end }\n";

static struct {
	char folder[SCRATCH_PATH], policy[SCRATCH_PATH + 16], hook[SCRATCH_PATH + 16],
		rules[SCRATCH_PATH + 16];
	char peers[2][TL_KEY_TEXT_LEN + 1];
	tl_node *node;
	tl_database *db;
	atomic_uint lines;
} w;

static tl_str z(const char *text)
{
	return (tl_str){text, strlen(text)};
}

static void write_file(const char *path, const char *format, unsigned number)
{
	FILE *file = fopen(path, "w");

	REQUIRE(file != NULL);
	fprintf(file, format, number);
	REQUIRE(fclose(file) == 0);
}

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
	atomic_fetch_add(&w.lines, 1);
}

static int load(tl_script_kind kind, const char *path, tl_script **out)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;

	options.log = quiet;
	return tl_script_load(w.node, kind, path, &options, out);
}

static int commit(const char *text)
{
	tl_doc_store *store = NULL;
	tl_transaction *tx = NULL;
	int rc = tl_transaction_new(w.db, &tx);

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

static void open_world(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	char key[TL_KEY_TEXT_LEN + 1], ring[SCRATCH_PATH + 16];
	tl_value *settings = tl_value_doc();

	scratch_make(w.folder);
	snprintf(w.policy, sizeof w.policy, "%s/policy.lua", w.folder);
	snprintf(w.hook, sizeof w.hook, "%s/hook.lua", w.folder);
	snprintf(w.rules, sizeof w.rules, "%s/rules.lua", w.folder);
	snprintf(ring, sizeof ring, "%s/fleet.keys", w.folder);
	config.log_level = TL_LOG_OFF;
	REQUIRE(tl_node_open(&w.node, &config) == TL_OK);
	REQUIRE(tl_node_add_private_key(w.node, "me", NULL, key) == TL_OK);
	write_file(
		ring, "# one\ned25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= a tag%u\n", 1);
	REQUIRE(tl_doc_put(settings, z("name"), tl_value_text(z("notes"))) == TL_OK);
	REQUIRE(tl_node_new_database(w.node, settings, "me", &w.db) == TL_OK);
	tl_value_free(settings);
}

/* --- the sweep -------------------------------------------------------------------------------- */

static bool is_word_about_memory(int rc)
{
	return rc == TL_OK || rc == TL_E_NOMEM || rc == TL_E_BAD_SCRIPT || rc == TL_E_IO;
}

static bool shows(tl_script *script, const char *what)
{
	const char *json = NULL;

	return tl_script_status(script, &json) == TL_OK && strstr(json, what) != NULL;
}

/* Whatever failed, the script is at work, and takes the next version. */
static void judge(tl_script *script, const char *path, const char *text, unsigned number)
{
	if (!script)
		return;
	write_file(path, text, number);
	CHECK(tl_script_reload(script) == TL_OK && shows(script, "\"running\""));
}

/* Whether an allocation failed. */
static bool live_at(unsigned n)
{
	tl_script *policy = NULL, *hook = NULL;
	bool fired;

	write_file(w.policy, policy_text, 10 * n);
	write_file(w.hook, hook_text, 10 * n);
	atomic_store(&left, (long)n);
	CHECK(is_word_about_memory(load(TL_SCRIPT_POLICY, w.policy, &policy)));
	CHECK(is_word_about_memory(load(TL_SCRIPT_HOOK, w.hook, &hook)));
	(void)commit("good");
	CHECK(!hook || commit("bad") != TL_OK);
	write_file(w.policy, policy_text, 10 * n + 1);
	write_file(w.hook, hook_text, 10 * n + 1);
	CHECK(!policy || is_word_about_memory(tl_script_reload(policy)));
	CHECK(!hook || is_word_about_memory(tl_script_reload(hook)));
	CHECK(!hook || commit("bad") != TL_OK);
	fired = atomic_exchange(&left, -1) < 0;
	judge(policy, w.policy, policy_text, 10 * n + 2);
	judge(hook, w.hook, hook_text, 10 * n + 2);
	CHECK(commit("good") == TL_OK && (!hook || commit("bad") == TL_E_HOOK_FAILED));
	CHECK(!policy || tl_script_unload(policy) == TL_OK);
	CHECK(!hook || tl_script_unload(hook) == TL_OK);
	tl_script_free(policy);
	tl_script_free(hook);
	return fired;
}

#define STEP (SPEC_SANITIZED ? 13u : 1u)

static void sweep(bool (*at)(unsigned n))
{
	unsigned n = 0;

	while (at(n) && spec_case_ok && n < 100000)
		n += STEP;
	printf("%u allocations failed\n", n / STEP);
	CHECK(n > 100 && n < 100000);
}

static void every_allocation_may_fail(void)
{
	sweep(live_at);
}

/* --- rules ------------------------------------------------------------------------------------ */

/* Loaded by the script thread, as the others are. */
static const char rules_text[] = "local rule = require 'tidelock.rule' -- %d\n"
				 "return { rule { 'all', databases = '*', peers = 'all' } }\n";

static bool load_rules_at(unsigned n)
{
	tl_script *rules = NULL;
	bool fired;

	write_file(w.rules, rules_text, 10 * n);
	atomic_store(&left, (long)n);
	CHECK(is_word_about_memory(load(TL_SCRIPT_RULES, w.rules, &rules)));
	write_file(w.rules, rules_text, 10 * n + 1);
	CHECK(!rules || is_word_about_memory(tl_script_reload(rules)));
	fired = atomic_exchange(&left, -1) < 0;
	judge(rules, w.rules, rules_text, 10 * n + 2);
	CHECK(!rules || shows(rules, "\"relations\":2"));
	CHECK(!rules || tl_script_unload(rules) == TL_OK);
	tl_script_free(rules);
	return fired;
}

/* --- rules that look at what has changed ------------------------------------------------------ */

/* A peer and the database are called otherwise, and there is another fact. */
static const char looking[] = "local rule = require 'tidelock.rule'\n"
			      "local function is_desk(p) return p.name == 'desk' end\n"
			      "return { rule { 'films', databases = 'films', peers = 'all' },\n"
			      "  rule { 'desk', databases = '*', peers = is_desk },\n"
			      "  rule { 'all', databases = 'n*', peers = 'all', discover = true,\n"
			      "    when = function(ctx) return not ctx.facts.metered end } }\n";

static void wake(void *ud)
{
	(void)ud;
}

static void called(void *ud, tlua_cell *cell, const tlua_failure *why)
{
	(void)ud;
	(void)cell;
	(void)why;
}

static void trouble(void *ud, const char *text)
{
	*(bool *)ud = text != NULL;
}

static void log_line(void *ud, tl_log_level level, const char *text)
{
	quiet(ud, level, "", text);
}

static tlua_rules *open_rules(void)
{
	tlua_cell_options options = {
		.name = "rules.lua", .source = z(looking), .find = tlua_half_find};
	tlua_rules *rules = NULL;
	tlua_failure why;

	(void)tlua_rules_open(&options, &rules, &why);
	return rules;
}

static bool has(tlua_governor *governor, size_t relations, size_t paused)
{
	tlua_governor_shown shown = tlua_governor_show(governor);

	return shown.relations == relations && shown.paused == paused;
}

static void call_database(const char *name)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;

	CHECK(tl_transaction_new(w.db, &tx) == TL_OK);
	CHECK(tl_transaction_get_settings(tx, &settings) == TL_OK);
	CHECK(tl_settings_store_set_name(settings, z(name)) == TL_OK);
	CHECK(tl_transaction_commit(tx, NULL) == TL_OK);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
}

/* Commits are told by the engine's thread. */
static bool is_noticed(tlua_governor *governor)
{
	bool is;

	pthread_mutex_lock(&governor->noticed.lock);
	is = governor->noticed.news.written_count > 0;
	pthread_mutex_unlock(&governor->noticed.lock);
	return is;
}

static void change(tlua_governor *governor)
{
	CHECK(tl_sync_set_fact(w.node, "metered", "true") == TL_OK);
	CHECK(tl_sync_rename_peer(w.node, w.peers[0], "desk") == TL_OK);
	call_database("notes");
	while (governor && !is_noticed(governor))
		usleep(500);
}

static void change_back(void)
{
	CHECK(tl_sync_set_fact(w.node, "metered", "false") == TL_OK);
	CHECK(tl_sync_rename_peer(w.node, w.peers[0], "phone") == TL_OK);
	call_database("films");
}

static bool take_rules(tlua_governor *governor)
{
	tlua_rules *rules = open_rules();

	return rules && tlua_governor_take(governor, rules) == TL_OK;
}

/* Whether an allocation failed. The turns are those of the script thread, at times of ours. */
static bool look_at(unsigned n)
{
	bool troubled = false, made, taken;
	const tlua_governor_calls calls = {wake, called, trouble, wake, log_line, &troubled};
	tlua_governor *governor = NULL;
	uint64_t now = tlua_now_ms();
	long rest;

	change_back();
	atomic_store(&left, (long)n);
	made = tlua_governor_new(w.node, &calls, &governor) == TL_OK;
	taken = made && take_rules(governor);
	rest = atomic_exchange(&left, -1);
	CHECK(rest < 0 || (taken && has(governor, 2, 0)));
	change(governor);
	atomic_store(&left, rest);
	if (taken)
		(void)tlua_governor_turn(governor, now + 100);
	rest = atomic_exchange(&left, -1);
	CHECK(!made || taken || take_rules(governor));
	for (uint64_t i = 1; made && i < 4; i++)
		(void)tlua_governor_turn(governor, now + i * 61000);
	CHECK(!made || (has(governor, 2, 1) && !troubled));
	CHECK(!made || tlua_governor_leave(governor) == TL_OK);
	tlua_governor_free(governor);
	return rest < 0;
}

static void add_peers(void)
{
	for (uint8_t i = 0; i < 2; i++) {
		const uint8_t seed[TL_SEED_BYTES] = {i, 3};
		tl_secret secret;
		tl_key key;

		REQUIRE(tl_secret_from_seed(&secret, seed) == TL_OK);
		tl_secret_public(&secret, &key);
		tl_key_format(&key, w.peers[i]);
		REQUIRE(tl_sync_register_peer(w.node, w.peers[i], NULL) == TL_OK);
	}
}

static void rules_may_fail_to_load(void)
{
	sweep(load_rules_at);
}

static void rules_may_fail_to_look(void)
{
	sweep(look_at);
}

int main(void)
{
	open_world();
	RUN(every_allocation_may_fail);
	add_peers();
	RUN(rules_may_fail_to_load);
	RUN(rules_may_fail_to_look);
	tl_database_free(w.db);
	tl_node_close_within(w.node, 0);
	scratch_remove(w.folder);
	return spec_end();
}
