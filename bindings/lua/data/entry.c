/* tidelock.entry: parsing, building and verifying entries. */
#include "module/lib.h"

#define ENTRY_TYPE   "tidelock.entry"
#define BUILDER_TYPE "tidelock.entry_builder"

static int entry_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, ENTRY_TYPE);

	tl_entry_free(*handle);
	*handle = NULL;
	return 0;
}

void **tlua_new_entry(lua_State *L)
{
	return tlua_new_handle(L, ENTRY_TYPE);
}

void tlua_push_entry(lua_State *L, tl_entry *entry)
{
	void **handle = tlua_new_entry(L);

	*handle = tl_entry_retain(entry);
}

static int entry_parse(lua_State *L)
{
	static const char *const forms[] = {"canonical", "foreign", NULL};
	tl_str text = tlua_check_str(L, 1);
	int form = tlua_check_choice(L, 2, "canonical", forms);
	void **handle = tlua_new_handle(L, ENTRY_TYPE);
	tl_entry *entry = NULL;
	int rc = tl_entry_parse(&entry, text, form == 0 ? TL_ENTRY_CANONICAL : TL_ENTRY_FOREIGN);

	return tlua_opened(L, handle, rc, entry);
}

static void set_str(lua_State *L, const char *name, tl_str text)
{
	if (!text.ptr)
		return;
	lua_pushlstring(L, text.ptr, text.len);
	lua_setfield(L, -2, name);
}

static int entry_id(lua_State *L)
{
	tlua_push_id(L, tl_entry_id(tlua_check_handle(L, 1, ENTRY_TYPE)));
	return 1;
}

static int entry_bytes(lua_State *L)
{
	tl_str bytes = tl_entry_bytes(tlua_check_handle(L, 1, ENTRY_TYPE));

	lua_pushlstring(L, bytes.ptr, bytes.len);
	return 1;
}

static int entry_parents(lua_State *L)
{
	tl_entry *entry = tlua_check_handle(L, 1, ENTRY_TYPE);

	lua_newtable(L);
	for (size_t i = 0; i < tl_entry_parent_count(entry); i++) {
		tl_str id = tl_entry_parent(entry, i);

		lua_pushlstring(L, id.ptr, id.len);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static void push_store(lua_State *L, const tl_entry *entry, size_t store)
{
	lua_createtable(L, 0, 3);
	set_str(L, "name", tl_entry_store_name(entry, store));
	set_str(L, "data", tl_entry_store_data(entry, store));
	lua_newtable(L);
	for (size_t i = 0; i < tl_entry_store_parent_count(entry, store); i++) {
		tl_str id = tl_entry_store_parent(entry, store, i);

		lua_pushlstring(L, id.ptr, id.len);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "parents");
}

static int entry_stores(lua_State *L)
{
	tl_entry *entry = tlua_check_handle(L, 1, ENTRY_TYPE);

	lua_newtable(L);
	for (size_t i = 0; i < tl_entry_store_count(entry); i++) {
		push_store(L, entry, i);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* { key =, pubkey =, sig = }; key is nil for a delegation path. */
static int entry_signer(lua_State *L)
{
	tl_entry *entry = tlua_check_handle(L, 1, ENTRY_TYPE);

	lua_createtable(L, 0, 3);
	set_str(L, "key", tl_entry_key_name(entry));
	set_str(L, "pubkey", tl_entry_pubkey(entry));
	set_str(L, "sig", tl_entry_signature(entry));
	return 1;
}

static int entry_tree(lua_State *L)
{
	tl_str tree = tl_entry_tree(tlua_check_handle(L, 1, ENTRY_TYPE));

	lua_pushlstring(L, tree.ptr, tree.len);
	return 1;
}

static int entry_metadata(lua_State *L)
{
	tl_str metadata = tl_entry_metadata(tlua_check_handle(L, 1, ENTRY_TYPE));

	if (metadata.ptr)
		lua_pushlstring(L, metadata.ptr, metadata.len);
	else
		lua_pushnil(L);
	return 1;
}

static int entry_is_root(lua_State *L)
{
	lua_pushboolean(L, tl_entry_is_root(tlua_check_handle(L, 1, ENTRY_TYPE)));
	return 1;
}

static int entry_check(lua_State *L)
{
	return tlua_ok(L, tl_entry_check(tlua_check_handle(L, 1, ENTRY_TYPE)));
}

static int entry_verify(lua_State *L)
{
	tl_entry *entry = tlua_check_handle(L, 1, ENTRY_TYPE);
	tl_key key;

	if (!tlua_read_key(L, 2, &key))
		return tlua_fail(L);
	return tlua_ok(L, tl_entry_verify(entry, &key));
}

/* --- builder ---------------------------------------------------------------------------------- */

static int builder_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, BUILDER_TYPE);

	tl_entry_builder_free(*handle);
	*handle = NULL;
	return 0;
}

static int entry_builder(lua_State *L)
{
	void **handle = tlua_new_handle(L, BUILDER_TYPE);
	tl_entry_builder *builder = NULL;
	int rc = tl_entry_builder_new(&builder);

	return tlua_opened(L, handle, rc, builder);
}

/* Setters return the builder; the first error comes from finish. */
static int builder_self(lua_State *L)
{
	lua_settop(L, 1);
	return 1;
}

static int builder_tree(lua_State *L)
{
	tl_entry_builder_tree(tlua_check_handle(L, 1, BUILDER_TYPE), tlua_check_str(L, 2));
	return builder_self(L);
}

static int builder_parent(lua_State *L)
{
	tl_entry_builder_parent(tlua_check_handle(L, 1, BUILDER_TYPE), tlua_check_str(L, 2));
	return builder_self(L);
}

static int builder_metadata(lua_State *L)
{
	tl_entry_builder_metadata(tlua_check_handle(L, 1, BUILDER_TYPE), tlua_check_str(L, 2));
	return builder_self(L);
}

static int builder_store(lua_State *L)
{
	tl_entry_builder_store(
		tlua_check_handle(L, 1, BUILDER_TYPE), tlua_check_str(L, 2), tlua_check_str(L, 3));
	return builder_self(L);
}

static int builder_store_parent(lua_State *L)
{
	tl_entry_builder_store_parent(
		tlua_check_handle(L, 1, BUILDER_TYPE), tlua_check_str(L, 2), tlua_check_str(L, 3));
	return builder_self(L);
}

static int builder_key(lua_State *L)
{
	tl_entry_builder_key(
		tlua_check_handle(L, 1, BUILDER_TYPE), tlua_check_str(L, 2), tlua_opt_str(L, 3));
	return builder_self(L);
}

/* finish([secret]) -> entry; the secret is one of tidelock.crypto. */
static int builder_finish(lua_State *L)
{
	tl_entry_builder *builder = tlua_check_handle(L, 1, BUILDER_TYPE);
	const tl_secret *secret = lua_isnoneornil(L, 2) ? NULL : tlua_check_secret(L, 2);
	void **handle = tlua_new_handle(L, ENTRY_TYPE);
	tl_entry *entry = NULL;
	int rc = tl_entry_builder_finish(builder, secret, &entry);

	return tlua_opened(L, handle, rc, entry);
}

static const luaL_Reg entry_methods[] = {{"id", entry_id}, {"bytes", entry_bytes},
	{"tree", entry_tree}, {"parents", entry_parents}, {"metadata", entry_metadata},
	{"stores", entry_stores}, {"signer", entry_signer}, {"is_root", entry_is_root},
	{"check", entry_check}, {"verify", entry_verify}, {NULL, NULL}};

static const luaL_Reg builder_methods[] = {{"tree", builder_tree}, {"parent", builder_parent},
	{"metadata", builder_metadata}, {"store", builder_store},
	{"store_parent", builder_store_parent}, {"key", builder_key}, {"finish", builder_finish},
	{NULL, NULL}};

static const luaL_Reg functions[] = {
	{"parse", entry_parse}, {"builder", entry_builder}, {NULL, NULL}};

int luaopen_tidelock_entry(lua_State *L)
{
	tlua_new_type(L, ENTRY_TYPE, entry_methods, entry_drop);
	tlua_new_type(L, BUILDER_TYPE, builder_methods, builder_drop);
	luaL_requiref(L, "tidelock.crypto", luaopen_tidelock_crypto, false);
	luaL_newlib(L, functions);
	return 1;
}
