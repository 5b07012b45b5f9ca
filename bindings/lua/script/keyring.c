/* keyring 'file': the keyring as a value of scripts. ring.NAME is the set of the keys that are
 * named or tagged so, set[key] is true for those in it; and whether one set lies in another. */
#include "script/cell_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the registry: the rings by the names of their files, and the two metatables. */
#define RINGS     "tidelock.keyrings"
#define RING_TYPE "tidelock.keyring"
#define SET_TYPE  "tidelock.keys"

typedef struct handle {
	const tlua_ring *ring; /* the cell's */
} handle;

typedef struct set {
	const tlua_ring *ring; /* the cell's */
	uint32_t tag;
} set;

static int set_index(lua_State *L)
{
	const set *s = lua_touserdata(L, 1); /* nobody but Lua itself calls this */
	tl_str key = {NULL, 0};

	tlua_charge(L, 4);
	if (lua_type(L, 2) == LUA_TSTRING)
		key.ptr = lua_tolstring(L, 2, &key.len);
	if (key.ptr && tlua_ring_has(s->ring, s->tag, key))
		lua_pushboolean(L, true);
	else
		lua_pushnil(L);
	return 1;
}

static void push_type(lua_State *L, const char *type, lua_CFunction index)
{
	if (luaL_newmetatable(L, type)) {
		lua_pushcfunction(L, index);
		lua_setfield(L, -2, "__index");
	}
}

/* Raises for a tag that nobody has. */
static void raise_unknown(lua_State *L, const tlua_ring *ring, const char *tag)
{
	tlua_near near = tlua_near_to(tag);
	const char *name;

	for (size_t i = 0; (name = tlua_ring_name(ring, i)); i++)
		tlua_near_try(L, &near, name);
	tlua_raise_near(L, "device or tag called ", &near);
}

/* The user value keeps the sets, so that the same name gives the same set. */
static int ring_index(lua_State *L)
{
	const tlua_ring *ring = ((const handle *)lua_touserdata(L, 1))->ring;
	tl_str tag;
	set *s;

	tlua_charge(L, 4);
	tag.ptr = luaL_checklstring(L, 2, &tag.len);
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, 3) != LUA_TNIL)
		return 1;
	s = lua_newuserdatauv(L, sizeof *s, 0);
	*s = (set){ring, tlua_ring_tag(ring, tag)};
	if (s->tag == TLUA_TAG_NONE)
		raise_unknown(L, ring, tag.ptr);
	push_type(L, SET_TYPE, set_index);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 3);
	return 1;
}

/* The ring of this file is the cell's from now on; raises where there is none. */
static tlua_ring *read_ring(lua_State *L, const char *name)
{
	tlua_cell *cell = tlua_cell_of(L);
	tlua_ring *ring = NULL;
	tlua_found found;
	int64_t from;

	tlua_find(L, TLUA_RING, name, &found);
	cell->ring_bytes += found.len;
	from = tlua_aside(); /* so much, once */
	if (cell->ring_bytes <= TLUA_RING_MAX)
		ring = tlua_ring_read(
			name, (tl_str){found.text, found.len}, found.problem, sizeof found.problem);
	else
		snprintf(found.problem, sizeof found.problem,
			"the keyrings of a script have at most %d bytes, and with '%s' they have "
			"more",
			TLUA_RING_MAX, name);
	tlua_back(L, from);
	free(found.text);
	if (!ring)
		luaL_error(L, "%s", found.problem);
	tlua_ring_chain(ring, cell->rings);
	cell->rings = ring;
	return ring;
}

/* The same file gives the same ring. */
int tlua_keyring(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	handle *h;

	lua_settop(L, 1);
	tlua_charge(L, 10);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, RINGS);
	lua_pushvalue(L, 1);
	if (lua_rawget(L, 2) != LUA_TNIL)
		return 1;
	h = lua_newuserdatauv(L, sizeof *h, 1);
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	push_type(L, RING_TYPE, ring_index);
	h->ring = read_ring(L, name);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, 2);
	return 1;
}

/* within(inner, outer): whether nobody can be in the one set who is not in the other, whatever the
 * tags of its ring's lines are. For the library's halves alone. */
int tlua_keys_within(lua_State *L)
{
	const set *inner = luaL_testudata(L, 1, SET_TYPE), *outer = luaL_testudata(L, 2, SET_TYPE);
	bool all = inner && outer && inner->ring == outer->ring && outer->tag == TLUA_TAG_ALL;

	tlua_charge(L, 4);
	lua_pushboolean(L, all || (inner && tlua_ring_is_empty(inner->ring)));
	return 1;
}

void tlua_drop_rings(tlua_cell *cell)
{
	while (cell->rings) {
		tlua_ring *next = tlua_ring_next(cell->rings);

		tlua_ring_drop(cell->rings);
		cell->rings = next;
	}
}
