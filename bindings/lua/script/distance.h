/* How far names are apart, for the one that was meant. */
#ifndef TL_LUA_DISTANCE_H
#define TL_LUA_DISTANCE_H

#include <stddef.h>

#define TLUA_NAME_MAX 40

/* Levenshtein distance of names up to TLUA_NAME_MAX; longer ones are that far apart. */
size_t tlua_distance(const char *a, const char *b);

#endif
