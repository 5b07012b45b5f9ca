/* Inbound: requests under way, and their answers. */
#include "sync/in/serve.h"
#include "sync/v0.h"
#include "wire/v0_path.h"

#define NOT_IMPLEMENTED 501 /* HTTP status */

/* --- table ------------------------------------------------------------------------------------ */

static tl_str number_key(const uint64_t *number)
{
	return (tl_str){(const char *)number, sizeof *number};
}

tl__incoming *tl__serve_find(tl__sync *sync, uint64_t number)
{
	return tl__map_get(&sync->serve->incoming, number_key(&number));
}

static void free_incoming(tl__incoming *in)
{
	if (in->way && in->way->clear)
		in->way->clear(in);
	tl__arena_free(&in->arena);
	tl__free(in);
}

static void settle(tl__sync *sync, tl__incoming *in)
{
	if (!in->done || in->works > 0)
		return;
	tl__serve_leave(sync, in);
	tl__map_remove(&sync->serve->incoming, number_key(&in->number));
	free_incoming(in);
}

void tl__serve_end(tl__sync *sync, tl__incoming *in)
{
	tl__serve_watch_drop(sync, in->hold);
	in->done = true;
	settle(sync, in);
}

bool tl__incoming_from(tl__incoming *in, tl__arena *memory, tl_str transport, tl_str remote)
{
	char *text = tl__arena_alloc(memory, transport.len + remote.len + 2, 1);

	if (!text)
		return false;
	memcpy(text, transport.ptr, transport.len);
	text[transport.len] = ':';
	memcpy(text + transport.len + 1, remote.ptr, remote.len);
	text[transport.len + 1 + remote.len] = 0;
	in->address = text;
	in->transport = (tl_str){text, transport.len};
	in->remote = (tl_str){text + transport.len + 1, remote.len};
	return true;
}

static tl__incoming *new_incoming(tl__sync *sync, const tl__sync_request *request)
{
	tl__incoming *in = tl__alloc_zero(1, sizeof *in);

	if (!in)
		return NULL;
	in->number = request->incoming;
	in->arena = TL__ARENA_INIT;
	in->channel = tl__arena_str(&in->arena, request->channel);
	if (!in->channel.ptr ||
		!tl__incoming_from(in, &in->arena, request->transport, request->remote) ||
		tl__map_set(&sync->serve->incoming, number_key(&in->number), in) != TL_OK) {
		free_incoming(in);
		return NULL;
	}
	return in;
}

/* --- works ------------------------------------------------------------------------------------ */

tl__work *tl__serve_work(tl__sync *sync, tl__incoming *in, tl__work_kind kind,
	void (*done)(void *sync, tl__work *work))
{
	tl__work *work = tl__sync_new_work(sync, kind, &in->db, done, in->number);

	if (!work) {
		tl__serve_internal(sync, in, NULL);
		return NULL;
	}
	work->party = tl__serve_party(sync, in);
	in->works++;
	return work;
}

tl__incoming *tl__serve_returned(tl__sync *sync, uint64_t number)
{
	tl__incoming *in = tl__serve_find(sync, number);

	if (!in)
		return NULL;
	in->works--;
	if (!in->done)
		return in;
	settle(sync, in);
	return NULL;
}

tl__incoming *tl__serve_worked(tl__sync *sync, tl__work *work)
{
	tl__incoming *in = tl__serve_returned(sync, work->owner);

	if (!in)
		tl__work_free(work);
	return in;
}

tl__incoming *tl__serve_well(tl__sync *sync, tl__work *work)
{
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in || work->code == TL_OK)
		return in;
	tl__serve_fail_work(sync, in, work);
	tl__work_free(work);
	return NULL;
}

/* --- answers ---------------------------------------------------------------------------------- */

bool tl__serve_is_of_peer(const tl__sync *sync, const tl__incoming *in)
{
	const tl__peer *peer = in->args.ptr && in->proven_count > 0
				       ? tl__sync_find_peer(sync, &in->proven[0])
				       : NULL;

	return peer && peer->status == TL__PEER_ACTIVE;
}

void tl__serve_answer(tl__sync *sync, tl__incoming *in, int status, const char *content_type,
	tl__buf *body, bool close)
{
	tl__sync_action action = {.kind = TL__SYNC_ANSWER};

	if (tl__buf_status(body) != TL_OK) {
		tl__buf_free(body);
		status = 500;
		content_type = NULL;
	}
	action.answer.incoming = in->number;
	action.answer.status = status;
	action.answer.content_type = content_type;
	action.answer.body = *body;
	action.answer.ok = true;
	action.answer.close = close;
	action.answer.known = tl__serve_is_of_peer(sync, in);
	*body = TL__BUF_INIT;
	(void)tl__sync_act(sync, &action); /* without memory the driver's deadline ends it */
	tl__serve_end(sync, in);
}

void tl__serve_text(tl__sync *sync, tl__incoming *in, int status, const char *text)
{
	tl__buf body = TL__BUF_INIT;

	tl__buf_text(&body, text);
	tl__serve_answer(sync, in, status, "text/plain; charset=utf-8", &body, false);
}

/* Its key where it is a peer of ours. */
static tl_str who_asks(const tl__sync *sync, const tl__incoming *in)
{
	const tl__peer *peer =
		tl__serve_is_of_peer(sync, in) ? tl__sync_find_peer(sync, &in->from) : NULL;

	return peer ? tl__str_z(peer->text) : TL__STR("");
}

/* What went wrong inside is ours to know: the log has it, the requester does not. */
void tl__serve_internal(tl__sync *sync, tl__incoming *in, const tl__work *work)
{
	if (work)
		tl__log_about(sync->log, TL_LOG_ERROR, "sync", who_asks(sync, in),
			"a request of %s failed: %s", in->address, tl_error_message(work->error));
	in->way->internal(sync, in);
}

/* --- events ----------------------------------------------------------------------------------- */

static void refuse_at_once(tl__sync *sync, const tl__sync_request *request, int status)
{
	tl__sync_action action = {.kind = TL__SYNC_ANSWER};

	action.answer.incoming = request->incoming;
	action.answer.status = status;
	action.answer.body = TL__BUF_INIT;
	action.answer.ok = true;
	(void)tl__sync_act(sync, &action);
}

/* Requests of v1 say who comes: their share is taken when that is read. */
static bool may_ask(tl__sync *sync, const tl__sync_request *request)
{
	static const tl__serve_rate of_strangers = {TL__SERVE_REMOTE_BURST, TL__SERVE_REMOTE_PER_S};
	static const tl__serve_rate of_peers = {TL__SERVE_KNOWN_BURST, TL__SERVE_KNOWN_PER_S};
	char source[TL__SOURCE_LEN + 1];
	bool known;

	tl__source_of(request->remote, source);
	known = tl__serve_is_source_known(sync, tl__str_z(source));
	if (!tl__serve_take(sync, tl__str_z(source), known ? of_peers : of_strangers))
		return false;
	return known || tl__str_starts(request->path, TL__STR(TL__V1_PATH_PREFIX)) ||
	       tl__serve_take_share(sync, TL__SHARE_STRANGERS);
}

/* Where it is not spoken: in its own form, which both its nodes and whoever reads HTTP understand.
 */
static void serve_v0(tl__sync *sync, tl__incoming *in, const tl__sync_request *request)
{
	tl__buf body = TL__BUF_INIT;

	if (sync->v0) {
		sync->v0->serve(sync, in, request);
		return;
	}
	tl__buf_format(&body,
		"{\"Error\":\"%s: this node does not speak the protocol of eidetica 0.2.0, it was "
		"built without it; connect with tidelock's\"}",
		tl_error_name(TL_E_V0_NOT_SPOKEN));
	tl__serve_answer(sync, in, NOT_IMPLEMENTED, TL__V0_CONTENT_TYPE, &body, false);
}

void tl__serve_request(tl__sync *sync, const tl__sync_request *request)
{
	tl__incoming *in;

	if (!sync->loaded || sync->stopping) {
		refuse_at_once(sync, request, 503);
		return;
	}
	if (!may_ask(sync, request)) {
		refuse_at_once(sync, request, 429);
		return;
	}
	in = new_incoming(sync, request);
	if (!in)
		refuse_at_once(sync, request, 503);
	else if (tl__str_eq(request->path, TL__STR(TL__V0_PATH)))
		serve_v0(sync, in, request);
	else if (tl__str_starts(request->path, TL__STR(TL__V1_PATH_PREFIX)))
		tl__serve_v1(sync, in, request);
	else
		tl__serve_text(sync, in, 404, "");
}

void tl__serve_drained(tl__sync *sync, uint64_t incoming)
{
	tl__incoming *in = tl__serve_find(sync, incoming);

	if (in && !in->done && in->way && in->way->drained)
		in->way->drained(sync, in);
}

void tl__serve_gone(tl__sync *sync, uint64_t incoming)
{
	tl__incoming *in = tl__serve_find(sync, incoming);

	if (in)
		tl__serve_end(sync, in);
}

void tl__serve_timer(tl__sync *sync)
{
	tl__serve_nonces_expire(sync);
	tl__serve_access_expire(sync);
	tl__serve_watches_timer(sync);
	tl__clients_timer(sync);
	tl__served_timer(sync);
}

uint64_t tl__serve_due(const tl__sync *sync)
{
	uint64_t nonces = tl__serve_nonces_due(sync), access = tl__serve_access_due(sync);
	uint64_t watches = tl__serve_watches_due(sync);
	uint64_t least = nonces < access ? nonces : access;

	if (watches < least)
		least = watches;
	if (sync->serve->next_served < least)
		least = sync->serve->next_served;
	return sync->clients.next_look < least ? sync->clients.next_look : least;
}

/* --- object ----------------------------------------------------------------------------------- */

int tl__serve_new(tl__sync *sync)
{
	sync->serve = tl__alloc_zero(1, sizeof *sync->serve);
	if (!sync->serve)
		return TL_E_NOMEM;
	tl__map_init(&sync->serve->incoming);
	tl__map_init(&sync->serve->askers);
	tl__map_init(&sync->serve->senders);
	tl__map_init(&sync->serve->buckets);
	tl__map_init(&sync->serve->access);
	tl__map_init(&sync->serve->offers);
	tl__serve_shares_fill(sync);
	tl__map_init(&sync->serve->watchers);
	tl__map_init(&sync->serve->served);
	sync->serve->next_served = UINT64_MAX;
	return TL_OK;
}

void tl__serve_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *in;

	if (!sync->serve)
		return;
	tl__serve_watches_free(sync);
	tl__served_free(sync);
	while (tl__map_next(&sync->serve->incoming, &at, &key, &in))
		free_incoming(in);
	tl__map_free(&sync->serve->incoming);
	tl__serve_askers_free(sync);
	tl__serve_nonces_free(sync);
	tl__serve_buckets_free(sync);
	tl__serve_access_free(sync);
	tl__shares_free(sync);
	tl__free(sync->serve);
	sync->serve = NULL;
}

const tl__sync_inbound tl__inbound_half = {
	.rights_changed = tl__serve_end_watches,
	.peer_left = tl__serve_peer_left,
	.moved = tl__serve_moved,
	.came = tl__serve_came,
	.watches_of = tl__serve_watches_of,
};
