/* What the files of the courier share. */
#ifndef TL_LUA_COURIER_IMPL_H
#define TL_LUA_COURIER_IMPL_H

#include <pthread.h>
#include "courier/courier.h"

/* Work for the loop's thread. It lies in what it is about, so handing it over cannot fail. */
typedef struct tlua_job {
	struct tlua_job *next;
	void (*run)(struct tlua_job *job);
} tlua_job;

/* Links what is alive on the loop's thread, so that closing finds it. */
typedef struct tlua_ring {
	struct tlua_ring *next, *prev;
} tlua_ring;

typedef struct tlua_bytes {
	char *ptr;
	size_t len, cap;
} tlua_bytes;

struct tlua_courier {
	tl_loop *loop;
	tl_transport *transport; /* the loop's thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t listening; /* a server has started, or not */
	int to_loop[2], to_lua[2];
	tl_watch *watch;             /* of to_loop; the loop's thread */
	tlua_ring calls, servers;    /* alive; the loop's thread */
	tlua_job *first_job, **last; /* under the lock */
	bool closing;                /* under the lock: no jobs any more; set by the Lua thread */
	unsigned refs;               /* under the lock */
};

/* Hands a job over, with one more reference (counted under the lock) that the job gives back. False
 * once the courier is closing: then it will never run, and there is no further reference. */
bool tlua__courier_hand(tlua_courier *courier, tlua_job *job, unsigned *refs);
/* Makes the courier's descriptor readable. */
void tlua__courier_tell(tlua_courier *courier);
/* Has the loop's thread look whether everything has ended. */
void tlua__courier_wake(tlua_courier *courier);
void tlua__courier_retain(tlua_courier *courier);
void tlua__courier_release(tlua_courier *courier);

void tlua__ring_enter(tlua_ring *ring, tlua_ring *link);
void tlua__ring_leave(tlua_ring *link);

/* On the loop's thread, when the courier closes. */
void tlua__calls_cancel(tlua_courier *courier);
void tlua__servers_stop(tlua_courier *courier);

bool tlua__bytes_append(tlua_bytes *bytes, const void *ptr, size_t len);
/* NULL for NULL; *ok becomes false when memory ran out. */
char *tlua__copy(const char *text, bool *ok);

#endif
