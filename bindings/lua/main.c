/* The program `tidelock`: a Lua state with the modules in it, running lua/tidelock/cli.lua. What
 * needs C is how it is stopped, and what becomes of errors in luv's callbacks. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib.h"

/* Instructions a script may go on after a signal without coming back to the loop, which would end
 * it in an orderly way. */
#define PATIENCE 1000000
/* Seconds after a signal in which the script must have ended: it may close nodes that flush, or be
 * somewhere that no instruction limit reaches. */
#define GRACE 12

static lua_State *volatile running; /* the coroutine, for a script that never returns */
static int stop_pipe[2] = {-1, -1};
static volatile sig_atomic_t signals, first; /* how many came, and the first one's number */
static bool over; /* the script has ended: its callbacks are not called any more */

/* --- being stopped ---------------------------------------------------------------------------- */

static void stop_script(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	luaL_error(L, "terminated");
}

/* The first signal asks the loop to end; a script that never returns to it is interrupted. The
 * second ends the process at once: everything acknowledged is durable anyway. */
static void on_signal(int number)
{
	int saved = errno;

	if (++signals > 1)
		_exit(128 + number);
	first = number;
	alarm(GRACE);
	lua_sethook(running, stop_script, LUA_MASKCOUNT, PATIENCE);
	if (write(stop_pipe[1], "x", 1) != 1)
		signals = 1; /* the hook is left */
	errno = saved;
}

static void on_alarm(int number)
{
	static const char text[] = "tidelock: asked to stop, the script did not end; its nodes were"
				   " not flushed\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);

	(void)number;
	_exit(written < 0 ? 70 : 128 + first);
}

static int watch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction alarmed = {.sa_handler = on_alarm};

	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	sigemptyset(&action.sa_mask);
	sigemptyset(&alarmed.sa_mask);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error, like a full disk */
	if (sigaction(SIGALRM, &alarmed, NULL) != 0)
		return -1;
	return sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0;
}

/* stop_fd() -> descriptor that is readable once the program is asked to stop */
static int program_stop_fd(lua_State *L)
{
	lua_pushinteger(L, stop_pipe[0]);
	return 1;
}

/* stopping() -> the signal that asks for it; nil as long as none does */
static int program_stopping(lua_State *L)
{
	if (signals == 0)
		return 0;
	lua_pushinteger(L, first);
	return 1;
}

/* ended(): the script has; what is left to do is bounded by itself */
static int program_ended(lua_State *L)
{
	(void)L;
	over = true;
	alarm(0);
	lua_sethook(running, NULL, 0, 0);
	return 0;
}

/* enter(coroutine): from here on that is the one that a signal interrupts. It must live until the
 * next call. */
static int program_enter(lua_State *L)
{
	lua_State *thread = lua_tothread(L, 1);

	luaL_argexpected(L, thread != NULL, 1, "coroutine");
	running = thread;
	if (signals > 0)
		lua_sethook(thread, stop_script, LUA_MASKCOUNT, PATIENCE);
	return 0;
}

/* --- callbacks of luv ------------------------------------------------------------------------- */

static const char reporter; /* key of the function that gets what callbacks raise */

/* The error on top of the stack, without running anything of its own. */
static void print_error(lua_State *L)
{
	const char *text = lua_tostring(L, -1);

	fprintf(stderr, "tidelock: %s\n", text ? text : luaL_typename(L, -1));
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

static const luaL_Reg functions[] = {{"stop_fd", program_stop_fd}, {"stopping", program_stopping},
	{"ended", program_ended}, {"enter", program_enter},
	{"guard_callbacks", program_guard_callbacks}, {NULL, NULL}};

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
		print_error(L);
	/* Closing the state runs finalisers, which never wait. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	lua_close(L);
	return status;
}
