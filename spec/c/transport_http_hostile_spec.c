/* Clients and servers that break the rules: request shapes that two readers could take for
 * different requests, endless heads, trickles, silence, garbage. */
#include "http_raw.h"

/* --- shapes ----------------------------------------------------------------------------------- */

#define HEAD "POST /echo HTTP/1.1\r\n"

typedef struct shape {
	const char *what;
	const char *text;
	int status;
} shape;

static const shape shapes[] = {
	{"length and chunks",
		HEAD "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400},
	{"chunks and length",
		HEAD "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		400},
	{"two lengths", HEAD "Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
	{"the same length twice",
		HEAD "Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
	{"a list of lengths", HEAD "Host: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
	{"a signed length", HEAD "Host: x\r\nContent-Length: +3\r\n\r\nabc", 400},
	{"a hexadecimal length", HEAD "Host: x\r\nContent-Length: 0x3\r\n\r\nabc", 400},
	{"an empty length", HEAD "Host: x\r\nContent-Length:\r\n\r\n", 400},
	{"a negative length", HEAD "Host: x\r\nContent-Length: -1\r\n\r\n", 400},
	{"space before the colon", HEAD "Host: x\r\nContent-Length : 3\r\n\r\nabc", 400},
	{"tab before the colon", HEAD "Host: x\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
		400},
	{"no host", HEAD "Content-Length: 3\r\n\r\nabc", 400},
	{"two hosts", HEAD "Host: x\r\nHost: y\r\nContent-Length: 3\r\n\r\nabc", 400},
	{"xchunked", HEAD "Host: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
	{"identity", HEAD "Host: x\r\nTransfer-Encoding: identity\r\n\r\nabc", 400},
	{"gzip, chunked", HEAD "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked, chunked",
		HEAD "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "0\r\n\r\n",
		400},
	{"chunked with a parameter", HEAD "Host: x\r\nTransfer-Encoding: chunked;a=b\r\n\r\n", 400},
	{"an empty encoding", HEAD "Host: x\r\nTransfer-Encoding:\r\n\r\n", 400},
	{"chunks in HTTP/1.0",
		"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		400},
	{"a name that is no token", HEAD "Host: x\r\na(b): c\r\nContent-Length: 0\r\n\r\n", 400},
	{"a control character", HEAD "Host: x\r\na: b\001c\r\nContent-Length: 0\r\n\r\n", 400},
	{"a head without colon", HEAD "Host: x\r\nnonsense\r\nContent-Length: 0\r\n\r\n", 400},
	/* what is right stays right */
	{"eighteen digits", HEAD "Host: x\r\nContent-Length: 000000000000000003\r\n\r\nabc", 200},
	{"nineteen digits", HEAD "Host: x\r\nContent-Length: 0000000000000000003\r\n\r\nabc", 400},
	{"plain", HEAD "Host: x\r\nContent-Length: 3\r\n\r\nabc", 200},
	{"chunked", HEAD "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200},
	{"in capitals", HEAD "HOST: x\r\nTRANSFER-ENCODING: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		200},
	{"no length at all", HEAD "Host: x\r\n\r\n", 200},
};

static void ambiguous_requests_are_refused(void)
{
	unsigned begun = 0;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		int status = raw_ask(&g, shapes[i].text);

		if (status != shapes[i].status)
			printf("# %s: %d instead of %d\n", shapes[i].what, status,
				shapes[i].status);
		CHECK(status == shapes[i].status);
		begun += shapes[i].status == 200;
		CHECK(g.begun == begun); /* refused before the application hears of it */
	}
	rig_close(&g);
}

/* The bytes after a refused request are never taken for another one. */
static void what_follows_a_refused_request_is_not_a_request(void)
{
	raw c;
	rig g;

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		if (shapes[i].status != 400)
			continue;
		REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
		REQUIRE(raw_open(&c, &g));
		raw_say(&c, shapes[i].text);
		raw_say(&c, HEAD "Host: smuggled\r\nContent-Length: 8\r\n\r\nsmuggled");
		CHECK(raw_until_closed(&c, RAW_GUARD_MS));
		/* libmicrohttpd writes the head of some of its own refusals twice. */
		CHECK(raw_status(&c) == 400 && !strstr(raw_text(&c), "200 OK") && g.begun == 0 &&
			!strstr(raw_text(&c), "smuggled"));
		raw_close(&c);
		rig_close(&g);
	}
}

/* Lines that libmicrohttpd takes for others than they are: ended with a bare LF, folded, with a
 * zero byte in it. */
#define TEXT(literal) literal, sizeof literal - 1

typedef struct odd {
	const char *what, *text;
	size_t len;
} odd;

static const odd odd_lines[] = {
	{"bare LFs", TEXT("POST /echo HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc")},
	{"a bare LF", TEXT(HEAD "Host: x\nContent-Length: 3\r\n\r\nabc")},
	{"a hidden length", TEXT(HEAD "Host: x\r\na: b\nContent-Length: 3\r\n\r\nabc")},
	{"a bare LF at the end", TEXT(HEAD "Host: x\r\nContent-Length: 3\r\n\nabc")},
	{"a bare LF at first",
		TEXT("POST /echo HTTP/1.1\nHost: x\r\nContent-Length: 3\r\n\r\nabc")},
	{"a folded line", TEXT(HEAD "Host: x\r\na: b\r\n c\r\nContent-Length: 3\r\n\r\nabc")},
	{"folded by a tab", TEXT(HEAD "Host: x\r\na: b\r\n\tc\r\nContent-Length: 3\r\n\r\nabc")},
	{"a folded length", TEXT(HEAD "Host: x\r\nContent-Length:\r\n 3\r\n\r\nabc")},
	{"a length folded twice", TEXT(HEAD "Host: x\r\nContent-Length: 3\r\n 4\r\n\r\nabc")},
	{"a folded encoding",
		TEXT(HEAD
			"Host: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")},
	{"a length folded in", TEXT(HEAD "Host: x\r\na: b\r\n Content-Length: 30\r\n\r\n")},
	{"a fold at first", TEXT(HEAD " Host: x\r\nHost: y\r\nContent-Length: 3\r\n\r\nabc")},
	{"a bare CR", TEXT(HEAD "Host: x\r\na: b\rc\r\nContent-Length: 3\r\n\r\nabc")},
	{"a CR too many", TEXT(HEAD "Host: x\r\na: b\r\r\nContent-Length: 3\r\n\r\nabc")},
	{"a zero byte", TEXT(HEAD "Host: x\r\na: b\0c\r\nContent-Length: 3\r\n\r\nabc")},
	{"a zero byte at the end", TEXT(HEAD "Host: x\r\na: b\0\r\nContent-Length: 3\r\n\r\nabc")},
	{"a zero byte in the length", TEXT(HEAD "Host: x\r\nContent-Length: 3\0"
						"9\r\n\r\nabc")},
	{"a zero byte in the encoding",
		TEXT(HEAD "Host: x\r\nTransfer-Encoding: chunked\0x\r\n\r\n3\r\nabc\r\n0\r\n\r\n")},
	{"a zero byte in the host", TEXT(HEAD "Host: x\0y\r\nContent-Length: 3\r\n\r\nabc")},
	{"a zero byte in a name", TEXT(HEAD "Host: x\r\na\0b: c\r\nContent-Length: 3\r\n\r\nabc")},
	{"no name", TEXT(HEAD "Host: x\r\n: b\r\nContent-Length: 3\r\n\r\nabc")},
};

static void odd_lines_are_refused(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < sizeof odd_lines / sizeof *odd_lines; i++) {
		bool good;

		REQUIRE(raw_open(&c, &g));
		raw_send(&c, odd_lines[i].text, odd_lines[i].len);
		raw_say(&c, HEAD "Host: smuggled\r\nContent-Length: 8\r\n\r\nsmuggled");
		good = raw_until_closed(&c, RAW_GUARD_MS) && raw_status(&c) == 400 && g.begun == 0;
		if (!good)
			printf("# %s: %d\n", odd_lines[i].what, raw_status(&c));
		CHECK(good && !strstr(raw_text(&c), "smuggled"));
		raw_close(&c);
	}
	rig_close(&g);
}

/* Where chunks end is a matter of opinion; so the connection ends with them. */
static void nothing_follows_a_chunked_body(void)
{
	static const char *const bodies[] = {"3\r\nabc\r\n0\r\n\r\n", "3\nabc\n0\n\n",
		"3;a\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"};
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		REQUIRE(raw_open(&c, &g));
		raw_say(&c, HEAD "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n");
		raw_say(&c, bodies[i]);
		raw_say(&c, HEAD "Host: smuggled\r\nContent-Length: 8\r\n\r\nsmuggled");
		CHECK(raw_until_closed(&c, RAW_GUARD_MS));
		CHECK(raw_status(&c) == 200 && raw_answers(&c) == 1 && g.begun == i + 1);
		CHECK(!strstr(raw_text(&c), "smuggled"));
		raw_close(&c);
	}
	rig_close(&g);
}

static void garbage_is_never_answered_with_success(void)
{
	static const char *const garbage[] = {"GET\r\n\r\n", "\001\002\003\r\n\r\n",
		"POST /echo\r\n\r\n", "POST /echo HTTP/9.9\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client's hello\r\n\r\n",
		HEAD "Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
		HEAD "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
		HEAD "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
		HEAD "Host: x\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
		raw c;

		REQUIRE(raw_open(&c, &g));
		raw_say(&c, garbage[i]);
		raw_say(&c, HEAD "Host: smuggled\r\nContent-Length: 8\r\n\r\nsmuggled");
		raw_until_answers(&c, 1, 100);
		CHECK(raw_status(&c) == 0 || raw_status(&c) >= 400);
		if (raw_status(&c) != 0 && raw_status(&c) < 400)
			printf("# %zu: %d\n", i, raw_status(&c));
		raw_close(&c);
	}
	check_all_gone(&g);
	CHECK(g.ended == 0);
	rig_close(&g);
}

static int ask_with_head(rig *g, size_t lines, size_t bytes)
{
	tl__buf text = TL__BUF_INIT;
	int status;

	tl__buf_text(&text, HEAD "Host: x\r\nContent-Length: 0\r\n");
	for (size_t i = 2; i < lines; i++)
		tl__buf_format(&text, "n%zu: v\r\n", i);
	if (bytes > 0) {
		tl__buf_text(&text, "fill: ");
		while (text.len < bytes - 4)
			tl__buf_byte(&text, 'x');
		tl__buf_text(&text, "\r\n");
	}
	tl__buf_text(&text, "\r\n");
	status = raw_ask(g, text.ptr);
	tl__buf_free(&text);
	return status;
}

static void heads_are_limited(void)
{
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK(ask_with_head(&g, TL__HTTP_MAX_HEADERS, 0) == 200);
	CHECK(ask_with_head(&g, TL__HTTP_MAX_HEADERS + 1, 0) == 431);
	CHECK(ask_with_head(&g, 3, TL__HTTP_MAX_REQUEST_BYTES) == 200);
	CHECK(ask_with_head(&g, 3, TL__HTTP_MAX_REQUEST_BYTES + 1) == 431);
	CHECK(ask_with_head(&g, 3, 40000) == 431);
	CHECK(ask_with_head(&g, 3, 100000) == 431);
	CHECK(g.begun == 2);
	rig_close(&g);
}

static void an_endless_head_is_cut(void)
{
	static char bytes[65536];
	bool refused = false;
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	memset(bytes, 'x', sizeof bytes);
	raw_say(&c, HEAD "endless: ");
	for (int i = 0; i < 400 && !refused; i++)
		refused = !raw_send(&c, bytes, sizeof bytes) || raw_until_closed(&c, 1);
	CHECK(refused && g.begun == 0);
	raw_close(&c);
	rig_close(&g);
}

static void an_endless_chunked_body_is_cut(void)
{
	static char chunk[8 + 65536 + 2];
	bool refused = false;
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	g.max_body = 100000;
	REQUIRE(raw_open(&c, &g));
	memset(chunk, 'x', sizeof chunk);
	snprintf(chunk, 9, "010000\r\n");
	chunk[8] = 'x';
	chunk[8 + 65536] = '\r';
	chunk[8 + 65536 + 1] = '\n';
	raw_say(&c, HEAD "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 1000 && !refused; i++)
		refused = !raw_send(&c, chunk, sizeof chunk) || raw_until_closed(&c, 1);
	CHECK(refused && g.taken <= 100000 && g.ended == 0);
	raw_close(&c);
	check_all_gone(&g);
	rig_close(&g);
}

/* --- servers ---------------------------------------------------------------------------------- */

typedef struct hostile {
	const char *what, *says;
	int code;
	bool stays; /* does not close after its words */
} hostile;

static const hostile servers[] = {
	{"closes at once", "", TL_E_CONNECTION_FAILED, false},
	{"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", TL_E_NETWORK, false},
	{"half a head", "HTTP/1.1 200 OK\r\ncontent-le", TL_E_CONNECTION_FAILED, false},
	{"half a body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", TL_E_NETWORK, false},
	{"no last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
		TL_E_NETWORK, false},
	{"bad chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
		TL_E_NETWORK, true},
	{"close-delimited", "HTTP/1.0 200 OK\r\n\r\nabc", TL_OK, false},
	{"silence", "", TL_E_TIMEOUT, true},
	{"half a head, then silence", "HTTP/1.1 200 OK\r\nx: ", TL_E_TIMEOUT, true},
	{"half a body, then silence", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
		TL_E_TIMEOUT, true},
	{"a redirect", "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", TL_OK,
		true},
	{"100 Continue for ever", NULL, TL_E_NETWORK, true},
	{"headers for ever", NULL, TL_E_NETWORK, true},
	{"one header for ever", NULL, TL_E_NETWORK, true},
};

/* What the last three say, again and again. */
static const char *endless(const hostile *server)
{
	if (server->what[0] == 'o')
		return "01234567890123456789012345678901234567890123456789";
	return server->what[0] == '1' ? "HTTP/1.1 100 Continue\r\nx: y\r\n\r\n"
				      : "x: 0123456789012345678901234567890123456789\r\n";
}

static void say_endlessly(rig *g, exchange *e, int fd, const char *text)
{
	for (int i = 0; i < 100000 && e->dones == 0; i++) {
		if (send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
			errno != EAGAIN)
			break;
		tl__loop_turn(g->loop, false);
	}
}

static void serve_one(rig *g, const hostile *server, int listener, exchange *e)
{
	char request_text[1024];
	int fd;

	REQUIRE(rig_until_readable(g, listener));
	fd = accept(listener, NULL, NULL);
	REQUIRE(fd >= 0 && rig_until_readable(g, fd));
	CHECK(recv(fd, request_text, sizeof request_text, 0) > 0);
	if (server->says)
		CHECK(send(fd, server->says, strlen(server->says), MSG_NOSIGNAL) >= 0);
	else
		send(fd, "HTTP/1.1 200 OK\r\n", server->what[0] == '1' ? 0 : 17, MSG_NOSIGNAL);
	if (!server->stays)
		shutdown(fd, SHUT_WR);
	if (!server->says)
		say_endlessly(g, e, fd, endless(server));
	CHECK(rig_turn(g, ex_is_done, e, RIG_GUARD_MS));
	close(fd);
}

static void hostile_servers_give_clear_errors(void)
{
	char address[64];
	int listener = listen_mutely(address);
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
		exchange e = {.idle_ms = 200, .keep = true};

		REQUIRE(ex_start(&e, &g, address, "/x") == TL_OK);
		serve_one(&g, &servers[i], listener, &e);
		if (e.code != servers[i].code)
			printf("# %s: %s\n", servers[i].what, e.message);
		CHECK(e.code == servers[i].code && e.dones == 1 && e.drops == 1);
		CHECK(e.code == TL_OK || strstr(e.message, address));
		if (e.code == TL_OK)
			CHECK(e.status == 200 || e.status == 302);
		ex_end(&e);
	}
	rig_close(&g);
	close(listener);
}

int main(void)
{
	RUN(ambiguous_requests_are_refused);
	RUN(what_follows_a_refused_request_is_not_a_request);
	RUN(odd_lines_are_refused);
	RUN(nothing_follows_a_chunked_body);
	RUN(garbage_is_never_answered_with_success);
	RUN(heads_are_limited);
	RUN(an_endless_head_is_cut);
	RUN(an_endless_chunked_body_is_cut);
	RUN(hostile_servers_give_clear_errors);
	return spec_end();
}
