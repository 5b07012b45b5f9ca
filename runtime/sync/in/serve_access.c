/* Access requests: kept for the owner as records of `_sync` (core/README.md), bounded by
 * key, number and age. What is needed for the bounds is remembered as local documents. */
#include "sync/in/serve_access.h"

#include <stdio.h>
#include <string.h>

bool tl__serve_wish_name_valid(tl_str name)
{
	return name.len > 0 && name.len <= TL__V1_MAX_TEXT && !tl__str_eq(name, TL__STR("*")) &&
	       !memchr(name.ptr, '.', name.len) && !memchr(name.ptr, 0, name.len) &&
	       tl__utf8_valid(name);
}

/* --- the rows kept ---------------------------------------------------------------------------- */

static int keep_row(tl__sync *sync, const tl__access_row *row)
{
	tl__access_row *kept = tl__alloc(sizeof *kept);
	int rc;

	if (!kept)
		return TL_E_NOMEM;
	*kept = *row;
	rc = tl__map_set(&sync->serve->access, tl__access_id(kept), kept);
	if (rc != TL_OK)
		tl__free(kept);
	return rc;
}

static bool is_same(const tl__access_row *a, const tl__access_row *b)
{
	return a->proven == b->proven && strcmp(a->key, b->key) == 0 &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->permission, b->permission) == 0 &&
	       tl__id_equal(&a->db, &b->db);
}

/* Proven ones that keep their places, other proven ones, and claims do not share room. */
static bool is_of_kind(const tl__access_row *a, const tl__access_row *b)
{
	return a->proven == b->proven && a->known == b->known;
}

/* How many that wait are of the kind of `row`; those of its key, whatever their place. */
struct access_count {
	size_t in_all, of_key;
};

/* Finds the same wish, and counts those of its kind. */
static const tl__access_row *find_same(
	const tl__sync *sync, const tl__access_row *row, struct access_count *count)
{
	const tl__access_row *same = NULL;
	size_t at = 0;
	tl_str id;
	void *value;

	*count = (struct access_count){0, 0};
	while (tl__map_next(&sync->serve->access, &at, &id, &value)) {
		const tl__access_row *other = value;

		if (other->proven != row->proven)
			continue;
		if (is_same(other, row))
			same = other;
		if (other->state != TL__ACCESS_PENDING)
			continue;
		count->in_all += is_of_kind(other, row);
		count->of_key += strcmp(other->key, row->key) == 0;
	}
	return same;
}

static void drop_row(tl__sync *sync, tl__access_row *row)
{
	tl__access_forget_local(sync, row);
	tl__map_remove(&sync->serve->access, tl__access_id(row));
	tl__free(row);
}

static void forget_expired(tl__sync *sync)
{
	size_t at = 0;
	tl_str id;
	void *value;

	while (tl__map_next(&sync->serve->access, &at, &id, &value)) {
		tl__access_row *row = value;

		if (row->state == TL__ACCESS_PENDING &&
			sync->wall - row->time > TL__SERVE_REQUEST_MS)
			drop_row(sync, row);
	}
}

/* --- told to the owner ------------------------------------------------------------------------ */

static tl__access_row *row_numbered(const tl__sync *sync, uint64_t number)
{
	size_t at = 0;
	tl_str id;
	void *row;

	while (tl__map_next(&sync->serve->access, &at, &id, &row))
		if (((tl__access_row *)row)->number == number)
			return row;
	return NULL;
}

/* The owner hears of it only when it cannot be lost any more. */
static void row_saved(tl__sync *sync, uint64_t number, int code)
{
	tl__access_row *row = row_numbered(sync, number);
	tl_key key;

	if (row && code != TL_OK)
		drop_row(sync, row);
	else if (row && tl_key_parse(&key, tl__str_z(row->key)) == TL_OK)
		tl__sync_tell(sync, TL_EVENT_ACCESS_REQUESTED, &key, &row->db, 0, row->id);
}

/* --- room ------------------------------------------------------------------------------------- */

/* Each is a commit: how often strangers may cause one is bounded, of a source and in all. */
static bool may_come(tl__sync *sync, const tl__access_row *row)
{
	static const tl__serve_rate of_source = {
		TL__SERVE_SOURCE_WISH_BURST, TL__SERVE_SOURCE_WISH_PER_S};
	char name[sizeof row->source + 8];

	if (row->known)
		return true;
	snprintf(name, sizeof name, "access %s", row->source);
	return tl__serve_take(sync, tl__str_z(name), of_source) &&
	       tl__serve_take_share(sync, TL__SHARE_WISHES);
}

/* How many of its kind wait that came from where this one did; with the newcomer. */
static size_t count_of_source(
	const tl__sync *sync, const tl__access_row *row, const tl__access_row *newcomer)
{
	size_t at = 0, count = strcmp(row->source, newcomer->source) == 0;
	tl_str id;
	void *value;

	while (tl__map_next(&sync->serve->access, &at, &id, &value)) {
		const tl__access_row *other = value;

		count += other->state == TL__ACCESS_PENDING && is_of_kind(other, row) &&
			 strcmp(other->source, row->source) == 0;
	}
	return count;
}

/* The oldest of the source that has most: who comes from one place takes none from another. */
static tl__access_row *first_to_go(const tl__sync *sync, const tl__access_row *newcomer)
{
	tl__access_row *first = NULL;
	size_t at = 0, most = 0;
	tl_str id;
	void *value;

	while (tl__map_next(&sync->serve->access, &at, &id, &value)) {
		tl__access_row *row = value;
		size_t count;

		if (row->state != TL__ACCESS_PENDING || !is_of_kind(row, newcomer))
			continue;
		count = count_of_source(sync, row, newcomer);
		if (first && (count < most || (count == most && row->time >= first->time)))
			continue;
		first = row;
		most = count;
	}
	return first;
}

/* The owner is not asked about it any more. */
static void displace(tl__sync *sync, tl__access_row *row)
{
	tl__work_record record = {.store = TL__SYNC_REQUESTS, .path_len = 1};

	record.path[0] = tl__access_id(row);
	tl__sync_put_record(sync, &record);
	drop_row(sync, row);
}

static bool make_room(tl__sync *sync, const tl__access_row *row, const struct access_count *count)
{
	static const size_t most[] = {TL__SERVE_MAX_CLAIMS, TL__SERVE_UNKNOWN_REQUESTS};
	tl__access_row *gone;

	if (count->of_key >= TL__SERVE_MAX_KEY_REQUESTS || !may_come(sync, row))
		return false;
	if (row->known)
		return count->in_all < TL__SERVE_MAX_REQUESTS;
	if (count->in_all < most[row->proven])
		return true;
	gone = first_to_go(sync, row);
	if (gone)
		displace(sync, gone);
	return gone != NULL;
}

/* --- keeping ---------------------------------------------------------------------------------- */

int tl__serve_keep_wish(tl__sync *sync, const tl__access_wish *wish, char id[37])
{
	tl__access_row row = {.db = wish->db,
		.time = sync->wall,
		.proven = wish->proven,
		.known = wish->proven && wish->known};
	const tl__access_row *same;
	struct access_count count;
	int rc;

	forget_expired(sync);
	if (!tl__serve_wish_name_valid(wish->name))
		return tl__fail(
			TL_E_BAD_ARGUMENT, "a key name may not be empty, \"*\" or hold a dot");
	tl_key_format(&wish->key, row.key);
	memcpy(row.name, wish->name.ptr, wish->name.len);
	tl_permission_format(wish->permission, row.permission);
	if (!row.known)
		tl__source_of(wish->remote, row.source);
	same = find_same(sync, &row, &count);
	if (same) {
		memcpy(id, same->id, sizeof same->id);
		/* What was approved and is asked for again was taken back since. */
		return same->state == TL__ACCESS_PENDING
			       ? TL_OK
			       : tl__fail(TL_E_NOT_PERMITTED, "this access request is %s",
					 tl__access_states[same->state]);
	}
	if (!make_room(sync, &row, &count))
		return tl__fail(TL_E_BUSY, "too many access requests are waiting");
	tl__random_uuid(&sync->random, row.id);
	row.number = tl__sync_number(sync);
	rc = keep_row(sync, &row);
	if (rc != TL_OK)
		return rc;
	tl__access_put_local(sync, &row);
	tl__access_put_record(sync, &row, wish);
	if (sync->serve->next_expiry == UINT64_MAX)
		sync->serve->next_expiry = sync->now + TL__SERVE_EXPIRE_MS;
	tl__sync_save_then(sync, row_saved, row.number);
	memcpy(id, row.id, sizeof row.id);
	return TL_OK;
}

/* --- load, expiry ----------------------------------------------------------------------------- */

void tl__serve_loaded(tl__sync *sync, tl_str key, tl_str value)
{
	tl__access_row row = {.proven = tl__str_starts(key, TL__STR(TL__ACCESS_LOCAL))};

	if (!row.proven && !tl__str_starts(key, TL__STR(TL__ACCESS_CLAIM_LOCAL))) {
		tl__share_loaded(sync, key, value);
		return;
	}
	if (!tl__access_read(&row, key, value))
		tl__log_write(sync->log, TL_LOG_WARNING, "sync",
			"the local document %.*s cannot be read and is passed over",
			TL__STR_ARG(key));
	else if (keep_row(sync, &row) != TL_OK)
		tl__log_write(sync->log, TL_LOG_WARNING, "sync",
			"an access request was not loaded: %s", tl_error_message(tl_last_error()));
}

static void rows_expired(void *core, tl__work *work)
{
	tl__sync *sync = core;
	bool failed = work->code != TL_OK;

	if (failed)
		tl__log_write(sync->log, TL_LOG_WARNING, "sync",
			"expired access requests were not taken away: %s",
			work->error ? tl_error_message(work->error) : tl_error_name(work->code));
	sync->serve->expiring = false;
	if (!failed && work->expire.more)
		sync->serve->next_expiry = sync->now;
	else if (failed || sync->serve->access.count > 0)
		sync->serve->next_expiry = sync->now + TL__SERVE_EXPIRE_MS;
	else
		sync->serve->next_expiry = UINT64_MAX;
	tl__work_free(work);
}

static void expire_rows(tl__sync *sync)
{
	tl__work *work = tl__sync_new_work(sync, TL__WORK_EXPIRE, NULL, rows_expired, 0);

	sync->serve->next_expiry = sync->now + TL__SERVE_EXPIRE_MS;
	if (!work)
		return;
	sync->serve->expiring = true;
	work->expire.sync_db = sync->own_db;
	work->expire.before = sync->wall - TL__SERVE_REQUEST_MS;
	work->expire.max_rows = TL__SERVE_EXPIRE_ROWS;
	tl__sync_give_work(sync, work);
}

void tl__serve_access_expire(tl__sync *sync)
{
	forget_expired(sync);
	if (sync->now >= tl__serve_access_due(sync))
		expire_rows(sync);
}

uint64_t tl__serve_access_due(const tl__sync *sync)
{
	return sync->loaded && !sync->stopping && !sync->serve->expiring ? sync->serve->next_expiry
									 : UINT64_MAX;
}

static void hint_of_claim(const tl__sync *sync, const tl__access_row *row, char *hint)
{
	char db[TL_ID_TEXT_LEN + 1];

	if (row->proven || sync->options.v0_claims || tl__serve_any_relation(sync, &row->db))
		return;
	tl_id_format(&row->db, db);
	snprintf(hint, TL__SYNC_ERROR_TEXT,
		"the key \"%.40s\" was only named, as 0.2.0 does: nothing is given to it until its "
		"node is connected to and related to %.20s…, or the option v0_claims is set",
		row->name, db);
	tl__log_write(sync->log, TL_LOG_WARNING, "sync", "%s", hint);
}

/* What was decided is remembered, so that it is not asked of the owner again: so many. */
static void drop_oldest_decided(tl__sync *sync)
{
	tl__access_row *oldest = NULL;
	size_t at = 0, count = 0;
	tl_str id;
	void *value;

	while (tl__map_next(&sync->serve->access, &at, &id, &value)) {
		tl__access_row *row = value;

		if (row->state == TL__ACCESS_PENDING)
			continue;
		count++;
		if (!oldest || row->time < oldest->time)
			oldest = row;
	}
	if (count > TL__SERVE_MAX_DECIDED)
		drop_row(sync, oldest);
}

void tl__serve_decided(tl__sync *sync, tl_str id, bool approved, char hint[TL__SYNC_ERROR_TEXT])
{
	tl__access_row *row = tl__map_get(&sync->serve->access, id);

	hint[0] = '\0';
	if (!row)
		return;
	if (approved)
		hint_of_claim(sync, row, hint);
	row->state = approved ? TL__ACCESS_APPROVED : TL__ACCESS_REJECTED;
	tl__access_put_local(sync, row);
	drop_oldest_decided(sync);
}

void tl__serve_access_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str id;
	void *row;

	while (tl__map_next(&sync->serve->access, &at, &id, &row))
		tl__free(row);
	tl__map_free(&sync->serve->access);
}
