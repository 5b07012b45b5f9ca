/* One node, a host and its Lua state: who closes, who waits, and that there is one library. Run by
 * spec/examples/embed_lua. */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tidelock/lua.h>
#include <tidelock/tidelock.h>

static atomic_uint passed, failed;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (condition) {                                                                   \
			passed++;                                                                  \
		} else {                                                                           \
			failed++;                                                                  \
			printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,                 \
				tl_error_message(tl_last_error()));                                \
		}                                                                                  \
	} while (0)

/* Whether the chunk ran, and returned true. */
static bool lua(lua_State *L, const char *chunk)
{
	bool good = luaL_dostring(L, chunk) == LUA_OK && lua_toboolean(L, -1);

	if (!good)
		printf("%s\n", luaL_tolstring(L, -1, NULL));
	lua_settop(L, 0);
	return good;
}

static tl_node *open_node(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	CHECK(tl_node_open(&node, &config) == TL_OK);
	CHECK(tl_node_add_private_key(node, "k", NULL, NULL) == TL_OK);
	return node;
}

static lua_State *open_lua(tl_node *node)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	CHECK(tlua_push_node(L, node) == TL_OK && lua_gettop(L) == 1);
	lua_setglobal(L, "node");
	return L;
}

static bool is_open(tl_node *node)
{
	char key[TL_KEY_TEXT_LEN + 1];

	return tl_node_device_key(node, key) == TL_OK;
}

/* Mapped files of the library in this process. */
static unsigned copies(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024], seen[1024] = "";
	unsigned count = 0;

	while (maps && fgets(line, sizeof line, maps)) {
		const char *path = strchr(line, '/');

		if (path && strstr(path, "libtidelock") && strcmp(path, seen) != 0) {
			count++;
			snprintf(seen, sizeof seen, "%s", path);
		}
	}
	if (maps)
		fclose(maps);
	return count;
}

static void scripts_and_host_share_it(void)
{
	tl_node *node = open_node();
	lua_State *L = open_lua(node);
	tl_database *db = NULL;

	CHECK(lua(L, "return require('tidelock').open and node:device_key() ~= nil"));
	CHECK(lua(L, "db = assert(node:new_database({ name = 'n' }, 'k')); return true"));
	CHECK(tl_node_find_database(node, "n", &db) == TL_OK);
	tl_database_free(db);
	tlua_push_node(L, node);
	lua_setglobal(L, "again");
	CHECK(lua(L, "return rawequal(node, again)"));
	CHECK(lua(L, "return debug.getregistry()['tidelock.node'] == getmetatable(node)"));
	CHECK(copies() == 1);
	lua_close(L);
	CHECK(is_open(node));
	tl_node_close(node);
}

static void lua_never_closes_it(void)
{
	tl_node *node = open_node();
	lua_State *L = open_lua(node);

	CHECK(lua(L, "node:close(); return not pcall(node.device_key, node)"));
	CHECK(is_open(node));
	tlua_push_node(L, node); /* a handle that can be used again */
	lua_setglobal(L, "node");
	CHECK(lua(L, "return node:device_key() ~= nil"));
	CHECK(lua(L, "do local scoped <close> = node end; return true"));
	CHECK(lua(L, "node = nil; collectgarbage(); collectgarbage(); return true"));
	CHECK(is_open(node));
	lua_close(L);
	CHECK(is_open(node));
	tl_node_close(node);
}

static void the_host_closes_it_under_scripts(void)
{
	tl_node *node = open_node();
	lua_State *L = open_lua(node);
	tl_node *other;

	CHECK(lua(L, "db = assert(node:new_database({ name = 'n' }, 'k')); return true"));
	tl_node_close(node);
	other = open_node(); /* nothing of it is taken for the first */
	CHECK(lua(L, "local _, err = node:device_key(); return err.code == 'closed'"));
	CHECK(lua(L, "local _, err = db:get_tips(); return err.code == 'closed'"));
	CHECK(lua(L, "local _, err = node:sync():flush '1s'; return err.code == 'closed'"));
	lua_close(L);
	CHECK(is_open(other));
	tl_node_close(other);
}

static void *close_soon(void *node)
{
	const struct timespec while_they_wait = {0, 50000000};

	nanosleep(&while_they_wait, NULL);
	tl_node_close(node);
	return NULL;
}

/* Whoever waits is woken, and whoever reads has read all. */
static void the_host_closes_it_while_scripts_wait(void)
{
	static const char *const scripts[] = {
		"for _ in node:events() do end; return true",
		"return select('#', tl.task(function() for _ in node:events() do end end):wait()) "
		"== 0",
		"node:on('entry_committed', print); tl.run(); return true",
		"local step = node:events(); tl.sleep '200ms'; return step() == nil",
		"node:next_event(); tl.sleep '200ms'; local event, err = node:next_event(); return "
		"not event",
		"repeat local ok, err = node:sync():flush '1s' until not ok; return true",
	};

	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		tl_node *node = open_node();
		lua_State *L = open_lua(node);
		pthread_t closer;

		CHECK(lua(L, "tl = require 'tidelock'; return true"));
		if (pthread_create(&closer, NULL, close_soon, node) != 0)
			abort();
		CHECK(lua(L, scripts[i]));
		pthread_join(closer, NULL);
		CHECK(lua(L, "local ok, err = pcall(node.events, node); return not ok and err.code "
			     "== 'closed'"));
		CHECK(lua(L,
			"local stop, err = node:on('entry_committed', print); return not stop and "
			"err.code == 'closed'"));
		lua_close(L);
	}
}

static void *keep_dispatching(void *node)
{
	CHECK(tl_node_run(node) == TL_OK);
	return NULL;
}

/* Whoever dispatches, the script that waits is woken. */
static void a_script_waits_while_the_host_dispatches(void)
{
	tl_node *node = open_node();
	lua_State *L = open_lua(node);
	pthread_t threads[3];

	for (size_t i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, keep_dispatching, node) != 0)
			abort();
	CHECK(lua(L, "local sync = node:sync()\n"
		     "for i = 1, 200 do assert(sync:flush '10s') end\n"
		     "return true"));
	CHECK(lua(L, "local tl = require 'tidelock'\n"
		     "local task = tl.task(function() return assert(node:sync():flush '10s') end)\n"
		     "task:wait(); return true"));
	tl_node_close(node);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	lua_close(L);
}

static void nothing_is_refused(void)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	CHECK(tlua_push_node(L, NULL) == TL_E_BAD_ARGUMENT && lua_isnil(L, -1));
	lua_close(L);
}

int main(void)
{
	scripts_and_host_share_it();
	lua_never_closes_it();
	the_host_closes_it_under_scripts();
	the_host_closes_it_while_scripts_wait();
	a_script_waits_while_the_host_dispatches();
	nothing_is_refused();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
