/* The passphrase of directories whose opener gives none: where the program keeps its own. */
#include <string.h>
#include "module/options.h"

static const char key; /* of the userdata in the registry */

typedef struct kept {
	size_t len;
	char bytes[];
} kept;

static int wipe(lua_State *L)
{
	kept *passphrase = lua_touserdata(L, 1);
	volatile char *at = passphrase->bytes;

	for (size_t i = 0; i < passphrase->len; i++)
		at[i] = 0;
	passphrase->len = 0;
	return 0;
}

void tlua_keep_passphrase(lua_State *L, tl_str text)
{
	kept *passphrase = lua_newuserdatauv(L, sizeof *passphrase + text.len, 0);

	passphrase->len = 0;
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, wipe);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	memcpy(passphrase->bytes, text.ptr, text.len);
	passphrase->len = text.len;
}

tl_str tlua_kept_passphrase(lua_State *L)
{
	tl_str text = {NULL, 0};

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TUSERDATA) {
		const kept *passphrase = lua_touserdata(L, -1);

		text = (tl_str){passphrase->bytes, passphrase->len};
	}
	lua_pop(L, 1);
	return text;
}
