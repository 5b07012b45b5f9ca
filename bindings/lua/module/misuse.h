/* What is raised when somebody calls the library wrongly. Lua's own checks blame the line that
 * called the C function and name that function; here the caller may be the Lua half of a method. So
 * the same checks, under the same names, blame the line of the user's that called into the library,
 * and name the method that was called there. */
#ifndef TL_LUA_MISUSE_H
#define TL_LUA_MISUSE_H

#include <lauxlib.h>
#include <lua.h>

/* Formats as lua_pushfstring does. */
int tlua_misuse(lua_State *L, const char *format, ...);
int tlua_misuse_argument(lua_State *L, int arg, const char *why);
/* For the Lua half: the argument is counted as its method has it, self included. */
int tlua_misuse_of(lua_State *L, int arg, const char *why);
int tlua_misuse_type(lua_State *L, int arg, const char *expected);
const char *tlua_check_lstring(lua_State *L, int arg, size_t *len);
const char *tlua_opt_lstring(lua_State *L, int arg, const char *otherwise, size_t *len);
lua_Integer tlua_check_integer(lua_State *L, int arg);
lua_Integer tlua_opt_integer(lua_State *L, int arg, lua_Integer otherwise);
int tlua_check_option(lua_State *L, int arg, const char *otherwise, const char *const names[]);
void tlua_check_type(lua_State *L, int arg, int type);
void tlua_check_any(lua_State *L, int arg);
void *tlua_check_udata(lua_State *L, int arg, const char *type);

#define luaL_error        tlua_misuse
#define luaL_argerror     tlua_misuse_argument
#define luaL_typeerror    tlua_misuse_type
#define luaL_checklstring tlua_check_lstring
#define luaL_optlstring   tlua_opt_lstring
#define luaL_checkinteger tlua_check_integer
#define luaL_optinteger   tlua_opt_integer
#define luaL_checkoption  tlua_check_option
#define luaL_checktype    tlua_check_type
#define luaL_checkany     tlua_check_any
#define luaL_checkudata   tlua_check_udata

#endif
