/* What keys may do in a database, and which databases they may know of. */
#include <stdlib.h>
#include <string.h>
#include "model/ids.h"
#include "tree/trust/rights.h"
#include "work/work_serve.h"

static int fill_right(
	const tl__rights *rights, const tl_key *key, tl__arena *arena, struct tl__work_right *out)
{
	const tl__right *right = tl__rights_of_key(rights, key);

	*out = (struct tl__work_right){0};
	if (!right)
		return TL_OK;
	out->active = true;
	out->permission = right->permission;
	out->name = tl__arena_str(arena, right->name);
	return out->name.ptr ? TL_OK : TL_E_NOMEM;
}

int tl__work_rights_fill(const tl__rights *rights, const tl_key *keys, size_t count,
	tl__arena *arena, tl__work_rights *out)
{
	int rc = TL_OK;

	out->held = true;
	out->system = rights->system;
	out->is_public = rights->is_public;
	out->public_permission = rights->public_permission;
	out->db_name = tl__arena_str(arena, rights->name);
	if (rights->name.ptr && !out->db_name.ptr)
		return TL_E_NOMEM;
	out->keys = tl__arena_alloc(arena, count, sizeof *out->keys);
	if (!out->keys)
		return TL_E_NOMEM;
	out->key_count = count;
	for (size_t i = 0; i < count && rc == TL_OK; i++)
		rc = fill_right(rights, &keys[i], arena, &out->keys[i]);
	return rc;
}

int tl__work_rights_of(tl__tree *tree, const tl_id *db, const tl_key *keys, size_t count,
	tl__arena *arena, tl__work_rights *out)
{
	tl__rights *rights;
	int rc = tl__rights_now(tree, db, &rights);

	*out = (tl__work_rights){0};
	if (rc == TL_OK && rights)
		rc = tl__work_rights_fill(rights, keys, count, arena, out);
	tl__rights_release(rights);
	return rc;
}

int tl__work_access_run(tl__tree *tree, tl__work *work)
{
	tl__work_access *access = &work->access;

	return tl__work_rights_of(
		tree, &work->db, access->keys, access->key_count, &work->arena, &access->rights);
}

/* --- list ------------------------------------------------------------------------------------- */

static int take_tip(void *ud, const tl_id *id)
{
	tl__work_db *db = ud;

	if (db->tip_count == sizeof db->tips / sizeof *db->tips)
		return TL__STORE_STOP;
	db->tips[db->tip_count++] = *id;
	return TL_OK;
}

static int read_db(tl__snapshot *s, const tl_id *id, tl__work_db *out)
{
	tl__db_row row;
	int rc = tl__read_database(s, id, &row);

	if (rc != TL_OK)
		return rc;
	*out = (tl__work_db){.id = *id, .arrivals = row.arrivals};
	return tl__read_tips(s, id, TL__STR(""), take_tip, out);
}

static int describe(tl__tree *tree, tl__work *work, tl__work_db *db)
{
	const tl__work_list *list = &work->list;
	tl__rights *rights = NULL;
	int rc = tl__rights_now(tree, &db->id, &rights);

	if (rc != TL_OK || !rights)
		return rc;
	db->name = tl__arena_str(&work->arena, rights->name);
	db->granted = rights->is_public;
	for (size_t i = 0; i < list->key_count && !db->granted; i++) {
		const tl__right *right = tl__rights_of_key(rights, &list->keys[i]);

		db->granted = right && tl__right_reads(right);
	}
	if (rights->name.ptr && !db->name.ptr)
		rc = TL_E_NOMEM;
	tl__rights_release(rights);
	return rc;
}

static int find_listed(tl__tree *tree, tl__work *work, tl_id *ids, size_t *count)
{
	tl__work_list *list = &work->list;
	tl__rights_query query = {.keys = list->keys,
		.key_count = list->key_count,
		.named_count = list->related_count,
		.after = list->has_after ? &list->after : NULL,
		.max = list->max};
	tl_id *related = tl__arena_alloc(&work->arena, list->related_count, sizeof *related);

	if (!related)
		return TL_E_NOMEM;
	if (list->related_count > 0)
		memcpy(related, list->related, list->related_count * sizeof *related);
	qsort(related, list->related_count, sizeof *related, tl__id_compare);
	query.named = related;
	tl__rights_list(tree, &query, ids, count, &list->more);
	return TL_OK;
}

/* The snapshot comes after the rights: it holds what they tell. */
int tl__work_list_run(tl__tree *tree, tl__work *work)
{
	tl__work_list *list = &work->list;
	tl__snapshot *s = NULL;
	size_t count = 0;
	tl_id *ids;
	int rc = tl__rights_settle(tree, &work->again);

	if (rc != TL_OK || work->again)
		return rc;
	ids = tl__arena_alloc(&work->arena, list->max, sizeof *ids);
	if (!list->dbs)
		list->dbs = tl__arena_alloc(&work->arena, list->max, sizeof *list->dbs);
	list->db_count = 0;
	rc = ids && list->dbs ? find_listed(tree, work, ids, &count) : TL_E_NOMEM;
	if (rc == TL_OK)
		rc = tl__snapshot_open(tree->store, &s);
	for (size_t i = 0; i < count && rc == TL_OK; i++)
		rc = read_db(s, &ids[i], &list->dbs[list->db_count++]);
	tl__snapshot_close(s);
	for (size_t i = 0; i < list->db_count && list->describe && rc == TL_OK; i++)
		rc = describe(tree, work, &list->dbs[i]);
	return rc;
}

/* --- proofs ----------------------------------------------------------------------------------- */

/* `rights` of the work's database; NULL where it is not held, or any database counts. */
static int name_keys(tl__tree *tree, tl__work *work, const tl__rights *rights)
{
	tl__work_matters *matters = &work->matters;

	matters->named = tl__arena_alloc(&work->arena, matters->count, sizeof *matters->named);
	if (!matters->named)
		return TL_E_NOMEM;
	for (size_t i = 0; i < matters->count; i++)
		matters->named[i] =
			matters->anywhere ? tl__rights_name_key(tree, &matters->keys[i])
					  : rights && tl__rights_of_key(rights, &matters->keys[i]);
	return TL_OK;
}

int tl__work_matters_run(tl__tree *tree, tl__work *work)
{
	tl__rights *rights = NULL;
	int rc = work->matters.anywhere ? tl__rights_settle(tree, &work->again)
					: tl__rights_now(tree, &work->db, &rights);

	if (rc == TL_OK && !work->again)
		rc = name_keys(tree, work, rights);
	tl__rights_release(rights);
	return rc;
}

/* --- without the store ------------------------------------------------------------------------ */

bool tl__work_at_once(tl__host *host, tl__work *work)
{
	bool access = work->kind == TL__WORK_ACCESS;
	bool asks = access || (work->kind == TL__WORK_MATTERS && !work->matters.anywhere);
	tl__tree *tree = host->tree;
	uint64_t generation;
	tl__rights *rights = asks ? tl__rights_kept(tree->rights, &work->db, &generation) : NULL;
	int rc = TL_E_NOT_FOUND;

	if (rights && access)
		rc = tl__work_rights_fill(rights, work->access.keys, work->access.key_count,
			&work->arena, &work->access.rights);
	else if (rights)
		rc = name_keys(tree, work, rights);
	tl__rights_release(rights);
	return rc == TL_OK;
}

/* --- signatures ------------------------------------------------------------------------------- */

int tl__work_verify_run(tl__work *work)
{
	tl__work_verify *verify = &work->verify;
	uint8_t sha256[32];

	verify->good = tl__arena_alloc(&work->arena, verify->count, sizeof *verify->good);
	if (!verify->good)
		return TL_E_NOMEM;
	for (size_t i = 0; i < verify->count; i++)
		verify->good[i] = tl__v1_verify_proof(&verify->frame, verify->proofs[i],
					  &verify->keys[i]) == TL_OK;
	if (!verify->body.ptr)
		return TL_OK;
	tl_sha256(verify->body.ptr, verify->body.len, sha256);
	verify->body_good = memcmp(sha256, verify->sha256, sizeof sha256) == 0;
	return TL_OK;
}
