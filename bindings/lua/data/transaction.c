/* Transaction handles. Leaving a scope without commit rolls back. */
#include <string.h>
#include "module/core.h"
#include "module/hook.h"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_TRANSACTION);

	tl_transaction_free(*handle);
	*handle = NULL;
	return 0;
}

static tl_transaction *check(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_TRANSACTION);
}

static int transaction_doc(lua_State *L)
{
	tl_transaction *tx = check(L);
	tl_str name = tlua_check_str(L, 2);
	void **handle = tlua_new_handle(L, TLUA_DOC_STORE);
	tl_doc_store *store = NULL;
	int rc = tl_transaction_doc_store(tx, name, &store);

	return tlua_opened(L, handle, rc, store);
}

static int transaction_table(lua_State *L)
{
	tl_transaction *tx = check(L);
	tl_str name = tlua_check_str(L, 2);
	void **handle = tlua_new_handle(L, TLUA_TABLE);
	tl_table *table = NULL;
	int rc = tl_transaction_table(tx, name, &table);

	return tlua_opened(L, handle, rc, table);
}

static int transaction_settings(lua_State *L)
{
	tl_transaction *tx = check(L);
	void **handle = tlua_new_handle(L, TLUA_SETTINGS);
	tl_settings_store *settings = NULL;
	int rc = tl_transaction_get_settings(tx, &settings);

	return tlua_opened(L, handle, rc, settings);
}

static int transaction_set_data(lua_State *L)
{
	return tlua_ok(
		L, tl_transaction_set_data(check(L), tlua_check_str(L, 2), tlua_check_str(L, 3)));
}

static int transaction_set_auth_key(lua_State *L)
{
	return tlua_ok(L, tl_transaction_set_auth_key(check(L), tlua_check_str(L, 2)));
}

static int transaction_auth_key(lua_State *L)
{
	char *name = NULL;
	int rc = tl_transaction_auth_key(check(L), &name);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, name, name ? strlen(name) : 0);
	return 1;
}

static int transaction_tips(lua_State *L)
{
	tl_transaction *tx = check(L);
	tlua_walk walk;

	tlua_walk_ids(L, &walk);
	return tlua_walk_end(L, &walk, tl_transaction_tips(tx, tlua_visit_id, &walk));
}

static int transaction_add_hook(lua_State *L)
{
	tl_transaction *tx = check(L);
	tl_hook hook = tlua_check_hook(L, 2);
	int rc = tl_transaction_add_hook(tx, &hook);

	if (rc != TL_OK)
		hook.drop(hook.ud);
	return tlua_ok(L, rc);
}

/* commit() -> id of the entry */
static int transaction_commit(lua_State *L)
{
	tl_id id;
	int rc = tl_transaction_commit(check(L), &id);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_id(L, &id);
	return 1;
}

static int transaction_rollback(lua_State *L)
{
	tl_transaction_rollback(check(L));
	return 0;
}

static const luaL_Reg methods[] = {{"doc", transaction_doc}, {"table", transaction_table},
	{"settings", transaction_settings}, {"get_settings", transaction_settings},
	{"set_data", transaction_set_data}, {"set_auth_key", transaction_set_auth_key},
	{"auth_key_name", transaction_auth_key}, {"tips", transaction_tips},
	{"add_hook", transaction_add_hook}, {"commit", transaction_commit},
	{"rollback", transaction_rollback}, {"close", drop}, {NULL, NULL}};

void tlua_open_transaction(lua_State *L)
{
	tlua_new_type(L, TLUA_TRANSACTION, methods, drop);
}
