/* An access request with a token: granted by itself, once. The share is the key's from before the
 * record is made, durably, so that whatever is lost in between, no other key ever gets it. */
#include <stdio.h>
#include <string.h>
#include "sync/in/serve.h"

/* --- no share --------------------------------------------------------------------------------- */

/* Whoever guesses learns nothing, and not often. */
void tl__serve_no_share(tl__sync *sync, tl__incoming *in)
{
	static const tl__serve_rate of_source = {
		TL__SERVE_SOURCE_WISH_BURST, TL__SERVE_SOURCE_WISH_PER_S};
	char source[TL__SOURCE_LEN + 1], name[sizeof source + 8];

	tl__source_of(in->remote, source);
	snprintf(name, sizeof name, "share %s", source);
	if (tl__serve_take(sync, tl__str_z(name), of_source) &&
		tl__serve_take_share(sync, TL__SHARE_WISHES))
		tl__serve_v1_refuse(sync, in, TL__V1_NOT_AVAILABLE, TL__V1_CODE_NO_SHARE);
	else
		tl__serve_v1_refuse(sync, in, TL__V1_BUSY, TL__V1_CODE_NO_SHARE);
}

/* Only one whose token the requester has, for the database that it names. */
static tl__share_row *share_of(const tl__sync *sync, const tl__incoming *in)
{
	tl__share_row *row = tl__share_find(sync, &in->access.share);

	for (size_t i = 0; row && i < in->proven_count; i++)
		if (tl__key_equal(&in->proven[i], &row->key))
			return tl__id_equal(&row->db, &in->db) ? row : NULL;
	return NULL;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer(tl__sync *sync, tl__incoming *in, const tl__v1_access_answer *what)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	tl__v1_write_access_answer(&args, what);
	tl__serve_answer_args(sync, in, &args, &body);
}

static void refuse(tl__sync *sync, tl__incoming *in, const char *code)
{
	const tl__v1_access_answer what = {
		.result = TL__V1_ACCESS_REFUSED, .code = tl__str_z(code)};

	if (in->put_off)
		tl__serve_v1_refuse(sync, in, TL__V1_BUSY, "");
	else
		answer(sync, in, &what);
}

/* --- given ------------------------------------------------------------------------------------ */

/* The maker cannot give it any more, or the owner has taken this key's access before. */
static bool is_refusal(int code)
{
	switch (code) {
	case TL_E_INSUFFICIENT_PERMISSIONS:
	case TL_E_SIGNATURE_VERIFICATION_FAILED:
	case TL_E_KEY_NOT_FOUND:
	case TL_E_SIGNING_KEY_NOT_FOUND:
	case TL_E_NO_AUTH_CONFIGURATION:
	case TL_E_KEY_NAME_CONFLICT:
	case TL_E_HOOK_FAILED:
	case TL_E_CONFLICT: return true;
	default: return false;
	}
}

static void refused(
	tl__sync *sync, tl__incoming *in, const tl__share_row *row, const tl__work *work)
{
	tl__log_about(sync->log, TL_LOG_WARNING, "share", TL__STR(""),
		"share %s gave nothing to whoever came from %s: %s", row->id, in->address,
		work->error ? tl_error_message(work->error) : tl_error_name(work->code));
	refuse(sync, in, "not_permitted");
}

static void note_given(tl__sync *sync, tl__share_row *row)
{
	char user[TL_KEY_TEXT_LEN + 1], permission[24];

	row->given = true;
	tl__share_put_local(sync, row);
	tl_key_format(&row->used_by, user);
	tl_permission_format(row->permission, permission);
	tl__log_write(sync->log, TL_LOG_INFO, "share", "share %s gave %s to %s", row->id,
		permission, user);
}

/* Noted also where whoever asked is gone: it has the record all the same. */
static void given(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_find(sync, work->owner);
	tl__share_row *row = in ? tl__share_find(sync, &in->access.share) : NULL;
	tl__v1_access_answer what = {.result = TL__V1_ACCESS_GRANTED};

	if (work->code == TL_OK && row && !row->given)
		note_given(sync, row);
	in = tl__serve_worked(sync, work);
	if (!in)
		return;
	what.permission = in->access.permission;
	if (work->code == TL_OK)
		answer(sync, in, &what);
	else if (row && is_refusal(work->code))
		refused(sync, in, row, work);
	else
		tl__serve_fail_work(sync, in, work);
	tl__work_free(work);
}

static void give(tl__sync *sync, tl__incoming *in, const tl__share_row *row)
{
	tl__work *work = tl__serve_work(sync, in, TL__WORK_GRANT, given);

	if (!work)
		return;
	work->grant =
		(tl__work_grant){.signer = tl__arena_str(&work->arena, tl__str_z(row->signer)),
			.maker = row->maker,
			.key = in->access.key,
			.name = in->access.name, /* the request outlives its works */
			.permission = in->access.permission};
	if (work->grant.signer.ptr)
		tl__sync_give_work(sync, work);
	else {
		work->code = TL_E_NOMEM;
		given(sync, work);
	}
}

/* --- taken ------------------------------------------------------------------------------------ */

static void taken(tl__sync *sync, uint64_t incoming, int code)
{
	tl__incoming *in = tl__serve_find(sync, incoming);
	tl__share_row *row = in ? tl__share_find(sync, &in->access.share) : NULL;

	if (!in || in->done)
		return;
	if (code != TL_OK)
		tl__serve_internal(sync, in, NULL);
	else if (row)
		give(sync, in, row);
	else
		tl__serve_no_share(sync, in); /* taken back meanwhile */
}

/* The same key may ask once more until it has the record: its answer, or the process, was lost. */
static bool is_spent(const tl__share_row *row, const tl_key *key)
{
	return row->used && (row->given || !tl__key_equal(&row->used_by, key));
}

void tl__serve_held(tl__sync *sync, const tl__incoming *in)
{
	tl__share_row *row = share_of(sync, in);

	if (row && row->used && !row->given && tl__key_equal(&row->used_by, &in->access.key) &&
		tl_permission_compare(in->access.permission, row->permission) >= 0)
		note_given(sync, row);
}

void tl__serve_redeem(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights, size_t key)
{
	tl__share_row *row = share_of(sync, in);
	const tl__access_wish wish = {in->access.key, in->access.name, in->access.permission,
		in->db, in->transport, in->remote, true, false};

	if (!row || row->op) {
		tl__serve_no_share(sync, in);
	} else if (is_spent(row, &in->proven[key])) {
		refuse(sync, in, TL__V1_CODE_USED);
	} else if (tl__share_is_over(sync, row)) {
		refuse(sync, in, TL__V1_CODE_EXPIRED);
	} else if (tl_permission_compare(in->access.permission, row->permission) > 0 ||
		   !tl__serve_may_ask(sync, in, rights, &wish)) {
		refuse(sync, in, "not_permitted");
	} else {
		if (!row->used)
			row->used_at = sync->wall;
		row->used = true;
		row->used_by = in->proven[key];
		tl__share_put_local(sync, row);
		tl__sync_save_then(sync, taken, in->number);
	}
}
