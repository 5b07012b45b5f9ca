/* A database fetched over HTTP or Iroh by another process, from a store on disk into a store on
 * disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"
#include "sync/sync.h"

#define WAIT_MS 300000

static tl_str text(const char *zero_terminated)
{
	return (tl_str){zero_terminated, strlen(zero_terminated)};
}

/* --- roles ------------------------------------------------------------------------------------ */

/* Prints its address, serves until its input ends, prints its peak of memory. */
int role_server(const char *dir, const char *protocol)
{
	tl_node *node = open_peer(dir);
	bool iroh = strcmp(protocol, "iroh") == 0;
	tl_address at;
	char line[530], end;

	if (iroh)
		enable_iroh(node);
	need(tl_sync_start_server(node, "127.0.0.1:0", iroh ? "iroh" : "http"), "a server");
	need(tl_sync_get_server_address(node, &at), "its address");
	tl_address_format(&at, line);
	printf("%s\n", line);
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		continue;
	printf("%.3f\n", peak_mib());
	tl_node_close(node);
	return 0;
}

static void wait_op(tl_op *op, const char *what)
{
	need(tl_op_wait(op, WAIT_MS), what);
	tl_op_free(op);
}

static void fetch_v1(tl_node *node, const tl_address *server, const tl_id *db)
{
	tl_op *op = NULL;

	need(tl_sync_sync_with_peer(node, server, db, &op), "a bootstrap");
	wait_op(op, "a bootstrap");
}

/* Makes the server known as a v0 peer; its key text. */
static void meet_v0(tl_node *node, const tl_address *server, char key[TL_KEY_TEXT_LEN + 1])
{
	tl_address between;
	relay *r = relay_start(server, &between);
	tl_op *op = NULL;

	need(tl_sync_connect_to_peer(node, &between, NULL, &op), "a v0 handshake");
	need(tl_op_wait(op, WAIT_MS), "a v0 handshake");
	snprintf(key, TL_KEY_TEXT_LEN + 1, "%s", tl_op_text(op));
	tl_op_free(op);
	relay_stop(r);
	need(tl_sync_add_peer_address(node, key, server), "the server's own address");
	need(tl_sync_remove_peer_address(node, key, &between, NULL), "taking the relay away");
}

static void fetch_v0(tl_node *node, const char *key, const tl_id *db)
{
	char *info = NULL;
	tl_op *op = NULL;

	need(tl_sync_get_peer_info(node, key, &info), "the peer's record");
	need_that(strstr(info, "\"protocol\":\"v0\"") != NULL, "a peer known as v0");
	tl_free(info);
	need(tl_sync_add_tree_sync(node, key, db), "a relation");
	need(tl_sync_sync_tree_with_peer(node, key, db, &op), "a bootstrap in v0");
	wait_op(op, "a bootstrap in v0");
}

/* Prints seconds, entries, bytes, round trips and its peak of memory. */
int role_client(const char *dir, const char *address, const char *db_text, const char *protocol)
{
	tl_node *node = open_peer(dir);
	bool v0 = strcmp(protocol, "v0") == 0;
	char key[TL_KEY_TEXT_LEN + 1];
	tl_address server;
	tl_database *db;
	wire_count wire;
	double start, end;
	tl_id id;

	need(tl_address_parse(&server, text(address)), "an address");
	need(tl_id_parse(&id, text(db_text)), "an id");
	if (v0)
		meet_v0(node, &server, key);
	if (strcmp(protocol, "iroh") == 0)
		enable_iroh(node);
	wire_reset();
	start = now_s();
	if (v0)
		fetch_v0(node, key, &id);
	else
		fetch_v1(node, &server, &id);
	end = now_s();
	wire = wire_read();
	db = open_db(node, &id, NULL);
	printf("%.6f %llu %llu %llu %.3f\n", end - start, (unsigned long long)arrivals(db),
		(unsigned long long)wire.bytes, (unsigned long long)wire.round_trips, peak_mib());
	tl_database_free(db);
	tl_node_close(node);
	return 0;
}

/* --- both of them ----------------------------------------------------------------------------- */

#define TURNS      5 /* of the large size */
#define SMALL_RUNS 4 /* of the small one a turn, half of them before, half behind */
#define MOST_RUNS  (TURNS * SMALL_RUNS)

typedef struct outcome {
	size_t runs;
	double per_s[MOST_RUNS], ratio[MOST_RUNS], bytes[MOST_RUNS], trips[MOST_RUNS];
	double client_mib[MOST_RUNS], server_mib[MOST_RUNS];
} outcome;

static void bootstrap_once(
	const char *server_dir, const tl_id *id, size_t n, const char *protocol, outcome *out)
{
	char address[600], result[600], peak[64], client_dir[SCRATCH_PATH];
	char db[TL_ID_TEXT_LEN + 1], *at;
	child server, client;
	unsigned long long entries;
	double seconds;
	size_t i = out->runs++;

	work_path(client_dir, "client");
	tl_id_format(id, db);
	server = child_start((const char *[]){"--server", server_dir, protocol, NULL});
	child_line(&server, address, sizeof address);
	client = child_start((const char *[]){"--client", client_dir, address, db, protocol, NULL});
	child_line(&client, result, sizeof result);
	child_end(&client);
	close(server.in);
	server.in = -1;
	child_line(&server, peak, sizeof peak);
	child_end(&server);
	seconds = strtod(result, &at);
	entries = strtoull(at, &at, 10);
	out->bytes[i] = strtod(at, &at);
	out->trips[i] = strtod(at, &at);
	out->client_mib[i] = strtod(at, &at);
	need_that(entries == n + SETUP, "fetching every entry");
	out->server_mib[i] = strtod(peak, NULL);
	out->per_s[i] = (double)entries / seconds;
	out->ratio[i] = out->per_s[i] / yardstick("verify");
	scratch_remove(client_dir);
}

static void print(const char *name, size_t n, outcome *out)
{
	bench_line line = line_of(name);

	line.n = (int64_t)n;
	line.per_s = median(out->per_s, out->runs);
	line.ratio = median(out->ratio, out->runs);
	line.of = "verify";
	/* Only what goes over TCP is counted. */
	if (median(out->bytes, out->runs) > 0) {
		line.bytes = (int64_t)median(out->bytes, out->runs);
		line.round_trips = (int64_t)median(out->trips, out->runs);
	}
	line.client_mib = median(out->client_mib, out->runs);
	line.server_mib = median(out->server_mib, out->runs);
	line_print(&line);
}

static void run(size_t n, int times, const char *protocol, outcome *out)
{
	char server_dir[SCRATCH_PATH];
	tl_id id;

	work_path(server_dir, "server");
	for (int i = 0; i < times; i++) {
		copy_dir(seed_dir(n, &id), server_dir);
		sync(); /* or the disk would still be busy with the copy */
		bootstrap_once(server_dir, &id, n, protocol, out);
		scratch_remove(server_dir);
	}
}

/* The sizes take turns, so that a busy moment of the machine hits both; the small one, over in a
 * second, more often. */
static void both_sizes(const char *name, const char *protocol)
{
	const size_t small = bench_quick ? 200 : 10000, large = bench_quick ? 2000 : 100000;
	outcome of_small = {0}, of_large = {0};

	for (int i = 0; i < (bench_quick ? 1 : TURNS); i++) {
		run(small, SMALL_RUNS / 2, protocol, &of_small);
		run(large, 1, protocol, &of_large);
		run(small, SMALL_RUNS / 2, protocol, &of_small);
	}
	print(name, small, &of_small);
	print(name, large, &of_large);
}

void bench_bootstrap_http(void)
{
	both_sizes("bootstrap_http", "v1");
}

void bench_bootstrap_iroh(void)
{
	if (iroh_is_there("bootstrap_iroh"))
		both_sizes("bootstrap_iroh", "iroh");
}

void bench_bootstrap_v0(void)
{
	if (tl__v0_spoken())
		both_sizes("bootstrap_v0", "v0");
	else
		printf("skipped: bootstrap_v0: 0.2.0 is not spoken\n");
}
