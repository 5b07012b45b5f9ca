#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "module/hook.h"

#define HOME_TYPE "tidelock.hook_home"

/* The state that hooks live in. A node may outlive it: then its hooks are over. */
struct home {
	atomic_uint owners;     /* the state and each of its hooks */
	_Atomic(lua_State *) L; /* main thread of the state; NULL once that is closed */
};

/* Hooks may be dropped by another thread than the one that runs the state (an engine that closes);
 * then the registry slot is given back with the state itself. */
struct lua_hook {
	struct home *home;
	pthread_t thread;
	int functions; /* registry reference */
};

/* --- the state -------------------------------------------------------------------------------- */

static void release_home(struct home *home)
{
	if (atomic_fetch_sub(&home->owners, 1) == 1)
		free(home);
}

static int close_home(lua_State *L)
{
	struct home **handle = lua_touserdata(L, 1);

	if (*handle) {
		atomic_store(&(*handle)->L, NULL);
		release_home(*handle);
	}
	*handle = NULL;
	return 0;
}

static const char home_key;

void tlua_open_hooks(lua_State *L)
{
	static const luaL_Reg functions[] = {{"__gc", close_home}, {NULL, NULL}};
	struct home **handle = lua_newuserdatauv(L, sizeof(void *), 0);

	*handle = NULL;
	tlua_push_metatable(L, HOME_TYPE, functions);
	lua_setmetatable(L, -2);
	*handle = calloc(1, sizeof **handle);
	if (!*handle)
		luaL_error(L, "not enough memory");
	atomic_init(&(*handle)->owners, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	atomic_init(&(*handle)->L, lua_tothread(L, -1));
	lua_pop(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
}

static struct home *home_of(lua_State *L)
{
	struct home **handle;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key);
	handle = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return *handle;
}

/* --- calls ------------------------------------------------------------------------------------ */

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

/* (hook, context, moment) -> true, or nil and the reason */
static int call_moment(lua_State *L)
{
	const struct lua_hook *hook = lua_touserdata(L, 1);
	const tl_hook_context *context = lua_touserdata(L, 2);

	lua_rawgeti(L, LUA_REGISTRYINDEX, hook->functions);
	lua_getfield(L, -1, lua_touserdata(L, 3));
	push_context(L, context);
	lua_call(L, 1, 2);
	return 2;
}

/* The text on top of the stack, whole: a zero byte in it is shown as a space. */
static int set_reason(lua_State *L)
{
	char reason[1024]; /* as much as an error tells */
	size_t len = 0;
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;

	if (!text)
		return tl_error_set(TL_E_HOOK_FAILED, "no reason given");
	len = len < sizeof reason ? len : sizeof reason - 1;
	memcpy(reason, text, len);
	for (size_t i = 0; i < len; i++)
		if (reason[i] == '\0')
			reason[i] = ' ';
	reason[len] = '\0';
	return tl_error_set(TL_E_HOOK_FAILED, reason);
}

static int run(const struct lua_hook *hook, const tl_hook_context *context, const char *moment)
{
	lua_State *L = atomic_load(&hook->home->L);
	int top, rc = TL_OK;

	if (!L)
		return TL_OK;
	top = lua_gettop(L);
	if (!lua_checkstack(L, 8))
		return tl_error_set(TL_E_NOMEM, "no room on the Lua stack for a hook");
	lua_pushcfunction(L, call_moment);
	lua_pushlightuserdata(L, (void *)(uintptr_t)hook);
	lua_pushlightuserdata(L, (void *)(uintptr_t)context);
	lua_pushlightuserdata(L, (void *)(uintptr_t)moment);
	/* The reason is on top either way, as a text: what the functions raise was caught by them.
	 */
	if (lua_pcall(L, 3, 2, 0) != LUA_OK || !lua_toboolean(L, -2))
		rc = set_reason(L);
	lua_settop(L, top);
	return rc;
}

static bool is_elsewhere(const struct lua_hook *hook)
{
	return !pthread_equal(hook->thread, pthread_self());
}

static int before_commit(void *ud, const tl_hook_context *context)
{
	if (is_elsewhere(ud))
		return tl_error_set(TL_E_HOOK_FAILED,
			"a Lua program has set a hook that must be asked about this commit, and it "
			"can "
			"only be asked on the thread of that program, not from the command line or "
			"another thread; let the program itself commit, or commit while it does "
			"not "
			"run");
	return run(ud, context, "before_commit");
}

static int on_entry_committed(void *ud, const tl_hook_context *context)
{
	if (is_elsewhere(ud))
		return tl_error_set(TL_E_HOOK_FAILED,
			"it is a hook of a Lua program and the commit was made on another thread, "
			"where "
			"it cannot be called; the event entry_committed tells of every commit");
	return run(ud, context, "on_entry_committed");
}

static void drop(void *ud)
{
	struct lua_hook *hook = ud;
	lua_State *L = atomic_load(&hook->home->L);

	if (L && !is_elsewhere(hook))
		luaL_unref(L, LUA_REGISTRYINDEX, hook->functions);
	release_home(hook->home);
	free(hook);
}

/* --- making ----------------------------------------------------------------------------------- */

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

/* Without the function there is no gate: commits of other threads pass. */
static bool has_moment(lua_State *L, int arg, const char *name)
{
	bool has = lua_getfield(L, arg, name) == LUA_TFUNCTION;

	lua_pop(L, 1);
	return has;
}

tl_hook tlua_check_hook(lua_State *L, int arg)
{
	tl_hook made = TL_HOOK_INIT;
	struct lua_hook *hook;
	int functions;

	check_functions(L, arg);
	made.drop = drop;
	made.before_commit = has_moment(L, arg, "before_commit") ? before_commit : NULL;
	made.on_entry_committed =
		has_moment(L, arg, "on_entry_committed") ? on_entry_committed : NULL;
	lua_pushvalue(L, arg);
	functions = luaL_ref(L, LUA_REGISTRYINDEX);
	hook = malloc(sizeof *hook);
	if (!hook) {
		luaL_unref(L, LUA_REGISTRYINDEX, functions);
		luaL_error(L, "not enough memory");
		return made; /* not reached: luaL_error raises */
	}
	*hook = (struct lua_hook){home_of(L), pthread_self(), functions};
	atomic_fetch_add(&hook->home->owners, 1);
	made.ud = hook;
	return made;
}
