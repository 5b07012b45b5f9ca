#include <string.h>
#include "base/system/descriptors.h"
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/run/engine.h"
#include "engine/parts/inside.h"
#include "engine/node/visit.h"

#define DEFAULT_NAME   "tidelock"
#define CLOSE_FLUSH_MS 5000

const char *tl_version(void)
{
	return TL__STRINGIFY(TL_VERSION_MAJOR) "." TL__STRINGIFY(
		TL_VERSION_MINOR) "." TL__STRINGIFY(TL_VERSION_PATCH);
}

unsigned long tl_version_number(void)
{
	return TL_VERSION_NUMBER;
}

/* --- what handles and parts call back --------------------------------------------------------- */

static void log_line(void *ud, tl_log_level level, const char *part, const char *text)
{
	tl_node *node = ud;

	pthread_mutex_lock(&node->log_lock);
	node->user_log(node->user_log_ud, level, part, text);
	pthread_mutex_unlock(&node->log_lock);
}

static void secure_fill(void *ud, void *out, size_t len)
{
	(void)ud;
	tl_random_bytes(out, len);
}

static int host_secret(void *ud, tl_str name, tl_secret *out)
{
	tl_node *node = ud;
	int rc = tl__keys_secret(node->keys, name, out);

	if (rc == TL_E_KEY_NOT_FOUND)
		return tl__fail_cause(TL_E_SIGNING_KEY_NOT_FOUND,
			"this node has no private key named \"%.*s\"", TL__STR_ARG(name));
	return rc;
}

static int host_check(void *ud)
{
	return tl__node_check(ud);
}

static void host_retain(void *ud)
{
	tl_node *node = ud;

	atomic_fetch_add(&node->refs, 1);
}

static void host_release(void *ud)
{
	tl__node_release(ud);
}

int tl__node_check(const tl_node *node)
{
	if (atomic_load(&node->closed) && !tl__visit_belongs(node))
		return tl__fail(TL_E_CLOSED, "the node has been closed");
	return TL_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static int read_config(tl_node_config *out, tl_sync_options *sync, const tl_node_config *given)
{
	int rc;

	*out = (tl_node_config)TL_NODE_CONFIG_INIT;
	*sync = (tl_sync_options)TL_SYNC_OPTIONS_INIT;
	rc = given ? tl__sized_read(out, given, tl_node_config, log_level) : TL_OK;
	if (rc == TL_OK && out->sync)
		rc = tl__sized_read(sync, out->sync, tl_sync_options, accept_databases_from_count);
	out->sync = sync;
	if (rc != TL_OK)
		return rc;
	if (out->durability != TL_DURABILITY_FULL && out->durability != TL_DURABILITY_RELAXED)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"durability is TL_DURABILITY_FULL or TL_DURABILITY_RELAXED");
	if (out->log_level < TL_LOG_DEBUG || out->log_level > TL_LOG_OFF)
		return tl__fail(
			TL_E_BAD_ARGUMENT, "log_level is none of the levels of tl_log_level");
	if (out->passphrase ? out->passphrase_len == 0 : out->passphrase_len > 0)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"an empty passphrase seals nothing; give none to store keys unsealed");
	if (out->name &&
		(strlen(out->name) > TL_NODE_NAME_MAX || !tl__utf8_valid(tl__str_z(out->name))))
		return tl__fail(TL_E_BAD_ARGUMENT, "a node's name is at most %d bytes of UTF-8",
			TL_NODE_NAME_MAX);
	return TL_OK;
}

static int copy_texts(tl_node *node, const tl_node_config *config)
{
	const char *name = config->name ? config->name : DEFAULT_NAME;

	node->name = tl__copy_bytes(name, strlen(name));
	if (config->path)
		node->path = tl__copy_bytes(config->path, strlen(config->path));
	return node->name && (node->path || !config->path) ? TL_OK : TL_E_NOMEM;
}

static int open_store(tl_node *node, const tl_node_config *config)
{
	tl__durability durability = config->durability == TL_DURABILITY_RELAXED
					    ? TL__DURABLE_RELAXED
					    : TL__DURABLE_FULL;

	if (!node->path)
		return tl__store_open_memory(&node->store, &node->log);
	return tl__store_open_sqlite(&node->store, node->path, durability, &node->log);
}

static int open_tree(tl_node *node)
{
	tl__random random = {secure_fill, NULL};
	int rc = tl__verify_pool_new(&node->pool, 0);

	if (rc != TL_OK)
		return rc;
	rc = tl__tree_init(
		&node->tree, node->store, node->pool, &tl__system_clock, random, &node->log);
	if (rc != TL_OK)
		return rc;
	node->has_tree = true;
	rc = tl__hooks_init(&node->hooks);
	if (rc != TL_OK)
		return rc;
	node->has_hooks = true;
	node->host = (tl__host){
		.tree = &node->tree,
		.hooks = &node->hooks,
		.secret = host_secret,
		.check = host_check,
		.retain = host_retain,
		.release = host_release,
		.ud = node,
	};
	rc = tl__host_init(&node->host);
	node->has_host = rc == TL_OK;
	return rc;
}

static int open_parts(tl_node *node, const tl_node_config *config)
{
	tl_str passphrase = {config->passphrase, config->passphrase_len};
	int rc = copy_texts(node, config);

	if (rc == TL_OK)
		rc = tl_crypto_init();
	if (rc == TL_OK)
		rc = tl__hub_new(&node->hub);
	if (rc == TL_OK)
		rc = open_store(node, config);
	if (rc == TL_OK)
		rc = tl__keys_open(&node->keys, node->store, passphrase);
	if (rc == TL_OK)
		rc = open_tree(node);
	if (rc == TL_OK)
		rc = tl__rules_check(&node->host, TL__RULES_VERSION);
	if (rc == TL_OK)
		rc = tl__node_load_incarnation(node);
	if (rc == TL_OK)
		rc = tl__node_watch_commits(node);
	if (rc == TL_OK && !config->without_sync)
		rc = tl__engine_open(node, config->sync);
	if (rc == TL_OK)
		rc = tl__node_load_sync_db(node);
	return rc;
}

/* Ends a node that no further call can enter. */
static void end(tl_node *node, uint32_t flush_ms)
{
	atomic_store(&node->closed, true);
	if (node->control)
		node->control_end(node->control);
	node->control = NULL;
	if (node->hub)
		tl__hub_end(node->hub);
	tl__engine_flush(node, flush_ms);
	tl__visit_wait(node);
	tl__engine_close(node);
	if (node->has_hooks)
		tl__hooks_clear(&node->hooks);
	if (node->hub)
		tl__hub_unlisten_all(node->hub);
	if (node->hub)
		tl__hub_dispatch(node->hub);
	tl__node_release(node);
}

/* The last error stays that of the opening. */
static void end_unopened(tl_node *node)
{
	tl__errors errors;

	tl__errors_begin(&errors);
	(void)tl__visit_close(node);
	end(node, 0);
	(void)tl__errors_end(&errors, TL_OK);
}

/* What asks the host, all or nothing. No transport is enabled yet, and nobody has the node: nothing
 * was asked before. */
static int take_over(tl_node *node, const tl_node_config *config)
{
	tl__hook_node *hooks;
	int rc = tl__hooks_make(config->hooks, config->hook_count, &hooks);

	if (rc == TL_OK && config->policy)
		rc = tl_sync_set_policy(node, config->policy);
	if (rc == TL_OK)
		tl__hooks_add_made(&node->hooks, hooks);
	else
		tl__hooks_discard(hooks);
	return rc;
}

int tl__node_open(tl_node **out, const tl_node_config *config)
{
	tl_node_config full;
	tl_sync_options sync;
	tl_node *node;
	int rc = read_config(&full, &sync, config);

	if (rc == TL_OK)
		rc = tl__descriptors_guard();
	if (rc == TL_OK)
		rc = tl__fork_watch();
	if (rc != TL_OK)
		return rc;
	node = tl__alloc_zero(1, sizeof *node);
	if (!node)
		return TL_E_NOMEM;
	atomic_init(&node->refs, 1);
	node->forks = tl__fork_count();
	pthread_mutex_init(&node->log_lock, NULL);
	tl__commits_init(&node->commits);
	tl__facts_init(&node->facts);
	node->user_log = full.log;
	node->user_log_ud = full.log_ud;
	tl__log_seldom_init(&node->log_seldom);
	node->log = (tl__log){full.log ? log_line : NULL, node, full.log_level, &node->log_seldom};
	rc = open_parts(node, &full);
	if (rc == TL_OK)
		rc = tl__visit_open(node);
	if (rc == TL_OK)
		rc = take_over(node, &full);
	if (rc != TL_OK) {
		end_unopened(node);
		return rc;
	}
	*out = node;
	return TL_OK;
}

tl_node *tl_node_retain(tl_node *node)
{
	if (node)
		atomic_fetch_add(&node->refs, 1);
	return node;
}

void tl_node_free(tl_node *node)
{
	if (node)
		tl__node_release(node);
}

void tl_node_close_within(tl_node *node, uint32_t flush_ms)
{
	tl__errors errors;

	if (!node)
		return;
	tl__errors_begin(&errors);
	if (tl__inside_refuse("tl_node_close") != TL_OK)
		tl__log_write(
			&node->log, TL_LOG_ERROR, "node", "%s", tl_error_message(tl_last_error()));
	else if (tl__visit_close(node))
		end(node, flush_ms);
	(void)tl__errors_end(&errors, TL_OK);
}

void tl_node_close(tl_node *node)
{
	tl_node_close_within(node, CLOSE_FLUSH_MS);
}
