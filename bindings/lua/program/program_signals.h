/* How the program is stopped by signals. */
#ifndef TL_LUA_PROGRAM_SIGNALS_H
#define TL_LUA_PROGRAM_SIGNALS_H

#include <lua.h>
#include <stdbool.h>

/* From here on SIGINT, SIGTERM and SIGHUP interrupt `L`, but for those that were ignored at the
 * start. In a background job of a shell, which is told by SIGINT and SIGQUIT both being ignored, a
 * SIGINT that is sent does, too, and only one that is typed does not. -1 when the system refuses.
 */
int program_signals_watch(lua_State *L);
/* The first signal that came; 0 while none did. */
int program_signals_first(void);
/* The script has ended: what is left to do is bounded by itself. */
void program_signals_closing(void);
/* Everything is over but for closing the state; further signals change nothing. */
void program_signals_end(void);

/* Adds the functions that the Lua half calls to the table on top of the stack. */
void program_signals_open(lua_State *L);

#endif
