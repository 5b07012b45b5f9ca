/* Verdicts: every kind, every limit, and the holes of 0.2.0 that are closed on receipt. */
#include "trust_fixture.h"

static void a_good_entry_is_verified_and_visible(void)
{
	world w;
	signer a = signer_of(1);
	tl_entry *root = make_root(&a, NULL), *note = make_note(root, root, NULL, &a, "k=v");

	REQUIRE(world_open(&w));
	CHECK_VERIFIED(feed_one(&w, root, root));
	CHECK_VERIFIED(feed_one(&w, root, note));
	CHECK(note_is(&w, root, "k", "v"));
	CHECK(arrivals(&w, root) == 2);
	CHECK_FATE(feed_one(&w, root, note), TL__FATE_KNOWN, TL_OK);
	CHECK(arrivals(&w, root) == 2);
	world_close(&w);
	tl_entry_release(root);
	tl_entry_release(note);
}

int main(void)
{
	RUN(a_good_entry_is_verified_and_visible);
	return spec_end();
}
