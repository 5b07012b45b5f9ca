#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "courier/courier_impl.h"

/* --- small things ----------------------------------------------------------------------------- */

bool tlua__bytes_append(tlua_bytes *bytes, const void *ptr, size_t len)
{
	if (len > bytes->cap - bytes->len) {
		size_t cap = bytes->cap > len ? bytes->cap * 2 : bytes->cap + len;
		char *grown = cap < len ? NULL : realloc(bytes->ptr, cap);

		if (!grown)
			return false;
		bytes->ptr = grown;
		bytes->cap = cap;
	}
	if (len > 0)
		memcpy(bytes->ptr + bytes->len, ptr, len);
	bytes->len += len;
	return true;
}

char *tlua__copy(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;

	*ok = *ok && (copy || !text);
	return copy;
}

void tlua__ring_enter(tlua_ring *ring, tlua_ring *link)
{
	link->prev = ring->prev;
	link->next = ring;
	ring->prev->next = link;
	ring->prev = link;
}

void tlua__ring_leave(tlua_ring *link)
{
	link->next->prev = link->prev;
	link->prev->next = link->next;
	link->next = link->prev = link;
}

/* --- waking each other ------------------------------------------------------------------------ */

/* A full pipe wakes as well as one more byte would. */
static void ring_bell(int fd)
{
	ssize_t n;

	do
		n = write(fd, "x", 1);
	while (n < 0 && errno == EINTR);
}

static void silence(int fd)
{
	char bytes[256];
	ssize_t n;

	do
		n = read(fd, bytes, sizeof bytes);
	while (n == (ssize_t)sizeof bytes || (n < 0 && errno == EINTR));
}

void tlua__courier_tell(tlua_courier *courier)
{
	ring_bell(courier->to_lua[1]);
}

void tlua__courier_wake(tlua_courier *courier)
{
	ring_bell(courier->to_loop[1]);
}

int tlua_courier_fd(const tlua_courier *courier)
{
	return courier->to_lua[0];
}

void tlua_courier_calm(tlua_courier *courier)
{
	silence(courier->to_lua[0]);
}

bool tlua__courier_hand(tlua_courier *courier, tlua_job *job, unsigned *refs)
{
	bool open;

	pthread_mutex_lock(&courier->lock);
	open = !courier->closing;
	if (open) {
		++*refs;
		job->next = NULL;
		*courier->last = job;
		courier->last = &job->next;
	}
	pthread_mutex_unlock(&courier->lock);
	if (open)
		tlua__courier_wake(courier);
	return open;
}

/* --- the loop's thread ------------------------------------------------------------------------ */

static void run_jobs(tlua_courier *courier, bool *closing)
{
	tlua_job *job;

	pthread_mutex_lock(&courier->lock);
	job = courier->first_job;
	courier->first_job = NULL;
	courier->last = &courier->first_job;
	*closing = courier->closing;
	pthread_mutex_unlock(&courier->lock);
	while (job) {
		tlua_job *next = job->next;

		job->run(job);
		job = next;
	}
}

static void on_wake(void *ud, int fd, unsigned events)
{
	tlua_courier *courier = ud;
	bool closing;

	(void)events;
	silence(fd);
	run_jobs(courier, &closing);
	if (!closing)
		return;
	tlua__calls_cancel(courier);
	tlua__servers_stop(courier);
	if (courier->calls.next != &courier->calls || courier->servers.next != &courier->servers)
		return; /* the last one to end wakes us again */
	courier->loop->unwatch(courier->watch);
	courier->watch = NULL;
	courier->transport->free(courier->transport);
	courier->transport = NULL;
	tl_loop_stop(courier->loop);
}

static void *turn(void *ud)
{
	tl_loop_run(((tlua_courier *)ud)->loop);
	return NULL;
}

/* Signals are for the host's threads. */
static int start_thread(tlua_courier *courier)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&courier->thread, NULL, turn, courier);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? TL_OK : tl_error_set(TL_E_IO, "cannot start a thread for the transport");
}

/* --- life ------------------------------------------------------------------------------------- */

void tlua__courier_retain(tlua_courier *courier)
{
	pthread_mutex_lock(&courier->lock);
	courier->refs++;
	pthread_mutex_unlock(&courier->lock);
}

static void close_pipe(const int *pipe)
{
	for (int i = 0; i < 2; i++)
		if (pipe[i] >= 0)
			close(pipe[i]);
}

void tlua__courier_release(tlua_courier *courier)
{
	bool last;

	pthread_mutex_lock(&courier->lock);
	last = --courier->refs == 0;
	pthread_mutex_unlock(&courier->lock);
	if (!last)
		return;
	close_pipe(courier->to_loop);
	close_pipe(courier->to_lua);
	pthread_cond_destroy(&courier->listening);
	pthread_mutex_destroy(&courier->lock);
	free(courier);
}

static tlua_courier *make(void)
{
	tlua_courier *courier = calloc(1, sizeof *courier);

	if (!courier)
		return NULL;
	courier->refs = 1;
	courier->calls = (tlua_ring){&courier->calls, &courier->calls};
	courier->servers = (tlua_ring){&courier->servers, &courier->servers};
	courier->last = &courier->first_job;
	courier->to_loop[0] = courier->to_loop[1] = courier->to_lua[0] = courier->to_lua[1] = -1;
	pthread_mutex_init(&courier->lock, NULL);
	pthread_cond_init(&courier->listening, NULL);
	return courier;
}

static int start(tlua_courier *courier, const tl_http_options *options)
{
	int rc;

	if (pipe2(courier->to_loop, O_CLOEXEC | O_NONBLOCK) != 0 ||
		pipe2(courier->to_lua, O_CLOEXEC | O_NONBLOCK) != 0)
		return tl_error_set(TL_E_IO, "cannot open a pipe: too many descriptors are open");
	rc = tl_loop_new(&courier->loop);
	if (rc == TL_OK)
		rc = courier->loop->watch(courier->loop, courier->to_loop[0], TL_READABLE, on_wake,
			courier, &courier->watch);
	if (rc == TL_OK)
		rc = tl_http_new(&courier->transport, courier->loop, options);
	return rc == TL_OK ? start_thread(courier) : rc;
}

int tlua_courier_open(tlua_courier **out, const tl_http_options *options)
{
	tlua_courier *courier = make();
	int rc;

	*out = NULL;
	if (!courier)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a transport");
	rc = start(courier, options);
	if (rc == TL_OK) {
		*out = courier;
		return TL_OK;
	}
	if (courier->transport)
		courier->transport->free(courier->transport);
	if (courier->watch)
		courier->loop->unwatch(courier->watch);
	tl_loop_free(courier->loop);
	tlua__courier_release(courier);
	return rc;
}

void tlua_courier_close(tlua_courier *courier)
{
	if (!courier)
		return;
	pthread_mutex_lock(&courier->lock);
	courier->closing = true;
	pthread_mutex_unlock(&courier->lock);
	tlua__courier_wake(courier);
	pthread_join(courier->thread, NULL);
	tl_loop_free(courier->loop);
	courier->loop = NULL;
	tlua__courier_release(courier);
}
