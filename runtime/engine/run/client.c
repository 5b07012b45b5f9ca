/* Requests of ours: SEND of the core over a transport, and what comes back. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/run/engine_impl.h"
#include "sync/in/receipt.h"

struct tl__outgoing {
	tl__outgoing *next, **link;
	tl__engine *engine;
	tl__carrier *carrier;
	tl_exchange *handle;
	tl__buf request;
	size_t sent;
	tl__receipt receipt;
	bool sending; /* the transport still holds the request's body */
	bool over;
};

static void outgoing_free(tl__outgoing *out)
{
	tl__buf_free(&out->request);
	tl__receipt_free(&out->receipt);
	tl__free(out);
}

static void unlink_outgoing(tl__outgoing *out)
{
	*out->link = out->next;
	if (out->next)
		out->next->link = out->link;
}

/* --- request body ----------------------------------------------------------------------------- */

static ptrdiff_t read_request(void *ud, void *to, size_t cap)
{
	tl__outgoing *out = ud;
	size_t left = out->request.len - out->sent;
	size_t now = left < cap ? left : cap;

	if (now == 0)
		return TL_BODY_END;
	memcpy(to, out->request.ptr + out->sent, now);
	out->sent += now;
	return (ptrdiff_t)now;
}

static void rewind_request(void *ud)
{
	tl__outgoing *out = ud;

	out->sent = 0;
}

static void drop_request(void *ud)
{
	tl__outgoing *out = ud;

	out->sending = false;
	tl__buf_free(&out->request);
	if (out->over)
		outgoing_free(out);
}

/* --- response --------------------------------------------------------------------------------- */

static void on_head(void *ud, const tl_response_head *head)
{
	tl__outgoing *out = ud;
	int rc = tl__sized_check(head, tl_response_head, channel);

	if (rc == TL_OK)
		rc = tl__receipt_head(&out->receipt, head->status, head->channel);
	if (rc != TL_OK)
		out->carrier->transport->cancel(out->handle);
}

static bool on_piece(void *ud, const void *bytes, size_t len)
{
	tl__outgoing *out = ud;

	if (tl__receipt_piece(&out->receipt, bytes, len) != TL_OK)
		out->carrier->transport->cancel(out->handle);
	return true;
}

static void log_end(const tl__engine *e, const tl__sync_answered *answered)
{
	unsigned long long number = answered->exchange;

	if (answered->code != TL_OK)
		tl__log_write(&e->node->log, TL_LOG_DEBUG, "exchange", "%llu failed: %.*s", number,
			TL__STR_ARG(answered->error));
	else
		tl__log_write(&e->node->log, TL_LOG_DEBUG, "exchange",
			"%llu is answered with status %d", number, answered->status);
}

static void on_done(void *ud, int code)
{
	tl__outgoing *out = ud;
	tl__engine *e = out->engine;
	tl__sync_event event;

	tl__receipt_end(&out->receipt, code, &event);
	event.answered.sent = out->sent;
	log_end(e, &event.answered);
	unlink_outgoing(out);
	tl__engine_tell(e, &event);
	out->over = true;
	if (!out->sending)
		outgoing_free(out);
	tl__engine_maybe_end(e);
}

/* --- actions ---------------------------------------------------------------------------------- */

static void note_failed(tl__failed *failed, uint64_t exchange, int code)
{
	failed->exchange = exchange;
	failed->code = code;
	tl__text_copy(
		failed->error, sizeof failed->error, tl__str_z(tl_error_message(tl_last_error())));
}

static int begin(tl__outgoing *out, const tl__sync_action *action)
{
	const tl_response_sink sink = {sizeof sink, on_head, on_piece, on_done, out};
	tl_transport *transport = out->carrier->transport;
	size_t bytes = out->request.len;
	tl_request request = {
		.size = sizeof request,
		.address = action->send.address.text,
		.path = action->send.path,
		.content_type = action->send.content_type,
		.body = {read_request, drop_request, out, (int64_t)out->request.len},
		.max_response = out->receipt.limit,
		.dial_ms = out->carrier->dial_ms,
		.idle_ms = out->carrier->idle_ms,
		.min_bytes_per_s = out->carrier->min_bytes_per_s,
		.rewind = rewind_request,
		.hold_ms = action->send.hold_ms,
	};
	int rc;

	out->sending = true;
	rc = transport->send(transport, &request, &sink, &out->handle);
	if (rc != TL_OK)
		return rc;
	out->next = out->engine->outgoing;
	out->link = &out->engine->outgoing;
	if (out->next)
		out->next->link = &out->next;
	out->engine->outgoing = out;
	tl__log_write(&out->engine->node->log, TL_LOG_DEBUG, "exchange",
		"%llu asks %s:%s for %s, %zu bytes", (unsigned long long)out->receipt.exchange,
		action->send.address.type, action->send.address.text, action->send.path, bytes);
	return TL_OK;
}

void tl__client_send(tl__engine *engine, tl__sync_action *action)
{
	tl__carrier *carrier = tl__engine_carrier(engine, tl__str_z(action->send.address.type));
	tl__outgoing *out = tl__alloc_zero(1, sizeof *out);
	int rc = TL_E_NOMEM;

	if (out) {
		out->engine = engine;
		out->carrier = carrier;
		out->request = action->send.body;
		action->send.body = TL__BUF_INIT;
		tl__receipt_init(&out->receipt, action, &engine->node->tree);
		rc = carrier ? begin(out, action)
			     : tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
				       "no transport for addresses of type \"%s\" is enabled",
				       action->send.address.type);
	}
	if (rc != TL_OK) {
		note_failed(&engine->failed, action->send.exchange, rc);
		if (out)
			outgoing_free(out);
	}
}

void tl__client_cancel(tl__engine *engine, uint64_t exchange)
{
	for (tl__outgoing *out = engine->outgoing; out; out = out->next)
		if (out->receipt.exchange == exchange) {
			out->carrier->transport->cancel(out->handle);
			return;
		}
}

void tl__client_cancel_all(tl__engine *engine)
{
	for (tl__outgoing *out = engine->outgoing, *next; out; out = next) {
		next = out->next;
		out->carrier->transport->cancel(out->handle);
	}
}
