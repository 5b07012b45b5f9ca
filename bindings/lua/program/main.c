/* The program `tidelock`: a Lua state with the modules in it, running lua/tidelock/cli.lua. What
 * needs C is what a process inherits, how it is stopped, and what becomes of errors in luv's
 * callbacks. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "module/lib.h"
#include "program/program_qr.h"
#include "program/program_secret.h"
#include "program/program_signals.h"

enum { FOR_A_LOOP = 8 }; /* descriptors: libuv's, and one to load a module */

static bool over; /* the script has ended: its callbacks are not called any more */

/* ended(): the script has; what is left to do is bounded by itself */
static int program_ended(lua_State *L)
{
	(void)L;
	over = true;
	program_signals_closing();
	return 0;
}

/* --- callbacks of luv ------------------------------------------------------------------------- */

static const char reporter; /* key of the function that gets what callbacks raise */

#define ERROR_BYTES 4096 /* of an error's text, escaped; the rest is cut */

/* The error on top of the stack, without running anything of its own, which may need memory that is
 * not there. What it quotes may come from anybody. */
static void print_error(lua_State *L)
{
	tl_str text = {NULL, 0};
	char shown[ERROR_BYTES];

	text.ptr = lua_tolstring(L, -1, &text.len);
	if (!text.ptr)
		text = (tl_str){luaL_typename(L, -1), strlen(luaL_typename(L, -1))};
	tl_text_escape(text, shown, sizeof shown);
	fprintf(stderr, "tidelock: %s\n", shown);
}

/* How luv calls callbacks (luv_CFpcall): function and arguments are on top; the answer is how many
 * results are left there, or minus the status. luv's own ends the process on the spot. */
static int call_back(lua_State *L, int args, int results, int flags)
{
	int base = lua_gettop(L) - args, status;

	(void)flags;
	if (over) { /* the loop's last turns, which close what is left */
		lua_settop(L, base - 1);
		return 0;
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &reporter);
	lua_insert(L, base);
	status = lua_pcall(L, args, results, base);
	if (status != LUA_OK && status != LUA_ERRRUN) { /* nobody has told the reporter */
		lua_pushvalue(L, base);
		lua_insert(L, -2);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK)
			print_error(L);
	}
	if (status == LUA_OK) {
		lua_remove(L, base);
		return lua_gettop(L) - base + 1;
	}
	lua_settop(L, base - 1);
	return -status;
}

/* The public function of luv that takes another way of calling, looked up where this function of
 * luv's lies: Lua loads modules so that their names are not seen from here. */
static void *find_set_callback(lua_CFunction of_luv)
{
	Dl_info info;
	void *address, *luv, *found;

	memcpy(&address, &of_luv, sizeof address);
	if (!dladdr(address, &info) || !info.dli_fname)
		return NULL;
	luv = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
	found = luv ? dlsym(luv, "luv_set_callback") : NULL;
	if (luv)
		dlclose(luv); /* Lua keeps it loaded */
	return found;
}

/* guard_callbacks(a function of luv, report): report(error) is called where the error was raised */
static int program_guard_callbacks(lua_State *L)
{
	void (*set_callback)(lua_State *, int (*)(lua_State *, int, int, int));
	void *found = find_set_callback(lua_tocfunction(L, 1));

	luaL_checktype(L, 2, LUA_TFUNCTION);
	if (!found)
		return luaL_error(L, "this luv has no luv_set_callback; install lua-luv 1.44");
	memcpy(&set_callback, &found, sizeof set_callback);
	lua_settop(L, 2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &reporter);
	set_callback(L, call_back);
	return 0;
}

/* --- the program ------------------------------------------------------------------------------ */

/* output_lost() -> whether something that was written to standard output before failed, which
 * `print` does not say; true, EPIPE when that was for want of a reader */
static int program_output_lost(lua_State *L)
{
	struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

	lua_pushboolean(L, ferror(stdout));
	if (ferror(stdout) && poll(&output, 1, 0) == 1 && (output.revents & POLLERR)) {
		lua_pushinteger(L, EPIPE);
		return 2;
	}
	return 1;
}

static const luaL_Reg functions[] = {{"ended", program_ended},
	{"guard_callbacks", program_guard_callbacks}, {"output_lost", program_output_lost},
	{NULL, NULL}};

/* The module tidelock.program: what the commands need to know of their process. */
static int open_program(lua_State *L)
{
	luaL_newlib(L, functions);
	program_signals_open(L);
	program_secret_open(L);
	program_qr_open(L);
	lua_pushinteger(L, EPIPE); /* what io functions return when the reader of a pipe is gone */
	lua_setfield(L, -2, "broken_pipe");
	return 1;
}

/* (argc, argv) -> exit status */
static int run(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);

	program_secret_take(L);
	luaL_openlibs(L);
	luaL_requiref(L, "tidelock", luaopen_tidelock, false);
	lua_createtable(L, argc, 0);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
	lua_setglobal(L, "arg");
	luaL_requiref(L, "tidelock.program", open_program, false);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "tidelock.cli");
	lua_call(L, 1, 1);
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	return 1;
}

/* A file opened as descriptor 2 would get what is written to standard error. */
static int open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

/* libuv ends the process when its first loop, which luv makes, does not get its descriptors. */
static int check_descriptors(void)
{
	int pairs[FOR_A_LOOP], made = 0;

	while (made < FOR_A_LOOP && pipe2(pairs + made, O_CLOEXEC) == 0)
		made += 2;
	for (int i = 0; i < made; i++)
		close(pairs[i]);
	return made == FOR_A_LOOP ? 0 : -1;
}

int main(int argc, char **argv)
{
	lua_State *L = open_standard_descriptors() == 0 ? luaL_newstate() : NULL;
	int status = 70, rc;

	if (!L || program_signals_watch(L) != 0 || check_descriptors() != 0) {
		fprintf(stderr, "tidelock: cannot start: not enough memory or descriptors\n");
		return 70;
	}
	lua_pushcfunction(L, run);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	rc = lua_pcall(L, 2, 1, 0);
	if (rc == LUA_OK)
		status = (int)lua_tointeger(L, -1);
	else if (program_signals_first() != 0)
		status = 128 + program_signals_first();
	else
		print_error(L);
	/* Closing the state runs finalisers, which never wait. */
	program_signals_end();
	lua_close(L);
	return status;
}
