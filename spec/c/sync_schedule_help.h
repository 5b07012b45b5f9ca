/* A database of ours kept in step with bob, and attempts that fail. */
#ifndef SPEC_SYNC_SCHEDULE_HELP_H
#define SPEC_SYNC_SCHEDULE_HELP_H

#include "base/json/json.h"
#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"

static tl_database *db;
static tl_id root;

static inline void relate(const party *with, const char *host_port)
{
	if (!db) {
		db = new_database("alice");
		root = *tl_database_root_id(db);
	}
	meet(with, host_port);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &with->key, &root, NULL), TL_OK);
}

static inline void done(void)
{
	tl_database_free(db);
	db = NULL;
}

static inline tl__pair *pair(void)
{
	return pair_of(&bob, &root);
}

static inline void tick(void)
{
	tl__sync_event event = {.kind = TL__SYNC_TIMER};

	rig_event(&event);
}

/* Bob holds what we hold. */
static inline void in_step(void)
{
	relate(&bob, HOME);
	answer_page(&bob, &(page_answer){.n = 0});
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL);
	CHECK(r.send_count == 0 && !tl__pair_dirty(pair()));
	rig_pass(50);
}

/* Fails everything that is sent until nothing is sent any more for `ms`. */
static inline void fail_all(uint64_t ms)
{
	for (uint64_t left = ms; left > 0; left -= left > 100 ? 100 : left) {
		while (r.send_count > 0)
			answer_failure(TL_E_CONNECTION_FAILED);
		rig_pass(left > 100 ? 100 : left);
	}
	while (r.send_count > 0)
		answer_failure(TL_E_CONNECTION_FAILED);
}

/* Until the pair has given up. */
static inline void stall(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

	options.periodic_ms = TL_NEVER;
	options.connection_check_ms = TL_NEVER;
	CHECK_DONE(rig_command(command), TL_OK);
	relate(&bob, HOME);
	fail_all(700000);
	CHECK(pair()->stalled);
	CHECK(pair()->attempts == 10);
	CHECK(r.events[TL_EVENT_SYNC_STALLED] == 1);
}

#endif
