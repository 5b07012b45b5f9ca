/* One request to a peer: address by address until one answers. What must come first at an address
 * (hello, or the v0 handshake) is put before by itself; what the answer tells about epoch, clock
 * and channel is taken up, and the request repeated once for each. */
#include "sync/out/call.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

#define NONE ((size_t)-1)

tl__call *tl__call_new(tl__sync *sync, const tl__call_way *way, tl__peer *peer)
{
	tl__call *call = tl__alloc_zero(1, sizeof *call);

	if (!call)
		return NULL;
	call->way = way;
	call->peer = peer;
	call->number = tl__sync_number(sync);
	return call;
}

void tl__call_free(tl__call *call)
{
	if (!call)
		return;
	tl__buf_free(&call->args);
	tl__buf_free(&call->body);
	tl__free(call->own);
	tl__free(call);
}

tl__call *tl__call_hello(tl__sync *sync, tl__peer *peer)
{
	static const tl_key nobody;
	tl__peer *to = peer ? peer : tl__peer_new(&nobody, TL__STR_NULL);
	tl__call *call = to ? tl__call_new(sync, &tl__call_v1, to) : NULL;

	if (!peer && to)
		to->removed = true; /* it goes with the call */
	if (call) {
		call->unnamed = !peer;
		call->method = TL__V1_HELLO;
	} else if (!peer && to) {
		tl__peer_free(to);
	}
	return call;
}

static void unlink_call(tl__sync *sync, tl__call *call)
{
	tl__call **at = &sync->call_list;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	sync->exchanges--;
	if (call->peer) {
		call->peer->exchanges--;
		tl__peer_release(sync, call->peer);
	}
}

void tl__call_finish(tl__sync *sync, tl__call *call, tl__call_result *result)
{
	tl__call_done done = call->done;
	void *ud = call->ud;
	uint64_t owner = call->owner;

	result->bytes = call->bytes;
	/* The peer outlives `done`: it may only go when the call lets it. */
	if (done)
		done(sync, ud, owner, result);
	else
		tl__intake_free(result->intake);
	unlink_call(sync, call);
	tl__call_free(call);
}

void tl__call_give_up(tl__sync *sync, tl__call *call)
{
	tl__call_result result = {.code = call->code, .error = call->error, .cut = call->cut};

	result.address = call->address;
	tl__call_finish(sync, call, &result);
}

void tl__call_note(tl__call *call, int code, const char *error)
{
	call->code = code;
	tl__text_copy(call->error, sizeof call->error, tl__str_z(error));
}

void tl__call_note_last(tl__call *call, int code)
{
	const tl_error *error = tl_last_error();

	tl__call_note(call, code, error ? tl_error_message(error) : tl_error_name(code));
}

/* --- which address ---------------------------------------------------------------------------- */

const struct tl__sync_transport *tl__transport_of(const tl__sync *sync, const tl_address *address)
{
	for (size_t i = 0; i < sync->transport_count; i++)
		if (strcmp(sync->transports[i].type, address->type) == 0)
			return &sync->transports[i];
	return NULL;
}

int tl__sync_no_transport(const tl__sync *sync)
{
	return sync->transport_count == 0 ? TL_E_NO_TRANSPORT_ENABLED : TL_E_UNSUPPORTED_TRANSPORT;
}

bool tl__peer_has_way(const tl__sync *sync, const tl__peer *peer)
{
	for (size_t i = 0; i < peer->address_count; i++)
		if (tl__transport_of(sync, &peer->addresses[i].address))
			return true;
	return false;
}

/* Whether this address may be dialled at all; else the call knows why. */
static bool may_dial(tl__sync *sync, tl__call *call, const tl_address *address)
{
	const struct tl__sync_transport *transport = tl__transport_of(sync, address);
	tl_policy_question question = {.kind = TL_POLICY_DIAL, .otherwise = true};
	tl_policy_verdict verdict;
	char text[530];

	if (!transport) {
		tl__call_note(call, tl__sync_no_transport(sync),
			"no transport for this address is enabled");
		return false;
	}
	question.encrypted = transport->encrypted;
	if (sync->options.require_encryption && !transport->encrypted &&
		!tl__sync_loopback(tl__str_z(address->text))) {
		tl__call_note(call, TL_E_CLEARTEXT_REFUSED,
			"a connection in the clear beyond this machine is refused "
			"(require_encryption)");
		return false;
	}
	tl_address_format(address, text);
	question.address = text;
	question.peer = call->peer && !call->unnamed ? &call->peer->key : NULL;
	question.outbound = true;
	question.protocol = call->way->protocol;
	if (tl__sync_ask_policy(sync, &question, &verdict) == TL_POLICY_ALLOW)
		return true;
	tl__call_note(call, TL_E_REFUSED,
		verdict.reason[0] ? verdict.reason : "the policy refuses to dial it");
	return false;
}

static bool better(const tl__peer_address *a, const tl__peer_address *b)
{
	if (a->success != b->success)
		return a->success > b->success;
	if (a->proven != b->proven)
		return a->proven;
	return a->failures < b->failures;
}

static bool was_tried(const tl__call *call, uint32_t number)
{
	for (size_t i = 0; i < call->tried_count; i++)
		if (call->tried[i] == number)
			return true;
	return false;
}

void tl__call_leave_out(tl__call *call, uint32_t number)
{
	if (call->tried_count < sizeof call->tried / sizeof *call->tried)
		call->tried[call->tried_count++] = number;
}

bool tl__call_has_other(const tl__sync *sync, const tl__call *call)
{
	const tl__peer *peer = call->peer;
	const tl__peer_address *here = tl__call_address(call);

	for (size_t i = 0; peer && i < peer->address_count; i++)
		if (&peer->addresses[i] != here && !was_tried(call, peer->addresses[i].number) &&
			tl__transport_of(sync, &peer->addresses[i].address))
			return true;
	return false;
}

/* The best of the addresses not tried yet. */
static size_t best_address(tl__sync *sync, tl__call *call)
{
	const tl__peer *peer = call->peer;
	size_t best = NONE;

	if (call->tried_count == sizeof call->tried / sizeof *call->tried)
		return NONE;
	for (size_t i = 0; peer && i < peer->address_count; i++)
		if (!was_tried(call, peer->addresses[i].number) &&
			(best == NONE || better(&peer->addresses[i], &peer->addresses[best])))
			best = i;
	if (best == NONE)
		return NONE;
	tl__call_leave_out(call, peer->addresses[best].number);
	if (!may_dial(sync, call, &peer->addresses[best].address))
		return best_address(sync, call);
	return best;
}

static bool next_address(tl__sync *sync, tl__call *call)
{
	size_t index;

	if (call->fixed) {
		if (call->tried_count > 0)
			return false;
		call->tried_count = 1;
		return may_dial(sync, call, &call->address);
	}
	index = best_address(sync, call);
	if (index == NONE) {
		if (call->code == TL_OK)
			tl__call_note(call, TL_E_NETWORK,
				"the peer has no address; add one or connect to it");
		return false;
	}
	call->address = call->peer->addresses[index].address;
	return true;
}

/* Where the peer's record of the address dialled is; NULL for a first contact. */
tl__peer_address *tl__call_address(const tl__call *call)
{
	int at = call->peer ? tl__peer_address_at(call->peer, &call->address) : -1;

	return at < 0 ? NULL : &call->peer->addresses[at];
}

/* --- sending ---------------------------------------------------------------------------------- */

bool tl__call_v1_needs_greeting(const tl__call *call)
{
	const tl__peer_address *at = tl__call_address(call);

	if (call->method == TL__V1_HELLO)
		return false;
	return !at || !at->proven || !call->peer->epoch_known || !call->peer->hello_heard;
}

static size_t gather_secrets(const tl__sync *sync, const tl__call *call, const tl_secret **out)
{
	size_t count = 0;

	for (size_t i = 0; i < call->key_count; i++)
		for (size_t k = 0; k < sync->key_count; k++)
			if (tl__key_equal(&sync->keys[k].key, &call->keys[i])) {
				out[count++] = &sync->keys[k].secret;
				break;
			}
	for (size_t i = 0; i < 2; i++)
		if (call->extra[i] && count < TL__V1_MAX_KEYS)
			out[count++] = call->extra[i];
	return count;
}

/* Our clock was set since its offset was learnt, when the two give no time: it is learnt anew. */
static int64_t time_towards(const tl__sync *sync, tl__peer *peer)
{
	int64_t time = tl__sync_time(sync);

	if (time + peer->clock_offset < 0 || time + peer->clock_offset > TL__V1_MAX_TIME)
		peer->clock_offset = 0;
	return time + peer->clock_offset;
}

/* The channel that it is signed for: what is known of the next connection, else the last one's. */
static void choose_channel(tl__sync *sync, tl__call *call)
{
	const tl__peer_address *at = tl__call_address(call);

	if (call->channel[0] != 0 ||
		(sync->foresee && sync->foresee(sync->foresee_ud, &call->address, call->channel,
					  sizeof call->channel)))
		return;
	snprintf(call->channel, sizeof call->channel, "%s",
		at && at->channel[0] ? at->channel : "none");
}

static int write_request(tl__sync *sync, tl__call *call, tl__buf *out)
{
	tl__v1_method method = call->greeting ? TL__V1_HELLO : call->method;
	bool hello = method == TL__V1_HELLO;
	tl__v1_request request = {0};
	const tl_secret *secrets[TL__V1_MAX_KEYS];
	tl__buf hello_args = TL__BUF_INIT;
	size_t count = hello ? 0 : gather_secrets(sync, call, secrets);
	int rc = tl__nonce_next(sync, call->unnamed ? NULL : &call->peer->key, request.nonce);

	request.has_to = !call->unnamed;
	request.to = call->peer->key;
	request.from = sync->key;
	request.method = tl__str_z(tl__v1_method_name(method));
	request.has_db = !hello && call->has_db;
	request.db = call->db;
	request.time = time_towards(sync, call->peer);
	request.has_epoch = !hello && call->peer->epoch_known;
	memcpy(request.epoch, call->peer->epoch, sizeof request.epoch);
	choose_channel(sync, call);
	request.channel = tl__str_z(call->channel);
	if (hello)
		tl__hello_write(sync, &hello_args);
	request.args = tl__buf_view(hello ? &hello_args : &call->args);
	if (rc == TL_OK)
		rc = tl__buf_status(&hello_args);
	if (rc == TL_OK)
		rc = tl__v1_request_write(out, &request, sync->device, secrets, count,
			hello ? (tl_str){"", 0} : tl__buf_view(&call->body), call->re);
	tl__buf_free(&hello_args);
	return rc;
}

int tl__call_v1_write(tl__sync *sync, tl__call *call, tl__sync_action *send)
{
	tl__v1_method method = call->greeting ? TL__V1_HELLO : call->method;

	snprintf(send->send.path, sizeof send->send.path, "%s%s", TL__V1_PATH_PREFIX,
		tl__v1_method_name(method));
	send->send.content_type = TL__V1_CONTENT_TYPE;
	send->send.limit = TL__SYNC_MAX_FRAME;
	return write_request(sync, call, &send->send.body);
}

/* --- any way ---------------------------------------------------------------------------------- */

bool tl__call_repeat(tl__sync *sync, tl__call *call)
{
	tl__sync_action action = {.kind = TL__SYNC_SEND};
	int rc;

	action.send.body = TL__BUF_INIT;
	rc = call->way->write(sync, call, &action);
	if (rc != TL_OK) {
		tl__buf_free(&action.send.body);
		tl__call_note_last(call, rc);
		return false;
	}
	call->exchange = tl__sync_number(sync);
	call->sent_at = sync->now;
	call->sent_wall = tl__sync_time(sync);
	call->request_bytes = action.send.body.len;
	call->bytes += call->request_bytes;
	call->streams = action.send.intake != NULL;
	action.send.exchange = call->exchange;
	action.send.address = call->address;
	action.send.db = call->db;
	action.send.hold_ms = call->greeting ? 0 : call->hold_ms;
	tl__race_expect(sync, call);
	if (tl__sync_act(sync, &action))
		return true;
	tl__call_note(call, TL_E_NOMEM, "out of memory");
	call->exchange = 0;
	return false;
}

/* The next address, or the end. From tl__call_start the end waits for the next event. */
bool tl__call_dial(tl__sync *sync, tl__call *call)
{
	while (next_address(sync, call)) {
		call->channel[0] = 0;
		call->greeting = call->way->needs_greeting(call);
		if (tl__call_repeat(sync, call))
			return true;
	}
	call->exchange = 0;
	return false;
}

void tl__call_turn_to(tl__sync *sync, tl__call *call, const tl_address *address)
{
	const tl__peer_address *at;

	call->exchange = 0;
	call->address = *address;
	call->channel[0] = 0;
	call->greeting = call->way->needs_greeting(call);
	at = tl__call_address(call);
	if (at && !was_tried(call, at->number))
		tl__call_leave_out(call, at->number);
	(void)tl__call_repeat(sync, call);
}

void tl__call_start(tl__sync *sync, tl__call *call)
{
	tl__call **end = &sync->call_list;

	while (*end)
		end = &(*end)->next;
	*end = call;
	sync->exchanges++;
	if (call->peer)
		call->peer->exchanges++;
	(void)tl__call_dial(sync, call);
}

void tl__calls_fail(tl__sync *sync)
{
	tl__call *call = sync->call_list;

	while (call) {
		if (call->exchange != 0) {
			call = call->next;
			continue;
		}
		tl__call_give_up(sync, call);
		call = sync->call_list; /* `done` may have changed the list */
	}
}

bool tl__calls_failed(const tl__sync *sync)
{
	for (const tl__call *call = sync->call_list; call; call = call->next)
		if (call->exchange == 0)
			return true;
	return false;
}

void tl__calls_free(tl__sync *sync)
{
	while (sync->call_list) {
		tl__call *call = sync->call_list;

		sync->call_list = call->next;
		if (call->peer && --call->peer->exchanges == 0 && call->peer->removed)
			tl__peer_free(call->peer);
		tl__call_free(call);
	}
}

void tl__call_cancel(tl__sync *sync, uint64_t number)
{
	tl__sync_action action = {.kind = TL__SYNC_CANCEL_SEND};
	tl__call *call = sync->call_list;

	while (call && call->number != number)
		call = call->next;
	if (!call)
		return;
	call->done = NULL;
	tl__race_end(sync, call);
	if (call->exchange == 0)
		return; /* tl__calls_fail frees it */
	action.exchange = call->exchange;
	tl__sync_act(sync, &action);
}

/* --- proofs ----------------------------------------------------------------------------------- */

static void add_proof(tl__call *call, const tl_key *key)
{
	for (size_t i = 0; i < call->key_count; i++)
		if (tl__key_equal(&call->keys[i], key))
			return;
	if (call->key_count < TL__V1_MAX_KEYS)
		call->keys[call->key_count++] = *key;
}

void tl__call_prove(tl__sync *sync, tl__call *call, const tl__sync_db *db, uint32_t key_mask)
{
	for (size_t i = 0; db && db->has_access && i < sync->key_count; i++)
		if (tl__key_equal(&sync->keys[i].key, &db->access_key))
			add_proof(call, &db->access_key);
	for (size_t i = 0; i < sync->key_count && i < 32; i++)
		if (key_mask & (1u << i))
			add_proof(call, &sync->keys[i].key);
}
