/* The public store: a backend by itself. Entries come from a node in the same data directory. */
#include <tidelock/tidelock.h>
#include "check.h"
#include "scratch.h"

#define STR(text) ((tl_str){(text), sizeof(text) - 1})

static char folder[SCRATCH_PATH];

static int open_store(tl_store **out, const char *path)
{
	tl_store_config config = TL_STORE_CONFIG_INIT;

	config.path = path;
	config.relaxed = true;
	config.log_level = TL_LOG_OFF;
	return tl_store_open(out, &config);
}

/* --- local documents -------------------------------------------------------------------------- */

typedef struct seen {
	size_t count;
	char text[512];
	int answer; /* of the visitor */
} seen;

static int see_local(void *ud, tl_str key, tl_str value)
{
	seen *s = ud;
	size_t at = strlen(s->text);

	s->count++;
	snprintf(s->text + at, sizeof s->text - at, "%.*s=%.*s;", (int)key.len, key.ptr,
		(int)value.len, value.ptr);
	return s->answer;
}

static void check_locals(const char *path)
{
	tl_store *store;
	seen all = {0}, one = {.answer = TL_STOP}, failed = {.answer = TL_E_CONFLICT};
	char *value = NULL;
	size_t len = 0;

	REQUIRE(open_store(&store, path) == TL_OK);
	CHECK_CODE(tl_store_local_get(store, STR("a"), &value, &len), TL_E_NOT_FOUND);
	CHECK(!value);
	CHECK_OK(tl_store_local_put(store, STR("a/2"), STR("two")));
	CHECK_OK(tl_store_local_put(store, STR("a/1"), STR("one")));
	CHECK_OK(tl_store_local_put(store, STR("b"), STR("")));
	CHECK_OK(tl_store_local_put(store, STR("a/1"), STR("uno")));
	CHECK_OK(tl_store_local_get(store, STR("a/1"), &value, &len));
	CHECK(len == 3 && value && memcmp(value, "uno", 3) == 0);
	tl_free(value);
	CHECK_OK(tl_store_locals(store, STR("a/"), see_local, &all));
	CHECK(strcmp(all.text, "a/1=uno;a/2=two;") == 0);
	CHECK_OK(tl_store_locals(store, STR(""), see_local, &one));
	CHECK(one.count == 1);
	CHECK_CODE(tl_store_locals(store, STR(""), see_local, &failed), TL_E_CONFLICT);
	CHECK_OK(tl_store_local_remove(store, STR("a/1")));
	CHECK_OK(tl_store_local_remove(store, STR("a/1")));
	CHECK_CODE(tl_store_local_get(store, STR("a/1"), &value, &len), TL_E_NOT_FOUND);
	tl_store_close(store);
}

static void local_documents_in_memory(void)
{
	check_locals(NULL);
}

static void local_documents_in_a_file(void)
{
	tl_store *store;
	char *value = NULL;
	size_t len = 7;

	scratch_make(folder);
	check_locals(folder);
	REQUIRE(open_store(&store, folder) == TL_OK);
	CHECK_OK(tl_store_local_get(store, STR("b"), &value, &len));
	CHECK(value && len == 0);
	tl_free(value);
	tl_store_close(store);
	scratch_remove(folder);
}

static void a_local_document_has_a_largest_size(void)
{
	static char big[TL_STORE_MAX_LOCAL_BYTES + 1];
	tl_store *store;

	REQUIRE(open_store(&store, NULL) == TL_OK);
	CHECK_OK(tl_store_local_put(store, STR("k"), (tl_str){big, sizeof big - 1}));
	CHECK_CODE(tl_store_local_put(store, STR("k"), (tl_str){big, sizeof big}), TL_E_TOO_LARGE);
	tl_store_close(store);
}

/* --- what a node left ------------------------------------------------------------------------- */

static tl_id root;

static int write_one(tl_database *db, const char *text)
{
	tl_transaction *tx = NULL;
	tl_doc_store *doc = NULL;
	tl_id id;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, STR("data"), &doc);
	if (rc == TL_OK)
		rc = tl_doc_store_set_string(doc, STR("outer.key"), (tl_str){text, 3});
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, &id);
	tl_doc_store_free(doc);
	tl_transaction_free(tx);
	return rc;
}

/* A database of three entries: the root and two writes. */
static int make_history(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	char key[TL_KEY_TEXT_LEN + 1];
	tl_node *node = NULL;
	tl_database *db = NULL;
	int rc;

	config.path = folder;
	config.without_sync = true;
	config.durability = TL_DURABILITY_RELAXED;
	rc = tl_node_open(&node, &config);
	if (rc == TL_OK)
		rc = tl_node_add_private_key(node, "me", NULL, key);
	if (rc == TL_OK)
		rc = tl_node_new_database(node, NULL, "me", &db);
	if (rc == TL_OK)
		rc = write_one(db, "one");
	if (rc == TL_OK)
		rc = write_one(db, "two");
	if (rc == TL_OK)
		root = *tl_database_root_id(db);
	tl_database_free(db);
	tl_node_close(node);
	return rc;
}

typedef struct entries {
	size_t count;
	tl_store_entry last;
	uint64_t arrivals[8];
	int answer;
} entries;

static int see_entry(void *ud, const tl_store_entry *entry)
{
	entries *e = ud;
	tl_id id;

	tl_id_of(&id, entry->bytes.ptr, entry->bytes.len);
	CHECK(memcmp(id.b, entry->id.b, TL_ID_BYTES) == 0);
	if (e->count < 8)
		e->arrivals[e->count] = entry->arrival;
	e->count++;
	e->last = *entry;
	return e->answer;
}

static int see_database(void *ud, const tl_store_database *database)
{
	size_t *count = ud;

	if (memcmp(database->id.b, root.b, TL_ID_BYTES) == 0) {
		CHECK(database->arrivals == 3 && database->void_count == 0);
		CHECK(database->pending == 0 && database->quarantined == 0);
	}
	++*count;
	return TL_OK;
}

static int see_id(void *ud, const tl_id *id)
{
	*(tl_id *)ud = *id;
	return TL_OK;
}

static int see_name(void *ud, tl_str name)
{
	seen *s = ud;
	size_t at = strlen(s->text);

	snprintf(s->text + at, sizeof s->text - at, "%.*s;", (int)name.len, name.ptr);
	return TL_OK;
}

static int see_row(void *ud, const tl_store_state_row *row)
{
	seen *s = ud;
	size_t at = strlen(s->text);

	for (size_t i = 0; i < row->part_count; i++)
		at += (size_t)snprintf(s->text + at, sizeof s->text - at, "/%.*s",
			(int)row->parts[i].key.len, row->parts[i].key.ptr);
	snprintf(s->text + at, sizeof s->text - at, "=%d:%.*s;", (int)row->kind,
		(int)row->value.len, row->value.ptr);
	s->count++;
	return TL_OK;
}

static void see_finding(void *ud, tl_str sentence)
{
	printf("%.*s\n", (int)sentence.len, sentence.ptr);
	++*(size_t *)ud;
}

static void check_entries(tl_store *store)
{
	entries all = {0}, some = {0}, first = {.answer = TL_STOP}, by_id = {0}, none = {0};
	const tl_id unknown = {{'s', 1}};
	tl_id ids[2] = {root, unknown}, tip = {{0}};

	CHECK_OK(tl_store_arrivals(store, &root, 1, UINT64_MAX, SIZE_MAX, see_entry, &all));
	CHECK(all.count == 3 && all.arrivals[0] == 1 && all.arrivals[2] == 3);
	CHECK(all.last.height == 2 && all.last.verdict == TL_STORE_VERIFIED);
	CHECK_OK(tl_store_arrivals(store, &root, 2, 3, 1, see_entry, &some));
	CHECK(some.count == 1 && some.arrivals[0] == 2 && some.last.parent_count == 1);
	CHECK_OK(tl_store_arrivals(store, &root, 1, 3, 10, see_entry, &first));
	CHECK(first.count == 1);
	CHECK_OK(tl_store_entries(store, &root, ids, 2, see_entry, &by_id));
	CHECK(by_id.count == 1 && by_id.arrivals[0] == 1 && by_id.last.parent_count == 0);
	CHECK_OK(tl_store_arrivals(store, &unknown, 1, 9, 9, see_entry, &none));
	CHECK(none.count == 0);
	CHECK_OK(tl_store_tips(store, &root, STR(""), see_id, &tip));
	CHECK(memcmp(tip.b, all.last.id.b, TL_ID_BYTES) == 0);
	CHECK_OK(tl_store_tips(store, &root, STR("data"), see_id, &tip));
	CHECK(memcmp(tip.b, all.last.id.b, TL_ID_BYTES) == 0);
}

static void check_databases(tl_store *store)
{
	const tl_id unknown = {{'s', 1}};
	tl_store_database found = TL_STORE_DATABASE_INIT;
	size_t databases = 0;
	entries none = {0};

	CHECK_OK(tl_store_databases(store, see_database, &databases));
	CHECK(databases >= 1);
	CHECK_OK(tl_store_find(store, &root, &found));
	CHECK(found.arrivals == 3 && found.chain[0] + found.chain[1] + found.chain[2] > 0);
	CHECK_CODE(tl_store_find(store, &unknown, &found), TL_E_DATABASE_NOT_FOUND);
	CHECK_OK(tl_store_aside(store, &root, TL_STORE_PENDING, see_entry, &none));
	CHECK(none.count == 0);
	CHECK_CODE(
		tl_store_aside(store, &root, TL_STORE_VOID, see_entry, &none), TL_E_BAD_ARGUMENT);
}

static void check_state(tl_store *store)
{
	const tl_store_part outer = {.key = STR("outer")}, odd = {.item = true};
	seen names = {0}, rows = {0}, below = {0}, nothing = {0};
	const tl_store_part other = {.key = STR("out")};

	CHECK_OK(tl_store_names(store, &root, see_name, &names));
	CHECK(strstr(names.text, "data;"));
	CHECK_OK(tl_store_state(store, &root, STR("data"), NULL, 0, see_row, &rows));
	CHECK(strcmp(rows.text, "/outer=0:;/outer/key=2:{\"Text\":\"two\"};") == 0 ||
		strcmp(rows.text, "/outer=0:;/outer/key=2:\"two\";") == 0);
	CHECK_OK(tl_store_state(store, &root, STR("data"), &outer, 1, see_row, &below));
	CHECK(strcmp(below.text, rows.text) == 0);
	if (!spec_case_ok)
		printf("%s\n", rows.text);
	CHECK_OK(tl_store_state(store, &root, STR("data"), &other, 1, see_row, &nothing));
	CHECK(nothing.count == 0);
	CHECK_CODE(tl_store_state(store, &root, STR("data"), &odd, 1, see_row, &nothing),
		TL_E_BAD_PATH);
}

static void what_a_node_wrote(void)
{
	tl_store *store = NULL, *again = NULL;
	char copy[SCRATCH_PATH + 16];
	size_t findings = 0;

	scratch_make(folder);
	REQUIRE(make_history() == TL_OK);
	REQUIRE(open_store(&store, folder) == TL_OK);
	CHECK_CODE(open_store(&again, folder), TL_E_ALREADY_OPEN);
	CHECK(!again);
	check_databases(store);
	check_entries(store);
	check_state(store);
	CHECK_OK(tl_store_check(store, see_finding, NULL, &findings));
	CHECK(findings == 0);
	snprintf(copy, sizeof copy, "%s/copy.db", folder);
	CHECK_OK(tl_store_backup(store, copy));
	CHECK_CODE(tl_store_backup(store, copy), TL_E_ALREADY_EXISTS);
	tl_store_close(store);
	scratch_remove(folder);
}

static void an_open_node_lends_its_store(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;
	tl_store *store = NULL, *other = NULL;
	char *value = NULL;
	size_t len = 0, databases = 0;

	config.without_sync = true;
	REQUIRE(tl_node_open(&node, &config) == TL_OK);
	CHECK_OK(tl_node_store(node, &store));
	CHECK_OK(tl_node_store(node, &other));
	tl_store_close(other);
	tl_node_close(node);
	REQUIRE(store);
	CHECK_OK(tl_store_local_get(store, STR("node/incarnation"), &value, &len));
	tl_free(value);
	CHECK_OK(tl_store_databases(store, see_database, &databases));
	CHECK_CODE(tl_store_local_put(store, STR("a"), STR("b")), TL_E_STORE_READ_ONLY);
	CHECK_CODE(tl_store_local_remove(store, STR("a")), TL_E_STORE_READ_ONLY);
	tl_store_close(store);
}

static void opening_says_what_is_wrong(void)
{
	tl_store_config config = {0};
	tl_store *store = NULL;

	CHECK_CODE(tl_store_open(&store, &config), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_store_open(&store, NULL), TL_E_BAD_ARGUMENT);
	REQUIRE(open_store(&store, NULL) == TL_OK);
	CHECK_CODE(tl_store_backup(store, "/tmp/never"), TL_E_UNSUPPORTED);
	tl_store_close(store);
	tl_store_close(NULL);
	CHECK(strcmp(tl_store_verdict_name(TL_STORE_PENDING), "pending") == 0);
	CHECK(strcmp(tl_store_verdict_name((tl_store_verdict)9), "unknown") == 0);
}

int main(void)
{
	RUN(local_documents_in_memory);
	RUN(local_documents_in_a_file);
	RUN(a_local_document_has_a_largest_size);
	RUN(what_a_node_wrote);
	RUN(an_open_node_lends_its_store);
	RUN(opening_says_what_is_wrong);
	return spec_end();
}
