/* Others ask the core of the rig, whose works wait until a case runs them. */
#ifndef SPEC_ASKING_HELP_H
#define SPEC_ASKING_HELP_H

#include "sync/in/serve.h"
#include "sync_rig.h"

/* --- asking ----------------------------------------------------------------------------------- */

#define MAX_KEPT (TL__SYNC_MAX_INCOMING + 2)

static tl__work *kept[MAX_KEPT]; /* handed out and not run yet */
static size_t kept_count;
static tl__sync_action heard; /* the last answer */
static size_t heard_count, begun_count, ended_count;
static size_t pieces, piece_bytes, longest_piece;

/* Takes the core's actions; runs no work. */
static inline void take_actions(void)
{
	tl__sync_action action;

	while (tl__sync_next(r.core, &action)) {
		switch (action.kind) {
		case TL__SYNC_WORK:
			REQUIRE(kept_count < MAX_KEPT);
			kept[kept_count++] = action.work;
			break;
		case TL__SYNC_ANSWER:
			tl__sync_action_drop(&heard);
			heard = action;
			heard_count++;
			break;
		case TL__SYNC_ANSWER_PIECE:
			pieces++;
			piece_bytes += action.answer.body.len;
			if (action.answer.body.len > longest_piece)
				longest_piece = action.answer.body.len;
			tl__sync_action_drop(&action);
			break;
		case TL__SYNC_ANSWER_BEGIN: begun_count++; break;
		case TL__SYNC_ANSWER_END: ended_count += action.answer.ok; break;
		default: tl__sync_action_drop(&action);
		}
	}
}

static inline void tell(tl__sync_event *event)
{
	tl__sync_handle(r.core, event, r.now, r.wall);
	take_actions();
}

static inline void run_kept(size_t count)
{
	while (count-- > 0) {
		tl__sync_event event = {.kind = TL__SYNC_WORKED, .work = kept[0]};

		REQUIRE(kept_count > 0);
		kept_count--;
		for (size_t i = 0; i < kept_count; i++)
			kept[i] = kept[i + 1];
		tl__work_run(&w.host, event.work);
		tell(&event);
	}
}

/* The status of the answer that comes at once; 0: none does. */
static inline int ask(uint64_t number, const char *from, const char *path, tl_str body)
{
	tl__sync_event event = {.kind = TL__SYNC_REQUEST};
	size_t before = heard_count;

	event.request = (tl__sync_request){.incoming = number,
		.path = z(path),
		.content_type = z(TL__V0_CONTENT_TYPE),
		.remote = z(from),
		.channel = TL__STR("none"),
		.transport = TL__STR("http"),
		.body = body};
	tell(&event);
	return heard_count > before ? heard.answer.status : 0;
}

static inline void forget(void)
{
	tl__sync_action_drop(&heard);
	memset(&heard, 0, sizeof heard);
	while (kept_count > 0)
		tl__work_free(kept[--kept_count]);
	heard_count = begun_count = ended_count = pieces = piece_bytes = longest_piece = 0;
}

static inline void write_handshake(tl__buf *out)
{
	tl__buf_text(out,
		"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"display_name\":"
		"null,\"protocol_version\":0,\"challenge\":[");
	for (size_t i = 0; i < 32; i++)
		tl__buf_text(out, i > 0 ? ",7" : "7");
	tl__buf_text(out, "],\"listen_addresses\":[]}}");
}

/* A signed request of this party, with the proof of a key unless it is NULL. */
static inline void write_proving(tl__buf *out, const party *from, const tl_secret *prover,
	const char *method, const tl_id *db, tl_str args, tl_str body)
{
	tl__v1_request m = {.has_to = true,
		.to = r.core->key,
		.from = from->key,
		.method = z(method),
		.has_db = db != NULL,
		.time = r.wall,
		.has_epoch = true,
		.channel = TL__STR("none"),
		.args = args};

	if (db)
		m.db = *db;
	tl__v1_nonce_write(m.nonce, (const uint8_t *)"theirs..", ++r.next_op);
	memcpy(m.epoch, r.core->epoch, sizeof m.epoch);
	CHECK_OK(tl__v1_request_write(out, &m, &from->secret, &prover, prover ? 1 : 0, body, NULL));
}

static inline void write_signed(tl__buf *out, const party *from, const char *method,
	const tl_id *db, tl_str args, tl_str body)
{
	write_proving(out, from, NULL, method, db, args, body);
}

/* What the last answer, which is signed, says; TL__V1_STATUS_COUNT: it is none. */
static inline tl__v1_status heard_status(tl__v1_refusal *refusal)
{
	tl__v1_response response;
	tl__v1_frame frame;

	if (heard.answer.status != 200 ||
		tl__v1_frame_read(&frame, heard.answer.body.ptr, heard.answer.body.len) != TL_OK ||
		tl__v1_response_read(&response, frame.header) != TL_OK ||
		tl__v1_verify_response(&frame, &r.core->key) != TL_OK)
		return TL__V1_STATUS_COUNT;
	if (refusal && response.status != TL__V1_OK)
		CHECK_OK(tl__v1_read_refusal(refusal, response.args));
	return response.status;
}

#endif
