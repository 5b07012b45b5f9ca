/* JSON that several places show. */
#include "base/str.h"
#include "sync/core/core.h"
#include "base/json/json.h"

void tl__put_text(tl__buf *out, const char *name, const char *text)
{
	tl__buf_format(out, "\"%s\":", name);
	if (text && text[0])
		tl__json_put_string(out, tl__str_z(text));
	else
		tl__buf_text(out, "null");
}

void tl__put_time(tl__buf *out, const char *name, int64_t time)
{
	char text[30];

	tl__time_format(time, text);
	tl__put_text(out, name, time != 0 ? text : NULL);
}

/* What a peer already has of others counts until it says so. */
uint64_t tl__pair_to_send(const tl__pair *pair)
{
	return tl__pair_dirty(pair) ? pair->db->arrivals - pair->ack : 0;
}

/* An exchange runs, and its peer did not say what is to come. */
static bool is_unknown(const tl__pair *pair)
{
	return pair->session && !pair->progress_told;
}

/* How many bytes so many entries will be: by those of this exchange, else of all with this peer. */
static void put_bytes(tl__buf *out, const char *name, const tl__pair *pair, uint64_t entries)
{
	const tl__sync_metadata *all = &pair->peer->metadata;
	bool now = pair->session && pair->progress_entries > 0;
	uint64_t count = now ? pair->progress_entries : all->entries;
	double bytes = (double)(now ? pair->progress_bytes : all->bytes);

	tl__buf_format(out, "\"%s\":", name);
	if (entries > 0 && count == 0)
		tl__buf_text(out, "null");
	else
		tl__buf_format(
			out, "%.0f", entries > 0 ? bytes / (double)count * (double)entries : 0);
}

void tl__pair_put_progress(tl__buf *out, const tl__pair *pair)
{
	uint64_t left = pair->session ? pair->progress_left : 0;

	tl__buf_format(out, "{\"entries\":%llu,\"bytes\":%llu,",
		(unsigned long long)pair->progress_entries,
		(unsigned long long)pair->progress_bytes);
	if (is_unknown(pair)) {
		tl__buf_text(out, "\"left\":null,\"left_bytes\":null,");
	} else {
		tl__buf_format(out, "\"left\":%llu,", (unsigned long long)left);
		put_bytes(out, "left_bytes", pair, left);
		tl__buf_text(out, ",");
	}
	tl__buf_format(out, "\"to_send\":%llu,", (unsigned long long)tl__pair_to_send(pair));
	put_bytes(out, "to_send_bytes", pair, tl__pair_to_send(pair));
	tl__buf_text(out, "}");
}
