/* Asking the process that has a data directory open. */
#include <string.h>
#include "module/core.h"

typedef struct telling {
	lua_State *L;
	int fn; /* index of progress */
	bool raised;
} telling;

/* Protected: a raise may not pass through the library. The error stays on the stack. */
static bool tell(void *ud, uint64_t done, uint64_t total)
{
	telling *t = ud;
	lua_State *L = t->L;

	lua_pushvalue(L, t->fn);
	lua_pushinteger(L, (lua_Integer)done);
	lua_pushinteger(L, (lua_Integer)total);
	t->raised = lua_pcall(L, 2, 0, 0) != LUA_OK;
	return !t->raised;
}

static int option_descriptor(lua_State *L, const char *name)
{
	int fd;

	if (!tlua_option(L, 3, name))
		return -1;
	fd = (int)luaL_checkinteger(L, -1);
	lua_pop(L, 1);
	return fd;
}

int tlua_control(lua_State *L)
{
	static const char *const names[] = {"timeout", "cancel_fd", "input_fd", "progress", NULL};
	const char *path, *request;
	tl_control_options options = TL_CONTROL_OPTIONS_INIT;
	telling t = {.L = L};
	char *result = NULL;
	uint64_t timeout;
	int rc;

	if (!tlua_read_text(L, 1, &path) || !tlua_read_text(L, 2, &request))
		return tlua_fail(L);
	lua_settop(L, 3);
	tlua_check_options(L, 3, names);
	timeout = tlua_option_duration(L, 3, "timeout", 0);
	options.timeout_ms = timeout < TL_NEVER ? (uint32_t)timeout : TL_NEVER;
	options.cancel_fd = option_descriptor(L, "cancel_fd");
	options.input_fd = option_descriptor(L, "input_fd");
	if (tlua_option(L, 3, "progress")) {
		t.fn = lua_gettop(L);
		options.progress = tell;
		options.ud = &t;
	}
	luaL_checkstack(L, 8, "control");
	rc = tl_control_call_with(path, request, &options, &result);
	if (t.raised)
		return lua_error(L);
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, result, strlen(result));
	return 1;
}
