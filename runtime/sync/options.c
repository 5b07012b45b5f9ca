/* What the owner sets: options and keys. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/vault.h"
#include "sync/out/outbound.h"

#define DEFAULT_PERIODIC_MS   300000
#define DEFAULT_CHECK_MS      60000
#define DEFAULT_COMMIT_GAP_MS 20
#define DEFAULT_RETRY_MAX_MS  64000
#define DEFAULT_MAX_ATTEMPTS  10
#define DEFAULT_MAX_RESPONSE  (1024ull * 1024 * 1024)

static void set_u32(uint32_t *to, uint32_t from)
{
	if (from != 0)
		*to = from;
}

static void set_switch(uint8_t *to, uint8_t from)
{
	if (from != 0)
		*to = from == TL_ON;
}

static int check_switches(const tl_sync_options *options)
{
	if (options->on_commit <= TL_OFF && options->v0_claims <= TL_OFF &&
		options->require_encryption <= TL_OFF && options->allow_tls_proxy <= TL_OFF)
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT, "a switch of the options is TL_ON, TL_OFF or 0");
}

static int set_accepted(tl__sync *sync, const tl_sync_options *options)
{
	size_t count = options->accept_databases_from_count;
	tl_key *keys;

	if (!options->accept_databases_from && count > 0)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"accept_databases_from is missing, and counts %zu keys", count);
	if (!options->accept_databases_from)
		return TL_OK;
	keys = tl__alloc_zero(count > 0 ? count : 1, sizeof *keys);
	if (!keys)
		return TL_E_NOMEM;
	for (size_t i = 0; i < count; i++) {
		tl_str text = tl__str_z(options->accept_databases_from[i]);

		if (tl_key_parse(&keys[i], text) != TL_OK) {
			tl__free(keys);
			return tl__fail_cause(TL_E_BAD_ARGUMENT,
				"accept_databases_from holds \"%.60s\", which is no key",
				text.ptr ? text.ptr : "");
		}
	}
	tl__free(sync->accepted);
	sync->accepted = keys;
	sync->accepted_count = count;
	return TL_OK;
}

static int check_page_bytes(const tl_sync_options *options)
{
	uint32_t bytes = options->max_page_bytes;

	if (bytes == 0 || (bytes >= TL__SYNC_MIN_PAGE_BYTES && bytes <= TL__V1_MAX_BODY_BYTES))
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT, "max_page_bytes is %u to %u bytes",
		TL__SYNC_MIN_PAGE_BYTES, TL__V1_MAX_BODY_BYTES);
}

int tl__sync_set_options(tl__sync *sync, const tl_sync_options *options)
{
	tl_sync_options *to = &sync->options;
	int rc = check_switches(options);

	if (rc == TL_OK)
		rc = check_page_bytes(options);
	if (rc == TL_OK)
		rc = set_accepted(sync, options);
	if (rc != TL_OK)
		return rc;
	set_u32(&to->periodic_ms, options->periodic_ms);
	set_u32(&to->connection_check_ms, options->connection_check_ms);
	set_u32(&to->commit_gap_ms, options->commit_gap_ms);
	set_u32(&to->retry_max_ms, options->retry_max_ms);
	set_u32(&to->max_attempts, options->max_attempts);
	set_u32(&to->max_page_bytes, options->max_page_bytes);
	if (options->max_response_bytes != 0)
		to->max_response_bytes = options->max_response_bytes;
	set_switch(&to->on_commit, options->on_commit);
	set_switch(&to->v0_claims, options->v0_claims);
	set_switch(&to->require_encryption, options->require_encryption);
	set_switch(&to->allow_tls_proxy, options->allow_tls_proxy);
	return TL_OK;
}

void tl__sync_default_options(tl_sync_options *to)
{
	to->size = sizeof *to;
	to->periodic_ms = DEFAULT_PERIODIC_MS;
	to->connection_check_ms = DEFAULT_CHECK_MS;
	to->commit_gap_ms = DEFAULT_COMMIT_GAP_MS;
	to->retry_max_ms = DEFAULT_RETRY_MAX_MS;
	to->max_attempts = DEFAULT_MAX_ATTEMPTS;
	to->max_page_bytes = TL__V1_MAX_BODY_BYTES;
	to->max_response_bytes = DEFAULT_MAX_RESPONSE;
	to->on_commit = true;
}

void tl__sync_wipe_keys(tl__sync *sync)
{
	tl__vault_free(sync->keys, sync->key_count * sizeof *sync->keys);
	sync->keys = NULL;
	sync->key_count = 0;
}
