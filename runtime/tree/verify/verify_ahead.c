/* Rechecking a database: what the threads of the pool find out about entries one by one. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/trust/signers.h"
#include "tree/verify/verify.h"

int tl__verify_data(const tl_entry *entry, size_t store, bool *readable)
{
	tl_value *doc = NULL;
	int code;

	*readable = true;
	if (tl__str_eq(tl_entry_store_name(entry, store), TL__STR(TL__STORE_ROOT)))
		return TL_OK;
	code = tl_doc_parse(&doc, tl_entry_store_data(entry, store));
	tl_value_free(doc);
	*readable = code == TL_OK;
	return code == TL_E_NOMEM ? code : TL_OK;
}

static int check_data(tl__checked *out)
{
	int code = TL_OK;

	out->readable = true;
	for (size_t i = 0; i < tl_entry_store_count(out->entry) && code == TL_OK && out->readable;
		i++)
		code = tl__verify_data(out->entry, i, &out->readable);
	return code;
}

static int check_signature(const tl__verify *v, tl__checked *out)
{
	int code;

	if (!tl__signers_guess(v->tree->signers, out->entry, &out->key))
		return TL_OK;
	code = tl_entry_verify(out->entry, &out->key);
	out->verified = code != TL_E_NOMEM;
	out->genuine = code == TL_OK;
	return out->verified ? TL_OK : code;
}

/* Why the bytes are no entry of the database, or NULL. */
static const char *what_is_wrong(const tl__verify *v, const tl__line *at, const tl_entry *entry)
{
	if (!tl__id_equal(tl_entry_id(entry), &at->id))
		return "its bytes have another id";
	if (tl_entry_check(entry) != TL_OK)
		return "breaks a rule of structure";
	if (!tl__id_equal(tl__entry_tree_id(entry), &v->db))
		return "belongs to another database";
	return NULL;
}

static void check(void *ud, size_t index)
{
	tl__verify_page *page = ud;
	const tl__line *at = &page->lines.at[index];
	tl__checked *out = &page->at[index];
	tl_entry *entry = NULL;

	out->code = tl_entry_parse(&entry, at->bytes, TL_ENTRY_CANONICAL);
	if (out->code == TL_E_NOMEM)
		return;
	out->broken = out->code == TL_OK ? what_is_wrong(page->verify, at, entry)
					 : "its bytes are no canonical entry";
	out->code = TL_OK;
	if (out->broken) {
		tl_entry_free(entry);
		return;
	}
	out->entry = entry;
	out->code = check_data(out);
	if (out->code == TL_OK)
		out->code = check_signature(page->verify, out);
}

int tl__verify_page_start(tl__verify_page *page, const tl__verify *v, uint64_t from)
{
	int code;

	*page = (tl__verify_page){.lines = TL__LINES_INIT, .verify = v};
	code = tl__read_arrivals(v->snapshot, &v->db, from, UINT64_MAX, TL__LINES_PAGE_ENTRIES,
		TL__WITH_BYTES | TL__WITH_CHAIN, tl__lines_note, &page->lines);
	if (code != TL_OK)
		return code;
	page->at = tl__alloc_zero(page->lines.count + 1, sizeof *page->at);
	if (!page->at)
		return TL_E_NOMEM;
	page->batch.run = check;
	page->batch.ud = page;
	page->batch.count = page->lines.count;
	tl__pool_start(v->tree->pool, &page->batch);
	return TL_OK;
}

int tl__verify_page_finish(tl__verify_page *page)
{
	tl__pool_finish(page->verify->tree->pool, &page->batch);
	for (size_t i = 0; i < page->lines.count; i++)
		if (page->at[i].code != TL_OK)
			return tl__fail(TL_E_NOMEM, "out of memory while checking entries");
	return TL_OK;
}

void tl__verify_page_free(tl__verify_page *page)
{
	if (page->at)
		tl__pool_abandon(page->verify->tree->pool, &page->batch);
	for (size_t i = 0; page->at && i < page->lines.count; i++)
		tl_entry_free(page->at[i].entry);
	tl__free(page->at);
	tl__lines_free(&page->lines);
	*page = (tl__verify_page){.lines = TL__LINES_INIT};
}
