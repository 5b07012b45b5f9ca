#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "base/fail.h"

#define LABEL_MAX 63
#define PORT_MAX  65535

typedef struct parts {
	char host[TL__HOST_MAX + 1];
	bool bracketed;
	unsigned port;
} parts;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_port(const char *text, unsigned *port)
{
	unsigned value = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 5 || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*port = value;
	return value <= PORT_MAX;
}

static bool split(const char *text, parts *out)
{
	const char *end, *colon;
	size_t skip;

	if (!text || strlen(text) > TL__ADDRESS_MAX)
		return false;
	out->bracketed = text[0] == '[';
	skip = out->bracketed ? 1 : 0;
	end = strchr(text, out->bracketed ? ']' : ':');
	if (!end)
		return false;
	colon = end + skip;
	if (*colon != ':' || end - text - (ptrdiff_t)skip > TL__HOST_MAX)
		return false;
	memcpy(out->host, text + skip, (size_t)(end - text) - skip);
	out->host[(size_t)(end - text) - skip] = '\0';
	return read_port(colon + 1, &out->port);
}

static bool label_good(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(label[i]) && label[i] != '-' && label[i] != '_')
			return false;
	return true;
}

/* Resolvers read "1", "0x7f" and "10.1" as IPv4 addresses. */
static bool label_is_number(const char *label, size_t len)
{
	if (len >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return true;
	for (size_t i = 0; i < len; i++)
		if (!is_digit(label[i]))
			return false;
	return true;
}

static bool name_good(const char *host)
{
	for (;;) {
		size_t len = strcspn(host, ".");

		if (!label_good(host, len))
			return false;
		if (host[len] == '\0')
			return !label_is_number(host, len);
		host += len + 1;
	}
}

/* "0.0.0.0" and "::": places to listen at. */
static bool is_nowhere(const unsigned char *ip, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ip[i] != 0)
			return false;
	return true;
}

int tl__address_check(const char *text)
{
	unsigned char ip[16];
	parts p;
	bool good = split(text, &p) && p.port != 0;

	if (good && p.bracketed)
		good = inet_pton(AF_INET6, p.host, ip) == 1 && !is_nowhere(ip, 16);
	else if (good && inet_pton(AF_INET, p.host, ip) == 1)
		good = !is_nowhere(ip, 4);
	else if (good)
		good = name_good(p.host);
	if (!good)
		return tl__fail(TL_E_BAD_ADDRESS,
			"\"%.300s\" is no address: write host:port without a scheme, like "
			"192.0.2.7:8080, peer.example:8080 or [2001:db8::1]:8080",
			text ? text : "");
	return TL_OK;
}

static bool read_ip(const parts *p, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (p->bracketed) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)p->port);
		*len = sizeof *v6;
		return inet_pton(AF_INET6, p->host, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)p->port);
	*len = sizeof *v4;
	return inet_pton(AF_INET, p->host, &v4->sin_addr) == 1;
}

int tl__address_bindable(const char *text, struct sockaddr_storage *out, socklen_t *len)
{
	parts p;

	if (!split(text, &p) || !read_ip(&p, out, len))
		return tl__fail(TL_E_BAD_ADDRESS,
			"\"%.300s\" cannot be bound: write ip:port, like 127.0.0.1:8080, "
			"0.0.0.0:0 (any free port) or [::]:8080",
			text ? text : "");
	return TL_OK;
}

void tl__address_format(const struct sockaddr *address, char *out)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
		snprintf(out, TL__ADDRESS_MAX + 1, "%s:%u", ip, (unsigned)ntohs(v4->sin_port));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

		if (mapped)
			inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ip, sizeof ip);
		else
			inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
		snprintf(out, TL__ADDRESS_MAX + 1, mapped ? "%s:%u" : "[%s]:%u", ip,
			(unsigned)ntohs(v6->sin6_port));
	} else {
		memcpy(out, "?", 2);
	}
}
