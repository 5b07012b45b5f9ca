/* Recorded answers, given to our client word for word by a server that says nothing else. */
#include <string.h>
#include <tidelock/entry.h>
#include "actor.h"
#include "play.h"
#include "v0/wire/v0.h"

typedef struct replay {
	check *c;
	const pool *pool;
	tl_str raw, document; /* the recorded answer */
	int status;
	tl__v0_response_kind kind;
	entry_list entries;
	tl__v0_request request;
	tl_id db;
	live live, apart; /* our client; and a store that was given the same entries directly */
	bool *held;       /* of the pool: what the client holds before */
	bool *kept;       /* or knows, but waits with */
} replay;

/* --- what the client holds before ------------------------------------------------------------- */

static void prepare(replay *r, const bool *marks)
{
	for (size_t i = 0; i < r->pool->count; i++) {
		const pool_entry *e = &r->pool->at[i];

		if (!marks[i] || memcmp(&e->db, &r->db, sizeof r->db) != 0)
			continue;
		live_take(&r->live, r->c, &e->db, &e->text, 1);
		live_take(&r->apart, r->c, &e->db, &e->text, 1);
	}
	r->kept = tl__arena_alloc(&r->c->arena, r->pool->count + 1, sizeof *r->kept);
	for (size_t i = 0; r->kept && i < r->pool->count; i++) {
		r->held[i] = marks[i] && live_has(&r->live, &r->db, &r->pool->at[i].id);
		r->kept[i] = marks[i] && live_keeps(&r->live, &r->db, &r->pool->at[i].id);
	}
}

/* The tips it named, and what they stand on. */
static void prepare_asker(replay *r)
{
	const tl__v0_sync_tree *t = &r->request.sync_tree;
	bool *marks = tl__arena_alloc(&r->c->arena, r->pool->count + 1, sizeof *marks);

	r->held = tl__arena_alloc(&r->c->arena, r->pool->count + 1, sizeof *r->held);
	for (size_t i = 0; marks && r->held && i < t->tip_count; i++) {
		tl_id id;

		if (tl_id_parse(&id, t->our_tips[i]) == TL_OK)
			pool_mark(r->pool, &id, 1, marks);
	}
	if (marks && r->held)
		prepare(r, marks);
}

/* --- what must come of it --------------------------------------------------------------------- */

/* Whoever refuses to tell what it holds of a database that is ours too takes what it is sent: that
 * is no failure. */
static int wanted_code(const replay *r, bool held)
{
	if (r->status < 200 || r->status > 299)
		return TL_E_NETWORK;
	switch (r->kind) {
	case TL__V0_RESPONSE_BOOTSTRAP:
	case TL__V0_RESPONSE_INCREMENTAL: return TL_OK;
	case TL__V0_RESPONSE_PENDING: return TL_E_BOOTSTRAP_PENDING;
	case TL__V0_RESPONSE_ERROR: return held ? TL_OK : TL_E_SYNC_PROTOCOL_ERROR;
	case TL__V0_RESPONSE_NONE: return TL_E_NETWORK;
	default: return TL_E_UNEXPECTED_RESPONSE;
	}
}

/* Over the network or not: the same entries become visible. */
static void check_visible(replay *r)
{
	bool all = true;

	live_take(&r->apart, r->c, &r->db, r->entries.texts, r->entries.count);
	for (size_t i = 0; i < r->entries.count; i++) {
		const tl_id *id = &r->entries.ids[i];
		bool here = live_has(&r->live, &r->db, id), there = live_has(&r->apart, &r->db, id);

		if (here != there)
			wrong(r->c, "entry %zu is %s after the exchange and %s by itself", i,
				here ? "visible" : "not visible", there ? "visible" : "not");
		all = all && here;
	}
	if (!all)
		differs(r->c, "what nobody may have written does not become visible");
}

/* Whether the client can tell from the named tips what the server holds. */
static bool knows_tips(replay *r)
{
	tl__v0_reader *reader = NULL;
	const tl__v0_response *told = read_answer(&reader, r->document);
	bool known = told != NULL;

	for (size_t i = 0; known && i < told->tip_count; i++) {
		tl_id id;

		known = tl_id_parse(&id, told->their_tips[i]) == TL_OK &&
			live_has(&r->live, &r->db, &id);
	}
	tl__v0_reader_free(reader);
	return known;
}

/* Nothing that the server gave is pushed back to it. */
static void check_pushed(replay *r, const actor *a)
{
	bool *theirs = tl__arena_alloc(&r->c->arena, r->pool->count + 1, sizeof *theirs);
	size_t wanted = 0, pushed = 0;

	if (!theirs)
		return;
	if (knows_tips(r))
		pool_mark(r->pool, r->entries.ids, r->entries.count, theirs);
	for (size_t i = 0; i < r->pool->count; i++)
		wanted += r->kept && r->kept[i] && !theirs[i];
	for (size_t i = 0; i < a->pushes; i++)
		pushed += a->entries[i];
	if (pushed > wanted)
		wrong(r->c, "%zu entries are pushed, the server lacks at most %zu", pushed, wanted);
}

static void check_asked(replay *r, const actor *a)
{
	const tl__v0_sync_tree *t = &r->request.sync_tree;
	char key[TL_KEY_TEXT_LEN + 1];
	tl__v0_refusal refusal;
	tl__v0_request asked;

	if (!a->first_tree.ptr || tl__v0_request_read(&asked, a->first_tree, &refusal) != TL_OK) {
		wrong(r->c, "our client did not ask for the tree");
		return;
	}
	expect_text(r->c, asked.sync_tree.tree_id, t->tree_id, "tree_id");
	expect(r->c, tl_node_device_key(r->live.node, key) == TL_OK, "device key");
	expect_text(r->c, asked.sync_tree.peer_pubkey, tl__str_z(key), "peer_pubkey");
	for (size_t i = 0; i < t->tip_count; i++) {
		const pool_entry *e;
		bool told = false;
		tl_id id;

		if (tl_id_parse(&id, t->our_tips[i]) != TL_OK)
			continue;
		e = pool_find(r->pool, &id);
		for (size_t k = 0; k < asked.sync_tree.tip_count; k++)
			told = told || tl__str_eq(asked.sync_tree.our_tips[k], t->our_tips[i]);
		if (e && r->held[e - r->pool->at] && !told)
			wrong(r->c, "a tip that the client holds is not told");
	}
	if (!live_has(&r->live, &r->db, &r->db) && r->status == 200)
		expect(r->c, asked.sync_tree.tip_count == 0, "without the root no tips are told");
	tl__v0_request_free(&asked);
}

/* --- the exchange ----------------------------------------------------------------------------- */

static int exchange(replay *r, const actor *a)
{
	tl_address to;
	tl_op *op = NULL;
	int rc = tl_address_http(&to, tl__str_z(a->server.address));

	if (rc == TL_OK)
		rc = tl_sync_sync_with_peer(r->live.node, &to, &r->db, &op);
	if (rc == TL_OK)
		rc = tl_op_wait(op, LIVE_PATIENCE_MS);
	tl_op_free(op);
	return rc;
}

static void replay_tree(replay *r)
{
	actor a = {.tree = r->raw};
	int wanted, got;

	if (tl_id_parse(&r->db, r->request.sync_tree.tree_id) != TL_OK)
		return; /* nobody can ask our client for that */
	if (live_open(&r->live, r->c, TL__STR_NULL, NULL, false) &&
		live_open(&r->apart, r->c, TL__STR_NULL, NULL, false) &&
		actor_start(&a, r->c, TL__STR_NULL)) {
		prepare_asker(r);
		wanted = wanted_code(r, live_has(&r->live, &r->db, &r->db));
		got = exchange(r, &a);
		if (got != wanted)
			wrong(r->c, "our client says %s to the recorded answer, must be %s (%s)",
				tl_error_name(got), tl_error_name(wanted),
				tl_error_message(tl_last_error()));
		actor_stop(&a);
		if (wanted == TL_OK)
			check_visible(r);
		check_asked(r, &a);
		check_pushed(r, &a);
	}
	live_close(&r->live);
	live_close(&r->apart);
	actor_free(&a);
}

/* An answer to another challenge proves nothing. */
static void replay_handshake(replay *r)
{
	actor a = {.handshake_raw = r->raw};
	tl_address to;
	tl_op *op = NULL;
	int rc = TL_E_INTERNAL;
	bool refusal = r->status != 200;

	if (live_open(&r->live, r->c, TL__STR_NULL, NULL, false) &&
		actor_start(&a, r->c, TL__STR_NULL)) {
		rc = tl_address_http(&to, tl__str_z(a.server.address));
		if (rc == TL_OK)
			rc = tl_sync_connect_to_peer(r->live.node, &to, NULL, &op);
		if (rc == TL_OK)
			rc = tl_op_wait(op, LIVE_PATIENCE_MS);
		tl_op_free(op);
		actor_stop(&a);
		if (rc != (refusal ? TL_E_NETWORK : TL_E_HANDSHAKE_FAILED))
			wrong(r->c, "our client says %s to a recorded handshake",
				tl_error_name(rc));
	}
	live_close(&r->live);
	actor_free(&a);
}

/* The recorded word to a push is taken as such, whatever it says of the entries. An answer without
 * the root is no success where that is not held. */
static void replay_push(replay *r, const entry_list *pushed)
{
	actor a = {.push = r->raw};
	const bend plain = {0};
	bool *marks = tl__arena_alloc(&r->c->arena, r->pool->count + 1, sizeof *marks);
	tl__buf document = TL__BUF_INIT;
	char id[TL_ID_TEXT_LEN + 1];
	int rc, wanted;

	r->held = tl__arena_alloc(&r->c->arena, r->pool->count + 1, sizeof *r->held);
	tl_id_format(&r->db, id);
	tl__v0_begin_incremental(&document, tl__str_z(id), NULL, 0);
	tl__v0_end_incremental(&document);
	a.tree = raw_answer(&r->c->arena, &plain, tl__buf_view(&document));
	tl__buf_free(&document);
	if (marks && r->held && live_open(&r->live, r->c, TL__STR_NULL, NULL, false) &&
		live_open(&r->apart, r->c, TL__STR_NULL, NULL, false) &&
		actor_start(&a, r->c, TL__STR_NULL)) {
		pool_mark(r->pool, pushed->ids, pushed->count, marks);
		pool_mark(r->pool, &r->db, 1, marks);
		prepare(r, marks);
		wanted = live_has(&r->live, &r->db, &r->db) ? TL_OK : TL_E_WRONG_ROOT;
		rc = exchange(r, &a);
		if (rc != wanted)
			wrong(r->c, "our client says %s to the recorded word to a push (%s)",
				tl_error_name(rc), tl_error_message(tl_last_error()));
		actor_stop(&a);
		expect(r->c, (a.pushes > 0) == live_has(&r->live, &r->db, &r->db),
			"what is held is pushed");
	}
	live_close(&r->live);
	live_close(&r->apart);
	actor_free(&a);
}

/* --- the section ------------------------------------------------------------------------------ */

static void replay_by_kind(replay *r, tl_str body)
{
	entry_list pushed;
	const pool_entry *first;

	if (r->request.kind == TL__V0_SYNC_TREE) {
		replay_tree(r);
	} else if (r->request.kind == TL__V0_HANDSHAKE) {
		replay_handshake(r);
	} else if (entries_of_request(&r->c->arena, body, &pushed) && pushed.count > 0) {
		first = pool_find(r->pool, &pushed.ids[0]);
		if (first && pool_find(r->pool, &first->db) &&
			(r->kind == TL__V0_RESPONSE_ACK || r->kind == TL__V0_RESPONSE_COUNT)) {
			r->db = first->db;
			replay_push(r, &pushed);
		}
	}
}

void check_replayed(check *c, const node *section)
{
	tl_str said = bytes_of(c, "request"), body = http_document(c, said);
	replay r = {.c = c, .pool = pool_of(section), .raw = bytes_of(c, "response")};
	tl__v0_refusal refusal;

	r.status = http_status(r.raw);
	if (http_complete(r.raw, false) != 1 || r.status == 100 || !body.ptr ||
		tl__v0_request_read(&r.request, body, &refusal) != TL_OK)
		return; /* not one answer to one question that a client asks */
	r.document = http_document(c, r.raw);
	r.kind = r.document.ptr ? answer_kind(r.document) : TL__V0_RESPONSE_NONE;
	if (!entries_of_answer(&c->arena, r.document, &r.entries))
		r.entries = (entry_list){0};
	replay_by_kind(&r, body);
	tl__v0_request_free(&r.request);
}
