/* The args of watch and of its answer. */
#include "base/fail.h"
#include "base/str.h"
#include "wire/v1_header.h"

void tl__v1_write_watch(tl__buf *args, const tl__v1_watch *watch)
{
	tl__v1_put_u64(args, "{\"hold_ms\":", watch->hold_ms);
	tl__buf_byte(args, '}');
}

int tl__v1_read_watch(tl__v1_watch *out, tl_str args)
{
	tl__v1_scan s = {args, TL_OK};

	memset(out, 0, sizeof *out);
	tl__v1_scan_u64(&s, "{\"hold_ms\":", &out->hold_ms);
	if (out->hold_ms > TL__V1_MAX_HOLD_MS)
		tl__v1_too_large(&s, "milliseconds of holding", TL__V1_MAX_HOLD_MS);
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}

void tl__v1_write_watched(tl__buf *args, const tl__v1_watched *watched)
{
	if (!watched->has_page) {
		tl__buf_text(args, "{\"page\":null}");
		return;
	}
	tl__buf_text(args, "{\"page\":{\"db\":");
	tl__v1_put_id(args, &watched->db);
	tl__v1_put_cursor(args, ",\"cursor\":", true, &watched->cursor);
	tl__buf_text(args, ",\"tips\":");
	tl__v1_put_tips(args, &watched->tips);
	tl__buf_text(args, "}}");
}

int tl__v1_read_watched(tl__v1_watched *out, tl_str args)
{
	tl__v1_scan s = {args, TL_OK};
	bool has_cursor = true;

	memset(out, 0, sizeof *out);
	tl__v1_expect(&s, "{\"page\":");
	out->has_page = !tl__v1_accept(&s, "null");
	if (out->has_page) {
		tl__v1_expect(&s, "{\"db\":");
		tl__v1_id(&s, &out->db);
		tl__v1_scan_cursor(&s, ",\"cursor\":", &has_cursor, &out->cursor);
		tl__v1_expect(&s, ",\"tips\":");
		tl__v1_scan_tips(&s, &out->tips);
		tl__v1_expect(&s, "}");
	}
	if (!has_cursor)
		tl__v1_bad(&s, "a page has a cursor");
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}
