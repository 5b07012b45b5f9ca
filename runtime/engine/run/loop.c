#include "engine/run/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include "base/system/descriptors.h"
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/mem.h"
#include "base/system/thread.h"

typedef struct posted {
	tl_post_call call;
	void *ud;
} posted;

typedef struct posts {
	posted *at;
	size_t count, cap;
} posts;

/* A ring of timers; an empty one is its own neighbour. */
typedef struct ring {
	struct ring *next, *prev;
} ring;

typedef struct loop {
	tl_loop base;
	unsigned forks; /* tl__fork_count of its making */
	uv_loop_t uv;
	uv_idle_t idle;  /* runs while there is something to do soon */
	ring soon;       /* timers of 0 ms */
	uv_async_t wake; /* a post or the stop */
	pthread_mutex_t lock;
	posts waiting; /* under the lock */
	posts running; /* the loop's thread */
	bool stopped;  /* under the lock */
	bool turning;
	atomic_uint_fast64_t turns;
} loop;

struct tl_watch {
	uv_poll_t poll; /* first: a handle is its watch */
	tl_watch_call call;
	void *ud;
	int fd;
	unsigned events;
};

struct tl_timer {
	uv_timer_t timer; /* first: a handle is its timer */
	ring link;        /* in loop.soon, or alone */
	tl_timer_call call;
	void *ud;
};

static loop *of(tl_loop *base)
{
	return (loop *)base;
}

/* A forked child has no part in it: what the kernel watches is shared with the parent, and the lock
 * may be held by a thread that the child lacks. */
static bool inherited(const loop *l)
{
	return tl__fork_inherited(l->forks);
}

static loop *of_uv(const uv_loop_t *uv)
{
	return (loop *)((char *)(uintptr_t)uv - offsetof(loop, uv));
}

static void free_handle(uv_handle_t *handle)
{
	tl__free(handle);
}

/* --- watches ---------------------------------------------------------------------------------- */

static int uv_events(unsigned events)
{
	return (events & TL_READABLE ? UV_READABLE : 0) | (events & TL_WRITABLE ? UV_WRITABLE : 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	tl_watch *watch = (tl_watch *)poll;
	unsigned told = (events & UV_READABLE ? TL_READABLE : 0U) |
			(events & UV_WRITABLE ? TL_WRITABLE : 0U);

	if (status < 0) {
		/* libuv stops a handle whose descriptor has an error; the watch goes on until
		 * its owner ends it. */
		told = TL_READABLE | TL_WRITABLE;
		uv_poll_start(poll, uv_events(watch->events), on_poll);
	}
	watch->call(watch->ud, watch->fd, told);
}

static int rewatch(tl_watch *watch, unsigned events)
{
	int rc = tl__fork_check(of_uv(watch->poll.loop)->forks);

	if (rc != TL_OK)
		return rc;
	rc = uv_poll_start(&watch->poll, uv_events(events), on_poll);
	if (rc != 0)
		return tl__fail(
			TL_E_IO, "cannot watch descriptor %d: %s", watch->fd, uv_strerror(rc));
	watch->events = events;
	return TL_OK;
}

static void unwatch(tl_watch *watch)
{
	if (watch && !inherited(of_uv(watch->poll.loop)))
		uv_close((uv_handle_t *)&watch->poll, free_handle);
}

static int watch_fd(
	tl_loop *base, int fd, unsigned events, tl_watch_call call, void *ud, tl_watch **out)
{
	int rc = tl__fork_check(of(base)->forks);
	tl_watch *watch = rc == TL_OK ? tl__alloc_zero(1, sizeof *watch) : NULL;

	*out = NULL;
	if (!watch)
		return rc == TL_OK ? TL_E_NOMEM : rc;
	watch->call = call;
	watch->ud = ud;
	watch->fd = fd;
	rc = uv_poll_init(&of(base)->uv, &watch->poll, fd);
	if (rc != 0) {
		tl__free(watch);
		return tl__fail(TL_E_IO, "cannot watch descriptor %d: %s", fd, uv_strerror(rc));
	}
	rc = rewatch(watch, events);
	if (rc != TL_OK) {
		unwatch(watch);
		return rc;
	}
	*out = watch;
	return TL_OK;
}

/* --- timers ----------------------------------------------------------------------------------- */

static void leave_ring(ring *link)
{
	link->next->prev = link->prev;
	link->prev->next = link->next;
	link->next = link->prev = link;
}

static void enter_ring(ring *to, ring *link)
{
	link->prev = to->prev;
	link->next = to;
	to->prev->next = link;
	to->prev = link;
}

static tl_timer *timer_of(ring *link)
{
	return (tl_timer *)((char *)link - offsetof(tl_timer, link));
}

static void on_timer(uv_timer_t *handle)
{
	tl_timer *timer = (tl_timer *)handle;

	timer->call(timer->ud);
}

/* What is started meanwhile waits for the next turn. */
static void on_idle(uv_idle_t *idle)
{
	loop *l = idle->data;
	ring last = {&last, &last};

	enter_ring(&l->soon, &last);
	while (l->soon.next != &last) {
		tl_timer *timer = timer_of(l->soon.next);

		leave_ring(&timer->link);
		timer->call(timer->ud);
	}
	leave_ring(&last);
	if (l->soon.next == &l->soon)
		uv_idle_stop(&l->idle);
}

static int timer_new(tl_loop *base, tl_timer_call call, void *ud, tl_timer **out)
{
	int rc = tl__fork_check(of(base)->forks);
	tl_timer *timer = rc == TL_OK ? tl__alloc_zero(1, sizeof *timer) : NULL;

	*out = timer;
	if (!timer)
		return rc == TL_OK ? TL_E_NOMEM : rc;
	timer->call = call;
	timer->ud = ud;
	timer->link = (ring){&timer->link, &timer->link};
	uv_timer_init(&of(base)->uv, &timer->timer);
	return TL_OK;
}

static void timer_stop(tl_timer *timer)
{
	if (inherited(of_uv(timer->timer.loop)))
		return;
	leave_ring(&timer->link);
	uv_timer_stop(&timer->timer);
}

/* libuv's time is that of its last turn, which may be long ago where a host turns it. */
static void look_at_clock(loop *l)
{
	if (!l->turning)
		uv_update_time(&l->uv);
}

/* libuv 1.44 runs a timer of 0 ms that starts itself again for ever, without turning. */
static void timer_start(tl_timer *timer, uint64_t after_ms)
{
	loop *l = of_uv(timer->timer.loop);

	if (inherited(l))
		return;
	timer_stop(timer);
	if (after_ms > 0) {
		look_at_clock(l);
		uv_timer_start(&timer->timer, on_timer, after_ms, 0);
		return;
	}
	enter_ring(&l->soon, &timer->link);
	uv_idle_start(&l->idle, on_idle);
}

static void timer_free(tl_timer *timer)
{
	if (!timer || inherited(of_uv(timer->timer.loop)))
		return;
	timer_stop(timer);
	uv_close((uv_handle_t *)&timer->timer, free_handle);
}

static uint64_t now_ms(tl_loop *base)
{
	look_at_clock(of(base));
	return uv_now(&of(base)->uv);
}

/* --- posts ------------------------------------------------------------------------------------ */

static int push(posts *to, tl_post_call call, void *ud)
{
	posted *grown = tl__grow(to->at, to->count, &to->cap, sizeof *grown);

	if (!grown)
		return TL_E_NOMEM;
	to->at = grown;
	to->at[to->count++] = (posted){call, ud};
	return TL_OK;
}

static int post(tl_loop *base, tl_post_call call, void *ud)
{
	loop *l = of(base);
	int rc = tl__fork_check(l->forks);

	if (rc != TL_OK)
		return rc;
	rc = TL_E_CLOSED;
	pthread_mutex_lock(&l->lock);
	if (!l->stopped) {
		rc = push(&l->waiting, call, ud);
		/* One wake-up for all that gather until the loop comes to them. */
		if (rc == TL_OK && l->waiting.count == 1)
			uv_async_send(&l->wake);
	}
	pthread_mutex_unlock(&l->lock);
	if (rc == TL_E_CLOSED)
		return tl__fail(TL_E_CLOSED, "the loop has been stopped");
	return rc;
}

/* What is posted meanwhile waits for the next turn, so that sockets and timers get theirs. */
static void run_posts(loop *l)
{
	posts taken;

	pthread_mutex_lock(&l->lock);
	taken = l->waiting;
	l->waiting = l->running;
	l->running = taken;
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < taken.count; i++)
		taken.at[i].call(taken.at[i].ud);
	l->running.count = 0;
}

static void on_wake(uv_async_t *wake)
{
	run_posts((loop *)wake->data);
}

/* --- life ------------------------------------------------------------------------------------- */

/* The first loop of a process needs a pipe for signals beside its own descriptor; without it libuv
 * ends the process. */
static int check_descriptors(void)
{
	int pairs[4], made = 0, rc = TL_OK;

	while (made < 4 && pipe2(pairs + made, O_CLOEXEC) == 0)
		made += 2;
	if (made < 4)
		rc = tl__fail(TL_E_IO, "cannot create an event loop: %s", strerror(errno));
	while (made > 0)
		close(pairs[--made]);
	return rc;
}

static int start(loop *l)
{
	int rc = check_descriptors();

	if (rc != TL_OK)
		return rc;
	rc = uv_loop_init(&l->uv);
	if (rc != 0)
		return tl__fail(TL_E_IO, "cannot create an event loop: %s", uv_strerror(rc));
	rc = uv_async_init(&l->uv, &l->wake, on_wake);
	if (rc != 0) {
		uv_loop_close(&l->uv);
		return tl__fail(TL_E_IO, "cannot create an event loop: %s", uv_strerror(rc));
	}
	uv_idle_init(&l->uv, &l->idle);
	l->idle.data = l->wake.data = l;
	l->soon = (ring){&l->soon, &l->soon};
	pthread_mutex_init(&l->lock, NULL);
	return TL_OK;
}

int tl__loop_new(tl_loop **out)
{
	int rc = tl__descriptors_guard();
	loop *l;

	if (rc == TL_OK)
		rc = tl__fork_watch();
	l = rc == TL_OK ? tl__alloc_zero(1, sizeof *l) : NULL;

	*out = NULL;
	if (!l)
		return rc == TL_OK ? TL_E_NOMEM : rc;
	l->base = (tl_loop){
		.size = sizeof l->base,
		.watch = watch_fd,
		.rewatch = rewatch,
		.unwatch = unwatch,
		.timer = timer_new,
		.timer_start = timer_start,
		.timer_stop = timer_stop,
		.timer_free = timer_free,
		.post = post,
		.now_ms = now_ms,
	};
	l->forks = tl__fork_count();
	rc = start(l);
	if (rc != TL_OK) {
		tl__free(l);
		return rc;
	}
	*out = &l->base;
	return TL_OK;
}

static bool stopped(loop *l)
{
	bool is;

	if (inherited(l))
		return true;
	pthread_mutex_lock(&l->lock);
	is = l->stopped;
	pthread_mutex_unlock(&l->lock);
	return is;
}

static void turn(loop *l, uv_run_mode mode)
{
	uv_run(&l->uv, mode);
	atomic_fetch_add_explicit(&l->turns, 1, memory_order_relaxed);
}

int tl__loop_fd(const tl_loop *base)
{
	const loop *l = (const loop *)base;
	int rc = tl__fork_check(l->forks);

	return rc == TL_OK ? uv_backend_fd(&l->uv) : rc;
}

int tl__loop_timeout(tl_loop *base, int *ms)
{
	loop *l = of(base);
	int rc = tl__fork_check(l->forks);

	*ms = -1;
	if (rc != TL_OK)
		return rc;
	look_at_clock(l);
	*ms = uv_backend_timeout(&l->uv);
	return TL_OK;
}

int tl__loop_turn(tl_loop *base, bool wait)
{
	loop *l = of(base);
	int rc = tl__fork_check(l->forks);
	sigset_t before;

	if (rc != TL_OK)
		return rc;
	tl__thread_block_pipes(&before);
	l->turning = true;
	turn(l, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	l->turning = false;
	tl__thread_unblock_pipes(&before);
	return TL_OK;
}

void tl__loop_run(tl_loop *base)
{
	loop *l = of(base);
	sigset_t before;

	tl__thread_block_pipes(&before);
	l->turning = true;
	while (!stopped(l))
		turn(l, UV_RUN_ONCE);
	if (!inherited(l))
		run_posts(l);
}

void tl__loop_stop(tl_loop *base)
{
	loop *l = of(base);

	if (inherited(l))
		return;
	pthread_mutex_lock(&l->lock);
	l->stopped = true;
	uv_async_send(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

uint64_t tl__loop_turns(const tl_loop *base)
{
	return atomic_load_explicit(&((const loop *)base)->turns, memory_order_relaxed);
}

static void close_one(uv_handle_t *handle, void *ud)
{
	const loop *l = ud;
	bool inside =
		handle == (const uv_handle_t *)&l->wake || handle == (const uv_handle_t *)&l->idle;

	if (!uv_is_closing(handle))
		uv_close(handle, inside ? NULL : free_handle);
}

void tl__loop_free(tl_loop *base)
{
	loop *l = of(base);

	if (!l || inherited(l))
		return;
	uv_walk(&l->uv, close_one, l);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	uv_loop_close(&l->uv);
	pthread_mutex_destroy(&l->lock);
	tl__free(l->waiting.at);
	tl__free(l->running.at);
	tl__free(l);
}
