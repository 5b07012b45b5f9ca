/* Time, order statistics and the lines. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "bench.h"

double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void nap_ms(long ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(double *values, size_t count, double part)
{
	size_t at = (size_t)(part * (double)count);

	need_that(count > 0, "a figure without a measurement");
	qsort(values, count, sizeof *values, compare);
	return values[at < count ? at : count - 1];
}

double median(double *values, size_t count)
{
	return quantile(values, count, 0.5);
}

void line_times(bench_line *line, double *seconds, size_t count)
{
	line->median_ms = 1e3 * quantile(seconds, count, 0.5);
	line->p99_ms = 1e3 * quantile(seconds, count, 0.99);
}

bench_line line_of(const char *bench)
{
	return (bench_line){.bench = bench,
		.at = -1,
		.n = -1,
		.keys = -1,
		.writers = -1,
		.per_s = -1,
		.median_ms = -1,
		.p99_ms = -1,
		.ratio = -1,
		.bytes = -1,
		.round_trips = -1,
		.client_mib = -1,
		.server_mib = -1,
		.clients = -1,
		.all_ms = -1,
		.kib_each = -1,
		.core = -1,
		.loop_us = -1,
		.worker_us = -1,
		.pool_us = -1,
		.quiet_p99_ms = -1};
}

static void whole(const char *name, int64_t value)
{
	if (value >= 0)
		printf(",\"%s\":%lld", name, (long long)value);
}

static void real(const char *name, double value, int digits)
{
	if (value >= 0)
		printf(",\"%s\":%.*f", name, digits, value);
}

static void print_hub(const bench_line *line)
{
	whole("clients", line->clients);
	real("all_ms", line->all_ms, 1);
	real("kib_each", line->kib_each, 1);
	real("core", line->core, 2);
	real("loop_us", line->loop_us, 1);
	real("worker_us", line->worker_us, 1);
	real("pool_us", line->pool_us, 1);
	real("quiet_p99_ms", line->quiet_p99_ms, 3);
}

void line_print(const bench_line *line)
{
	double load;

	printf("{\"bench\":\"%s\"", line->bench);
	if (line->part)
		printf(",\"part\":\"%s\"", line->part);
	whole("at", line->at);
	whole("n", line->n);
	whole("keys", line->keys);
	whole("writers", line->writers);
	real("per_s", line->per_s, 1);
	real("median_ms", line->median_ms, 4);
	real("p99_ms", line->p99_ms, 4);
	real("ratio", line->ratio, 3);
	if (line->of)
		printf(",\"of\":\"%s\"", line->of);
	whole("bytes", line->bytes);
	whole("round_trips", line->round_trips);
	real("client_mib", line->client_mib, 1);
	real("server_mib", line->server_mib, 1);
	print_hub(line);
	if (getloadavg(&load, 1) == 1)
		real("load", load, 1);
	printf("}\n");
	fflush(stdout);
}

_Noreturn void give_up(const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}
