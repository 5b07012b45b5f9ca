/* The `auth` part of a settings Doc: records that parse, by name. */
#include <stdlib.h>
#include <string.h>
#include <tidelock/auth.h>
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"

typedef enum record_kind { RECORD_NONE, RECORD_KEY, RECORD_TREE } record_kind;

typedef struct record {
	tl_str name; /* of a nested one: its path, joined by dots */
	record_kind kind;
	tl_auth_key key;
	tl_auth_tree tree;
} record;

typedef struct record_list {
	record *at; /* ascending names */
	size_t count, cap;
} record_list;

struct tl_auth {
	tl__arena arena;
	record_list top;
	record_list nested; /* in Docs inside `auth`: reached by names with dots */
};

/* --- records ---------------------------------------------------------------------------------- */

static void take_permission(tl__fields *f, tl_str text, tl_permission *out)
{
	int code = f->code == TL_OK ? tl_permission_from_json(out, text) : TL_OK;

	if (code == TL_E_NOMEM)
		f->code = code;
	else if (code != TL_OK)
		tl__fields_wrong(f, "a permission was expected");
}

static void read_permission(tl__fields *f, tl_permission *out)
{
	tl_str text = TL__STR_NULL;

	tl__fields_verbatim(f, &text);
	take_permission(f, text, out);
}

static void read_status(tl__fields *f, tl_key_status *out)
{
	static const char *const names[] = {"Active", "Revoked"};
	tl__json_token token = tl__fields_token(f);
	bool object = token == TL__JSON_OBJECT;
	size_t which = 0;

	if (object)
		token = tl__fields_token(f);
	if (token != (object ? TL__JSON_KEY : TL__JSON_STRING)) {
		tl__fields_wrong(f, "a status was expected");
		return;
	}
	while (which < 2 && !tl__str_eq(f->json.text, tl__str_z(names[which])))
		which++;
	if (which == 2 || (object && (tl__fields_token(f) != TL__JSON_NULL ||
					     tl__fields_token(f) != TL__JSON_OBJECT_END)))
		tl__fields_wrong(f, "a status is Active or Revoked");
	*out = which == 1 ? TL_KEY_REVOKED : TL_KEY_ACTIVE;
}

static bool parse_key(tl__arena *arena, tl_str text, tl_auth_key *out)
{
	static const char *const names[] = {"pubkey", "permissions", "status"};
	uint32_t seen = 0;
	tl__fields f;
	size_t at;

	tl__fields_open(&f, text, arena, "the key record", TL_E_BAD_ENTRY);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 3, &seen, &at)) {
		switch (at) {
		case 0: tl__fields_text(&f, &out->pubkey); break;
		case 1: read_permission(&f, &out->permission); break;
		default: read_status(&f, &out->status); break;
		}
	}
	tl__fields_need(&f, names, seen, 7);
	return tl__fields_whole(&f) == TL_OK;
}

static void read_bounds(tl__fields *f, tl_auth_tree *out)
{
	static const char *const names[] = {"max", "min"};
	uint32_t seen = 0;
	tl_str text = TL__STR_NULL;
	size_t at;

	tl__fields_enter(f, TL__JSON_OBJECT);
	while (tl__fields_member(f, names, 2, &seen, &at)) {
		if (at == 0) {
			read_permission(f, &out->max);
			continue;
		}
		tl__fields_verbatim(f, &text);
		out->has_min = f->code == TL_OK && !tl__str_eq(text, TL__STR("null"));
		if (out->has_min)
			take_permission(f, text, &out->min);
	}
	tl__fields_need(f, names, seen, 1);
}

static void read_place(tl__fields *f, tl_auth_tree *out)
{
	static const char *const names[] = {"root", "tips"};
	uint32_t seen = 0;
	size_t at, count;
	tl_str *unused;

	tl__fields_enter(f, TL__JSON_OBJECT);
	while (tl__fields_member(f, names, 2, &seen, &at)) {
		if (at == 0)
			tl__fields_text(f, &out->root);
		else
			tl__fields_texts(f, &unused, &count, SIZE_MAX, "tips");
	}
	tl__fields_need(f, names, seen, 3);
}

static bool parse_tree(tl__arena *arena, tl_str text, tl_auth_tree *out)
{
	static const char *const names[] = {"permission-bounds", "tree"};
	uint32_t seen = 0;
	tl__fields f;
	size_t at;

	tl__fields_open(&f, text, arena, "the delegated tree record", TL_E_BAD_ENTRY);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 2, &seen, &at)) {
		if (at == 0)
			read_bounds(&f, out);
		else
			read_place(&f, out);
	}
	tl__fields_need(&f, names, seen, 3);
	return tl__fields_whole(&f) == TL_OK;
}

/* What the value is a record of; fails only when memory runs out. */
static int parse_record(tl_auth *auth, const tl_value *value, record *out)
{
	memset(out, 0, sizeof *out);
	if (!value || tl_value_type(value) != TL_TEXT)
		return TL_OK;
	if (parse_key(&auth->arena, tl_value_as_text(value), &out->key)) {
		out->kind = RECORD_KEY;
		return TL_OK;
	}
	if (tl_error_code(tl_last_error()) == TL_E_NOMEM)
		return TL_E_NOMEM;
	if (parse_tree(&auth->arena, tl_value_as_text(value), &out->tree))
		out->kind = RECORD_TREE;
	else if (tl_error_code(tl_last_error()) == TL_E_NOMEM)
		return TL_E_NOMEM;
	return TL_OK;
}

/* --- making ----------------------------------------------------------------------------------- */

static int add_record(tl_auth *auth, record_list *list, tl_str name, const tl_value *value)
{
	void *array = list->at;
	record found;
	int code = parse_record(auth, value, &found);

	if (code != TL_OK || found.kind == RECORD_NONE)
		return code;
	code = tl__arena_grow(&auth->arena, &array, &list->cap, list->count, sizeof *list->at);
	if (code != TL_OK)
		return code;
	list->at = array;
	found.name = tl__arena_str(&auth->arena, name);
	if (!found.name.ptr)
		return TL_E_NOMEM;
	list->at[list->count++] = found;
	return TL_OK;
}

/* As deep as Docs nest, which their reader bounds. Keys with dots of their own, and empty ones,
 * cannot be reached by any path. */
static int add_nested(tl_auth *auth, tl__buf *path, const tl_value *doc)
{
	int code = TL_OK;
	tl_str key;
	tl_value *value;

	for (size_t i = 0; code == TL_OK && tl_doc_at(doc, i, &key, &value); i++) {
		size_t before = path->len;

		if (key.len == 0 || memchr(key.ptr, '.', key.len))
			continue;
		if (before > 0)
			tl__buf_byte(path, '.');
		tl__buf_str(path, key);
		code = tl__buf_status(path);
		if (code == TL_OK && tl_value_type(value) == TL_DOC)
			code = add_nested(auth, path, value);
		else if (code == TL_OK && before > 0)
			code = add_record(auth, &auth->nested, tl__buf_view(path), value);
		path->len = before;
	}
	return code;
}

static int by_name(const void *a, const void *b)
{
	return tl__str_compare(((const record *)a)->name, ((const record *)b)->name);
}

TL__PUBLIC(tl_auth_from_doc, out, (tl_auth **out, const tl_value *auth_doc), (out, auth_doc))
{
	tl_auth *auth = tl__alloc_zero(1, sizeof *auth);
	tl__buf path = TL__BUF_INIT;
	int code = TL_OK;
	tl_str name;
	tl_value *value;

	*out = auth;
	if (!auth)
		return TL_E_NOMEM;
	for (size_t i = 0; code == TL_OK && auth_doc && tl_doc_at(auth_doc, i, &name, &value); i++)
		code = add_record(auth, &auth->top, name, value);
	if (code == TL_OK && auth_doc)
		code = add_nested(auth, &path, auth_doc);
	tl__buf_free(&path);
	if (auth->nested.count > 0)
		qsort(auth->nested.at, auth->nested.count, sizeof *auth->nested.at, by_name);
	if (code == TL_OK)
		return TL_OK;
	tl_auth_free(auth);
	*out = NULL;
	return code;
}

TL__PUBLIC(tl_auth_from_settings, out, (tl_auth **out, const tl_value *settings), (out, settings))
{
	const tl_value *auth = tl_doc_raw(settings, TL__STR("auth"));

	return tl_auth_from_doc(out, auth && tl_value_type(auth) == TL_DOC ? auth : NULL);
}

void tl_auth_free(tl_auth *auth)
{
	if (!auth)
		return;
	tl__arena_free(&auth->arena);
	tl__free(auth);
}

/* --- asking ----------------------------------------------------------------------------------- */

static const record *search(const record_list *list, tl_str name)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = tl__str_compare(list->at[middle].name, name);

		if (order == 0)
			return &list->at[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Longest name with dots that is looked for; nobody writes such names, 0.2.0 reads them. */
#define MAX_DOTTED_NAME 1024

/* Drops empty components. */
static tl_str normalise(tl_str name, char out[MAX_DOTTED_NAME])
{
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != '.' || (len > 0 && out[len - 1] != '.'))
			out[len++] = name.ptr[i];
	while (len > 0 && out[len - 1] == '.')
		len--;
	return (tl_str){out, len};
}

static const record *find(const tl_auth *auth, tl_str name)
{
	char normal[MAX_DOTTED_NAME];

	if (name.len == 0 || !memchr(name.ptr, '.', name.len))
		return name.len > 0 ? search(&auth->top, name) : NULL;
	if (name.len > sizeof normal)
		return NULL;
	name = normalise(name, normal);
	if (name.len > 0 && memchr(name.ptr, '.', name.len))
		return search(&auth->nested, name);
	return name.len > 0 ? search(&auth->top, name) : NULL;
}

const tl_auth_key *tl_auth_find_key(const tl_auth *auth, tl_str name)
{
	if (!auth)
		return NULL;
	const record *found = find(auth, name);

	return found && found->kind == RECORD_KEY ? &found->key : NULL;
}

const tl_auth_tree *tl_auth_find_tree(const tl_auth *auth, tl_str name)
{
	if (!auth)
		return NULL;
	const record *found = find(auth, name);

	return found && found->kind == RECORD_TREE ? &found->tree : NULL;
}

const tl_auth_key *tl_auth_global(const tl_auth *auth)
{
	if (!auth)
		return NULL;
	const tl_auth_key *key = tl_auth_find_key(auth, TL__STR("*"));

	return key && key->status == TL_KEY_ACTIVE && tl__str_eq(key->pubkey, TL__STR("*")) ? key
											    : NULL;
}

size_t tl_auth_key_count(const tl_auth *auth)
{
	if (!auth)
		return 0;
	size_t count = 0;

	for (size_t i = 0; i < auth->top.count; i++)
		count += auth->top.at[i].kind == RECORD_KEY;
	return count;
}

bool tl_auth_key_at(const tl_auth *auth, size_t index, tl_str *name, const tl_auth_key **key)
{
	if (!auth)
		return false;
	for (size_t i = 0; i < auth->top.count; i++) {
		if (auth->top.at[i].kind != RECORD_KEY || index-- > 0)
			continue;
		*name = auth->top.at[i].name;
		*key = &auth->top.at[i].key;
		return true;
	}
	return false;
}

TL__PUBLIC(tl_auth_best, auth && out,
	(const tl_auth *auth, tl_str pubkey, tl_permission *out, tl_str *name),
	(auth, pubkey, out, name))
{
	const tl_auth_key *global = tl_auth_global(auth);
	const record *best = NULL;

	for (size_t i = 0; i < auth->top.count; i++) {
		const record *at = &auth->top.at[i];

		if (at->kind != RECORD_KEY || at->key.status != TL_KEY_ACTIVE)
			continue;
		if (&at->key != global && !tl__str_eq(at->key.pubkey, pubkey))
			continue;
		if (!best || tl_permission_compare(at->key.permission, best->key.permission) > 0)
			best = at;
	}
	if (!best)
		return tl__fail(TL_E_NOT_FOUND, "the key has no permission in this database");
	*out = best->key.permission;
	if (name)
		*name = best->name;
	return TL_OK;
}

TL__PUBLIC(tl_auth_key_write, key && out,
	(const tl_auth_key *key, char **out, size_t *len), (key, out, len))
{
	char permission[24];
	tl__buf text = TL__BUF_INIT;

	*out = NULL;
	if ((unsigned)key->permission.kind > TL_ADMIN || (unsigned)key->status > TL_KEY_REVOKED)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a key's permission is read, write or admin, and its status active or "
			"revoked");
	tl_permission_to_json(key->permission, permission);
	tl__buf_text(&text, "{\"pubkey\":");
	tl__json_put_string(&text, key->pubkey);
	tl__buf_format(&text, ",\"permissions\":%s,\"status\":\"%s\"}", permission,
		key->status == TL_KEY_REVOKED ? "Revoked" : "Active");
	*out = tl__buf_take(&text, len);
	return *out ? TL_OK : TL_E_NOMEM;
}
