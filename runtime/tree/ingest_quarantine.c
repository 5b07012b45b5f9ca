/* The quarantine is a cache: when it is full, whoever has most in it loses the oldest. */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/entry_impl.h"
#include "tree/ingest_run.h"

#define NONE SIZE_MAX

typedef struct resident {
	tl_id db, id;
	size_t sender;
	uint64_t sequence;
	uint32_t size;
	bool pinned;
	size_t newcomer; /* its place among the run's asides, or NONE */
	size_t younger;  /* the sender's next one, or NONE */
} resident;

typedef struct share {
	uint64_t count, bytes;
	size_t oldest; /* resident, or NONE: nothing is left to take */
	size_t youngest;
} share;

typedef struct quarantine {
	tl__run *run;
	tl__arena arena;
	const tl_id *db; /* being listed */
	resident *at;
	size_t count, cap;
	tl__map by_sender; /* text -> 1 + place in shares */
	share *shares;
	size_t share_count, share_cap;
	uint64_t bytes;
	uint64_t left; /* residents that stay */
	tl__map by_id; /* 1 + place in at */
} quarantine;

/* --- who is there -------------------------------------------------------------------------------
 */

static int share_of(quarantine *q, tl_str sender, size_t *out)
{
	uintptr_t place = (uintptr_t)tl__map_get(&q->by_sender, sender);
	void *array = q->shares;

	if (place > 0) {
		*out = place - 1;
		return TL_OK;
	}
	if (tl__arena_grow(&q->arena, &array, &q->share_cap, q->share_count, sizeof *q->shares) !=
		TL_OK)
		return TL_E_NOMEM;
	q->shares = array;
	q->shares[q->share_count] = (share){.oldest = NONE, .youngest = NONE};
	*out = q->share_count++;
	return tl__map_set(&q->by_sender, sender, (void *)(uintptr_t)q->share_count);
}

static int add_resident(quarantine *q, const resident *r, tl_str sender)
{
	void *array = q->at;
	int code;

	if (tl__arena_grow(&q->arena, &array, &q->cap, q->count, sizeof *q->at) != TL_OK)
		return TL_E_NOMEM;
	q->at = array;
	q->at[q->count] = *r;
	code = share_of(q, sender, &q->at[q->count].sender);
	if (code == TL_OK)
		q->count++;
	return code;
}

/* Those that leave or are written anew in this turn are not counted twice. */
static int on_resident(void *ud, const tl__aside_row *row)
{
	quarantine *q = ud;
	const tl__item *item = tl__run_find(q->run, &row->id);
	resident r = {.db = *q->db,
		.id = row->id,
		.sequence = row->sequence,
		.size = row->size,
		.pinned = row->pinned,
		.newcomer = NONE};

	if (tl__item_real(item) && memcmp(q->db, &q->run->db, sizeof *q->db) == 0 &&
		(item->enters || !item->fixed))
		return TL_OK;
	return add_resident(q, &r, row->sender);
}

static int on_database(void *ud, const tl__db_row *row)
{
	tl__buf_append(ud, &row->db, sizeof row->db);
	return TL_OK;
}

static int list_databases(tl__snapshot *s, tl__buf *dbs)
{
	int code = tl__read_databases(s, on_database, dbs);

	return code == TL_OK ? tl__buf_status(dbs) : code;
}

static int by_age(const void *a, const void *b)
{
	const resident *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int list_newcomers(quarantine *q, size_t from)
{
	int code = TL_OK;

	for (size_t i = from; i < q->run->aside_count && code == TL_OK; i++) {
		const tl__put_aside *row = &q->run->asides[i];
		resident r = {.db = q->run->db,
			.id = row->id,
			.sequence = UINT64_MAX,
			.size = (uint32_t)row->bytes.len,
			.newcomer = i};

		code = add_resident(q, &r, row->sender);
	}
	return code;
}

/* Lines the residents of each sender up, oldest first. */
static void line_up(quarantine *q)
{
	for (size_t i = 0; i < q->count; i++) {
		share *s = &q->shares[q->at[i].sender];

		q->at[i].younger = NONE;
		if (s->youngest == NONE)
			s->oldest = i;
		else
			q->at[s->youngest].younger = i;
		s->youngest = i;
		s->count++;
		s->bytes += q->at[i].size;
		q->bytes += q->at[i].size;
	}
	q->left = q->count;
}

static int list_residents(quarantine *q, size_t newcomers_from)
{
	tl__buf dbs = TL__BUF_INIT;
	size_t stored;
	int code = list_databases(q->run->snapshot, &dbs);

	for (size_t at = 0; code == TL_OK && at < dbs.len; at += TL_ID_BYTES) {
		q->db = (const tl_id *)(const void *)(dbs.ptr + at);
		code = tl__read_aside_list(
			q->run->snapshot, q->db, TL__INVALID, 0, SIZE_MAX, 0, on_resident, q);
	}
	stored = q->count;
	if (code == TL_OK && stored > 1)
		qsort(q->at, stored, sizeof *q->at, by_age);
	if (code == TL_OK)
		code = list_newcomers(q, newcomers_from);
	if (code == TL_OK)
		line_up(q);
	tl__buf_free(&dbs);
	return code;
}

/* --- who has to stay ----------------------------------------------------------------------------
 */

static void pin_all(quarantine *q, const tl_id *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uintptr_t place = (uintptr_t)tl__map_get(&q->by_id, tl__map_key_id(&ids[i]));

		if (place > 0)
			q->at[place - 1].pinned = true;
	}
}

static int pin_what_it_needs(quarantine *q, const tl_entry *entry)
{
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);
	int code = TL_OK;

	pin_all(q, names, count);
	for (size_t step = 0; step < tl_entry_step_count(entry) && code == TL_OK; step++) {
		tl__arena arena = TL__ARENA_INIT;
		tl_id *tips;

		code = tl__judge_tips(entry, step, &arena, &tips, &count);
		if (code == TL_OK)
			pin_all(q, tips, count);
		else if (code == TL_E_INVALID_TIP)
			code = TL_OK;
		tl__arena_free(&arena);
	}
	return code;
}

static int on_pending(void *ud, const tl__aside_row *row)
{
	tl_entry *entry;
	int code = tl_entry_parse(&entry, row->bytes, TL_ENTRY_CANONICAL);

	if (code == TL_E_NOMEM)
		return code;
	code = code == TL_OK ? pin_what_it_needs(ud, entry) : TL_OK;
	tl_entry_free(entry);
	return code;
}

/* What pending entries name or cite; what void ones cite carries a mark in its row. */
static int find_pinned(quarantine *q)
{
	int code = TL_OK;

	for (size_t i = 0; i < q->count && code == TL_OK; i++)
		code = tl__map_set(
			&q->by_id, tl__map_key_id(&q->at[i].id), (void *)(uintptr_t)(i + 1));
	if (code == TL_OK)
		code = tl__read_aside_list(q->run->snapshot, NULL, TL__PENDING, 0, SIZE_MAX,
			TL__WITH_BYTES, on_pending, q);
	for (size_t i = 0; i < q->run->order_count && code == TL_OK; i++)
		if (q->run->order[i]->state == TL__ITEM_PENDING)
			code = pin_what_it_needs(q, q->run->order[i]->entry);
	return code;
}

/* --- who has to go ------------------------------------------------------------------------------
 */

/* The sender with the largest share who has something to lose. */
static share *largest(quarantine *q, bool by_bytes)
{
	share *found = NULL;

	for (size_t i = 0; i < q->share_count; i++) {
		share *s = &q->shares[i];

		while (s->oldest != NONE && q->at[s->oldest].pinned)
			s->oldest = q->at[s->oldest].younger;
		if (s->oldest == NONE)
			continue;
		if (!found || (by_bytes ? s->bytes > found->bytes : s->count > found->count))
			found = s;
	}
	return found;
}

static int evict(quarantine *q, const resident *r)
{
	tl__run *run = q->run;

	q->bytes -= r->size;
	q->left--;
	if (r->newcomer != NONE) {
		tl__item *item = tl__run_find(run, &r->id);

		/* A row of it that is there already would tell of another verdict. */
		run->asides[r->newcomer].bytes = TL__STR_NULL;
		if (item->origin == TL__FROM_LINE) {
			item->state = TL__ITEM_DECLINED;
			item->reason = TL_E_SET_ASIDE_FULL;
			return TL_OK;
		}
		return tl__run_drop(run, &r->id);
	}
	run->evicted++;
	if (memcmp(&r->db, &run->db, sizeof r->db) == 0)
		return tl__run_drop(run, &r->id);
	return tl__foreign_add(&run->arena, &run->evict, &r->db, &r->id);
}

static int evict_oldest(quarantine *q, share *s)
{
	const resident *r = &q->at[s->oldest];

	s->count--;
	s->bytes -= r->size;
	s->oldest = r->younger;
	return evict(q, r);
}

/* Where everything is pinned newcomers find no room, the last ones first. */
static int turn_away(quarantine *q, uint64_t entries, uint64_t bytes)
{
	int code = TL_OK;

	for (size_t i = q->count; i-- > 0 && code == TL_OK;)
		if (q->at[i].newcomer != NONE && q->at[i].pinned &&
			(q->left > entries || q->bytes > bytes))
			code = evict(q, &q->at[i]);
	return code;
}

/* Newcomers that found no room leave the list of rows. */
static void close_gaps(tl__run *run)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->aside_count; i++)
		if (run->asides[i].bytes.ptr)
			run->asides[kept++] = run->asides[i];
	run->aside_count = kept;
}

static int make_room(quarantine *q)
{
	const tl__aside_limits *l = &q->run->tree->limits;
	uint64_t entries =
		l->quarantine_entries ? l->quarantine_entries : TL__QUARANTINE_MAX_ENTRIES;
	uint64_t bytes = l->quarantine_bytes ? l->quarantine_bytes : TL__QUARANTINE_MAX_BYTES;
	int code = TL_OK;

	if (q->left <= entries && q->bytes <= bytes)
		return TL_OK;
	code = find_pinned(q);
	while (code == TL_OK && (q->left > entries || q->bytes > bytes)) {
		share *s = largest(q, q->bytes > bytes);

		if (!s) {
			code = turn_away(q, entries, bytes);
			break;
		}
		code = evict_oldest(q, s);
	}
	close_gaps(q->run);
	return code;
}

int tl__run_make_room(tl__run *run, size_t newcomers_from)
{
	quarantine q = {.run = run, .arena = TL__ARENA_INIT};
	int code;

	tl__map_init(&q.by_sender);
	tl__map_init(&q.by_id);
	code = list_residents(&q, newcomers_from);
	if (code == TL_OK)
		code = make_room(&q);
	tl__map_free(&q.by_sender);
	tl__map_free(&q.by_id);
	tl__arena_free(&q.arena);
	return code;
}
