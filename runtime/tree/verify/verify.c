/* Rechecking a database: entries in the order they arrived. */
#include "tree/verify/verify.h"

#include <string.h>
#include "base/str.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/trust/signers.h"

#define PAGES_A_JUDGE 16

/* --- heights and places ----------------------------------------------------------------------- */

/* The entry is a tip until another one names it. */
static int open_tip(tl__verify *v, tl__verify_store *store, uint64_t arrival)
{
	store->open++;
	return tl__number_set_add(&v->open, tl__verify_tip(store, arrival));
}

static void close_tip(tl__verify *v, tl__verify_store *store, uint64_t arrival)
{
	store->open -= tl__number_set_remove(&v->open, tl__verify_tip(store, arrival));
}

/* *height is one above the highest main parent. false when one is missing. */
static bool name_parents(tl__verify *v, const tl__line *at, const tl_entry *entry, uint64_t *height)
{
	const tl_id *parents = tl__entry_parents(entry);
	bool complete = true;

	*height = 0;
	for (size_t i = 0; i < tl_entry_parent_count(entry); i++) {
		const tl__verify_known *parent = tl__verify_known_of(v, &parents[i]);

		if (!parent || parent->arrival >= at->arrival) {
			tl__verify_report(v, tl_entry_id(entry),
				"a main parent is not among the entries that arrived before it");
			complete = false;
			continue;
		}
		close_tip(v, &v->whole, parent->arrival);
		if (parent->height >= *height)
			*height = parent->height + 1;
	}
	return complete;
}

/* One above the highest of its parents in the store. */
static uint64_t name_store_parents(
	tl__verify *v, const tl_entry *entry, size_t at, tl__verify_store *store)
{
	const tl_id *parents = tl__entry_store_parents(entry, at);
	uint64_t height = 0;

	for (size_t i = 0; i < tl_entry_store_parent_count(entry, at); i++) {
		const tl__verify_known *known = tl__verify_known_of(v, &parents[i]);
		const tl__verify_member *parent = tl__verify_member_of(v, store, &parents[i]);

		if (!known || !parent)
			continue; /* without the store: the verdict tells */
		close_tip(v, store, known->arrival);
		if (parent->height >= height)
			height = parent->height + 1;
	}
	return height;
}

static int place_in_store(tl__verify *v, const tl__line *at, const tl_entry *entry, size_t index)
{
	tl_str name = tl_entry_store_name(entry, index);
	const tl__verify_member *member;
	tl__verify_store *store;
	uint64_t height;
	int code = tl__verify_store_of(v, name, &store);

	if (code != TL_OK)
		return code;
	member = tl__verify_member_of(v, store, &at->id);
	if (!member) {
		tl__verify_report(v, &at->id, "its row does not say that it carries store `%.*s`",
			TL__STR_ARG(name));
		return TL_OK;
	}
	height = name_store_parents(v, entry, index, store);
	if (height != member->height)
		tl__verify_report(v, &at->id,
			"its stored height in store `%.*s` is %llu, its parents make it %llu",
			TL__STR_ARG(name), (unsigned long long)member->height,
			(unsigned long long)height);
	code = open_tip(v, store, at->arrival);
	if (code == TL_OK && v->derived && !at->is_void)
		code = tl__verify_delta(v, entry, index, store, member);
	return code;
}

static int place(tl__verify *v, const tl__line *at, const tl_entry *entry, bool *complete)
{
	uint64_t height;
	int code;

	*complete = name_parents(v, at, entry, &height);
	if (*complete && height != at->height)
		tl__verify_report(v, tl_entry_id(entry),
			"its stored height is %llu, its parents make it %llu",
			(unsigned long long)at->height, (unsigned long long)height);
	code = open_tip(v, &v->whole, at->arrival);
	for (size_t i = 0; i < tl_entry_store_count(entry) && code == TL_OK; i++)
		code = place_in_store(v, at, entry, i);
	return code;
}

/* --- one entry -------------------------------------------------------------------------------- */

/* Whether the signature holds. The pool verified it with the key that it guessed. */
static int check_signature(const tl__checked *checked, const tl_key *key, bool *genuine)
{
	int code;

	*genuine = checked->genuine;
	if (checked->verified && tl__key_equal(&checked->key, key))
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

/* What the checks of later citations rest on. */
static int check_cited(
	tl__verify *v, const tl_entry *entry, const tl__opinion *opinion, bool is_void)
{
	bool is;
	int code = tl__plan_cited_is(
		v->judge.plan, entry, opinion->cites, is_void ? 0 : opinion->cite_count, &is);

	if (code == TL_OK && !is)
		tl__verify_report(v, tl_entry_id(entry),
			"its row hands on other citations than it should: restore a backup");
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
	return check_cited(v, checked->entry, &opinion, is_void);
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

static int check_line(tl__verify *v, const tl__line *at, const tl__checked *checked, bool *alone)
{
	bool complete = false;
	int code = TL_OK;

	check_place(v, at);
	if (checked->broken)
		tl__verify_report(v, &at->id, "%s", checked->broken);
	else
		code = place(v, at, checked->entry, &complete);
	*alone = v->whole.open == 1;
	if (code == TL_OK && complete)
		code = check_verdict(v, checked, at->is_void);
	if (code == TL_OK && checked->entry && !checked->readable)
		code = report_data(v, checked->entry);
	v->task->result.entries++;
	return code == TL_OK ? tl__verify_ask(v->task) : code;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* The entries and what they name, asked for in one go. */
static int prefetch(tl__verify *v, const tl__verify_page *page)
{
	tl__buf ids = TL__BUF_INIT;
	int code;

	for (size_t i = 0; i < page->lines.count; i++) {
		size_t count = 0;
		const tl_id *names =
			page->at[i].entry ? tl__entry_names(page->at[i].entry, &count) : NULL;

		tl__buf_append(&ids, &page->lines.at[i].id, sizeof(tl_id));
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

/* What walks over the history rely on: see tl__read_joint. */
static int check_joints(tl__verify *v, const tl__verify_page *page)
{
	const tl__line *first = &page->lines.at[0];
	uint64_t at = first[page->lines.count - 1].arrival;
	int code = TL_OK;

	while (code == TL_OK && at >= first->arrival) {
		code = tl__read_joint(v->snapshot, &v->db, at, &at);
		if (code != TL_OK || at < first->arrival)
			break;
		if (at - first->arrival >= page->lines.count || !v->alone[at - first->arrival])
			tl__verify_report(v, NULL,
				"arrival %llu is noted as a joint, but was not the only tip",
				(unsigned long long)at);
		at--;
	}
	return code;
}

static int check_page(tl__verify *v, tl__verify_page *page)
{
	int code = tl__verify_page_finish(page);

	if (code == TL_OK)
		code = prefetch(v, page);
	if (code == TL_OK)
		code = tl__verify_look_up(v, page);
	for (size_t i = 0; i < page->lines.count && code == TL_OK; i++)
		code = check_line(v, &page->lines.at[i], &page->at[i], &v->alone[i]);
	if (code == TL_OK && v->derived)
		code = check_joints(v, page);
	return code == TL_OK ? tl__verify_deltas(v) : code;
}

/* While one page is judged, the pool checks the next one. */
static int walk(tl__verify *v)
{
	tl__verify_page pages[2] = {0};
	size_t turn = 0, judged = 0;
	int code = tl__verify_page_start(&pages[0], v, 1);

	while (code == TL_OK && pages[turn].lines.count > 0) {
		tl__verify_page *page = &pages[turn], *next = &pages[turn ^ 1];

		code = tl__verify_page_start(
			next, v, page->lines.at[page->lines.count - 1].arrival + 1);
		if (code == TL_OK && judged++ % PAGES_A_JUDGE == 0)
			code = tl__verify_judge_anew(v);
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
