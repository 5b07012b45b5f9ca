/* Requests of ours, and what came of them. A call belongs to its handle, and while its exchange
 * goes on to that as well. */
#include <stdlib.h>
#include <string.h>
#include "http/http.h"

#define CALL_TYPE            "tidelock.http_call"
#define DEFAULT_MAX_RESPONSE (16U << 20)

typedef struct call {
	tlua_thing thing;
	tlua_http *http;
	tl_exchange *exchange; /* NULL: done */
	bool dropped;          /* its handle is gone */
	int status;
	char *type, *channel;
	tlua_bytes got;
	bool whole; /* memory sufficed for what came */
	int code;
	char *message;
} call;

static void free_call(call *c)
{
	tlua__thing_move(&c->thing, NULL);
	free(c->type);
	free(c->channel);
	free(c->got.ptr);
	free(c->message);
	free(c);
}

/* --- what comes ------------------------------------------------------------------------------- */

static void on_head(void *ud, const tl_response_head *head)
{
	call *c = ud;

	free(c->type);
	free(c->channel);
	c->status = head->status;
	c->type = tlua__copy(head->content_type, &c->whole);
	c->channel = tlua__copy(head->channel, &c->whole);
}

/* Once memory ran out the rest is passed over: max_response bounds it. */
static bool on_piece(void *ud, const void *bytes, size_t len)
{
	call *c = ud;

	c->whole = c->whole && tlua__bytes_append(&c->got, bytes, len);
	return true;
}

static void on_done(void *ud, int code)
{
	call *c = ud;

	c->exchange = NULL;
	if (c->dropped) {
		free_call(c);
		return;
	}
	if (code == TL_OK && !c->whole)
		code = tl_error_set(TL_E_NOMEM, "not enough memory for the answer");
	c->code = code;
	if (code != TL_OK)
		c->message = strdup(tl_error_message(tl_last_error()));
	tlua__thing_move(&c->thing, &c->http->told);
}

void tlua__call_cancel(tlua_thing *thing)
{
	call *c = (call *)thing;

	c->http->transport->cancel(c->exchange);
}

/* --- start ------------------------------------------------------------------------------------ */

static bool read_needed(lua_State *L, int arg, const char *name, const char **out)
{
	bool good = tlua_option_text(L, arg, name, out);

	if (!*out)
		luaL_argerror(L, arg, lua_pushfstring(L, "'%s' is missing", name));
	return good;
}

static bool read_request(lua_State *L, int arg, tl_request *request)
{
	static const char *const names[] = {
		"address", "path", "body", "content_type", "max_response", "dial", "idle", NULL};

	luaL_checktype(L, arg, LUA_TTABLE);
	tlua_check_options(L, arg, names);
	*request = (tl_request)TL_REQUEST_INIT;
	request->max_response = tlua_option_size(L, arg, "max_response", DEFAULT_MAX_RESPONSE);
	request->dial_ms = tlua__clamp(tlua_option_duration(L, arg, "dial", 0));
	request->idle_ms = tlua__clamp(tlua_option_duration(L, arg, "idle", 0));
	request->rewind = tlua__body_rewind;
	if (!read_needed(L, arg, "address", &request->address) ||
		!read_needed(L, arg, "path", &request->path) ||
		!tlua_option_text(L, arg, "content_type", &request->content_type))
		return false;
	if (!request->content_type)
		request->content_type = "application/octet-stream";
	return true;
}

/* Takes the request's body. */
static int start(tlua_http *http, const tl_request *request, call **out)
{
	call *c = calloc(1, sizeof *c);
	const tl_response_sink sink = {sizeof sink, on_head, on_piece, on_done, c};
	int rc;

	if (!c) {
		request->body.drop(request->body.ud);
		return tl_error_set(TL_E_NOMEM, "not enough memory for a request");
	}
	tlua__thing_init(&c->thing, TLUA_CALL);
	c->http = http;
	c->whole = true;
	rc = http->transport->send(http->transport, request, &sink, &c->exchange);
	if (rc != TL_OK) {
		free_call(c);
		return rc;
	}
	tlua__thing_move(&c->thing, &http->open);
	*out = c;
	return TL_OK;
}

/* start{ address =, path =, … } -> call, its address */
int tlua__http_start(lua_State *L)
{
	tlua_http *http = tlua_check_handle(L, 1, TLUA_HTTP_TYPE);
	call *c = NULL;
	tl_request request;
	tl_str body;
	void **handle;
	int rc;

	if (!read_request(L, 2, &request))
		return tlua_fail(L);
	body = tlua__option_body(L, 2);
	handle = tlua_new_handle(L, CALL_TYPE);
	rc = tlua__body(body, &request.body);
	if (rc == TL_OK)
		rc = start(http, &request, &c);
	if (rc != TL_OK)
		return tlua_fail(L);
	*handle = c;
	lua_pushlightuserdata(L, c);
	return 2;
}

/* --- handles ---------------------------------------------------------------------------------- */

static int call_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, CALL_TYPE);
	call *c = *handle;

	*handle = NULL;
	if (c && c->exchange) {
		c->dropped = true;
		tlua__call_cancel(&c->thing);
	} else if (c) {
		free_call(c);
	}
	return 0;
}

/* result() -> { status =, content_type =, channel =, body = }, or nil, error */
static int call_result(lua_State *L)
{
	const call *c = tlua_check_handle(L, 1, CALL_TYPE);

	if (c->exchange) {
		tl_error_set(TL_E_BAD_STATE, "this request goes on in the process that forked");
		return tlua_fail(L);
	}
	if (c->code != TL_OK) {
		tl_error_set(c->code, c->message ? c->message : "not enough memory");
		return tlua_fail(L);
	}
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, c->status);
	lua_setfield(L, -2, "status");
	lua_pushstring(L, c->type);
	lua_setfield(L, -2, "content_type");
	lua_pushstring(L, c->channel ? c->channel : "none");
	lua_setfield(L, -2, "channel");
	lua_pushlstring(L, c->got.ptr ? c->got.ptr : "", c->got.len);
	lua_setfield(L, -2, "body");
	return 1;
}

void tlua__call_type(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"result", call_result}, {"close", call_drop}, {NULL, NULL}};

	tlua_new_type(L, CALL_TYPE, methods, call_drop);
}
