#include "sync/in/receipt.h"

#include <stdio.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

#define STATUS_OK 200

void tl__receipt_init(tl__receipt *receipt, const tl__sync_action *send, tl__tree *tree)
{
	*receipt = (tl__receipt){.exchange = send->send.exchange,
		.intake_way = send->send.intake,
		.limit = send->send.limit,
		.db = send->send.db,
		.tree = tree};
}

void tl__receipt_free(tl__receipt *receipt)
{
	tl__free(receipt->channel);
	tl__buf_free(&receipt->body);
	tl__intake_free(receipt->intake);
	receipt->channel = NULL;
	receipt->intake = NULL;
}

/* Remembers the first failure with its sentence. */
static int note(tl__receipt *receipt, int code)
{
	if (code != TL_OK && receipt->code == TL_OK) {
		receipt->code = code;
		tl__text_copy(receipt->error, sizeof receipt->error,
			tl__str_z(tl_error_message(tl_last_error())));
	}
	return code;
}

int tl__receipt_head(tl__receipt *receipt, int status, tl_str channel)
{
	int rc = TL_OK;

	receipt->status = status;
	tl__free(receipt->channel);
	receipt->channel = tl__copy_bytes(channel.ptr, channel.len);
	if (!receipt->channel)
		rc = TL_E_NOMEM;
	else if (receipt->intake_way && status == STATUS_OK && !receipt->intake)
		rc = receipt->intake_way->open(
			&receipt->intake, receipt->tree, &receipt->db, receipt->limit);
	return note(receipt, rc);
}

int tl__receipt_piece(tl__receipt *receipt, const void *bytes, size_t len)
{
	int rc;

	if (receipt->code != TL_OK)
		return TL_OK;
	if (receipt->intake) {
		rc = receipt->intake->way->feed(receipt->intake, bytes, len);
	} else if (receipt->intake_way) {
		rc = TL_OK; /* the body of a refusal says nothing the status does not */
	} else if (len > receipt->limit - receipt->body.len) {
		rc = tl__fail(TL_E_TOO_LARGE, "the answer is larger than such an answer may be");
	} else {
		tl__buf_append(&receipt->body, bytes, len);
		rc = tl__buf_status(&receipt->body);
	}
	return note(receipt, rc);
}

void tl__receipt_end(tl__receipt *receipt, int code, tl__sync_event *event)
{
	tl__sync_answered *answered = &event->answered;

	if (code == TL_OK && receipt->code == TL_OK && receipt->intake)
		code = receipt->intake->way->finish(receipt->intake);
	(void)note(receipt, code);
	*event = (tl__sync_event){.kind = TL__SYNC_ANSWERED};
	answered->exchange = receipt->exchange;
	answered->code = receipt->code;
	answered->error = tl__str_z(receipt->error);
	answered->status = receipt->status;
	answered->channel = tl__str_z(receipt->channel ? receipt->channel : "");
	answered->body = TL__STR("");
	answered->received = receipt->body.len;
	if (receipt->code != TL_OK)
		return;
	answered->body = tl__buf_view(&receipt->body);
	answered->intake = receipt->intake;
	receipt->intake = NULL;
}
