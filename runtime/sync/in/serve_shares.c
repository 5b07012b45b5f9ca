/* Shares that were made here: kept, shown, taken back. Who holds a token may do what they say, once
 * (serve_redeem.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json/fields.h"
#include "sync/in/serve.h"
#include "wire/share.h"

#define LOCAL_PREFIX "sync/serve/share/"

static tl_str name_of(const tl_key *key)
{
	return tl__serve_key_name(key);
}

tl__share_row *tl__share_find(const tl__sync *sync, const tl_key *key)
{
	return tl__map_get(&sync->serve->offers, name_of(key));
}

bool tl__share_is_over(const tl__sync *sync, const tl__share_row *row)
{
	return sync->wall >= row->expires;
}

/* --- local documents -------------------------------------------------------------------------- */

static void local_key(const tl__share_row *row, char out[64])
{
	snprintf(out, 64, LOCAL_PREFIX "%s", row->id);
}

static void put_key(tl__buf *out, const char *name, const tl_key *key)
{
	char text[TL_KEY_TEXT_LEN + 1];

	tl_key_format(key, text);
	tl__buf_format(out, ",\"%s\":\"%s\"", name, text);
}

void tl__share_put_local(tl__sync *sync, const tl__share_row *row)
{
	char key[64], db[TL_ID_TEXT_LEN + 1], permission[24];
	tl__buf out = TL__BUF_INIT;

	local_key(row, key);
	tl_id_format(&row->db, db);
	tl_permission_format(row->permission, permission);
	tl__buf_format(&out, "{\"db\":\"%s\",\"permission\":\"%s\",\"made\":%lld,\"expires\":%lld",
		db, permission, (long long)row->made, (long long)row->expires);
	put_key(&out, "key", &row->key);
	put_key(&out, "maker", &row->maker);
	tl__buf_text(&out, ",\"signer\":");
	tl__json_put_string(&out, tl__str_z(row->signer));
	if (row->used) {
		put_key(&out, row->given ? "given_to" : "taken_by", &row->used_by);
		tl__buf_format(&out, ",\"used\":%lld", (long long)row->used_at);
	}
	tl__buf_text(&out, "}");
	tl__sync_put_text(sync, tl__str_z(key), &out);
}

static void remove_local(tl__sync *sync, const tl__share_row *row)
{
	char key[64];

	local_key(row, key);
	tl__sync_put_local(sync, tl__str_z(key), TL__STR_NULL);
}

static void forget_row(tl__sync *sync, tl__share_row *row)
{
	tl__map_remove(&sync->serve->offers, name_of(&row->key));
	tl__free(row);
}

static void drop_row(tl__sync *sync, tl__share_row *row)
{
	remove_local(sync, row);
	forget_row(sync, row);
}

static int keep_row(tl__sync *sync, const tl__share_row *row)
{
	tl__share_row *kept = tl__alloc(sizeof *kept);
	int rc;

	if (!kept)
		return TL_E_NOMEM;
	*kept = *row;
	rc = tl__map_set(&sync->serve->offers, name_of(&kept->key), kept);
	if (rc != TL_OK)
		tl__free(kept);
	return rc;
}

static int read_row(tl__share_row *row, tl__arena *arena, tl_str document)
{
	tl_str key, maker, db, permission, signer;
	tl_str taken_by = TL__STR_NULL, given_to = TL__STR_NULL;
	uint64_t made, expires, used = 0;
	const tl__field members[] = {{"key", TL__FIELD_TEXT, &key, true},
		{"maker", TL__FIELD_TEXT, &maker, true}, {"db", TL__FIELD_TEXT, &db, true},
		{"permission", TL__FIELD_TEXT, &permission, true},
		{"signer", TL__FIELD_TEXT, &signer, true}, {"made", TL__FIELD_U64, &made, true},
		{"expires", TL__FIELD_U64, &expires, true},
		{"taken_by", TL__FIELD_TEXT, &taken_by, false},
		{"given_to", TL__FIELD_TEXT, &given_to, false},
		{"used", TL__FIELD_U64, &used, false}};
	int rc = TL__FIELDS_READ(document, arena, "share", TL_E_BAD_MESSAGE, members);

	if (rc == TL_OK)
		rc = tl_key_parse(&row->key, key);
	if (rc == TL_OK)
		rc = tl_key_parse(&row->maker, maker);
	if (rc == TL_OK)
		rc = tl_id_parse(&row->db, db);
	if (rc == TL_OK)
		rc = tl_permission_parse(&row->permission, permission);
	if (rc == TL_OK && signer.len >= sizeof row->signer)
		rc = TL_E_BAD_MESSAGE;
	if (rc != TL_OK)
		return rc;
	memcpy(row->signer, signer.ptr, signer.len);
	row->made = (int64_t)made;
	row->expires = (int64_t)expires;
	row->used_at = (int64_t)used;
	row->given = given_to.ptr != NULL;
	row->used = row->given || taken_by.ptr;
	return row->used ? tl_key_parse(&row->used_by, row->given ? given_to : taken_by) : TL_OK;
}

void tl__share_loaded(tl__sync *sync, tl_str key, tl_str document)
{
	tl__share_row row = {0};
	tl__arena arena = TL__ARENA_INIT;
	int rc;

	if (!tl__str_starts(key, TL__STR(LOCAL_PREFIX)))
		return;
	rc = read_row(&row, &arena, document);
	tl__share_id(row.id, &row.key);
	/* The load may be repeated. */
	if (rc == TL_OK && !tl__share_find(sync, &row.key))
		rc = keep_row(sync, &row);
	if (rc != TL_OK)
		tl__log_write(sync->log, TL_LOG_WARNING, "share",
			"a share was not loaded, its token opens nothing: %s", tl_error_name(rc));
	tl__arena_free(&arena);
}

/* --- saved ------------------------------------------------------------------------------------ */

/* Whoever makes it, or takes it back, waits still: nobody else sees it, and only its save ends it.
 */
static bool is_unsettled(const tl__share_row *row)
{
	return row->op != 0;
}

static void unsettle(tl__sync *sync, tl__share_row *row, uint64_t op)
{
	row->number = tl__sync_number(sync);
	row->op = op;
}

/* The one whose save has this number, which has ended so: its command is complete. NULL: none. */
static tl__share_row *settle(tl__sync *sync, uint64_t number, int code)
{
	size_t at = 0;
	tl_str name;
	void *value;

	while (tl__map_next(&sync->serve->offers, &at, &name, &value)) {
		tl__share_row *row = value;
		uint64_t op = row->op;

		if (row->number != number)
			continue;
		row->number = row->op = 0;
		if (code == TL_OK)
			tl__sync_complete(sync, op, TL_OK, NULL, NULL);
		else
			tl__sync_complete_failed(sync, op, code);
		return row;
	}
	return NULL;
}

/* --- made ------------------------------------------------------------------------------------- */

static int64_t end_of(const tl__share_row *row)
{
	return row->given ? row->used_at : row->expires;
}

static bool has_ended(const tl__sync *sync, const tl__share_row *row)
{
	return row->given || tl__share_is_over(sync, row);
}

/* Forgets what ended long ago; the one that ended first among the others, NULL: none has. */
static tl__share_row *first_ended(tl__sync *sync)
{
	tl__share_row *first = NULL;
	size_t at = 0;
	tl_str name;
	void *value;

	while (tl__map_next(&sync->serve->offers, &at, &name, &value)) {
		tl__share_row *row = value;

		if (is_unsettled(row) || !has_ended(sync, row))
			continue;
		if (sync->wall - end_of(row) > TL__SERVE_SHARE_KEPT_MS)
			drop_row(sync, row);
		else if (!first || end_of(row) < end_of(first))
			first = row;
	}
	return first;
}

static bool make_room(tl__sync *sync)
{
	tl__share_row *first = first_ended(sync);

	if (sync->serve->offers.count >= TL__SERVE_MAX_SHARES && first)
		drop_row(sync, first);
	return sync->serve->offers.count < TL__SERVE_MAX_SHARES;
}

/* Nobody has the token before this: it is durable, or there is no share. */
static void made(tl__sync *sync, uint64_t number, int code)
{
	tl__share_row *row = settle(sync, number, code);

	if (row && code != TL_OK)
		drop_row(sync, row);
}

void tl__share_make(tl__sync *sync, const tl__sync_command *command)
{
	tl__share_row row = {.key = command->share->key,
		.db = command->db,
		.permission = command->permission,
		.made = sync->wall,
		.expires = sync->wall + (int64_t)command->share->expires_ms,
		.maker = command->share->maker};
	int rc = make_room(sync) ? TL_OK
				 : tl__fail(TL_E_TOO_LARGE,
					   "%d shares are open already; revoke some of them",
					   TL__SERVE_MAX_SHARES);

	if (rc == TL_OK && tl__share_find(sync, &row.key))
		rc = tl__fail(TL_E_ALREADY_EXISTS, "there is a share with this token");
	tl__share_id(row.id, &row.key);
	memcpy(row.signer, command->name.ptr, command->name.len);
	unsettle(sync, &row, command->op);
	if (rc == TL_OK)
		rc = keep_row(sync, &row);
	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, command->op, rc);
		return;
	}
	tl__share_put_local(sync, &row);
	tl__sync_save_then(sync, made, row.number);
}

/* --- taken back, shown ------------------------------------------------------------------------ */

static tl__share_row *row_called(const tl__sync *sync, tl_str id)
{
	size_t at = 0;
	tl_str name;
	void *value;

	while (tl__map_next(&sync->serve->offers, &at, &name, &value)) {
		tl__share_row *row = value;

		if (!is_unsettled(row) && tl__str_eq(tl__str_z(row->id), id))
			return row;
	}
	return NULL;
}

/* Somebody is being given it right now. */
static bool is_under_way(const tl__sync *sync, const tl__share_row *row)
{
	size_t at = 0;
	tl_str number;
	void *value;

	while (tl__map_next(&sync->serve->incoming, &at, &number, &value)) {
		const tl__incoming *in = value;

		if (in->access.has_share &&
			memcmp(&in->access.share, &row->key, sizeof row->key) == 0)
			return true;
	}
	return false;
}

/* One that may be on disk still is not forgotten: it would come back with the next process. */
static void taken_back(tl__sync *sync, uint64_t number, int code)
{
	tl__share_row *row = settle(sync, number, code);

	if (row && code == TL_OK)
		forget_row(sync, row);
}

void tl__share_revoke(tl__sync *sync, const tl__sync_command *command)
{
	tl__share_row *row = row_called(sync, command->name);
	char user[TL_KEY_TEXT_LEN + 1];

	if (row && !row->given && !(row->used && is_under_way(sync, row))) {
		unsettle(sync, row, command->op);
		remove_local(sync, row);
		tl__sync_save_then(sync, taken_back, row->number);
		return;
	}
	if (row) {
		tl_key_format(&row->used_by, user);
		(void)tl__fail(TL_E_SHARE_USED,
			"this share was used by %s already; revoke that key in the settings of "
			"the database instead",
			user);
	} else {
		(void)tl__fail(TL_E_SHARE_NOT_FOUND, "there is no share of this id");
	}
	tl__sync_complete_failed(sync, command->op, tl_error_code(tl_last_error()));
}

static void put_after(tl__buf *out, const char *name, const char *text)
{
	tl__buf_byte(out, ',');
	tl__put_text(out, name, text);
}

static void put_time(tl__buf *out, const char *name, int64_t time)
{
	tl__buf_byte(out, ',');
	tl__put_time(out, name, time);
}

static void put_share(const tl__share_row *row, int64_t now, tl__buf *out)
{
	char db[TL_ID_TEXT_LEN + 1], permission[24], user[TL_KEY_TEXT_LEN + 1];

	tl_id_format(&row->db, db);
	tl_permission_format(row->permission, permission);
	tl_key_format(&row->used_by, user);
	tl__buf_format(
		out, "{\"id\":\"%s\",\"db\":\"%s\",\"permission\":\"%s\"", row->id, db, permission);
	put_after(out, "key", row->signer);
	put_time(out, "made", row->made);
	put_time(out, "expires", row->expires);
	tl__buf_format(out, ",\"state\":\"%s\"",
		row->used             ? "used"
		: now >= row->expires ? "expired"
				      : "open");
	put_after(out, "used_by", row->used ? user : NULL);
	put_time(out, "used_at", row->used ? row->used_at : 0);
	tl__buf_text(out, "}");
}

static int by_age(const void *a, const void *b)
{
	const tl__share_row *const *x = a, *const *y = b;

	if ((*x)->made != (*y)->made)
		return (*x)->made < (*y)->made ? -1 : 1;
	return strcmp((*x)->id, (*y)->id);
}

void tl__sync_put_shares(const tl__sync *sync, int64_t now_wall_ms, tl__buf *out)
{
	const tl__share_row *rows[TL__SERVE_MAX_SHARES];
	size_t count = 0, at = 0;
	tl_str name;
	void *row;

	while (count < TL__SERVE_MAX_SHARES && tl__map_next(&sync->serve->offers, &at, &name, &row))
		if (!is_unsettled(row))
			rows[count++] = row;
	qsort((void *)rows, count, sizeof(tl__share_row *), by_age);
	tl__buf_text(out, "[");
	for (size_t i = 0; i < count; i++) {
		tl__buf_text(out, i > 0 ? "," : "");
		put_share(rows[i], now_wall_ms, out);
	}
	tl__buf_text(out, "]");
}

void tl__shares_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str name;
	void *row;

	while (tl__map_next(&sync->serve->offers, &at, &name, &row))
		tl__free(row);
	tl__map_free(&sync->serve->offers);
}
