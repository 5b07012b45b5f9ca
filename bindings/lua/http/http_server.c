/* Servers, and the requests of others: gathered, told when they are whole, answered from Lua. A
 * server belongs to its handle, and until it has stopped to itself; a request to whoever is to
 * answer it, and to its connection. */
#include <stdlib.h>
#include <string.h>
#include "http/http.h"

#define SERVER_TYPE      "tidelock.http_server"
#define REQUEST_TYPE     "tidelock.http_request"
#define DEFAULT_MAX_BODY (1U << 20)
#define MAX_GRACE_MS     60000

typedef struct server {
	tlua_thing thing;
	tlua_http *http;
	tl_server *server; /* NULL: it is to stop */
	bool running;      /* until it has stopped */
	bool dropped;      /* its handle is gone */
	uint64_t max_body;
	char *address;
} server;

typedef struct request {
	tlua_thing thing;
	server *server;  /* valid while `in` is there */
	tl_incoming *in; /* NULL: the connection is gone */
	bool held;       /* told, or Lua's */
	bool answered;
	bool whole; /* memory sufficed */
	char *method, *path, *remote, *channel, *type;
	tlua_bytes body;
} request;

/* --- requests --------------------------------------------------------------------------------- */

static void free_request(request *r)
{
	free(r->method);
	free(r->path);
	free(r->remote);
	free(r->channel);
	free(r->type);
	free(r->body.ptr);
	free(r);
}

static void refuse(tlua_http *http, tl_incoming *in, int status)
{
	const tl_body empty = {.length = 0};

	http->transport->answer(in, status, NULL, &empty);
}

static tl_str str(const char *text)
{
	return (tl_str){text, strlen(text)};
}

static void on_begin(void *ud, tl_incoming *in, const tl_incoming_head *head, void **request_ud,
	uint64_t *max_body)
{
	server *s = ud;
	request *r = calloc(1, sizeof *r);

	*max_body = s->max_body;
	*request_ud = r;
	if (!r) {
		refuse(s->http, in, 503);
		return;
	}
	tlua__thing_init(&r->thing, TLUA_REQUEST);
	r->server = s;
	r->in = in;
	r->whole = true;
	r->method = tlua__copy(str(head->method), &r->whole);
	r->path = tlua__copy(str(head->path), &r->whole);
	r->remote = tlua__copy(str(head->remote), &r->whole);
	r->channel = tlua__copy(str(head->channel), &r->whole);
	r->type = tlua__copy(head->content_type, &r->whole);
}

static bool on_piece(void *ud, tl_incoming *in, const void *bytes, size_t len)
{
	request *r = ud;

	(void)in;
	if (r)
		r->whole = r->whole && tlua__bytes_append(&r->body, bytes, len);
	return true;
}

static void on_end(void *ud, tl_incoming *in)
{
	request *r = ud;
	tlua_http *http;

	if (!r)
		return;
	http = r->server->http;
	r->held = r->whole && !http->closing;
	if (r->held)
		tlua__thing_move(&r->thing, &http->told);
	else
		refuse(http, in, 503);
}

static void on_gone(void *ud)
{
	request *r = ud;

	if (!r)
		return;
	r->in = NULL;
	if (!r->held)
		free_request(r);
}

static int answer(request *r, int status, const char *content_type, tl_str bytes)
{
	tlua_http *http = r->in ? r->server->http : NULL;
	tl_body body;
	int rc;

	if (r->answered)
		return tl_error_set(TL_E_ALREADY_EXISTS, "this request has been answered already");
	r->answered = true;
	if (!http)
		return TL_OK;        /* nobody is there any more */
	rc = tl_loop_fd(http->loop); /* a forked child answers nobody */
	rc = rc < 0 ? rc : tlua__body(bytes, &body);
	r->answered = rc == TL_OK;
	if (rc == TL_OK)
		http->transport->answer(r->in, status, content_type, &body);
	return rc;
}

void tlua__request_free(tlua_thing *thing)
{
	request *r = (request *)thing;

	tlua__thing_move(thing, NULL);
	if (!r->answered)
		(void)answer(r, 500, NULL, (tl_str){"", 0});
	r->held = false;
	if (!r->in)
		free_request(r);
}

int tlua__request_push(lua_State *L, tlua_thing *thing)
{
	void **handle = tlua_new_handle(L, REQUEST_TYPE);

	*handle = thing;
	tlua__thing_move(thing, NULL);
	lua_pushlightuserdata(L, ((request *)thing)->server);
	lua_insert(L, -2);
	return 2;
}

static int request_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, REQUEST_TYPE);
	tlua_thing *thing = *handle;

	*handle = NULL;
	if (thing)
		tlua__request_free(thing);
	return 0;
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static int request_question(lua_State *L)
{
	const request *r = tlua_check_handle(L, 1, REQUEST_TYPE);

	lua_createtable(L, 0, 6);
	set_text(L, "method", r->method);
	set_text(L, "path", r->path);
	set_text(L, "remote", r->remote);
	set_text(L, "channel", r->channel);
	set_text(L, "content_type", r->type);
	lua_pushlstring(L, r->body.ptr ? r->body.ptr : "", r->body.len);
	lua_setfield(L, -2, "body");
	return 1;
}

/* A header's value, as others let it pass. */
static bool is_header(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* answer{ status =, content_type =, body = } */
static int request_answer(lua_State *L)
{
	static const char *const names[] = {"status", "content_type", "body", NULL};
	request *r = tlua_check_handle(L, 1, REQUEST_TYPE);
	const char *content_type;
	uint64_t status;

	luaL_checktype(L, 2, LUA_TTABLE);
	tlua_check_options(L, 2, names);
	status = tlua_option_count(L, 2, "status", 200);
	luaL_argcheck(L, status >= 200 && status <= 599, 2, "a status is between 200 and 599");
	if (!tlua_option_text(L, 2, "content_type", &content_type))
		return tlua_fail(L);
	if (content_type && !is_header(content_type))
		return tlua_ok(L, tl_error_set(TL_E_BAD_ARGUMENT,
					  "a content type is one line of printable ASCII, as "
					  "'text/plain'"));
	return tlua_ok(L, answer(r, (int)status, content_type, tlua__option_body(L, 2)));
}

/* --- servers ---------------------------------------------------------------------------------- */

static void free_server(server *s)
{
	tlua__thing_move(&s->thing, NULL);
	free(s->address);
	free(s);
}

static void on_stopped(void *ud)
{
	server *s = ud;

	s->running = false;
	if (s->dropped)
		free_server(s);
	else
		tlua__thing_move(&s->thing, &s->http->told);
}

static void stop(server *s, uint32_t grace_ms)
{
	tl_server *running = s->server;

	s->server = NULL;
	if (running)
		s->http->transport->stop(running, grace_ms, on_stopped, s);
}

void tlua__server_stop(tlua_thing *thing)
{
	stop((server *)thing, 0);
}

static void drop(server *s)
{
	s->dropped = true;
	stop(s, 0);
	if (!s->running)
		free_server(s);
}

static int listen_on(tlua_http *http, const char *bind, const tl_serve_options *options, server *s)
{
	static const tl_server_calls calls = {
		sizeof calls, on_begin, on_piece, on_end, on_gone, NULL};
	int rc = http->transport->serve(http->transport, bind, options, &calls, s, &s->server);
	bool ok = true;

	if (rc != TL_OK)
		return rc;
	s->running = true;
	tlua__thing_move(&s->thing, &http->open);
	s->address = tlua__copy(str(http->transport->server_address(s->server)), &ok);
	return ok ? TL_OK : tl_error_set(TL_E_NOMEM, "not enough memory for a server");
}

static int open_server(tlua_http *http, const char *bind, const tl_serve_options *options,
	uint64_t max_body, server **out)
{
	server *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a server");
	tlua__thing_init(&s->thing, TLUA_SERVER);
	s->http = http;
	s->max_body = max_body;
	rc = listen_on(http, bind, options, s);
	if (rc == TL_OK)
		*out = s;
	else
		drop(s);
	return rc;
}

static bool read_serve_options(lua_State *L, int arg, tl_serve_options *options)
{
	static const char *const names[] = {"certificate", "key", "max_connections",
		"max_connections_per_peer", "idle", "max_body", NULL};

	tlua_check_options(L, arg, names);
	*options = (tl_serve_options)TL_SERVE_OPTIONS_INIT;
	options->max_connections = tlua__clamp(tlua_option_count(L, arg, "max_connections", 0));
	options->max_connections_per_peer =
		tlua__clamp(tlua_option_count(L, arg, "max_connections_per_peer", 0));
	options->idle_ms = tlua__clamp(tlua_option_duration(L, arg, "idle", 0));
	return tlua_option_text(L, arg, "certificate", &options->certificate_file) &&
	       tlua_option_text(L, arg, "key", &options->key_file);
}

/* listen(bind [, options]) -> server, its address */
int tlua__http_listen(lua_State *L)
{
	tlua_http *http = tlua_check_handle(L, 1, TLUA_HTTP_TYPE);
	tl_serve_options options;
	server *s = NULL;
	uint64_t max_body;
	const char *bind;
	void **handle;
	int rc;

	if (!tlua_read_text(L, 2, &bind) || !read_serve_options(L, 3, &options))
		return tlua_fail(L);
	max_body = tlua_option_size(L, 3, "max_body", DEFAULT_MAX_BODY);
	handle = tlua_new_handle(L, SERVER_TYPE);
	rc = open_server(http, bind, &options, max_body, &s);
	if (rc != TL_OK)
		return tlua_fail(L);
	*handle = s;
	lua_pushlightuserdata(L, s);
	return 2;
}

static int server_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, SERVER_TYPE);
	server *s = *handle;

	*handle = NULL;
	if (s)
		drop(s);
	return 0;
}

static int server_address(lua_State *L)
{
	lua_pushstring(L, ((server *)tlua_check_handle(L, 1, SERVER_TYPE))->address);
	return 1;
}

/* begin_stop([grace]): the first call counts. */
static int server_begin_stop(lua_State *L)
{
	server *s = tlua_check_handle(L, 1, SERVER_TYPE);
	uint64_t grace = lua_isnoneornil(L, 2) ? 0 : tlua_check_duration(L, 2);

	luaL_argcheck(L, grace <= MAX_GRACE_MS, 2, "the grace is a minute at most");
	stop(s, (uint32_t)grace);
	return 0;
}

void tlua__server_types(lua_State *L)
{
	static const luaL_Reg server_methods[] = {{"address", server_address},
		{"begin_stop", server_begin_stop}, {"close", server_drop}, {NULL, NULL}};
	static const luaL_Reg request_methods[] = {{"question", request_question},
		{"answer", request_answer}, {"close", request_drop}, {NULL, NULL}};

	tlua_new_type(L, SERVER_TYPE, server_methods, server_drop);
	tlua_new_type(L, REQUEST_TYPE, request_methods, request_drop);
}
