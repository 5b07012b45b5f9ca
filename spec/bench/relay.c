/* First contact without the offer of v1. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

#define ROOM  65536
#define OFFER "\"tidelock\":{"

struct relay {
	int listener;
	uint16_t server;
	pthread_t thread;
};

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

/* Reads one message, a request or an answer with a length; its size. */
static size_t read_message(int fd, char *out)
{
	size_t have = 0, want = ROOM;

	while (have < want) {
		ssize_t n = recv(fd, out + have, ROOM - 1 - have, 0);
		char *end, *length;

		need_that(n > 0, "a whole message at the relay");
		have += (size_t)n;
		out[have] = '\0';
		end = strstr(out, "\r\n\r\n");
		length = strcasestr(out, "content-length:");
		if (end && length && length < end)
			want = (size_t)(end - out) + 4 + strtoul(length + 15, NULL, 10);
	}
	return have;
}

/* Takes the member out of the body, with its comma, and writes the length anew. */
static size_t take_offer_out(char *message, char *out)
{
	char *body = strstr(message, "\r\n\r\n");
	char *from = body ? strstr(body, OFFER) : NULL, *to;

	need_that(from != NULL, "an answer that offers v1");
	body += 4;
	to = strchr(from, '}') + 1;
	if (*to == ',')
		to++;
	else if (from[-1] == ',')
		from--;
	memmove(from, to, strlen(to) + 1);
	return (size_t)snprintf(out, ROOM,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n%s",
		strlen(body), body);
}

static void *relay_run(void *ud)
{
	relay *r = ud;
	struct sockaddr_in to = loopback(r->server);
	static char message[ROOM], answer[ROOM];
	int client = accept(r->listener, NULL, NULL);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len;

	need_that(client >= 0 && connect(server, (struct sockaddr *)&to, sizeof to) == 0,
		"a relay between the two");
	len = read_message(client, message);
	need_that(send(server, message, len, MSG_NOSIGNAL) == (ssize_t)len, "a relayed request");
	read_message(server, message);
	len = take_offer_out(message, answer);
	need_that(send(client, answer, len, MSG_NOSIGNAL) == (ssize_t)len, "a relayed answer");
	close(server);
	close(client);
	return NULL;
}

relay *relay_start(const tl_address *server, tl_address *at)
{
	relay *r = calloc(1, sizeof *r);
	struct sockaddr_in here = loopback(0);
	socklen_t len = sizeof here;
	const char *port = strrchr(server->text, ':');
	char text[32];

	need_that(r != NULL, "memory");
	need_that(port != NULL, "a port");
	r->server = (uint16_t)strtoul(port + 1, NULL, 10);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need_that(bind(r->listener, (struct sockaddr *)&here, sizeof here) == 0 &&
			  listen(r->listener, 1) == 0 &&
			  getsockname(r->listener, (struct sockaddr *)&here, &len) == 0,
		"a port for the relay");
	len = (socklen_t)snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(here.sin_port));
	need(tl_address_http(at, (tl_str){text, len}), "an address");
	need_that(pthread_create(&r->thread, NULL, relay_run, r) == 0, "a thread");
	return r;
}

void relay_stop(relay *r)
{
	pthread_join(r->thread, NULL);
	close(r->listener);
	free(r);
}
