/* Delegation to oneself, and citing and cited databases that come at once or late. */
#include <pthread.h>
#include "trust_fixture.h"
#include "delegation_help.h"

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
	RUN_EACH_WAY(a_database_may_cite_itself);
	RUN_EACH_WAY(an_own_state_that_comes_late_is_waited_for);
	RUN_EACH_WAY(promotion_is_resumed_after_a_crash);
	RUN_EACH_WAY(citing_and_cited_come_at_once);
	RUN(memory_that_runs_out_changes_no_verdict);
	return spec_end();
}
