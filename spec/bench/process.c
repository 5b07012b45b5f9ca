/* Children: this program in another role. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define ARGUMENTS 8

child child_start(const char *const *arguments)
{
	char program[SCRATCH_PATH], *argv[ARGUMENTS + 2] = {program};
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	child c = {-1, -1, -1};
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

	need_that(len > 0 && pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipes");
	program[len] = '\0';
	for (int i = 0; i < ARGUMENTS && arguments[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)arguments[i];
	c.pid = fork();
	need_that(c.pid >= 0, "a process");
	if (c.pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execv(program, argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c.in = in[1];
	c.out = out[0];
	return c;
}

void child_line(child *c, char *out, size_t size)
{
	size_t len = 0;

	while (len + 1 < size && read(c->out, out + len, 1) == 1) {
		if (out[len] == '\n') {
			out[len] = '\0';
			return;
		}
		len++;
	}
	need_that(false, "an answer of the other process");
}

void child_end(child *c)
{
	int status = 0;

	close(c->in);
	need_that(waitpid(c->pid, &status, 0) == c->pid && WIFEXITED(status) &&
			  WEXITSTATUS(status) == 0,
		"an orderly end of the other process");
	close(c->out);
}

double peak_mib(void)
{
	return memory_of(getpid(), "VmHWM") / 1024;
}
