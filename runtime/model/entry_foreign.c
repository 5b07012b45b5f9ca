/* The lenient reader: turns what 0.2.0 may send into canonical bytes. Each structure is a table of
 * its members in canonical order; their values are collected as they come and written in table
 * order. */
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "model/entry_layout.h"

#define MAX_MEMBERS 3

/* Reads the value that begins with `token` and appends it in canonical form. */
typedef int (*value_reader)(tl__json_reader *r, tl__json_token token, tl__buf *out);

struct member {
	const char *name;
	value_reader read;
	enum { REQUIRED, ELSE_NULL, ELSE_LEFT_OUT } absent;
};

static int wrong_type(tl__json_token token, const char *expected)
{
	if (token == TL__JSON_ERROR)
		return tl_error_code(tl_last_error());
	return tl__fail(TL_E_BAD_ENTRY, "the entry has another value where %s belongs", expected);
}

static int find_member(const struct member *members, size_t count, tl_str name)
{
	for (size_t i = 0; i < count; i++)
		if (tl__str_eq(name, tl__str_z(members[i].name)))
			return (int)i;
	return -1;
}

static int read_member(
	tl__json_reader *r, const struct member *members, size_t count, tl__buf *values, bool *seen)
{
	int i = find_member(members, count, r->text);
	tl__json_token token;

	if (i < 0)
		return tl__fail(TL_E_NOT_CANONICAL, "the entry has an unknown member \"%.*s\"",
			TL__STR_ARG(r->text));
	if (seen[i])
		return tl__fail(TL_E_NOT_CANONICAL, "the entry has the member \"%s\" twice",
			members[i].name);
	seen[i] = true;
	token = tl__json_next(r);
	if (token == TL__JSON_NULL && members[i].absent != REQUIRED)
		return TL_OK;
	return members[i].read(r, token, &values[i]);
}

static int read_members(
	tl__json_reader *r, const struct member *members, size_t count, tl__buf *values)
{
	bool seen[MAX_MEMBERS] = {false};
	tl__json_token token;
	int code = TL_OK;

	while (code == TL_OK && (token = tl__json_next(r)) != TL__JSON_OBJECT_END) {
		if (token == TL__JSON_ERROR)
			return tl_error_code(tl_last_error());
		code = read_member(r, members, count, values, seen);
	}
	for (size_t i = 0; code == TL_OK && i < count; i++)
		if (!seen[i] && members[i].absent == REQUIRED)
			code = tl__fail(TL_E_BAD_ENTRY, "the entry lacks the member \"%s\"",
				members[i].name);
	return code;
}

static void write_members(
	const struct member *members, size_t count, const tl__buf *values, tl__buf *out)
{
	for (size_t i = 0; i < count; i++) {
		if (values[i].len == 0 && members[i].absent == ELSE_LEFT_OUT)
			continue;
		tl__buf_byte(out, i == 0 ? '{' : ',');
		tl__json_put_string(out, tl__str_z(members[i].name));
		tl__buf_byte(out, ':');
		if (values[i].len == 0)
			tl__buf_text(out, "null");
		else
			tl__buf_str(out, tl__buf_view(&values[i]));
		out->failed = out->failed || values[i].failed;
	}
	tl__buf_byte(out, '}');
}

static int read_struct(tl__json_reader *r, tl__json_token token, tl__buf *out,
	const struct member *members, size_t count)
{
	tl__buf values[MAX_MEMBERS] = {{NULL, 0, 0, false}};
	int code;

	if (token != TL__JSON_OBJECT)
		return wrong_type(token, "an object");
	code = read_members(r, members, count, values);
	if (code == TL_OK)
		write_members(members, count, values, out);
	for (size_t i = 0; i < count; i++)
		tl__buf_free(&values[i]);
	return code;
}

static int read_list(tl__json_reader *r, tl__json_token token, tl__buf *out, value_reader read)
{
	const char *separator = "[";
	int code = TL_OK;

	if (token != TL__JSON_ARRAY)
		return wrong_type(token, "an array");
	while (code == TL_OK && (token = tl__json_next(r)) != TL__JSON_ARRAY_END) {
		tl__buf_text(out, separator);
		separator = ",";
		code = read(r, token, out);
	}
	tl__buf_text(out, *separator == '[' ? "[]" : "]");
	return code;
}

static int read_text(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	if (token != TL__JSON_STRING)
		return wrong_type(token, "a string");
	tl__json_put_string(out, r->text);
	return TL_OK;
}

static int read_texts(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	return read_list(r, token, out, read_text);
}

static int read_tree(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	static const struct member members[] = {
		{"root", read_text, REQUIRED},
		{"parents", read_texts, REQUIRED},
		{"metadata", read_text, ELSE_NULL},
	};

	return read_struct(r, token, out, members, 3);
}

static int read_store(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	static const struct member members[] = {
		{"name", read_text, REQUIRED},
		{"parents", read_texts, REQUIRED},
		{"data", read_text, REQUIRED},
	};

	return read_struct(r, token, out, members, 3);
}

static int read_stores(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	return read_list(r, token, out, read_store);
}

static int read_step(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	static const struct member members[] = {
		{"key", read_text, REQUIRED},
		{"tips", read_texts, ELSE_NULL},
	};

	return read_struct(r, token, out, members, 2);
}

static int read_key(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	if (token == TL__JSON_ARRAY)
		return read_list(r, token, out, read_step);
	return read_text(r, token, out);
}

static int read_sig(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	static const struct member members[] = {
		{"sig", read_text, ELSE_NULL},
		{"key", read_key, REQUIRED},
		{"pubkey", read_text, ELSE_LEFT_OUT},
	};

	return read_struct(r, token, out, members, 3);
}

static int read_entry(tl__json_reader *r, tl__json_token token, tl__buf *out)
{
	static const struct member members[] = {
		{"tree", read_tree, REQUIRED},
		{"subtrees", read_stores, REQUIRED},
		{"sig", read_sig, REQUIRED},
	};

	return read_struct(r, token, out, members, 3);
}

int tl__entry_normalise(tl_str text, tl__buf *out)
{
	tl__json_reader reader;
	int code;

	tl__json_whole(&reader, text, TL__JSON_MAX_DEPTH);
	code = read_entry(&reader, tl__json_next(&reader), out);
	if (code == TL_OK && tl__json_next(&reader) != TL__JSON_END)
		code = tl_error_code(tl_last_error());
	if (code == TL_OK)
		code = tl__buf_status(out);
	tl__json_free(&reader);
	return code;
}
