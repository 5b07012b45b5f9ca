/* The loop: watches, timers, posts from other threads, stopping, and that it rests when idle. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include "check.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "engine/run/loop.h"

enum { POSTERS = 4, POSTS = 2000, GUARD_MS = 20000 };

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* --- turning with a bound --------------------------------------------------------------------- */

static void set_flag(void *ud)
{
	*(bool *)ud = true;
}

/* Turns until *done, at most GUARD_MS. */
static bool turn_until(tl_loop *loop, const bool *done)
{
	bool late = false;
	tl_timer *guard;

	if (loop->timer(loop, set_flag, &late, &guard) != TL_OK)
		return false;
	loop->timer_start(guard, GUARD_MS);
	while (!*done && !late)
		tl__loop_turn(loop, true);
	loop->timer_free(guard);
	return *done;
}

/* --- watches ---------------------------------------------------------------------------------- */

typedef struct seen {
	tl_loop *loop;
	tl_watch *watch;
	unsigned calls, events;
	int fd;
	bool done;
} seen;

static void on_event(void *ud, int fd, unsigned events)
{
	seen *s = ud;

	s->calls++;
	s->events |= events;
	s->fd = fd;
	s->done = true;
}

static void on_event_unwatch(void *ud, int fd, unsigned events)
{
	seen *s = ud;

	on_event(ud, fd, events);
	s->loop->unwatch(s->watch);
	s->watch = NULL;
}

static void turn_times(tl_loop *loop, int times)
{
	for (int i = 0; i < times; i++)
		tl__loop_turn(loop, false);
}

static void a_watch_is_level_triggered_and_can_change(void)
{
	seen s = {0};
	tl_loop *loop;
	int pair[2];
	char byte;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	s.loop = loop;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK_OK(loop->watch(loop, pair[0], TL_READABLE, on_event, &s, &s.watch));
	turn_times(loop, 3);
	CHECK(s.calls == 0);
	CHECK(write(pair[1], "x", 1) == 1);
	turn_times(loop, 3);
	CHECK(s.calls == 3 && s.events == TL_READABLE && s.fd == pair[0]);
	CHECK(read(pair[0], &byte, 1) == 1);
	turn_times(loop, 3);
	CHECK(s.calls == 3);
	CHECK_OK(loop->rewatch(s.watch, TL_WRITABLE));
	turn_times(loop, 2);
	CHECK(s.calls == 5 && s.events == (TL_READABLE | TL_WRITABLE));
	CHECK_OK(loop->rewatch(s.watch, 0));
	turn_times(loop, 2);
	CHECK(s.calls == 5);
	loop->unwatch(s.watch);
	loop->unwatch(NULL);
	close(pair[0]);
	close(pair[1]);
	tl__loop_free(loop);
}

static void a_hang_up_is_told_as_readable_and_writable(void)
{
	seen s = {0};
	tl_loop *loop;
	int pair[2];

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	s.loop = loop;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(write(pair[0], "unread", 6) == 6);
	CHECK_OK(loop->watch(
		loop, pair[0], TL_READABLE | TL_WRITABLE, on_event_unwatch, &s, &s.watch));
	close(pair[1]); /* with unread bytes: a reset, which epoll reports as an error */
	CHECK(turn_until(loop, &s.done));
	turn_times(loop, 3);
	CHECK(s.calls == 1 && s.events == (TL_READABLE | TL_WRITABLE));
	close(pair[0]);
	tl__loop_free(loop);
}

static void an_error_does_not_end_the_watch(void)
{
	seen s = {0};
	tl_loop *loop;
	int pair[2];

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	s.loop = loop;
	REQUIRE(pipe(pair) == 0);
	CHECK_OK(loop->watch(loop, pair[1], TL_WRITABLE, on_event, &s, &s.watch));
	close(pair[0]); /* a pipe without a reader reports an error */
	turn_times(loop, 3);
	CHECK(s.calls == 3 && s.events == (TL_READABLE | TL_WRITABLE));
	loop->unwatch(s.watch);
	close(pair[1]);
	tl__loop_free(loop);
}

static void a_descriptor_can_be_watched_again_after_its_number_was_reused(void)
{
	seen s = {0};
	tl_loop *loop;
	int pair[2], first;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	s.loop = loop;
	REQUIRE(pipe(pair) == 0);
	first = pair[0];
	CHECK_OK(loop->watch(loop, pair[0], TL_READABLE, on_event, &s, &s.watch));
	loop->unwatch(s.watch);
	close(pair[0]);
	close(pair[1]);
	REQUIRE(pipe(pair) == 0);
	CHECK(pair[0] == first);
	CHECK_OK(loop->watch(loop, pair[0], TL_READABLE, on_event, &s, &s.watch));
	CHECK(write(pair[1], "x", 1) == 1);
	CHECK(turn_until(loop, &s.done));
	loop->unwatch(s.watch);
	close(pair[0]);
	close(pair[1]);
	tl__loop_free(loop);
}

static void what_cannot_be_watched_is_an_error(void)
{
	tl_loop *loop;
	seen s = {0};

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	CHECK_CODE(loop->watch(loop, 1023, TL_READABLE, on_event, &s, &s.watch), TL_E_IO);
	CHECK(s.watch == NULL);
	tl__loop_free(loop);
}

/* --- timers ----------------------------------------------------------------------------------- */

typedef struct ticks {
	tl_loop *loop;
	tl_timer *timer;
	char order[8];
	size_t count;
	bool done;
} ticks;

static void tick_a(void *ud)
{
	ticks *t = ud;

	t->order[t->count++] = 'a';
}

static void tick_b(void *ud)
{
	ticks *t = ud;

	t->order[t->count++] = 'b';
	t->done = true;
}

static void tick_free_itself(void *ud)
{
	ticks *t = ud;

	t->count++;
	t->loop->timer_free(t->timer);
	t->done = true;
}

static void timers_come_once_in_order_and_restart(void)
{
	ticks t = {0};
	tl_timer *a, *b;
	tl_loop *loop;
	uint64_t began;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	CHECK_OK(loop->timer(loop, tick_a, &t, &a));
	CHECK_OK(loop->timer(loop, tick_b, &t, &b));
	tl__loop_turn(loop, false);
	began = loop->now_ms(loop);
	loop->timer_start(b, 5);
	loop->timer_start(a, 1);
	loop->timer_start(b, 30);
	CHECK(turn_until(loop, &t.done));
	CHECK(t.count == 2 && memcmp(t.order, "ab", 2) == 0);
	CHECK(loop->now_ms(loop) - began >= 30);
	loop->timer_start(a, 1);
	loop->timer_stop(a);
	sleep_ms(5);
	turn_times(loop, 2);
	CHECK(t.count == 2);
	loop->timer_free(a);
	loop->timer_free(b);
	loop->timer_free(NULL);
	tl__loop_free(loop);
}

static void a_timer_may_free_itself(void)
{
	ticks t = {0};

	REQUIRE(tl__loop_new(&t.loop) == TL_OK);
	CHECK_OK(t.loop->timer(t.loop, tick_free_itself, &t, &t.timer));
	t.loop->timer_start(t.timer, 0);
	CHECK(turn_until(t.loop, &t.done));
	turn_times(t.loop, 2);
	CHECK(t.count == 1);
	tl__loop_free(t.loop);
}

static void tick_again(void *ud)
{
	ticks *t = ud;

	t->done = ++t->count >= 50;
	t->loop->timer_start(t->timer, 0);
}

static void a_timer_that_starts_itself_again_waits_for_the_next_turn(void)
{
	ticks t = {0};
	seen s = {0};
	int pair[2];

	REQUIRE(tl__loop_new(&t.loop) == TL_OK);
	REQUIRE(pipe(pair) == 0);
	CHECK(write(pair[1], "x", 1) == 1);
	CHECK_OK(t.loop->watch(t.loop, pair[0], TL_READABLE, on_event, &s, &s.watch));
	CHECK_OK(t.loop->timer(t.loop, tick_again, &t, &t.timer));
	t.loop->timer_start(t.timer, 0);
	turn_times(t.loop, 3);
	CHECK(t.count == 3 && s.calls >= 2); /* sockets get their turns, too */
	t.loop->timer_stop(t.timer);
	turn_times(t.loop, 3);
	CHECK(t.count == 3);
	t.loop->timer_start(t.timer, 0);
	CHECK(turn_until(t.loop, &t.done));
	t.loop->timer_start(t.timer, 60000); /* restarting leaves the old time behind */
	turn_times(t.loop, 3);
	CHECK(t.count == 50);
	t.loop->unwatch(s.watch);
	close(pair[0]);
	close(pair[1]);
	tl__loop_free(t.loop);
}

typedef struct two {
	tl_loop *loop;
	tl_timer *a, *b;
	unsigned calls;
} two;

static void free_both(void *ud)
{
	two *t = ud;

	t->calls++;
	t->loop->timer_free(t->a);
	t->loop->timer_free(t->b);
}

static void a_timer_may_free_the_next_one(void)
{
	two t = {0};

	REQUIRE(tl__loop_new(&t.loop) == TL_OK);
	CHECK_OK(t.loop->timer(t.loop, free_both, &t, &t.a));
	CHECK_OK(t.loop->timer(t.loop, free_both, &t, &t.b));
	t.loop->timer_start(t.a, 0);
	t.loop->timer_start(t.b, 0);
	turn_times(t.loop, 3);
	CHECK(t.calls == 1);
	tl__loop_free(t.loop);
}

/* --- posts ------------------------------------------------------------------------------------ */

typedef struct poster {
	tl_loop *loop;
	pthread_t thread;
	unsigned index;
	bool refused;
} poster;

typedef struct parcel {
	unsigned poster, number;
} parcel;

static unsigned next_of[POSTERS];
static unsigned arrived, out_of_order;
static bool all_arrived;

static void take_parcel(void *ud)
{
	parcel *p = ud;

	out_of_order += p->number != next_of[p->poster]++;
	all_arrived = ++arrived == POSTERS * POSTS;
	free(p);
}

static void *post_all(void *ud)
{
	poster *me = ud;

	for (unsigned i = 0; i < POSTS; i++) {
		parcel *p = malloc(sizeof *p);

		*p = (parcel){me->index, i};
		if (me->loop->post(me->loop, take_parcel, p) != TL_OK) {
			me->refused = true;
			free(p);
		}
	}
	return NULL;
}

static void posts_from_threads_arrive_once_and_in_order(void)
{
	poster posters[POSTERS];
	uint64_t turns;
	tl_loop *loop;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i] = (poster){.loop = loop, .index = i};
		REQUIRE(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]) == 0);
	}
	CHECK(turn_until(loop, &all_arrived));
	for (unsigned i = 0; i < POSTERS; i++) {
		pthread_join(posters[i].thread, NULL);
		CHECK(!posters[i].refused);
	}
	CHECK(arrived == POSTERS * POSTS && out_of_order == 0);
	turns = tl__loop_turns(loop);
	CHECK(turns <= POSTERS * POSTS + 1); /* never more wake-ups than posts */
	tl__loop_free(loop);
}

typedef struct chain {
	tl_loop *loop;
	unsigned links;
	bool done;
} chain;

static void add_link(void *ud)
{
	chain *c = ud;

	if (++c->links == 5)
		c->done = true;
	else if (c->loop->post(c->loop, add_link, c) != TL_OK)
		c->links = 1000;
}

static void a_post_from_a_post_waits_for_the_next_turn(void)
{
	chain c = {0};
	uint64_t before;

	REQUIRE(tl__loop_new(&c.loop) == TL_OK);
	before = tl__loop_turns(c.loop);
	CHECK_OK(c.loop->post(c.loop, add_link, &c));
	CHECK(turn_until(c.loop, &c.done));
	CHECK(c.links == 5 && tl__loop_turns(c.loop) - before >= 5);
	tl__loop_free(c.loop);
}

/* --- a thread that runs it -------------------------------------------------------------------- */

static void *run_loop(void *ud)
{
	tl__loop_run(ud);
	return NULL;
}

static void stop_from_any_thread_runs_what_was_taken(void)
{
	pthread_t thread;
	bool ran = false, refused = false;
	tl_loop *loop;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(pthread_create(&thread, NULL, run_loop, loop) == 0);
	CHECK_OK(loop->post(loop, set_flag, &ran));
	tl__loop_stop(loop);
	tl__loop_stop(loop);
	CHECK_CODE(loop->post(loop, set_flag, &refused), TL_E_CLOSED);
	pthread_join(thread, NULL);
	CHECK(ran && !refused);
	tl__loop_free(loop);
}

static void stopped_before_it_runs_it_returns_at_once(void)
{
	bool ran = false;
	tl_loop *loop;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	CHECK_OK(loop->post(loop, set_flag, &ran));
	tl__loop_stop(loop);
	tl__loop_run(loop);
	CHECK(ran);
	tl__loop_free(loop);
}

static void an_idle_loop_does_not_turn(void)
{
	pthread_t thread;
	seen s = {0};
	tl_loop *loop;
	uint64_t turns;
	int pair[2];

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(pipe(pair) == 0);
	CHECK_OK(loop->watch(loop, pair[0], TL_READABLE, on_event, &s, &s.watch));
	REQUIRE(pthread_create(&thread, NULL, run_loop, loop) == 0);
	sleep_ms(20);
	turns = tl__loop_turns(loop);
	sleep_ms(100);
	CHECK(tl__loop_turns(loop) == turns);
	tl__loop_stop(loop);
	pthread_join(thread, NULL);
	loop->unwatch(s.watch);
	close(pair[0]);
	close(pair[1]);
	tl__loop_free(loop);
}

/* --- resources -------------------------------------------------------------------------------- */

static void free_closes_what_is_left(void)
{
	int before = open_descriptors();
	seen s = {0};
	ticks t = {0};
	bool flag = false;
	tl_loop *loop;
	int pair[2];

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(pipe(pair) == 0);
	CHECK_OK(loop->watch(loop, pair[0], TL_READABLE, on_event, &s, &s.watch));
	CHECK_OK(loop->timer(loop, tick_a, &t, &t.timer));
	loop->timer_start(t.timer, 0);
	CHECK_OK(loop->post(loop, set_flag, &flag));
	CHECK(write(pair[1], "x", 1) == 1);
	tl__loop_free(loop);
	CHECK(s.calls == 0 && t.count == 0 && !flag);
	close(pair[0]);
	close(pair[1]);
	CHECK(open_descriptors() == before);
	tl__loop_free(NULL);
}

static void every_allocation_may_fail(void)
{
	bool fired = true;

	for (size_t n = 1; fired; n++) {
		bool flag = false;
		tl_loop *loop = NULL;
		tl_timer *timer = NULL;
		seen s = {0};
		int rc;

		tl__alloc_fail_at(n);
		rc = tl__loop_new(&loop);
		if (rc == TL_OK)
			rc = loop->watch(loop, 0, 0, on_event, &s, &s.watch);
		if (rc == TL_OK)
			rc = loop->timer(loop, set_flag, &flag, &timer);
		if (rc == TL_OK)
			rc = loop->post(loop, set_flag, &flag);
		fired = tl__alloc_fail_at(0);
		CHECK(rc == (fired ? TL_E_NOMEM : TL_OK));
		tl__loop_free(loop);
	}
}

int main(void)
{
	int pair[2];

	/* Descriptor 0 must be something that can be watched. */
	if (pipe(pair) != 0 || dup2(pair[0], 0) < 0)
		return 1;
	RUN(a_watch_is_level_triggered_and_can_change);
	RUN(a_hang_up_is_told_as_readable_and_writable);
	RUN(an_error_does_not_end_the_watch);
	RUN(a_descriptor_can_be_watched_again_after_its_number_was_reused);
	RUN(what_cannot_be_watched_is_an_error);
	RUN(timers_come_once_in_order_and_restart);
	RUN(a_timer_may_free_itself);
	RUN(a_timer_that_starts_itself_again_waits_for_the_next_turn);
	RUN(a_timer_may_free_the_next_one);
	RUN(posts_from_threads_arrive_once_and_in_order);
	RUN(a_post_from_a_post_waits_for_the_next_turn);
	RUN(stop_from_any_thread_runs_what_was_taken);
	RUN(stopped_before_it_runs_it_returns_at_once);
	RUN(an_idle_loop_does_not_turn);
	RUN(free_closes_what_is_left);
	RUN(every_allocation_may_fail);
	return spec_end();
}
