/* Requests for access: what they are answered. Their bounds: sync_serve_wishes_spec.c. */
#include "sync/in/serve_access.h"
#include "sync_access_help.h"

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

/* --- the rows in `_sync` ---------------------------------------------------------------------- */

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

/* Whether an allocation failed while it was decided. What succeeded outlives the process. */
static bool decide_without(size_t failing)
{
	tl__sync_command command = {.kind = TL__SYNC_DECIDE, .approved = true};
	tl__sim_result result;
	const tl__access_row *row;
	bool failed;
	outcome o;
	int rc;

	with_notes(NULL);
	o = ask_for(&notes, "anyone", "laptop", writing, "anyone");
	tl__sim_run(sim, 1000);
	command.name = z(o.id);
	(void)tl__sim_fail_alloc(sim, failing);
	rc = run_command(bob, &command, &result, HOUR);
	failed = tl__sim_fail_alloc(sim, 0);
	CHECK(rc == TL_OK || (failed && rc == TL_E_NOMEM));
	restart(bob);
	tl__sim_run(sim, 1000);
	row = tl__map_get(&core_of(bob)->serve->access, z(o.id));
	CHECK(row && (rc != TL_OK || row->state == TL__ACCESS_APPROVED));
	return failed;
}

static void what_is_decided_is_stored_or_fails(void)
{
	size_t failing = 1;

	while (spec_case_ok && decide_without(failing))
		failing++;
	CHECK(failing > 5); /* else nothing was failed */
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
	RUN_SIM(the_policy_may_want_no_requests);
	RUN_V0(RUN_SIM, without_requests_what_is_private_looks_like_nothing);
	RUN_V0(RUN_SIM, what_the_settings_give_is_not_asked_for_again);
	RUN_V0(RUN_SIM, an_approval_that_gives_nothing_says_so);
	RUN_SIM(what_is_decided_is_stored_or_fails);
	RUN_SIM(the_owner_finds_the_record);
	return spec_end();
}
