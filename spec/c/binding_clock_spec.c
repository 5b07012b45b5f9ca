/* Waiting goes by the steady clock: one on the wall that is set while somebody waits changes
 * nothing. */
#include <sys/syscall.h>
#include <unistd.h>
#include "clock.h"
#include "check.h"

static tlua_latch latch;
static int jump_s; /* of the clock on the wall, as the program sees it */

/* In the stead of libc's: the kernel's, which waits, is where the clock was not read before. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (clock == CLOCK_REALTIME)
		out->tv_sec += jump_s;
	return rc;
}

static void *set_soon(void *ud)
{
	usleep(100 * 1000);
	tlua_latch_set(&latch, *(int *)ud);
	return NULL;
}

static void a_clock_that_was_put_forward_ends_no_wait(void)
{
	pthread_t thread;
	int state = 2;

	jump_s = -3600; /* it was read before */
	tlua_latch_init(&latch);
	REQUIRE(pthread_create(&thread, NULL, set_soon, &state) == 0);
	CHECK(tlua_latch_wait(&latch, 60) == 2);
	pthread_join(thread, NULL);
	CHECK(tlua_latch_wait(&latch, 0) == 2);
	tlua_latch_destroy(&latch);
	jump_s = 0;
}

static void a_clock_that_was_put_back_makes_no_wait_longer(void)
{
	uint64_t began = tlua_now_ms(), took;

	jump_s = 3600;
	tlua_latch_init(&latch);
	CHECK(tlua_latch_wait(&latch, 1) == 0);
	tlua_latch_destroy(&latch);
	jump_s = 0;
	took = tlua_now_ms() - began;
	CHECK(took >= 900 && took < 30 * 1000);
}

static void the_wall_shows_what_it_was_set_to(void)
{
	int64_t before = tlua_wall_ms();

	jump_s = 3600;
	CHECK(tlua_wall_ms() - before >= 3600 * 1000);
	jump_s = 0;
}

int main(void)
{
	RUN(a_clock_that_was_put_forward_ends_no_wait);
	RUN(a_clock_that_was_put_back_makes_no_wait_longer);
	RUN(the_wall_shows_what_it_was_set_to);
	return spec_end();
}
