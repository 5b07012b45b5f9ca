#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <tidelock/entry.h>
#include "../live.h"
#include "v0/wire/v0.h"

/* --- entries of messages ---------------------------------------------------------------------- */

typedef struct gathering {
	tl__arena *arena;
	entry_list *list;
	size_t cap, id_cap;
} gathering;

static int gather(void *ud, tl_str text, bool is_root)
{
	gathering *g = ud;
	entry_list *list = g->list;
	void *texts = list->texts, *ids = list->ids;
	tl_entry *entry = NULL;
	int rc = tl__arena_grow(g->arena, &texts, &g->cap, list->count, sizeof *list->texts);

	if (rc == TL_OK)
		rc = tl__arena_grow(g->arena, &ids, &g->id_cap, list->count, sizeof *list->ids);
	list->texts = texts;
	list->ids = ids;
	if (rc != TL_OK)
		return rc;
	list->texts[list->count] = tl__arena_str(g->arena, text);
	if (tl_entry_parse(&entry, text, TL_ENTRY_FOREIGN) == TL_OK)
		list->ids[list->count] = *tl_entry_id(entry);
	tl_entry_free(entry);
	list->has_root = list->has_root || is_root;
	list->count++;
	return TL_OK;
}

bool entries_of_answer(tl__arena *arena, tl_str body, entry_list *out)
{
	gathering g = {.arena = arena, .list = out};
	tl__v0_reader *reader = NULL;
	bool good;

	*out = (entry_list){0};
	good = tl__v0_reader_new(&reader, gather, &g) == TL_OK &&
	       tl__v0_reader_feed(reader, body.ptr, body.len) == TL_OK &&
	       tl__v0_reader_finish(reader) == TL_OK;
	tl__v0_reader_free(reader);
	return good;
}

bool entries_of_request(tl__arena *arena, tl_str body, entry_list *out)
{
	gathering g = {.arena = arena, .list = out};
	tl__v0_refusal refusal;
	tl__v0_request request;
	bool good = true;

	*out = (entry_list){0};
	if (!body.ptr || tl__v0_request_read(&request, body, &refusal) != TL_OK)
		return false;
	for (size_t i = 0; request.kind == TL__V0_SEND_ENTRIES && i < request.entry_count; i++)
		good = good && gather(&g, request.entries[i], false) == TL_OK;
	tl__v0_request_free(&request);
	return good;
}

bool list_has(const entry_list *list, const tl_id *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (memcmp(&list->ids[i], id, sizeof *id) == 0)
			return true;
	return false;
}

/* --- the pool --------------------------------------------------------------------------------- */

static void add_parent(tl__arena *arena, pool_entry *e, size_t *cap, tl_str text)
{
	void *array = e->parents;
	tl_id id;

	if (tl_id_parse(&id, text) != TL_OK ||
		tl__arena_grow(arena, &array, cap, e->parent_count, sizeof *e->parents) != TL_OK)
		return;
	e->parents = array;
	e->parents[e->parent_count++] = id;
}

static void read_parents(tl__arena *arena, pool_entry *e, const tl_entry *entry)
{
	size_t cap = 0;

	for (size_t i = 0; i < tl_entry_parent_count(entry); i++)
		add_parent(arena, e, &cap, tl_entry_parent(entry, i));
	for (size_t s = 0; s < tl_entry_store_count(entry); s++)
		for (size_t i = 0; i < tl_entry_store_parent_count(entry, s); i++)
			add_parent(arena, e, &cap, tl_entry_store_parent(entry, s, i));
}

static void add_entry(tl__arena *arena, pool *p, size_t *cap, tl_str text)
{
	tl_entry *entry = NULL;
	void *array = p->at;
	pool_entry e = {.text = text};
	bool good = tl_entry_parse(&entry, text, TL_ENTRY_FOREIGN) == TL_OK &&
		    tl_entry_check(entry) == TL_OK;

	if (good) {
		e.id = *tl_entry_id(entry);
		e.db = e.id;
		if (tl_entry_tree(entry).len > 0)
			good = tl_id_parse(&e.db, tl_entry_tree(entry)) == TL_OK;
	}
	if (good && !pool_find(p, &e.id) &&
		tl__arena_grow(arena, &array, cap, p->count, sizeof *p->at) == TL_OK) {
		read_parents(arena, &e, entry);
		p->at = array;
		p->at[p->count++] = e;
	}
	tl_entry_free(entry);
}

/* Those that nobody signed, or that stand on what the file does not show, are kept too: whether a
 * server must have held them is said by the answers. */
static void add_case(tl__arena *arena, pool *p, size_t *cap, const node *item)
{
	tl_str request = http_body(node_text(item, "request"));
	tl_str answer = http_body(node_text(item, "response"));
	entry_list list;

	if (entries_of_request(arena, request, &list))
		for (size_t i = 0; i < list.count; i++)
			add_entry(arena, p, cap, list.texts[i]);
	if (answer.ptr && entries_of_answer(arena, answer, &list))
		for (size_t i = 0; i < list.count; i++)
			add_entry(arena, p, cap, list.texts[i]);
}

const pool *pool_of(const node *section)
{
	static const node *made_of;
	static tl__arena arena;
	static pool kept;
	size_t cap = 0;

	if (made_of == section)
		return &kept;
	tl__arena_free(&arena);
	kept = (pool){0};
	made_of = section;
	for (size_t i = 0; i < section->count; i++)
		add_case(&arena, &kept, &cap, &section->children[i]);
	return &kept;
}

const pool_entry *pool_find(const pool *p, const tl_id *id)
{
	for (size_t i = 0; i < p->count; i++)
		if (memcmp(&p->at[i].id, id, sizeof *id) == 0)
			return &p->at[i];
	return NULL;
}

void pool_mark(const pool *p, const tl_id *ids, size_t count, bool *marks)
{
	for (size_t i = 0; i < count; i++) {
		const pool_entry *e = pool_find(p, &ids[i]);

		if (!e || marks[e - p->at])
			continue;
		marks[e - p->at] = true;
		pool_mark(p, e->parents, e->parent_count, marks);
	}
}

void pool_mark_db(const pool *p, const tl_id *db, bool *marks)
{
	for (size_t i = 0; i < p->count; i++)
		if (memcmp(&p->at[i].db, db, sizeof *db) == 0)
			marks[i] = true;
}

tl_str *texts_of_db(check *c, const tl_id *db, size_t *count)
{
	const pool *p = pool_of(vector_section("wire"));
	tl_str *texts = tl__arena_alloc(&c->arena, p->count + 1, sizeof *texts);

	*count = 0;
	for (size_t i = 0; texts && i < p->count; i++)
		if (memcmp(&p->at[i].db, db, sizeof *db) == 0)
			texts[(*count)++] = p->at[i].text;
	return texts;
}
