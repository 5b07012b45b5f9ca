/* What is kept outside the DAG: pending entries, their promotion, the quarantine and its bounds. */
#include "tree_aside_help.h"

/* --- pending ---------------------------------------------------------------------------------- */

static void an_entry_waits_for_what_it_names(void)
{
	chain c;
	tl__ingest_result r;

	REQUIRE(chain_open(&c, 6));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	REQUIRE(feed_as(&c.w, c.at[0], &c.at[3], 1, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK(missing_is(&r, c.at[2]));
	tl__ingest_result_free(&r);
	/* What the one it waits for lacks in turn is asked of this sender too. */
	REQUIRE(feed_as(&c.w, c.at[0], &c.at[4], 1, (feeding){.sender = OTHER}, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK(missing_is(&r, c.at[2]));
	tl__ingest_result_free(&r);
	/* And again when it is sent again. */
	REQUIRE(feed_as(&c.w, c.at[0], &c.at[4], 1, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK(missing_is(&r, c.at[2]));
	tl__ingest_result_free(&r);
	CHECK(arrivals(&c.w, c.at[0]) == 1);
	CHECK(is_where(&c.w, c.at[0], c.at[4], TL__PENDING));
	chain_close(&c);
}

static void promotion_goes_on_in_the_same_batch(void)
{
	chain c;
	tl__ingest_result r;

	REQUIRE(chain_open(&c, 6));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	for (size_t i = 5; i > 1; i--)
		CHECK_FATE(
			feed_one(&c.w, c.at[0], c.at[i]), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	REQUIRE(feed_as(&c.w, c.at[0], &c.at[1], 1, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_VERIFIED, TL_OK);
	CHECK(r.entered == 5 && r.missing_count == 0);
	tl__ingest_result_free(&r);
	for (size_t i = 0; i < 6; i++)
		CHECK(look_for(&c.w, c.at[0], c.at[i]).arrival == i + 1);
	CHECK(aside_count(&c.w, TL__PENDING, PEER) == 0);
	CHECK(note_is(&c.w, c.at[0], "k", "5"));
	chain_close(&c);
}

/* Promoted, judged, and not good: with what stands on it. */
static void promotion_may_end_in_quarantine(void)
{
	chain c;
	signer x = signer_of(9);
	tl_entry *bad, *child;

	REQUIRE(chain_open(&c, 2));
	bad = make_note(c.at[0], c.at[1], c.at[1], &x, "k=x");
	child = make_note(c.at[0], bad, bad, &x, "k=y");
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK_FATE(feed_one(&c.w, c.at[0], child), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK_FATE(feed_one(&c.w, c.at[0], bad), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[1]));
	CHECK(is_where(&c.w, c.at[0], bad, TL__INVALID));
	CHECK(is_where(&c.w, c.at[0], child, TL__INVALID));
	CHECK(arrivals(&c.w, c.at[0]) == 2);
	tl_entry_free(bad);
	tl_entry_free(child);
	chain_close(&c);
}

/* One line twice in a page; an entry that waits for two. */
static void repeated_lines_and_two_waits(void)
{
	chain c;
	tl_entry *join, *side, *list[3];
	tl__ingest_result r;

	REQUIRE(chain_open(&c, 3));
	side = make_note(c.at[0], c.at[0], NULL, &c.a, "s=1");
	join = make(&(draft){.root = c.at[0],
		.parents = {c.at[2], side},
		.parent_count = 2,
		.notes = "k=join",
		.notes_parents = {c.at[2], side},
		.notes_parent_count = 2,
		.by = &c.a});
	list[0] = join;
	list[1] = c.at[0];
	list[2] = join;
	REQUIRE(feed_as(&c.w, c.at[0], list, 3, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK_FATE(r.fates[1], TL__FATE_VERIFIED, TL_OK);
	CHECK_FATE(r.fates[2], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK(r.missing_count == 2);
	tl__ingest_result_free(&r);
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], side));
	CHECK(is_where(&c.w, c.at[0], join, TL__PENDING));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[1]));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[2]));
	CHECK(is_where(&c.w, c.at[0], join, TL__VERIFIED));
	CHECK(note_is(&c.w, c.at[0], "k", "join"));
	tl_entry_free(join);
	tl_entry_free(side);
	chain_close(&c);
}

/* Entries of other databases are never parents, even when we hold them. */
static void a_parent_of_another_database_is_missing(void)
{
	chain c;
	signer x = signer_of(9);
	tl_entry *other = make_root(&x, NULL), *entry, *list[2];
	tl__ingest_result r;

	REQUIRE(chain_open(&c, 2));
	entry = make_note(c.at[0], other, NULL, &c.a, "k=v");
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK_VERIFIED(feed_one(&c.w, other, other));
	CHECK_FATE(feed_one(&c.w, c.at[0], entry), TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	/* A foreign line is declined, and so is what stands on it. */
	tl_entry_free(entry);
	entry = make_note(c.at[0], other, NULL, &c.a, "k=w");
	list[0] = entry;
	list[1] = other;
	REQUIRE(feed_as(&c.w, c.at[0], list, 2, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_DECLINED, TL_E_PARENT_DECLINED);
	CHECK_FATE(r.fates[1], TL__FATE_DECLINED, TL_E_FOREIGN_ENTRY);
	tl__ingest_result_free(&r);
	tl_entry_free(entry);
	tl_entry_free(other);
	chain_close(&c);
}

static void locals_are_written_with_the_page(void)
{
	chain c;
	tl_str line;
	tl__put_local cursor = {TL__STR("cursor/x"), TL__STR("{\"n\":1}")};
	tl__ingest_page page = {.lines = &line,
		.count = 1,
		.sender = PEER,
		.related = true,
		.accept_unknown = true,
		.locals = &cursor,
		.local_count = 1};
	tl__ingest_result r;
	char *value = NULL;
	size_t len = 0;

	REQUIRE(chain_open(&c, 1));
	page.db = *tl_entry_id(c.at[0]);
	line = TL__STR("junk");
	CHECK_OK(tl__ingest(&c.w.tree, &page, &r));
	CHECK_FATE(r.fates[0], TL__FATE_DECLINED, TL_E_BAD_JSON);
	tl__ingest_result_free(&r);
	CHECK_OK(tl__read_local(c.w.store, TL__STR("cursor/x"), &value, &len));
	CHECK(len == 7);
	tl__free(value);
	chain_close(&c);
}

/* --- bounds of pending ------------------------------------------------------------------------ */

/* Entries that wait for one that never comes; distinct by number. */
static tl_entry *make_waiting(const chain *c, const tl_entry *ghost, size_t number, size_t size)
{
	char *note = tl__alloc(size + 32);
	tl_entry *entry = NULL;

	if (note) {
		int len = snprintf(note, 32, "%zu=", number);

		memset(note + len, 'x', size);
		note[(size_t)len + size] = 0;
		entry = make(&(draft){
			.root = c->at[0], .parents = {ghost}, .parent_count = 1, .notes = note});
	}
	tl__free(note);
	return entry;
}

/* How many of `count` entries were set aside; the others are declined. */
static size_t feed_waiting(chain *c, size_t first, size_t count, size_t size, feeding how)
{
	tl_entry *ghost = make_root(&c->a, "ghost"), *list[1000];
	size_t kept = 0;

	for (size_t done = 0; done < count;) {
		size_t n = count - done < 1000 ? count - done : 1000;
		tl__ingest_result r;

		for (size_t i = 0; i < n; i++)
			list[i] = make_waiting(c, ghost, first + done + i, size);
		if (feed_as(&c->w, c->at[0], list, n, how, &r) == TL_OK) {
			for (size_t i = 0; i < n; i++) {
				kept += r.fates[i].kind == TL__FATE_PENDING;
				CHECK(r.fates[i].kind == TL__FATE_PENDING ||
					r.fates[i].code == TL_E_SET_ASIDE_FULL);
			}
			tl__ingest_result_free(&r);
		}
		for (size_t i = 0; i < n; i++)
			tl_entry_free(list[i]);
		done += n;
	}
	tl_entry_free(ghost);
	return kept;
}

static void pending_entries_of_a_sender_are_bounded(void)
{
	chain c;

	REQUIRE(chain_open(&c, 1));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK(feed_waiting(&c, 0, TL__PENDING_MAX_ENTRIES + 50, 1, RELATED) ==
		TL__PENDING_MAX_ENTRIES);
	CHECK(aside_count(&c.w, TL__PENDING, PEER) == TL__PENDING_MAX_ENTRIES);
	/* Another sender has room of its own. */
	CHECK(feed_waiting(&c, 20000, 10, 1, (feeding){.sender = OTHER}) == 10);
	chain_close(&c);
}

static void pending_bytes_of_a_sender_are_bounded(void)
{
	chain c;
	size_t size = 1024 * 1024, fit = TL__PENDING_MAX_BYTES / size - 1;

	REQUIRE(chain_open(&c, 1));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK(feed_waiting(&c, 0, fit + 5, size, RELATED) == fit);
	/* A small one still fits. */
	CHECK(feed_waiting(&c, 500, 1, 1, RELATED) == 1);
	chain_close(&c);
}

static void strangers_share_their_room(void)
{
	chain c;
	size_t size = 1024 * 1024, half = TL__PENDING_MAX_STRANGER_BYTES / size / 2;

	REQUIRE(chain_open(&c, 1));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK(feed_waiting(&c, 0, half, size, (feeding){.sender = NOBODY, .stranger = true}) ==
		half);
	CHECK(feed_waiting(&c, 500, half + 5, size,
		      (feeding){.sender = TL__STR("anonymous:10.0.0.2"), .stranger = true}) ==
		half - 1);
	/* Who has a relation is not touched by that. */
	CHECK(feed_waiting(&c, 1000, 3, size, RELATED) == 3);
	chain_close(&c);
}

static void options_set_the_bounds(void)
{
	chain c;

	REQUIRE(chain_open(&c, 1));
	c.w.tree.limits.pending_entries = 7;
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	CHECK(feed_waiting(&c, 0, 9, 1, RELATED) == 7);
	c.w.tree.limits.pending_entries = 0;
	c.w.tree.limits.pending_bytes = 1;
	CHECK(feed_waiting(&c, 20, 1, 1, RELATED) == 0);
	chain_close(&c);
}

/* When there is no room for a parent its child is not kept either. */
static void children_of_declined_ones_are_declined(void)
{
	chain c;
	tl__ingest_result r;

	REQUIRE(chain_open(&c, 5));
	CHECK_VERIFIED(feed_one(&c.w, c.at[0], c.at[0]));
	c.w.tree.limits.pending_entries = 1;
	REQUIRE(feed_as(&c.w, c.at[0], &c.at[2], 3, RELATED, &r) == TL_OK);
	CHECK_FATE(r.fates[0], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	CHECK_FATE(r.fates[1], TL__FATE_DECLINED, TL_E_SET_ASIDE_FULL);
	CHECK_FATE(r.fates[2], TL__FATE_DECLINED, TL_E_PARENT_DECLINED);
	tl__ingest_result_free(&r);
	chain_close(&c);
}

int main(void)
{
	RUN_EACH_WAY(an_entry_waits_for_what_it_names);
	RUN_EACH_WAY(promotion_goes_on_in_the_same_batch);
	RUN_EACH_WAY(promotion_may_end_in_quarantine);
	RUN_EACH_WAY(repeated_lines_and_two_waits);
	RUN_EACH_WAY(a_parent_of_another_database_is_missing);
	RUN_EACH_WAY(locals_are_written_with_the_page);
	RUN(pending_entries_of_a_sender_are_bounded);
	RUN(pending_bytes_of_a_sender_are_bounded);
	RUN(strangers_share_their_room);
	RUN_EACH_WAY(options_set_the_bounds);
	RUN_EACH_WAY(children_of_declined_ones_are_declined);
	return spec_end();
}
