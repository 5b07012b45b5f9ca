/* tidelock.store: a backend by itself. */
#include <string.h>
#include "core.h"

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

static bool check_relaxed(lua_State *L, int arg)
{
	const char *durability = tlua_option_text(L, arg, "durability");

	if (!durability || strcmp(durability, "full") == 0)
		return false;
	luaL_argcheck(
		L, strcmp(durability, "relaxed") == 0, arg, "durability is 'full' or 'relaxed'");
	return true;
}

/* open { path = } or open { memory = true } */
static int store_open(lua_State *L)
{
	static const char *const names[] = {"path", "memory", "durability", NULL};
	tl_store_config config = TL_STORE_CONFIG_INIT;
	void **handle;
	tl_store *store = NULL;
	int rc;

	luaL_checktype(L, 1, LUA_TTABLE);
	tlua_check_options(L, 1, names);
	config.path = tlua_option_text(L, 1, "path");
	config.relaxed = check_relaxed(L, 1);
	luaL_argcheck(L, (config.path != NULL) != tlua_option_bool(L, 1, "memory", false), 1,
		"give a path, or memory = true");
	handle = tlua_new_handle(L, STORE_TYPE);
	rc = tl_store_open(&store, &config);
	if (rc == TL_E_ALREADY_OPEN) {
		/* Handles that nobody can reach any more keep a store open; two rounds, since they
		 * may hold each other. */
		lua_gc(L, LUA_GCCOLLECT);
		lua_gc(L, LUA_GCCOLLECT);
		rc = tl_store_open(&store, &config);
	}
	*handle = store;
	return tlua_result(L, rc, 1);
}

/* --- databases -------------------------------------------------------------------------------- */

static void push_chain(lua_State *L, const uint8_t *chain, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	luaL_Buffer buffer;

	luaL_buffinit(L, &buffer);
	for (size_t i = 0; i < len; i++) {
		luaL_addchar(&buffer, digits[chain[i] >> 4]);
		luaL_addchar(&buffer, digits[chain[i] & 15]);
	}
	luaL_pushresult(&buffer);
}

static void push_database_fields(lua_State *L, const tl_store_database *database)
{
	lua_createtable(L, 0, 7);
	tlua_push_id(L, &database->id);
	lua_setfield(L, -2, "id");
	push_chain(L, database->chain, sizeof database->chain);
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
	tl_id db = tlua_check_id(L, 2);
	tl_store_database database;

	if (tl_store_find(store, &db, &database) != TL_OK)
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
	tl_id db = tlua_check_id(L, 2);
	size_t count;
	const tl_id *ids = tlua_check_ids(L, 3, &count);
	tlua_walk walk;

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
	tl_id db = tlua_check_id(L, 2);
	uint64_t from = opt_count(L, 3, 1), to = opt_count(L, 4, LUA_MAXINTEGER);
	uint64_t limit = opt_count(L, 5, LUA_MAXINTEGER);
	tlua_walk walk;

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
	tl_id db = tlua_check_id(L, 2);
	tl_store_verdict verdict = verdicts[luaL_checkoption(L, 3, NULL, names)];
	tlua_walk walk;

	tlua_walk_begin(L, &walk, push_entry);
	return tlua_walk_end(L, &walk, tl_store_aside(store, &db, verdict, visit_entry, &walk));
}

/* tips(db [, store name]) */
static int store_tips(lua_State *L)
{
	tl_store *store = check(L);
	tl_id db = tlua_check_id(L, 2);
	tl_str name = tlua_opt_str(L, 3);
	tlua_walk walk;

	if (!name.ptr)
		name = (tl_str){"", 0};
	tlua_walk_ids(L, &walk);
	return tlua_walk_end(L, &walk, tl_store_tips(store, &db, name, tlua_visit_id, &walk));
}

static int store_names(lua_State *L)
{
	tl_store *store = check(L);
	tl_id db = tlua_check_id(L, 2);
	tlua_walk walk;

	tlua_walk_names(L, &walk);
	return tlua_walk_end(L, &walk, tl_store_names(store, &db, tlua_visit_name, &walk));
}

/* --- paths ------------------------------------------------------------------------------------ */

/* A key is a string; an item of a list a table of its position. */
static void push_part(lua_State *L, const tl_store_part *part)
{
	if (!part->item) {
		lua_pushlstring(L, part->key.ptr, part->key.len);
		return;
	}
	lua_createtable(L, 0, 3);
	set_count(L, "numerator", (uint64_t)part->position.numerator);
	set_count(L, "denominator", part->position.denominator);
	push_chain(L, part->position.uuid, sizeof part->position.uuid);
	lua_setfield(L, -2, "uuid");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_uuid(const char *text, uint8_t uuid[16])
{
	if (!text || strlen(text) != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		uuid[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static lua_Integer part_number(lua_State *L, int arg, const char *name)
{
	lua_Integer number;
	int is_number;

	lua_getfield(L, -1, name);
	number = lua_tointegerx(L, -1, &is_number);
	luaL_argcheck(L, is_number, arg, "a position has a numerator and a denominator");
	lua_pop(L, 1);
	return number;
}

/* The part on top of the stack; the table at `arg` keeps its string alive. */
static tl_store_part check_part(lua_State *L, int arg)
{
	tl_store_part part = {.item = lua_istable(L, -1)};

	if (!part.item) {
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg,
			"a step of a path is a string or a position");
		part.key.ptr = lua_tolstring(L, -1, &part.key.len);
		return part;
	}
	part.position.numerator = part_number(L, arg, "numerator");
	part.position.denominator = (uint64_t)part_number(L, arg, "denominator");
	lua_getfield(L, -1, "uuid");
	luaL_argcheck(L, read_uuid(lua_tostring(L, -1), part.position.uuid), arg,
		"a position's uuid has 32 hex digits");
	lua_pop(L, 1);
	return part;
}

/* "a.b" as a table of its keys in place of the string at `arg`. */
static void split(lua_State *L, int arg)
{
	const char *at = lua_tostring(L, arg), *dot;
	lua_Integer count = 0;

	lua_newtable(L);
	while ((dot = strchr(at, '.'))) {
		lua_pushlstring(L, at, (size_t)(dot - at));
		lua_rawseti(L, -2, ++count);
		at = dot + 1;
	}
	lua_pushstring(L, at);
	lua_rawseti(L, -2, ++count);
	lua_replace(L, arg);
}

static const tl_store_part *check_parts(lua_State *L, int arg, size_t *count)
{
	tl_store_part *parts;

	*count = 0;
	if (lua_isnoneornil(L, arg))
		return NULL;
	if (lua_type(L, arg) == LUA_TSTRING)
		split(L, arg);
	luaL_checktype(L, arg, LUA_TTABLE);
	*count = (size_t)lua_rawlen(L, arg);
	parts = lua_newuserdatauv(L, (*count + 1) * sizeof *parts, 0);
	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, arg, (lua_Integer)i + 1);
		parts[i] = check_part(L, arg);
		lua_pop(L, 1);
	}
	return parts;
}

/* --- state ------------------------------------------------------------------------------------ */

static int push_row(lua_State *L)
{
	static const char *const kinds[] = {"doc", "list", "leaf"};
	const tl_store_state_row *row = tlua_walk_item(L);

	lua_createtable(L, 0, 5);
	lua_createtable(L, (int)row->part_count, 0);
	for (size_t i = 0; i < row->part_count; i++) {
		push_part(L, &row->parts[i]);
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
	tl_id db = tlua_check_id(L, 2);
	tl_str name = tlua_check_str(L, 3);
	size_t count;
	const tl_store_part *prefix = check_parts(L, 4, &count);
	tlua_walk walk;

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
	return tlua_walk_end(L, &walk, tl_store_check(store, visit_finding, &walk));
}

static int store_backup(lua_State *L)
{
	return tlua_ok(L, tl_store_backup(check(L), luaL_checkstring(L, 2)));
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
