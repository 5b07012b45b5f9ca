/* Sections about documents: reading, merging, operations. */
#include <stdio.h>
#include <string.h>
#include <tidelock/doc.h>
#include <tidelock/entry.h>
#include "base/json/json.h"
#include "check.h"

static tl_value *parse(check *c, tl_str text)
{
	tl_value *doc = NULL;

	if (tl_doc_parse(&doc, text) != TL_OK)
		wrong(c, "Doc not read: %s", tl_error_message(tl_last_error()));
	return doc;
}

static void expect_doc(check *c, const tl_value *doc, tl_str wanted, const char *what)
{
	char *text = NULL;
	size_t len = 0;

	if (tl_doc_write(doc, &text, &len) != TL_OK) {
		wrong(c, "%s: not written: %s", what, tl_error_message(tl_last_error()));
		return;
	}
	expect_json(c, (tl_str){text, len}, wanted, what);
	tl_free(text);
}

/* One value compared with the JSON of a value: as the only child of a Doc. */
static void expect_value(check *c, const tl_value *value, const node *wanted, const char *what)
{
	tl_value *doc;
	tl__buf text = TL__BUF_INIT;

	if (wanted->kind == NODE_NULL) {
		expect(c, value == NULL, what);
		return;
	}
	if (!value) {
		wrong(c, "%s: absent", what);
		return;
	}
	doc = tl_value_doc();
	if (!doc || tl_doc_put(doc, TL__STR("v"), tl_value_copy(value)) != TL_OK) {
		wrong(c, "out of memory");
	} else {
		tl_str inner = node_sorted(&c->arena, wanted);

		/* node_sorted puts brackets around. */
		tl__buf_format(
			&text, "{\"children\":{\"v\":%.*s}}", (int)inner.len - 2, inner.ptr + 1);
		expect_doc(c, doc, tl__buf_view(&text), what);
	}
	tl__buf_free(&text);
	tl_value_free(doc);
}

static void expect_merged(check *c, tl_str first, tl_str second, tl_str wanted, const char *what)
{
	tl_value *a = parse(c, first), *b = parse(c, second);

	if (a && b) {
		expect(c, tl_doc_merge(a, b) == TL_OK, "merge");
		expect_doc(c, a, wanted, what);
	}
	tl_value_free(a);
	tl_value_free(b);
}

void check_merge(check *c, const node *section)
{
	tl_str a = node_text(c->item, "a"), b = node_text(c->item, "b");

	(void)section;
	expect_merged(c, a, b, node_text(c->item, "merged"), "merge(a, b)");
	expect_merged(c, b, a, node_text(c->item, "merged_reverse"), "merge(b, a)");
}

static tl_value *merged(check *c, tl_value *a, tl_value *b)
{
	if (a && b)
		expect(c, tl_doc_merge(a, b) == TL_OK, "merge");
	tl_value_free(b);
	return a;
}

void check_fold(check *c, const node *section)
{
	const node *deltas = node_get(c->item, "deltas");
	tl_value *left = NULL, *right = NULL;

	(void)section;
	for (size_t i = 0; i < deltas->count; i++) {
		tl_value *next = parse(c, deltas->children[i].text);

		left = left ? merged(c, left, next) : next;
	}
	/* The other grouping: the first with the merge of the rest. */
	for (size_t i = deltas->count; i-- > 0;) {
		tl_value *before = parse(c, deltas->children[i].text);

		right = right ? merged(c, before, right) : before;
	}
	if (left)
		expect_doc(c, left, node_text(c->item, "left_fold"), "left fold");
	if (right)
		expect_doc(c, right, node_text(c->item, "right_grouping"), "right grouping");
	tl_value_free(left);
	tl_value_free(right);
}

void check_doc_reader(check *c, const node *section)
{
	tl_value *doc = NULL;
	int code = tl_doc_parse(&doc, bytes_of(c, "text"));

	(void)section;
	expect(c, (code == TL_OK) == node_true(c->item, "accepted"), "verdict");
	if (code == TL_OK && node_true(c->item, "accepted"))
		expect_doc(c, doc, bytes_of(c, "written"), "written again");
	tl_value_free(doc);
}

/* --- doc_ops ---------------------------------------------------------------------------------- */

static bool has_dot(tl_str text)
{
	return memchr(text.ptr, '.', text.len ? text.len : 1) != NULL && text.len > 0;
}

static size_t component_count(tl_str path)
{
	size_t count = 0;

	for (size_t i = 0; i < path.len; i++)
		count += path.ptr[i] != '.' && (i == 0 || path.ptr[i - 1] == '.');
	return count;
}

/* The Doc all of these operations start from: the vectors show it where removing a dotted key
 * changed nothing. */
static tl_str starting_doc(check *c, const node *section)
{
	for (size_t i = 0; i < section->count; i++) {
		const node *item = &section->children[i];

		if (tl__str_eq(node_text(item, "op"), TL__STR("remove")) &&
			has_dot(node_text(item, "key")))
			return node_text(item, "after");
	}
	wrong(c, "the section does not show the Doc it starts from");
	return TL__STR_NULL;
}

static void check_get(check *c, tl_value *doc)
{
	tl_str key = node_text(c->item, "key");
	tl_value *found = tl_doc_get(doc, key);
	tl_value *raw = tl_doc_raw(doc, key);

	/* 0.2.0's get_mut enters Docs only; we have one get. */
	if (tl__str_eq(node_text(c->item, "op"), TL__STR("get_mut")) &&
		node_get(c->item, "result")->kind == NODE_NULL && found) {
		differs(c, "there is one get, and it enters lists");
		return;
	}
	expect_value(c, found, node_get(c->item, "result"), "result");
	if (node_has(c->item, "contains_key"))
		expect(c, (found != NULL) == node_true(c->item, "contains_key"), "contains_key");
	if (node_has(c->item, "is_tombstone") && !has_dot(key))
		expect(c,
			(raw && tl_value_type(raw) == TL_DELETED) ==
				node_true(c->item, "is_tombstone"),
			"is_tombstone");
}

static void check_set(check *c, tl_value *doc, bool strict)
{
	tl_str key = node_text(c->item, "key");
	int code;

	if (key.len == 0 && !strict) {
		/* The plain setter takes a literal empty key. */
		code = tl_doc_put(doc, key, tl_value_int(9));
	} else {
		code = tl_doc_set(doc, key, tl_value_int(9));
		if (component_count(key) == 0) {
			if (!strict)
				differs(c,
					"a path without components is an error, never passed over");
			expect(c, code == TL_E_BAD_PATH, "a path without components");
			code = TL_OK;
		}
	}
	expect(c, code == TL_OK, "set");
	expect_doc(c, doc, node_text(c->item, "after"), "after");
}

static void check_delete(check *c, tl_value *doc)
{
	tl_str key = node_text(c->item, "key");

	if (has_dot(key)) {
		differs(c,
			"deleting by path is tl_doc_delete_at; a dotted key is never passed over");
		return;
	}
	expect(c, tl_doc_delete_at(doc, &key, 1) == TL_OK, "delete");
	expect_doc(c, doc, node_text(c->item, "after"), "after");
}

static void check_clear(check *c, tl_value *doc)
{
	tl_str key;
	tl_value *value;

	for (size_t i = 0; tl_doc_at(doc, i, &key, &value); i++)
		expect(c, tl_doc_put(doc, key, tl_value_deleted()) == TL_OK, "delete");
	expect_doc(c, doc, node_text(c->item, "after"), "after");
}

static void check_export(check *c)
{
	tl_value *doc = parse(c, node_text(c->item, "of"));
	char *text = NULL;
	size_t len = 0;

	if (doc && tl_value_export(doc, &text, &len) == TL_OK) {
		differs(c, "the export is JSON: every character that needs it is escaped");
		expect(c, text_sorted(&c->arena, (tl_str){text, len}).ptr != NULL,
			"export is JSON");
	} else {
		wrong(c, "not exported");
	}
	tl_free(text);
	tl_value_free(doc);
}

void check_doc_op(check *c, const node *section)
{
	tl_str op = node_text(c->item, "op");
	tl_str text = starting_doc(c, section);
	tl_value *doc = text.ptr ? parse(c, text) : NULL;

	if (!doc)
		return;
	if (tl__str_starts(op, TL__STR("get")))
		check_get(c, doc);
	else if (tl__str_starts(op, TL__STR("set 9")))
		check_set(c, doc, false);
	else if (tl__str_starts(op, TL__STR("try_set")))
		check_set(c, doc, true);
	else if (tl__str_eq(op, TL__STR("remove")) || tl__str_eq(op, TL__STR("delete")))
		check_delete(c, doc);
	else if (tl__str_eq(op, TL__STR("clear")))
		check_clear(c, doc);
	else if (tl__str_eq(op, TL__STR("to_json_string")))
		check_export(c);
	else if (tl__str_starts(op, TL__STR("number")))
		differs(c, "an Int is made of a 64-bit integer only; other numbers are refused");
	else if (tl__str_starts(op, TL__STR("set_json")))
		expect(c, text_sorted(&c->arena, node_text(c->item, "after")).ptr != NULL, "JSON");
	else
		wrong(c, "an operation that the checker does not know");
	tl_value_free(doc);
}

/* --- list_ops --------------------------------------------------------------------------------- */

static bool read_fraction(const node *pair, tl_position *out)
{
	memset(out, 0, sizeof *out);
	return pair->count >= 2 && tl__json_i64(pair->children[0].text, &out->numerator) == TL_OK &&
	       tl__json_u64(pair->children[1].text, &out->denominator) == TL_OK;
}

static void expect_item(check *c, const tl_value *list, size_t index, const node *wanted)
{
	tl_position position, expected;
	tl_value *value = NULL;

	expect(c, read_fraction(wanted, &expected), "a fraction");
	if (!tl_list_raw_at(list, index, &position, &value) ||
		position.numerator != expected.numerator ||
		position.denominator != expected.denominator)
		wrong(c, "item %zu stands elsewhere", index);
	else
		expect_value(c, value, &wanted->children[2], "item");
}

/* The list as the vectors write it: [numerator, denominator, value] for each item. */
static void expect_list(check *c, const tl_value *list, const node *wanted)
{
	if (tl_list_raw_len(list) != wanted->count)
		wrong(c, "%zu items, not %zu", tl_list_raw_len(list), wanted->count);
	else
		for (size_t i = 0; i < wanted->count; i++)
			expect_item(c, list, i, &wanted->children[i]);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	return b == 0 ? a : common_divisor(b, a % b);
}

/* The fraction of a new item: strictly between those beside it, in lowest terms. */
static void expect_placed(check *c, const tl_value *list, size_t index)
{
	tl_position here, beside;
	tl_value *value;

	if (!tl_list_raw_at(list, index, &here, &value)) {
		wrong(c, "no item %zu", index);
		return;
	}
	expect(c,
		here.denominator != 0 &&
			common_divisor(here.numerator < 0 ? -(uint64_t)here.numerator
							  : (uint64_t)here.numerator,
				here.denominator) == 1,
		"lowest terms");
	memset(here.uuid, 0, sizeof here.uuid);
	for (size_t side = 0; side < 2; side++) {
		if (!tl_list_raw_at(list, index + 2 * side - 1, &beside, &value))
			continue;
		memset(beside.uuid, 0, sizeof beside.uuid);
		expect(c,
			side == 0 ? tl_position_compare(&beside, &here) < 0
				  : tl_position_compare(&here, &beside) < 0,
			"strictly between its neighbours");
	}
}

/* As recorded, but for the fraction of the new item: any other in its place orders the same. */
static void expect_inserted(check *c, const tl_value *list, const node *wanted, size_t index)
{
	tl_position here, expected;
	tl_value *value;

	if (tl_list_raw_len(list) != wanted->count) {
		wrong(c, "%zu items, not %zu", tl_list_raw_len(list), wanted->count);
		return;
	}
	for (size_t i = 0; i < wanted->count; i++)
		if (i != index)
			expect_item(c, list, i, &wanted->children[i]);
	expect_placed(c, list, index);
	if (tl_list_raw_at(list, index, &here, &value) &&
		read_fraction(&wanted->children[index], &expected)) {
		expect_value(c, value, &wanted->children[index].children[2], "item");
		if (here.numerator != expected.numerator ||
			here.denominator != expected.denominator)
			differs(c, "another fraction in the same place: only order counts");
	}
}

static const node *items_after(const node *item)
{
	const node *after = node_get(item, "after");

	return after->kind == NODE_OBJECT ? node_get(after, "list") : after;
}

/* The starting list of that name is what the operation "none" shows. */
static tl_value *starting_list(check *c, const node *section)
{
	tl_value *list = tl_value_list();
	const node *items = NULL;
	tl_position position;

	for (size_t i = 0; i < section->count; i++)
		if (tl__str_eq(node_text(&section->children[i], "op"), TL__STR("none")) &&
			tl__str_eq(node_text(&section->children[i], "list"),
				node_text(c->item, "list")))
			items = items_after(&section->children[i]);
	for (size_t i = 0; list && items && i < items->count; i++) {
		const node *value = node_get(&items->children[i].children[2], "Int");
		int64_t number = 0;

		expect(c, read_fraction(&items->children[i], &position), "a fraction");
		position.uuid[15] = (uint8_t)(i + 1);
		if (value->kind == NODE_NUMBER)
			expect(c, tl__json_i64(value->text, &number) == TL_OK, "an Int");
		expect(c,
			tl_list_put(list, &position,
				value->kind == NODE_NUMBER ? tl_value_int(number)
							   : tl_value_deleted()) == TL_OK,
			"put");
	}
	return list;
}

static size_t op_index(tl_str op)
{
	return (size_t)(op.ptr[op.len - 1] - '0');
}

static bool has_tombstone(const tl_value *list)
{
	return tl_list_len(list) != tl_list_raw_len(list);
}

/* Where 0.2.0's insert counts items that nobody sees, ours counts visible ones. */
static void check_insert(check *c, tl_value *list, size_t index)
{
	const node *after = node_get(c->item, "after");
	bool good = tl__str_eq(node_text(after, "result"), TL__STR("ok"));
	size_t visible = tl_list_len(list);
	tl_value *value;
	int code = tl_list_insert(list, index, tl_value_int(9));

	if (code == TL_E_POSITION_EXHAUSTED) {
		differs(c, "no fraction is left there: a clear error, never a position that "
			   "wrapped round");
		expect(c, tl_list_len(list) == visible, "the list is as it was");
		return;
	}
	expect(c, (code == TL_OK) == good, "verdict");
	if (code != TL_OK) {
		expect_list(c, list, node_get(after, "list"));
		return;
	}
	if (!has_tombstone(list)) {
		expect_inserted(c, list, node_get(after, "list"), index);
		return;
	}
	differs(c, "insert counts visible items only");
	value = tl_list_get(list, index);
	expect(c, tl_list_len(list) == visible + 1 && value && tl_value_as_int(value) == 9,
		"the item is where it was asked for");
}

/* 0.2.0 can put a pushed item before a negative fraction; ours always comes last. */
static void check_push(check *c, tl_value *list)
{
	const node *wanted = node_get(node_get(c->item, "after"), "list");
	size_t before = tl_list_raw_len(list);
	tl_position position, expected;
	tl_value *value = NULL;
	int code = tl_list_push(list, tl_value_int(9));

	expect(c, code == TL_OK || code == TL_E_POSITION_EXHAUSTED, "push");
	if (code != TL_OK) {
		differs(c,
			"no position is left behind the last: a clear error, never a wrong place");
		return;
	}
	expect(c, tl_list_raw_at(list, before, &position, &value) && tl_value_as_int(value) == 9,
		"the pushed item is the last");
	if (wanted->count == 0 || !read_fraction(&wanted->children[wanted->count - 1], &expected) ||
		!tl__str_eq(node_get(&wanted->children[wanted->count - 1].children[2], "Int")->text,
			TL__STR("9")))
		differs(c, "a pushed item always comes last");
	else if (position.numerator != expected.numerator)
		differs(c, "a pushed item takes the next whole number behind the last");
	else
		expect_list(c, list, wanted);
}

static void expect_between(
	check *c, tl_value *list, const tl_position *left, const tl_position *right, bool equal)
{
	tl_position middle, expected;
	tl_value *value;

	expect(c, tl_list_insert(list, 1, tl_value_int(9)) == TL_OK, "insert between");
	if (!tl_list_raw_at(list, 1, &middle, &value)) {
		wrong(c, "nothing lies between");
		return;
	}
	expect(c, tl_value_as_int(value) == 9 && tl_list_raw_len(list) == 3, "it lies between");
	expect(c, tl_position_compare(left, &middle) < 0 && tl_position_compare(&middle, right) < 0,
		"its position is between");
	if (!equal)
		expect_placed(c, list, 1);
	if (read_fraction(node_get(c->item, "result"), &expected) &&
		(expected.numerator != middle.numerator ||
			expected.denominator != middle.denominator))
		differs(c, "another fraction between the same two: only order counts");
}

static void check_between(check *c)
{
	tl_value *list = tl_value_list();
	tl_position left, right;
	bool equal;

	expect(c,
		read_fraction(node_get(c->item, "left"), &left) &&
			read_fraction(node_get(c->item, "right"), &right),
		"fractions");
	equal = tl_position_compare(&left, &right) == 0;
	right.uuid[0] = equal; /* two items of one fraction are ordered by their ids */
	if (!list || tl_list_put(list, &left, tl_value_int(1)) != TL_OK ||
		tl_list_put(list, &right, tl_value_int(2)) != TL_OK)
		wrong(c, "no list");
	else
		expect_between(c, list, &left, &right, equal);
	tl_value_free(list);
}

/* How often an item fits between two neighbours: at least as often as in 0.2.0. */
static void check_bisections(check *c)
{
	bool alternating = tl__str_starts(node_text(c->item, "op"), TL__STR("bisections, alt"));
	tl_value *list = tl_value_list();
	uint64_t wanted = 0, done = 0;
	size_t index = 1;

	expect(c, tl__json_u64(node_get(c->item, "count")->text, &wanted) == TL_OK, "count");
	expect(c,
		tl_list_push(list, tl_value_int(0)) == TL_OK &&
			tl_list_push(list, tl_value_int(1)) == TL_OK,
		"push");
	while (done < wanted && tl_list_insert(list, index, tl_value_int(9)) == TL_OK) {
		done++;
		if (alternating && done % 2)
			index++;
	}
	if (done < wanted)
		wrong(c, "%llu bisections, not %llu", (unsigned long long)done,
			(unsigned long long)wanted);
	tl_value_free(list);
}

void check_list_op(check *c, const node *section)
{
	tl_str op = node_text(c->item, "op");
	tl_value *list;

	if (tl__str_eq(op, TL__STR("between"))) {
		check_between(c);
		return;
	}
	if (tl__str_starts(op, TL__STR("bisections"))) {
		check_bisections(c);
		return;
	}
	list = starting_list(c, section);
	if (tl__str_starts(op, TL__STR("push")))
		check_push(c, list);
	else if (tl__str_starts(op, TL__STR("insert")))
		check_insert(c, list, op_index(op));
	else if (tl__str_starts(op, TL__STR("set"))) {
		bool there = tl_list_get(list, op_index(op)) != NULL;
		int code = tl_list_set(list, op_index(op), tl_value_int(8));

		expect(c, (code == TL_OK) == there, "set");
		expect_list(c, list, items_after(c->item));
	} else if (tl__str_starts(op, TL__STR("remove"))) {
		bool there = tl_list_get(list, op_index(op)) != NULL;

		expect(c, (tl_list_remove(list, op_index(op)) == TL_OK) == there, "remove");
		expect_list(c, list, items_after(c->item));
	} else {
		expect_list(c, list, items_after(c->item));
	}
	tl_value_free(list);
}
