/* Access requests: records of `_sync` that the core keeps for the owner. How they are read and
 * listed; request_decide.c is about what he makes of them. */
#include "engine/node/requests.h"

#include <string.h>
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/run/engine_impl.h"
#include "engine/node/status.h"
#include "sync/in/serve.h"

/* --- records ---------------------------------------------------------------------------------- */

int tl__request_read(tl__arena *arena, tl_str json, tl__request *out)
{
	const tl__field members[] = {{"tree_id", TL__FIELD_TEXT, &out->tree_id, true},
		{"requesting_pubkey", TL__FIELD_TEXT, &out->pubkey, true},
		{"requesting_key_name", TL__FIELD_TEXT, &out->name, true},
		{"requested_permission", TL__FIELD_VERBATIM, &out->permission_json, true},
		{"timestamp", TL__FIELD_TEXT, &out->timestamp, true},
		{"status", TL__FIELD_VERBATIM, &out->status, true},
		{"peer_address", TL__FIELD_VERBATIM, &out->address, false}};
	int rc;

	memset(out, 0, sizeof *out);
	rc = TL__FIELDS_READ(json, arena, "access request", TL_E_STORE_DAMAGED, members);
	if (rc == TL_OK)
		rc = tl_id_parse(&out->db, out->tree_id);
	if (rc == TL_OK)
		rc = tl_permission_from_json(&out->permission, out->permission_json);
	if (rc == TL_OK)
		rc = tl__time_parse(out->timestamp.ptr, out->timestamp.len, &out->time);
	return rc;
}

const char *tl__request_state(const tl__request *r)
{
	if (tl__str_eq(r->status, TL__STR("\"Pending\"")))
		return "pending";
	return tl__str_starts(r->status, TL__STR("{\"Approved\"")) ? "approved" : "rejected";
}

bool tl__request_is_expired(const tl__request *r)
{
	return strcmp(tl__request_state(r), "pending") == 0 &&
	       tl__system_clock.wall_ms(tl__system_clock.ud) - r->time > TL__SERVE_REQUEST_MS;
}

int tl__requests_open(tl_node *node, tl_database **out)
{
	*out = NULL;
	if (!node->engine)
		return tl__fail(TL_E_SYNC_NOT_ENABLED, "this node was opened without sync");
	/* The engine's host: commits to `_sync` are no business of most hooks. */
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
static int put_present(tl_node *node, const tl__request *r, tl__buf *out)
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
	tl_str inner = TL__STR_NULL;
	const tl__field kinds[] = {{"Approved", TL__FIELD_VERBATIM, &inner, false},
		{"Rejected", TL__FIELD_VERBATIM, &inner, false}};
	const tl__field members[] = {{"approved_by", TL__FIELD_TEXT, by, false},
		{"rejected_by", TL__FIELD_TEXT, by, false},
		{"approval_time", TL__FIELD_TEXT, at, false},
		{"rejection_time", TL__FIELD_TEXT, at, false}};
	int rc = TL_OK;

	*by = *at = TL__STR_NULL;
	if (tl__str_starts(status, TL__STR("{")))
		rc = TL__FIELDS_READ(status, arena, "decision", TL_E_STORE_DAMAGED, kinds);
	if (rc == TL_OK && inner.ptr)
		rc = TL__FIELDS_READ(inner, arena, "decision", TL_E_STORE_DAMAGED, members);
	return rc;
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
	tl_str parts[2] = {TL__STR_NULL, TL__STR_NULL};
	const tl__field members[] = {{"transport_type", TL__FIELD_TEXT, &parts[0], true},
		{"address", TL__FIELD_TEXT, &parts[1], true}};
	tl__buf text = TL__BUF_INIT;
	int rc = TL_OK;

	if (tl__str_starts(address, TL__STR("{")))
		rc = TL__FIELDS_READ(address, arena, "address", TL_E_STORE_DAMAGED, members);
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
static int put_request(tl__arena *arena, const tl__request *r, tl__buf *out)
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
	put_text(out, "status", tl__str_z(tl__request_state(r)));
	put_text(out, "decided_by", by);
	put_text(out, "decided_at", at);
	return rc == TL_OK ? put_address(arena, r->address, out) : rc;
}

static int list_row(void *ud, tl_str key, tl_str row)
{
	listing *l = ud;
	tl__arena arena = TL__ARENA_INIT;
	tl__request r;
	int rc = TL_OK;

	if (tl__request_read(&arena, row, &r) == TL_OK && !tl__request_is_expired(&r) &&
		strcmp(tl__request_state(&r), l->state) == 0) {
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
		rc = tl__requests_open(node, &db);
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
