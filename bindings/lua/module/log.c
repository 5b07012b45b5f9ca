/* tidelock.log_core, below tidelock.log: lines of scripts, and a sink for those and for the nodes,
 * stores and transports of this Lua state. Lines come from any thread, functions of this state run
 * on its own alone: while there is a function the lines wait in a queue, else they go to stderr. */
#include "module/log.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "clock.h"

#define LOG_TYPE    "tidelock.log.state"
#define QUEUE_LINES 1000

typedef struct line {
	int64_t time_ms;
	tl_log_level level;
	const char *part; /* static */
	char *text;
} line;

typedef struct log_state {
	pthread_mutex_t lock;
	int fd; /* readable when lines have come; -1 before the first sink */
	bool queues;
	line lines[QUEUE_LINES];
	size_t first, count, lost;
	tl_log_level script_level, level;
} log_state;

static const char *const level_names[] = {"debug", "info", "warning", "error", "off", NULL};

/* --- the queue -------------------------------------------------------------------------------- */

static void put(log_state *log, tl_log_level level, const char *part, const char *text)
{
	char *copy = log->count < QUEUE_LINES ? strdup(text) : NULL;
	const uint64_t one = 1;

	if (copy)
		log->lines[(log->first + log->count++) % QUEUE_LINES] =
			(line){tlua_wall_ms(), level, part, copy};
	else
		log->lost++;
	if (write(log->fd, &one, sizeof one) < 0)
		return; /* it is readable already */
}

void tlua_log_sink(void *ud, tl_log_level level, const char *part, const char *text)
{
	log_state *log = ud;
	bool queues;

	pthread_mutex_lock(&log->lock);
	queues = log->queues;
	if (queues)
		put(log, level, part, text);
	pthread_mutex_unlock(&log->lock);
	if (!queues)
		tl_log_print(level, part, (tl_str){text, strlen(text)});
}

/* The next line, its text to be freed; how many were lost once none is left before them. */
static bool next_line(log_state *log, line *out, size_t *lost)
{
	bool any;

	pthread_mutex_lock(&log->lock);
	any = log->count > 0;
	*lost = any ? 0 : log->lost;
	if (any) {
		*out = log->lines[log->first];
		log->first = (log->first + 1) % QUEUE_LINES;
		log->count--;
	} else {
		log->lost = 0;
	}
	pthread_mutex_unlock(&log->lock);
	return any;
}

/* --- the state's ------------------------------------------------------------------------------ */

static int drop(lua_State *L)
{
	log_state *log = luaL_checkudata(L, 1, LOG_TYPE);
	size_t lost;
	line left;

	while (next_line(log, &left, &lost)) { /* nobody came for them */
		char out[TL_LOG_LINE_BYTES];

		tl_log_format(left.time_ms, left.level, left.part,
			(tl_str){left.text, strlen(left.text)}, out);
		fprintf(stderr, "%s\n", out);
		free(left.text);
	}
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	pthread_mutex_destroy(&log->lock);
	return 0;
}

void *tlua_log_of(lua_State *L)
{
	static const luaL_Reg functions[] = {{"__gc", drop}, {NULL, NULL}};
	static const char key;
	log_state *log;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
		lua_pop(L, 1);
		log = lua_newuserdatauv(L, sizeof *log, 0);
		*log = (log_state){.fd = -1, .script_level = TL_LOG_DEBUG, .level = TL_LOG_WARNING};
		pthread_mutex_init(&log->lock, NULL);
		tlua_push_metatable(L, LOG_TYPE, functions);
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	}
	log = lua_touserdata(L, -1);
	lua_pop(L, 1); /* the registry keeps it */
	return log;
}

tl_log_level tlua_log_level(lua_State *L)
{
	return ((const log_state *)tlua_log_of(L))->level;
}

/* --- functions -------------------------------------------------------------------------------- */

/* write(level, text): a line of the script */
static int log_write(lua_State *L)
{
	log_state *log = tlua_log_of(L);
	tl_log_level level = (tl_log_level)tlua_check_choice(L, 1, NULL, level_names);
	tl_str text = tlua_check_str(L, 2);
	luaL_Buffer buffer;
	size_t len;

	if (level < log->script_level || level >= TL_LOG_OFF)
		return 0;
	len = tl_text_escape(text, NULL, 0);
	tl_text_escape(text, luaL_buffinitsize(L, &buffer, len + 1), len + 1);
	luaL_pushresultsize(&buffer, len);
	tlua_log_sink(log, level, "script", lua_tostring(L, -1));
	return 0;
}

/* level(name): the least that is told, of scripts, and of what is opened from now on without a
 * level of its own. Before it is called scripts tell everything, all else warnings and errors. */
static int log_level(lua_State *L)
{
	log_state *log = tlua_log_of(L);

	log->level = log->script_level = (tl_log_level)tlua_check_choice(L, 1, NULL, level_names);
	return 0;
}

/* queue(on) -> a descriptor that is readable when lines have come */
static int log_queue(lua_State *L)
{
	log_state *log = tlua_log_of(L);
	bool on = lua_toboolean(L, 1);

	if (on && log->fd < 0)
		log->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (on && log->fd < 0)
		return luaL_error(L, "no descriptor is left for the log");
	pthread_mutex_lock(&log->lock);
	log->queues = on;
	pthread_mutex_unlock(&log->lock);
	lua_pushinteger(L, log->fd);
	return 1;
}

/* rest(): the descriptor is read; it tells of lines that come later */
static int log_rest(lua_State *L)
{
	const log_state *log = tlua_log_of(L);
	uint64_t count;

	if (log->fd >= 0 && read(log->fd, &count, sizeof count) < 0)
		return 0; /* nothing has come since */
	return 0;
}

static int push_line(lua_State *L, int64_t time_ms, tl_log_level level, const char *part)
{
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, (lua_Integer)time_ms);
	lua_setfield(L, -2, "time_ms");
	lua_pushstring(L, tl_log_level_name(level));
	lua_setfield(L, -2, "level");
	lua_pushstring(L, part);
	lua_setfield(L, -2, "part");
	return 1;
}

/* (line) -> table; protected, as the text must be freed whatever happens */
static int push_taken(lua_State *L)
{
	const line *taken = lua_touserdata(L, 1);

	push_line(L, taken->time_ms, taken->level, taken->part);
	lua_pushstring(L, taken->text);
	lua_setfield(L, -2, "text");
	return 1;
}

/* take() -> { time_ms, level, part, text }, or nil when there is none */
static int log_take(lua_State *L)
{
	line taken;
	size_t lost;
	int rc;

	lua_pushcfunction(L, push_taken);
	lua_pushlightuserdata(L, &taken);
	if (next_line(tlua_log_of(L), &taken, &lost)) {
		rc = lua_pcall(L, 1, 1, 0);
		free(taken.text);
		return rc == LUA_OK ? 1 : lua_error(L);
	}
	if (lost == 0)
		return 0;
	push_line(L, tlua_wall_ms(), TL_LOG_WARNING, "log");
	lua_pushfstring(L, "%d lines are lost: the sink was called too late",
		lost < INT32_MAX ? (int)lost : INT32_MAX);
	lua_setfield(L, -2, "text");
	return 1;
}

/* format(time_ms, level, part, text) -> the line as it would stand on stderr */
static int log_format(lua_State *L)
{
	char out[TL_LOG_LINE_BYTES];

	tl_log_format(luaL_checkinteger(L, 1),
		(tl_log_level)tlua_check_choice(L, 2, NULL, level_names), luaL_checkstring(L, 3),
		tlua_check_str(L, 4), out);
	lua_pushstring(L, out);
	return 1;
}

static const luaL_Reg functions[] = {{"write", log_write}, {"level", log_level},
	{"queue", log_queue}, {"rest", log_rest}, {"take", log_take}, {"format", log_format},
	{NULL, NULL}};

int luaopen_tidelock_log_core(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
