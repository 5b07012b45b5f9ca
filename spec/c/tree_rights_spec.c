/* Rights that are kept: always those of the present, found by key without a look at each database,
 * and bounded. */
#include "tree/trust/rights.h"
#include "work/work.h"
#include "tree_help.h"

static tl_key public_of(const char *name)
{
	tl_secret secret;
	tl_key key = {{0}};

	CHECK_OK(secret_of(NULL, z(name), &secret));
	tl_secret_public(&secret, &key);
	return key;
}

/* Changes the settings by a commit of its admin. */
static void set_key(tl_database *db, const char *name, const char *key, tl_key_status status)
{
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = NULL;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_set_auth_key(
		settings, z(name), z(key_of(key)), (tl_permission){TL_READ, 0}, status));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
}

static void set_open(tl_database *db, tl_key_status status)
{
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = NULL;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_set_global(settings, (tl_permission){TL_READ, 0}, status));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
}

static tl__rights *now(tl_database *db)
{
	tl__rights *rights = NULL;

	CHECK_OK(tl__rights_now(&w.tree, tl_database_root_id(db), &rights));
	return rights;
}

static bool reads(tl_database *db, const char *name)
{
	const tl_key key = public_of(name);
	tl__rights *rights = now(db);
	bool found = rights && tl__rights_of_key(rights, &key) != NULL;

	tl__rights_release(rights);
	return found;
}

static void rights_are_those_of_the_present(void)
{
	tl_database *db = new_database("admin");
	tl__rights *first, *second;
	tl_id none = {{'s'}};

	CHECK(reads(db, "admin") && !reads(db, "reader"));
	set_key(db, "r", "reader", TL_KEY_ACTIVE);
	CHECK(reads(db, "reader"));
	first = now(db);
	write_text(db, "data", "a", "b"); /* says nothing of rights */
	second = now(db);
	CHECK(first && first == second);
	tl__rights_release(first);
	tl__rights_release(second);
	set_key(db, "r", "reader", TL_KEY_REVOKED);
	CHECK(!reads(db, "reader"));
	CHECK_OK(tl__rights_now(&w.tree, &none, &first));
	CHECK(!first);
	tl_database_free(db);
}

/* What was computed from before a change is not kept behind it. */
static void nothing_outdated_is_kept(void)
{
	tl_database *db = new_database("admin");
	const tl_id *id = tl_database_root_id(db);
	tl__rights *old = NULL;
	uint64_t generation;

	CHECK(!tl__rights_kept(w.tree.rights, id, &generation));
	CHECK_OK(tl__rights_compute(&w.tree, id, &old));
	set_key(db, "r", "reader", TL_KEY_ACTIVE);
	CHECK_OK(tl__rights_keep(w.tree.rights, id, generation, old));
	CHECK(reads(db, "reader"));
	tl__rights_release(old);
	tl_database_free(db);
}

/* --- list ------------------------------------------------------------------------------------- */

/* So many are listed, page by page. */
static size_t count_listed(const char *name, const tl_id *named, size_t max)
{
	const tl_key key = public_of(name);
	tl_id after = {{0}};
	size_t count = 0;
	bool more = true;

	for (bool first = true; more; first = false) {
		tl__work *work;

		CHECK_OK(tl__work_new(&work, TL__WORK_LIST, NULL));
		if (!work)
			return 0;
		work->list.keys = &key;
		work->list.key_count = 1;
		work->list.related = named;
		work->list.related_count = named ? 1 : 0;
		work->list.has_after = !first;
		work->list.after = after;
		work->list.max = max;
		tl__work_run(&w.host, work);
		CHECK_OK(work->code);
		CHECK(work->list.db_count <= max && (work->list.db_count > 0 || !work->list.more));
		for (size_t i = 0; i < work->list.db_count; i++) {
			CHECK(memcmp(&after, &work->list.dbs[i].id, sizeof after) < 0);
			CHECK(work->list.dbs[i].arrivals > 0 && work->list.dbs[i].tip_count == 1);
			after = work->list.dbs[i].id;
		}
		count += work->list.db_count;
		more = work->list.more && work->code == TL_OK;
		tl__work_free(work);
	}
	return count;
}

enum { DATABASES = 3 * TL__RIGHTS_SLICE + 1 };

static void a_list_follows_the_settings(void)
{
	tl_database *dbs[DATABASES];

	for (size_t i = 0; i < DATABASES; i++)
		dbs[i] = new_database("admin");
	CHECK(count_listed("admin", NULL, 5) == DATABASES);
	CHECK(count_listed("reader", NULL, 5) == 0);
	CHECK(count_listed("reader", tl_database_root_id(dbs[7]), 5) == 1);
	for (size_t i = 0; i < 4; i++)
		set_key(dbs[i], "r", "reader", TL_KEY_ACTIVE);
	set_key(dbs[5], TL__DEVICE_KEY_NAME, "reader", TL_KEY_ACTIVE); /* gives nothing */
	CHECK(count_listed("reader", NULL, 2) == 4);
	set_open(dbs[2], TL_KEY_ACTIVE);
	set_open(dbs[9], TL_KEY_ACTIVE);
	CHECK(count_listed("reader", tl_database_root_id(dbs[9]), 2) == 5);
	CHECK(count_listed("nobody", NULL, 1) == 2);
	set_open(dbs[9], TL_KEY_REVOKED);
	set_key(dbs[0], "r", "reader", TL_KEY_REVOKED);
	CHECK(count_listed("reader", NULL, 100) == 3);
	for (size_t i = 0; i < DATABASES; i++)
		tl_database_free(dbs[i]);
}

/* A process that begins finds what the store holds. */
static void a_list_begins_with_what_is_held(void)
{
	tl_database *dbs[DATABASES];

	for (size_t i = 0; i < DATABASES; i++)
		dbs[i] = new_database("admin");
	tl__rights_cache_free(w.tree.rights);
	REQUIRE(tl__rights_cache_new(&w.tree.rights) == TL_OK);
	CHECK(count_listed("admin", NULL, 1000) == DATABASES);
	for (size_t i = 0; i < DATABASES; i++)
		tl_database_free(dbs[i]);
}

/* --- watches ---------------------------------------------------------------------------------- */

/* Others have their turn while the rights of many databases are looked up. */
static void a_watch_looks_up_some_rights_in_a_slice(void)
{
	const tl_key key = public_of("admin");
	tl__work_watched lines[DATABASES];
	tl_database *dbs[DATABASES];
	size_t slices = 1;
	tl__work *work = NULL;

	memset(lines, 0, sizeof lines);
	for (size_t i = 0; i < DATABASES; i++) {
		dbs[i] = new_database("admin");
		lines[i] = (tl__work_watched){
			.db = *tl_database_root_id(dbs[i]), .keys = &key, .key_count = 1};
	}
	REQUIRE(tl__work_new(&work, TL__WORK_WATCH, NULL) == TL_OK);
	work->watch.lines = lines;
	work->watch.count = DATABASES;
	work->watch.paged = SIZE_MAX;
	work->watch.page.max_bytes = 1024 * 1024;
	work->watch.page.max_entries = 100;
	while (tl__work_slice(&w.host, work))
		slices++;
	CHECK_OK(work->code);
	CHECK(slices > DATABASES / TL__RIGHTS_SLICE);
	CHECK(work->watch.paged == 0 && work->watch.page.count == 1);
	for (size_t i = 0; i < DATABASES; i++)
		CHECK(lines[i].rights.held && lines[i].rights.keys[0].active && lines[i].valid);
	tl__work_free(work);
	for (size_t i = 0; i < DATABASES; i++)
		tl_database_free(dbs[i]);
}

/* --- bound ------------------------------------------------------------------------------------ */

/* Rights that are said to take so much; nobody holds them beside the cache. */
static void keep_large(const tl_id *db, size_t bytes)
{
	tl__rights *rights = NULL;
	uint64_t generation;

	CHECK_OK(tl__rights_compute(&w.tree, db, &rights));
	REQUIRE(rights);
	rights->bytes = bytes;
	CHECK(!tl__rights_kept(w.tree.rights, db, &generation));
	CHECK_OK(tl__rights_keep(w.tree.rights, db, generation, rights));
	tl__rights_release(rights);
}

static bool is_kept(tl_database *db)
{
	uint64_t generation;
	tl__rights *rights = tl__rights_kept(w.tree.rights, tl_database_root_id(db), &generation);

	tl__rights_release(rights);
	return rights != NULL;
}

static void what_is_kept_is_bounded(void)
{
	tl_database *dbs[3];
	tl_key admin = public_of("admin");

	for (size_t i = 0; i < 3; i++)
		dbs[i] = new_database("admin");
	set_open(dbs[1], TL_KEY_ACTIVE);
	keep_large(tl_database_root_id(dbs[0]), TL__RIGHTS_MAX_BYTES);
	keep_large(tl_database_root_id(dbs[1]), 1);
	CHECK(is_kept(dbs[0]) && is_kept(dbs[1]));
	keep_large(tl_database_root_id(dbs[2]), 1);
	CHECK(is_kept(dbs[0]) && !is_kept(dbs[1]) && is_kept(dbs[2]));
	/* Room again: what is asked for is kept. */
	set_key(dbs[0], "r", "reader", TL_KEY_ACTIVE);
	CHECK(!is_kept(dbs[0]) && reads(dbs[1], "admin") && is_kept(dbs[1]) && is_kept(dbs[2]));
	CHECK(tl__rights_name_key(&w.tree, &admin));
	for (size_t i = 0; i < 3; i++)
		tl_database_free(dbs[i]);
}

int main(void)
{
	RUN_EACH(rights_are_those_of_the_present);
	RUN_EACH(nothing_outdated_is_kept);
	RUN_EACH(a_list_follows_the_settings);
	RUN_EACH(a_list_begins_with_what_is_held);
	RUN_EACH(a_watch_looks_up_some_rights_in_a_slice);
	RUN_EACH(what_is_kept_is_bounded);
	return spec_end();
}
