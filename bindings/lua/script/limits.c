/* What a call may use: units, counted by a hook and by the functions themselves; memory, by the
 * allocator; CPU time of the thread as a backstop. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "script/cell_impl.h"

/* A string object is its head and a closing zero larger than its text. */
#define STRING_HEAD 32
/* From here on a block costs units: `..`, growing tables and long arguments are single instructions
 * whose work is as large as what they allocate. */
#define LARGE_BLOCK  256
#define BYTES_A_UNIT 16

tlua_limits tlua_profile_limits(tlua_profile profile)
{
	static const tlua_limits limits[] = {
		[TLUA_DECIDE] = {4 << 20, 16 << 10, 100000, 5},
		[TLUA_WORK] = {32 << 20, 1 << 20, 5000000, 100},
		[TLUA_OBSERVE] = {0, 0, 500000, 20},
		[TLUA_LOAD] = {0, 0, 5000000, 200},
	};

	return limits[profile];
}

/* --- time ------------------------------------------------------------------------------------- */

static int64_t cpu_now(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A decision is shorter than asking for the time, so its clock starts at the first look. */
static bool out_of_time(tlua_cell *cell)
{
	int64_t now = cpu_now();

	cell->unlooked = 0;
	if (cell->cpu_from < 0)
		cell->cpu_from = now;
	return now - cell->cpu_from > cell->cpu_limit;
}

int64_t tlua_aside(void)
{
	return cpu_now();
}

void tlua_back(lua_State *L, int64_t from)
{
	tlua_cell *cell = tlua_cell_of(L);

	if (cell->cpu_from >= 0)
		cell->cpu_from += cpu_now() - from;
}

/* --- ending a call ---------------------------------------------------------------------------- */

/* The innermost line of the script; nobody looks for a mistake in the library's own halves. */
static bool find_line(lua_State *L, int level, lua_Debug *ar)
{
	for (; lua_getstack(L, level, ar); level++) {
		lua_getinfo(L, "Sl", ar);
		if (ar->currentline > 0 && strncmp(ar->short_src, "tidelock:", 9) != 0)
			return true;
	}
	return false;
}

static void write_place(const lua_Debug *ar, char out[TLUA_WHERE_MAX])
{
	snprintf(out, TLUA_WHERE_MAX, "%s:%d", ar->short_src, ar->currentline);
}

void tlua_note_where(lua_State *L)
{
	lua_Debug ar;

	if (find_line(L, 0, &ar))
		write_place(&ar, tlua_cell_of(L)->where);
}

void tlua_caller(lua_State *L, char out[TLUA_WHERE_MAX])
{
	lua_Debug ar;

	out[0] = 0;
	if (find_line(L, 1, &ar))
		write_place(&ar, out);
}

static void on_count(lua_State *L, lua_Debug *ar);

/* From now on the hook raises at every instruction, so that nothing in the script can go on. */
static void end_call(tlua_cell *cell, tlua_end end)
{
	if (cell->end != TLUA_FINE)
		return;
	cell->end = end;
	lua_sethook(cell->L, on_count, LUA_MASKCOUNT, 1);
}

int tlua_stop(lua_State *L, tlua_end end)
{
	tlua_cell *cell = tlua_cell_of(L);

	if (cell->end == TLUA_FINE || cell->where[0] == 0)
		tlua_note_where(L);
	end_call(cell, end);
	lua_pushboolean(L, false);
	return lua_error(L);
}

/* --- units ------------------------------------------------------------------------------------ */

void tlua_limits_begin(tlua_cell *cell, tlua_profile profile)
{
	tlua_limits limits = tlua_profile_limits(profile);

	cell->profile = profile;
	cell->units = cell->unlooked = 0;
	cell->budget = limits.units;
	cell->cpu_limit = limits.cpu_ms * 1000000;
	cell->cpu_from = profile == TLUA_DECIDE ? -1 : cpu_now();
	cell->end = cell->refused = TLUA_FINE;
	cell->choked = false;
	cell->where[0] = 0;
	cell->peak = cell->used;
	lua_sethook(cell->L, on_count, LUA_MASKCOUNT, TLUA_STEP);
}

static void spend(tlua_cell *cell, uint64_t units)
{
	/* Nobody has more than the budget, so sums cannot overflow. */
	if (units > cell->budget)
		units = cell->budget + 1;
	cell->units += units;
	cell->unlooked += units;
}

static void check(lua_State *L, tlua_cell *cell)
{
	if (cell->end != TLUA_FINE)
		tlua_stop(L, cell->end);
	if (cell->units > cell->budget)
		tlua_stop(L, TLUA_NO_UNITS);
	if (cell->unlooked >= TLUA_STEP && out_of_time(cell))
		tlua_stop(L, TLUA_NO_TIME);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	tlua_cell *cell = tlua_cell_of(L);

	(void)ar;
	if (cell->end == TLUA_FINE)
		spend(cell, TLUA_STEP);
	check(L, cell);
	if (cell->used > cell->memory / 2)
		tlua_note_where(
			L); /* where memory runs out under a growing stack nobody can tell */
}

void tlua_charge(lua_State *L, uint64_t units)
{
	tlua_cell *cell = tlua_cell_of(L);

	spend(cell, units);
	check(L, cell);
}

void tlua_charge_bytes(lua_State *L, size_t bytes)
{
	tlua_charge(L, 1 + bytes / BYTES_A_UNIT);
}

void tlua_charge_string(lua_State *L, size_t len)
{
	tlua_charge_bytes(L, len);
	if (len > tlua_cell_of(L)->string)
		tlua_stop(L, TLUA_LONG_STRING);
}

void tlua_charge_unknown(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);

	cell->unlooked += cell->used / 4096;
	check(L, cell);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Lua collects its garbage and asks once more. In a full cell that may happen at every request, and
 * each time takes as long as the cell is large. */
static void refuse(tlua_cell *cell, tlua_end why, bool object)
{
	cell->refused = why;
	if (!cell->L || cell->budget == 0)
		return;
	if (object)
		tlua_note_where(cell->L);
	if (out_of_time(cell)) {
		cell->choked = true;
		end_call(cell, why);
	}
}

static bool may_grow(tlua_cell *cell, size_t before, size_t size, bool string, bool object)
{
	if (cell->choked)
		return false;
	if (string && size > cell->string + STRING_HEAD)
		refuse(cell, TLUA_LONG_STRING, object);
	else if (cell->used - before + size > cell->memory)
		refuse(cell, TLUA_NO_MEMORY, object);
	else
		return true;
	return false;
}

/* The next instruction raises when the block was more than there was to spend. */
static void charge_block(tlua_cell *cell, size_t size)
{
	if (!cell->L || cell->budget == 0)
		return;
	spend(cell, size / BYTES_A_UNIT);
	if (cell->units > cell->budget)
		end_call(cell, TLUA_NO_UNITS);
}

void *tlua_cell_allocate(void *ud, void *old, size_t old_size, size_t size)
{
	tlua_cell *cell = ud;
	size_t before = old ? old_size : 0; /* without a block it says what is made */
	void *block;

	if (size == 0) {
		if (old)
			tlua_pool_release(cell, old, before);
		cell->used -= before;
		return NULL;
	}
	if (size > before && !may_grow(cell, before, size, !old && old_size == LUA_TSTRING, !old))
		return NULL;
	block = tlua_pool_resize(cell, old, before, size);
	if (!block && size <= before && size > cell->pooled)
		block = old; /* that is large enough; one that is to become a small one is not told
				from those */
	if (!block) {
		cell->refused = TLUA_NO_MEMORY;
		return NULL;
	}
	cell->used = cell->used - before + size;
	cell->peak = cell->used > cell->peak ? cell->used : cell->peak;
	if (size > before && size >= LARGE_BLOCK)
		charge_block(cell, size);
	return block;
}
