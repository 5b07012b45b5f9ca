/* The hash map, against a plain table of the same keys; and its hash against published values. */
#include "check.h"
#include "base/system/env.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "base/str.h"

enum { KEYS = 300 };

static tl_str key_of(size_t i, char memory[16])
{
	return (tl_str){memory, (size_t)snprintf(memory, 16, "key %zu", i)};
}

static void set_get_replace_remove(void)
{
	tl__map map;
	int a, b;

	tl__map_init(&map);
	CHECK(tl__map_get(&map, TL__STR("x")) == NULL &&
		tl__map_remove(&map, TL__STR("x")) == NULL);
	CHECK_OK(tl__map_set(&map, TL__STR("x"), &a));
	CHECK_OK(tl__map_set(&map, TL__STR("x"), &b));
	CHECK(map.count == 1 && tl__map_get(&map, TL__STR("x")) == &b);
	CHECK(tl__map_remove(&map, TL__STR("x")) == &b);
	CHECK(map.count == 0 && !tl__map_has(&map, TL__STR("x")));
	tl__map_free(&map);
	tl__map_free(&map);
}

static void keys_are_any_bytes_and_values_may_be_null(void)
{
	tl__map map;
	int a;

	tl__map_init(&map);
	CHECK_OK(tl__map_set(&map, TL__STR(""), &a));
	CHECK_OK(tl__map_set(&map, TL__STR("\0"), NULL));
	CHECK_OK(tl__map_set(&map, TL__STR("\0\0"), &a));
	CHECK(map.count == 3);
	CHECK(tl__map_get(&map, TL__STR_NULL) == &a);
	CHECK(tl__map_get(&map, TL__STR("\0")) == NULL && tl__map_has(&map, TL__STR("\0")));
	tl__map_free(&map);
}

static void compare_all(const tl__map *map, void *const expected[KEYS])
{
	char memory[16];
	size_t count = 0, visited = 0, at = 0;
	tl_str key;
	void *value;

	for (size_t i = 0; i < KEYS; i++) {
		count += expected[i] != NULL;
		REQUIRE(tl__map_get(map, key_of(i, memory)) == expected[i]);
	}
	REQUIRE(map->count == count);
	while (tl__map_next(map, &at, &key, &value)) {
		visited++;
		REQUIRE(tl__map_get(map, key) == value);
	}
	REQUIRE(visited == count);
}

static void behaves_like_a_plain_table(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(11));
	void *expected[KEYS] = {NULL};
	tl__map map;

	tl__map_init(&map);
	for (int step = 0; step < 20000; step++) {
		char memory[16];
		size_t i = (size_t)tl__random_below(&random, KEYS);
		tl_str key = key_of(i, memory);

		if (tl__random_below(&random, 2)) {
			expected[i] = &expected[tl__random_below(&random, KEYS)];
			REQUIRE(tl__map_set(&map, key, expected[i]) == TL_OK);
		} else {
			REQUIRE(tl__map_remove(&map, key) == expected[i]);
			expected[i] = NULL;
		}
		if (step % 500 == 0)
			compare_all(&map, expected);
	}
	CHECK(map.cap <= 2048); /* removed entries do not make it grow */
	tl__map_free(&map);
}

static void entries_may_be_removed_while_visiting(void)
{
	tl__map map;
	char memory[16];
	size_t at = 0, visited = 0;
	tl_str key;
	void *value;

	tl__map_init(&map);
	for (size_t i = 0; i < KEYS; i++)
		CHECK_OK(tl__map_set(&map, key_of(i, memory), &map));
	while (tl__map_next(&map, &at, &key, &value)) {
		visited++;
		CHECK(tl__map_remove(&map, key) == &map);
	}
	CHECK(visited == KEYS && map.count == 0);
	tl__map_free(&map);
}

/* Fills the map; each allocation in turn fails once and what was there must stay. */
static void no_allocation_failure_harms_it(void)
{
	bool fired = true;

	for (size_t n = 1; fired; n++) {
		tl__map map;
		char memory[16];
		size_t failed = 0;

		tl__map_init(&map);
		tl__alloc_fail_at(n);
		for (size_t i = 0; i < 40; i++)
			failed += tl__map_set(&map, key_of(i, memory), &map) != TL_OK;
		fired = tl__alloc_fail_at(0);
		CHECK(failed == (fired ? 1 : 0) && map.count == 40 - failed);
		for (size_t i = 0; i < 40; i++)
			failed -= !tl__map_has(&map, key_of(i, memory));
		CHECK(failed == 0);
		tl__map_free(&map);
	}
}

static void ids_are_keys(void)
{
	tl_id a = {{'s', 1}}, b = {{'s', 2}};
	tl__map map;

	tl__map_init(&map);
	CHECK_OK(tl__map_set(&map, tl__map_key_id(&a), &a));
	CHECK(tl__map_get(&map, tl__map_key_id(&a)) == &a);
	CHECK(!tl__map_has(&map, tl__map_key_id(&b)));
	tl__map_free(&map);
}

static void every_map_has_its_own_seed(void)
{
	tl__map a, b;

	tl__map_init(&a);
	tl__map_init(&b);
	CHECK(memcmp(a.seed, b.seed, sizeof a.seed) != 0);
}

/* SipHash-2-4 with key 00..0f over the bytes 00, 01, ... : values of its authors' test table. */
static void siphash_gives_the_published_values(void)
{
	const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t bytes[64];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	CHECK(tl__siphash(key, NULL, 0) == UINT64_C(0x726fdb47dd0e0e31));
	CHECK(tl__siphash(key, bytes, 1) == UINT64_C(0x74f839c593dc67fd));
	CHECK(tl__siphash(key, bytes, 8) == UINT64_C(0x93f5f5799a932462));
	CHECK(tl__siphash(key, bytes, 15) == UINT64_C(0xa129ca6149be45e5));
	CHECK(tl__siphash(key, bytes, 63) == UINT64_C(0x958a324ceb064572));
}

int main(void)
{
	RUN(set_get_replace_remove);
	RUN(keys_are_any_bytes_and_values_may_be_null);
	RUN(behaves_like_a_plain_table);
	RUN(entries_may_be_removed_while_visiting);
	RUN(no_allocation_failure_harms_it);
	RUN(ids_are_keys);
	RUN(every_map_has_its_own_seed);
	RUN(siphash_gives_the_published_values);
	return spec_end();
}
