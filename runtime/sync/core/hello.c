/* First words of both protocols: the v0 handshake with the member that offers v1, and hello. */
#include "sync/out/outbound.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

#define DEVICE_ID    "background_sync_device" /* what every 0.2.0 node says */
#define DISPLAY_NAME "BackgroundSync"

/* "0.0.0.0:…" and "[::]:…" are places to listen at, nowhere to dial. */
static bool wildcard(const tl_address *address)
{
	tl_str text = tl__str_z(address->text);

	return tl__str_starts(text, TL__STR("0.0.0.0:")) || tl__str_starts(text, TL__STR("[::]:"));
}

void tl__hello_write(tl__sync *sync, tl__buf *args)
{
	tl__v1_hello hello = {0};

	hello.key = sync->key;
	hello.name = tl__str_z(sync->name);
	memcpy(hello.incarnation, sync->incarnation, sizeof hello.incarnation);
	for (size_t i = 0; i < sync->server_count; i++) {
		const tl_address *server = &sync->servers[i];

		if (wildcard(server) || strlen(server->text) > TL__V1_MAX_TEXT ||
			hello.address_count == TL__V1_MAX_ADDRESSES)
			continue;
		hello.addresses[hello.address_count].type = tl__str_z(server->type);
		hello.addresses[hello.address_count++].address = tl__str_z(server->text);
	}
	hello.max_body_bytes = TL__V1_MAX_BODY_BYTES;
	hello.max_page_entries = TL__V1_MAX_PAGE_ENTRIES;
	hello.features[hello.feature_count++] = TL__STR(TL__V1_FEATURE_STATE);
	hello.features[hello.feature_count++] = TL__STR(TL__V1_FEATURE_WATCH);
	tl__v1_write_hello(args, &hello);
}

/* What is told apart must be read back as the same from one text, or it would be another address
 * wherever it is shown and typed. */
static bool read_told(tl_address *out, tl_str type, tl_str text)
{
	tl__buf line = TL__BUF_INIT;
	bool good;

	tl__buf_str(&line, type);
	tl__buf_byte(&line, ':');
	tl__buf_str(&line, text);
	good = tl__buf_status(&line) == TL_OK &&
	       tl_address_parse(out, tl__buf_view(&line)) == TL_OK &&
	       tl__str_eq(tl__str_z(out->type), type) && tl__str_eq(tl__str_z(out->text), text) &&
	       !wildcard(out);
	tl__buf_free(&line);
	return good;
}

/* Addresses that the peer says it listens at: tried with a hello only, until it answers there. */
static bool take_addresses(tl__peer *peer, const tl__v1_hello *hello)
{
	tl_address told[TL__V1_MAX_ADDRESSES];
	size_t count = 0;

	for (size_t i = 0; i < hello->address_count; i++)
		if (read_told(&told[count], hello->addresses[i].type, hello->addresses[i].address))
			count++;
	return tl__peer_learn_addresses(peer, told, count);
}

static bool has_feature(const tl__v1_hello *hello, const char *name)
{
	for (size_t i = 0; i < hello->feature_count; i++)
		if (tl__str_eq(hello->features[i], tl__str_z(name)))
			return true;
	return false;
}

bool tl__hello_heard(tl__sync *sync, tl__peer *peer, const tl__v1_hello *hello)
{
	(void)!tl__peer_set_said_name(peer, hello->name);
	/* Another store: what it holds of ours is unknown. */
	if (peer->incarnation_known &&
		memcmp(peer->incarnation, hello->incarnation, sizeof hello->incarnation) != 0)
		for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
			tl__pair_restart(sync, pair);
	peer->incarnation_known = true;
	memcpy(peer->incarnation, hello->incarnation, sizeof hello->incarnation);
	peer->max_body_bytes = hello->max_body_bytes < TL__V1_MAX_BODY_BYTES
				       ? hello->max_body_bytes
				       : TL__V1_MAX_BODY_BYTES;
	peer->max_page_entries = hello->max_page_entries < TL__V1_MAX_PAGE_ENTRIES
					 ? hello->max_page_entries
					 : TL__V1_MAX_PAGE_ENTRIES;
	peer->hello_heard = true;
	peer->takes_state = has_feature(hello, TL__V1_FEATURE_STATE);
	peer->watch_offered = has_feature(hello, TL__V1_FEATURE_WATCH);
	return take_addresses(peer, hello);
}

int tl__hello_read(tl__sync *sync, tl__peer *peer, tl_str args, const uint8_t epoch[16])
{
	tl__arena arena = TL__ARENA_INIT;
	tl__v1_hello hello;
	int rc = tl__v1_read_hello(&hello, args, &arena);

	if (rc == TL_OK && memcmp(hello.key.b, peer->key.b, TL_KEY_BYTES) != 0)
		rc = tl__fail(TL_E_KEY_MISMATCH, "the hello names another key than its signer's");
	if (rc == TL_OK) {
		if (peer->epoch_known && memcmp(peer->epoch, epoch, TL__V1_EPOCH_BYTES) != 0) {
			tl__peer_offer_again(peer);
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
		if (wildcard(&sync->servers[i]))
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
