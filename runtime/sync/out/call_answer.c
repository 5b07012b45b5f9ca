/* What the answer to a call means: taken, repeated better, or the next address. */
#include "sync/out/call.h"
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

#define HTTP_TOO_LARGE 413

void tl__call_address_failed(tl__sync *sync, tl__call *call)
{
	tl__peer_address *at = tl__call_address(call);

	if (at) {
		at->failures++;
		at->success = 0;
		tl__text_copy(at->last_error, sizeof at->last_error, tl__str_z(call->error));
	}
	if (!tl__call_dial(sync, call))
		tl__call_give_up(sync, call);
}

static void succeeded(tl__sync *sync, tl__peer *peer, tl__peer_address *at, bool proves)
{
	at->success = ++sync->successes;
	at->failures = 0;
	at->last_error[0] = 0;
	if (proves && !at->proven) {
		at->proven = true;
		peer->local_changed = true;
		tl__peer_changed(sync, peer);
	}
}

void tl__call_address_succeeded(tl__sync *sync, tl__call *call, bool proves)
{
	tl__peer_address *at = tl__call_address(call);

	if (at)
		succeeded(sync, call->peer, at, proves);
}

void tl__peer_proven_at(tl__sync *sync, tl__peer *peer, const tl_address *address)
{
	int at = tl__peer_address_at(peer, address);

	if (at >= 0)
		succeeded(sync, peer, &peer->addresses[at], true);
}

/* Sends the same once more, at the same address. */
void tl__call_again(tl__sync *sync, tl__call *call)
{
	if (!tl__call_repeat(sync, call))
		tl__call_give_up(sync, call);
}

/* Refusals that tell how to do better. True: the request is on its way again. */
static bool repeat_better(tl__sync *sync, tl__call *call, const tl__v1_answer *answer,
	const tl__sync_answered *answered)
{
	uint64_t took = sync->now - call->sent_at;
	tl_str seen = answered->channel;

	switch (answer->header.status) {
	case TL__V1_STALE_EPOCH:
		if (call->epoch_again)
			return false;
		call->epoch_again = true;
		tl__call_again(sync, call);
		return true;
	case TL__V1_CLOCK_SKEW:
		if (call->clock_again || took > TL__V1_OFFSET_TRUST_MS ||
			answer->header.time > TL__V1_MAX_TIME)
			return false;
		call->clock_again = true;
		call->peer->clock_offset =
			answer->header.time - (call->sent_wall + (int64_t)(took / 2));
		tl__call_again(sync, call);
		return true;
	case TL__V1_CHANNEL_MISMATCH:
		if (call->channel_again || seen.len == 0 || seen.len > TL__V1_MAX_TEXT ||
			tl__str_eq(seen, tl__str_z(call->channel)))
			return false;
		call->channel_again = true;
		snprintf(call->channel, sizeof call->channel, "%.*s", TL__STR_ARG(seen));
		tl__call_again(sync, call);
		return true;
	default: return false;
	}
}

/* What was asked about a database is put off for that one; a hello goes before everything. */
static void wait_for(tl__sync *sync, tl__call *call, uint64_t wait_ms)
{
	uint64_t longest = sync->options.retry_max_ms;
	uint64_t until = sync->now + (wait_ms > longest ? longest : wait_ms);
	tl__pair *pair =
		call->has_db ? tl__sync_change_pair(sync, &call->peer->key, &call->db) : NULL;

	tl__peer_changed(sync, call->peer);
	if (call->greeting || !call->has_db)
		call->peer->wait_until = until;
	else if (pair)
		pair->wait_until = until;
}

static void refused(tl__sync *sync, tl__call *call, const tl__v1_answer *answer)
{
	tl__call_result result = {.code = tl__call_status_code(answer->header.status)};
	tl__v1_refusal refusal = {0};
	char text[TL__SYNC_ERROR_TEXT];

	if (tl__v1_read_refusal(&refusal, answer->header.args) != TL_OK)
		memset(&refusal, 0, sizeof refusal);
	snprintf(text, sizeof text, "the peer refused: %s%s%.*s",
		tl__v1_status_name(answer->header.status), refusal.code.len > 0 ? ", " : "",
		TL__STR_ARG(refusal.code));
	result.wait_ms = refusal.wait_ms;
	if (refusal.wait_ms > 0 && call->method != TL__V1_WATCH)
		wait_for(sync, call, refusal.wait_ms);
	result.put_off = refusal.wait_ms > 0 && result.code == TL_E_BUSY;
	result.rated = result.put_off && tl__str_eq(refusal.code, TL__STR(TL__V1_CODE_RATE));
	if (result.code == TL_E_NOT_PERMITTED &&
		tl__str_eq(refusal.code, TL__STR(TL__V1_CODE_BLOCKED))) {
		result.code = TL_E_PEER_BLOCKED;
		snprintf(text, sizeof text, "the peer has blocked this node");
	}
	result.status = answer->header.status;
	result.error = text;
	result.address = call->address;
	tl__call_finish(sync, call, &result);
}

/* A hello that was put before: the request itself follows. */
static void greeted_v1(tl__sync *sync, tl__call *call, const tl__v1_answer *answer)
{
	int rc = tl__hello_read(sync, call->peer, answer->header.args, answer->header.epoch);

	if (rc != TL_OK) {
		tl__call_note_last(call, rc);
		tl__call_address_failed(sync, call);
		return;
	}
	tl__call_address_succeeded(sync, call, true);
	call->greeting = false;
	tl__call_again(sync, call);
}

/* Its transport may have sent the request twice, when a connection died on it: then what came
 * second is told to be a replay, and the answer to the first one is lost. */
static bool was_replayed(const tl__call *call, const tl__sync_answered *answered)
{
	tl__v1_status status;

	return !call->replay_again && answered->body.len >= 4 &&
	       tl__v1_read_unsigned(&status, answered->body.ptr, answered->body.len) &&
	       status == TL__V1_REPLAYED;
}

/* Not the peer, or not its protocol: something in between does not let it pass. */
bool tl__call_refused_for_size(tl__sync *sync, tl__call *call, const tl__sync_answered *answered)
{
	char text[TL__SYNC_ERROR_TEXT];

	if (answered->status != HTTP_TOO_LARGE)
		return false;
	snprintf(text, sizeof text,
		"something between us and %.100s limits bodies: %llu bytes are too many for it "
		"(HTTP "
		"status 413); raise its limit",
		call->address.text, (unsigned long long)call->request_bytes);
	tl__call_note(call, TL_E_NETWORK, text);
	tl__page_cut(sync, call, call->request_bytes, true);
	return true;
}

static void answered_v1(tl__sync *sync, tl__call *call, const tl__sync_answered *answered)
{
	tl__call_result result = {0};
	tl__peer_address *at = tl__call_address(call);
	tl__v1_answer answer;
	int rc = tl__call_read_v1(sync, call, answered, &answer);

	if (rc != TL_OK && tl__call_refused_for_size(sync, call, answered)) {
		tl__call_address_failed(sync, call);
		return;
	}
	if (rc != TL_OK && was_replayed(call, answered)) {
		call->replay_again = true;
		tl__call_again(sync, call);
		return;
	}
	if (rc == TL_OK && !sync->options.allow_tls_proxy && answered->channel.len > 0 &&
		!tl__str_eq(answer.header.channel, answered->channel))
		rc = tl__fail(TL_E_CHANNEL_MISMATCH,
			"the peer sees another connection than we do: somebody is in between");
	if (rc != TL_OK) {
		tl__call_note_last(call, rc);
		tl__call_address_failed(sync, call);
		return;
	}
	if (at && answered->channel.len <= TL__V1_MAX_TEXT)
		snprintf(at->channel, sizeof at->channel, "%.*s", TL__STR_ARG(answered->channel));
	tl__peer_take_epoch(sync, call->peer, answer.header.epoch);
	if (repeat_better(sync, call, &answer, answered))
		return;
	if (answer.header.status != TL__V1_OK) {
		tl__call_address_succeeded(sync, call, false);
		refused(sync, call, &answer);
		return;
	}
	if (!call->unnamed)
		tl__peer_succeeded(sync, call->peer, &call->address);
	if (call->greeting) {
		greeted_v1(sync, call, &answer);
		return;
	}
	tl__call_address_succeeded(sync, call, call->method == TL__V1_HELLO);
	tl__page_passed(sync, call);
	result.args = answer.header.args;
	result.body = answer.body;
	result.key = call->peer->key;
	result.epoch = call->peer->epoch;
	result.tidelock = true;
	result.address = call->address;
	snprintf(result.channel, sizeof result.channel, "%.*s", TL__STR_ARG(answered->channel));
	tl__call_finish(sync, call, &result);
}

/* A connection that ended while bytes were moving may have been cut for their number. */
static void cut_midway(tl__sync *sync, tl__call *call, const tl__sync_answered *answered)
{
	uint64_t moved = answered->sent > answered->received ? answered->sent : answered->received;

	if (answered->code == TL_E_CONNECTION_FAILED || answered->code == TL_E_NETWORK)
		tl__page_cut(sync, call, moved, false);
}

void tl__call_answered(tl__sync *sync, const tl__sync_answered *answered)
{
	tl__call *call = sync->call_list;

	while (call && call->exchange != answered->exchange)
		call = call->next;
	if (!call || call->exchange == 0) {
		tl__intake_free(answered->intake);
		return;
	}
	call->exchange = 0;
	call->bytes += answered->body.len;
	tl__race_end(sync, call);
	if (!call->done) {
		/* Cancelled by ourselves: says nothing of the address. */
		tl__intake_free(answered->intake);
		tl__call_note(call, TL_E_CANCELLED, tl_error_name(TL_E_CANCELLED));
		tl__call_give_up(sync, call);
		return;
	}
	if (answered->code != TL_OK) {
		char text[TL__SYNC_ERROR_TEXT];

		tl__intake_free(answered->intake);
		tl__text_copy(text, sizeof text, answered->error);
		tl__call_note(call, answered->code, text[0] ? text : tl_error_name(answered->code));
		cut_midway(sync, call, answered);
		/* What is too much from one address is from the others. */
		if (answered->code == TL_E_TOO_LARGE && call->streams)
			tl__call_give_up(sync, call);
		else
			tl__call_address_failed(sync, call);
		return;
	}
	call->way->answered(sync, call, answered);
}

static bool carries_pages(const tl__call *call)
{
	return call->method == TL__V1_PULL || call->method == TL__V1_PUSH;
}

static bool is_greeting(const tl__call *call)
{
	return call->greeting || call->method == TL__V1_HELLO;
}

const tl__call_way tl__call_v1 = {.protocol = 1,
	.needs_greeting = tl__call_v1_needs_greeting,
	.write = tl__call_v1_write,
	.answered = answered_v1,
	.carries_pages = carries_pages,
	.is_greeting = is_greeting};
