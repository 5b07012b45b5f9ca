#include "engine/run/engine.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/system/thread.h"
#include "engine/run/driver.h"
#include "engine/run/engine_impl.h"
#include "engine/parts/inside.h"

/* --- thread ----------------------------------------------------------------------------------- */

static void *run(void *ud)
{
	tl__engine *e = ud;

	tl__inside_set(true);
	tl__loop_run(e->loop);
	return NULL;
}

static void on_commits(tl__task *task)
{
	tl__commits *commits = (tl__commits *)((char *)task - offsetof(tl__commits, task));
	tl_node *node = (tl_node *)((char *)commits - offsetof(tl_node, commits));

	tl__engine_take_commits(node->engine);
}

static void on_abandon(tl__task *task)
{
	tl__engine *e = (tl__engine *)((char *)task - offsetof(tl__engine, abandon_task));

	atomic_store(&e->abandon_put, false);
	tl__command_abandoned(e);
}

/* Under the hub's lock, from any thread. */
static void wake_for_abandon(void *ud)
{
	tl__engine *e = ud;

	if (!atomic_exchange(&e->abandon_put, true))
		(void)tl__inbox_put(e->inbox, &e->abandon_task);
}

/* --- opening ---------------------------------------------------------------------------------- */

static int new_core(tl__engine *e, const tl_sync_options *options)
{
	tl_node *node = e->node;
	tl_secret device;
	tl__sync_config config = {
		.device = &device,
		.name = node->name,
		.random = node->tree.random,
		.log = &node->log,
		.options = *options,
		.v0 = tl__v0_spoken(),
		.foresee = tl__carriers_foresee,
		.foresee_ud = e,
	};
	int rc = tl__keys_secret(
		node->keys, (tl_str){TL__DEVICE_KEY, strlen(TL__DEVICE_KEY)}, &device);

	if (rc != TL_OK)
		return rc;
	memcpy(config.incarnation, node->incarnation, sizeof config.incarnation);
	rc = tl__sync_new(&e->sync, &config);
	tl_secret_wipe(&device);
	return rc;
}

/* The engine's own handles work until it ends: the flush at the end stands on them. */
static int new_host(tl__engine *e)
{
	const tl__host *host = &e->node->host;
	int rc;

	e->host = (tl__host){
		.tree = host->tree,
		.hooks = host->hooks,
		.by_node = true,
		.secret = host->secret,
		.retain = host->retain,
		.release = host->release,
		.ud = host->ud,
	};
	rc = tl__host_init(&e->host);
	e->has_host = rc == TL_OK;
	return rc;
}

static int new_parts(tl__engine *e, const tl_sync_options *options)
{
	int rc = tl__loop_new(&e->loop);

	if (rc == TL_OK)
		rc = tl__inbox_new(&e->inbox, e->loop);
	if (rc == TL_OK)
		rc = tl__worker_new(&e->worker, e->inbox);
	if (rc == TL_OK)
		rc = e->loop->timer(e->loop, tl__engine_on_timer, e, &e->timer);
	if (rc == TL_OK)
		rc = e->loop->timer(e->loop, tl__engine_on_upkeep, e, &e->upkeep_timer);
	if (rc == TL_OK)
		rc = new_host(e);
	if (rc == TL_OK)
		rc = new_core(e, options);
	return rc;
}

static int start_thread(tl__engine *e)
{
	int rc = tl__thread_start(&e->thread, "tl-sync", run, e);

	if (rc != 0)
		return tl__fail(TL_E_IO, "cannot start the engine's thread: %s", strerror(rc));
	e->has_thread = true;
	return TL_OK;
}

static void begin_load(tl__engine *engine, tl__call *call)
{
	tl__engine_begin(engine, call);
}

int tl__engine_open(tl_node *node, const tl_sync_options *options)
{
	tl__engine *e = tl__alloc_zero(1, sizeof *e);
	tl__call load = {.begin = begin_load};
	int rc;

	if (!e)
		return TL_E_NOMEM;
	e->node = node;
	e->abandon_task.call = on_abandon;
	pthread_mutex_init(&e->call_lock, NULL);
	pthread_cond_init(&e->call_done, NULL);
	tl__upkeep_init(&e->upkeep, &node->tree);
	tl__map_init(&e->inbound_by_number);
	node->engine = e;
	rc = new_parts(e, options);
	if (rc == TL_OK) {
		tl__commits_attach(&node->commits, e->inbox, on_commits);
		tl__hub_on_abandon(node->hub, wake_for_abandon, e);
		rc = start_thread(e);
	}
	if (rc == TL_OK)
		rc = tl__engine_call(node, &load, "opening");
	e->loaded = rc == TL_OK;
	if (rc == TL_OK)
		rc = tl__engine_keys_changed(node);
	return rc;
}

/* --- closing ---------------------------------------------------------------------------------- */

static void begin_end(tl__engine *engine, tl__call *call)
{
	tl__engine_begin_end(engine, call);
}

void tl__engine_flush(tl_node *node, uint32_t flush_ms)
{
	const tl__sync_command command = {
		.kind = TL__SYNC_FLUSH, .timeout_ms = flush_ms, .send_only = true};

	if (!node->engine || !node->engine->loaded || flush_ms == 0)
		return;
	if (tl__command_run(node, &command, "closing", NULL) != TL_OK)
		tl__log_write(&node->log, TL_LOG_INFO, "engine", "closing: %s",
			tl_error_message(tl_last_error()));
}

static void end_thread(tl__engine *e)
{
	tl__call end = {.begin = begin_end};

	if (e->loaded && tl__engine_call(e->node, &end, "closing") != TL_OK)
		tl__log_write(&e->node->log, TL_LOG_WARNING, "engine", "closing: %s",
			tl_error_message(tl_last_error()));
	tl__loop_stop(e->loop);
	pthread_join(e->thread, NULL);
	e->ended = true;
}

static void free_parts(tl__engine *e)
{
	tl__worker_free(e->worker);
	tl__pool_settle(e->node->pool); /* also for the last to have left the inbox */
	if (e->inbox)
		tl__inbox_close(e->inbox);
	tl__command_forget(e);
	tl__servers_free(e);
	if (e->loop && e->patience)
		e->loop->timer_free(e->patience);
	if (e->loop && e->upkeep_timer)
		e->loop->timer_free(e->upkeep_timer);
	if (e->loop && e->timer)
		e->loop->timer_free(e->timer);
	tl__upkeep_free(&e->upkeep);
	tl__map_free(&e->inbound_by_number);
	tl__sync_free(e->sync);
	tl__inbox_free(e->inbox);
	tl__loop_free(e->loop);
	if (e->has_host)
		tl__host_free(&e->host);
	pthread_cond_destroy(&e->call_done);
	pthread_mutex_destroy(&e->call_lock);
	tl__free(e);
}

void tl__engine_close(tl_node *node)
{
	tl__engine *e = node->engine;

	if (!e)
		return;
	if (e->has_thread)
		end_thread(e);
	tl__hub_on_abandon(node->hub, NULL, NULL);
	tl__commits_attach(&node->commits, NULL, NULL);
	free_parts(e);
	node->engine = NULL;
}
