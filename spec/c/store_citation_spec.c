/* What entries hand on of citations, on disk: files of the version before learn it, damage to it is
 * told. */
#include <sqlite3.h>
#include "citation_help.h"

static int append_cited(void *ud, const tl_id *id)
{
	tl__buf_append(ud, id, sizeof *id);
	return TL_OK;
}

static int note_number(void *ud, const tl__entry_row *row)
{
	*(uint64_t *)ud = row->cited;
	return TL_OK;
}

/* What all entries of `main` hand on, as bytes. */
static bool dump(world *w, tl__buf *out)
{
	const history *h = &u.of[SELF];
	const tl_id *db = tl_entry_id(h->at[0].entry);
	tl__snapshot *s = NULL;
	bool done = tl__snapshot_open(w->store, &s) == TL_OK;

	for (size_t i = 0; done && i < h->count; i++) {
		uint64_t number = 0;

		tl__buf_format(out, "%zu:", i);
		done = tl__read_entries(s, db, tl_entry_id(h->at[i].entry), 1, TL__WITH_CITED,
			       note_number, &number) == TL_OK &&
		       (number == 0 ||
			       tl__read_frontier(s, db, number, append_cited, out) == TL_OK);
	}
	tl__snapshot_close(s);
	return done && tl__buf_status(out) == TL_OK;
}

static void count_finding(void *ud, tl_str sentence)
{
	printf("%.*s\n", (int)sentence.len, sentence.ptr);
	++*(int *)ud;
}

static bool change_file(const world *w, const char *sql)
{
	char path[200];
	sqlite3 *raw = NULL;
	bool done;

	snprintf(path, sizeof path, "%s/tidelock.db", w->folder);
	done = sqlite3_open(path, &raw) == SQLITE_OK &&
	       sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK;
	return sqlite3_close(raw) == SQLITE_OK && done;
}

static bool reopen(world *w, const char *sql)
{
	tl__tree_free(&w->tree);
	tl__store_close(w->store);
	w->store = NULL;
	return change_file(w, sql) &&
	       tl__store_open_sqlite(&w->store, w->folder, TL__DURABLE_RELAXED, NULL) == TL_OK &&
	       tl__tree_init(&w->tree, w->store, w->pool, &tl__system_clock,
		       tl__random_seeded(&w->seeded, 1), NULL) == TL_OK;
}

/* A file of a version that did not note citations yet. */
static void older_files_learn_them(void)
{
	for (uint64_t seed = 4; seed <= 12; seed += 4) {
		tl__buf before = TL__BUF_INIT, after = TL__BUF_INIT;
		int findings = 0;
		world w;

		worlds_on_disk = true;
		REQUIRE(universe_make(seed) && world_open(&w));
		worlds_on_disk = false;
		CHECK(feed_all(&w, 30) && dump(&w, &before));
		REQUIRE(reopen(&w, "DROP TABLE cited; PRAGMA user_version = 3"));
		CHECK(dump(&w, &after) && rows_are_right(&w));
		CHECK(before.len > 20000 && before.len == after.len &&
			memcmp(before.ptr, after.ptr, before.len) == 0);
		CHECK_OK(tl__store_check(w.store, count_finding, NULL, &findings));
		CHECK(findings == 0);
		tl__buf_free(&before);
		tl__buf_free(&after);
		world_close(&w);
		universe_free();
	}
}

/* It opens all the same, or nobody could look at the rest of it. */
static void a_damaged_entry_of_an_older_file_is_told(void)
{
	world w;
	int findings = 0;

	worlds_on_disk = true;
	REQUIRE(universe_make(4) && world_open(&w));
	worlds_on_disk = false;
	CHECK(feed_all(&w, 30));
	REQUIRE(reopen(&w,
		"DROP TABLE cited; PRAGMA user_version = 3; UPDATE entry SET bytes = "
		"CAST(replace(CAST(bytes AS TEXT), '\"tips\":[', '\"tips\":[[') AS BLOB) "
		"WHERE n = (SELECT min(n) FROM entry WHERE "
		"instr(CAST(bytes AS TEXT), '\"tips\":['))"));
	CHECK(!rows_are_right(&w));
	CHECK_OK(tl__store_check(w.store, count_finding, NULL, &findings));
	CHECK(findings > 0);
	world_close(&w);
	universe_free();
}

static void damage_is_told(void)
{
	world w;
	tl__buf all = TL__BUF_INIT;
	int findings = 0;

	worlds_on_disk = true;
	REQUIRE(universe_make(4) && world_open(&w));
	worlds_on_disk = false;
	CHECK(feed_all(&w, 30) && rows_are_right(&w));
	REQUIRE(reopen(&w, "DELETE FROM cited WHERE n = (SELECT min(n) FROM cited)"));
	CHECK(!rows_are_right(&w));
	REQUIRE(reopen(&w, "UPDATE cited SET frontier = frontier + 1 WHERE n = (SELECT max(n) "
			   "FROM cited)"));
	CHECK(!dump(&w, &all) && tl_error_code(tl_last_error()) == TL_E_STORE_DAMAGED);
	CHECK_OK(tl__store_check(w.store, count_finding, NULL, &findings));
	CHECK(findings > 0);
	tl__buf_free(&all);
	world_close(&w);
	universe_free();
}

int main(void)
{
	RUN(older_files_learn_them);
	RUN(a_damaged_entry_of_an_older_file_is_told);
	RUN(damage_is_told);
	return spec_end();
}
