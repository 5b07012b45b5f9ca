/* v0 SendEntries: entries of any databases in one message. Each database is asked about and
 * ingested apart; what may not be taken is passed over silently, as 0.2.0 expects. */
#include <string.h>
#include "v0/in/in.h"

static void next_group(tl__sync *sync, tl__incoming *in);

/* --- one database after the other ------------------------------------------------------------- */

static void group_done(tl__sync *sync, tl__incoming *in)
{
	tl__v0_in(in)->group++;
	next_group(sync, in);
}

static void group_ingested(void *core, tl__work *work)
{
	tl__sync *sync = core;
	char source[TL__SOURCE_LEN + 1];
	tl__incoming *in;

	tl__sync_ingest_ends(sync, NULL, NULL, work);
	in = tl__serve_worked(sync, work);
	if (!in)
		return;
	if (work->code == TL_OK) {
		tl__source_of(in->remote, source);
		tl__serve_gave(sync, tl__str_z(source), &work->ingest);
	}
	for (size_t i = 0; work->code == TL_OK && i < work->ingest.page.count; i++)
		tl__v0_in(in)->stored += work->ingest.result.fates[i].kind < TL__FATE_INVALID;
	if (work->code != TL_OK && work->code != TL_E_DATABASE_NOT_FOUND)
		tl__log_about(sync->log, TL_LOG_ERROR, "sync", TL__STR(""),
			"entries of %s were not stored: %s", in->address,
			tl_error_message(work->error));
	tl__work_free(work);
	group_done(sync, in);
}

/* Strangers share their limits by source. */
static void ingest_group(tl__sync *sync, tl__incoming *in, bool accept_unknown)
{
	tl__work *work = tl__serve_work(sync, in, TL__WORK_INGEST, group_ingested);
	char source[TL__SOURCE_LEN + 1];
	tl__buf sender = TL__BUF_INIT;

	if (!work)
		return;
	tl__source_of(in->remote, source);
	tl__buf_format(&sender, "anonymous:%s", source);
	work->ingest.page = (tl__ingest_page){.db = in->db,
		.lines = tl__v0_read_of(in)->groups[tl__v0_in(in)->group].lines,
		.count = tl__v0_read_of(in)->groups[tl__v0_in(in)->group].count,
		.form = TL_ENTRY_FOREIGN,
		.sender = tl__arena_str(&work->arena, tl__buf_view(&sender)),
		.accept_unknown = accept_unknown};
	tl__buf_free(&sender);
	tl__sync_ingest_begins(sync, NULL);
	tl__sync_give_work(sync, work);
}

static void group_known(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);
	const tl__work_rights *rights = &work->access.rights;
	bool own, take;

	if (!in)
		return;
	own = rights->system || tl__id_equal(&in->db, &sync->own_db);
	take = work->code == TL_OK && !own &&
	       (rights->held ? tl__serve_may_write(sync, in, rights)
			     : tl__serve_may_create(sync, in));
	if (take)
		ingest_group(sync, in, !rights->held);
	else
		group_done(sync, in);
	tl__work_free(work);
}

/* One entry or none is answered by Ack, more by how many were stored. */
static void answer(tl__sync *sync, tl__incoming *in)
{
	tl__buf document = TL__BUF_INIT;

	if (tl__v0_in(in)->request.entry_count <= 1)
		tl__v0_write_ack(&document);
	else
		tl__v0_write_count(&document, tl__v0_in(in)->stored);
	tl__v0_answer(sync, in, &document);
}

static void next_group(tl__sync *sync, tl__incoming *in)
{
	tl__work *work;

	if (tl__v0_in(in)->group == tl__v0_read_of(in)->group_count) {
		answer(sync, in);
		return;
	}
	in->db = tl__v0_read_of(in)->groups[tl__v0_in(in)->group].db;
	work = tl__serve_work(sync, in, TL__WORK_ACCESS, group_known);
	if (work)
		tl__sync_give_work(sync, work);
}

void tl__v0_serve_entries(tl__sync *sync, tl__incoming *in)
{
	char source[TL__SOURCE_LEN + 1];

	tl__source_of(in->remote, source);
	if (tl__serve_shut_ms(sync, tl__str_z(source)) > 0) {
		tl__serve_text(sync, in, 429, "busy: what was sent before is invalid");
		return;
	}
	next_group(sync, in);
}
