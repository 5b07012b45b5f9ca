/* Values: making, copying, releasing, comparing. Recursion is as deep as containers are nested,
 * which readers bound by the depth of JSON and setters by TL_DOC_MAX_NESTING. */
#include "model/value.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

static tl_value *make(tl_type type)
{
	tl_value *value = tl__alloc_zero(1, sizeof *value);

	if (value)
		value->type = type;
	return value;
}

tl_value *tl_value_null(void)
{
	return make(TL_NULL);
}

tl_value *tl_value_bool(bool boolean)
{
	tl_value *value = make(TL_BOOL);

	if (value)
		value->as.boolean = boolean;
	return value;
}

tl_value *tl_value_int(int64_t integer)
{
	tl_value *value = make(TL_INT);

	if (value)
		value->as.integer = integer;
	return value;
}

tl_value *tl_value_text(tl_str text)
{
	tl_value *value;

	if (!tl__utf8_valid(text))
		return tl__fail(TL_E_BAD_DOC, "a text is not UTF-8; documents hold no raw bytes"),
		       NULL;
	value = make(TL_TEXT);
	if (!value)
		return NULL;
	value->as.text = (tl_str){tl__copy_bytes(text.ptr, text.len), text.len};
	if (!value->as.text.ptr) {
		tl__free(value);
		return NULL;
	}
	return value;
}

tl_value *tl_value_doc(void)
{
	return make(TL_DOC);
}

tl_value *tl_value_list(void)
{
	return make(TL_LIST);
}

tl_value *tl_value_deleted(void)
{
	return make(TL_DELETED);
}

static void free_members(tl_value *doc)
{
	for (size_t i = 0; i < doc->count; i++) {
		tl__free((char *)(uintptr_t)doc->as.members[i].key.ptr);
		tl_value_free(doc->as.members[i].value);
	}
	tl__free(doc->as.members);
}

static void free_items(tl_value *list)
{
	for (size_t i = 0; i < list->count; i++)
		tl_value_free(list->as.items[i].value);
	tl__free(list->as.items);
}

void tl_value_free(tl_value *value)
{
	if (!value)
		return;
	switch (value->type) {
	case TL_TEXT: tl__free((char *)(uintptr_t)value->as.text.ptr); break;
	case TL_DOC: free_members(value); break;
	case TL_LIST: free_items(value); break;
	default: break;
	}
	tl__free(value);
}

int tl__value_grow(tl_value *value)
{
	bool doc = value->type == TL_DOC;
	void *array = doc ? (void *)value->as.members : (void *)value->as.items;

	array = tl__grow(
		array, value->count, &value->cap, doc ? sizeof(tl__member) : sizeof(tl__item));
	if (!array)
		return TL_E_NOMEM;
	if (doc)
		value->as.members = array;
	else
		value->as.items = array;
	return TL_OK;
}

static tl_value *copy_doc(const tl_value *doc)
{
	tl_value *copy = tl_value_doc();

	for (size_t i = 0; copy && i < doc->count; i++) {
		tl_value *child = tl_value_copy(doc->as.members[i].value);

		if (!child || tl__doc_append(copy, doc->as.members[i].key, child) != TL_OK) {
			tl_value_free(copy);
			return NULL;
		}
	}
	return copy;
}

static tl_value *copy_list(const tl_value *list)
{
	tl_value *copy = tl_value_list();

	for (size_t i = 0; copy && i < list->count; i++) {
		tl_value *child = tl_value_copy(list->as.items[i].value);

		if (!child || tl__list_append(copy, &list->as.items[i].position, child) != TL_OK) {
			tl_value_free(copy);
			return NULL;
		}
	}
	return copy;
}

tl_value *tl_value_copy(const tl_value *value)
{
	if (!value) {
		(void)tl__fail_needs(__func__, "value");
		return NULL;
	}
	switch (value->type) {
	case TL_BOOL: return tl_value_bool(value->as.boolean);
	case TL_INT: return tl_value_int(value->as.integer);
	case TL_TEXT: return tl_value_text(value->as.text);
	case TL_DOC: return copy_doc(value);
	case TL_LIST: return copy_list(value);
	default: return make(value->type);
	}
}

tl_type tl_value_type(const tl_value *value)
{
	if (!value)
		return TL_NULL;
	return value->type;
}

const char *tl_type_name(tl_type type)
{
	static const char *const names[] = {
		"null", "bool", "int", "text", "doc", "list", "deleted"};

	return (unsigned)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

bool tl_value_as_bool(const tl_value *value)
{
	if (!value || value->type != TL_BOOL)
		return false;
	return value->as.boolean;
}

int64_t tl_value_as_int(const tl_value *value)
{
	if (!value || value->type != TL_INT)
		return 0;
	return value->as.integer;
}

tl_str tl_value_as_text(const tl_value *value)
{
	if (!value || value->type != TL_TEXT)
		return TL__STR_NULL;
	return value->as.text;
}

static bool members_equal(const tl_value *a, const tl_value *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!tl__str_eq(a->as.members[i].key, b->as.members[i].key) ||
			!tl_value_equal(a->as.members[i].value, b->as.members[i].value))
			return false;
	return true;
}

static bool items_equal(const tl_value *a, const tl_value *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (tl_position_compare(&a->as.items[i].position, &b->as.items[i].position) != 0 ||
			!tl_value_equal(a->as.items[i].value, b->as.items[i].value))
			return false;
	return true;
}

bool tl_value_equal(const tl_value *a, const tl_value *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type || a->count != b->count)
		return false;
	switch (a->type) {
	case TL_BOOL: return a->as.boolean == b->as.boolean;
	case TL_INT: return a->as.integer == b->as.integer;
	case TL_TEXT: return tl__str_eq(a->as.text, b->as.text);
	case TL_DOC: return members_equal(a, b);
	case TL_LIST: return items_equal(a, b);
	default: return true;
	}
}
