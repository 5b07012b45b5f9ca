/* The fast reader. The canonical form leaves no choice of order, space or escape, so it is matched
 * literally, twice: the first walk checks and counts, the second fills a block of the right size.
 */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/entry_layout.h"

struct counts {
	size_t texts;
	size_t parents; /* of the texts */
	size_t stores;
	size_t steps;
	size_t decoded; /* bytes of texts that have escapes */
	bool odd_id;    /* a parent or the tree has not the length of an id */
};

typedef struct cursor {
	const char *at;
	const char *end;
	bool bad;
	tl_entry *entry; /* NULL while counting */
	struct counts n;
} cursor;

#define ACCEPT(c, literal) accept(c, literal, sizeof(literal) - 1)
#define EXPECT(c, literal) expect(c, literal, sizeof(literal) - 1)

static bool accept(cursor *c, const char *literal, size_t len)
{
	if (c->bad || (size_t)(c->end - c->at) < len || memcmp(c->at, literal, len) != 0)
		return false;
	c->at += len;
	return true;
}

static void expect(cursor *c, const char *literal, size_t len)
{
	if (!accept(c, literal, len))
		c->bad = true;
}

/* --- texts ------------------------------------------------------------------------------------ */

/* Whether one of eight bytes is a quote, a backslash or below 0x20. */
static bool has_special(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';

	return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
		       ((slash - ones) & ~slash)) &
	       tops;
}

static void skip_plain(cursor *c)
{
	uint64_t word;

	while (c->end - c->at >= 8) {
		memcpy(&word, c->at, 8);
		if (has_special(word))
			break;
		c->at += 8;
	}
	while (c->at < c->end && (uint8_t)*c->at >= 0x20 && *c->at != '"' && *c->at != '\\')
		c->at++;
}

/* "\u00xx" as the writer makes it: control characters that have no short form. */
static size_t control_escape(const char *at, size_t left, char *out)
{
	int low, value;

	if (left < 6 || at[2] != '0' || at[3] != '0' || (at[4] != '0' && at[4] != '1'))
		return 0;
	if (at[5] >= '0' && at[5] <= '9')
		low = at[5] - '0';
	else if (at[5] >= 'a' && at[5] <= 'f')
		low = at[5] - 'a' + 10;
	else
		return 0;
	value = (at[4] - '0') * 16 + low;
	if (value != 0 && strchr("\b\t\n\f\r", value))
		return 0;
	*out = (char)value;
	return 6;
}

/* Length of the escape at `at` and the character it stands for; 0 when it is not canonical. */
static size_t read_escape(const char *at, size_t left, char *out)
{
	switch (left < 2 ? 0 : at[1]) {
	case '"': *out = '"'; return 2;
	case '\\': *out = '\\'; return 2;
	case 'b': *out = '\b'; return 2;
	case 'f': *out = '\f'; return 2;
	case 'n': *out = '\n'; return 2;
	case 'r': *out = '\r'; return 2;
	case 't': *out = '\t'; return 2;
	case 'u': return control_escape(at, left, out);
	default: return 0;
	}
}

/* Moves behind the closing quote's left neighbour; returns how many bytes the escapes waste. */
static size_t scan_text(cursor *c)
{
	size_t waste = 0, len;
	char character;

	for (;;) {
		skip_plain(c);
		if (c->at < c->end && *c->at == '"')
			return waste;
		len = c->at < c->end ? read_escape(c->at, (size_t)(c->end - c->at), &character) : 0;
		if (len == 0 || *c->at != '\\') {
			c->bad = true;
			return 0;
		}
		c->at += len;
		waste += len - 1;
	}
}

static void decode(char *out, tl_str raw)
{
	const char *at = raw.ptr, *end = raw.ptr + raw.len, *slash;

	while ((slash = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		memcpy(out, at, (size_t)(slash - at));
		out += slash - at;
		at = slash + read_escape(slash, (size_t)(end - slash), out);
		out++;
	}
	memcpy(out, at, (size_t)(end - at));
}

static tl_str read_text(cursor *c)
{
	tl_str text;
	size_t waste;

	EXPECT(c, "\"");
	if (c->bad)
		return TL__STR_NULL;
	text.ptr = c->at;
	waste = scan_text(c);
	text.len = (size_t)(c->at - text.ptr);
	EXPECT(c, "\"");
	if (c->bad || waste == 0)
		return text;
	if (c->entry) {
		decode(c->entry->decoded + c->n.decoded, text);
		text.ptr = c->entry->decoded + c->n.decoded;
	}
	text.len -= waste;
	c->n.decoded += text.len;
	return text;
}

static tl_str read_text_or_null(cursor *c)
{
	return ACCEPT(c, "null") ? TL__STR_NULL : read_text(c);
}

/* --- structures ------------------------------------------------------------------------------- */

static size_t read_id_texts(cursor *c)
{
	size_t first = c->n.texts;

	EXPECT(c, "[");
	if (ACCEPT(c, "]"))
		return 0;
	do {
		tl_str text = read_text(c);

		if (c->entry)
			c->entry->texts[c->n.texts] = text;
		if (text.len != TL_ID_TEXT_LEN)
			c->n.odd_id = true;
		c->n.texts++;
	} while (ACCEPT(c, ","));
	EXPECT(c, "]");
	return c->n.texts - first;
}

static void read_tree(cursor *c, tl_entry *e)
{
	EXPECT(c, "{\"tree\":{\"root\":");
	e->tree = read_text(c);
	if (e->tree.len != 0 && e->tree.len != TL_ID_TEXT_LEN)
		c->n.odd_id = true;
	EXPECT(c, ",\"parents\":");
	e->parent_count = read_id_texts(c);
	EXPECT(c, ",\"metadata\":");
	e->metadata = read_text_or_null(c);
	EXPECT(c, "},\"subtrees\":");
}

static void read_store(cursor *c)
{
	struct entry_store store;

	EXPECT(c, "{\"name\":");
	store.name = read_text(c);
	EXPECT(c, ",\"parents\":");
	store.first_parent = c->n.texts;
	store.parent_count = read_id_texts(c);
	EXPECT(c, ",\"data\":");
	store.data = read_text(c);
	EXPECT(c, "}");
	if (c->entry)
		c->entry->stores[c->n.stores] = store;
	c->n.stores++;
}

static void read_stores(cursor *c)
{
	EXPECT(c, "[");
	if (ACCEPT(c, "]"))
		return;
	do
		read_store(c);
	while (ACCEPT(c, ","));
	EXPECT(c, "]");
}

static void read_step(cursor *c)
{
	struct entry_step step;

	EXPECT(c, "{\"key\":");
	step.key = read_text(c);
	EXPECT(c, ",\"tips\":");
	step.first_tip = c->n.texts;
	step.tip_count = ACCEPT(c, "null") ? -1 : (ptrdiff_t)read_id_texts(c);
	EXPECT(c, "}");
	if (c->entry)
		c->entry->steps[c->n.steps] = step;
	c->n.steps++;
}

/* A direct name, or a path of steps. */
static void read_key(cursor *c, tl_entry *e)
{
	e->key_name = TL__STR_NULL;
	if (!ACCEPT(c, "[")) {
		e->key_name = read_text(c);
		return;
	}
	if (ACCEPT(c, "]"))
		return;
	do
		read_step(c);
	while (ACCEPT(c, ","));
	EXPECT(c, "]");
}

static void read_sig(cursor *c, tl_entry *e, const char *start)
{
	EXPECT(c, ",\"sig\":{\"sig\":");
	e->signature_at = (size_t)(c->at - start);
	e->signature = read_text_or_null(c);
	e->signature_len = (size_t)(c->at - start) - e->signature_at;
	EXPECT(c, ",\"key\":");
	read_key(c, e);
	e->pubkey = ACCEPT(c, ",\"pubkey\":") ? read_text(c) : TL__STR_NULL;
	EXPECT(c, "}}");
}

/* Walks the text; plain members go to `e`, lists to c->entry. False when it is not canonical. */
static bool walk(cursor *c, tl_str text, tl_entry *e)
{
	bool odd_parent;

	c->at = text.ptr;
	c->end = text.ptr + text.len;
	read_tree(c, e);
	read_stores(c);
	c->n.parents = c->n.texts;
	odd_parent = c->n.odd_id;
	read_sig(c, e, text.ptr);
	c->n.odd_id = odd_parent; /* tips are nobody's parents */
	return !c->bad && c->at == c->end;
}

/* --- the block -------------------------------------------------------------------------------- */

static tl_entry *new_block(const struct counts *n, tl_str text)
{
	size_t ids = n->odd_id ? 0 : n->parents;
	tl_entry *e = tl__alloc(sizeof *e + n->stores * sizeof *e->stores +
				n->steps * sizeof *e->steps + n->texts * sizeof *e->texts +
				ids * sizeof *e->ids + text.len + n->decoded);
	char *bytes;

	if (!e)
		return NULL;
	memset(e, 0, sizeof *e);
	atomic_init(&e->owners, 1);
	e->stores = (void *)(e + 1);
	e->store_count = n->stores;
	e->steps = (void *)(e->stores + n->stores);
	e->step_count = n->steps;
	e->texts = (void *)(e->steps + n->steps);
	e->ids = (void *)(e->texts + n->texts);
	bytes = (char *)(e->ids + ids);
	e->decoded = bytes + text.len;
	memcpy(bytes, text.ptr, text.len);
	e->bytes = (tl_str){bytes, text.len};
	return e;
}

static bool convert_ids(tl_entry *e, const struct counts *n)
{
	if (n->odd_id)
		return false;
	if (e->tree.len > 0 && tl_id_parse(&e->database, e->tree) != TL_OK)
		return false;
	for (size_t i = 0; i < n->parents; i++)
		if (tl_id_parse(&e->ids[i], e->texts[i]) != TL_OK)
			return false;
	return true;
}

static void derive(tl_entry *e, const struct counts *n)
{
	tl_id_of(&e->id, e->bytes.ptr, e->bytes.len);
	e->is_root = e->parent_count == 0 && tl_entry_find_store(e, TL__STR("_root")) >= 0;
	if (!convert_ids(e, n))
		e->ids = NULL;
	if (e->is_root)
		e->database = e->id;
}

int tl__entry_read(tl_entry **out, tl_str text)
{
	cursor count = {.bad = !tl__utf8_valid(text)}, fill = {.bad = false};
	tl_entry plain;

	if (text.len > TL_ENTRY_MAX_BYTES)
		return tl__fail(
			TL_E_TOO_LARGE, "an entry has at most %u bytes", TL_ENTRY_MAX_BYTES);
	if (!walk(&count, text, &plain))
		return tl__fail(TL_E_NOT_CANONICAL, "the entry is not in its canonical form");
	if (count.n.steps > TL_DELEGATION_MAX_STEPS)
		return tl__fail(TL_E_TOO_LARGE, "a delegation path has at most %d steps",
			TL_DELEGATION_MAX_STEPS);
	fill.entry = new_block(&count.n, text);
	if (!fill.entry)
		return TL_E_NOMEM;
	(void)walk(&fill, fill.entry->bytes, fill.entry);
	derive(fill.entry, &count.n);
	*out = fill.entry;
	return TL_OK;
}

ptrdiff_t tl_entry_find_store(const tl_entry *entry, tl_str name)
{
	if (!entry)
		return -1;
	for (size_t i = 0; i < entry->store_count; i++)
		if (tl__str_eq(entry->stores[i].name, name))
			return (ptrdiff_t)i;
	return -1;
}
