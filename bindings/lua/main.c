/* The program `tidelock`: a Lua state with the modules in it, running lua/tidelock/cli.lua. What
 * needs C is how it is stopped. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib.h"

/* Instructions a script may go on after a signal without coming back to the loop, which would end
 * it in an orderly way. */
#define PATIENCE 1000000

static lua_State *running;
static int stop_pipe[2] = {-1, -1};
static volatile sig_atomic_t signals;

static void stop_script(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	luaL_error(L, "terminated");
}

/* The first signal asks the loop to end; a script that never returns to it is interrupted. The
 * second ends the process at once: everything acknowledged is durable anyway. */
static void on_signal(int number)
{
	int saved = errno;

	if (++signals > 1)
		_exit(128 + number);
	lua_sethook(running, stop_script, LUA_MASKCOUNT, PATIENCE);
	if (write(stop_pipe[1], "x", 1) != 1)
		signals = 1; /* the hook is left */
	errno = saved;
}

static int watch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	sigemptyset(&action.sa_mask);
	signal(SIGPIPE, SIG_IGN);
	return sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0;
}

/* stop_fd() -> descriptor that is readable once the program is asked to stop */
static int program_stop_fd(lua_State *L)
{
	lua_pushinteger(L, stop_pipe[0]);
	return 1;
}

/* stopping() -> whether that has happened; from then on the loop decides, not the hook */
static int program_stopping(lua_State *L)
{
	if (signals > 0)
		lua_sethook(running, NULL, 0, 0);
	lua_pushboolean(L, signals > 0);
	return 1;
}

static const luaL_Reg functions[] = {
	{"stop_fd", program_stop_fd}, {"stopping", program_stopping}, {NULL, NULL}};

/* (argc, argv) -> exit status */
static int run(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);

	luaL_openlibs(L);
	luaL_requiref(L, "tidelock", luaopen_tidelock, false);
	lua_createtable(L, argc, 0);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
	lua_setglobal(L, "arg");
	lua_getglobal(L, "require");
	lua_pushliteral(L, "tidelock.cli");
	lua_call(L, 1, 1);
	luaL_newlib(L, functions);
	lua_call(L, 1, 1);
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	int status = 70;

	if (!L || watch_signals() != 0) {
		fprintf(stderr, "tidelock: cannot start: not enough memory or descriptors\n");
		return 70;
	}
	running = L;
	lua_pushcfunction(L, run);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	if (lua_pcall(L, 2, 1, 0) == LUA_OK)
		status = (int)lua_tointeger(L, -1);
	else
		fprintf(stderr, "tidelock: %s\n", luaL_tolstring(L, -1, NULL));
	/* Closing the state runs finalisers, which never wait. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	lua_close(L);
	return status;
}
