/* Rechecking a database: entries in the order they arrived. */
#include "tree/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tidelock/log.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/entry_impl.h"
#include "tree/lines.h"

void tl__verify_report(tl__verify *v, const tl_id *entry, const char *format, ...)
{
	char raw[512], text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	tl_text_escape(tl__str_z(raw), text, sizeof text);
	v->findings++;
	if (v->finding)
		v->finding(v->ud, entry, tl__str_z(text));
}

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

static int check_verdict(tl__verify *v, tl_entry *entry, bool is_void)
{
	tl__opinion opinion;
	uint64_t before = v->findings;
	bool stale = false;
	int code = tl__judge_entry(&v->judge, entry, &opinion);

	if (code == TL_OK && opinion.standing == TL__GOOD_IF_SIGNED &&
		tl_entry_verify(entry, &opinion.signer.key) != TL_OK) {
		opinion.standing = TL__NOT_GOOD;
		opinion.reason = TL_E_BAD_SIGNATURE;
	}
	if (code == TL_OK && opinion.standing == TL__GOOD_IF_SIGNED)
		code = tl__judge_citations(&v->judge, entry, &opinion, &stale);
	if (code != TL_OK)
		return code;
	if (opinion.standing == TL__WAITS)
		tl__verify_report(
			v, tl_entry_id(entry), "a delegation step cites an entry that is not held");
	else if (stale && !is_void)
		tl__verify_report(v, tl_entry_id(entry),
			"stored as verified, but cites older tips than its ancestors");
	else if (opinion.standing == TL__NOT_GOOD && !is_void)
		tl__verify_report(v, tl_entry_id(entry), "stored as verified, but is not good: %s",
			tl_error_name(opinion.reason));
	else if (opinion.standing == TL__GOOD_IF_SIGNED && !stale && is_void)
		tl__verify_report(v, tl_entry_id(entry), "stored as void, but is good");
	v->verdicts += v->findings - before;
	return TL_OK;
}

static int check_data(tl__verify *v, const tl_entry *entry)
{
	for (size_t i = 0; i < tl_entry_store_count(entry); i++) {
		tl_str name = tl_entry_store_name(entry, i);
		tl_value *doc;
		int code;

		if (tl__str_eq(name, TL__STR(TL__STORE_ROOT)))
			continue;
		code = tl_doc_parse(&doc, tl_entry_store_data(entry, i));
		if (code == TL_E_NOMEM)
			return code;
		if (code == TL_OK)
			tl_value_free(doc);
		else
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

/* The entry, unless what is wrong with its bytes makes everything else pointless. */
static int read_line(tl__verify *v, const tl__line *at, tl_entry **out)
{
	tl_entry *entry;
	int code = tl_entry_parse(&entry, at->bytes, TL_ENTRY_CANONICAL);

	*out = NULL;
	if (code == TL_E_NOMEM)
		return code;
	if (code != TL_OK) {
		tl__verify_report(v, &at->id, "its bytes are no canonical entry");
		return TL_OK;
	}
	if (memcmp(tl_entry_id(entry)->b, at->id.b, TL_ID_BYTES) != 0)
		tl__verify_report(v, &at->id, "its bytes have another id");
	else if (tl_entry_check(entry) != TL_OK)
		tl__verify_report(v, &at->id, "breaks a rule of structure");
	else if (memcmp(tl__entry_tree_id(entry)->b, v->db->id.b, TL_ID_BYTES) != 0)
		tl__verify_report(v, &at->id, "belongs to another database");
	else
		*out = tl_entry_retain(entry);
	tl_entry_release(entry);
	return TL_OK;
}

static int check_line(tl__verify *v, const tl__line *at)
{
	tl_entry *entry = NULL;
	bool complete = false;
	int code;

	check_place(v, at);
	code = read_line(v, at, &entry);
	if (code == TL_OK && entry)
		code = place(v, entry, at->height, &complete);
	if (code == TL_OK && complete)
		code = check_verdict(v, entry, at->is_void);
	if (code == TL_OK && entry)
		code = check_data(v, entry);
	tl_entry_release(entry);
	return code == TL_OK ? remember(v, &v->entries, tl__map_key_id(&at->id), at->height) : code;
}

/* --- the walk --------------------------------------------------------------------------------- */

int tl__verify_entries(tl__verify *v)
{
	tl__db_row row;
	size_t seen;
	int code = tl__read_database(v->snapshot, &v->db->id, &row);

	do {
		tl__lines page = TL__LINES_INIT;

		if (code == TL_OK)
			code = tl__read_arrivals(v->snapshot, &v->db->id, v->arrivals + 1,
				UINT64_MAX, TL__LINES_PAGE_ENTRIES, TL__WITH_BYTES | TL__WITH_CHAIN,
				tl__lines_note, &page);
		for (size_t i = 0; i < page.count && code == TL_OK; i++)
			code = check_line(v, &page.at[i]);
		seen = page.count;
		tl__lines_free(&page);
	} while (code == TL_OK && seen > 0);
	if (code == TL_OK && v->arrivals != row.arrivals)
		tl__verify_report(v, NULL, "%llu entries are counted, %llu are there",
			(unsigned long long)row.arrivals, (unsigned long long)v->arrivals);
	return code;
}
