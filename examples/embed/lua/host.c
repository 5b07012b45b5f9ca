/* A host in C that gives its node to its scripts: host [SCRIPT].
 *
 * The script finds the node in the global `node`; without one, a few lines of ours are run. Build
 * it with `cc host.c $(pkg-config --cflags --libs tidelock-lua lua5.4)`. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <tidelock/lua.h>
#include <tidelock/tidelock.h>

static const char our_script[] =
	"local db = assert(node:new_database({ name = 'notes' }, 'notes'))\n"
	"assert(db:transact(function(tx) tx:doc 'data':set('message', 'Hello from Lua!') end))\n";

static tl_str text(const char *zero_terminated)
{
	return (tl_str){zero_terminated, strlen(zero_terminated)};
}

/* What the script wrote, read by the host. */
static int show_message(tl_node *node)
{
	tl_database *db = NULL;
	tl_doc_store *data = NULL;
	char *message = NULL;
	int rc = tl_node_find_database(node, "notes", &db);

	if (rc == TL_OK)
		rc = tl_database_doc_store(db, text("data"), &data);
	if (rc == TL_OK)
		rc = tl_doc_store_get_string(data, text("message"), &message, NULL);
	if (rc == TL_OK)
		printf("%s\n", message);
	else
		fprintf(stderr, "host: %s\n", tl_error_message(tl_last_error()));
	tl_free(message);
	tl_doc_store_free(data);
	tl_database_free(db);
	return rc;
}

/* (node, file or NULL): everything here may raise. */
static int run_script(lua_State *L)
{
	tl_node *node = lua_touserdata(L, 1);
	const char *file = lua_touserdata(L, 2);

	luaL_openlibs(L);
	tlua_push_node(L, node);
	lua_setglobal(L, "node");
	if ((file ? luaL_loadfile(L, file) : luaL_loadstring(L, our_script)) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

static int run(tl_node *node, const char *file)
{
	lua_State *L = luaL_newstate();
	int status;

	if (!L)
		return LUA_ERRMEM;
	lua_pushcfunction(L, run_script);
	lua_pushlightuserdata(L, node);
	lua_pushlightuserdata(L, (void *)file);
	status = lua_pcall(L, 2, 0, 0);
	if (status != LUA_OK)
		fprintf(stderr, "host: %s\n", luaL_tolstring(L, -1, NULL));
	lua_close(L); /* the node stays open: it is ours */
	return status;
}

int main(int argc, char **argv)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;
	int failed = tl_node_open(&node, &config) != TL_OK ||
		     tl_node_add_private_key(node, "notes", NULL, NULL) != TL_OK;

	if (failed)
		fprintf(stderr, "host: %s\n", tl_error_message(tl_last_error()));
	else
		failed = run(node, argc > 1 ? argv[1] : NULL) != LUA_OK ||
			 show_message(node) != TL_OK;
	tl_node_close(node);
	return failed;
}
