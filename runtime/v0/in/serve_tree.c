/* SyncTree of 0.2.0 peers: who may read, and the answer, piece by piece. A peer proves nothing, so
 * it reads what everybody may read, and nothing is recorded of it. */
#include <string.h>
#include "v0/in/in.h"

static void no_such_tree(tl__sync *sync, tl__incoming *in)
{
	tl__v0_answer_error(sync, in, "no such tree");
}

/* --- tree answers, piece by piece ------------------------------------------------------------- */

static void act_piece(tl__sync *sync, tl__incoming *in, tl__sync_action_kind kind, tl__buf *body)
{
	tl__sync_action action = {.kind = kind};

	action.answer.incoming = in->number;
	action.answer.status = 200;
	action.answer.content_type = TL__V0_CONTENT_TYPE;
	action.answer.ok = true;
	if (body)
		action.answer.body = *body;
	(void)tl__sync_act(sync, &action);
}

/* Failed midway: the connection ends, a well-formed end would be a lie. */
static void cut_off(tl__sync *sync, tl__incoming *in)
{
	tl__sync_action action = {.kind = TL__SYNC_ANSWER_END};

	action.answer.incoming = in->number;
	action.answer.close = true;
	(void)tl__sync_act(sync, &action);
	tl__serve_end(sync, in);
}

static void fail_stream(tl__sync *sync, tl__incoming *in, const tl__work *work)
{
	if (!tl__v0_in(in)->begun)
		tl__serve_internal(sync, in, work);
	else
		cut_off(sync, in);
}

static void write_begin(tl__incoming *in, const tl__v0_stream *stream, tl__buf *out)
{
	tl_str tree = tl__v0_in(in)->request.sync_tree.tree_id;
	tl_str *tips;
	char(*ids)[TL_ID_TEXT_LEN + 1];

	if (stream->bootstrap) {
		tl__v0_begin_bootstrap(out, tree, stream->root);
		return;
	}
	tips = tl__arena_alloc(&in->arena, stream->our_tip_count, sizeof *tips);
	ids = tl__arena_alloc(&in->arena, stream->our_tip_count, sizeof *ids);
	out->failed = out->failed || !tips || !ids;
	for (size_t i = 0; i < stream->our_tip_count && !out->failed; i++) {
		tl_id_format(&stream->our_tips[i], ids[i]);
		tips[i] = (tl_str){ids[i], TL_ID_TEXT_LEN};
	}
	tl__v0_begin_incremental(out, tree, tips, out->failed ? 0 : stream->our_tip_count);
}

static void write_end(tl__incoming *in, const tl__v0_stream *stream, tl__buf *out)
{
	if (stream->bootstrap)
		tl__v0_end_bootstrap(out, tl__v0_in(in)->approved,
			tl__v0_in(in)->approved ? &tl__v0_in(in)->granted : NULL);
	else
		tl__v0_end_incremental(out);
}

static void send_piece(tl__sync *sync, tl__incoming *in, tl__work *work)
{
	const tl__v0_stream *stream = work->other.own;
	tl__buf body = TL__BUF_INIT;
	bool last = !stream->more;

	if (!tl__v0_in(in)->begun)
		write_begin(in, stream, &body);
	for (size_t i = 0; i < stream->count; i++)
		tl__v0_stream_entry(&body, stream->lines[i], tl__v0_in(in)->told++ == 0);
	if (last)
		write_end(in, stream, &body);
	if (tl__buf_status(&body) != TL_OK) {
		tl__buf_free(&body);
		tl__work_free(work);
		fail_stream(sync, in, NULL);
		return;
	}
	if (!tl__v0_in(in)->begun)
		act_piece(sync, in, TL__SYNC_ANSWER_BEGIN, NULL);
	tl__v0_in(in)->begun = true;
	act_piece(sync, in, TL__SYNC_ANSWER_PIECE, &body);
	if (last) {
		act_piece(sync, in, TL__SYNC_ANSWER_END, NULL);
		tl__work_free(work);
		tl__serve_end(sync, in);
		return;
	}
	tl__v0_in(in)->stream = work; /* until the piece was taken */
}

static void streamed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	const tl__v0_stream *stream = work->other.own;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	if (work->code != TL_OK) {
		fail_stream(sync, in, work);
		tl__work_free(work);
	} else if (!stream->held) {
		no_such_tree(sync, in);
		tl__work_free(work);
	} else {
		send_piece(sync, in, work);
	}
}

void tl__v0_drained(tl__sync *sync, tl__incoming *in)
{
	tl__work *work = tl__v0_in(in) ? tl__v0_in(in)->stream : NULL;

	if (!work)
		return;
	tl__v0_in(in)->stream = NULL;
	in->works++;
	tl__sync_give_work(sync, work);
}

/* Ids that are none are passed over: 0.2.0 only looks whether it has met a listed one. */
static void begin_stream(tl__sync *sync, tl__incoming *in)
{
	const tl__v0_sync_tree *tree = &tl__v0_in(in)->request.sync_tree;
	tl__work *work =
		tl__v0_serve_work(sync, in, &tl__v0_stream_work, sizeof(tl__v0_stream), streamed);
	tl__v0_stream *stream;
	tl_id *stop;
	size_t count = 0;

	if (!work)
		return;
	stream = work->other.own;
	stop = tl__arena_alloc(&work->arena, tree->tip_count, sizeof *stop);
	if (!stop && tree->tip_count > 0) {
		tl__work_free(work);
		tl__serve_text(sync, in, 503, "");
		return;
	}
	for (size_t i = 0; i < tree->tip_count; i++)
		if (tl_id_parse(&stop[count], tree->our_tips[i]) == TL_OK)
			count++;
	stream->bootstrap = tree->tip_count == 0;
	stream->stop = stop;
	stream->stop_count = count;
	stream->max_bytes = TL__SERVE_PIECE_BYTES;
	tl__sync_give_work(sync, work);
}

/* --- SyncTree --------------------------------------------------------------------------------- */

static bool claims_key(const tl__v0_sync_tree *tree, tl_key *key)
{
	return tree->requesting_key.ptr && tl_key_parse(key, tree->requesting_key) == TL_OK;
}

/* What everybody holds, and the claimed key where claims count. */
static bool best_right(
	const tl__sync *sync, const tl__work_rights *rights, tl_permission *permission)
{
	const struct tl__work_right *right = rights->key_count ? &rights->keys[0] : NULL;
	bool any = rights->is_public;

	*permission = rights->public_permission;
	if (!sync->options.v0_claims || !right || !right->active)
		return any;
	if (!any || tl_permission_compare(right->permission, *permission) > 0)
		*permission = right->permission;
	return true;
}

/* Approved as 0.2.0 means it: whoever names a key and what to call it holds what is asked for. */
static void approve(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights)
{
	const tl__v0_sync_tree *tree = &tl__v0_in(in)->request.sync_tree;
	tl_permission best;

	if (!tree->requesting_key.ptr || !tree->requesting_key_name.ptr ||
		!best_right(sync, rights, &best))
		return;
	tl__v0_in(in)->granted = tree->has_permission ? tree->permission : best;
	tl__v0_in(in)->approved = tl_permission_compare(best, tl__v0_in(in)->granted) >= 0;
}

static void answer_saved(tl__sync *sync, uint64_t incoming, int code)
{
	tl__incoming *in = tl__serve_find(sync, incoming);
	tl__buf document = TL__BUF_INIT;

	if (!in || in->done)
		return;
	if (code != TL_OK) {
		tl__serve_internal(sync, in, NULL);
		return;
	}
	tl__v0_write_pending(&document, tl__str_z(in->request_id), TL__STR("waiting for approval"));
	tl__v0_answer(sync, in, &document);
}

static void keep_wish(tl__sync *sync, tl__incoming *in, const tl__access_wish *wish)
{
	int rc = tl__serve_keep_wish(sync, wish, in->request_id);

	if (rc == TL_E_BUSY)
		tl__v0_answer_error(sync, in,
			"too many access requests are waiting; ask again when the owner has "
			"decided");
	else if (rc == TL_E_NOT_PERMITTED)
		tl__v0_answer_error(sync, in, "the owner has decided: no access is given");
	else if (rc != TL_OK)
		tl__serve_internal(sync, in, NULL);
	else
		tl__sync_save_then(sync, answer_saved, in->number);
}

static void ask_owner(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights,
	const tl__access_wish *wish)
{
	if (!tl__serve_may_ask(sync, in, rights, wish) || !tl__serve_wish_name_valid(wish->name))
		no_such_tree(sync, in);
	else
		keep_wish(sync, in, wish);
}

/* What the settings give already is not asked of the owner again. */
static bool has_wish(const tl__incoming *in, const tl__work_rights *rights)
{
	return rights->key_count > 0 && rights->keys[0].active &&
	       tl_permission_compare(rights->keys[0].permission,
		       tl__v0_in(in)->request.sync_tree.permission) >= 0;
}

static void decide_tree(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights)
{
	const tl__v0_sync_tree *tree = &tl__v0_in(in)->request.sync_tree;
	tl__access_wish wish = {.name = tree->requesting_key_name,
		.permission = tree->permission,
		.db = in->db,
		.transport = in->transport,
		.remote = in->remote};
	bool wishes = tree->tip_count == 0 && claims_key(tree, &wish.key) &&
		      tree->requesting_key_name.ptr && tree->has_permission;

	if (!tl__serve_is_available(sync, rights, &in->db)) {
		no_such_tree(sync, in);
		return;
	}
	approve(sync, in, rights);
	wishes = wishes && !tl__v0_in(in)->approved;
	if (wishes && !has_wish(in, rights))
		ask_owner(sync, in, rights, &wish);
	else if (tl__serve_may_read(sync, in, rights))
		begin_stream(sync, in);
	else if (wishes && tl__serve_may_ask(sync, in, rights, &wish))
		tl__v0_answer_error(sync, in,
			"this key has that access, but this node gives what is private to proven "
			"keys "
			"only; ask its owner to connect to you");
	else
		no_such_tree(sync, in);
}

static void tree_known(void *core, tl__work *work)
{
	tl__incoming *in = tl__serve_well(core, work);

	if (!in)
		return;
	decide_tree(core, in, &work->access.rights);
	tl__work_free(work);
}

/* A blocked peer may of course claim to be another; then it is nobody. */
static bool claims_blocked(tl__sync *sync, const tl__v0_sync_tree *tree)
{
	tl_key key;
	tl__peer *peer;

	if (!tree->peer_pubkey.ptr || tl_key_parse(&key, tree->peer_pubkey) != TL_OK)
		return false;
	peer = tl__sync_find_peer(sync, &key);
	return peer && peer->status == TL__PEER_BLOCKED;
}

void tl__v0_serve_tree(tl__sync *sync, tl__incoming *in)
{
	const tl__v0_sync_tree *tree = &tl__v0_in(in)->request.sync_tree;
	tl__work *work;
	tl_key *key;

	if (tl_id_parse(&in->db, tree->tree_id) != TL_OK || claims_blocked(sync, tree)) {
		no_such_tree(sync, in);
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_ACCESS, tree_known);
	if (!work)
		return;
	key = tl__arena_alloc(&work->arena, 1, sizeof *key);
	if (key && claims_key(tree, key)) {
		work->access.keys = key;
		work->access.key_count = 1;
	}
	tl__sync_give_work(sync, work);
}
