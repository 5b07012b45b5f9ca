/* A database of ours, and exchanges with bob. */
#ifndef SPEC_SYNC_EXCHANGE_HELP_H
#define SPEC_SYNC_EXCHANGE_HELP_H

#include "sync/out/session.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"

static tl_database *db;
static tl_id root;

/* A database of ours with `count` entries, related with bob; the first pull is under way. */
static inline void relate_ours(size_t count)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	for (size_t i = 1; i < count; i++)
		(void)write_text(db, "data", "n", "x");
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

/* The same, and everything has been exchanged: bob holds what we hold. */
static inline void in_step(size_t count)
{
	id_list tips;

	relate_ours(count);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, count, NULL) == count);
	CHECK(tips_of(db, &tips) == 1);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, &root)->ack == count);
	CHECK(!tl__pair_dirty(pair_of(&bob, &root)));
}

static inline uint64_t arrivals(void)
{
	tl__sync_db *known = tl__sync_find_db(r.core, &root);

	return known ? known->arrivals : 0;
}

#endif
