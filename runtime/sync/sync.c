#include "sync/in/serve.h"
#include "sync/out/session.h"
#include "wire/v0_path.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/vault.h"

/* --- making and unmaking ---------------------------------------------------------------------- */

static int set_up(tl__sync *sync, const tl__sync_config *config)
{
	const char *name = config->name ? config->name : "";
	int rc = tl__sync_queue_new(sync);

	if (rc == TL_OK)
		rc = tl__sync_save_new(sync);
	if (rc == TL_OK)
		rc = tl__serve_new(sync);
	sync->name = tl__copy_bytes(name, strlen(name));
	if (rc == TL_OK && !sync->name)
		rc = TL_E_NOMEM;
	tl__sync_default_options(&sync->options);
	return rc == TL_OK ? tl__sync_set_options(sync, &config->options) : rc;
}

int tl__sync_new(tl__sync **out, const tl__sync_config *config)
{
	tl__sync *sync = tl__alloc_zero(1, sizeof *sync);
	int rc;

	*out = NULL;
	if (!sync)
		return TL_E_NOMEM;
	sync->device = tl__vault_alloc(sizeof *sync->device);
	if (!sync->device) {
		tl__free(sync);
		return TL_E_NOMEM;
	}
	*sync->device = *config->device;
	tl_secret_public(sync->device, &sync->key);
	tl_key_format(&sync->key, sync->key_text);
	memcpy(sync->incarnation, config->incarnation, sizeof sync->incarnation);
	sync->random = config->random;
	sync->random.fill(sync->random.ud, sync->epoch, sizeof sync->epoch);
	sync->log = config->log;
	sync->next_periodic = sync->next_check = sync->race_look = UINT64_MAX;
	sync->out = &tl__outbound_half;
	sync->in = &tl__inbound_half;
	sync->v0 = config->v0;
	tl__clients_init(&sync->clients);
	tl__map_init(&sync->nonce_numbers);
	tl__nonce_begin(sync);
	tl__map_init(&sync->peer_map);
	tl__map_init(&sync->db_map);
	tl__map_init(&sync->pair_map);
	tl__map_init(&sync->by_hand);
	tl__map_init(&sync->rests);
	rc = set_up(sync, config);
	if (rc != TL_OK) {
		tl__sync_free(sync);
		return rc;
	}
	sync->policy = config->policy;
	sync->foresee = config->foresee;
	sync->foresee_ud = config->foresee_ud;
	tl__sync_load(sync);
	*out = sync;
	return TL_OK;
}

static void free_model(tl__sync *sync)
{
	while (sync->pairs) {
		tl__pair *pair = sync->pairs;

		sync->pairs = pair->next;
		tl__pair_free(pair);
	}
	while (sync->peers) {
		tl__peer *peer = sync->peers;

		sync->peers = peer->next;
		tl__peer_free(peer);
	}
	while (sync->dbs) {
		tl__sync_db *db = sync->dbs;

		sync->dbs = db->next;
		tl__free(db->holds);
		tl__free(db);
	}
	tl__map_free(&sync->nonce_numbers);
	tl__map_free(&sync->peer_map);
	tl__map_free(&sync->db_map);
	tl__map_free(&sync->pair_map);
	tl__pair_options_free_all(sync);
	tl__rests_free(sync);
	tl__free(sync->relation_set.text);
	tl__heap_free(&sync->pair_dues);
	tl__heap_free(&sync->peer_dues);
}

void tl__sync_free(tl__sync *sync)
{
	if (!sync)
		return;
	tl__serve_free(sync);
	tl__waiters_free(sync);
	tl__asks_free(sync);
	tl__contacts_free(sync);
	tl__sessions_free(sync);
	tl__calls_free(sync);
	tl__clients_free(sync);
	free_model(sync);
	tl__knocks_free(sync);
	tl__sync_save_free(sync);
	tl__sync_queue_free(sync);
	tl__trace_free(sync);
	if (sync->policy.drop)
		sync->policy.drop(sync->policy.ud);
	tl__sync_wipe_keys(sync);
	tl__vault_free(sync->device, sizeof *sync->device);
	tl__free(sync->accepted);
	tl__free(sync->name);
	tl__free(sync);
}

/* --- events ----------------------------------------------------------------------------------- */

/* Who gave up tries once more for what is new: at most once a second. */
static void wake_stalled(tl__sync *sync, tl__sync_db *db)
{
	for (tl__pair *pair = db->pairs; pair; pair = pair->next_of_db) {
		if (!pair->stalled || !tl__pair_dirty(pair) || !tl__pair_on_commit(sync, pair))
			continue;
		tl__pair_changed(sync, pair);
		pair->wanted = true;
		pair->next_attempt = pair->tried + TL__SYNC_STALLED_PACE_MS;
	}
}

static void committed(tl__sync *sync, const tl__sync_committed *event)
{
	tl__sync_db *db;

	if (sync->loaded && tl__id_equal(&event->db, &sync->own_db))
		return;
	db = tl__sync_db_for(sync, &event->db);
	if (db)
		tl__db_arrived(sync, db, event->arrival);
	sync->fresh = event->fresh;
	if (db && event->local)
		wake_stalled(sync, db);
	if (db)
		tl__serve_committed(sync, db, event->fresh);
}

static void servers_changed(tl__sync *sync, const tl__sync_event *event)
{
	size_t count = event->servers.count > TL__SYNC_MAX_ADDRESSES ? TL__SYNC_MAX_ADDRESSES
								     : event->servers.count;

	if (count > 0)
		memcpy(sync->servers, event->servers.addresses, count * sizeof *sync->servers);
	sync->server_count = count;
}

static void transport_enabled(tl__sync *sync, const tl__sync_event *event)
{
	tl_str type = event->transport.type;
	size_t room = sizeof sync->transports / sizeof *sync->transports;
	struct tl__sync_transport *at;

	for (size_t i = 0; i < sync->transport_count; i++)
		if (tl__str_eq(type, tl__str_z(sync->transports[i].type)))
			return;
	if (sync->transport_count == room || type.len >= sizeof sync->transports[0].type)
		return;
	at = &sync->transports[sync->transport_count++];
	at->encrypted = event->transport.encrypted;
	at->agrees = event->transport.agrees;
	at->proves_ends = event->transport.proves_ends;
	at->max_body = event->transport.max_body;
	tl__text_copy(at->type, sizeof at->type, type);
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		tl__peer_wake(sync, peer);
}

static void progress(tl__sync *sync, uint64_t exchange, uint64_t entries, uint64_t bytes)
{
	for (tl__session *session = sync->sessions; session; session = session->next)
		for (tl__call *call = sync->call_list; call; call = call->next)
			if (session->pair && call->exchange == exchange &&
				call->number == session->call) {
				session->pair->progress_entries = entries;
				session->pair->progress_bytes = bytes;
			}
}

/* Who opens a node waits for the load, so this is one that cannot read what it remembers. */
static void refuse_early(tl__sync *sync, const tl__sync_command *command)
{
	(void)tl__fail(TL_E_BUSY, "the node is still starting; try again");
	tl__sync_complete_failed(sync, command->op, TL_E_BUSY);
}

static void dispatch(tl__sync *sync, const tl__sync_event *event)
{
	switch (event->kind) {
	case TL__SYNC_COMMAND:
		if (sync->loaded || event->command.kind == TL__SYNC_SET_KEYS)
			tl__sync_command_do(sync, &event->command);
		else
			refuse_early(sync, &event->command);
		break;
	case TL__SYNC_COMMITTED: committed(sync, &event->committed); break;
	case TL__SYNC_ANSWERED: tl__call_answered(sync, &event->answered); break;
	case TL__SYNC_PROGRESS:
		progress(sync, event->progress.exchange, event->progress.entries,
			event->progress.bytes);
		break;
	case TL__SYNC_WORKED: event->work->done(sync, event->work); break;
	case TL__SYNC_REQUEST: tl__serve_request(sync, &event->request); break;
	case TL__SYNC_DRAINED: tl__serve_drained(sync, event->incoming); break;
	case TL__SYNC_GONE: tl__serve_gone(sync, event->incoming); break;
	case TL__SYNC_SERVERS: servers_changed(sync, event); break;
	case TL__SYNC_TRANSPORT: transport_enabled(sync, event); break;
	case TL__SYNC_TIMER: tl__serve_timer(sync); break;
	}
}

void tl__sync_go_on(tl__sync *sync)
{
	if (!sync->loaded) {
		if (sync->now >= sync->load_at)
			tl__sync_load(sync);
		return;
	}
	tl__asks_again(sync);
	tl__sessions_tell(sync);
	/* Starting may fail at once, which may make something else due. */
	do {
		tl__race_run(sync);
		tl__calls_fail(sync);
		tl__waiters_run(sync);
		tl__schedule_ticks(sync);
		tl__due_run(sync);
		tl__watch_run(sync);
	} while (tl__calls_failed(sync));
	sync->fresh = NULL;
	tl__sync_save_timer(sync);
	tl__due_judge(sync);
}

void tl__sync_take(
	tl__sync *sync, const tl__sync_event *event, uint64_t now_mono_ms, int64_t now_wall_ms)
{
	if (now_mono_ms > sync->now)
		sync->now = now_mono_ms;
	sync->wall = now_wall_ms;
	sync->fresh = NULL;
	tl__sync_queue_fill(sync);
	dispatch(sync, event);
}

void tl__sync_handle(
	tl__sync *sync, const tl__sync_event *event, uint64_t now_mono_ms, int64_t now_wall_ms)
{
	tl__sync_take(sync, event, now_mono_ms, now_wall_ms);
	tl__sync_go_on(sync);
}

uint64_t tl__sync_due(const tl__sync *sync)
{
	uint64_t all[] = {tl__due_next(sync), tl__waiters_due(sync), tl__sync_save_due(sync),
		tl__serve_due(sync), tl__asks_due(sync), tl__sessions_due(sync), tl__race_due(sync),
		sync->load_at};
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] < least)
			least = all[i];
	return least;
}

uint64_t tl__sync_max_request(tl_str path)
{
	if (tl__str_eq(path, TL__STR(TL__V0_PATH)))
		return TL__V0_MAX_REQUEST_BYTES;
	if (tl__str_starts(path, TL__STR(TL__V1_PATH_PREFIX)))
		return TL__SYNC_MAX_FRAME;
	return 0;
}
