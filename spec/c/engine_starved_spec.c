/* Hosts with too little memory or too few descriptors: every call gives an error or does its work,
 * nothing crashes or hangs, and what was acknowledged is there afterwards.
 *   engine_starved_spec [ROUNDS [SEED]] */
#include <sys/resource.h>
#include "host_run.h"

enum { FEW = 8, LEAST_DESCRIPTORS = 3, MOST_DESCRIPTORS = 70, MOST_MIB = 64 };

static unsigned rounds;
static rlim_t memory, descriptors; /* RLIM_INFINITY: as it is */

/* --- with too little -------------------------------------------------------------------------- */

static rlim_t memory_in_use(void)
{
	char text[64] = "";
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && !fgets(text, sizeof text, file))
		text[0] = '\0';
	if (file)
		fclose(file);
	return (rlim_t)strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void starve(const char *dir, int tell)
{
	if ((memory != RLIM_INFINITY && !scratch_limit(RLIMIT_AS, memory_in_use() + memory)) ||
		(descriptors != RLIM_INFINITY && !scratch_limit(RLIMIT_NOFILE, descriptors)))
		_exit(1);
	for (int i = 0; i < 2; i++)
		host_live(dir, tell);
}

static void starve_rounds(rlim_t (*more_memory)(void), rlim_t (*more_descriptors)(void))
{
	static host_told told;
	char dir[SCRATCH_PATH];

	told.count = 0;
	scratch_make(dir);
	for (unsigned i = 0; i < rounds && spec_case_ok; i++) {
		int status;

		memory = more_memory ? more_memory() : RLIM_INFINITY;
		descriptors = more_descriptors ? more_descriptors() : RLIM_INFINITY;
		status = host_run(starve, dir, &told);
		CHECK(status == 0);
		CHECK(host_is_sound(dir, &told));
		if (!spec_case_ok)
			printf("status %d with %lld bytes more, %lld descriptors\n", status,
				(long long)memory, (long long)descriptors);
	}
	printf("%zu entries were acknowledged\n", told.count);
	scratch_remove(dir);
}

static rlim_t some_memory(void)
{
	return (rlim_t)(1 + host_random(MOST_MIB * 16)) << 16;
}

static rlim_t some_descriptors(void)
{
	return LEAST_DESCRIPTORS + host_random(MOST_DESCRIPTORS - LEAST_DESCRIPTORS);
}

static void little_memory(void)
{
	if (SPEC_SANITIZED)
		printf("not looked at: sanitizers need all the memory there is\n");
	else
		starve_rounds(some_memory, NULL);
}

static void few_descriptors(void)
{
	starve_rounds(NULL, some_descriptors);
}

static void little_of_both(void)
{
	if (!SPEC_SANITIZED)
		starve_rounds(some_memory, some_descriptors);
}

int main(int argc, char **argv)
{
	rounds = host_rounds(argc, argv, FEW);
	RUN(little_memory);
	RUN(few_descriptors);
	RUN(little_of_both);
	return spec_end();
}
