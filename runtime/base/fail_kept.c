/* Errors that outlive their thread or their call. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"

tl_error *tl__error_keep(void)
{
	const tl__errors *errors = tl__errors_now();
	size_t count = errors->count;
	tl_error *kept = tl__alloc_zero(count ? count : 1, sizeof *kept);

	if (!kept)
		return NULL;
	memcpy(kept, errors->chain, count * sizeof *kept);
	for (size_t i = 0; i < count; i++)
		kept[i].cause = i + 1 < count ? &kept[i + 1] : NULL;
	return kept;
}

void tl__error_drop(tl_error *error)
{
	tl__free(error);
}

int tl__error_raise(const tl_error *kept, int code)
{
	tl__errors *errors = tl__errors_now();

	if (code == TL_OK)
		return code;
	if (!kept)
		return tl__fail(code, "it failed, and no memory was left to say why");
	errors->count = 0;
	for (const tl_error *at = kept; at && errors->count < TL__ERROR_MAX_CAUSES; at = at->cause)
		errors->chain[errors->count++] = *at;
	tl__errors_link(errors);
	return code;
}

int tl__error_restore(tl_error *kept, int code)
{
	(void)tl__error_raise(kept, code);
	tl__error_drop(kept);
	return code;
}
