/* The calls of a node on its keys, databases, hooks, operations and events. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/names.h"
#include "engine/node_impl.h"
#include "store/access.h"

/* --- keys ------------------------------------------------------------------------------------- */

int tl_node_device_key(tl_node *node, char out[TL_KEY_TEXT_LEN + 1])
{
	tl_key_format(tl__keys_device(node->keys), out);
	return TL_OK;
}

/* The core proves our keys in its requests. */
static int tell_engine(tl_node *node)
{
	return node->engine ? tl__engine_keys_changed(node) : TL_OK;
}

int tl_node_add_private_key(tl_node *node, const char *name, const uint8_t seed[TL_SEED_BYTES],
	char out[TL_KEY_TEXT_LEN + 1])
{
	tl_key key;
	int rc = tl__keys_add(node->keys, tl__str_z(name), seed, &key);

	if (rc == TL_OK && out)
		tl_key_format(&key, out);
	return rc == TL_OK ? tell_engine(node) : rc;
}

int tl_node_get_public_key(tl_node *node, const char *name, char out[TL_KEY_TEXT_LEN + 1])
{
	tl_key key;
	int rc = tl__keys_public(node->keys, tl__str_z(name), &key);

	if (rc == TL_OK)
		tl_key_format(&key, out);
	return rc;
}

int tl_node_export_private_key(tl_node *node, const char *name, uint8_t seed[TL_SEED_BYTES])
{
	tl_secret secret;
	int rc = tl__keys_secret(node->keys, tl__str_z(name), &secret);

	if (rc != TL_OK)
		return rc;
	tl_secret_seed(&secret, seed);
	tl_secret_wipe(&secret);
	return TL_OK;
}

int tl_node_remove_private_key(tl_node *node, const char *name)
{
	int rc = tl__keys_remove(node->keys, tl__str_z(name));

	return rc == TL_OK ? tell_engine(node) : rc;
}

/* The visitor may use the library, so the store's walk ends before the first call. */
int tl_node_list_private_keys(tl_node *node, tl_name_visit visit, void *ud)
{
	tl__names names = TL__NAMES_INIT;
	int rc = tl__keys_names(node->keys, tl__names_add, &names);

	if (rc == TL_OK)
		rc = tl__names_each(&names, visit, ud);
	tl__names_free(&names);
	return rc;
}

/* --- databases -------------------------------------------------------------------------------- */

int tl_node_new_database(
	tl_node *node, const tl_value *settings, const char *key_name, tl_database **out)
{
	*out = NULL;
	if (settings && tl_value_type(settings) != TL_DOC)
		return tl__fail(TL_E_TYPE_MISMATCH, "the settings of a database are a Doc");
	return tl__database_create(&node->host, settings, tl__str_z(key_name), out);
}

int tl_node_load_database(tl_node *node, const tl_id *root, tl_database **out)
{
	return tl__database_open(&node->host, root, out);
}

static bool is_system(const tl_node *node, const tl_id *id)
{
	return node->has_sync_db && memcmp(id, &node->sync_db, sizeof *id) == 0;
}

int tl_node_find_database(tl_node *node, const char *name, tl_database **out)
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

int tl_node_all_databases(tl_node *node, bool with_system, tl_id_visit visit, void *ud)
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

int tl_node_verify(tl_node *node, const tl_verify_options *options, tl_verify_result *result)
{
	tl_id *ids = NULL;
	size_t count = 0;
	int rc = tl__database_all(&node->host, &ids, &count);

	if (rc == TL_OK)
		rc = tl__verify_databases(&node->host, ids, count, options, result);
	tl__free(ids);
	return rc;
}

int tl_node_backup_with(tl_node *node, const char *file, const tl_backup_options *options)
{
	tl_backup_options full = TL_BACKUP_OPTIONS_INIT;
	int rc = tl__node_check(node);

	if (rc == TL_OK && options && options->size < offsetof(tl_backup_options, progress))
		rc = tl__fail(TL_E_BAD_ARGUMENT,
			"the options' size is not set; begin with TL_BACKUP_OPTIONS_INIT");
	if (rc != TL_OK)
		return rc;
	if (options)
		memcpy(&full, options, options->size < sizeof full ? options->size : sizeof full);
	return tl__store_backup(node->store, file, full.progress, full.ud);
}

int tl_node_backup(tl_node *node, const char *file)
{
	return tl_node_backup_with(node, file, NULL);
}

static void drop_store(void *node)
{
	tl__node_release(node);
}

int tl_node_store(tl_node *node, tl_store **out)
{
	int rc = tl__node_check(node);

	*out = NULL;
	if (rc == TL_OK)
		rc = tl__store_lend(out, node->store, drop_store, node);
	if (rc == TL_OK)
		atomic_fetch_add(&node->refs, 1);
	return rc;
}

int tl_node_add_hook(tl_node *node, const tl_hook *hook, uint64_t *handle)
{
	return tl__hooks_add(&node->hooks, NULL, hook, handle);
}

void tl_node_remove_hook(tl_node *node, uint64_t handle)
{
	tl__hooks_remove(&node->hooks, NULL, handle);
}

/* --- operations and events -------------------------------------------------------------------- */

int tl_next_event(tl_node *node, tl_event *out)
{
	return tl__hub_next_event(node->hub, out);
}

int tl_node_fd(tl_node *node)
{
	return tl__hub_fd(node->hub);
}

void tl_node_dispatch(tl_node *node)
{
	tl__hub_dispatch(node->hub);
}

int tl_node_run(tl_node *node)
{
	return tl__hub_run(node->hub);
}

void tl_node_stop(tl_node *node)
{
	tl__hub_stop(node->hub);
}
