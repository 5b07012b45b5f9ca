/* Memory runs out in the Lua binding: at every allocation of the Lua state in turn, at every
 * allocation of the core, and under a limit. Errors are errors, nothing crashes, handles close, and
 * the same state goes on afterwards. What is done meanwhile: spec/lua/memory_scenarios.lua. */
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <unistd.h>
#include "module/lib.h"
#include "base/mem.h"
#include "check.h"

#define SCENARIOS "spec/lua/memory_scenarios.lua"
/* A prepared node grows with what is done on it. */
#define FRESH_EVERY 20
#define N_MAX       20000 /* a scenario that still fails there goes on for ever */

/* --- an allocator that fails ------------------------------------------------------------------ */

typedef struct control {
	size_t used, limit;  /* bytes; limit 0: none */
	size_t count, fails; /* growing requests since arming; the first that fails, 0: none */
	bool lasting;        /* from there on all fail */
	bool fired;
} control;

/* Lua collects its garbage when a request fails and asks once more: both must fail. */
static bool fails_now(control *c, size_t growth)
{
	if (c->limit > 0 && c->used + growth > c->limit)
		return true;
	if (c->fails == 0 || ++c->count < c->fails || (!c->lasting && c->count > c->fails + 1))
		return false;
	c->fired = true;
	return true;
}

static void *allocate(void *ud, void *old, size_t old_size, size_t size)
{
	control *c = ud;
	size_t before = old ? old_size : 0;
	void *block;

	if (size == 0) {
		free(old);
		c->used -= before;
		return NULL;
	}
	if (size > before && fails_now(c, size - before))
		return NULL;
	block = realloc(old, size);
	if (block)
		c->used += size - before;
	return block;
}

static void arm(control *c, size_t n, bool lasting)
{
	c->count = 0;
	c->fails = n;
	c->lasting = lasting;
	c->fired = false;
}

/* --- hanging ---------------------------------------------------------------------------------- */

static void on_alarm(int number)
{
	static const char text[] = "a scenario does not end\n0 passed, 1 failed\n";

	_exit(write(STDOUT_FILENO, text, sizeof text - 1) > 0 ? number : 70);
}

/* --- a state ---------------------------------------------------------------------------------- */

static int open_all(lua_State *L)
{
	luaL_openlibs(L);
	luaL_requiref(L, "tidelock", luaopen_tidelock, false);
	lua_pop(L, 1);
	if (luaL_dofile(L, SCENARIOS) != LUA_OK)
		return lua_error(L);
	lua_setglobal(L, "scenarios");
	return 0;
}

static const char *text_of(lua_State *L)
{
	const char *text = luaL_tolstring(L, -1, NULL);

	lua_pop(L, 1);
	return text; /* of the value below, or kept by the state: for printing at once */
}

static lua_State *new_state(control *c)
{
	lua_State *L;

	*c = (control){0};
	L = lua_newstate(allocate, c);
	if (!L)
		return NULL;
	lua_pushcfunction(L, open_all);
	if (lua_pcall(L, 0, 0, 0) == LUA_OK)
		return L;
	printf("%s\n", text_of(L));
	lua_close(L);
	return NULL;
}

/* scenarios[index][name](the context below the top): the context, or what it returns, stays. */
static int call(lua_State *L, lua_Integer index, const char *name, int results)
{
	lua_getglobal(L, "scenarios");
	lua_geti(L, -1, index);
	lua_getfield(L, -1, name);
	lua_pushvalue(L, 1);
	lua_remove(L, -3);
	lua_remove(L, -3);
	return lua_pcall(L, 1, results, 0);
}

static bool must(lua_State *L, lua_Integer index, const char *name, int results)
{
	if (call(L, index, name, results) == LUA_OK)
		return true;
	printf("scenario %d, %s: %s\n", (int)index, name, text_of(L));
	FAIL_CASE("what ran without a failing allocation failed");
	return false;
}

/* What was raised speaks of memory. */
static void judge(lua_State *L, lua_Integer index, size_t n)
{
	const char *text = text_of(L);

	if (strstr(text, "memory"))
		return;
	printf("scenario %d at %zu: %s\n", (int)index, n, text);
	FAIL_CASE("an error that is no word about memory");
}

/* --- sweeps ----------------------------------------------------------------------------------- */

typedef enum failing { LUA_ONCE, LUA_LASTING, CORE } failing;

static bool disarm(control *c, failing how)
{
	bool fired = how == CORE ? tl__alloc_fail_at(0) : c->fired;

	arm(c, 0, false);
	return fired;
}

/* Runs the scenario with its n-th allocation failing; whether one failed. */
static bool run_at(lua_State *L, control *c, lua_Integer index, failing how, size_t n)
{
	int rc, top = lua_gettop(L);
	bool fired;

	lua_getglobal(L, "scenarios");
	lua_geti(L, -1, index);
	lua_getfield(L, -1, "run");
	lua_pushvalue(L, 1);
	lua_gc(L, LUA_GCCOLLECT);
	if (how == CORE)
		tl__alloc_fail_at(n);
	else
		arm(c, n, how == LUA_LASTING);
	alarm(60);
	rc = lua_pcall(L, 1, 1, 0);
	alarm(0);
	fired = disarm(c, how);
	if (rc != LUA_OK) {
		if (fired)
			judge(L, index, n);
		else {
			printf("scenario %d: %s\n", (int)index, text_of(L));
			FAIL_CASE("a scenario fails by itself");
		}
	}
	lua_settop(L, top);
	return fired;
}

static bool has_luv(lua_State *L, lua_Integer index)
{
	bool luv;

	lua_getglobal(L, "scenarios");
	lua_geti(L, -1, index);
	luv = lua_getfield(L, -1, "luv") == LUA_TBOOLEAN;
	lua_settop(L, 0);
	return luv;
}

static bool prepare(lua_State *L, lua_Integer index)
{
	lua_settop(L, 0);
	lua_pushnil(L);
	if (!must(L, index, "prepare", 1))
		return false;
	lua_replace(L, 1);
	lua_settop(L, 1);
	return true;
}

static bool finish(lua_State *L, lua_Integer index)
{
	bool good = must(L, index, "finish", 0);

	lua_settop(L, 0);
	lua_gc(L, LUA_GCCOLLECT);
	lua_gc(L, LUA_GCCOLLECT);
	return good;
}

/* Returns how many allocations failed. */
static size_t sweep_one(lua_State *L, control *c, lua_Integer index, failing how)
{
	bool fired = true;
	size_t n = 0;

	while (fired && n < N_MAX && spec_case_ok) {
		if (n % FRESH_EVERY == 0 && ((n > 0 && !finish(L, index)) || !prepare(L, index)))
			return n;
		fired = run_at(L, c, index, how, ++n);
	}
	CHECK(n < N_MAX);
	(void)finish(L, index);
	return n - 1;
}

static void sweep(failing how)
{
	control c;
	lua_State *L = new_state(&c);
	lua_Integer count;
	size_t failed = 0;

	REQUIRE(L != NULL);
	lua_getglobal(L, "scenarios");
	count = luaL_len(L, -1);
	lua_settop(L, 0);
	for (lua_Integer index = 1; index <= count && spec_case_ok; index++)
		if (how == CORE || !has_luv(L, index))
			failed += sweep_one(L, &c, index, how);
	printf("%zu allocations failed\n", failed);
	CHECK(failed > 300);
	lua_close(L);
	CHECK(c.used == 0);
}

static void the_state_has_no_memory_for_one_request(void)
{
	sweep(LUA_ONCE);
}

static void the_state_has_no_memory_from_one_request_on(void)
{
	sweep(LUA_LASTING);
}

static void the_core_has_no_memory_for_one_request(void)
{
	sweep(CORE);
}

/* Loading the modules takes many thousand requests: every 61st, a different set each time over. */
static void modules_are_loaded_without_memory(void)
{
	control c;
	size_t n = 1;
	bool fired = true;

	for (; fired && n < 200000 && spec_case_ok; n += 61) {
		lua_State *L;

		c = (control){0};
		L = lua_newstate(allocate, &c);
		REQUIRE(L != NULL);
		arm(&c, n, false);
		lua_pushcfunction(L, open_all);
		if (lua_pcall(L, 0, 0, 0) != LUA_OK)
			judge(L, 0, n);
		fired = c.fired;
		arm(&c, 0, false);
		/* The same state once more, with what was half loaded. */
		lua_settop(L, 0);
		lua_pushcfunction(L, open_all);
		CHECK(lua_pcall(L, 0, 0, 0) == LUA_OK);
		lua_close(L);
		CHECK(c.used == 0);
	}
	CHECK(!fired && n > 1000);
}

/* --- a limit ---------------------------------------------------------------------------------- */

/* What takes more than a mebibyte fails, and works once there is room. */
static void a_limit_is_met_and_lifted(void)
{
	control c;
	lua_State *L = new_state(&c);
	lua_Integer count;

	REQUIRE(L != NULL);
	luaL_loadstring(L, "return scenarios.large");
	REQUIRE(lua_pcall(L, 0, 1, 0) == LUA_OK);
	lua_setglobal(L, "scenarios");
	lua_getglobal(L, "scenarios");
	count = luaL_len(L, -1);
	CHECK(count >= 3);
	for (lua_Integer index = 1; index <= count && spec_case_ok; index++) {
		if (!prepare(L, index))
			break;
		for (int round = 0; round < 3; round++) {
			int rc;

			lua_gc(L, LUA_GCCOLLECT);
			c.limit = c.used + (1 << 20);
			rc = call(L, index, "run", 0);
			c.limit = 0;
			CHECK(rc == LUA_ERRMEM || rc == LUA_ERRRUN);
			if (rc != LUA_OK)
				judge(L, index, 0);
			lua_settop(L, 1);
			CHECK(must(L, index, "run", 0));
			lua_settop(L, 1);
		}
		(void)finish(L, index);
	}
	lua_close(L);
	CHECK(c.used == 0);
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	RUN(the_state_has_no_memory_for_one_request);
	RUN(the_state_has_no_memory_from_one_request_on);
	RUN(the_core_has_no_memory_for_one_request);
	RUN(modules_are_loaded_without_memory);
	RUN(a_limit_is_met_and_lifted);
	return spec_end();
}
