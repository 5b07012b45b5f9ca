/* Two peers on the virtual network: what a newcomer would see. */
#include "sim_help.h"

static void two_peers_meet_and_keep_step(void)
{
	tl__sim_peer *a = add_peer("p0"), *b = add_peer("p1");
	tl_id db = make_db(a, "notes");

	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	put(a, &db, "first", "by a");
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(b, &db, "first", "by a"));
	put(b, &db, "second", "by b");
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(a, &db, "second", "by b"));
}

int main(void)
{
	RUN_SIM(two_peers_meet_and_keep_step);
	return spec_end();
}
