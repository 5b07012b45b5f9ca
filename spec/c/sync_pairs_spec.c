/* How a pair is kept in step: options by hand and of sets of relations, who goes first, and what
 * remains of a set that went. */
#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME  "127.0.0.1:9001"
#define EVERY (60 * 60 * 1000)
#define DAY   (24 * 3600 * 1000)

static tl_database *db;
static tl_id root;

/* Bob holds the two entries that we hold. */
static void in_step(void)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	(void)write_text(db, "data", "n", "x");
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL) == 2);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->ack == 2);
	rig_pass(300);
}

static void done(void)
{
	tl_database_free(db);
}

static tl_pair_options options(void)
{
	return (tl_pair_options)TL_PAIR_OPTIONS_INIT;
}

static uint64_t configure(const tl_id *id, const tl_pair_options *by_hand)
{
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};

	command.key = bob.key;
	command.db = *id;
	command.pair_options = by_hand;
	return rig_command(command);
}

static bool status_says(const char *text)
{
	tl__buf out = TL__BUF_INIT;
	bool says;

	tl__sync_status(r.core, r.now, &out);
	tl__buf_byte(&out, 0);
	says = out.ptr && strstr(out.ptr, text);
	if (!says)
		printf("status: %s\n", out.ptr ? out.ptr : "");
	tl__buf_free(&out);
	return says;
}

static void one_page(size_t pushed)
{
	answer_page(&bob, &(page_answer){.n = 2});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 2 + pushed, NULL) == pushed);
	CHECK(r.send_count == 0);
}

/* --- what is started -------------------------------------------------------------------------- */

static void a_paused_pair_starts_nothing_but_what_is_asked_for(void)
{
	tl_pair_options o = options();
	uint64_t op, flush;

	in_step();
	o.paused = true;
	o.reason = "not by day";
	CHECK_DONE(configure(&root, &o), TL_OK);
	(void)write_text(db, "data", "n", "y");
	rig_pass(DAY);
	CHECK(r.send_count == 0);
	CHECK(status_says("\"state\":\"paused\"") && status_says("\"reason\":\"not by day\""));
	flush = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 1000});
	CHECK_DONE(flush, TL_OK);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	one_page(1);
	CHECK_DONE(op, TL_OK);
	(void)write_text(db, "data", "n", "z");
	rig_pass(DAY);
	CHECK(r.send_count == 0);
	CHECK_DONE(configure(&root, NULL), TL_OK);
	rig_pass(100);
	CHECK(sends("/tidelock/v1/pull", NULL)); /* once it may it begins */
	done();
}

static void what_is_only_pushed_begins_with_its_outbox(void)
{
	tl__sync_command wait = {.kind = TL__SYNC_WAIT, .has_key = true, .has_db = true};
	tl_pair_options o = options();
	uint64_t op;

	in_step();
	o.direction = TL_DIRECTION_PUSH;
	CHECK_DONE(configure(&root, &o), TL_OK);
	(void)write_text(db, "data", "n", "y");
	wait.key = bob.key;
	wait.db = root;
	op = rig_command(wait);
	r.stands = 7; /* bob has others; nobody asks for them */
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 3, NULL) == 1);
	CHECK_DONE(op, TL_OK);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->ack == 3);
	CHECK(!tl__sync_takes(r.core, &bob.key, &root) && tl__sync_gives(r.core, &bob.key, &root));
	done();
}

static void what_is_only_pulled_is_never_dirty(void)
{
	tl_pair_options o = options();
	uint64_t op;

	in_step();
	o.direction = TL_DIRECTION_PULL;
	CHECK_DONE(configure(&root, &o), TL_OK);
	(void)write_text(db, "data", "n", "y");
	rig_pass(1000);
	CHECK(r.send_count == 0 && status_says("\"dirty\":false"));
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_page(&bob, &(page_answer){.n = 2});
	CHECK_DONE(op, TL_OK);
	CHECK(r.send_count == 0);
	CHECK(tl__sync_takes(r.core, &bob.key, &root) && !tl__sync_gives(r.core, &bob.key, &root));
	done();
}

static void without_on_commit_it_waits_for_its_own_tick(void)
{
	tl_pair_options o = options();

	in_step();
	o.on_commit = TL_OFF;
	o.every_ms = EVERY;
	CHECK_DONE(configure(&root, &o), TL_OK);
	(void)write_text(db, "data", "n", "y");
	rig_pass(EVERY - 1000);
	CHECK(r.send_count == 0); /* nor with the ticks of the node */
	rig_pass(1000);
	one_page(1);
	o.every_ms = TL_NEVER;
	CHECK_DONE(configure(&root, &o), TL_OK);
	(void)write_text(db, "data", "n", "z");
	rig_pass(DAY);
	CHECK(r.send_count == 0);
	CHECK(status_says("\"on_commit\":false,\"every_ms\":\"never\""));
	done();
}

static void options_that_cannot_be_are_refused(void)
{
	tl_pair_options o = options();
	char text[TL_PAIR_TEXT_BYTES + 2];
	tl_id none = {{0}};

	CHECK_DONE(configure(&none, &o), TL_E_PEER_NOT_FOUND);
	in_step();
	o.priority = 10;
	CHECK_DONE(configure(&root, &o), TL_E_BAD_ARGUMENT);
	o = options();
	o.direction = (tl_direction)3;
	CHECK_DONE(configure(&root, &o), TL_E_BAD_ARGUMENT);
	o = options();
	o.every_ms = TL_PAIR_MIN_EVERY_MS - 1;
	CHECK_DONE(configure(&root, &o), TL_E_BAD_ARGUMENT);
	o = options();
	o.on_commit = 3;
	CHECK_DONE(configure(&root, &o), TL_E_BAD_ARGUMENT);
	o = options();
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	o.reason = text;
	CHECK_DONE(configure(&root, &o), TL_E_BAD_ARGUMENT);
	CHECK(status_says("\"by\":null"));
	done();
}

/* --- who goes first --------------------------------------------------------------------------- */

enum { MANY = 8 };

static tl_database *all[MANY];

/* So many databases, of which each has its priority. */
static void many(const uint8_t priorities[MANY])
{
	meet(&bob, HOME);
	for (size_t i = 0; i < MANY; i++) {
		tl_pair_options o = options();

		all[i] = new_database("alice");
		o.priority = priorities[i];
		CHECK_DONE(configure(tl_database_root_id(all[i]), &o), TL_OK);
	}
	for (size_t i = 0; i < MANY; i++)
		CHECK_DONE(
			pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(all[i]), NULL),
			TL_OK);
	CHECK(r.send_count == TL__SYNC_MAX_PEER_EXCHANGES);
}

/* Which one the newest request is about. */
static size_t last_asked(void)
{
	asked a;
	size_t which = 0;

	while (r.send_count > 1)
		drop_send(0);
	if (!take_v1(&a))
		return MANY;
	while (which < MANY &&
		memcmp(&a.header.db, tl_database_root_id(all[which]), sizeof a.header.db) != 0)
		which++;
	asked_free(&a);
	return which;
}

static void end_many(void)
{
	for (size_t i = 0; i < MANY; i++)
		tl_database_free(all[i]);
}

static void where_not_all_can_go_the_higher_priority_goes_first(void)
{
	static const uint8_t priorities[MANY] = {0, 0, 0, 0, 2, 9, 2, 5};

	many(priorities);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(last_asked() == 5);
	end_many();
}

static void whoever_waits_for_half_a_minute_goes_first(void)
{
	static const uint8_t priorities[MANY] = {0, 0, 0, 0, 2, 9, 2, 5};
	tl_id *late;

	many(priorities);
	rig_pass(TL__LINE_MS + 1000);
	CHECK(r.send_count == TL__SYNC_MAX_PEER_EXCHANGES);
	late = &pair_of(&bob, tl_database_root_id(all[5]))->db->id;
	pair_of(&bob, late)->ready_since = r.now; /* it came just now */
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(last_asked() == 4);
	end_many();
}

/* --- by hand ---------------------------------------------------------------------------------- */

static void options_by_hand_are_stored(void)
{
	tl_pair_options o = options();

	in_step();
	o.direction = TL_DIRECTION_PUSH;
	o.every_ms = EVERY;
	o.rate = 1 << 20;
	o.on_commit = TL_OFF;
	o.priority = 7;
	o.paused = true;
	o.reason = "because";
	CHECK_DONE(configure(&root, &o), TL_OK);
	rig_stop();
	CHECK(rig_start(NULL));
	CHECK(status_says("\"options\":{\"direction\":\"push\",\"on_commit\":false,"
			  "\"every_ms\":3600000,\"priority\":7,\"rate\":1048576,\"paused\":true,"
			  "\"reason\":\"because\",\"rule\":null,\"by\":\"hand\"}"));
	CHECK_DONE(configure(&root, NULL), TL_OK);
	CHECK(status_says("\"by\":null"));
	rig_stop();
	CHECK(rig_start(NULL));
	CHECK(status_says("\"by\":null"));
	CHECK(local("sync/options", &bob, &root)[0] == 0);
	done();
}

static void a_peer_that_is_removed_takes_its_options_along(void)
{
	tl_pair_options o = options();

	in_step();
	o.priority = 3;
	CHECK_DONE(configure(&root, &o), TL_OK);
	CHECK(local("sync/options", &bob, &root)[0]);
	CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_OK);
	CHECK(local("sync/options", &bob, &root)[0] == 0 && r.core->by_hand.count == 0);
	done();
}

/* --- sets of relations ------------------------------------------------------------------------ */

static uint64_t touched; /* by the last set */

/* The whole of it, as the engine does. */
static int set_relations(const char *tag, const tl__sync_relation *relations, size_t count)
{
	tl__sync_command command = {.kind = TL__SYNC_RELATIONS,
		.name = z(tag),
		.relations = relations,
		.relation_count = count};
	uint64_t op = rig_command(command);

	if (rig_result(op)->code != TL_OK)
		return rig_result(op)->code;
	command.number = strtoull(rig_text(op), NULL, 10);
	command.kind = TL__SYNC_RELATIONS_SLICE;
	op = rig_command(command);
	CHECK_DONE(op, TL_OK);
	command.kind = TL__SYNC_RELATIONS_END;
	do
		op = rig_command(command);
	while (strcmp(rig_text(op), "more") == 0);
	CHECK_DONE(op, TL_OK);
	touched = strtoull(rig_text(op), NULL, 10);
	return TL_OK;
}

static tl__sync_relation with_bob(const tl_id *id, const tl_pair_options *o)
{
	return (tl__sync_relation){.peer = bob.key, .db = *id, .options = o};
}

static void a_set_touches_only_what_differs(void)
{
	tl_pair_options o = options();
	tl__sync_relation relation;
	size_t sent;

	db = new_database("alice");
	root = *tl_database_root_id(db);
	meet(&bob, HOME);
	o.rule = "everything";
	relation = with_bob(&root, &o);
	CHECK(set_relations("rules", &relation, 1) == TL_OK && touched == 1);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
	rig_pass(1000);
	sent = r.sent;
	CHECK(set_relations("rules", &relation, 1) == TL_OK && touched == 0);
	CHECK(tl__sync_save_due(r.core) == UINT64_MAX); /* nothing is written */
	o.rule = "all of it";                           /* another name moves nothing */
	CHECK(set_relations("rules", &relation, 1) == TL_OK && touched == 1);
	rig_pass(1000);
	CHECK(r.sent == sent && status_says("\"rule\":\"all of it\",\"by\":\"set\""));
	CHECK(status_says("\"tags\":[\"rules\"]"));
	CHECK(set_relations("rules", NULL, 0) == TL_OK && touched == 1);
	CHECK(!pair_of(&bob, &root) && set_relations("rules", NULL, 0) == TL_OK && touched == 0);
	done();
}

static void a_set_shapes_what_was_made_by_hand_and_leaves_it(void)
{
	tl_pair_options o = options(), hand = options();
	tl__sync_relation relations[2];

	in_step();
	o.priority = 4;
	relations[0] = with_bob(&root, &o);
	relations[1] = with_bob(&root, NULL); /* the first counts */
	CHECK(set_relations("rules", relations, 2) == TL_OK && touched == 1);
	answer_page(&bob, &(page_answer){.n = 2});
	CHECK(status_says("\"priority\":4") && status_says("\"tags\":[\"manual\",\"rules\"]"));
	hand.priority = 6;
	CHECK_DONE(configure(&root, &hand), TL_OK);
	CHECK(status_says("\"priority\":6") && status_says("\"by\":\"hand\""));
	CHECK_DONE(configure(&root, NULL), TL_OK);
	CHECK(set_relations("rules", NULL, 0) == TL_OK && touched == 1);
	CHECK(pair_of(&bob, &root) && status_says("\"priority\":0"));
	done();
}

static void a_set_that_cannot_be_changes_nothing(void)
{
	tl__sync_relation relations[2];
	tl_pair_options o = options();

	in_step();
	relations[0] = with_bob(&root, NULL);
	relations[1] = with_bob(&root, NULL);
	relations[1].peer = carol.key;
	CHECK(set_relations("rules", relations, 2) == TL_E_PEER_NOT_FOUND);
	CHECK(set_relations("manual", relations, 1) == TL_E_BAD_ARGUMENT);
	CHECK(set_relations("", relations, 1) == TL_E_BAD_ARGUMENT);
	o.priority = 99;
	relations[1] = with_bob(&root, &o);
	CHECK(set_relations("rules", relations, 2) == TL_E_BAD_ARGUMENT);
	relations[1] = with_bob(&r.core->own_db, NULL);
	CHECK(set_relations("rules", relations, 2) == TL_E_BAD_ARGUMENT);
	CHECK(status_says("\"tags\":[\"manual\"]"));
	done();
}

static void a_tag_is_stored_or_of_a_set(void)
{
	tl__sync_relation relation;

	in_step();
	relation = with_bob(&root, NULL);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, "mine"), TL_OK);
	CHECK(set_relations("mine", &relation, 1) == TL_E_BAD_ARGUMENT);
	CHECK(set_relations("rules", &relation, 1) == TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, "rules"), TL_E_BAD_ARGUMENT);
	CHECK(set_relations("rules", NULL, 0) == TL_OK && touched == 1);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, "rules"), TL_OK);
	CHECK(status_says("\"tags\":[\"manual\",\"mine\",\"rules\"]"));
	done();
}

static void a_set_gives_by_its_direction_and_nothing_once_it_is_gone(void)
{
	tl_pair_options o = options();
	tl__sync_relation relation;

	in_step();
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &root, NULL), TL_OK);
	relation = with_bob(&root, &o);
	for (int i = TL_DIRECTION_BOTH; i <= TL_DIRECTION_PUSH; i++) {
		o.direction = (tl_direction)i;
		CHECK(set_relations("rules", &relation, 1) == TL_OK && touched == 1);
		CHECK((tl__sync_gives(r.core, &bob.key, &root) != NULL) ==
			(i != TL_DIRECTION_PULL));
		CHECK((tl__sync_takes(r.core, &bob.key, &root) != NULL) ==
			(i != TL_DIRECTION_PUSH));
	}
	rig_pass(1000);
	/* A process that sets none has none. */
	rig_stop();
	CHECK(rig_start(NULL));
	CHECK(!pair_of(&bob, &root) && !tl__sync_related(r.core, &bob.key, &root));
	done();
}

/* --- places of relations that went ------------------------------------------------------------ */

/* Bob and we are in step over a set alone. */
static void in_step_by_set(void)
{
	tl__sync_relation relation;

	db = new_database("alice");
	root = *tl_database_root_id(db);
	meet(&bob, HOME);
	relation = with_bob(&root, NULL);
	CHECK(set_relations("rules", &relation, 1) == TL_OK);
	answer_page(&bob, &(page_answer){.n = 5});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 6, NULL) == 1);
	CHECK(pair_of(&bob, &root)->ack == 1 && pair_of(&bob, &root)->seen.n == 6);
	rig_pass(1000);
}

static void related_again(bool remembered)
{
	tl__sync_relation relation = with_bob(&root, NULL);
	const tl__pair *pair;

	CHECK(set_relations("rules", &relation, 1) == TL_OK && touched == 1);
	pair = pair_of(&bob, &root);
	REQUIRE(pair != NULL);
	CHECK(pair->has_seen == remembered && pair->ack == (remembered ? 1 : 0));
	CHECK(!remembered || pair->seen.n == 6);
	CHECK(r.core->rests.count == 0);
}

static void a_relation_that_comes_again_goes_on_where_it_was(void)
{
	in_step_by_set();
	CHECK(set_relations("rules", NULL, 0) == TL_OK && r.core->rests.count == 1);
	rig_pass(1000);
	related_again(true);
	done();
}

static void also_in_another_process(void)
{
	in_step_by_set();
	CHECK(set_relations("rules", NULL, 0) == TL_OK);
	rig_pass(1000);
	rig_stop();
	CHECK(rig_start(NULL));
	related_again(true);
	rig_pass(1000);
	rig_stop(); /* while it was there */
	CHECK(rig_start(NULL));
	related_again(true);
	done();
}

static void for_thirty_days(void)
{
	in_step_by_set();
	CHECK(set_relations("rules", NULL, 0) == TL_OK);
	rig_pass(1000);
	rig_stop();
	r.wall += INT64_C(29) * DAY;
	CHECK(rig_start(NULL));
	CHECK(r.core->rests.count == 1);
	rig_stop();
	r.wall += INT64_C(2) * DAY;
	CHECK(rig_start(NULL));
	rig_pass(1000);
	CHECK(r.core->rests.count == 0 && local("sync/pair", &bob, &root)[0] == 0);
	related_again(false);
	done();
}

static void one_that_was_made_by_hand_keeps_none(void)
{
	in_step();
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &root, NULL), TL_OK);
	CHECK(r.core->rests.count == 0 && local("sync/pair", &bob, &root)[0] == 0);
	done();
}

int main(void)
{
	RUN_RIG(a_paused_pair_starts_nothing_but_what_is_asked_for);
	RUN_RIG(what_is_only_pushed_begins_with_its_outbox);
	RUN_RIG(what_is_only_pulled_is_never_dirty);
	RUN_RIG(without_on_commit_it_waits_for_its_own_tick);
	RUN_RIG(options_that_cannot_be_are_refused);
	RUN_RIG(where_not_all_can_go_the_higher_priority_goes_first);
	RUN_RIG(whoever_waits_for_half_a_minute_goes_first);
	RUN_RIG(options_by_hand_are_stored);
	RUN_RIG(a_peer_that_is_removed_takes_its_options_along);
	RUN_RIG(a_set_touches_only_what_differs);
	RUN_RIG(a_set_shapes_what_was_made_by_hand_and_leaves_it);
	RUN_RIG(a_set_that_cannot_be_changes_nothing);
	RUN_RIG(a_tag_is_stored_or_of_a_set);
	RUN_RIG(a_set_gives_by_its_direction_and_nothing_once_it_is_gone);
	RUN_RIG(a_relation_that_comes_again_goes_on_where_it_was);
	RUN_RIG(also_in_another_process);
	RUN_RIG(for_thirty_days);
	RUN_RIG(one_that_was_made_by_hand_keeps_none);
	return spec_end();
}
