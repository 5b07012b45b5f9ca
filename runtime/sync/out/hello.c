/* What a peer answered to our hello. */
#include <string.h>
#include "base/fail.h"
#include "sync/out/session.h"

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

	if (rc == TL_OK && memcmp(hello.key.b, peer->key.b, TL_KEY_BYTES) != 0)
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
