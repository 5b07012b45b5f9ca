/* What other processes use: time of their threads, memory. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

/* A line of a file below /proc, without its line feed; false: it is gone. */
static bool first_line(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	bool got = file && fgets(out, (int)size, file);

	if (file)
		fclose(file);
	if (got)
		out[strcspn(out, "\n")] = '\0';
	return got;
}

/* Nanoseconds that a thread was running. */
static void add_thread(const char *folder, const char *thread, cpu_use *out)
{
	char path[512], name[64], times[128];
	double seconds;

	snprintf(path, sizeof path, "%s/%s/comm", folder, thread);
	if (!first_line(path, name, sizeof name))
		return;
	snprintf(path, sizeof path, "%s/%s/schedstat", folder, thread);
	if (!first_line(path, times, sizeof times))
		return;
	seconds = strtod(times, NULL) / 1e9;
	out->all += seconds;
	if (strcmp(name, "tl-sync") == 0)
		out->loop += seconds;
	else if (strcmp(name, "tl-store") == 0)
		out->worker += seconds;
	else if (strcmp(name, "tl-pool") == 0)
		out->pool += seconds;
}

cpu_use cpu_of(pid_t pid)
{
	cpu_use out = {0};
	char folder[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof folder, "/proc/%d/task", (int)pid);
	dir = opendir(folder);
	need_that(dir != NULL, "the threads of a process");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add_thread(folder, entry->d_name, &out);
	closedir(dir);
	need_that(out.all > 0, "the times of threads");
	return out;
}

cpu_use cpu_between(cpu_use before, cpu_use after)
{
	return (cpu_use){after.loop - before.loop, after.worker - before.worker,
		after.pool - before.pool, after.all - before.all};
}

double memory_of(pid_t pid, const char *what)
{
	char path[64], line[256];
	double kib = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	need_that(file != NULL, "the status of a process");
	while (fgets(line, sizeof line, file))
		if (strncmp(line, what, strlen(what)) == 0 && line[strlen(what)] == ':')
			kib = strtod(line + strlen(what) + 1, NULL);
	fclose(file);
	need_that(kib > 0, "its memory");
	return kib;
}
