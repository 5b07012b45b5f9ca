/* Delegated keys: cited databases that are missing, late, revoked, older, forged. */
#include "trust_fixture.h"
#include "delegation_help.h"

static void a_delegated_key_writes(void)
{
	delegation d;
	tl_entry *note, *grant;

	REQUIRE(delegation_open(&d));
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	note = by_team(&d, d.main, &d.laptop, "laptop", d.keys, "k=laptop");
	CHECK_VERIFIED(feed_one(&d.w, d.main, note));
	CHECK(note_is(&d.w, d.main, "k", "laptop"));
	/* Its Admin(5) is bounded by Write(10): no settings. */
	grant = make(&(draft){.root = d.main,
		.parents = {note},
		.parent_count = 1,
		.raw_settings = "{\"children\":{}}",
		.by = &d.laptop,
		.steps = {"team", "laptop"},
		.cited = {{d.keys}},
		.step_count = 2});
	CHECK_FATE(feed_one(&d.w, d.main, grant), TL__FATE_INVALID, TL_E_INSUFFICIENT_PERMISSIONS);
	tl_entry_free(note);
	tl_entry_free(grant);
	delegation_close(&d);
}

#define CHECK_TEAM(d, by, name, cited, kind, code)                                                 \
	do {                                                                                       \
		tl_entry *spec_entry =                                                             \
			by_team(d, (d)->main, by, name, cited, "x=" name "," #code);               \
		CHECK_FATE(feed_one(&(d)->w, (d)->main, spec_entry), kind, code);                  \
		tl_entry_free(spec_entry);                                                         \
	} while (0)

static void wrong_delegations_are_invalid(void)
{
	delegation d;
	tl_entry *entry;

	REQUIRE(delegation_open(&d));
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK_TEAM(&d, &d.laptop, "nobody", d.keys, TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_TEAM(&d, &d.phone, "laptop", d.keys, TL__FATE_INVALID, TL_E_BAD_SIGNATURE);
	CHECK_TEAM(&d, &d.laptop, "laptop", NULL, TL__FATE_INVALID, TL_E_BAD_ENTRY);
	entry = make(&(draft){.root = d.main,
		.parents = {d.main},
		.parent_count = 1,
		.notes = "k=v",
		.by = &d.laptop,
		.steps = {"crew", "laptop"},
		.cited = {{d.keys}},
		.step_count = 2});
	CHECK_FATE(feed_one(&d.w, d.main, entry), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	tl_entry_free(entry);
	/* h16: a path has 10 steps at most; 11 are no entry at all. */
	entry = make(&(draft){.root = d.main,
		.parents = {d.main},
		.parent_count = 1,
		.notes = "k=v",
		.by = &d.laptop,
		.steps = {"team", "team", "team", "team", "team", "team", "team", "team", "team",
			"laptop"},
		.cited = {{d.keys}, {d.keys}, {d.keys}, {d.keys}, {d.keys}, {d.keys}, {d.keys},
			{d.keys}, {d.keys}},
		.step_count = 10});
	CHECK_FATE(feed_one(&d.w, d.main, entry), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	tl_entry_free(entry);
	delegation_close(&d);
}

/* The 11th step: a line of text, since we make no such entry. */
static void h16_longer_paths_are_declined(void)
{
	delegation d;
	char id[TL_ID_TEXT_LEN + 1];
	tl__buf text = TL__BUF_INIT;
	tl_str line;
	tl__ingest_page page = {.lines = &line, .count = 1, .sender = PEER, .related = true};
	tl__ingest_result r;

	REQUIRE(delegation_open(&d));
	id_text(d.main, id);
	tl__buf_format(&text,
		"{\"tree\":{\"root\":\"%s\",\"parents\":[\"%s\"],\"metadata\":null},\"subtrees\":[]"
		","
		"\"sig\":{\"sig\":null,\"key\":[",
		id, id);
	for (int i = 0; i < TL_DELEGATION_MAX_STEPS; i++)
		tl__buf_format(&text, "{\"key\":\"team\",\"tips\":[\"%s\"]},", id);
	tl__buf_text(&text, "{\"key\":\"laptop\",\"tips\":null}]}}");
	line = tl__buf_view(&text);
	page.db = *tl_entry_id(d.main);
	REQUIRE(tl__ingest(&d.w.tree, &page, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_DECLINED, TL_E_TOO_LARGE);
	tl__ingest_result_free(&r);
	tl__buf_free(&text);
	delegation_close(&d);
}

/* Until the cited database comes the entry waits; then it is promoted, across databases. */
static void h15_a_missing_database_is_waited_for(void)
{
	delegation d;
	tl_entry *note, *child, *list[2];
	tl__ingest_result r;

	REQUIRE(delegation_open(&d));
	note = by_team(&d, d.main, &d.laptop, "laptop", d.keys, "k=laptop");
	child = make_note(d.main, note, note, &d.a, "k=child");
	list[0] = note;
	list[1] = child;
	REQUIRE(feed_as(&d.w, d.main, list, 2, (feeding){.stranger = false}, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_DATABASE);
	CHECK_FATE(r.fates[1], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK(r.missing_count == 0 && r.missing_database_count == 1);
	CHECK(r.missing_database_count == 1 &&
		memcmp(r.missing_databases, tl_entry_id(d.keys), sizeof(tl_id)) == 0);
	tl__ingest_result_free(&r);
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK(is_where(&d.w, d.main, note, TL__VERIFIED));
	CHECK(is_where(&d.w, d.main, child, TL__VERIFIED));
	CHECK(note_is(&d.w, d.main, "k", "child"));
	tl_entry_free(note);
	tl_entry_free(child);
	delegation_close(&d);
}

/* Ids of other databases are not taken for tips of this one. */
static void h15_tips_are_of_the_database_named(void)
{
	delegation d;
	tl_entry *other, *note;

	REQUIRE(delegation_open(&d));
	other = make_root(&d.k, "other");
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK_VERIFIED(feed_one(&d.w, other, other));
	note = by_team(&d, d.main, &d.laptop, "laptop", other, "k=v");
	CHECK_FATE(feed_one(&d.w, d.main, note), TL__FATE_PENDING, TL_E_WAITS_FOR_DATABASE);
	tl_entry_free(note);
	tl_entry_free(other);
	delegation_close(&d);
}

/* A revocation in the delegated database counts from the state that shows it. */
static void h15_settings_at_the_tips_count(void)
{
	delegation d;
	tl_entry *revoked, *again;

	REQUIRE(delegation_open(&d));
	revoked = set_key(&d, d.keys, "phone", &d.phone, TL_KEY_REVOKED);
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK_VERIFIED(feed_one(&d.w, d.keys, revoked));
	CHECK_TEAM(&d, &d.phone, "phone", revoked, TL__FATE_INVALID, TL_E_KEY_REVOKED);
	CHECK_TEAM(&d, &d.phone, "phone", d.keys, TL__FATE_VERIFIED, TL_OK);
	again = set_key(&d, revoked, "phone", &d.phone, TL_KEY_ACTIVE);
	CHECK_VERIFIED(feed_one(&d.w, d.keys, again));
	CHECK_TEAM(&d, &d.phone, "phone", again, TL__FATE_VERIFIED, TL_OK);
	tl_entry_free(revoked);
	tl_entry_free(again);
	delegation_close(&d);
}

/* Once an ancestor rests on a newer state nobody goes back behind it. */
static void h15_older_tips_than_an_ancestors_are_refused(void)
{
	delegation d;
	tl_entry *revoked, *first, *direct, *back, *beside, *join;

	REQUIRE(delegation_open(&d));
	revoked = set_key(&d, d.keys, "phone", &d.phone, TL_KEY_REVOKED);
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK_VERIFIED(feed_one(&d.w, d.keys, revoked));
	first = by_team(&d, d.main, &d.laptop, "laptop", revoked, "k=1");
	CHECK_VERIFIED(feed_one(&d.w, d.main, first));
	direct = make_note(d.main, first, first, &d.a, "k=2");
	CHECK_VERIFIED(feed_one(&d.w, d.main, direct));
	back = by_team(&d, direct, &d.phone, "phone", d.keys, "k=back");
	CHECK_FATE(feed_one(&d.w, d.main, back), TL__FATE_INVALID, TL_E_INVALID_TIP);
	/* Beside the newer one it is legal; behind both it is not. */
	beside = by_team(&d, d.main, &d.phone, "phone", d.keys, "k=beside");
	CHECK_VERIFIED(feed_one(&d.w, d.main, beside));
	join = make(&(draft){.root = d.main,
		.parents = {beside, direct},
		.parent_count = 2,
		.notes = "k=join",
		.by = &d.phone,
		.steps = {"team", "phone"},
		.cited = {{d.keys}},
		.step_count = 2});
	CHECK_FATE(feed_one(&d.w, d.main, join), TL__FATE_INVALID, TL_E_INVALID_TIP);
	tl_entry_free(join);
	join = by_team(&d, beside, &d.phone, "phone", d.keys, "k=on");
	CHECK_VERIFIED(feed_one(&d.w, d.main, join));
	tl_entry_free(revoked);
	tl_entry_free(first);
	tl_entry_free(direct);
	tl_entry_free(back);
	tl_entry_free(beside);
	tl_entry_free(join);
	delegation_close(&d);
}

/* The same in one page, where the ancestor that cites is itself not good. */
static void citations_of_bad_ancestors_do_not_count(void)
{
	delegation d;
	tl_entry *later, *list[3];
	tl__ingest_result r;

	REQUIRE(delegation_open(&d));
	later = set_key(&d, d.keys, "tablet", &d.phone, TL_KEY_ACTIVE);
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK_VERIFIED(feed_one(&d.w, d.keys, later));
	list[0] = make(&(draft){.root = d.main,
		.parents = {d.main},
		.parent_count = 1,
		.notes = "k=forged",
		.by = &d.laptop,
		.forged = true,
		.steps = {"team", "laptop"},
		.cited = {{later}},
		.step_count = 2});
	list[1] = by_team(&d, list[0], &d.laptop, "laptop", d.keys, "k=1");
	list[2] = by_team(&d, list[1], &d.laptop, "laptop", later, "k=2");
	REQUIRE(feed_as(&d.w, d.main, list, 3, (feeding){.stranger = false}, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_VOID, TL_E_BAD_SIGNATURE);
	CHECK_FATE(r.fates[1], TL__FATE_VERIFIED, TL_OK);
	CHECK_FATE(r.fates[2], TL__FATE_VERIFIED, TL_OK);
	tl__ingest_result_free(&r);
	for (size_t i = 0; i < 3; i++)
		tl_entry_free(list[i]);
	tl_entry_free(later);
	delegation_close(&d);
}

/* What cites a forged state is not good; drawn in as void, it keeps that state fetchable. */
static void a_forged_tip_is_pinned_by_the_void_entry_that_cites_it(void)
{
	delegation d;
	signer x = signer_of(9);
	tl_entry *forged, *note, *honest, *junk;

	REQUIRE(delegation_open(&d));
	d.w.tree.limits.quarantine_entries = 2;
	forged = make(&(draft){
		.root = d.keys, .parents = {d.keys}, .parent_count = 1, .notes = "k=v", .by = &x});
	note = by_team(&d, d.main, &d.laptop, "laptop", forged, "k=1");
	honest = make_note(d.main, note, note, &d.a, "k=2");
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK_FATE(feed_one(&d.w, d.keys, forged), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_FATE(feed_one(&d.w, d.main, note), TL__FATE_INVALID, TL_E_INVALID_TIP);
	CHECK(!look_for(&d.w, d.keys, forged).pinned);
	CHECK_VERIFIED(feed_one(&d.w, d.main, honest));
	CHECK(is_where(&d.w, d.main, note, TL__VOID));
	CHECK(look_for(&d.w, d.keys, forged).pinned);
	for (size_t i = 0; i < 5; i++) {
		char text[16];

		snprintf(text, sizeof text, "j=%zu", i);
		junk = make_note(d.main, honest, NULL, &x, text);
		CHECK_FATE(feed_one(&d.w, d.main, junk), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
		tl_entry_free(junk);
	}
	CHECK(is_where(&d.w, d.keys, forged, TL__INVALID));
	CHECK(aside_count(&d.w, TL__INVALID, PEER) == 2);
	tl_entry_free(forged);
	tl_entry_free(note);
	tl_entry_free(honest);
	delegation_close(&d);
}

/* Through two databases; the narrower bound counts; each is waited for in turn. */
static void paths_lead_through_several_databases(void)
{
	delegation d;
	tl_entry *top, *note;

	REQUIRE(delegation_open(&d));
	top = make_main(&d, d.main, "{\"Admin\":0}");
	CHECK_VERIFIED(feed_one(&d.w, top, top));
	note = make(&(draft){.root = top,
		.parents = {top},
		.parent_count = 1,
		.notes = "k=v",
		.by = &d.laptop,
		.steps = {"team", "team", "laptop"},
		.cited = {{d.main}, {d.keys}},
		.step_count = 3});
	CHECK_FATE(feed_one(&d.w, top, note), TL__FATE_PENDING, TL_E_WAITS_FOR_DATABASE);
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	CHECK(is_where(&d.w, top, note, TL__VERIFIED));
	tl_entry_free(note);
	note = make(&(draft){.root = top,
		.parents = {top},
		.parent_count = 1,
		.raw_settings = "{\"children\":{}}",
		.by = &d.laptop,
		.steps = {"team", "team", "laptop"},
		.cited = {{d.main}, {d.keys}},
		.step_count = 3});
	CHECK_FATE(feed_one(&d.w, top, note), TL__FATE_INVALID, TL_E_INSUFFICIENT_PERMISSIONS);
	tl_entry_free(note);
	tl_entry_free(top);
	delegation_close(&d);
}

int main(void)
{
	RUN_EACH_WAY(a_delegated_key_writes);
	RUN_EACH_WAY(wrong_delegations_are_invalid);
	RUN_EACH_WAY(h16_longer_paths_are_declined);
	RUN_EACH_WAY(h15_a_missing_database_is_waited_for);
	RUN_EACH_WAY(h15_tips_are_of_the_database_named);
	RUN_EACH_WAY(h15_settings_at_the_tips_count);
	RUN_EACH_WAY(h15_older_tips_than_an_ancestors_are_refused);
	RUN_EACH_WAY(citations_of_bad_ancestors_do_not_count);
	RUN_EACH_WAY(a_forged_tip_is_pinned_by_the_void_entry_that_cites_it);
	RUN_EACH_WAY(paths_lead_through_several_databases);
	return spec_end();
}
