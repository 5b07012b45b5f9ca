/* Requests of others: from a transport to the core, and its answers back, whole or as a stream in
 * short pieces. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/run/engine_impl.h"

#define STATUS_NOT_FOUND   404
#define STATUS_METHOD      405
#define STATUS_UNAVAILABLE 503

typedef enum phase {
	PHASE_READING,  /* the body is coming in */
	PHASE_ASKED,    /* the core has it and will answer */
	PHASE_STREAM,   /* the core answers piece by piece */
	PHASE_ANSWERED, /* nothing more from the core */
	PHASE_REFUSED   /* answered by ourselves */
} phase;

struct tl__inbound {
	tl__inbound *next, **link; /* in the engine's list until gone */
	tl__engine *engine;
	tl__carrier *carrier;
	tl_incoming *handle; /* NULL when gone */
	uint64_t number;
	phase phase;
	char *path, *content_type, *remote, *channel;
	tl__buf body;           /* the request's; then the whole answer or the piece being sent */
	size_t at;              /* of it sent */
	bool ended, ended_well; /* no more pieces will come */
	bool starving;          /* the transport waits for answer_ready */
	bool draining;          /* the task is on its way */
	tl__task drained;
	unsigned refs; /* transport until gone, answer's body until dropped, task until run */
};

static void unref(tl__inbound *in)
{
	if (--in->refs > 0)
		return;
	tl__buf_free(&in->body);
	tl__free(in->path);
	tl__free(in->content_type);
	tl__free(in->remote);
	tl__free(in->channel);
	tl__free(in);
}

static void forget_request(tl__inbound *in)
{
	in->engine->inbound_bytes -= in->body.len;
	tl__buf_free(&in->body);
}

static tl_str number_key(const uint64_t *number)
{
	return (tl_str){(const char *)number, sizeof *number};
}

static tl__inbound *find(tl__engine *engine, uint64_t number)
{
	return tl__map_get(&engine->inbound_by_number, number_key(&number));
}

/* --- the request ------------------------------------------------------------------------------ */

static ptrdiff_t read_nothing(void *ud, void *out, size_t cap)
{
	(void)ud;
	(void)out;
	(void)cap;
	return TL_BODY_END;
}

static void refuse(tl__inbound *in, int status)
{
	const tl_body empty = {read_nothing, NULL, NULL, 0};

	if (in->phase == PHASE_READING)
		forget_request(in);
	in->phase = PHASE_REFUSED;
	tl__log_write(&in->engine->node->log, TL_LOG_DEBUG, "exchange",
		"request %llu is refused with status %d", (unsigned long long)in->number, status);
	in->carrier->transport->answer(in->handle, status, NULL, &empty);
}

static int copy_head(tl__inbound *in, const tl_incoming_head *head)
{
	const char *channel = head->channel ? head->channel : "none";

	in->path = tl__copy_bytes(head->path, strlen(head->path));
	in->remote = tl__copy_bytes(head->remote, strlen(head->remote));
	in->channel = tl__copy_bytes(channel, strlen(channel));
	if (head->content_type.ptr)
		in->content_type = tl__copy_bytes(head->content_type.ptr, head->content_type.len);
	return in->path && in->remote && in->channel &&
			       (in->content_type || !head->content_type.ptr)
		       ? TL_OK
		       : TL_E_NOMEM;
}

/* Status that the head alone earns; 0: go on. */
static int judge_head(const tl__inbound *in, const tl_incoming_head *head, uint64_t max)
{
	if (in->engine->closing || !in->path)
		return STATUS_UNAVAILABLE;
	if (max == 0)
		return STATUS_NOT_FOUND;
	if (strcmp(head->method, "POST") != 0)
		return STATUS_METHOD;
	return 0;
}

static void on_drained(tl__task *task);

static void on_begin(void *ud, tl_incoming *handle, const tl_incoming_head *head, void **request_ud,
	uint64_t *max_body)
{
	const tl__server *server = ud;
	tl__engine *e = server->engine;
	tl__inbound *in = tl__alloc_zero(1, sizeof *in);
	const tl_body empty = {read_nothing, NULL, NULL, 0};
	int status, rc;

	*request_ud = in;
	*max_body = 0;
	if (!in) {
		server->carrier->transport->answer(handle, STATUS_UNAVAILABLE, NULL, &empty);
		return;
	}
	in->engine = e;
	in->carrier = server->carrier;
	in->handle = handle;
	in->number = ++e->numbers;
	in->refs = 1;
	in->drained.call = on_drained;
	in->next = e->inbound;
	in->link = &e->inbound;
	if (in->next)
		in->next->link = &in->next;
	e->inbound = in;
	rc = tl__map_set(&e->inbound_by_number, number_key(&in->number), in);
	*max_body = tl__sync_max_request(tl__str_z(head->path));
	if (rc == TL_OK)
		rc = copy_head(in, head);
	status = rc == TL_OK ? judge_head(in, head, *max_body) : STATUS_UNAVAILABLE;
	if (status != 0)
		refuse(in, status);
}

static bool on_piece(void *ud, tl_incoming *handle, const void *bytes, size_t len)
{
	tl__inbound *in = ud;

	(void)handle;
	if (!in || in->phase != PHASE_READING)
		return true;
	if (in->engine->inbound_bytes + len > TL__ENGINE_MAX_INCOMING_BYTES) {
		refuse(in, STATUS_UNAVAILABLE);
		return true;
	}
	tl__buf_append(&in->body, bytes, len);
	if (tl__buf_status(&in->body) != TL_OK) {
		refuse(in, STATUS_UNAVAILABLE);
		return true;
	}
	in->engine->inbound_bytes += len;
	return true;
}

static void on_end(void *ud, tl_incoming *handle)
{
	tl__inbound *in = ud;
	tl__sync_event event = {.kind = TL__SYNC_REQUEST};
	tl__buf body;

	(void)handle;
	if (!in || in->phase != PHASE_READING)
		return;
	in->phase = PHASE_ASKED;
	body = in->body;
	in->body = TL__BUF_INIT;
	event.request = (tl__sync_request){
		.incoming = in->number,
		.path = tl__str_z(in->path),
		.content_type = tl__str_z(in->content_type),
		.remote = tl__str_z(in->remote),
		.channel = tl__str_z(in->channel),
		.transport = tl__str_z(in->carrier->transport->type),
		.body = tl__buf_view(&body),
	};
	tl__log_write(&in->engine->node->log, TL_LOG_DEBUG, "exchange",
		"%s asks us for %s, %zu bytes (request %llu)", in->remote, in->path, body.len,
		(unsigned long long)in->number);
	in->refs++; /* it may be gone before the core returns */
	tl__engine_tell(in->engine, &event);
	in->engine->inbound_bytes -= body.len;
	tl__buf_free(&body);
	unref(in);
}

static void on_gone(void *ud)
{
	tl__inbound *in = ud;
	tl__engine *e;
	tl__sync_event event = {.kind = TL__SYNC_GONE};

	if (!in)
		return;
	e = in->engine;
	*in->link = in->next;
	if (in->next)
		in->next->link = in->link;
	(void)tl__map_remove(&e->inbound_by_number, number_key(&in->number));
	in->handle = NULL;
	if (in->phase == PHASE_READING)
		forget_request(in);
	if (in->phase == PHASE_ASKED || in->phase == PHASE_STREAM) {
		in->phase = PHASE_ANSWERED;
		event.incoming = in->number;
		tl__engine_tell(e, &event);
	}
	unref(in);
	tl__engine_maybe_end(e);
}

static void on_moved(void *ud)
{
	const tl__server *server = ud;

	tl__servers_tell(server->engine);
}

const tl_server_calls tl__serving_calls = {
	sizeof(tl_server_calls), on_begin, on_piece, on_end, on_gone, on_moved};

/* --- the answer ------------------------------------------------------------------------------- */

static void on_drained(tl__task *task)
{
	tl__inbound *in = (tl__inbound *)((char *)task - offsetof(tl__inbound, drained));
	tl__sync_event event = {.kind = TL__SYNC_DRAINED};

	in->draining = false;
	if (in->phase == PHASE_STREAM && in->handle) {
		event.incoming = in->number;
		tl__engine_tell(in->engine, &event);
	}
	unref(in);
}

/* The piece is used up. The core is told from the loop, not from within the transport. */
static void ask_for_more(tl__inbound *in)
{
	if (in->draining || in->phase != PHASE_STREAM)
		return;
	in->draining = true;
	in->refs++;
	if (!tl__inbox_put(in->engine->inbox, &in->drained))
		on_drained(&in->drained);
}

static ptrdiff_t read_answer(void *ud, void *out, size_t cap)
{
	tl__inbound *in = ud;
	size_t left = in->body.len - in->at;
	size_t now = left < cap ? left : cap;

	if (now == 0 && in->ended)
		return in->ended_well ? TL_BODY_END : TL_BODY_ABORT;
	if (now == 0) {
		in->starving = true;
		return TL_BODY_WAIT;
	}
	memcpy(out, in->body.ptr + in->at, now);
	in->at += now;
	if (in->at == in->body.len && !in->ended)
		ask_for_more(in);
	return (ptrdiff_t)now;
}

static void drop_answer(void *ud)
{
	unref(ud);
}

static void go_on(tl__inbound *in)
{
	if (!in->starving || !in->handle)
		return;
	in->starving = false;
	in->carrier->transport->answer_ready(in->handle);
}

/* A transport may be older than this call. */
static void keep(const tl__inbound *in)
{
	const tl_transport *transport = in->carrier->transport;

	if (transport->size >= TL__SIZED_UP_TO(tl_transport, keep) && transport->keep)
		transport->keep(in->handle);
}

static void begin_answer(tl__inbound *in, const tl__sync_action *action, int64_t length)
{
	const tl_body body = {read_answer, drop_answer, in, length};
	const tl_transport *transport = in->carrier->transport;

	tl__log_write(&in->engine->node->log, TL_LOG_DEBUG, "exchange",
		"request %llu is answered with status %d", (unsigned long long)in->number,
		action->answer.status);
	in->refs++;
	if (action->answer.close && transport->close_after)
		transport->close_after(in->handle);
	if (action->answer.known)
		keep(in);
	transport->answer(in->handle, action->answer.status, action->answer.content_type, &body);
}

static void set_piece(tl__inbound *in, tl__sync_action *action)
{
	tl__buf_free(&in->body);
	in->body = action->answer.body;
	action->answer.body = TL__BUF_INIT;
	in->at = 0;
}

static void answer_whole(tl__inbound *in, tl__sync_action *action)
{
	if (in->phase != PHASE_ASKED)
		return;
	in->phase = PHASE_ANSWERED;
	set_piece(in, action);
	in->ended = in->ended_well = true;
	begin_answer(in, action, (int64_t)in->body.len);
}

static void answer_end(tl__inbound *in, bool ok)
{
	if (in->phase != PHASE_STREAM)
		return;
	in->phase = PHASE_ANSWERED;
	in->ended = true;
	in->ended_well = ok;
	go_on(in);
}

/* A transport may be older than this call. */
static void hold(const tl__inbound *in, const tl__sync_action *action)
{
	const tl_transport *transport = in->carrier->transport;

	if (in->phase != PHASE_ASKED)
		return;
	if (action->answer.known)
		keep(in);
	if (transport->size >= TL__SIZED_UP_TO(tl_transport, hold) && transport->hold)
		transport->hold(in->handle, action->answer.hold_ms);
}

void tl__serving_answer(tl__engine *engine, tl__sync_action *action)
{
	tl__inbound *in = find(engine, action->answer.incoming);

	if (!in)
		return; /* gone meanwhile; the core is told so */
	switch (action->kind) {
	case TL__SYNC_HOLD: hold(in, action); return;
	case TL__SYNC_ANSWER: answer_whole(in, action); return;
	case TL__SYNC_ANSWER_BEGIN:
		if (in->phase != PHASE_ASKED)
			return;
		in->phase = PHASE_STREAM;
		begin_answer(in, action, -1);
		return;
	case TL__SYNC_ANSWER_PIECE:
		if (in->phase != PHASE_STREAM)
			return;
		set_piece(in, action);
		if (in->body.len == 0)
			ask_for_more(in);
		go_on(in);
		return;
	default: answer_end(in, action->answer.ok); return;
	}
}
