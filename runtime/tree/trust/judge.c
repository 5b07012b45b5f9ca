/* One entry's verdict, but for its signature. */
#include "tree/trust/judge.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/history/dag.h"

void tl__judge_init(tl__judge *judge)
{
	judge->arena = TL__ARENA_INIT;
	judge->settings = NULL;
	tl__map_init(&judge->signers);
}

void tl__judge_free(tl__judge *judge)
{
	tl__map_free(&judge->signers);
	tl__settings_release(judge->settings);
	judge->settings = NULL;
	tl__arena_free(&judge->arena);
}

/* --- delegation ------------------------------------------------------------------------------- */

/* Standing of the cited entries, by their place among the tips. */
typedef struct standing {
	const tl__cite *cite;
	tl__place *at;
	bool *quarantined;
} standing;

static size_t place_of(const standing *s, const tl_id *id)
{
	const tl_id *found =
		bsearch(id, s->cite->tips, s->cite->count, sizeof *s->cite->tips, tl__id_compare);

	return found ? (size_t)(found - s->cite->tips) : s->cite->count;
}

static int on_entry(void *ud, const tl__entry_row *row)
{
	const standing *s = ud;
	size_t at = place_of(s, &row->id);

	if (at < s->cite->count)
		s->at[at] = row->verdict == TL__VERIFIED ? TL__PLACE_GOOD : TL__PLACE_BAD;
	return TL_OK;
}

static int on_aside(void *ud, const tl__aside_row *row)
{
	const standing *s = ud;
	size_t at = place_of(s, &row->id);

	if (at >= s->cite->count || row->verdict != TL__INVALID || s->at[at] != TL__PLACE_STORED)
		return TL_OK;
	s->at[at] = TL__PLACE_BAD;
	s->quarantined[at] = true;
	return TL_OK;
}

static bool own_database(const tl__judge *j, const tl_id *db)
{
	return tl__id_equal(db, &j->db);
}

static int find_standing(tl__judge *j, standing *s)
{
	const tl__cite *cite = s->cite;
	tl_entry *entry;
	int code;

	for (size_t i = 0; i < cite->count; i++)
		s->at[i] = own_database(j, &cite->db) ? j->place(j->ud, &cite->tips[i], &entry)
						      : TL__PLACE_STORED;
	code = tl__read_entries(j->snapshot, &cite->db, cite->tips, cite->count, 0, on_entry, s);
	if (code == TL_OK)
		code = tl__read_asides(
			j->snapshot, &cite->db, cite->tips, cite->count, 0, on_aside, s);
	return code;
}

static int add_tip(tl__judge *j, tl__cite *list, const tl__cite *of, const tl_id *id)
{
	if (!list->tips) {
		list->db = of->db;
		list->tips = tl__arena_alloc(&j->arena, of->count, sizeof *list->tips);
	}
	if (!list->tips)
		return TL_E_NOMEM;
	list->tips[list->count++] = *id;
	return TL_OK;
}

/* Fills the opinion's waits and refused; *bad when a tip is not good. */
static int check_tips(tl__judge *j, const tl__cite *cite, tl__opinion *out, bool *bad)
{
	standing s = {cite, tl__arena_alloc(&j->arena, cite->count, sizeof *s.at),
		tl__arena_alloc(&j->arena, cite->count, sizeof *s.quarantined)};
	int code = s.at && s.quarantined ? find_standing(j, &s) : TL_E_NOMEM;

	*bad = false;
	for (size_t i = 0; code == TL_OK && i < cite->count; i++) {
		*bad = *bad || s.at[i] == TL__PLACE_BAD;
		if (s.quarantined[i])
			code = add_tip(j, &out->refused, cite, &cite->tips[i]);
		else if (s.at[i] == TL__PLACE_OPEN || s.at[i] == TL__PLACE_STORED)
			code = add_tip(j, &out->waits, cite, &cite->tips[i]);
	}
	return code;
}

/* A path being resolved: the settings its steps lead to are kept till its end. */
typedef struct path {
	tl__judge *judge;
	tl__opinion *out;
	tl__settings *settings[TL_DELEGATION_MAX_STEPS];
	size_t settings_count;
	int failure; /* of the store or of memory */
} path;

static int settings_at_tips(tl__judge *j, const tl__cite *cite, tl__settings **out)
{
	if (own_database(j, &cite->db))
		return tl__plan_settings_at(j->plan, cite->tips, cite->count, out);
	return tl__settings_of_parents(
		j->tree, j->snapshot, &cite->db, cite->tips, cite->count, out);
}

static int follow(path *p, const tl__cite *cite, const tl_auth **auth)
{
	bool bad;
	int code = check_tips(p->judge, cite, p->out, &bad);

	if (code == TL_OK && p->out->waits.count == 0 && !bad)
		code = settings_at_tips(p->judge, cite, &p->settings[p->settings_count]);
	if (code != TL_OK)
		return p->failure = code;
	if (p->out->waits.count > 0)
		return tl__fail(TL_E_WAITS_FOR_DATABASE,
			"a delegation step cites an entry that is not known");
	if (bad)
		return tl__fail(
			TL_E_INVALID_TIP, "a delegation step cites an entry that is not good");
	*auth = p->settings[p->settings_count++]->auth;
	p->out->cites[p->out->cite_count++] = *cite;
	return TL_OK;
}

static int look_up(void *ud, tl_str root, const tl_entry *entry, size_t step, const tl_auth **auth)
{
	path *p = ud;
	tl__cite cite = {.count = 0};
	int code;

	if (tl_id_parse(&cite.db, root) != TL_OK)
		return tl__fail_cause(
			TL_E_INVALID_TIP, "a delegated tree record names no database");
	code = tl__judge_add_tips(entry, step, &p->judge->arena, &cite.tips, &cite.count);
	if (code == TL_E_NOMEM)
		p->failure = code;
	return code == TL_OK ? follow(p, &cite, auth) : code;
}

static int resolve_path(tl__judge *j, tl_entry *entry, tl__opinion *out)
{
	path p = {.judge = j, .out = out};
	int code = tl_auth_resolve(&out->signer, j->settings->auth, entry, look_up, &p);

	for (size_t i = 0; i < p.settings_count; i++)
		tl__settings_release(p.settings[i]);
	if (p.failure != TL_OK)
		return p.failure;
	out->reason = code;
	if (code != TL_OK)
		out->standing = out->waits.count > 0 ? TL__WAITS : TL__NOT_GOOD;
	return TL_OK;
}

/* --- direct keys ------------------------------------------------------------------------------ */

/* What a direct name resolves to under the current settings. */
typedef struct resolved {
	int code;
	tl_signer signer;
} resolved;

static int new_resolved(tl__judge *j, tl_entry *entry, tl_str key, resolved **out)
{
	resolved *r = tl__arena_alloc(&j->arena, 1, sizeof *r);

	if (!r)
		return TL_E_NOMEM;
	r->code = tl_auth_resolve(&r->signer, j->settings->auth, entry, look_up, NULL);
	*out = r;
	return r->code == TL_E_NOMEM ? r->code : tl__map_set(&j->signers, key, r);
}

/* The same few keys sign a page under the same settings; checking a key's point is dear. */
static int resolve_name(tl__judge *j, tl_entry *entry, tl__opinion *out)
{
	tl__buf key = TL__BUF_INIT;
	resolved *r;
	int code;

	if (tl_entry_pubkey(entry).ptr)
		tl__buf_str(&key, tl_entry_pubkey(entry));
	tl__buf_byte(&key, tl_entry_pubkey(entry).ptr ? 1 : 0);
	tl__buf_str(&key, tl_entry_key_name(entry));
	code = tl__buf_status(&key);
	r = code == TL_OK ? tl__map_get(&j->signers, tl__buf_view(&key)) : NULL;
	if (code == TL_OK && !r)
		code = new_resolved(j, entry, tl__buf_view(&key), &r);
	tl__buf_free(&key);
	if (code != TL_OK)
		return code;
	out->signer = r->signer;
	out->reason = r->code;
	out->standing = r->code == TL_OK ? TL__GOOD_IF_SIGNED : TL__NOT_GOOD;
	return TL_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int find_settings(tl__judge *j, tl_entry *entry)
{
	tl__settings *settings;
	int code = tl__plan_settings(j->plan, entry, &settings);

	if (code != TL_OK)
		return code;
	if (settings == j->settings) {
		tl__settings_release(settings);
		return TL_OK;
	}
	tl__settings_release(j->settings);
	j->settings = settings;
	tl__map_free(&j->signers);
	tl__map_init(&j->signers);
	return TL_OK;
}

/* Every store parent carries the store. */
static int check_store_parents(tl__judge *j, const tl_entry *entry, bool *carried)
{
	int code = TL_OK;

	*carried = true;
	for (size_t i = 0; i < tl_entry_store_count(entry) && *carried; i++) {
		const tl_id *parents = tl__entry_store_parents(entry, i);

		for (size_t k = 0; k < tl_entry_store_parent_count(entry, i) && *carried; k++) {
			code = tl__plan_carries(
				j->plan, tl_entry_store_name(entry, i), &parents[k], carried);
			if (code != TL_OK)
				return code;
		}
	}
	return code;
}

static void refuse(tl__opinion *out, int reason)
{
	out->standing = TL__NOT_GOOD;
	out->reason = reason;
}

/* What the signer may do; the signature's form. */
static void check_signer(const tl_entry *entry, tl__opinion *out)
{
	if (out->signer.status != TL_KEY_ACTIVE)
		refuse(out, TL_E_KEY_REVOKED);
	else if (!tl_auth_may_write(out->signer.permission, entry) ||
		 (tl_entry_is_root(entry) && out->signer.permission.kind != TL_ADMIN))
		refuse(out, TL_E_INSUFFICIENT_PERMISSIONS);
	else if (tl__entry_signature(entry, out->signature) != TL_OK)
		refuse(out, TL_E_BAD_SIGNATURE);
}

int tl__judge_entry(tl__judge *j, tl_entry *entry, tl__opinion *out)
{
	bool carried;
	int code = check_store_parents(j, entry, &carried);

	memset(out, 0, sizeof *out);
	if (code != TL_OK)
		return code;
	if (!carried) {
		refuse(out, TL_E_BAD_ENTRY);
		return TL_OK;
	}
	code = find_settings(j, entry);
	if (code == TL_OK)
		code = tl_entry_key_name(entry).ptr ? resolve_name(j, entry, out)
						    : resolve_path(j, entry, out);
	if (code == TL_OK && out->standing == TL__GOOD_IF_SIGNED)
		check_signer(entry, out);
	return code;
}
