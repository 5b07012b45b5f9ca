/* The quarantine is a cache: when it is full, whoever has most in it loses the oldest. */
#include "base/str.h"
#include "model/ids.h"
#include "tree/ingest/ingest_run.h"
#include "tree/trust/quarantine.h"

/* Rows that have to stay and are passed over in one turn. They are looked at last from then on. */
#define MAX_PASSED_OVER 256

#define NONE SIZE_MAX

typedef struct room {
	tl__run *run;
	tl__quarantine *q;
	uint64_t count, bytes; /* as it will be */
	uint64_t max_count, max_bytes;
	tl__map needed; /* by what becomes pending in this turn */
	size_t passed_over;
	size_t *next_new; /* of the same sender, by place among the run's asides */
} room;

/* --- who is there ----------------------------------------------------------------------------- */

/* Those that leave or are written anew in this turn are not counted twice. */
static void discount(room *m)
{
	const tl__run *run = m->run;

	for (size_t i = 0; i < run->item_count; i++) {
		const tl__item *item = run->items[i];
		tl__resident *r;

		if (!tl__item_real(item) || item->left || (!item->enters && item->fixed))
			continue;
		r = tl__quarantine_find(m->q, &run->db, tl_entry_id(item->entry));
		if (!r || r->leaves == m->q->turn)
			continue;
		r->leaves = m->q->turn;
		tl__share_ready(m->q, r->share);
		r->share->count_now--;
		r->share->bytes_now -= r->size;
		m->count--;
		m->bytes -= r->size;
	}
}

static int admit(room *m, size_t at)
{
	const tl__put_aside *row = &m->run->asides[at];
	tl__share *share = tl__quarantine_share(m->q, row->sender);

	if (!share)
		return TL_E_NOMEM;
	m->next_new[at] = NONE;
	if (share->new_count++ == 0)
		share->first_new = at;
	else
		m->next_new[share->last_new] = at;
	share->last_new = at;
	share->count_now++;
	share->bytes_now += row->bytes.len;
	m->count++;
	m->bytes += row->bytes.len;
	return TL_OK;
}

/* --- who has to stay -------------------------------------------------------------------------- */

static int note_needed(room *m)
{
	int code = TL_OK;

	for (size_t i = 0; i < m->run->aside_count && code == TL_OK; i++) {
		const tl__put_aside *row = &m->run->asides[i];

		for (size_t k = 0; k < row->needs_count && code == TL_OK; k++)
			code = tl__map_set(&m->needed, tl__map_key_id(&row->needs[k]), NULL);
	}
	return code;
}

/* What pending entries name or cite, and what void ones cite. */
static int is_pinned(room *m, const tl_id *id, bool marked, bool *pinned)
{
	*pinned = marked || tl__map_has(&m->needed, tl__map_key_id(id));
	return *pinned ? TL_OK : tl__read_needed(m->run->snapshot, id, pinned);
}

static int find_candidate(room *m, tl__share *share)
{
	bool pinned = true;
	int code = TL_OK;

	while (code == TL_OK && share->candidate && pinned) {
		tl__resident *r = share->candidate;

		if (r->leaves == m->q->turn) {
			share->candidate = r->younger;
			continue;
		}
		code = is_pinned(m, &r->id, r->marked, &pinned);
		if (code != TL_OK || !pinned)
			break;
		share->candidate = ++m->passed_over < MAX_PASSED_OVER ? r->younger : NULL;
		tl__resident_last(r);
	}
	return code;
}

/* Newcomers that are pinned stay in the line and are told apart once they are first. */
static int find_newcomer(room *m, tl__share *share)
{
	bool pinned = true;
	int code = TL_OK;

	while (code == TL_OK && share->new_count > 0 && pinned) {
		code = is_pinned(m, &m->run->asides[share->first_new].id, false, &pinned);
		if (code != TL_OK || !pinned)
			break;
		share->first_new = m->next_new[share->first_new];
		share->new_count--;
	}
	return code;
}

/* --- who has to go ---------------------------------------------------------------------------- */

static bool is_over(const room *m)
{
	return m->count > m->max_count || m->bytes > m->max_bytes;
}

static tl__share *largest(room *m)
{
	bool by_bytes = m->bytes > m->max_bytes;
	tl__share *found = NULL;

	for (tl__share *s = m->q->shares; s; s = s->next) {
		tl__share_ready(m->q, s);
		if (!s->exhausted && (!found || (by_bytes ? s->bytes_now > found->bytes_now
							  : s->count_now > found->count_now)))
			found = s;
	}
	return found;
}

/* The sender with the largest share who has something to lose. NULL: nobody, or it was looked for
 * long enough. */
static int find_loser(room *m, tl__share **out)
{
	int code = TL_OK;

	while (code == TL_OK && (*out = largest(m)) != NULL) {
		tl__share *share = *out;

		code = find_candidate(m, share);
		if (code == TL_OK && !share->candidate)
			code = find_newcomer(m, share);
		if (code != TL_OK || share->candidate || share->new_count > 0)
			break;
		share->exhausted = true;
		if (m->passed_over >= MAX_PASSED_OVER) {
			*out = NULL;
			break;
		}
	}
	return code;
}

static void give_up(room *m, tl__share *share, uint64_t size)
{
	share->count_now--;
	share->bytes_now -= size;
	m->count--;
	m->bytes -= size;
}

static int evict_resident(room *m, tl__share *share)
{
	tl__run *run = m->run;
	tl__resident *r = share->candidate;

	share->candidate = r->younger;
	r->leaves = m->q->turn;
	give_up(m, share, r->size);
	run->evicted++;
	if (tl__id_equal(&r->db, &run->db))
		return tl__run_drop(run, &r->id);
	return tl__foreign_add(&run->arena, &run->evict, &r->db, &r->id);
}

/* Whether a later turn may want it in the DAG. */
static bool is_stood_on(const tl__run *run, const tl__item *item)
{
	if (item->awaited && run->later.count > 0)
		return true;
	for (size_t i = 0; run->cut && i < run->item_count; i++) {
		const tl__item *other = run->items[i];

		for (size_t k = 0; other->left && k < other->name_count; k++)
			if (tl__id_equal(&other->names[k], tl_entry_id(item->entry)))
				return true;
	}
	return false;
}

static int turn_away(room *m, tl__share *share, size_t at)
{
	tl__run *run = m->run;
	tl__put_aside *row = &run->asides[at];
	tl__item *item = tl__run_find(run, &row->id);

	if (!run->take->widened && is_stood_on(run, item))
		return TL__RUN_CROWDED;
	give_up(m, share, row->bytes.len);
	/* A row of it that is there already would tell of another verdict. */
	row->bytes = TL__STR_NULL;
	if (item->origin != TL__FROM_LINE)
		return tl__run_drop(run, &row->id);
	item->state = TL__ITEM_DECLINED;
	item->reason = TL_E_SET_ASIDE_FULL;
	return TL_OK;
}

static int evict_oldest(room *m, tl__share *share)
{
	size_t at = share->first_new;

	if (share->candidate)
		return evict_resident(m, share);
	share->first_new = m->next_new[at];
	share->new_count--;
	return turn_away(m, share, at);
}

/* Where everything is pinned newcomers find no room, the last ones first. */
static int turn_away_last(room *m, size_t newcomers_from)
{
	tl__run *run = m->run;
	int code = TL_OK;

	for (size_t i = run->aside_count; i-- > newcomers_from && code == TL_OK && is_over(m);)
		if (run->asides[i].bytes.ptr)
			code = turn_away(m, tl__quarantine_share(m->q, run->asides[i].sender), i);
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

static int make_room(room *m, size_t newcomers_from)
{
	int code = is_over(m) ? note_needed(m) : TL_OK;

	while (code == TL_OK && is_over(m)) {
		tl__share *share;

		code = find_loser(m, &share);
		if (code == TL_OK && !share) {
			code = turn_away_last(m, newcomers_from);
			break;
		}
		if (code == TL_OK)
			code = evict_oldest(m, share);
	}
	close_gaps(m->run);
	return code;
}

static int begin(room *m, tl__run *run, size_t newcomers_from)
{
	const tl__aside_limits *l = &run->tree->limits;
	int code = TL_OK;

	m->count = m->q->count;
	m->bytes = m->q->bytes;
	m->max_count = l->quarantine_entries ? l->quarantine_entries : TL__QUARANTINE_MAX_ENTRIES;
	m->max_bytes = l->quarantine_bytes ? l->quarantine_bytes : TL__QUARANTINE_MAX_BYTES;
	m->next_new = tl__arena_alloc(&run->arena, run->aside_count, sizeof *m->next_new);
	if (!m->next_new)
		return TL_E_NOMEM;
	discount(m);
	for (size_t i = newcomers_from; i < run->aside_count && code == TL_OK; i++)
		code = admit(m, i);
	return code;
}

int tl__run_make_room(tl__run *run, size_t newcomers_from)
{
	room m = {.run = run, .q = run->tree->quarantine};
	int code = tl__quarantine_begin(run->tree);

	if (code != TL_OK)
		return code;
	tl__map_init(&m.needed);
	code = begin(&m, run, newcomers_from);
	if (code == TL_OK)
		code = make_room(&m, newcomers_from);
	tl__map_free(&m.needed);
	tl__quarantine_end(run->tree);
	return code;
}
