/* Runs every vector of a file shaped like vectors.json and closes with "N passed, N failed". */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

static int passed, failed, skipped;
static bool told_skipped; /* in this section */
static const char *current;
static const node *vectors;

const node *vector_section(const char *name)
{
	return node_get(vectors, name);
}

void wrong(check *c, const char *format, ...)
{
	va_list args;

	if (!c->failed) {
		tl_str name = node_text(c->item, "name");

		printf("FAILED %s %.*s: ", c->section, TL__STR_ARG(name));
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n");
		if (!name.ptr) {
			tl_str all = node_sorted(&c->arena, c->item);

			printf("    %.*s\n", all.len > 400 ? 400 : (int)all.len, all.ptr);
		}
	}
	c->failed = true;
}

void differs(check *c, const char *reason)
{
	tl_str name = node_text(c->item, "name");

	if (!c->differs)
		printf("differs %s %.*s: %s\n", c->section, TL__STR_ARG(name), reason);
	c->differs = true;
}

void skip(check *c, const char *reason)
{
	if (!told_skipped)
		printf("skipped: %s: %s\n", c->section, reason);
	told_skipped = c->skipped = true;
}

void expect(check *c, bool condition, const char *what)
{
	if (!condition)
		wrong(c, "%s", what);
}

void expect_text(check *c, tl_str got, tl_str wanted, const char *what)
{
	if (!tl__str_eq(got, wanted))
		wrong(c, "%s:\n    got    %.*s\n    wanted %.*s", what, TL__STR_ARG(got),
			TL__STR_ARG(wanted));
}

void expect_json(check *c, tl_str got, tl_str wanted, const char *what)
{
	tl_str a = text_sorted(&c->arena, got), b = text_sorted(&c->arena, wanted);

	if (!a.ptr || !b.ptr)
		wrong(c, "%s: not JSON: %.*s", what, TL__STR_ARG(a.ptr ? wanted : got));
	else
		expect_text(c, a, b, what);
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

tl_str unhex(check *c, tl_str hex)
{
	char *out = tl__arena_alloc(&c->arena, hex.len / 2 + 1, 1);

	for (size_t i = 0; out && i + 1 < hex.len; i += 2)
		out[i / 2] = (char)(digit(hex.ptr[i]) << 4 | digit(hex.ptr[i + 1]));
	return (tl_str){out, hex.len / 2};
}

tl_str bytes_of(check *c, const char *name)
{
	tl_str text = node_text(c->item, name);
	char hex[80];

	if (text.ptr)
		return text;
	snprintf(hex, sizeof hex, "%s_hex", name);
	text = node_text(c->item, hex);
	return text.ptr ? unhex(c, text) : text;
}

static void run(case_function function, const node *item, const node *section)
{
	check c = {.section = current, .item = item};

	function(&c, section);
	c.failed ? failed++ : c.skipped ? skipped++ : passed++;
	tl__arena_free(&c.arena);
}

static void run_list(case_function function, const node *section)
{
	for (size_t i = 0; i < section->count; i++)
		run(function, &section->children[i], section);
}

static const struct {
	const char *name;
	case_function function;
} sections[] = {
	{"entries", check_entry},
	{"entry_reader", check_entry_reader},
	{"signature_checks", check_signature},
	{"key_strings", check_key_string},
	{"id_strings", check_id_string},
	{"handshake", check_handshake},
	{"auth_checks", check_auth},
	{"merges", check_merge},
	{"folds", check_fold},
	{"doc_reader", check_doc_reader},
	{"doc_ops", check_doc_op},
	{"list_ops", check_list_op},
	{"wire", check_wire},
	{"sync_records", check_sync_record},
	{"client_verdicts", check_client_verdict},
	{"dag", check_dag},
	{"linear", check_linear},
	{"v1_requests", check_v1_request},
	{"v1_responses", check_v1_response},
	{"v1_refused", check_v1_refused},
	{"v1_unsigned", check_v1_unsigned},
	{"v1_tips", check_v1_tips},
	{"v1_shares", check_v1_share},
	{"v1_bad_shares", check_v1_bad_share},
};

static bool run_section(const node *section)
{
	int before = passed + failed + skipped;

	told_skipped = false;
	if (tl__str_eq(section->name, TL__STR("permissions"))) {
		check_permissions(section, run);
	} else if (tl__str_eq(section->name, TL__STR("wire_keys"))) {
		check_wire_keys(section, run);
	} else {
		size_t i = 0;

		while (i < sizeof sections / sizeof *sections &&
			!tl__str_eq(section->name, tl__str_z(sections[i].name)))
			i++;
		if (i == sizeof sections / sizeof *sections)
			return false;
		run_list(sections[i].function, section);
	}
	printf("%.*s: %d\n", TL__STR_ARG(section->name), passed + failed + skipped - before);
	return true;
}

static tl_str read_file(tl__arena *arena, const char *path)
{
	FILE *file = fopen(path, "rb");
	long size = -1;
	char *text = NULL;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size >= 0 && fseek(file, 0, SEEK_SET) == 0)
		text = tl__arena_alloc(arena, (size_t)size + 1, 1);
	if (!text || fread(text, 1, (size_t)size, file) != (size_t)size) {
		fprintf(stderr, "check: %s cannot be read\n", path);
		exit(2);
	}
	fclose(file);
	return (tl_str){text, (size_t)size};
}

int main(int argc, char **argv)
{
	tl__arena arena = TL__ARENA_INIT;
	node *all;

	if (argc != 2) {
		fprintf(stderr, "usage: check FILE\n");
		return 2;
	}
	all = node_parse(&arena, read_file(&arena, argv[1]));
	vectors = all;
	for (size_t i = 0; i < all->count; i++) {
		char name[64];

		if (all->children[i].kind == NODE_STRING)
			continue;
		snprintf(name, sizeof name, "%.*s", TL__STR_ARG(all->children[i].name));
		current = name;
		if (!run_section(&all->children[i])) {
			printf("NOT CHECKED %s: no part of this version reads it\n", name);
			failed++;
		}
	}
	tl__arena_free(&arena);
	printf("%d passed, %d failed", passed, failed);
	if (skipped > 0)
		printf(", %d skipped", skipped);
	printf("\n");
	return failed > 0 || passed == 0;
}
