#include <stdio.h>
#include <string.h>
#include <tidelock/sync.h>
#include "base/fail.h"
#include "base/str.h"
#include "transport/address.h"

static const tl_str http_scheme = {"http://", 7}, https_scheme = {"https://", 8};

static int bad(tl_str text)
{
	return tl__fail(TL_E_BAD_ADDRESS,
		"\"%.*s\" is no address; write host:port, http:host:port or https:host:port",
		TL__STR_ARG(text));
}

static int set(tl_address *out, const char *type, tl_str text)
{
	memset(out, 0, sizeof *out);
	if (text.len == 0 || text.len >= sizeof out->text || memchr(text.ptr, '\0', text.len))
		return bad(text);
	snprintf(out->type, sizeof out->type, "%s", type);
	memcpy(out->text, text.ptr, text.len);
	return TL_OK;
}

static int set_host_port(tl_address *out, const char *type, tl_str text)
{
	int rc = set(out, type, text);

	return rc == TL_OK ? tl__address_check(out->text) : rc;
}

int tl_address_http(tl_address *out, tl_str host_port)
{
	return set_host_port(out, "http", host_port);
}

int tl_address_https(tl_address *out, tl_str host_port)
{
	return set_host_port(out, "https", host_port);
}

static tl_str behind(tl_str text, size_t len)
{
	return (tl_str){text.ptr + len, text.len - len};
}

/* Length of a type in front ("name:"), 0 when there is none: letters, then something that is no
 * port. */
static size_t type_length(tl_str text)
{
	size_t len = 0;

	while (len < text.len && ((text.ptr[len] >= 'a' && text.ptr[len] <= 'z') ||
					 text.ptr[len] == '-' || text.ptr[len] == '_'))
		len++;
	if (len == 0 || len >= text.len || text.ptr[len] != ':')
		return 0;
	for (size_t i = len + 1; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return len;
	return 0; /* "host:8080" */
}

int tl_address_parse(tl_address *out, tl_str text)
{
	char type[sizeof out->type];
	size_t len;

	memset(out, 0, sizeof *out);
	if (!text.ptr)
		return bad(TL__STR(""));
	if (tl__str_starts(text, http_scheme))
		return tl_address_http(out, behind(text, http_scheme.len));
	if (tl__str_starts(text, https_scheme))
		return tl_address_https(out, behind(text, https_scheme.len));
	len = type_length(text);
	if (len == 0)
		return tl_address_http(out, text);
	if (len >= sizeof type)
		return bad(text);
	memcpy(type, text.ptr, len);
	type[len] = '\0';
	if (strcmp(type, "http") == 0 || strcmp(type, "https") == 0)
		return set_host_port(out, type, behind(text, len + 1));
	return set(out, type, behind(text, len + 1)); /* its transport checks the text */
}

void tl_address_format(const tl_address *address, char out[530])
{
	snprintf(out, 530, "%.15s:%.511s", address->type, address->text);
}
