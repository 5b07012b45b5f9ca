/* math, without random: the same call gives the same answer. */
#include <math.h>
#include "script/cell_impl.h"

/* --- functions of one float ------------------------------------------------------------------- */

static const struct {
	const char *name;
	double (*of)(double x);
} of_float[] = {{"acos", acos}, {"asin", asin}, {"cos", cos}, {"exp", exp}, {"sin", sin},
	{"sqrt", sqrt}, {"tan", tan}};

/* The upvalue says which. */
static int math_of_float(lua_State *L)
{
	double x = luaL_checknumber(L, 1);

	tlua_charge(L, 2);
	lua_pushnumber(L, of_float[lua_tointeger(L, lua_upvalueindex(1))].of(x));
	return 1;
}

static int math_atan(lua_State *L)
{
	tlua_charge(L, 2);
	lua_pushnumber(L, atan2(luaL_checknumber(L, 1), luaL_optnumber(L, 2, 1)));
	return 1;
}

static int math_log(lua_State *L)
{
	double x = luaL_checknumber(L, 1);
	double base = luaL_optnumber(L, 2, 0);

	tlua_charge(L, 2);
	if (lua_isnoneornil(L, 2))
		lua_pushnumber(L, log(x));
	else if (base == 2.0)
		lua_pushnumber(L, log2(x));
	else if (base == 10.0)
		lua_pushnumber(L, log10(x));
	else
		lua_pushnumber(L, log(x) / log(base));
	return 1;
}

/* --- whole numbers ---------------------------------------------------------------------------- */

/* As an integer where it fits. */
static int push_whole(lua_State *L, double x)
{
	lua_Integer whole;

	if (lua_numbertointeger(x, &whole))
		lua_pushinteger(L, whole);
	else
		lua_pushnumber(L, x);
	return 1;
}

static int math_floor(lua_State *L)
{
	tlua_charge(L, 1);
	if (lua_isinteger(L, 1))
		lua_settop(L, 1);
	else
		push_whole(L, floor(luaL_checknumber(L, 1)));
	return 1;
}

static int math_ceil(lua_State *L)
{
	tlua_charge(L, 1);
	if (lua_isinteger(L, 1))
		lua_settop(L, 1);
	else
		push_whole(L, ceil(luaL_checknumber(L, 1)));
	return 1;
}

static int math_abs(lua_State *L)
{
	tlua_charge(L, 1);
	if (lua_isinteger(L, 1)) {
		lua_Integer n = lua_tointeger(L, 1);

		lua_pushinteger(L, n < 0 ? (lua_Integer)(0u - (lua_Unsigned)n) : n);
	} else {
		lua_pushnumber(L, fabs(luaL_checknumber(L, 1)));
	}
	return 1;
}

static int math_fmod(lua_State *L)
{
	tlua_charge(L, 1);
	if (lua_isinteger(L, 1) && lua_isinteger(L, 2)) {
		lua_Integer n = lua_tointeger(L, 1), d = lua_tointeger(L, 2);

		luaL_argcheck(L, d != 0, 2, "zero");
		lua_pushinteger(L, d == -1 ? 0 : n % d); /* the least number by -1 overflows */
	} else {
		lua_pushnumber(L, fmod(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
	}
	return 1;
}

static int math_modf(lua_State *L)
{
	double x = luaL_checknumber(L, 1), whole = x < 0 ? ceil(x) : floor(x);

	tlua_charge(L, 1);
	lua_pushnumber(L, whole);
	lua_pushnumber(L, isinf(x) ? 0 : x - whole);
	return 2;
}

static int math_tointeger(lua_State *L)
{
	int whole;
	lua_Integer n = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &whole) : (whole = 0);

	luaL_checkany(L, 1);
	tlua_charge(L, 1);
	if (whole)
		lua_pushinteger(L, n);
	else
		lua_pushnil(L);
	return 1;
}

static int math_type(lua_State *L)
{
	luaL_checkany(L, 1);
	tlua_charge(L, 1);
	if (lua_type(L, 1) != LUA_TNUMBER)
		lua_pushnil(L);
	else
		lua_pushstring(L, lua_isinteger(L, 1) ? "integer" : "float");
	return 1;
}

static int math_ult(lua_State *L)
{
	tlua_charge(L, 1);
	lua_pushboolean(
		L, (lua_Unsigned)luaL_checkinteger(L, 1) < (lua_Unsigned)luaL_checkinteger(L, 2));
	return 1;
}

/* --- of several ------------------------------------------------------------------------------- */

static int extreme(lua_State *L, bool largest)
{
	int count = lua_gettop(L), best = 1;

	luaL_checknumber(L, 1);
	tlua_charge(L, (uint64_t)count);
	for (int i = 2; i <= count; i++) {
		luaL_checknumber(L, i);
		if (largest ? lua_compare(L, best, i, LUA_OPLT) : lua_compare(L, i, best, LUA_OPLT))
			best = i;
	}
	lua_pushvalue(L, best);
	return 1;
}

static int math_max(lua_State *L)
{
	return extreme(L, true);
}

static int math_min(lua_State *L)
{
	return extreme(L, false);
}

void tlua_env_math(lua_State *L)
{
	static const luaL_Reg functions[] = {{"abs", math_abs}, {"atan", math_atan},
		{"ceil", math_ceil}, {"floor", math_floor}, {"fmod", math_fmod}, {"log", math_log},
		{"max", math_max}, {"min", math_min}, {"modf", math_modf},
		{"tointeger", math_tointeger}, {"type", math_type}, {"ult", math_ult},
		{NULL, NULL}};

	lua_createtable(L, 0, 24);
	for (size_t i = 0; i < sizeof of_float / sizeof *of_float; i++) {
		lua_pushinteger(L, (lua_Integer)i);
		lua_pushcclosure(L, math_of_float, 1);
		lua_setfield(L, -2, of_float[i].name);
	}
	lua_pushnumber(L, 3.141592653589793);
	lua_setfield(L, -2, "pi");
	lua_pushnumber(L, HUGE_VAL);
	lua_setfield(L, -2, "huge");
	lua_pushinteger(L, LUA_MAXINTEGER);
	lua_setfield(L, -2, "maxinteger");
	lua_pushinteger(L, LUA_MININTEGER);
	lua_setfield(L, -2, "mininteger");
	tlua_fill(L, "math", functions);
}
