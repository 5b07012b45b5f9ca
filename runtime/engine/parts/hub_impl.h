/* Inside of the hub, for ops.c and events.c alone. */
#ifndef TL_ENGINE_HUB_IMPL_H
#define TL_ENGINE_HUB_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <tidelock/types.h>
#include "engine/parts/hub.h"

typedef struct tl__event_node tl__event_node;

struct tl__hub {
	pthread_mutex_t lock;  /* everything but `stopping` and `ended` */
	pthread_cond_t change; /* an operation is done */
	size_t refs;
	unsigned forks;      /* tl__fork_count of its making */
	int ops_fd;          /* readable: a done operation waits for dispatch, or the stop */
	int events_fd;       /* readable: an event waits */
	int both_fd;         /* epoll over the two */
	tl_op *first, **end; /* done, not yet dispatched */
	atomic_bool stopping, ended;
	void (*abandon)(void *ud);
	void *abandon_ud;
	tl__event_node *first_event, *last_event;
	size_t event_count;
	uint64_t lost; /* since the last overflow event that could be kept */
	bool listening;
	struct {
		pthread_mutex_t lock; /* taken before the other one, held while they are called */
		atomic_size_t count;
		uint64_t last_handle;
		tl_listener at[TL__LISTENERS_MAX];
		uint64_t handles[TL__LISTENERS_MAX];
	} listeners; /* listen.c */
};

/* Calls those who listen. */
void tl__hub_call_listeners(tl__hub *hub, const tl_event *event, tl_str text);

/* TL_E_BAD_STATE in a forked child: there the lock may be held by a thread that does not exist, and
 * the descriptors are the parent's. */
int tl__hub_own(const tl__hub *hub) TL_MUST_USE;
bool tl__hub_inherited(const tl__hub *hub);
/* Makes the descriptor readable, or not. */
void tl__hub_raise(int fd);
void tl__hub_lower(int fd);
/* Under the lock. */
void tl__hub_free_events(tl__hub *hub);

#endif
