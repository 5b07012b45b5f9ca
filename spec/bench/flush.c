/* Commit, then flush: until both sides hold what either held. */
#include <stdio.h>
#include <string.h>
#include "pair.h"

#define MOST_TIMES 300

typedef int (*flush_call)(tl_node *node, uint32_t timeout_ms, tl_op **op);

/* B writes with the key of A. */
static void give_key(pair *p)
{
	uint8_t seed[TL_SEED_BYTES];

	need(tl_node_export_private_key(p->a, KEY_NAME, seed), "the key of A");
	need(tl_node_add_private_key(p->b, KEY_NAME, seed, NULL), "the same key at B");
	need(tl_database_set_default_auth_key(p->db_b, (tl_str){KEY_NAME, strlen(KEY_NAME)}),
		"writing with it");
}

/* Seconds of one flush at B, from the commits before it. */
static double flush_once(pair *p, bool both, flush_call flush)
{
	double start;
	tl_op *op = NULL;

	nap_ms(PAIR_GAP_MS);
	start = now_s();
	commit_one(p->db_b, p->next++);
	if (both)
		commit_one(p->db_a, p->next++);
	need(flush(p->b, PAIR_WAIT_MS, &op), "a flush");
	pair_wait(op, "a flush");
	return now_s() - start;
}

/* After a flush that only sends, A has what B has. */
static void check(pair *p, bool both)
{
	uint64_t a = arrivals(p->db_a), b = arrivals(p->db_b);

	need_that(both ? a == b : a >= b, "the same entries at both sides after a flush");
}

static void measure(const char *part, pair_kind kind, bool both, flush_call flush)
{
	static double seconds[MOST_TIMES];
	size_t times = bench_quick ? 40 : MOST_TIMES;
	bench_line line = line_of("flush");
	pair p;

	pair_open(&p, kind, 10);
	give_key(&p);
	flush_once(&p, both, flush);
	for (size_t i = 0; i < times; i++) {
		seconds[i] = flush_once(&p, both, flush);
		check(&p, both);
	}
	pair_close(&p);
	line.part = part;
	line_times(&line, seconds, times);
	line_print(&line);
}

void bench_flush(void)
{
	measure("both", PAIR_REACH, true, tl_sync_flush);
	measure("dials", PAIR_DIALS, true, tl_sync_flush);
	measure("send_only", PAIR_REACH, false, tl_sync_flush_outbox);
}
