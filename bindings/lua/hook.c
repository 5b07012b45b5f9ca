#include <pthread.h>
#include <stdlib.h>
#include "hook.h"

/* Where a hook's functions live. Hooks may be dropped by another thread than the one that runs the
 * state (an engine that closes), so the registry slot is given back at the next call or with the
 * state itself. */
struct lua_hook {
	lua_State *L; /* main thread of the state */
	pthread_t thread;
	int functions; /* registry reference */
};

static void push_context(lua_State *L, const tl_hook_context *context)
{
	lua_createtable(L, 0, 7);
	tlua_push_entry(L, context->entry);
	lua_setfield(L, -2, "entry");
	tlua_push_id(L, context->tree_id);
	lua_setfield(L, -2, "tree_id");
	lua_pushboolean(L, context->is_root_entry);
	lua_setfield(L, -2, "is_root_entry");
	lua_pushinteger(L, (lua_Integer)context->entry_bytes);
	lua_setfield(L, -2, "size");
	lua_pushlstring(L, context->author.ptr, context->author.len);
	lua_setfield(L, -2, "author");
	lua_createtable(L, (int)context->store_count, 0);
	for (size_t i = 0; i < context->store_count; i++) {
		lua_pushlstring(L, context->stores[i].ptr, context->stores[i].len);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "stores");
}

/* (hook, context, moment) -> what the function said */
static int call_moment(lua_State *L)
{
	const struct lua_hook *hook = lua_touserdata(L, 1);
	const tl_hook_context *context = lua_touserdata(L, 2);

	lua_rawgeti(L, LUA_REGISTRYINDEX, hook->functions);
	if (lua_getfield(L, -1, lua_touserdata(L, 3)) == LUA_TNIL) {
		lua_pushboolean(L, true);
		return 1;
	}
	push_context(L, context);
	lua_call(L, 1, 2);
	return 2;
}

static int push_text(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

/* Turns the error value on top of the stack into the last error. What it says of itself may raise,
 * which must not pass through the library. */
static int set_error(lua_State *L, int code)
{
	lua_pushcfunction(L, push_text);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK)
		return tl_error_set(code, lua_tostring(L, -1));
	return tl_error_set(code, "the hook raised an object that cannot be shown");
}

/* The moment's function refuses by raising, or by returning nil or false and a reason. */
static int run(const struct lua_hook *hook, const tl_hook_context *context, const char *moment,
	bool may_refuse)
{
	lua_State *L = hook->L;
	int top, rc = TL_OK;

	if (!pthread_equal(hook->thread, pthread_self()))
		return TL_OK; /* not a commit of this state */
	top = lua_gettop(L);
	if (!lua_checkstack(L, 8))
		return tl_error_set(TL_E_NOMEM, "no room on the Lua stack for a hook");
	lua_pushcfunction(L, call_moment);
	lua_pushlightuserdata(L, (void *)(uintptr_t)hook);
	lua_pushlightuserdata(L, (void *)(uintptr_t)context);
	lua_pushlightuserdata(L, (void *)(uintptr_t)moment);
	/* The reason, or what was raised, is on top either way. */
	if (lua_pcall(L, 3, 2, 0) != LUA_OK ||
		(may_refuse && !lua_toboolean(L, -2) && !lua_isnil(L, -1)))
		rc = set_error(L, TL_E_HOOK_FAILED);
	lua_settop(L, top);
	return rc;
}

static int before_commit(void *ud, const tl_hook_context *context)
{
	return run(ud, context, "before_commit", true);
}

static int on_entry_committed(void *ud, const tl_hook_context *context)
{
	return run(ud, context, "on_entry_committed", false);
}

static void drop(void *ud)
{
	struct lua_hook *hook = ud;

	if (pthread_equal(hook->thread, pthread_self()))
		luaL_unref(hook->L, LUA_REGISTRYINDEX, hook->functions);
	free(hook);
}

static void check_functions(lua_State *L, int arg)
{
	static const char *const moments[] = {"before_commit", "on_entry_committed", NULL};

	luaL_checktype(L, arg, LUA_TTABLE);
	tlua_check_options(L, arg, moments);
	lua_pushnil(L);
	while (lua_next(L, arg)) {
		if (!lua_isfunction(L, -1))
			luaL_argerror(L, arg, "the moments of a hook are functions");
		lua_pop(L, 1);
	}
}

tl_hook tlua_check_hook(lua_State *L, int arg)
{
	struct lua_hook *hook;
	int functions;

	check_functions(L, arg);
	lua_pushvalue(L, arg);
	functions = luaL_ref(L, LUA_REGISTRYINDEX);
	hook = malloc(sizeof *hook);
	if (!hook) {
		luaL_unref(L, LUA_REGISTRYINDEX, functions);
		luaL_error(L, "not enough memory");
		return (tl_hook)TL_HOOK_INIT; /* not reached: luaL_error raises */
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	*hook = (struct lua_hook){lua_tothread(L, -1), pthread_self(), functions};
	lua_pop(L, 1);
	return (tl_hook){sizeof(tl_hook), before_commit, on_entry_committed, drop, hook};
}
