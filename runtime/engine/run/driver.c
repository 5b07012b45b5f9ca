/* Runs the core: events in, actions out. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/run/driver.h"
#include "engine/run/engine_impl.h"

/* A server under way may finish its answers for so long when the node closes. */
#define CLOSING_GRACE_MS 200
/* How often the store is looked after when nothing is left to do: a transaction that nobody uses
 * must not hold it back for much longer than TL_SNAPSHOT_MAX_AGE_MS. At first it waits for what
 * comes with the opening. */
#define UPKEEP_MS       10000
#define FIRST_UPKEEP_MS 1000
/* The core may take so long to save and let go. */
#define STOP_PATIENCE_MS 2000

static uint64_t mono_now(void)
{
	return tl__system_clock.monotonic_ms(tl__system_clock.ud);
}

static int64_t wall_now(void)
{
	return tl__system_clock.wall_ms(tl__system_clock.ud);
}

/* --- store work ------------------------------------------------------------------------------- */

typedef struct work_job {
	tl__job job; /* first: a job is its work_job */
	tl__engine *engine;
	tl__work *work;
	tl__pool_job apart; /* of a work that needs no store */
} work_job;

static void run_work(tl__job *job)
{
	work_job *w = (work_job *)job;

	job->again = tl__work_slice(&w->engine->host, w->work);
}

static bool others_wait(void *ud)
{
	const work_job *w = ud;

	return tl__worker_others_wait(w->engine->worker, &w->job);
}

static void prepare_work(tl__job *job)
{
	work_job *w = (work_job *)job;

	tl__work_prepare(&w->engine->host, w->work);
}

/* On a thread of the pool. The engine does not end before all its jobs have come back. */
static void run_apart(tl__pool_job *apart)
{
	work_job *w = (work_job *)((char *)apart - offsetof(work_job, apart));

	run_work(&w->job);
	(void)tl__inbox_put(w->engine->inbox, &w->job.task);
}

static void end_opening(tl__engine *e, int code)
{
	tl__call *call = e->opening;

	e->opening = NULL;
	tl__call_end(call, code, NULL);
}

static void give_back(tl__engine *e, tl__work *work)
{
	tl__sync_event event = {.kind = TL__SYNC_WORKED, .work = work};
	bool loading = work->kind == TL__WORK_LOAD;
	tl_error *error = work->error;
	int code = work->code;

	if (e->ended) {
		tl__work_free(work);
		return;
	}
	if (!loading || !e->opening) {
		tl__engine_tell(e, &event);
		return;
	}
	if (code != TL_OK) {
		/* Without what it remembers the core must not run: the node does not open. */
		(void)tl__error_raise(error, code);
		tl__work_free(work);
		end_opening(e, code);
		return;
	}
	tl__engine_tell(e, &event);
	end_opening(e, TL_OK);
}

static void on_worked(tl__task *task)
{
	work_job *w = (work_job *)task;
	tl__engine *e = w->engine;
	tl__work *work = w->work;

	if (w->job.again) /* only when the core has stopped */
		work->code = TL_E_CLOSED;
	tl__free(w);
	e->jobs--;
	give_back(e, work);
	tl__engine_maybe_end(e);
}

static void do_work(tl__engine *e, tl__work *work)
{
	work_job *w;

	if (tl__work_at_once(&e->host, work)) {
		give_back(e, work);
		return;
	}
	w = tl__alloc_zero(1, sizeof *w);
	if (!w) {
		work->code = TL_E_NOMEM;
		give_back(e, work);
		return;
	}
	w->job = (tl__job){.task.call = on_worked,
		.work = run_work,
		.prepare = prepare_work,
		.keeps_place = tl__work_keeps_place(work),
		.turn.party = work->party};
	w->engine = e;
	w->work = work;
	work->others = (tl__others){others_wait, w};
	w->apart.run = run_apart;
	e->jobs++;
	if (tl__work_is_apart(work) && tl__pool_hand(e->host.tree->pool, &w->apart))
		return;
	tl__worker_do(e->worker, &w->job);
}

/* --- actions ---------------------------------------------------------------------------------- */

/* The core has let go: servers and exchanges may be ended. */
static void core_stopped(tl__engine *engine)
{
	engine->core_stopped = true;
	tl__worker_hurry(engine->worker);
	tl__servers_stop(engine, CLOSING_GRACE_MS);
	tl__client_cancel_all(engine);
	tl__engine_maybe_end(engine);
}

static void complete(tl__engine *e, const tl__sync_action *action)
{
	if (e->stop_number != 0 && action->complete.op == e->stop_number) {
		core_stopped(e);
		return;
	}
	tl__command_complete(e, action->complete.op, action->complete.code, action->complete.error,
		action->complete.text);
}

static void carry_out(tl__engine *e, tl__sync_action *action)
{
	switch (action->kind) {
	case TL__SYNC_SEND:
		tl__client_send(e, action);
		tl__sync_action_drop(action);
		return;
	case TL__SYNC_CANCEL_SEND: tl__client_cancel(e, action->exchange); return;
	case TL__SYNC_HOLD:
	case TL__SYNC_ANSWER:
	case TL__SYNC_ANSWER_BEGIN:
	case TL__SYNC_ANSWER_PIECE:
	case TL__SYNC_ANSWER_END:
		tl__serving_answer(e, action);
		tl__sync_action_drop(action);
		return;
	case TL__SYNC_WORK: do_work(e, action->work); return;
	case TL__SYNC_EVENT:
		if (action->event.time_ms == 0)
			action->event.time_ms = wall_now();
		tl__node_tell(e->node, &action->event, action->event.text);
		return;
	case TL__SYNC_COMPLETE: complete(e, action); return;
	}
}

/* Tells the core of a request that could not be begun. */
static void tell_failed(tl__engine *e)
{
	tl__sync_event event = {.kind = TL__SYNC_ANSWERED};

	if (e->failed.exchange == 0)
		return;
	event.answered.exchange = e->failed.exchange;
	event.answered.code = e->failed.code;
	event.answered.error = tl__str_z(e->failed.error);
	event.answered.channel = TL__STR("");
	event.answered.body = TL__STR("");
	tl__sync_handle(e->sync, &event, mono_now(), wall_now());
	e->failed.exchange = 0;
}

static void arm_timer(tl__engine *e)
{
	uint64_t due = tl__sync_due(e->sync), now = mono_now();

	if (due == UINT64_MAX)
		e->loop->timer_stop(e->timer);
	else
		e->loop->timer_start(e->timer, due > now ? due - now : 0);
}

/* Carrying out an action may bring another event at once: it is told, and its actions wait for
 * their turn. */
static void carry_out_all(tl__engine *e)
{
	tl__sync_action action;

	if (e->pumping)
		return;
	e->pumping = true;
	while (tl__sync_next(e->sync, &action)) {
		carry_out(e, &action);
		tell_failed(e);
	}
	e->pumping = false;
}

static void pump(tl__engine *e)
{
	if (e->pumping)
		return;
	carry_out_all(e);
	arm_timer(e);
	tl__engine_maybe_end(e);
}

/* What an application waits for is told before requests are made and signed. */
void tl__engine_tell(tl__engine *engine, const tl__sync_event *event)
{
	if (engine->ended)
		return;
	tl__sync_take(engine->sync, event, mono_now(), wall_now());
	carry_out_all(engine);
	tl__sync_go_on(engine->sync);
	pump(engine);
}

/* --- time and commits ------------------------------------------------------------------------- */

void tl__engine_on_timer(void *ud)
{
	const tl__sync_event event = {.kind = TL__SYNC_TIMER};

	tl__engine_tell(ud, &event);
}

void tl__engine_take_commits(tl__engine *engine)
{
	tl__commit *at = NULL;
	size_t count = tl__commits_take(&engine->node->commits, &at);

	for (size_t i = 0; i < count; i++) {
		tl__sync_event event = {.kind = TL__SYNC_COMMITTED};

		event.committed =
			(tl__sync_committed){at[i].db, at[i].arrival, at[i].local, at[i].fresh};
		tl__engine_tell(engine, &event);
	}
	tl__commits_drop(at, count);
}

/* --- upkeep ----------------------------------------------------------------------------------- */

static void keep_up(tl__job *job)
{
	tl__engine *e = (tl__engine *)((char *)job - offsetof(tl__engine, upkeep_job));
	uint64_t start = mono_now();

	tl__host_sweep(&e->node->host);
	e->upkeep_rest = UPKEEP_MS;
	if (tl__upkeep_slice(&e->upkeep))
		e->upkeep_rest = tl__upkeep_rest(mono_now() - start);
}

static void on_kept_up(tl__task *task)
{
	tl__engine *e = (tl__engine *)((char *)task - offsetof(tl__engine, upkeep_job.task));

	e->keeping_up = false;
	e->jobs--;
	if (!e->ended && !e->core_stopped)
		e->loop->timer_start(e->upkeep_timer, e->upkeep_rest);
	tl__engine_maybe_end(e);
}

void tl__engine_on_upkeep(void *ud)
{
	tl__engine *e = ud;

	if (e->keeping_up || e->core_stopped)
		return;
	e->keeping_up = true;
	e->jobs++;
	e->upkeep_job = (tl__job){.task.call = on_kept_up, .work = keep_up};
	tl__worker_do(e->worker, &e->upkeep_job);
}

/* --- beginning and end ------------------------------------------------------------------------ */

void tl__engine_begin(tl__engine *engine, tl__call *call)
{
	engine->opening = call;
	engine->loop->timer_start(engine->upkeep_timer, FIRST_UPKEEP_MS);
	pump(engine); /* the core's first action is to load */
	if (engine->opening && engine->jobs == 0)
		end_opening(engine, tl__fail(TL_E_NOMEM, "no memory to load what sync remembers"));
}

static void on_patience(void *ud)
{
	tl__engine *e = ud;

	if (e->core_stopped)
		return;
	tl__log_write(&e->node->log, TL_LOG_WARNING, "engine",
		"the sync core did not stop in time; it is left where it is");
	core_stopped(e);
}

void tl__engine_begin_end(tl__engine *engine, tl__call *call)
{
	const tl__sync_command stop = {.kind = TL__SYNC_STOP};
	tl__sync_event event = {.kind = TL__SYNC_COMMAND, .command = stop};

	engine->closing = call;
	engine->stop_number = ++engine->numbers;
	event.command.op = engine->stop_number;
	if (engine->loop->timer(engine->loop, on_patience, engine, &engine->patience) == TL_OK)
		engine->loop->timer_start(engine->patience, STOP_PATIENCE_MS);
	tl__engine_tell(engine, &event);
}

void tl__engine_maybe_end(tl__engine *engine)
{
	tl__call *call = engine->closing;

	if (!call || !engine->core_stopped || engine->pumping || engine->outgoing ||
		engine->inbound || engine->jobs > 0 || tl__servers_running(engine))
		return;
	engine->closing = NULL;
	tl__call_end(call, TL_OK, NULL);
}
