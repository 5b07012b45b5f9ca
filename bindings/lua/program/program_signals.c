/* Signals. A command is interrupted where it is: in Lua at the next instruction, in a system call
 * by EINTR, again and again until it ends, and when it does not, the process ends. A script is
 * asked through the loop, may take its time, and is interrupted only when it never comes back. */
#include "program/program_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Instructions a script may go on after a signal without coming back to the loop. */
#define PATIENCE 1000000
/* And how many it gets on when it catches the error of that. */
#define PATIENCE_AGAIN 10000
/* Seconds after a signal in which a script must have ended: it may close nodes that flush, or be
 * somewhere that no instruction limit reaches. */
#define SCRIPT_GRACE 12
/* Seconds after a signal in which nodes that a script has left must be closed. */
#define CLOSING_GRACE 2
/* A command's system calls are interrupted so often, and so many times before the process ends:
 * what it had acknowledged is durable. */
#define TICK_MICROSECONDS 50000
#define TICKS             16

enum { COMMAND, SCRIPT, CLOSING };

static lua_State *volatile running; /* the coroutine that a signal interrupts */
static int stop_pipe[2] = {-1, -1};
static volatile sig_atomic_t signals, first; /* how many came, and the first one's number */
static volatile sig_atomic_t phase = COMMAND, ticks, hurried;
static volatile sig_atomic_t has_partial;
static char partial[PATH_MAX]; /* a file that is nothing until it is whole */
static bool in_background;     /* what is typed at the terminal is not for us */

/* --- handlers --------------------------------------------------------------------------------- */

static void drop_partial(void)
{
	if (has_partial)
		(void)unlink(partial);
}

static _Noreturn void leave(void)
{
	drop_partial();
	_exit(128 + first);
}

/* Once: what cleans up behind it is not interrupted. A script that goes on is, again. */
static void stop_lua(lua_State *L, lua_Debug *ar)
{
	static int again;

	(void)ar;
	again = (again + 1) % 100; /* not always at the same place of a loop, where it is caught */
	if (phase == COMMAND)
		lua_sethook(L, NULL, 0, 0);
	else
		lua_sethook(L, stop_lua, LUA_MASKCOUNT, PATIENCE_AGAIN + again);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, stop_pipe) == LUA_TNIL)
		luaL_error(L, "terminated");
	lua_error(L);
}

static void start_timer(long seconds, long microseconds, bool again)
{
	struct itimerval timer = {.it_value = {seconds, microseconds}};

	if (again)
		timer.it_interval = timer.it_value;
	(void)setitimer(ITIMER_REAL, &timer, NULL); /* a system call, also in handlers */
}

/* The first signal asks; the second ends the process at once: everything acknowledged is durable
 * anyway. While nodes close, one signal ends their waiting, the next the process. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (in_background && number == SIGINT && info->si_code == SI_KERNEL) /* typed */
		return;
	if (signals == 0)
		first = number;
	if (phase == CLOSING ? hurried : signals > 0)
		leave();
	signals++;
	if (phase == CLOSING) {
		hurried = 1;
		start_timer(CLOSING_GRACE, 0, false);
	} else if (phase == SCRIPT) {
		start_timer(SCRIPT_GRACE, 0, false);
		lua_sethook(running, stop_lua, LUA_MASKCOUNT, PATIENCE);
	} else {
		start_timer(0, TICK_MICROSECONDS, true);
		lua_sethook(running, stop_lua, LUA_MASKCOUNT, 1);
	}
	if (write(stop_pipe[1], "x", 1) != 1)
		signals = 1; /* the hook is left */
	errno = saved;
}

static void on_alarm(int number, siginfo_t *info, void *context)
{
	static const char text[] = "tidelock: asked to stop, the script did not end; its nodes were"
				   " not flushed\n";

	(void)number;
	(void)info;
	(void)context;
	if (phase == COMMAND && ++ticks < TICKS)
		return;
	if (phase == SCRIPT && write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(70);
	leave();
}

/* Where a signal is to change nothing here: ignoring it would be inherited by children. */
static void on_nothing(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
}

typedef void signal_handler(int number, siginfo_t *info, void *context);

static int handle(int number, signal_handler *handler, int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	return sigaction(number, &action, NULL);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool is_ignored(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* Who started us with a signal ignored, as `nohup` does, means it. A shell without job control has
 * SIGINT and SIGQUIT ignored in what it starts in the background: what is typed there is for
 * others, while one that is sent to us is for us. */
static int handle_stops(signal_handler *handler, int flags)
{
	static const int stops[] = {SIGTERM, SIGINT, SIGHUP};
	int rc = 0;

	for (size_t n = 0; n < sizeof stops / sizeof *stops; n++) {
		if (in_background && stops[n] == SIGINT) /* the timer interrupts system calls */
			rc |= handle(SIGINT, handler, flags | SA_RESTART);
		else if (!is_ignored(stops[n]))
			rc |= handle(stops[n], handler, flags);
	}
	return rc;
}

int program_signals_watch(lua_State *L)
{
	running = L;
	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	in_background = is_ignored(SIGINT) && is_ignored(SIGQUIT);
	/* A closed pipe and a limit on files are errors, like a full disk. */
	return handle(SIGPIPE, on_nothing, SA_RESTART) | handle(SIGXFSZ, on_nothing, SA_RESTART) |
	       handle(SIGALRM, on_alarm, 0) | handle_stops(on_signal, 0);
}

int program_signals_first(void)
{
	return signals > 0 ? first : 0;
}

void program_signals_closing(void)
{
	phase = CLOSING;
	start_timer(0, 0, false);
	lua_sethook(running, NULL, 0, 0);
}

void program_signals_end(void)
{
	(void)handle_stops(on_nothing, SA_RESTART);
	drop_partial(); /* Lua was interrupted before it could */
}

/* --- for the Lua half ------------------------------------------------------------------------- */

/* stop_fd() -> descriptor that is readable once the program is asked to stop */
static int signals_stop_fd(lua_State *L)
{
	lua_pushinteger(L, stop_pipe[0]);
	return 1;
}

/* stopping() -> the signal that asks for it; nil as long as none does */
static int signals_stopping(lua_State *L)
{
	if (signals == 0)
		return 0;
	lua_pushinteger(L, first);
	return 1;
}

/* signals() -> how many came */
static int signals_count(lua_State *L)
{
	lua_pushinteger(L, signals);
	return 1;
}

/* pause(milliseconds): waits so long, or until the program is asked to stop */
static int signals_pause(lua_State *L)
{
	struct pollfd stop = {.fd = stop_pipe[0], .events = POLLIN};

	(void)poll(&stop, 1, (int)luaL_checkinteger(L, 1));
	return 0;
}

/* script(ending): from here on a script runs, which ends itself when it is asked to, and whose
 * system calls go on meanwhile. `ending` is raised where it does not come back. */
static int signals_script(lua_State *L)
{
	lua_settop(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, stop_pipe);
	phase = SCRIPT;
	if (handle_stops(on_signal, SA_RESTART) != 0)
		return luaL_error(L, "cannot handle signals: %s", strerror(errno));
	return 0;
}

/* enter(coroutine): from here on that is the one that a signal interrupts. It must live until the
 * next call. */
static int signals_enter(lua_State *L)
{
	lua_State *thread = lua_tothread(L, 1);

	luaL_argexpected(L, thread != NULL, 1, "coroutine");
	running = thread;
	if (signals > 0)
		lua_sethook(thread, stop_lua, LUA_MASKCOUNT, PATIENCE);
	return 0;
}

/* partial([file]): a file that must not stay behind when the process ends before it is whole */
static int signals_partial(lua_State *L)
{
	size_t len = 0;
	const char *file = luaL_optlstring(L, 1, "", &len);

	has_partial = 0;
	if (len == 0 || len >= sizeof partial) /* too long for any file to be called so */
		return 0;
	memcpy(partial, file, len + 1);
	has_partial = 1;
	return 0;
}

void program_signals_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"stop_fd", signals_stop_fd},
		{"stopping", signals_stopping}, {"signals", signals_count},
		{"pause", signals_pause}, {"script", signals_script}, {"enter", signals_enter},
		{"partial", signals_partial}, {NULL, NULL}};

	luaL_setfuncs(L, functions, 0);
}
