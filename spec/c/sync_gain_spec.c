/* Progress is what entered: who says again and again that there is more, and gives what is forged,
 * known or no entry, is asked for a few pages only, less often each time, and counted. */
#include "asking_help.h"
#include "gain_help.h"
#include "sync/out/outbound.h"

#define HOME "127.0.0.1:9001"

/* Appends so many to what bob gives. */
static void add_forged(remote *to, size_t count)
{
	while (count-- > 0 && to->count < REMOTE_MAX) {
		tl_entry *entry = forge((unsigned)to->count, true);

		to->id[to->count] = *tl_entry_id(entry);
		to->len[to->count] = tl_entry_bytes(entry).len;
		to->bytes[to->count] =
			tl__copy_bytes(tl_entry_bytes(entry).ptr, tl_entry_bytes(entry).len);
		to->count++;
		tl_entry_free(entry);
	}
}

/* --- pull ------------------------------------------------------------------------------------- */

/* Bob's database of three entries, not held here, and then forged ones. */
static void relate_theirs(remote *from)
{
	make_remote(from, 3);
	root = from->id[0];
	add_forged(from, REMOTE_MAX - 3);
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
}

/* The next page was asked for while one was stored, and is not waited for. */
static bool is_given_up(void)
{
	if (r.send_count == 0 || r.cancelled != r.sends[0].send.exchange)
		return r.send_count == 0;
	answer_failure(TL_E_CANCELLED);
	return true;
}

/* Gives one line a page, each behind the last, from `first` on; how many until nothing is asked
 * for. */
static unsigned give_pages(const remote *from, size_t first, size_t step, unsigned most)
{
	static uint64_t n = 100;
	unsigned pages = 0;

	while (pages < most && !is_given_up()) {
		CHECK(sends("/tidelock/v1/pull", NULL));
		answer_page(&bob,
			&(page_answer){
				.n = ++n, .more = true, .from = from, .first = first, .count = 1});
		first += step;
		pages++;
	}
	return pages;
}

static void forged_lines_end_the_exchange_after_a_few_pages(void)
{
	remote from;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 3});
	CHECK(give_pages(&from, 3, 1, 40) == TL__SYNC_MAX_IDLE_PAGES + 1);
	ended_fruitless("3 are invalid");
	free_remote(&from);
}

/* Once something enters it is as before. */
static void whoever_gave_junk_before_gets_a_page(void)
{
	remote from;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 2});
	CHECK(give_pages(&from, 3, 1, 40) == TL__SYNC_MAX_IDLE_PAGES + 1);
	ended_fruitless("3 are invalid");
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	r.cancelled = 0;
	CHECK(give_pages(&from, 13, 1, 40) == 1);
	CHECK(peer_of(&bob)->fruitless == 2 && r.cancelled == 0); /* no other was asked for */
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	CHECK(give_pages(&from, 2, 1, 1) == 1);
	CHECK(give_pages(&from, 20, 1, 40) == TL__SYNC_MAX_IDLE_PAGES + 1);
	CHECK(pair_of(&bob, &root)->received == 3);
	free_remote(&from);
}

static void repeated_lines_do(void)
{
	remote from;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 3});
	/* Nobody has more of ours than three. */
	CHECK(give_pages(&from, 1, 0, 40) == 3 + TL__SYNC_MAX_IDLE_PAGES + 1);
	ended_fruitless("6 known");
	free_remote(&from);
}

static void a_page_that_does_not_move_does(void)
{
	remote from;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 3});
	answer_page(&bob, &(page_answer){.n = 2, .more = true});
	CHECK(r.send_count == 0);
	ended_fruitless("gives nothing");
	free_remote(&from);
}

static void lines_that_are_none_do_at_once(void)
{
	tl__v1_page args = {.more = true, .cursor_valid = true, .seen_valid = true};
	tl__buf header = TL__BUF_INIT;
	remote from;
	asked a;

	relate_theirs(&from);
	REQUIRE(take_v1(&a));
	args.cursor = place(&bob, 3);
	tl__v1_write_page(&header, &args);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&header), TL__STR("junk\n"));
	CHECK(r.send_count == 0);
	ended_fruitless("");
	tl__buf_free(&header);
	asked_free(&a);
	free_remote(&from);
}

static void what_enters_in_between_makes_good(void)
{
	remote from;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 2});
	CHECK(give_pages(&from, 3, 1, TL__SYNC_MAX_IDLE_PAGES) == TL__SYNC_MAX_IDLE_PAGES);
	CHECK(give_pages(&from, 2, 1, 1) == 1);
	CHECK(give_pages(&from, 20, 1, 40) == TL__SYNC_MAX_IDLE_PAGES + 1);
	CHECK(pair_of(&bob, &root)->received == 3);
	free_remote(&from);
}

/* An honest peer gives what is here already where another one was faster, each of it once. */
static void what_is_known_is_no_junk(void)
{
	remote from;

	make_remote(&from, 30);
	root = from.id[0];
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 30, .more = true, .from = &from, .count = 30});
	CHECK(give_pages(&from, 0, 1, 30) == 30);
	CHECK(pair_of(&bob, &root)->session && peer_of(&bob)->fruitless == 0);
	free_remote(&from);
}

/* What was stored is not asked for again, so that an honest one gets through in the end. */
static void the_next_exchange_goes_on_behind_it(void)
{
	tl__v1_pull pull;
	remote from;
	asked a;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 3});
	(void)give_pages(&from, 3, 1, 40);
	CHECK(pair_of(&bob, &root)->has_seen && pair_of(&bob, &root)->seen.n > 100);
	CHECK(!pair_of(&bob, &root)->has_sure && pair_of(&bob, &root)->gap);
	rig_pass(r.core->options.retry_max_ms);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.has_cursor && pull.cursor.n == pair_of(&bob, &root)->seen.n);
	asked_free(&a);
	free_remote(&from);
}

/* What was of no use between `sure` and `seen` is passed over, the second time. */
static void from_sure_it_skips_to_the_place_that_was_seen(void)
{
	tl__v1_pull pull;
	tl__pair *pair;
	remote from;
	asked a;

	relate_theirs(&from);
	answer_page(&bob,
		&(page_answer){
			.n = 3, .from = &from, .count = 3, .tips = &from.id[2], .tip_count = 1});
	pair = pair_of(&bob, &root);
	CHECK(pair->has_sure && pair->sure.n == 3);
	pair->seen = place(&bob, 5000);
	pair->from_sure = true;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	CHECK(give_pages(&from, 3, 1, TL__SYNC_MAX_IDLE_PAGES + 1) == TL__SYNC_MAX_IDLE_PAGES + 1);
	REQUIRE(take_v1(&a));
	CHECK_OK(tl__v1_read_pull(&pull, a.header.args));
	CHECK(pull.has_cursor && pull.cursor.n == 5000);
	CHECK(pair->session && pair->attempts == 0 && peer_of(&bob)->fruitless == 0);
	asked_free(&a);
	free_remote(&from);
}

static void it_is_asked_less_often_each_time_whoever_waits(void)
{
	uint64_t waits = 0, before = 0;
	size_t at = 3;
	remote from;

	relate_theirs(&from);
	answer_page(&bob, &(page_answer){.n = 3, .more = true, .from = &from, .count = 3});
	(void)pair_command(TL__SYNC_WAIT, &bob.key, &root, NULL);
	for (unsigned times = 1; times <= 4; times++) {
		at += give_pages(&from, at, 1, 40);
		CHECK(peer_of(&bob)->fruitless == times);
		waits = pair_of(&bob, &root)->useless_until - r.now;
		CHECK(waits >= 2 * before && waits >= 1000);
		before = waits;
		tl__peer_wake(r.core, peer_of(&bob)); /* it says hello, say */
		rig_pass(waits - 1);
		CHECK(r.send_count == 0);
		rig_pass(r.core->options.retry_max_ms);
		CHECK(sends("/tidelock/v1/pull", NULL));
	}
	peer_of(&bob)->fruitless = 25;
	waits = tl__peer_fruitless(r.core, peer_of(&bob)) - r.now;
	CHECK(waits == r.core->options.retry_max_ms);
	free_remote(&from);
}

/* --- watch ------------------------------------------------------------------------------------ */

static void answer_watch(const tl_id *db, uint64_t n, const remote *from, size_t at)
{
	tl__v1_watched args = {.has_page = true, .db = *db, .cursor = place(&bob, n)};
	tl__buf header = TL__BUF_INIT, body = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	args.tips.count = 1;
	tl__v1_tips_hash(&from->id[2], 1, args.tips.sha256);
	tl__v1_write_watched(&header, &args);
	tl__v1_write_id(&body, TL__V1_LINE_TIP, &from->id[2]);
	tl__v1_write_entry(&body, (tl_str){from->bytes[at], from->len[at]});
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&header), tl__buf_view(&body));
	tl__buf_free(&header);
	tl__buf_free(&body);
	asked_free(&a);
}

static bool watches(void)
{
	return sends("/tidelock/v1/watch", NULL);
}

/* The database is level with bob, who is watched. */
static void watch_theirs(remote *from)
{
	relate_theirs(from);
	answer_page(&bob,
		&(page_answer){
			.n = 3, .from = from, .count = 3, .tips = &from->id[2], .tip_count = 1});
	peer_of(&bob)->watch_offered = true;
	tl__peer_changed(r.core, peer_of(&bob));
	rig_pass(1);
	REQUIRE(watches());
}

static void forged_answers_to_a_watch_are_waited_for(void)
{
	uint64_t before = 0;
	remote from;

	watch_theirs(&from);
	for (unsigned i = 1; i <= 3; i++) {
		uint64_t next;

		answer_watch(&root, 3 + i, &from, 3 + i);
		CHECK(peer_of(&bob)->fruitless == i);
		next = peer_of(&bob)->watches[0].next_at - r.now;
		CHECK(next >= 2 * before && next >= 1000);
		before = next;
		rig_pass(next - 1);
		CHECK(!watches());
		rig_pass(1);
		REQUIRE(watches());
	}
	free_remote(&from);
}

/* Others may have been faster, but that an answer brings nothing has a pace. */
static void answers_that_bring_nothing_have_a_pace(void)
{
	unsigned at_once = 0;
	remote from;

	watch_theirs(&from);
	while (at_once < 100 && watches()) {
		answer_watch(&root, 4 + at_once++, &from, 1);
		rig_pass(1);
	}
	CHECK(at_once == TL__WATCH_MAX_IDLE + 1);
	rig_pass(TL__WATCH_IDLE_MS);
	CHECK(watches() && peer_of(&bob)->fruitless == 0);
	free_remote(&from);
}

/* --- what others push ------------------------------------------------------------------------- */

static uint64_t numbers;
static tl_database *ours;

/* What becomes of a push by this party of one line; the time it is to wait, if any. */
static tl__v1_status push(const party *by, tl_str line, uint64_t *wait_ms)
{
	tl__buf frame = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_refusal refusal = {0};
	tl__v1_status status;

	tl__v1_write_entry(&body, line);
	write_signed(&frame, by, "push", &root, TL__STR("{\"seen\":null}"), tl__buf_view(&body));
	(void)ask(++numbers, "192.0.2.1:5000", TL__V1_PATH_PREFIX "push", tl__buf_view(&frame));
	while (kept_count > 0)
		run_kept(kept_count);
	tl__buf_free(&frame);
	tl__buf_free(&body);
	status = heard_status(&refusal);
	if (status == TL__V1_BUSY)
		CHECK(tl__str_eq(refusal.code, TL__STR("invalid_entries")));
	*wait_ms = refusal.wait_ms;
	return status;
}

static tl__v1_status push_forged(const party *by, uint64_t *wait_ms)
{
	static unsigned number = 1000;
	tl_entry *entry = forge(number++, true);
	tl__v1_status status = push(by, tl_entry_bytes(entry), wait_ms);

	tl_entry_free(entry);
	return status;
}

static void relate_both(void)
{
	party *both[] = {&bob, &carol};

	ours = new_database("alice");
	root = *tl_database_root_id(ours);
	for (size_t i = 0; i < 2; i++) {
		CHECK_DONE(peer_command(TL__SYNC_REGISTER, &both[i]->key, NULL), TL_OK);
		CHECK_DONE(pair_command(TL__SYNC_RELATE, &both[i]->key, &root, NULL), TL_OK);
	}
	take_actions();
	while (kept_count > 0)
		run_kept(kept_count);
}

static void who_pushes_what_is_invalid_waits_longer_each_time(void)
{
	uint64_t waits, before = TL__SERVE_JUNK_MS / 2, most = 0;

	relate_both();
	for (unsigned i = 1; i <= 12; i++) {
		CHECK(push_forged(&bob, &waits) == TL__V1_OK);
		CHECK(peer_of(&bob)->fruitless == i);
		CHECK(push_forged(&bob, &waits) == TL__V1_BUSY);
		CHECK(waits == 2 * before || i > TL__SERVE_JUNK_DOUBLES);
		CHECK(push_forged(&carol, &most) == TL__V1_OK || i > 1); /* others do not wait */
		before = waits;
		r.now += waits;
	}
	CHECK(waits == (uint64_t)TL__SERVE_JUNK_MS << TL__SERVE_JUNK_DOUBLES);
	tl_database_free(ours);
	forget();
}

static void what_is_known_makes_nothing_good_or_worse(void)
{
	uint64_t waits;
	tl_str line;
	remote good;

	relate_both();
	(void)write_text(ours, "data", "n", "x");
	copy_entries(&good, &root);
	line = (tl_str){good.bytes[1], good.len[1]};
	CHECK(push_forged(&bob, &waits) == TL__V1_OK);
	CHECK(push(&bob, line, &waits) == TL__V1_BUSY && waits == TL__SERVE_JUNK_MS);
	r.now += waits;
	CHECK(push(&bob, line, &waits) == TL__V1_OK);
	CHECK(push(&bob, line, &waits) == TL__V1_OK);
	CHECK(peer_of(&bob)->fruitless == 1);
	CHECK(push_forged(&bob, &waits) == TL__V1_OK);
	CHECK(push(&bob, line, &waits) == TL__V1_BUSY && waits == (uint64_t)2 * TL__SERVE_JUNK_MS);
	free_remote(&good);
	tl_database_free(ours);
	forget();
}

static void what_enters_makes_good(void)
{
	uint64_t waits;
	remote theirs;

	/* All of bob's database but the root is brought by him. */
	make_remote(&theirs, 2);
	root = theirs.id[0];
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	take_actions();
	while (kept_count > 0)
		run_kept(kept_count);
	CHECK(push(&bob, (tl_str){theirs.bytes[0], theirs.len[0]}, &waits) == TL__V1_OK);
	CHECK(push_forged(&bob, &waits) == TL__V1_OK);
	CHECK(peer_of(&bob)->fruitless == 1);
	r.now += TL__SERVE_JUNK_MS;
	CHECK(push(&bob, (tl_str){theirs.bytes[1], theirs.len[1]}, &waits) == TL__V1_OK);
	CHECK(peer_of(&bob)->fruitless == 0);
	CHECK(push_forged(&bob, &waits) == TL__V1_OK);
	CHECK(push_forged(&bob, &waits) == TL__V1_BUSY && waits == TL__SERVE_JUNK_MS);
	free_remote(&theirs);
	forget();
}

int main(void)
{
	RUN_RIG(forged_lines_end_the_exchange_after_a_few_pages);
	RUN_RIG(whoever_gave_junk_before_gets_a_page);
	RUN_RIG(repeated_lines_do);
	RUN_RIG(a_page_that_does_not_move_does);
	RUN_RIG(lines_that_are_none_do_at_once);
	RUN_RIG(what_enters_in_between_makes_good);
	RUN_RIG(what_is_known_is_no_junk);
	RUN_RIG(the_next_exchange_goes_on_behind_it);
	RUN_RIG(from_sure_it_skips_to_the_place_that_was_seen);
	RUN_RIG(it_is_asked_less_often_each_time_whoever_waits);
	RUN_RIG(forged_answers_to_a_watch_are_waited_for);
	RUN_RIG(answers_that_bring_nothing_have_a_pace);
	RUN_RIG(who_pushes_what_is_invalid_waits_longer_each_time);
	RUN_RIG(what_is_known_makes_nothing_good_or_worse);
	RUN_RIG(what_enters_makes_good);
	return spec_end();
}
