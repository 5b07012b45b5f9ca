/* Asking the policy, what it refused, and questions about channels that decisions need. */
#include "sync/core/core.h"

#include <string.h>
#include "base/json/json.h"
#include "base/str.h"

/* --- what it refused -------------------------------------------------------------------------- */

static bool is_same(const tl__sync_refusal *a, const tl__sync_refusal *b)
{
	return a->kind == b->kind && a->outbound == b->outbound && a->has_peer == b->has_peer &&
	       a->has_db == b->has_db && tl__key_equal(&a->peer, &b->peer) &&
	       tl__id_equal(&a->db, &b->db) && (a->has_peer || strcmp(a->address, b->address) == 0);
}

/* The oldest gives way. */
static void keep_refusal(
	tl__sync *sync, const tl_policy_question *question, const tl_policy_verdict *verdict)
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
	memcpy(new.reason, verdict->reason, sizeof new.reason);
	memcpy(new.where, verdict->where, sizeof new.where);
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

static void put_refusal(tl__buf *out, const tl__sync_refusal *refusal)
{
	char key[TL_KEY_TEXT_LEN + 1] = "", db[TL_ID_TEXT_LEN + 1] = "";

	if (refusal->has_peer)
		tl_key_format(&refusal->peer, key);
	if (refusal->has_db)
		tl_id_format(&refusal->db, db);
	tl__buf_format(out, "{\"kind\":\"%s\",\"outbound\":%s,",
		tl__policy_kind_name(refusal->kind), refusal->outbound ? "true" : "false");
	tl__put_text(out, "peer", key);
	tl__buf_text(out, ",");
	tl__put_text(out, "db", db);
	tl__buf_text(out, ",");
	tl__put_text(out, "address", refusal->address);
	tl__buf_text(out, ",");
	tl__put_text(out, "reason", refusal->reason);
	tl__buf_text(out, ",");
	tl__put_text(out, "where", refusal->where);
	tl__buf_text(out, ",");
	tl__put_time(out, "time", refusal->time);
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

bool tl__sync_has_policy(const tl__sync *sync)
{
	return sync->policy.judge || sync->policy.decide;
}

/* What everybody who asks would have to look up. */
static void complete_question(const tl__sync *sync, tl_policy_question *question)
{
	const tl__peer *peer = question->peer ? tl__sync_find_peer(sync, question->peer) : NULL;
	const char *said = peer && peer->said_name ? peer->said_name
			   : question->peer        ? tl__client_said_name(sync, question->peer)
						   : NULL;

	question->size = sizeof *question;
	question->peer_name = tl__str_z(peer ? peer->name : NULL);
	question->said_name = tl__str_z(said);
	question->transport = tl__str_z(question->address);
	question->transport.len = question->address ? strcspn(question->address, ":") : 0;
	question->time_ms = tl__sync_time(sync);
}

/* It may come from anywhere: without an end, or no text at all. */
static void clean(char *text, size_t size)
{
	char given[TL_POLICY_REASON_BYTES + 1];

	text[size - 1] = 0;
	memcpy(given, text, size);
	tl__text_copy(text, size, tl__str_z(given));
}

static void judge(
	const tl_policy *policy, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	const char *reason = NULL;

	if (policy->judge) {
		policy->judge(policy->ud, question, verdict);
	} else {
		verdict->answer = policy->decide(policy->ud, question, &reason);
		tl__text_copy(
			verdict->reason, sizeof verdict->reason, tl__str_z(reason ? reason : ""));
	}
	clean(verdict->reason, sizeof verdict->reason);
	clean(verdict->where, sizeof verdict->where);
	if (verdict->answer >= TL_POLICY_PASS && verdict->answer <= TL_POLICY_BUSY)
		return;
	verdict->answer = TL_POLICY_DENY;
	snprintf(verdict->reason, sizeof verdict->reason, "the policy gave an answer that is none");
}

/* What becomes of it: TL_POLICY_ALLOW, TL_POLICY_DENY or TL_POLICY_BUSY. */
static tl_policy_answer outcome(const tl_policy_question *question, tl_policy_answer answer)
{
	switch (answer) {
	case TL_POLICY_ALLOW: return TL_POLICY_ALLOW;
	case TL_POLICY_DENY: return TL_POLICY_DENY;
	case TL_POLICY_BUSY: return question->outbound ? TL_POLICY_DENY : TL_POLICY_BUSY;
	case TL_POLICY_DEFER:
		return question->kind == TL_POLICY_REQUEST ? TL_POLICY_ALLOW : TL_POLICY_DENY;
	default: return question->otherwise ? TL_POLICY_ALLOW : TL_POLICY_DENY;
	}
}

tl_policy_answer tl__sync_ask_policy(
	tl__sync *sync, tl_policy_question *question, tl_policy_verdict *verdict)
{
	tl_policy_answer answer;

	*verdict = (tl_policy_verdict){.size = sizeof *verdict};
	if (!tl__sync_has_policy(sync))
		return outcome(question, TL_POLICY_PASS);
	complete_question(sync, question);
	judge(&sync->policy, question, verdict);
	answer = outcome(question, verdict->answer);
	if (answer == TL_POLICY_ALLOW)
		tl__rate_hold(sync, question, verdict);
	tl__trace_keep(sync, question, verdict, answer == TL_POLICY_ALLOW);
	if (answer == TL_POLICY_DENY && verdict->answer != TL_POLICY_PASS &&
		verdict->answer != TL_POLICY_USUAL)
		keep_refusal(sync, question, verdict);
	return answer;
}

/* --- channels --------------------------------------------------------------------------------- */

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
