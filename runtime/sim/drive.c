/* Runs a peer's core: events in, actions out. The same as engine/run/driver.c does, in virtual
 * time. */
#include <stdio.h>
#include <string.h>
#include "sim/sim_impl.h"
#include "tree/api/fresh.h"

#define OPENING_MS 60000

/* --- store work ------------------------------------------------------------------------------- */

/* Works of one peer are run in their order, and told in it: first the one, later the other. */
typedef struct work_item {
	tl__sim_item item;
	tl__sim_peer *peer;
	unsigned life;
	tl__work *work;
} work_item;

static void drop_work(tl__sim_item *item)
{
	tl__work_free(((work_item *)item)->work);
	tl__free(item);
}

static uint64_t work_time(tl__sim_peer *peer, uint64_t *last)
{
	const tl__sim_net *net = &peer->sim->net;
	uint64_t at =
		peer->sim->now + tl__sim_between(peer->sim, net->work_min_ms, net->work_max_ms);

	if (at < *last)
		at = *last;
	*last = at;
	return at;
}

static void work_told(tl__sim_item *item)
{
	work_item *w = (work_item *)item;
	tl__sync_event event = {.kind = TL__SYNC_WORKED, .work = w->work};
	tl__sim_peer *peer = w->peer;

	if (!peer->core || peer->life != w->life) {
		drop_work(item);
		return;
	}
	tl__free(item);
	tl__sim_tell(peer, &event);
}

static void plan_work(
	tl__sim_peer *peer, tl__work *work, uint64_t at, void (*happen)(tl__sim_item *item))
{
	work_item *w = tl__sim_plan(peer->sim, sizeof *w, at, happen, drop_work);

	if (!w) {
		tl__work_free(work);
		return;
	}
	w->peer = peer;
	w->life = peer->life;
	w->work = work;
}

/* Pages are cut into pieces where the seed says so: nobody else is at the store meanwhile, but each
 * piece is a turn of its own. */
static bool others_wait(void *ud)
{
	return tl__sim_chance(ud, 300);
}

static void work_run(tl__sim_item *item)
{
	work_item *w = (work_item *)item;
	tl__sim_peer *peer = w->peer;

	if (!peer->core || peer->life != w->life) {
		drop_work(item);
		return;
	}
	w->work->others = (tl__others){others_wait, peer->sim};
	peer->in_work = true;
	tl__sim_core_begins(peer->sim);
	tl__work_run(&peer->host, w->work);
	tl__sim_core_ends(peer->sim);
	peer->in_work = false;
	if (w->work->code != TL_OK)
		tl__sim_note(peer->sim, "%s store work failed: %s", peer->name,
			tl_error_message(w->work->error));
	plan_work(peer, w->work, work_time(peer, &peer->told_at), work_told);
	tl__free(item);
}

/* The engine answers so whenever it can; here both ways are gone, as the seed says. */
static void do_work(tl__sim_peer *peer, tl__work *work)
{
	bool at_once = tl__sim_chance(peer->sim, 500);

	tl__sim_core_begins(peer->sim);
	at_once = at_once && tl__work_at_once(&peer->host, work);
	tl__sim_core_ends(peer->sim);
	if (at_once)
		plan_work(peer, work, peer->sim->now, work_told);
	else
		plan_work(peer, work, work_time(peer, &peer->run_at), work_run);
}

/* --- commits ---------------------------------------------------------------------------------- */

typedef struct commit_item {
	tl__sim_item item;
	tl__sim_peer *peer;
	unsigned life;
} commit_item;

static void drop_plain(tl__sim_item *item)
{
	tl__free(item);
}

static void tell_commits(tl__sim_item *item)
{
	commit_item *c = (commit_item *)item;
	tl__sim_peer *peer = c->peer;
	bool current = peer->core && peer->life == c->life;

	tl__free(item);
	while (current && peer->commit_count > 0) {
		tl__sync_event event = {.kind = TL__SYNC_COMMITTED};
		tl__sim_commit first = peer->commits[0];

		peer->commit_count--;
		memmove(peer->commits, peer->commits + 1,
			peer->commit_count * sizeof *peer->commits);
		event.committed =
			(tl__sync_committed){first.db, first.arrival, first.local, first.fresh};
		tl__sim_tell(peer, &event);
		tl__fresh_free(first.fresh);
	}
}

static tl__sim_commit *commit_of(tl__sim_peer *peer, const tl_id *db)
{
	tl__sim_commit *more;

	for (size_t i = 0; i < peer->commit_count; i++)
		if (memcmp(&peer->commits[i].db, db, sizeof *db) == 0)
			return &peer->commits[i];
	more = tl__grow(peer->commits, peer->commit_count, &peer->commit_cap, sizeof *more);
	if (!more) {
		tl__sim_broken(peer->sim, TL_E_NOMEM);
		return NULL;
	}
	peer->commits = more;
	more = &peer->commits[peer->commit_count++];
	*more = (tl__sim_commit){.db = *db};
	return more;
}

static void note_commit(tl__sim_peer *peer, const tl_id *db, uint64_t arrival, tl__fresh *fresh)
{
	bool first = peer->commit_count == 0;
	tl__sim_commit *commit = commit_of(peer, db);
	commit_item *c;

	if (!commit || commit->arrival > 0) { /* several are read together */
		tl__fresh_free(fresh);
		fresh = NULL;
	}
	if (!commit)
		return;
	tl__fresh_free(commit->fresh);
	commit->fresh = fresh;
	if (arrival > commit->arrival)
		commit->arrival = arrival;
	commit->local = commit->local || !peer->in_work;
	if (!first)
		return;
	c = tl__sim_plan(peer->sim, sizeof *c, peer->sim->now, tell_commits, drop_plain);
	if (c) {
		c->peer = peer;
		c->life = peer->life;
	}
}

void tl__sim_forget_commits(tl__sim_peer *peer)
{
	while (peer->commit_count > 0)
		tl__fresh_free(peer->commits[--peer->commit_count].fresh);
}

/* In the middle of a work, whose allocations count; the simulator's own do not. */
void tl__sim_note_commit(void *ud, const tl_id *db, uint64_t arrival, tl__fresh *fresh)
{
	tl__sim_peer *peer = ud;

	if (peer->in_work)
		tl__sim_core_ends(peer->sim);
	note_commit(peer, db, arrival, fresh);
	if (peer->in_work)
		tl__sim_core_begins(peer->sim);
}

/* --- actions ---------------------------------------------------------------------------------- */

static void complete(tl__sim_peer *peer, const tl__sync_action *action)
{
	tl__sim_waiting **at = &peer->waiting;
	tl__sim_waiting *found;

	while (*at && (*at)->op != action->complete.op)
		at = &(*at)->next;
	found = *at;
	if (!found)
		return;
	*at = found->next;
	found->result->complete = true;
	found->result->code = action->complete.code;
	snprintf(found->result->error, sizeof found->result->error, "%s", action->complete.error);
	snprintf(found->result->text, sizeof found->result->text, "%s", action->complete.text);
	tl__free(found);
}

static void note_event(tl__sim_peer *peer, const tl_event *event)
{
	peer->events[event->kind]++;
	tl__sim_note(
		peer->sim, "%s tells %s %s", peer->name, tl_event_name(event->kind), event->text);
}

static void carry_out(tl__sim_peer *peer, tl__sync_action *action)
{
	switch (action->kind) {
	case TL__SYNC_SEND: tl__sim_send(peer, action); break;
	case TL__SYNC_HOLD: break;
	case TL__SYNC_CANCEL_SEND: tl__sim_cancel(peer, action->exchange); break;
	case TL__SYNC_ANSWER:
	case TL__SYNC_ANSWER_BEGIN:
	case TL__SYNC_ANSWER_PIECE:
	case TL__SYNC_ANSWER_END: tl__sim_answer_with(peer, action); break;
	case TL__SYNC_WORK: do_work(peer, action->work); return;
	case TL__SYNC_EVENT: note_event(peer, &action->event); break;
	case TL__SYNC_COMPLETE: complete(peer, action); break;
	}
	tl__sync_action_drop(action);
}

/* A wake-up that is lost shows as something that never arrives, long after; here it is caught. */
static void check_nothing_overlooked(tl__sim_peer *peer)
{
	const char *what = tl__sync_overlooked(peer->core);

	if (what)
		tl__sim_broken(peer->sim,
			tl__fail(TL_E_BAD_STATE, "an event was over without a look at %s", what));
}

void tl__sim_tell(tl__sim_peer *peer, const tl__sync_event *event)
{
	tl__sync_action action;

	if (!peer->core)
		return;
	tl__sim_core_begins(peer->sim);
	tl__sync_handle(peer->core, event, peer->sim->now, tl__sim_wall(peer));
	check_nothing_overlooked(peer);
	tl__sim_core_ends(peer->sim);
	while (tl__sync_next(peer->core, &action))
		carry_out(peer, &action);
}

/* --- commands --------------------------------------------------------------------------------- */

void tl__sim_forget_waiting(tl__sim_peer *peer)
{
	while (peer->waiting) {
		tl__sim_waiting *waiting = peer->waiting;

		peer->waiting = waiting->next;
		tl__free(waiting);
	}
}

static bool is_complete(tl__sim *sim, void *ud)
{
	const tl__sim_result *result = ud;

	(void)sim;
	return result->complete;
}

/* Whether commands go there, or nobody is there to take them. */
static bool is_open(tl__sim *sim, void *ud)
{
	const tl__sim_peer *peer = ud;
	tl_id own;

	(void)sim;
	return !peer->core || tl__sync_own_db(peer->core, &own);
}

/* As who opens a node does, it first waits for the load. */
void tl__sim_command(
	tl__sim_peer *peer, tl__sync_command *command, tl__sim_result *result, uint64_t ms)
{
	tl__sync_event event = {.kind = TL__SYNC_COMMAND};
	tl__sim_waiting *waiting = NULL;

	if (!is_open(peer->sim, peer))
		(void)tl__sim_run_until(peer->sim, is_open, peer, 0, OPENING_MS);
	if (result) {
		memset(result, 0, sizeof *result);
		waiting = tl__alloc_zero(1, sizeof *waiting);
		if (!waiting) {
			tl__sim_broken(peer->sim, TL_E_NOMEM);
			return;
		}
		waiting->op = ++peer->ops;
		waiting->result = result;
		waiting->next = peer->waiting;
		peer->waiting = waiting;
	}
	command->op = waiting ? waiting->op : 0;
	event.command = *command;
	tl__sim_tell(peer, &event);
	if (result && ms > 0)
		(void)tl__sim_run_until(peer->sim, is_complete, result, 0, ms);
}
