/* The args of each v1 method, and of its answer. */
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "wire/v1_header.h"

static tl__v1_scan scan(tl_str args)
{
	return (tl__v1_scan){args, TL_OK};
}

void tl__v1_put_u64(tl__buf *out, const char *before, uint64_t value)
{
	tl__buf_text(out, before);
	tl__json_put_u64(out, value);
}

void tl__v1_scan_u64(tl__v1_scan *s, const char *before, uint64_t *out)
{
	tl__v1_expect(s, before);
	tl__v1_u64(s, out);
}

static void put_bool(tl__buf *out, const char *before, bool value)
{
	tl__buf_text(out, before);
	tl__buf_text(out, value ? "true" : "false");
}

static void scan_bool(tl__v1_scan *s, const char *before, bool *out)
{
	tl__v1_expect(s, before);
	tl__v1_bool(s, out);
}

/* --- what several of them hold ---------------------------------------------------------------- */

void tl__v1_put_cursor(tl__buf *out, const char *before, bool has, const tl__v1_cursor *cursor)
{
	tl__buf_text(out, before);
	if (!has) {
		tl__buf_text(out, "null");
		return;
	}
	tl__buf_text(out, "{\"incarnation\":");
	tl__v1_put_hex(out, cursor->incarnation, sizeof cursor->incarnation);
	tl__v1_put_u64(out, ",\"n\":", cursor->n);
	tl__buf_text(out, ",\"c\":");
	tl__v1_put_hex(out, cursor->c, sizeof cursor->c);
	tl__buf_byte(out, '}');
}

void tl__v1_scan_cursor(tl__v1_scan *s, const char *before, bool *has, tl__v1_cursor *out)
{
	tl__v1_expect(s, before);
	*has = !tl__v1_accept(s, "null");
	if (!*has)
		return;
	tl__v1_expect(s, "{\"incarnation\":");
	tl__v1_hex(s, out->incarnation, sizeof out->incarnation);
	tl__v1_scan_u64(s, ",\"n\":", &out->n);
	tl__v1_expect(s, ",\"c\":");
	tl__v1_hex(s, out->c, sizeof out->c);
	tl__v1_expect(s, "}");
}

void tl__v1_tips_hash(const tl_id *ids, size_t count, uint8_t sha256[32])
{
	/* An id is its bytes and nothing more, so the list is one run of bytes. */
	_Static_assert(sizeof(tl_id) == TL_ID_BYTES, "ids have no padding");
	tl_sha256(ids, count * sizeof *ids, sha256);
}

void tl__v1_put_tips(tl__buf *out, const tl__v1_tips *tips)
{
	tl__v1_put_u64(out, "{\"count\":", tips->count);
	tl__buf_text(out, ",\"sha256\":");
	if (tips->hashed)
		tl__v1_put_hex(out, tips->sha256, sizeof tips->sha256);
	else
		tl__buf_text(out, "null");
	tl__buf_byte(out, '}');
}

void tl__v1_scan_tips(tl__v1_scan *s, tl__v1_tips *out)
{
	tl__v1_scan_u64(s, "{\"count\":", &out->count);
	tl__v1_expect(s, ",\"sha256\":");
	out->hashed = !tl__v1_accept(s, "null");
	if (out->hashed)
		tl__v1_hex(s, out->sha256, sizeof out->sha256);
	tl__v1_expect(s, "}");
	if (out->hashed && out->count <= TL__V1_MAX_TIPS)
		tl__v1_bad(s, "tips that few are listed");
	if (!out->hashed && out->count > TL__V1_MAX_TIPS)
		tl__v1_too_large(s, "tips that are listed", TL__V1_MAX_TIPS);
}

/* --- hello ------------------------------------------------------------------------------------ */

static void put_addresses(tl__buf *out, const tl__v1_hello *hello)
{
	tl__buf_text(out, ",\"addresses\":[");
	for (size_t i = 0; i < hello->address_count; i++) {
		tl__buf_text(out, i ? ",{\"type\":" : "{\"type\":");
		tl__json_put_string(out, hello->addresses[i].type);
		tl__buf_text(out, ",\"address\":");
		tl__json_put_string(out, hello->addresses[i].address);
		tl__buf_byte(out, '}');
	}
	tl__buf_byte(out, ']');
}

void tl__v1_write_hello(tl__buf *args, const tl__v1_hello *hello)
{
	tl__buf_text(args, "{\"key\":");
	tl__v1_put_key(args, &hello->key);
	tl__buf_text(args, ",\"name\":");
	tl__json_put_string(args, hello->name);
	tl__buf_text(args, ",\"incarnation\":");
	tl__v1_put_hex(args, hello->incarnation, sizeof hello->incarnation);
	put_addresses(args, hello);
	tl__v1_put_u64(args, ",\"max_body_bytes\":", hello->max_body_bytes);
	tl__v1_put_u64(args, ",\"max_page_entries\":", hello->max_page_entries);
	tl__buf_text(args, ",\"features\":[");
	for (size_t i = 0; i < hello->feature_count; i++) {
		if (i)
			tl__buf_byte(args, ',');
		tl__json_put_string(args, hello->features[i]);
	}
	tl__buf_text(args, "]}");
}

/* In front of an element of an array whose `[` is taken: false at its end. */
static bool element(tl__v1_scan *s, size_t count, size_t limit, const char *what)
{
	if (s->code != TL_OK || tl__v1_accept(s, "]"))
		return false;
	if (count > 0)
		tl__v1_expect(s, ",");
	if (count == limit)
		tl__v1_too_large(s, what, limit);
	return s->code == TL_OK;
}

static void scan_addresses(tl__v1_scan *s, tl__v1_hello *out, tl__arena *memory)
{
	tl__v1_expect(s, ",\"addresses\":[");
	while (element(s, out->address_count, TL__V1_MAX_ADDRESSES, "addresses")) {
		size_t i = out->address_count++;

		tl__v1_expect(s, "{\"type\":");
		tl__v1_word(s, &out->addresses[i].type, "an address type");
		tl__v1_expect(s, ",\"address\":");
		tl__v1_string(s, &out->addresses[i].address, TL__V1_MAX_TEXT, memory, "an address");
		tl__v1_expect(s, "}");
	}
}

int tl__v1_read_hello(tl__v1_hello *out, tl_str args, tl__arena *memory)
{
	tl__v1_scan s = scan(args);

	memset(out, 0, sizeof *out);
	tl__v1_expect(&s, "{\"key\":");
	tl__v1_key(&s, &out->key);
	tl__v1_expect(&s, ",\"name\":");
	tl__v1_string(&s, &out->name, TL__V1_MAX_TEXT, memory, "a name");
	tl__v1_expect(&s, ",\"incarnation\":");
	tl__v1_hex(&s, out->incarnation, sizeof out->incarnation);
	scan_addresses(&s, out, memory);
	tl__v1_scan_u64(&s, ",\"max_body_bytes\":", &out->max_body_bytes);
	tl__v1_scan_u64(&s, ",\"max_page_entries\":", &out->max_page_entries);
	if (out->max_page_entries == 0)
		tl__v1_bad(&s, "a page holds at least one entry");
	tl__v1_expect(&s, ",\"features\":[");
	while (element(&s, out->feature_count, TL__V1_MAX_FEATURES, "features"))
		tl__v1_word(&s, &out->features[out->feature_count++], "a feature");
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}

/* --- list ------------------------------------------------------------------------------------- */

void tl__v1_write_list(tl__buf *args, const tl__v1_list *list)
{
	tl__buf_text(args, "{\"after\":");
	if (list->has_after)
		tl__v1_put_id(args, &list->after);
	else
		tl__buf_text(args, "null");
	tl__buf_byte(args, '}');
}

int tl__v1_read_list(tl__v1_list *out, tl_str args)
{
	tl__v1_scan s = scan(args);

	memset(out, 0, sizeof *out);
	tl__v1_expect(&s, "{\"after\":");
	out->has_after = !tl__v1_accept(&s, "null");
	if (out->has_after)
		tl__v1_id(&s, &out->after);
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}

void tl__v1_write_listing(tl__buf *args, bool more)
{
	put_bool(args, "{\"more\":", more);
	tl__buf_byte(args, '}');
}

int tl__v1_read_listing(bool *more, tl_str args)
{
	tl__v1_scan s = scan(args);

	*more = false;
	scan_bool(&s, "{\"more\":", more);
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}

/* --- pull ------------------------------------------------------------------------------------- */

/* The last member, when more is to be told: only to those whose hello says that they know it. */
static void put_state(tl__buf *out, bool state)
{
	tl__buf_text(out, state ? ",\"state\":true}" : "}");
}

static void scan_state(tl__v1_scan *s, bool *state)
{
	*state = tl__v1_accept(s, ",\"state\":true");
	tl__v1_expect(s, "}");
}

void tl__v1_write_pull(tl__buf *args, const tl__v1_pull *pull)
{
	tl__v1_put_cursor(args, "{\"cursor\":", pull->has_cursor, &pull->cursor);
	tl__v1_put_cursor(args, ",\"seen\":", pull->has_seen, &pull->seen);
	tl__v1_put_u64(args, ",\"budget\":", pull->budget);
	tl__buf_text(args, ",\"tips\":");
	tl__v1_put_tips(args, &pull->tips);
	put_state(args, pull->state);
}

int tl__v1_read_pull(tl__v1_pull *out, tl_str args)
{
	tl__v1_scan s = scan(args);

	memset(out, 0, sizeof *out);
	tl__v1_scan_cursor(&s, "{\"cursor\":", &out->has_cursor, &out->cursor);
	tl__v1_scan_cursor(&s, ",\"seen\":", &out->has_seen, &out->seen);
	tl__v1_scan_u64(&s, ",\"budget\":", &out->budget);
	tl__v1_expect(&s, ",\"tips\":");
	tl__v1_scan_tips(&s, &out->tips);
	scan_state(&s, &out->state);
	return tl__v1_done(&s);
}

void tl__v1_write_page(tl__buf *args, const tl__v1_page *page)
{
	tl__v1_put_cursor(args, "{\"cursor\":", true, &page->cursor);
	put_bool(args, ",\"more\":", page->more);
	put_bool(args, ",\"cursor_valid\":", page->cursor_valid);
	put_bool(args, ",\"seen_valid\":", page->seen_valid);
	tl__buf_text(args, ",\"tips\":");
	if (page->has_tips)
		tl__v1_put_tips(args, &page->tips);
	else
		tl__buf_text(args, "null");
	if (page->has_left)
		tl__v1_put_u64(args, ",\"left\":", page->left);
	tl__buf_byte(args, '}');
}

int tl__v1_read_page(tl__v1_page *out, tl_str args)
{
	tl__v1_scan s = scan(args);
	bool has_cursor;

	memset(out, 0, sizeof *out);
	tl__v1_scan_cursor(&s, "{\"cursor\":", &has_cursor, &out->cursor);
	if (!has_cursor)
		tl__v1_bad(&s, "a page has a cursor");
	scan_bool(&s, ",\"more\":", &out->more);
	scan_bool(&s, ",\"cursor_valid\":", &out->cursor_valid);
	scan_bool(&s, ",\"seen_valid\":", &out->seen_valid);
	tl__v1_expect(&s, ",\"tips\":");
	out->has_tips = !tl__v1_accept(&s, "null");
	if (out->has_tips)
		tl__v1_scan_tips(&s, &out->tips);
	out->has_left = tl__v1_accept(&s, ",\"left\":");
	if (out->has_left)
		tl__v1_u64(&s, &out->left);
	tl__v1_expect(&s, "}");
	if (!out->more && !out->has_tips)
		tl__v1_bad(&s, "the last page tells the tips");
	return tl__v1_done(&s);
}

/* --- push ------------------------------------------------------------------------------------- */

void tl__v1_write_push(tl__buf *args, const tl__v1_push *push)
{
	tl__v1_put_cursor(args, "{\"seen\":", push->has_seen, &push->seen);
	if (push->has_place) {
		tl__v1_put_u64(args, ",\"from\":", push->from);
		tl__v1_put_cursor(args, ",\"to\":", true, &push->to);
	}
	put_state(args, push->state);
}

int tl__v1_read_push(tl__v1_push *out, tl_str args)
{
	tl__v1_scan s = scan(args);

	memset(out, 0, sizeof *out);
	tl__v1_scan_cursor(&s, "{\"seen\":", &out->has_seen, &out->seen);
	out->has_place = tl__v1_accept(&s, ",\"from\":");
	if (out->has_place) {
		bool told;

		tl__v1_u64(&s, &out->from);
		tl__v1_scan_cursor(&s, ",\"to\":", &told, &out->to);
		if (!told || out->to.n < out->from)
			tl__v1_bad(&s, "a place is not before where it began");
	}
	scan_state(&s, &out->state);
	if (out->has_place && !out->state)
		tl__v1_bad(&s, "a place is told together with `state`");
	return tl__v1_done(&s);
}

void tl__v1_write_fates(tl__buf *args, const tl__v1_fates *fates)
{
	put_bool(args, "{\"seen_valid\":", fates->seen_valid);
	tl__v1_put_cursor(args, ",\"cursor\":", fates->has_cursor, &fates->cursor);
	if (fates->has_state) {
		tl__v1_put_u64(args, ",\"arrivals\":", fates->arrivals);
		tl__v1_put_u64(args, ",\"tip_count\":", fates->tip_count);
		tl__buf_text(args, ",\"tips_sha256\":");
		tl__v1_put_hex(args, fates->tips_sha256, sizeof fates->tips_sha256);
	}
	tl__buf_byte(args, '}');
}

int tl__v1_read_fates(tl__v1_fates *out, tl_str args)
{
	tl__v1_scan s = scan(args);

	memset(out, 0, sizeof *out);
	scan_bool(&s, "{\"seen_valid\":", &out->seen_valid);
	tl__v1_scan_cursor(&s, ",\"cursor\":", &out->has_cursor, &out->cursor);
	out->has_state = tl__v1_accept(&s, ",\"arrivals\":");
	if (out->has_state) {
		tl__v1_u64(&s, &out->arrivals);
		tl__v1_scan_u64(&s, ",\"tip_count\":", &out->tip_count);
		tl__v1_expect(&s, ",\"tips_sha256\":");
		tl__v1_hex(&s, out->tips_sha256, sizeof out->tips_sha256);
	}
	tl__v1_expect(&s, "}");
	if (out->has_cursor != out->seen_valid)
		tl__v1_bad(&s, "a cursor is told exactly when `seen` was valid");
	return tl__v1_done(&s);
}

/* --- refusals --------------------------------------------------------------------------------- */

void tl__v1_write_refusal(tl__buf *args, const tl__v1_refusal *refusal)
{
	tl__buf_text(args, "{\"code\":");
	if (refusal->code.len > 0)
		tl__json_put_string(args, refusal->code);
	else
		tl__buf_text(args, "null");
	tl__v1_put_u64(args, ",\"wait_ms\":", refusal->wait_ms);
	tl__buf_byte(args, '}');
}

int tl__v1_read_refusal(tl__v1_refusal *out, tl_str args)
{
	tl__v1_scan s = scan(args);

	memset(out, 0, sizeof *out);
	out->code = TL__STR("");
	tl__v1_expect(&s, "{\"code\":");
	if (!tl__v1_accept(&s, "null"))
		tl__v1_word(&s, &out->code, "a code");
	tl__v1_scan_u64(&s, ",\"wait_ms\":", &out->wait_ms);
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}
