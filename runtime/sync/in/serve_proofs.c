/* The proofs of a v1 request, and the hash of its body: looked at only where the key could matter,
 * and apart from the loop's thread, but for the one or two of a peer, which handing over would take
 * longer than looking at. A key that shows no good proof counts as one that was not shown:
 * nobody learns from the answer which keys a database names. */
#include <string.h>
#include "sync/in/serve.h"

/* What is left to look at; lives in the request's arena. */
struct tl__shown {
	tl__v1_frame frame;
	tl_key keys[TL__V1_MAX_KEYS];
	size_t proofs[TL__V1_MAX_KEYS]; /* which of the frame */
	bool matters[TL__V1_MAX_KEYS];
	size_t count;
	bool hashed; /* the body was looked at */
	uint8_t sha256[32];
};

static bool is_stranger(const tl__sync *sync, const tl__incoming *in)
{
	const tl__peer *peer = tl__sync_find_peer(sync, &in->from);

	return !peer || peer->status == TL__PEER_BLOCKED;
}

/* The bytes of the frame are the driver's only for now. */
static bool copy_frame(tl__incoming *in, const tl__v1_frame *frame, tl__v1_frame *out)
{
	const tl_str signatures = {
		(const char *)frame->signatures, frame->signature_count * TL_SIGNATURE_BYTES};

	*out = *frame;
	out->header = tl__arena_str(&in->arena, frame->header);
	out->signatures = (const uint8_t *)tl__arena_str(&in->arena, signatures).ptr;
	return out->header.ptr && out->signatures;
}

/* Whether it matters whatever the settings of a database say. */
static bool matters_to_us(tl__sync *sync, const tl__incoming *in, const tl_key *key)
{
	const tl__peer *peer = tl__sync_find_peer(sync, key);

	if ((peer && peer->status != TL__PEER_BLOCKED) || tl__sync_has_policy(sync))
		return true;
	for (size_t i = 0; i < sync->accepted_count; i++)
		if (tl__key_equal(&sync->accepted[i], key))
			return true;
	return in->method == TL__V1_ACCESS &&
	       (tl__key_equal(&in->access.key, key) || tl__share_find(sync, key));
}

/* --- verified --------------------------------------------------------------------------------- */

static void verified(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_well(sync, work);
	const tl__work_verify *verify = &work->verify;

	if (!in)
		return;
	if (verify->body.ptr && !verify->body_good) {
		tl__serve_bad_request(sync, in);
	} else {
		for (size_t i = 0; i < verify->count; i++)
			if (verify->good[i])
				in->proven[in->proven_count++] = verify->keys[i];
		tl__serve_proven(sync, in);
	}
	tl__work_free(work);
}

/* What strangers let us verify is bounded in all. */
static bool may_verify(tl__sync *sync, const tl__incoming *in, size_t count, size_t bytes)
{
	size_t costs = count + bytes / TL__SERVE_PROOF_BYTES;

	while (costs > 0 && is_stranger(sync, in)) {
		if (!tl__serve_take_share(sync, TL__SHARE_PROOFS))
			return false;
		costs--;
	}
	return true;
}

static void verify(tl__sync *sync, tl__incoming *in)
{
	struct tl__shown *shown = in->shown;
	size_t kept = 0;
	tl__work *work;

	for (size_t i = 0; i < shown->count; i++) {
		if (!shown->matters[i])
			continue;
		shown->keys[kept] = shown->keys[i];
		shown->proofs[kept++] = i;
	}
	if (kept == 0 && shown->hashed) {
		tl__serve_proven(sync, in);
		return;
	}
	if (!may_verify(sync, in, kept, shown->hashed ? 0 : in->body.len)) {
		tl__serve_v1_refuse(sync, in, TL__V1_BUSY, "");
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_VERIFY, verified);
	if (!work)
		return;
	work->verify = (tl__work_verify){.frame = shown->frame,
		.proofs = shown->proofs,
		.keys = shown->keys,
		.count = kept,
		.body = shown->hashed ? TL__STR_NULL : in->body};
	memcpy(work->verify.sha256, shown->sha256, sizeof shown->sha256);
	if (shown->hashed && kept <= TL__SERVE_PROOFS_AT_ONCE && !is_stranger(sync, in)) {
		work->code = tl__work_verify_run(work);
		verified(sync, work);
	} else {
		tl__sync_give_work(sync, work);
	}
}

/* --- which matter ----------------------------------------------------------------------------- */

static void matter_known(void *core, tl__work *work)
{
	tl__incoming *in = tl__serve_well(core, work);

	if (!in)
		return;
	for (size_t i = 0; i < in->shown->count; i++)
		in->shown->matters[i] |= work->matters.named[i];
	verify(core, in);
	tl__work_free(work);
}

/* A hello shows no databases: none of its keys matters there. */
static void ask_settings(tl__sync *sync, tl__incoming *in)
{
	struct tl__shown *shown = in->shown;
	bool open = false;
	tl__work *work;

	for (size_t i = 0; i < shown->count; i++) {
		shown->matters[i] = matters_to_us(sync, in, &shown->keys[i]);
		open |= !shown->matters[i];
	}
	if (!open || in->method == TL__V1_HELLO) {
		verify(sync, in);
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_MATTERS, matter_known);
	if (!work)
		return;
	work->matters = (tl__work_matters){
		.keys = shown->keys, .count = shown->count, .anywhere = !in->has_db};
	tl__sync_give_work(sync, work);
}

/* --- begin ------------------------------------------------------------------------------------ */

static tl__v1_status look_at_body(
	const tl__incoming *in, struct tl__shown *shown, const tl__v1_request *request)
{
	uint8_t sha256[32];

	if (in->body.len != request->body_len)
		return TL__V1_BAD_REQUEST;
	memcpy(shown->sha256, request->body_sha256, sizeof shown->sha256);
	shown->hashed = in->body.len <= TL__SERVE_HASHED_BYTES;
	if (!shown->hashed)
		return TL__V1_OK;
	tl_sha256(in->body.ptr, in->body.len, sha256);
	return memcmp(sha256, shown->sha256, sizeof sha256) == 0 ? TL__V1_OK : TL__V1_BAD_REQUEST;
}

void tl__serve_shown(tl__sync *sync, tl__incoming *in, const tl__v1_frame *frame,
	const tl__v1_request *request, tl_str body)
{
	struct tl__shown *shown = tl__arena_alloc(&in->arena, 1, sizeof *shown);
	tl__v1_status status = TL__V1_INTERNAL;

	in->shown = shown;
	in->body = tl__arena_str(&in->arena, body);
	in->args = tl__arena_str(&in->arena, request->args);
	if (shown && in->body.ptr && in->args.ptr && copy_frame(in, frame, &shown->frame))
		status = look_at_body(in, shown, request);
	/* Its own reader says what is wrong with it. */
	if (status == TL__V1_OK && in->method == TL__V1_ACCESS &&
		tl__v1_read_access(&in->access, in->args, &in->arena) != TL_OK)
		status = TL__V1_BAD_REQUEST;
	if (status != TL__V1_OK) {
		tl__serve_v1_refuse(sync, in, status, "");
		return;
	}
	shown->count = request->key_count;
	memcpy(shown->keys, request->keys, request->key_count * sizeof *shown->keys);
	if (shown->count == 0 && shown->hashed)
		tl__serve_proven(sync, in);
	else if (tl__serve_admit(sync, in))
		ask_settings(sync, in);
}
