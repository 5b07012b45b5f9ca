/* By which rules of trust the DAG of this store was judged. Entries set aside carry their version
 * each; those in the DAG share one, in a local document, because a history whose verdicts change
 * cannot be mended in place: heights stay, but settings and state would be others. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/api/handles.h"
#include "tree/verify/verify.h"

/* Stores made before the version was noted. */
#define FIRST_VERSION 1

static int write_version(tl__store *store, uint32_t version)
{
	char text[16];
	tl__put_local put = {.key = TL__STR(TL__LOCAL_RULES)};
	tl__batch batch = {.locals = &put, .local_count = 1, .local_commit = true};

	put.value = (tl_str){text, (size_t)snprintf(text, sizeof text, "%u", (unsigned)version)};
	return tl__store_write(store, &batch);
}

static int read_version(tl__store *store, uint32_t *version, bool *noted)
{
	char *value = NULL;
	size_t len = 0;
	uint64_t number = 0;
	bool good;
	int code = tl__read_local(store, TL__STR(TL__LOCAL_RULES), &value, &len);

	*version = FIRST_VERSION;
	*noted = code == TL_OK;
	if (code == TL_E_NOT_FOUND)
		return TL_OK;
	if (code != TL_OK)
		return code;
	good = len > 0 && len < 10;
	for (size_t i = 0; i < len && good; i++) {
		good = value[i] >= '0' && value[i] <= '9';
		number = number * 10 + (uint64_t)(value[i] - '0');
	}
	if (!good)
		code = tl__fail(TL_E_STORE_DAMAGED,
			"the store does not tell by which rules it was judged; restore a backup");
	*version = (uint32_t)number;
	tl__free(value);
	return code;
}

static int judge_again(tl__host *host, const tl_id *id)
{
	uint64_t differing = 0;
	char text[TL_ID_TEXT_LEN + 1];
	int code = tl__verify_verdicts(host, id, &differing);

	if (code != TL_OK || differing == 0)
		return code;
	tl_id_format(id, text);
	return tl__fail(TL_E_UNSUPPORTED,
		"database %s was judged by older rules of trust, and %llu of its entries are "
		"judged otherwise now; fetch it from a peer into an empty data directory, or go "
		"on with the version that made this one",
		text, (unsigned long long)differing);
}

static int judge_all(tl__host *host)
{
	tl_id *ids = NULL;
	size_t count = 0;
	int code = tl__database_all(host, &ids, &count);

	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = judge_again(host, &ids[i]);
	tl__free(ids);
	return code;
}

int tl__rules_check(tl__host *host, uint32_t version)
{
	tl__store *store = host->tree->store;
	uint32_t judged;
	bool noted;
	int code = read_version(store, &judged, &noted);

	if (code != TL_OK || (noted && judged == version))
		return code;
	if (judged > version)
		return tl__fail(TL_E_STORE_NEWER,
			"this store was judged by newer rules of trust (%u, not %u): use the "
			"version of tidelock that wrote it, or a later one",
			(unsigned)judged, (unsigned)version);
	if (judged < version) {
		tl__log_write(host->tree->log, TL_LOG_INFO, "tree",
			"the rules of trust have changed: every entry is judged once more");
		code = judge_all(host);
	}
	return code == TL_OK ? write_version(store, version) : code;
}
