/* What was set aside and may be free by now: a crash came before its turn. */
#include <string.h>
#include "base/buf.h"
#include "tree/ingest/ingest_run.h"

#define ROWS_AT_ONCE 256

typedef struct listing {
	tl__resumption *r;
	tl__followup *after;
	const tl_id *db;
	size_t rows;
} listing;

static int on_database(void *ud, const tl__db_row *row)
{
	tl__buf_append(ud, &row->db, sizeof row->db);
	return TL_OK;
}

/* Those of the present rules are judged. */
static int on_set_aside(void *ud, const tl__aside_row *row)
{
	listing *l = ud;

	l->r->sequence = row->sequence;
	l->rows++;
	if (row->verdict == TL__INVALID && row->rules == TL__RULES_VERSION)
		return TL_OK;
	return tl__foreign_add(&l->after->arena, &l->after->list, l->db, &row->id);
}

static int list_some(tl__snapshot *s, tl__resumption *r, tl__followup *after)
{
	const tl_id *db = (const tl_id *)(const void *)r->dbs.ptr + r->at;
	listing l = {.r = r, .after = after, .db = db};
	int code = tl__read_aside_list(s, db, r->invalid ? TL__INVALID : TL__PENDING, r->sequence,
		ROWS_AT_ONCE, 0, on_set_aside, &l);

	if (code != TL_OK || l.rows == ROWS_AT_ONCE)
		return code;
	r->at += r->invalid;
	r->invalid = !r->invalid;
	r->sequence = 0;
	return TL_OK;
}

int tl__resume_step(tl__tree *tree, tl__resumption *r, tl__followup *after, bool *done)
{
	tl__snapshot *s;
	int code = tl__snapshot_open(tree->store, &s);

	if (code == TL_OK && !r->begun) {
		code = tl__read_databases(s, on_database, &r->dbs);
		if (code == TL_OK)
			code = tl__buf_status(&r->dbs);
		r->begun = true;
	} else if (code == TL_OK) {
		code = list_some(s, r, after);
	}
	tl__snapshot_close(s);
	*done = r->at >= r->dbs.len / TL_ID_BYTES;
	return code;
}

void tl__resumption_free(tl__resumption *r)
{
	tl__buf_free(&r->dbs);
}
