/* A bare client of protocol v1. */
#include "bare.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/str.h"

#define BLOCK   65536
#define WAIT_MS 60000

void bare_new(bare *b)
{
	memset(b, 0, sizeof *b);
	need(tl_secret_new(&b->secret), "a key");
	tl_secret_public(&b->secret, &b->key);
	tl_key_format(&b->key, b->text);
	randombytes_buf(b->process, sizeof b->process);
}

/* --- requests --------------------------------------------------------------------------------- */

void bare_post(tl__buf *out, const char *path, const char *type, tl_str body)
{
	tl__buf_format(out,
		"POST %s HTTP/1.1\r\nHost: hub\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		path, type, body.len);
	tl__buf_str(out, body);
	need(tl__buf_status(out), "memory");
}

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* `hub` without a key: to whoever it is. */
static void write_request(
	tl__buf *out, bare *who, const bare_hub *hub, bool anonymous, const bare_ask *ask)
{
	const tl_secret *secrets[TL__V1_MAX_KEYS];
	tl__v1_request m = {.has_to = !anonymous,
		.to = hub->key,
		.from = who->key,
		.method = tl__str_z(ask->method),
		.has_db = ask->db != NULL,
		.time = wall_ms(),
		.has_epoch = !anonymous,
		.channel = TL__STR("none"),
		.args = ask->args};
	tl__buf frame = TL__BUF_INIT;
	char path[80];

	if (ask->db)
		m.db = *ask->db;
	memcpy(m.epoch, hub->epoch, sizeof m.epoch);
	tl__v1_nonce_write(m.nonce, who->process, ++who->number);
	need_that(ask->prover_count <= TL__V1_MAX_KEYS, "as few keys as a request may have");
	for (size_t i = 0; i < ask->prover_count; i++)
		secrets[i] = &ask->provers[i].secret;
	need(tl__v1_request_write(
		     &frame, &m, &who->secret, secrets, ask->prover_count, ask->body, NULL),
		"a request");
	snprintf(path, sizeof path, TL__V1_PATH_PREFIX "%s", ask->method);
	bare_post(out, path, TL__V1_CONTENT_TYPE, tl__buf_view(&frame));
	tl__buf_free(&frame);
}

void bare_write(tl__buf *out, bare *who, const bare_hub *hub, const bare_ask *ask)
{
	write_request(out, who, hub, false, ask);
}

/* --- connections ------------------------------------------------------------------------------ */

void bare_dial(bare_line *line, const bare_hub *hub, const char *source)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int one = 1;

	*line = BARE_LINE_INIT;
	line->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need_that(line->fd >= 0, "a socket");
	if (source)
		need_that(inet_pton(AF_INET, source, &from.sin_addr) == 1 &&
				  bind(line->fd, (struct sockaddr *)&from, sizeof from) == 0,
			"an address to dial from");
	need_that(connect(line->fd, (const struct sockaddr *)&hub->at, sizeof hub->at) == 0,
		"a connection to the hub");
	setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void bare_close(bare_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	tl__buf_free(&line->in);
	*line = BARE_LINE_INIT;
}

bool bare_send(bare_line *line, tl_str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(line->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes.ptr += n;
		bytes.len -= (size_t)n;
	}
	return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* false: the end of the connection. */
static bool read_more(bare_line *line)
{
	for (;;) {
		char *room = tl__buf_reserve(&line->in, BLOCK);
		ssize_t n;

		need_that(room != NULL, "memory");
		n = recv(line->fd, room, BLOCK, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n <= 0)
			return false;
		line->in.len += (size_t)n;
		line->in.ptr[line->in.len] = '\0';
		if (n < BLOCK)
			return true;
	}
}

/* The value of a header of this head, or NULL. */
static const char *header(const char *head, const char *end, const char *name)
{
	size_t len = strlen(name);

	/* Not a search for text: the body behind the head may be megabytes. */
	for (; (size_t)(end - head) > len; head++)
		if (strncasecmp(head, name, len) == 0)
			return head + len;
	return NULL;
}

/* Where the answer ends; 0: not yet. */
static size_t end_of(const tl__buf *in, size_t body, const char *end)
{
	const char *length = header(in->ptr, end, "content-length:");
	size_t whole;

	if (length) {
		whole = body + strtoul(length, NULL, 10);
		return in->len >= whole ? whole : 0;
	}
	/* Chunks: they are counted, not read. One request at a time, so the last ones end it. */
	whole = in->len;
	return whole >= body + 5 && memcmp(in->ptr + whole - 5, "0\r\n\r\n", 5) == 0 ? whole : 0;
}

bare_state bare_take(bare_line *line, bare_answer *out)
{
	const char *end, *connection;
	size_t body, whole;
	bool open;

	if (line->taken > 0)
		tl__buf_clear(&line->in);
	line->taken = 0;
	open = read_more(line);
	end = line->in.len > 0 ? strstr(line->in.ptr, "\r\n\r\n") : NULL;
	if (!end)
		return open ? BARE_WAITS : BARE_GONE;
	body = (size_t)(end - line->in.ptr) + 4;
	whole = end_of(&line->in, body, end);
	if (whole == 0)
		return open ? BARE_WAITS : BARE_GONE;
	connection = header(line->in.ptr, end, "connection:");
	need_that(strncmp(line->in.ptr, "HTTP/1.", 7) == 0, "an answer of HTTP");
	out->status = (int)strtol(line->in.ptr + 8, NULL, 10);
	out->body = (tl_str){line->in.ptr + body, whole - body};
	out->closes = connection && strncasecmp(connection, " close", 6) == 0;
	line->taken = whole;
	return BARE_WHOLE;
}

void bare_await(bare_line *line, bare_answer *out)
{
	bare_state state;

	while ((state = bare_take(line, out)) == BARE_WAITS) {
		struct pollfd wake = {.fd = line->fd, .events = POLLIN};

		need_that(poll(&wake, 1, WAIT_MS) != 0, "an answer within a minute");
	}
	need_that(state == BARE_WHOLE, "a whole answer of the hub");
}

void bare_read(bare_heard *out, tl_str bytes)
{
	tl__v1_frame frame;

	need(tl__v1_frame_read(&frame, bytes.ptr, bytes.len), "a frame");
	need(tl__v1_response_read(&out->header, frame.header), "an answer of v1");
	out->body = (tl_str){bytes.ptr + frame.size, bytes.len - frame.size};
}

void bare_verify(const bare_hub *hub, tl_str bytes)
{
	tl__v1_frame frame;

	need(tl__v1_frame_read(&frame, bytes.ptr, bytes.len), "a frame");
	need(tl__v1_verify_response(&frame, &hub->key), "an answer by the hub's key");
}

void bare_hear(bare_heard *out, const bare_hub *hub, tl_str bytes)
{
	bare_read(out, bytes);
	bare_verify(hub, bytes);
}

/* --- first contact ---------------------------------------------------------------------------- */

static void write_hello(tl__buf *args, const bare *who)
{
	tl__v1_hello hello = {.key = who->key,
		.name = TL__STR("bare"),
		.max_body_bytes = TL__V1_MAX_BODY_BYTES,
		.max_page_entries = TL__V1_MAX_PAGE_ENTRIES};

	tl__v1_write_hello(args, &hello);
	need(tl__buf_status(args), "memory");
}

void bare_meet(bare_hub *hub, const tl_address *at)
{
	tl__buf args = TL__BUF_INIT, request = TL__BUF_INIT;
	bare_ask ask = {.method = "hello"};
	bare_line line;
	bare_answer answer;
	tl__arena memory = TL__ARENA_INIT;
	tl__v1_hello said;
	tl__v1_frame frame;
	tl__v1_response header;
	bare who;

	memset(hub, 0, sizeof *hub);
	hub->at.sin_family = AF_INET;
	hub->at.sin_port = htons((uint16_t)strtoul(strrchr(at->text, ':') + 1, NULL, 10));
	hub->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bare_new(&who);
	write_hello(&args, &who);
	ask.args = tl__buf_view(&args);
	write_request(&request, &who, hub, true, &ask);
	bare_dial(&line, hub, NULL);
	need_that(bare_send(&line, tl__buf_view(&request)), "a hello");
	bare_await(&line, &answer);
	need(tl__v1_frame_read(&frame, answer.body.ptr, answer.body.len), "a frame");
	need(tl__v1_response_read(&header, frame.header), "an answer to a hello");
	need(tl__v1_read_hello(&said, header.args, &memory), "the hub's hello");
	hub->key = said.key;
	memcpy(hub->epoch, header.epoch, sizeof hub->epoch);
	tl__arena_free(&memory);
	bare_close(&line);
	tl__buf_free(&args);
	tl__buf_free(&request);
}
