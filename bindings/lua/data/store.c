/* tidelock.store: a backend by itself. */
#include <string.h>
#include "module/core.h"
#include "module/log.h"

#define STORE_TYPE "tidelock.store"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, STORE_TYPE);

	tl_store_close(*handle);
	*handle = NULL;
	return 0;
}

static tl_store *check(lua_State *L)
{
	return tlua_check_handle(L, 1, STORE_TYPE);
}

static void set_count(lua_State *L, const char *name, uint64_t count)
{
	lua_pushinteger(L, (lua_Integer)count);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, tl_str text)
{
	lua_pushlstring(L, text.ptr, text.len);
	lua_setfield(L, -2, name);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* open { path = } or open { memory = true } */
static int store_open(lua_State *L)
{
	static const char *const names[] = {"path", "memory", "durability", NULL};
	static const char *const durabilities[] = {"full", "relaxed", NULL};
	tl_store_config config = TL_STORE_CONFIG_INIT;
	void **handle;
	tl_store *store = NULL;
	int rc;

	luaL_checktype(L, 1, LUA_TTABLE);
	tlua_check_options(L, 1, names);
	if (!tlua_option_text(L, 1, "path", &config.path))
		return tlua_fail(L);
	config.relaxed = tlua_option_choice(L, 1, "durability", durabilities, 0) == 1;
	luaL_argcheck(L, (config.path != NULL) != tlua_option_bool(L, 1, "memory", false), 1,
		"give a path, or memory = true");
	config.log = tlua_log_sink;
	config.log_ud = tlua_log_of(L);
	config.log_level = tlua_log_level(L);
	handle = tlua_new_handle(L, STORE_TYPE);
	rc = tl_store_open(&store, &config);
	if (rc == TL_E_ALREADY_OPEN) {
		/* Handles that nobody can reach any more keep a store open; two rounds, since they
		 * may hold each other. */
		lua_gc(L, LUA_GCCOLLECT);
		lua_gc(L, LUA_GCCOLLECT);
		rc = tl_store_open(&store, &config);
	}
	return tlua_opened(L, handle, rc, store);
}

/* node:store() */
int tlua_node_store(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	void **handle = tlua_new_handle(L, STORE_TYPE);
	tl_store *store = NULL;
	int rc = tl_node_store(node, &store);

	return tlua_opened(L, handle, rc, store);
}

/* --- databases -------------------------------------------------------------------------------- */

static void push_database_fields(lua_State *L, const tl_store_database *database)
{
	lua_createtable(L, 0, 7);
	tlua_push_id(L, &database->id);
	lua_setfield(L, -2, "id");
	tlua_push_hex(L, database->chain, sizeof database->chain);
	lua_setfield(L, -2, "chain");
	set_count(L, "arrivals", database->arrivals);
	set_count(L, "void_entries", database->void_count);
	set_count(L, "void_bytes", database->void_bytes);
	set_count(L, "pending", database->pending);
	set_count(L, "quarantined", database->quarantined);
}

static int push_database(lua_State *L)
{
	push_database_fields(L, tlua_walk_item(L));
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_database(void *ud, const tl_store_database *database)
{
	return tlua_walk_step(ud, database);
}

static int store_databases(lua_State *L)
{
	tl_store *store = check(L);
	tlua_walk walk;

	tlua_walk_begin(L, &walk, push_database);
	return tlua_walk_end(L, &walk, tl_store_databases(store, visit_database, &walk));
}

static int store_database(lua_State *L)
{
	tl_store *store = check(L);
	tl_store_database database = TL_STORE_DATABASE_INIT;
	tl_id db;

	if (!tlua_read_id(L, 2, &db) || tl_store_find(store, &db, &database) != TL_OK)
		return tlua_fail(L);
	push_database_fields(L, &database);
	return 1;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void push_parents(lua_State *L, const tl_store_entry *entry)
{
	lua_createtable(L, (int)entry->parent_count, 0);
	for (size_t i = 0; i < entry->parent_count; i++) {
		tlua_push_id(L, &entry->parents[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static int push_entry(lua_State *L)
{
	const tl_store_entry *entry = tlua_walk_item(L);

	lua_createtable(L, 0, 8);
	tlua_push_id(L, &entry->id);
	lua_setfield(L, -2, "id");
	lua_pushstring(L, tl_store_verdict_name(entry->verdict));
	lua_setfield(L, -2, "verdict");
	set_text(L, "bytes", entry->bytes);
	if (entry->arrival > 0) {
		set_count(L, "arrival", entry->arrival);
		set_count(L, "height", entry->height);
		push_parents(L, entry);
		lua_setfield(L, -2, "parents");
	} else {
		set_text(L, "sender", entry->sender);
		lua_pushstring(L, tl_error_name(entry->reason));
		lua_setfield(L, -2, "reason");
	}
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_entry(void *ud, const tl_store_entry *entry)
{
	return tlua_walk_step(ud, entry);
}

/* entries(db, ids) -> those that are held */
static int store_entries(lua_State *L)
{
	tl_store *store = check(L);
	size_t count;
	const tl_id *ids;
	tlua_walk walk;
	tl_id db;

	if (!tlua_read_id(L, 2, &db) || !tlua_read_ids(L, 3, &ids, &count))
		return tlua_fail(L);
	tlua_walk_begin(L, &walk, push_entry);
	return tlua_walk_end(
		L, &walk, tl_store_entries(store, &db, ids, count, visit_entry, &walk));
}

static uint64_t opt_count(lua_State *L, int arg, lua_Integer otherwise)
{
	lua_Integer count = luaL_optinteger(L, arg, otherwise);

	luaL_argcheck(L, count >= 0, arg, "a number is not negative");
	return (uint64_t)count;
}

/* arrivals(db [, from [, to [, limit]]]): inclusive, ascending */
static int store_arrivals(lua_State *L)
{
	tl_store *store = check(L);
	uint64_t from = opt_count(L, 3, 1), to = opt_count(L, 4, LUA_MAXINTEGER);
	uint64_t limit = opt_count(L, 5, LUA_MAXINTEGER);
	tlua_walk walk;
	tl_id db;

	if (!tlua_read_id(L, 2, &db))
		return tlua_fail(L);
	tlua_walk_begin(L, &walk, push_entry);
	return tlua_walk_end(L, &walk,
		tl_store_arrivals(store, &db, from, to, (size_t)limit, visit_entry, &walk));
}

/* aside(db, "pending" or "invalid"): oldest first */
static int store_aside(lua_State *L)
{
	static const char *const names[] = {"invalid", "pending", NULL};
	static const tl_store_verdict verdicts[] = {TL_STORE_INVALID, TL_STORE_PENDING};
	tl_store *store = check(L);
	tl_store_verdict verdict = verdicts[tlua_check_choice(L, 3, NULL, names)];
	tlua_walk walk;
	tl_id db;

	if (!tlua_read_id(L, 2, &db))
		return tlua_fail(L);
	tlua_walk_begin(L, &walk, push_entry);
	return tlua_walk_end(L, &walk, tl_store_aside(store, &db, verdict, visit_entry, &walk));
}

/* tips(db [, store name]) */
static int store_tips(lua_State *L)
{
	tl_store *store = check(L);
	tl_str name = tlua_opt_str(L, 3);
	tlua_walk walk;
	tl_id db;

	if (!tlua_read_id(L, 2, &db))
		return tlua_fail(L);
	if (!name.ptr)
		name = (tl_str){"", 0};
	tlua_walk_ids(L, &walk);
	return tlua_walk_end(L, &walk, tl_store_tips(store, &db, name, tlua_visit_id, &walk));
}

static int store_names(lua_State *L)
{
	tl_store *store = check(L);
	tlua_walk walk;
	tl_id db;

	if (!tlua_read_id(L, 2, &db))
		return tlua_fail(L);
	tlua_walk_names(L, &walk);
	return tlua_walk_end(L, &walk, tl_store_names(store, &db, tlua_visit_name, &walk));
}

/* --- state ------------------------------------------------------------------------------------ */

static int push_row(lua_State *L)
{
	static const char *const kinds[] = {"doc", "list", "leaf"};
	const tl_store_state_row *row = tlua_walk_item(L);

	lua_createtable(L, 0, 5);
	lua_createtable(L, (int)row->part_count, 0);
	for (size_t i = 0; i < row->part_count; i++) {
		tlua_push_part(L, &row->parts[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "path");
	lua_pushstring(L, kinds[row->kind]);
	lua_setfield(L, -2, "kind");
	set_count(L, "height", row->height);
	tlua_push_id(L, &row->id);
	lua_setfield(L, -2, "id");
	if (row->kind == TL_STORE_LEAF)
		set_text(L, "value", row->value);
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_row(void *ud, const tl_store_state_row *row)
{
	return tlua_walk_step(ud, row);
}

/* state(db, store name [, prefix]) */
static int store_state(lua_State *L)
{
	tl_store *store = check(L);
	tl_str name = tlua_check_str(L, 3);
	size_t count;
	const tl_store_part *prefix = tlua_check_parts(L, 4, &count);
	tlua_walk walk;
	tl_id db;

	if (!tlua_read_id(L, 2, &db))
		return tlua_fail(L);
	tlua_walk_begin(L, &walk, push_row);
	return tlua_walk_end(
		L, &walk, tl_store_state(store, &db, name, prefix, count, visit_row, &walk));
}

/* --- local documents -------------------------------------------------------------------------- */

static int store_get(lua_State *L)
{
	char *value = NULL;
	size_t len = 0;

	if (tl_store_local_get(check(L), tlua_check_str(L, 2), &value, &len) != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, value, len);
	return 1;
}

static int store_put(lua_State *L)
{
	return tlua_ok(L, tl_store_local_put(check(L), tlua_check_str(L, 2), tlua_check_str(L, 3)));
}

static int store_remove(lua_State *L)
{
	return tlua_ok(L, tl_store_local_remove(check(L), tlua_check_str(L, 2)));
}

struct local {
	tl_str key, value;
};

static int push_local(lua_State *L)
{
	const struct local *local = tlua_walk_item(L);

	lua_createtable(L, 0, 2);
	set_text(L, "key", local->key);
	set_text(L, "value", local->value);
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_local(void *ud, tl_str key, tl_str value)
{
	const struct local local = {key, value};

	return tlua_walk_step(ud, &local);
}

/* list([prefix]) -> array of { key =, value = } */
static int store_list(lua_State *L)
{
	tl_store *store = check(L);
	tl_str prefix = tlua_opt_str(L, 2);
	tlua_walk walk;

	if (!prefix.ptr)
		prefix = (tl_str){"", 0};
	tlua_walk_begin(L, &walk, push_local);
	return tlua_walk_end(L, &walk, tl_store_locals(store, prefix, visit_local, &walk));
}

/* --- upkeep ----------------------------------------------------------------------------------- */

static void visit_finding(void *ud, tl_str sentence)
{
	tlua_walk *walk = ud;

	if (!walk->raised)
		tlua_visit_name(walk, sentence);
}

/* check() -> array of sentences, empty when all is well */
static int store_check(lua_State *L)
{
	tl_store *store = check(L);
	tlua_walk walk;

	tlua_walk_names(L, &walk);
	return tlua_walk_end(L, &walk, tl_store_check(store, visit_finding, NULL, &walk));
}

static int store_backup(lua_State *L)
{
	tl_store *store = check(L);
	const char *file;

	if (!tlua_read_text(L, 2, &file))
		return tlua_fail(L);
	return tlua_ok(L, tl_store_backup(store, file));
}

static const luaL_Reg methods[] = {{"close", drop}, {"databases", store_databases},
	{"database", store_database}, {"entries", store_entries}, {"arrivals", store_arrivals},
	{"aside", store_aside}, {"tips", store_tips}, {"names", store_names},
	{"state", store_state}, {"get", store_get}, {"put", store_put}, {"remove", store_remove},
	{"list", store_list}, {"check", store_check}, {"backup", store_backup}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"open", store_open}, {NULL, NULL}};

int luaopen_tidelock_store(lua_State *L)
{
	tlua_new_type(L, STORE_TYPE, methods, drop);
	luaL_newlib(L, functions);
	return 1;
}
