/* History of exchanges: local documents that the core writes after each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/run/engine.h"
#include "engine/node/status.h"

#define DAY_MS INT64_C(86400000)

typedef struct item {
	tl_str key, json, started;
} item;

typedef struct gathered {
	tl__arena arena;
	item *at;
	size_t count, cap;
} gathered;

/* The record's `started_at`; ptr NULL when it cannot be read. */
static tl_str started_at(tl__arena *arena, tl_str json)
{
	tl_str text = TL__STR_NULL;
	const tl__field members[] = {{"started_at", TL__FIELD_TEXT, &text, false}};
	int rc = TL__FIELDS_READ(json, arena, "history record", TL_E_STORE_DAMAGED, members);

	return rc == TL_OK ? text : TL__STR_NULL;
}

/* Records that cannot be read are passed over. */
static int gather(void *ud, tl_str key, tl_str value)
{
	gathered *g = ud;
	item fresh = {tl__arena_str(&g->arena, key), tl__arena_str(&g->arena, value), {NULL, 0}};
	void *array = g->at;

	if (!fresh.key.ptr || !fresh.json.ptr)
		return TL_E_NOMEM;
	fresh.started = started_at(&g->arena, fresh.json);
	if (!fresh.started.ptr)
		return TL_OK;
	if (tl__arena_grow(&g->arena, &array, &g->cap, g->count, sizeof *g->at) != TL_OK)
		return TL_E_NOMEM;
	g->at = array;
	g->at[g->count++] = fresh;
	return TL_OK;
}

static int newest_first(const void *a, const void *b)
{
	return -tl__str_compare(((const item *)a)->started, ((const item *)b)->started);
}

TL__PUBLIC_OF_NODE(tl_sync_get_sync_history, node && peer && json,
	(tl_node *node, const char *peer, size_t limit, char **json), (node, peer, limit, json))
{
	gathered g = {.arena = TL__ARENA_INIT};
	tl__buf out = TL__BUF_INIT;
	char prefix[80];
	tl_key key;
	int rc = tl_key_parse(&key, tl__str_z(peer));

	*json = NULL;
	if (rc == TL_OK) {
		tl__sync_history_prefix(&key, prefix);
		rc = tl__read_locals(node->store, tl__str_z(prefix), gather, &g);
	}
	if (rc == TL_OK && g.count > 1)
		qsort(g.at, g.count, sizeof *g.at, newest_first);
	tl__buf_text(&out, "[");
	for (size_t i = 0; rc == TL_OK && i < g.count && (limit == 0 || i < limit); i++) {
		tl__buf_text(&out, i ? "," : "");
		tl__buf_str(&out, g.at[i].json);
	}
	tl__buf_text(&out, "]");
	if (rc == TL_OK)
		rc = tl__json_take(&out, json);
	tl__buf_free(&out);
	tl__arena_free(&g.arena);
	return rc;
}

static int remove_one(tl_node *node, tl_str key)
{
	const tl__put_local put = {.key = key, .value = TL__STR_NULL};
	tl__batch batch = {.locals = &put, .local_count = 1};

	return tl__store_write(node->store, &batch);
}

TL__PUBLIC_OF_NODE(tl_sync_cleanup_old_history, node,
	(tl_node *node, uint32_t days, uint64_t *removed), (node, days, removed))
{
	gathered g = {.arena = TL__ARENA_INIT};
	int64_t oldest = tl__system_clock.wall_ms(tl__system_clock.ud) - (int64_t)days * DAY_MS;
	uint64_t count = 0;
	int rc = tl__read_locals(node->store, TL__STR(TL__LOCAL_HISTORY), gather, &g);

	for (size_t i = 0; rc == TL_OK && i < g.count; i++) {
		int64_t started;

		if (tl__time_parse(g.at[i].started.ptr, g.at[i].started.len, &started) != TL_OK ||
			started >= oldest)
			continue;
		rc = remove_one(node, g.at[i].key);
		count += rc == TL_OK;
	}
	if (removed)
		*removed = count;
	tl__arena_free(&g.arena);
	return rc;
}
