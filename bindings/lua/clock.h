/* The two clocks, and waiting by the one that never jumps. */
#ifndef TL_LUA_CLOCK_H
#define TL_LUA_CLOCK_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* Since some moment, steadily: for what is waited for and measured. */
static inline uint64_t tlua_now_ms(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Since 1970, by the clock on the wall, which may be set: for people. */
static inline int64_t tlua_wall_ms(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Something that is 0 until it is set, for good, and can be waited for. */
typedef struct tlua_latch {
	atomic_int state;
	pthread_mutex_t lock;
	pthread_cond_t set;
} tlua_latch;

static inline void tlua_latch_init(tlua_latch *latch)
{
	pthread_condattr_t steady;

	atomic_init(&latch->state, 0);
	pthread_mutex_init(&latch->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&latch->set, &steady);
	pthread_condattr_destroy(&steady);
}

static inline void tlua_latch_destroy(tlua_latch *latch)
{
	pthread_cond_destroy(&latch->set);
	pthread_mutex_destroy(&latch->lock);
}

static inline void tlua_latch_set(tlua_latch *latch, int state)
{
	pthread_mutex_lock(&latch->lock);
	atomic_store(&latch->state, state);
	pthread_cond_broadcast(&latch->set);
	pthread_mutex_unlock(&latch->lock);
}

/* What it is set to, at the latest in so many seconds; 0: it is not. */
static inline int tlua_latch_wait(tlua_latch *latch, int seconds)
{
	struct timespec until;
	int state = atomic_load(&latch->state);

	if (state != 0)
		return state;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&latch->lock);
	while (atomic_load(&latch->state) == 0 &&
		pthread_cond_timedwait(&latch->set, &latch->lock, &until) != ETIMEDOUT)
		;
	state = atomic_load(&latch->state);
	pthread_mutex_unlock(&latch->lock);
	return state;
}

#endif
