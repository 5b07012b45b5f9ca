#include "sync/core/state.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

/* Actions in line, and the texts of the one that was taken last. */
typedef struct queued {
	tl__sync_action action;
	char *error, *text; /* of COMPLETE */
	struct queued *next;
} queued;

/* Kept for when memory runs out: an action that is lost would leave whoever waits for it waiting
 * for ever. Filled up before each event, whose actions are fewer. */
#define SPARES 32

struct tl__sync_queue {
	queued *first, *last;
	queued *taken;
	queued *spares;
	size_t spare_count;
};

void tl__sync_queue_fill(tl__sync *sync)
{
	tl__sync_queue *queue = sync->queue;

	while (queue->spare_count < SPARES) {
		queued *item = tl__alloc_zero(1, sizeof *item);

		if (!item)
			return;
		item->next = queue->spares;
		queue->spares = item;
		queue->spare_count++;
	}
}

int tl__sync_queue_new(tl__sync *sync)
{
	sync->queue = tl__alloc_zero(1, sizeof *sync->queue);
	if (!sync->queue)
		return TL_E_NOMEM;
	tl__sync_queue_fill(sync);
	return sync->queue->spare_count == SPARES ? TL_OK : TL_E_NOMEM;
}

static queued *new_item(tl__sync *sync)
{
	queued *item = tl__alloc_zero(1, sizeof *item);

	if (item || !sync->queue->spares)
		return item;
	item = sync->queue->spares;
	sync->queue->spares = item->next;
	sync->queue->spare_count--;
	return item;
}

static void release(queued *item)
{
	if (!item)
		return;
	tl__free(item->error);
	tl__free(item->text);
	tl__free(item);
}

void tl__sync_queue_free(tl__sync *sync)
{
	if (!sync->queue)
		return;
	while (sync->queue->first) {
		queued *item = sync->queue->first;

		sync->queue->first = item->next;
		tl__sync_action_drop(&item->action);
		release(item);
	}
	while (sync->queue->spares) {
		queued *item = sync->queue->spares;

		sync->queue->spares = item->next;
		release(item);
	}
	release(sync->queue->taken);
	tl__free(sync->queue);
	sync->queue = NULL;
}

void tl__sync_action_drop(tl__sync_action *action)
{
	switch (action->kind) {
	case TL__SYNC_SEND: tl__buf_free(&action->send.body); break;
	case TL__SYNC_ANSWER:
	case TL__SYNC_ANSWER_BEGIN:
	case TL__SYNC_ANSWER_PIECE:
	case TL__SYNC_ANSWER_END: tl__buf_free(&action->answer.body); break;
	case TL__SYNC_WORK: tl__work_free(action->work); break;
	default: break;
	}
}

static void append(tl__sync *sync, queued *item)
{
	item->next = NULL;
	if (sync->queue->last)
		sync->queue->last->next = item;
	else
		sync->queue->first = item;
	sync->queue->last = item;
}

bool tl__sync_act(tl__sync *sync, tl__sync_action *action)
{
	queued *item = new_item(sync);

	if (!item) {
		tl__log_write(sync->log, TL_LOG_ERROR, "sync", "out of memory: an action is lost");
		tl__sync_action_drop(action);
		return false;
	}
	item->action = *action;
	append(sync, item);
	return true;
}

bool tl__sync_next(tl__sync *sync, tl__sync_action *out)
{
	queued *item = sync->queue->first;

	release(sync->queue->taken);
	sync->queue->taken = NULL;
	if (!item)
		return false;
	sync->queue->first = item->next;
	if (!item->next)
		sync->queue->last = NULL;
	*out = item->action;
	sync->queue->taken = item;
	return true;
}

uint64_t tl__sync_number(tl__sync *sync)
{
	return ++sync->numbers;
}

/* --- works ------------------------------------------------------------------------------------ */

tl__work *tl__sync_new_work(tl__sync *sync, tl__work_kind kind, const tl_id *db,
	void (*done)(void *sync, tl__work *work), uint64_t owner)
{
	tl__work *work;

	if (tl__work_new(&work, kind, db) != TL_OK) {
		tl__log_write(sync->log, TL_LOG_ERROR, "sync", "out of memory for store work");
		return NULL;
	}
	work->done = done;
	work->owner = owner;
	return work;
}

tl__party tl__sync_party(const tl__peer *peer)
{
	tl__party party = {TL__PARTY_PEER, {0}};

	memcpy(party.name, peer->key.b, sizeof party.name);
	return party;
}

void tl__sync_give_work(tl__sync *sync, tl__work *work)
{
	tl__sync_action action = {.kind = TL__SYNC_WORK};

	action.work = work;
	tl__sync_act(sync, &action);
}

/* --- events and completions ------------------------------------------------------------------- */

static void tell(
	tl__sync *sync, tl_event about, const tl_key *peer, const tl_id *db, const char *text)
{
	tl__sync_action action = {.kind = TL__SYNC_EVENT, .event = about};
	tl_event *event = &action.event;

	event->size = sizeof *event;
	event->time_ms = sync->wall;
	if (peer) {
		event->has_peer = true;
		event->peer = *peer;
	}
	if (db) {
		event->has_db = true;
		event->db = *db;
	}
	if (text)
		tl__text_copy(event->text, sizeof event->text, tl__str_z(text));
	tl__sync_act(sync, &action);
}

void tl__sync_tell(tl__sync *sync, tl_event_kind kind, const tl_key *peer, const tl_id *db,
	uint64_t number, const char *text)
{
	tell(sync, (tl_event){.kind = kind, .number = number}, peer, db, text);
}

void tl__sync_tell_failure(tl__sync *sync, tl_event_kind kind, const tl_key *peer, const tl_id *db,
	int code, const char *error)
{
	tell(sync, (tl_event){.kind = kind, .code = code}, peer, db, error);
}

void tl__sync_complete(tl__sync *sync, uint64_t op, int code, const char *error, const char *text)
{
	queued *item;

	if (op == 0)
		return;
	item = new_item(sync);
	if (!item) {
		tl__log_write(sync->log, TL_LOG_ERROR, "sync", "out of memory: a result is lost");
		return;
	}
	item->error = error ? tl__copy_bytes(error, strlen(error)) : NULL;
	item->text = text ? tl__copy_bytes(text, strlen(text)) : NULL;
	item->action.kind = TL__SYNC_COMPLETE;
	item->action.complete.op = op;
	item->action.complete.code = code;
	item->action.complete.error = item->error ? item->error : error ? "no memory" : "";
	item->action.complete.text = item->text ? item->text : "";
	if (code == TL_OK && text && !item->text) { /* not to be taken for an empty one */
		item->action.complete.code = TL_E_NOMEM;
		item->action.complete.error = "no memory for the result";
	}
	append(sync, item);
}

void tl__sync_complete_failed(tl__sync *sync, uint64_t op, int code)
{
	const tl_error *error = tl_last_error();
	char text[512];

	tl__text_copy(text, sizeof text,
		tl__str_z(error ? tl_error_message(error) : tl_error_name(code)));
	tl__sync_complete(sync, op, code, text, NULL);
}

int64_t tl__sync_time(const tl__sync *sync)
{
	int64_t most = TL__V1_MAX_TIME / 2; /* an offset has room beside it */

	return sync->wall < 0 ? 0 : sync->wall > most ? most : sync->wall;
}
