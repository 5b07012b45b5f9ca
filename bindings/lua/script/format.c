/* string.format, without %p (addresses) and %q, %a (nothing here reads them). */
#include <stdio.h>
#include <string.h>
#include "script/cell_impl.h"

#define SPEC_MAX 16
/* The longest number: 308 digits before the point and 99 behind it. */
#define NUMBER_MAX 512

/* A text that grows in a userdata at a fixed place of the stack. */
typedef struct builder {
	lua_State *L;
	int at;
	char *bytes;
	size_t len, cap;
} builder;

static void reserve(builder *b, size_t len)
{
	char *more;

	if (b->len + len <= b->cap)
		return;
	b->cap = (b->len + len) * 2;
	more = lua_newuserdatauv(b->L, b->cap, 0);
	memcpy(more, b->bytes, b->len);
	b->bytes = more;
	lua_replace(b->L, b->at);
}

static void add(builder *b, const char *text, size_t len)
{
	tlua_charge_bytes(b->L, len);
	if (b->len + len > tlua_cell_of(b->L)->string)
		tlua_stop(b->L, TLUA_LONG_STRING);
	reserve(b, len);
	memcpy(b->bytes + b->len, text, len);
	b->len += len;
}

static size_t digits(const char *at)
{
	return strspn(at, "0123456789");
}

/* Copies "%-5.2" to `spec` and returns what follows. Widths have two digits. */
static const char *read_spec(lua_State *L, const char *at, char spec[SPEC_MAX])
{
	const char *from = at;
	size_t flags = strspn(at, "-+ #0"), width, precision = 0;

	at += flags;
	width = digits(at);
	at += width;
	if (*at == '.') {
		precision = digits(++at);
		at += precision;
	}
	if (flags > 5 || width > 2 || precision > 2 || at - from > SPEC_MAX - 5)
		luaL_error(L, "this format is too long: '%%%s'", from);
	spec[0] = '%';
	memcpy(spec + 1, from, (size_t)(at - from));
	spec[1 + (at - from)] = 0;
	return at;
}

static void add_integer(builder *b, char *spec, char conversion, int arg)
{
	char out[NUMBER_MAX];
	size_t len = strlen(spec);
	long long value = luaL_checkinteger(b->L, arg);

	memcpy(spec + len, "ll", 2);
	spec[len + 2] = conversion;
	spec[len + 3] = 0;
	add(b, out, (size_t)snprintf(out, sizeof out, spec, value));
}

static void add_float(builder *b, char *spec, char conversion, int arg)
{
	char out[NUMBER_MAX];
	size_t len = strlen(spec);
	double value = luaL_checknumber(b->L, arg);

	spec[len] = conversion;
	spec[len + 1] = 0;
	add(b, out, (size_t)snprintf(out, sizeof out, spec, value));
}

static void pad(builder *b, size_t len)
{
	char out[100]; /* widths have two digits */

	memset(out, ' ', sizeof out);
	add(b, out, len < sizeof out ? len : sizeof out);
}

/* "%-8.3s": flags but for the minus mean nothing. */
static void add_text(builder *b, const char *spec, int arg)
{
	size_t len, width = 0, most = SIZE_MAX;
	const char *text = tlua_show(b->L, arg, &len), *at = spec + 1 + strspn(spec + 1, "-+ #0");
	bool left = strchr(spec, '-') != NULL;

	for (; *at >= '0' && *at <= '9'; at++)
		width = width * 10 + (size_t)(*at - '0');
	if (*at == '.')
		for (at++, most = 0; *at >= '0' && *at <= '9'; at++)
			most = most * 10 + (size_t)(*at - '0');
	len = len < most ? len : most;
	if (!left && width > len)
		pad(b, width - len);
	add(b, text, len);
	if (left && width > len)
		pad(b, width - len);
}

static void add_char(builder *b, int arg)
{
	char c = (char)luaL_checkinteger(b->L, arg);

	add(b, &c, 1);
}

/* Behind the percent sign; returns what follows. */
static const char *add_argument(builder *b, const char *at, int arg)
{
	char spec[SPEC_MAX], conversion;

	at = read_spec(b->L, at, spec);
	conversion = *at;
	if (arg >= b->at)
		luaL_argerror(b->L, arg, "no value");
	if (conversion && strchr("dioxX", conversion))
		add_integer(b, spec, conversion, arg);
	else if (conversion && strchr("eEfFgG", conversion))
		add_float(b, spec, conversion, arg);
	else if (conversion == 's')
		add_text(b, spec, arg);
	else if (conversion == 'c')
		add_char(b, arg);
	else
		luaL_error(b->L, "string.format has no '%s%c' here", spec,
			conversion ? conversion : ' ');
	return at + 1;
}

int tlua_format(lua_State *L)
{
	size_t len;
	const char *at = luaL_checklstring(L, 1, &len), *end = at + len;
	builder b = {.L = L, .at = lua_gettop(L) + 1};
	int arg = 1;

	tlua_charge(L, (uint64_t)b.at);
	tlua_charge_bytes(L, len);
	b.cap = len + 64;
	b.bytes = lua_newuserdatauv(L, b.cap, 0);
	while (at < end) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		const char *until = percent ? percent : end;

		if (until > at)
			add(&b, at, (size_t)(until - at));
		if (!percent)
			break;
		at = percent + 1;
		if (*at == '%')
			add(&b, at++, 1);
		else
			at = add_argument(&b, at, ++arg);
	}
	tlua_push_text(L, (tl_str){b.bytes, b.len});
	return 1;
}
