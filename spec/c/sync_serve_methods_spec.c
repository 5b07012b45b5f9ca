/* What the methods of protocol v1 answer, and who may read or write what. */
#include "serve_help.h"

static tl_id notes;

static void with_notes(const tl__sim_config *config, tl_permission permission)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "writer", permission));
}

static const tl_permission writing = {TL_WRITE, 5}, reading = {TL_READ, 0};

static const char *const writer[] = {"writer"}, *const stranger[] = {"stranger"};

/* --- hello ------------------------------------------------------------------------------------ */

static void hello_proves_both(void)
{
	tl__arena arena = TL__ARENA_INIT;
	tl__v1_hello hello;
	heard h;

	begin_serve(NULL);
	h = say_hello(&alice_key, true);
	CHECK(h.is_signed && h.status == TL__V1_OK && h.body.len == 0);
	CHECK_OK(tl__v1_read_hello(&hello, h.args, &arena));
	CHECK(memcmp(&hello.key, tl__sim_key(bob), sizeof hello.key) == 0);
	CHECK(tl__str_eq(hello.name, TL__STR("bob")));
	CHECK(hello.address_count == 1 && tl__str_eq(hello.addresses[0].address, TL__STR("bob:1")));
	CHECK(hello.max_body_bytes == TL__V1_MAX_BODY_BYTES &&
		hello.max_page_entries == TL__V1_MAX_PAGE_ENTRIES);
	CHECK(core_of(bob)->knock_count == 1); /* remembered, but no peer and never dialled */
	CHECK(!core_of(bob)->peers);
	heard_free(&h);
	tl__arena_free(&arena);
	tl__sim_run(sim, HOUR);
	CHECK(tl__sim_requests(sim, bob, NULL, "") == 0);
}

static void hello_to_nobody_proves_the_answerer_alone(void)
{
	heard h;

	begin_serve(NULL);
	h = say_hello(&alice_key, false);
	CHECK(h.is_signed && h.status == TL__V1_OK);
	heard_free(&h);
	CHECK(core_of(bob)->knock_count == 0 && !core_of(bob)->peers);
}

static void hello_is_about_its_sender(void)
{
	tl_key carol;

	begin_serve(NULL);
	carol = device_of("carol");
	CHECK_SIGNED(say_hello(&carol, true), BAD_REQUEST);
	CHECK(core_of(bob)->knock_count == 0);
}

static void knocking_peers_are_bounded(void)
{
	tl_key key = {{1}};

	begin_serve(NULL);
	for (uint32_t i = 0; i < TL__SYNC_MAX_KNOCKING + 5; i++) {
		memcpy(key.b + 4, &i, sizeof i);
		tl__sync_knocked(core_of(bob), &key, TL__STR("x"), REMOTE);
	}
	CHECK(core_of(bob)->knock_count == TL__SYNC_MAX_KNOCKING);
}

/* --- list ------------------------------------------------------------------------------------- */

static void a_list_holds_what_may_be_read(void)
{
	tl_id open, related;

	with_notes(NULL, reading);
	CHECK(listed(NULL, 0, NULL) == 0);
	CHECK(listed(stranger, 1, NULL) == 0);
	CHECK(listed(writer, 1, &notes) == 1);
	open = make_db(bob, "open");
	CHECK_OK(set_public(bob, &open, reading));
	CHECK(listed(NULL, 0, &open) == 1);
	related = make_db(bob, "related");
	relate_alice(&related);
	CHECK(listed(NULL, 0, NULL) == 2);
	CHECK(listed(writer, 1, NULL) == 3);
}

static void a_list_goes_on_behind_the_last_one(void)
{
	char args[120], id[TL_ID_TEXT_LEN + 1];
	tl__v1_request m;
	tl_id dbs[3];
	heard h;
	size_t behind = 0;

	begin_serve(NULL);
	for (size_t i = 0; i < 3; i++) {
		dbs[i] = make_db(bob, "open");
		CHECK_OK(set_public(bob, &dbs[i], reading));
	}
	for (size_t i = 0; i < 3; i++)
		behind += memcmp(&dbs[i], &dbs[0], sizeof dbs[0]) > 0;
	tl_id_format(&dbs[0], id);
	snprintf(args, sizeof args, "{\"after\":\"%s\"}", id);
	m = request_of("list", NULL, z(args));
	h = say(&m);
	for (size_t i = 0; i < h.body.len; i++)
		behind -= h.body.ptr[i] == '\n';
	CHECK(h.status == TL__V1_OK && behind == 0);
	heard_free(&h);
}

/* --- pull: who may read ----------------------------------------------------------------------- */

static void a_proven_key_reads(void)
{
	with_notes(NULL, reading);
	CHECK(pulled(&notes, NULL, 0) == 0);
	CHECK(pulled(&notes, stranger, 1) == 0);
	CHECK(pulled(&notes, writer, 1) == 2);
}

static void a_relation_reads(void)
{
	with_notes(NULL, reading);
	relate_alice(&notes);
	CHECK(pulled(&notes, NULL, 0) == 2);
}

static void everybody_reads_what_is_public(void)
{
	with_notes(NULL, reading);
	CHECK_OK(set_public(bob, &notes, reading));
	CHECK(pulled(&notes, NULL, 0) == 3);
}

static void a_revoked_key_reads_no_more(void)
{
	with_notes(NULL, reading);
	CHECK(pulled(&notes, writer, 1) == 2);
	CHECK_OK(revoke(bob, &notes, "writer"));
	CHECK(pulled(&notes, writer, 1) == 0);
}

static void the_policy_has_the_first_word_on_reading(void)
{
	tl_policy_answer answers[8] = {0};
	tl__sim_config config = {.name = "bob"};

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = by_kind, .ud = answers};
	with_notes(&config, reading);
	answers[TL_POLICY_READ] = TL_POLICY_ALLOW;
	CHECK(pulled(&notes, NULL, 0) == 2);
	answers[TL_POLICY_READ] = TL_POLICY_DENY;
	CHECK(pulled(&notes, writer, 1) == 0);
}

/* A database that may not be read is answered exactly like one that is not there. */
static void a_hidden_database_looks_like_none(void)
{
	tl_id none;
	heard hidden, absent;

	with_notes(NULL, reading);
	tl_id_of(&none, "none", 4);
	hidden = pull(&notes, stranger, 1);
	absent = pull(&none, stranger, 1);
	CHECK(hidden.status == TL__V1_NOT_AVAILABLE && absent.status == TL__V1_NOT_AVAILABLE);
	CHECK(tl__str_eq(hidden.args, absent.args));
	CHECK(hidden.body.len == 0 && absent.body.len == 0 && hidden.raw.len == absent.raw.len);
	heard_free(&hidden);
	heard_free(&absent);
}

static void own_system_databases_are_never_served(void)
{
	static const char *const device[] = {"bob"};
	tl_policy_answer answers[8] = {0};
	tl__sim_config config = {.name = "bob"};
	tl_id own;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = by_kind, .ud = answers};
	answers[TL_POLICY_READ] = answers[TL_POLICY_WRITE] = TL_POLICY_ALLOW;
	answers[TL_POLICY_CREATE] = answers[TL_POLICY_LIST] = TL_POLICY_ALLOW;
	begin_serve(&config);
	CHECK(tl__sync_own_db(core_of(bob), &own));
	CHECK(pulled(&own, device, 1) == 0);
	CHECK(listed(device, 1, NULL) == 0);
	CHECK(push_lines(&own, NULL, 0, device, 1).status == TL__V1_NOT_AVAILABLE);
}

/* --- pull: what is answered ------------------------------------------------------------------- */

static void read_page(const heard *h, tl__v1_page *page)
{
	CHECK(h->is_signed && h->status == TL__V1_OK);
	CHECK_OK(tl__v1_read_page(page, h->args));
}

static heard pull_more(const tl__v1_pull *args, tl_str body)
{
	tl__buf text = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	tl__v1_write_pull(&text, args);
	m = request_of("pull", &notes, tl__buf_view(&text));
	h = say_with(&m, writer, 1, body);
	tl__buf_free(&text);
	return h;
}

static void a_page_tells_tips_and_a_cursor(void)
{
	tl__v1_pull args = {.budget = 1000000};
	tl__v1_page page = {0}, again = {0};
	heard h;
	tl_id last;

	with_notes(NULL, reading);
	last = put(bob, &notes, "a", "1");
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &page);
	CHECK(entries_in(&h) == 3 && !page.more && page.has_tips && page.tips.count == 1);
	CHECK(page.cursor.n == 3 && page.cursor_valid && page.seen_valid);
	heard_free(&h);
	/* From there on: nothing new, then one entry. */
	args.has_cursor = true;
	args.cursor = page.cursor;
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &again);
	CHECK(entries_in(&h) == 0 && again.cursor.n == 3 && again.cursor_valid);
	heard_free(&h);
	put(bob, &notes, "b", "2");
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &again);
	CHECK(entries_in(&h) == 1 && again.cursor.n == 4);
	heard_free(&h);
	(void)last;
}

static void a_place_of_another_store_starts_anew(void)
{
	tl__v1_pull args = {.budget = 1000000, .has_cursor = true};
	tl__v1_page page = {0};
	heard h;

	with_notes(NULL, reading);
	memcpy(args.cursor.incarnation, core_of(bob)->incarnation, 16);
	args.cursor.n = 1;
	memset(args.cursor.c, 9, sizeof args.cursor.c); /* another history */
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &page);
	CHECK(!page.cursor_valid && entries_in(&h) == 2);
	heard_free(&h);
	args.cursor = page.cursor;
	args.cursor.incarnation[3] ^= 1; /* another store */
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &page);
	CHECK(!page.cursor_valid && entries_in(&h) == 2);
	heard_free(&h);
	args.cursor.incarnation[3] ^= 1;
	args.cursor.n = 1000; /* a future that never was: rolled back */
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &page);
	CHECK(!page.cursor_valid && entries_in(&h) == 2);
	heard_free(&h);
}

static void what_was_seen_is_acknowledged(void)
{
	tl__v1_pull args = {.budget = 1000000, .has_seen = true};
	tl__v1_page page = {0};
	tl__pair *pair;
	heard h;

	with_notes(NULL, reading);
	relate_alice(&notes);
	h = pull(&notes, NULL, 0);
	read_page(&h, &page);
	heard_free(&h);
	args.seen = page.cursor;
	pair = tl__sync_find_pair(core_of(bob), &alice_key, &notes);
	REQUIRE(pair);
	CHECK(pair->ack == 0);
	h = pull_more(&args, TL__STR(""));
	heard_free(&h);
	CHECK(pair->ack == 2);
	args.seen.c[0] ^= 1; /* her store went back, or ours */
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &page);
	CHECK(!page.seen_valid && pair->ack == 0);
	heard_free(&h);
}

static void what_the_requester_has_is_left_out(void)
{
	tl__v1_pull args = {.budget = 1000000, .tips.count = 1};
	tl__buf body = TL__BUF_INIT;
	tl_id first, second;
	heard h;

	with_notes(NULL, reading);
	first = put(bob, &notes, "a", "1");
	second = put(bob, &notes, "a", "2");
	tl__v1_write_id(&body, TL__V1_LINE_TIP, &first);
	h = pull_more(&args, tl__buf_view(&body));
	CHECK(entries_in(&h) == 1); /* only the second: the first implies its ancestors */
	heard_free(&h);
	tl__buf_clear(&body);
	args.tips.count = 0;
	tl__v1_write_id(&body, TL__V1_LINE_HAVE, &first);
	h = pull_more(&args, tl__buf_view(&body));
	CHECK(entries_in(&h) == 3); /* all but exactly that one */
	heard_free(&h);
	tl__buf_free(&body);
	(void)second;
}

static void wanted_entries_come_first_or_are_absent(void)
{
	tl__v1_pull args = {.budget = 1000000};
	tl__v1_page page = {0};
	tl__buf body = TL__BUF_INIT;
	tl_id first, none;
	made forged;
	tl_str line;
	heard h;
	char id[TL_ID_TEXT_LEN + 1];

	with_notes(NULL, writing);
	first = put(bob, &notes, "a", "1");
	h = pull_more(&args, TL__STR(""));
	read_page(&h, &page);
	heard_free(&h);
	/* An entry in quarantine is given to who wants it, and to nobody else. */
	forged = make_entry(&notes, &first, "data", DATA, NULL);
	line = forged.text;
	CHECK(push_lines(&notes, &line, 1, writer, 1).at[0].fate == TL__V1_FATE_INVALID);
	tl_id_of(&none, "none", 4);
	if (memcmp(&first, &none, sizeof first) < 0) {
		tl__v1_write_id(&body, TL__V1_LINE_WANT, &first);
		tl__v1_write_id(&body, TL__V1_LINE_WANT, &none);
	} else {
		tl__v1_write_id(&body, TL__V1_LINE_WANT, &none);
		tl__v1_write_id(&body, TL__V1_LINE_WANT, &first);
	}
	args.has_cursor = true;
	args.cursor = page.cursor;
	h = pull_more(&args, tl__buf_view(&body));
	tl_id_format(&none, id);
	CHECK(entries_in(&h) == 1);
	CHECK(memmem(h.body.ptr, h.body.len, "{\"absent\":", 10) != NULL);
	heard_free(&h);
	tl__buf_clear(&body);
	tl__v1_write_id(&body, TL__V1_LINE_WANT, &forged.id);
	h = pull_more(&args, tl__buf_view(&body));
	CHECK(entries_in(&h) == 1);
	heard_free(&h);
	args.has_cursor = false;
	h = pull_more(&args, TL__STR(""));
	CHECK(entries_in(&h) == 3);
	heard_free(&h);
	made_free(&forged);
	tl__buf_free(&body);
}

static void a_budget_makes_pages(void)
{
	tl__v1_pull args = {.budget = 1};
	size_t pages = 0, entries = 0;
	tl__v1_page page = {.more = true};

	with_notes(NULL, reading);
	for (int i = 0; i < 5; i++)
		put(bob, &notes, "a", "x");
	while (page.more && pages < 20) {
		heard h = pull_more(&args, TL__STR(""));

		read_page(&h, &page);
		CHECK(page.more || page.has_tips);
		CHECK(entries_in(&h) <= 1);
		entries += entries_in(&h);
		pages++;
		args.has_cursor = true;
		args.cursor = page.cursor;
		heard_free(&h);
	}
	CHECK(entries == 7 && pages >= 7 && pages <= 8);
}

int main(void)
{
	RUN_SIM(hello_proves_both);
	RUN_SIM(hello_to_nobody_proves_the_answerer_alone);
	RUN_SIM(hello_is_about_its_sender);
	RUN_SIM(knocking_peers_are_bounded);
	RUN_SIM(a_list_holds_what_may_be_read);
	RUN_SIM(a_list_goes_on_behind_the_last_one);
	RUN_SIM(a_proven_key_reads);
	RUN_SIM(a_relation_reads);
	RUN_SIM(everybody_reads_what_is_public);
	RUN_SIM(a_revoked_key_reads_no_more);
	RUN_SIM(the_policy_has_the_first_word_on_reading);
	RUN_SIM(a_hidden_database_looks_like_none);
	RUN_SIM(own_system_databases_are_never_served);
	RUN_SIM(a_page_tells_tips_and_a_cursor);
	RUN_SIM(a_place_of_another_store_starts_anew);
	RUN_SIM(what_was_seen_is_acknowledged);
	RUN_SIM(what_the_requester_has_is_left_out);
	RUN_SIM(wanted_entries_come_first_or_are_absent);
	RUN_SIM(a_budget_makes_pages);
	return spec_end();
}
