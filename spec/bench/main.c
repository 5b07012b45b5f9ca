/* The bench: `bench` prints every line, `bench NAME...` those of these names. BENCH=quick in the
 * environment takes small databases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

bool bench_quick;

static const struct subject {
	const char *name;
	void (*run)(void);
} subjects[] = {
	{"ingest_memory", bench_ingest_memory},
	{"ingest_sqlite", bench_ingest_sqlite},
	{"verify_store", bench_verify_store},
	{"commit", bench_commit},
	{"commit_full", bench_commit_full},
	{"get", bench_get},
	{"rows", bench_rows},
	{"bootstrap_http", bench_bootstrap_http},
	{"bootstrap_iroh", bench_bootstrap_iroh},
	{"bootstrap_v0", bench_bootstrap_v0},
	{"increment", bench_increment},
	{"propagation", bench_propagation},
	{"propagation_iroh", bench_propagation_iroh},
	{"pairs", bench_pairs},
	{"watch", bench_watch},
	{"watch_iroh", bench_watch_iroh},
	{"iroh_idle", bench_iroh_idle},
	{"flush", bench_flush},
	{"hostile", bench_hostile},
	{"policy", bench_policy},
	{"gate", bench_gate},
	{"reload", bench_reload},
};
#define SUBJECTS (sizeof subjects / sizeof *subjects)

static const char *const yardsticks[] = {
	"verify", "verify2", "sign", "fdatasync", "point_read", "raw_http"};
#define YARDSTICKS (sizeof yardsticks / sizeof *yardsticks)

static int run(const char *name)
{
	for (size_t i = 0; i < SUBJECTS; i++) {
		if (strcmp(subjects[i].name, name) == 0) {
			subjects[i].run();
			return 0;
		}
	}
	if (is_yardstick(name)) {
		yardstick(name);
		return 0;
	}
	fprintf(stderr, "bench: there is no line '%s'; there are", name);
	for (size_t i = 0; i < YARDSTICKS; i++)
		fprintf(stderr, " %s", yardsticks[i]);
	for (size_t i = 0; i < SUBJECTS; i++)
		fprintf(stderr, " %s", subjects[i].name);
	fprintf(stderr, "\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *size = getenv("BENCH");
	int status = 0;

	bench_quick = size && strcmp(size, "quick") == 0;
	need(tl_crypto_init(), "cryptography");
	if (argc == 4 && strcmp(argv[1], "--server") == 0)
		return role_server(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "--hub") == 0)
		return role_hub(argv[2], argv[3], argv[4]);
	if (argc == 6 && strcmp(argv[1], "--client") == 0)
		return role_client(argv[2], argv[3], argv[4], argv[5]);
	atexit(work_remove);
	for (int i = 1; i < argc && status == 0; i++)
		status = run(argv[i]);
	for (size_t i = 0; argc == 1 && i < YARDSTICKS; i++)
		yardstick(yardsticks[i]);
	for (size_t i = 0; argc == 1 && i < SUBJECTS; i++)
		subjects[i].run();
	return status;
}
