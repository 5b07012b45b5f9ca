/* Delegated keys: cited databases that are missing, late, revoked, older, forged. */
#include <pthread.h>
#include "trust_fixture.h"

/* `keys` belongs to k and has the keys laptop (Admin 5) and phone (Write 3). `main` belongs to a
 * and delegates to `keys` under the name team, at most Write(10). `top` delegates to `main`. */
typedef struct delegation {
	world w;
	signer a, k, laptop, phone;
	tl_entry *keys, *main;
} delegation;

static tl_entry *make_keys(const delegation *d)
{
	tl_value *settings = tl_value_doc();
	tl_entry *root = NULL;

	if (settings && put_key(settings, d->k.text, d->k.text, admin(0), TL_KEY_ACTIVE) &&
		put_key(settings, "laptop", d->laptop.text, admin(5), TL_KEY_ACTIVE) &&
		put_key(settings, "phone", d->phone.text, writing(3), TL_KEY_ACTIVE))
		root = make(&(draft){.settings = settings, .by = &d->k});
	tl_value_free(settings);
	return root;
}

static tl_entry *make_main(const delegation *d, const tl_entry *to, const char *max)
{
	tl_value *settings = tl_value_doc();
	tl_entry *root = NULL;

	if (settings && put_key(settings, d->a.text, d->a.text, admin(0), TL_KEY_ACTIVE) &&
		put_tree(settings, "team", to, max))
		root = make(&(draft){.settings = settings, .by = &d->a});
	tl_value_free(settings);
	return root;
}

static bool delegation_open(delegation *d)
{
	memset(d, 0, sizeof *d);
	d->a = signer_of(1);
	d->k = signer_of(2);
	d->laptop = signer_of(3);
	d->phone = signer_of(4);
	if (!world_open(&d->w))
		return false;
	d->keys = make_keys(d);
	d->main = d->keys ? make_main(d, d->keys, "{\"Write\":10}") : NULL;
	return d->main && feed_one(&d->w, d->main, d->main).kind == TL__FATE_VERIFIED;
}

static void delegation_close(delegation *d)
{
	world_close(&d->w);
	tl_entry_free(d->keys);
	tl_entry_free(d->main);
}

/* A note in main on `parent`, by a key of the team, citing a state of `keys`. */
static tl_entry *by_team(const delegation *d, const tl_entry *parent, const signer *by,
	const char *name, const tl_entry *cited, const char *note)
{
	return make(&(draft){.root = d->main,
		.parents = {parent},
		.parent_count = 1,
		.notes = note,
		.by = by,
		.steps = {"team", name},
		.cited = {{cited}},
		.step_count = 2});
}

/* A settings entry of `keys` on `parent` that sets one key record. */
static tl_entry *set_key(const delegation *d, const tl_entry *parent, const char *name,
	const signer *key, tl_key_status status)
{
	tl_value *settings = tl_value_doc();
	tl_entry *entry = NULL;

	if (settings && put_key(settings, name, key->text, writing(3), status))
		entry = make(&(draft){.root = d->keys,
			.parents = {parent},
			.parent_count = 1,
			.settings = settings,
			.settings_parents = {parent},
			.settings_parent_count = 1,
			.by = &d->k});
	tl_value_free(settings);
	return entry;
}

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

/* A database may delegate to itself; the cited state may come in the same page, even after. */
static void a_database_may_cite_itself(void)
{
	delegation d;
	tl_value *settings = tl_value_doc(), *grant = tl_value_doc();
	tl_entry *self, *list[3], *late;
	tl__ingest_result r;

	REQUIRE(delegation_open(&d) && settings && grant);
	self = make_root(&d.a, "self");
	REQUIRE(put_tree(settings, "me", self, "{\"Write\":1}"));
	list[2] = make(&(draft){.root = self,
		.parents = {self},
		.parent_count = 1,
		.settings = settings,
		.settings_parents = {self},
		.settings_parent_count = 1,
		.by = &d.a});
	REQUIRE(put_key(grant, "phone", d.phone.text, writing(0), TL_KEY_ACTIVE));
	list[1] = make(&(draft){.root = self,
		.parents = {list[2]},
		.parent_count = 1,
		.settings = grant,
		.settings_parents = {list[2]},
		.settings_parent_count = 1,
		.by = &d.a});
	list[0] = make(&(draft){.root = self,
		.parents = {list[2]},
		.parent_count = 1,
		.notes = "k=phone",
		.by = &d.phone,
		.steps = {"me", "phone"},
		.cited = {{list[1]}},
		.step_count = 2});
	late = make(&(draft){.root = self,
		.parents = {list[0]},
		.parent_count = 1,
		.notes = "k=late",
		.by = &d.phone,
		.steps = {"me", "phone"},
		.cited = {{list[2]}},
		.step_count = 2});
	CHECK_VERIFIED(feed_one(&d.w, self, self));
	CHECK_FATE(feed_one(&d.w, self, list[0]), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	REQUIRE(feed_as(&d.w, self, list, 3, (feeding){.stranger = false}, &r) == TL_OK);
	for (size_t i = 0; i < 3; i++)
		CHECK_FATE(r.fates[i], TL__FATE_VERIFIED, TL_OK);
	tl__ingest_result_free(&r);
	CHECK(note_is(&d.w, self, "k", "phone"));
	/* Behind its own citation it has no such key yet. */
	CHECK_FATE(feed_one(&d.w, self, late), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	for (size_t i = 0; i < 3; i++)
		tl_entry_free(list[i]);
	tl_entry_free(late);
	tl_entry_free(self);
	tl_value_free(settings);
	tl_value_free(grant);
	delegation_close(&d);
}

/* Waiting for a state of the own database that comes later. */
static void an_own_state_that_comes_late_is_waited_for(void)
{
	delegation d;
	tl_value *settings = tl_value_doc();
	tl_entry *self, *change, *later, *note;
	tl__ingest_result r;

	REQUIRE(delegation_open(&d) && settings);
	self = make_root(&d.a, "self");
	REQUIRE(put_tree(settings, "me", self, "{\"Write\":1}"));
	change = make(&(draft){.root = self,
		.parents = {self},
		.parent_count = 1,
		.settings = settings,
		.settings_parents = {self},
		.settings_parent_count = 1,
		.by = &d.a});
	later = make_note(self, change, NULL, &d.a, "k=1");
	note = make(&(draft){.root = self,
		.parents = {change},
		.parent_count = 1,
		.notes = "k=2",
		.by = &d.a,
		.steps = {"me", d.a.text},
		.cited = {{later}},
		.step_count = 2});
	CHECK_VERIFIED(feed_one(&d.w, self, self));
	CHECK_VERIFIED(feed_one(&d.w, self, change));
	REQUIRE(feed_as(&d.w, self, &note, 1, (feeding){.stranger = false}, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_DATABASE);
	CHECK(r.missing_count == 1 && r.missing_database_count == 0);
	tl__ingest_result_free(&r);
	CHECK_VERIFIED(feed_one(&d.w, self, later));
	CHECK(is_where(&d.w, self, note, TL__VERIFIED));
	tl_entry_free(self);
	tl_entry_free(change);
	tl_entry_free(later);
	tl_entry_free(note);
	tl_value_free(settings);
	delegation_close(&d);
}

/* A crash came after the cited database was written and before the ones that cite it. */
static void promotion_is_resumed_after_a_crash(void)
{
	delegation d;
	tl_entry *note;
	tl__put_aside row;
	tl__batch batch = {.asides = &row, .aside_count = 1};
	tl_id wait;

	REQUIRE(delegation_open(&d));
	CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
	note = by_team(&d, d.main, &d.laptop, "laptop", d.keys, "k=laptop");
	wait = *tl_entry_id(d.keys);
	row = (tl__put_aside){.id = *tl_entry_id(note),
		.bytes = tl_entry_bytes(note),
		.verdict = TL__PENDING,
		.sender = PEER,
		.reason = TL_E_WAITS_FOR_DATABASE,
		.rules = TL__RULES_VERSION,
		.waits_for = &wait,
		.waits_count = 1};
	batch.db = *tl_entry_id(d.main);
	REQUIRE(tl__store_write(d.w.store, &batch) == TL_OK);
	atomic_store(&d.w.tree.resumed, false); /* as after opening */
	CHECK_FATE(feed_one(&d.w, d.keys, d.keys), TL__FATE_KNOWN, TL_OK);
	CHECK(is_where(&d.w, d.main, note, TL__VERIFIED));
	tl_entry_free(note);
	delegation_close(&d);
}

/* --- at once ---------------------------------------------------------------------------------- */

typedef struct sender {
	delegation *d;
	const tl_entry *root;
	tl_entry *entry;
	tl__fate fate;
} sender;

static void *send_it(void *ud)
{
	sender *s = ud;

	s->fate = feed_one(&s->d->w, s->root, s->entry);
	return NULL;
}

/* Two threads bring the citing entry and the cited one: whoever is later sees the other. */
static void citing_and_cited_come_at_once(void)
{
	for (size_t i = 0; i < 40; i++) {
		delegation d;
		tl_entry *note;
		sender senders[2];
		pthread_t threads[2];

		REQUIRE(delegation_open(&d));
		note = by_team(&d, d.main, &d.laptop, "laptop", d.keys, "k=laptop");
		senders[0] = (sender){.d = &d, .root = d.main, .entry = note};
		senders[1] = (sender){.d = &d, .root = d.keys, .entry = d.keys};
		for (size_t k = 0; k < 2; k++)
			REQUIRE(pthread_create(&threads[k], NULL, send_it, &senders[k]) == 0);
		for (size_t k = 0; k < 2; k++)
			pthread_join(threads[k], NULL);
		CHECK_VERIFIED(senders[1].fate);
		CHECK(is_where(&d.w, d.main, note, TL__VERIFIED));
		tl_entry_free(note);
		delegation_close(&d);
	}
}

/* Every allocation fails once, while a citation's age is looked at. */
static void memory_that_runs_out_changes_no_verdict(void)
{
	bool done = false;

	for (size_t n = 1; !done && n < 20000; n += n < 300 ? 1 : 3) {
		delegation d;
		tl_entry *later, *list[2];
		tl__ingest_result r;
		int code;

		REQUIRE(delegation_open(&d));
		later = set_key(&d, d.keys, "tablet", &d.phone, TL_KEY_ACTIVE);
		list[0] = by_team(&d, d.main, &d.laptop, "laptop", later, "k=1");
		list[1] = by_team(&d, list[0], &d.laptop, "laptop", d.keys, "k=2");
		CHECK_VERIFIED(feed_one(&d.w, d.keys, d.keys));
		CHECK_VERIFIED(feed_one(&d.w, d.keys, later));
		(void)tl__alloc_fail_at(n);
		code = feed_as(&d.w, d.main, list, 2, (feeding){.stranger = false}, &r);
		done = !tl__alloc_fail_at(0);
		CHECK(code == TL_OK || code == TL_E_NOMEM);
		if (code == TL_OK)
			tl__ingest_result_free(&r);
		REQUIRE(feed_as(&d.w, d.main, list, 2, (feeding){.stranger = false}, &r) == TL_OK);
		CHECK_FATE(r.fates[1], TL__FATE_INVALID, TL_E_INVALID_TIP);
		tl__ingest_result_free(&r);
		CHECK(is_where(&d.w, d.main, list[0], TL__VERIFIED));
		tl_entry_free(list[0]);
		tl_entry_free(list[1]);
		tl_entry_free(later);
		delegation_close(&d);
	}
	CHECK(done);
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
	RUN_EACH_WAY(a_database_may_cite_itself);
	RUN_EACH_WAY(an_own_state_that_comes_late_is_waited_for);
	RUN_EACH_WAY(promotion_is_resumed_after_a_crash);
	RUN_EACH_WAY(citing_and_cited_come_at_once);
	RUN(memory_that_runs_out_changes_no_verdict);
	return spec_end();
}
