/* The courier's calls: copied, sent on the loop's thread, and what came of them. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "courier/courier_impl.h"

struct tlua_call {
	tlua_job start, cancel;
	tlua_ring link; /* in courier.calls */
	tlua_courier *courier;
	tl_request request; /* its texts are ours */
	char *address, *path, *type;
	tlua_bytes sent;
	size_t sent_at;
	tl_exchange *exchange; /* the loop's thread */
	bool cancelled;        /* the loop's thread */
	int status;
	char *got_type, *channel;
	tlua_bytes got;
	bool whole; /* memory sufficed for what came */
	int code;
	char *message;
	bool done;     /* under the courier's lock; what came is fixed from then on */
	unsigned refs; /* under the courier's lock */
};

static void release(tlua_call *call)
{
	tlua_courier *courier = call->courier;
	bool last;

	pthread_mutex_lock(&courier->lock);
	last = --call->refs == 0;
	pthread_mutex_unlock(&courier->lock);
	if (!last)
		return;
	free(call->address);
	free(call->path);
	free(call->type);
	free(call->sent.ptr);
	free(call->got_type);
	free(call->channel);
	free(call->got.ptr);
	free(call->message);
	free(call);
	tlua__courier_release(courier);
}

/* --- the loop's thread ------------------------------------------------------------------------ */

/* The loop's reference goes with it. */
static void finish(tlua_call *call, int code)
{
	tlua_courier *courier = call->courier;
	bool closing;

	if (code == TL_OK && !call->whole)
		code = tl_error_set(TL_E_NOMEM, "not enough memory for the answer");
	call->code = code;
	if (code != TL_OK)
		call->message = strdup(tl_error_message(tl_last_error()));
	call->exchange = NULL;
	tlua__ring_leave(&call->link);
	pthread_mutex_lock(&courier->lock);
	call->done = true;
	closing = courier->closing;
	pthread_mutex_unlock(&courier->lock);
	tlua__courier_tell(courier);
	if (closing)
		tlua__courier_wake(courier);
	release(call);
}

static ptrdiff_t read_body(void *ud, void *out, size_t cap)
{
	tlua_call *call = ud;
	size_t len = call->sent.len - call->sent_at;

	len = len < cap ? len : cap;
	if (len > 0)
		memcpy(out, call->sent.ptr + call->sent_at, len);
	call->sent_at += len;
	return (ptrdiff_t)len;
}

static void rewind_body(void *ud)
{
	tlua_call *call = ud;

	call->sent_at = 0;
}

static char *copy_str(tlua_call *call, tl_str text)
{
	char *copy = text.ptr ? strndup(text.ptr, text.len) : NULL;

	call->whole = call->whole && (copy || !text.ptr);
	return copy;
}

static void on_head(void *ud, const tl_response_head *head)
{
	tlua_call *call = ud;

	free(call->got_type);
	free(call->channel);
	call->status = head->status;
	call->got_type = copy_str(call, head->content_type);
	call->channel = copy_str(call, head->channel);
}

/* Once memory ran out the rest is passed over: max_response bounds it. */
static bool on_piece(void *ud, const void *bytes, size_t len)
{
	tlua_call *call = ud;

	call->whole = call->whole && tlua__bytes_append(&call->got, bytes, len);
	return true;
}

static void on_done(void *ud, int code)
{
	finish(ud, code);
}

static void run_start(tlua_job *job)
{
	tlua_call *call = (tlua_call *)((char *)job - offsetof(tlua_call, start));
	tl_transport *transport = call->courier->transport;
	const tl_response_sink sink = {sizeof sink, on_head, on_piece, on_done, call};
	int rc;

	tlua__ring_enter(&call->courier->calls, &call->link);
	call->request.body = (tl_body){read_body, NULL, call, (int64_t)call->sent.len};
	call->request.rewind = rewind_body;
	rc = transport->send(transport, &call->request, &sink, &call->exchange);
	if (rc != TL_OK)
		finish(call, rc);
}

static void cancel(tlua_call *call)
{
	if (call->exchange && !call->cancelled)
		call->courier->transport->cancel(call->exchange);
	call->cancelled = true;
}

static void run_cancel(tlua_job *job)
{
	tlua_call *call = (tlua_call *)((char *)job - offsetof(tlua_call, cancel));

	cancel(call);
	release(call);
}

void tlua__calls_cancel(tlua_courier *courier)
{
	for (tlua_ring *at = courier->calls.next; at != &courier->calls; at = at->next)
		cancel((tlua_call *)((char *)at - offsetof(tlua_call, link)));
}

/* --- the Lua state's thread ------------------------------------------------------------------- */

static tlua_call *make(tlua_courier *courier, const tl_request *request, tl_str body)
{
	tlua_call *call = calloc(1, sizeof *call);
	bool ok = true;

	if (!call)
		return NULL;
	tlua__courier_retain(courier);
	call->courier = courier;
	call->refs = 1;
	call->link = (tlua_ring){&call->link, &call->link};
	call->whole = true;
	call->start.run = run_start;
	call->cancel.run = run_cancel;
	call->request = *request;
	call->request.address = call->address = tlua__copy(request->address, &ok);
	call->request.path = call->path = tlua__copy(request->path, &ok);
	call->request.content_type = call->type = tlua__copy(request->content_type, &ok);
	if (ok && tlua__bytes_append(&call->sent, body.ptr, body.len))
		return call;
	release(call);
	return NULL;
}

int tlua_call_start(tlua_courier *courier, const tl_request *request, tl_str body, tlua_call **out)
{
	tlua_call *call = make(courier, request, body);

	*out = call;
	if (!call)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a request");
	if (tlua__courier_hand(courier, &call->start, &call->refs))
		return TL_OK;
	release(call);
	*out = NULL;
	return tl_error_set(TL_E_CLOSED, "the transport is closed");
}

bool tlua_call_done(tlua_call *call, tlua_answer *answer)
{
	bool done;

	pthread_mutex_lock(&call->courier->lock);
	done = call->done;
	pthread_mutex_unlock(&call->courier->lock);
	if (!done)
		return false;
	*answer = (tlua_answer){call->code, call->message ? call->message : "not enough memory",
		call->status, call->got_type, call->channel ? call->channel : "none",
		{call->got.ptr ? call->got.ptr : "", call->got.len}};
	return true;
}

void tlua_call_free(tlua_call *call)
{
	tlua_answer answer;

	if (!call)
		return;
	if (!tlua_call_done(call, &answer))
		tlua__courier_hand(call->courier, &call->cancel, &call->refs);
	release(call);
}
