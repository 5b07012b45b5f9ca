/* One state of the settings, shared by all who look at it. */
#include "base/mem.h"
#include "tree/history/dag.h"

int tl__settings_make(tl_value *doc, tl__settings **out)
{
	tl__settings *settings = tl__alloc_zero(1, sizeof *settings);
	int code = settings ? tl_auth_from_settings(&settings->auth, doc) : TL_E_NOMEM;

	*out = NULL;
	if (code != TL_OK) {
		tl__free(settings);
		tl_value_free(doc);
		return code;
	}
	settings->doc = doc;
	atomic_init(&settings->readers, 1);
	*out = settings;
	return TL_OK;
}

tl__settings *tl__settings_retain(tl__settings *settings)
{
	atomic_fetch_add(&settings->readers, 1);
	return settings;
}

void tl__settings_release(tl__settings *settings)
{
	if (!settings || atomic_fetch_sub(&settings->readers, 1) > 1)
		return;
	tl_value_free(settings->doc);
	tl_auth_free(settings->auth);
	tl__free(settings);
}
