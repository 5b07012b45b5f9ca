/* The calls of a node on its keys, databases, hooks, operations and events. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/node/visit.h"
#include "engine/run/engine.h"
#include "engine/parts/names.h"
#include "engine/parts/node_impl.h"
#include "store/access/access.h"

/* For calls that return nothing and so have nothing to do in a node that is closed. */
static bool enter(tl__visit *visit, tl_node *node)
{
	tl__errors errors;
	int rc = TL_E_CLOSED;

	tl__errors_begin(&errors);
	if (node)
		rc = tl__visit_enter(visit, node);
	(void)tl__errors_end(&errors, TL_OK);
	return rc == TL_OK;
}

TL__PUBLIC_OF_NODE(
	tl_node_name, node && out, (tl_node *node, char out[TL_NODE_NAME_MAX + 1]), (node, out))
{
	memcpy(out, node->name, strlen(node->name) + 1);
	return TL_OK;
}

/* --- keys ------------------------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_node_device_key, node && out,
	(tl_node *node, char out[TL_KEY_TEXT_LEN + 1]), (node, out))
{
	tl_key_format(tl__keys_device(node->keys), out);
	return TL_OK;
}

/* The core proves our keys in its requests. */
static int tell_engine(tl_node *node)
{
	return node->engine ? tl__engine_keys_changed(node) : TL_OK;
}

TL__PUBLIC_OF_NODE(tl_node_add_private_key, node && name,
	(tl_node *node, const char *name, const uint8_t seed[TL_SEED_BYTES],
		char out[TL_KEY_TEXT_LEN + 1]), (node, name, seed, out))
{
	tl_key key;
	int rc = tl__keys_add(node->keys, tl__str_z(name), seed, &key);

	if (rc == TL_OK && out)
		tl_key_format(&key, out);
	return rc == TL_OK ? tell_engine(node) : rc;
}

TL__PUBLIC_OF_NODE(tl_node_get_public_key, node && name && out,
	(tl_node *node, const char *name, char out[TL_KEY_TEXT_LEN + 1]), (node, name, out))
{
	tl_key key;
	int rc = tl__keys_public(node->keys, tl__str_z(name), &key);

	if (rc == TL_OK)
		tl_key_format(&key, out);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_node_export_private_key, node && name && seed,
	(tl_node *node, const char *name, uint8_t seed[TL_SEED_BYTES]), (node, name, seed))
{
	tl_secret secret;
	int rc = tl__keys_secret(node->keys, tl__str_z(name), &secret);

	if (rc != TL_OK)
		return rc;
	tl_secret_seed(&secret, seed);
	tl_secret_wipe(&secret);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_node_remove_private_key, node && name,
	(tl_node *node, const char *name), (node, name))
{
	int rc = tl__keys_remove(node->keys, tl__str_z(name));

	return rc == TL_OK ? tell_engine(node) : rc;
}

/* The visitor may use the library, so the store's walk ends before the first call. */
TL__PUBLIC_OF_NODE(tl_node_list_private_keys, node && visit,
	(tl_node *node, tl_name_visit visit, void *ud), (node, visit, ud))
{
	tl__names names = TL__NAMES_INIT;
	int rc = tl__keys_names(node->keys, tl__names_add, &names);

	if (rc == TL_OK)
		rc = tl__names_each(&names, visit, ud);
	tl__names_free(&names);
	return rc;
}

/* --- databases -------------------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_node_new_database, node && key_name && out,
	(tl_node *node, const tl_value *settings, const char *key_name, tl_database **out),
	(node, settings, key_name, out))
{
	*out = NULL;
	if (settings && tl_value_type(settings) != TL_DOC)
		return tl__fail(TL_E_TYPE_MISMATCH, "the settings of a database are a Doc");
	return tl__database_create(&node->host, settings, tl__str_z(key_name), out);
}

TL__PUBLIC_OF_NODE(tl_node_load_database, node && root && out,
	(tl_node *node, const tl_id *root, tl_database **out), (node, root, out))
{
	return tl__database_open(&node->host, root, out);
}

static bool is_system(const tl_node *node, const tl_id *id)
{
	return node->has_sync_db && tl__id_equal(id, &node->sync_db);
}

TL__PUBLIC_OF_NODE(tl_node_find_database, node && name && out,
	(tl_node *node, const char *name, tl_database **out), (node, name, out))
{
	tl_id *ids = NULL;
	size_t count = 0, at = 0;
	int rc = tl__database_find(&node->host, tl__str_z(name), &ids, &count);

	*out = NULL;
	if (rc != TL_OK)
		return rc;
	while (at < count && is_system(node, &ids[at]))
		at++;
	rc = at < count ? tl__database_open(&node->host, &ids[at], out)
			: tl__fail(TL_E_DATABASE_NOT_FOUND,
				  "there is no database named \"%s\" here", name);
	tl__free(ids);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_node_all_databases, node && visit,
	(tl_node *node, bool with_system, tl_id_visit visit, void *ud),
	(node, with_system, visit, ud))
{
	tl_id *ids = NULL;
	size_t count = 0;
	int rc = tl__database_all(&node->host, &ids, &count);

	for (size_t i = 0; rc == TL_OK && i < count; i++)
		if (with_system || !is_system(node, &ids[i]))
			rc = visit(ud, &ids[i]);
	tl__free(ids);
	return rc == TL_STOP ? TL_OK : rc;
}

TL__PUBLIC_OF_NODE(tl_node_verify, node,
	(tl_node *node, const tl_verify_options *options, tl_verify_result *result),
	(node, options, result))
{
	tl_id *ids = NULL;
	size_t count = 0;
	int rc = tl__database_all(&node->host, &ids, &count);

	if (rc == TL_OK)
		rc = tl__verify_databases(&node->host, ids, count, options, result);
	tl__free(ids);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_node_backup_with, node && file,
	(tl_node *node, const char *file, const tl_backup_options *options), (node, file, options))
{
	tl_backup_options full = TL_BACKUP_OPTIONS_INIT;
	int rc = options ? tl__sized_read(&full, options, tl_backup_options, ud) : TL_OK;

	return rc == TL_OK ? tl__store_backup(node->store, file, full.progress, full.ud) : rc;
}

TL__PUBLIC_OF_NODE(tl_node_backup, node && file, (tl_node *node, const char *file), (node, file))
{
	return tl_node_backup_with(node, file, NULL);
}

static void drop_store(void *node)
{
	tl__node_release(node);
}

TL__PUBLIC_OF_NODE(tl_node_store, node && out, (tl_node *node, tl_store **out), (node, out))
{
	int rc = tl__node_check(node);

	*out = NULL;
	if (rc == TL_OK)
		rc = tl__store_lend(out, node->store, drop_store, node);
	if (rc == TL_OK)
		atomic_fetch_add(&node->refs, 1);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_node_add_hook, node && hook,
	(tl_node *node, const tl_hook *hook, uint64_t *handle), (node, hook, handle))
{
	return tl__hooks_add(&node->hooks, NULL, hook, handle);
}

void tl_node_remove_hook(tl_node *node, uint64_t handle)
{
	tl__visit visit;

	if (!enter(&visit, node))
		return;
	tl__hooks_remove(&node->hooks, NULL, handle);
	(void)tl__visit_leave(&visit, TL_OK);
}

/* --- operations and events -------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_next_event, node && out, (tl_node *node, tl_event *out), (node, out))
{
	return tl__hub_next_event(node->hub, out);
}

TL__PUBLIC_OF_NODE(tl_node_listen, node && listener && handle,
	(tl_node *node, const tl_listener *listener, uint64_t *handle), (node, listener, handle))
{
	return tl__hub_listen(node->hub, listener, handle);
}

void tl_node_unlisten(tl_node *node, uint64_t handle)
{
	tl__visit visit;

	if (!enter(&visit, node))
		return;
	tl__hub_unlisten(node->hub, handle);
	(void)tl__visit_leave(&visit, TL_OK);
}

TL__PUBLIC_OF_NODE(tl_node_fd, node, (tl_node *node), (node))
{
	return tl__hub_fd(node->hub);
}

void tl_node_dispatch(tl_node *node)
{
	tl__visit visit;

	if (!enter(&visit, node))
		return;
	tl__hub_dispatch(node->hub);
	(void)tl__visit_leave(&visit, TL_OK);
}

TL__PUBLIC_OF_NODE(tl_node_run, node, (tl_node *node), (node))
{
	return tl__hub_run(node->hub);
}

void tl_node_stop(tl_node *node)
{
	if (node)
		tl__hub_stop(node->hub);
}

TL__PUBLIC_OF_NODE(tl_node_tell, node && text,
	(tl_node *node, tl_event_kind kind, const char *text), (node, kind, text))
{
	tl_event event = {.kind = kind, .time_ms = tl__system_clock.wall_ms(tl__system_clock.ud)};

	if (kind != TL_EVENT_SCRIPT_SUSPENDED)
		return tl__fail(TL_E_BAD_ARGUMENT, "events of this kind are told by the library");
	tl__node_tell(node, &event, text);
	return TL_OK;
}
