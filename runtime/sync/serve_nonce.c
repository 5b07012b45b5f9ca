/* Nonces seen, so that no request counts twice. All live equally long, so the oldest is first. */
#include <string.h>
#include "sync/serve.h"

struct tl__nonce {
	uint8_t name[TL_KEY_BYTES + TL__V1_NONCE_BYTES];
	uint64_t until;
	struct tl__nonce *next;
};

/* Counts live in the map's values themselves: never NULL while above zero. */
static size_t count_of(const tl__sync *sync, tl_str key)
{
	return (size_t)(uintptr_t)tl__map_get(&sync->serve->nonce_counts, key);
}

static int set_count(tl__sync *sync, tl_str key, size_t count)
{
	if (count > 0)
		return tl__map_set(&sync->serve->nonce_counts, key, (void *)(uintptr_t)count);
	tl__map_remove(&sync->serve->nonce_counts, key);
	return TL_OK;
}

static tl_str key_name(const uint8_t *key)
{
	return (tl_str){(const char *)key, TL_KEY_BYTES};
}

static tl_str nonce_name(const struct tl__nonce *nonce)
{
	return (tl_str){(const char *)nonce->name, sizeof nonce->name};
}

bool tl__serve_nonce_seen(const tl__sync *sync, const tl_key *key, const uint8_t nonce[16])
{
	struct tl__nonce probe;

	memcpy(probe.name, key->b, TL_KEY_BYTES);
	memcpy(probe.name + TL_KEY_BYTES, nonce, TL__V1_NONCE_BYTES);
	return tl__map_has(&sync->serve->nonces, nonce_name(&probe));
}

static void forget(tl__sync *sync, struct tl__nonce *nonce)
{
	tl_str key = key_name(nonce->name);

	tl__map_remove(&sync->serve->nonces, nonce_name(nonce));
	/* Making a count smaller needs no memory. */
	(void)set_count(sync, key, count_of(sync, key) - 1);
	tl__free(nonce);
}

static int remember(tl__sync *sync, struct tl__nonce *nonce)
{
	tl_str key = key_name(nonce->name);
	int rc = tl__map_set(&sync->serve->nonces, nonce_name(nonce), nonce);

	if (rc != TL_OK)
		return rc;
	rc = set_count(sync, key, count_of(sync, key) + 1);
	if (rc != TL_OK)
		tl__map_remove(&sync->serve->nonces, nonce_name(nonce));
	return rc;
}

int tl__serve_nonce_keep(tl__sync *sync, const tl_key *key, const uint8_t nonce[16])
{
	struct tl__serve *serve = sync->serve;
	struct tl__nonce *kept;
	int rc;

	tl__serve_nonces_expire(sync);
	if (serve->nonces.count >= TL__V1_NONCES_IN_ALL ||
		count_of(sync, key_name(key->b)) >= TL__V1_NONCES_PER_KEY)
		return tl__fail(TL_E_BUSY, "too many requests at once; wait a moment");
	kept = tl__alloc(sizeof *kept);
	if (!kept)
		return TL_E_NOMEM;
	memcpy(kept->name, key->b, TL_KEY_BYTES);
	memcpy(kept->name + TL_KEY_BYTES, nonce, TL__V1_NONCE_BYTES);
	kept->until = sync->now + TL__V1_NONCE_KEPT_MS;
	kept->next = NULL;
	rc = remember(sync, kept);
	if (rc != TL_OK) {
		tl__free(kept);
		return rc;
	}
	if (serve->newest)
		serve->newest->next = kept;
	else
		serve->oldest = kept;
	serve->newest = kept;
	return TL_OK;
}

void tl__serve_nonces_expire(tl__sync *sync)
{
	struct tl__serve *serve = sync->serve;

	while (serve->oldest && serve->oldest->until <= sync->now) {
		struct tl__nonce *nonce = serve->oldest;

		serve->oldest = nonce->next;
		if (!serve->oldest)
			serve->newest = NULL;
		forget(sync, nonce);
	}
}

uint64_t tl__serve_nonces_due(const tl__sync *sync)
{
	/* Memory only: expiring late does no harm, so do not wake for it more than needed. */
	return sync->serve->oldest ? sync->serve->newest->until : UINT64_MAX;
}

void tl__serve_nonces_free(tl__sync *sync)
{
	while (sync->serve->oldest) {
		struct tl__nonce *nonce = sync->serve->oldest;

		sync->serve->oldest = nonce->next;
		tl__free(nonce);
	}
	tl__map_free(&sync->serve->nonces);
	tl__map_free(&sync->serve->nonce_counts);
}
