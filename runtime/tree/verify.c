/* Rechecking a database: entries in the order they arrived. */
#include "tree/verify.h"

#include <string.h>
#include "base/str.h"
#include "model/entry_impl.h"
#include "tree/signers.h"

int tl__verify_member_key(tl__buf *buf, tl_str store, const tl_id *id, tl_str *out)
{
	int code;

	tl__buf_clear(buf);
	tl__buf_str(buf, store);
	tl__buf_byte(buf, 0xff); /* no UTF-8 holds it */
	tl__buf_append(buf, id->b, TL_ID_BYTES);
	code = tl__buf_status(buf);
	*out = tl__buf_view(buf);
	return code;
}

/* --- heights and places ----------------------------------------------------------------------- */

static int remember(tl__verify *v, tl__map *map, tl_str key, uint64_t height)
{
	tl__seen *seen = tl__arena_alloc(&v->arena, 1, sizeof *seen);

	if (!seen)
		return TL_E_NOMEM;
	seen->height = height;
	return tl__map_set(map, key, seen);
}

/* Marks main parents as named; *height is one above the highest. false when one is missing. */
static bool name_parents(tl__verify *v, const tl_entry *entry, uint64_t *height)
{
	const tl_id *parents = tl__entry_parents(entry);
	bool complete = true;

	*height = 0;
	for (size_t i = 0; i < tl_entry_parent_count(entry); i++) {
		tl__seen *parent = tl__map_get(&v->entries, tl__map_key_id(&parents[i]));

		if (!parent) {
			tl__verify_report(v, tl_entry_id(entry),
				"a main parent is not among the entries that arrived before it");
			complete = false;
			continue;
		}
		parent->named = true;
		if (parent->height >= *height)
			*height = parent->height + 1;
	}
	return complete;
}

static int place_in_store(tl__verify *v, const tl_entry *entry, size_t store, tl__buf *buf)
{
	const tl_id *parents = tl__entry_store_parents(entry, store);
	tl_str name = tl_entry_store_name(entry, store), key;
	uint64_t height = 0;
	int code = TL_OK;

	for (size_t i = 0; i < tl_entry_store_parent_count(entry, store) && code == TL_OK; i++) {
		tl__seen *parent;

		code = tl__verify_member_key(buf, name, &parents[i], &key);
		parent = code == TL_OK ? tl__map_get(&v->members, key) : NULL;
		if (!parent)
			continue; /* without the store: the verdict tells */
		parent->named = true;
		if (parent->height >= height)
			height = parent->height + 1;
	}
	if (code == TL_OK)
		code = tl__map_set(&v->stores, name, NULL);
	if (code == TL_OK)
		code = tl__verify_member_key(buf, name, tl_entry_id(entry), &key);
	return code == TL_OK ? remember(v, &v->members, key, height) : code;
}

static int place(tl__verify *v, const tl_entry *entry, uint64_t stored_height, bool *complete)
{
	tl__buf buf = TL__BUF_INIT;
	uint64_t height;
	int code = TL_OK;

	*complete = name_parents(v, entry, &height);
	if (*complete && height != stored_height)
		tl__verify_report(v, tl_entry_id(entry),
			"its stored height is %llu, its parents make it %llu",
			(unsigned long long)stored_height, (unsigned long long)height);
	for (size_t i = 0; i < tl_entry_store_count(entry) && code == TL_OK; i++)
		code = place_in_store(v, entry, i, &buf);
	tl__buf_free(&buf);
	return code;
}

/* --- one entry -------------------------------------------------------------------------------- */

/* Whether the signature holds. The pool verified it with the key that it guessed. */
static int check_signature(const tl__checked *checked, const tl_key *key, bool *genuine)
{
	int code;

	*genuine = checked->genuine;
	if (checked->verified && memcmp(&checked->key, key, sizeof *key) == 0)
		return TL_OK;
	code = tl_entry_verify(checked->entry, key);
	*genuine = code == TL_OK;
	return code == TL_E_NOMEM ? code : TL_OK;
}

static int judge(tl__verify *v, const tl__checked *checked, tl__opinion *out, bool *stale)
{
	bool genuine = true;
	int code = tl__judge_entry(&v->judge, checked->entry, out);

	*stale = false;
	if (code != TL_OK || out->standing != TL__GOOD_IF_SIGNED)
		return code;
	tl__signers_note(v->tree->signers, checked->entry, &out->signer.key);
	code = check_signature(checked, &out->signer.key, &genuine);
	if (!genuine) {
		out->standing = TL__NOT_GOOD;
		out->reason = TL_E_BAD_SIGNATURE;
	}
	if (code == TL_OK && genuine)
		code = tl__judge_citations(&v->judge, checked->entry, out, stale);
	return code;
}

static int check_verdict(tl__verify *v, const tl__checked *checked, bool is_void)
{
	const tl_id *id = tl_entry_id(checked->entry);
	tl__opinion opinion;
	uint64_t before = v->task->result.findings;
	bool stale;
	int code = judge(v, checked, &opinion, &stale);

	if (code != TL_OK)
		return code;
	if (opinion.standing == TL__WAITS)
		tl__verify_report(v, id, "a delegation step cites an entry that is not held");
	else if (stale && !is_void)
		tl__verify_report(
			v, id, "stored as verified, but cites older tips than its ancestors");
	else if (opinion.standing == TL__NOT_GOOD && !is_void)
		tl__verify_report(v, id, "stored as verified, but is not good: %s",
			tl_error_name(opinion.reason));
	else if (opinion.standing == TL__GOOD_IF_SIGNED && !stale && is_void)
		tl__verify_report(v, id, "stored as void, but is good");
	v->verdicts += v->task->result.findings - before;
	return TL_OK;
}

/* Of an entry with a store that is no Doc: which. */
static int report_data(tl__verify *v, const tl_entry *entry)
{
	for (size_t i = 0; i < tl_entry_store_count(entry); i++) {
		tl_str name = tl_entry_store_name(entry, i);
		bool readable;
		int code = tl__verify_data(entry, i, &readable);

		if (code != TL_OK)
			return code;
		if (!readable)
			tl__verify_report(v, tl_entry_id(entry),
				"its data in store `%.*s` is no Doc: kept, but no part of the "
				"store's state",
				TL__STR_ARG(name));
	}
	return TL_OK;
}

static void check_place(tl__verify *v, const tl__line *at)
{
	uint8_t both[32 + TL_ID_BYTES];

	if (at->arrival != v->arrivals + 1)
		tl__verify_report(v, &at->id, "arrival %llu follows %llu",
			(unsigned long long)at->arrival, (unsigned long long)v->arrivals);
	v->arrivals = at->arrival;
	memcpy(both, v->chain, 32);
	memcpy(both + 32, at->id.b, TL_ID_BYTES);
	tl_sha256(both, sizeof both, v->chain);
	if (memcmp(v->chain, at->chain, 32) != 0)
		tl__verify_report(v, &at->id, "the chain of arrivals does not match at %llu",
			(unsigned long long)at->arrival);
	memcpy(v->chain, at->chain, 32);
}

static int check_line(tl__verify *v, const tl__line *at, const tl__checked *checked)
{
	bool complete = false;
	int code = TL_OK;

	check_place(v, at);
	if (checked->broken)
		tl__verify_report(v, &at->id, "%s", checked->broken);
	else
		code = place(v, checked->entry, at->height, &complete);
	if (code == TL_OK && complete)
		code = check_verdict(v, checked, at->is_void);
	if (code == TL_OK && checked->entry && !checked->readable)
		code = report_data(v, checked->entry);
	if (code == TL_OK)
		code = remember(v, &v->entries, tl__map_key_id(&at->id), at->height);
	v->task->result.entries++;
	return code == TL_OK ? tl__verify_ask(v->task) : code;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* What the entries name, asked for in one go. */
static int prefetch(tl__verify *v, const tl__verify_page *page)
{
	tl__buf ids = TL__BUF_INIT;
	int code;

	for (size_t i = 0; i < page->lines.count; i++) {
		size_t count = 0;
		const tl_id *names =
			page->at[i].entry ? tl__entry_names(page->at[i].entry, &count) : NULL;

		if (count > 0)
			tl__buf_append(&ids, names, count * sizeof *names);
	}
	code = tl__buf_status(&ids);
	if (code == TL_OK && ids.len > 0)
		code = tl__plan_prefetch(v->judge.plan, (const tl_id *)(const void *)ids.ptr,
			ids.len / sizeof(tl_id));
	tl__buf_free(&ids);
	return code;
}

static int check_page(tl__verify *v, tl__verify_page *page)
{
	int code = tl__verify_page_finish(page);

	if (code == TL_OK)
		code = prefetch(v, page);
	for (size_t i = 0; i < page->lines.count && code == TL_OK; i++)
		code = check_line(v, &page->lines.at[i], &page->at[i]);
	return code;
}

/* While one page is judged, the pool checks the next one. */
static int walk(tl__verify *v)
{
	tl__verify_page pages[2] = {0};
	size_t turn = 0;
	int code = tl__verify_page_start(&pages[0], v, 1);

	while (code == TL_OK && pages[turn].lines.count > 0) {
		tl__verify_page *page = &pages[turn], *next = &pages[turn ^ 1];

		code = tl__verify_page_start(
			next, v, page->lines.at[page->lines.count - 1].arrival + 1);
		if (code == TL_OK)
			code = check_page(v, page);
		tl__verify_page_free(page);
		turn ^= 1;
	}
	tl__verify_page_free(&pages[0]);
	tl__verify_page_free(&pages[1]);
	return code;
}

int tl__verify_entries(tl__verify *v)
{
	tl__db_row row;
	int code = tl__read_database(v->snapshot, &v->db, &row);

	if (code == TL_OK)
		code = walk(v);
	if (code == TL_OK && v->arrivals != row.arrivals)
		tl__verify_report(v, NULL, "%llu entries are counted, %llu are there",
			(unsigned long long)row.arrivals, (unsigned long long)v->arrivals);
	return code;
}
