/* The keys of a keyring file, by their names and tags: outside every Lua state, so that 100,000 of
 * them take no memory of a script. Written once, then only read. */
#ifndef TL_LUA_RING_H
#define TL_LUA_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tidelock/types.h>

#define TLUA_RING_KEYS    100000
#define TLUA_RING_NAMES   110000  /* names and tags that differ */
#define TLUA_RING_MEMBERS 1000000 /* names and tags of all keys */
#define TLUA_TAG_NONE     UINT32_MAX
#define TLUA_TAG_ALL      0 /* every key */

typedef struct tlua_ring tlua_ring;

/* A keyring of this text: lines of a key, its name and its tags; `#` begins a comment. NULL:
 * `problem` says why, with "NAME:LINE: " before it. */
tlua_ring *tlua_ring_read(const char *name, tl_str text, char *problem, size_t size);
void tlua_ring_drop(tlua_ring *ring); /* NULL is fine */

/* The number of a name or tag, TLUA_TAG_NONE where there is none. "all" is TLUA_TAG_ALL. */
uint32_t tlua_ring_tag(const tlua_ring *ring, tl_str tag);
bool tlua_ring_has(const tlua_ring *ring, uint32_t tag, tl_str key);
bool tlua_ring_is_empty(const tlua_ring *ring);
/* Names and tags in the order in which they were met. NULL behind the last. */
const char *tlua_ring_name(const tlua_ring *ring, size_t index);

/* Rings of one owner are a list. */
tlua_ring *tlua_ring_next(const tlua_ring *ring);
void tlua_ring_chain(tlua_ring *ring, tlua_ring *next);

#endif
