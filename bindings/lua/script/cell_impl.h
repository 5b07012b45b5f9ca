/* What the files of the room share. Functions that take a lua_State are for C functions that run in
 * a cell. */
#ifndef TL_LUA_CELL_IMPL_H
#define TL_LUA_CELL_IMPL_H

#include <lauxlib.h>
#include <locale.h>
#include "script/cell.h"
#include "script/ring.h"

#define TLUA_STEP          1000           /* instructions between two looks of the hook, mostly */
#define TLUA_REQUIRE_DEPTH 32             /* modules within modules */
#define TLUA_RESULTS       1000           /* values that a function may return at once */
#define TLUA_OWN           "tidelock.own" /* in the registry: the environment of the library's halves */

typedef struct tlua_failures {
	tlua_failure kept[TLUA_FAILURES_KEPT]; /* a ring: number N lies at (N - 1) % KEPT */
	uint64_t count;
	struct {
		char where[TLUA_WHERE_MAX];
		uint64_t count;
	} places[TLUA_PLACES_KEPT];
	size_t place_count;
} tlua_failures;

#define TLUA_POOL_STEP 16  /* bytes */
#define TLUA_POOL_MAX  512 /* bytes of a block */

typedef struct tlua_pool {
	void *lists[TLUA_POOL_MAX / TLUA_POOL_STEP + 1]; /* free blocks, each holds the next */
	char *at;                                        /* what was not cut yet */
	size_t left;
	struct chunk *chunks;
} tlua_pool;

struct tlua_cell {
	lua_State *L;
	locale_t locale; /* C: numbers and the order of strings */
	char name[TLUA_WHERE_MAX];
	bool (*find)(void *ud, tlua_wanted wanted, const char *name, tlua_found *out);
	void (*say)(void *ud, tl_log_level level, const char *where, tl_str text);
	void *(*resize)(void *ud, void *block, size_t size);
	void (*release)(void *ud, void *block);
	void *ud;
	size_t pooled; /* blocks up to so many bytes are the pool's; 0: none are */
	/* memory */
	size_t memory, string, keys; /* limits */
	size_t used, peak;           /* what the system gave */
	size_t node, measured;       /* bytes of a key of tables; while that is measured */
	size_t largest, longest;     /* keys of a table, bytes of a text, that there ever were */
	bool zeros;                  /* texts may hold zero bytes: comparing them is slow */
	bool full;                   /* the pool had no room at first */
	tlua_pool pool;
	tlua_end refused; /* why the allocator said no the last time */
	bool choked;      /* nothing grows any more until the call has ended */
	/* the call */
	tlua_profile profile;
	int step;         /* instructions between two looks of the hook */
	unsigned watched; /* calls whose clock runs from their beginning */
	uint64_t calls;
	int64_t tick; /* when it began; 0: nobody looked */
	uint64_t units, budget, unlooked;
	int64_t cpu_from, cpu_limit; /* nanoseconds; from -1: not looked yet */
	tlua_end end;                /* by a limit */
	char where[TLUA_WHERE_MAX];  /* of the failure */
	bool loading;
	const tlua_lazy *lazy;
	const void *lazy_object;
	uint64_t lazy_made; /* a bit for each field */
	/* files and lines */
	unsigned files;
	tlua_ring *rings;
	size_t ring_bytes;                                  /* of their files */
	char requiring[TLUA_REQUIRE_DEPTH][TLUA_WHERE_MAX]; /* modules that are being loaded */
	unsigned requires;
	int64_t second;
	unsigned lines, left_out;
	int value; /* reference */
	tlua_failures failures;
};

static inline tlua_cell *tlua_cell_of(lua_State *L)
{
	return *(tlua_cell **)lua_getextraspace(L);
}

/* --- limits (limits.c) ------------------------------------------------------------------------ */

void *tlua_cell_allocate(void *ud, void *old, size_t old_size, size_t size); /* of lua_newstate */
void tlua_limits_begin(tlua_cell *cell, tlua_profile profile);
/* The last look at the clock. */
void tlua_limits_end(tlua_cell *cell);
/* How large the parts of tables are here; before the first script. */
void tlua_measure(lua_State *L);
/* From now on texts may hold zero bytes. */
void tlua_heed_zeros(lua_State *L);
int tlua_require(lua_State *L); /* `require`: a lua_CFunction; raises */
/* Ends the call; does not return. */
int tlua_stop(lua_State *L, tlua_end end);
int tlua_stop_full(lua_State *L); /* after LUA_ERRMEM, whatever was refused */
/* The same for a text of so many bytes that is compared with another one. */
void tlua_charge_compared(lua_State *L, size_t bytes);
/* Before a string of this length is made. */
void tlua_charge_string(lua_State *L, size_t len);
/* Work that cannot be told beforehand, at most as much as the cell has memory: lets the clock be
 * looked at sooner. */
void tlua_charge_unknown(lua_State *L);
/* Looks at the clock. */
void tlua_look(lua_State *L);
/* Keeps the line that runs, of the script rather than of the library's halves. */
void tlua_note_where(lua_State *L);
/* "policy.lua:7" of whoever called the running C function. */
void tlua_caller(lua_State *L, char out[TLUA_WHERE_MAX]);

/* --- small blocks (pool.c) -------------------------------------------------------------------- */

/* `old_size` is 0 without a block. */
void *tlua_pool_resize(tlua_cell *cell, void *old, size_t old_size, size_t size);
void tlua_pool_release(tlua_cell *cell, void *block, size_t size);
void tlua_pool_close(tlua_cell *cell);

/* --- failures (failures.c) -------------------------------------------------------------------- */

/* Notes the failure of the call that has just ended with this value on top of the stack. */
tlua_end tlua_failed(tlua_cell *cell, int status, const tlua_call *call, tlua_failure *why);

/* --- the environment -------------------------------------------------------------------------- */

/* Each leaves one table on the stack: the module with its functions. */
void tlua_env_environment(
	lua_State *L, const tlua_cell_options *options); /* globals; environment.c */
void tlua_env_string(lua_State *L);
void tlua_env_table(lua_State *L);
void tlua_env_math(lua_State *L);
void tlua_env_utf8(lua_State *L);
void tlua_env_text(lua_State *L);
void tlua_env_log(lua_State *L);
/* The functions of a module into the table on top, which answers every other key with an error that
 * names the nearest: "there is no string.gsub". */
void tlua_fill(lua_State *L, const char *module, const luaL_Reg *functions);
/* The table on top raises for names that it does not have; `what` stands before them. */
void tlua_guard(lua_State *L, const char *what);
void tlua_raise_unknown(lua_State *L, const char *what, const char *key, int names);

/* Replaces the object at 1, where its fields are made when read, by a table of all of them. */
bool tlua_spread_lazy(lua_State *L);

int tlua_pairs(lua_State *L);  /* walk.c */
int tlua_next(lua_State *L);   /* walk.c */
int tlua_ipairs(lua_State *L); /* walk.c */
int tlua_format(lua_State *L); /* format.c */
int tlua_print(lua_State *L);  /* say.c */
/* Replaces the value at `index` by its text. Addresses are not shown: "(a table)". */
const char *tlua_show(lua_State *L, int index, size_t *len);
/* The nearest of names to a word: `best` is NULL where none is near. */
typedef struct tlua_near {
	const char *word, *best;
	size_t least;
} tlua_near;
tlua_near tlua_near_to(const char *word);
void tlua_near_try(lua_State *L, tlua_near *near, const char *name);
/* "there is no WHAT KEY here", and what may have been meant. */
void tlua_raise_near(lua_State *L, const char *what, const tlua_near *near);
/* The nearest key of the table at `names`; it lives in the table. */
const char *tlua_nearest(lua_State *L, const char *word, int names);

/* keyring 'file' (keyring.c) */
int tlua_keyring(lua_State *L);
int tlua_keys_within(lua_State *L);
void tlua_drop_rings(tlua_cell *cell);

/* What a script asked for, within the limits of the cell; raises. The text is to be released. */
void tlua_find(lua_State *L, tlua_wanted wanted, const char *name, tlua_found *out);

/* Pushes the function of a text, named so in errors; raises, with the name, for what is no script.
 */
void tlua_compile(lua_State *L, const char *name, tl_str text);

#endif
