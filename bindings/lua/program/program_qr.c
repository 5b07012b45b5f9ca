/* QR codes, where the build had libqrencode; without it texts are printed and no more. */
#include "program/program_qr.h"

#ifdef TLUA_QRENCODE

#include <qrencode.h>
#include <stdlib.h>
#include "module/lib.h"

#define DARK 1 /* of a module: its lowest bit */

/* qr(text) -> a list of rows, each a text of 0 and 1 (dark), or nil where the text is too long */
static int program_qr(lua_State *L)
{
	QRcode *code = QRcode_encodeString8bit(luaL_checkstring(L, 1), 0, QR_ECLEVEL_L);
	char row[177]; /* modules of the largest one */
	int width = code ? code->width : 0;

	if (!code)
		return 0;
	lua_createtable(L, width, 0);
	for (int y = 0; y < width; y++) {
		for (int x = 0; x < width; x++)
			row[x] = code->data[y * width + x] & DARK ? '1' : '0';
		lua_pushlstring(L, row, (size_t)width);
		lua_rawseti(L, -2, y + 1);
	}
	QRcode_free(code);
	return 1;
}

void program_qr_open(lua_State *L)
{
	lua_pushcfunction(L, program_qr);
	lua_setfield(L, -2, "qr");
}

#else

void program_qr_open(lua_State *L)
{
	(void)L;
}

#endif
