/* A cell: one Lua state for one script file, in which the script cannot hurt whoever calls it.
 *
 * A script sees the functions that README.md lists and nothing else. What it may use in one call is
 * limited (tlua_profile); what goes over a limit ends the call, and nothing in the script can catch
 * that. A cell belongs to one thread at a time: it may be opened on one, called on a second and
 * closed on a third, as long as they take turns. Cells share nothing with each other and know
 * nothing of nodes. No function here waits or raises, except those that say so. */
#ifndef TL_LUA_CELL_H
#define TL_LUA_CELL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tidelock/log.h>
#include "script/words.h"

typedef struct tlua_cell tlua_cell;

/* Limits of a call. Memory and the longest string are those of the profile that a cell was opened
 * with; TLUA_DECIDE or TLUA_WORK. */
typedef enum tlua_profile {
	TLUA_DECIDE,  /* policies: 4 MiB, strings of 16 KiB; 100,000 units, 5 ms of CPU; a table
		       * grows to 2,048 keys beside its list, elsewhere to 16,384 */
	TLUA_WORK,    /* rules and gates: 32 MiB, 1 MiB; 5,000,000 units, 100 ms */
	TLUA_OBSERVE, /* observers: 500,000 units, 20 ms */
	TLUA_LOAD     /* loading a file: 5,000,000 units, 200 ms */
} tlua_profile;

typedef struct tlua_limits {
	size_t memory, string; /* bytes; 0 where the profile a cell was opened with counts */
	size_t keys;           /* that a table has beside its list */
	uint64_t units;
	int64_t cpu_ms;
} tlua_limits;

tlua_limits tlua_profile_limits(tlua_profile profile);

/* How a call ended. */
typedef enum tlua_end {
	TLUA_FINE,
	TLUA_RAISED,      /* an error that nobody caught; also what does not compile */
	TLUA_NO_UNITS,    /* over its budget of units */
	TLUA_NO_TIME,     /* over its CPU time */
	TLUA_NO_MEMORY,   /* over the memory of the cell, or the process has none */
	TLUA_LONG_STRING, /* a string over the limit */
	TLUA_LARGE_TABLE, /* a table with too many keys beside its list */
	TLUA_UNREADABLE   /* its file cannot be read (noted by the caller) */
} tlua_end;

/* "fine" "error" "units" "cpu" "memory" "string" "table" "io". */
const char *tlua_end_name(tlua_end end);

#define TLUA_WHERE_MAX     96
#define TLUA_TEXT_MAX      256
#define TLUA_INPUT_MAX     256
#define TLUA_FAILURES_KEPT 20
#define TLUA_PLACES_KEPT   100
#define TLUA_FILES_MAX     64
#define TLUA_FILE_MAX      (1 << 20)  /* bytes of a script file */
#define TLUA_RING_MAX      (16 << 20) /* bytes of the keyring files of a script */
#define TLUA_DEPTH_MAX     32         /* of plain data */
#define TLUA_DATA_MAX      (1 << 20)  /* bytes of plain data */
#define TLUA_LINES_MAX     100        /* that a cell logs in a second */

typedef struct tlua_failure {
	tlua_end end;
	char where[TLUA_WHERE_MAX]; /* "policy.lua:7"; the file alone where no line is known */
	char text[TLUA_TEXT_MAX];   /* one sentence, without the place */
	char input[TLUA_INPUT_MAX]; /* what the call was about; "" where the caller did not say */
	uint64_t number;            /* of the failures of this cell, from 1 */
	uint64_t here;              /* of those at this place */
} tlua_failure;

/* --- opening ---------------------------------------------------------------------------------- */

typedef enum tlua_wanted {
	TLUA_MODULE, /* require 'name' */
	TLUA_RING    /* keyring 'name' */
} tlua_wanted;

/* What a script asked for. `text` is of malloc and goes to the cell, unless it is one of the
 * library's own modules, which is static. */
typedef struct tlua_found {
	char *text;
	size_t len;
	bool ours;
	char name[TLUA_WHERE_MAX];   /* as errors show it: "lib/names.lua" */
	char problem[TLUA_TEXT_MAX]; /* why there is none, a sentence */
} tlua_found;

typedef struct tlua_cell_options {
	tlua_profile profile; /* TLUA_DECIDE or TLUA_WORK */
	const char *name;     /* of the file, as errors show it */
	tl_str source;
	tl_str me_name, me_key; /* of this node; ptr NULL: there is none */
	/* Finds a module or a file beside the script, false with a problem. Called while the script
	 * is loaded, for at most TLUA_FILES_MAX files. NULL: there are none. */
	bool (*find)(void *ud, tlua_wanted wanted, const char *name, tlua_found *out);
	/* A line of `print` and `log`, `where` as "policy.lua:7". Called on the thread of the call,
	 * at most TLUA_LINES_MAX times a second; what is left out is counted in a line of its own.
	 * NULL: lines are dropped. */
	void (*say)(void *ud, tl_log_level level, const char *where, tl_str text);
	void *ud;
	/* Memory of the cell, as realloc and free; NULL: those. */
	void *(*resize)(void *ud, void *block, size_t size);
	void (*release)(void *ud, void *block);
	bool unpooled; /* each block is asked for by itself, however small: for specifications */
} tlua_cell_options;

/* Compiles and runs the source under TLUA_LOAD; the options, but for what the functions use, need
 * not outlive the call. *out is the caller's, NULL unless TLUA_FINE; *why tells the failure. Takes
 * up to 200 ms of CPU, so never on an engine's thread. */
tlua_end tlua_cell_open(const tlua_cell_options *options, tlua_cell **out, tlua_failure *why);
void tlua_cell_close(tlua_cell *cell); /* NULL is fine */

/* --- calling ---------------------------------------------------------------------------------- */

/* A function of the cell, or the value that its file returned. */
typedef int tlua_ref;
#define TLUA_REF_NONE 0
tlua_ref tlua_cell_value(const tlua_cell *cell);
/* The function at this key of the file's value; TLUA_REF_NONE where it is no table or has none. The
 * same key twice makes two. */
tlua_ref tlua_cell_function(tlua_cell *cell, const char *key);
/* Makes a function of the file's value, under TLUA_LOAD: `make` is called protected with the value
 * at 1 and `ud` as a light userdata at 2, returns one value, and may raise. */
tlua_end tlua_cell_make(
	tlua_cell *cell, lua_CFunction make, void *ud, tlua_ref *out, tlua_failure *why);

typedef struct tlua_call {
	tlua_profile profile;
	tlua_ref function;
	/* Pushes the arguments and returns how many; NULL: none. Runs protected, within the limits
	 * of the call, and may raise. */
	int (*push)(lua_State *L, void *ud);
	/* Reads the results, which are the whole stack. The same. NULL: they are dropped. */
	void (*take)(lua_State *L, void *ud);
	/* Tells what the call is about, for failures, when one is noted; NULL: nothing. */
	void (*describe)(void *ud, char *out, size_t size);
	void *ud;
} tlua_call;

/* On a failure *why (may be NULL) tells it and it is counted. The call is not repeated. */
tlua_end tlua_cell_call(tlua_cell *cell, const tlua_call *call, tlua_failure *why);

const char *tlua_cell_name(const tlua_cell *cell); /* of the file */
/* What the last call used. Units count in steps of 1,000 instructions. */
uint64_t tlua_cell_units(const tlua_cell *cell);
size_t tlua_cell_memory(const tlua_cell *cell); /* bytes now */
size_t tlua_cell_peak(const tlua_cell *cell);   /* the most of the last call */

/* --- lazy fields ------------------------------------------------------------------------------ */

/* An object whose fields, at most 64, are made when the script reads them, once each. */
typedef struct tlua_lazy {
	const char *what;         /* "a request", for errors */
	const char *const *names; /* closed by NULL; the same array for the same kind of object */
	/* Pushes one value for names[index]. Runs protected and may raise. */
	void (*push)(lua_State *L, void *ud, size_t index);
	void *ud;
} tlua_lazy;

/* For tlua_call.push: pushes the object. One at a time in a cell; when the call has ended, reading
 * a field raises. *lazy must live as long as the call. */
void tlua_push_lazy(lua_State *L, const tlua_lazy *lazy);
/* For methods of it, C functions among its fields: the ud of the object at `index`. Raises for what
 * is none, or not that of this call. */
void *tlua_check_lazy(lua_State *L, int index);
/* For whoever pushes a text of others into a cell: as lua_pushlstring. */
void tlua_push_text(lua_State *L, tl_str text);

/* --- for functions that are pushed into a cell ------------------------------------------------ */

/* Takes units before the work is done that they stand for; raises over the budget. */
void tlua_charge(lua_State *L, uint64_t units);
/* The same for bytes that are read or written: a unit for 16 of them. */
void tlua_charge_bytes(lua_State *L, size_t bytes);
/* Around work of the host's own, as reading files: its CPU time is not the script's. */
int64_t tlua_aside(void);
void tlua_back(lua_State *L, int64_t from);
/* Raises, and the failure is at this place rather than where the script runs. */
int tlua_raise_at(lua_State *L, const char *where, const char *text);

/* --- plain data ------------------------------------------------------------------------------- */

/* nil, booleans, numbers, strings, tables of these without cycles and metatables, as bytes that
 * belong to nobody's Lua state. Empty: {0}; released by tlua_data_drop. */
typedef struct tlua_data {
	char *bytes;
	size_t len, cap;
	bool charged; /* what is taken costs units: for the results of a call */
	bool zeros;   /* a text in it holds a zero byte */
} tlua_data;

/* Appends the value at `index`. Raises, with the place in the value, where it is not plain, deeper
 * than TLUA_DEPTH_MAX or longer than TLUA_DATA_MAX; what was appended until then stays. */
void tlua_data_take(lua_State *L, int index, tlua_data *out);
/* Pushes all values and returns how many. Raises for want of memory. */
int tlua_data_push(lua_State *L, const tlua_data *data);
void tlua_data_drop(tlua_data *data);

/* For tlua_call: ud is a tlua_exchange; the arguments as they are, all results. */
typedef struct tlua_exchange {
	const tlua_data *arguments;
	tlua_data *results;
} tlua_exchange;
int tlua_exchange_push(lua_State *L, void *ud);
void tlua_exchange_take(lua_State *L, void *ud);

/* Pushes one of the library's own halves, as the cell's `require` gives it: a script may have given
 * that global to something else. Raises. */
void tlua_push_half(lua_State *L, const char *name);

/* --- failures --------------------------------------------------------------------------------- */

uint64_t tlua_cell_failed(const tlua_cell *cell);
/* The newest first; NULL behind the last one kept. Until the next failure. */
const tlua_failure *tlua_cell_failure(const tlua_cell *cell, size_t index);

#endif
