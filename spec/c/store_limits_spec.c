/* Bounds of the SQLite store's numbers: databases, arrivals, and the names that a connection keeps
 * in mind. */
#include "store/sqlite/sqlite.h"
#include "store_help.h"

enum { DB = 1000000 };

#define RUN_SQLITE(function)                                                                       \
	do {                                                                                       \
		if (!begin_case())                                                                 \
			return 1;                                                                  \
		RUN(function);                                                                     \
		end_case();                                                                        \
	} while (0)

/* Changes the file behind the store's back, while it is closed. */
static bool change_file(const char *sql)
{
	char path[300];
	sqlite3 *file = NULL;
	bool good;

	snprintf(path, sizeof path, "%s/" TL__SQ_FILE, spec_folder);
	good = sqlite3_open(path, &file) == SQLITE_OK &&
	       sqlite3_exec(file, sql, NULL, NULL, NULL) == SQLITE_OK;
	if (!good)
		printf("sqlite: %s\n", sqlite3_errmsg(file));
	sqlite3_close(file);
	return good;
}

static bool open_again(void)
{
	return tl__store_open_sqlite(&store, spec_folder, TL__DURABLE_RELAXED, NULL) == TL_OK;
}

/* Four million databases would take minutes: the last but two numbers are skipped. */
static void databases_have_a_largest_number(void)
{
	char sql[200];

	CHECK_OK(write_chain(DB, 1, 2, "n"));
	tl__store_close(store);
	store = NULL;
	snprintf(sql, sizeof sql,
		"INSERT INTO database(k, id, voids, void_bytes, asides, sum) "
		"VALUES (%d, x'00', 0, 0, 0, 0)",
		TL__SQ_MAX_DATABASES - 2);
	REQUIRE(change_file(sql) && open_again());
	CHECK_OK(write_chain(DB + 1, 10, 2, "n")); /* the last one */
	CHECK_CODE(write_entry(DB + 2, 20, 0, NULL, 0, "n"), TL_E_TOO_LARGE);
	CHECK(arrivals_of(DB + 2) == 0);
	/* Those that are there go on. */
	CHECK_OK(write_chain(DB, 3, 2, "n"));
	CHECK_OK(write_chain(DB + 1, 12, 2, "n"));
	CHECK(arrivals_of(DB) == 4 && arrivals_of(DB + 1) == 4);
	tl__store_close(store);
	store = NULL;
	REQUIRE(open_again());
	CHECK(arrivals_of(DB) == 4 && arrivals_of(DB + 1) == 4 && arrivals_of(DB + 2) == 0);
}

static size_t arrivals_between(unsigned db, uint64_t from, uint64_t to)
{
	tl_id id = id_number(db);
	tl__snapshot *s;

	CHECK_OK(tl__snapshot_open(store, &s));
	CHECK_OK(tl__read_arrivals(s, &id, from, to, 100, 0, see_entry, fresh()));
	tl__snapshot_close(s);
	return seen.count;
}

/* A trillion entries cannot be written here; but a number over the largest never means an entry of
 * the next database, whose numbers follow in the same table. */
static void arrivals_stay_in_their_database(void)
{
	CHECK_OK(write_chain(DB, 1, 3, NULL));
	CHECK_OK(write_chain(DB + 1, 10, 5, NULL));
	CHECK(arrivals_between(DB, 1, UINT64_MAX) == 3);
	CHECK(arrivals_between(DB, TL__SQ_MAX_ARRIVAL, UINT64_MAX) == 0);
	CHECK(arrivals_between(DB, TL__SQ_MAX_ARRIVAL + 1, UINT64_MAX) == 0);
	CHECK(arrivals_between(DB, TL__SQ_MAX_ARRIVAL + 2, UINT64_MAX) == 0);
	CHECK(arrivals_between(DB, UINT64_MAX, UINT64_MAX) == 0);
	CHECK(arrivals_between(DB + 1, 1, UINT64_MAX) == 5);
}

/* Beyond that many names all are forgotten, and found again. */
static void names_are_found_beyond_what_is_kept_in_mind(void)
{
	enum { EACH = 100, NAMES = (TL__SQ_MAX_INTERNED / EACH + 2) * EACH };
	static char names[EACH][24];
	static tl__put_store stores[EACH];
	char name[24];

	for (unsigned i = 0; i < NAMES / EACH; i++) {
		tl_id parent = id_number(i);
		spec_entry memory;
		tl__put_entry entry = put_number(i + 1, &memory, i, &parent, i > 0);
		tl__batch batch = {.db = id_number(DB), .entries = &entry, .entry_count = 1};

		for (unsigned k = 0; k < EACH; k++) {
			snprintf(names[k], sizeof names[k], "name %05u", i * EACH + k);
			stores[k] = (tl__put_store){.name = tl__str_z(names[k])};
		}
		entry.stores = stores;
		entry.store_count = EACH;
		REQUIRE(tl__store_write(store, &batch) == TL_OK);
	}
	for (unsigned i = 0; i < NAMES; i++) {
		tl_id expected = id_number(i / EACH + 1);

		snprintf(name, sizeof name, "name %05u", i);
		CHECK_OK(collect_tips(DB, name));
		CHECK(seen.count == 1 && same_id(&seen.ids[0], &expected));
	}
}

int main(void)
{
	backend = &backends[1];
	RUN_SQLITE(databases_have_a_largest_number);
	RUN_SQLITE(arrivals_stay_in_their_database);
	RUN_SQLITE(names_are_found_beyond_what_is_kept_in_mind);
	return spec_end();
}
