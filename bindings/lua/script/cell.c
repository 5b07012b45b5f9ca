/* Opening, calling and closing a cell. */
#include "script/cell_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every state has its message handler and the way into it at the bottom of its stack. */
#define HANDLER 1
#define ENTRY   2

#define SMALL_CELL       (256 << 10) /* bytes */
#define SMALL_CELL_PAUSE 1000        /* percent of what lives, until the next collection begins */

static void *default_resize(void *ud, void *block, size_t size)
{
	(void)ud;
	return realloc(block, size);
}

static void default_release(void *ud, void *block)
{
	(void)ud;
	free(block);
}

/* --- into the state --------------------------------------------------------------------------- */

/* Where it was raised; a limit has noted that already. The value stays as it is. */
static int on_error(lua_State *L)
{
	if (tlua_cell_of(L)->end == TLUA_FINE)
		tlua_note_where(L);
	return 1;
}

static int enter(lua_State *L)
{
	const tlua_call *call = lua_touserdata(L, 1);
	int count = 0;

	lua_settop(L, 0);
	lua_rawgeti(L, LUA_REGISTRYINDEX, call->function);
	if (call->push)
		count = call->push(L, call->ud);
	lua_call(L, count, call->take ? LUA_MULTRET : 0);
	if (call->take)
		call->take(L, call->ud);
	return 0;
}

/* Runs what lies on the stack (a function and `arguments`) within the limits of the profile.
 * Numbers and the order of strings are those of the C locale meanwhile, for this thread. */
static tlua_end run(tlua_cell *cell, tlua_profile profile, int arguments, const tlua_call *call,
	tlua_failure *why)
{
	locale_t before = uselocale(cell->locale);
	tlua_end end = TLUA_FINE;
	int status;

	tlua_limits_begin(cell, profile);
	status = lua_pcall(cell->L, arguments, 0, HANDLER);
	tlua_limits_end(cell);
	cell->requires = 0;
	cell->lazy = NULL;
	cell->lazy_object = NULL;
	if (status != LUA_OK || cell->end != TLUA_FINE)
		end = tlua_failed(cell, status, call, why);
	cell->budget = 0;
	lua_settop(cell->L, ENTRY);
	uselocale(before);
	return end;
}

tlua_end tlua_cell_call(tlua_cell *cell, const tlua_call *call, tlua_failure *why)
{
	lua_pushvalue(cell->L, ENTRY);
	lua_pushlightuserdata(cell->L, (void *)(uintptr_t)call);
	return run(cell, call->profile, 1, call, why);
}

const char *tlua_cell_name(const tlua_cell *cell)
{
	return cell->name;
}

uint64_t tlua_cell_units(const tlua_cell *cell)
{
	return cell->units;
}

size_t tlua_cell_memory(const tlua_cell *cell)
{
	return cell->used;
}

size_t tlua_cell_peak(const tlua_cell *cell)
{
	return cell->peak;
}

/* --- functions of the file -------------------------------------------------------------------- */

tlua_ref tlua_cell_value(const tlua_cell *cell)
{
	return cell->value;
}

typedef struct making {
	tlua_cell *cell;
	lua_CFunction make;
	const char *key;
	void *ud;
	tlua_ref ref;
} making;

static int make_ref(lua_State *L)
{
	making *m = lua_touserdata(L, 1);

	lua_pushcfunction(L, m->make);
	lua_rawgeti(L, LUA_REGISTRYINDEX, m->cell->value);
	lua_pushlightuserdata(L, m->ud);
	lua_call(L, 2, 1);
	if (!lua_isnil(L, -1))
		m->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

tlua_end tlua_cell_make(
	tlua_cell *cell, lua_CFunction make, void *ud, tlua_ref *out, tlua_failure *why)
{
	making m = {.cell = cell, .make = make, .ud = ud, .ref = TLUA_REF_NONE};
	tlua_end end;

	/* Neither push allocates. */
	lua_pushcfunction(cell->L, make_ref);
	lua_pushlightuserdata(cell->L, &m);
	cell->loading = true;
	end = run(cell, TLUA_LOAD, 1, NULL, why);
	cell->loading = false;
	*out = m.ref;
	return end;
}

static int pick_key(lua_State *L)
{
	if (!lua_istable(L, 1))
		return 0;
	lua_pushstring(L, lua_touserdata(L, 2));
	if (lua_rawget(L, 1) != LUA_TFUNCTION)
		lua_pushnil(L);
	return 1;
}

tlua_ref tlua_cell_function(tlua_cell *cell, const char *key)
{
	tlua_ref ref = TLUA_REF_NONE;

	(void)tlua_cell_make(cell, pick_key, (void *)(uintptr_t)key, &ref, NULL);
	return ref;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int load_file(lua_State *L)
{
	const tlua_cell_options *options = lua_touserdata(L, 1);
	tlua_cell *cell = tlua_cell_of(L);

	lua_settop(L, 0);
	tlua_measure(L);
	tlua_env_environment(L, options);
	tlua_compile(L, cell->name, options->source);
	lua_call(L, 0, 1);
	if (lua_isnil(L, -1))
		luaL_error(L, "this script returns nothing");
	cell->value = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static tlua_cell *new_cell(const tlua_cell_options *options)
{
	void *(*resize)(void *, void *, size_t) =
		options->resize ? options->resize : default_resize;
	tlua_limits limits = tlua_profile_limits(options->profile);
	tlua_cell *cell = resize(options->ud, NULL, sizeof *cell);

	if (!cell)
		return NULL;
	memset(cell, 0, sizeof *cell);
	tlua_copy_text(cell->name, sizeof cell->name, options->name);
	cell->find = options->find;
	cell->say = options->say;
	cell->resize = resize;
	cell->release = options->release ? options->release : default_release;
	cell->ud = options->ud;
	cell->pooled = options->unpooled ? 0 : TLUA_POOL_MAX;
	cell->memory = limits.memory;
	cell->string = limits.string;
	cell->step = TLUA_STEP;
	return cell;
}

/* False when there is no memory; the cell is to be closed in any case. */
static bool new_state(tlua_cell *cell)
{
	cell->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!cell->locale)
		return false;
	cell->L = lua_newstate(tlua_cell_allocate, cell);
	if (!cell->L)
		return false;
	*(tlua_cell **)lua_getextraspace(cell->L) = cell;
	/* Neither allocates. */
	lua_pushcfunction(cell->L, on_error);
	lua_pushcfunction(cell->L, enter);
	return true;
}

/* A script that is small when it is loaded makes garbage only, and the collector, which walks over
 * all that lives, comes more seldom. */
static void set_pace(tlua_cell *cell)
{
	if (cell->used < SMALL_CELL)
		lua_gc(cell->L, LUA_GCINC, SMALL_CELL_PAUSE, 0, 0);
}

tlua_end tlua_cell_open(const tlua_cell_options *options, tlua_cell **out, tlua_failure *why)
{
	tlua_cell *cell = new_cell(options);
	tlua_end end = TLUA_NO_MEMORY;

	*out = NULL;
	if (cell && new_state(cell)) {
		lua_pushcfunction(cell->L, load_file);
		lua_pushlightuserdata(cell->L, (void *)(uintptr_t)options);
		cell->loading = true;
		end = run(cell, TLUA_LOAD, 1, NULL, why);
		cell->loading = false;
		set_pace(cell);
	} else {
		*why = (tlua_failure){.end = end, .text = "not enough memory"};
		tlua_copy_text(why->where, sizeof why->where, options->name);
	}
	if (end == TLUA_FINE)
		*out = cell;
	else
		tlua_cell_close(cell);
	return end;
}

void tlua_cell_close(tlua_cell *cell)
{
	if (!cell)
		return;
	if (cell->L)
		lua_close(cell->L);
	if (cell->locale)
		freelocale(cell->locale);
	tlua_pool_close(cell);
	tlua_drop_rings(cell);
	cell->release(cell->ud, cell);
}
