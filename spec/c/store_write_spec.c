/* Store contract, writing: atomic batches, arrival numbers and their chain, tips, skips, errors,
 * many writers. Each case runs on every backend. */
#include <pthread.h>
#include "store_help.h"

enum { DB = 1000000, OTHER = 2000000 };

static void arrivals_have_no_gaps_and_a_chain(void)
{
	uint8_t chain[32] = {0};
	tl__db_row row;
	tl__snapshot *s;
	tl_id db = id_number(DB);

	CHECK_OK(write_chain(DB, 1, 50, "notes"));
	CHECK_OK(write_chain(OTHER, 101, 7, NULL));
	for (unsigned i = 0; i < 50; i++) {
		uint8_t both[32 + TL_ID_BYTES];
		tl_id id = id_number(1 + i);

		memcpy(both, chain, 32);
		memcpy(both + 32, id.b, TL_ID_BYTES);
		tl_sha256(both, sizeof both, chain);
	}
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_database(s, &db, &row));
	CHECK(row.arrivals == 50 && memcmp(row.chain, chain, 32) == 0 && row.void_count == 0);
	CHECK_OK(tl__read_arrivals(s, &db, 1, 50, 100, TL__WITH_BYTES, see_entry, fresh()));
	CHECK(seen.count == 50);
	for (unsigned i = 0; i < 50; i++) {
		tl_id id = id_number(1 + i);

		CHECK(seen.numbers[i] == i + 1 && same_id(&seen.ids[i], &id));
		CHECK(strcmp(seen.texts[i], entry_number(1 + i)->text) == 0);
	}
	tl__snapshot_close(s);
}

static void known_entries_are_skipped(void)
{
	tl_id parent = id_number(2);
	spec_entry memory[2];
	tl__put_entry entries[2];
	tl__batch batch = {.db = id_number(DB), .entries = entries, .entry_count = 2};

	CHECK_OK(write_chain(DB, 1, 2, NULL));
	entries[0] = put_number(2, &memory[0], 9, NULL, 0);
	entries[0].arrival = 77;
	entries[1] = put_number(3, &memory[1], 2, &parent, 1);
	CHECK_OK(tl__store_write(store, &batch));
	CHECK(entries[0].arrival == 0 && entries[1].arrival == 3 && arrivals_of(DB) == 3);
	CHECK_OK(tl__store_write(store, &batch));
	CHECK(entries[0].arrival == 0 && entries[1].arrival == 0 && arrivals_of(DB) == 3);
	CHECK_OK(collect_tips(DB, NULL));
	CHECK(seen.count == 1 && same_id(&seen.ids[0], &entries[1].id));
}

static void the_newest_arrival_is_at_hand_once_it_is_written(void)
{
	tl_id db = id_number(DB), other = id_number(OTHER), stranger = id_number(98);
	spec_entry memory;
	tl__put_entry entry = put_number(9, &memory, 2, &stranger, 1);
	tl__batch batch = {.db = db, .entries = &entry, .entry_count = 1};

	CHECK(tl__store_newest(store, &db) == 0);
	CHECK_OK(write_chain(DB, 1, 3, NULL));
	CHECK_OK(write_chain(OTHER, 101, 5, NULL));
	CHECK(tl__store_newest(store, &db) == 3 && tl__store_newest(store, &other) == 5);
	/* neither a batch that fails nor one that brings nothing new moves it */
	CHECK(tl__store_write(store, &batch) == TL_E_BAD_ARGUMENT);
	CHECK_OK(write_chain(DB, 1, 3, NULL));
	CHECK(tl__store_newest(store, &db) == 3);
	CHECK_OK(write_entry(DB, 4, 3, NULL, 0, NULL));
	CHECK(tl__store_newest(store, &db) == arrivals_of(DB) && arrivals_of(DB) == 4);
}

static void tips_follow_parents_in_database_and_store(void)
{
	tl_id root = id_number(1), left = id_number(2), right = id_number(3), none = id_number(99);
	tl_id both[2] = {left, right};
	spec_entry memory;
	tl__put_entry entry;
	tl__put_store in = {TL__STR("b"), 1, &none, 0, false};
	tl__batch batch = {.db = id_number(DB), .entries = &entry, .entry_count = 1};

	CHECK_OK(write_entry(DB, 1, 0, NULL, 0, "a"));
	CHECK_OK(write_entry(DB, 2, 1, &root, 1, "a"));
	CHECK_OK(write_entry(DB, 3, 1, &root, 1, "a"));
	CHECK_OK(collect_tips(DB, NULL));
	CHECK(seen.count == 2 && memcmp(&seen.ids[0], &seen.ids[1], TL_ID_BYTES) < 0);
	entry = put_number(4, &memory, 2, both, 2);
	entry.stores = &in;
	entry.store_count = 1;
	CHECK_OK(tl__store_write(store, &batch));
	CHECK_OK(collect_tips(DB, NULL));
	CHECK(seen.count == 1 && same_id(&seen.ids[0], &entry.id));
	CHECK_OK(collect_tips(DB, "a")); /* it does not carry that store */
	CHECK(seen.count == 2);
	CHECK_OK(collect_tips(DB, "b"));
	CHECK(seen.count == 1 && same_id(&seen.ids[0], &entry.id));
	CHECK_OK(collect_tips(DB, "c"));
	CHECK(seen.count == 0);
	CHECK_OK(collect_tips(OTHER, NULL));
	CHECK(seen.count == 0);
}

/* Else whoever may write could hide an entry from the database's tips, and what it says with it. */
static void a_store_without_a_name_is_not_the_database(void)
{
	tl_id root = id_number(1), left = id_number(2), right = id_number(3);
	spec_entry memory;
	tl__put_entry entry;
	tl__put_store in = {TL__STR(""), 0, &right, 1, false};
	tl__batch batch = {.db = id_number(DB), .entries = &entry, .entry_count = 1};

	CHECK_OK(write_entry(DB, 1, 0, NULL, 0, "a"));
	CHECK_OK(write_entry(DB, 2, 1, &root, 1, "a"));
	CHECK_OK(write_entry(DB, 3, 1, &root, 1, "a"));
	entry = put_number(4, &memory, 2, &left, 1);
	entry.stores = &in;
	entry.store_count = 1;
	CHECK_OK(tl__store_write(store, &batch));
	CHECK_OK(collect_tips(DB, NULL));
	CHECK(seen.count == 2);
	for (size_t i = 0; i < seen.count; i++)
		CHECK(same_id(&seen.ids[i], &right) || same_id(&seen.ids[i], &entry.id));
	CHECK_OK(collect_tips(DB, TL__STORE_NAMELESS));
	CHECK(seen.count == 1 && same_id(&seen.ids[0], &entry.id));
}

static void void_entries_are_counted(void)
{
	spec_entry memory;
	tl__put_entry entry = put_number(1, &memory, 0, NULL, 0);
	tl__batch batch = {.db = id_number(DB), .entries = &entry, .entry_count = 1};
	tl__db_row row;
	tl__snapshot *s;

	entry.verdict = TL__VOID;
	CHECK_OK(tl__store_write(store, &batch));
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_database(s, &batch.db, &row));
	CHECK(row.void_count == 1 && row.void_bytes == entry.bytes.len);
	tl__snapshot_close(s);
}

/* The second entry has a parent that is nowhere: nothing of the batch stays, not even its local. */
static void a_batch_is_whole_or_nothing(void)
{
	tl_id nowhere = id_number(500);
	spec_entry memory[2];
	tl__put_entry entries[2] = {
		put_number(2, &memory[0], 1, NULL, 0), put_number(3, &memory[1], 1, &nowhere, 1)};
	tl__raise raise = {
		TL__STR("notes"), TL__STR("k"), TL__STAMP_LEAF, {1, nowhere}, TL__STR("1")};
	tl__put_local local = {TL__STR("cursor"), TL__STR("2")};
	tl__batch batch = {.db = id_number(DB),
		.entries = entries,
		.entry_count = 2,
		.raises = &raise,
		.raise_count = 1,
		.locals = &local,
		.local_count = 1};
	char *value;
	size_t len;

	CHECK_OK(write_entry(DB, 1, 0, NULL, 0, NULL));
	CHECK_CODE(tl__store_write(store, &batch), TL_E_BAD_ARGUMENT);
	CHECK(batch.result == TL_E_BAD_ARGUMENT);
	CHECK(tl_error_code(tl_last_error()) == TL_E_BAD_ARGUMENT);
	CHECK(entries[0].arrival == 0 && arrivals_of(DB) == 1);
	CHECK_CODE(tl__read_local(store, TL__STR("cursor"), &value, &len), TL_E_NOT_FOUND);
	CHECK_OK(collect_tips(DB, NULL));
	CHECK(seen.count == 1);
	batch.entry_count = 1;
	CHECK_OK(tl__store_write(store, &batch));
	CHECK(entries[0].arrival == 2);
}

static void senseless_batches_are_refused(void)
{
	static char big[TL__STORE_MAX_LOCAL_BYTES + 1];
	spec_entry memory;
	tl__put_entry entry = put_number(1, &memory, 0, NULL, 0);
	tl__put_local local = {TL__STR("big"), {big, sizeof big}};
	tl__raise raise = {TL__STR("a"), TL__STR(""), TL__STAMP_DOC, {0, entry.id}, TL__STR("")};
	tl__put_aside aside = {.id = entry.id, .verdict = TL__VERIFIED};
	tl__batch no_db = {.entries = &entry, .entry_count = 1};
	tl__batch large = {.locals = &local, .local_count = 1};
	tl__batch pathless = {.db = entry.id, .raises = &raise, .raise_count = 1};
	tl__batch set_aside = {.db = entry.id, .asides = &aside, .aside_count = 1};

	CHECK_CODE(tl__store_write(store, &no_db), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__store_write(store, &large), TL_E_TOO_LARGE);
	CHECK_CODE(tl__store_write(store, &pathless), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__store_write(store, &set_aside), TL_E_BAD_ARGUMENT);
	no_db.db = entry.id;
	entry.verdict = TL__PENDING;
	CHECK_CODE(tl__store_write(store, &no_db), TL_E_BAD_ARGUMENT);
	entry.verdict = TL__VERIFIED;
	entry.height = (uint64_t)INT64_MAX + 1;
	CHECK_CODE(tl__store_write(store, &no_db), TL_E_BAD_ARGUMENT);
	entry.height--;
	CHECK_OK(tl__store_write(store, &no_db));
	local.value.len--;
	CHECK_OK(tl__store_write(store, &large));
}

static void locals_and_keys(void)
{
	tl__put_local local[3] = {{TL__STR("a/1"), TL__STR("one")}, {TL__STR("a/2"), TL__STR("")},
		{TL__STR("b/1"), TL__STR("x")}};
	tl__put_key key[2] = {{TL__STR("device"), TL__STR("\0seed")}, {TL__STR("k"), TL__STR("2")}};
	tl__batch batch = {.locals = local, .local_count = 3, .keys = key, .key_count = 2};
	char *value;
	size_t len;

	CHECK_OK(tl__store_write(store, &batch));
	CHECK_OK(tl__read_local(store, TL__STR("a/1"), &value, &len));
	CHECK(len == 3 && memcmp(value, "one", 4) == 0);
	tl__free(value);
	CHECK_OK(tl__read_local(store, TL__STR("a/2"), &value, &len));
	CHECK(len == 0 && value);
	tl__free(value);
	CHECK_OK(tl__read_locals(store, TL__STR("a/"), see_local, fresh()));
	CHECK(seen.count == 2 && strcmp(seen.texts[1], "a/2") == 0);
	CHECK_OK(tl__read_key(store, TL__STR("device"), &value, &len));
	CHECK(len == 5 && memcmp(value, "\0seed", 5) == 0);
	tl__free(value);
	CHECK_OK(tl__read_key_names(store, see_name, fresh()));
	CHECK(seen.count == 2 && strcmp(seen.texts[0], "device") == 0);
	local[0].value = TL__STR_NULL;
	local[2].value = TL__STR("y");
	key[1].value = TL__STR_NULL;
	CHECK_OK(tl__store_write(store, &batch));
	CHECK_CODE(tl__read_local(store, TL__STR("a/1"), &value, &len), TL_E_NOT_FOUND);
	CHECK_CODE(tl__read_key(store, TL__STR("k"), &value, &len), TL_E_KEY_NOT_FOUND);
	CHECK_OK(tl__read_local(store, TL__STR("b/1"), &value, &len));
	CHECK(len == 1 && value[0] == 'y');
	tl__free(value);
}

/* Each allocation in turn fails once: the batch does nothing and says so, or is whole. */
static void no_allocation_failure_harms_a_batch(void)
{
	bool fired = true;

	CHECK_OK(write_chain(DB, 1, 40, "notes"));
	for (unsigned n = 1; fired && n < 500; n++) {
		tl_id parent = id_number(40), waits = id_number(7777);
		spec_entry memory[2];
		tl__put_entry entries[2] = {put_number(1000 + n, &memory[0], 40, &parent, 1),
			put_number(3000 + n, &memory[1], 41, &memory[0].id, 1)};
		tl__put_store in = {TL__STR("notes"), 40, &parent, 1, false};
		tl__raise raise = {TL__STR("other"), TL__STR("k"), TL__STAMP_LEAF,
			{n, entries[0].id}, TL__STR("1")};
		tl__put_aside aside = {.id = id_number(9000 + n),
			.bytes = TL__STR("x"),
			.verdict = TL__PENDING,
			.sender = TL__STR("a"),
			.waits_for = &waits,
			.waits_count = 1};
		tl__put_local local = {TL__STR("a"), TL__STR("1")};
		tl__batch batch = {.db = id_number(DB),
			.entries = entries,
			.entry_count = 2,
			.raises = &raise,
			.raise_count = 1,
			.asides = &aside,
			.aside_count = 1,
			.locals = &local,
			.local_count = 1};
		uint64_t before = arrivals_of(DB);
		int rc;

		entries[0].stores = &in;
		entries[0].store_count = 1;
		tl__alloc_fail_at(n);
		rc = tl__store_write(store, &batch);
		fired = tl__alloc_fail_at(0);
		CHECK(rc == TL_OK || (fired && rc == TL_E_NOMEM));
		CHECK(arrivals_of(DB) == before + (rc == TL_OK ? 2 : 0));
		CHECK((entries[1].arrival > 0) == (rc == TL_OK));
		CHECK_OK(tl__store_write(store, &batch));
		CHECK(arrivals_of(DB) == before + 2);
	}
	CHECK(!fired);
}

/* --- many threads ----------------------------------------------------------------------------- */

enum { WRITERS = 8, EACH = 60 };

typedef struct writer {
	pthread_t thread;
	unsigned number;
	unsigned failed, refused;
} writer;

/* Every tenth batch is a bad one; its error must reach this thread and nobody else. */
static void *write_many(void *ud)
{
	writer *w = ud;

	for (unsigned i = 0; i < EACH; i++) {
		unsigned n = 10000 * (w->number + 1) + i;
		tl_id parent = id_number(i % 10 == 9 ? 999999 : n - 1);
		spec_entry memory;
		tl__put_entry entry = put_number(n, &memory, i, &parent, i > 0);
		tl__batch batch = {.db = id_number(DB),
			.entries = &entry,
			.entry_count = 1,
			.local_commit = w->number % 2 == 0};
		int rc;

		if (i % 10 == 0)
			entry.parent_count = 0;
		rc = tl__store_write(store, &batch);
		if (i % 10 == 9)
			w->refused +=
				rc == TL_E_BAD_ARGUMENT && tl_error_code(tl_last_error()) == rc;
		else
			w->failed += rc != TL_OK || entry.arrival == 0;
	}
	return NULL;
}

static int see_gap(void *ud, const tl__entry_row *row)
{
	uint64_t *expected = ud;

	return row->arrival == ++*expected ? TL_OK : TL_E_INTERNAL;
}

static void many_threads_write_at_once(void)
{
	writer writers[WRITERS];
	tl__snapshot *s;
	tl_id db = id_number(DB);
	uint64_t expected = 0;

	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (writer){.number = i};
		REQUIRE(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]) == 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		CHECK(writers[i].failed == 0 && writers[i].refused == EACH / 10);
	}
	CHECK(arrivals_of(DB) == WRITERS * EACH * 9 / 10);
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_arrivals(s, &db, 1, UINT64_MAX, SIZE_MAX, 0, see_gap, &expected));
	CHECK(expected == WRITERS * EACH * 9 / 10);
	tl__snapshot_close(s);
}

int main(void)
{
	RUN_EACH(arrivals_have_no_gaps_and_a_chain);
	RUN_EACH(known_entries_are_skipped);
	RUN_EACH(the_newest_arrival_is_at_hand_once_it_is_written);
	RUN_EACH(tips_follow_parents_in_database_and_store);
	RUN_EACH(a_store_without_a_name_is_not_the_database);
	RUN_EACH(void_entries_are_counted);
	RUN_EACH(a_batch_is_whole_or_nothing);
	RUN_EACH(senseless_batches_are_refused);
	RUN_EACH(locals_and_keys);
	RUN_EACH(no_allocation_failure_harms_a_batch);
	RUN_EACH(many_threads_write_at_once);
	return spec_end();
}
