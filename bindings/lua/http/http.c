/* tidelock.transport_core: a transport and its loop. The Lua half (lua/tidelock/transport.lua)
 * turns it and waits. */
#include <poll.h>
#include <stdlib.h>
#include "module/log.h"
#include "http/http.h"

#define MOST_TURNS 32 /* at once */

/* --- open and close --------------------------------------------------------------------------- */

static void forget_told(tlua_http *http)
{
	while (!tlua__thing_alone(&http->told)) {
		tlua_thing *thing = http->told.next;

		if (thing->kind == TLUA_REQUEST)
			tlua__request_free(thing);
		else
			tlua__thing_move(thing, NULL);
	}
}

static void end_open(tlua_http *http)
{
	for (tlua_thing *at = http->open.next; at != &http->open; at = at->next) {
		if (at->kind == TLUA_CALL)
			tlua__call_cancel(at);
		else
			tlua__server_stop(at);
	}
}

static void free_http(tlua_http *http)
{
	if (http->transport)
		http->transport->free(http->transport);
	tl_loop_free(http->loop);
	free(http);
}

/* In a forked child it does not turn: all of it is the parent's. */
static void close_http(tlua_http *http)
{
	http->closing = true;
	forget_told(http);
	end_open(http);
	while (!tlua__thing_alone(&http->open))
		if (tl_loop_turn(http->loop, true) != TL_OK)
			return;
	forget_told(http);
	free_http(http);
}

static int open_http(const tl_http_options *options, tlua_http **out)
{
	tlua_http *http = calloc(1, sizeof *http);
	int rc;

	if (!http)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a transport");
	tlua__thing_init(&http->open, TLUA_CALL);
	tlua__thing_init(&http->told, TLUA_CALL);
	rc = tl_loop_new(&http->loop);
	if (rc == TL_OK)
		rc = tl_http_new(&http->transport, http->loop, options);
	if (rc == TL_OK)
		*out = http;
	else
		free_http(http);
	return rc;
}

/* http([{ tls =, ca =, proxy = }]) */
static int transport_http(lua_State *L)
{
	static const char *const names[] = {"tls", "ca", "proxy", NULL};
	tl_http_options options = TL_HTTP_OPTIONS_INIT;
	tlua_http *http = NULL;
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
	handle = tlua_new_handle(L, TLUA_HTTP_TYPE);
	rc = open_http(&options, &http);
	return tlua_opened(L, handle, rc, http);
}

static int http_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_HTTP_TYPE);
	tlua_http *http = *handle;

	*handle = NULL;
	if (http)
		close_http(http);
	return 0;
}

/* --- its turns -------------------------------------------------------------------------------- */

static int http_fd(lua_State *L)
{
	lua_pushinteger(
		L, tl_loop_fd(((tlua_http *)tlua_check_handle(L, 1, TLUA_HTTP_TYPE))->loop));
	return 1;
}

/* due() -> in how many milliseconds it wants a turn, beside when its descriptor is readable: -1 is
 * never, nil that nothing is under way, or not here but in the parent of this process */
static int http_due(lua_State *L)
{
	const tlua_http *http = tlua_check_handle(L, 1, TLUA_HTTP_TYPE);
	bool told = !tlua__thing_alone(&http->told);
	int ms;

	if ((!told && tlua__thing_alone(&http->open)) || tl_loop_timeout(http->loop, &ms) != TL_OK)
		return 0;
	lua_pushinteger(L, told ? 0 : ms);
	return 1;
}

static bool is_due(const tlua_http *http)
{
	struct pollfd fd = {tl_loop_fd(http->loop), POLLIN, 0};
	int ms;

	return tl_loop_timeout(http->loop, &ms) == TL_OK && (ms == 0 || poll(&fd, 1, 0) > 0);
}

/* Turns until there is something to tell, or nothing to do; then luv's loop gets its turn. */
static int http_turn(lua_State *L)
{
	tlua_http *http = tlua_check_handle(L, 1, TLUA_HTTP_TYPE);
	int rc, left = MOST_TURNS;

	do
		rc = tl_loop_turn(http->loop, false);
	while (rc == TL_OK && tlua__thing_alone(&http->told) && --left > 0 && is_due(http));
	return tlua_ok(L, rc);
}

/* next() -> the address of a call that is done or of a server; with a request of its, or it has
 * stopped. Nothing when there is nothing to tell. */
static int http_next(lua_State *L)
{
	const tlua_http *http = tlua_check_handle(L, 1, TLUA_HTTP_TYPE);
	tlua_thing *thing = http->told.next;

	if (thing == &http->told)
		return 0;
	if (thing->kind == TLUA_REQUEST)
		return tlua__request_push(L, thing);
	tlua__thing_move(thing, NULL);
	lua_pushlightuserdata(L, thing);
	return 1;
}

int luaopen_tidelock_transport_core(lua_State *L)
{
	static const luaL_Reg methods[] = {{"close", http_drop}, {"fd", http_fd}, {"due", http_due},
		{"turn", http_turn}, {"next", http_next}, {"start", tlua__http_start},
		{"listen", tlua__http_listen}, {NULL, NULL}};
	static const luaL_Reg functions[] = {{"http", transport_http}, {NULL, NULL}};

	tlua_new_type(L, TLUA_HTTP_TYPE, methods, http_drop);
	tlua__call_type(L);
	tlua__server_types(L);
	luaL_newlib(L, functions);
	return 1;
}
