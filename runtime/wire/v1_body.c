/* The lines of v1 bodies, and the walk over a body that checks their order and number. */
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "wire/v1_header.h"

#define ENTRY_BEGIN "{\"tree\""

static const char *const fate_names[] = {[TL__V1_FATE_VERIFIED] = "verified",
	[TL__V1_FATE_VOID] = "void",
	[TL__V1_FATE_KNOWN] = "known",
	[TL__V1_FATE_PENDING] = "pending",
	[TL__V1_FATE_INVALID] = "invalid",
	[TL__V1_FATE_DECLINED] = "declined"};

/* Kinds that hold one id and nothing else. */
static const char *const id_names[TL__V1_LINE_COUNT] = {[TL__V1_LINE_TIP] = "tip",
	[TL__V1_LINE_HAVE] = "have",
	[TL__V1_LINE_WANT] = "want",
	[TL__V1_LINE_ABSENT] = "absent"};

static const char *fate_name(tl__v1_fate fate)
{
	return fate < TL__V1_FATE_COUNT ? fate_names[fate] : "unknown";
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_ids(tl__buf *out, const tl_id *ids, size_t count)
{
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			tl__buf_byte(out, ',');
		tl__v1_put_id(out, &ids[i]);
	}
	tl__buf_byte(out, ']');
}

void tl__v1_write_id(tl__buf *body, tl__v1_line_kind kind, const tl_id *id)
{
	tl__buf_text(body, "{\"");
	tl__buf_text(body, id_names[kind]);
	tl__buf_text(body, "\":");
	tl__v1_put_id(body, id);
	tl__buf_text(body, "}\n");
}

void tl__v1_write_entry(tl__buf *body, tl_str canonical)
{
	tl__buf_str(body, canonical);
	tl__buf_byte(body, '\n');
}

static void put_fate(tl__buf *body, const tl__v1_line *line)
{
	tl__buf_text(body, "{\"fate\":\"");
	tl__buf_text(body, fate_name(line->fate));
	tl__buf_text(body, "\",\"id\":");
	if (line->has_id)
		tl__v1_put_id(body, &line->id);
	else
		tl__buf_text(body, "null");
	if (line->fate == TL__V1_FATE_PENDING) {
		tl__buf_text(body, ",\"waits_for\":");
		put_ids(body, line->waits_for, line->waits_count);
	} else if (line->fate == TL__V1_FATE_INVALID || line->fate == TL__V1_FATE_DECLINED) {
		tl__buf_text(body, ",\"code\":");
		tl__json_put_string(body, line->code);
	}
	tl__buf_text(body, "}\n");
}

/* As many tips as a line lists when there are `count`. */
static size_t listed_tips(uint64_t count)
{
	return count < TL__V1_MAX_LIST_TIPS ? (size_t)count : TL__V1_MAX_LIST_TIPS;
}

static void put_database(tl__buf *body, const tl__v1_line *line)
{
	tl__buf_text(body, "{\"database\":");
	tl__v1_put_id(body, &line->id);
	tl__buf_text(body, ",\"arrivals\":");
	tl__json_put_u64(body, line->arrivals);
	tl__buf_text(body, ",\"tip_count\":");
	tl__json_put_u64(body, line->tip_count);
	tl__buf_text(body, ",\"tips\":");
	put_ids(body, line->tips, listed_tips(line->tip_count));
	tl__buf_text(body, "}\n");
}

static void put_watch(tl__buf *body, const tl__v1_line *line)
{
	tl__buf_text(body, "{\"watch\":");
	tl__v1_put_id(body, &line->id);
	tl__v1_put_cursor(body, ",\"cursor\":", line->has_cursor, &line->cursor);
	tl__buf_text(body, "}\n");
}

static void put_moved(tl__buf *body, const tl__v1_line *line)
{
	tl__buf_text(body, "{\"moved\":");
	tl__v1_put_id(body, &line->id);
	tl__v1_put_u64(body, ",\"arrivals\":", line->arrivals);
	tl__buf_text(body, "}\n");
}

void tl__v1_write_line(tl__buf *body, const tl__v1_line *line)
{
	switch (line->kind) {
	case TL__V1_LINE_ENTRY: tl__v1_write_entry(body, line->entry); break;
	case TL__V1_LINE_FATE: put_fate(body, line); break;
	case TL__V1_LINE_DATABASE: put_database(body, line); break;
	case TL__V1_LINE_WATCH: put_watch(body, line); break;
	case TL__V1_LINE_MOVED: put_moved(body, line); break;
	default: tl__v1_write_id(body, line->kind, &line->id); break;
	}
}

/* --- reading one line ------------------------------------------------------------------------- */

bool tl__v1_next_line(tl_str *body, tl_str *line)
{
	const char *end = body->len ? memchr(body->ptr, '\n', body->len) : NULL;

	if (body->len == 0)
		return false;
	line->ptr = body->ptr;
	line->len = end ? (size_t)(end - body->ptr) : body->len;
	body->ptr += line->len + (end ? 1 : 0);
	body->len -= line->len + (end ? 1 : 0);
	return true;
}

/* An array of ids; the first `room` of them, more are over a limit. */
static void scan_ids(tl__v1_scan *s, tl_id *out, size_t room, size_t *count)
{
	*count = 0;
	tl__v1_expect(s, "[");
	while (s->code == TL_OK && !tl__v1_accept(s, "]")) {
		if (*count > 0)
			tl__v1_expect(s, ",");
		if (*count == room) {
			tl__v1_too_large(s, "ids in one line", room);
			return;
		}
		tl__v1_id(s, &out[(*count)++]);
	}
}

static void scan_fate(tl__v1_scan *s, tl__v1_line *out)
{
	tl_str name;

	tl__v1_text(s, &name, "a fate");
	while (out->fate < TL__V1_FATE_COUNT && !tl__str_eq(name, tl__str_z(fate_names[out->fate])))
		out->fate++;
	if (out->fate == TL__V1_FATE_COUNT) {
		out->fate = TL__V1_FATE_DECLINED;
		tl__v1_bad(s, "a fate that is none");
	}
	tl__v1_expect(s, ",\"id\":");
	out->has_id = !tl__v1_accept(s, "null");
	if (out->has_id)
		tl__v1_id(s, &out->id);
	if (out->fate == TL__V1_FATE_PENDING) {
		tl__v1_expect(s, ",\"waits_for\":");
		scan_ids(s, out->waits_for, TL__V1_MAX_WAITS, &out->waits_count);
	} else if (out->fate == TL__V1_FATE_INVALID || out->fate == TL__V1_FATE_DECLINED) {
		tl__v1_expect(s, ",\"code\":");
		tl__v1_word(s, &out->code, "a code");
	}
	if (!out->has_id && out->fate != TL__V1_FATE_INVALID && out->fate != TL__V1_FATE_DECLINED)
		tl__v1_bad(s, "a line without an id is invalid or declined");
}

static void scan_database(tl__v1_scan *s, tl__v1_line *out)
{
	size_t count = 0;

	tl__v1_id(s, &out->id);
	tl__v1_expect(s, ",\"arrivals\":");
	tl__v1_u64(s, &out->arrivals);
	tl__v1_expect(s, ",\"tip_count\":");
	tl__v1_u64(s, &out->tip_count);
	tl__v1_expect(s, ",\"tips\":");
	scan_ids(s, out->tips, TL__V1_MAX_LIST_TIPS, &count);
	if (s->code == TL_OK && count != listed_tips(out->tip_count))
		tl__v1_bad(s, "a database's tips and their number differ");
}

static void scan_line(tl__v1_scan *s, tl__v1_line *out)
{
	if (tl__v1_accept(s, "{\"fate\":")) {
		out->kind = TL__V1_LINE_FATE;
		scan_fate(s, out);
	} else if (tl__v1_accept(s, "{\"database\":")) {
		out->kind = TL__V1_LINE_DATABASE;
		scan_database(s, out);
	} else if (tl__v1_accept(s, "{\"watch\":")) {
		out->kind = TL__V1_LINE_WATCH;
		tl__v1_id(s, &out->id);
		tl__v1_scan_cursor(s, ",\"cursor\":", &out->has_cursor, &out->cursor);
	} else if (tl__v1_accept(s, "{\"moved\":")) {
		out->kind = TL__V1_LINE_MOVED;
		tl__v1_id(s, &out->id);
		tl__v1_scan_u64(s, ",\"arrivals\":", &out->arrivals);
	} else {
		if (tl__v1_accept(s, "{\"have\":"))
			out->kind = TL__V1_LINE_HAVE;
		else if (tl__v1_accept(s, "{\"want\":"))
			out->kind = TL__V1_LINE_WANT;
		else if (tl__v1_accept(s, "{\"absent\":"))
			out->kind = TL__V1_LINE_ABSENT;
		else
			tl__v1_expect(s, "{\"tip\":");
		tl__v1_id(s, &out->id);
	}
	tl__v1_expect(s, "}");
}

int tl__v1_read_line(tl__v1_line *out, tl_str line)
{
	tl__v1_scan s = {line, TL_OK};

	memset(out, 0, sizeof *out);
	out->code = TL__STR("");
	if (tl__str_starts(line, TL__STR(ENTRY_BEGIN))) {
		out->kind = TL__V1_LINE_ENTRY;
		out->entry = line;
		return TL_OK;
	}
	out->has_id = true;
	scan_line(&s, out);
	return tl__v1_done(&s);
}

/* --- walking over a body ---------------------------------------------------------------------- */

#define BIT(kind) (1u << TL__V1_LINE_##kind)

static const unsigned forms[TL__V1_BODY_FORM_COUNT] = {
	[TL__V1_BODY_EMPTY] = 0,
	[TL__V1_BODY_LIST] = BIT(DATABASE),
	[TL__V1_BODY_PULL] = BIT(TIP) | BIT(HAVE) | BIT(WANT),
	[TL__V1_BODY_PAGE] = BIT(TIP) | BIT(ABSENT) | BIT(ENTRY),
	[TL__V1_BODY_PUSH] = BIT(ENTRY),
	[TL__V1_BODY_FATES] = BIT(FATE),
	[TL__V1_BODY_WATCH] = BIT(WATCH),
	[TL__V1_BODY_WATCHED] = BIT(TIP) | BIT(ABSENT) | BIT(ENTRY) | BIT(MOVED),
};

/* Lines of a kind in one body; databases are bounded by its length alone. */
static const size_t limits[TL__V1_LINE_COUNT] = {
	[TL__V1_LINE_TIP] = TL__V1_MAX_TIPS,
	[TL__V1_LINE_HAVE] = TL__V1_MAX_HAVE,
	[TL__V1_LINE_WANT] = TL__V1_MAX_WANT,
	[TL__V1_LINE_ABSENT] = TL__V1_MAX_WANT,
	[TL__V1_LINE_ENTRY] = TL__V1_MAX_PAGE_ENTRIES,
	[TL__V1_LINE_FATE] = TL__V1_MAX_PAGE_ENTRIES,
	[TL__V1_LINE_DATABASE] = SIZE_MAX,
	[TL__V1_LINE_WATCH] = TL__V1_MAX_WATCH_LINES,
	[TL__V1_LINE_MOVED] = TL__V1_MAX_WATCH_LINES,
};

int tl__v1_body_open(tl__v1_body *out, tl__v1_body_form form, tl_str bytes, const tl__v1_tips *tips)
{
	bool entries = (forms[form] & BIT(ENTRY)) != 0;

	memset(out, 0, sizeof *out);
	out->rest = bytes;
	out->form = form;
	out->large = bytes.len > TL__V1_MAX_BODY_BYTES;
	out->tips_told = tips && !tips->hashed ? tips->count : 0;
	if (out->large && (!entries || bytes.len > TL__V1_MAX_LARGE_BODY))
		return tl__fail(TL_E_TOO_LARGE, "a body of this method has at most %u bytes",
			entries ? TL__V1_MAX_LARGE_BODY : TL__V1_MAX_BODY_BYTES);
	return TL_OK;
}

static bool ascending(const tl__v1_body *body, const tl__v1_line *line)
{
	if (line->kind == TL__V1_LINE_ENTRY || line->kind == TL__V1_LINE_FATE)
		return true;
	return body->count[line->kind] == 0 ||
	       memcmp(&body->last_id, &line->id, sizeof line->id) < 0;
}

/* Whether this line may come here. */
static int admit(tl__v1_body *body, const tl__v1_line *line)
{
	if (!(forms[body->form] & (1u << line->kind)))
		return tl__fail(TL_E_BAD_MESSAGE, "the body holds a line of another method");
	if (line->kind < body->last_kind || !ascending(body, line))
		return tl__fail(TL_E_BAD_MESSAGE, "the body's lines are out of order");
	if (body->count[line->kind] == limits[line->kind])
		return tl__fail(TL_E_TOO_LARGE, "the body holds more than %zu lines of one kind",
			limits[line->kind]);
	if (line->kind == TL__V1_LINE_ENTRY && line->entry.len > TL_ENTRY_MAX_BYTES)
		return tl__fail(
			TL_E_TOO_LARGE, "an entry has at most %u bytes", TL_ENTRY_MAX_BYTES);
	if (body->large && (line->kind != TL__V1_LINE_ENTRY || body->rest.len > 0))
		return tl__fail(
			TL_E_TOO_LARGE, "a body over %u bytes is one entry", TL__V1_MAX_BODY_BYTES);
	body->last_kind = line->kind;
	body->last_id = line->id;
	body->count[line->kind]++;
	return TL_OK;
}

int tl__v1_body_next(tl__v1_body *body, tl__v1_line *line, bool *end)
{
	tl_str before = body->rest, text;
	int code;

	*end = !tl__v1_next_line(&body->rest, &text);
	if (*end && body->count[TL__V1_LINE_TIP] != body->tips_told)
		return tl__fail(TL_E_BAD_MESSAGE, "the body lists %zu tips, told were %llu",
			body->count[TL__V1_LINE_TIP], (unsigned long long)body->tips_told);
	if (*end)
		return TL_OK;
	if (before.len - body->rest.len == text.len)
		return tl__fail(TL_E_BAD_MESSAGE, "the body's last line is not closed");
	code = tl__v1_read_line(line, text);
	return code == TL_OK ? admit(body, line) : code;
}
