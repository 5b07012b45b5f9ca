/* v0 requests of 0.2.0 peers (wire/README.md), with its holes closed: a v0 peer
 * proves nothing, so it reads what everybody may read, and nothing is recorded of it. */
#include <string.h>
#include "sync/in/serve.h"

/* --- answers ---------------------------------------------------------------------------------- */

void tl__serve_v0_document(tl__sync *sync, tl__incoming *in, tl__buf *document)
{
	tl__serve_answer(sync, in, 200, TL__V0_CONTENT_TYPE, document, false);
}

/* Texts are generic: they tell a stranger nothing about us. */
void tl__serve_v0_error(tl__sync *sync, tl__incoming *in, const char *text)
{
	tl__buf document = TL__BUF_INIT;

	tl__v0_write_error(&document, tl__str_z(text));
	tl__serve_v0_document(sync, in, &document);
}

static void no_such_tree(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v0_error(sync, in, "no such tree");
}

/* --- handshake -------------------------------------------------------------------------------- */

static void answer_handshake(tl__sync *sync, tl__incoming *in, const tl__work_list *list)
{
	uint8_t signature[TL_SIGNATURE_BYTES], challenge[TL__V0_CHALLENGE_BYTES];
	const tl_str asked = in->request.handshake.challenge;
	tl__v0_handshake_response answer = {
		.protocol_version = TL__V0_VERSION, .tidelock_v1 = true};
	char(*ids)[TL_ID_TEXT_LEN + 1];
	tl__buf document = TL__BUF_INIT;

	ids = tl__arena_alloc(&in->arena, list->db_count, sizeof *ids);
	answer.trees = tl__arena_alloc(&in->arena, list->db_count, sizeof *answer.trees);
	if (!ids || !answer.trees ||
		tl_sign(sync->device, asked.ptr, asked.len, signature) != TL_OK) {
		tl__serve_internal(sync, in, NULL);
		return;
	}
	sync->random.fill(sync->random.ud, challenge, sizeof challenge);
	answer.device_id = answer.public_key = tl__str_z(sync->key_text);
	answer.display_name = tl__str_z(sync->name);
	answer.challenge_response = (tl_str){(const char *)signature, sizeof signature};
	answer.new_challenge = (tl_str){(const char *)challenge, sizeof challenge};
	for (size_t i = 0; i < list->db_count; i++) {
		if (!tl__serve_may_list(sync, in, &list->dbs[i].id))
			continue;
		tl_id_format(&list->dbs[i].id, ids[i]);
		answer.trees[answer.tree_count++] =
			(tl__v0_tree_info){{ids[i], TL_ID_TEXT_LEN}, list->dbs[i].arrivals};
	}
	tl__v0_write_handshake_response(&document, &answer);
	tl__serve_v0_document(sync, in, &document);
}

static void public_listed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	if (work->code != TL_OK)
		tl__serve_internal(sync, in, work);
	else
		answer_handshake(sync, in, &work->list);
	tl__work_free(work);
}

/* A challenge of any other length could be the signing input of an entry. */
static void serve_handshake(tl__sync *sync, tl__incoming *in)
{
	const tl__v0_handshake_request *request = &in->request.handshake;
	tl__work *work;

	if (request->protocol_version != TL__V0_VERSION) {
		tl__serve_v0_error(sync, in, "protocol version mismatch: this peer speaks 0");
		return;
	}
	if (request->challenge.len != TL__V0_CHALLENGE_BYTES) {
		tl__serve_v0_error(sync, in, "a challenge has 32 bytes");
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_LIST, public_listed);
	if (!work)
		return;
	work->list.max = TL__SERVE_LIST_STRANGER;
	tl__sync_give_work(sync, work);
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
	if (!in->begun)
		tl__serve_internal(sync, in, work);
	else
		cut_off(sync, in);
}

static void write_begin(tl__incoming *in, const tl__work_stream *stream, tl__buf *out)
{
	tl_str tree = in->request.sync_tree.tree_id;
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

static void write_end(tl__incoming *in, const tl__work_stream *stream, tl__buf *out)
{
	if (stream->bootstrap)
		tl__v0_end_bootstrap(out, in->approved, in->approved ? &in->granted : NULL);
	else
		tl__v0_end_incremental(out);
}

static void send_piece(tl__sync *sync, tl__incoming *in, tl__work *work)
{
	tl__work_stream *stream = &work->stream;
	tl__buf body = TL__BUF_INIT;
	bool last = !stream->more;

	if (!in->begun)
		write_begin(in, stream, &body);
	for (size_t i = 0; i < stream->count; i++)
		tl__v0_stream_entry(&body, stream->lines[i], in->told++ == 0);
	if (last)
		write_end(in, stream, &body);
	if (tl__buf_status(&body) != TL_OK) {
		tl__buf_free(&body);
		tl__work_free(work);
		fail_stream(sync, in, NULL);
		return;
	}
	if (!in->begun)
		act_piece(sync, in, TL__SYNC_ANSWER_BEGIN, NULL);
	in->begun = true;
	act_piece(sync, in, TL__SYNC_ANSWER_PIECE, &body);
	if (last) {
		act_piece(sync, in, TL__SYNC_ANSWER_END, NULL);
		tl__work_free(work);
		tl__serve_end(sync, in);
		return;
	}
	in->stream = work; /* until the piece was taken */
}

static void streamed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	if (work->code != TL_OK) {
		fail_stream(sync, in, work);
		tl__work_free(work);
	} else if (!work->stream.held) {
		no_such_tree(sync, in);
		tl__work_free(work);
	} else {
		send_piece(sync, in, work);
	}
}

void tl__serve_stream(tl__sync *sync, tl__incoming *in)
{
	tl__work *work = in->stream;

	in->stream = NULL;
	in->works++;
	tl__sync_give_work(sync, work);
}

/* Ids that are none are passed over: 0.2.0 only looks whether it has met a listed one. */
static void begin_stream(tl__sync *sync, tl__incoming *in)
{
	const tl__v0_sync_tree *tree = &in->request.sync_tree;
	tl__work *work = tl__serve_work(sync, in, TL__WORK_STREAM, streamed);
	tl_id *stop;
	size_t count = 0;

	if (!work)
		return;
	stop = tl__arena_alloc(&work->arena, tree->tip_count, sizeof *stop);
	for (size_t i = 0; stop && i < tree->tip_count; i++)
		if (tl_id_parse(&stop[count], tree->our_tips[i]) == TL_OK)
			count++;
	work->stream.bootstrap = tree->tip_count == 0;
	work->stream.stop = stop;
	work->stream.stop_count = count;
	work->stream.max_bytes = TL__SERVE_PIECE_BYTES;
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
	const tl__v0_sync_tree *tree = &in->request.sync_tree;
	tl_permission best;

	if (!tree->requesting_key.ptr || !tree->requesting_key_name.ptr ||
		!best_right(sync, rights, &best))
		return;
	in->granted = tree->has_permission ? tree->permission : best;
	in->approved = tl_permission_compare(best, in->granted) >= 0;
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
	tl__serve_v0_document(sync, in, &document);
}

static void keep_wish(tl__sync *sync, tl__incoming *in, const tl__access_wish *wish)
{
	int rc = tl__serve_keep_wish(sync, wish, in->request_id);

	if (rc == TL_E_BUSY)
		tl__serve_v0_error(sync, in,
			"too many access requests are waiting; ask again when the owner has "
			"decided");
	else if (rc == TL_E_NOT_PERMITTED)
		tl__serve_v0_error(sync, in, "the owner has decided: no access is given");
	else if (rc != TL_OK)
		tl__serve_internal(sync, in, NULL);
	else
		tl__sync_save_then(sync, answer_saved, in->number);
}

static void ask_owner(tl__sync *sync, tl__incoming *in, const tl_key *key)
{
	const tl__v0_sync_tree *tree = &in->request.sync_tree;
	tl__access_wish wish = {*key, tree->requesting_key_name, tree->permission, in->db,
		in->transport, in->remote, false, false};

	if (tl__serve_may_ask(sync, in) == TL_POLICY_DENY || !tl__serve_wish_name_valid(wish.name))
		no_such_tree(sync, in);
	else
		keep_wish(sync, in, &wish);
}

/* What the settings give already is not asked of the owner again. */
static bool has_wish(const tl__incoming *in, const tl__work_rights *rights)
{
	return rights->key_count > 0 && rights->keys[0].active &&
	       tl_permission_compare(
		       rights->keys[0].permission, in->request.sync_tree.permission) >= 0;
}

static void decide_tree(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights)
{
	const tl__v0_sync_tree *tree = &in->request.sync_tree;
	tl_key key;
	bool wish = tree->tip_count == 0 && claims_key(tree, &key) &&
		    tree->requesting_key_name.ptr && tree->has_permission;

	if (!tl__serve_is_available(sync, rights, &in->db)) {
		no_such_tree(sync, in);
		return;
	}
	approve(sync, in, rights);
	if (wish && !in->approved && !has_wish(in, rights))
		ask_owner(sync, in, &key);
	else if (tl__serve_may_read(sync, in, rights))
		begin_stream(sync, in);
	else if (wish && !in->approved && tl__serve_may_ask(sync, in) != TL_POLICY_DENY)
		tl__serve_v0_error(sync, in,
			"this key has that access, but this node gives what is private to proven "
			"keys "
			"only; ask its owner to connect to you");
	else
		no_such_tree(sync, in);
}

static void tree_known(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	if (work->code != TL_OK)
		tl__serve_internal(sync, in, work);
	else
		decide_tree(sync, in, &work->access.rights);
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

static void serve_tree(tl__sync *sync, tl__incoming *in)
{
	const tl__v0_sync_tree *tree = &in->request.sync_tree;
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

/* --- dispatch --------------------------------------------------------------------------------- */

/* "application/json" or "application/…+json", parameters allowed, any case. */
static bool is_json(tl_str type)
{
	size_t len = 0;

	while (len < type.len && type.ptr[len] != ';' && type.ptr[len] != ' ')
		len++;
	if (len < 16 || strncasecmp(type.ptr, "application/", 12) != 0)
		return false;
	return (len == 16 && strncasecmp(type.ptr + 12, "json", 4) == 0) ||
	       (len > 17 && strncasecmp(type.ptr + len - 5, "+json", 5) == 0);
}

static void serve_read(tl__sync *sync, tl__incoming *in)
{
	if ((sync->options.require_encryption && !tl__sync_encrypted(in->channel) &&
		    !tl__sync_loopback(in->remote)) ||
		!tl__serve_may_connect(sync, in)) {
		tl__serve_v0_error(sync, in, "refused");
		return;
	}
	switch (in->request.kind) {
	case TL__V0_HANDSHAKE: serve_handshake(sync, in); break;
	case TL__V0_SYNC_TREE: serve_tree(sync, in); break;
	case TL__V0_SEND_ENTRIES: tl__serve_send_entries(sync, in); break;
	}
}

static void was_read(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	in->read = work; /* freed with the request */
	in->request = work->read.request;
	in->has_request = work->read.has_request;
	if (work->code == TL_OK)
		serve_read(sync, in);
	else if (work->code == TL_E_NOMEM)
		tl__serve_text(sync, in, 503, "");
	else
		tl__serve_text(sync, in, (int)work->read.refusal, tl_error_message(work->error));
}

/* A short one at once; longer ones apart from the loop's thread. */
static void read_request(tl__sync *sync, tl__incoming *in, tl_str document)
{
	tl__work *work = tl__serve_work(sync, in, TL__WORK_READ, was_read);

	if (!work)
		return;
	work->read.document = document;
	if (document.len > TL__SERVE_READ_BYTES) {
		tl__sync_give_work(sync, work);
		return;
	}
	work->code = tl__work_read_run(work);
	if (work->code != TL_OK)
		work->error = tl__error_keep();
	was_read(sync, work);
}

void tl__serve_v0(tl__sync *sync, tl__incoming *in, const tl__sync_request *request)
{
	tl_str document;

	in->v0 = true;
	if (!is_json(request->content_type)) {
		tl__serve_text(
			sync, in, 415, "Expected request with `Content-Type: application/json`");
		return;
	}
	document = tl__arena_str(&in->arena, request->body);
	if (!document.ptr)
		tl__serve_text(sync, in, 503, "");
	else if (tl__serve_admit(sync, in))
		read_request(sync, in, document);
}
