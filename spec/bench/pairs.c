/* Relations at rest: what many databases that are in step with a peer cost a commit to another one.
 */
#include <string.h>
#include "pair.h"

#define WAITS 64 /* operations under way at once */

static void wait_all(tl_op **ops, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pair_wait(ops[i], "being in step");
}

/* `count` databases of A that B holds too, all in step. */
static void rest_beside(pair *p, size_t count)
{
	char key_a[TL_KEY_TEXT_LEN + 1], key_b[TL_KEY_TEXT_LEN + 1];
	tl_op *ops[WAITS];
	size_t waiting = 0;

	need(tl_node_device_key(p->a, key_a), "a key");
	need(tl_node_device_key(p->b, key_b), "a key");
	for (size_t i = 0; i < count; i++) {
		tl_database *db = new_db(p->a);
		tl_id id = *tl_database_root_id(db);

		need(tl_sync_add_tree_sync(p->a, key_b, &id), "a relation");
		need(tl_sync_add_tree_sync(p->b, key_a, &id), "a relation");
		need(tl_sync_wait_until_synced(p->b, key_a, &id, PAIR_WAIT_MS, &ops[waiting++]),
			"being in step");
		tl_database_free(db);
		if (waiting == WAITS || i + 1 == count) {
			wait_all(ops, waiting);
			waiting = 0;
		}
	}
}

static double beside(size_t idle, size_t times, double of)
{
	static double seconds[1000];
	bench_line line = line_of("pairs");
	pair p;

	pair_open(&p, PAIR_PUSHES, 10);
	rest_beside(&p, idle);
	nap_ms(PAIR_SETTLE_MS);
	for (int i = 0; i < 20; i++)
		pair_commit(&p);
	pair_commits(&p, seconds, times);
	pair_close(&p);
	line.at = (int64_t)idle;
	line_times(&line, seconds, times);
	if (of > 0) {
		line.ratio = line.median_ms / of;
		line.of = "pairs";
	}
	line_print(&line);
	return line.median_ms;
}

void bench_pairs(void)
{
	size_t times = bench_quick ? 30 : 300;
	double few = beside(10, times, 0);

	beside(bench_quick ? 200 : 10000, times, few);
	pair_sets();
}
