#include "work/work.h"

#include "base/fail.h"
#include "base/mem.h"

int tl__work_new(tl__work **out, tl__work_kind kind, const tl_id *db)
{
	tl__work *work = tl__alloc_zero(1, sizeof *work);

	*out = work;
	if (!work)
		return TL_E_NOMEM;
	work->kind = kind;
	if (db)
		work->db = *db;
	return TL_OK;
}

void *tl__work_begin_other(tl__work *work, const tl__work_way *way, size_t size)
{
	work->other.way = way;
	work->other.own = tl__arena_alloc(&work->arena, 1, size);
	return work->other.own;
}

void tl__work_free(tl__work *work)
{
	if (!work)
		return;
	switch (work->kind) {
	case TL__WORK_LOAD:
		tl_value_free(work->load.peers);
		tl_value_free(work->load.trees);
		break;
	case TL__WORK_INGEST:
		tl__ingesting_free(work->ingest.ingesting);
		tl__prepared_free(work->ingest.page.prepared);
		tl__prepared_free(work->ingest.ahead.prepared);
		tl__ingest_result_free(&work->ingest.result);
		tl__intake_free(work->ingest.intake);
		break;
	case TL__WORK_PLAN: tl__work_plan_clear(&work->plan); break;
	case TL__WORK_PAGE: tl__work_page_clear(&work->page); break;
	case TL__WORK_WATCH: tl__work_page_clear(&work->watch.page); break;
	case TL__WORK_OTHER:
		if (work->other.own && work->other.way->clear)
			work->other.way->clear(work->other.own);
		break;
	default: break;
	}
	tl__error_drop(work->error);
	tl__arena_free(&work->arena);
	tl__free(work);
}

static int run(tl__host *host, tl__work *work)
{
	switch (work->kind) {
	case TL__WORK_LOAD: return tl__work_load_run(host, work);
	case TL__WORK_SAVE: return tl__work_save_run(host, work);
	case TL__WORK_INGEST: return tl__work_ingest_run(host->tree, work);
	case TL__WORK_TIPS: return tl__work_tips_run(host->tree, work);
	case TL__WORK_LOOKUP: return tl__work_lookup_run(host->tree, work);
	case TL__WORK_PLAN: return tl__work_plan_run(host->tree, work);
	case TL__WORK_PAGE: return tl__work_page_run(host->tree, work);
	case TL__WORK_ACCESS: return tl__work_access_run(host->tree, work);
	case TL__WORK_LIST: return tl__work_list_run(host->tree, work);
	case TL__WORK_EXPIRE: return tl__work_expire_run(host, work);
	case TL__WORK_GRANT: return tl__work_grant_run(host, work);
	case TL__WORK_WATCH: return tl__work_watch_run(host->tree, work);
	case TL__WORK_MATTERS: return tl__work_matters_run(host->tree, work);
	case TL__WORK_VERIFY: return tl__work_verify_run(work);
	case TL__WORK_OTHER: return work->other.way->run(host->tree, work);
	}
	return tl__fail(TL_E_INTERNAL, "no such store work: %d", (int)work->kind);
}

void tl__work_prepare(tl__host *host, tl__work *work)
{
	if (work->kind == TL__WORK_INGEST)
		tl__work_ingest_prepare(host->tree, work);
}

bool tl__work_slice(tl__host *host, tl__work *work)
{
	tl__error_drop(work->error);
	work->error = NULL;
	work->again = false;
	work->rows = work->bytes = 0;
	work->tree = host->tree;
	work->code = run(host, work);
	if (work->code != TL_OK) {
		work->error = tl__error_keep();
		work->again = false;
	}
	return work->again;
}

void tl__work_run(tl__host *host, tl__work *work)
{
	while (tl__work_slice(host, work))
		;
}

bool tl__work_keeps_place(const tl__work *work)
{
	return work->kind == TL__WORK_INGEST;
}

bool tl__work_is_apart(const tl__work *work)
{
	return work->kind == TL__WORK_VERIFY ||
	       (work->kind == TL__WORK_OTHER && work->other.way->apart);
}
