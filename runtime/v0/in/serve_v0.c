/* Requests of 0.2.0 peers (wire/README.md), with its holes closed: reading them, their handshakes.
 */
#include <strings.h>
#include "v0/in/in.h"

/* --- handshake -------------------------------------------------------------------------------- */

static void answer_handshake(tl__sync *sync, tl__incoming *in, const tl__work_list *list)
{
	uint8_t signature[TL_SIGNATURE_BYTES], challenge[TL__V0_CHALLENGE_BYTES];
	const tl_str asked = tl__v0_in(in)->request.handshake.challenge;
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
		if (!tl__serve_may_list(sync, in, &list->dbs[i]))
			continue;
		tl_id_format(&list->dbs[i].id, ids[i]);
		answer.trees[answer.tree_count++] =
			(tl__v0_tree_info){{ids[i], TL_ID_TEXT_LEN}, list->dbs[i].arrivals};
	}
	tl__v0_write_handshake_response(&document, &answer);
	tl__v0_answer(sync, in, &document);
}

static void public_listed(void *core, tl__work *work)
{
	tl__incoming *in = tl__serve_well(core, work);

	if (!in)
		return;
	answer_handshake(core, in, &work->list);
	tl__work_free(work);
}

/* A challenge of any other length could be the signing input of an entry. */
static void serve_handshake(tl__sync *sync, tl__incoming *in)
{
	const tl__v0_handshake_request *request = &tl__v0_in(in)->request.handshake;
	tl__work *work;

	if (request->protocol_version != TL__V0_VERSION) {
		tl__v0_answer_error(sync, in, "protocol version mismatch: this peer speaks 0");
		return;
	}
	if (request->challenge.len != TL__V0_CHALLENGE_BYTES) {
		tl__v0_answer_error(sync, in, "a challenge has 32 bytes");
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_LIST, public_listed);
	if (!work)
		return;
	work->list.max = TL__SERVE_LIST_STRANGER;
	work->list.describe = tl__sync_has_policy(sync);
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

/* One of ours finds out here whom it talks to. It proves its key with its hello, and is asked about
 * then: a policy that knows devices by their keys would keep all of them out. */
static bool proves_later(const tl__incoming *in)
{
	const tl__v0_request *request = &tl__v0_in(in)->request;

	return request->kind == TL__V0_HANDSHAKE && request->handshake.tidelock_v1;
}

static void serve_read(tl__sync *sync, tl__incoming *in)
{
	if ((sync->options.require_encryption && !tl__sync_encrypted(in->channel) &&
		    !tl__sync_loopback(in->remote)) ||
		(!proves_later(in) && !tl__serve_may_connect(sync, in))) {
		tl__v0_answer_error(sync, in, "refused");
		return;
	}
	switch (tl__v0_in(in)->request.kind) {
	case TL__V0_HANDSHAKE: serve_handshake(sync, in); break;
	case TL__V0_SYNC_TREE: tl__v0_serve_tree(sync, in); break;
	case TL__V0_SEND_ENTRIES: tl__v0_serve_entries(sync, in); break;
	}
}

static void was_read(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);
	const tl__v0_read *read;

	if (!in)
		return; /* and the work is gone */
	read = work->other.own;
	tl__v0_in(in)->read = work; /* freed with the request */
	tl__v0_in(in)->request = read->request;
	if (work->code == TL_OK) {
		if (read->request.kind == TL__V0_SYNC_TREE)
			in->claimed_key = read->request.sync_tree.requesting_key;
		serve_read(sync, in);
	} else if (work->code == TL_E_NOMEM) {
		tl__serve_text(sync, in, 503, "");
	} else {
		tl__serve_text(sync, in, (int)read->refusal, tl_error_message(work->error));
	}
}

/* A short one at once; longer ones apart from the loop's thread. */
static void read_request(tl__sync *sync, tl__incoming *in, tl_str document)
{
	tl__work *work =
		tl__v0_serve_work(sync, in, &tl__v0_read_work, sizeof(tl__v0_read), was_read);
	tl__v0_read *read;

	if (!work)
		return;
	read = work->other.own;
	read->document = document;
	if (document.len > TL__SERVE_READ_BYTES) {
		tl__sync_give_work(sync, work);
		return;
	}
	work->code = tl__v0_read_work.run(NULL, work);
	if (work->code != TL_OK)
		work->error = tl__error_keep();
	was_read(sync, work);
}

static void internal(tl__sync *sync, tl__incoming *in)
{
	tl__v0_answer_error(sync, in, "internal error");
}

static void busy(tl__sync *sync, tl__incoming *in)
{
	tl__serve_text(sync, in, 429, "busy: too many requests at once");
}

static void clear(tl__incoming *in)
{
	if (!tl__v0_in(in))
		return;
	tl__work_free(tl__v0_in(in)->read);
	tl__work_free(tl__v0_in(in)->stream);
}

void tl__v0_serve(tl__sync *sync, tl__incoming *in, const tl__sync_request *request)
{
	static const tl__serve_way way = {
		.internal = internal, .busy = busy, .drained = tl__v0_drained, .clear = clear};
	tl_str document;

	in->way = &way;
	in->unproven = true;
	if (!is_json(request->content_type)) {
		tl__serve_text(
			sync, in, 415, "Expected request with `Content-Type: application/json`");
		return;
	}
	in->own = tl__arena_alloc(&in->arena, 1, sizeof(tl__v0_incoming));
	document = tl__arena_str(&in->arena, request->body);
	if (!in->own || !document.ptr)
		tl__serve_text(sync, in, 503, "");
	else if (tl__serve_admit(sync, in))
		read_request(sync, in, document);
}
