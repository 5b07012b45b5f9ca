/* What is known of open connections: the certificate that a TLS one showed, and how each stands. */
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
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

/* --- how they stand --------------------------------------------------------------------------- */

void tl__http_know(http *h, int fd)
{
	http_client *c = &h->client;
	int *sockets = tl__grow(c->sockets, c->socket_count, &c->socket_cap, sizeof *sockets);

	if (!sockets)
		return; /* it is not shown */
	c->sockets = sockets;
	c->sockets[c->socket_count++] = fd;
}

static int port_of(const struct sockaddr_storage *address)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	memcpy(&v6, address, sizeof v6);
	memcpy(&v4, address, sizeof v4);
	return ntohs(address->ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

bool tl__http_look(int fd, http_told *out)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address, tcp_len = sizeof(struct tcp_info);
	struct tcp_info tcp = {0};

	if (getpeername(fd, (struct sockaddr *)&address, &len) != 0)
		return false;
	*out = (http_told){.info.size = sizeof out->info};
	tl__address_format((struct sockaddr *)&address, out->remote);
	out->info.remote = out->info.path = out->remote;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &tcp_len) == 0) {
		out->info.round_trip_us = tcp.tcpi_rtt;
		out->info.sent = tcp.tcpi_bytes_acked;
		out->info.received = tcp.tcpi_bytes_received;
	}
	return true;
}

/* Exchanges at this end of a connection. */
static unsigned count_at(const http_client *c, int port)
{
	unsigned count = 0;

	for (const tl_exchange *at = c->all; at; at = at->next)
		count += at->local_port == port && !at->ended;
	return count;
}

static void tell_dialled(http *h, int fd, tl_connection_visit visit, void *ud)
{
	struct sockaddr_storage local = {0};
	socklen_t len = sizeof local;
	char text[TL__ADDRESS_MAX + 1];
	const http_seen *seen;
	http_told told;

	if (!tl__http_look(fd, &told) || getsockname(fd, (struct sockaddr *)&local, &len) != 0)
		return;
	tl__address_format((struct sockaddr *)&local, text);
	seen = find(&h->client, text);
	told.info.channel = seen ? seen->channel : h->tls ? "" : "none";
	told.info.dialled = true;
	told.info.streams = count_at(&h->client, port_of(&local));
	visit(ud, &told.info);
}

void tl__http_connections(tl_transport *transport, tl_connection_visit visit, void *ud)
{
	http *h = tl__http_of(transport);

	for (size_t i = 0; i < h->client.socket_count; i++)
		tell_dialled(h, h->client.sockets[i], visit, ud);
	for (const tl_server *at = h->servers; at; at = tl__server_next(at))
		tl__http_connections_taken(at, visit, ud);
}

static void forget_socket(http_client *c, int fd)
{
	for (size_t i = 0; i < c->socket_count; i++)
		if (c->sockets[i] == fd) {
			c->sockets[i] = c->sockets[--c->socket_count];
			return;
		}
}

void tl__http_forget(http *h, int fd)
{
	http_client *c = &h->client;
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	char local[TL__ADDRESS_MAX + 1];
	http_seen *seen;

	forget_socket(c, fd);
	if (c->seen_count == 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return;
	tl__address_format((struct sockaddr *)&address, local);
	seen = find(c, local);
	if (seen)
		*seen = c->seen[--c->seen_count];
}
