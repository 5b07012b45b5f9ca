/* Requests for access: what they are answered, and their bounds: 10 a key, 1,000 in all, 30 days;
 * 100 of strangers who prove their keys, and of those that the old protocol's peers make without.
 */
#include "serve_help.h"

#define DAY ((uint64_t)24 * HOUR)

static tl_id notes;
static const tl_permission writing = {TL_WRITE, 5}, reading = {TL_READ, 0};

static void with_notes(const tl__sim_config *config)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "writer", writing));
	CHECK_OK(set_public(bob, &notes, reading));
}

typedef struct outcome {
	tl__v1_status status;
	tl__v1_access_result result;
	tl_permission permission;
	char id[40], code[TL__V1_MAX_CODE + 1];
} outcome;

/* By the key of that name, with a proof by `proof` (NULL: none). */
static outcome ask_for(const tl_id *db, const char *key, const char *name, tl_permission permission,
	const char *proof)
{
	tl__v1_access args = {.name = z(name), .permission = permission};
	tl__v1_access_answer answer = {0};
	tl__buf text = TL__BUF_INIT;
	outcome out = {.result = TL__V1_ACCESS_REFUSED};
	tl__v1_request m;
	heard h;

	CHECK_OK(tl__sim_public(key, &args.key));
	tl__v1_write_access(&text, &args);
	m = request_of("access", db, tl__buf_view(&text));
	h = say_with(&m, &proof, proof ? 1 : 0, TL__STR(""));
	CHECK(h.is_signed);
	out.status = h.status;
	if (h.status == TL__V1_OK) {
		CHECK_OK(tl__v1_read_access_answer(&answer, h.args));
		out.result = answer.result;
		out.permission = answer.permission;
		snprintf(out.id, sizeof out.id, "%.*s", TL__STR_ARG(answer.request_id));
		snprintf(out.code, sizeof out.code, "%.*s", TL__STR_ARG(answer.code));
	}
	heard_free(&h);
	tl__buf_free(&text);
	return out;
}

static void what_a_key_holds_is_granted(void)
{
	outcome o;

	with_notes(NULL);
	o = ask_for(&notes, "writer", "laptop", writing, "writer");
	CHECK(o.result == TL__V1_ACCESS_GRANTED &&
		tl_permission_compare(o.permission, writing) == 0);
	o = ask_for(&notes, "writer", "laptop", reading, "writer");
	CHECK(o.result == TL__V1_ACCESS_GRANTED);
	o = ask_for(&notes, "anyone", "laptop", reading, "anyone"); /* it is public */
	CHECK(o.result == TL__V1_ACCESS_GRANTED);
	CHECK(core_of(bob)->serve->access.count == 0);
}

static void more_waits_for_the_owner(void)
{
	outcome first, again, other;

	with_notes(NULL);
	first = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(first.result == TL__V1_ACCESS_PENDING && strlen(first.id) == 36);
	again = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(again.result == TL__V1_ACCESS_PENDING && strcmp(first.id, again.id) == 0);
	other = ask_for(&notes, "anyone", "laptop", (tl_permission){TL_ADMIN, 1}, "anyone");
	CHECK(other.result == TL__V1_ACCESS_PENDING && strcmp(first.id, other.id) != 0);
	CHECK(core_of(bob)->serve->access.count == 2);
	CHECK(tl__sim_events(bob, TL_EVENT_ACCESS_REQUESTED) == 2);
	/* Asking gives nothing. */
	CHECK(pulled(&notes, NULL, 0) == 3);
}

static void a_key_asks_for_itself(void)
{
	with_notes(NULL);
	CHECK(ask_for(&notes, "anyone", "laptop", writing, NULL).status == TL__V1_BAD_REQUEST);
	CHECK(ask_for(&notes, "anyone", "laptop", writing, "other").status == TL__V1_BAD_REQUEST);
	CHECK(core_of(bob)->serve->access.count == 0);
}

static void names_that_would_be_paths_are_refused(void)
{
	char long_name[TL__V1_MAX_TEXT + 1];

	with_notes(NULL);
	CHECK(ask_for(&notes, "anyone", "", writing, "anyone").status == TL__V1_BAD_REQUEST);
	CHECK(ask_for(&notes, "anyone", "*", writing, "anyone").status == TL__V1_BAD_REQUEST);
	CHECK(ask_for(&notes, "anyone", "a.b", writing, "anyone").status == TL__V1_BAD_REQUEST);
	memset(long_name, 'x', sizeof long_name);
	long_name[TL__V1_MAX_TEXT] = '\0';
	CHECK(ask_for(&notes, "anyone", long_name, writing, "anyone").result ==
		TL__V1_ACCESS_PENDING);
	CHECK(core_of(bob)->serve->access.count == 1);
}

static void what_is_not_there_cannot_be_asked_for(void)
{
	tl_id none, own;

	with_notes(NULL);
	tl_id_of(&none, "none", 4);
	CHECK(ask_for(&none, "anyone", "laptop", writing, "anyone").status == TL__V1_NOT_AVAILABLE);
	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK(ask_for(&own, "anyone", "laptop", writing, "anyone").status == TL__V1_NOT_AVAILABLE);
	CHECK(core_of(bob)->serve->access.count == 0);
}

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

/* --- the rows in `_sync` --- */

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

static tl_policy_answer no_requests(void *ud, const tl_policy_question *question, const char **why)
{
	(void)ud;
	(void)why;
	return question->kind == TL_POLICY_REQUEST ? TL_POLICY_DENY : TL_POLICY_PASS;
}

static void the_policy_may_want_no_requests(void)
{
	tl__sim_config config = {.name = "bob"};
	outcome o;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = no_requests};
	with_notes(&config);
	o = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	CHECK(o.result == TL__V1_ACCESS_REFUSED && strcmp(o.code, "not_permitted") == 0);
	CHECK(core_of(bob)->serve->access.count == 0);
}

static heard ask_access(const tl_id *db)
{
	tl__v1_access args = {
		.key = device_of("anyone"), .name = TL__STR("n"), .permission = writing};
	const char *proof = "anyone";
	tl__buf text = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	tl__v1_write_access(&text, &args);
	m = request_of("access", db, tl__buf_view(&text));
	h = say_with(&m, &proof, 1, TL__STR(""));
	tl__buf_free(&text);
	return h;
}

/* A request of the old protocol, for this key text. */
static tl__buf old_answer(const tl_id *db, const char *key, const char *name)
{
	char id[TL_ID_TEXT_LEN + 1], request[500];

	tl_id_format(db, id);
	snprintf(request, sizeof request,
		"{\"SyncTree\":{\"tree_id\":\"%s\",\"our_tips\":[],\"requesting_key\":\"%s\","
		"\"requesting_key_name\":\"%s\",\"requested_permission\":{\"Write\":1}}}",
		id, key, name);
	return say_v0(request);
}

/* Then asking for it is no way to find out what is held. */
static void without_requests_what_is_private_looks_like_nothing(void)
{
	tl__sim_config config = {.name = "bob"};
	char key[TL_KEY_TEXT_LEN + 1];
	tl__buf old_held, old_absent;
	heard held, absent;
	tl_id none;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = no_requests};
	begin_serve(&config);
	notes = make_db(bob, "private");
	tl_id_of(&none, "none", 4);
	held = ask_access(&notes);
	absent = ask_access(&none);
	CHECK(held.is_signed && held.status == TL__V1_NOT_AVAILABLE);
	CHECK(absent.is_signed && absent.status == TL__V1_NOT_AVAILABLE);
	CHECK(tl__str_eq(held.args, absent.args) && tl__str_eq(held.body, absent.body));
	key_text("anyone", key);
	old_held = old_answer(&notes, key, "n");
	old_absent = old_answer(&none, key, "n");
	CHECK(tl__str_eq(tl__buf_view(&old_held), tl__buf_view(&old_absent)));
	CHECK(strstr(old_held.ptr, "{\"Error\":"));
	heard_free(&held);
	heard_free(&absent);
	tl__buf_free(&old_held);
	tl__buf_free(&old_absent);
}

static bool old_asks(const char *key, const char *name, const char *wanted)
{
	tl__buf body = old_answer(&notes, key, name);
	bool good = body.ptr && strstr(body.ptr, wanted);

	if (!good)
		printf("heard %.200s\n", body.ptr ? body.ptr : "");
	tl__buf_free(&body);
	return good;
}

static const char *numbered_key(int number)
{
	static char text[TL_KEY_TEXT_LEN + 1];
	char name[16];

	snprintf(name, sizeof name, "k%d", number);
	key_text(name, text);
	return text;
}

#define PENDING "{\"BootstrapPending\":{"
#define FULL    "{\"Error\":\"too many access requests are waiting"

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

/* Nothing is given to a key that was only named, but the owner is not asked again either. */
static void what_the_settings_give_is_not_asked_for_again(void)
{
	const tl_permission all = {TL_WRITE, 1};
	char key[TL_KEY_TEXT_LEN + 1];

	with_notes(NULL); /* everybody may read it */
	key_text("holder", key);
	CHECK_OK(grant(bob, &notes, "holder", all));
	CHECK(old_asks(key, "phone", "{\"Bootstrap\":{"));
	notes = make_db(bob, "private");
	CHECK_OK(grant(bob, &notes, "holder", all));
	CHECK(old_asks(key, "phone", "{\"Error\":\"this key has that access"));
	CHECK(core_of(bob)->serve->access.count == 0);
	CHECK_OK(grant(bob, &notes, "holder", reading)); /* less than it asks for */
	CHECK(old_asks(key, "phone", PENDING));
}

/* The id of some request that waits. */
static tl_str any_request(void)
{
	size_t at = 0;
	tl_str id = TL__STR_NULL;
	void *row;

	(void)tl__map_next(&core_of(bob)->serve->access, &at, &id, &row);
	return id;
}

static void an_approval_that_gives_nothing_says_so(void)
{
	char key[TL_KEY_TEXT_LEN + 1], hint[TL__SYNC_ERROR_TEXT];
	outcome o;

	with_notes(NULL);
	key_text("holder", key);
	CHECK(old_asks(key, "phone", PENDING));
	tl__serve_decided(core_of(bob), any_request(), true, hint);
	CHECK(strstr(hint, "phone") && strstr(hint, "v0_claims"));
	with_notes(NULL);
	CHECK(old_asks(key, "phone", PENDING));
	tl__serve_decided(core_of(bob), any_request(), false, hint);
	CHECK(hint[0] == '\0');
	with_notes(NULL);
	o = ask_for(&notes, "anyone", "laptop", writing, "anyone"); /* proven */
	tl__serve_decided(core_of(bob), z(o.id), true, hint);
	CHECK(hint[0] == '\0');
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

/* Kept for the owner in the form of the sync database's records. */
static void the_owner_finds_the_record(void)
{
	tl_database *db = NULL;
	tl_table *table = NULL;
	char *row = NULL;
	size_t len = 0;
	tl_id own;
	outcome o;

	with_notes(NULL);
	o = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	tl__sim_run(sim, 1000);
	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK_OK(tl__database_open(tl__sim_host(bob), &own, &db));
	CHECK_OK(tl_database_table(db, TL__STR("bootstrap_requests"), &table));
	CHECK_OK(tl_table_get(table, z(o.id), &row, &len));
	CHECK(row && strstr(row, "\"requesting_key_name\":\"laptop\"") &&
		strstr(row, "\"requested_permission\":{\"Write\":5}") &&
		strstr(row, "\"status\":\"Pending\"") && strstr(row, REMOTE));
	tl_free(row);
	tl_table_free(table);
	tl_database_free(db);
}

int main(void)
{
	RUN_SIM(what_a_key_holds_is_granted);
	RUN_SIM(more_waits_for_the_owner);
	RUN_SIM(a_key_asks_for_itself);
	RUN_SIM(names_that_would_be_paths_are_refused);
	RUN_SIM(what_is_not_there_cannot_be_asked_for);
	RUN_SIM(a_key_may_have_ten_requests);
	RUN_SIM(there_may_be_a_thousand_requests);
	RUN_SIM(strangers_displace_strangers);
	RUN_SIM(a_source_takes_no_place_of_another);
	RUN_SIM(strangers_ask_at_a_pace);
	RUN_SIM(a_request_ends_after_thirty_days);
	RUN_SIM(rows_of_ended_requests_are_taken_away);
	RUN_SIM(rows_that_nobody_remembers_go_at_start);
	RUN_SIM(one_work_takes_a_hundred_rows_at_most);
	RUN_SIM(the_policy_may_want_no_requests);
	RUN_V0(RUN_SIM, without_requests_what_is_private_looks_like_nothing);
	RUN_V0(RUN_SIM, a_key_that_is_named_may_have_ten_requests);
	RUN_V0(RUN_SIM, what_the_settings_give_is_not_asked_for_again);
	RUN_V0(RUN_SIM, an_approval_that_gives_nothing_says_so);
	RUN_V0(RUN_SIM, a_hundred_requests_need_no_proof);
	RUN_SIM(claims_never_fill_the_room_of_the_proven);
	RUN_V0(RUN_SIM, what_is_answered_pending_outlives_the_process);
	RUN_SIM(the_owner_finds_the_record);
	return spec_end();
}
