#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "model/entry_impl.h"
#include "model/entry_layout.h"

static int parse_foreign(tl_entry **out, tl_str text, tl_entry_form form)
{
	tl__buf canonical = TL__BUF_INIT;
	int code = tl__entry_normalise(text, &canonical);

	if (code == TL_OK && form == TL_ENTRY_CANONICAL)
		code = tl__fail(TL_E_NOT_CANONICAL,
			"the entry is not in its canonical form; send its canonical bytes");
	if (code == TL_OK)
		code = tl__entry_read(out, tl__buf_view(&canonical));
	tl__buf_free(&canonical);
	return code;
}

TL__PUBLIC(tl_entry_parse, out,
	(tl_entry **out, tl_str text, tl_entry_form form), (out, text, form))
{
	int code;

	*out = NULL;
	code = tl__entry_read(out, text);
	/* The slow reader tells apart what is malformed, incomplete or merely not canonical. */
	return code == TL_E_NOT_CANONICAL ? parse_foreign(out, text, form) : code;
}

tl_entry *tl_entry_retain(tl_entry *entry)
{
	if (!entry)
		return NULL;
	atomic_fetch_add_explicit(&entry->owners, 1, memory_order_relaxed);
	return entry;
}

void tl_entry_free(tl_entry *entry)
{
	if (entry && atomic_fetch_sub_explicit(&entry->owners, 1, memory_order_acq_rel) == 1)
		tl__free(entry);
}

/* --- accessors -------------------------------------------------------------------------------- */

const tl_id *tl_entry_id(const tl_entry *entry)
{
	if (!entry)
		return NULL;
	return &entry->id;
}

tl_str tl_entry_bytes(const tl_entry *entry)
{
	if (!entry)
		return TL__STR_NULL;
	return entry->bytes;
}

bool tl_entry_is_root(const tl_entry *entry)
{
	if (!entry)
		return false;
	return entry->is_root;
}

tl_str tl_entry_tree(const tl_entry *entry)
{
	if (!entry)
		return TL__STR_NULL;
	return entry->tree;
}

tl_str tl_entry_metadata(const tl_entry *entry)
{
	if (!entry)
		return TL__STR_NULL;
	return entry->metadata;
}

size_t tl_entry_parent_count(const tl_entry *entry)
{
	if (!entry)
		return 0;
	return entry->parent_count;
}

tl_str tl_entry_parent(const tl_entry *entry, size_t index)
{
	if (!entry)
		return TL__STR_NULL;
	return index < entry->parent_count ? entry->texts[index] : TL__STR_NULL;
}

size_t tl_entry_store_count(const tl_entry *entry)
{
	if (!entry)
		return 0;
	return entry->store_count;
}

tl_str tl_entry_store_name(const tl_entry *entry, size_t store)
{
	if (!entry)
		return TL__STR_NULL;
	return store < entry->store_count ? entry->stores[store].name : TL__STR_NULL;
}

tl_str tl_entry_store_data(const tl_entry *entry, size_t store)
{
	if (!entry)
		return TL__STR_NULL;
	return store < entry->store_count ? entry->stores[store].data : TL__STR_NULL;
}

size_t tl_entry_store_parent_count(const tl_entry *entry, size_t store)
{
	if (!entry)
		return 0;
	return store < entry->store_count ? entry->stores[store].parent_count : 0;
}

tl_str tl_entry_store_parent(const tl_entry *entry, size_t store, size_t index)
{
	if (!entry)
		return TL__STR_NULL;
	if (index >= tl_entry_store_parent_count(entry, store))
		return TL__STR_NULL;
	return entry->texts[entry->stores[store].first_parent + index];
}

tl_str tl_entry_signature(const tl_entry *entry)
{
	if (!entry)
		return TL__STR_NULL;
	return entry->signature;
}

tl_str tl_entry_key_name(const tl_entry *entry)
{
	if (!entry)
		return TL__STR_NULL;
	return entry->key_name;
}

tl_str tl_entry_pubkey(const tl_entry *entry)
{
	if (!entry)
		return TL__STR_NULL;
	return entry->pubkey;
}

tl_str tl__entry_author(const tl_entry *entry)
{
	if (entry->pubkey.ptr)
		return entry->pubkey;
	return entry->step_count > 0 ? tl_entry_step_key(entry, entry->step_count - 1)
				     : tl_entry_key_name(entry);
}

size_t tl_entry_step_count(const tl_entry *entry)
{
	if (!entry)
		return 0;
	return entry->step_count;
}

tl_str tl_entry_step_key(const tl_entry *entry, size_t step)
{
	if (!entry)
		return TL__STR_NULL;
	return step < entry->step_count ? entry->steps[step].key : TL__STR_NULL;
}

ptrdiff_t tl_entry_step_tip_count(const tl_entry *entry, size_t step)
{
	if (!entry)
		return -1;
	return step < entry->step_count ? entry->steps[step].tip_count : -1;
}

tl_str tl_entry_step_tip(const tl_entry *entry, size_t step, size_t index)
{
	if (!entry)
		return TL__STR_NULL;
	ptrdiff_t count = tl_entry_step_tip_count(entry, step);

	if (count < 0 || index >= (size_t)count)
		return TL__STR_NULL;
	return entry->texts[entry->steps[step].first_tip + index];
}

const tl_id *tl__entry_parents(const tl_entry *entry)
{
	return entry->ids;
}

const tl_id *tl__entry_store_parents(const tl_entry *entry, size_t store)
{
	return entry->ids + entry->stores[store].first_parent;
}

const tl_id *tl__entry_names(const tl_entry *entry, size_t *count)
{
	*count = entry->parent_count;
	for (size_t i = 0; i < entry->store_count; i++)
		*count += entry->stores[i].parent_count;
	return entry->ids;
}

const tl_id *tl__entry_tree_id(const tl_entry *entry)
{
	return &entry->database;
}

/* --- signature -------------------------------------------------------------------------------- */

TL__PUBLIC(tl_entry_signing_bytes, entry && out,
	(const tl_entry *entry, char **out, size_t *len), (entry, out, len))
{
	size_t behind = entry->signature_at + entry->signature_len;
	tl__buf bytes = TL__BUF_INIT;

	tl__buf_append(&bytes, entry->bytes.ptr, entry->signature_at);
	tl__buf_text(&bytes, "null");
	tl__buf_append(&bytes, entry->bytes.ptr + behind, entry->bytes.len - behind);
	*out = tl__buf_take(&bytes, len);
	return *out ? TL_OK : TL_E_NOMEM;
}

int tl__entry_signature(const tl_entry *entry, uint8_t out[TL_SIGNATURE_BYTES])
{
	size_t len;

	if (!entry->signature.ptr)
		return tl__fail(TL_E_BAD_SIGNATURE, "the entry is not signed");
	if (tl_base64_decode(out, TL_SIGNATURE_BYTES, &len, entry->signature) != TL_OK)
		return tl__fail_cause(
			TL_E_BAD_SIGNATURE, "the signature of the entry is badly coded");
	if (len != TL_SIGNATURE_BYTES)
		return tl__fail(TL_E_BAD_SIGNATURE,
			"the signature of the entry has %zu bytes, not %d", len,
			TL_SIGNATURE_BYTES);
	return TL_OK;
}

TL__PUBLIC(tl_entry_verify, entry && key, (const tl_entry *entry, const tl_key *key), (entry, key))
{
	uint8_t signature[TL_SIGNATURE_BYTES];
	char *message;
	size_t len;
	int code = tl__entry_signature(entry, signature);

	if (code != TL_OK)
		return code;
	code = tl_entry_signing_bytes(entry, &message, &len);
	if (code != TL_OK)
		return code;
	code = tl_verify(key, message, len, signature);
	tl_free(message);
	return code;
}
