/* Two nodes that are in step, over HTTP or Iroh on loopback: what one new entry costs, and how soon
 * the other side has it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "pair.h"

void pair_wait(tl_op *op, const char *what)
{
	need(tl_op_wait(op, PAIR_WAIT_MS), what);
	tl_op_free(op);
}

static void start_server(
	tl_node *node, pair_kind kind, tl_address *at, char key[TL_KEY_TEXT_LEN + 1])
{
	if (kind == PAIR_IROH)
		enable_iroh(node);
	need(tl_sync_start_server(node, "127.0.0.1:0", kind == PAIR_IROH ? "iroh" : NULL),
		"a server");
	need(tl_sync_get_server_address(node, at), "its address");
	need(tl_node_device_key(node, key), "a key");
}

/* It knows the other one and has the relation. */
static void introduce(tl_node *node, const tl_address *other, const char *key, const tl_id *id)
{
	tl_op *op = NULL;

	need(tl_sync_connect_to_peer(node, other, NULL, &op), "a connection");
	pair_wait(op, "a connection");
	need(tl_sync_add_tree_sync(node, key, id), "a relation");
}

static void get_in_step(tl_node *node, const char *key, const tl_id *id)
{
	tl_op *op = NULL;

	need(tl_sync_wait_until_synced(node, key, id, PAIR_WAIT_MS, &op), "being in step");
	pair_wait(op, "being in step");
}

static void introduce_both(pair *p, pair_kind kind, const tl_id *id)
{
	char key_a[TL_KEY_TEXT_LEN + 1], key_b[TL_KEY_TEXT_LEN + 1];
	tl_address at_a, at_b;

	wire_refuse_watches(kind == PAIR_PUSHES);
	start_server(p->a, kind, &at_a, key_a);
	if (kind != PAIR_DIALS) {
		start_server(p->b, kind, &at_b, key_b);
		introduce(p->a, &at_b, key_b, id);
	}
	introduce(p->b, &at_a, key_a, id);
	if (kind != PAIR_DIALS)
		get_in_step(p->a, key_b, id);
	get_in_step(p->b, key_a, id);
}

void pair_open(pair *p, pair_kind kind, size_t n)
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
	introduce_both(p, kind, &id);
	need_that(tl_node_fd(p->b) >= 0, "events");
	nap_ms(PAIR_SETTLE_MS);
}

void pair_close(pair *p)
{
	tl_database_free(p->db_a);
	tl_database_free(p->db_b);
	tl_node_close(p->a);
	tl_node_close(p->b);
	scratch_remove(p->dir_a);
	scratch_remove(p->dir_b);
	wire_refuse_watches(false);
}

double pair_commit(pair *p)
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
		need_that(now_s() - start < PAIR_WAIT_MS / 1000.0, "an entry at the other side");
	}
	return now_s() - start;
}

void pair_commits(pair *p, double *seconds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		nap_ms(PAIR_GAP_MS);
		seconds[i] = pair_commit(p);
	}
}

static void increment(size_t n)
{
	enum { TIMES = 5 };
	double seconds[TIMES], bytes[TIMES], trips[TIMES];
	bench_line line = line_of("increment");
	pair p;

	pair_open(&p, PAIR_REACH, n);
	pair_commit(&p); /* opens the connection */
	for (int i = 0; i < TIMES; i++) {
		wire_count wire;

		nap_ms(PAIR_SETTLE_MS);
		wire_reset();
		seconds[i] = pair_commit(&p);
		nap_ms(PAIR_SETTLE_MS);
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

static void propagation(const char *name, pair_kind kind, size_t n, size_t times)
{
	static double seconds[1000];
	bench_line line = line_of(name);
	pair p;

	pair_open(&p, kind, n);
	for (int i = 0; i < 20; i++)
		pair_commit(&p);
	pair_commits(&p, seconds, times);
	pair_close(&p);
	line.at = (int64_t)n;
	line_times(&line, seconds, times);
	line_print(&line);
}

void bench_increment(void)
{
	increment(bench_quick ? 100 : 10000);
	increment(bench_quick ? 1000 : 100000);
}

void bench_propagation(void)
{
	size_t times = bench_quick ? 30 : 300;

	propagation("propagation", PAIR_REACH, 10, times);
	propagation("propagation", PAIR_REACH, bench_quick ? 100 : 10000, times);
}

void bench_propagation_iroh(void)
{
	if (iroh_is_there("propagation_iroh"))
		propagation("propagation_iroh", PAIR_IROH, bench_quick ? 100 : 10000,
			bench_quick ? 30 : 300);
}
