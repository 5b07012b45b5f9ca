/* What a stranger costs: on each thread of a hub, and a known peer who comes with an entry
 * meanwhile. */
#include <poll.h>
#include "hostile.h"

#define TURNS     3
#define PHASE_S   3.0
#define IDLE_CORE 0.05
#define IDLE_S    120

/* --- phases ----------------------------------------------------------------------------------- */

typedef struct phase {
	double seconds, p99;
	cpu_use use;
	size_t done, probes;
} phase;

/* Until what was begun is over, so that all of it counts, and none for the next one. */
static void until_idle(const hub *h)
{
	const double slice = 0.1;
	double end = now_s() + IDLE_S;
	cpu_use before = cpu_of(h->process.pid), after = before;

	do {
		need_that(now_s() < end, "a hub that comes to rest");
		before = after;
		nap_ms((long)(slice * 1000));
		after = cpu_of(h->process.pid);
	} while (cpu_between(before, after).all > IDLE_CORE * slice);
}

static void wait_a_little(const probe *p)
{
	struct pollfd wake = {.fd = p->line.fd, .events = POLLIN};

	poll(&wake, 1, 1);
}

/* The peer alone, or (`a`) what strangers do beside it. */
static phase run_phase(hostile *h, probe *p, const attack *a, double seconds)
{
	void *ud = a ? a->begin(h, a, seconds) : NULL;
	cpu_use before = cpu_of(h->hub.process.pid);
	double start = now_s();
	phase out = {0};

	p->taken = 0;
	p->due = start;
	while (now_s() - start < seconds || p->begun != 0) {
		probe_step(p, &h->hub);
		if (a && a->step && now_s() - start < seconds)
			a->step(ud, now_s() - start);
		wait_a_little(p);
	}
	if (a)
		out.done = a->end(ud);
	until_idle(&h->hub);
	out.seconds = now_s() - start;
	out.use = cpu_between(before, cpu_of(h->hub.process.pid));
	out.probes = p->taken;
	out.p99 = quantile(p->seconds, p->taken, 0.99);
	return out;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* Without what the peer's entries take, as they did in the quiet. */
static cpu_use cost_of(const phase *quiet, const phase *attacked)
{
	double part = (double)attacked->probes / (double)quiet->probes;
	cpu_use peer = {quiet->use.loop * part, quiet->use.worker * part, quiet->use.pool * part,
		quiet->use.all * part};

	return cpu_between(peer, attacked->use);
}

static double each_us(double cost, size_t done)
{
	return done > 0 && cost > 0 ? 1e6 * cost / (double)done : 0;
}

static void measure(hostile *h, probe *p, const attack *a)
{
	size_t turns = bench_quick ? 1 : TURNS;
	double seconds = bench_quick ? 0.2 : PHASE_S;
	double ratio[TURNS], quiet_p99[TURNS], p99[TURNS], loop[TURNS], worker[TURNS], pool[TURNS];
	double done = 0, core[TURNS];
	bench_line line = line_of("hostile");

	if (a->prepare)
		a->prepare(h);
	for (size_t i = 0; i < turns; i++) {
		phase quiet = run_phase(h, p, NULL, seconds);
		phase attacked = run_phase(h, p, a, seconds);
		cpu_use cost = cost_of(&quiet, &attacked);

		quiet_p99[i] = quiet.p99;
		p99[i] = attacked.p99;
		ratio[i] = attacked.p99 / quiet.p99;
		loop[i] = each_us(cost.loop, attacked.done);
		worker[i] = each_us(cost.worker, attacked.done);
		pool[i] = each_us(cost.pool, attacked.done);
		core[i] = cost.all > 0 ? 100 * cost.all / attacked.seconds : 0;
		done += (double)attacked.done;
	}
	line.part = a->name;
	line.per_s = done / (seconds * (double)turns);
	line.p99_ms = 1e3 * median(p99, turns);
	line.quiet_p99_ms = 1e3 * median(quiet_p99, turns);
	line.ratio = median(ratio, turns);
	line.of = "quiet";
	line.loop_us = median(loop, turns);
	line.worker_us = median(worker, turns);
	line.pool_us = median(pool, turns);
	line.core = median(core, turns);
	line_print(&line);
}

void bench_hostile(void)
{
	static hostile h;
	static probe p;
	size_t n = bench_quick ? 100 : 100000;
	double phases =
		(bench_quick ? 1 : TURNS * PHASE_S) * 2 * (double)(attack_count + v0_attack_count);
	char dir[SCRATCH_PATH], tls_dir[SCRATCH_PATH];

	probe_make(&p, n, (size_t)(phases * PROBES_PER_S));
	work_path(dir, "hub");
	copy_dir(seed_dir(n, &h.db), dir);
	site_furnish(&h, dir);
	site_certificate(tls_dir);
	for (size_t i = 0; i < STRANGERS; i++)
		bare_new(&h.strangers[i]);
	for (size_t i = 0; i < TL__V1_MAX_KEYS; i++)
		bare_new(&h.unknown[i]);
	hub_start(&h.hub, dir, &h.db, tls_dir);
	hub_relate(&h.hub, p.who.text);
	run_phase(&h, &p, NULL, 0.2);
	for (size_t i = 0; i < attack_count; i++)
		measure(&h, &p, &attacks[i]);
	for (size_t i = 0; i < v0_attack_count; i++)
		measure(&h, &p, &v0_attacks[i]);
	hub_end(&h.hub);
	probe_free(&p);
	scratch_remove(dir);
}
