#include "sync/core/state.h"

#include <string.h>
#include "base/json/json.h"
#include "base/str.h"

/* --- what it refused -------------------------------------------------------------------------- */

static bool is_same(const tl__sync_refusal *a, const tl__sync_refusal *b)
{
	return a->kind == b->kind && a->outbound == b->outbound && a->has_peer == b->has_peer &&
	       a->has_db == b->has_db && memcmp(&a->peer, &b->peer, sizeof a->peer) == 0 &&
	       memcmp(&a->db, &b->db, sizeof a->db) == 0 &&
	       (a->has_peer || strcmp(a->address, b->address) == 0);
}

/* The oldest gives way. */
static void keep_refusal(tl__sync *sync, const tl_policy_question *question, const char *reason)
{
	tl__sync_refusal new = {.kind = question->kind, .outbound = question->outbound};
	tl__sync_refusal *all = sync->refusals;
	size_t at = 0;

	new.has_peer = question->peer != NULL;
	if (question->peer)
		new.peer = *question->peer;
	new.has_db = question->db != NULL;
	if (question->db)
		new.db = *question->db;
	tl__text_copy(new.address, sizeof new.address,
		tl__str_z(question->address ? question->address : ""));
	tl__text_copy(new.reason, sizeof new.reason, tl__str_z(reason ? reason : ""));
	new.time = sync->wall;
	while (at < sync->refusal_count && !is_same(&all[at], &new))
		at++;
	new.count = at < sync->refusal_count ? all[at].count + 1 : 1;
	if (at == TL__SYNC_MAX_REFUSALS)
		at = 0;
	else if (at == sync->refusal_count)
		sync->refusal_count++;
	memmove(&all[at], &all[at + 1], (sync->refusal_count - 1 - at) * sizeof *all);
	all[sync->refusal_count - 1] = new;
}

static void put_member(tl__buf *out, const char *name, const char *text)
{
	tl__buf_format(out, ",\"%s\":", name);
	if (text[0])
		tl__json_put_string(out, tl__str_z(text));
	else
		tl__buf_text(out, "null");
}

static void put_refusal(tl__buf *out, const tl__sync_refusal *refusal)
{
	static const char *const names[] = {
		"connect", "dial", "list", "read", "write", "create", "request", "delegated"};
	char key[TL_KEY_TEXT_LEN + 1] = "", db[TL_ID_TEXT_LEN + 1] = "", time[30];

	if (refusal->has_peer)
		tl_key_format(&refusal->peer, key);
	if (refusal->has_db)
		tl_id_format(&refusal->db, db);
	tl__time_format(refusal->time, time);
	tl__buf_format(out, "{\"kind\":\"%s\",\"outbound\":%s", names[refusal->kind],
		refusal->outbound ? "true" : "false");
	put_member(out, "peer", key);
	put_member(out, "db", db);
	put_member(out, "address", refusal->address);
	put_member(out, "reason", refusal->reason);
	put_member(out, "time", time);
	tl__buf_format(out, ",\"count\":%llu}", (unsigned long long)refusal->count);
}

void tl__sync_put_refusals(const tl__sync *sync, tl__buf *out)
{
	tl__buf_text(out, "[");
	for (size_t i = sync->refusal_count; i > 0; i--) {
		put_refusal(out, &sync->refusals[i - 1]);
		tl__buf_text(out, i > 1 ? "," : "");
	}
	tl__buf_text(out, "]");
}

/* --- asking ----------------------------------------------------------------------------------- */

tl_policy_answer tl__sync_ask_policy(
	tl__sync *sync, tl_policy_question *question, const char **reason)
{
	tl_policy_answer answer = TL_POLICY_PASS;
	const char *why = NULL;

	question->size = sizeof *question;
	if (sync->policy.decide)
		answer = sync->policy.decide(sync->policy.ud, question, &why);
	if (reason)
		*reason = why;
	if (answer == TL_POLICY_DENY ||
		(answer == TL_POLICY_DEFER && question->kind != TL_POLICY_REQUEST))
		keep_refusal(sync, question, why);
	if (answer == TL_POLICY_ALLOW || answer == TL_POLICY_DENY)
		return answer;
	if (answer == TL_POLICY_DEFER)
		return question->kind == TL_POLICY_REQUEST ? TL_POLICY_DEFER : TL_POLICY_DENY;
	return question->otherwise ? TL_POLICY_ALLOW : TL_POLICY_DENY;
}

bool tl__sync_encrypted(tl_str channel)
{
	return channel.len > 0 && !tl__str_eq(channel, TL__STR("none"));
}

bool tl__sync_loopback(tl_str host_port)
{
	if (tl__str_starts(host_port, TL__STR("localhost:")) ||
		tl__str_starts(host_port, TL__STR("[::1]:")))
		return true;
	if (!tl__str_starts(host_port, TL__STR("127.")))
		return false;
	/* "127.example.org" is a name of somebody else. */
	for (size_t i = 0; i < host_port.len && host_port.ptr[i] != ':'; i++)
		if (host_port.ptr[i] != '.' && (host_port.ptr[i] < '0' || host_port.ptr[i] > '9'))
			return false;
	return true;
}
