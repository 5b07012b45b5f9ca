/* v1 methods: what they share, hello, list and access. */
#include <string.h>
#include "sync/core/core.h"
#include "sync/in/serve.h"

void tl__serve_not_available(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v1_refuse(sync, in, TL__V1_NOT_AVAILABLE, "unknown_database");
}

void tl__serve_bad_request(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v1_refuse(sync, in, TL__V1_BAD_REQUEST, "");
}

bool tl__serve_is_available(const tl__sync *sync, const tl__work_rights *rights, const tl_id *db)
{
	return rights->held && !rights->system && !tl__id_equal(db, &sync->own_db);
}

bool tl__serve_is_readable(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights)
{
	return tl__serve_is_available(sync, rights, &in->db) &&
	       tl__serve_may_read(sync, in, rights);
}

void tl__serve_fail_work(tl__sync *sync, tl__incoming *in, tl__work *work)
{
	if (work->code == TL_E_DATABASE_NOT_FOUND && !in->unproven)
		tl__serve_not_available(sync, in);
	else
		tl__serve_internal(sync, in, work);
}

void tl__serve_ask_rights(
	tl__sync *sync, tl__incoming *in, void (*done)(void *sync, tl__work *work))
{
	tl__work *work = tl__serve_work(sync, in, TL__WORK_ACCESS, done);

	if (!work)
		return;
	work->access.keys = in->proven; /* the request outlives its works */
	work->access.key_count = in->proven_count;
	tl__sync_give_work(sync, work);
}

void tl__serve_answer_args(tl__sync *sync, tl__incoming *in, tl__buf *args, tl__buf *body)
{
	if (tl__buf_status(args) != TL_OK || tl__buf_status(body) != TL_OK)
		tl__serve_v1_refuse(sync, in, TL__V1_INTERNAL, "");
	else
		tl__serve_v1_answer(sync, in, TL__V1_OK, tl__buf_view(args), tl__buf_view(body));
	tl__buf_free(args);
	tl__buf_free(body);
}

/* --- hello ------------------------------------------------------------------------------------ */

static void note_hello(tl__sync *sync, tl__incoming *in, const tl__v1_hello *hello)
{
	tl__peer *peer = tl__sync_find_peer(sync, &in->from);

	tl__client_said(sync, &in->from, hello->name);
	if (!peer) {
		tl__sync_knocked(sync, &in->from, hello->name, in->address);
		return;
	}
	tl__peer_came(sync, peer, in->address);
	(void)tl__hello_heard(sync, peer, hello);
	tl__peer_save(sync, peer);
	tl__peer_wake(sync, peer);
	/* Who comes back pulls what it missed: it is not pushed the same meanwhile. */
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (pair->attempts > 0)
			pair->next_attempt = sync->now + TL__SERVE_BACK_MS;
}

static void serve_hello(tl__sync *sync, tl__incoming *in)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_hello hello;

	if (tl__v1_read_hello(&hello, in->args, &in->arena) != TL_OK || in->body.len > 0 ||
		!tl__key_equal(&hello.key, &in->from)) {
		tl__serve_bad_request(sync, in);
		return;
	}
	if (!in->anonymous)
		note_hello(sync, in, &hello);
	tl__hello_write(sync, &args);
	tl__serve_answer_args(sync, in, &args, &body);
}

/* --- list ------------------------------------------------------------------------------------- */

/* Databases whose lines fit a body. Whether there are more. */
static bool write_list(tl__sync *sync, tl__incoming *in, const tl__work_list *list, tl__buf *body)
{
	for (size_t i = 0; i < list->db_count; i++) {
		const tl__work_db *db = &list->dbs[i];
		tl__v1_line line = {.kind = TL__V1_LINE_DATABASE,
			.has_id = true,
			.id = db->id,
			.arrivals = db->arrivals,
			.tip_count = db->tip_count};

		if (!tl__serve_may_list(sync, in, db))
			continue;
		if (body->len + (TL_ID_TEXT_LEN + 16) * (db->tip_count + 2) > TL__V1_MAX_BODY_BYTES)
			return true;
		memcpy(line.tips, db->tips, db->tip_count * sizeof *db->tips);
		tl__v1_write_line(body, &line);
	}
	return list->more;
}

/* A page of which the policy shows nothing says nothing of where to go on: the next one. */
static bool list_on(tl__sync *sync, tl__incoming *in, tl__work *work, const tl__buf *body)
{
	tl__work_list *list = &work->list;

	if (body->len > 0 || !list->more)
		return false;
	list->has_after = true;
	list->after = list->dbs[list->db_count - 1].id;
	in->works++;
	tl__sync_give_work(sync, work);
	return true;
}

static void listed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_well(sync, work);
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	bool more;

	if (!in)
		return;
	more = write_list(sync, in, &work->list, &body);
	if (list_on(sync, in, work, &body))
		return;
	tl__v1_write_listing(&args, more);
	if (in->put_off) {
		tl__buf_free(&args);
		tl__buf_free(&body);
		tl__serve_v1_refuse(sync, in, TL__V1_BUSY, "");
	} else {
		tl__serve_answer_args(sync, in, &args, &body);
	}
	tl__work_free(work);
}

static size_t count_relations(const tl__peer *peer)
{
	size_t count = 0;

	for (const tl__pair *pair = peer ? peer->pairs : NULL; pair; pair = pair->next_of_peer)
		count++;
	return count;
}

static void serve_list(tl__sync *sync, tl__incoming *in)
{
	tl__peer *peer = tl__sync_find_peer(sync, &in->from);
	tl__v1_list wish;
	tl__work *work;
	tl_id *related;

	if (tl__v1_read_list(&wish, in->args) != TL_OK || in->body.len > 0) {
		tl__serve_bad_request(sync, in);
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_LIST, listed);
	if (!work)
		return;
	related = tl__arena_alloc(&work->arena, count_relations(peer), sizeof *related);
	for (tl__pair *pair = related && peer ? peer->pairs : NULL; pair; pair = pair->next_of_peer)
		if (tl__sync_gives(sync, &in->from, &pair->db->id))
			related[work->list.related_count++] = pair->db->id;
	work->list.related = related;
	work->list.has_after = wish.has_after;
	work->list.after = wish.after;
	work->list.max = peer ? TL__SERVE_LIST_PEER : TL__SERVE_LIST_STRANGER;
	work->list.keys = in->proven;
	work->list.key_count = in->proven_count;
	work->list.describe = tl__sync_has_policy(sync);
	tl__sync_give_work(sync, work);
}

/* --- access ----------------------------------------------------------------------------------- */

static void answer_access(tl__sync *sync, tl__incoming *in, const tl__v1_access_answer *answer)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	tl__v1_write_access_answer(&args, answer);
	tl__serve_answer_args(sync, in, &args, &body);
}

static bool holds(
	const tl__work_rights *rights, size_t key, tl_permission wanted, tl_permission *granted)
{
	bool held = false;

	if (rights->is_public && tl_permission_compare(rights->public_permission, wanted) >= 0) {
		*granted = rights->public_permission;
		held = true;
	}
	if (rights->keys[key].active &&
		tl_permission_compare(rights->keys[key].permission, wanted) >= 0) {
		*granted = rights->keys[key].permission;
		held = true;
	}
	return held;
}

/* Whose access request keeps its place, whatever strangers do. */
static bool is_known(
	const tl__sync *sync, const tl__incoming *in, const tl__work_rights *rights, size_t key)
{
	const tl__peer *peer = tl__sync_find_peer(sync, &in->proven[key]);

	return rights->keys[key].active || tl__serve_is_of_peer(sync, in) ||
	       (peer && peer->status == TL__PEER_ACTIVE);
}

static void request_saved(tl__sync *sync, uint64_t incoming, int code)
{
	tl__incoming *in = tl__serve_find(sync, incoming);
	tl__v1_access_answer answer = {.result = TL__V1_ACCESS_PENDING};

	if (!in || in->done)
		return;
	answer.request_id = tl__str_z(in->request_id);
	if (code == TL_OK)
		answer_access(sync, in, &answer);
	else
		tl__serve_internal(sync, in, NULL);
}

static void decide_access(
	tl__sync *sync, tl__incoming *in, const tl__work_rights *rights, size_t key)
{
	tl__v1_access_answer answer = {.result = TL__V1_ACCESS_REFUSED};
	int rc;
	tl__access_wish wish = {in->access.key, in->access.name, in->access.permission, in->db,
		in->transport, in->remote, true, is_known(sync, in, rights, key)};

	if (holds(rights, key, in->access.permission, &answer.permission)) {
		answer.result = TL__V1_ACCESS_GRANTED;
		if (in->access.has_share)
			tl__serve_held(sync, in);
	} else if (in->access.has_share) {
		tl__serve_redeem(sync, in, rights, key);
		return;
	} else if (!tl__serve_may_ask(sync, in, rights, &wish)) {
		if (!tl__serve_may_read(sync, in, rights)) {
			tl__serve_not_available(sync, in);
			return;
		}
		answer.code = TL__STR("not_permitted");
	} else if ((rc = tl__serve_keep_wish(sync, &wish, in->request_id)) != TL_OK) {
		answer.code = rc == TL_E_NOT_PERMITTED ? TL__STR("rejected") : TL__STR("busy");
	} else {
		tl__sync_save_then(sync, request_saved, in->number);
		return;
	}
	answer_access(sync, in, &answer);
}

static void access_known(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_well(sync, work);
	size_t key = 0;

	if (!in)
		return;
	while (key < in->proven_count && !tl__key_equal(&in->proven[key], &in->access.key))
		key++;
	if (!tl__serve_is_available(sync, &work->access.rights, &in->db) && in->access.has_share)
		tl__serve_no_share(sync, in);
	else if (!tl__serve_is_available(sync, &work->access.rights, &in->db))
		tl__serve_not_available(sync, in);
	else if (key == in->proven_count)
		tl__serve_bad_request(sync, in);
	else
		decide_access(sync, in, &work->access.rights, key);
	tl__work_free(work);
}

static void serve_access(tl__sync *sync, tl__incoming *in)
{
	if (tl__v1_read_access(&in->access, in->args, &in->arena) != TL_OK || in->body.len > 0)
		tl__serve_bad_request(sync, in);
	else
		tl__serve_ask_rights(sync, in, access_known);
}

/* --- dispatch --------------------------------------------------------------------------------- */

/* A hello is answered at once, a watch has limits of its own. */
static bool has_work(tl__v1_method method)
{
	return method != TL__V1_HELLO && method != TL__V1_WATCH;
}

void tl__serve_method(tl__sync *sync, tl__incoming *in)
{
	if (has_work(in->method) && !tl__serve_admit(sync, in))
		return;
	switch (in->method) {
	case TL__V1_HELLO: serve_hello(sync, in); break;
	case TL__V1_LIST: serve_list(sync, in); break;
	case TL__V1_PULL: tl__serve_pull(sync, in); break;
	case TL__V1_PUSH: tl__serve_push(sync, in); break;
	case TL__V1_ACCESS: serve_access(sync, in); break;
	case TL__V1_WATCH: tl__serve_watch(sync, in); break;
	case TL__V1_METHOD_COUNT: tl__serve_v1_refuse(sync, in, TL__V1_UNKNOWN_METHOD, ""); break;
	}
}
