/* The quarantine and its bounds; verdicts of older rules; several threads; little memory. */
#include "tree_aside_help.h"

/* --- quarantine ------------------------------------------------------------------------------- */

/* Notes by a key that the database does not know. */
static void feed_bad(chain *c, size_t first, size_t count, tl_str sender, tl_entry **keep)
{
	signer x = signer_of(9);
	tl_entry *list[1000];
	char note[32];

	for (size_t done = 0; done < count;) {
		size_t n = count - done < 1000 ? count - done : 1000;
		tl__ingest_result r;

		for (size_t i = 0; i < n; i++) {
			snprintf(note, sizeof note, "x=%zu", first + done + i);
			list[i] = make(&(draft){.root = c->at[0],
				.parents = {c->at[0]},
				.parent_count = 1,
				.notes = note,
				.name = x.text,
				.by = &x});
		}
		if (feed_as(&c->w, c->at[0], list, n, (feeding){.sender = sender}, &r) == TL_OK) {
			for (size_t i = 0; i < n; i++)
				CHECK(r.fates[i].kind == TL__FATE_INVALID ||
					r.fates[i].code == TL_E_SET_ASIDE_FULL);
			tl__ingest_result_free(&r);
		}
		for (size_t i = 0; i < n; i++) {
			if (keep)
				keep[done + i] = tl_entry_retain(list[i]);
			tl_entry_free(list[i]);
		}
		done += n;
	}
}

static void the_quarantine_is_bounded(void)
{
	chain c;
	size_t over = 20, count = TL__QUARANTINE_MAX_ENTRIES + over;
	tl_entry **bad = tl__alloc_zero(count, sizeof(tl_entry *));

	REQUIRE(chain_open(&c, 1) && bad);
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	feed_bad(&c, 0, count, PEER, bad);
	CHECK(aside_count(&c.w, TL__INVALID, PEER) == TL__QUARANTINE_MAX_ENTRIES);
	/* The oldest are gone; gone is unknown, and judged anew. */
	CHECK(!look_for(&c.w, c.at[0], bad[0]).found);
	CHECK(is_where(&c.w, c.at[0], bad[count - 1], TL__INVALID));
	CHECK_FATE(feed_one(&c.w, c.at[0], bad[0]), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK(is_where(&c.w, c.at[0], bad[0], TL__INVALID));
	for (size_t i = 0; i < count; i++)
		tl_entry_free(bad[i]);
	tl__free(bad);
	chain_close(&c);
}

static void bytes_of_the_quarantine_are_bounded(void)
{
	chain c;
	tl_entry *bad[3];

	REQUIRE(chain_open(&c, 1));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	feed_bad(&c, 0, 1, PEER, bad);
	c.w.tree.limits.quarantine_bytes = 2 * tl_entry_bytes(bad[0]).len;
	feed_bad(&c, 1, 2, PEER, bad + 1);
	CHECK(!look_for(&c.w, c.at[0], bad[0]).found);
	CHECK(is_where(&c.w, c.at[0], bad[1], TL__INVALID));
	CHECK(is_where(&c.w, c.at[0], bad[2], TL__INVALID));
	for (size_t i = 0; i < 3; i++)
		tl_entry_free(bad[i]);
	chain_close(&c);
}

/* Who floods it loses its own. */
static void shares_of_the_quarantine_are_fair(void)
{
	chain c;
	tl_entry *few[3];

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.quarantine_entries = 10;
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	feed_bad(&c, 0, 3, OTHER, few);
	feed_bad(&c, 100, 200, PEER, NULL);
	for (size_t i = 0; i < 3; i++) {
		CHECK(is_where(&c.w, c.at[0], few[i], TL__INVALID));
		tl_entry_free(few[i]);
	}
	CHECK(aside_count(&c.w, TL__INVALID, PEER) == 7);
	chain_close(&c);
}

/* One cache for all databases. */
static void the_quarantine_is_shared_by_databases(void)
{
	chain c, second;
	tl_entry *bad[2], *root;

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.quarantine_entries = 3;
	root = make_root(&c.a, "second");
	second = c;
	second.at = &root;
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK_VERIFIED(feed_one(&c.w, root, root));
	feed_bad(&c, 0, 2, PEER, bad);
	feed_bad(&second, 0, 2, PEER, NULL);
	CHECK(!look_for(&c.w, c.at[0], bad[0]).found);
	CHECK(is_where(&c.w, c.at[0], bad[1], TL__INVALID));
	CHECK(aside_count(&c.w, TL__INVALID, PEER) == 3);
	tl_entry_free(bad[0]);
	tl_entry_free(bad[1]);
	tl_entry_free(root);
	chain_close(&c);
}

static size_t listings;
static const tl__backend *listed_backend;

static int count_listing(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t sequence,
	size_t limit, unsigned with, tl__aside_visit visit, void *ud)
{
	listings += limit > 1; /* whether there is one may be asked */
	return listed_backend->reads.aside->aside_list(
		s, db, verdict, sequence, limit, with, visit, ud);
}

/* Of a full quarantine, beside pending entries: nothing is listed for a page, and what is at hand
 * is what the rows say. */
static void a_full_quarantine_is_not_read_for_a_page(void)
{
	chain c;
	tl_entry *bad[1], *waits, *ghost;
	tl__aside_reads reads;
	tl__backend counting;
	uint64_t bytes = 0;

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.quarantine_entries = 10;
	ghost = make_note(c.at[0], c.at[0], NULL, &c.a, "g=1");
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	feed_bad(&c, 0, 1, PEER, bad);
	waits = make(&(draft){
		.root = c.at[0], .parents = {bad[0], ghost}, .parent_count = 2, .by = &c.a});
	CHECK_FATE(feed_one(&c.w, c.at[0], waits), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	feed_bad(&c, 100, 20, PEER, NULL);
	listed_backend = c.w.tree.store->backend;
	counting = *listed_backend;
	reads = *counting.reads.aside;
	reads.aside_list = count_listing;
	counting.reads.aside = &reads;
	c.w.tree.store->backend = &counting;
	listings = 0;
	feed_bad(&c, 200, 20, PEER, NULL);
	feed_bad(&c, 300, 3, OTHER, NULL);
	CHECK(listings == 0);
	c.w.tree.store->backend = listed_backend;
	CHECK(aside_count(&c.w, TL__INVALID, PEER) + aside_count(&c.w, TL__INVALID, OTHER) == 10);
	CHECK(c.w.tree.quarantine->count == 10);
	for (const tl__share *at = c.w.tree.quarantine->shares; at; at = at->next)
		bytes += at->bytes;
	CHECK(bytes == c.w.tree.quarantine->bytes && bytes > 0);
	CHECK(is_where(&c.w, c.at[0], bad[0], TL__INVALID));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], ghost));
	CHECK(c.w.tree.quarantine->count == 9); /* it is void now */
	tl_entry_free(bad[0]);
	tl_entry_free(waits);
	tl_entry_free(ghost);
	chain_close(&c);
}

/* A pending entry keeps what it names, whatever else comes. */
static void what_pending_entries_name_stays(void)
{
	chain c;
	tl_entry *bad[1], *waits, *ghost;

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.quarantine_entries = 5;
	ghost = make_note(c.at[0], c.at[0], NULL, &c.a, "g=1");
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	feed_bad(&c, 0, 1, PEER, bad);
	waits = make(&(draft){.root = c.at[0],
		.parents = {bad[0], ghost},
		.parent_count = 2,
		.notes = "k=v",
		.by = &c.a});
	CHECK_FATE(feed_one(&c.w, c.at[0], waits), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	feed_bad(&c, 100, 50, PEER, NULL);
	CHECK(aside_count(&c.w, TL__INVALID, PEER) == 5);
	CHECK(is_where(&c.w, c.at[0], bad[0], TL__INVALID));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], ghost));
	CHECK(is_where(&c.w, c.at[0], waits, TL__VERIFIED));
	CHECK(is_where(&c.w, c.at[0], bad[0], TL__VOID));
	tl_entry_free(bad[0]);
	tl_entry_free(waits);
	tl_entry_free(ghost);
	chain_close(&c);
}

/* Everything there is pinned: the newcomer is declined, and its bytes not kept. */
static void a_pinned_quarantine_takes_no_more(void)
{
	chain c;
	tl_entry *bad[2], *waits, *ghost, *child;
	tl__ingest_result r;
	tl_entry *list[2];

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.quarantine_entries = 1;
	ghost = make_note(c.at[0], c.at[0], NULL, &c.a, "g=1");
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	feed_bad(&c, 0, 1, PEER, bad);
	waits = make(&(draft){
		.root = c.at[0], .parents = {bad[0], ghost}, .parent_count = 2, .by = &c.a});
	CHECK_FATE(feed_one(&c.w, c.at[0], waits), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	child = make_note(c.at[0], bad[0], NULL, &(signer){.text = "x"}, "k=v");
	list[0] = child;
	REQUIRE(feed_as(&c.w, c.at[0], list, 1, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_DECLINED, TL_E_SET_ASIDE_FULL);
	tl__ingest_result_free(&r);
	CHECK(!look_for(&c.w, c.at[0], child).found);
	CHECK(is_where(&c.w, c.at[0], bad[0], TL__INVALID));
	tl_entry_free(bad[0]);
	tl_entry_free(waits);
	tl_entry_free(ghost);
	tl_entry_free(child);
	chain_close(&c);
}

/* A parent of a quarantined entry was evicted: what stands on both waits for it again. */
static void an_evicted_ancestor_is_asked_for_again(void)
{
	chain c;
	signer x = signer_of(9);
	tl_entry *first, *second, *good;
	tl__ingest_result r;

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.quarantine_entries = 1;
	first = make_note(c.at[0], c.at[0], NULL, &x, "k=1");
	second = make_note(c.at[0], first, first, &x, "k=2");
	good = make_note(c.at[0], second, second, &c.a, "k=3");
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK_FATE(feed_one(&c.w, c.at[0], first), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	REQUIRE(feed_as(&c.w, c.at[0], &second, 1, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK(r.evicted == 1);
	tl__ingest_result_free(&r);
	CHECK(!look_for(&c.w, c.at[0], first).found);
	REQUIRE(feed_as(&c.w, c.at[0], &good, 1, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK(missing_is(&r, first));
	tl__ingest_result_free(&r);
	CHECK_FATE(feed_one(&c.w, c.at[0], first), TL__FATE_VOID, TL_E_KEY_NOT_FOUND);
	CHECK(is_where(&c.w, c.at[0], second, TL__VOID));
	CHECK(is_where(&c.w, c.at[0], good, TL__VERIFIED));
	CHECK(look_for(&c.w, c.at[0], good).arrival == 4);
	tl_entry_free(first);
	tl_entry_free(second);
	tl_entry_free(good);
	chain_close(&c);
}

/* --- resuming --------------------------------------------------------------------------------- */

/* A verdict of older rules is taken again. */
static void verdicts_of_older_rules_are_taken_again(void)
{
	chain c;
	tl__put_aside row = {.verdict = TL__INVALID,
		.sender = PEER,
		.related = true,
		.reason = TL_E_BAD_SIGNATURE,
		.rules = TL__RULES_VERSION - 1};
	tl__batch batch = {.asides = &row, .aside_count = 1};

	REQUIRE(chain_open(&c, 3));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	batch.db = *tl_entry_id(c.at[0]);
	for (size_t i = 2; i > 0; i--) {
		row.id = *tl_entry_id(c.at[i]);
		row.bytes = tl_entry_bytes(c.at[i]);
		REQUIRE(tl__store_write(c.w.store, &batch) == TL_OK);
	}
	CHECK(is_where(&c.w, c.at[0], c.at[2], TL__INVALID));
	atomic_store(&c.w.tree.resumed, false); /* as when the node begins */
	CHECK_FATE(feed_one(&c.w, c.at[0], c.at[0]), TL__FATE_KNOWN, TL_OK);
	CHECK(is_where(&c.w, c.at[0], c.at[2], TL__VERIFIED));
	CHECK(arrivals(&c.w, c.at[0]) == 3);
	chain_close(&c);
}

/* --- several at once -------------------------------------------------------------------------- */

typedef struct worker {
	chain *c;
	size_t step;
	int code;
} worker;

static void *feed_in_steps(void *ud)
{
	worker *k = ud;
	chain *c = k->c;

	for (size_t i = 0; i < c->count && k->code == TL_OK; i++) {
		size_t at = i * k->step % c->count;
		tl__ingest_result r;

		k->code = feed_as(&c->w, c->at[0], &c->at[at], c->count - at < 3 ? 1 : 3,
			(feeding){.sender = k->step == 1 ? PEER : OTHER}, &r);
		if (k->code == TL_OK)
			tl__ingest_result_free(&r);
	}
	return NULL;
}

static void several_threads_feed_one_database(void)
{
	chain c;
	worker workers[3];
	pthread_t threads[3];

	REQUIRE(chain_open(&c, 101));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	for (size_t i = 0; i < 3; i++) {
		workers[i] = (worker){&c, i * 36 + 1, TL_OK};
		REQUIRE(pthread_create(&threads[i], NULL, feed_in_steps, &workers[i]) == 0);
	}
	for (size_t i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		CHECK(workers[i].code == TL_OK);
	}
	CHECK(arrivals(&c.w, c.at[0]) == c.count);
	for (size_t i = 0; i < c.count; i++)
		CHECK(look_for(&c.w, c.at[0], c.at[i]).arrival == i + 1);
	chain_close(&c);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* The n-th allocation fails: the page is written wholly or not at all. */
static void memory_that_runs_out_loses_nothing(void)
{
	bool done = false;

	for (size_t n = 1; !done && n < 20000; n += n < 100 ? 1 : 11) {
		chain c;
		signer x = signer_of(9);
		tl_entry *list[5];
		tl__ingest_result r;
		uint64_t after;
		int code;

		REQUIRE(chain_open(&c, 3));
		list[0] = make_note(c.at[0], c.at[1], c.at[1], &x, "k=x");
		list[1] = make_note(c.at[0], list[0], list[0], &c.a, "k=y");
		list[2] = c.at[2];
		list[3] = c.at[1];
		list[4] = c.at[0];
		(void)tl__alloc_fail_at(n);
		code = feed_as(&c.w, c.at[0], list, 5, RELATED, &r);
		done = !tl__alloc_fail_at(0);
		after = arrivals(&c.w, c.at[0]);
		CHECK(after == 0 || after == 5);
		CHECK(code == TL_OK ? after == 5 : code == TL_E_NOMEM);
		if (code == TL_OK)
			tl__ingest_result_free(&r);
		/* And it goes well when it comes again. */
		REQUIRE(feed_as(&c.w, c.at[0], list, 5, RELATED, &r) == TL_OK);
		tl__ingest_result_free(&r);
		CHECK(arrivals(&c.w, c.at[0]) == 5 && is_where(&c.w, c.at[0], list[0], TL__VOID));
		tl_entry_free(list[0]);
		tl_entry_free(list[1]);
		chain_close(&c);
	}
	CHECK(done);
}

int main(void)
{
	RUN(the_quarantine_is_bounded);
	RUN_EACH_WAY(bytes_of_the_quarantine_are_bounded);
	RUN_EACH_WAY(shares_of_the_quarantine_are_fair);
	RUN_EACH_WAY(the_quarantine_is_shared_by_databases);
	RUN_EACH_WAY(what_pending_entries_name_stays);
	RUN_EACH_WAY(a_pinned_quarantine_takes_no_more);
	RUN_EACH_WAY(a_full_quarantine_is_not_read_for_a_page);
	RUN_EACH_WAY(an_evicted_ancestor_is_asked_for_again);
	RUN_EACH_WAY(verdicts_of_older_rules_are_taken_again);
	RUN_EACH_WAY(several_threads_feed_one_database);
	RUN(memory_that_runs_out_loses_nothing);
	return spec_end();
}
