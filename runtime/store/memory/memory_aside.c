/* Entries set aside in memory: their rows, who waits for what, and what each sender uses. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/memory/memory.h"

static tl_str key_of(tl__m_change *change)
{
	return tl__buf_view(&change->key);
}

static int drop(tl__m_change *change, tl__table table)
{
	return tl__rows_remove(&change->edit, &change->view.roots[table], key_of(change));
}

static int add_usage(tl__m_change *change, uint64_t bytes, bool more)
{
	const tl__row *row = tl__rows_get(change->view.roots[TL__T_USAGE], key_of(change));
	tl__m_usage usage = {0, 0};

	if (row)
		tl__m_split(row, &usage, sizeof usage);
	usage.count = more ? usage.count + 1 : usage.count - 1;
	usage.bytes = more ? usage.bytes + bytes : usage.bytes - bytes;
	if (usage.count == 0)
		return drop(change, TL__T_USAGE);
	return tl__m_put(change, TL__T_USAGE, key_of(change), &usage, sizeof usage, NULL, 0);
}

/* Adds to or takes from what the sender uses, and strangers together if it is one. */
static int count(tl__m_change *change, const tl__m_aside *aside, tl_str sender, bool more)
{
	int rc;

	tl__buf_byte(tl__k_start(&change->key), (uint8_t)aside->verdict);
	tl__buf_byte(&change->key, 's');
	tl__k_str(&change->key, sender);
	rc = add_usage(change, aside->size, more);
	if (rc != TL_OK || aside->related)
		return rc;
	tl__buf_byte(tl__k_start(&change->key), (uint8_t)aside->verdict);
	tl__buf_byte(&change->key, 'x');
	return add_usage(change, aside->size, more);
}

static void order_key(tl__m_change *change, uint32_t db, const tl__m_aside *aside)
{
	tl__k_number(tl__k_start(&change->key), db);
	tl__buf_byte(&change->key, (uint8_t)aside->verdict);
	tl__k_long(&change->key, aside->sequence);
}

static void aside_key(tl__m_change *change, const tl_id *id)
{
	tl__k_id(tl__k_number(tl__k_start(&change->key), change->db.number), id);
}

/* Lines from an entry set aside to others, and the same the other way round: what it waits for,
 * what it needs. */
static int drop_lines(tl__m_change *change, tl__table to, tl__table from, const tl_id *id)
{
	uint8_t prefix_memory[4 + TL_ID_BYTES];
	tl_str prefix = {(const char *)prefix_memory, sizeof prefix_memory};
	int rc = TL_OK;

	aside_key(change, id);
	if (change->key.len != sizeof prefix_memory)
		return tl__buf_status(&change->key);
	memcpy(prefix_memory, change->key.ptr, sizeof prefix_memory);
	while (rc == TL_OK) {
		tl__rows_walk walk;
		const tl__row *row;
		tl_id awaited;

		tl__rows_seek(&walk, change->view.roots[to], prefix, prefix);
		row = tl__rows_next(&walk);
		if (!row)
			break;
		memcpy(awaited.b, row->data + prefix.len, TL_ID_BYTES);
		rc = tl__rows_remove(&change->edit, &change->view.roots[to], tl__row_key(row));
		tl__k_str(tl__k_id(tl__k_start(&change->key), &awaited), prefix);
		if (rc == TL_OK)
			rc = drop(change, from);
	}
	return rc;
}

int tl__m_aside_drop(tl__m_change *change, const tl_id *id)
{
	const tl__row *row;
	tl__m_aside aside;
	tl_str rest;
	int rc;

	aside_key(change, id);
	row = tl__rows_get(change->view.roots[TL__T_ASIDE], key_of(change));
	if (!row)
		return TL_OK;
	rest = tl__m_split(row, &aside, sizeof aside);
	rc = count(change, &aside, (tl_str){rest.ptr, aside.sender_len}, false);
	order_key(change, 0, &aside);
	if (rc == TL_OK)
		rc = drop(change, TL__T_ASIDE_ORDER);
	order_key(change, change->db.number, &aside);
	if (rc == TL_OK)
		rc = drop(change, TL__T_ASIDE_ORDER);
	if (rc == TL_OK)
		rc = drop_lines(change, TL__T_WAIT, TL__T_WAITER, id);
	if (rc == TL_OK)
		rc = drop_lines(change, TL__T_NEED, TL__T_NEEDED, id);
	aside_key(change, id);
	change->db.asides--;
	return rc == TL_OK ? drop(change, TL__T_ASIDE) : rc;
}

static int put_lines(tl__m_change *change, tl__table to, tl__table from, const tl_id *id,
	const tl_id *others, size_t other_count)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < other_count; i++) {
		aside_key(change, id);
		tl__k_id(&change->key, &others[i]);
		rc = tl__m_put(change, to, key_of(change), NULL, 0, NULL, 0);
		tl__k_number(tl__k_id(tl__k_start(&change->key), &others[i]), change->db.number);
		tl__k_id(&change->key, id);
		if (rc == TL_OK)
			rc = tl__m_put(change, from, key_of(change), &change->db_id,
				sizeof change->db_id, NULL, 0);
	}
	return rc;
}

static int put_others(tl__m_change *change, const tl__put_aside *aside)
{
	int rc = put_lines(
		change, TL__T_WAIT, TL__T_WAITER, &aside->id, aside->waits_for, aside->waits_count);

	return rc == TL_OK ? put_lines(change, TL__T_NEED, TL__T_NEEDED, &aside->id, aside->needs,
				     aside->needs_count)
			   : rc;
}

/* The row in both orders: of its database and of all. */
static int put_order(tl__m_change *change, const tl__m_aside *aside, const tl_id *id)
{
	char memory[4 + TL_ID_BYTES];
	tl_str target = {memory, sizeof memory};
	int rc = TL_OK;

	aside_key(change, id);
	if (change->key.len != sizeof memory)
		return tl__buf_status(&change->key);
	memcpy(memory, change->key.ptr, sizeof memory);
	for (int all = 0; rc == TL_OK && all < 2; all++) {
		order_key(change, all ? 0 : change->db.number, aside);
		rc = tl__m_put(change, TL__T_ASIDE_ORDER, key_of(change), NULL, 0, &target, 1);
	}
	return rc;
}

/* The place in the order: that of the row it replaces when the verdict is the same. */
static uint64_t sequence_of(tl__m_change *change, const tl__put_aside *aside)
{
	const tl__row *row;
	tl__m_aside old;

	aside_key(change, &aside->id);
	row = tl__rows_get(change->view.roots[TL__T_ASIDE], key_of(change));
	if (row) {
		tl__m_split(row, &old, sizeof old);
		if (old.verdict == aside->verdict)
			return old.sequence;
	}
	return ++change->view.sequence;
}

int tl__m_aside_put(tl__m_change *change, const tl__put_aside *aside)
{
	tl__m_aside row = {.db = change->db_id,
		.size = (uint32_t)aside->bytes.len,
		.rules = aside->rules,
		.sender_len = (uint32_t)aside->sender.len,
		.reason = aside->reason,
		.verdict = aside->verdict,
		.related = aside->related,
		.pinned = aside->pinned};
	tl_str more[2] = {aside->sender, aside->bytes};
	int rc;

	aside_key(change, &aside->id);
	if (tl__rows_get(change->view.roots[TL__T_ARRIVAL], key_of(change)))
		return TL_OK;
	row.sequence = sequence_of(change, aside);
	rc = tl__m_aside_drop(change, &aside->id);
	if (rc != TL_OK)
		return rc;
	change->db.asides++;
	aside_key(change, &aside->id);
	rc = tl__m_put(change, TL__T_ASIDE, key_of(change), &row, sizeof row, more, 2);
	if (rc == TL_OK)
		rc = put_order(change, &row, &aside->id);
	if (rc == TL_OK)
		rc = count(change, &row, aside->sender, true);
	return rc == TL_OK ? put_others(change, aside) : rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int show_aside(const tl__row *row, unsigned with, tl__aside_visit visit, void *ud)
{
	tl__m_aside aside;
	tl_str rest = tl__m_split(row, &aside, sizeof aside);
	tl__aside_row out = {.db = aside.db,
		.verdict = aside.verdict,
		.bytes = TL__STR(""),
		.sender = {rest.ptr, aside.sender_len},
		.related = aside.related,
		.reason = aside.reason,
		.rules = aside.rules,
		.pinned = aside.pinned,
		.sequence = aside.sequence,
		.size = aside.size};

	memcpy(out.id.b, row->data + 4, TL_ID_BYTES);
	if (with & TL__WITH_BYTES)
		out.bytes = (tl_str){rest.ptr + aside.sender_len, aside.size};
	return visit(ud, &out);
}

static int asides(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count, unsigned with,
	tl__aside_visit visit, void *ud)
{
	tl__m_db found;
	int rc = TL_OK;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		const tl__row *row;

		tl__k_id(tl__k_number(tl__m_key_start(s), found.number), &ids[i]);
		row = tl__m_get(s, TL__T_ASIDE);
		rc = row ? show_aside(row, with, visit, ud) : tl__buf_status(tl__m_key_of(s));
	}
	return rc;
}

static int aside_list(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t sequence,
	size_t limit, unsigned with, tl__aside_visit visit, void *ud)
{
	tl__m_db found = {.number = 0};
	tl__rows_walk walk;
	int rc;

	if (db && !tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__buf_byte(tl__k_number(tl__m_key_start(s), found.number), (uint8_t)verdict);
	tl__k_long(tl__m_key_of(s), sequence);
	tl__buf_byte(tl__m_key_of(s), 0); /* after it */
	rc = tl__m_seek(s, TL__T_ASIDE_ORDER, 5, &walk);
	for (; rc == TL_OK && limit > 0; limit--) {
		const tl__row *row = tl__rows_next(&walk);

		row = row ? tl__rows_get(tl__m_view_of(s)->roots[TL__T_ASIDE], tl__row_value(row))
			  : NULL;
		if (!row)
			break;
		rc = show_aside(row, with, visit, ud);
	}
	return rc;
}

static int waiters(tl__snapshot *s, const tl_id *id, tl__waiter_visit visit, void *ud)
{
	tl__rows_walk walk;
	int rc;

	tl__k_id(tl__m_key_start(s), id);
	rc = tl__m_seek(s, TL__T_WAITER, TL_ID_BYTES, &walk);
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));) {
		tl_id db, waiter;

		tl__m_split(row, &db, sizeof db);
		memcpy(waiter.b, row->data + TL_ID_BYTES + 4, TL_ID_BYTES);
		rc = visit(ud, &db, &waiter);
	}
	return rc;
}

static int waits(
	tl__snapshot *s, const tl_id *db, const tl_id *pending, tl__id_visit visit, void *ud)
{
	tl__m_db found;
	tl__rows_walk walk;
	int rc;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__k_id(tl__k_number(tl__m_key_start(s), found.number), pending);
	rc = tl__m_seek(s, TL__T_WAIT, 4 + TL_ID_BYTES, &walk);
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));) {
		tl_id awaited;

		memcpy(awaited.b, row->data + 4 + TL_ID_BYTES, TL_ID_BYTES);
		rc = visit(ud, &awaited);
	}
	return rc;
}

static int aside_usage(
	tl__snapshot *s, tl__verdict verdict, tl_str sender, uint64_t *count, uint64_t *bytes)
{
	tl__m_usage usage = {0, 0};
	const tl__row *row;

	tl__buf_byte(tl__m_key_start(s), (uint8_t)verdict);
	tl__buf_byte(tl__m_key_of(s), sender.ptr ? 's' : 'x');
	tl__k_str(tl__m_key_of(s), sender);
	row = tl__m_get(s, TL__T_USAGE);
	if (row)
		tl__m_split(row, &usage, sizeof usage);
	*count = usage.count;
	*bytes = usage.bytes;
	return tl__buf_status(tl__m_key_of(s));
}

static int needed(tl__snapshot *s, const tl_id *id, bool *needed)
{
	tl__rows_walk walk;
	int rc;

	tl__k_id(tl__m_key_start(s), id);
	rc = tl__m_seek(s, TL__T_NEEDED, TL_ID_BYTES, &walk);
	*needed = rc == TL_OK && tl__rows_next(&walk) != NULL;
	return rc;
}

const tl__aside_reads tl__m_aside_reads = {.asides = asides,
	.aside_list = aside_list,
	.waiters = waiters,
	.waits = waits,
	.needed = needed,
	.aside_usage = aside_usage};
