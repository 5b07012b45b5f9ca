/* Access given while no owner looks on, as he has decided before: by a share. */
#include "base/fail.h"
#include "base/str.h"
#include "work/work.h"

/* The name may hold another key by now, whose owner has decided nothing. */
static int check_maker(tl__host *host, const tl__work_grant *wish)
{
	tl_secret secret;
	tl_key key;
	int rc = host->secret(host->ud, wish->signer, &secret);

	if (rc != TL_OK)
		return rc;
	tl_secret_public(&secret, &key);
	tl_secret_wipe(&secret);
	if (tl__key_equal(&key, &wish->maker))
		return TL_OK;
	return tl__fail(TL_E_SIGNING_KEY_NOT_FOUND,
		"the private key \"%.*s\" is another one than it was when this was shared",
		TL__STR_ARG(wish->signer));
}

int tl__work_grant_run(tl__host *host, tl__work *work)
{
	const tl__work_grant *wish = &work->grant;
	char pubkey[TL_KEY_TEXT_LEN + 1];
	const tl__grant grant = {.signer = wish->signer,
		.record = wish->name,
		.any_name = true,
		.pubkey = {pubkey, TL_KEY_TEXT_LEN},
		.permission = wish->permission};
	tl_database *db = NULL;
	int rc = check_maker(host, wish);

	tl_key_format(&wish->key, pubkey);
	if (rc == TL_OK)
		rc = tl__database_open(host, &work->db, &db);
	if (rc == TL_OK)
		rc = tl__database_grant(db, &grant);
	tl_database_free(db);
	return rc;
}
