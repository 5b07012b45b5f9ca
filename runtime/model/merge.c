/* Merging: the later operand wins except where both are Docs or both are Lists. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "model/value.h"

static int merge_into(tl_value **slot, const tl_value *later);

static int merge_docs(tl_value *base, const tl_value *later)
{
	int code = TL_OK;

	for (size_t i = 0; i < later->count && code == TL_OK; i++) {
		const tl__member *member = &later->as.members[i];
		bool found;
		size_t at = tl__doc_search(base, member->key, &found);

		code = found ? merge_into(&base->as.members[at].value, member->value)
			     : tl_doc_put(base, member->key, tl_value_copy(member->value));
	}
	return code;
}

static int merge_lists(tl_value *base, const tl_value *later)
{
	int code = TL_OK;

	for (size_t i = 0; i < later->count && code == TL_OK; i++) {
		const tl__item *item = &later->as.items[i];
		bool found;
		size_t at = tl__list_search(base, &item->position, &found);

		code = found ? merge_into(&base->as.items[at].value, item->value)
			     : tl_list_put(base, &item->position, tl_value_copy(item->value));
	}
	return code;
}

static int merge_into(tl_value **slot, const tl_value *later)
{
	tl_value *copy;

	if ((*slot)->type == TL_DOC && later->type == TL_DOC)
		return merge_docs(*slot, later);
	if ((*slot)->type == TL_LIST && later->type == TL_LIST)
		return merge_lists(*slot, later);
	copy = tl_value_copy(later);
	if (!copy)
		return TL_E_NOMEM;
	tl_value_free(*slot);
	*slot = copy;
	return TL_OK;
}

TL__PUBLIC(tl_doc_merge, base && later, (tl_value *base, const tl_value *later), (base, later))
{
	if (base->type != TL_DOC || later->type != TL_DOC)
		return tl__fail(TL_E_TYPE_MISMATCH, "only Docs are merged with Docs");
	return merge_docs(base, later);
}
