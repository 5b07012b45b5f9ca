/* QR codes for terminals. */
#ifndef TL_LUA_PROGRAM_QR_H
#define TL_LUA_PROGRAM_QR_H

#include <lua.h>

/* Adds `qr` to the module on top, where the build has libqrencode. */
void program_qr_open(lua_State *L);

#endif
