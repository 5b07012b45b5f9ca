/* Hosts that were started by a busy one, that became daemons, and that were started without
 * descriptors 0 to 2: they work as others do, also when they are killed.
 *   engine_detached_spec [ROUNDS [SEED]]
 *   engine_detached_spec live DIRECTORY DESCRIPTOR MS: one host */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include "host_run.h"

enum { FEW = 4, LONGEST_MS = 400 };

static const char *self;
static unsigned rounds;
static unsigned life_ms; /* of the host; 0: until it is done */

/* --- ends ------------------------------------------------------------------------------------- */

static void *kill_later(void *ud)
{
	(void)ud;
	nap((long)life_ms);
	raise(SIGKILL);
	return NULL;
}

static void live(const char *dir, int tell)
{
	pthread_t killer;

	if (life_ms > 0 && pthread_create(&killer, NULL, kill_later, NULL) != 0)
		_exit(1);
	host_live(dir, tell);
}

/* Every other one is killed. */
static void choose_life(unsigned round)
{
	life_ms = round % 2 == 1 ? 1 + host_random(LONGEST_MS) : 0;
}

static bool was_killed(int status)
{
	return life_ms > 0 && status == 128 + SIGKILL;
}

static void tell_life(void)
{
	printf("%u ms\n", life_ms);
}

static void live_rounds(void (*run)(const char *dir, int tell), bool ends_itself)
{
	host_series series = {rounds, run, choose_life, ends_itself ? was_killed : NULL, tell_life};

	CHECK(host_run_series(&series) > 0);
}

/* --- started by another ----------------------------------------------------------------------- */

static atomic_bool over;

static void *write_all_the_time(void *ud)
{
	while (!atomic_load(&over))
		if (put(ud, "k", "v") != TL_OK)
			return ud;
	return NULL;
}

/* fork and exec, as a node of the parent's is at work in another directory. */
static void exec_self(const char *dir, int tell)
{
	char descriptor[16], ms[16];

	snprintf(descriptor, sizeof descriptor, "%d", tell);
	snprintf(ms, sizeof ms, "%u", life_ms);
	execl(self, self, "live", dir, descriptor, ms, (char *)NULL);
	_exit(127);
}

static void beside_a_busy_parent(void)
{
	char other[SCRATCH_PATH];
	tl_sync_options options = quick();
	tl_database *db;
	tl_node *node;
	pthread_t writer;
	void *failed;

	scratch_make(other);
	node = open_node(other, &options);
	db = node ? make_db(node, "busy") : NULL;
	REQUIRE(db != NULL);
	REQUIRE(pthread_create(&writer, NULL, write_all_the_time, db) == 0);
	live_rounds(exec_self, true);
	atomic_store(&over, true);
	pthread_join(writer, &failed);
	CHECK(failed == NULL);
	tl_database_free(db);
	tl_node_close_within(node, 0);
	scratch_remove(other);
}

/* Two forks and a session of its own; whoever started it waits for the pipe alone. */
static void become_a_daemon(const char *dir, int tell)
{
	tl_node_close(open_node(NULL, NULL));
	if (fork() != 0)
		_exit(0);
	if (setsid() < 0 || chdir("/") != 0)
		_exit(1);
	if (fork() != 0)
		_exit(0);
	alarm(HOST_PATIENCE_S);
	live(dir, tell);
	_exit(0);
}

static void as_daemons(void)
{
	live_rounds(become_a_daemon, false);
}

/* --- without descriptors ---------------------------------------------------------------------- */

static unsigned closed; /* a bit for each of 0 to 2 */

static void without(const char *dir, int tell)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(nowhere, STDERR_FILENO); /* its log */
	close(nowhere);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (closed & 1U << fd)
			close(fd);
	host_sink = NULL; /* whatever is written to standard error must not reach a file */
	live(dir, tell);
}

/* What is asked for is shared by the ways to be without: each round reads all that the ones before
 * wrote, so many in each would take many times as long. */
static void without_descriptors(void)
{
	enum { WAYS = 7 };

	if (rounds / WAYS > FEW)
		rounds /= WAYS;
	else if (rounds > FEW)
		rounds = FEW;
	for (closed = 1; closed <= WAYS && spec_case_ok; closed++)
		live_rounds(without, true);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 5 && strcmp(argv[1], "live") == 0) {
		life_ms = (unsigned)strtoul(argv[4], NULL, 10);
		live(argv[2], (int)strtol(argv[3], NULL, 10));
		return 0;
	}
	rounds = host_rounds(argc, argv, FEW);
	RUN(beside_a_busy_parent);
	RUN(as_daemons);
	RUN(without_descriptors);
	return spec_end();
}
