/* Docs: members and paths. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "model/value.h"

/* --- members ---------------------------------------------------------------------------------- */

size_t tl__doc_search(const tl_value *doc, tl_str key, bool *found)
{
	size_t low = 0, high = doc->count;

	/* Keys mostly arrive in order: look at the end first. */
	if (high > 0 && tl__str_compare(doc->as.members[high - 1].key, key) < 0)
		low = high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tl__str_compare(doc->as.members[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < doc->count && tl__str_eq(doc->as.members[low].key, key);
	return low;
}

static int insert_member(tl_value *doc, size_t at, tl_str key, tl_value *value)
{
	char *copy = NULL;

	if (tl__value_grow(doc) == TL_OK)
		copy = tl__copy_bytes(key.ptr, key.len);
	if (!copy) {
		tl_value_free(value);
		return TL_E_NOMEM;
	}
	memmove(doc->as.members + at + 1, doc->as.members + at,
		(doc->count - at) * sizeof *doc->as.members);
	doc->as.members[at] = (tl__member){{copy, key.len}, value};
	doc->count++;
	return TL_OK;
}

int tl__doc_append(tl_value *doc, tl_str key, tl_value *value)
{
	return insert_member(doc, doc->count, key, value);
}

void tl__doc_cut(tl_value *doc, size_t count)
{
	while (doc->count > count) {
		tl__member *last = &doc->as.members[--doc->count];

		tl__free((char *)(uintptr_t)last->key.ptr);
		tl_value_free(last->value);
	}
}

/* Equal keys keep their order, so that the last one can win. */
static void merge_sort(tl__member *from, tl__member *spare, size_t count)
{
	size_t half = count / 2, left = 0, right = half, at = 0;

	if (count < 2)
		return;
	merge_sort(from, spare, half);
	merge_sort(from + half, spare, count - half);
	memcpy(spare, from, half * sizeof *from);
	while (left < half)
		from[at++] = right < count && tl__str_compare(from[right].key, spare[left].key) < 0
				     ? from[right++]
				     : spare[left++];
}

static bool is_sorted(const tl_value *doc)
{
	for (size_t i = 1; i < doc->count; i++)
		if (tl__str_compare(doc->as.members[i - 1].key, doc->as.members[i].key) >= 0)
			return false;
	return true;
}

static void drop_repeated(tl_value *doc)
{
	size_t kept = 0;

	for (size_t i = 1; i < doc->count; i++) {
		if (tl__str_eq(doc->as.members[kept].key, doc->as.members[i].key)) {
			tl__free((char *)(uintptr_t)doc->as.members[kept].key.ptr);
			tl_value_free(doc->as.members[kept].value);
		} else {
			kept++;
		}
		doc->as.members[kept] = doc->as.members[i];
	}
	doc->count = kept + 1;
}

int tl__doc_sort(tl_value *doc)
{
	tl__member *spare;

	if (is_sorted(doc))
		return TL_OK;
	spare = tl__alloc_zero(doc->count / 2 + 1, sizeof *spare);
	if (!spare)
		return TL_E_NOMEM;
	merge_sort(doc->as.members, spare, doc->count);
	tl__free(spare);
	drop_repeated(doc);
	return TL_OK;
}

size_t tl_doc_count(const tl_value *doc)
{
	if (!doc)
		return 0;
	return doc->count;
}

bool tl_doc_at(const tl_value *doc, size_t index, tl_str *key, tl_value **value)
{
	if (!doc)
		return false;
	if (index >= doc->count)
		return false;
	*key = doc->as.members[index].key;
	*value = doc->as.members[index].value;
	return true;
}

tl_value *tl_doc_raw(const tl_value *doc, tl_str key)
{
	if (!doc)
		return NULL;
	bool found;
	size_t at = tl__doc_search(doc, key, &found);

	return found ? doc->as.members[at].value : NULL;
}

int tl_doc_put(tl_value *doc, tl_str key, tl_value *value)
{
	TL__NEED_TAKING(doc, value);

	bool found;
	size_t at;

	if (!value)
		return TL_E_NOMEM;
	if (doc->type != TL_DOC || !tl__utf8_valid(key)) {
		tl_value_free(value);
		return tl__fail(TL_E_BAD_DOC,
			doc->type != TL_DOC ? "a key can only be put into a Doc"
					    : "a key is not UTF-8; documents hold no raw bytes");
	}
	at = tl__doc_search(doc, key, &found);
	if (!found)
		return insert_member(doc, at, key, value);
	tl_value_free(doc->as.members[at].value);
	doc->as.members[at].value = value;
	return TL_OK;
}

/* --- paths ------------------------------------------------------------------------------------ */

static tl_value *live(tl_value *value)
{
	return value && value->type != TL_DELETED ? value : NULL;
}

/* Takes the next component off *path; false when there is none. Empty ones vanish. */
static bool next_component(tl_str *path, tl_str *component)
{
	size_t len = 0;

	while (path->len > 0 && path->ptr[0] == '.') {
		path->ptr++;
		path->len--;
	}
	while (len < path->len && path->ptr[len] != '.')
		len++;
	*component = (tl_str){path->ptr, len};
	path->ptr += len;
	path->len -= len;
	return len > 0;
}

static bool list_index(tl_str text, size_t *out)
{
	uint64_t value = 0;

	if (text.len > 1 && text.ptr[0] == '+') {
		text.ptr++;
		text.len--;
	}
	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)((uint8_t)text.ptr[i] - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = (size_t)value;
	return true;
}

static tl_value *child(const tl_value *container, tl_str component)
{
	size_t index;

	if (container->type == TL_DOC)
		return live(tl_doc_raw(container, component));
	if (container->type == TL_LIST && list_index(component, &index))
		return tl_list_get(container, index);
	return NULL;
}

static bool has_dot(tl_str text)
{
	return text.len > 0 && memchr(text.ptr, '.', text.len) != NULL;
}

tl_value *tl_doc_get(const tl_value *doc, tl_str path)
{
	if (!doc)
		return NULL;
	tl_value *at = NULL;
	tl_str component;

	if (!has_dot(path))
		return path.len > 0 ? live(tl_doc_raw(doc, path)) : NULL;
	while (next_component(&path, &component)) {
		at = child(at ? at : doc, component);
		if (!at)
			return NULL;
	}
	return at;
}

/* The Doc under that key, made when there is none: whatever else stands there is replaced. */
static tl_value *enter(tl_value *doc, tl_str key)
{
	tl_value *there = tl_doc_raw(doc, key);

	if (there && there->type == TL_DOC)
		return there;
	there = tl_value_doc();
	return there && tl_doc_put(doc, key, there) == TL_OK ? there : NULL;
}

static int check_nesting(size_t count)
{
	if (count <= TL_DOC_MAX_NESTING + 1)
		return TL_OK;
	return tl__fail(TL_E_BAD_PATH, "a path has at most %d components, this one %zu",
		TL_DOC_MAX_NESTING + 1, count);
}

int tl_doc_set_at(tl_value *doc, const tl_str *components, size_t count, tl_value *value)
{
	TL__NEED_TAKING(doc, value);

	int code;

	if (!value)
		return TL_E_NOMEM;
	code = count > 0 ? check_nesting(count)
			 : tl__fail(TL_E_BAD_PATH, "a path needs at least one component");
	for (size_t i = 0; code == TL_OK && i + 1 < count; i++) {
		doc = enter(doc, components[i]);
		if (!doc)
			code = TL_E_NOMEM;
	}
	if (code == TL_OK)
		return tl_doc_put(doc, components[count - 1], value);
	tl_value_free(value);
	return code;
}

int tl_doc_set(tl_value *doc, tl_str path, tl_value *value)
{
	TL__NEED_TAKING(doc, value);

	tl_str components[TL_DOC_MAX_NESTING + 2], component;
	size_t count = 0;

	if (!has_dot(path)) {
		components[0] = path;
		return tl_doc_set_at(doc, components, path.len > 0, value);
	}
	while (count < TL_DOC_MAX_NESTING + 2 && next_component(&path, &component))
		components[count++] = component;
	return tl_doc_set_at(doc, components, count, value);
}

TL__PUBLIC(tl_doc_delete_at, doc,
	(tl_value *doc, const tl_str *components, size_t count), (doc, components, count))
{
	return tl_doc_set_at(doc, components, count, tl_value_deleted());
}
