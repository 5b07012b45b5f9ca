/* Every descriptor is closed by exec: programs started while nodes are opened, talk and are closed
 * find their standard descriptors and nothing else. And how threads are named. */
#include <dirent.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "check.h"
#include "duo_help.h"

extern char **environ;

enum { STARTS = 200, STRAY = 3 };

static char self[SCRATCH_PATH];
static atomic_bool over;

/* --- the started program ---------------------------------------------------------------------- */

/* How many descriptors there are beyond the standard ones; each is told. */
static int count_strays(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int strays = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		char path[300], target[300] = "";
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd <= STDERR_FILENO || fd == dirfd(dir))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof target - 1) < 0)
			target[0] = '\0';
		printf("descriptor %d is %s\n", fd, target);
		strays++;
	}
	closedir(dir);
	return strays;
}

static bool start_is_clean(void)
{
	char *arguments[] = {self, "--strays", NULL};
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execve(self, arguments, environ);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* --- what goes on meanwhile ------------------------------------------------------------------- */

/* Opens nodes, dials by name, writes, checks, copies and closes, again and again. */
static void *be_busy(void *ud)
{
	unsigned *rounds = ud;

	while (!atomic_load(&over)) {
		duo d;
		char copy[SCRATCH_PATH + 16];

		if (duo_open(&d, true, NULL)) {
			tl_address by_name = d.a.at;
			tl_op *op = NULL;
			bool all;

			snprintf(by_name.text, sizeof by_name.text, "localhost%s",
				strrchr(d.a.at.text, ':'));
			snprintf(copy, sizeof copy, "%s/copy.db", d.dir_a);
			all = finish(tl_sync_connect_to_peer(d.b.node, &by_name, NULL, &op), &op) ==
				      TL_OK &&
			      put(d.db, "more", "text") == TL_OK &&
			      exchange(&d.a, &d.b, &d.id) == TL_OK &&
			      tl_database_verify(d.db, NULL, NULL) == TL_OK &&
			      tl_node_backup(d.a.node, copy) == TL_OK;
			*rounds += all;
		}
		duo_close(&d);
	}
	return NULL;
}

/* OpenSSL reads its configuration once a process, through a descriptor that it does not mark. */
static void let_openssl_begin(void)
{
	duo d;

	CHECK(duo_open(&d, true, NULL));
	duo_close(&d);
}

static void programs_inherit_nothing(void)
{
	pthread_t worker;
	unsigned rounds = 0, clean = 0;

	/* What whoever runs this hands down is none of ours. */
	REQUIRE(close_range(STDERR_FILENO + 1, UINT32_MAX, CLOSE_RANGE_CLOEXEC) == 0);
	let_openssl_begin();
	REQUIRE(start_is_clean());
	REQUIRE(pthread_create(&worker, NULL, be_busy, &rounds) == 0);
	for (int i = 0; i < STARTS; i++)
		clean += start_is_clean();
	atomic_store(&over, true);
	pthread_join(worker, NULL);
	CHECK(clean == STARTS);
	CHECK(rounds > 0);
}

/* --- names of threads ------------------------------------------------------------------------- */

static unsigned threads_called(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned found = 0;

	while (dir && (entry = readdir(dir))) {
		char path[300], text[32] = "";
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(text, sizeof text, file))
			found += strncmp(text, name, strlen(name)) == 0;
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* They are given without a file, which a program started in that moment would inherit. */
static void threads_have_their_names_and_the_hosts_keep_theirs(void)
{
	char mine[16] = "";
	duo d;

	REQUIRE(prctl(PR_SET_NAME, "host") == 0);
	REQUIRE(duo_open(&d, true, NULL));
	/* The thread sanitizer has one of its own, which begins with the first of ours. */
	CHECK(threads_called("tl-sync") >= 2 && threads_called("tl-store") >= 2);
	CHECK(prctl(PR_GET_NAME, mine) == 0 && strcmp(mine, "host") == 0);
	duo_close(&d);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--strays") == 0)
		return count_strays() == 0 ? 0 : STRAY;
	snprintf(self, sizeof self, "%s", argv[0]);
	RUN(programs_inherit_nothing);
	RUN(threads_have_their_names_and_the_hosts_keep_theirs);
	return spec_end();
}
