/* Access requests: records of `_sync` that the core keeps for the owner, and his decision. */
#include <string.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/run/engine_impl.h"
#include "engine/node/status.h"
#include "sync/in/serve.h"

/* A record in the form of sync/README.md. */
typedef struct request {
	tl_id db;
	tl_str tree_id, pubkey, name, permission_json, timestamp, status, address;
	tl_permission permission;
	int64_t time;
} request;

/* --- records ---------------------------------------------------------------------------------- */

static int read_request(tl__arena *arena, tl_str json, request *out)
{
	static const char *const names[] = {"tree_id", "requesting_pubkey", "requesting_key_name",
		"requested_permission", "timestamp", "status", "peer_address"};
	tl_str *const members[] = {&out->tree_id, &out->pubkey, &out->name, &out->permission_json,
		&out->timestamp, &out->status, &out->address};
	tl__fields f;
	uint32_t seen = 0;
	size_t at;
	int rc;

	memset(out, 0, sizeof *out);
	tl__fields_open(&f, json, arena, "access request", TL_E_STORE_DAMAGED);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 7, &seen, &at)) {
		if (at == 3 || at >= 5)
			tl__fields_verbatim(&f, members[at]);
		else
			tl__fields_text(&f, members[at]);
	}
	tl__fields_need(&f, names, seen, 0x3f);
	rc = tl__fields_whole(&f);
	if (rc == TL_OK)
		rc = tl_id_parse(&out->db, out->tree_id);
	if (rc == TL_OK)
		rc = tl_permission_from_json(&out->permission, out->permission_json);
	if (rc == TL_OK)
		rc = tl__time_parse(out->timestamp.ptr, out->timestamp.len, &out->time);
	return rc;
}

/* "pending", "approved", "rejected". */
static const char *state_of(const request *r)
{
	if (tl__str_eq(r->status, TL__STR("\"Pending\"")))
		return "pending";
	return tl__str_starts(r->status, TL__STR("{\"Approved\"")) ? "approved" : "rejected";
}

static bool is_expired(const request *r)
{
	return strcmp(state_of(r), "pending") == 0 &&
	       tl__system_clock.wall_ms(tl__system_clock.ud) - r->time > TL__SERVE_REQUEST_MS;
}

static int open_sync_db(tl_node *node, tl_database **out)
{
	*out = NULL;
	if (!node->engine)
		return tl__fail(TL_E_SYNC_NOT_ENABLED, "this node was opened without sync");
	/* The engine's host: commits to `_sync` are no business of the node's hooks. */
	return tl__database_open(&node->engine->host, &node->sync_db, out);
}

/* --- listing ---------------------------------------------------------------------------------- */

typedef struct listing {
	tl_node *node;
	const char *state;
	tl__buf *out;
	bool any;
} listing;

static const char *status_text(tl_key_status status)
{
	return status == TL_KEY_ACTIVE ? "active" : "revoked";
}

typedef struct present {
	tl_str pubkey;
	tl__buf *out;
	bool found;
} present;

static int put_present_record(void *ud, tl_str name, const tl_auth_key *key)
{
	present *p = ud;
	char permission[24];

	if (p->found || !tl__str_eq(key->pubkey, p->pubkey))
		return TL_OK;
	p->found = true;
	tl_permission_format(key->permission, permission);
	tl__buf_text(p->out, "{\"name\":");
	tl__json_put_string(p->out, name);
	tl__buf_format(p->out, ",\"permission\":\"%s\",\"status\":\"%s\"}", permission,
		status_text(key->status));
	return TL_OK;
}

/* What the key may do there already, so that an approval changes nothing unseen. */
static int put_present(tl_node *node, const request *r, tl__buf *out)
{
	present p = {r->pubkey, out, false};
	tl_settings_store *settings = NULL;
	tl_database *db = NULL;
	int rc = tl__database_open(&node->host, &r->db, &db);

	if (rc == TL_E_DATABASE_NOT_FOUND) {
		tl__buf_text(out, "null");
		return TL_OK;
	}
	if (rc == TL_OK)
		rc = tl_database_settings_store(db, &settings);
	if (rc == TL_OK)
		rc = tl_settings_store_list_auth_keys(settings, put_present_record, &p);
	if (rc == TL_OK && !p.found)
		tl__buf_text(out, "null");
	tl_settings_store_free(settings);
	tl_database_free(db);
	return rc;
}

/* Who decided it and when, of the stored status. */
static int read_decision(tl__arena *arena, tl_str status, tl_str *by, tl_str *at)
{
	static const char *const kinds[] = {"Approved", "Rejected"};
	static const char *const names[] = {
		"approved_by", "rejected_by", "approval_time", "rejection_time"};
	tl_str inner = TL__STR_NULL;
	uint32_t seen = 0;
	tl__fields f;
	size_t index;
	int rc;

	*by = *at = TL__STR_NULL;
	if (!tl__str_starts(status, TL__STR("{")))
		return TL_OK;
	tl__fields_open(&f, status, arena, "decision", TL_E_STORE_DAMAGED);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, kinds, 2, &seen, &index))
		tl__fields_verbatim(&f, &inner);
	rc = tl__fields_whole(&f);
	if (rc != TL_OK || !inner.ptr)
		return rc;
	seen = 0;
	tl__fields_open(&f, inner, arena, "decision", TL_E_STORE_DAMAGED);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 4, &seen, &index))
		tl__fields_text(&f, index < 2 ? by : at);
	return tl__fields_whole(&f);
}

static void put_text(tl__buf *out, const char *name, tl_str text)
{
	tl__buf_format(out, ",\"%s\":", name);
	if (text.ptr)
		tl__json_put_string(out, text);
	else
		tl__buf_text(out, "null");
}

/* "http:203.0.113.9:51000" of the stored object. */
static int put_address(tl__arena *arena, tl_str address, tl__buf *out)
{
	static const char *const names[] = {"transport_type", "address"};
	tl_str parts[2] = {TL__STR_NULL, TL__STR_NULL};
	tl__buf text = TL__BUF_INIT;
	uint32_t seen = 0;
	tl__fields f;
	size_t at;
	int rc = TL_OK;

	if (tl__str_starts(address, TL__STR("{"))) {
		tl__fields_open(&f, address, arena, "address", TL_E_STORE_DAMAGED);
		tl__fields_enter(&f, TL__JSON_OBJECT);
		while (tl__fields_member(&f, names, 2, &seen, &at))
			tl__fields_text(&f, &parts[at]);
		tl__fields_need(&f, names, seen, 3);
		rc = tl__fields_whole(&f);
	}
	if (rc == TL_OK && parts[0].ptr)
		tl__buf_format(&text, "%.*s:%.*s", TL__STR_ARG(parts[0]), TL__STR_ARG(parts[1]));
	if (rc == TL_OK)
		rc = tl__buf_status(&text);
	if (rc == TL_OK)
		put_text(out, "peer_address", parts[0].ptr ? tl__buf_view(&text) : TL__STR_NULL);
	tl__buf_free(&text);
	return rc;
}

/* In the forms that everything else is told in. */
static int put_request(tl__arena *arena, const request *r, tl__buf *out)
{
	char permission[24], time[30];
	tl_str by, at;
	int rc = read_decision(arena, r->status, &by, &at);

	tl_permission_format(r->permission, permission);
	tl__time_format(r->time, time);
	put_text(out, "tree_id", r->tree_id);
	put_text(out, "requesting_pubkey", r->pubkey);
	put_text(out, "requesting_key_name", r->name);
	put_text(out, "requested_permission", tl__str_z(permission));
	put_text(out, "timestamp", tl__str_z(time));
	put_text(out, "status", tl__str_z(state_of(r)));
	put_text(out, "decided_by", by);
	put_text(out, "decided_at", at);
	return rc == TL_OK ? put_address(arena, r->address, out) : rc;
}

static int list_row(void *ud, tl_str key, tl_str row)
{
	listing *l = ud;
	tl__arena arena = TL__ARENA_INIT;
	request r;
	int rc = TL_OK;

	if (read_request(&arena, row, &r) == TL_OK && !is_expired(&r) &&
		strcmp(state_of(&r), l->state) == 0) {
		tl__buf_text(l->out, l->any ? ",{\"request_id\":" : "{\"request_id\":");
		l->any = true;
		tl__json_put_string(l->out, key);
		rc = put_request(&arena, &r, l->out);
		tl__buf_text(l->out, ",\"present\":");
		if (rc == TL_OK)
			rc = put_present(l->node, &r, l->out);
		tl__buf_text(l->out, "}");
	}
	tl__arena_free(&arena);
	return rc;
}

static int check_state(const char *state)
{
	if (strcmp(state, "pending") == 0 || strcmp(state, "approved") == 0 ||
		strcmp(state, "rejected") == 0)
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT,
		"\"%s\" is no state of an access request; it is pending, approved or rejected",
		state);
}

TL__PUBLIC_OF_NODE(tl_sync_bootstrap_requests, node && state && json,
	(tl_node *node, const char *state, char **json), (node, state, json))
{
	tl__buf out = TL__BUF_INIT;
	listing l = {node, state, &out, false};
	tl_database *db = NULL;
	tl_table *table = NULL;
	int rc = check_state(state);

	*json = NULL;
	tl__buf_text(&out, "[");
	if (rc == TL_OK)
		rc = open_sync_db(node, &db);
	if (rc == TL_OK)
		rc = tl_database_table(db, TL__STR(TL__SYNC_REQUESTS), &table);
	if (rc == TL_OK)
		rc = tl_table_each(table, list_row, &l);
	tl__buf_text(&out, "]");
	if (rc == TL_OK)
		rc = tl__json_take(&out, json);
	tl__buf_free(&out);
	tl_table_free(table);
	tl_database_free(db);
	return rc;
}

/* --- deciding --------------------------------------------------------------------------------- */

typedef struct decision {
	tl_node *node;
	tl_str id;
	const char *key_name;
	tl_str record; /* name of the record that an approval writes */
	tl__arena arena;
	char *row; /* as stored */
	request r;
	tl_database *sync_db, *db;
} decision;

static int find_pending(decision *d)
{
	tl_table *table = NULL;
	size_t len = 0;
	int rc = open_sync_db(d->node, &d->sync_db);

	if (rc == TL_OK)
		rc = tl_database_table(d->sync_db, TL__STR(TL__SYNC_REQUESTS), &table);
	if (rc == TL_OK)
		rc = tl_table_get(table, d->id, &d->row, &len);
	tl_table_free(table);
	if (rc == TL_OK)
		rc = read_request(&d->arena, (tl_str){d->row, len}, &d->r);
	if (rc == TL_E_KEY_NOT_FOUND || (rc == TL_OK && is_expired(&d->r)))
		return tl__fail(TL_E_REQUEST_NOT_FOUND,
			"there is no access request %.*s (they expire after 30 days)",
			TL__STR_ARG(d->id));
	if (rc == TL_OK && strcmp(state_of(&d->r), "pending") != 0)
		return tl__fail(TL_E_INVALID_REQUEST_STATE, "the access request %.*s is %s already",
			TL__STR_ARG(d->id), state_of(&d->r));
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

typedef struct standing {
	const request *r;
	tl_str record;
	bool revoked, enough;
} standing;

static int look_at_record(void *ud, tl_str name, const tl_auth_key *key)
{
	standing *s = ud;

	if (!tl__str_eq(key->pubkey, s->r->pubkey))
		return TL_OK;
	if (key->status == TL_KEY_REVOKED)
		s->revoked = true;
	else if (tl__str_eq(name, s->record) &&
		 tl_permission_compare(key->permission, s->r->permission) >= 0)
		s->enough = true;
	return TL_OK;
}

/* A request must not slip through what an owner has decided before (a revoked key), nor write a
 * name that means something else ("*", a path). */
static int check_grant(const decision *d, tl_settings_store *settings, bool *enough)
{
	standing s = {&d->r, d->record, false, false};
	tl_key key;
	int rc = tl_key_parse(&key, d->r.pubkey);

	if (rc != TL_OK)
		return rc;
	if (!tl__serve_wish_name_valid(d->record))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"no key may have the name \"%.*s\"; approve it under another, or reject it",
			TL__STR_ARG(d->record));
	rc = tl_settings_store_list_auth_keys(settings, look_at_record, &s);
	if (rc == TL_OK && s.revoked)
		return tl__fail(TL_E_CONFLICT,
			"this key was revoked in that database; make it active again in its "
			"settings if that is meant, or reject the request");
	*enough = s.enough;
	return rc;
}

static int grant(decision *d)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;
	bool enough = false;
	int rc = tl_database_set_default_auth_key(d->db, tl__str_z(d->key_name));

	if (rc == TL_OK)
		rc = tl_transaction_new(d->db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_get_settings(tx, &settings);
	if (rc == TL_OK)
		rc = check_grant(d, settings, &enough);
	if (rc == TL_OK && !enough)
		rc = tl_settings_store_set_auth_key(
			settings, d->record, d->r.pubkey, d->r.permission, TL_KEY_ACTIVE);
	if (rc == TL_OK && !enough)
		rc = tl_transaction_commit(tx, NULL);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	return rc;
}

/* The record with another status, members in the stored order. */
static int write_record(const decision *d, tl_str status, tl__buf *out)
{
	const request *r = &d->r;

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

/* Granted first, then told to the guests, then shown: where the rest is lost, the request still
 * waits, and deciding once more changes nothing twice. */
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
