/* What the specs of first contact and of addresses share. */
#ifndef SPEC_SYNC_CONTACT_HELP_H
#define SPEC_SYNC_CONTACT_HELP_H

#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"

/* A pair with bob whose pull waits for an answer. */
static inline tl_database *pull_under_way(void)
{
	tl_database *db = new_database("alice");

	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(db), NULL), TL_OK);
	CHECK(sends("/tidelock/v1/pull", HOME));
	return db;
}

#endif
