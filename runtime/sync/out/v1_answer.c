/* What makes bytes from the network an answer of the peer to this very request; and of its hello,
 * what it says. */
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

#define HTTP_NOT_FOUND 404

/* Nobody there knows our protocol. Only what speaks it, and eidetica 0.2.0, listens for such. */
static int no_tidelock(const tl__sync *sync, const tl__call *call, int status)
{
	if (sync->v0 || call->method != TL__V1_HELLO || status != HTTP_NOT_FOUND)
		return tl__fail(TL_E_NETWORK,
			"the answer (HTTP status %d) is none of tidelock's protocol", status);
	return tl__fail(TL_E_V0_NOT_SPOKEN,
		"what answers there does not speak tidelock's protocol (HTTP status %d); if it is "
		"a "
		"node of eidetica 0.2.0, use a build that speaks that: this one was made without "
		"(V0=0)",
		status);
}

/* No frame: a refusal before our signature was looked at, or something else altogether. Nobody
 * signed it, so it only ever counts as a failed attempt. */
static int unsigned_answer(
	const tl__sync *sync, const tl__call *call, const tl__sync_answered *answered)
{
	tl__v1_status status;

	if (answered->body.len < 4 ||
		!tl__v1_read_unsigned(&status, answered->body.ptr, answered->body.len))
		return no_tidelock(sync, call, answered->status);
	if (status == TL__V1_WRONG_RECIPIENT)
		return tl__fail(TL_E_KEY_MISMATCH,
			"another node than the one with this key answers at that address");
	return tl__fail(TL_E_NETWORK, "the peer refused, unsigned: %s", tl__v1_status_name(status));
}

static int check_body(const tl__v1_response *header, tl_str rest)
{
	uint8_t digest[32];

	if (header->body_len != rest.len)
		return tl__fail(TL_E_NETWORK, "the answer's body has another length than signed");
	tl_sha256(rest.ptr, rest.len, digest);
	if (memcmp(digest, header->body_sha256, sizeof digest) != 0)
		return tl__fail(TL_E_NETWORK, "the answer's body is not the one that was signed");
	return TL_OK;
}

/* Whoever answers a hello to nobody says in it who that is. */
static int take_key(tl__call *call, tl_str args)
{
	tl__arena arena = TL__ARENA_INIT;
	tl__v1_hello hello;
	int rc = tl__v1_read_hello(&hello, args, &arena);

	if (rc == TL_OK)
		call->peer->key = hello.key;
	tl__arena_free(&arena);
	return rc;
}

int tl__call_read_v1(
	const tl__sync *sync, tl__call *call, const tl__sync_answered *answered, tl__v1_answer *out)
{
	tl_str body = answered->body;
	tl__v1_frame frame;
	size_t need;
	int rc = tl__v1_frame_need(body.ptr, body.len, &need);

	if (rc != TL_OK || need > body.len)
		return unsigned_answer(sync, call, answered);
	rc = tl__v1_frame_read(&frame, body.ptr, body.len);
	if (rc == TL_OK)
		rc = tl__v1_response_read(&out->header, frame.header);
	if (rc == TL_OK && call->unnamed && out->header.status == TL__V1_OK)
		rc = take_key(call, out->header.args);
	if (rc != TL_OK || frame.signature_count != 1)
		return tl__fail(TL_E_NETWORK, "the answer is no well-formed response");
	/* A refusal of a hello to nobody says not whose it is; it changes only what is asked next.
	 */
	if (!(call->unnamed && out->header.status != TL__V1_OK) &&
		tl__v1_verify_response(&frame, &call->peer->key) != TL_OK)
		return tl__fail(TL_E_KEY_MISMATCH,
			"the answer is not signed by the peer's key: another node answers at that "
			"address, or somebody changed it on the way");
	if (memcmp(out->header.re, call->re, sizeof call->re) != 0)
		return tl__fail(TL_E_NETWORK, "the answer belongs to another request");
	out->body = (tl_str){body.ptr + frame.size, body.len - frame.size};
	return check_body(&out->header, out->body);
}

int tl__call_status_code(tl__v1_status status)
{
	switch (status) {
	case TL__V1_OK: return TL_OK;
	case TL__V1_VERSION:
	case TL__V1_UNKNOWN_METHOD: return TL_E_PROTOCOL_MISMATCH;
	case TL__V1_CLOCK_SKEW: return TL_E_CLOCK_SKEW;
	case TL__V1_BUSY: return TL_E_BUSY;
	case TL__V1_TOO_LARGE: return TL_E_TOO_LARGE;
	case TL__V1_NOT_AVAILABLE: return TL_E_NOT_AVAILABLE;
	case TL__V1_NOT_PERMITTED: return TL_E_NOT_PERMITTED;
	case TL__V1_DECLINED: return TL_E_DECLINED;
	case TL__V1_KEY_MISMATCH:
	case TL__V1_WRONG_RECIPIENT: return TL_E_KEY_MISMATCH;
	case TL__V1_CHANNEL_MISMATCH: return TL_E_CHANNEL_MISMATCH;
	case TL__V1_V0_KEY: return TL_E_V0_KEY;
	case TL__V1_DOWNGRADE_REFUSED: return TL_E_DOWNGRADE_REFUSED;
	default: return TL_E_SYNC_PROTOCOL_ERROR;
	}
}

/* --- what a hello is answered ------------------------------------------------------------------- */

void tl__peer_take_epoch(tl__sync *sync, tl__peer *peer, const uint8_t epoch[16])
{
	if (peer->epoch_known && memcmp(peer->epoch, epoch, TL__V1_EPOCH_BYTES) != 0) {
		tl__peer_offer_again(sync, peer);
		tl__page_other_process(peer);
		peer->hello_heard = false; /* another version may have other features */
	}
	peer->epoch_known = true;
	memcpy(peer->epoch, epoch, TL__V1_EPOCH_BYTES);
}

int tl__hello_read(tl__sync *sync, tl__peer *peer, tl_str args, const uint8_t epoch[16])
{
	tl__arena arena = TL__ARENA_INIT;
	tl__v1_hello hello;
	int rc = tl__v1_read_hello(&hello, args, &arena);

	if (rc == TL_OK && !tl__key_equal(&hello.key, &peer->key))
		rc = tl__fail(TL_E_KEY_MISMATCH, "the hello names another key than its signer's");
	if (rc == TL_OK) {
		tl__peer_take_epoch(sync, peer, epoch);
		if (tl__hello_heard(sync, peer, &hello) &&
			tl__sync_find_peer(sync, &peer->key) == peer)
			tl__peer_save(sync, peer);
	}
	tl__arena_free(&arena);
	return rc;
}
