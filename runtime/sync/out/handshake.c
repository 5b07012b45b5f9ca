/* First words to a peer: the v0 handshake with the member that offers v1, and the answer to hello.
 */
#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "sync/out/outbound.h"

#define DEVICE_ID    "background_sync_device" /* what every 0.2.0 node says */
#define DISPLAY_NAME "BackgroundSync"

int tl__hello_read(tl__sync *sync, tl__peer *peer, tl_str args, const uint8_t epoch[16])
{
	tl__arena arena = TL__ARENA_INIT;
	tl__v1_hello hello;
	int rc = tl__v1_read_hello(&hello, args, &arena);

	if (rc == TL_OK && memcmp(hello.key.b, peer->key.b, TL_KEY_BYTES) != 0)
		rc = tl__fail(TL_E_KEY_MISMATCH, "the hello names another key than its signer's");
	if (rc == TL_OK) {
		if (peer->epoch_known && memcmp(peer->epoch, epoch, TL__V1_EPOCH_BYTES) != 0) {
			tl__peer_offer_again(sync, peer);
			tl__page_other_process(peer);
		}
		peer->epoch_known = true;
		memcpy(peer->epoch, epoch, TL__V1_EPOCH_BYTES);
		if (tl__hello_heard(sync, peer, &hello) && tl__sync_find_peer(sync, &peer->key))
			tl__peer_save(sync, peer);
	}
	tl__arena_free(&arena);
	return rc;
}

void tl__handshake_write(tl__sync *sync, tl__buf *body, const uint8_t challenge[32])
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

static int no_entry(void *ud, tl_str text, bool is_root)
{
	(void)ud;
	(void)text;
	(void)is_root;
	return tl__fail(TL_E_UNEXPECTED_RESPONSE, "the answer to a handshake holds entries");
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
	out->trees = answer->trees;
	out->tree_count = answer->tree_count;
	return TL_OK;
}

int tl__handshake_read(
	tl_str document, const uint8_t challenge[32], tl__call_result *out, tl__v0_reader **memory)
{
	int rc = tl__v0_reader_new(memory, no_entry, NULL);

	if (rc != TL_OK)
		return rc;
	rc = tl__v0_reader_feed(*memory, document.ptr, document.len);
	if (rc == TL_OK)
		rc = tl__v0_reader_finish(*memory);
	if (rc != TL_OK)
		return tl__fail_cause(TL_E_NETWORK, "the answer is no message of eidetica 0.2.0");
	return check_handshake(tl__v0_reader_response(*memory), challenge, out);
}
