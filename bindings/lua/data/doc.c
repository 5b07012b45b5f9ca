/* tidelock.doc: reading, writing and merging documents. */
#include "module/lib.h"

static int doc_parse(lua_State *L)
{
	tl_value *doc = NULL;
	int rc = tl_doc_parse(&doc, tlua_check_str(L, 1));

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned_raw(L, doc);
	return 1;
}

/* The document at `arg`; raises when the value there is none. */
static tl_value *check_doc(lua_State *L, int arg)
{
	luaL_checktype(L, arg, LUA_TTABLE);
	return tlua_check_value(L, arg);
}

static int doc_write(lua_State *L)
{
	tl_value *doc = check_doc(L, 1);
	char *text = NULL;
	size_t len = 0;
	int rc = tl_doc_write(doc, &text, &len);

	tl_value_free(doc);
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, text, len);
	return 1;
}

static int doc_merge(lua_State *L)
{
	void **base = tlua_new_handle(L, TLUA_LIST); /* frees it, also when the second one raises */
	tl_value *later;
	int rc;

	*base = check_doc(L, 1);
	later = check_doc(L, 2);
	rc = tl_doc_merge(*base, later);
	tl_value_free(later);
	if (rc == TL_OK)
		tlua_push_raw(L, *base);
	return tlua_result(L, rc, 1);
}

static int doc_export(lua_State *L)
{
	tl_value *value = tlua_check_value(L, 1);
	char *text = NULL;
	size_t len = 0;
	int rc = tl_value_export(value, &text, &len);

	tl_value_free(value);
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, text, len);
	return 1;
}

static const luaL_Reg functions[] = {{"parse", doc_parse}, {"write", doc_write},
	{"merge", doc_merge}, {"to_json", doc_export}, {NULL, NULL}};

int luaopen_tidelock_doc(lua_State *L)
{
	luaL_newlib(L, functions);
	tlua_open_values(L);
	for (const char *const *name = (const char *const[]){"null", "deleted", "list", NULL};
		*name; name++) {
		lua_getfield(L, -1, *name);
		lua_setfield(L, -3, *name);
	}
	lua_pop(L, 1);
	return 1;
}
