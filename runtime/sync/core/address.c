#include <tidelock/sync.h>

#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/public.h"
#include "base/str.h"

#define ID_DIGITS    64
#define TICKET       "endpoint"
#define TICKET_LEAST 52 /* characters of base32 that an id alone takes */
#define SCHEME       "iroh://"
#define JSON_DEPTH   8
#define MOST_DIRECT  32
#define MAX_HOST     255

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

static bool is_host_port(tl_str text)
{
	size_t host = host_len(text);

	return host > 0 && host < text.len && text.ptr[host] == ':' &&
	       port_valid((tl_str){text.ptr + host + 1, text.len - host - 1});
}

static int host_port(tl_address *out, const char *type, tl_str text)
{
	if (!is_host_port(text))
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

/* --- Iroh: an endpoint id, a ticket, iroh://id@relay, or JSON ----------------------------------- */

/* Their form is looked at here; whether an id is a public key, and a ticket whole, is for the
 * transport to say, which alone can dial them. */

static bool all_of(tl_str text, const char *set)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '\0' || !strchr(set, text.ptr[i]))
			return false;
	return true;
}

static bool is_id(tl_str text)
{
	return text.len == ID_DIGITS && all_of(text, "0123456789abcdefABCDEF");
}

static bool is_ticket(tl_str text)
{
	size_t head = strlen(TICKET);

	return tl__str_starts(text, TL__STR(TICKET)) && text.len >= head + TICKET_LEAST &&
	       all_of((tl_str){text.ptr + head, text.len - head},
		       "abcdefghijklmnopqrstuvwxyz234567");
}

static bool is_uri(tl_str text)
{
	size_t head = strlen(SCHEME), with_id = head + ID_DIGITS;

	if (!tl__str_starts(text, TL__STR(SCHEME)) || text.len < with_id ||
		!is_id((tl_str){text.ptr + head, ID_DIGITS}))
		return false;
	if (text.len == with_id)
		return true;
	for (size_t i = with_id; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || strchr("\"<>\\", text.ptr[i]))
			return false;
	return text.ptr[with_id] == '@' && text.len > with_id + 1;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static bool direct_addresses(tl__json_reader *json)
{
	size_t count = 0;
	tl__json_token token;

	if (tl__json_next(json) != TL__JSON_ARRAY)
		return false;
	while ((token = tl__json_next(json)) == TL__JSON_STRING)
		if (++count > MOST_DIRECT || !is_host_port(json->text))
			return false;
	return token == TL__JSON_ARRAY_END;
}

/* Members that are not known are passed over, as 0.2.0 does. */
static bool members(tl__json_reader *json, unsigned *ids)
{
	tl__json_token token;
	bool good = true;

	while (good && (token = tl__json_next(json)) == TL__JSON_KEY) {
		if (tl__str_eq(json->text, TL__STR("node_id"))) {
			good = tl__json_next(json) == TL__JSON_STRING && is_id(json->text);
			++*ids;
		} else if (tl__str_eq(json->text, TL__STR("direct_addresses"))) {
			good = direct_addresses(json);
		} else {
			good = tl__json_skip(json) == TL_OK;
		}
	}
	return good && token == TL__JSON_OBJECT_END;
}

static bool is_json(tl_str text)
{
	tl__json_reader json;
	unsigned ids = 0;
	bool good;

	tl__json_whole(&json, text, JSON_DEPTH);
	good = tl__json_next(&json) == TL__JSON_OBJECT && members(&json, &ids) && ids == 1 &&
	       tl__json_next(&json) == TL__JSON_END;
	tl__json_free(&json);
	return good;
}

/* --- any form of them ------------------------------------------------------------------------- */

static bool looks_iroh(tl_str text)
{
	return is_id(text) || is_ticket(text) || tl__str_starts(text, TL__STR(SCHEME)) ||
	       (text.len > 0 && text.ptr[0] == '{');
}

TL__PUBLIC(tl_address_iroh, out, (tl_address *out, tl_str text), (out, text))
{
	if (text.len >= sizeof out->text ||
		!(is_id(text) || is_ticket(text) || is_uri(text) || is_json(text)))
		return tl__fail(TL_E_BAD_ADDRESS,
			"\"%.*s\" is no Iroh address: write a ticket (endpoint…), an endpoint id "
			"of "
			"64 hexadecimal digits, iroh://id@relay, or the JSON with node_id and "
			"direct_addresses, of at most %zu bytes",
			(int)(text.len > 80 ? 80 : text.len), text.ptr ? text.ptr : "",
			sizeof out->text - 1);
	memset(out, 0, sizeof *out);
	memcpy(out->type, "iroh", 5);
	memcpy(out->text, text.ptr, text.len);
	return TL_OK;
}

/* --- any ---------------------------------------------------------------------------------------- */

TL__PUBLIC(tl_address_parse, out, (tl_address *out, tl_str text), (out, text))
{
	const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	tl_str type;

	if (tl__str_starts(text, TL__STR("http://")))
		return host_port(out, "http", after(text, 7));
	if (tl__str_starts(text, TL__STR("https://")))
		return host_port(out, "https", after(text, 8));
	if (looks_iroh(text))
		return tl_address_iroh(out, text);
	if (!colon)
		return host_port(out, "http", text);
	type = (tl_str){text.ptr, (size_t)(colon - text.ptr)};
	if (tl__str_eq(type, TL__STR("https")))
		return host_port(out, "https", after(text, type.len + 1));
	if (tl__str_eq(type, TL__STR("iroh")))
		return tl_address_iroh(out, after(text, type.len + 1));
	if (tl__str_eq(type, TL__STR("sim")))
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
