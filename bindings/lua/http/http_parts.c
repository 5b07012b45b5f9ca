/* What calls and servers share: rings, bytes, bodies. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "http/http.h"

void tlua__thing_init(tlua_thing *thing, tlua_kind kind)
{
	thing->prev = thing->next = thing;
	thing->kind = kind;
}

void tlua__thing_move(tlua_thing *thing, tlua_thing *ring)
{
	thing->next->prev = thing->prev;
	thing->prev->next = thing->next;
	thing->prev = thing->next = thing;
	if (!ring)
		return;
	thing->prev = ring->prev;
	thing->next = ring;
	ring->prev->next = thing;
	ring->prev = thing;
}

bool tlua__thing_alone(const tlua_thing *thing)
{
	return thing->next == thing;
}

bool tlua__bytes_append(tlua_bytes *bytes, const void *ptr, size_t len)
{
	if (len > bytes->cap - bytes->len) {
		size_t cap = bytes->cap > len ? bytes->cap * 2 : bytes->cap + len;
		char *grown = cap < len ? NULL : realloc(bytes->ptr, cap);

		if (!grown)
			return false;
		bytes->ptr = grown;
		bytes->cap = cap;
	}
	if (len > 0)
		memcpy(bytes->ptr + bytes->len, ptr, len);
	bytes->len += len;
	return true;
}

char *tlua__copy(tl_str text, bool *ok)
{
	char *copy = text.ptr ? strndup(text.ptr, text.len) : NULL;

	*ok = *ok && (copy || !text.ptr);
	return copy;
}

/* --- bodies ----------------------------------------------------------------------------------- */

typedef struct sent {
	size_t len, at;
	char bytes[];
} sent;

static ptrdiff_t read_body(void *ud, void *out, size_t cap)
{
	sent *body = ud;
	size_t len = body->len - body->at;

	len = len < cap ? len : cap;
	memcpy(out, body->bytes + body->at, len);
	body->at += len;
	return (ptrdiff_t)len;
}

void tlua__body_rewind(void *ud)
{
	((sent *)ud)->at = 0;
}

int tlua__body(tl_str bytes, tl_body *out)
{
	sent *body = malloc(sizeof *body + bytes.len);

	if (!body)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a body");
	body->len = bytes.len;
	body->at = 0;
	if (bytes.len > 0)
		memcpy(body->bytes, bytes.ptr, bytes.len);
	*out = (tl_body){read_body, free, body, (int64_t)bytes.len};
	return TL_OK;
}

/* --- options ---------------------------------------------------------------------------------- */

tl_str tlua__option_body(lua_State *L, int arg)
{
	tl_str body;

	return tlua_option_bytes(L, arg, "body", &body) ? body : (tl_str){"", 0};
}

uint32_t tlua__clamp(uint64_t number)
{
	return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}
