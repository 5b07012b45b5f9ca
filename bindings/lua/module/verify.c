/* db:verify and node:verify. */
#include "module/core.h"

struct finding {
	const tl_id *db, *entry;
	tl_str sentence;
};

static void set_id(lua_State *L, const char *name, const tl_id *id)
{
	if (!id)
		return;
	tlua_push_id(L, id);
	lua_setfield(L, -2, name);
}

static int push_finding(lua_State *L)
{
	const struct finding *finding = tlua_walk_item(L);

	lua_createtable(L, 0, 3);
	set_id(L, "db", finding->db);
	set_id(L, "entry", finding->entry);
	lua_pushlstring(L, finding->sentence.ptr, finding->sentence.len);
	lua_setfield(L, -2, "text");
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

/* A walk over findings, with the function `progress` at this place of the stack (0: none). */
typedef struct verifying {
	tlua_walk walk;
	int progress;
} verifying;

static void note_finding(void *ud, const tl_id *db, const tl_id *entry, tl_str sentence)
{
	struct finding finding = {db, entry, sentence};
	verifying *v = ud;

	if (!v->walk.raised)
		(void)tlua_walk_step(&v->walk, &finding);
}

/* What was raised ends the check, as false does, and is raised again when the library returned. */
static bool ask_progress(void *ud, uint64_t done, uint64_t total)
{
	verifying *v = ud;
	lua_State *L = v->walk.L;
	bool go_on;

	if (v->walk.raised)
		return false;
	lua_pushvalue(L, v->progress);
	lua_pushinteger(L, (lua_Integer)done);
	lua_pushinteger(L, (lua_Integer)total);
	if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
		v->walk.raised = true;
		return false;
	}
	go_on = !lua_isboolean(L, -1) || lua_toboolean(L, -1);
	lua_pop(L, 1);
	return go_on;
}

/* The argument is an option table with `progress` or nothing. */
static void check_options(lua_State *L, int arg, verifying *v)
{
	static const char *const names[] = {"progress", NULL};

	v->progress = 0;
	if (lua_isnoneornil(L, arg))
		return;
	tlua_check_options(L, arg, names);
	if (lua_getfield(L, arg, "progress") == LUA_TNIL)
		return;
	if (!lua_isfunction(L, -1))
		luaL_error(L, "`progress` must be of type function, not %s", luaL_typename(L, -1));
	v->progress = lua_gettop(L);
}

static tl_verify_options begin(lua_State *L, verifying *v)
{
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;

	check_options(L, 2, v);
	tlua_walk_begin(L, &v->walk, push_finding);
	options.finding = note_finding;
	options.progress = v->progress ? ask_progress : NULL;
	options.ud = v;
	return options;
}

static void set_count(lua_State *L, const char *name, uint64_t count)
{
	lua_pushinteger(L, (lua_Integer)count);
	lua_setfield(L, -2, name);
}

/* findings, counts; or nil, error */
static int end(lua_State *L, verifying *v, int rc, const tl_verify_result *result)
{
	int results = tlua_walk_end(L, &v->walk, rc);

	if (rc != TL_OK)
		return results;
	lua_createtable(L, 0, 3);
	set_count(L, "entries", result->entries);
	set_count(L, "pending", result->pending);
	set_count(L, "quarantined", result->quarantined);
	return results + 1;
}

int tlua_database_verify(lua_State *L)
{
	tl_database *db = tlua_check_handle(L, 1, TLUA_DATABASE);
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	verifying v;
	tl_verify_options options = begin(L, &v);

	return end(L, &v, tl_database_verify(db, &options, &result), &result);
}

int tlua_node_verify(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	verifying v;
	tl_verify_options options = begin(L, &v);

	return end(L, &v, tl_node_verify(node, &options, &result), &result);
}
