/* Every public call with nothing, with its handles and nothing else, and with room for its results
 * too: none may crash, and one that returns a code says bad_argument when all is missing. nothing:
 * runs every call in a process of its own; nothing KIND N: one of them. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "calls.h"

/* What a call with NULL returns that is allowed to have it, or that only compares. */
static bool may_return(const char *name, int code)
{
	static const char *const compare[] = {"tl_error_code", "tl_position_compare"};

	for (size_t i = 0; i < sizeof compare / sizeof compare[0]; i++)
		if (strcmp(name, compare[i]) == 0)
			return code == 0;
	return strcmp(name, "tl_error_set") == 0 ||
	       (code == TL_E_BAD_ARGUMENT && tl_error_code(tl_last_error()) == code);
}

static int run_one(size_t kind, size_t at)
{
	int code;

	if (kind == 0) {
		code = calls[at].with[kind]();
		return calls[at].is_code && !may_return(calls[at].name, code);
	}
	make_fixture(NULL);
	(void)calls[at].with[kind]();
	fflush(NULL);
	_exit(0); /* what became of the fixture is not asked here */
}

/* Whether the call came through in a process of its own. */
static bool comes_through(const char *program, size_t kind, size_t at)
{
	char kind_number[16], number[16];
	int status = 0;
	pid_t pid;

	snprintf(kind_number, sizeof kind_number, "%zu", kind);
	snprintf(number, sizeof number, "%zu", at);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		execl(program, program, kind_number, number, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"nothing", "handles", "results"};
	unsigned failed = 0;

	if (argc == 3)
		return run_one(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
	for (size_t i = 0; i < (size_t)COUNT * 3; i++)
		if (!comes_through(argv[0], i % 3, i / 3)) {
			printf("%s with %s\n", calls[i / 3].name, kinds[i % 3]);
			failed++;
		}
	printf("%d calls, %u failures\n", COUNT, failed);
	return failed != 0 || COUNT < 300;
}
