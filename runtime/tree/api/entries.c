/* Entries of a database: single ones, tips, and walks in both orders. */
#include <string.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"
#include "base/str.h"
#include "tree/api/handles.h"

/* Entries read in one turn of a walk, and of their bytes when they are read too. */
#define PAGE_ENTRIES 1000
#define PAGE_BYTES   (1024u * 1024)

/* --- lists ------------------------------------------------------------------------------------ */

static int give_ids(tl__ids *ids, int code, tl_id_visit visit, void *ud)
{
	for (size_t i = 0; i < ids->count && code == TL_OK; i++)
		code = visit(ud, &ids->at[i]);
	tl__ids_free(ids);
	return code == TL_STOP ? TL_OK : code;
}

TL__PUBLIC(tl_database_tips, db && visit,
	(tl_database *db, tl_id_visit visit, void *ud), (db, visit, ud))
{
	tl__snapshot *s;
	tl__ids ids = {0};
	int code = tl__database_snapshot(db, &s);

	if (code == TL_OK)
		code = tl__read_tips(s, &db->id, TL__STR(""), tl__ids_visit, &ids);
	tl__snapshot_close(s);
	tl__ids_sort(&ids);
	return give_ids(&ids, code, visit, ud);
}

typedef struct name_list {
	tl__arena arena;
	tl_str *at;
	size_t count, cap;
} name_list;

static int note_name(void *ud, tl_str name)
{
	name_list *list = ud;
	void *array = list->at;
	int code = tl__arena_grow(&list->arena, &array, &list->cap, list->count, sizeof *list->at);

	if (code != TL_OK)
		return code;
	list->at = array;
	list->at[list->count] = tl__arena_str(&list->arena, name);
	return list->at[list->count++].ptr ? TL_OK : TL_E_NOMEM;
}

TL__PUBLIC(tl_database_store_names, db && visit,
	(tl_database *db, tl_name_visit visit, void *ud), (db, visit, ud))
{
	tl__snapshot *s;
	name_list list = {.arena = TL__ARENA_INIT};
	int code = tl__database_snapshot(db, &s);

	if (code == TL_OK)
		code = tl__read_store_names(s, &db->id, note_name, &list);
	tl__snapshot_close(s);
	for (size_t i = 0; i < list.count && code == TL_OK; i++)
		code = visit(ud, list.at[i]);
	tl__arena_free(&list.arena);
	return code == TL_STOP ? TL_OK : code;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Copies of rows, so that visitors run without the store. */
typedef struct page {
	tl__arena arena;
	tl_entry_info *at;
	tl_str *bytes;
	size_t count, cap, byte_cap;
	size_t total;
	bool with_bytes;
} page;

static void page_clear(page *p)
{
	bool with_bytes = p->with_bytes;

	tl__arena_free(&p->arena);
	*p = (page){.arena = TL__ARENA_INIT, .with_bytes = with_bytes};
}

static int copy_info(tl__arena *arena, const tl__entry_row *row, tl_entry_info *out)
{
	tl_id *parents = tl__arena_alloc(arena, row->parent_count + 1, sizeof *parents);

	if (!parents)
		return TL_E_NOMEM;
	if (row->parent_count > 0)
		memcpy(parents, row->parents, row->parent_count * sizeof *parents);
	*out = (tl_entry_info){
		.size = sizeof *out,
		.id = row->id,
		.arrival = row->arrival,
		.height = row->height,
		.bytes = row->size,
		.is_void = row->verdict == TL__VOID,
		.parents = parents,
		.parent_count = row->parent_count,
	};
	return TL_OK;
}

static int page_row(void *ud, const tl__entry_row *row)
{
	page *p = ud;
	void *infos = p->at, *bytes = p->bytes;
	int code = tl__arena_grow(&p->arena, &infos, &p->cap, p->count, sizeof *p->at);

	if (code == TL_OK)
		code = tl__arena_grow(&p->arena, &bytes, &p->byte_cap, p->count, sizeof *p->bytes);
	if (code != TL_OK)
		return code;
	p->at = infos;
	p->bytes = bytes;
	code = copy_info(&p->arena, row, &p->at[p->count]);
	if (code == TL_OK && p->with_bytes) {
		p->bytes[p->count] = tl__arena_str(&p->arena, row->bytes);
		code = p->bytes[p->count].ptr ? TL_OK : TL_E_NOMEM;
		p->total += row->bytes.len;
	}
	p->count += code == TL_OK;
	return code == TL_OK && p->total > PAGE_BYTES ? TL__STORE_STOP : code;
}

/* One turn of arrivals above `since`. */
static int read_page(tl_database *db, uint64_t since, uint64_t last, size_t limit, page *p)
{
	unsigned with = p->with_bytes ? TL__WITH_BYTES : TL__WITH_PARENTS;
	tl__snapshot *s;
	int code = tl__database_snapshot(db, &s);

	page_clear(p);
	if (code == TL_OK)
		code = tl__read_arrivals(s, &db->id, since + 1, last,
			limit < PAGE_ENTRIES ? limit : PAGE_ENTRIES, with, page_row, p);
	tl__snapshot_close(s);
	return code;
}

TL__PUBLIC(tl_database_arrival, db && out, (tl_database *db, uint64_t *out), (db, out))
{
	tl__snapshot *s;
	tl__db_row row = {0};
	int code = tl__database_check(db);

	*out = code == TL_OK ? tl__store_newest(db->host->tree->store, &db->id) : 0;
	if (code != TL_OK || *out > 0)
		return code;
	code = tl__database_snapshot(db, &s);
	if (code == TL_OK)
		code = tl__read_database(s, &db->id, &row);
	tl__snapshot_close(s);
	*out = row.arrivals;
	return code;
}

/* A number that was given out once is never taken back here. */
static int check_since(uint64_t since, uint64_t last)
{
	if (since <= last)
		return TL_OK;
	return tl__fail(TL_E_INDEX_OUT_OF_BOUNDS,
		"changes after the arrival %llu were asked for, and the newest entry here is %llu: "
		"that number is of another copy of the database; start again from 0",
		(unsigned long long)since, (unsigned long long)last);
}

TL__PUBLIC(tl_database_changes, db && visit,
	(tl_database *db, uint64_t since, size_t limit, tl_info_visit visit, void *ud),
	(db, since, limit, visit, ud))
{
	page p = {.arena = TL__ARENA_INIT};
	size_t left = limit > 0 ? limit : SIZE_MAX;
	uint64_t last;
	int code = tl_database_arrival(db, &last);

	if (code == TL_OK)
		code = check_since(since, last);
	while (code == TL_OK && since < last && left > 0) {
		code = read_page(db, since, last, left, &p);
		if (code == TL_OK && p.count == 0)
			break;
		for (size_t i = 0; i < p.count && code == TL_OK; i++)
			code = visit(ud, &p.at[i]);
		if (p.count > 0)
			since = p.at[p.count - 1].arrival;
		left -= p.count;
	}
	page_clear(&p);
	return code == TL_STOP ? TL_OK : code;
}

TL__PUBLIC(tl_database_export, db && visit,
	(tl_database *db, tl_export_visit visit, void *ud), (db, visit, ud))
{
	page p = {.arena = TL__ARENA_INIT, .with_bytes = true};
	uint64_t since = 0, last;
	int code = tl_database_arrival(db, &last);

	while (code == TL_OK && since < last) {
		code = read_page(db, since, last, SIZE_MAX, &p);
		if (code == TL_OK && p.count == 0)
			break;
		for (size_t i = 0; i < p.count && code == TL_OK; i++)
			code = visit(ud, p.at[i].arrival, p.bytes[i]);
		if (p.count > 0)
			since = p.at[p.count - 1].arrival;
	}
	page_clear(&p);
	return code == TL_STOP ? TL_OK : code;
}

/* --- by height -------------------------------------------------------------------------------- */

static int note_height(void *ud, const tl__entry_row *row)
{
	uint64_t *highest = ud;

	if (row->height > *highest)
		*highest = row->height;
	return TL_OK;
}

/* Every height from 0 to the highest has an entry, so the newest `limit` lie above this stamp. */
static int start_of_log(
	tl__snapshot *s, const tl_id *db, size_t limit, tl__stamp *after, bool *whole)
{
	tl__ids tips = {0};
	uint64_t highest = 0;
	int code = tl__read_tips(s, db, TL__STR(""), tl__ids_visit, &tips);

	if (code == TL_OK)
		code = tl__read_entries(s, db, tips.at, tips.count, 0, note_height, &highest);
	tl__ids_free(&tips);
	*whole = limit == 0 || limit > highest;
	memset(after, 0xff, sizeof *after);
	after->height = *whole ? 0 : highest - limit;
	return code;
}

typedef struct log_walk {
	page p;
	tl__stamp last;
} log_walk;

static int log_row(void *ud, const tl__entry_row *row)
{
	log_walk *walk = ud;

	walk->last = (tl__stamp){row->height, row->id};
	return page_row(&walk->p, row);
}

/* Goes from `after` to the end, passing over `skip` entries; visit NULL only counts. */
static int walk_log(tl_database *db, tl__snapshot *s, const tl__stamp *after, size_t skip,
	tl_info_visit visit, void *ud, size_t *count)
{
	log_walk walk = {.p = {.arena = TL__ARENA_INIT}};
	int code = TL_OK;

	*count = 0;
	do {
		page_clear(&walk.p);
		code = tl__read_by_height(s, &db->id, TL__STR(""), after, PAGE_ENTRIES,
			TL__WITH_PARENTS, log_row, &walk);
		for (size_t i = 0; i < walk.p.count && code == TL_OK; i++)
			if ((*count)++ >= skip && visit)
				code = visit(ud, &walk.p.at[i]);
		after = &walk.last;
	} while (code == TL_OK && walk.p.count > 0);
	page_clear(&walk.p);
	return code;
}

TL__PUBLIC(tl_database_log, db && visit,
	(tl_database *db, size_t limit, tl_info_visit visit, void *ud), (db, limit, visit, ud))
{
	tl__snapshot *s;
	tl__stamp after;
	size_t count = 0, skip = 0;
	bool whole;
	int code = tl__database_snapshot(db, &s);

	if (code != TL_OK)
		return code;
	code = start_of_log(s, &db->id, limit, &after, &whole);
	if (code == TL_OK && limit > 0) {
		code = walk_log(db, s, whole ? NULL : &after, 0, NULL, NULL, &count);
		skip = count > limit ? count - limit : 0;
	}
	if (code == TL_OK)
		code = walk_log(db, s, whole ? NULL : &after, skip, visit, ud, &count);
	tl__snapshot_close(s);
	return code == TL_STOP ? TL_OK : code;
}

/* --- single entries --------------------------------------------------------------------------- */

static int no_such_entry(const tl_database *db, const tl_id *id)
{
	char entry[TL_ID_TEXT_LEN + 1], root[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, entry);
	tl_id_format(&db->id, root);
	return tl__fail(TL_E_ENTRY_NOT_FOUND, "database %s has no entry %s", root, entry);
}

/* The row of one entry; TL_E_ENTRY_NOT_FOUND. */
static int read_one(tl_database *db, const tl_id *id, page *p)
{
	unsigned with = p->with_bytes ? TL__WITH_BYTES : TL__WITH_PARENTS;
	tl__snapshot *s;
	int code = tl__database_snapshot(db, &s);

	if (code == TL_OK)
		code = tl__read_entries(s, &db->id, id, 1, with, page_row, p);
	tl__snapshot_close(s);
	return code == TL_OK && p->count == 0 ? no_such_entry(db, id) : code;
}

TL__PUBLIC(tl_database_get_entry, db && id && out,
	(tl_database *db, const tl_id *id, tl_entry **out), (db, id, out))
{
	page p = {.arena = TL__ARENA_INIT, .with_bytes = true};
	int code = read_one(db, id, &p);

	*out = NULL;
	if (code == TL_OK)
		code = tl_entry_parse(out, p.bytes[0], TL_ENTRY_CANONICAL);
	page_clear(&p);
	if (code == TL_OK && !tl__id_equal(tl_entry_id(*out), id)) {
		tl_entry_free(*out);
		*out = NULL;
		code = tl__fail(TL_E_STORE_DAMAGED,
			"the stored bytes of an entry are not those of its id; run verify");
	}
	return code;
}

TL__PUBLIC(tl_database_get_entries, db && visit,
	(tl_database *db, const tl_id *ids, size_t count, tl_entry_visit visit, void *ud),
	(db, ids, count, visit, ud))
{
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl_entry *entry = NULL;

		code = tl_database_get_entry(db, &ids[i], &entry);
		if (code == TL_OK)
			code = visit(ud, entry);
		tl_entry_free(entry);
	}
	return code == TL_STOP ? TL_OK : code;
}

TL__PUBLIC(tl_database_get_info, db && id && info,
	(tl_database *db, const tl_id *id, tl_entry_info *info), (db, id, info))
{
	page p = {.arena = TL__ARENA_INIT};
	tl_entry_info full = TL_ENTRY_INFO_INIT;
	tl_id *parents = NULL;
	int code = tl__sized_check(info, tl_entry_info, parent_count);

	if (code != TL_OK)
		return code;
	code = read_one(db, id, &p);
	if (code == TL_OK) {
		parents = tl__alloc_zero(p.at[0].parent_count + 1, sizeof *parents);
		code = parents ? TL_OK : TL_E_NOMEM;
	}
	if (code == TL_OK) {
		full = p.at[0];
		memcpy(parents, full.parents, full.parent_count * sizeof *parents);
		full.parents = parents;
	}
	tl__sized_fill(info, &full, tl_entry_info);
	page_clear(&p);
	return code;
}

TL__PUBLIC(tl_database_has, db && id && out,
	(tl_database *db, const tl_id *id, bool *out), (db, id, out))
{
	page p = {.arena = TL__ARENA_INIT};
	int code = read_one(db, id, &p);

	*out = code == TL_OK;
	page_clear(&p);
	return code == TL_E_ENTRY_NOT_FOUND ? TL_OK : code;
}

/* --- counts ----------------------------------------------------------------------------------- */

typedef struct aside_count {
	uint64_t count;
	uint64_t sequence;
	uint64_t turn;
} aside_count;

static int count_aside(void *ud, const tl__aside_row *row)
{
	aside_count *asides = ud;

	asides->turn++;
	asides->sequence = row->sequence;
	return TL_OK;
}

int tl__aside_count(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t *out)
{
	aside_count asides = {0};
	int code;

	do {
		asides.turn = 0;
		code = tl__read_aside_list(
			s, db, verdict, asides.sequence, PAGE_ENTRIES, 0, count_aside, &asides);
		asides.count += asides.turn;
	} while (code == TL_OK && asides.turn > 0);
	*out = asides.count;
	return code;
}

TL__PUBLIC(tl_database_count, db && out, (tl_database *db, tl_database_counts *out), (db, out))
{
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	tl__snapshot *s = NULL;
	tl__db_row row;
	int code = tl__sized_check(out, tl_database_counts, quarantined);

	if (code != TL_OK)
		return code;
	code = tl__database_snapshot(db, &s);
	if (code == TL_OK)
		code = tl__read_database(s, &db->id, &row);
	if (code == TL_OK) {
		counts.entries = row.arrivals;
		counts.void_entries = row.void_count;
		counts.void_bytes = row.void_bytes;
		code = tl__aside_count(s, &db->id, TL__PENDING, &counts.pending);
	}
	if (code == TL_OK)
		code = tl__aside_count(s, &db->id, TL__INVALID, &counts.quarantined);
	tl__sized_fill(out, &counts, tl_database_counts);
	tl__snapshot_close(s);
	return code;
}
