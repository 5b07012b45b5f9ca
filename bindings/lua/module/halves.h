/* The Lua half of the modules, embedded by embed.lua. */
#ifndef TL_LUA_HALVES_H
#define TL_LUA_HALVES_H

#include <stddef.h>

struct tlua_half {
	const char *module; /* "tidelock.init"; NULL ends the list */
	const char *text;
	size_t len;
};

extern const struct tlua_half tlua_halves[];

#endif
