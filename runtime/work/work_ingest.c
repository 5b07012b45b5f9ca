/* Storing what a peer sent: a page of lines, or page by page what an intake holds. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "work/work_serve.h"

static int arrivals_now(tl__tree *tree, const tl_id *db, uint64_t *out)
{
	tl__db_row row = {0};
	tl__snapshot *s;
	int rc = tl__snapshot_open(tree->store, &s);

	*out = 0;
	if (rc != TL_OK)
		return rc;
	rc = tl__read_database(s, db, &row);
	tl__snapshot_close(s);
	if (rc == TL_E_DATABASE_NOT_FOUND)
		return TL_OK;
	*out = row.arrivals;
	return rc;
}

static void count_fates(tl__work_ingest *in)
{
	for (size_t i = 0; i < in->page.count; i++) {
		const tl__fate *fate = &in->result.fates[i];

		in->fates[fate->kind]++;
		if (fate->kind == TL__FATE_DECLINED && in->declined_code == TL_OK)
			in->declined_code = fate->code;
	}
}

static void prepare(tl__tree *tree, tl__ingest_page *page)
{
	/* without memory its lines are read when its turn comes */
	if (page->count > 0 && tl__ingest_prepare(&page->prepared, tree, page) != TL_OK)
		page->prepared = NULL;
}

static int look_ahead(tl__tree *tree, tl__work_ingest *in)
{
	int rc;

	in->ahead = in->page;
	in->ahead.prepared = NULL;
	in->ahead.form = TL_ENTRY_CANONICAL; /* it has brought them into it */
	rc = in->intake->way->next(in->intake, &in->ahead.lines, &in->ahead.count, &in->more_ahead);
	in->has_ahead = rc == TL_OK;
	if (rc == TL_OK)
		prepare(tree, &in->ahead);
	return rc;
}

/* The next page of the intake; *done when it holds nothing more. The page after it is made ready
 * while this one is judged and written. */
static int next_page(tl__tree *tree, tl__work_ingest *in, bool *done)
{
	int rc = in->has_ahead ? TL_OK : look_ahead(tree, in);

	if (rc != TL_OK)
		return rc;
	in->page = in->ahead;
	in->ahead.prepared = NULL;
	in->more = in->more_ahead;
	in->has_ahead = false;
	*done = in->page.count == 0;
	return in->more ? look_ahead(tree, in) : TL_OK;
}

/* Pages of peers that we exchange this database with are expected to be good; of others' each line
 * is looked at for what is cheaper first. */
void tl__work_ingest_prepare(tl__tree *tree, tl__work *work)
{
	if (!work->ingest.intake && work->ingest.page.related)
		prepare(tree, &work->ingest.page);
}

static int begin_page(tl__tree *tree, tl__work *work, bool *done)
{
	tl__work_ingest *in = &work->ingest;
	int rc = TL_OK;

	in->more = false;
	if (in->intake)
		rc = next_page(tree, in, done);
	if (rc == TL_OK && in->intake && in->fates[TL__FATE_DECLINED] == 0)
		in->fates[TL__FATE_DECLINED] =
			in->intake->way->refused(in->intake, &in->declined_code);
	if (rc == TL_OK && *done && in->page.local_count == 0) {
		rc = arrivals_now(tree, &work->db, &in->before);
		in->after = in->before;
	}
	in->page.others = work->others;
	in->page.told = true;
	return rc;
}

static int end_page(tl__tree *tree, tl__work *work)
{
	tl__work_ingest *in = &work->ingest;

	count_fates(in);
	in->before = in->result.before;
	in->after = in->result.after;
	return in->has_since ? tl__work_since(tree, work) : TL_OK;
}

static int ingest_some(tl__tree *tree, tl__work *work)
{
	tl__work_ingest *in = &work->ingest;
	bool done = false;
	int rc = in->ingesting ? TL_OK : begin_page(tree, work, &done);

	if (rc != TL_OK || (done && in->page.local_count == 0))
		return rc;
	rc = tl__ingest_piece(tree, &in->page, &in->ingesting, &in->result);
	work->again = in->ingesting != NULL;
	return rc == TL_OK && !work->again ? end_page(tree, work) : rc;
}

/* Nobody reads the page's lines any more when the work is given back, whatever became of it. */
int tl__work_ingest_run(tl__tree *tree, tl__work *work)
{
	int rc = ingest_some(tree, work);

	if (work->again)
		return rc;
	tl__prepared_free(work->ingest.page.prepared);
	work->ingest.page.prepared = NULL;
	return rc;
}
