/* Policies that are loaded anew: by command, by a file that takes another one's name, and under
 * requests, which nobody may notice. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tidelock/script.h>
#include "pair.h"

#define KEYS     1000
#define RELOADS  200
#define ASKERS   4   /* threads */
#define PER_S    500 /* requests, of all of them */
#define SECONDS  5
#define ASKED    (PER_S * SECONDS / ASKERS)
#define APART_MS 20

static struct site {
	char dir[SCRATCH_PATH], file[SCRATCH_PATH + 32], key[TL_KEY_TEXT_LEN + 1];
	tl_node *node, *guest;
	tl_script *script;
} site;

/* --- the policy ------------------------------------------------------------------------------- */

static void write_keys(void)
{
	char path[SCRATCH_PATH + 32];
	FILE *file;

	snprintf(path, sizeof path, "%s/field.keys", site.dir);
	file = fopen(path, "w");
	need_that(file != NULL, "a keyring");
	for (int i = 0; i < KEYS; i++)
		fprintf(file, "ed25519:%042dA= device-%d field\n", i, i);
	need_that(fclose(file) == 0, "a keyring");
}

/* The same policy in other bytes each time. */
static void write_policy(const char *path, int number)
{
	FILE *file = fopen(path, "w");

	need_that(file != NULL, "a policy");
	fprintf(file,
		"-- %d\n"
		"local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'\n"
		"local fleet = keyring 'field.keys'\n"
		"return policy.first {\n"
		"  policy.deny { peer = fleet.field, may = 'write', reason = 'no' },\n"
		"  policy.usual { peer = fleet.field },\n"
		"  policy.usual { peer = '%s' },\n"
		"  policy.deny 'unknown device',\n"
		"}\n",
		number, site.key);
	need_that(fclose(file) == 0, "a policy");
}

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static void site_open(void)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	char dir[SCRATCH_PATH];
	tl_address at;
	tl_op *op = NULL;

	work_path(dir, "reload-hub");
	site.node = open_peer(dir);
	work_path(dir, "reload-guest");
	site.guest = open_peer(dir);
	need(tl_node_device_key(site.guest, site.key), "a key");
	need(tl_sync_register_peer(site.node, site.key, NULL),
		"a peer");                     /* strangers have a pace */
	work_path(site.dir, "reload-scripts"); /* not beside the store: they are watched */
	need_that(mkdir(site.dir, 0700) == 0, "a folder");
	snprintf(site.file, sizeof site.file, "%s/policy.lua", site.dir);
	write_keys();
	write_policy(site.file, 0);
	options.log = quiet;
	need(tl_script_load(site.node, TL_SCRIPT_POLICY, site.file, &options, &site.script),
		"a script");
	need(tl_sync_start_server(site.node, "127.0.0.1:0", NULL), "a server");
	need(tl_sync_get_server_address(site.node, &at), "its address");
	need(tl_node_device_key(site.node, site.key), "a key");
	need(tl_sync_connect_to_peer(site.guest, &at, NULL, &op), "a connection");
	pair_wait(op, "a connection");
	need(tl_node_device_key(site.guest, site.key), "a key");
}

/* --- requests --------------------------------------------------------------------------------- */

typedef struct asker {
	pthread_t thread;
	char hub[TL_KEY_TEXT_LEN + 1];
	double seconds[ASKED]; /* from when the request was due */
	size_t count;
} asker;

static void *ask(void *ud)
{
	const double every = (double)ASKERS / PER_S;
	asker *a = ud;
	const double start = now_s();

	for (size_t i = 0; i < a->count; i++) {
		double due = start + (double)i * every, early = due - now_s();
		tl_op *op = NULL;

		if (early > 0)
			nap_ms((long)(1e3 * early));
		need(tl_sync_discover_peer_trees(site.guest, a->hub, &op), "a question");
		pair_wait(op, "an answer");
		a->seconds[i] = now_s() - (due < now_s() ? due : now_s());
	}
	return NULL;
}

static void begin(asker *askers, size_t count)
{
	for (size_t i = 0; i < ASKERS; i++) {
		askers[i].count = count;
		need(tl_node_device_key(site.node, askers[i].hub), "a key");
		need_that(
			pthread_create(&askers[i].thread, NULL, ask, &askers[i]) == 0, "a thread");
	}
}

static double end(asker *askers, size_t count)
{
	double *all = calloc(ASKERS * count, sizeof *all), p99;

	need_that(all != NULL, "memory");
	for (size_t i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		memcpy(all + i * count, askers[i].seconds, count * sizeof *all);
	}
	p99 = 1e3 * quantile(all, ASKERS * count, 0.99);
	free(all);
	return p99;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void by_command(size_t reloads)
{
	double *seconds = calloc(reloads, sizeof *seconds);
	bench_line line = line_of("reload");

	need_that(seconds != NULL, "memory");
	for (size_t i = 0; i < reloads; i++) {
		double from;

		write_policy(site.file, 1000 + (int)i);
		from = now_s();
		need(tl_script_reload(site.script), "a reload");
		seconds[i] = now_s() - from;
	}
	line.part = "command";
	line.keys = KEYS;
	line.n = (int64_t)reloads;
	line_times(&line, seconds, reloads);
	line_print(&line);
	free(seconds);
}

static bool has_changed(char hash[17])
{
	const char *json, *at;

	need(tl_script_status(site.script, &json), "a status");
	at = strstr(json, "\"hash\":\"");
	need_that(at != NULL, "a hash");
	if (strncmp(hash, at + 8, 16) == 0)
		return false;
	snprintf(hash, 17, "%.16s", at + 8);
	return true;
}

static void by_rename(size_t reloads)
{
	double *seconds = calloc(reloads, sizeof *seconds);
	bench_line line = line_of("reload");
	char other[SCRATCH_PATH + 32], hash[17] = "";

	need_that(seconds != NULL, "memory");
	nap_ms(200); /* what was written before is read */
	snprintf(other, sizeof other, "%s/new.lua", site.dir);
	(void)has_changed(hash);
	for (size_t i = 0; i < reloads; i++) {
		double from;

		write_policy(other, 5000 + (int)i);
		from = now_s();
		need_that(rename(other, site.file) == 0, "a rename");
		while (!has_changed(hash))
			nap_ms(1);
		seconds[i] = now_s() - from;
	}
	line.part = "rename";
	line.keys = KEYS;
	line.n = (int64_t)reloads;
	line_times(&line, seconds, reloads);
	line_print(&line);
	free(seconds);
}

static void under_requests(size_t reloads, size_t asked)
{
	static asker askers[ASKERS];
	bench_line line = line_of("reload");

	begin(askers, asked);
	line.quiet_p99_ms = end(askers, asked);
	begin(askers, asked);
	for (size_t i = 0; i < reloads; i++) {
		write_policy(site.file, 9000 + (int)i);
		need(tl_script_reload(site.script), "a reload");
		nap_ms(APART_MS);
	}
	line.p99_ms = end(askers, asked);
	line.part = "requests";
	line.keys = KEYS;
	line.n = (int64_t)reloads;
	line_print(&line);
}

void bench_reload(void)
{
	site_open();
	by_command(bench_quick ? 5 : RELOADS);
	by_rename(bench_quick ? 2 : 30);
	under_requests(bench_quick ? 5 : RELOADS, bench_quick ? 20 : ASKED);
	tl_script_free(site.script);
	tl_node_close(site.guest);
	tl_node_close(site.node);
}
