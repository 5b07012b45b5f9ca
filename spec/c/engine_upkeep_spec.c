/* Upkeep: dead state rows go in the background, in small slices, and nobody sees a difference. */
#include <fcntl.h>
#include <unistd.h>
#include "check.h"
#include "engine/parts/node_impl.h"
#include "engine/parts/upkeep.h"
#include "model/doc_path.h"
#include "site_help.h"
#include "verify_help.h"

enum { ROWS = 3000, SLICES_MAX = 1000 };

/* --- rows ------------------------------------------------------------------------------------- */

static int count_row(void *ud, const tl__state_row *row)
{
	(void)row;
	++*(size_t *)ud;
	return TL_OK;
}

static size_t rows_of(tl_node *node, const tl_id *db)
{
	tl__snapshot *s = NULL;
	size_t count = 0;

	CHECK_OK(tl__snapshot_open(node->store, &s));
	CHECK_OK(tl__read_state_range(
		s, db, TL__STR("data"), TL__STR(""), TL__STR(""), SIZE_MAX, count_row, &count));
	tl__snapshot_close(s);
	return count;
}

/* A Doc of `count` keys at "box", beside "kept". */
static int fill_box(tl_database *db, size_t count)
{
	tl_value *box = tl_value_doc();
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	char key[20];
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, TL__STR("data"), &store);
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		snprintf(key, sizeof key, "key%zu", i);
		rc = tl_doc_put(box, tl__str_z(key), tl_value_int((int64_t)i));
	}
	if (rc == TL_OK)
		rc = tl_doc_store_set_node(store, TL__STR("box"), box);
	else
		tl_value_free(box);
	if (rc == TL_OK)
		rc = tl_doc_store_set_string(store, TL__STR("kept"), TL__STR("here"));
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
	return rc;
}

static uint64_t findings_of(tl_node *node, const tl_id *id)
{
	tl_database *db = NULL;
	uint64_t findings = UINT64_MAX;

	CHECK_OK(tl_node_load_database(node, id, &db));
	if (db)
		CHECK_OK(find_all(db, NULL, &findings));
	tl_database_free(db);
	return findings;
}

/* --- an engine at work ------------------------------------------------------------------------ */

/* A database of which nearly all rows are dead. */
static bool make_dead_rows(const char *dir, const char *text, tl_id *id)
{
	tl_node *node = open_offline(dir);
	tl_database *db = node ? make_db(node, "dead") : NULL;
	bool good = db && fill_box(db, ROWS) == TL_OK && put(db, "box", text) == TL_OK;

	if (good) {
		*id = *tl_database_root_id(db);
		good = rows_of(node, id) > ROWS; /* without an engine nobody takes them out */
	}
	tl_database_free(db);
	tl_node_close(node);
	return good;
}

static void an_engine_takes_dead_rows_out(void)
{
	char dir[SCRATCH_PATH];
	tl_database *db = NULL;
	tl_node *node;
	tl_id id;

	scratch_make(dir);
	REQUIRE(make_dead_rows(dir, "replaced", &id));
	node = open_node(dir, NULL);
	REQUIRE(node != NULL);
	db = writer(node, &id, "k");
	REQUIRE(db != NULL);
	CHECK(WAIT_FOR((put(db, "during", "it") == TL_OK) && rows_of(node, &id) < 10));
	CHECK(reads(db, "box", "replaced") && reads(db, "kept", "here"));
	CHECK(reads(db, "during", "it"));
	CHECK(findings_of(node, &id) == 0);
	tl_database_free(db);
	tl_node_close_within(node, 0);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	CHECK(holds(node, &id, "box", "replaced") && holds(node, &id, "kept", "here"));
	CHECK(findings_of(node, &id) == 0);
	tl_node_close(node);
	scratch_remove(dir);
}

/* --- slice by slice --------------------------------------------------------------------------- */

/* A clock that moves by 1 ms whenever it is asked. */
static uint64_t ticks;

static uint64_t tick(void *ud)
{
	(void)ud;
	return ++ticks;
}

static const tl__clock ticking = {.monotonic_ms = tick};

/* Slices until the round is through; how many. */
static size_t run_round(tl__upkeep *upkeep, uint64_t *most)
{
	uint64_t before = upkeep->dropped;
	size_t slices = 1;

	for (*most = 0; slices < SLICES_MAX && tl__upkeep_slice(upkeep); slices++) {
		if (upkeep->dropped - before > *most)
			*most = upkeep->dropped - before;
		before = upkeep->dropped;
	}
	return slices;
}

static void a_slice_is_small_and_a_round_ends(void)
{
	tl_node *node = open_offline(NULL);
	tl_database *one, *two;
	tl__upkeep upkeep;
	tl__tree tree;
	uint64_t most, dropped;

	REQUIRE(node != NULL);
	one = make_db(node, "one");
	two = make_db(node, "two");
	REQUIRE(one && two);
	CHECK_OK(fill_box(one, ROWS));
	CHECK_OK(fill_box(two, ROWS));
	CHECK_OK(put(one, "box", "replaced"));
	tree = node->tree;
	tree.clock = &ticking;
	tl__upkeep_init(&upkeep, &tree);
	CHECK(run_round(&upkeep, &most) > ROWS / TL__UPKEEP_ROWS / TL__UPKEEP_SLICE_MS);
	CHECK(most > 0 && most <= (TL__UPKEEP_ROWS + 2) * TL__UPKEEP_SLICE_MS);
	CHECK(upkeep.dropped == ROWS);         /* what was in the Doc; not its own row */
	CHECK(run_round(&upkeep, &most) == 1); /* nothing changed: nothing is read again */
	CHECK_OK(put(two, "box", "replaced"));
	(void)run_round(&upkeep, &most);
	CHECK(upkeep.dropped == 2 * ROWS);
	CHECK(rows_of(node, tl_database_root_id(one)) == 3);
	CHECK(rows_of(node, tl_database_root_id(two)) == 3);
	CHECK(reads(two, "box", "replaced") && reads(two, "kept", "here"));
	CHECK_OK(put(two, "box", "again"));
	dropped = upkeep.dropped;
	(void)run_round(&upkeep, &most);
	CHECK(upkeep.dropped == dropped); /* a leaf over a leaf leaves nothing dead */
	CHECK(findings_of(node, tl_database_root_id(one)) == 0);
	CHECK(findings_of(node, tl_database_root_id(two)) == 0);
	tl__upkeep_free(&upkeep);
	tl_database_free(one);
	tl_database_free(two);
	tl_node_close(node);
}

/* 0.2.0 takes any text for a name. */
static void a_store_without_a_name_has_its_turn(void)
{
	tl_node *node = open_offline(NULL);
	tl_database *db;
	tl__upkeep upkeep;
	tl__tree tree;
	tl__snapshot *s = NULL;
	tl__buf box = TL__BUF_INIT, key = TL__BUF_INIT;
	size_t rows = 0;
	uint64_t most;

	REQUIRE(node != NULL);
	db = make_db(node, "one");
	REQUIRE(db != NULL);
	tl__path_key(&box, TL__STR("box"));
	tl__path_key(&key, TL__STR("box"));
	tl__path_key(&key, TL__STR("key"));
	tl__raise raises[] = {
		{TL__STR(""), tl__buf_view(&box), TL__STAMP_DOC, {1, {{1}}}, TL__STR("")},
		{TL__STR(""), tl__buf_view(&key), TL__STAMP_LEAF, {1, {{1}}}, TL__STR("1")},
		{TL__STR(""), tl__buf_view(&box), TL__STAMP_LEAF, {2, {{2}}}, TL__STR("2")},
	};
	tl__batch batch = {.db = *tl_database_root_id(db), .raises = raises, .raise_count = 3};
	CHECK_OK(tl__store_write(node->store, &batch));
	tree = node->tree;
	tree.clock = &ticking;
	tl__upkeep_init(&upkeep, &tree);
	(void)run_round(&upkeep, &most);
	CHECK(upkeep.dropped == 1);
	CHECK_OK(tl__snapshot_open(node->store, &s));
	CHECK_OK(tl__read_state_range(s, tl_database_root_id(db), TL__STR(""), TL__STR(""),
		TL__STR(""), SIZE_MAX, count_row, &rows));
	CHECK(rows == 2);
	tl__snapshot_close(s);
	tl__upkeep_free(&upkeep);
	tl__buf_free(&box);
	tl__buf_free(&key);
	tl_database_free(db);
	tl_node_close(node);
}

static void rests_are_longer_than_slices(void)
{
	CHECK(tl__upkeep_rest(0) == TL__UPKEEP_REST_MIN_MS);
	CHECK(tl__upkeep_rest(3) == 3 * TL__UPKEEP_REST_FACTOR);
	CHECK(tl__upkeep_rest(1000) == TL__UPKEEP_REST_MAX_MS);
	CHECK(tl__upkeep_rest(UINT64_MAX) == TL__UPKEEP_REST_MAX_MS);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* Changes this text where it is the value of a row: in an entry its quotes are escaped. */
static void spoil_row(const char *dir, const char *text)
{
	char path[SCRATCH_PATH + 20], quoted[64];
	size_t changed = 0;
	char *bytes, *at;
	struct stat info;
	int fd;

	snprintf(path, sizeof path, "%s/tidelock.db", dir);
	snprintf(quoted, sizeof quoted, "\"%s\"", text);
	fd = open(path, O_RDWR | O_CLOEXEC);
	REQUIRE(fd >= 0 && fstat(fd, &info) == 0);
	bytes = malloc((size_t)info.st_size);
	CHECK(bytes && pread(fd, bytes, (size_t)info.st_size, 0) == info.st_size);
	for (at = bytes; bytes; at++) {
		at = memmem(at, (size_t)(bytes + info.st_size - at), quoted, strlen(quoted));
		if (!at)
			break;
		changed++;
		CHECK(pwrite(fd, "X", 1, at + 1 - bytes) == 1);
	}
	CHECK(changed == 1);
	free(bytes);
	close(fd);
}

static void count_warning(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)part;
	if (level >= TL_LOG_WARNING && strstr(text, "upkeep"))
		++*(int *)ud;
}

/* Damage in one database stops nothing: it is told once, and the others are looked after. */
static void damage_is_told_and_passed_over(void)
{
	char dir[SCRATCH_PATH];
	tl__upkeep upkeep;
	tl__tree tree;
	tl_node *node;
	tl_id bad, good;
	uint64_t most;
	int warnings = 0;
	const tl__log log = {count_warning, &warnings, TL_LOG_INFO, NULL};

	scratch_make(dir);
	REQUIRE(make_dead_rows(dir, "spoilt", &bad) && make_dead_rows(dir, "good", &good));
	spoil_row(dir, "spoilt");
	node = open_offline(dir);
	REQUIRE(node != NULL);
	tree = node->tree;
	tree.log = &log;
	tl__upkeep_init(&upkeep, &tree);
	for (int i = 0; i < 5; i++)
		(void)run_round(&upkeep, &most);
	CHECK(warnings == 1);
	CHECK(rows_of(node, &good) == 3);
	CHECK(run_round(&upkeep, &most) == 1);
	tl__upkeep_free(&upkeep);
	tl_node_close(node);
	scratch_remove(dir);
}

int main(void)
{
	RUN(an_engine_takes_dead_rows_out);
	RUN(a_slice_is_small_and_a_round_ends);
	RUN(a_store_without_a_name_has_its_turn);
	RUN(rests_are_longer_than_slices);
	RUN(damage_is_told_and_passed_over);
	return spec_end();
}
