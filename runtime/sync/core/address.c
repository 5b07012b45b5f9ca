#include <tidelock/sync.h>

#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/public.h"
#include "base/str.h"

#define MAX_HOST 255

static bool host_char(char c, bool v6)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.')
		return true;
	if (v6)
		return c == ':';
	return (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') || c == '-' || c == '_';
}

/* Length of the host at the start of "host:port", or 0. */
static size_t host_len(tl_str text)
{
	bool v6 = text.len > 0 && text.ptr[0] == '[';
	size_t at = v6 ? 1 : 0;

	while (at < text.len && host_char(text.ptr[at], v6))
		at++;
	if (v6) {
		if (at >= text.len || text.ptr[at] != ']' || at < 3)
			return 0;
		at++;
	}
	return at > MAX_HOST ? 0 : at;
}

static bool port_valid(tl_str port)
{
	unsigned value = 0;

	if (port.len == 0 || port.len > 5 || port.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (port.ptr[i] < '0' || port.ptr[i] > '9')
			return false;
		value = value * 10 + (unsigned)(port.ptr[i] - '0');
	}
	return value <= 65535;
}

static int host_port(tl_address *out, const char *type, tl_str text)
{
	size_t host = host_len(text);

	if (host == 0 || host >= text.len || text.ptr[host] != ':' ||
		!port_valid((tl_str){text.ptr + host + 1, text.len - host - 1}))
		return tl__fail(TL_E_BAD_ADDRESS,
			"\"%.*s\" is no address: write host:port with a port from 1 to 65535, "
			"without "
			"scheme or path",
			(int)(text.len > 80 ? 80 : text.len), text.ptr ? text.ptr : "");
	memset(out, 0, sizeof *out);
	snprintf(out->type, sizeof out->type, "%s", type);
	memcpy(out->text, text.ptr, text.len);
	return TL_OK;
}

TL__PUBLIC(tl_address_http, out, (tl_address *out, tl_str text), (out, text))
{
	return host_port(out, "http", text);
}

TL__PUBLIC(tl_address_https, out, (tl_address *out, tl_str text), (out, text))
{
	return host_port(out, "https", text);
}

static bool type_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* "type:text" of a transport we know nothing about: only the type is looked at here. */
static int other(tl_address *out, tl_str type, tl_str text)
{
	bool good = type.len > 0 && type.len < sizeof out->type && text.len > 0 &&
		    text.len < sizeof out->text && !memchr(text.ptr, 0, text.len);

	for (size_t i = 0; good && i < type.len; i++)
		good = type_char(type.ptr[i]);
	for (size_t i = 0; good && i < text.len; i++)
		good = (unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f;
	if (!good)
		return tl__fail(TL_E_BAD_ADDRESS, "an address is \"type:text\", with a type of up "
						  "to 15 small letters and digits");
	memset(out, 0, sizeof *out);
	memcpy(out->type, type.ptr, type.len);
	memcpy(out->text, text.ptr, text.len);
	return TL_OK;
}

static tl_str after(tl_str text, size_t len)
{
	return (tl_str){text.ptr + len, text.len - len};
}

TL__PUBLIC(tl_address_parse, out, (tl_address *out, tl_str text), (out, text))
{
	const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	tl_str type;

	if (tl__str_starts(text, TL__STR("http://")))
		return host_port(out, "http", after(text, 7));
	if (tl__str_starts(text, TL__STR("https://")))
		return host_port(out, "https", after(text, 8));
	if (text.len > 0 && text.ptr[0] == '{')
		return other(out, TL__STR("iroh"), text);
	if (!colon)
		return host_port(out, "http", text);
	type = (tl_str){text.ptr, (size_t)(colon - text.ptr)};
	if (tl__str_eq(type, TL__STR("https")))
		return host_port(out, "https", after(text, type.len + 1));
	if (tl__str_eq(type, TL__STR("iroh")) || tl__str_eq(type, TL__STR("sim")))
		return other(out, type, after(text, type.len + 1));
	/* "http:8080" is a machine of that name; "http:host:8080" has a type. */
	if (tl__str_eq(type, TL__STR("http")) && memchr(colon + 1, ':', text.len - type.len - 1))
		return host_port(out, "http", after(text, type.len + 1));
	/* A digit behind the colon was meant to be a port: what is wrong with it is told.
	 * "http:host" has none. */
	if (host_port(out, "http", text) == TL_OK)
		return TL_OK;
	if (tl__str_eq(type, TL__STR("http")) ||
		(colon + 1 < text.ptr + text.len && colon[1] >= '0' && colon[1] <= '9'))
		return TL_E_BAD_ADDRESS;
	return other(out, type, after(text, type.len + 1));
}

void tl_address_format(const tl_address *address, char out[530])
{
	if (!out)
		return;
	out[0] = '\0';
	if (address)
		snprintf(out, 530, "%s:%s", address->type, address->text);
}
