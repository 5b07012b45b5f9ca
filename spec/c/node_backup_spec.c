/* What leaves a node and comes back: exports of a database, backups of all. */
#include "base/str.h"
#include "check.h"
#include "engine/parts/node_impl.h"
#include "node_help.h"
#include "scratch.h"
#include "verify_help.h"

typedef struct text {
	char *ptr;
	size_t len, at, cap;
	size_t step; /* bytes a read gives at most */
} text;

static void append(text *t, tl_str more)
{
	if (t->len + more.len + 1 > t->cap) {
		t->cap = (t->len + more.len + 1) * 2;
		t->ptr = realloc(t->ptr, t->cap);
		if (!t->ptr)
			abort();
	}
	memcpy(t->ptr + t->len, more.ptr, more.len);
	t->len += more.len;
}

static int export_line(void *ud, uint64_t arrival, tl_str bytes)
{
	(void)arrival;
	append(ud, bytes);
	append(ud, TL__STR("\n"));
	return TL_OK;
}

static ptrdiff_t read_text(void *ud, void *out, size_t cap)
{
	text *t = ud;
	size_t n = t->len - t->at;

	n = n < cap ? n : cap;
	n = n < t->step ? n : t->step;
	memcpy(out, t->ptr + t->at, n);
	t->at += n;
	return (ptrdiff_t)n;
}

static ptrdiff_t read_failing(void *ud, void *out, size_t cap)
{
	(void)ud;
	(void)out;
	(void)cap;
	return -1;
}

enum { ENTRIES = 1200 }; /* more than one page */

static void a_database_is_exported_and_imported(void)
{
	tl_node *a = open_offline(NULL), *b = open_offline(NULL);
	text lines = {.step = 777};
	tl_database *db, *copy = NULL;
	uint64_t entered = 0, findings = 1;
	char key[16];
	tl_id root;

	REQUIRE(a != NULL && b != NULL);
	db = make_db(a, "big");
	REQUIRE(db != NULL);
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(key, sizeof key, "k%d", i);
		REQUIRE(put(db, key, "value") == TL_OK);
	}
	CHECK_OK(tl_database_export(db, export_line, &lines));
	CHECK_OK(tl_node_import(b, read_text, &lines, &root, &entered));
	CHECK(entered == ENTRIES + 1);
	CHECK(memcmp(&root, tl_database_root_id(db), sizeof root) == 0);
	REQUIRE(tl_node_load_database(b, &root, &copy) == TL_OK);
	CHECK(reads(copy, "k1199", "value"));
	CHECK_OK(find_all(copy, NULL, &findings));
	CHECK(findings == 0);
	lines.at = 0;
	lines.len--; /* the last line end is missing */
	CHECK_OK(tl_node_import(b, read_text, &lines, &root, &entered));
	CHECK(entered == 0);
	free(lines.ptr);
	tl_database_free(copy);
	tl_database_free(db);
	tl_node_close(a);
	tl_node_close(b);
}

static int import_text(tl_node *node, tl_str content)
{
	text lines = {.ptr = (char *)(uintptr_t)content.ptr, .len = content.len, .step = SIZE_MAX};

	return tl_node_import(node, read_text, &lines, NULL, NULL);
}

static void what_is_no_database_is_not_imported(void)
{
	tl_node *node = open_offline(NULL);
	tl_id root;
	size_t huge = TL_ENTRY_MAX_BYTES + 100000;
	char *line;

	REQUIRE(node != NULL);
	CHECK_CODE(import_text(node, TL__STR("")), TL_E_BAD_ENTRY);
	CHECK_CODE(import_text(node, TL__STR("\n\n")), TL_E_BAD_ENTRY);
	CHECK_CODE(import_text(node, TL__STR("nonsense\n")), TL_E_BAD_JSON);
	CHECK_CODE(tl_node_import(node, read_failing, NULL, &root, NULL), TL_E_IO);
	line = malloc(huge);
	REQUIRE(line != NULL);
	memset(line, 'x', huge);
	CHECK_CODE(import_text(node, (tl_str){line, huge}), TL_E_TOO_LARGE);
	free(line);
	tl_node_close(node);
}

static void a_backup_opens_as_a_node_with_another_incarnation(void)
{
	char dir[SCRATCH_PATH], copy[SCRATCH_PATH], file[SCRATCH_PATH + 20];
	uint8_t first[TL__INCARNATION_BYTES], second[TL__INCARNATION_BYTES];
	tl_node *node;
	tl_database *db;

	scratch_make(dir);
	scratch_make(copy);
	snprintf(file, sizeof file, "%s/tidelock.db", copy);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	memcpy(first, node->incarnation, sizeof first);
	db = make_db(node, "kept");
	REQUIRE(db != NULL);
	CHECK_OK(put(db, "x", "saved"));
	CHECK_OK(tl_node_backup(node, file));
	CHECK_OK(put(db, "x", "later"));
	tl_database_free(db);
	tl_node_close(node);
	node = open_offline(copy);
	REQUIRE(node != NULL);
	REQUIRE(tl_node_find_database(node, "kept", &db) == TL_OK);
	CHECK(reads(db, "x", "saved"));
	tl_database_free(db);
	CHECK(memcmp(first, node->incarnation, sizeof first) != 0);
	memcpy(second, node->incarnation, sizeof second);
	tl_node_close(node);
	node = open_offline(copy);
	REQUIRE(node != NULL);
	CHECK(memcmp(second, node->incarnation, sizeof second) == 0);
	tl_node_close(node);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	CHECK(memcmp(first, node->incarnation, sizeof first) == 0);
	tl_node_close(node);
	scratch_remove(copy);
	scratch_remove(dir);
}

int main(void)
{
	RUN(a_database_is_exported_and_imported);
	RUN(what_is_no_database_is_not_imported);
	RUN(a_backup_opens_as_a_node_with_another_incarnation);
	return spec_end();
}
