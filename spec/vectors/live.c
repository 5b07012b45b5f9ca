#include "live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/fail.h"
#include "engine/parts/keys.h"
#include "engine/parts/node_impl.h"

/* --- HTTP texts ------------------------------------------------------------------------------- */

tl_str http_body(tl_str message)
{
	const char *at = message.ptr ? memmem(message.ptr, message.len, "\r\n\r\n", 4) : NULL;

	if (!at)
		return TL__STR_NULL;
	return (tl_str){at + 4, message.len - (size_t)(at + 4 - message.ptr)};
}

int http_status(tl_str response)
{
	if (!tl__str_starts(response, TL__STR("HTTP/1.")) || response.len < 12)
		return 0;
	return (int)strtol(response.ptr + 9, NULL, 10);
}

tl_str http_header(tl_str message, const char *name)
{
	tl_str body = http_body(message);
	size_t head = body.ptr ? (size_t)(body.ptr - message.ptr) : message.len;
	size_t len = strlen(name);

	for (size_t at = 0; at + 2 < head; at++) {
		size_t from = at + 2 + len + 1, to;

		if (memcmp(message.ptr + at, "\r\n", 2) != 0 || from > head ||
			strncasecmp(message.ptr + at + 2, name, len) != 0 ||
			message.ptr[at + 2 + len] != ':')
			continue;
		while (from < head && message.ptr[from] == ' ')
			from++;
		for (to = from; to < head && message.ptr[to] != '\r'; to++)
			;
		return (tl_str){message.ptr + from, to - from};
	}
	return TL__STR_NULL;
}

static size_t length_of(tl_str message)
{
	tl_str text = http_header(message, "content-length");

	return text.ptr ? (size_t)strtoul(text.ptr, NULL, 10) : 0;
}

static tl_str join_chunks(check *c, tl_str body)
{
	char *out = tl__arena_alloc(&c->arena, body.len + 1, 1);
	size_t at = 0, len = 0;

	while (out && at < body.len) {
		char *end = NULL;
		size_t size = (size_t)strtoul(body.ptr + at, &end, 16);
		size_t from = (size_t)(end - body.ptr) + 2;

		if (size == 0 || from > body.len || size > body.len - from)
			break;
		memcpy(out + len, body.ptr + from, size);
		len += size;
		at = from + size + 2;
	}
	return (tl_str){out, len};
}

tl_str http_document(check *c, tl_str message)
{
	tl_str body = http_body(message), length = http_header(message, "content-length");

	if (!body.ptr)
		return body;
	if (http_header(message, "transfer-encoding").ptr)
		return join_chunks(c, body);
	if (length.ptr && length_of(message) < body.len)
		body.len = length_of(message);
	return body;
}

/* Length of the first complete message; 0: there is none yet. */
static size_t first_message(tl_str bytes, bool head_only)
{
	tl_str body = http_body(bytes), coding = http_header(bytes, "transfer-encoding");
	size_t head, need;

	if (!body.ptr)
		return 0;
	head = (size_t)(body.ptr - bytes.ptr);
	if (head_only || http_status(bytes) == 100)
		return head;
	if (coding.ptr) {
		const char *end = memmem(body.ptr, body.len, "0\r\n\r\n", 5);

		return end ? (size_t)(end + 5 - bytes.ptr) : 0;
	}
	need = length_of(bytes);
	return body.len >= need ? head + need : 0;
}

size_t http_complete(tl_str bytes, bool head_only)
{
	size_t count = 0, len;

	while ((len = first_message(bytes, head_only)) > 0) {
		bytes.ptr += len;
		bytes.len -= len;
		count++;
	}
	return count;
}

/* --- nodes ------------------------------------------------------------------------------------ */

/* A stored key, as runtime/engine/parts/README.md has it: version 1, kind 0, public key, seed. */
static int put_device_key(const char *folder, tl_str seed)
{
	uint8_t record[2 + TL_KEY_BYTES + TL_SEED_BYTES] = {1, 0};
	tl__put_key put = {TL__STR(TL__DEVICE_KEY), {(const char *)record, sizeof record}};
	tl__batch batch = {.keys = &put, .key_count = 1};
	tl__store *store;
	tl_secret secret;
	tl_key key;
	int rc = tl_secret_from_seed(&secret, (const uint8_t *)seed.ptr);

	if (rc == TL_OK)
		rc = tl__store_open_sqlite(&store, folder, TL__DURABLE_RELAXED, NULL);
	if (rc != TL_OK)
		return rc;
	tl_secret_public(&secret, &key);
	memcpy(record + 2, key.b, TL_KEY_BYTES);
	memcpy(record + 2 + TL_KEY_BYTES, seed.ptr, TL_SEED_BYTES);
	rc = tl__store_write(store, &batch);
	tl__store_close(store);
	return rc;
}

static int open_node(live *l, const tl_sync_options *options)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;

	config.path = l->folder[0] ? l->folder : NULL;
	config.durability = TL_DURABILITY_RELAXED;
	config.log_level = TL_LOG_OFF;
	config.sync = options;
	return tl_node_open(&l->node, &config);
}

static int start_server(live *l)
{
	tl_address address;
	int rc = tl_sync_start_server(l->node, "127.0.0.1:0", NULL);

	if (rc == TL_OK)
		rc = tl_sync_get_server_address(l->node, &address);
	if (rc == TL_OK)
		snprintf(l->address, sizeof l->address, "%s", address.text);
	return rc;
}

static bool opened(live *l, check *c, const tl_sync_options *options, bool serve, int rc)
{
	if (rc == TL_OK)
		rc = open_node(l, options);
	if (rc == TL_OK)
		rc = tl_sync_enable_http_transport(l->node, NULL);
	if (rc == TL_OK && serve)
		rc = start_server(l);
	if (rc != TL_OK)
		wrong(c, "no node: %s", tl_error_message(tl_last_error()));
	return rc == TL_OK;
}

bool live_open(live *l, check *c, tl_str seed_hex, const tl_sync_options *options, bool serve)
{
	tl_str seed = seed_hex.ptr ? unhex(c, seed_hex) : TL__STR_NULL;
	int rc = TL_OK;

	memset(l, 0, sizeof *l);
	if (seed.len == TL_SEED_BYTES) {
		scratch_make(l->folder);
		rc = put_device_key(l->folder, seed);
	}
	return opened(l, c, options, serve, rc);
}

bool live_open_kept(live *l, check *c)
{
	memset(l, 0, sizeof *l);
	scratch_make(l->folder);
	return opened(l, c, NULL, false, TL_OK);
}

void live_end(live *l)
{
	tl_node_close_within(l->node, 0);
	l->node = NULL;
}

bool live_again(live *l, check *c)
{
	int rc = open_node(l, NULL);

	if (rc != TL_OK)
		wrong(c, "the node does not open again: %s", tl_error_message(tl_last_error()));
	return rc == TL_OK;
}

void live_close(live *l)
{
	live_end(l);
	if (l->folder[0])
		scratch_remove(l->folder);
}

void live_take(live *l, check *c, const tl_id *db, const tl_str *lines, size_t count)
{
	const tl__ingest_page page = {.db = *db,
		.lines = lines,
		.count = count,
		.form = TL_ENTRY_FOREIGN,
		.sender = TL__STR("a vector"),
		.related = true,
		.accept_unknown = true};
	tl__ingest_result result;

	if (count == 0)
		return;
	if (tl__ingest(&l->node->tree, &page, &result) != TL_OK)
		wrong(c, "the entries are not taken: %s", tl_error_message(tl_last_error()));
	else
		tl__ingest_result_free(&result);
}

static int note_entry(void *ud, const tl__entry_row *row)
{
	(void)row;
	*(bool *)ud = true;
	return TL_OK;
}

static int note_pending(void *ud, const tl__aside_row *row)
{
	if (row->verdict == TL__PENDING)
		*(bool *)ud = true;
	return TL_OK;
}

static bool look(live *l, const tl_id *db, const tl_id *id, bool pending_too)
{
	tl__snapshot *s;
	bool found = false;

	if (tl__snapshot_open(l->node->store, &s) != TL_OK)
		return false;
	if (tl__read_entries(s, db, id, 1, 0, note_entry, &found) != TL_OK)
		found = false;
	if (pending_too && tl__read_asides(s, db, id, 1, 0, note_pending, &found) != TL_OK)
		found = false;
	tl__snapshot_close(s);
	return found;
}

bool live_has(live *l, const tl_id *db, const tl_id *id)
{
	return look(l, db, id, false);
}

bool live_keeps(live *l, const tl_id *db, const tl_id *id)
{
	return look(l, db, id, true);
}

bool live_is_public(live *l, const tl_id *db)
{
	tl_database *handle = NULL;
	tl_permission permission;
	bool open = tl_node_load_database(l->node, db, &handle) == TL_OK &&
		    tl_database_get_sigkey_permission(handle, TL__STR("*"), &permission) == TL_OK;

	tl_database_free(handle);
	return open;
}

/* --- saying ----------------------------------------------------------------------------------- */

static int dial(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	const char *port = strrchr(address, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)(port ? strtoul(port + 1, NULL, 10) : 0));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Sends while there is something to send, takes what comes. False: over. */
static bool exchange(int fd, tl_str *left, tl__buf *got, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (left->len > 0 ? POLLOUT : 0))};
	char bytes[65536];
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	if (p.revents & POLLOUT) {
		n = send(fd, left->ptr, left->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			left->ptr += n;
			left->len -= (size_t)n;
		} else if (errno != EAGAIN) {
			left->len = 0; /* it does not want more; what it said may still come */
		}
	}
	if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
		return true;
	n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (n > 0)
		tl__buf_append(got, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* An answer to HEAD has no body; after one that never comes nothing is waited for long. */
#define SILENCE_MS 1500

tl_str live_say(check *c, const live *l, tl_str bytes, size_t answers)
{
	bool head_only = tl__str_starts(bytes, TL__STR("HEAD "));
	tl__buf got = TL__BUF_INIT;
	tl_str left = bytes, out;
	int fd = dial(l->address);

	if (fd < 0) {
		wrong(c, "the node's server at %s is not reached", l->address);
		return TL__STR("");
	}
	while (http_complete(tl__buf_view(&got), head_only) < answers &&
		exchange(fd, &left, &got, SILENCE_MS))
		;
	close(fd);
	out = tl__arena_str(&c->arena, tl__buf_view(&got));
	tl__buf_free(&got);
	return out;
}

/* --- a server by script ----------------------------------------------------------------------- */

#define MOCK_CONNECTIONS 16

typedef struct caller {
	int fd;
	tl__buf got;
} caller;

static void hang_up(caller *of)
{
	close(of->fd);
	tl__buf_free(&of->got);
	of->fd = -1;
}

static bool send_all(int fd, tl_str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes.ptr += n;
		bytes.len -= (size_t)n;
	}
	return true;
}

/* Whether the answer has an end of its own; else closing ends it. */
static bool ends_itself(tl_str answer)
{
	return http_header(answer, "content-length").ptr ||
	       http_header(answer, "transfer-encoding").ptr || http_status(answer) == 204;
}

static void answer_caller(mock *m, caller *of)
{
	char bytes[65536];
	ssize_t n = recv(of->fd, bytes, sizeof bytes, 0);
	size_t len;
	tl_str answer;

	if (n <= 0) {
		hang_up(of);
		return;
	}
	tl__buf_append(&of->got, bytes, (size_t)n);
	len = first_message(tl__buf_view(&of->got), false);
	if (len == 0)
		return;
	answer = m->script(m->ud, (tl_str){of->got.ptr, len});
	memmove(of->got.ptr, of->got.ptr + len, of->got.len - len);
	of->got.len -= len;
	if (!answer.ptr || !send_all(of->fd, answer) || !ends_itself(answer))
		hang_up(of);
}

static void take_caller(const mock *m, caller *callers)
{
	int fd = accept(m->listener, NULL, NULL);

	for (size_t i = 0; fd >= 0 && i < MOCK_CONNECTIONS; i++)
		if (callers[i].fd < 0) {
			callers[i] = (caller){fd, TL__BUF_INIT};
			return;
		}
	if (fd >= 0)
		close(fd);
}

static void *mock_run(void *ud)
{
	mock *m = ud;
	caller callers[MOCK_CONNECTIONS];
	struct pollfd p[MOCK_CONNECTIONS + 2];

	for (size_t i = 0; i < MOCK_CONNECTIONS; i++)
		callers[i].fd = -1;
	for (;;) {
		p[0] = (struct pollfd){.fd = m->wake[0], .events = POLLIN};
		p[1] = (struct pollfd){.fd = m->listener, .events = POLLIN};
		for (size_t i = 0; i < MOCK_CONNECTIONS; i++)
			p[2 + i] = (struct pollfd){.fd = callers[i].fd, .events = POLLIN};
		if (poll(p, MOCK_CONNECTIONS + 2, -1) < 0 || p[0].revents)
			break;
		for (size_t i = 0; i < MOCK_CONNECTIONS; i++)
			if (callers[i].fd >= 0 && p[2 + i].revents)
				answer_caller(m, &callers[i]);
		if (p[1].revents)
			take_caller(m, callers);
	}
	for (size_t i = 0; i < MOCK_CONNECTIONS; i++)
		if (callers[i].fd >= 0)
			hang_up(&callers[i]);
	return NULL;
}

bool mock_start(mock *m, check *c, mock_script script, void *ud)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len = sizeof any;

	*m = (mock){.script = script, .ud = ud};
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	m->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (m->listener < 0 || bind(m->listener, (struct sockaddr *)&any, len) != 0 ||
		listen(m->listener, 16) != 0 || pipe(m->wake) != 0 ||
		getsockname(m->listener, (struct sockaddr *)&any, &len) != 0 ||
		pthread_create(&m->thread, NULL, mock_run, m) != 0) {
		wrong(c, "no server on loopback: %s", strerror(errno));
		return false;
	}
	snprintf(m->address, sizeof m->address, "127.0.0.1:%u", ntohs(any.sin_port));
	return true;
}

void mock_stop(mock *m)
{
	if (write(m->wake[1], "", 1) == 1)
		pthread_join(m->thread, NULL);
	close(m->wake[0]);
	close(m->wake[1]);
	close(m->listener);
}
