/* The numbers of our requests: counted up for each responder. */
#include "base/fail.h"
#include "base/str.h"
#include "sync/core/core.h"

void tl__nonce_begin(tl__sync *sync)
{
	sync->random.fill(sync->random.ud, sync->nonce_process, sizeof sync->nonce_process);
	tl__map_free(&sync->nonce_numbers);
	tl__map_init(&sync->nonce_numbers);
}

int tl__nonce_next(tl__sync *sync, const tl_key *to, uint8_t nonce[TL__V1_NONCE_BYTES])
{
	tl_str name = to ? (tl_str){(const char *)to->b, TL_KEY_BYTES} : TL__STR("nobody");
	uintptr_t number;
	int rc;

	/* Under another name all numbers are fresh. */
	if (sync->nonce_numbers.count >= TL__SYNC_MAX_RESPONDERS)
		tl__nonce_begin(sync);
	number = (uintptr_t)tl__map_get(&sync->nonce_numbers, name) + 1;
	rc = tl__map_set(&sync->nonce_numbers, name, (void *)number);
	if (rc == TL_OK)
		tl__v1_nonce_write(nonce, sync->nonce_process, number);
	/* One name more, so that no number comes twice to whoever answers. */
	if (rc == TL_OK && !to)
		nonce[0] ^= 1;
	return rc;
}
