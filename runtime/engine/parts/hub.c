#include "engine/parts/hub_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/mem.h"

int tl__hub_own(const tl__hub *hub)
{
	return tl__fork_check(hub->forks);
}

bool tl__hub_inherited(const tl__hub *hub)
{
	return tl__fork_inherited(hub->forks);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void hub_free(tl__hub *hub)
{
	tl__hub_free_events(hub);
	close_fd(hub->both_fd);
	close_fd(hub->events_fd);
	close_fd(hub->ops_fd);
	pthread_cond_destroy(&hub->change);
	pthread_mutex_destroy(&hub->listeners.lock);
	pthread_mutex_destroy(&hub->lock);
	tl__free(hub);
}

static int open_fds(tl__hub *hub)
{
	struct epoll_event ops = {.events = EPOLLIN}, events = {.events = EPOLLIN};

	hub->ops_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hub->events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hub->both_fd = epoll_create1(EPOLL_CLOEXEC);
	if (hub->ops_fd >= 0 && hub->events_fd >= 0 && hub->both_fd >= 0 &&
		epoll_ctl(hub->both_fd, EPOLL_CTL_ADD, hub->ops_fd, &ops) == 0 &&
		epoll_ctl(hub->both_fd, EPOLL_CTL_ADD, hub->events_fd, &events) == 0)
		return TL_OK;
	return tl__fail(TL_E_IO, "cannot create the node's descriptors: %s", strerror(errno));
}

int tl__hub_new(tl__hub **out)
{
	int rc = tl__fork_watch();
	tl__hub *hub = rc == TL_OK ? tl__alloc_zero(1, sizeof *hub) : NULL;
	pthread_condattr_t attr;

	*out = NULL;
	if (!hub)
		return rc == TL_OK ? TL_E_NOMEM : rc;
	hub->refs = 1;
	hub->forks = tl__fork_count();
	hub->end = &hub->first;
	pthread_mutex_init(&hub->lock, NULL);
	pthread_mutex_init(&hub->listeners.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hub->change, &attr);
	pthread_condattr_destroy(&attr);
	rc = open_fds(hub);
	if (rc != TL_OK) {
		hub_free(hub);
		return rc;
	}
	*out = hub;
	return TL_OK;
}

void tl__hub_release(tl__hub *hub)
{
	bool last;

	if (!hub)
		return;
	pthread_mutex_lock(&hub->lock);
	last = --hub->refs == 0;
	pthread_mutex_unlock(&hub->lock);
	if (last)
		hub_free(hub);
}

void tl__hub_on_abandon(tl__hub *hub, void (*call)(void *ud), void *ud)
{
	pthread_mutex_lock(&hub->lock);
	hub->abandon = call;
	hub->abandon_ud = ud;
	pthread_mutex_unlock(&hub->lock);
}
