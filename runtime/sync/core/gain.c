/* Whether an exchange gets anywhere. What counts is what entered the database: else whoever answers
 * could say for ever that there is more, and give what is forged or was given before. */
#include <string.h>
#include "base/fail.h"
#include "sync/core/core.h"

static void count_lines(tl__gain *gain, const tl__work_ingest *in)
{
	gain->lines += in->page.count;
	for (size_t i = 0; in->result.fates && i < in->page.count; i++) {
		const tl__fate *fate = &in->result.fates[i];

		gain->known += fate->kind == TL__FATE_KNOWN;
		gain->invalid += fate->kind == TL__FATE_INVALID;
		gain->waiting += fate->kind == TL__FATE_PENDING;
		gain->declined += fate->kind == TL__FATE_DECLINED;
		gain->no_room +=
			fate->kind == TL__FATE_DECLINED && fate->code == TL_E_SET_ASIDE_FULL;
	}
}

bool tl__ingest_is_junk(const tl__work_ingest *in)
{
	tl__gain page = {0};

	count_lines(&page, in);
	return page.invalid > in->result.entered;
}

/* What waits for another database is nobody's fault, nor what our own policy declines; and nobody
 * who is honest gives more of what is here than there is. */
static bool is_idle(const tl__gain *page, const tl__gain *all, const tl__work_ingest *in)
{
	return page->invalid > 0 || page->no_room > 0 || all->known > in->after ||
	       (page->waiting > 0 && in->result.missing_database_count == 0);
}

int tl__gain_page(tl__gain *gain, const tl__work_ingest *in)
{
	tl__gain page = {0};

	count_lines(&page, in);
	count_lines(gain, in);
	if (in->result.entered > 0) {
		*gain = (tl__gain){.known = gain->known};
		return TL_OK;
	}
	gain->idle += is_idle(&page, gain, in);
	gain->barren += page.declined > 0;
	if (gain->idle <= (gain->doubted ? 0 : TL__SYNC_MAX_IDLE_PAGES) &&
		gain->barren <= TL__SYNC_MAX_EMPTY_PAGES)
		return TL_OK;
	return tl__fail(TL_E_SYNC_PROTOCOL_ERROR,
		"the peer says that there is more and gives nothing new: of its last %llu lines "
		"%llu are invalid, %llu known, %llu wait for what it does not give; block it if "
		"it goes on",
		(unsigned long long)gain->lines, (unsigned long long)gain->invalid,
		(unsigned long long)gain->known, (unsigned long long)gain->waiting);
}

/* --- what it costs ---------------------------------------------------------------------------- */

uint64_t tl__peer_fruitless(tl__sync *sync, tl__peer *peer)
{
	uint64_t longest = sync->options.retry_max_ms;
	uint64_t ms = peer->fruitless < 20 ? (uint64_t)1000 << peer->fruitless : UINT32_MAX;

	if (peer->fruitless < UINT32_MAX)
		peer->fruitless++;
	return sync->now + (ms < longest ? ms : longest);
}
