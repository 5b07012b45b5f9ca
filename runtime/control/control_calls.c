/* The calls of the control socket. */
#include <string.h>
#include <tidelock/control.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_request.h"
#include "engine/node/status.h"
#include "engine/node/visit.h"
#include "model/entry_impl.h"

#define EXPORT_DEFAULT_BYTES (1024u * 1024)
#define LOG_DEFAULT          100
#define LOG_MAX              1000
#define FINDINGS_MAX         1000

/* --- status ----------------------------------------------------------------------------------- */

static int call_status(tl_node *node, const tl__control_request *r, tl__buf *out)
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

static int call_peer_list(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	char *peers = NULL;
	int rc = tl__status_peers(node, &peers);

	(void)r;
	tl__buf_text(out, peers ? peers : "");
	tl__free(peers);
	return rc;
}

/* --- databases -------------------------------------------------------------------------------- */

static int call_db_list(tl_node *node, const tl__control_request *r, tl__buf *out)
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

static int call_db_create(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	int rc = settings ? tl__control_need(r->name, "name") : TL_E_NOMEM;

	if (rc == TL_OK)
		rc = tl__control_need(r->key, "key");
	if (rc == TL_OK)
		rc = tl_doc_put(settings, TL__STR("name"), tl_value_text(r->name));
	if (rc == TL_OK)
		rc = ensure_key(node, r->key.ptr);
	if (rc == TL_OK)
		rc = tl_node_new_database(node, settings, r->key.ptr, &db);
	if (rc == TL_OK)
		tl__control_put_id(out, tl_database_root_id(db));
	tl_database_free(db);
	tl_value_free(settings);
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
static int call_db_export(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	exporting e = {.out = out, .next = r->since, .max = r->limit};
	uint64_t arrivals = 0;
	int rc = tl__control_open_db(node, r, &e.db);

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
	tl_database *db;
	tl__buf *out;
	bool any;
} logging;

/* Who signed it and which stores it writes to. */
static int put_content(tl_database *db, const tl_id *id, tl__buf *out)
{
	tl_entry *entry = NULL;
	int rc = tl_database_get_entry(db, id, &entry);

	if (rc != TL_OK)
		return rc;
	tl__buf_text(out, "\"author\":");
	tl__json_put_string(out, tl__entry_author(entry));
	tl__buf_text(out, ",\"stores\":[");
	for (size_t i = 0; i < tl_entry_store_count(entry); i++) {
		tl__buf_text(out, i ? "," : "");
		tl__json_put_string(out, tl_entry_store_name(entry, i));
	}
	tl__buf_text(out, "],");
	tl_entry_free(entry);
	return TL_OK;
}

static int log_one(void *ud, const tl_entry_info *info)
{
	logging *l = ud;
	int rc;

	tl__buf_text(l->out, l->any ? ",{\"id\":" : "{\"id\":");
	l->any = true;
	tl__control_put_id(l->out, &info->id);
	tl__buf_format(l->out, ",\"arrival\":%llu,\"height\":%llu,\"size\":%u,\"void\":%s,",
		(unsigned long long)info->arrival, (unsigned long long)info->height,
		(unsigned)info->bytes, info->is_void ? "true" : "false");
	rc = put_content(l->db, &info->id, l->out);
	if (rc != TL_OK)
		return rc;
	tl__buf_text(l->out, "\"parents\":[");
	for (size_t i = 0; i < info->parent_count; i++) {
		tl__buf_text(l->out, i ? "," : "");
		tl__control_put_id(l->out, &info->parents[i]);
	}
	tl__buf_text(l->out, "]}");
	return TL_OK;
}

static int call_log(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_database *db = NULL;
	logging l = {NULL, out, false};
	size_t limit = r->limit == 0 ? LOG_DEFAULT : r->limit > LOG_MAX ? LOG_MAX : r->limit;
	int rc = tl__control_open_db(node, r, &db);

	l.db = db;
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
		tl__control_put_id(out, id);
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

static int call_verify(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	verifying v = {.out = out, .job = r->job};
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	tl_database *db = NULL;
	int rc = r->db.ptr ? tl__control_open_db(node, r, &db) : TL_OK;

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

static int call_import(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	return tl__control_import(node, r->job, out);
}

static int call_backup(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	int rc = tl__control_need(r->file, "file");

	return rc == TL_OK ? tl__control_backup(node, r->file, r->job, out) : rc;
}

/* --- dispatch --------------------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_control_set_calls, node,
	(tl_node *node, const tl_control_calls *calls), (node, calls))
{
	if (calls && (calls->size < sizeof *calls || !calls->word || !calls->answer))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"tl_control_set_calls needs calls with size, word and answer");
	atomic_store(&node->host_calls, calls);
	return TL_OK;
}

static void put_result(void *out, tl_str json)
{
	tl__buf_append(out, json.ptr, json.len);
}

static bool is_hosts(const tl_control_calls *calls, tl_str call)
{
	size_t len = calls ? strlen(calls->word) : 0;

	return calls && call.len > len && call.ptr[len] == ' ' &&
	       memcmp(call.ptr, calls->word, len) == 0;
}

static const struct {
	const char *name;
	int (*run)(tl_node *node, const tl__control_request *r, tl__buf *out);
} calls[] = {
	{"status", call_status},
	{"peer list", call_peer_list},
	{"access list", tl__control_access_list},
	{"access approve", tl__control_access_approve},
	{"access reject", tl__control_access_reject},
	{"share", tl__control_share},
	{"share list", tl__control_share_list},
	{"share revoke", tl__control_share_revoke},
	{"join", tl__control_join},
	{"db list", call_db_list},
	{"db create", call_db_create},
	{"db get", tl__control_db_get},
	{"db set", tl__control_db_set},
	{"row list", tl__control_row_list},
	{"row get", tl__control_row_get},
	{"row set", tl__control_row_set},
	{"row delete", tl__control_row_delete},
	{"db export", call_db_export},
	{"db import", call_import},
	{"log", call_log},
	{"verify", call_verify},
	{"backup", call_backup},
};

static int dispatch(tl_node *node, const tl__control_request *r, tl_str line, tl__buf *out)
{
	const tl_control_calls *hosts = atomic_load(&node->host_calls);

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (tl__str_eq(r->call, tl__str_z(calls[i].name)))
			return calls[i].run(node, r, out);
	if (is_hosts(hosts, r->call))
		return hosts->answer(node, line, put_result, out);
	return tl__fail(TL_E_UNSUPPORTED, "there is no control call \"%.*s\" in version %s",
		TL__STR_ARG(r->call), tl_version());
}

void tl__control_answer(tl_node *node, tl_str line, tl__control_job *job, tl__buf *out)
{
	tl__control_request r = {.job = job, .arena = TL__ARENA_INIT};
	int rc = tl__control_read_request(&r, line);

	tl__buf_text(out, "{\"result\":");
	if (rc == TL_OK && r.progress)
		job->taken(job->ud);
	if (rc == TL_OK)
		rc = dispatch(node, &r, line, out);
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
