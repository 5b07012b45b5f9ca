#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/fail.h"
#include "base/mem.h"
#include "transport/address.h"
#include "transport/http_exchange.h"

static http_seen *find(http_client *c, const char *local)
{
	for (size_t i = 0; i < c->seen_count; i++)
		if (strcmp(c->seen[i].local, local) == 0)
			return &c->seen[i];
	return NULL;
}

/* `local` fits into http_seen.local. */
static http_seen *find_or_add(http_client *c, const char *local)
{
	http_seen *seen = find(c, local);

	if (seen)
		return seen;
	seen = tl__grow(c->seen, c->seen_count, &c->seen_cap, sizeof *seen);
	if (!seen)
		return NULL;
	c->seen = seen;
	seen = &c->seen[c->seen_count++];
	memset(seen, 0, sizeof *seen);
	memcpy(seen->local, local, strlen(local) + 1);
	return seen;
}

/* The server's own certificate when this exchange made the connection, else NULL. */
static const char *fresh_certificate(const tl_exchange *exchange)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(exchange->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
		info->num_of_certs < 1)
		return NULL;
	for (const struct curl_slist *at = info->certinfo[0]; at; at = at->next)
		if (strncmp(at->data, "Cert:", 5) == 0)
			return at->data + 5;
	return NULL;
}

int tl__exchange_learn_channel(tl_exchange *exchange, const char *ip, int port)
{
	http *h = exchange->http;
	const char *pem;
	char local[64];
	http_seen *seen;

	if (!h->tls) {
		memcpy(exchange->channel, "none", sizeof "none");
		return TL_OK;
	}
	snprintf(local, sizeof local, strchr(ip, ':') ? "[%s]:%d" : "%s:%d", ip, port);
	pem = fresh_certificate(exchange);
	seen = pem ? find_or_add(&h->client, local) : find(&h->client, local);
	if (!seen)
		return pem ? TL_E_NOMEM
			   : tl__fail(TL_E_TLS, "the certificate of %s is not known",
				     exchange->address);
	if (pem) {
		int rc = tl__certificate_channel(pem, seen->channel);

		if (rc != TL_OK)
			return rc;
	}
	memcpy(exchange->channel, seen->channel, sizeof exchange->channel);
	return TL_OK;
}

void tl__http_forget_channel(http *h, int fd)
{
	http_client *c = &h->client;
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	char local[TL__ADDRESS_MAX + 1];
	http_seen *seen;

	if (c->seen_count == 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return;
	tl__address_format((struct sockaddr *)&address, local);
	seen = find(c, local);
	if (seen)
		*seen = c->seen[--c->seen_count];
}
