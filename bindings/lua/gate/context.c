/* What a hook is told of a commit: fields that are made when the script reads them. */
#include <lauxlib.h>
#include <string.h>
#include <time.h>
#include "gate/hook.h"

#define UNITS_A_CHANGE 20  /* two tables and what they hold */
#define UNITS_A_READ   200 /* of what the database holds now */

enum { ENTRY, TREE_ID, DB_NAME, STORES, AUTHOR, SIZE, IS_ROOT_ENTRY, CHANGES, NOW, GET };

static const char *const fields[] = {"entry", "tree_id", "db_name", "stores", "author", "size",
	"is_root_entry", "changes", "now", "get", NULL};

/* --- values ----------------------------------------------------------------------------------- */

static void push_value(lua_State *L, const tl_value *value);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static void push_doc(lua_State *L, const tl_value *doc)
{
	tl_value *child;
	tl_str key;

	lua_newtable(L);
	for (size_t i = 0; tl_doc_at(doc, i, &key, &child); i++) {
		tlua_charge_bytes(L, key.len);
		tlua_push_text(L, key);
		push_value(L, child);
		lua_rawset(L, -3);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static void push_list(lua_State *L, const tl_value *list)
{
	lua_Integer count = 0;
	tl_position position;
	tl_value *item;

	lua_newtable(L);
	for (size_t i = 0; tl_list_raw_at(list, i, &position, &item); i++) {
		if (tl_value_type(item) == TL_DELETED)
			continue;
		tlua_charge(L, 1);
		push_value(L, item);
		lua_rawseti(L, -2, ++count);
	}
}

/* What a read before raised over, which the script went on after, goes as well. */
static tl_value **hold(tlua_commit *commit)
{
	tl_value_free(commit->held);
	commit->held = NULL;
	return &commit->held;
}

/* Null, and what is not there, are nil. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static void push_value(lua_State *L, const tl_value *value)
{
	tl_str text;

	luaL_checkstack(L, 6, "a value is nested too deeply");
	switch (value ? tl_value_type(value) : TL_DELETED) {
	case TL_BOOL: lua_pushboolean(L, tl_value_as_bool(value)); break;
	case TL_INT: lua_pushinteger(L, tl_value_as_int(value)); break;
	case TL_TEXT:
		text = tl_value_as_text(value);
		tlua_charge_bytes(L, text.len);
		tlua_push_text(L, text);
		break;
	case TL_DOC: push_doc(L, value); break;
	case TL_LIST: push_list(L, value); break;
	default: lua_pushnil(L); break;
	}
}

/* --- changes ---------------------------------------------------------------------------------- */

/* A key on the way to a value, and those above it. */
typedef struct step {
	const struct step *above;
	tl_str key;
	int depth;
} step;

static void push_path(lua_State *L, const step *at)
{
	lua_createtable(L, at ? at->depth : 0, 0);
	for (; at; at = at->above) {
		tlua_charge_bytes(L, at->key.len);
		tlua_push_text(L, at->key);
		lua_rawseti(L, -2, at->depth);
	}
}

/* A table without `value` and with `path` on top, below it the list. */
static void begin_change(lua_State *L, tlua_commit *commit, tl_str store, const step *at)
{
	if (++commit->changes > TLUA_CHANGES_MAX)
		luaL_error(L,
			"this entry changes more than %d places, which is more than a hook "
			"can be told",
			TLUA_CHANGES_MAX);
	tlua_charge(L, UNITS_A_CHANGE);
	lua_createtable(L, 0, 4);
	tlua_push_text(L, store);
	lua_setfield(L, -2, "store");
	push_path(L, at);
	lua_setfield(L, -2, "path");
}

static void push_change(
	lua_State *L, tlua_commit *commit, tl_str store, const step *at, const tl_value *value)
{
	begin_change(L, commit, store, at);
	push_value(L, value);
	lua_setfield(L, -2, "value");
	if (tl_value_type(value) == TL_DELETED) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "deleted");
	}
	lua_rawseti(L, -2, (lua_Integer)commit->changes);
}

/* What is no Doc, or one without keys, is a place that changes; a List is one. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static void push_changes(
	lua_State *L, tlua_commit *commit, tl_str store, const step *at, const tl_value *value)
{
	step below = {at, {NULL, 0}, at ? at->depth + 1 : 1};
	tl_value *child;

	luaL_checkstack(L, 8, "a value is nested too deeply");
	if (tl_value_type(value) != TL_DOC || (at && tl_doc_count(value) == 0)) {
		push_change(L, commit, store, at, value);
		return;
	}
	for (size_t i = 0; tl_doc_at(value, i, &below.key, &child); i++)
		push_changes(L, commit, store, &below, child);
}

/* Bytes that are no Doc, a format of somebody's own. */
static void push_bytes(lua_State *L, tlua_commit *commit, tl_str store, tl_str data)
{
	begin_change(L, commit, store, NULL);
	tlua_charge_bytes(L, data.len);
	tlua_push_text(L, data);
	lua_setfield(L, -2, "value");
	lua_rawseti(L, -2, (lua_Integer)commit->changes);
}

static void push_all_changes(lua_State *L, tlua_commit *commit)
{
	const tl_entry *entry = commit->context->entry;

	commit->changes = 0;
	lua_newtable(L);
	for (size_t i = 0; i < commit->context->store_count; i++) {
		tl_str store = tl_entry_store_name(entry, i), data = tl_entry_store_data(entry, i);
		int rc;

		tlua_charge_bytes(L, data.len);
		rc = tl_doc_parse(hold(commit), data);
		if (rc == TL_E_NOMEM)
			luaL_error(L, "not enough memory");
		if (rc == TL_OK)
			push_changes(L, commit, store, NULL, commit->held);
		else
			push_bytes(L, commit, store, data);
		(void)hold(commit);
	}
}

/* --- ctx:get ---------------------------------------------------------------------------------- */

#define PATH_MAX_STEPS 128

/* The path at 3: a text that is split at its dots, or a list of keys as they are. */
static int read_present(lua_State *L, tl_doc_store *store, tl_value **out)
{
	tl_str keys[PATH_MAX_STEPS], path = {NULL, 0};
	size_t count = lua_istable(L, 3) ? (size_t)lua_rawlen(L, 3) : 0;

	if (!lua_istable(L, 3)) {
		path.ptr = lua_tolstring(L, 3, &path.len);
		return tl_doc_store_get_option(store, path, out);
	}
	for (size_t i = 0; i < count; i++) { /* the list at 3 keeps them */
		lua_rawgeti(L, 3, (lua_Integer)i + 1);
		keys[i].ptr = lua_tolstring(L, -1, &keys[i].len);
		lua_pop(L, 1);
	}
	return tl_doc_store_get_at_path(store, keys, count, out);
}

static void check_path(lua_State *L)
{
	bool good = lua_type(L, 2) == LUA_TSTRING &&
		    (lua_type(L, 3) == LUA_TSTRING ||
			    (lua_istable(L, 3) && lua_rawlen(L, 3) <= PATH_MAX_STEPS));

	for (lua_Integer i = 1; good && lua_istable(L, 3) && i <= (lua_Integer)lua_rawlen(L, 3);
		i++) {
		good = lua_rawgeti(L, 3, i) == LUA_TSTRING;
		lua_pop(L, 1);
	}
	if (!good)
		luaL_error(L,
			"ctx:get takes the name of a store and a path: 'a.b' or a list of at "
			"most %d keys",
			PATH_MAX_STEPS);
}

static bool is_absent(int rc)
{
	return rc == TL_E_KEY_NOT_FOUND || rc == TL_E_TYPE_MISMATCH;
}

/* ctx:get(store, path): what is there now, before this commit */
static int context_get(lua_State *L)
{
	tlua_commit *commit = tlua_check_lazy(L, 1);
	tl_doc_store *store = NULL;
	int64_t from = tlua_aside();
	tl_str name;
	tl_value **held = hold(commit);
	int rc = TL_OK;

	check_path(L);
	luaL_checkstack(L, 4, NULL);
	name.ptr = lua_tolstring(L, 2, &name.len);
	tlua_charge(L, UNITS_A_READ);
	if (commit->context->database) { /* a new one holds nothing */
		rc = tl_database_doc_store(commit->context->database, name, &store);
		if (rc == TL_OK)
			rc = read_present(L, store, held);
		tl_doc_store_free(store);
	}
	tlua_back(L, from);
	if (rc != TL_OK && !is_absent(rc))
		luaL_error(L, "ctx:get: %s", tl_error_message(tl_last_error()));
	push_value(L, *held);
	(void)hold(commit);
	return 1;
}

/* --- fields ----------------------------------------------------------------------------------- */

static void push_id(lua_State *L, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	lua_pushstring(L, text);
}

static void push_stores(lua_State *L, const tl_hook_context *context)
{
	lua_createtable(L, (int)context->store_count, 0);
	for (size_t i = 0; i < context->store_count; i++) {
		tlua_charge_bytes(L, context->stores[i].len);
		tlua_push_text(L, context->stores[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_name(lua_State *L, const tl_hook_context *context)
{
	if (context->db_name.ptr)
		tlua_push_text(L, context->db_name);
	else
		lua_pushnil(L);
}

static void push_field(lua_State *L, void *ud, size_t index)
{
	tlua_commit *commit = ud;
	const tl_hook_context *context = commit->context;

	switch (index) {
	case ENTRY: push_id(L, tl_entry_id(context->entry)); break;
	case TREE_ID: push_id(L, context->tree_id); break;
	case DB_NAME: push_name(L, context); break;
	case STORES: push_stores(L, context); break;
	case AUTHOR: tlua_push_text(L, context->author); break;
	case SIZE: lua_pushinteger(L, (lua_Integer)context->entry_bytes); break;
	case IS_ROOT_ENTRY: lua_pushboolean(L, context->is_root_entry); break;
	case CHANGES: push_all_changes(L, commit); break;
	case NOW: lua_pushinteger(L, (lua_Integer)time(NULL)); break;
	default: lua_pushcfunction(L, context_get); break;
	}
}

void tlua_commit_begin(tlua_commit *commit, const tl_hook_context *context)
{
	*commit =
		(tlua_commit){.lazy = {"a commit", fields, push_field, commit}, .context = context};
}

void tlua_commit_end(tlua_commit *commit)
{
	(void)hold(commit);
}
