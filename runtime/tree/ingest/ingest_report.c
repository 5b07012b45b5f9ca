/* What a page's sender is told after a turn: fates, and what to send next. */
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "model/ids.h"
#include "tree/ingest/ingest_run.h"

/* --- fates ------------------------------------------------------------------------------------ */

static const tl__fate_kind kinds[] = {
	[TL__ITEM_OPEN] = TL__FATE_DECLINED,
	[TL__ITEM_GOOD] = TL__FATE_VERIFIED,
	[TL__ITEM_BAD] = TL__FATE_INVALID,
	[TL__ITEM_PENDING] = TL__FATE_PENDING,
	[TL__ITEM_DECLINED] = TL__FATE_DECLINED,
};

tl__fate tl__run_fate(const tl__run *run, const tl__line *line)
{
	tl__fate fate = {.kind = TL__FATE_DECLINED, .code = line->declined};
	const tl__item *item;

	if (!line->entry)
		return fate;
	fate.id = *tl_entry_id(line->entry);
	fate.has_id = true;
	if (line->declined != TL_OK)
		return fate;
	item = tl__run_find(run, &fate.id);
	if (item == &tl__mark_in_dag) {
		fate.kind = TL__FATE_KNOWN;
		return fate;
	}
	fate.kind =
		item->state == TL__ITEM_BAD && item->enters ? TL__FATE_VOID : kinds[item->state];
	fate.code = item->state == TL__ITEM_GOOD ? TL_OK : item->reason;
	fate.arrival = item->arrival;
	return fate;
}

/* --- what is missing -------------------------------------------------------------------------- */

typedef struct search {
	const tl__run *run;
	tl__map seen;
	tl__buf ids;        /* to be looked at */
	tl__buf *missing;   /* ids, also of turns before */
	tl__buf *databases; /* likewise */
	bool held, pending;
} search;

static int want(tl__buf *list, const tl_id *id)
{
	if (list->len / TL_ID_BYTES >= TL__INGEST_MAX_MISSING)
		return TL_OK;
	tl__buf_append(list, id, sizeof *id);
	return tl__buf_status(list);
}

static int want_database(search *s, const tl_id *db)
{
	for (size_t at = 0; at < s->databases->len; at += TL_ID_BYTES)
		if (memcmp(s->databases->ptr + at, db, TL_ID_BYTES) == 0)
			return TL_OK;
	return want(s->databases, db);
}

static int on_wait(void *ud, const tl_id *id)
{
	search *s = ud;

	tl__buf_append(&s->ids, id, sizeof *id);
	return TL_OK;
}

static int on_entry(void *ud, const tl__entry_row *row)
{
	(void)row;
	((search *)ud)->held = true;
	return TL_OK;
}

static int on_aside(void *ud, const tl__aside_row *row)
{
	search *s = ud;

	s->held = true;
	s->pending = row->verdict == TL__PENDING && row->reason == TL_E_WAITS_FOR_PARENT;
	return TL_OK;
}

/* An id that no item of the turn tells about. */
static int look_in_store(search *s, const tl_id *id)
{
	tl__snapshot *snapshot = s->run->snapshot;
	const tl_id *db = &s->run->db;
	int code;

	s->held = s->pending = false;
	code = tl__read_entries(snapshot, db, id, 1, 0, on_entry, s);
	if (code == TL_OK && !s->held)
		code = tl__read_asides(snapshot, db, id, 1, 0, on_aside, s);
	if (code == TL_OK && s->pending)
		code = tl__read_waits(snapshot, db, id, on_wait, s);
	if (code == TL_OK && !s->held)
		code = want(s->missing, id);
	return code;
}

static int look_at(search *s, const tl_id *id)
{
	const tl__item *item = tl__run_find(s->run, id);
	int code;

	if (tl__map_has(&s->seen, tl__map_key_id(id)))
		return TL_OK;
	code = tl__map_set(&s->seen, tl__map_key_id(id), s);
	if (code != TL_OK)
		return code;
	if (item == &tl__mark_unknown)
		return want(s->missing, id);
	if (!tl__item_real(item))
		return item == &tl__mark_in_dag ? TL_OK : look_in_store(s, id);
	if (item->state == TL__ITEM_DECLINED)
		return TL_OK;
	if (!tl__id_equal(&item->waits_db, &s->run->db) && item->wait_count > 0)
		return want_database(s, &item->waits_db);
	tl__buf_append(&s->ids, item->waits, item->wait_count * sizeof *item->waits);
	return tl__buf_status(&s->ids);
}

/* From the pending entries up to what nobody has. */
static int search_from(search *s)
{
	int code = tl__buf_status(&s->ids);

	while (code == TL_OK && s->ids.len > 0) {
		tl_id id;

		s->ids.len -= TL_ID_BYTES;
		memcpy(&id, s->ids.ptr + s->ids.len, sizeof id);
		code = look_at(s, &id);
	}
	return code;
}

int tl__run_missing(tl__run *run, const tl__fate *fates, const size_t *window, size_t count,
	tl__buf *missing, tl__buf *databases)
{
	search s = {.run = run, .missing = missing, .databases = databases};
	int code;

	tl__map_init(&s.seen);
	for (size_t i = 0; i < count; i++)
		if (fates[window[i]].kind == TL__FATE_PENDING)
			tl__buf_append(&s.ids, &fates[window[i]].id, TL_ID_BYTES);
	code = search_from(&s);
	tl__map_free(&s.seen);
	tl__buf_free(&s.ids);
	return code;
}
