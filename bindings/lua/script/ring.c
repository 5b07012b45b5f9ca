#include "script/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 64
#define KEY_PREFIX   "ed25519:"
#define PREFIX_LEN   8

/* A hash table with open addresses. */
typedef struct slots {
	uint32_t *at; /* index + 1; 0: free */
	size_t size;  /* a power of two */
} slots;

typedef struct member {
	uint32_t key, tag;
} member;

struct tlua_ring {
	tlua_ring *next;
	char (*keys)[TL_KEY_TEXT_LEN];
	uint32_t *lines; /* of each key */
	size_t key_count, key_cap;
	char (*tags)[NAME_MAX_LEN + 1];
	size_t tag_count, tag_cap;
	member *members; /* of names and tags, without "all" */
	size_t member_count, member_cap;
	slots by_key, by_tag, by_member;
};

/* --- hash tables ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9E3779B97F4A7C15u;
	return h ^ h >> 29;
}

static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = len, word;

	for (; len >= sizeof word; text += sizeof word, len -= sizeof word) {
		memcpy(&word, text, sizeof word);
		hash = mix(hash ^ word);
	}
	word = 0;
	memcpy(&word, text, len);
	return mix(hash ^ word);
}

/* Room for one more of `count`; false without memory. `hash` tells where an index belongs. */
static bool grow_slots(slots *s, size_t count, const tlua_ring *ring,
	uint64_t (*hash)(const tlua_ring *, uint32_t))
{
	slots larger = {NULL, s->size ? s->size * 2 : 64};

	if (count * 2 < s->size)
		return true;
	larger.at = calloc(larger.size, sizeof *larger.at);
	if (!larger.at)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		size_t slot = hash(ring, i) & (larger.size - 1);

		while (larger.at[slot])
			slot = (slot + 1) & (larger.size - 1);
		larger.at[slot] = i + 1;
	}
	free(s->at);
	*s = larger;
	return true;
}

/* Keys are random, so a part of one tells it from others. */
static uint64_t hash_key(const char *key)
{
	uint64_t first, last;

	memcpy(&first, key + PREFIX_LEN, sizeof first);
	memcpy(&last, key + TL_KEY_TEXT_LEN - 2 - sizeof last, sizeof last);
	return mix(mix(first) ^ last);
}

static uint64_t hash_member(const char *key, uint32_t tag)
{
	return mix(hash_key(key) + tag);
}

static uint64_t hash_key_at(const tlua_ring *ring, uint32_t i)
{
	return hash_key(ring->keys[i]);
}

static uint64_t hash_tag_at(const tlua_ring *ring, uint32_t i)
{
	return hash_of(ring->tags[i], strlen(ring->tags[i]));
}

static uint64_t hash_member_at(const tlua_ring *ring, uint32_t i)
{
	return hash_member(ring->keys[ring->members[i].key], ring->members[i].tag);
}

/* The slot of what is looked for, or the free one where it belongs. */
static size_t find_key(const tlua_ring *ring, const char *key)
{
	size_t mask = ring->by_key.size - 1, slot = hash_key(key) & mask;

	while (ring->by_key.at[slot] &&
		memcmp(ring->keys[ring->by_key.at[slot] - 1], key, TL_KEY_TEXT_LEN) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

static size_t find_tag(const tlua_ring *ring, tl_str tag)
{
	size_t mask = ring->by_tag.size - 1, slot = hash_of(tag.ptr, tag.len) & mask;

	while (ring->by_tag.at[slot]) {
		const char *name = ring->tags[ring->by_tag.at[slot] - 1];

		if (strlen(name) == tag.len && memcmp(name, tag.ptr, tag.len) == 0)
			break;
		slot = (slot + 1) & mask;
	}
	return slot;
}

static size_t find_member(const tlua_ring *ring, const char *key, uint32_t tag)
{
	size_t mask = ring->by_member.size - 1, slot = hash_member(key, tag) & mask;

	while (ring->by_member.at[slot]) {
		const member *other = &ring->members[ring->by_member.at[slot] - 1];

		if (other->tag == tag && memcmp(ring->keys[other->key], key, TL_KEY_TEXT_LEN) == 0)
			break;
		slot = (slot + 1) & mask;
	}
	return slot;
}

/* --- looking ---------------------------------------------------------------------------------- */

uint32_t tlua_ring_tag(const tlua_ring *ring, tl_str tag)
{
	uint32_t at = ring->by_tag.at[find_tag(ring, tag)];

	return at ? at - 1 : TLUA_TAG_NONE;
}

bool tlua_ring_has(const tlua_ring *ring, uint32_t tag, tl_str key)
{
	if (key.len != TL_KEY_TEXT_LEN)
		return false;
	if (tag == TLUA_TAG_ALL)
		return ring->by_key.at[find_key(ring, key.ptr)] != 0;
	return ring->by_member.at[find_member(ring, key.ptr, tag)] != 0;
}

bool tlua_ring_is_empty(const tlua_ring *ring)
{
	return ring->key_count == 0;
}

const char *tlua_ring_name(const tlua_ring *ring, size_t index)
{
	return index < ring->tag_count ? ring->tags[index] : NULL;
}

tlua_ring *tlua_ring_next(const tlua_ring *ring)
{
	return ring->next;
}

void tlua_ring_chain(tlua_ring *ring, tlua_ring *next)
{
	ring->next = next;
}

void tlua_ring_drop(tlua_ring *ring)
{
	if (!ring)
		return;
	free(ring->keys);
	free(ring->lines);
	free(ring->tags);
	free(ring->members);
	free(ring->by_key.at);
	free(ring->by_tag.at);
	free(ring->by_member.at);
	free(ring);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A line that is being read; `problem` is set where it is refused. */
typedef struct reader {
	tlua_ring *ring;
	const char *name;
	uint32_t line;
	char *problem;
	size_t size;
} reader;

static bool refuse(reader *r, const char *why)
{
	snprintf(r->problem, r->size, "%s:%u: %s", r->name, r->line, why);
	return false;
}

static bool no_memory(reader *r)
{
	return refuse(r, "not enough memory");
}

static void *grown(void *array, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *larger;

	if (count < *cap)
		return array;
	larger = realloc(array, more * size);
	if (larger)
		*cap = more;
	return larger;
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

/* "ed25519:" and canonical base64 of 32 bytes. */
static bool is_key(tl_str word)
{
	const size_t last = TL_KEY_TEXT_LEN - 2;

	if (word.len != TL_KEY_TEXT_LEN || strncmp(word.ptr, KEY_PREFIX, PREFIX_LEN) != 0)
		return false;
	for (size_t i = PREFIX_LEN; i <= last; i++)
		if (!is_base64(word.ptr[i]))
			return false;
	return strchr("AEIMQUYcgkosw048", word.ptr[last]) && word.ptr[last + 1] == '=';
}

static bool add_key(reader *r, tl_str word)
{
	tlua_ring *ring = r->ring;
	size_t cap = ring->key_cap, slot;
	void *keys, *lines;

	if (!is_key(word))
		return refuse(r,
			"a line begins with a key, ed25519: and 44 characters, and this is none");
	if (ring->key_count == TLUA_RING_KEYS)
		return refuse(r, "a keyring has at most 100,000 keys");
	if (!grow_slots(&ring->by_key, ring->key_count, ring, hash_key_at))
		return no_memory(r);
	slot = find_key(ring, word.ptr);
	if (ring->by_key.at[slot]) {
		char why[64];

		snprintf(why, sizeof why, "this key stands in line %u already",
			ring->lines[ring->by_key.at[slot] - 1]);
		return refuse(r, why);
	}
	keys = grown(ring->keys, ring->key_count, &ring->key_cap, sizeof *ring->keys);
	ring->keys = keys ? keys : (void *)ring->keys;
	lines = keys ? grown(ring->lines, ring->key_count, &cap, sizeof *ring->lines) : NULL;
	ring->lines = lines ? lines : (void *)ring->lines;
	if (!lines)
		return no_memory(r);
	memcpy(ring->keys[ring->key_count], word.ptr, TL_KEY_TEXT_LEN);
	ring->lines[ring->key_count] = r->line;
	ring->by_key.at[slot] = (uint32_t)++ring->key_count;
	return true;
}

/* The number of a name or tag, which is new perhaps. */
static bool add_tag(reader *r, tl_str word, uint32_t *out)
{
	tlua_ring *ring = r->ring;
	void *tags;
	size_t slot;

	if (word.len > NAME_MAX_LEN)
		return refuse(r, "a name or tag has at most 64 bytes");
	if (!grow_slots(&ring->by_tag, ring->tag_count, ring, hash_tag_at))
		return no_memory(r);
	slot = find_tag(ring, word);
	if (!ring->by_tag.at[slot]) {
		if (ring->tag_count == TLUA_RING_NAMES)
			return refuse(r, "a keyring has at most 110,000 names and tags");
		tags = grown(ring->tags, ring->tag_count, &ring->tag_cap, sizeof *ring->tags);
		if (!tags)
			return no_memory(r);
		ring->tags = tags;
		memcpy(ring->tags[ring->tag_count], word.ptr, word.len);
		ring->tags[ring->tag_count][word.len] = 0;
		ring->by_tag.at[slot] = (uint32_t)++ring->tag_count;
	}
	*out = ring->by_tag.at[slot] - 1;
	return true;
}

static bool add_member(reader *r, tl_str word)
{
	tlua_ring *ring = r->ring;
	member m = {.key = (uint32_t)ring->key_count - 1};
	void *members;
	size_t slot;

	if (!add_tag(r, word, &m.tag))
		return false;
	if (m.tag == TLUA_TAG_ALL)
		return refuse(r, "'all' is everybody and no name or tag");
	if (!grow_slots(&ring->by_member, ring->member_count, ring, hash_member_at))
		return no_memory(r);
	slot = find_member(ring, ring->keys[m.key], m.tag);
	if (ring->by_member.at[slot])
		return true;
	if (ring->member_count == TLUA_RING_MEMBERS)
		return refuse(r, "a keyring says at most 1,000,000 names and tags of its keys");
	members =
		grown(ring->members, ring->member_count, &ring->member_cap, sizeof *ring->members);
	if (!members)
		return no_memory(r);
	ring->members = members;
	ring->members[ring->member_count] = m;
	ring->by_member.at[slot] = (uint32_t)++ring->member_count;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, before its comment. */
static bool next_word(const char **at, const char *end, tl_str *out)
{
	while (*at < end && is_blank(**at))
		(*at)++;
	if (*at == end || **at == '#')
		return false;
	out->ptr = *at;
	while (*at < end && !is_blank(**at) && **at != '#')
		(*at)++;
	out->len = (size_t)(*at - out->ptr);
	return true;
}

static bool read_line(reader *r, const char *at, const char *end)
{
	tl_str word;
	size_t words = 0;

	for (; next_word(&at, end, &word); words++)
		if (words == 0 ? !add_key(r, word) : !add_member(r, word))
			return false;
	return words != 1 || refuse(r, "behind the key there is its name, then tags");
}

/* Room in every table, and "all". */
static bool prepare(reader *r)
{
	tlua_ring *ring = r->ring;
	uint32_t all;

	return add_tag(r, (tl_str){"all", 3}, &all) &&
	       (grow_slots(&ring->by_key, 0, ring, hash_key_at) || no_memory(r)) &&
	       (grow_slots(&ring->by_member, 0, ring, hash_member_at) || no_memory(r));
}

tlua_ring *tlua_ring_read(const char *name, tl_str text, char *problem, size_t size)
{
	reader r = {calloc(1, sizeof(tlua_ring)), name, 0, problem, size};
	const char *at = text.ptr, *end = at + text.len;
	bool good = r.ring ? prepare(&r) : no_memory(&r);

	while (good && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end ? line_end : end;
		r.line++;
		good = read_line(&r, at, line_end);
		at = line_end < end ? line_end + 1 : end;
	}
	if (good)
		return r.ring;
	tlua_ring_drop(r.ring);
	return NULL;
}
