/* tidelock.transport_core: HTTP by itself. The Lua half (lua/tidelock/transport.lua) waits. */
#include <limits.h>
#include <string.h>
#include "courier/courier.h"
#include "module/log.h"
#include "module/lib.h"

#define HTTP_TYPE     "tidelock.http"
#define CALL_TYPE     "tidelock.http_call"
#define SERVER_TYPE   "tidelock.http_server"
#define INCOMING_TYPE "tidelock.http_request"

#define DEFAULT_MAX_RESPONSE (16U << 20)
#define DEFAULT_MAX_BODY     (1U << 20)
#define MAX_GRACE_MS         60000

static uint32_t clamp(uint64_t number)
{
	return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

/* --- transport -------------------------------------------------------------------------------- */

static int http_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, HTTP_TYPE);

	tlua_courier_close(*handle);
	*handle = NULL;
	return 0;
}

/* http([{ tls =, ca =, proxy = }]) */
static int transport_http(lua_State *L)
{
	static const char *const names[] = {"tls", "ca", "proxy", NULL};
	tl_http_options options = TL_HTTP_OPTIONS_INIT;
	tlua_courier *courier = NULL;
	void **handle;
	int rc;

	tlua_check_options(L, 1, names);
	if (!tlua_option_text(L, 1, "ca", &options.ca_file) ||
		!tlua_option_text(L, 1, "proxy", &options.proxy))
		return tlua_fail(L);
	options.tls = tlua_option_bool(L, 1, "tls", options.ca_file != NULL);
	options.log = tlua_log_sink;
	options.log_ud = tlua_log_of(L);
	options.log_level = tlua_log_level(L);
	handle = tlua_new_handle(L, HTTP_TYPE);
	rc = tlua_courier_open(&courier, &options);
	return tlua_opened(L, handle, rc, courier);
}

static int http_fd(lua_State *L)
{
	lua_pushinteger(L, tlua_courier_fd(tlua_check_handle(L, 1, HTTP_TYPE)));
	return 1;
}

static int http_calm(lua_State *L)
{
	tlua_courier_calm(tlua_check_handle(L, 1, HTTP_TYPE));
	return 0;
}

/* --- calls ------------------------------------------------------------------------------------ */

static bool read_needed(lua_State *L, int arg, const char *name, const char **out)
{
	bool good = tlua_option_text(L, arg, name, out);

	if (!*out)
		luaL_argerror(L, arg, lua_pushfstring(L, "'%s' is missing", name));
	return good;
}

static tl_str option_body(lua_State *L, int arg)
{
	tl_str body;

	return tlua_option_bytes(L, arg, "body", &body) ? body : (tl_str){"", 0};
}

static bool read_request(lua_State *L, int arg, tl_request *request)
{
	static const char *const names[] = {
		"address", "path", "body", "content_type", "max_response", "dial", "idle", NULL};

	luaL_checktype(L, arg, LUA_TTABLE);
	tlua_check_options(L, arg, names);
	*request = (tl_request)TL_REQUEST_INIT;
	request->max_response = tlua_option_size(L, arg, "max_response", DEFAULT_MAX_RESPONSE);
	request->dial_ms = clamp(tlua_option_duration(L, arg, "dial", 0));
	request->idle_ms = clamp(tlua_option_duration(L, arg, "idle", 0));
	if (!read_needed(L, arg, "address", &request->address) ||
		!read_needed(L, arg, "path", &request->path) ||
		!tlua_option_text(L, arg, "content_type", &request->content_type))
		return false;
	if (!request->content_type)
		request->content_type = "application/octet-stream";
	return true;
}

/* start{ address =, path =, … } -> call */
static int http_start(lua_State *L)
{
	tlua_courier *courier = tlua_check_handle(L, 1, HTTP_TYPE);
	tlua_call *call = NULL;
	tl_request request;
	void **handle;
	int rc;

	if (!read_request(L, 2, &request))
		return tlua_fail(L);
	handle = tlua_new_handle(L, CALL_TYPE);
	rc = tlua_call_start(courier, &request, option_body(L, 2), &call);
	return tlua_opened(L, handle, rc, call);
}

static int call_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, CALL_TYPE);

	tlua_call_free(*handle);
	*handle = NULL;
	return 0;
}

static int call_done(lua_State *L)
{
	tlua_answer answer;

	lua_pushboolean(L, tlua_call_done(tlua_check_handle(L, 1, CALL_TYPE), &answer));
	return 1;
}

/* result() -> { status =, content_type =, channel =, body = }, or nil, error */
static int call_result(lua_State *L)
{
	tlua_answer answer = {.code = TL_OK};
	bool done = tlua_call_done(tlua_check_handle(L, 1, CALL_TYPE), &answer);

	luaL_argcheck(L, done, 1, "the call is not done");
	if (answer.code != TL_OK) {
		tl_error_set(answer.code, answer.message);
		return tlua_fail(L);
	}
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, answer.status);
	lua_setfield(L, -2, "status");
	lua_pushstring(L, answer.content_type);
	lua_setfield(L, -2, "content_type");
	lua_pushstring(L, answer.channel);
	lua_setfield(L, -2, "channel");
	lua_pushlstring(L, answer.body.ptr, answer.body.len);
	lua_setfield(L, -2, "body");
	return 1;
}

/* --- servers ---------------------------------------------------------------------------------- */

static bool read_serve_options(lua_State *L, int arg, tl_serve_options *options)
{
	static const char *const names[] = {"certificate", "key", "max_connections",
		"max_connections_per_peer", "idle", "max_body", NULL};

	tlua_check_options(L, arg, names);
	*options = (tl_serve_options)TL_SERVE_OPTIONS_INIT;
	options->max_connections = clamp(tlua_option_count(L, arg, "max_connections", 0));
	options->max_connections_per_peer =
		clamp(tlua_option_count(L, arg, "max_connections_per_peer", 0));
	options->idle_ms = clamp(tlua_option_duration(L, arg, "idle", 0));
	return tlua_option_text(L, arg, "certificate", &options->certificate_file) &&
	       tlua_option_text(L, arg, "key", &options->key_file);
}

/* listen(bind [, options]) -> server */
static int http_listen(lua_State *L)
{
	tlua_courier *courier = tlua_check_handle(L, 1, HTTP_TYPE);
	uint64_t max_body = DEFAULT_MAX_BODY;
	tl_serve_options options;
	tlua_server *server = NULL;
	const char *bind;
	void **handle;
	int rc;

	if (!tlua_read_text(L, 2, &bind) || !read_serve_options(L, 3, &options))
		return tlua_fail(L);
	max_body = tlua_option_size(L, 3, "max_body", max_body);
	handle = tlua_new_handle(L, SERVER_TYPE);
	rc = tlua_server_start(courier, bind, &options, max_body, &server);
	return tlua_opened(L, handle, rc, server);
}

static int server_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, SERVER_TYPE);

	tlua_server_free(*handle);
	*handle = NULL;
	return 0;
}

static int server_address(lua_State *L)
{
	lua_pushstring(L, tlua_server_address(tlua_check_handle(L, 1, SERVER_TYPE)));
	return 1;
}

static int server_begin_stop(lua_State *L)
{
	tlua_server *server = tlua_check_handle(L, 1, SERVER_TYPE);
	uint64_t grace = lua_isnoneornil(L, 2) ? 0 : tlua_check_duration(L, 2);

	luaL_argcheck(L, grace <= MAX_GRACE_MS, 2, "the grace is a minute at most");
	tlua_server_stop(server, (uint32_t)grace);
	return 0;
}

static int server_stopped(lua_State *L)
{
	lua_pushboolean(L, tlua_server_stopped(tlua_check_handle(L, 1, SERVER_TYPE)));
	return 1;
}

/* next() -> request or nil */
static int server_next(lua_State *L)
{
	tlua_server *server = tlua_check_handle(L, 1, SERVER_TYPE);
	void **handle = tlua_new_handle(L, INCOMING_TYPE);

	*handle = tlua_server_next(server);
	if (!*handle)
		lua_pushnil(L);
	return 1;
}

static int incoming_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, INCOMING_TYPE);

	tlua_incoming_free(*handle);
	*handle = NULL;
	return 0;
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static int incoming_question(lua_State *L)
{
	tlua_question question = tlua_incoming_question(tlua_check_handle(L, 1, INCOMING_TYPE));

	lua_createtable(L, 0, 6);
	set_text(L, "method", question.method);
	set_text(L, "path", question.path);
	set_text(L, "remote", question.remote);
	set_text(L, "channel", question.channel);
	set_text(L, "content_type", question.content_type);
	lua_pushlstring(L, question.body.ptr, question.body.len);
	lua_setfield(L, -2, "body");
	return 1;
}

/* answer{ status =, content_type =, body = } */
static int incoming_answer(lua_State *L)
{
	static const char *const names[] = {"status", "content_type", "body", NULL};
	tlua_incoming *incoming = tlua_check_handle(L, 1, INCOMING_TYPE);
	const char *content_type;
	uint64_t status;

	luaL_checktype(L, 2, LUA_TTABLE);
	tlua_check_options(L, 2, names);
	status = tlua_option_count(L, 2, "status", 200);
	luaL_argcheck(L, status >= 200 && status <= 599, 2, "a status is between 200 and 599");
	if (!tlua_option_text(L, 2, "content_type", &content_type))
		return tlua_fail(L);
	return tlua_ok(
		L, tlua_incoming_answer(incoming, (int)status, content_type, option_body(L, 2)));
}

/* --- module ----------------------------------------------------------------------------------- */

static const luaL_Reg http_methods[] = {{"close", http_drop}, {"fd", http_fd}, {"calm", http_calm},
	{"start", http_start}, {"listen", http_listen}, {NULL, NULL}};

static const luaL_Reg call_methods[] = {
	{"done", call_done}, {"result", call_result}, {"close", call_drop}, {NULL, NULL}};

static const luaL_Reg server_methods[] = {{"address", server_address},
	{"begin_stop", server_begin_stop}, {"stopped", server_stopped}, {"next", server_next},
	{"close", server_drop}, {NULL, NULL}};

static const luaL_Reg incoming_methods[] = {{"question", incoming_question},
	{"answer", incoming_answer}, {"close", incoming_drop}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"http", transport_http}, {NULL, NULL}};

int luaopen_tidelock_transport_core(lua_State *L)
{
	tlua_new_type(L, HTTP_TYPE, http_methods, http_drop);
	tlua_new_type(L, CALL_TYPE, call_methods, call_drop);
	tlua_new_type(L, SERVER_TYPE, server_methods, server_drop);
	tlua_new_type(L, INCOMING_TYPE, incoming_methods, incoming_drop);
	luaL_newlib(L, functions);
	return 1;
}
