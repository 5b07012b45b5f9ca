/* A process with busy threads forks, again and again: every public call that takes a handle from
 * before is refused in the child with bad_state (or does nothing, when it returns no code), none
 * waits for a lock of a thread that the child lacks, and the parent goes on as if nothing had been.
 * forked DIRECTORY [ROUNDS [0]]: 0 for no busy threads, where nothing of the process may allocate
 * while it forks. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "calls.h"

enum { FEW = 30, PATIENCE_S = 30, THREADS = 5 };

static struct handles now, then; /* of the present, and of a moment: their stores */
static atomic_bool over;
static atomic_uint turns[THREADS]; /* of each thread: how often it did something */
static size_t busy = THREADS;
static unsigned failed;

#define BUSY(number, what)                                                                         \
	while (!atomic_load(&over)) {                                                              \
		what;                                                                              \
		atomic_fetch_add(&turns[number], 1);                                               \
	}                                                                                          \
	return NULL

/* --- threads of the parent -------------------------------------------------------------------- */

static void write_one(void)
{
	const tl_str data = {"data", 4}, rows = {"rows", 4};
	tl_transaction *tx;
	tl_doc_store *store;
	tl_table *table;

	NEED(tl_transaction_new(f.database, &tx));
	NEED(tl_transaction_doc_store(tx, data, &store));
	NEED(tl_doc_store_set_int(store, data, 2));
	NEED(tl_transaction_table(tx, rows, &table));
	NEED(tl_transaction_commit(tx, NULL));
	tl_table_free(table);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
}

static void *write_all_the_time(void *ud)
{
	(void)ud;
	BUSY(0, write_one());
}

static void be_done(void *ud, tl_op *op)
{
	(void)op;
	atomic_fetch_add((atomic_uint *)ud, 1);
}

static void wait_for_one(void)
{
	tl_op *op;

	NEED(tl_sync_flush(f.node, 1, &op));
	tl_op_then(op, be_done, &turns[1]);
	(void)tl_op_wait(op, 0);
	tl_op_free(op);
}

static void *wait_all_the_time(void *ud)
{
	(void)ud;
	BUSY(1, wait_for_one());
}

static void take_events(void)
{
	tl_event event = TL_EVENT_INIT;

	while (tl_next_event(f.node, &event) == 1)
		;
	tl_node_dispatch(f.node);
}

static void *take_events_all_the_time(void *ud)
{
	(void)ud;
	BUSY(2, take_events());
}

static void count_post(void *ud)
{
	atomic_fetch_add((atomic_uint *)ud, 1);
}

static void post_one(void)
{
	int code = f.loop->post(f.loop, count_post, &turns[4]);

	if (code != TL_E_CLOSED) /* the loop ends first */
		NEED(code);
}

static void *post_all_the_time(void *ud)
{
	(void)ud;
	BUSY(3, post_one());
}

static void *turn_the_loop(void *ud)
{
	(void)ud;
	tl_loop_run(f.loop);
	return NULL;
}

/* --- the child -------------------------------------------------------------------------------- */

static bool releases(const char *name)
{
	size_t len = strlen(name);

	return strstr(name, "_close") || (len > 5 && strcmp(name + len - 5, "_free") == 0);
}

/* The calls that release, or the others. */
static void call_all(bool release)
{
	for (size_t i = 0; i < COUNT; i++) {
		int code;

		if (!calls[i].inherited || releases(calls[i].name) != release)
			continue;
		(void)tl_error_set(TL_E_INTERNAL, "of an earlier call");
		memset(room, 0, sizeof room); /* what one gave back is no argument of the next */
		code = calls[i].with[3]();
		if (calls[i].is_code &&
			(code != TL_E_BAD_STATE || tl_error_code(tl_last_error()) != code)) {
			printf("%s in a child: %s\n", calls[i].name, tl_error_name(code));
			failed++;
		}
	}
}

static void use_the_loop(void)
{
	tl_watch *watch;
	tl_timer *timer;

	if (f.loop->post(f.loop, count_post, NULL) != TL_E_BAD_STATE ||
		f.loop->watch(f.loop, STDOUT_FILENO, TL_READABLE, NULL, NULL, &watch) !=
			TL_E_BAD_STATE ||
		f.loop->timer(f.loop, NULL, NULL, &timer) != TL_E_BAD_STATE) {
		printf("a child may use a loop\n");
		failed++;
	}
}

/* The stores of a transaction, of the present and of a moment. */
static void use_everything(void)
{
	tl_doc_store *const docs[] = {f.doc_store, now.doc_store, then.doc_store};
	tl_table *const tables[] = {f.table, now.table, then.table};
	tl_settings_store *const settings[] = {
		f.settings_store, now.settings_store, then.settings_store};

	for (size_t i = 0; i < 3; i++) {
		f.doc_store = docs[i];
		f.table = tables[i];
		f.settings_store = settings[i];
		call_all(false);
	}
	use_the_loop();
	call_all(true);
}

/* --- rounds ----------------------------------------------------------------------------------- */

static bool child_is_well(void)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(PATIENCE_S);
		use_everything();
		fflush(stdout);
		_exit(failed != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		printf("a child ended with status %d, signal %d\n", WEXITSTATUS(status),
			WTERMSIG(status));
	return status == 0;
}

static bool all_turned(const unsigned *before)
{
	for (size_t i = 0; i < busy; i++)
		if (atomic_load(&turns[i]) == before[i])
			return false;
	return true;
}

/* Until each thread has done something: one that never does again ends in the alarm. */
static void wait_for_turns(void)
{
	unsigned before[THREADS];

	for (size_t i = 0; i < busy; i++)
		before[i] = atomic_load(&turns[i]);
	do
		usleep(busy > 0 ? 100 : 20000);
	while (!all_turned(before));
}

static void make_all(const char *directory)
{
	const tl_str data = {"data", 4}, rows = {"rows", 4};

	make_fixture(directory);
	NEED(tl_database_doc_store(f.database, data, &now.doc_store));
	NEED(tl_database_table(f.database, rows, &now.table));
	NEED(tl_database_settings_store(f.database, &now.settings_store));
	NEED(tl_view_doc_store(f.view, data, &then.doc_store));
	NEED(tl_view_table(f.view, rows, &then.table));
	NEED(tl_view_settings_store(f.view, &then.settings_store));
	(void)tl_node_fd(f.node);
}

/* What the child did must not have reached the parent. */
static void parent_goes_on(void)
{
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	tl_doc_store *const stores[] = {now.doc_store, then.doc_store, f.doc_store};
	tl_value *value;

	for (size_t i = 0; i < 3; i++) {
		NEED(tl_doc_store_get_all(stores[i], &value));
		tl_value_free(value);
	}
	NEED(tl_transaction_commit(f.transaction, NULL));
	NEED(tl_node_verify(f.node, NULL, &result));
	if (result.findings != 0) {
		printf("verify found something\n");
		failed++;
	}
	tl_node_close_within(f.node, 0);
}

int main(int argc, char **argv)
{
	void *(*const runs[THREADS])(void *) = {write_all_the_time, wait_all_the_time,
		take_events_all_the_time, post_all_the_time, turn_the_loop};
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : FEW, inherited = 0;
	pthread_t threads[THREADS];

	if (argc < 2)
		return 2;
	if (argc > 3 && strtoul(argv[3], NULL, 10) == 0)
		busy = 0;
	make_all(argv[1]);
	for (size_t i = 0; i < busy; i++)
		NEED(pthread_create(&threads[i], NULL, runs[i], NULL));
	for (unsigned i = 0; i < rounds && failed == 0; i++) {
		alarm(PATIENCE_S * 2);
		wait_for_turns();
		failed += !child_is_well();
		wait_for_turns();
	}
	atomic_store(&over, true);
	tl_loop_stop(f.loop);
	for (size_t i = 0; i < busy; i++)
		pthread_join(threads[i], NULL);
	parent_goes_on();
	for (size_t i = 0; i < COUNT; i++)
		inherited += calls[i].inherited;
	printf("%u calls, %u rounds, %u failures\n", inherited, rounds, failed);
	return failed != 0 || inherited < 190;
}
