#include "vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json/json.h"
#include "base/str.h"

static const node nothing = {.kind = NODE_NULL};

static void give_up(const char *what)
{
	fprintf(stderr, "check: %s\n", what);
	exit(2);
}

static tl_str own(tl__arena *arena, tl_str text)
{
	tl_str copy = tl__arena_str(arena, text);

	if (!copy.ptr)
		give_up("out of memory");
	return copy;
}

static bool parse_value(tl__arena *arena, tl__json_reader *r, tl__json_token token, node *out);

static bool parse_children(tl__arena *arena, tl__json_reader *r, node *out)
{
	void *array = NULL;
	size_t cap = 0;
	tl__json_token token;

	while ((token = tl__json_next(r)) > TL__JSON_MORE) {
		tl_str name = {NULL, 0};
		node *child;

		if (token == TL__JSON_OBJECT_END || token == TL__JSON_ARRAY_END)
			return true;
		if (token == TL__JSON_KEY) {
			name = own(arena, r->text);
			token = tl__json_next(r);
		}
		if (tl__arena_grow(arena, &array, &cap, out->count, sizeof *out->children) != 0)
			give_up("out of memory");
		out->children = array;
		child = &out->children[out->count++];
		memset(child, 0, sizeof *child);
		child->name = name;
		if (!parse_value(arena, r, token, child))
			return false;
	}
	return false;
}

static bool parse_value(tl__arena *arena, tl__json_reader *r, tl__json_token token, node *out)
{
	switch (token) {
	case TL__JSON_OBJECT: out->kind = NODE_OBJECT; return parse_children(arena, r, out);
	case TL__JSON_ARRAY: out->kind = NODE_ARRAY; return parse_children(arena, r, out);
	case TL__JSON_STRING: out->kind = NODE_STRING; break;
	case TL__JSON_NUMBER: out->kind = NODE_NUMBER; break;
	case TL__JSON_TRUE: out->kind = NODE_TRUE; return true;
	case TL__JSON_FALSE: out->kind = NODE_FALSE; return true;
	case TL__JSON_NULL: out->kind = NODE_NULL; return true;
	default: return false;
	}
	out->text = own(arena, r->text);
	return true;
}

static node *parse(tl__arena *arena, tl_str text)
{
	tl__json_reader reader;
	node *out = tl__arena_alloc(arena, 1, sizeof *out);
	bool good;

	if (!out)
		give_up("out of memory");
	tl__json_whole(&reader, text, TL__JSON_MAX_DEPTH);
	good = parse_value(arena, &reader, tl__json_next(&reader), out) &&
	       tl__json_next(&reader) == TL__JSON_END;
	tl__json_free(&reader);
	return good ? out : NULL;
}

node *node_parse(tl__arena *arena, tl_str text)
{
	node *out = parse(arena, text);

	if (!out)
		give_up("the vectors are not readable as JSON");
	return out;
}

const node *node_get(const node *object, const char *name)
{
	for (size_t i = 0; i < object->count; i++)
		if (tl__str_eq(object->children[i].name, tl__str_z(name)))
			return &object->children[i];
	return &nothing;
}

tl_str node_text(const node *object, const char *name)
{
	const node *found = node_get(object, name);

	return found->kind == NODE_STRING ? found->text : TL__STR_NULL;
}

bool node_has(const node *object, const char *name)
{
	return node_get(object, name) != &nothing;
}

bool node_true(const node *object, const char *name)
{
	return node_get(object, name)->kind == NODE_TRUE;
}

static int by_name(const void *a, const void *b)
{
	return tl__str_compare(((const node *)a)->name, ((const node *)b)->name);
}

static void write_sorted(tl__buf *out, const node *value)
{
	node *sorted = value->children;

	if (value->kind == NODE_OBJECT && value->count > 1) {
		sorted = malloc(value->count * sizeof *sorted);
		if (!sorted)
			give_up("out of memory");
		memcpy(sorted, value->children, value->count * sizeof *sorted);
		qsort(sorted, value->count, sizeof *sorted, by_name);
	}
	tl__buf_byte(out, value->kind == NODE_OBJECT ? '{' : '[');
	for (size_t i = 0; i < value->count; i++) {
		if (i)
			tl__buf_byte(out, ',');
		if (value->kind == NODE_OBJECT) {
			tl__json_put_string(out, sorted[i].name);
			tl__buf_byte(out, ':');
		}
		switch (sorted[i].kind) {
		case NODE_NULL: tl__buf_text(out, "null"); break;
		case NODE_TRUE: tl__buf_text(out, "true"); break;
		case NODE_FALSE: tl__buf_text(out, "false"); break;
		case NODE_NUMBER: tl__buf_str(out, sorted[i].text); break;
		case NODE_STRING: tl__json_put_string(out, sorted[i].text); break;
		default: write_sorted(out, &sorted[i]); break;
		}
	}
	tl__buf_byte(out, value->kind == NODE_OBJECT ? '}' : ']');
	if (sorted != value->children)
		free(sorted);
}

tl_str node_sorted(tl__arena *arena, const node *value)
{
	node around = {.kind = NODE_ARRAY, .children = (node *)(uintptr_t)value, .count = 1};
	tl__buf text = TL__BUF_INIT;
	tl_str out;

	write_sorted(&text, &around);
	if (tl__buf_status(&text) != TL_OK)
		give_up("out of memory");
	out = own(arena, tl__buf_view(&text));
	tl__buf_free(&text);
	return out;
}

tl_str text_sorted(tl__arena *arena, tl_str text)
{
	node *value = parse(arena, text);

	return value ? node_sorted(arena, value) : TL__STR_NULL;
}
