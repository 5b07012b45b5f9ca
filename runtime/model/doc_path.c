/* Paths as bytes. Why 128 bits of a fraction name it: two fractions with 64-bit denominators that
 * differ do so by more than 2^-128, so their cut values differ too, and in the same direction. */
#include "model/doc_path.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "model/fraction.h"
#include "model/value.h"

__extension__ typedef __int128 signed_wide;

#define POSITION_BYTES (TL__PATH_ITEM_BYTES - 1 - 16)

/* --- encoding --------------------------------------------------------------------------------- */

void tl__path_key(tl__buf *path, tl_str key)
{
	tl__buf_byte(path, TL__PATH_KEY);
	while (key.len > 0) {
		const char *zero = memchr(key.ptr, 0, key.len);
		size_t run = zero ? (size_t)(zero - key.ptr) : key.len;

		tl__buf_append(path, key.ptr, run);
		if (zero)
			tl__buf_append(path, "\x00\xff", 2);
		run += zero != NULL;
		key = (tl_str){key.ptr + run, key.len - run};
	}
	tl__buf_append(path, "\x00\x01", 2);
}

static void put_u64(char *out, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		out[i] = (char)(value & 0xff);
}

static uint64_t get_u64(const char *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | (uint8_t)in[i];
	return value;
}

/* The whole part rounded down, and what is left over the denominator. */
static uint64_t split(const tl_position *position, int64_t *whole)
{
	uint64_t d = position->denominator;
	uint64_t magnitude = position->numerator < 0 ? ~(uint64_t)position->numerator + 1
						     : (uint64_t)position->numerator;
	uint64_t quotient = magnitude / d, rest = magnitude % d;

	if (position->numerator >= 0) {
		*whole = (int64_t)quotient;
		return rest;
	}
	*whole = (int64_t)(~quotient + 1 - (rest > 0));
	return rest > 0 ? d - rest : 0;
}

int tl__path_item(tl__buf *path, const tl_position *position)
{
	tl__wide d = position->denominator, rest;
	char *out;
	int64_t whole;

	if (d == 0)
		return tl__fail(TL_E_BAD_DOC, "a list position has denominator 0");
	out = tl__buf_reserve(path, TL__PATH_ITEM_BYTES);
	if (!out)
		return TL_E_NOMEM;
	rest = split(position, &whole);
	out[0] = TL__PATH_ITEM;
	put_u64(out + 1, (uint64_t)whole ^ (UINT64_C(1) << 63));
	put_u64(out + 9, (uint64_t)((rest << 64) / d));
	rest = (rest << 64) % d;
	put_u64(out + 17, (uint64_t)((rest << 64) / d));
	memcpy(out + 25, position->uuid, 16);
	path->len += TL__PATH_ITEM_BYTES;
	return TL_OK;
}

void tl__path_bound(tl__buf *out, tl_str prefix)
{
	while (prefix.len > 0 && (uint8_t)prefix.ptr[prefix.len - 1] == 0xff)
		prefix.len--;
	if (prefix.len == 0)
		return;
	tl__buf_append(out, prefix.ptr, prefix.len - 1);
	tl__buf_byte(out, (uint8_t)(prefix.ptr[prefix.len - 1] + 1));
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Length of a key component, closing bytes included; 0 when it is not closed. */
static size_t key_length(tl_str path)
{
	size_t at = 1;

	while (at < path.len) {
		const char *zero = memchr(path.ptr + at, 0, path.len - at);

		if (!zero || zero + 1 == path.ptr + path.len)
			return 0;
		at = (size_t)(zero - path.ptr) + 2;
		if ((uint8_t)zero[1] == 0x01)
			return at;
		if ((uint8_t)zero[1] != 0xff)
			return 0;
	}
	return 0;
}

size_t tl__path_first(tl_str path)
{
	if (path.len == 0)
		return 0;
	if ((uint8_t)path.ptr[0] == TL__PATH_KEY)
		return key_length(path);
	if ((uint8_t)path.ptr[0] == TL__PATH_ITEM && path.len >= TL__PATH_ITEM_BYTES)
		return TL__PATH_ITEM_BYTES;
	return 0;
}

static int take_key(tl_str body, tl__path_part *part, tl__buf *scratch)
{
	if (!memchr(body.ptr, 0, body.len)) {
		part->key = body;
		return TL_OK;
	}
	tl__buf_clear(scratch);
	for (size_t i = 0; i < body.len; i++) {
		tl__buf_byte(scratch, (uint8_t)body.ptr[i]);
		i += body.ptr[i] == 0; /* its FF */
	}
	part->key = tl__buf_view(scratch);
	return tl__buf_status(scratch);
}

/* 2^128 / k for k > 1. */
static tl__end over(tl__wide k, bool included)
{
	return (tl__end){(0 - k) / k + 1, (0 - k) % k, k, included, false};
}

/* The fraction p/q with the smallest q in [k / 2^128, (k + 1) / 2^128), 1 < k < 2^128 - 1: that of
 * the reciprocals, turned. False when p or q needs over 64 bits. */
static bool simplest(tl__wide k, uint64_t *p, uint64_t *q)
{
	return tl__fraction_simplest(over(k + 1, false), over(k, true), q, p);
}

static bool decode_position(const char *bytes, tl_position *out)
{
	int64_t whole = (int64_t)(get_u64(bytes) ^ (UINT64_C(1) << 63));
	tl__wide k = (tl__wide)get_u64(bytes + 8) << 64 | get_u64(bytes + 16);
	uint64_t p = 0, q = 1;
	signed_wide numerator;

	memcpy(out->uuid, bytes + POSITION_BYTES, sizeof out->uuid);
	if (k != 0 && (k <= UINT64_MAX || k + 1 == 0 || !simplest(k, &p, &q)))
		return false;
	numerator = (signed_wide)whole * (signed_wide)q + (signed_wide)p;
	if (numerator < INT64_MIN || numerator > INT64_MAX)
		return false;
	out->numerator = (int64_t)numerator;
	out->denominator = q;
	return true;
}

static int take_item(tl_str path, tl__path_part *part, tl__buf *scratch)
{
	/* What does not come out the same again was made by nobody here. */
	bool good = decode_position(path.ptr + 1, &part->position);

	tl__buf_clear(scratch);
	if (good && tl__path_item(scratch, &part->position) != TL_OK)
		return TL_E_NOMEM;
	if (!good || memcmp(scratch->ptr, path.ptr, TL__PATH_ITEM_BYTES) != 0)
		return tl__fail(TL_E_BAD_PATH, "the bytes of a list position are no position");
	return TL_OK;
}

int tl__path_take(tl_str *path, tl__path_part *part, tl__buf *scratch)
{
	size_t len = tl__path_first(*path);
	int code;

	if (len == 0)
		return tl__fail(TL_E_BAD_PATH, "the bytes of a path end early or are no path");
	part->item = (uint8_t)path->ptr[0] == TL__PATH_ITEM;
	part->key = TL__STR_NULL;
	if (part->item)
		code = take_item(*path, part, scratch);
	else
		code = take_key((tl_str){path->ptr + 1, len - 3}, part, scratch);
	if (code == TL_OK)
		*path = (tl_str){path->ptr + len, path->len - len};
	return code;
}

/* --- walking ---------------------------------------------------------------------------------- */

typedef struct walk {
	tl__node_visit visit;
	void *ud;
	tl__buf path;
	tl__buf value;
	size_t total; /* bytes of all paths */
} walk;

static int walk_children(walk *w, const tl_value *container);

static int walk_node(walk *w, const tl_value *value)
{
	bool container = value->type == TL_DOC || value->type == TL_LIST;
	tl__node_kind kind = value->type == TL_DOC    ? TL__NODE_DOC
			     : value->type == TL_LIST ? TL__NODE_LIST
						      : TL__NODE_LEAF;
	int code = tl__buf_status(&w->path);

	w->total += w->path.len;
	tl__buf_clear(&w->value);
	if (code == TL_OK &&
		(w->path.len > TL__PATH_FORMAT_BYTES || w->total > TL__DELTA_FORMAT_PATHS_BYTES))
		code = tl__fail(TL_E_BAD_DOC,
			"the paths of the document are too long: at most %u bytes one, %u all",
			TL__PATH_FORMAT_BYTES, TL__DELTA_FORMAT_PATHS_BYTES);
	if (code == TL_OK && !container)
		code = tl__value_write(&w->value, value);
	if (code == TL_OK)
		code = tl__buf_status(&w->value);
	if (code == TL_OK)
		code = w->visit(w->ud, tl__buf_view(&w->path), kind, tl__buf_view(&w->value));
	if (code == TL_OK && container)
		code = walk_children(w, value);
	return code;
}

static int walk_children(walk *w, const tl_value *container)
{
	size_t before = w->path.len;
	int code = TL_OK;

	for (size_t i = 0; code == TL_OK && i < container->count; i++) {
		if (container->type == TL_DOC) {
			tl__path_key(&w->path, container->as.members[i].key);
			code = walk_node(w, container->as.members[i].value);
		} else {
			code = tl__path_item(&w->path, &container->as.items[i].position);
			if (code == TL_OK)
				code = walk_node(w, container->as.items[i].value);
		}
		w->path.len = before;
	}
	return code;
}

int tl__doc_walk(const tl_value *doc, tl__node_visit visit, void *ud)
{
	walk w = {visit, ud, TL__BUF_INIT, TL__BUF_INIT, 0};
	int code = doc->type == TL_DOC ? walk_children(&w, doc)
				       : tl__fail(TL_E_BAD_DOC, "only a Doc can be walked");

	tl__buf_free(&w.path);
	tl__buf_free(&w.value);
	return code;
}

static uint64_t divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static void reduce(tl_position *position)
{
	uint64_t magnitude = position->numerator < 0 ? ~(uint64_t)position->numerator + 1
						     : (uint64_t)position->numerator;
	uint64_t common = divisor(magnitude, position->denominator);

	if (common < 2)
		return;
	magnitude /= common;
	position->denominator /= common;
	position->numerator = (int64_t)(position->numerator < 0 ? ~magnitude + 1 : magnitude);
}

void tl__value_reduce(tl_value *value)
{
	for (size_t i = 0; i < value->count; i++) {
		if (value->type == TL_LIST)
			reduce(&value->as.items[i].position);
		tl__value_reduce(value->type == TL_LIST ? value->as.items[i].value
							: value->as.members[i].value);
	}
}
