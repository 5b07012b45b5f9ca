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
/* Where zeros are about, comparing two texts takes as long as so many bytes of it are instructions;
 * where tables are large, so many keys of them. */
#define BYTES_A_STEP 128
#define KEYS_A_STEP  1024
/* Calls whose clock is looked at from their first moment, after one that took long. */
#define WATCHED_CALLS 100
/* One of so many is looked at for that. */
#define SAMPLED_CALLS 16
#define MEASURED_KEYS 64

tlua_limits tlua_profile_limits(tlua_profile profile)
{
	static const tlua_limits limits[] = {
		[TLUA_DECIDE] = {4 << 20, 16 << 10, 2048, 100000, 5},
		[TLUA_WORK] = {32 << 20, 1 << 20, 16384, 5000000, 100},
		[TLUA_OBSERVE] = {0, 0, 16384, 500000, 20},
		[TLUA_LOAD] = {0, 0, 16384, 5000000, 200},
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

/* Wall time in steps of some milliseconds, for next to nothing. */
static int64_t tick_now(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
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

int tlua_stop_full(lua_State *L)
{
	tlua_end refused = tlua_cell_of(L)->refused;

	return tlua_stop(L, refused == TLUA_FINE ? TLUA_NO_MEMORY : refused);
}

/* --- units ------------------------------------------------------------------------------------ */

void tlua_limits_begin(tlua_cell *cell, tlua_profile profile)
{
	tlua_limits limits = tlua_profile_limits(profile);

	cell->profile = profile;
	cell->units = cell->unlooked = 0;
	cell->budget = limits.units;
	cell->keys = limits.keys;
	cell->cpu_limit = limits.cpu_ms * 1000000;
	cell->cpu_from = profile == TLUA_DECIDE && cell->watched == 0 ? -1 : cpu_now();
	cell->watched -= cell->watched > 0;
	cell->tick = ++cell->calls % SAMPLED_CALLS == 0 ? tick_now() : 0;
	cell->end = cell->refused = TLUA_FINE;
	cell->choked = false;
	cell->where[0] = 0;
	cell->peak = cell->used;
	lua_sethook(cell->L, on_count, LUA_MASKCOUNT, cell->step);
}

/* What took long between two looks, or before the first, is noticed here. Where the clock was never
 * looked at, one call of some tells by the wall's, and those that follow are watched: this thread
 * may have waited for others. */
void tlua_limits_end(tlua_cell *cell)
{
	if (cell->end == TLUA_FINE && cell->cpu_from >= 0 && out_of_time(cell))
		cell->end = TLUA_NO_TIME;
	else if (cell->cpu_from < 0 && cell->tick > 0 && tick_now() - cell->tick >= cell->cpu_limit)
		cell->watched = WATCHED_CALLS;
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
	if (cell->unlooked >= (uint64_t)cell->step && out_of_time(cell))
		tlua_stop(L, TLUA_NO_TIME);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	tlua_cell *cell = tlua_cell_of(L);

	(void)ar;
	if (cell->end == TLUA_FINE)
		spend(cell, (uint64_t)cell->step);
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

void tlua_charge_compared(lua_State *L, size_t bytes)
{
	tlua_charge(L, 1 + (tlua_cell_of(L)->zeros ? bytes : bytes / BYTES_A_UNIT));
}

void tlua_charge_string(lua_State *L, size_t len)
{
	tlua_charge_bytes(L, len);
	if (len > tlua_cell_of(L)->string)
		tlua_stop(L, TLUA_LONG_STRING);
}

void tlua_look(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);

	cell->unlooked += (uint64_t)cell->step;
	check(L, cell);
}

void tlua_charge_unknown(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);

	cell->unlooked += cell->used / 4096;
	check(L, cell);
}

/* --- instructions that take long -------------------------------------------------------------- */

/* Fewer of them between two looks. */
static void heed(tlua_cell *cell)
{
	size_t texts = cell->zeros ? cell->longest / BYTES_A_STEP : 0;
	size_t tables = cell->largest / KEYS_A_STEP, weight = texts > tables ? texts : tables;
	int step = weight == 0 ? TLUA_STEP : weight < TLUA_STEP ? TLUA_STEP / (int)weight : 1;

	if (step >= cell->step)
		return;
	cell->step = step;
	if (cell->L && cell->budget > 0 && cell->end == TLUA_FINE)
		lua_sethook(cell->L, on_count, LUA_MASKCOUNT, step);
}

void tlua_heed_zeros(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);

	cell->zeros = true;
	heed(cell);
}

void tlua_push_text(lua_State *L, tl_str text)
{
	if (text.len > 0 && memchr(text.ptr, 0, text.len))
		tlua_heed_zeros(L);
	lua_pushlstring(L, text.ptr, text.len);
}

/* The keys that a table has beside its list are one block of nodes, a power of two. How large one
 * is, is seen at the first. A list that is made with just so many places is taken for one. */
static size_t keys_of(const tlua_cell *cell, size_t size)
{
	size_t count = cell->node ? size / cell->node : 0;

	return count > 0 && size % cell->node == 0 && (count & (count - 1)) == 0 ? count : 0;
}

void tlua_measure(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);

	cell->measured = 0;
	lua_createtable(L, 0, MEASURED_KEYS);
	cell->node = cell->measured / MEASURED_KEYS;
	lua_pop(L, 1);
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

/* `made` is what Lua says of a new block: the type of an object, 0 for parts of one. */
static bool may_make(tlua_cell *cell, size_t made, size_t size)
{
	size_t keys = made == 0 ? keys_of(cell, size) : 0;

	if (made == LUA_TSTRING && size > cell->string + STRING_HEAD) {
		refuse(cell, TLUA_LONG_STRING, true);
		return false;
	}
	if (keys > cell->keys) {
		refuse(cell, TLUA_LARGE_TABLE, true);
		return false;
	}
	cell->measured = made == 0 ? size : cell->measured;
	if (keys > cell->largest || (made == LUA_TSTRING && size > cell->longest)) {
		cell->largest = keys > cell->largest ? keys : cell->largest;
		cell->longest = made == LUA_TSTRING ? size : cell->longest;
		heed(cell);
	}
	return true;
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
		return NULL;
	}
	if (size > before && (cell->choked || (!old && !may_make(cell, old_size, size))))
		return NULL;
	cell->full = false;
	block = tlua_pool_resize(cell, old, before, size);
	if (cell->full)
		refuse(cell, TLUA_NO_MEMORY, !old);
	if (!block && size <= before && size > cell->pooled)
		block = old; /* that is large enough; one that is to become a small one is not told
				from those */
	if (!block) {
		if (cell->refused == TLUA_FINE)
			cell->refused = TLUA_NO_MEMORY;
		return NULL;
	}
	if (size > before && size >= LARGE_BLOCK)
		charge_block(cell, size);
	return block;
}
