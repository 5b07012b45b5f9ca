/* Where the program gets the passphrase of sealed directories from. */
#ifndef TL_LUA_PROGRAM_SECRET_H
#define TL_LUA_PROGRAM_SECRET_H

#include <lua.h>

#define PROGRAM_PASSPHRASE "TIDELOCK_PASSPHRASE"
#define PASSPHRASE_MAX     4096 /* bytes */

/* Keeps what the environment holds, and takes it out there, so that children do not get it and
 * nobody reads it from the process's environment. */
void program_secret_take(lua_State *L);
/* Adds the functions that the Lua half calls to the table on top of the stack. */
void program_secret_open(lua_State *L);

#endif
