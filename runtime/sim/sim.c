#include "sim/sim_impl.h"

#include <string.h>

const tl__sim_net tl__sim_perfect = {
	.latency_min_ms = 1, .latency_max_ms = 1, .dial_ms = 10000, .idle_ms = 30000};

/* --- object ----------------------------------------------------------------------------------- */

int tl__sim_new(tl__sim **out, uint64_t seed)
{
	tl__sim *sim = tl__alloc_zero(1, sizeof *sim);

	*out = NULL;
	if (!sim)
		return TL_E_NOMEM;
	sim->story = tl__alloc_zero(TL__SIM_STORY_LINES, sizeof *sim->story);
	/* No thread beside the caller's. */
	if (!sim->story || tl__verify_pool_new(&sim->pool, 1) != TL_OK) {
		tl__free(sim->story);
		tl__free(sim);
		return TL_E_NOMEM;
	}
	sim->random = tl__random_seeded(&sim->seed, seed);
	sim->net = tl__sim_perfect;
	*out = sim;
	return TL_OK;
}

void tl__sim_free(tl__sim *sim)
{
	if (!sim)
		return;
	/* Items first: works and messages point to their peers. */
	while (sim->item_count > 0) {
		tl__sim_item *item = sim->items[--sim->item_count];

		item->drop(item);
	}
	tl__free(sim->items);
	while (sim->peers) {
		tl__sim_peer *peer = sim->peers;

		sim->peers = peer->next;
		tl__sim_peer_free(peer);
	}
	tl__sim_flights_free(sim);
	tl__sim_links_free(sim);
	while (sim->actors) {
		tl__sim_actor *actor = sim->actors;

		sim->actors = actor->next;
		tl__free(actor);
	}
	while (sim->counts) {
		tl__sim_count *count = sim->counts;

		sim->counts = count->next;
		tl__free(count);
	}
	tl__verify_pool_free(sim->pool);
	tl__error_drop(sim->error);
	tl__free(sim->story);
	tl__free(sim);
}

void tl__sim_set_net(tl__sim *sim, const tl__sim_net *net)
{
	sim->net = *net;
}

void tl__sim_broken(tl__sim *sim, int code)
{
	if (sim->code != TL_OK)
		return;
	sim->code = code;
	sim->error = tl__error_keep();
	tl__sim_note(sim, "the simulation is broken: %s", tl_error_message(sim->error));
}

int tl__sim_status(const tl__sim *sim)
{
	return tl__error_raise(sim->error, sim->code);
}

uint64_t tl__sim_now(const tl__sim *sim)
{
	return sim->now;
}

uint64_t tl__sim_below(tl__sim *sim, uint64_t bound)
{
	return tl__random_below(&sim->random, bound);
}

bool tl__sim_chance(tl__sim *sim, uint32_t per_mille)
{
	return per_mille > 0 && tl__sim_below(sim, 1000) < per_mille;
}

uint64_t tl__sim_between(tl__sim *sim, uint32_t least, uint32_t most)
{
	return most > least ? least + tl__sim_below(sim, most - least + 1) : least;
}

/* --- what will happen ------------------------------------------------------------------------- */

static bool is_before(const tl__sim_item *a, const tl__sim_item *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void rise(tl__sim *sim, size_t at)
{
	tl__sim_item *item = sim->items[at];

	while (at > 0 && is_before(item, sim->items[(at - 1) / 2])) {
		sim->items[at] = sim->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	sim->items[at] = item;
}

static void sink(tl__sim *sim)
{
	tl__sim_item *item = sim->items[0];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= sim->item_count)
			break;
		if (child + 1 < sim->item_count &&
			is_before(sim->items[child + 1], sim->items[child]))
			child++;
		if (!is_before(sim->items[child], item))
			break;
		sim->items[at] = sim->items[child];
		at = child;
	}
	sim->items[at] = item;
}

void *tl__sim_plan(tl__sim *sim, size_t size, uint64_t at, void (*happen)(tl__sim_item *item),
	void (*drop)(tl__sim_item *item))
{
	tl__sim_item *item = tl__alloc_zero(1, size);
	tl__sim_item **more =
		tl__grow(sim->items, sim->item_count, &sim->item_cap, sizeof(tl__sim_item *));

	if (more)
		sim->items = more;
	if (!item || !more) {
		tl__free(item);
		tl__sim_broken(sim, TL_E_NOMEM);
		return NULL;
	}
	*item = (tl__sim_item){at < sim->now ? sim->now : at, sim->order++, happen, drop};
	sim->items[sim->item_count++] = item;
	rise(sim, sim->item_count - 1);
	return item;
}

static void happen_next(tl__sim *sim)
{
	tl__sim_item *item = sim->items[0];

	sim->items[0] = sim->items[--sim->item_count];
	if (sim->item_count > 0)
		sink(sim);
	sim->now = item->at;
	item->happen(item);
}

/* --- memory that runs out --------------------------------------------------------------------- */

bool tl__sim_fail_alloc(tl__sim *sim, size_t n)
{
	bool failed = sim->failed;

	sim->fail_at = n;
	sim->failed = false;
	return failed;
}

void tl__sim_core_begins(const tl__sim *sim)
{
	if (sim->fail_at > 0)
		(void)tl__alloc_fail_at(sim->fail_at);
}

void tl__sim_core_ends(tl__sim *sim)
{
	if (sim->fail_at == 0)
		return;
	sim->fail_at = tl__alloc_fail_left();
	sim->failed = tl__alloc_fail_at(0);
}

/* --- time ------------------------------------------------------------------------------------- */

/* When this peer wants its timer. One that comes again at once would spin in the engine; here it
 * comes a millisecond later and is counted. */
static uint64_t timer_due(const tl__sim_peer *peer)
{
	uint64_t due = peer->core ? tl__sync_due(peer->core) : UINT64_MAX;

	if (due != UINT64_MAX && peer->timer_at != UINT64_MAX && due <= peer->timer_at)
		return peer->timer_at + 1;
	return due;
}

static tl__sim_peer *first_timer(tl__sim *sim, uint64_t *due)
{
	tl__sim_peer *first = NULL;

	*due = UINT64_MAX;
	for (tl__sim_peer *peer = sim->peers; peer; peer = peer->next) {
		uint64_t at = timer_due(peer);

		if (at < *due) {
			*due = at;
			first = peer;
		}
	}
	return first;
}

static void tell_timer(tl__sim_peer *peer, uint64_t due)
{
	const tl__sync_event event = {.kind = TL__SYNC_TIMER};
	tl__sim *sim = peer->sim;

	if (due > sim->now)
		sim->now = due;
	if (peer->timer_at != UINT64_MAX && tl__sync_due(peer->core) <= peer->timer_at)
		peer->spins++;
	peer->timer_at = sim->now;
	tl__sim_tell(peer, &event);
}

/* The next thing that is due until then; false when there is none. */
static bool step(tl__sim *sim, uint64_t until)
{
	uint64_t due, at = sim->item_count > 0 ? sim->items[0]->at : UINT64_MAX;
	tl__sim_peer *peer = first_timer(sim, &due);

	if (sim->code != TL_OK || (at > until && due > until))
		return false;
	if (at <= due)
		happen_next(sim);
	else
		tell_timer(peer, due);
	return true;
}

void tl__sim_run(tl__sim *sim, uint64_t ms)
{
	uint64_t until = sim->now + ms;

	while (step(sim, until))
		;
	if (sim->code == TL_OK)
		sim->now = until;
}

bool tl__sim_run_until(
	tl__sim *sim, bool (*done)(tl__sim *sim, void *ud), void *ud, uint64_t step_ms, uint64_t ms)
{
	uint64_t until = sim->now + ms;

	while (!done(sim, ud)) {
		uint64_t pause = step_ms ? sim->now + step_ms : until;

		if (sim->code != TL_OK || sim->now >= until)
			return false;
		if (pause > until)
			pause = until;
		if (step_ms == 0 && step(sim, until))
			continue;
		while (step_ms > 0 && step(sim, pause))
			;
		if (sim->code == TL_OK)
			sim->now = pause;
	}
	return true;
}
