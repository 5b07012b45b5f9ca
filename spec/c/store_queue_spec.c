/* The write queue, over a backend that only notes what it is asked: who goes first, what shares a
 * turn, and whose error is whose. */
#include <pthread.h>
#include <time.h>
#include "check.h"
#include "base/fail.h"
#include "base/str.h"
#include "store/backend.h"

enum { MOST = 16 };

typedef struct fake {
	tl__store base;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool held;    /* apply waits until it is let go */
	bool waiting; /* an apply waits */
	int begin_result, commit_result;
	uint64_t now; /* the store's clock, which only applying moves */
	uint64_t apply_ms;
	char log[256]; /* "b" begin, the batch's letter, "c" commit */
} fake;

static fake store;

static void note(const char *what)
{
	strncat(store.log, what, sizeof store.log - strlen(store.log) - 1);
}

static void sleep_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static int fake_begin(tl__store *base)
{
	(void)base;
	note("b");
	return store.begin_result == TL_OK ? TL_OK : tl__fail(store.begin_result, "no turn");
}

static int fake_apply(tl__store *base, tl__batch *batch)
{
	char name[2] = {batch->locals[0].key.ptr[0], '\0'};

	(void)base;
	pthread_mutex_lock(&store.lock);
	store.waiting = true;
	pthread_cond_broadcast(&store.moved);
	while (store.held)
		pthread_cond_wait(&store.moved, &store.lock);
	store.waiting = false;
	pthread_mutex_unlock(&store.lock);
	store.now += store.apply_ms;
	note(name);
	return name[0] == '!' ? tl__fail(TL_E_CONFLICT, "this one is bad") : TL_OK;
}

static int fake_commit(tl__store *base)
{
	(void)base;
	note("c");
	return store.commit_result == TL_OK ? TL_OK : tl__fail(store.commit_result, "disk full");
}

static const tl__backend backend = {
	.begin = fake_begin, .apply = fake_apply, .commit = fake_commit};

static uint64_t fake_now(void *ud)
{
	(void)ud;
	return store.now;
}

static const tl__clock fake_clock = {.monotonic_ms = fake_now};

static bool fresh(void)
{
	store = (fake){.held = false};
	pthread_mutex_init(&store.lock, NULL);
	pthread_cond_init(&store.moved, NULL);
	if (tl__store_base_init(&store.base, &backend, NULL) != TL_OK)
		return false;
	store.base.clock = &fake_clock;
	return true;
}

static void done(void)
{
	tl__store_base_free(&store.base);
	pthread_cond_destroy(&store.moved);
	pthread_mutex_destroy(&store.lock);
}

/* --- threads that write ----------------------------------------------------------------------- */

typedef struct writer {
	pthread_t thread;
	char name;
	bool local;
	int result;
	int last_error;
} writer;

static void *write_one(void *ud)
{
	writer *w = ud;
	tl__put_local local = {{&w->name, 1}, TL__STR("v")};
	tl__batch batch = {.locals = &local, .local_count = 1, .local_commit = w->local};

	w->result = tl__store_write(&store.base, &batch);
	w->last_error = w->result == TL_OK ? TL_OK : tl_error_code(tl_last_error());
	return NULL;
}

static size_t queued(const tl__write_queue *queue)
{
	size_t count = 0;

	for (const tl__write *write = queue->first; write; write = write->next)
		count++;
	return count;
}

/* Until so many wait in the two queues. */
static bool until_queued(size_t count)
{
	for (int i = 0; i < 5000; i++) {
		size_t now;

		pthread_mutex_lock(&store.base.lock);
		now = queued(&store.base.local) + queued(&store.base.other);
		pthread_mutex_unlock(&store.base.lock);
		if (now == count)
			return true;
		sleep_ms(1);
	}
	return false;
}

/* Starts the writers one after the other while the first one's apply is held, then lets go. An
 * upper-case name is a local commit. */
static void write_all(writer *writers, const char *names)
{
	size_t count = strlen(names);

	store.held = true;
	for (size_t i = 0; i < count; i++) {
		writers[i] =
			(writer){.name = names[i], .local = names[i] >= 'A' && names[i] <= 'Z'};
		CHECK(pthread_create(&writers[i].thread, NULL, write_one, &writers[i]) == 0);
		if (i > 0) {
			CHECK(until_queued(i));
			continue;
		}
		pthread_mutex_lock(&store.lock);
		while (!store.waiting)
			pthread_cond_wait(&store.moved, &store.lock);
		pthread_mutex_unlock(&store.lock);
	}
	pthread_mutex_lock(&store.lock);
	store.held = false;
	pthread_cond_broadcast(&store.moved);
	pthread_mutex_unlock(&store.lock);
	for (size_t i = 0; i < count; i++)
		pthread_join(writers[i].thread, NULL);
}

static bool log_is(const char *expected)
{
	bool good = strcmp(store.log, expected) == 0;

	if (!good)
		printf("log: %s\n", store.log);
	return good;
}

static void local_commits_go_first(void)
{
	writer writers[MOST];

	REQUIRE(fresh());
	write_all(writers, "xyAzB");
	CHECK(log_is("bxcbABcbyzc"));
	for (int i = 0; i < 5; i++)
		CHECK(writers[i].result == TL_OK);
	done();
}

/* Each apply takes longer than a turn. */
static void the_kinds_alternate_while_both_wait(void)
{
	writer writers[MOST];

	REQUIRE(fresh());
	store.apply_ms = TL__STORE_TURN_MS + 5;
	write_all(writers, "ABxCyz");
	CHECK(log_is("bAcbxcbBcbycbCcbzc"));
	done();
}

static void those_of_a_kind_share_a_turn(void)
{
	writer writers[MOST];

	REQUIRE(fresh());
	write_all(writers, "ABCD");
	CHECK(log_is("bABCDc"));
	done();
}

static void an_error_belongs_to_its_batch(void)
{
	writer writers[MOST];

	REQUIRE(fresh());
	write_all(writers, "x!y");
	CHECK(log_is("bx!yc"));
	CHECK(writers[0].result == TL_OK && writers[2].result == TL_OK);
	CHECK(writers[1].result == TL_E_CONFLICT && writers[1].last_error == TL_E_CONFLICT);
	done();
}

static void a_failed_commit_fails_its_whole_turn(void)
{
	writer writers[MOST];

	REQUIRE(fresh());
	store.commit_result = TL_E_IO;
	write_all(writers, "x!y");
	CHECK(writers[0].result == TL_E_IO && writers[0].last_error == TL_E_IO);
	CHECK(writers[1].result == TL_E_CONFLICT);
	CHECK(writers[2].result == TL_E_IO && writers[2].last_error == TL_E_IO);
	done();
}

static void a_failed_begin_fails_what_waits(void)
{
	writer one = {.name = 'x'};

	REQUIRE(fresh());
	store.begin_result = TL_E_BUSY;
	write_one(&one);
	CHECK(one.result == TL_E_BUSY && one.last_error == TL_E_BUSY);
	CHECK(strcmp(store.log, "b") == 0);
	store.begin_result = TL_OK;
	write_one(&one);
	CHECK(one.result == TL_OK && strcmp(store.log, "bbxc") == 0);
	done();
}

int main(void)
{
	RUN(local_commits_go_first);
	RUN(the_kinds_alternate_while_both_wait);
	RUN(those_of_a_kind_share_a_turn);
	RUN(an_error_belongs_to_its_batch);
	RUN(a_failed_commit_fails_its_whole_turn);
	RUN(a_failed_begin_fails_what_waits);
	return spec_end();
}
