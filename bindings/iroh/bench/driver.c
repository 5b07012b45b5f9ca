/* The plugin on a libuv loop, as a host has it: what examples/pure.rs does without it.
 *
 *   driver PLUGIN serve                            prints its ticket
 *   driver PLUGIN request TICKET IN_FLIGHT COUNT   prints seconds
 *   driver PLUGIN stream TICKET BYTES              the same
 *
 * A request of 8 bytes asks for so many bytes as answer, any other is echoed. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include "../tidelock_iroh.h"

#define PROTOCOL     "bench/1"
#define BODY         1024
#define MOST_ANSWERS 16
#define BATCH        128

static const tl_iroh_calls *iroh;
static tl_iroh *endpoint;
static uv_loop_t *loop;
static uv_async_t bell;
static const char *mode;
static char **words;
static tl_iroh_id connection;
static uint8_t body[65536];
static uint64_t begun_ns, left, waiting, received;

/* Long answers under way. */
static struct {
	tl_iroh_id id;
	uint64_t left;
} answers[MOST_ANSWERS];

static void fail(const char *what, const void *text, size_t length)
{
	fprintf(stderr, "driver: %s: %.*s\n", what, (int)length, (const char *)text);
	exit(1);
}

static void ring(void *ud)
{
	uv_async_send(ud);
}

static void ask(const void *bytes, size_t length, uint64_t most)
{
	tl_iroh_request_options options = {sizeof(options), most, 0, 0};
	tl_iroh_id id;

	if (iroh->request(endpoint, connection, bytes, length, 1, &options, &id) != TL_IROH_OK)
		fail("request", "", 0);
	waiting++;
}

static void begin(const tl_iroh_event *event)
{
	uint64_t bytes = 0;
	uint8_t count[8];

	if (event->code != TL_IROH_OK)
		fail("connect", event->bytes, event->length);
	connection = event->connection;
	begun_ns = uv_hrtime();
	if (strcmp(mode, "stream") == 0) {
		bytes = strtoull(words[1], NULL, 10);
		for (int i = 0; i < 8; i++)
			count[i] = (uint8_t)(bytes >> (56 - 8 * i));
		ask(count, sizeof(count), bytes);
		return;
	}
	left = strtoull(words[2], NULL, 10);
	for (uint64_t i = strtoull(words[1], NULL, 10); i > 0 && left > 0; i--, left--)
		ask(body, BODY, BODY);
}

static void answered(const tl_iroh_event *event)
{
	received += event->length;
	if (!(event->flags & TL_IROH_FLAG_OVER)) {
		iroh->taken(endpoint, event->stream, event->length);
		return;
	}
	waiting--;
	if (left > 0) {
		left--;
		ask(body, BODY, BODY);
	} else if (waiting == 0) {
		printf("%.6f\n", (double)(uv_hrtime() - begun_ns) / 1e9);
		iroh->close(endpoint, 0, NULL, 0, 3000, &connection);
	}
}

static void answer_on(size_t at)
{
	while (answers[at].left > 0) {
		size_t length =
			answers[at].left < sizeof(body) ? (size_t)answers[at].left : sizeof(body);
		ptrdiff_t wrote = iroh->write(
			endpoint, answers[at].id, body, length, length == answers[at].left);
		if (wrote < 0)
			answers[at].left = 0;
		else
			answers[at].left -= (uint64_t)wrote;
		if (wrote != (ptrdiff_t)length)
			return;
	}
}

static void answer(const tl_iroh_event *event)
{
	bool is_whole = event->flags & TL_IROH_FLAG_FIN;

	if (event->kind == TL_IROH_EVENT_DATA || !is_whole || event->length != 8) {
		iroh->write(endpoint, event->stream, event->bytes, event->length, is_whole);
		return;
	}
	for (size_t at = 0; at < MOST_ANSWERS; at++) {
		if (answers[at].left > 0)
			continue;
		answers[at].id = event->stream;
		for (int i = 0; i < 8; i++)
			answers[at].left = answers[at].left << 8 | event->bytes[i];
		answer_on(at);
		return;
	}
}

static void bound(const tl_iroh_event *event)
{
	char ticket[TL_IROH_MAX_ADDRESS];
	size_t length = sizeof(ticket);
	tl_iroh_id id;

	if (event->code != TL_IROH_OK)
		fail("open", event->bytes, event->length);
	if (strcmp(mode, "serve") == 0) {
		iroh->address(endpoint, TL_IROH_FORM_TICKET, ticket, &length);
		puts(ticket);
		fflush(stdout);
	} else if (iroh->connect(endpoint, words[0], strlen(words[0]), (const uint8_t *)PROTOCOL,
			   strlen(PROTOCOL), 10000, &id) != TL_IROH_OK) {
		fail("connect", words[0], strlen(words[0]));
	}
}

static void writable(const tl_iroh_event *event)
{
	for (size_t at = 0; at < MOST_ANSWERS; at++)
		if (answers[at].left > 0 && answers[at].id == event->stream)
			answer_on(at);
}

static void on_event(const tl_iroh_event *event)
{
	switch (event->kind) {
	case TL_IROH_EVENT_BOUND: bound(event); break;
	case TL_IROH_EVENT_CONNECTED: begin(event); break;
	case TL_IROH_EVENT_REQUEST: answer(event); break;
	case TL_IROH_EVENT_DATA:
		strcmp(mode, "serve") == 0 ? answer(event) : answered(event);
		break;
	case TL_IROH_EVENT_WRITABLE: writable(event); break;
	case TL_IROH_EVENT_ENDED:
		if (strcmp(mode, "serve") != 0)
			fail("stream", event->bytes, event->length);
		break;
	case TL_IROH_EVENT_CLOSED: uv_stop(loop); break;
	default: break;
	}
}

static void on_bell(uv_async_t *handle)
{
	tl_iroh_event events[BATCH];
	size_t count = BATCH;

	(void)handle;
	while (count == BATCH) {
		count = iroh->next(endpoint, events, BATCH);
		for (size_t i = 0; i < count; i++)
			on_event(&events[i]);
		iroh->flush(endpoint);
	}
}

int main(int count, char **all)
{
	static const tl_iroh_bytes protocol = {(const uint8_t *)PROTOCOL, sizeof(PROTOCOL) - 1};
	tl_iroh_options options = {.size = sizeof(options),
		.alpns = &protocol,
		.alpn_count = 1,
		.bind = "127.0.0.1:0",
		.wake = ring,
		.ud = &bell};
	tl_iroh_plugin_call plugin = NULL;
	char error[256] = "";
	void *library = count >= 3 ? dlopen(all[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;

	if (!library)
		fail("the plugin", count >= 3 ? dlerror() : "", 200);
	*(void **)&plugin = dlsym(library, TL_IROH_SYMBOL);
	iroh = plugin ? plugin() : NULL;
	if (!iroh || iroh->abi != TL_IROH_ABI)
		fail("another version", all[1], strlen(all[1]));
	mode = all[2];
	words = all + 3;
	loop = uv_default_loop();
	uv_async_init(loop, &bell, on_bell);
	if (iroh->open(&options, &endpoint, error, sizeof(error)) != TL_IROH_OK)
		fail("open", error, strlen(error));
	uv_run(loop, UV_RUN_DEFAULT);
	iroh->free(endpoint);
	return 0;
}
