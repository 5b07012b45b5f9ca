/* Hosts with too little memory or too few descriptors: every call gives an error or does its work,
 * nothing crashes or hangs, and what was acknowledged is there afterwards.
 *   engine_starved_spec [ROUNDS [SEED]] */
#include <sys/resource.h>
#include "host_run.h"

enum { FEW = 8, COMMITS = 40, LEAST_DESCRIPTORS = 3, MOST_DESCRIPTORS = 70, MOST_MIB = 64 };

static unsigned rounds;
static rlim_t memory, descriptors; /* RLIM_INFINITY: as it is */

/* --- what a host does ------------------------------------------------------------------------- */

static void serve_and_dial(tl_node *node)
{
	tl_address here;
	tl_op *op = NULL;

	if (!host_ok(tl_sync_enable_http_transport(node, NULL)) ||
		!host_ok(tl_sync_start_server(node, "127.0.0.1:0", NULL)) ||
		!host_ok(tl_sync_get_server_address(node, &here)))
		return;
	if (host_ok(tl_sync_connect_to_peer(node, &here, NULL, &op)))
		(void)host_ok(tl_op_wait(op, 5000));
	tl_op_free(op);
}

static int take_line(void *ud, uint64_t arrival, tl_str bytes)
{
	uint64_t *sum = ud;

	*sum += arrival + bytes.len;
	return TL_OK;
}

static void read_all(tl_node *node, tl_database *db, const char *dir)
{
	tl_doc_store *store = NULL;
	tl_value *value = NULL;
	uint64_t sum = 0;
	char copy[SCRATCH_PATH + 16], *json = NULL;

	if (host_ok(tl_database_doc_store(db, TL__STR("data"), &store)))
		(void)host_ok(tl_doc_store_get_all(store, &value));
	(void)host_ok(tl_database_export(db, take_line, &sum));
	(void)host_ok(tl_database_verify(db, NULL, NULL));
	snprintf(copy, sizeof copy, "%s/copy.db", dir);
	unlink(copy);
	(void)host_ok(tl_node_backup(node, copy));
	(void)host_ok(tl_sync_status(node, &json));
	tl_free(json);
	tl_value_free(value);
	tl_doc_store_free(store);
}

static void be_a_host(const char *dir, int tell)
{
	tl_node *node = host_open(dir);
	tl_database *db;

	if (!node)
		return;
	serve_and_dial(node);
	db = host_database(node);
	for (unsigned i = 0; db && i < COMMITS; i++)
		host_commit(db, tell, i);
	if (db)
		read_all(node, db, dir);
	tl_database_free(db);
	tl_node_close_within(node, 100);
}

/* --- with too little -------------------------------------------------------------------------- */

static rlim_t memory_in_use(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void starve(const char *dir, int tell)
{
	if ((memory != RLIM_INFINITY && !scratch_limit(RLIMIT_AS, memory_in_use() + memory)) ||
		(descriptors != RLIM_INFINITY && !scratch_limit(RLIMIT_NOFILE, descriptors)))
		_exit(1);
	for (int i = 0; i < 2; i++)
		be_a_host(dir, tell);
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
