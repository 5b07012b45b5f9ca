/* Reading requests of the control socket, and what many of them name: databases and keys. */
#include "control/control_request.h"
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"

#define KEYS_MAX 100 /* of a path */

int tl__control_read_request(tl__control_request *r, tl_str line)
{
	enum { VALUE = 13, KEYS, PROGRESS, SINCE, LIMIT, EXPIRES, MEMBERS };
	static const char *const names[MEMBERS] = {"call", "db", "store", "path", "key", "name",
		"peer", "file", "row", "after", "request", "text", "permission", "value", "keys",
		"progress", "since", "limit", "expires"};
	uint64_t *const numbers[] = {&r->since, &r->limit, &r->expires};
	tl_str *const texts[VALUE] = {&r->call, &r->db, &r->store, &r->path, &r->key, &r->name,
		&r->peer, &r->file, &r->row, &r->after, &r->request, &r->text, &r->permission};
	tl__fields f;
	uint32_t seen = 0;
	size_t at;

	tl__fields_open(&f, line, &r->arena, "control request", TL_E_BAD_MESSAGE);
	f.unknown_member = TL_E_BAD_MESSAGE;
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, MEMBERS, &seen, &at)) {
		if (at < VALUE)
			tl__fields_text(&f, texts[at]);
		else if (at == VALUE)
			tl__fields_verbatim(&f, &r->value);
		else if (at == KEYS)
			tl__fields_texts(&f, &r->keys, &r->key_count, KEYS_MAX, "keys");
		else if (at == PROGRESS)
			tl__fields_bool(&f, &r->progress);
		else
			tl__fields_u64(&f, numbers[at - SINCE]);
	}
	tl__fields_need(&f, names, seen, 1);
	return tl__fields_whole(&f);
}

int tl__control_need(tl_str value, const char *what)
{
	if (value.ptr)
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT, "the request needs the member \"%s\"", what);
}

int tl__control_open_db(tl_node *node, const tl__control_request *r, tl_database **out)
{
	tl_id id;
	char *name;
	int rc = tl__control_need(r->db, "db");

	*out = NULL;
	if (rc != TL_OK)
		return rc;
	if (tl_id_parse(&id, r->db) == TL_OK)
		return tl_node_load_database(node, &id, out);
	name = tl__copy_bytes(r->db.ptr, r->db.len);
	rc = name ? tl_node_find_database(node, name, out) : TL_E_NOMEM;
	tl__free(name);
	return rc;
}

void tl__control_put_id(tl__buf *out, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	tl__buf_format(out, "\"%s\"", text);
}

typedef struct signer {
	tl_node *node;
	tl_database *db;
	bool found;
} signer;

static int stop_at_writer(void *ud, tl_str name, tl_permission permission)
{
	(void)name;
	if (permission.kind == TL_READ)
		return TL_OK;
	*(bool *)ud = true;
	return TL_STOP;
}

/* The first private key of the node that may write there becomes the handle's. */
static int try_key(void *ud, tl_str name)
{
	signer *s = ud;
	char pubkey[TL_KEY_TEXT_LEN + 1];
	int rc = tl_node_get_public_key(s->node, name.ptr, pubkey);

	if (rc == TL_OK)
		rc = tl_database_find_sigkeys(
			s->db, (tl_str){pubkey, TL_KEY_TEXT_LEN}, stop_at_writer, &s->found);
	if (rc != TL_OK || !s->found)
		return rc;
	rc = tl_database_set_default_auth_key(s->db, name);
	return rc == TL_OK ? TL_STOP : rc;
}

int tl__control_choose_key(tl_node *node, const tl__control_request *r, tl_database *db)
{
	signer s = {node, db, false};
	int rc;

	if (r->key.ptr)
		return tl_database_set_default_auth_key(db, r->key);
	rc = tl_node_list_private_keys(node, try_key, &s);
	if (rc == TL_OK && !s.found)
		rc = tl__fail(TL_E_INSUFFICIENT_PERMISSIONS,
			"none of this node's private keys may write to this database");
	return rc;
}
