/* Bounds that a page of entries meets at their real size: ids told as missing, bytes of the
 * quarantine. */
#include "trust_fixture.h"

#define MANY (TL__INGEST_MAX_MISSING + 1)

static tl_entry *waiting_for_another(const tl_entry *root, size_t number, tl_entry **ghost)
{
	char text[32];
	signer a = signer_of(1);

	snprintf(text, sizeof text, "k=%zu", number);
	*ghost = make_note(root, root, NULL, &a, text);
	return *ghost ? make_note(root, *ghost, *ghost, &a, text) : NULL;
}

/* Each entry of a page waits for one of its own: all are kept, so many ids are told, and what was
 * not told comes with the next page. */
static void a_page_tells_so_many_missing_ids(void)
{
	static tl_entry *list[MANY], *ghosts[MANY];
	signer a = signer_of(1);
	tl_entry *root = make_root(&a, NULL);
	tl__ingest_result r;
	world w;

	REQUIRE(world_open(&w) && root);
	CHECK_VERIFIED(feed_one(&w, root, root));
	for (size_t i = 0; i < MANY; i++) {
		list[i] = waiting_for_another(root, i, &ghosts[i]);
		REQUIRE(list[i] && ghosts[i]);
	}
	REQUIRE(feed_as(&w, root, list, MANY, (feeding){0}, &r) == TL_OK);
	CHECK(r.missing_count == TL__INGEST_MAX_MISSING);
	tl__ingest_result_free(&r);
	CHECK(aside_count(&w, TL__PENDING, PEER) == MANY);
	/* All but one come: only that one is told now. */
	REQUIRE(feed_as(&w, root, ghosts + 1, MANY - 1, (feeding){0}, &r) == TL_OK);
	CHECK(r.missing_count == 0);
	tl__ingest_result_free(&r);
	REQUIRE(feed_as(&w, root, list, MANY, (feeding){0}, &r) == TL_OK);
	CHECK(r.missing_count == 1 &&
		memcmp(&r.missing[0], tl_entry_id(ghosts[0]), TL_ID_BYTES) == 0);
	tl__ingest_result_free(&r);
	CHECK(arrivals(&w, root) == 2 * MANY - 1);
	world_close(&w);
	for (size_t i = 0; i < MANY; i++) {
		tl_entry_free(list[i]);
		tl_entry_free(ghosts[i]);
	}
	tl_entry_free(root);
}

/* By a key that the database does not know. */
static tl_entry *bad_entry(const tl_entry *root, size_t number, size_t size)
{
	signer x = signer_of(9);
	char *note = tl__alloc(size + 32);
	tl_entry *entry = NULL;

	if (note) {
		int len = snprintf(note, 32, "%zu=", number);

		memset(note + len, 'x', size);
		note[(size_t)len + size] = 0;
		entry = make(&(draft){.root = root,
			.parents = {root},
			.parent_count = 1,
			.notes = note,
			.name = x.text,
			.by = &x});
	}
	tl__free(note);
	return entry;
}

/* Every entry is a little over a mebibyte, so that one less than their number fits. */
static void the_quarantine_holds_so_many_bytes(void)
{
	enum { SIZE = 1024 * 1024, FIT = TL__QUARANTINE_MAX_BYTES / SIZE - 1 };
	signer a = signer_of(1);
	tl_entry *root = make_root(&a, NULL), *bad[FIT + 1];
	world w;

	REQUIRE(world_open(&w) && root);
	CHECK_VERIFIED(feed_one(&w, root, root));
	for (size_t i = 0; i <= FIT; i++) {
		bad[i] = bad_entry(root, i, SIZE);
		REQUIRE(bad[i] != NULL);
		if (i == FIT) /* all of them until now */
			CHECK(is_where(&w, root, bad[0], TL__INVALID));
		CHECK(feed_one(&w, root, bad[i]).kind == TL__FATE_INVALID);
	}
	CHECK(aside_count(&w, TL__INVALID, PEER) == FIT);
	CHECK(!look_for(&w, root, bad[0]).found); /* the oldest is gone, and no other */
	CHECK(is_where(&w, root, bad[1], TL__INVALID));
	CHECK(is_where(&w, root, bad[FIT], TL__INVALID));
	world_close(&w);
	for (size_t i = 0; i <= FIT; i++)
		tl_entry_free(bad[i]);
	tl_entry_free(root);
}

int main(void)
{
	RUN(a_page_tells_so_many_missing_ids);
	RUN(the_quarantine_holds_so_many_bytes);
	return spec_end();
}
