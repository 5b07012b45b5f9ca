#include "tree/trust/quarantine.h"

#include <stdint.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

#define KEY_BYTES (2 * TL_ID_BYTES)

static tl_str key_of(char memory[KEY_BYTES], const tl_id *db, const tl_id *id)
{
	memcpy(memory, db->b, TL_ID_BYTES);
	memcpy(memory + TL_ID_BYTES, id->b, TL_ID_BYTES);
	return (tl_str){memory, KEY_BYTES};
}

/* --- shares ----------------------------------------------------------------------------------- */

static tl__share *share_of(tl__quarantine *q, tl_str sender)
{
	tl__share *share = tl__map_get(&q->senders, sender);

	if (share)
		return share;
	share = tl__alloc_zero(1, sizeof *share);
	if (!share)
		return NULL;
	share->sender = tl__copy_bytes(sender.ptr ? sender.ptr : "", sender.len);
	share->sender_len = sender.len;
	if (!share->sender || tl__map_set(&q->senders, sender, share) != TL_OK) {
		tl__free(share->sender);
		tl__free(share);
		return NULL;
	}
	share->next = q->shares;
	if (q->shares)
		q->shares->previous = share;
	q->shares = share;
	return share;
}

static void drop_share(tl__quarantine *q, tl__share *share)
{
	(void)tl__map_remove(&q->senders, (tl_str){share->sender, share->sender_len});
	if (share->previous)
		share->previous->next = share->next;
	else
		q->shares = share->next;
	if (share->next)
		share->next->previous = share->previous;
	tl__free(share->sender);
	tl__free(share);
}

static void append(tl__share *share, tl__resident *r)
{
	r->share = share;
	r->older = share->youngest;
	r->younger = NULL;
	if (share->youngest)
		share->youngest->younger = r;
	else
		share->oldest = r;
	share->youngest = r;
}

static void take_out(tl__resident *r)
{
	tl__share *share = r->share;

	if (r->older)
		r->older->younger = r->younger;
	else
		share->oldest = r->younger;
	if (r->younger)
		r->younger->older = r->older;
	else
		share->youngest = r->older;
}

void tl__resident_last(tl__resident *resident)
{
	tl__share *share = resident->share;

	take_out(resident);
	append(share, resident);
}

void tl__share_ready(const tl__quarantine *q, tl__share *share)
{
	if (share->turn == q->turn)
		return;
	share->turn = q->turn;
	share->count_now = share->count;
	share->bytes_now = share->bytes;
	share->candidate = share->oldest;
	share->exhausted = false;
	share->new_count = 0;
}

tl__share *tl__quarantine_share(tl__quarantine *q, tl_str sender)
{
	tl__share *share = share_of(q, sender);

	if (share)
		tl__share_ready(q, share);
	return share;
}

/* --- residents -------------------------------------------------------------------------------- */

tl__resident *tl__quarantine_find(const tl__quarantine *q, const tl_id *db, const tl_id *id)
{
	char memory[KEY_BYTES];

	return tl__map_get(&q->residents, key_of(memory, db, id));
}

static void take(tl__quarantine *q, const tl_id *db, const tl_id *id)
{
	char memory[KEY_BYTES];
	tl__resident *r = tl__map_remove(&q->residents, key_of(memory, db, id));

	if (!r)
		return;
	take_out(r);
	r->share->count--;
	r->share->bytes -= r->size;
	q->count--;
	q->bytes -= r->size;
	if (r->share->count == 0)
		drop_share(q, r->share);
	tl__free(r);
}

static int add(tl__quarantine *q, const tl__resident *model, tl_str sender)
{
	char memory[KEY_BYTES];
	tl__resident *r;
	tl__share *share;
	int code;

	r = tl__quarantine_find(q, &model->db, &model->id);
	if (r && r->size == model->size &&
		tl__str_eq((tl_str){r->share->sender, r->share->sender_len}, sender)) {
		r->marked = model->marked;
		return TL_OK;
	}
	take(q, &model->db, &model->id);
	share = share_of(q, sender);
	r = share ? tl__alloc(sizeof *r) : NULL;
	if (!r)
		return TL_E_NOMEM;
	*r = *model;
	code = tl__map_set(&q->residents, key_of(memory, &r->db, &r->id), r);
	if (code != TL_OK) {
		tl__free(r);
		return code;
	}
	append(share, r);
	share->count++;
	share->bytes += r->size;
	q->count++;
	q->bytes += r->size;
	return TL_OK;
}

/* --- all -------------------------------------------------------------------------------------- */

static void clear(tl__quarantine *q)
{
	size_t at = 0;
	tl_str key;
	void *resident;

	while (tl__map_next(&q->residents, &at, &key, &resident))
		tl__free(resident);
	while (q->shares)
		drop_share(q, q->shares);
	tl__map_free(&q->residents);
	tl__map_free(&q->senders);
	tl__map_init(&q->residents);
	tl__map_init(&q->senders);
	q->count = q->bytes = 0;
	q->loaded = false;
}

static int on_row(void *ud, const tl__aside_row *row)
{
	tl__resident r = {.db = row->db, .id = row->id, .size = row->size, .marked = row->pinned};

	return add(ud, &r, row->sender);
}

/* Over a snapshot of its own: what was written before is in it, what is written later is told. */
static int load(tl__quarantine *q, tl__store *store)
{
	tl__snapshot *s = NULL;
	int code = tl__snapshot_open(store, &s);

	if (code == TL_OK)
		code = tl__read_aside_list(s, NULL, TL__INVALID, 0, SIZE_MAX, 0, on_row, q);
	tl__snapshot_close(s);
	q->loaded = code == TL_OK;
	if (code != TL_OK)
		clear(q);
	return code;
}

int tl__quarantine_begin(tl__tree *tree)
{
	tl__quarantine *q = tree->quarantine;
	int code = TL_OK;

	pthread_mutex_lock(&q->lock);
	if (!q->loaded)
		code = load(q, tree->store);
	q->turn++;
	if (code != TL_OK)
		pthread_mutex_unlock(&q->lock);
	return code;
}

void tl__quarantine_end(tl__tree *tree)
{
	tl__quarantine *q = tree->quarantine;
	tl__share *next;

	for (tl__share *at = q->shares; at; at = next) {
		next = at->next;
		if (at->count == 0)
			drop_share(q, at); /* of newcomers that are not written yet */
	}
	pthread_mutex_unlock(&q->lock);
}

static int keep_up(tl__quarantine *q, const tl__batch *batch)
{
	int code = TL_OK;

	for (size_t i = 0; i < batch->entry_count; i++)
		take(q, &batch->db, &batch->entries[i].id);
	for (size_t i = 0; i < batch->aside_count && code == TL_OK; i++) {
		const tl__put_aside *put = &batch->asides[i];
		tl__resident r = {.db = batch->db,
			.id = put->id,
			.size = (uint32_t)put->bytes.len,
			.marked = put->pinned};

		if (put->verdict == TL__INVALID)
			code = add(q, &r, put->sender);
		else
			take(q, &batch->db, &put->id);
	}
	for (size_t i = 0; i < batch->drop_aside_count; i++)
		take(q, &batch->db, &batch->drop_asides[i]);
	return code;
}

void tl__quarantine_wrote(tl__tree *tree, const tl__batch *batch)
{
	tl__quarantine *q = tree->quarantine;

	pthread_mutex_lock(&q->lock);
	if (q->loaded && keep_up(q, batch) != TL_OK)
		clear(q); /* without memory it is read again */
	pthread_mutex_unlock(&q->lock);
}

int tl__quarantine_new(tl__quarantine **out)
{
	tl__quarantine *q = tl__alloc_zero(1, sizeof *q);

	*out = q;
	if (!q)
		return TL_E_NOMEM;
	pthread_mutex_init(&q->lock, NULL);
	tl__map_init(&q->residents);
	tl__map_init(&q->senders);
	return TL_OK;
}

void tl__quarantine_free(tl__quarantine *quarantine)
{
	if (!quarantine)
		return;
	clear(quarantine);
	pthread_mutex_destroy(&quarantine->lock);
	tl__free(quarantine);
}
