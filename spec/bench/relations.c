/* Sets of relations, by a call and by a file of rules: how long a large one takes to be in place,
 * what one that says the same costs, and how long others wait for answers meanwhile. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tidelock/script.h>
#include "pair.h"

#define ASKED_MAX 20000

typedef struct hub {
	tl_node *node, *guest;
	char key[TL_KEY_TEXT_LEN + 1];
	char (*peers)[TL_KEY_TEXT_LEN + 1];
	tl_relation *relations;
	size_t side; /* so many peers, so many databases */
} hub;

/* Somebody who asks the hub, one request behind the other. */
typedef struct asker {
	hub *hub;
	pthread_t thread;
	pthread_mutex_t lock;
	bool ends;
	double seconds[ASKED_MAX];
	size_t count;
} asker;

static bool ends(asker *a)
{
	bool out;

	pthread_mutex_lock(&a->lock);
	out = a->ends;
	pthread_mutex_unlock(&a->lock);
	return out;
}

static void ask_once(asker *a)
{
	double began = now_s();
	tl_op *op = NULL;

	need(tl_sync_discover_peer_trees(a->hub->guest, a->hub->key, &op), "a question");
	pair_wait(op, "an answer");
	a->seconds[a->count++] = now_s() - began;
}

static void *ask(void *ud)
{
	asker *a = ud;

	while (!ends(a) && a->count < ASKED_MAX)
		ask_once(a);
	return NULL;
}

static void asker_begin(asker *a, hub *h)
{
	a->hub = h;
	a->ends = false;
	a->count = 0;
	pthread_mutex_init(&a->lock, NULL);
	need_that(pthread_create(&a->thread, NULL, ask, a) == 0, "a thread");
}

static double asker_end(asker *a)
{
	pthread_mutex_lock(&a->lock);
	a->ends = true;
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_mutex_destroy(&a->lock);
	return 1e3 * quantile(a->seconds, a->count, 0.99);
}

/* --- the hub ---------------------------------------------------------------------------------- */

static void make_peers(hub *h)
{
	for (size_t i = 0; i < h->side; i++) {
		uint8_t seed[TL_SEED_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), 1};
		tl_secret secret;
		tl_key key;

		need(tl_secret_from_seed(&secret, seed), "a key");
		tl_secret_public(&secret, &key);
		tl_key_format(&key, h->peers[i]);
		need(tl_sync_register_peer(h->node, h->peers[i], NULL), "a peer");
	}
}

static void make_relations(hub *h, const tl_pair_options *options)
{
	for (size_t i = 0; i < h->side; i++) {
		tl_database *db = new_db(h->node);

		for (size_t p = 0; p < h->side; p++)
			h->relations[i * h->side + p] =
				(tl_relation){h->peers[p], *tl_database_root_id(db), options};
		tl_database_free(db);
	}
}

static void hub_open(hub *h, const tl_pair_options *options)
{
	char dir[SCRATCH_PATH];
	tl_address at;
	tl_op *op = NULL;

	h->peers = calloc(h->side, sizeof *h->peers);
	h->relations = calloc(h->side * h->side, sizeof *h->relations);
	need_that(h->peers && h->relations, "memory");
	work_path(dir, "hub");
	h->node = open_peer(dir);
	work_path(dir, "guest");
	h->guest = open_peer(dir);
	need(tl_node_add_private_key(h->node, KEY_NAME, NULL, h->key), "a key");
	make_peers(h);
	make_relations(h, options);
	need(tl_node_device_key(h->guest, h->key), "a key");
	need(tl_sync_register_peer(h->node, h->key, NULL), "a peer"); /* strangers have a pace */
	need(tl_sync_start_server(h->node, "127.0.0.1:0", NULL), "a server");
	need(tl_sync_get_server_address(h->node, &at), "its address");
	need(tl_node_device_key(h->node, h->key), "a key");
	need(tl_sync_connect_to_peer(h->guest, &at, NULL, &op), "a connection");
	pair_wait(op, "a connection");
}

static void hub_close(hub *h)
{
	tl_node_close(h->guest);
	tl_node_close(h->node);
	free(h->peers);
	free(h->relations);
}

/* Sets the first `count` and says what that was. */
static void set(hub *h, asker *a, const char *part, size_t count, uint64_t expected, double quiet)
{
	bench_line line = line_of("pairs");
	uint64_t touched = 0;
	double began;

	asker_begin(a, h);
	nap_ms(300);
	began = now_s();
	need(tl_sync_set_relations(h->node, "rules", h->relations, count, &touched), part);
	line.all_ms = 1e3 * (now_s() - began);
	nap_ms(300);
	line.p99_ms = asker_end(a);
	need_that(touched == expected, part);
	line.part = part;
	line.n = (int64_t)count;
	line.at = (int64_t)touched;
	line.quiet_p99_ms = quiet;
	line_print(&line);
}

/* --- by a file of rules ------------------------------------------------------------------------ */

/* All peers of the hub but its guest, each with every database. Not beside the store: a folder with
 * scripts is watched. */
static void write_rules(const hub *h, const char *path, const char *fields, const char *comment)
{
	FILE *file = fopen(path, "w");

	need_that(file != NULL, "a file of rules");
	fprintf(file, "local rule = require 'tidelock.rule'\nlocal all = {}\n");
	for (size_t i = 0; i < h->side; i++)
		fprintf(file, "all['%s'] = true\n", h->peers[i]);
	fprintf(file, "return { rule { 'all', databases = '*', peers = all%s } } -- %s\n", fields,
		comment);
	need_that(fclose(file) == 0, "a file of rules");
}

static uint64_t touched_of(tl_script *script)
{
	static const char name[] = "\"touched\":";
	const char *json, *at;

	need(tl_script_status(script, &json), "a status");
	at = strstr(json, name);
	need_that(at != NULL, "how many relations were touched");
	return strtoull(at + sizeof name - 1, NULL, 10);
}

typedef struct ruled {
	hub *hub;
	asker *asker;
	char path[SCRATCH_PATH + 16];
	tl_script *script;
	double quiet;
} ruled;

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static void load(ruled *r)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;

	options.log = quiet;
	need(tl_script_load(r->hub->node, TL_SCRIPT_RULES, r->path, &options, &r->script), "rules");
}

static void rule(ruled *r, const char *part, const char *fields, uint64_t expected)
{
	bench_line line = line_of("pairs");
	double began;

	asker_begin(r->asker, r->hub);
	nap_ms(300);
	write_rules(r->hub, r->path, fields, part); /* the thread waits until it stays so */
	began = now_s();
	if (r->script)
		need(tl_script_reload(r->script), part);
	else
		load(r);
	line.all_ms = 1e3 * (now_s() - began);
	nap_ms(300);
	line.p99_ms = asker_end(r->asker);
	need_that(touched_of(r->script) == expected, part);
	line.part = part;
	line.n = (int64_t)(r->hub->side * r->hub->side);
	line.at = (int64_t)expected;
	line.quiet_p99_ms = r->quiet;
	line_print(&line);
}

static void by_rules(hub *h, asker *a, double quiet)
{
	ruled r = {.hub = h, .asker = a, .quiet = quiet};
	uint64_t all = h->side * h->side;
	char folder[SCRATCH_PATH];

	work_path(folder, "rules");
	need_that(mkdir(folder, 0700) == 0, "a folder");
	snprintf(r.path, sizeof r.path, "%s/rules.lua", folder);
	rule(&r, "rules new", ", every = 'never'", all);
	rule(&r, "rules same", ", every = 'never', discover = false", 0);
	rule(&r, "rules other", ", every = '1h'", all);
	need(tl_script_unload(r.script), "no rules any more");
	tl_script_free(r.script);
}

void pair_sets(void)
{
	static asker a;
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	hub h = {.side = bench_quick ? 10 : 100};
	size_t all = h.side * h.side;
	double quiet;

	options.rule = "everything to everybody";
	hub_open(&h, &options);
	asker_begin(&a, &h);
	nap_ms(bench_quick ? 100 : 2000);
	quiet = asker_end(&a);
	set(&h, &a, "new", all, all, quiet);
	set(&h, &a, "same", all, 0, quiet);
	options.paused = true;
	set(&h, &a, "paused", all, all, quiet);
	set(&h, &a, "gone", 0, all, quiet);
	by_rules(&h, &a, quiet);
	hub_close(&h);
}
