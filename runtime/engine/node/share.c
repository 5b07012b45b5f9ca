/* Shares: making, listing and revoking them, and joining by the text of one. */
#include <string.h>
#include "base/fail.h"
#include "base/sized.h"
#include "base/str.h"
#include "crypto/vault.h"
#include "engine/node/status.h"
#include "engine/node/visit.h"
#include "engine/run/engine_impl.h"
#include "tree/trust/rights.h"
#include "wire/share.h"

#define DEFAULT_EXPIRES_MS (UINT64_C(24) * 3600 * 1000)
#define FIRST_KEY          "default" /* of a node that has none when it joins */

/* --- who gives -------------------------------------------------------------------------------- */

typedef struct maker {
	tl_node *node;
	tl_database *db;
	tl_permission permission; /* to be given */
	bool may;
	tl_key key;
	char name[TL__KEY_NAME_MAX + 1];
} maker;

static int look_at_right(void *ud, tl_str name, tl_permission permission)
{
	maker *m = ud;

	(void)name;
	m->may = permission.kind == TL_ADMIN &&
		 tl_permission_compare(permission, m->permission) >= 0;
	return m->may ? TL_STOP : TL_OK;
}

static int try_maker(void *ud, tl_str name)
{
	maker *m = ud;
	char pubkey[TL_KEY_TEXT_LEN + 1];
	int rc = tl__keys_public(m->node->keys, name, &m->key);

	if (rc != TL_OK)
		return rc;
	tl_key_format(&m->key, pubkey);
	rc = tl_database_find_sigkeys(m->db, (tl_str){pubkey, TL_KEY_TEXT_LEN}, look_at_right, m);
	if (rc != TL_OK || !m->may)
		return rc;
	memcpy(m->name, name.ptr, name.len);
	m->name[name.len] = 0;
	return TL_STOP;
}

/* The key named, or the first that may give so much there. */
static int find_maker(maker *m, const char *key)
{
	char permission[24];
	int rc = key ? try_maker(m, tl__str_z(key))
		     : tl_node_list_private_keys(m->node, try_maker, m);

	if ((rc != TL_OK && rc != TL_STOP) || m->may)
		return rc == TL_STOP ? TL_OK : rc;
	tl_permission_format(m->permission, permission);
	return tl__fail(TL_E_INSUFFICIENT_PERMISSIONS,
		"%s%s%s is Admin of that database and may give %s", key ? "the key \"" : "",
		key ? key : "no private key of this node", key ? "\" is not one that" : "",
		permission);
}

/* --- what is shared --------------------------------------------------------------------------- */

static int check_shared(tl_node *node, const tl_id *db)
{
	tl__rights *rights = NULL;
	int rc = tl__rights_now(node->host.tree, db, &rights);
	bool system = rights && rights->system;

	tl__rights_release(rights);
	if (rc == TL_OK && system)
		return tl__fail(
			TL_E_BAD_ARGUMENT, "this database is the node's own and never shared");
	return rc;
}

typedef struct places {
	char texts[TL__V1_MAX_ADDRESSES][TL__SHARE_MAX_ADDRESS + 1];
	size_t count;
} places;

static int keep_place(void *ud, const tl_address *address)
{
	places *p = ud;

	if (p->count < TL__V1_MAX_ADDRESSES)
		tl_address_format(address, p->texts[p->count++]);
	return TL_OK;
}

/* One that whoever reads the text could not read would make all of it none. */
static int keep_given(places *p, const tl_address *address)
{
	char text[TL__SHARE_MAX_ADDRESS + 1];
	tl_address again;

	if (!memchr(address->type, 0, sizeof address->type) ||
		!memchr(address->text, 0, sizeof address->text))
		return tl__fail(TL_E_BAD_ADDRESS,
			"an address needs a type and a text; read it with tl_address_parse");
	tl_address_format(address, text);
	if (!tl__utf8_valid(tl__str_z(text)))
		return tl__fail(TL_E_BAD_ADDRESS, "an address in a share is UTF-8");
	if (tl_address_parse(&again, tl__str_z(text)) != TL_OK)
		return TL_E_BAD_ADDRESS;
	return keep_place(p, address);
}

/* Those given, or where the servers can be dialled. */
static int find_places(tl_node *node, const tl_share_options *options, places *p)
{
	const tl_address *given = options->addresses;
	int rc = TL_OK;

	for (size_t i = 0; given && rc == TL_OK && i < options->address_count; i++)
		rc = keep_given(p, &given[i]);
	if (rc == TL_OK && options->address_count == 0)
		rc = tl_sync_get_server_addresses(node, keep_place, p);
	if (rc == TL_OK && p->count == 0)
		return tl__fail(TL_E_SERVER_NOT_RUNNING,
			"nobody could come: no server is running; start one first, or give the "
			"addresses at which this node will be");
	return rc;
}

static int check_options(const tl_share_options *options, tl_permission *permission)
{
	if (options->expires_ms > TL_SHARE_MAX_EXPIRES_MS)
		return tl__fail(TL_E_BAD_ARGUMENT, "a share expires within 30 days");
	if (options->address_count > TL__V1_MAX_ADDRESSES ||
		(options->address_count > 0 && !options->addresses))
		return tl__fail(TL_E_BAD_ARGUMENT, "a share has at most %d addresses",
			TL__V1_MAX_ADDRESSES);
	return tl_permission_parse(
		permission, tl__str_z(options->permission ? options->permission : "read"));
}

/* --- making ----------------------------------------------------------------------------------- */

/* Durable before the text is anybody's. */
static int keep(tl_node *node, const maker *m, const tl_key *key, uint64_t expires_ms)
{
	const tl__sync_share share = {*key, m->key, expires_ms ? expires_ms : DEFAULT_EXPIRES_MS};
	const tl__sync_command command = {.kind = TL__SYNC_SHARE,
		.has_db = true,
		.db = *tl_database_root_id(m->db),
		.permission = m->permission,
		.name = tl__str_z(m->name),
		.share = &share};

	return tl__command_run(node, &command, "share", NULL);
}

static int make(tl_node *node, const maker *m, const places *p, uint64_t expires_ms, tl_share *out)
{
	tl__share_text text = {.node = *tl__keys_device(node->keys),
		.db = *tl_database_root_id(m->db),
		.permission = m->permission,
		.address_count = p->count};
	tl_secret secret;
	tl_key key;
	int rc;

	for (size_t i = 0; i < p->count; i++)
		text.addresses[i] = tl__str_z(p->texts[i]);
	tl_random_bytes(text.token, sizeof text.token);
	rc = tl__share_write(out->text, &text);
	if (rc == TL_OK)
		rc = tl__share_secret(&secret, text.token);
	if (rc == TL_OK) {
		tl_secret_public(&secret, &key);
		tl_secret_wipe(&secret);
		tl__share_id(out->id, &key);
		rc = keep(node, m, &key, expires_ms);
	}
	if (rc != TL_OK)
		tl__vault_wipe(out, sizeof *out);
	tl__share_wipe(&text);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_share, node && db && out,
	(tl_node *node, const tl_id *db, const tl_share_options *options, tl_share *out),
	(node, db, options, out))
{
	tl_share_options full = TL_SHARE_OPTIONS_INIT;
	maker m = {.node = node};
	places p = {.count = 0};
	int rc = TL_OK;

	memset(out, 0, sizeof *out);
	if (options)
		rc = tl__sized_read(&full, options, tl_share_options, address_count);
	if (rc == TL_OK)
		rc = check_options(&full, &m.permission);
	if (rc == TL_OK)
		rc = find_places(node, &full, &p);
	if (rc == TL_OK)
		rc = tl__database_open(&node->host, db, &m.db);
	if (rc == TL_OK)
		rc = check_shared(node, db);
	if (rc == TL_OK)
		rc = find_maker(&m, full.key);
	if (rc == TL_OK)
		rc = make(node, &m, &p, full.expires_ms, out);
	tl_database_free(m.db);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_revoke_share, node && id, (tl_node *node, const char *id), (node, id))
{
	const tl__sync_command command = {.kind = TL__SYNC_UNSHARE, .name = tl__str_z(id)};

	return tl__command_run(node, &command, "revoke_share", NULL);
}

typedef struct listing {
	tl__call base; /* first: a call is its listing */
	tl__buf out;
} listing;

static void begin_list(tl__engine *engine, tl__call *call)
{
	listing *list = (listing *)call;

	tl__sync_put_shares(
		engine->sync, tl__system_clock.wall_ms(tl__system_clock.ud), &list->out);
	tl__call_end(call, tl__buf_status(&list->out), NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_shares, node && json, (tl_node *node, char **json), (node, json))
{
	listing list = {.base.begin = begin_list, .out = TL__BUF_INIT};
	int rc = tl__engine_call(node, &list.base, "shares");

	*json = NULL;
	if (rc == TL_OK)
		rc = tl__json_take(&list.out, json);
	tl__buf_free(&list.out);
	return rc;
}

/* --- joining ---------------------------------------------------------------------------------- */

static int take_first(void *ud, tl_str name)
{
	maker *m = ud;

	memcpy(m->name, name.ptr, name.len);
	m->name[name.len] = 0;
	return TL_STOP;
}

/* The key named, the node's first one, or a new one. */
static int find_key(tl_node *node, const char *name, maker *m)
{
	int rc = name ? tl__keys_public(node->keys, tl__str_z(name), &m->key)
		      : tl_node_list_private_keys(node, take_first, m);

	if (rc == TL_OK && name)
		(void)take_first(m, tl__str_z(name));
	if (rc == TL_OK && !m->name[0]) {
		(void)take_first(m, TL__STR(FIRST_KEY));
		rc = tl_node_add_private_key(node, FIRST_KEY, NULL, NULL);
	}
	return rc;
}

/* A type that this version does not know is passed over: others may do. */
static size_t read_places(const tl__share_text *text, tl_address out[TL__V1_MAX_ADDRESSES])
{
	size_t count = 0;

	for (size_t i = 0; i < text->address_count; i++)
		if (tl_address_parse(&out[count], text->addresses[i]) == TL_OK)
			count++;
	return count;
}

static int start_join(
	tl_node *node, const tl__share_text *text, const maker *m, tl_secret secrets[2], tl_op **op)
{
	tl_address addresses[TL__V1_MAX_ADDRESSES];
	tl__sync_command command = {.kind = TL__SYNC_JOIN,
		.has_key = true,
		.key = text->node,
		.has_db = true,
		.db = text->db,
		.permission = text->permission,
		.name = tl__str_z(m->name),
		.secrets = secrets,
		.secret_names = &command.name,
		.secret_count = 2,
		.addresses = addresses,
		.address_count = read_places(text, addresses)};
	int rc = tl__keys_secret(node->keys, command.name, &secrets[0]);

	if (rc == TL_OK)
		rc = tl__share_secret(&secrets[1], text->token);
	if (rc == TL_OK && command.address_count == 0)
		rc = tl__fail(TL_E_BAD_ADDRESS,
			"none of the addresses in this share is of a kind that this node knows");
	return rc == TL_OK ? tl__command_start(node, &command, "join", op) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_join, node && text,
	(tl_node *node, const char *text, const char *key_name, tl_op **op),
	(node, text, key_name, op))
{
	tl_secret secrets[2] = {{{0}}};
	tl__share_text share;
	maker m = {.node = node};
	int rc = tl__share_read(&share, tl__str_z(text));

	if (op)
		*op = NULL;
	if (rc == TL_OK && !node->engine)
		rc = tl__fail(TL_E_SYNC_NOT_ENABLED,
			"join needs sync, and this node was opened without it");
	if (rc == TL_OK)
		rc = find_key(node, key_name, &m);
	if (rc == TL_OK)
		rc = start_join(node, &share, &m, secrets, op);
	tl__share_wipe(&share);
	tl__vault_wipe(secrets, sizeof secrets);
	return rc;
}
