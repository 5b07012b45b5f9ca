/* Rules of two nodes that exchange: both commit, facts change, and rules are loaded, loaded anew
 * and unloaded meanwhile, and a node is closed in the middle. In the end both hold the same. */
#include <pthread.h>
#include <stdatomic.h>
#include <tidelock/script.h>
#include "check.h"
#include "duo_help.h"

#define TURNS   40
#define THREADS 8

/* A node, its file of rules, and what happens to it. */
typedef struct side {
	tl_node *node;
	tl_database *db;
	char path[SCRATCH_PATH + 16], peer[TL_KEY_TEXT_LEN + 1];
	const tl_id *id;
	atomic_uint wrong, committed, exchanged;
} side;

typedef struct both {
	duo d;
	char folder[SCRATCH_PATH];
	side a, b;
	pthread_t threads[THREADS];
} both;

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static void write_rules(const char *path, int number)
{
	static const char *const directions[] = {"both", "pull", "push"};
	FILE *file = fopen(path, "w");

	REQUIRE(file != NULL);
	fprintf(file,
		"return { require 'tidelock.rule' { 'r%d', databases = '*', peers = "
		"function(p) return p.key ~= nil end, discover = true,\n"
		"direction = '%s', when = function(ctx) return not ctx.facts.metered end } }\n",
		number % 4, directions[number % 3]);
	REQUIRE(fclose(file) == 0);
}

static int load(side *s, tl_script **script)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;

	options.log = quiet;
	return tl_script_load(s->node, TL_SCRIPT_RULES, s->path, &options, script);
}

/* A half-written file is a bad script, and a node may be closed. */
static void expect(side *s, int rc)
{
	bool fine = rc == TL_OK || rc == TL_E_CLOSED || rc == TL_E_BAD_SCRIPT || rc == TL_E_BUSY ||
		    rc == TL_E_ALREADY_EXISTS;

	if (!fine)
		printf("code %d: %s\n", rc, tl_error_message(tl_last_error()));
	s->wrong += !fine;
}

/* --- what happens ----------------------------------------------------------------------------- */

static void *commit_much(void *ud)
{
	side *s = ud;
	char key[16];

	for (int i = 0; i < TURNS; i++) {
		int rc;

		snprintf(key, sizeof key, "%.4s%d", s->peer + 8, i);
		rc = put(s->db, key, "there");
		expect(s, rc);
		s->committed += rc == TL_OK;
	}
	return NULL;
}

static void *change_facts(void *ud)
{
	side *s = ud;

	for (int i = 0; i < 5 * TURNS; i++) {
		expect(s, tl_sync_set_fact(s->node, "metered", i % 2 ? "true" : "false"));
		nap(1);
	}
	return NULL;
}

static void *load_and_unload(void *ud)
{
	side *s = ud;

	for (int i = 0; i < TURNS; i++) {
		tl_script *mine = NULL;

		write_rules(s->path, i);
		expect(s, load(s, &mine));
		if (mine)
			expect(s, tl_script_reload(mine));
		write_rules(s->path, i + 1);
		if (mine)
			expect(s, tl_script_reload(mine));
		if (mine)
			expect(s, tl_script_unload(mine));
		tl_script_free(mine);
	}
	return NULL;
}

static void *exchange_much(void *ud)
{
	side *s = ud;

	for (int i = 0; i < TURNS; i++) {
		tl_op *op = NULL;

		/* The peer may be closed, have no server, or be answering somebody else. */
		if (tl_sync_sync_tree_with_peer(s->node, s->peer, s->id, &op) == TL_OK)
			s->exchanged += tl_op_wait(op, 2000) == TL_OK;
		tl_op_free(op);
	}
	return NULL;
}

/* --- two nodes -------------------------------------------------------------------------------- */

static bool open_side(both *t, side *s, const site *of, const site *other, const char *key)
{
	s->node = of->node;
	(void)tl_node_retain(s->node);
	s->id = &t->d.id;
	memcpy(s->peer, other->key, sizeof s->peer);
	snprintf(s->path, sizeof s->path, "%s/%s.lua", t->folder, key);
	write_rules(s->path, 0);
	s->db = writer(s->node, s->id, key);
	return s->db != NULL;
}

static bool open_both(both *t)
{
	memset(t, 0, sizeof *t);
	scratch_make(t->folder);
	return duo_open(&t->d, false, NULL) && open_side(t, &t->a, &t->d.a, &t->d.b, "k") &&
	       open_side(t, &t->b, &t->d.b, &t->d.a, "b");
}

static void close_side(side *s)
{
	tl_database_free(s->db);
	tl_node_free(s->node);
}

static void close_both(both *t)
{
	close_side(&t->a);
	close_side(&t->b);
	duo_close(&t->d);
	scratch_remove(t->folder);
}

static void start(both *t)
{
	void *(*const calls[])(void *) = {
		commit_much, change_facts, load_and_unload, exchange_much};

	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t->threads[i], NULL, calls[i / 2],
				i % 2 ? (void *)&t->b : (void *)&t->a) == 0);
}

static void join(both *t)
{
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t->threads[i], NULL);
	CHECK(t->a.wrong == 0 && t->b.wrong == 0);
}

/* --- cases ------------------------------------------------------------------------------------ */

static bool shows(tl_script *script, const char *what)
{
	const char *json = NULL;

	return tl_script_status(script, &json) == TL_OK && strstr(json, what) != NULL;
}

static void nothing_is_lost_while_rules_come_and_go(void)
{
	tl_script *on_a = NULL, *on_b = NULL;
	both t;

	REQUIRE(open_both(&t));
	start(&t);
	join(&t);
	CHECK(t.a.committed == TURNS && t.b.committed == TURNS && t.a.exchanged > 0);
	CHECK(tl_sync_set_fact(t.a.node, "metered", NULL) == TL_OK);
	CHECK(tl_sync_set_fact(t.b.node, "metered", NULL) == TL_OK);
	write_rules(t.a.path, 0);
	write_rules(t.b.path, 0);
	REQUIRE(load(&t.a, &on_a) == TL_OK && load(&t.b, &on_b) == TL_OK);
	CHECK(WAIT_FOR(shows(on_a, "\"relations\":1,\"paused\":0")));
	CHECK(WAIT_FOR(entries_of(t.a.node, t.a.id) == entries_of(t.b.node, t.b.id) &&
		       entries_of(t.a.node, t.a.id) >= 2 * TURNS));
	CHECK(put(t.a.db, "last", "of a") == TL_OK);
	CHECK(WAIT_FOR(holds(t.b.node, t.b.id, "last", "of a")));
	tl_script_free(on_a);
	tl_script_free(on_b);
	close_both(&t);
}

static void a_node_is_closed_while_rules_come_and_go(void)
{
	both t;

	REQUIRE(open_both(&t));
	start(&t);
	while (t.a.committed < TURNS / 4)
		nap(1);
	tl_node_close_within(t.d.a.node, 0);
	nap(20);
	tl_node_close_within(t.d.b.node, 0);
	join(&t);
	t.d.a.node = t.d.b.node = NULL;
	close_both(&t);
}

int main(void)
{
	RUN(nothing_is_lost_while_rules_come_and_go);
	RUN(a_node_is_closed_while_rules_come_and_go);
	return spec_end();
}
