/* Structure rules: what can be said of an entry without knowing any other. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "model/entry_layout.h"

static int order(const void *a, const void *b)
{
	return tl__str_compare(*(const tl_str *)a, *(const tl_str *)b);
}

static bool is_ascending(const tl_str *texts, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (tl__str_compare(texts[i - 1], texts[i]) >= 0)
			return false;
	return true;
}

/* Sets *repeated to a text that occurs twice, or to none. Honest lists are ascending: no copy then.
 */
static int find_repeated(const tl_str *texts, size_t count, tl_str *repeated)
{
	tl_str *sorted;

	*repeated = TL__STR_NULL;
	if (is_ascending(texts, count))
		return TL_OK;
	sorted = tl__alloc(count * sizeof *sorted);
	if (!sorted)
		return TL_E_NOMEM;
	memcpy(sorted, texts, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, order);
	for (size_t i = 1; i < count && !repeated->ptr; i++)
		if (tl__str_eq(sorted[i - 1], sorted[i]))
			*repeated = sorted[i];
	tl__free(sorted);
	return TL_OK;
}

static int check_repeated_parents(const tl_str *texts, size_t count)
{
	tl_str repeated;
	int code = find_repeated(texts, count, &repeated);

	if (code == TL_OK && repeated.ptr)
		code = tl__fail(TL_E_BAD_ENTRY, "the entry names the parent %.*s twice in one list",
			TL__STR_ARG(repeated));
	return code;
}

static int check_parents(const tl_entry *e)
{
	int code = check_repeated_parents(e->texts, e->parent_count);

	for (size_t i = 0; code == TL_OK && i < e->store_count; i++)
		code = check_repeated_parents(
			e->texts + e->stores[i].first_parent, e->stores[i].parent_count);
	return code;
}

static int check_store_names(const tl_entry *e)
{
	tl_str *names, repeated;
	int code;

	if (e->store_count < 2)
		return TL_OK;
	names = tl__alloc(e->store_count * sizeof *names);
	if (!names)
		return TL_E_NOMEM;
	for (size_t i = 0; i < e->store_count; i++)
		names[i] = e->stores[i].name;
	code = find_repeated(names, e->store_count, &repeated);
	if (code == TL_OK && repeated.ptr)
		code = tl__fail(TL_E_BAD_ENTRY, "the entry carries the store \"%.*s\" twice",
			TL__STR_ARG(repeated));
	tl__free(names);
	return code;
}

static int check_root(const tl_entry *e)
{
	if (e->tree.len > 0)
		return tl__fail(TL_E_BAD_ENTRY,
			"a root entry is its own database: its tree.root must be empty");
	for (size_t i = 0; i < e->store_count; i++)
		if (e->stores[i].parent_count > 0)
			return tl__fail(TL_E_BAD_ENTRY, "a root entry is the first of its "
							"database: its stores have no parents");
	return TL_OK;
}

static int check_member(const tl_entry *e)
{
	if (tl_entry_find_store(e, TL__STR("_root")) >= 0)
		return tl__fail(
			TL_E_BAD_ENTRY, "an entry with the store _root must have no parents");
	if (e->parent_count == 0)
		return tl__fail(TL_E_BAD_ENTRY, "an entry that is no root must have parents");
	if (e->tree.len == 0)
		return tl__fail(TL_E_BAD_ENTRY,
			"an entry that is no root must name its database in tree.root");
	return TL_OK;
}

TL__PUBLIC(tl_entry_check, entry, (const tl_entry *entry), (entry))
{
	int code = entry->is_root ? check_root(entry) : check_member(entry);

	if (code == TL_OK && !entry->ids)
		code = tl__fail(TL_E_BAD_ENTRY,
			"the entry's tree.root or one of its parents is no id; an id is "
			"\"sha256:\" and 64 lower-case hex digits");
	if (code == TL_OK)
		code = check_store_names(entry);
	if (code == TL_OK)
		code = check_parents(entry);
	return code;
}
