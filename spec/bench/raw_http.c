/* The bare server loop: libmicrohttpd echoing POSTs of 1 KB to 16 connections. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

#define CONNECTIONS 16
#define BODY        1024
#define WINDOW      0.3 /* seconds */

typedef struct echo {
	char body[BODY];
	size_t len;
} echo;

static enum MHD_Result answer(void *ud, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	echo *e = *state;

	(void)ud, (void)url, (void)method, (void)version;
	if (!e) {
		*state = calloc(1, sizeof *e);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		size_t part = *size < BODY - e->len ? *size : BODY - e->len;

		memcpy(e->body + e->len, data, part);
		e->len += part;
		*size = 0;
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(e->len, e->body, MHD_RESPMEM_MUST_COPY);
	result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}

static void done(void *ud, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode why)
{
	(void)ud, (void)connection, (void)why;
	free(*state);
	*state = NULL;
}

static int dial(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need_that(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "a connection");
	return fd;
}

/* Reads one answer: a head and BODY bytes. */
static void take_answer(int fd)
{
	char in[BODY + 1024];
	size_t have = 0, want = sizeof in;

	while (have < want) {
		ssize_t n = recv(fd, in + have, sizeof in - 1 - have, 0);
		char *end;

		need_that(n > 0, "an answer of the bare server");
		have += (size_t)n;
		in[have] = '\0';
		end = want == sizeof in ? strstr(in, "\r\n\r\n") : NULL;
		if (end)
			want = (size_t)(end - in) + 4 + BODY;
	}
}

double measure_raw_http(void)
{
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
		&answer, NULL, MHD_OPTION_NOTIFY_COMPLETED, &done, NULL, MHD_OPTION_END);
	char request[BODY + 200] = {0};
	int fds[CONNECTIONS];
	double start, end;
	size_t count = 0, len;
	uint16_t port;

	need_that(daemon != NULL, "a bare server");
	port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	len = (size_t)snprintf(request, sizeof request,
		      "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n", BODY) +
	      BODY;
	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = dial(port);
	start = now_s();
	do {
		for (int i = 0; i < CONNECTIONS; i++)
			need_that(send(fds[i], request, len, MSG_NOSIGNAL) == (ssize_t)len,
				"a request to the bare server");
		for (int i = 0; i < CONNECTIONS; i++)
			take_answer(fds[i]);
		count += CONNECTIONS;
		end = now_s();
	} while (end - start < WINDOW);
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	MHD_stop_daemon(daemon);
	return (double)count / (end - start);
}
