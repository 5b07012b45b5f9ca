/* How a call speaks eidetica 0.2.0, and its first words: the handshake with the member that offers
 * v1. */
#include "v0/out/out.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "sync/out/call.h"

#define DEVICE_ID       "background_sync_device" /* what every 0.2.0 node says */
#define DISPLAY_NAME    "BackgroundSync"
#define NOT_IMPLEMENTED 501 /* HTTP status: it speaks tidelock's protocol alone */

typedef struct v0_call {
	tl__v0_call_kind kind;
	uint64_t most_bytes; /* of a tree answer */
	uint8_t challenge[TL__V0_CHALLENGE_BYTES];
} v0_call;

tl__call *tl__v0_call_new(tl__sync *sync, tl__v0_call_kind kind, tl__peer *peer)
{
	v0_call *own = tl__alloc_zero(1, sizeof *own);
	tl__call *call = own ? tl__call_new(sync, &tl__call_v0, peer) : NULL;

	if (!call) {
		tl__free(own);
		return NULL;
	}
	own->kind = kind;
	own->most_bytes = sync->options.max_response_bytes;
	call->own = own;
	return call;
}

void tl__v0_call_bound(tl__call *call, uint64_t most_bytes)
{
	v0_call *own = call->own;

	own->most_bytes = most_bytes;
}

tl__call *tl__v0_greet(tl__sync *sync, tl__peer *peer)
{
	return tl__v0_call_new(sync, TL__V0_CALL_HANDSHAKE, peer);
}

static bool needs_greeting(const tl__call *call)
{
	const tl__peer_address *at = tl__call_address(call);
	const v0_call *own = call->own;

	return own->kind != TL__V0_CALL_HANDSHAKE && (!at || !at->proven || !call->peer->greeted);
}

static bool is_handshake(const tl__call *call)
{
	const v0_call *own = call->own;

	return call->greeting || own->kind == TL__V0_CALL_HANDSHAKE;
}

/* --- handshake -------------------------------------------------------------------------------- */

static void write_handshake(tl__sync *sync, tl__buf *body, const uint8_t challenge[32])
{
	tl__v0_address addresses[TL__SYNC_MAX_ADDRESSES];
	tl__v0_handshake_request message = {0};

	message.device_id = TL__STR(DEVICE_ID);
	message.public_key = tl__str_z(sync->key_text);
	message.display_name = sync->name[0] ? tl__str_z(sync->name) : TL__STR(DISPLAY_NAME);
	message.protocol_version = TL__V0_VERSION;
	message.challenge = (tl_str){(const char *)challenge, TL__V0_CHALLENGE_BYTES};
	message.listen_addresses = addresses;
	for (size_t i = 0; i < sync->server_count; i++) {
		if (tl__address_is_wildcard(&sync->servers[i]))
			continue;
		addresses[message.address_count].type = tl__str_z(sync->servers[i].type);
		addresses[message.address_count++].address = tl__str_z(sync->servers[i].text);
	}
	message.tidelock_v1 = true;
	tl__v0_write_handshake_request(body, &message);
}

static int check_handshake(
	const tl__v0_response *response, const uint8_t challenge[32], tl__call_result *out)
{
	const tl__v0_handshake_response *answer = &response->handshake;

	if (response->kind == TL__V0_RESPONSE_ERROR)
		return tl__fail(TL_E_HANDSHAKE_FAILED, "the peer refused the handshake: %.*s",
			(int)(response->text.len > 200 ? 200 : response->text.len),
			response->text.ptr ? response->text.ptr : "");
	if (response->kind != TL__V0_RESPONSE_HANDSHAKE)
		return tl__fail(TL_E_HANDSHAKE_FAILED, "the peer answered the handshake with "
						       "something else");
	if (answer->protocol_version != TL__V0_VERSION)
		return tl__fail(TL_E_PROTOCOL_MISMATCH,
			"the peer speaks version %u of the protocol, we speak %d",
			answer->protocol_version, TL__V0_VERSION);
	if (tl_key_parse(&out->key, answer->public_key) != TL_OK)
		return tl__fail_cause(TL_E_HANDSHAKE_FAILED, "the peer's key is no key");
	if (answer->challenge_response.len != TL_SIGNATURE_BYTES ||
		tl_verify(&out->key, challenge, TL__V0_CHALLENGE_BYTES,
			(const uint8_t *)answer->challenge_response.ptr) != TL_OK)
		return tl__fail(
			TL_E_HANDSHAKE_FAILED, "the peer did not prove the key that it names");
	out->name = answer->display_name;
	out->tidelock = answer->tidelock_v1;
	out->own = answer;
	return TL_OK;
}

static int no_entry(void *ud, tl_str text, bool is_root)
{
	(void)ud;
	(void)text;
	(void)is_root;
	return tl__fail(TL_E_UNEXPECTED_RESPONSE, "the answer holds entries");
}

int tl__v0_read_plain(tl__v0_reader **out, tl_str document)
{
	int rc = tl__v0_reader_new(out, no_entry, NULL);

	if (rc == TL_OK)
		rc = tl__v0_reader_feed(*out, document.ptr, document.len);
	return rc == TL_OK ? tl__v0_reader_finish(*out) : rc;
}

static int read_handshake(
	tl_str document, const uint8_t challenge[32], tl__call_result *out, tl__v0_reader **memory)
{
	int rc = tl__v0_read_plain(memory, document);

	if (rc == TL_E_NOMEM)
		return rc;
	if (rc != TL_OK)
		return tl__fail_cause(TL_E_NETWORK, "the answer is no message of eidetica 0.2.0");
	return check_handshake(tl__v0_reader_response(*memory), challenge, out);
}

static void handshaken(tl__sync *sync, tl__call *call, const tl__sync_answered *answered)
{
	tl__call_result result = {.address = call->address};
	const v0_call *own = call->own;
	tl__v0_reader *memory = NULL;
	int rc = read_handshake(answered->body, own->challenge, &result, &memory);

	if (rc == TL_OK && call->peer && !tl__key_equal(&result.key, &call->peer->key))
		rc = tl__fail(TL_E_KEY_MISMATCH, "another node answers at that address");
	if (rc != TL_OK) {
		tl__call_note_last(call, rc);
		tl__call_address_failed(sync, call);
	} else if (call->greeting && call->peer) {
		call->peer->greeted = true;
		tl__call_address_succeeded(sync, call, true);
		tl__peer_succeeded(sync, call->peer, &call->address);
		call->greeting = false;
		tl__call_again(sync, call);
	} else {
		snprintf(result.channel, sizeof result.channel, "%.*s",
			TL__STR_ARG(answered->channel));
		tl__call_finish(sync, call, &result);
	}
	tl__v0_reader_free(memory);
}

/* --- sending and answers ------------------------------------------------------------------------ */

static int write(tl__sync *sync, tl__call *call, tl__sync_action *send)
{
	v0_call *own = call->own;
	bool streams = own->kind == TL__V0_CALL_TREE && !call->greeting;

	snprintf(send->send.path, sizeof send->send.path, "%s", TL__V0_PATH);
	send->send.content_type = TL__V0_CONTENT_TYPE;
	send->send.intake = streams ? &tl__v0_intake : NULL;
	send->send.limit = streams ? own->most_bytes : TL__V0_MAX_MEMBER_BYTES;
	if (is_handshake(call)) {
		sync->random.fill(sync->random.ud, own->challenge, sizeof own->challenge);
		write_handshake(sync, &send->send.body, own->challenge);
	} else {
		tl__buf_str(&send->send.body, tl__buf_view(&call->body));
	}
	return tl__buf_status(&send->send.body);
}

/* Not its protocol: why. */
static bool is_refused(tl__sync *sync, tl__call *call, const tl__sync_answered *answered)
{
	char text[TL__SYNC_ERROR_TEXT];

	if (tl__call_refused_for_size(sync, call, answered))
		return true;
	if (answered->status >= 200 && answered->status <= 299)
		return false;
	if (answered->status == NOT_IMPLEMENTED) {
		tl__call_note(call, TL_E_V0_NOT_SPOKEN,
			"the peer does not speak the protocol of eidetica 0.2.0");
		return true;
	}
	snprintf(text, sizeof text, "the peer answered with HTTP status %d", answered->status);
	tl__call_note(call, TL_E_NETWORK, text);
	return true;
}

static void answered_v0(tl__sync *sync, tl__call *call, const tl__sync_answered *answered)
{
	tl__call_result result = {.address = call->address};

	if (is_refused(sync, call, answered)) {
		tl__intake_free(answered->intake);
		tl__call_address_failed(sync, call);
		return;
	}
	if (is_handshake(call)) {
		handshaken(sync, call, answered);
		return;
	}
	tl__call_address_succeeded(sync, call, false);
	tl__page_passed(sync, call);
	tl__peer_succeeded(sync, call->peer, &call->address);
	result.body = answered->body;
	result.intake = answered->intake;
	tl__call_finish(sync, call, &result);
}

static bool carries_pages(const tl__call *call)
{
	const v0_call *own = call->own;

	return own->kind == TL__V0_CALL_SEND;
}

const tl__call_way tl__call_v0 = {.protocol = 0,
	.needs_greeting = needs_greeting,
	.write = write,
	.answered = answered_v0,
	.carries_pages = carries_pages,
	.is_greeting = is_handshake};
