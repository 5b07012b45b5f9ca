#include "engine/parts/inbox.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"

struct tl__inbox {
	pthread_mutex_t lock;
	tl__task *first, **end; /* under the lock, as is `closed` */
	bool closed;
	int fd;
	tl_loop *loop;
	tl_watch *watch;
};

static tl__task *take_all(tl__inbox *inbox)
{
	tl__task *first;

	pthread_mutex_lock(&inbox->lock);
	first = inbox->first;
	inbox->first = NULL;
	inbox->end = &inbox->first;
	pthread_mutex_unlock(&inbox->lock);
	return first;
}

static void run_all(tl__inbox *inbox)
{
	tl__task *task = take_all(inbox);

	while (task) {
		tl__task *next = task->next;

		task->call(task);
		task = next;
	}
}

static void on_readable(void *ud, int fd, unsigned events)
{
	uint64_t count;

	(void)events;
	/* Fails only when there is nothing, which run_all finds too. */
	if (read(fd, &count, sizeof count) == (ssize_t)sizeof count)
		run_all(ud);
}

int tl__inbox_new(tl__inbox **out, tl_loop *loop)
{
	tl__inbox *inbox = tl__alloc_zero(1, sizeof *inbox);
	int rc;

	*out = NULL;
	if (!inbox)
		return TL_E_NOMEM;
	inbox->loop = loop;
	inbox->end = &inbox->first;
	pthread_mutex_init(&inbox->lock, NULL);
	inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (inbox->fd < 0)
		rc = tl__fail(TL_E_IO, "cannot create an event descriptor: %s", strerror(errno));
	else
		rc = loop->watch(loop, inbox->fd, TL_READABLE, on_readable, inbox, &inbox->watch);
	if (rc != TL_OK) {
		tl__inbox_free(inbox);
		return rc;
	}
	*out = inbox;
	return TL_OK;
}

bool tl__inbox_put(tl__inbox *inbox, tl__task *task)
{
	const uint64_t one = 1;
	bool taken, first;

	task->next = NULL;
	pthread_mutex_lock(&inbox->lock);
	taken = !inbox->closed;
	first = inbox->first == NULL;
	if (taken) {
		*inbox->end = task;
		inbox->end = &task->next;
	}
	/* The counter cannot overflow: it is raised once for each time the list was empty. */
	if (taken && first && write(inbox->fd, &one, sizeof one) < 0)
		taken = true;
	pthread_mutex_unlock(&inbox->lock);
	return taken;
}

void tl__inbox_close(tl__inbox *inbox)
{
	pthread_mutex_lock(&inbox->lock);
	inbox->closed = true;
	pthread_mutex_unlock(&inbox->lock);
	run_all(inbox);
}

void tl__inbox_free(tl__inbox *inbox)
{
	if (!inbox)
		return;
	if (inbox->watch)
		inbox->loop->unwatch(inbox->watch);
	if (inbox->fd >= 0)
		close(inbox->fd);
	pthread_mutex_destroy(&inbox->lock);
	tl__free(inbox);
}
