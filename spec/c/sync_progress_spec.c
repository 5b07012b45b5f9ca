/* What an exchange that runs says of itself: done and to do, in the status and as an event a
 * second. */
#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"

static tl_id root;

/* Bob's database, of which he has given the first entries and says how many are left. */
static void half_given(remote *from)
{
	make_remote(from, 10);
	root = from->id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	r.left = 6;
	answer_page(&bob, &(page_answer){.n = 4, .more = true, .from = from, .count = 4});
	REQUIRE(sends("/tidelock/v1/pull", NULL));
}

/* A number that stands behind this member's name; UINT64_MAX: null, or it is not there. */
static uint64_t member(const char *name)
{
	tl__buf out = TL__BUF_INIT;
	uint64_t value = UINT64_MAX;
	char *at;

	tl__pair_put_progress(&out, pair_of(&bob, &root));
	tl__buf_byte(&out, 0);
	at = tl__buf_status(&out) == TL_OK ? strstr(out.ptr, name) : NULL;
	if (at && at[strlen(name)] != 'n')
		value = strtoull(at + strlen(name), NULL, 10);
	tl__buf_free(&out);
	return value;
}

static void done_and_to_do_are_told(void)
{
	uint64_t bytes, left;
	remote from;

	half_given(&from);
	CHECK(member("\"entries\":") == 4 && member("\"left\":") == 6);
	bytes = member("\"bytes\":");
	left = member("\"left_bytes\":");
	CHECK(bytes > 0 && left >= bytes / 4 * 6 && left <= bytes / 4 * 6 + 6);
	r.left = 0;
	answer_page(&bob, &(page_answer){.n = 10,
				  .from = &from,
				  .first = 4,
				  .count = 6,
				  .tips = &from.id[9],
				  .tip_count = 1});
	CHECK(r.send_count == 0 && !pair_of(&bob, &root)->session);
	CHECK(member("\"entries\":") == 10 && member("\"left\":") == 0);
	CHECK(member("\"left_bytes\":") == 0 && member("\"to_send\":") == 0);
	free_remote(&from);
}

/* Nothing is made up. */
static void what_is_not_known_is_null(void)
{
	remote from;

	make_remote(&from, 3);
	root = from.id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	CHECK(pair_of(&bob, &root)->session != NULL);
	CHECK(member("\"left\":") == UINT64_MAX && member("\"left_bytes\":") == UINT64_MAX);
	CHECK(member("\"entries\":") == 0);
	free_remote(&from);
}

static void one_that_runs_tells_it_each_second(void)
{
	remote from;

	half_given(&from);
	CHECK(r.events[TL_EVENT_SYNC_PROGRESS] == 0);
	rig_pass(900);
	CHECK(r.events[TL_EVENT_SYNC_PROGRESS] == 0);
	rig_pass(3000);
	CHECK(r.events[TL_EVENT_SYNC_PROGRESS] == 3);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &root, NULL), TL_OK);
	rig_pass(5000);
	CHECK(r.events[TL_EVENT_SYNC_PROGRESS] == 3);
	free_remote(&from);
}

static void what_is_to_be_sent_is_told_in_bytes_too(void)
{
	tl_database *db = new_database("alice");
	tl__pair *pair;

	root = *tl_database_root_id(db);
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	pair = pair_of(&bob, &root);
	CHECK(member("\"to_send\":") == 1);
	CHECK(member("\"to_send_bytes\":") == UINT64_MAX); /* nothing moved yet */
	answer_page(&bob, &(page_answer){.n = 0});
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL);
	CHECK(!pair->session && member("\"to_send_bytes\":") == 0);
	(void)write_text(db, "data", "n", "x");
	rig_pass(50);
	CHECK(member("\"to_send\":") == 1);
	CHECK(member("\"to_send_bytes\":") > 100 && member("\"to_send_bytes\":") < 100000);
	tl_database_free(db);
}

int main(void)
{
	RUN_RIG(done_and_to_do_are_told);
	RUN_RIG(what_is_not_known_is_null);
	RUN_RIG(one_that_runs_tells_it_each_second);
	RUN_RIG(what_is_to_be_sent_is_told_in_bytes_too);
	return spec_end();
}
