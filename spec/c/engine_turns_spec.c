/* Turns on the store worker: parties one after the other, each in its own order. */
#include <pthread.h>
#include <stdio.h>
#include "base/mem.h"
#include "check.h"
#include "engine/run/loop.h"
#include "engine/run/worker.h"

static tl__turns turns;
static tl__turn waiting[64];
static size_t used;
static char order[128]; /* names of the parties that had their turn */

static tl__party party_of(char name)
{
	tl__party_rank rank = name == '!'                  ? TL__PARTY_SELF
			      : name >= 'a' && name <= 'z' ? TL__PARTY_PEER
							   : TL__PARTY_STRANGER;

	return (tl__party){rank, {(uint8_t)name}};
}

/* One job for each letter: small ones are peers, '!' is the node itself, others are strangers. */
static void wait_for_turns(const char *names)
{
	tl__turns_init(&turns);
	used = 0;
	for (size_t i = 0; names[i]; i++) {
		waiting[used].party = party_of(names[i]);
		tl__turns_put(&turns, &waiting[used++]);
	}
}

static bool take_one(size_t at)
{
	tl__turn *next, *turn = tl__turns_take(&turns, &next);

	if (!turn)
		return false;
	order[at] = (char)turn->party.name[0];
	order[at + 1] = 0;
	if (next)
		CHECK(next > turn && next->party.name[0] == turn->party.name[0]);
	return true;
}

static bool turns_are(const char *names, const char *wanted)
{
	size_t count = 0;

	wait_for_turns(names);
	while (take_one(count))
		count++;
	if (count != used || strcmp(order, wanted) != 0)
		printf("%zu of %zu: %s\n", count, used, order);
	return count == used && strcmp(order, wanted) == 0;
}

static void parties_take_turns_whoever_brings_more(void)
{
	CHECK(turns_are("", ""));
	CHECK(turns_are("aaaaaabc", "abcaaaaa"));
	CHECK(turns_are("aaabbbccc", "abcabcabc"));
	CHECK(turns_are("AAAAB", "ABAAA"));
}

static void the_node_itself_comes_first_and_peers_before_strangers(void)
{
	CHECK(turns_are("AAa!b!", "!!abAA"));
	CHECK(turns_are("ABCabc", "abcABC"));
}

static void strangers_get_one_turn_in_so_many_of_peers(void)
{
	CHECK(turns_are("ABaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaAaaaaaaaaBaaaa"));
}

static const tl__party peer = {TL__PARTY_PEER, {'a'}}, stranger = {TL__PARTY_STRANGER, {'A'}};

/* Whose turn it is at that time; 0: nobody's, *until then. */
static char taken_at(uint64_t now, uint64_t *until)
{
	*until = tl__turns_rest(&turns, now);
	order[0] = 0;
	(void)take_one(0);
	return order[0];
}

static void strangers_have_a_part_of_the_time_while_peers_come(void)
{
	const uint64_t began = 5000000;
	uint64_t now = began, until, strangers = 0;

	wait_for_turns("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	tl__turns_ran(&turns, &peer, now, 10);
	while (now < began + 100000) {
		if (taken_at(now, &until) == 0) {
			REQUIRE(until > now && until <= began + TL__TURNS_PEERS_US);
			now = until;
			continue;
		}
		CHECK(until == 0);
		now += 2000;
		strangers += 2000;
		tl__turns_ran(&turns, &stranger, now, 2000);
	}
	CHECK(strangers * (TL__TURNS_REST + 1) == now - began);
}

static void strangers_that_rest_keep_nobody_waiting(void)
{
	uint64_t until;

	wait_for_turns("Aaaaaaaaaaaaa!");
	tl__turns_ran(&turns, &peer, 1000, 10);
	tl__turns_ran(&turns, &stranger, 2000, 1000);
	CHECK(taken_at(2001, &until) == '!' && until == 0);
	for (int i = 0; i < 12; i++) { /* more than they would wait for else */
		CHECK(!tl__turns_others(&turns, &peer));
		CHECK(taken_at(2001, &until) == 'a' && until == 0);
	}
	CHECK(taken_at(2001, &until) == 0 && until == 2000 + TL__TURNS_REST * 1000);
	CHECK(taken_at(until, &until) == 'A');
}

static void without_peers_strangers_have_all_of_it(void)
{
	uint64_t until;

	wait_for_turns("AAA");
	tl__turns_ran(&turns, &stranger, 2000, 1000);
	CHECK(taken_at(2001, &until) == 'A');
	tl__turns_ran(&turns, &peer, 3000, 10);
	tl__turns_ran(&turns, &stranger, 4000, 5000000);
	CHECK(taken_at(4001, &until) == 0 && until == 3000 + TL__TURNS_PEERS_US);
	CHECK(taken_at(until, &until) == 'A');
	tl__turns_ran(&turns, &peer, 9000000, 10);
	tl__turns_ran(&turns, &stranger, 9000000, 1000);
	CHECK(taken_at(UINT64_MAX, &until) == 'A' && until == 0); /* at the end */
}

static void who_comes_later_waits_for_one_turn_of_each_other(void)
{
	wait_for_turns("aaaabbbb");
	CHECK(take_one(0) && order[0] == 'a');
	waiting[used].party = party_of('c');
	tl__turns_put(&turns, &waiting[used++]);
	CHECK(take_one(0) && order[0] == 'b');
	CHECK(take_one(0) && order[0] == 'a');
	CHECK(take_one(0) && order[0] == 'c');
	CHECK(!tl__turns_waits(&turns, &waiting[used - 1].party));
	CHECK(tl__turns_waits(&turns, &waiting[0].party));
}

/* What is taken in pieces goes on before the others of its party, in its party's turn. */
static void what_is_begun_goes_on_first(void)
{
	tl__turn *next, *turn;

	wait_for_turns("aabbc");
	turn = tl__turns_take(&turns, &next);
	REQUIRE(turn == &waiting[0] && next == &waiting[1]);
	tl__turns_put_first(&turns, turn);
	CHECK(take_one(0) && order[0] == 'b');
	CHECK(take_one(0) && order[0] == 'c');
	CHECK(tl__turns_take(&turns, &next) == &waiting[0] && next == &waiting[1]);
	CHECK(take_one(0) && order[0] == 'b');
	/* Alone in its party, and in the middle of the others. */
	turn = tl__turns_take(&turns, &next);
	REQUIRE(turn == &waiting[1] && !next);
	tl__turns_put_first(&turns, turn);
	CHECK(tl__turns_take(&turns, &next) == &waiting[1]);
	CHECK(!tl__turns_take(&turns, &next));
	wait_for_turns("aabbcc");
	turn = tl__turns_take(&turns, &next);
	CHECK(take_one(0) && order[0] == 'b');
	CHECK(take_one(0) && order[0] == 'c');
	tl__turns_put_first(&turns, turn);
	CHECK(tl__turns_take(&turns, &next) == turn);
	CHECK(take_one(0) && order[0] == 'b');
	CHECK(take_one(0) && order[0] == 'c');
	CHECK(take_one(0) && order[0] == 'a');
	CHECK(!tl__turns_take(&turns, &next));
}

static bool others_before(const char *names, char party)
{
	tl__party own = party_of(party);

	wait_for_turns(names);
	return tl__turns_others(&turns, &own);
}

static void who_would_come_before_is_told(void)
{
	tl__turn *next;

	CHECK(!others_before("", 'a') && !others_before("aaa", 'a') && !others_before("AA", 'A'));
	CHECK(others_before("b", 'a') && others_before("aab", 'a') && others_before("!", 'a'));
	CHECK(others_before("B", 'A') && others_before("a", 'A') && others_before("!", 'A'));
	CHECK(!others_before("!aA", '!'));
	/* Strangers wait for peers, but not for ever. */
	CHECK(!others_before("A", 'a'));
	wait_for_turns("Aaaaaaaaaaaa");
	for (size_t i = 0; i < TL__TURNS_OF_PEERS; i++)
		CHECK(take_one(0) && order[0] == 'a');
	CHECK(tl__turns_others(&turns, &waiting[1].party));
	CHECK(take_one(0) && order[0] == 'A');
	CHECK(!tl__turns_others(&turns, &waiting[1].party));
	while (tl__turns_take(&turns, &next))
		;
}

/* Names that are alike but for their rank, and many at once, in few buckets. */
static void many_parties_are_told_apart(void)
{
	enum { PARTIES = 2000, EACH = 3 };
	tl__turn *many = tl__alloc_zero((size_t)PARTIES * EACH, sizeof *many);
	tl__turn *next;
	size_t wrong = 0;

	REQUIRE(many != NULL);
	tl__turns_init(&turns);
	for (size_t i = 0; i < (size_t)PARTIES * EACH; i++) {
		size_t party = i / EACH;

		many[i].party.rank = party % 2 ? TL__PARTY_PEER : TL__PARTY_STRANGER;
		many[i].party.name[0] = (uint8_t)(party / 2);
		many[i].party.name[31] = (uint8_t)(party / 2 / 256);
		tl__turns_put(&turns, &many[i]);
	}
	for (size_t round = 0; round < EACH; round++)
		for (size_t i = 0; i < PARTIES / 2; i++) {
			tl__turn *turn = NULL;

			do
				turn = tl__turns_take(&turns, &next);
			while (turn && turn->party.rank == TL__PARTY_STRANGER);
			wrong += turn != &many[(2 * i + 1) * EACH + round];
		}
	CHECK(wrong == 0);
	while (tl__turns_take(&turns, &next))
		CHECK(!next || next->party.rank == TL__PARTY_STRANGER);
	tl__free(many);
}

/* --- the worker ------------------------------------------------------------------------------- */

typedef struct noted {
	tl__job job;
	char name;
} noted;

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static char worked[64], prepared[64];
static size_t worked_count, prepared_count, told_count;

static void note_work(tl__job *job)
{
	if (((noted *)job)->name == '.') {
		pthread_mutex_lock(&gate); /* until all others wait */
		pthread_mutex_unlock(&gate);
		return;
	}
	worked[worked_count++] = ((noted *)job)->name;
}

static void note_prepared(tl__job *job)
{
	if (((noted *)job)->name != '.')
		prepared[prepared_count++] = ((noted *)job)->name;
}

static void note_told(tl__task *task)
{
	(void)task;
	told_count++;
}

static void do_job(tl__worker *worker, noted *n, char name, char party)
{
	n->job = (tl__job){.task.call = note_told,
		.work = note_work,
		.prepare = note_prepared,
		.turn.party = party_of(party)};
	n->name = name;
	tl__worker_do(worker, &n->job);
}

/* Of the pages of one peer only the next one is made ready, so that those of others are not behind
 * all of them there either. */
static void the_worker_takes_turns_and_prepares_what_is_next_of_each(void)
{
	tl_loop *loop = NULL;
	tl__inbox *inbox = NULL;
	tl__worker *worker = NULL;
	noted jobs[10];

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	REQUIRE(tl__worker_new(&worker, inbox) == TL_OK);
	pthread_mutex_lock(&gate);
	do_job(worker, &jobs[0], '.', '!');
	for (size_t i = 0; i < 6; i++)
		do_job(worker, &jobs[1 + i], (char)('1' + i), 'a');
	do_job(worker, &jobs[7], 'x', 'b');
	do_job(worker, &jobs[8], 'y', 'B');
	do_job(worker, &jobs[9], 'z', 'b');
	CHECK(prepared_count == 3 && memcmp(prepared, "1xy", 3) == 0);
	pthread_mutex_unlock(&gate);
	tl__worker_free(worker); /* all that waits is done */
	CHECK(worked_count == 9 && memcmp(worked, "1x2z3456y", 9) == 0);
	CHECK(prepared_count == 9 && memcmp(prepared, "1xy2z3456", 9) == 0);
	tl__inbox_close(inbox);
	CHECK(told_count == 10);
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

int main(void)
{
	RUN(parties_take_turns_whoever_brings_more);
	RUN(the_node_itself_comes_first_and_peers_before_strangers);
	RUN(strangers_get_one_turn_in_so_many_of_peers);
	RUN(strangers_have_a_part_of_the_time_while_peers_come);
	RUN(strangers_that_rest_keep_nobody_waiting);
	RUN(without_peers_strangers_have_all_of_it);
	RUN(who_comes_later_waits_for_one_turn_of_each_other);
	RUN(what_is_begun_goes_on_first);
	RUN(who_would_come_before_is_told);
	RUN(many_parties_are_told_apart);
	RUN(the_worker_takes_turns_and_prepares_what_is_next_of_each);
	return spec_end();
}
