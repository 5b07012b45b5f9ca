/* A hub with a file and clients that only dial: how soon they have what it commits, and what it
 * costs to hold their requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/str.h"
#include "hub.h"
#include "pair.h"

#define TURNS      5
#define HOLD_MS    50000
#define WAIT_S     60
#define EVENTS     64
#define PER_SOURCE 4 /* clients of one address */

/* --- one client, a node like the hub ---------------------------------------------------------- */

static double one_turn(pair_kind kind, size_t n, double *seconds, size_t times)
{
	pair p;

	pair_open(&p, kind, n);
	for (int i = 0; i < 20; i++)
		pair_commit(&p);
	pair_commits(&p, seconds, times);
	pair_close(&p);
	return median(seconds, times);
}

/* Ratio to nodes that reach each other and push, measured right beside. */
static void one_client(size_t n)
{
	static double seconds[TURNS * 100], pushed[100];
	double ratio[TURNS];
	size_t times = bench_quick ? 20 : 100, turns = bench_quick ? 1 : TURNS;
	bench_line line = line_of("watch");

	for (size_t i = 0; i < turns; i++) {
		double old = one_turn(PAIR_PUSHES, n, pushed, times);

		ratio[i] = one_turn(PAIR_DIALS, n, seconds + i * times, times) / old;
	}
	line.clients = 1;
	line.at = (int64_t)n;
	line_times(&line, seconds, turns * times);
	line.ratio = median(ratio, turns);
	line.of = "pushes";
	line_print(&line);
}

/* --- many, bare ------------------------------------------------------------------------------- */

typedef struct client {
	bare who;
	bare_line line;
	bare_answer answer; /* with the last page */
	double got;         /* when that was there and its signature checked; 0: it waits */
} client;

typedef struct crowd {
	hub hub;
	tl__v1_cursor place; /* that all of them are at */
	client *clients;
	size_t count, have;
	int epoll;
} crowd;

static void ask_pull(crowd *c, bare *who, tl__buf *out)
{
	const tl__v1_pull pull = {.has_cursor = c->place.n > 0,
		.cursor = c->place,
		.budget = TL__V1_MAX_BODY_BYTES / 2};
	tl__buf args = TL__BUF_INIT;
	bare_ask ask = {.method = "pull", .db = &c->hub.db};

	tl__v1_write_pull(&args, &pull);
	ask.args = tl__buf_view(&args);
	bare_write(out, who, &c->hub.bare, &ask);
	tl__buf_free(&args);
}

/* All that the hub has, page by page, so that the place behind it is known. */
static void find_place(crowd *c)
{
	tl__v1_page page = {.more = true};
	bare_line line;
	bare who;

	bare_new(&who);
	bare_dial(&line, &c->hub.bare, NULL);
	while (page.more) {
		tl__buf request = TL__BUF_INIT;
		bare_answer answer;
		bare_heard heard;

		ask_pull(c, &who, &request);
		need_that(bare_send(&line, tl__buf_view(&request)), "a pull");
		bare_await(&line, &answer);
		bare_hear(&heard, &c->hub.bare, answer.body);
		need_that(heard.header.status == TL__V1_OK, "a page of the hub");
		need(tl__v1_read_page(&page, heard.header.args), "a page");
		c->place = page.cursor;
		tl__buf_free(&request);
	}
	bare_close(&line);
}

static void watch(crowd *c, client *who, const tl__v1_cursor *place, uint64_t hold_ms)
{
	const tl__v1_line line = {.kind = TL__V1_LINE_WATCH,
		.has_id = true,
		.id = c->hub.db,
		.has_cursor = true,
		.cursor = *place};
	const tl__v1_watch watch = {.hold_ms = hold_ms};
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT, request = TL__BUF_INIT;
	bare_ask ask = {.method = "watch"};

	tl__v1_write_watch(&args, &watch);
	tl__v1_write_line(&body, &line);
	ask.args = tl__buf_view(&args);
	ask.body = tl__buf_view(&body);
	bare_write(&request, &who->who, &c->hub.bare, &ask);
	need_that(bare_send(&who->line, tl__buf_view(&request)), "a watch");
	tl__buf_free(&args);
	tl__buf_free(&body);
	tl__buf_free(&request);
}

/* An answer: the end of the hold time, behind which the next watch follows at once, or a page.
 * Behind that it follows when all have theirs, and so does the look at the signature: what a client
 * does is no work of the hub's machine, nor of the other clients'. */
static void take_answer(crowd *c, client *who)
{
	bare_answer answer;
	bare_heard heard;
	tl__v1_watched told;
	bare_state state = bare_take(&who->line, &answer);

	if (state == BARE_WAITS)
		return;
	need_that(state == BARE_WHOLE, "an answer to a watch");
	bare_read(&heard, answer.body);
	need_that(heard.header.status == TL__V1_OK, "a watch that the hub holds");
	need(tl__v1_read_watched(&told, heard.header.args), "what a watch tells");
	if (told.has_page) {
		need_that(who->got == 0 && told.cursor.n == c->place.n + 1, "one entry, once");
		who->got = now_s();
		who->answer = answer;
		c->have++;
		if (c->have == c->count)
			c->place = told.cursor;
	} else {
		bare_verify(&c->hub.bare, answer.body);
		watch(c, who, &c->place, HOLD_MS);
	}
}

static void verify_page(const crowd *c, client *who)
{
	double start = now_s();

	bare_verify(&c->hub.bare, who->answer.body);
	who->got += now_s() - start;
}

/* Takes what comes until all have what they wait for (`wanted`), or for so long. */
static void listen_for(crowd *c, double seconds, size_t wanted)
{
	double end = now_s() + seconds, left;

	while (c->have < wanted && (left = end - now_s()) > 0) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(c->epoll, events, EVENTS, (int)(left * 1000) + 1);

		for (int i = 0; i < count; i++)
			take_answer(c, events[i].data.ptr);
	}
}

/* The holds end one after the other, as they do after a while. */
static void gather(crowd *c, size_t count)
{
	c->count = count;
	c->clients = calloc(count, sizeof *c->clients);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	need_that(c->clients && c->epoll >= 0, "memory for clients");
	for (size_t i = 0; i < count; i++) {
		client *who = &c->clients[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
		char source[32];

		snprintf(source, sizeof source, "127.0.1.%zu", i / PER_SOURCE + 1);
		bare_new(&who->who);
		bare_dial(&who->line, &c->hub.bare, source);
		need_that(epoll_ctl(c->epoll, EPOLL_CTL_ADD, who->line.fd, &event) == 0,
			"waiting for answers");
		watch(c, who, &c->place, HOLD_MS / 10 + HOLD_MS * 9 / 10 * i / count);
	}
}

static void disperse(crowd *c)
{
	for (size_t i = 0; i < c->count; i++)
		bare_close(&c->clients[i].line);
	close(c->epoll);
	free(c->clients);
}

/* Seconds until each of them has one commit; the largest. */
static double commit_once(crowd *c, double *seconds)
{
	double start, last = 0;

	for (size_t i = 0; i < c->count; i++)
		c->clients[i].got = 0;
	c->have = 0;
	start = hub_commit(&c->hub);
	listen_for(c, WAIT_S, c->count);
	need_that(c->have == c->count, "a commit at every client");
	for (size_t i = 0; i < c->count; i++) {
		verify_page(c, &c->clients[i]);
		seconds[i] = c->clients[i].got - start;
		last = seconds[i] > last ? seconds[i] : last;
	}
	for (size_t i = 0; i < c->count; i++)
		watch(c, &c->clients[i], &c->place, HOLD_MS);
	c->have = 0;
	listen_for(c, 1, SIZE_MAX);
	return last;
}

static void many_clients(size_t n, size_t count)
{
	size_t turns = bench_quick ? 2 : 9;
	double *seconds = calloc(turns * count, sizeof *seconds), last[16], before, idle_s;
	bench_line line = line_of("watch");
	char dir[SCRATCH_PATH];
	crowd c = {0};
	cpu_use idle;
	tl_id id;

	need_that(seconds != NULL, "memory");
	work_path(dir, "hub");
	copy_dir(seed_dir(n, &id), dir);
	hub_start(&c.hub, dir, &id, NULL);
	find_place(&c);
	nap_ms(PAIR_SETTLE_MS);
	before = memory_of(c.hub.process.pid, "VmRSS");
	gather(&c, count);
	listen_for(&c, 1, SIZE_MAX);
	idle_s = bench_quick ? 1 : 20;
	idle = cpu_of(c.hub.process.pid);
	listen_for(&c, idle_s, SIZE_MAX);
	line.core = 100 * cpu_between(idle, cpu_of(c.hub.process.pid)).all / idle_s;
	for (size_t i = 0; i < turns; i++)
		last[i] = commit_once(&c, seconds + i * count);
	line.kib_each = (memory_of(c.hub.process.pid, "VmRSS") - before) / (double)count;
	disperse(&c);
	hub_end(&c.hub);
	scratch_remove(dir);
	line.clients = (int64_t)count;
	line.at = (int64_t)n;
	line_times(&line, seconds, turns * count);
	line.all_ms = 1e3 * median(last, turns);
	line_print(&line);
	free(seconds);
}

void bench_watch(void)
{
	one_client(10);
	many_clients(bench_quick ? 100 : 10000, bench_quick ? 10 : 100);
	many_clients(bench_quick ? 100 : 10000, bench_quick ? 50 : 1000);
}
