/* v1 methods: hello, list, pull, push, access. */
#include <string.h>
#include "sync/outbound.h"
#include "sync/serve.h"

/* A database that the proven keys may not read is answered exactly like one that we lack. */
static void not_available(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v1_refuse(sync, in, TL__V1_NOT_AVAILABLE, "unknown_database");
}

static void bad_request(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v1_refuse(sync, in, TL__V1_BAD_REQUEST, "");
}

static bool is_available(const tl__sync *sync, const tl__work_rights *rights, const tl_id *db)
{
	return rights->held && !rights->system && memcmp(db, &sync->own_db, sizeof *db) != 0;
}

static void fail_work(tl__sync *sync, tl__incoming *in, tl__work *work)
{
	if (work->code == TL_E_DATABASE_NOT_FOUND)
		not_available(sync, in);
	else
		tl__serve_internal(sync, in, work);
}

/* Asks which rights the proven keys have, then goes on. */
static void ask_rights(tl__sync *sync, tl__incoming *in, void (*done)(void *sync, tl__work *work))
{
	tl__work *work = tl__serve_work(sync, in, TL__WORK_ACCESS, done);

	if (!work)
		return;
	work->access.keys = in->proven; /* the request outlives its works */
	work->access.key_count = in->proven_count;
	tl__sync_give_work(sync, work);
}

static void answer_args(tl__sync *sync, tl__incoming *in, tl__buf *args, tl__buf *body)
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

	if (!peer) {
		tl__sync_knocked(sync, &in->from, hello->name, in->remote);
		return;
	}
	tl__hello_heard(sync, peer, hello);
	tl__peer_save(sync, peer);
	tl__peer_wake(sync, peer);
}

static void serve_hello(tl__sync *sync, tl__incoming *in)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_hello hello;

	if (tl__v1_read_hello(&hello, in->args, &in->arena) != TL_OK || in->body.len > 0 ||
		memcmp(&hello.key, &in->from, sizeof hello.key) != 0) {
		bad_request(sync, in);
		return;
	}
	if (!in->anonymous)
		note_hello(sync, in, &hello);
	tl__hello_write(sync, &args);
	answer_args(sync, in, &args, &body);
}

/* --- list ------------------------------------------------------------------------------------- */

/* Databases whose lines fit a body; the work's are ascending. */
static bool write_list(tl__sync *sync, tl__incoming *in, const tl__work_list *list,
	const tl__v1_list *wish, tl__buf *body)
{
	for (size_t i = 0; i < list->db_count; i++) {
		const tl__work_db *db = &list->dbs[i];
		tl__v1_line line = {.kind = TL__V1_LINE_DATABASE,
			.has_id = true,
			.id = db->id,
			.arrivals = db->arrivals,
			.tip_count = db->tip_count};

		if ((wish->has_after && memcmp(&db->id, &wish->after, sizeof db->id) <= 0) ||
			!tl__serve_may_list(sync, in, &db->id))
			continue;
		if (body->len + (TL_ID_TEXT_LEN + 16) * (db->tip_count + 2) > TL__V1_MAX_BODY_BYTES)
			return true;
		memcpy(line.tips, db->tips, db->tip_count * sizeof *db->tips);
		tl__v1_write_line(body, &line);
	}
	return false;
}

static void listed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_list wish;

	if (!in)
		return;
	if (work->code != TL_OK || tl__v1_read_list(&wish, in->args) != TL_OK) {
		tl__serve_internal(sync, in, work);
	} else {
		tl__v1_write_listing(&args, write_list(sync, in, &work->list, &wish, &body));
		answer_args(sync, in, &args, &body);
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
		bad_request(sync, in);
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_LIST, listed);
	if (!work)
		return;
	related = tl__arena_alloc(&work->arena, count_relations(peer), sizeof *related);
	for (tl__pair *pair = related && peer ? peer->pairs : NULL; pair; pair = pair->next_of_peer)
		if (tl__sync_related(sync, &in->from, &pair->db->id))
			related[work->list.related_count++] = pair->db->id;
	work->list.related = related;
	work->list.keys = in->proven;
	work->list.key_count = in->proven_count;
	tl__sync_give_work(sync, work);
}

/* --- pull ------------------------------------------------------------------------------------- */

struct id_room {
	tl_id *ids;
	size_t count;
};

static int add_id(tl__incoming *in, struct id_room *room, size_t limit, const tl_id *id)
{
	if (!room->ids) /* a body bounds how many there are; lines are at least this long */
		room->ids = tl__arena_alloc(&in->arena,
			in->body.len / TL_ID_TEXT_LEN + 1 < limit
				? in->body.len / TL_ID_TEXT_LEN + 1
				: limit,
			sizeof *room->ids);
	if (!room->ids)
		return TL_E_NOMEM;
	room->ids[room->count++] = *id;
	return TL_OK;
}

struct pull_lines {
	struct id_room tips, have, want;
};

static int read_pull_lines(tl__incoming *in, struct pull_lines *lines)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_PULL, in->body, &in->pull.tips);

	while (rc == TL_OK) {
		rc = tl__v1_body_next(&body, &line, &end);
		if (rc != TL_OK || end)
			break;
		if (line.kind == TL__V1_LINE_TIP)
			rc = add_id(in, &lines->tips, TL__V1_MAX_TIPS, &line.id);
		else if (line.kind == TL__V1_LINE_HAVE)
			rc = add_id(in, &lines->have, TL__V1_MAX_HAVE, &line.id);
		else
			rc = add_id(in, &lines->want, TL__V1_MAX_WANT, &line.id);
	}
	return rc;
}

/* Whether it is a place of this store at all; the number and chain are looked up by the work. */
static bool is_ours(const tl__sync *sync, const tl__v1_cursor *cursor)
{
	return memcmp(cursor->incarnation, sync->incarnation, sizeof sync->incarnation) == 0;
}

static tl__work_place place_of(const tl__v1_cursor *cursor)
{
	tl__work_place place = {.n = cursor->n};

	memcpy(place.c, cursor->c, sizeof place.c);
	return place;
}

static tl__v1_cursor cursor_of(const tl__sync *sync, const tl__work_place *place)
{
	tl__v1_cursor cursor = {.n = place->n};

	memcpy(cursor.incarnation, sync->incarnation, sizeof cursor.incarnation);
	memcpy(cursor.c, place->c, sizeof cursor.c);
	return cursor;
}

/* The peer says how far it has got in our order: our acknowledged number of this relation. */
static void heard_seen(tl__sync *sync, tl__incoming *in, const tl__v1_cursor *seen, bool valid)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);

	if (!pair)
		return;
	if (!valid) {
		tl__pair_restart(sync, pair);
	} else if (seen->n > pair->ack) {
		pair->ack = seen->n;
		if (pair->offered < pair->ack)
			pair->offered = pair->ack;
		tl__pair_save(sync, pair);
	}
}

static void write_tips(tl__buf *body, tl__v1_page *page, const tl__work_page *work)
{
	page->has_tips = true;
	page->tips.count = work->our_tip_count;
	page->tips.hashed = work->our_tip_count > TL__V1_MAX_TIPS;
	memcpy(page->tips.sha256, work->tips_hash, sizeof page->tips.sha256);
	for (size_t i = 0; i < work->our_tip_count && !page->tips.hashed; i++)
		tl__v1_write_id(body, TL__V1_LINE_TIP, &work->our_tips[i]);
}

/* A peer that takes pages gets everything so: pushing the same beside it would send all twice. It
 * is held back a little behind each page, and then asks first what it has got. */
static void hold_pushes(tl__sync *sync, const tl__incoming *in, bool more)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);

	if (!pair || (!more && !pair->look_first))
		return;
	pair->look_first = true;
	pair->pulling_until = sync->now + (more ? TL__SERVE_PULLING_MS : TL__SERVE_PULLED_MS);
}

static void answer_page(tl__sync *sync, tl__incoming *in, tl__work_page *work)
{
	tl__v1_page page = {.more = work->more, .cursor = cursor_of(sync, &work->next)};
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	page.cursor_valid =
		work->cursor_valid && (!in->pull.has_cursor || is_ours(sync, &in->pull.cursor));
	page.seen_valid = work->seen_valid && (!in->pull.has_seen || is_ours(sync, &in->pull.seen));
	if (in->pull.has_seen)
		heard_seen(sync, in, &in->pull.seen, page.seen_valid);
	hold_pushes(sync, in, work->more);
	if (!work->more)
		write_tips(&body, &page, work);
	/* A large entry travels alone; what is absent is told when it is asked for again. */
	for (size_t i = 0; i < work->absent_count &&
			   (!work->count || work->lines[0].len < TL__V1_MAX_BODY_BYTES);
		i++)
		tl__v1_write_id(&body, TL__V1_LINE_ABSENT, &work->absent[i]);
	for (size_t i = 0; i < work->count; i++)
		tl__v1_write_entry(&body, work->lines[i]);
	tl__v1_write_page(&args, &page);
	answer_args(sync, in, &args, &body);
}

static void paged(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	if (work->code != TL_OK)
		fail_work(sync, in, work);
	else
		answer_page(sync, in, &work->page);
	tl__work_free(work);
}

static void ask_page(tl__sync *sync, tl__incoming *in)
{
	struct pull_lines lines = {0};
	tl__work *work;

	if (read_pull_lines(in, &lines) != TL_OK) {
		bad_request(sync, in);
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_PAGE, paged);
	if (!work)
		return;
	work->page = (tl__work_page){.tips = lines.tips.ids,
		.tip_count = lines.tips.count,
		.have = lines.have.ids,
		.have_count = lines.have.count,
		.want = lines.want.ids,
		.want_count = lines.want.count,
		.has_cursor = in->pull.has_cursor && is_ours(sync, &in->pull.cursor),
		.cursor = place_of(&in->pull.cursor),
		.has_seen = in->pull.has_seen && is_ours(sync, &in->pull.seen),
		.seen = place_of(&in->pull.seen),
		.max_bytes = in->pull.budget < TL__V1_MAX_BODY_BYTES ? (size_t)in->pull.budget
								     : TL__V1_MAX_BODY_BYTES,
		.max_entries = TL__V1_MAX_PAGE_ENTRIES};
	tl__sync_give_work(sync, work);
}

static void pull_allowed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);

	if (!in)
		return;
	if (work->code != TL_OK)
		fail_work(sync, in, work);
	else if (!is_available(sync, &work->access.rights, &in->db) ||
		 !tl__serve_may_read(sync, in, &work->access.rights))
		not_available(sync, in);
	else
		ask_page(sync, in);
	tl__work_free(work);
}

static void serve_pull(tl__sync *sync, tl__incoming *in)
{
	if (tl__v1_read_pull(&in->pull, in->args) != TL_OK)
		bad_request(sync, in);
	else
		ask_rights(sync, in, pull_allowed);
}

/* --- push ------------------------------------------------------------------------------------- */

static tl__v1_fate wire_fate(tl__fate_kind kind)
{
	static const tl__v1_fate fates[] = {[TL__FATE_VERIFIED] = TL__V1_FATE_VERIFIED,
		[TL__FATE_VOID] = TL__V1_FATE_VOID,
		[TL__FATE_KNOWN] = TL__V1_FATE_KNOWN,
		[TL__FATE_PENDING] = TL__V1_FATE_PENDING,
		[TL__FATE_INVALID] = TL__V1_FATE_INVALID,
		[TL__FATE_DECLINED] = TL__V1_FATE_DECLINED};

	return fates[kind];
}

static void write_fate(tl__buf *body, const tl__ingest_result *result, const tl__fate *fate)
{
	tl__v1_line line = {.kind = TL__V1_LINE_FATE,
		.has_id = fate->has_id,
		.id = fate->id,
		.fate = wire_fate(fate->kind)};

	if (fate->kind == TL__FATE_INVALID || fate->kind == TL__FATE_DECLINED)
		line.code = tl__str_z(tl_error_name(fate->code));
	if (fate->kind == TL__FATE_PENDING)
		while (line.waits_count < TL__V1_MAX_WAITS &&
			line.waits_count < result->missing_count) {
			line.waits_for[line.waits_count] = result->missing[line.waits_count];
			line.waits_count++;
		}
	tl__v1_write_line(body, &line);
}

static void answer_push(tl__sync *sync, tl__incoming *in, tl__work_ingest *ingest)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_fates fates;

	fates.seen_valid =
		ingest->since_valid && (!in->push.has_seen || is_ours(sync, &in->push.seen));
	fates.has_cursor = fates.seen_valid;
	fates.cursor = cursor_of(sync, &ingest->cursor);
	if (in->push.has_seen)
		heard_seen(sync, in, &in->push.seen, fates.seen_valid);
	for (size_t i = 0; i < ingest->page.count; i++)
		write_fate(&body, &ingest->result, &ingest->result.fates[i]);
	tl__v1_write_fates(&args, &fates);
	answer_args(sync, in, &args, &body);
}

static void ingested(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_find(sync, work->owner);

	/* What was stored counts whether or not somebody still waits for the answer. */
	if (in)
		tl__sync_ingest_ends(
			sync, tl__sync_find_pair(sync, &in->from, &work->db), &in->from, work);
	for (size_t i = 0; in && i < work->ingest.result.missing_database_count; i++)
		tl__sync_want_delegated(sync, &in->from, &work->ingest.result.missing_databases[i]);
	in = tl__serve_worked(sync, work);
	if (!in)
		return;
	if (work->code != TL_OK)
		fail_work(sync, in, work);
	else
		answer_push(sync, in, &work->ingest);
	tl__work_free(work);
}

static int read_push_lines(tl__incoming *in, tl__arena *arena, tl__ingest_page *page)
{
	tl__v1_body body;
	tl__v1_line line;
	tl_str *lines = NULL;
	size_t cap = 0;
	bool end = false;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_PUSH, in->body, NULL);

	while (rc == TL_OK) {
		void *array = lines;

		rc = tl__v1_body_next(&body, &line, &end);
		if (rc != TL_OK || end)
			break;
		rc = tl__arena_grow(arena, &array, &cap, page->count, sizeof *lines);
		lines = array;
		if (rc == TL_OK)
			lines[page->count++] = line.entry;
	}
	page->lines = lines;
	return rc;
}

static void ask_ingest(tl__sync *sync, tl__incoming *in, bool accept_unknown)
{
	tl__pair *pair = tl__sync_find_pair(sync, &in->from, &in->db);
	tl__work *work = tl__serve_work(sync, in, TL__WORK_INGEST, ingested);
	char text[TL_KEY_TEXT_LEN + 1];

	if (!work)
		return;
	tl_key_format(&in->from, text);
	work->ingest.page = (tl__ingest_page){.db = in->db,
		.form = TL_ENTRY_CANONICAL,
		.sender = tl__arena_str(&work->arena, tl__str_z(text)),
		.related = tl__sync_related(sync, &in->from, &in->db) != NULL,
		.accept_unknown = accept_unknown};
	work->ingest.has_since = true;
	/* A place of another store is none of ours: 0 stands for it and the answer says so. */
	if (in->push.has_seen && is_ours(sync, &in->push.seen))
		work->ingest.since = place_of(&in->push.seen);
	if (!work->ingest.page.sender.ptr ||
		read_push_lines(in, &work->arena, &work->ingest.page) != TL_OK) {
		in->works--;
		tl__work_free(work);
		bad_request(sync, in);
		return;
	}
	tl__sync_ingest_begins(sync, pair);
	tl__sync_give_work(sync, work);
}

static void push_allowed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);
	const tl__work_rights *rights = &work->access.rights;
	bool available;

	if (!in)
		return;
	available = is_available(sync, rights, &in->db);
	if (work->code != TL_OK)
		fail_work(sync, in, work);
	else if (!rights->held && tl__serve_may_create(sync, in))
		ask_ingest(sync, in, true);
	else if (available && tl__serve_may_write(sync, in, rights))
		ask_ingest(sync, in, false);
	else if (available && tl__serve_may_read(sync, in, rights))
		tl__serve_v1_refuse(sync, in, TL__V1_NOT_PERMITTED, "insufficient_permissions");
	else
		not_available(sync, in);
	tl__work_free(work);
}

static void serve_push(tl__sync *sync, tl__incoming *in)
{
	if (tl__v1_read_push(&in->push, in->args) != TL_OK)
		bad_request(sync, in);
	else
		ask_rights(sync, in, push_allowed);
}

/* --- access ----------------------------------------------------------------------------------- */

static void answer_access(tl__sync *sync, tl__incoming *in, const tl__v1_access_answer *answer)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	tl__v1_write_access_answer(&args, answer);
	answer_args(sync, in, &args, &body);
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

static void decide_access(
	tl__sync *sync, tl__incoming *in, const tl__work_rights *rights, size_t key)
{
	tl__v1_access_answer answer = {.result = TL__V1_ACCESS_REFUSED};
	tl__access_wish wish = {in->access.key, in->access.name, in->access.permission, in->db,
		in->transport, in->remote, true};
	char id[37];

	if (holds(rights, key, in->access.permission, &answer.permission)) {
		answer.result = TL__V1_ACCESS_GRANTED;
	} else if (tl__serve_may_ask(sync, in) == TL_POLICY_DENY) {
		answer.code = TL__STR("not_permitted");
	} else if (tl__serve_keep_wish(sync, &wish, id) != TL_OK) {
		answer.code = TL__STR("busy");
	} else {
		answer.result = TL__V1_ACCESS_PENDING;
		answer.request_id = tl__str_z(id);
	}
	answer_access(sync, in, &answer);
}

static void access_known(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);
	size_t key = 0;

	if (!in)
		return;
	while (key < in->proven_count &&
		memcmp(&in->proven[key], &in->access.key, sizeof(tl_key)) != 0)
		key++;
	if (work->code != TL_OK)
		fail_work(sync, in, work);
	else if (!is_available(sync, &work->access.rights, &in->db))
		not_available(sync, in);
	else if (key == in->proven_count)
		bad_request(sync, in);
	else
		decide_access(sync, in, &work->access.rights, key);
	tl__work_free(work);
}

static void serve_access(tl__sync *sync, tl__incoming *in)
{
	if (tl__v1_read_access(&in->access, in->args, &in->arena) != TL_OK || in->body.len > 0)
		bad_request(sync, in);
	else
		ask_rights(sync, in, access_known);
}

/* --- dispatch --------------------------------------------------------------------------------- */

void tl__serve_method(tl__sync *sync, tl__incoming *in)
{
	switch (in->method) {
	case TL__V1_HELLO: serve_hello(sync, in); break;
	case TL__V1_LIST: serve_list(sync, in); break;
	case TL__V1_PULL: serve_pull(sync, in); break;
	case TL__V1_PUSH: serve_push(sync, in); break;
	case TL__V1_ACCESS: serve_access(sync, in); break;
	case TL__V1_METHOD_COUNT: tl__serve_v1_refuse(sync, in, TL__V1_UNKNOWN_METHOD, ""); break;
	}
}
