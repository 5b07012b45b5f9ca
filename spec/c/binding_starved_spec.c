/* Scripts of a node while memory runs out: each allocation in turn fails, of the library and of
 * what has cells, on whatever thread it is, while a policy and a hook are loaded, asked, loaded
 * anew and unloaded. Errors are errors, what was at work stays, and nothing is let through. The
 * linker puts these functions before the C library's (Makefile). */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <tidelock/node.h>
#include <tidelock/script.h>
#include <tidelock/transaction.h>
#include "check.h"
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
	char folder[SCRATCH_PATH], policy[SCRATCH_PATH + 16], hook[SCRATCH_PATH + 16];
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

static void every_allocation_may_fail(void)
{
	unsigned n = 0;

	while (live_at(n) && spec_case_ok && n < 100000)
		n += STEP;
	printf("%u allocations failed\n", n / STEP);
	CHECK(n > 100 && n < 100000);
}

int main(void)
{
	open_world();
	RUN(every_allocation_may_fail);
	tl_database_free(w.db);
	tl_node_close_within(w.node, 0);
	scratch_remove(w.folder);
	return spec_end();
}
