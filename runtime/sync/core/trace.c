/* What the policy decided last: each question as it was asked, so that it can be asked again, and
 * what became of it. In a ring; for the owner alone. */
#include <string.h>
#include "base/json/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sync/core/core.h"

/* Texts of a decision, in the order of `text_names`. */
enum { ADDRESS, CLAIMED_KEY, DB_NAME, NAME, SAID_NAME, PERMISSION, KEY_NAME, REASON, WHERE, TEXTS };

static const char *const text_names[TEXTS] = {"address", "claimed_key", "db_name", "name",
	"said_name", "permission", "key_name", "reason", "where"};

struct tl__decision {
	tl_policy_kind kind;
	tl_policy_answer answer;
	unsigned protocol;
	bool has_peer, has_db, outbound, related, granted, encrypted, usual, allowed;
	tl_key peer;
	tl_id db;
	int64_t time; /* wall */
	size_t key_count;
	tl_str texts[TEXTS]; /* behind the keys */
	tl_key keys[];
};

/* Some of them are what strangers say, of any length. */
static void shorten(tl_str texts[TEXTS])
{
	for (size_t i = 0; i < TEXTS; i++) {
		if (texts[i].len <= TL__V1_MAX_TEXT)
			continue;
		for (texts[i].len = TL__V1_MAX_TEXT;
			texts[i].len > 0 && (texts[i].ptr[texts[i].len] & 0xC0) == 0x80;)
			texts[i].len--;
	}
}

static size_t measure(const tl_str texts[TEXTS])
{
	size_t len = 0;

	for (size_t i = 0; i < TEXTS; i++)
		len += texts[i].len;
	return len;
}

static void copy_texts(tl__decision *to, const tl_str texts[TEXTS])
{
	char *at = (char *)&to->keys[to->key_count];

	for (size_t i = 0; i < TEXTS; i++) {
		if (!texts[i].ptr)
			continue;
		if (texts[i].len > 0)
			memcpy(at, texts[i].ptr, texts[i].len);
		to->texts[i] = (tl_str){at, texts[i].len};
		at += texts[i].len;
	}
}

static tl_str unless_empty(const char *text)
{
	return text[0] ? tl__str_z(text) : TL__STR_NULL;
}

static tl__decision *new_decision(const tl_policy_question *q, const tl_policy_verdict *verdict)
{
	tl_str texts[TEXTS] = {tl__str_z(q->address), q->claimed_key, q->db_name, q->peer_name,
		q->said_name, q->permission, q->key_name, unless_empty(verdict->reason),
		unless_empty(verdict->where)};
	tl__decision *new;

	shorten(texts);
	new = tl__alloc(sizeof *new + q->key_count * sizeof *new->keys + measure(texts));
	if (!new)
		return NULL;
	*new = (tl__decision){.kind = q->kind,
		.answer = verdict->answer,
		.protocol = q->protocol,
		.has_peer = q->peer != NULL,
		.has_db = q->db != NULL,
		.outbound = q->outbound,
		.related = q->related,
		.granted = q->granted,
		.encrypted = q->encrypted,
		.usual = q->otherwise,
		.time = q->time_ms,
		.key_count = q->key_count};
	if (q->peer)
		new->peer = *q->peer;
	if (q->db)
		new->db = *q->db;
	if (q->key_count > 0)
		memcpy(new->keys, q->keys, q->key_count * sizeof *new->keys);
	copy_texts(new, texts);
	return new;
}

void tl__trace_keep(tl__sync *sync, const tl_policy_question *question,
	const tl_policy_verdict *verdict, bool allowed)
{
	tl__trace *trace = &sync->trace;
	tl__decision *new = new_decision(question, verdict);

	if (!trace->at)
		trace->at = tl__alloc_zero(TL__SYNC_MAX_DECISIONS, sizeof(void *));
	if (!new || !trace->at) {
		tl__free(new); /* it was decided all the same */
		return;
	}
	new->allowed = allowed;
	tl__free(trace->at[trace->next]);
	trace->at[trace->next] = new;
	trace->next = (trace->next + 1) % TL__SYNC_MAX_DECISIONS;
}

void tl__trace_free(tl__sync *sync)
{
	for (size_t i = 0; sync->trace.at && i < TL__SYNC_MAX_DECISIONS; i++)
		tl__free(sync->trace.at[i]);
	tl__free(sync->trace.at);
	sync->trace.at = NULL;
}

/* --- looking ---------------------------------------------------------------------------------- */

const char *tl__policy_kind_name(tl_policy_kind kind)
{
	static const char *const names[] = {
		"connect", "dial", "list", "read", "write", "create", "request", "fetch"};

	return names[kind];
}

static void put_bool(tl__buf *out, const char *name, bool value)
{
	tl__buf_format(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void put_str(tl__buf *out, const char *name, tl_str text)
{
	tl__buf_format(out, ",\"%s\":", name);
	if (text.ptr)
		tl__json_put_string(out, text);
	else
		tl__buf_text(out, "null");
}

static void put_keys(tl__buf *out, const tl__decision *of)
{
	char text[TL_KEY_TEXT_LEN + 1];

	tl__buf_text(out, ",\"keys\":[");
	for (size_t i = 0; i < of->key_count; i++) {
		tl_key_format(&of->keys[i], text);
		tl__buf_format(out, "%s\"%s\"", i > 0 ? "," : "", text);
	}
	tl__buf_text(out, "]");
}

static void put_decision(tl__buf *out, const tl__decision *of)
{
	static const char *const answers[] = {NULL, "grant", "deny", NULL, "usual", "busy"};
	char key[TL_KEY_TEXT_LEN + 1] = "", db[TL_ID_TEXT_LEN + 1] = "";
	tl_str transport = of->texts[ADDRESS];
	const char *colon = transport.ptr ? memchr(transport.ptr, ':', transport.len) : NULL;

	if (of->has_peer)
		tl_key_format(&of->peer, key);
	if (of->has_db)
		tl_id_format(&of->db, db);
	if (colon)
		transport.len = (size_t)(colon - transport.ptr);
	tl__buf_text(out, "{");
	tl__put_time(out, "time", of->time);
	tl__buf_format(out, ",\"now\":%lld,\"kind\":\"%s\",", (long long)(of->time / 1000),
		tl__policy_kind_name(of->kind));
	tl__put_text(out, "peer", key);
	tl__buf_text(out, ",");
	tl__put_text(out, "db", db);
	put_keys(out, of);
	put_str(out, "transport", transport);
	tl__buf_format(out, ",\"protocol\":%u", of->protocol);
	put_bool(out, "outbound", of->outbound);
	put_bool(out, "related", of->related);
	put_bool(out, "granted", of->granted);
	put_bool(out, "encrypted", of->encrypted);
	put_bool(out, "usual", of->usual);
	for (size_t i = 0; i < TEXTS; i++)
		put_str(out, text_names[i], of->texts[i]);
	tl__buf_text(out, ",");
	tl__put_text(out, "answer", answers[of->answer]);
	put_bool(out, "allowed", of->allowed);
	tl__buf_text(out, "}");
}

void tl__sync_put_decisions(const tl__sync *sync, size_t limit, tl__buf *out)
{
	const tl__trace *trace = &sync->trace;
	size_t most = limit > 0 && limit < TL__SYNC_MAX_DECISIONS ? limit : TL__SYNC_MAX_DECISIONS;

	tl__buf_text(out, "[");
	for (size_t i = 1; trace->at && i <= most; i++) {
		const tl__decision *of = trace->at[(trace->next + TL__SYNC_MAX_DECISIONS - i) %
						   TL__SYNC_MAX_DECISIONS];

		if (!of)
			break;
		tl__buf_text(out, i > 1 ? "," : "");
		put_decision(out, of);
	}
	tl__buf_text(out, "]");
}
