/* Over Iroh: how soon many who watch have what the hub commits, and what a connection that nobody
 * uses takes of either side. */
#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "../../bindings/iroh/tidelock_iroh.h"
#include "hub.h"

#define WAIT_MS    60000
#define SETTLE_MS  1000
#define MOST_TURNS 9
#define PROTOCOL   "tidelock/1"

/* --- watches ---------------------------------------------------------------------------------- */

typedef struct watcher {
	tl_node *node;
	tl_database *db;
	uint64_t before;
	double got; /* 0: not yet */
} watcher;

static bool watches(tl_node *node)
{
	char *status = NULL;
	bool watched;

	need(tl_sync_status(node, &status), "a status");
	watched = strstr(status, "\"watched\":true") != NULL;
	tl_free(status);
	return watched;
}

static void watcher_start(watcher *w, const hub *h)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	double end = now_s() + WAIT_MS / 1000.0;
	tl_op *op = NULL;

	need(tl_node_open(&w->node, &config), "opening a node");
	enable_iroh(w->node);
	need(tl_sync_sync_with_peer(w->node, &h->iroh, &h->db, &op), "a bootstrap");
	need(tl_op_wait(op, WAIT_MS), "a bootstrap");
	tl_op_free(op);
	w->db = open_db(w->node, &h->db, NULL);
	while (!watches(w->node)) {
		need_that(now_s() < end, "a watch that is held");
		nap_ms(5);
	}
}

static void watcher_end(watcher *w)
{
	tl_database_free(w->db);
	tl_node_close(w->node);
}

/* Seconds until each of them has one commit; the largest. */
static double commit_once(hub *h, watcher *all, size_t count, double *seconds)
{
	double start, last = 0;
	size_t have = 0;

	for (size_t i = 0; i < count; i++) {
		all[i].before = arrivals(all[i].db);
		all[i].got = 0;
	}
	start = hub_commit(h);
	while (have < count) {
		need_that(now_s() - start < WAIT_MS / 1000.0, "a commit at every client");
		for (size_t i = 0; i < count; i++) {
			if (all[i].got != 0 || arrivals(all[i].db) == all[i].before)
				continue;
			all[i].got = now_s();
			seconds[i] = all[i].got - start;
			last = seconds[i] > last ? seconds[i] : last;
			have++;
		}
		nap_ms(1);
	}
	return last;
}

static void many_watch(size_t n, size_t count)
{
	size_t turns = bench_quick ? 2 : MOST_TURNS;
	double *seconds = calloc(turns * count, sizeof *seconds), last[MOST_TURNS], before;
	watcher *all = calloc(count, sizeof *all);
	bench_line line = line_of("watch_iroh");
	char dir[SCRATCH_PATH];
	hub h;
	tl_id id;

	need_that(seconds && all, "memory");
	work_path(dir, "hub");
	copy_dir(seed_dir(n, &id), dir);
	hub_start(&h, dir, &id, HUB_IROH);
	before = memory_of(h.process.pid, "VmRSS");
	for (size_t i = 0; i < count; i++)
		watcher_start(&all[i], &h);
	nap_ms(SETTLE_MS);
	line.kib_each = (memory_of(h.process.pid, "VmRSS") - before) / (double)count;
	for (size_t i = 0; i < turns; i++) {
		last[i] = commit_once(&h, all, count, seconds + i * count);
		nap_ms(SETTLE_MS);
	}
	for (size_t i = 0; i < count; i++)
		watcher_end(&all[i]);
	hub_end(&h);
	scratch_remove(dir);
	line.clients = (int64_t)count;
	line.at = (int64_t)n;
	line_times(&line, seconds, turns * count);
	line.all_ms = 1e3 * median(last, turns);
	line_print(&line);
	free(seconds);
	free(all);
}

void bench_watch_iroh(void)
{
	if (iroh_is_there("watch_iroh"))
		many_watch(100, bench_quick ? 3 : 100);
}

/* --- connections that nobody uses ------------------------------------------------------------- */

typedef struct endpoint {
	tl_iroh *at;
	int bell;
} endpoint;

static const tl_iroh_calls *calls;

static void load(void)
{
	void *library = dlopen(iroh_path(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	tl_iroh_plugin_call plugin = NULL;

	need_that(library != NULL, "loading the plugin");
	*(void **)&plugin = dlsym(library, TL_IROH_SYMBOL);
	calls = plugin ? plugin() : NULL;
	need_that(calls && calls->abi == TL_IROH_ABI, "a plugin of this version");
}

static void ring(void *ud)
{
	const uint64_t one = 1;
	ssize_t wrote = write(((endpoint *)ud)->bell, &one, sizeof one);

	(void)wrote; /* full: it rings already */
}

/* Until an event of this kind has come, and it is a success. */
static void await(endpoint *e, uint32_t kind, const char *what)
{
	double end = now_s() + WAIT_MS / 1000.0;

	for (;;) {
		struct pollfd bell = {.fd = e->bell, .events = POLLIN};
		tl_iroh_event events[16];
		uint64_t rung;
		size_t count;

		need_that(now_s() < end, what);
		if (poll(&bell, 1, 100) == 1)
			need_that(read(e->bell, &rung, sizeof rung) == sizeof rung, what);
		while ((count = calls->next(e->at, events, 16)) > 0)
			for (size_t i = 0; i < count; i++)
				if (events[i].kind == kind) {
					need_that(events[i].code == TL_IROH_OK, what);
					return;
				}
	}
}

static void endpoint_open(endpoint *e)
{
	static const tl_iroh_bytes protocol = {(const uint8_t *)PROTOCOL, sizeof PROTOCOL - 1};
	const tl_iroh_options options = {.size = sizeof options,
		.alpns = &protocol,
		.alpn_count = 1,
		.bind = "127.0.0.1:0",
		.wake = ring,
		.ud = e};
	char why[256] = "";

	e->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	need_that(e->bell >= 0, "a descriptor");
	if (calls->open(&options, &e->at, why, sizeof why) != TL_IROH_OK)
		give_up("an endpoint", why);
	await(e, TL_IROH_EVENT_BOUND, "an endpoint");
}

static void endpoint_dial(endpoint *e, const tl_address *to)
{
	tl_iroh_id operation;

	need_that(calls->connect(e->at, to->text, strlen(to->text), (const uint8_t *)PROTOCOL,
			  sizeof PROTOCOL - 1, WAIT_MS, &operation) == TL_IROH_OK,
		"a connection");
	await(e, TL_IROH_EVENT_CONNECTED, "a connection");
}

static void endpoint_free(endpoint *e)
{
	calls->free(e->at);
	close(e->bell);
}

/* `each` connections of so many endpoints, behind a first one that pays for what is there once. */
static void idle(const hub *h, const char *part, size_t endpoints, size_t each)
{
	endpoint *all = calloc(endpoints, sizeof *all), first;
	bool ours = endpoints == 1;
	pid_t pid = ours ? getpid() : h->process.pid;
	bench_line line = line_of("iroh_idle");
	double before;

	need_that(all != NULL, "memory");
	endpoint_open(&first);
	endpoint_dial(&first, &h->iroh);
	for (size_t i = 0; i < endpoints; i++)
		endpoint_open(&all[i]);
	nap_ms(SETTLE_MS);
	before = memory_of(pid, "VmRSS");
	for (size_t i = 0; i < endpoints * each; i++)
		endpoint_dial(&all[i / each], &h->iroh);
	nap_ms(SETTLE_MS);
	line.part = part;
	line.clients = (int64_t)(endpoints * each);
	line.kib_each = (memory_of(pid, "VmRSS") - before) / (double)(endpoints * each);
	line_print(&line);
	for (size_t i = 0; i < endpoints; i++)
		endpoint_free(&all[i]);
	endpoint_free(&first);
	free(all);
}

void bench_iroh_idle(void)
{
	size_t count = bench_quick ? 10 : 200;
	char dir[SCRATCH_PATH];
	tl_id id;
	hub h;

	if (!iroh_is_there("iroh_idle"))
		return;
	load();
	work_path(dir, "hub");
	copy_dir(seed_dir(10, &id), dir);
	hub_start(&h, dir, &id, HUB_IROH);
	idle(&h, "taken", count, 1);
	idle(&h, "dialled", 1, count);
	hub_end(&h);
	scratch_remove(dir);
}
