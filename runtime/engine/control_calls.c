/* The calls of the control socket. */
#include <string.h>
#include <tidelock/control.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/control_server.h"
#include "engine/plain_path.h"
#include "engine/status.h"
#include "model/value.h"

#define EXPORT_DEFAULT_BYTES (1024u * 1024)
#define TEXT_MEMBERS         8
#define LOG_DEFAULT          100
#define LOG_MAX              1000
#define FINDINGS_MAX         1000

/* Members of any request; absent ones have ptr NULL or 0. */
typedef struct request {
	tl_str call, db, store, path, key, name, value, peer, file;
	uint64_t since, limit;
	bool progress; /* the client is told how the call goes */
	tl__control_job *job;
	tl__arena arena;
} request;

static int read_request(request *r, tl_str line)
{
	static const char *const names[] = {"call", "db", "store", "path", "key", "name", "peer",
		"file", "value", "since", "limit", "progress"};
	tl_str *const texts[TEXT_MEMBERS] = {
		&r->call, &r->db, &r->store, &r->path, &r->key, &r->name, &r->peer, &r->file};
	tl__fields f;
	uint32_t seen = 0;
	size_t at;

	tl__fields_open(&f, line, &r->arena, "control request", TL_E_BAD_MESSAGE);
	f.unknown_member = TL_E_BAD_MESSAGE;
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, TEXT_MEMBERS + 4, &seen, &at)) {
		if (at < TEXT_MEMBERS)
			tl__fields_text(&f, texts[at]);
		else if (at == TEXT_MEMBERS)
			tl__fields_verbatim(&f, &r->value);
		else if (at == TEXT_MEMBERS + 3)
			tl__fields_bool(&f, &r->progress);
		else
			tl__fields_u64(&f, at == TEXT_MEMBERS + 1 ? &r->since : &r->limit);
	}
	tl__fields_need(&f, names, seen, 1);
	return tl__fields_whole(&f);
}

static int need(tl_str value, const char *what)
{
	if (value.ptr)
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT, "the request needs the member \"%s\"", what);
}

/* A database by id or by name. */
static int open_db(tl_node *node, const request *r, tl_database **out)
{
	tl_id id;
	char *name;
	int rc = need(r->db, "db");

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

static void put_id(tl__buf *out, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	tl__buf_format(out, "\"%s\"", text);
}

/* --- status ----------------------------------------------------------------------------------- */

static int call_status(tl_node *node, const request *r, tl__buf *out)
{
	char device[TL_KEY_TEXT_LEN + 1];
	char *sync = NULL;
	int rc = tl_node_device_key(node, device);

	(void)r;
	tl__buf_text(out, "{\"name\":");
	tl__json_put_string(out, tl__str_z(node->name));
	tl__buf_format(out,
		",\"version\":\"%s\",\"pid\":%ld,\"device_key\":\"%s\",\"sync\":", tl_version(),
		(long)getpid(), device);
	if (rc == TL_OK && node->engine)
		rc = tl_sync_status(node, &sync);
	tl__buf_text(out, sync ? sync : "null");
	tl__free(sync);
	tl__buf_text(out, "}");
	return rc;
}

static int call_peer_list(tl_node *node, const request *r, tl__buf *out)
{
	char *keys = NULL, *info = NULL;
	tl__json_reader json;
	int rc = tl_sync_list_peers(node, &keys);
	bool any = false;

	(void)r;
	if (rc != TL_OK)
		return rc;
	tl__buf_text(out, "[");
	tl__json_whole(&json, tl__str_z(keys), TL__JSON_MAX_DEPTH);
	for (tl__json_token t = tl__json_next(&json); rc == TL_OK && t > TL__JSON_MORE;
		t = tl__json_next(&json)) {
		char key[TL_KEY_TEXT_LEN + 1] = "";

		if (t == TL__JSON_END)
			break;
		if (t != TL__JSON_STRING || json.text.len > TL_KEY_TEXT_LEN)
			continue;
		memcpy(key, json.text.ptr, json.text.len);
		rc = tl_sync_get_peer_info(node, key, &info);
		if (rc == TL_E_PEER_NOT_FOUND) { /* removed meanwhile */
			rc = TL_OK;
			continue;
		}
		tl__buf_text(out, any ? "," : "");
		any = true;
		tl__buf_text(out, info ? info : "");
		tl__free(info);
		info = NULL;
	}
	tl__json_free(&json);
	tl__buf_text(out, "]");
	tl__free(keys);
	return rc;
}

/* --- databases -------------------------------------------------------------------------------- */

static int call_db_list(tl_node *node, const request *r, tl__buf *out)
{
	(void)r;
	return tl__status_databases(node, out);
}

/* Made when it is missing: a first database should take one call. */
static int ensure_key(tl_node *node, const char *name)
{
	char text[TL_KEY_TEXT_LEN + 1];
	int rc = tl_node_get_public_key(node, name, text);

	if (rc != TL_E_KEY_NOT_FOUND)
		return rc;
	rc = tl_node_add_private_key(node, name, NULL, NULL);
	return rc == TL_E_ALREADY_EXISTS ? TL_OK : rc; /* another call was faster */
}

static int call_db_create(tl_node *node, const request *r, tl__buf *out)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	int rc = settings ? need(r->name, "name") : TL_E_NOMEM;

	if (rc == TL_OK)
		rc = need(r->key, "key");
	if (rc == TL_OK)
		rc = tl_doc_put(settings, TL__STR("name"), tl_value_text(r->name));
	if (rc == TL_OK)
		rc = ensure_key(node, r->key.ptr);
	if (rc == TL_OK)
		rc = tl_node_new_database(node, settings, r->key.ptr, &db);
	if (rc == TL_OK)
		put_id(out, tl_database_root_id(db));
	tl_database_free(db);
	tl_value_free(settings);
	return rc;
}

/* A value of a DocStore; without a path the whole store. */
static int call_db_get(tl_node *node, const request *r, tl__buf *out)
{
	tl_database *db = NULL;
	tl_doc_store *store = NULL;
	tl_value *value = NULL;
	char *text = NULL;
	size_t len = 0;
	int rc = need(r->store, "store");

	if (rc == TL_OK && r->path.ptr)
		rc = tl__plain_path_check(r->path);
	if (rc == TL_OK)
		rc = open_db(node, r, &db);
	if (rc == TL_OK)
		rc = tl_database_doc_store(db, r->store, &store);
	if (rc == TL_OK)
		rc = r->path.ptr ? tl_doc_store_get(store, r->path, &value)
				 : tl_doc_store_get_at_path(store, NULL, 0, &value);
	if (rc == TL_OK)
		rc = tl_value_export(value, &text, &len);
	if (rc == TL_OK)
		tl__buf_str(out, (tl_str){text, len});
	tl_free(text);
	tl_value_free(value);
	tl_doc_store_free(store);
	tl_database_free(db);
	return rc;
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

static int choose_key(tl_node *node, const request *r, tl_database *db)
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

static int commit_value(tl_database *db, const request *r, tl_id *id)
{
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	tl_value *value = NULL;
	int rc = tl__value_parse_whole_json(&value, r->value);

	if (rc == TL_OK)
		rc = tl_transaction_new(db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, r->store, &store);
	if (rc == TL_OK && tl_value_type(value) == TL_NULL) {
		rc = tl_doc_store_delete(store, r->path, NULL);
	} else if (rc == TL_OK) {
		rc = tl_doc_store_set(store, r->path, value);
		value = NULL; /* taken over, also on failure */
	}
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, id);
	tl_value_free(value);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
	return rc;
}

/* Sets a value of a DocStore; null deletes it. */
static int call_db_set(tl_node *node, const request *r, tl__buf *out)
{
	tl_database *db = NULL;
	tl_id id;
	int rc = need(r->store, "store");

	if (rc == TL_OK)
		rc = need(r->path, "path");
	if (rc == TL_OK)
		rc = tl__plain_path_check(r->path);
	if (rc == TL_OK)
		rc = need(r->value, "value");
	if (rc == TL_OK)
		rc = open_db(node, r, &db);
	if (rc == TL_OK)
		rc = choose_key(node, r, db);
	if (rc == TL_OK)
		rc = commit_value(db, r, &id);
	if (rc == TL_OK)
		put_id(out, &id);
	tl_database_free(db);
	return rc;
}

/* --- export and log --------------------------------------------------------------------------- */

typedef struct exporting {
	tl_database *db;
	tl__buf *out;
	uint64_t next, bytes, max;
	bool any;
} exporting;

static int export_one(void *ud, const tl_entry_info *info)
{
	exporting *e = ud;
	tl_entry *entry = NULL;
	int rc;

	if (e->any && e->bytes + info->bytes > e->max)
		return TL_STOP;
	rc = tl_database_get_entry(e->db, &info->id, &entry);
	if (rc != TL_OK)
		return rc;
	tl__buf_text(e->out, e->any ? "," : "");
	tl__json_put_string(e->out, tl_entry_bytes(entry));
	tl_entry_free(entry);
	e->any = true;
	e->bytes += info->bytes;
	e->next = info->arrival;
	return TL_OK;
}

/* A page of entry texts in arrival order, after `since`, of about `limit` bytes; the next page
 * begins at `next`. */
static int call_db_export(tl_node *node, const request *r, tl__buf *out)
{
	exporting e = {.out = out, .next = r->since, .max = r->limit};
	uint64_t arrivals = 0;
	int rc = open_db(node, r, &e.db);

	if (e.max == 0 || e.max > EXPORT_DEFAULT_BYTES)
		e.max = EXPORT_DEFAULT_BYTES;
	tl__buf_text(out, "{\"entries\":[");
	if (rc == TL_OK)
		rc = tl_database_arrival(e.db, &arrivals);
	if (rc == TL_OK)
		rc = tl_database_changes(e.db, r->since, 1000, export_one, &e);
	tl__buf_format(out, "],\"next\":%llu,\"more\":%s,\"total\":%llu}",
		(unsigned long long)e.next, e.next < arrivals ? "true" : "false",
		(unsigned long long)arrivals);
	tl_database_free(e.db);
	return rc;
}

typedef struct logging {
	tl__buf *out;
	bool any;
} logging;

static int log_one(void *ud, const tl_entry_info *info)
{
	logging *l = ud;

	tl__buf_text(l->out, l->any ? ",{\"id\":" : "{\"id\":");
	l->any = true;
	put_id(l->out, &info->id);
	tl__buf_format(l->out, ",\"arrival\":%llu,\"height\":%llu,\"size\":%u,\"void\":%s,",
		(unsigned long long)info->arrival, (unsigned long long)info->height,
		(unsigned)info->bytes, info->is_void ? "true" : "false");
	tl__buf_text(l->out, "\"parents\":[");
	for (size_t i = 0; i < info->parent_count; i++) {
		tl__buf_text(l->out, i ? "," : "");
		put_id(l->out, &info->parents[i]);
	}
	tl__buf_text(l->out, "]}");
	return TL_OK;
}

static int call_log(tl_node *node, const request *r, tl__buf *out)
{
	tl_database *db = NULL;
	logging l = {out, false};
	size_t limit = r->limit == 0 ? LOG_DEFAULT : r->limit > LOG_MAX ? LOG_MAX : r->limit;
	int rc = open_db(node, r, &db);

	tl__buf_text(out, "[");
	if (rc == TL_OK)
		rc = tl_database_log(db, limit, log_one, &l);
	tl__buf_text(out, "]");
	tl_database_free(db);
	return rc;
}

/* --- verify ----------------------------------------------------------------------------------- */

typedef struct verifying {
	tl__buf *out;
	tl__control_job *job;
	uint64_t shown;
} verifying;

static bool tell_progress(void *ud, uint64_t done, uint64_t total)
{
	return tl__control_progress(((verifying *)ud)->job, done, total);
}

static void put_optional_id(tl__buf *out, const tl_id *id)
{
	if (id)
		put_id(out, id);
	else
		tl__buf_text(out, "null");
}

static void put_finding(void *ud, const tl_id *db, const tl_id *entry, tl_str sentence)
{
	verifying *v = ud;

	if (v->shown == FINDINGS_MAX)
		return;
	tl__buf_text(v->out, v->shown++ ? ",{\"db\":" : "{\"db\":");
	put_optional_id(v->out, db);
	tl__buf_text(v->out, ",\"entry\":");
	put_optional_id(v->out, entry);
	tl__buf_text(v->out, ",\"text\":");
	tl__json_put_string(v->out, sentence);
	tl__buf_text(v->out, "}");
}

static int call_verify(tl_node *node, const request *r, tl__buf *out)
{
	verifying v = {.out = out, .job = r->job};
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	tl_database *db = NULL;
	int rc = r->db.ptr ? open_db(node, r, &db) : TL_OK;

	options.finding = put_finding;
	options.progress = tell_progress;
	options.ud = &v;
	tl__buf_text(out, "{\"findings\":[");
	if (rc == TL_OK)
		rc = db ? tl_database_verify(db, &options, &result)
			: tl_node_verify(node, &options, &result);
	tl_database_free(db);
	tl__buf_format(out,
		"],\"count\":%llu,\"entries\":%llu,\"pending\":%llu,\"quarantined\":%llu}",
		(unsigned long long)result.findings, (unsigned long long)result.entries,
		(unsigned long long)result.pending, (unsigned long long)result.quarantined);
	return rc;
}

/* --- whole databases and stores --------------------------------------------------------------- */

static int call_import(tl_node *node, const request *r, tl__buf *out)
{
	return tl__control_import(node, r->job, out);
}

static int call_backup(tl_node *node, const request *r, tl__buf *out)
{
	int rc = need(r->file, "file");

	return rc == TL_OK ? tl__control_backup(node, r->file, r->job, out) : rc;
}

/* --- dispatch --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(tl_node *node, const request *r, tl__buf *out);
} calls[] = {
	{"status", call_status},
	{"peer list", call_peer_list},
	{"db list", call_db_list},
	{"db create", call_db_create},
	{"db get", call_db_get},
	{"db set", call_db_set},
	{"db export", call_db_export},
	{"db import", call_import},
	{"log", call_log},
	{"verify", call_verify},
	{"backup", call_backup},
};

static int dispatch(tl_node *node, const request *r, tl__buf *out)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (tl__str_eq(r->call, tl__str_z(calls[i].name)))
			return calls[i].run(node, r, out);
	return tl__fail(TL_E_UNSUPPORTED, "there is no control call \"%.*s\" in version %s",
		TL__STR_ARG(r->call), tl_version());
}

void tl__control_answer(tl_node *node, tl_str line, tl__control_job *job, tl__buf *out)
{
	request r = {.job = job, .arena = TL__ARENA_INIT};
	int rc = read_request(&r, line);

	tl__buf_text(out, "{\"result\":");
	if (rc == TL_OK && r.progress)
		job->taken(job->ud);
	if (rc == TL_OK)
		rc = dispatch(node, &r, out);
	/* Nobody waits for it, or this is why. */
	if (rc == TL_E_CANCELLED && atomic_load(&job->cancelled))
		rc = tl__fail(TL_E_CLOSED,
			"the node that has the directory open is being closed; try again");
	if (rc == TL_OK && tl__buf_status(out) != TL_OK)
		rc = TL_E_NOMEM;
	if (rc == TL_OK && out->len + 1 > TL_CONTROL_MAX_ANSWER)
		rc = tl__fail(TL_E_TOO_LARGE,
			"the answer is larger than %u bytes; ask for a smaller part",
			TL_CONTROL_MAX_ANSWER);
	if (rc != TL_OK) {
		tl__buf_clear(out);
		tl__buf_format(out, "{\"code\":\"%s\",\"message\":", tl_error_name(rc));
		tl__json_put_string(out, tl__str_z(tl_error_message(tl_last_error())));
	}
	tl__buf_text(out, "}\n");
	tl__arena_free(&r.arena);
}
