#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "engine/parts/hub_impl.h"
#include "engine/parts/inside.h"

/* All members under the hub's lock, except after `done` those that then never change. */
struct tl_op {
	tl__hub *hub;
	tl_op *next;   /* in the hub's queue */
	unsigned refs; /* user, engine, queue, running callback */
	bool done;
	bool queued;
	int code;
	tl_error *error;
	char *text;
	void (*call)(void *ud, tl_op *op);
	void *ud;
};

tl_op *tl__op_new(tl__hub *hub, bool held)
{
	tl_op *op = tl__alloc_zero(1, sizeof *op);

	if (!op)
		return NULL;
	op->hub = hub;
	op->refs = held ? 2 : 1;
	pthread_mutex_lock(&hub->lock);
	hub->refs++;
	pthread_mutex_unlock(&hub->lock);
	return op;
}

/* Under the lock, which is given up. */
static void unref_unlock(tl_op *op)
{
	tl__hub *hub = op->hub;
	bool last = --op->refs == 0;

	pthread_mutex_unlock(&hub->lock);
	if (!last)
		return;
	tl__error_drop(op->error);
	tl__free(op->text);
	tl__free(op);
	tl__hub_release(hub);
}

/* Under the lock. */
static void enqueue(tl_op *op)
{
	tl__hub *hub = op->hub;

	if (op->queued)
		return;
	op->queued = true;
	op->refs++;
	op->next = NULL;
	*hub->end = op;
	hub->end = &op->next;
	tl__hub_raise(hub->ops_fd);
}

/* Under the lock. Takes the error and the text. */
static void end_op(tl_op *op, int code, tl_error *error, char *text)
{
	op->done = true;
	op->code = code;
	op->error = error;
	op->text = text;
	enqueue(op);
	pthread_cond_broadcast(&op->hub->change);
}

void tl__op_finish(tl_op *op, int code, const char *text)
{
	tl_error *error;
	char *copy;

	if (!op)
		return;
	error = code == TL_OK ? NULL : tl__error_keep();
	copy = text && *text ? tl__copy_bytes(text, strlen(text)) : NULL;
	if (code == TL_OK && text && *text && !copy) {
		code = TL_E_NOMEM;
		error = tl__error_keep();
	}
	pthread_mutex_lock(&op->hub->lock);
	if (!op->done) {
		end_op(op, code, error, copy);
		error = NULL;
		copy = NULL;
	}
	unref_unlock(op);
	tl__error_drop(error);
	tl__free(copy);
}

/* Ends an operation from the user's side; the engine finds out and gives up what it does for it. */
static void abandon(tl_op *op, int code, const char *why)
{
	tl_error *error;

	(void)tl__fail(code, "%s", why);
	error = tl__error_keep();
	pthread_mutex_lock(&op->hub->lock);
	if (!op->done) {
		end_op(op, code, error, NULL);
		error = NULL;
		if (op->hub->abandon)
			op->hub->abandon(op->hub->abandon_ud);
	}
	pthread_mutex_unlock(&op->hub->lock);
	tl__error_drop(error);
}

/* Under the lock, which is given up around the callback. Takes the first from the queue. false when
 * the callback forked and this is the child: the hub is not to be touched any more. */
static bool dispatch_one(tl__hub *hub)
{
	tl_op *op = hub->first;
	void (*call)(void *ud, tl_op *op) = op->call;
	void *ud = op->ud;

	hub->first = op->next;
	if (!hub->first)
		hub->end = &hub->first;
	op->queued = false;
	op->call = NULL;
	if (call) {
		pthread_mutex_unlock(&hub->lock);
		call(ud, op);
		if (tl__hub_inherited(hub))
			return false;
		pthread_mutex_lock(&hub->lock);
	}
	unref_unlock(op);
	pthread_mutex_lock(&hub->lock);
	return true;
}

/* Under the lock. */
static void lower_when_empty(tl__hub *hub)
{
	if (hub->first)
		return;
	tl__hub_lower(hub->ops_fd);
	/* A stop that came in between must stay to be seen. */
	if (atomic_load(&hub->stopping) || atomic_load(&hub->ended))
		tl__hub_raise(hub->ops_fd);
}

void tl__hub_dispatch(tl__hub *hub)
{
	pthread_mutex_lock(&hub->lock);
	hub->refs++;
	while (hub->first)
		if (!dispatch_one(hub))
			return;
	lower_when_empty(hub);
	pthread_mutex_unlock(&hub->lock);
	tl__hub_release(hub); /* perhaps the last: a callback may close the node */
}

int tl__hub_run(tl__hub *hub)
{
	struct pollfd fd = {.fd = hub->ops_fd, .events = POLLIN};
	int rc = tl__inside_refuse("tl_node_run");

	if (rc != TL_OK)
		return rc;
	while (rc == TL_OK && !atomic_load(&hub->ended) &&
		!atomic_exchange(&hub->stopping, false)) {
		if (poll(&fd, 1, -1) < 0 && errno != EINTR)
			return tl__fail(TL_E_IO, "cannot wait for the node: %s", strerror(errno));
		tl__hub_dispatch(hub);
		rc = tl__hub_own(hub);
	}
	return rc;
}

void tl__hub_stop(tl__hub *hub)
{
	int saved = errno;

	if (tl__hub_inherited(hub))
		return;
	atomic_store(&hub->stopping, true);
	tl__hub_raise(hub->ops_fd);
	errno = saved;
}

void tl__hub_end(tl__hub *hub)
{
	atomic_store(&hub->ended, true);
	tl__hub_raise(hub->ops_fd);
}

/* --- public ----------------------------------------------------------------------------------- */

static void deadline_in(uint32_t ms, struct timespec *out)
{
	clock_gettime(CLOCK_MONOTONIC, out);
	out->tv_sec += ms / 1000;
	out->tv_nsec += (long)(ms % 1000) * 1000000;
	if (out->tv_nsec >= 1000000000) {
		out->tv_sec++;
		out->tv_nsec -= 1000000000;
	}
}

/* Dispatches until the operation is done and out of the queue; whether it was in time. In a child
 * that a callback forked it returns at once. */
static bool wait_done(tl_op *op, uint32_t timeout_ms)
{
	tl__hub *hub = op->hub;
	struct timespec deadline;
	bool in_time = true;

	deadline_in(timeout_ms, &deadline);
	pthread_mutex_lock(&hub->lock);
	while (in_time && (!op->done || op->queued)) {
		if (hub->first) {
			if (!dispatch_one(hub))
				return true;
			lower_when_empty(hub);
		} else if (timeout_ms == 0) {
			pthread_cond_wait(&hub->change, &hub->lock);
		} else {
			in_time = pthread_cond_timedwait(&hub->change, &hub->lock, &deadline) !=
					  ETIMEDOUT ||
				  op->done;
		}
	}
	in_time = op->done;
	pthread_mutex_unlock(&hub->lock);
	return in_time;
}

/* Its callback may free it, and close the node: it stays, and the hub with it, until it was waited
 * for. */
static void hold(tl_op *op)
{
	pthread_mutex_lock(&op->hub->lock);
	op->refs++;
	pthread_mutex_unlock(&op->hub->lock);
}

static void let_go(tl_op *op)
{
	if (tl__hub_inherited(op->hub))
		return;
	pthread_mutex_lock(&op->hub->lock);
	unref_unlock(op);
}

TL__PUBLIC(tl_op_wait, op, (tl_op *op, uint32_t timeout_ms), (op, timeout_ms))
{
	int rc = tl__hub_own(op->hub);

	if (rc == TL_OK)
		rc = tl__inside_refuse("tl_op_wait");
	if (rc != TL_OK)
		return rc;
	hold(op);
	if (!wait_done(op, timeout_ms)) {
		abandon(op, TL_E_TIMEOUT, "the operation took longer than the time given to it");
		(void)wait_done(op, 0);
	}
	rc = tl_op_result(op);
	let_go(op);
	return rc;
}

bool tl_op_done(const tl_op *op)
{
	bool done;

	if (!op || tl__hub_inherited(op->hub))
		return false;
	pthread_mutex_lock(&op->hub->lock);
	done = op->done;
	pthread_mutex_unlock(&op->hub->lock);
	return done;
}

int tl_op_result(const tl_op *op)
{
	if (!op)
		return tl__fail_needs("tl_op_result", "op");
	if (tl__hub_inherited(op->hub))
		return tl__hub_own(op->hub);
	if (!tl_op_done(op))
		return tl__fail(TL_E_BUSY, "the operation is not done yet; wait for it first");
	return tl__error_raise(op->error, op->code);
}

const char *tl_op_text(const tl_op *op)
{
	return tl_op_done(op) && op->text ? op->text : "";
}

void tl_op_then(tl_op *op, void (*call)(void *ud, tl_op *op), void *ud)
{
	if (!op || tl__hub_inherited(op->hub))
		return;
	pthread_mutex_lock(&op->hub->lock);
	op->call = call;
	op->ud = ud;
	if (op->done && call)
		enqueue(op);
	pthread_mutex_unlock(&op->hub->lock);
}

void tl_op_cancel(tl_op *op)
{
	tl__errors errors;

	if (!op || tl__hub_inherited(op->hub))
		return;
	tl__errors_begin(&errors);
	abandon(op, TL_E_CANCELLED, "the operation was cancelled");
	(void)tl__errors_end(&errors, TL_OK);
}

void tl_op_free(tl_op *op)
{
	if (!op || tl__hub_inherited(op->hub))
		return;
	pthread_mutex_lock(&op->hub->lock);
	unref_unlock(op);
}
