/* Verdicts, and the holes of 0.2.0 (h1 to h29) that are closed on receipt. Holes that are not here
 * lie elsewhere: h1, h5, h7, h8 in wire and sync, h6, h20, h27 in engine, h18, h19 in what we
 * write. */
#include "trust_fixture.h"
#include "plain_help.h"

static void a_good_entry_is_verified_and_visible(void)
{
	plain p;

	REQUIRE(plain_open(&p));
	CHECK(note_is(&p.w, p.root, "k", "v"));
	CHECK(arrivals(&p.w, p.root) == 2);
	CHECK_FATE(feed_one(&p.w, p.root, p.note), TL__FATE_KNOWN, TL_OK);
	CHECK(arrivals(&p.w, p.root) == 2);
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.b)));
	CHECK(note_is(&p.w, p.root, "k", "w"));
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.c, .name = "carol")));
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.c, .name = "carol", .shown = p.c.text)));
	plain_close(&p);
}

static void permission_is_needed(void)
{
	plain p;
	tl_value *grant = tl_value_doc();

	REQUIRE(plain_open(&p) && grant);
	REQUIRE(put_key(grant, "eve", p.b.text, admin(0), TL_KEY_ACTIVE));
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.x, .name = "reader")), TL__FATE_INVALID,
		TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.x, .name = "gone")), TL__FATE_INVALID,
		TL_E_KEY_REVOKED);
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.b, .settings = grant)), TL__FATE_INVALID,
		TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.c, .name = "carol", .settings = grant)));
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.x, .name = "nobody")), TL__FATE_INVALID,
		TL_E_KEY_NOT_FOUND);
	CHECK(note_is(&p.w, p.root, "k", "w"));
	tl_value_free(grant);
	plain_close(&p);
}

static void signatures_are_checked(void)
{
	plain p;

	REQUIRE(plain_open(&p));
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.b, .forged = true)), TL__FATE_INVALID,
		TL_E_BAD_SIGNATURE);
	CHECK(note_is(&p.w, p.root, "k", "v"));
	CHECK(arrivals(&p.w, p.root) == 2);
	plain_close(&p);
}

static void a_root_is_judged_by_its_own_settings(void)
{
	world w;
	signer a = signer_of(1), x = signer_of(9);
	tl_value *settings = tl_value_doc();
	tl_entry *unsigned_root, *foreign, *writer, *bare;

	REQUIRE(world_open(&w) && settings);
	REQUIRE(put_key(settings, a.text, a.text, admin(0), TL_KEY_ACTIVE));
	REQUIRE(put_key(settings, x.text, x.text, writing(0), TL_KEY_ACTIVE));
	unsigned_root = make(&(draft){.settings = settings});
	foreign = make(&(draft){.settings = settings, .by = &a, .forged = true});
	writer = make(&(draft){.settings = settings, .by = &x});
	bare = make(&(draft){.notes = "k=v", .by = &a});
	CHECK_FATE(
		feed_one(&w, unsigned_root, unsigned_root), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_FATE(feed_one(&w, foreign, foreign), TL__FATE_INVALID, TL_E_BAD_SIGNATURE);
	CHECK_FATE(feed_one(&w, writer, writer), TL__FATE_INVALID, TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_FATE(feed_one(&w, bare, bare), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK(arrivals(&w, unsigned_root) == 0);
	tl_entry_free(unsigned_root);
	tl_entry_free(foreign);
	tl_entry_free(writer);
	tl_entry_free(bare);
	tl_value_free(settings);
	world_close(&w);
}

/* An honest writer built on a forged tip: the tip is kept, and says nothing. */
static void a_good_entry_draws_bad_ones_in_as_void(void)
{
	plain p;
	tl_value *grant = tl_value_doc();
	tl_entry *forged, *second, *honest;

	REQUIRE(plain_open(&p) && grant);
	REQUIRE(put_key(grant, p.x.text, p.x.text, admin(0), TL_KEY_ACTIVE));
	forged = make(NOTE_BY(&p, .by = &p.a, .forged = true, .settings = grant));
	second = make_note(p.root, forged, forged, &p.x, "k=x");
	honest = make_note(p.root, second, second, &p.b, "k=honest");
	CHECK_FATE(feed_one(&p.w, p.root, forged), TL__FATE_INVALID, TL_E_BAD_SIGNATURE);
	CHECK_FATE(feed_one(&p.w, p.root, second), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK(arrivals(&p.w, p.root) == 2);
	CHECK_VERIFIED(feed_one(&p.w, p.root, honest));
	CHECK(look_for(&p.w, p.root, forged).arrival == 3);
	CHECK(look_for(&p.w, p.root, second).arrival == 4);
	CHECK(look_for(&p.w, p.root, honest).arrival == 5);
	CHECK(is_where(&p.w, p.root, forged, TL__VOID));
	CHECK(is_where(&p.w, p.root, second, TL__VOID));
	CHECK(look_for(&p.w, p.root, honest).height == 4);
	CHECK(aside_count(&p.w, TL__INVALID, PEER) == 0);
	CHECK(note_is(&p.w, p.root, "k", "honest"));
	/* What the forged settings grant is not granted. */
	CHECK_FATE(fate_of(&p, &(draft){.root = p.root,
				       .parents = {honest},
				       .parent_count = 1,
				       .by = &p.x,
				       .notes = "k=evil"}),
		TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	tl_entry_free(forged);
	tl_entry_free(second);
	tl_entry_free(honest);
	tl_value_free(grant);
	plain_close(&p);
}

/* All of it in one page, last first: what stood on a bad settings entry is judged again. */
static void a_page_is_decided_in_order(void)
{
	plain p;
	tl_value *grant = tl_value_doc();
	tl_entry *list[5];
	tl__ingest_result r;
	const tl__fate_kind wanted[] = {TL__FATE_VERIFIED, TL__FATE_VERIFIED, TL__FATE_INVALID,
		TL__FATE_VOID, TL__FATE_VOID};

	REQUIRE(plain_open(&p) && grant);
	REQUIRE(put_key(grant, p.x.text, p.x.text, admin(0), TL_KEY_ACTIVE));
	list[4] = make(NOTE_BY(&p, .by = &p.a, .forged = true, .settings = grant));
	list[3] = make_note(p.root, list[4], list[4], &p.x, "k=x");
	list[2] = make_note(p.root, list[3], list[3], &p.x, "k=y");
	list[1] = make_note(p.root, list[3], list[3], &p.b, "k=honest");
	list[0] = make_note(p.root, list[1], list[1], &p.c, "other=carol");
	tl_entry_free(list[0]);
	list[0] = make(&(draft){.root = p.root,
		.parents = {list[1]},
		.parent_count = 1,
		.notes = "other=carol",
		.by = &p.c,
		.name = "carol"});
	REQUIRE(feed_as(&p.w, p.root, list, 5, (feeding){.stranger = false}, &r) == TL_OK);
	for (size_t i = 0; i < 5; i++)
		CHECK(r.fates[i].kind == wanted[i]);
	CHECK(r.entered == 4 && arrivals(&p.w, p.root) == 6);
	CHECK(r.fates[4].arrival == 3 && r.fates[3].arrival == 4 && r.fates[1].arrival == 5 &&
		r.fates[0].arrival == 6);
	CHECK(is_where(&p.w, p.root, list[2], TL__INVALID));
	CHECK(note_is(&p.w, p.root, "k", "honest") && note_is(&p.w, p.root, "other", "carol"));
	tl__ingest_result_free(&r);
	for (size_t i = 0; i < 5; i++)
		tl_entry_free(list[i]);
	tl_value_free(grant);
	plain_close(&p);
}

static void a_store_parent_carries_the_store(void)
{
	plain p;
	tl_entry *bare;

	REQUIRE(plain_open(&p));
	bare = make(&(draft){.root = p.root, .parents = {p.note}, .parent_count = 1, .by = &p.a});
	CHECK_VERIFIED(feed_one(&p.w, p.root, bare));
	CHECK_FATE(fate_of(&p, &(draft){.root = p.root,
				       .parents = {bare},
				       .parent_count = 1,
				       .notes = "k=w",
				       .notes_parents = {bare},
				       .notes_parent_count = 1,
				       .by = &p.a}),
		TL__FATE_INVALID, TL_E_BAD_ENTRY);
	/* Outside the main ancestry, and ancestors of each other, they are legal. */
	CHECK_VERIFIED(fate_of(&p, &(draft){.root = p.root,
					   .parents = {p.root},
					   .parent_count = 1,
					   .notes = "k=w",
					   .notes_parents = {p.note},
					   .notes_parent_count = 1,
					   .by = &p.a}));
	tl_entry_free(bare);
	plain_close(&p);
}

int main(void)
{
	RUN_EACH_WAY(a_good_entry_is_verified_and_visible);
	RUN_EACH_WAY(permission_is_needed);
	RUN_EACH_WAY(signatures_are_checked);
	RUN_EACH_WAY(a_root_is_judged_by_its_own_settings);
	RUN_EACH_WAY(a_good_entry_draws_bad_ones_in_as_void);
	RUN_EACH_WAY(a_page_is_decided_in_order);
	RUN_EACH_WAY(a_store_parent_carries_the_store);
	return spec_end();
}
