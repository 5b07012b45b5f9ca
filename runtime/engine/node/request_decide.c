/* What the owner decides on an access request. Granted first, then told to the guests, then shown:
 * where the rest is lost, the request still waits, and deciding once more changes nothing twice. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/node/requests.h"
#include "engine/node/visit.h"
#include "engine/run/engine_impl.h"
#include "engine/node/status.h"
#include "sync/in/serve.h"

typedef struct decision {
	tl_node *node;
	tl_str id;
	const char *key_name;
	tl_str record; /* name of the record that an approval writes */
	tl__arena arena;
	char *row; /* as stored */
	tl__request r;
	tl_database *sync_db, *db;
} decision;

static int find_pending(decision *d)
{
	tl_table *table = NULL;
	size_t len = 0;
	int rc = tl__requests_open(d->node, &d->sync_db);

	if (rc == TL_OK)
		rc = tl_database_table(d->sync_db, TL__STR(TL__SYNC_REQUESTS), &table);
	if (rc == TL_OK)
		rc = tl_table_get(table, d->id, &d->row, &len);
	tl_table_free(table);
	if (rc == TL_OK)
		rc = tl__request_read(&d->arena, (tl_str){d->row, len}, &d->r);
	if (rc == TL_E_KEY_NOT_FOUND || (rc == TL_OK && tl__request_is_expired(&d->r)))
		return tl__fail(TL_E_REQUEST_NOT_FOUND,
			"there is no access request %.*s (they expire after 30 days)",
			TL__STR_ARG(d->id));
	if (rc == TL_OK && strcmp(tl__request_state(&d->r), "pending") != 0)
		return tl__fail(TL_E_INVALID_REQUEST_STATE, "the access request %.*s is %s already",
			TL__STR_ARG(d->id), tl__request_state(&d->r));
	return rc;
}

static int note_admin(void *ud, tl_str name, tl_permission permission)
{
	(void)name;
	if (permission.kind != TL_ADMIN)
		return TL_OK;
	*(bool *)ud = true;
	return TL_STOP;
}

/* The deciding key must be Admin there, for a rejection too. */
static int check_admin(decision *d)
{
	char pubkey[TL_KEY_TEXT_LEN + 1];
	bool admin = false;
	int rc = tl_node_get_public_key(d->node, d->key_name, pubkey);

	if (rc == TL_OK)
		rc = tl__database_open(&d->node->host, &d->r.db, &d->db);
	if (rc == TL_OK)
		rc = tl_database_find_sigkeys(
			d->db, (tl_str){pubkey, TL_KEY_TEXT_LEN}, note_admin, &admin);
	if (rc == TL_OK && !admin)
		return tl__fail(TL_E_INSUFFICIENT_PERMISSIONS,
			"the key \"%s\" is not Admin of that database and cannot decide",
			d->key_name);
	return rc;
}

/* A request must not write a name that means something else ("*", a path). */
static int grant(decision *d)
{
	const tl__grant grant = {.signer = tl__str_z(d->key_name),
		.record = d->record,
		.pubkey = d->r.pubkey,
		.permission = d->r.permission};
	tl_key key;
	int rc = tl_key_parse(&key, d->r.pubkey);

	if (rc != TL_OK)
		return rc;
	if (!tl__serve_wish_name_valid(d->record))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"no key may have the name \"%.*s\"; approve it under another, or reject it",
			TL__STR_ARG(d->record));
	return tl__database_grant(d->db, &grant);
}

/* The record with another status, members in the stored order. */
static int write_record(const decision *d, tl_str status, tl__buf *out)
{
	const tl__request *r = &d->r;

	tl__buf_text(out, "{\"tree_id\":");
	tl__json_put_string(out, r->tree_id);
	tl__buf_text(out, ",\"requesting_pubkey\":");
	tl__json_put_string(out, r->pubkey);
	tl__buf_text(out, ",\"requesting_key_name\":");
	tl__json_put_string(out, r->name);
	tl__buf_text(out, ",\"requested_permission\":");
	tl__buf_str(out, r->permission_json);
	tl__buf_text(out, ",\"timestamp\":");
	tl__json_put_string(out, r->timestamp);
	tl__buf_text(out, ",\"status\":");
	tl__buf_str(out, status);
	tl__buf_text(out, ",\"peer_address\":");
	tl__buf_str(out, r->address.ptr ? r->address : TL__STR("null"));
	tl__buf_text(out, "}");
	return tl__buf_status(out);
}

static int commit_record(const decision *d, tl_str json)
{
	tl_transaction *tx = NULL;
	tl_table *table = NULL;
	int rc = tl_database_set_default_auth_key(d->sync_db, TL__STR(TL__DEVICE_KEY));

	if (rc == TL_OK)
		rc = tl_transaction_new(d->sync_db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_table(tx, TL__STR(TL__SYNC_REQUESTS), &table);
	if (rc == TL_OK)
		rc = tl_table_set(table, d->id, json);
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_table_free(table);
	tl_transaction_free(tx);
	return rc;
}

/* {"Approved":{"approved_by":"…","approval_time":"…"}}, or the same with reject words. */
static int record_decision(const decision *d, bool approved)
{
	tl__buf status = TL__BUF_INIT, json = TL__BUF_INIT;
	char time[30];
	int rc;

	tl__time_format(tl__system_clock.wall_ms(tl__system_clock.ud), time);
	tl__buf_text(&status,
		approved ? "{\"Approved\":{\"approved_by\":" : "{\"Rejected\":{\"rejected_by\":");
	tl__json_put_string(&status, tl__str_z(d->key_name));
	tl__buf_format(&status, ",\"%s_time\":\"%s\"}}", approved ? "approval" : "rejection", time);
	rc = tl__buf_status(&status);
	if (rc == TL_OK)
		rc = write_record(d, tl__buf_view(&status), &json);
	if (rc == TL_OK)
		rc = commit_record(d, tl__buf_view(&json));
	tl__buf_free(&status);
	tl__buf_free(&json);
	return rc;
}

static int carry_out(decision *d, bool approve, char **hint)
{
	const tl__sync_command command = {
		.kind = TL__SYNC_DECIDE, .name = d->id, .approved = approve};
	int rc = approve ? grant(d) : TL_OK;

	if (rc == TL_OK)
		rc = tl__command_run(d->node, &command, "deciding on an access request", hint);
	if (rc == TL_OK)
		rc = record_decision(d, approve);
	return rc;
}

/* *hint is the caller's; NULL: there is none. */
static int decide(tl_node *node, const char *request_id, const char *key_name, bool approve,
	const char *record_name, char **hint)
{
	decision d = {.node = node,
		.id = tl__str_z(request_id),
		.key_name = key_name,
		.arena = TL__ARENA_INIT};
	char *text = NULL;
	int rc = find_pending(&d);

	d.record = record_name ? tl__str_z(record_name) : d.r.name;
	if (rc == TL_OK)
		rc = check_admin(&d);
	if (rc == TL_OK)
		rc = carry_out(&d, approve, &text);
	if (hint)
		*hint = NULL;
	if (hint && rc == TL_OK && text && text[0]) {
		*hint = text;
		text = NULL;
	}
	tl__free(text);
	tl_free(d.row);
	tl_database_free(d.db);
	tl_database_free(d.sync_db);
	tl__arena_free(&d.arena);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_approve_bootstrap_request, node && request_id && key_name,
	(tl_node *node, const char *request_id, const char *key_name), (node, request_id, key_name))
{
	return decide(node, request_id, key_name, true, NULL, NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_approve_bootstrap_request_as, node && request_id && key_name,
	(tl_node *node, const char *request_id, const char *key_name, const char *record_name,
		char **hint), (node, request_id, key_name, record_name, hint))
{
	return decide(node, request_id, key_name, true, record_name, hint);
}

TL__PUBLIC_OF_NODE(tl_sync_reject_bootstrap_request, node && request_id && key_name,
	(tl_node *node, const char *request_id, const char *key_name), (node, request_id, key_name))
{
	return decide(node, request_id, key_name, false, NULL, NULL);
}
