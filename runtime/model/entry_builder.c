/* Building and signing entries: drafts are laid out in order, written, and read back as entries. */
#include <stdlib.h>
#include <string.h>
#include <tidelock/entry.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"

#define SIGNATURE_TEXT_BYTES 89

typedef struct text_list {
	tl_str *at;
	size_t count;
	size_t cap;
} text_list;

typedef struct store_draft {
	tl_str name;
	tl_str data;
	text_list parents;
} store_draft;

typedef struct step_draft {
	tl_str key;
	text_list tips;
	bool has_tips;
} step_draft;

struct tl_entry_builder {
	tl__arena arena;
	tl_str root;
	text_list parents;
	tl_str metadata;
	store_draft *stores;
	size_t store_count, store_cap;
	tl_str key_name;
	tl_str pubkey;
	step_draft *steps;
	size_t step_count, step_cap;
	int code; /* first failure */
};

TL__PUBLIC(tl_entry_builder_new, out, (tl_entry_builder **out), (out))
{
	tl_entry_builder *b = tl__alloc_zero(1, sizeof *b);

	*out = b;
	if (!b)
		return TL_E_NOMEM;
	b->root = TL__STR("");
	b->key_name = TL__STR("");
	return TL_OK;
}

void tl_entry_builder_free(tl_entry_builder *b)
{
	if (!b)
		return;
	tl__arena_free(&b->arena);
	tl__free(b);
}

static void keep_failure(tl_entry_builder *b, int code)
{
	if (b->code == TL_OK)
		b->code = code;
}

static tl_str copy(tl_entry_builder *b, tl_str text)
{
	tl_str own = tl__arena_str(&b->arena, text);

	if (text.ptr && !own.ptr)
		keep_failure(b, TL_E_NOMEM);
	else if (own.ptr && !tl__utf8_valid(own))
		keep_failure(b, TL_E_BAD_ENTRY);
	return own;
}

static bool grow(tl_entry_builder *b, void **array, size_t *cap, size_t count, size_t size)
{
	if (tl__arena_grow(&b->arena, array, cap, count, size) == TL_OK)
		return true;
	keep_failure(b, TL_E_NOMEM);
	return false;
}

static void add_text(tl_entry_builder *b, text_list *list, tl_str text)
{
	void *array = list->at;

	if (!grow(b, &array, &list->cap, list->count, sizeof *list->at))
		return;
	list->at = array;
	list->at[list->count++] = copy(b, text);
}

void tl_entry_builder_tree(tl_entry_builder *b, tl_str root_id)
{
	if (!b)
		return;
	b->root = copy(b, root_id);
}

void tl_entry_builder_parent(tl_entry_builder *b, tl_str id)
{
	if (!b)
		return;
	add_text(b, &b->parents, id);
}

void tl_entry_builder_metadata(tl_entry_builder *b, tl_str text)
{
	if (!b)
		return;
	b->metadata = copy(b, text);
}

static store_draft *draft_of(tl_entry_builder *b, tl_str name)
{
	void *array = b->stores;

	for (size_t i = 0; i < b->store_count; i++)
		if (tl__str_eq(b->stores[i].name, name))
			return &b->stores[i];
	if (!grow(b, &array, &b->store_cap, b->store_count, sizeof *b->stores))
		return NULL;
	b->stores = array;
	b->stores[b->store_count] = (store_draft){.name = copy(b, name), .data = TL__STR("")};
	return &b->stores[b->store_count++];
}

void tl_entry_builder_store(tl_entry_builder *b, tl_str name, tl_str data)
{
	if (!b)
		return;
	store_draft *store = draft_of(b, name);

	if (store)
		store->data = copy(b, data);
}

void tl_entry_builder_store_parent(tl_entry_builder *b, tl_str name, tl_str id)
{
	if (!b)
		return;
	store_draft *store = draft_of(b, name);

	if (store)
		add_text(b, &store->parents, id);
}

void tl_entry_builder_key(tl_entry_builder *b, tl_str name, tl_str pubkey)
{
	if (!b)
		return;
	b->key_name = copy(b, name);
	b->pubkey = copy(b, pubkey);
}

void tl_entry_builder_step(tl_entry_builder *b, tl_str key, const tl_str *tips, size_t n)
{
	if (!b)
		return;
	void *array = b->steps;
	text_list list = {0};

	if (!grow(b, &array, &b->step_cap, b->step_count, sizeof *b->steps))
		return;
	b->steps = array;
	for (size_t i = 0; tips && i < n; i++)
		add_text(b, &list, tips[i]);
	b->steps[b->step_count++] = (step_draft){copy(b, key), list, tips != NULL};
	b->key_name = TL__STR_NULL;
}

/* --- order ------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return tl__str_compare(*(const tl_str *)a, *(const tl_str *)b);
}

static int by_name(const void *a, const void *b)
{
	return tl__str_compare(((const store_draft *)a)->name, ((const store_draft *)b)->name);
}

static void sort_unique(text_list *list)
{
	size_t kept = 0;

	if (list->count == 0)
		return;
	qsort(list->at, list->count, sizeof *list->at, by_text);
	for (size_t i = 1; i < list->count; i++)
		if (!tl__str_eq(list->at[kept], list->at[i]))
			list->at[++kept] = list->at[i];
	list->count = kept + 1;
}

static void sort_drafts(tl_entry_builder *b)
{
	sort_unique(&b->parents);
	if (b->store_count > 0)
		qsort(b->stores, b->store_count, sizeof *b->stores, by_name);
	for (size_t i = 0; i < b->store_count; i++)
		sort_unique(&b->stores[i].parents);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_text(tl__buf *out, const char *before, tl_str text)
{
	tl__buf_text(out, before);
	if (text.ptr)
		tl__json_put_string(out, text);
	else
		tl__buf_text(out, "null");
}

static void put_list(tl__buf *out, const char *before, const text_list *list)
{
	tl__buf_text(out, before);
	for (size_t i = 0; i < list->count; i++)
		put_text(out, i ? "," : "", list->at[i]);
	tl__buf_byte(out, ']');
}

static void put_steps(tl__buf *out, const tl_entry_builder *b)
{
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < b->step_count; i++) {
		put_text(out, i ? ",{\"key\":" : "{\"key\":", b->steps[i].key);
		if (b->steps[i].has_tips)
			put_list(out, ",\"tips\":[", &b->steps[i].tips);
		else
			tl__buf_text(out, ",\"tips\":null");
		tl__buf_byte(out, '}');
	}
	tl__buf_byte(out, ']');
}

static void put_entry(tl__buf *out, const tl_entry_builder *b, tl_str signature)
{
	put_text(out, "{\"tree\":{\"root\":", b->root);
	put_list(out, ",\"parents\":[", &b->parents);
	put_text(out, ",\"metadata\":", b->metadata);
	tl__buf_text(out, "},\"subtrees\":[");
	for (size_t i = 0; i < b->store_count; i++) {
		put_text(out, i ? ",{\"name\":" : "{\"name\":", b->stores[i].name);
		put_list(out, ",\"parents\":[", &b->stores[i].parents);
		put_text(out, ",\"data\":", b->stores[i].data);
		tl__buf_byte(out, '}');
	}
	put_text(out, "],\"sig\":{\"sig\":", signature);
	tl__buf_text(out, ",\"key\":");
	if (b->key_name.ptr)
		tl__json_put_string(out, b->key_name);
	else
		put_steps(out, b);
	if (b->pubkey.ptr)
		put_text(out, ",\"pubkey\":", b->pubkey);
	tl__buf_text(out, "}}");
}

static int sign(const tl_entry_builder *b, const tl_secret *secret, char text[SIGNATURE_TEXT_BYTES])
{
	tl__buf bytes = TL__BUF_INIT;
	uint8_t signature[TL_SIGNATURE_BYTES];
	int code;

	put_entry(&bytes, b, TL__STR_NULL);
	code = tl__buf_status(&bytes);
	if (code == TL_OK)
		code = tl_sign(secret, bytes.ptr, bytes.len, signature);
	if (code == TL_OK)
		tl_base64_encode(text, signature, sizeof signature);
	tl__buf_free(&bytes);
	return code;
}

TL__PUBLIC(tl_entry_builder_finish, b && out,
	(tl_entry_builder *b, const tl_secret *secret, tl_entry **out), (b, secret, out))
{
	char text[SIGNATURE_TEXT_BYTES];
	tl_str signature = TL__STR_NULL;
	tl__buf bytes = TL__BUF_INIT;
	int code = TL_OK;

	*out = NULL;
	if (b->code != TL_OK)
		return tl__fail(b->code, b->code == TL_E_NOMEM
						 ? "no memory to build the entry"
						 : "a text of the entry is not UTF-8");
	sort_drafts(b);
	if (secret) {
		code = sign(b, secret, text);
		signature = tl__str_z(text);
	}
	if (code == TL_OK) {
		put_entry(&bytes, b, signature);
		code = tl__buf_status(&bytes);
	}
	if (code == TL_OK)
		code = tl_entry_parse(out, tl__buf_view(&bytes), TL_ENTRY_CANONICAL);
	tl__buf_free(&bytes);
	return code;
}
