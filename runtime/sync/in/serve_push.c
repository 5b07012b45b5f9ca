/* v1 push: entries that a peer sends, and the fate of each. */
#include <string.h>
#include "sync/core/core.h"
#include "sync/in/serve.h"

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

/* The sender told which part of its order this was: our place there follows. */
static void follow_place(tl__sync *sync, tl__incoming *in, const tl__work_ingest *ingest)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);
	const tl__v1_cursor *to = &in->push.to;
	bool sure;

	if (!pair || !in->push.has_place || ingest->fates[TL__FATE_DECLINED] > 0 ||
		ingest->fates[TL__FATE_PENDING] > 0)
		return;
	if (pair->has_seen ? !tl__v1_same_store(&pair->seen, to) || pair->seen.n < in->push.from ||
				     pair->seen.n >= to->n
			   : in->push.from > 0)
		return;
	sure = !pair->has_seen || tl__pair_is_sure(pair);
	tl__pair_changed(sync, pair);
	pair->has_seen = true;
	pair->seen = *to;
	if (sure) {
		pair->has_sure = true;
		pair->sure = *to;
	}
	tl__pair_save_cursors(sync, pair);
}

/* When there is one tip, it is what arrived last: our next commit stands on it and is told to
 * watches without a look. */
static void note_joined(tl__sync *sync, const tl__incoming *in, const tl__work_ingest *ingest)
{
	tl__sync_db *db = ingest->tip_count == 1 ? tl__sync_find_db(sync, &in->db) : NULL;

	for (size_t i = 0; db && i < ingest->page.count; i++)
		if (ingest->result.fates[i].arrival == ingest->head) {
			db->joined_at = ingest->head;
			db->joined_tip = ingest->result.fates[i].id;
		}
}

static void answer_push(tl__sync *sync, tl__incoming *in, tl__work_ingest *ingest)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_fates fates = {0};

	fates.seen_valid = ingest->since_valid &&
			   (!in->push.has_seen || tl__serve_is_ours(sync, &in->push.seen));
	fates.has_cursor = fates.seen_valid;
	fates.cursor = tl__serve_cursor_of(sync, &ingest->cursor);
	/* Where we stand is for readers; who brought all that there is knows it. */
	fates.has_state = in->push.state && (in->reads || ingest->before == 0);
	fates.arrivals = ingest->head;
	fates.tip_count = ingest->tip_count;
	memcpy(fates.tips_sha256, ingest->tips_hash, sizeof fates.tips_sha256);
	follow_place(sync, in, ingest);
	note_joined(sync, in, ingest);
	if (in->push.has_seen)
		tl__serve_heard_seen(sync, in, &in->push.seen, fates.seen_valid);
	for (size_t i = 0; i < ingest->page.count; i++)
		write_fate(&body, &ingest->result, &ingest->result.fates[i]);
	tl__v1_write_fates(&args, &fates);
	tl__serve_answer_args(sync, in, &args, &body);
}

static void note_use(tl__sync *sync, const tl__incoming *in, const tl__work *work)
{
	tl__peer *peer = tl__sync_find_peer(sync, &in->from);

	if (work->code != TL_OK)
		return;
	tl__serve_gave(sync, tl__serve_key_name(&in->from), &work->ingest);
	if (peer && tl__ingest_is_junk(&work->ingest))
		(void)tl__peer_fruitless(sync, peer);
	else if (peer && work->ingest.result.entered > 0)
		peer->fruitless = 0;
}

static void ingested(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_find(sync, work->owner);

	/* What was stored counts whether or not somebody still waits for the answer. */
	if (in) {
		tl__sync_ingest_ends(
			sync, tl__sync_find_pair(sync, &in->from, &work->db), &in->from, work);
		note_use(sync, in, work);
		tl__served_took(sync, &in->from, work);
	}
	in = tl__serve_well(sync, work);
	if (!in)
		return;
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
		.related = tl__sync_takes(sync, &in->from, &in->db) != NULL,
		.accept_unknown = accept_unknown};
	work->ingest.has_since = true;
	/* A place of another store is none of ours: 0 stands for it and the answer says so. */
	if (in->push.has_seen && tl__serve_is_ours(sync, &in->push.seen))
		work->ingest.since = tl__serve_place_of(&in->push.seen);
	if (!work->ingest.page.sender.ptr ||
		read_push_lines(in, &work->arena, &work->ingest.page) != TL_OK) {
		in->works--;
		tl__work_free(work);
		tl__serve_bad_request(sync, in);
		return;
	}
	tl__sync_ingest_begins(sync, pair);
	tl__sync_give_work(sync, work);
}

/* It is allowed to. */
static void take(tl__sync *sync, tl__incoming *in, bool accept_unknown)
{
	if (tl__serve_owes(sync, in))
		return;
	tl__serve_spend(sync, in, in->body.len);
	ask_ingest(sync, in, accept_unknown);
}

static void push_allowed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_well(sync, work);
	const tl__work_rights *rights = &work->access.rights;
	bool available;

	if (!in)
		return;
	available = tl__serve_is_available(sync, rights, &in->db);
	if (!rights->held && tl__serve_may_create(sync, in))
		take(sync, in, true);
	else if (available && tl__serve_may_write(sync, in, rights)) {
		in->reads = in->push.state && tl__serve_may_read(sync, in, rights);
		take(sync, in, false);
	} else if (available && tl__serve_may_read(sync, in, rights))
		tl__serve_v1_refuse(sync, in, TL__V1_NOT_PERMITTED, "insufficient_permissions");
	else
		tl__serve_not_available(sync, in);
	tl__work_free(work);
}

void tl__serve_push(tl__sync *sync, tl__incoming *in)
{
	uint32_t shut_ms = tl__serve_shut_ms(sync, tl__serve_key_name(&in->from));

	if (tl__v1_read_push(&in->push, in->args) != TL_OK)
		tl__serve_bad_request(sync, in);
	else if (shut_ms > 0)
		tl__serve_v1_busy(sync, in, "invalid_entries", shut_ms);
	else
		tl__serve_ask_rights(sync, in, push_allowed);
}
