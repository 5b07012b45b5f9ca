/* Two nodes that are in step, over HTTP on loopback: what one new entry costs, and how soon the
 * other side has it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "bench.h"

#define WAIT_MS   60000
#define SETTLE_MS 250 /* nothing more comes after that */
#define GAP_MS    30  /* between commits: longer than sending waits for the next one */

typedef struct pair {
	char dir_a[SCRATCH_PATH], dir_b[SCRATCH_PATH];
	tl_node *a, *b;
	tl_database *db_a, *db_b;
	uint64_t next;
} pair;

static void wait_op(tl_op *op, const char *what)
{
	need(tl_op_wait(op, WAIT_MS), what);
	tl_op_free(op);
}

/* Both sides serve, know each other and have the relation. */
static void introduce(pair *p, const tl_id *id)
{
	char key_a[TL_KEY_TEXT_LEN + 1], key_b[TL_KEY_TEXT_LEN + 1];
	tl_address at_a, at_b;
	tl_op *op = NULL;

	need(tl_sync_start_server(p->a, "127.0.0.1:0", NULL), "a server");
	need(tl_sync_start_server(p->b, "127.0.0.1:0", NULL), "a server");
	need(tl_sync_get_server_address(p->a, &at_a), "its address");
	need(tl_sync_get_server_address(p->b, &at_b), "its address");
	need(tl_node_device_key(p->a, key_a), "a key");
	need(tl_node_device_key(p->b, key_b), "a key");
	need(tl_sync_connect_to_peer(p->a, &at_b, NULL, &op), "a connection");
	wait_op(op, "a connection");
	need(tl_sync_connect_to_peer(p->b, &at_a, NULL, &op), "a connection");
	wait_op(op, "a connection");
	need(tl_sync_add_tree_sync(p->a, key_b, id), "a relation");
	need(tl_sync_add_tree_sync(p->b, key_a, id), "a relation");
	need(tl_sync_wait_until_synced(p->a, key_b, id, WAIT_MS, &op), "being in step");
	wait_op(op, "being in step");
	need(tl_sync_wait_until_synced(p->b, key_a, id, WAIT_MS, &op), "being in step");
	wait_op(op, "being in step");
}

static void pair_open(pair *p, size_t n)
{
	tl_id id;

	memset(p, 0, sizeof *p);
	work_path(p->dir_a, "pair-a");
	work_path(p->dir_b, "pair-b");
	copy_dir(seed_dir(n, &id), p->dir_a);
	copy_dir(twin_dir(n, &id), p->dir_b);
	p->a = open_peer(p->dir_a);
	p->b = open_peer(p->dir_b);
	p->db_a = open_db(p->a, &id, KEY_NAME);
	p->db_b = open_db(p->b, &id, NULL);
	p->next = n;
	introduce(p, &id);
	need_that(tl_node_fd(p->b) >= 0, "events");
	nap_ms(SETTLE_MS);
}

static void pair_close(pair *p)
{
	tl_database_free(p->db_a);
	tl_database_free(p->db_b);
	tl_node_close(p->a);
	tl_node_close(p->b);
	scratch_remove(p->dir_a);
	scratch_remove(p->dir_b);
}

/* Commits at A; seconds until B has it. */
static double one_over(pair *p)
{
	uint64_t before = arrivals(p->db_b);
	struct pollfd wake = {.fd = tl_node_fd(p->b), .events = POLLIN};
	double start = now_s();
	tl_event event = TL_EVENT_INIT;

	commit_one(p->db_a, p->next++);
	while (arrivals(p->db_b) == before) {
		poll(&wake, 1, 20);
		while (tl_next_event(p->b, &event) == 1)
			continue;
		need_that(now_s() - start < WAIT_MS / 1000.0, "an entry at the other side");
	}
	return now_s() - start;
}

static void increment(size_t n)
{
	enum { TIMES = 5 };
	double seconds[TIMES], bytes[TIMES], trips[TIMES];
	bench_line line = line_of("increment");
	pair p;

	pair_open(&p, n);
	one_over(&p); /* opens the connection */
	for (int i = 0; i < TIMES; i++) {
		wire_count wire;

		nap_ms(SETTLE_MS);
		wire_reset();
		seconds[i] = one_over(&p);
		nap_ms(SETTLE_MS);
		wire = wire_read();
		bytes[i] = (double)wire.bytes;
		trips[i] = (double)wire.round_trips;
		need_that(wire.connections == 0, "using the open connection");
	}
	pair_close(&p);
	line.at = (int64_t)n;
	line.bytes = (int64_t)median(bytes, TIMES);
	line.round_trips = (int64_t)quantile(trips, TIMES, 1);
	line.median_ms = 1e3 * median(seconds, TIMES);
	line_print(&line);
}

static void propagation(size_t n, int times)
{
	static double seconds[1000];
	bench_line line = line_of("propagation");
	pair p;

	pair_open(&p, n);
	for (int i = 0; i < 20; i++)
		one_over(&p);
	for (int i = 0; i < times; i++) {
		nap_ms(GAP_MS);
		seconds[i] = one_over(&p);
	}
	pair_close(&p);
	line.at = (int64_t)n;
	line_times(&line, seconds, (size_t)times);
	line_print(&line);
}

void bench_increment(void)
{
	increment(bench_quick ? 1000 : 10000);
	increment(bench_quick ? 10000 : 100000);
}

void bench_propagation(void)
{
	int times = bench_quick ? 100 : 300;

	propagation(10, times);
	propagation(bench_quick ? 1000 : 10000, times);
}
