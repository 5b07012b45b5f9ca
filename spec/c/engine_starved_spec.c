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

static rlim_t some_memory(void)
{
	return (rlim_t)(1 + host_random(MOST_MIB * 16)) << 16;
}

static rlim_t some_descriptors(void)
{
	return LEAST_DESCRIPTORS + host_random(MOST_DESCRIPTORS - LEAST_DESCRIPTORS);
}

static void only_memory(unsigned round)
{
	(void)round;
	memory = some_memory();
	descriptors = RLIM_INFINITY;
}

static void only_descriptors(unsigned round)
{
	(void)round;
	memory = RLIM_INFINITY;
	descriptors = some_descriptors();
}

static void both(unsigned round)
{
	(void)round;
	memory = some_memory();
	descriptors = some_descriptors();
}

static void tell_limits(void)
{
	printf("%lld bytes more, %lld descriptors\n", (long long)memory, (long long)descriptors);
}

static void starve_rounds(void (*choose)(unsigned round))
{
	host_series series = {rounds, starve, choose, NULL, tell_limits};

	(void)host_run_series(&series);
}

static void little_memory(void)
{
	if (SPEC_SANITIZED)
		printf("not looked at: sanitizers need all the memory there is\n");
	else
		starve_rounds(only_memory);
}

static void few_descriptors(void)
{
	starve_rounds(only_descriptors);
}

static void little_of_both(void)
{
	if (!SPEC_SANITIZED)
		starve_rounds(both);
}

int main(int argc, char **argv)
{
	rounds = host_rounds(argc, argv, FEW);
	RUN(little_memory);
	RUN(few_descriptors);
	RUN(little_of_both);
	return spec_end();
}
