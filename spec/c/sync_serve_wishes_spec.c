/* Bounds of requests for access: 10 a key, 1,000 in all, 30 days; strangers displace strangers. */
#include "sync_access_help.h"

#define DAY ((uint64_t)24 * HOUR)

static void a_key_may_have_ten_requests(void)
{
	outcome o;
	char name[16], hint[TL__SYNC_ERROR_TEXT];

	with_notes(NULL);
	for (int i = 0; i < TL__SERVE_MAX_KEY_REQUESTS; i++) {
		snprintf(name, sizeof name, "name%d", i);
		o = ask_for(&notes, "anyone", name, writing, "anyone");
		CHECK(o.result == TL__V1_ACCESS_PENDING);
	}
	o = ask_for(&notes, "anyone", "one more", writing, "anyone");
	CHECK(o.result == TL__V1_ACCESS_REFUSED && strcmp(o.code, "busy") == 0);
	o = ask_for(&notes, "anyone", "name3", writing, "anyone"); /* known: no new one */
	CHECK(o.result == TL__V1_ACCESS_PENDING);
	o = ask_for(&notes, "someone", "laptop", writing, "someone");
	CHECK(o.result == TL__V1_ACCESS_PENDING);
	/* It is remembered over a restart. */
	tl__sim_run(sim, 1000);
	restart(bob);
	tl__sim_run(sim, 100);
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_MAX_KEY_REQUESTS + 1);
	o = ask_for(&notes, "anyone", "one more", writing, "anyone");
	CHECK(o.result == TL__V1_ACCESS_REFUSED && strcmp(o.code, "busy") == 0);
	/* One that was decided makes room. */
	o = ask_for(&notes, "anyone", "name3", writing, "anyone");
	tl__serve_decided(core_of(bob), z(o.id), false, hint);
	CHECK(hint[0] == '\0');
	o = ask_for(&notes, "anyone", "one more", writing, "anyone");
	CHECK(o.result == TL__V1_ACCESS_PENDING);
}

/* A wish for `notes`, by the n-th key, from a source of its own. */
static tl__access_wish numbered_wish(uint32_t n, bool known)
{
	static char remote[64];
	tl__access_wish wish = {.name = TL__STR("laptop"),
		.permission = writing,
		.db = notes,
		.transport = TL__STR("http"),
		.proven = true,
		.known = known};

	snprintf(remote, sizeof remote, "10.0.%u.%u:4000", n / 250, n % 250);
	wish.remote = z(remote);
	memcpy(wish.key.b, &n, sizeof n);
	wish.key.b[9] = known;
	return wish;
}

static void there_may_be_a_thousand_requests(void)
{
	tl__access_wish wish;
	char id[37];

	with_notes(NULL);
	for (uint32_t i = 0; i < TL__SERVE_MAX_REQUESTS; i++) {
		wish = numbered_wish(i, true);
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	}
	wish = numbered_wish(TL__SERVE_MAX_REQUESTS, true);
	CHECK_CODE(tl__serve_keep_wish(core_of(bob), &wish, id), TL_E_BUSY);
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_MAX_REQUESTS);
}

static void a_request_ends_after_thirty_days(void)
{
	outcome first, later;

	with_notes(NULL);
	first = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	tl__sim_run(sim, 29 * DAY);
	later = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(strcmp(first.id, later.id) == 0);
	tl__sim_run(sim, 2 * DAY);
	later = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(later.result == TL__V1_ACCESS_PENDING && strcmp(first.id, later.id) != 0);
	CHECK(core_of(bob)->serve->access.count == 1);
}

/* --- the rows in `_sync` ---------------------------------------------------------------------- */

static tl_table *request_rows(tl_database **db, tl_transaction **tx)
{
	tl_table *table = NULL;
	tl_id own;

	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK_OK(tl__database_open(tl__sim_host(bob), &own, db));
	if (!tx) {
		CHECK_OK(tl_database_table(*db, TL__STR("bootstrap_requests"), &table));
		return table;
	}
	CHECK_OK(tl_transaction_new(*db, tx));
	CHECK_OK(tl_transaction_set_auth_key(*tx, TL__STR(TL__DEVICE_KEY_NAME)));
	CHECK_OK(tl_transaction_table(*tx, TL__STR("bootstrap_requests"), &table));
	return table;
}

static int count_row(void *ud, tl_str key, tl_str row)
{
	(void)key;
	(void)row;
	++*(size_t *)ud;
	return TL_OK;
}

static size_t rows_kept(void)
{
	tl_database *db = NULL;
	tl_table *table = request_rows(&db, NULL);
	size_t count = 0;

	CHECK_OK(tl_table_each(table, count_row, &count));
	tl_table_free(table);
	tl_database_free(db);
	return count;
}

static void put_row(const char *id, const char *row)
{
	tl_database *db = NULL;
	tl_transaction *tx = NULL;
	tl_table *table = request_rows(&db, &tx);

	CHECK_OK(tl_table_set(table, z(id), z(row)));
	CHECK_OK(tl_transaction_commit(tx, NULL));
	tl_table_free(table);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static bool has_row(const char *id)
{
	tl_database *db = NULL;
	tl_table *table = request_rows(&db, NULL);
	bool has = false;

	CHECK_OK(tl_table_contains(table, z(id), &has));
	tl_table_free(table);
	tl_database_free(db);
	return has;
}

#define OLD_ROW(status)                                                                            \
	"{\"tree_id\":\"x\",\"timestamp\":\"2001-01-01T00:00:00.000+00:00\",\"status\":" status "}"
#define PENDING_ID  "00000000-0000-4000-8000-000000000001"
#define APPROVED_ID "00000000-0000-4000-8000-000000000002"
#define STRANGE_ID  "00000000-0000-4000-8000-000000000003"

static void wish_often(uint32_t count)
{
	char id[37];

	for (uint32_t i = 0; i < count; i++) {
		const tl__access_wish wish = numbered_wish(i, true);

		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	}
}

/* Time passes for the core, and what it wants stored is. */
static void pass_a_second(void)
{
	tl__sim_run(sim, 1000);
	CHECK(v0_status("text/plain", "") >= 400);
}

static bool waits(const char *id)
{
	return tl__map_has(&core_of(bob)->serve->access, z(id));
}

/* Whom we know keeps his place; of strangers the oldest goes, here and for the owner. */
static void strangers_displace_strangers(void)
{
	tl__access_wish wish;
	char id[37], first[37], second[37];
	outcome named, related;

	with_notes(NULL);
	named = ask_for(&notes, "writer", "laptop", (tl_permission){TL_ADMIN, 1}, "writer");
	wish = numbered_wish(1, false);
	CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, first));
	pass_a_second();
	CHECK(has_row(first));
	relate_alice(&notes);
	related = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(named.result == TL__V1_ACCESS_PENDING && related.result == TL__V1_ACCESS_PENDING);
	for (uint32_t i = 2; i <= TL__SERVE_UNKNOWN_REQUESTS + 1; i++) {
		wish = numbered_wish(i, false);
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, i == 2 ? second : id));
		pass_a_second();
	}
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_UNKNOWN_REQUESTS + 2);
	CHECK(waits(named.id) && waits(related.id) && waits(second) && waits(id));
	CHECK(!waits(first) && !has_row(first) && has_row(id));
	/* Which ones they are is known after a restart. */
	restart(bob);
	pass_a_second();
	wish = numbered_wish(TL__SERVE_UNKNOWN_REQUESTS + 2, false);
	CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	CHECK(waits(named.id) && waits(related.id) && !waits(second) && waits(id));
}

/* Whoever asks often from one place takes his own places. */
static void a_source_takes_no_place_of_another(void)
{
	tl__access_wish wish;
	char id[37], other[37];

	with_notes(NULL);
	wish = numbered_wish(1, false);
	CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, other));
	for (uint32_t i = 2; i <= TL__SERVE_UNKNOWN_REQUESTS + 20; i++) {
		wish = numbered_wish(i, false);
		wish.remote = TL__STR(REMOTE);
		pass_a_second();
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	}
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_UNKNOWN_REQUESTS);
	CHECK(waits(other) && waits(id));
}

/* Each costs a commit. */
static void strangers_ask_at_a_pace(void)
{
	tl__access_wish wish;
	char id[37];

	with_notes(NULL);
	for (uint32_t i = 0; i < TL__SERVE_SOURCE_WISH_BURST; i++) {
		wish = numbered_wish(i, false);
		wish.remote = TL__STR(REMOTE);
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	}
	wish = numbered_wish(1000, false);
	wish.remote = TL__STR(REMOTE);
	CHECK_CODE(tl__serve_keep_wish(core_of(bob), &wish, id), TL_E_BUSY);
	for (uint32_t i = TL__SERVE_SOURCE_WISH_BURST; i < TL__SERVE_WISHES_BURST; i++) {
		wish = numbered_wish(i, false);
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	}
	wish = numbered_wish(1001, false);
	CHECK_CODE(tl__serve_keep_wish(core_of(bob), &wish, id), TL_E_BUSY);
	wish = numbered_wish(1002, true);
	CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
	pass_a_second();
	wish = numbered_wish(1003, false);
	CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
}

static void rows_of_ended_requests_are_taken_away(void)
{
	outcome first, later;

	with_notes(NULL);
	first = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	wish_often(TL__SERVE_EXPIRE_ROWS + 20);
	tl__sim_run(sim, 20 * DAY);
	CHECK(rows_kept() == TL__SERVE_EXPIRE_ROWS + 21);
	later = ask_for(&notes, "someone", "laptop", writing, "someone");
	CHECK(later.result == TL__V1_ACCESS_PENDING);
	put_row(APPROVED_ID, OLD_ROW("{\"Approved\":{\"approved_by\":\"k\"}}"));
	tl__sim_run(sim, 10 * DAY + 2 * HOUR);
	CHECK(!has_row(first.id) && has_row(later.id));
	CHECK(has_row(APPROVED_ID)); /* what was decided stays */
	CHECK(rows_kept() == 2);
	CHECK(core_of(bob)->serve->access.count == 1);
	tl__sim_run(sim, 20 * DAY);
	CHECK(!has_row(later.id) && rows_kept() == 1);
	CHECK(core_of(bob)->serve->access.count == 0);
	CHECK(tl__serve_access_due(core_of(bob)) == UINT64_MAX); /* nothing to look for */
}

/* A crash may lose what the core remembers of a request, but not the row for good. */
static void rows_that_nobody_remembers_go_at_start(void)
{
	with_notes(NULL);
	put_row(PENDING_ID, OLD_ROW("\"Pending\""));
	put_row(APPROVED_ID, OLD_ROW("{\"Approved\":{\"approved_by\":\"k\"}}"));
	put_row(STRANGE_ID, "[\"not a request\"]");
	tl__sim_run(sim, MINUTE);
	CHECK(has_row(PENDING_ID));
	restart(bob);
	tl__sim_run(sim, 1000);
	CHECK(!has_row(PENDING_ID) && has_row(APPROVED_ID) && has_row(STRANGE_ID));
}

static tl__work expire(int64_t before)
{
	tl__work *work = NULL;
	tl__work out;

	CHECK_OK(tl__work_new(&work, TL__WORK_EXPIRE, NULL));
	CHECK(tl__sync_own_db(core_of(bob), &work->expire.sync_db));
	work->expire.before = before;
	work->expire.max_rows = TL__SERVE_EXPIRE_ROWS;
	tl__work_run(tl__sim_host(bob), work);
	CHECK_OK(work->code);
	out = *work;
	tl__work_free(work);
	return out;
}

static void one_work_takes_a_hundred_rows_at_most(void)
{
	int64_t before;
	tl__work work;

	with_notes(NULL);
	wish_often(TL__SERVE_EXPIRE_ROWS + 1);
	before = core_of(bob)->wall;
	tl__sim_run(sim, 1000);
	work = expire(before); /* not older, but just as old */
	CHECK(work.expire.removed == 0 && !work.expire.more);
	CHECK(rows_kept() == TL__SERVE_EXPIRE_ROWS + 1);
	work = expire(before + 1);
	CHECK(work.expire.removed == TL__SERVE_EXPIRE_ROWS && work.expire.more);
	CHECK(rows_kept() == 1);
	work = expire(before + 1);
	CHECK(work.expire.removed == 1 && !work.expire.more && rows_kept() == 0);
}

static const char *numbered_key(int number)
{
	static char text[TL_KEY_TEXT_LEN + 1];
	char name[16];

	snprintf(name, sizeof name, "k%d", number);
	key_text(name, text);
	return text;
}

static void a_key_that_is_named_may_have_ten_requests(void)
{
	char key[TL_KEY_TEXT_LEN + 1], name[16];
	outcome o;

	with_notes(NULL);
	key_text("anyone", key);
	for (int i = 0; i < TL__SERVE_MAX_KEY_REQUESTS; i++) {
		snprintf(name, sizeof name, "n%d", i);
		CHECK(old_asks(key, name, PENDING));
	}
	CHECK(old_asks(key, "one more", FULL));
	CHECK(old_asks(key, "n3", PENDING)); /* known: no new one */
	/* Whoever proves that key has ten of his own. */
	for (int i = 0; i < TL__SERVE_MAX_KEY_REQUESTS; i++) {
		snprintf(name, sizeof name, "n%d", i);
		o = ask_for(&notes, "anyone", name, writing, "anyone");
		CHECK(o.result == TL__V1_ACCESS_PENDING);
	}
	o = ask_for(&notes, "anyone", "one more", writing, "anyone");
	CHECK(o.result == TL__V1_ACCESS_REFUSED && strcmp(o.code, "busy") == 0);
	CHECK(core_of(bob)->serve->access.count == (size_t)2 * TL__SERVE_MAX_KEY_REQUESTS);
}

static void a_hundred_requests_need_no_proof(void)
{
	outcome o;

	with_notes(NULL);
	for (int i = 0; i <= TL__SERVE_MAX_CLAIMS; i++) {
		CHECK(old_asks(numbered_key(i), "n", PENDING));
		tl__sim_run(sim, 1000);
	}
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_MAX_CLAIMS);
	o = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(o.result == TL__V1_ACCESS_PENDING);
	/* After a restart it is still known which ones nobody proved. */
	tl__sim_run(sim, 1000);
	restart(bob);
	tl__sim_run(sim, 100);
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_MAX_CLAIMS + 1);
	CHECK(old_asks(numbered_key(TL__SERVE_MAX_CLAIMS + 1), "n", PENDING));
	CHECK(core_of(bob)->serve->access.count == TL__SERVE_MAX_CLAIMS + 1);
	CHECK(waits(o.id));
}

static void claims_never_fill_the_room_of_the_proven(void)
{
	tl__access_wish wish;
	char id[37];

	with_notes(NULL);
	for (uint32_t i = 0; i <= TL__SERVE_MAX_CLAIMS; i++) {
		wish = numbered_wish(i, false);
		wish.proven = false;
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
		pass_a_second();
	}
	for (uint32_t i = 0; i < TL__SERVE_UNKNOWN_REQUESTS; i++) {
		wish = numbered_wish(i, false);
		CHECK_OK(tl__serve_keep_wish(core_of(bob), &wish, id));
		pass_a_second();
	}
	wish_often(TL__SERVE_MAX_REQUESTS);
	CHECK(core_of(bob)->serve->access.count ==
		TL__SERVE_MAX_CLAIMS + TL__SERVE_UNKNOWN_REQUESTS + TL__SERVE_MAX_REQUESTS);
}

/* The process ends right behind the answer: the request is there, and the owner was told of it. */
static void what_is_answered_pending_outlives_the_process(void)
{
	char key[TL_KEY_TEXT_LEN + 1];
	outcome first, again;

	with_notes(NULL);
	first = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(first.result == TL__V1_ACCESS_PENDING);
	CHECK(tl__sim_events(bob, TL_EVENT_ACCESS_REQUESTED) == 1);
	restart(bob);
	tl__sim_run(sim, 100);
	CHECK(rows_kept() == 1 && has_row(first.id));
	again = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(strcmp(again.id, first.id) == 0);
	key_text("someone", key);
	CHECK(old_asks(key, "phone", PENDING));
	restart(bob);
	tl__sim_run(sim, 100);
	CHECK(rows_kept() == 2 && core_of(bob)->serve->access.count == 2);
}

int main(void)
{
	RUN_SIM(a_key_may_have_ten_requests);
	RUN_SIM(there_may_be_a_thousand_requests);
	RUN_SIM(strangers_displace_strangers);
	RUN_SIM(a_source_takes_no_place_of_another);
	RUN_SIM(strangers_ask_at_a_pace);
	RUN_SIM(a_request_ends_after_thirty_days);
	RUN_SIM(rows_of_ended_requests_are_taken_away);
	RUN_SIM(rows_that_nobody_remembers_go_at_start);
	RUN_SIM(one_work_takes_a_hundred_rows_at_most);
	RUN_V0(RUN_SIM, a_key_that_is_named_may_have_ten_requests);
	RUN_V0(RUN_SIM, a_hundred_requests_need_no_proof);
	RUN_SIM(claims_never_fill_the_room_of_the_proven);
	RUN_V0(RUN_SIM, what_is_answered_pending_outlives_the_process);
	return spec_end();
}
