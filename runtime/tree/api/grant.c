/* Giving a key access: the record in the settings that an owner's decision makes. */
#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "tree/api/database.h"

#define MOST_NAMES 1000 /* keys that may all be called the same */

typedef struct standing {
	const tl__grant *grant;
	bool revoked, enough;
} standing;

static int look_at_record(void *ud, tl_str name, const tl_auth_key *key)
{
	standing *s = ud;
	const tl__grant *grant = s->grant;

	if (!tl__str_eq(key->pubkey, grant->pubkey))
		return TL_OK;
	if (key->status == TL_KEY_REVOKED)
		s->revoked = true;
	else if ((grant->any_name || tl__str_eq(name, grant->record)) &&
		 tl_permission_compare(key->permission, grant->permission) >= 0)
		s->enough = true;
	return TL_OK;
}

/* What an owner has decided before (a revoked key) is not undone on the way. */
static int check(const tl__grant *grant, tl_settings_store *settings, bool *enough)
{
	standing s = {grant, false, false};
	int rc = tl_settings_store_list_auth_keys(settings, look_at_record, &s);

	if (rc == TL_OK && s.revoked)
		return tl__fail(TL_E_CONFLICT,
			"this key was revoked in that database; make it active again in its "
			"settings if that is meant, or reject the request");
	*enough = s.enough;
	return rc;
}

static bool is_free(const tl_auth *auth, tl_str name, tl_str pubkey)
{
	const tl_auth_key *key = tl_auth_find_key(auth, name);

	return (!key || tl__str_eq(key->pubkey, pubkey)) && !tl_auth_find_tree(auth, name);
}

/* Two guests may both call their key the same: the second one gets a number. */
static int choose_name(const tl__grant *grant, tl_settings_store *settings, tl__buf *name)
{
	tl_auth *auth = NULL;
	int rc = tl_settings_store_get_auth(settings, &auth);

	tl__buf_str(name, grant->record);
	for (unsigned i = 2; rc == TL_OK && grant->any_name && i <= MOST_NAMES &&
			     !is_free(auth, tl__buf_view(name), grant->pubkey);
		i++) {
		tl__buf_clear(name);
		tl__buf_format(name, "%.*s-%u", TL__STR_ARG(grant->record), i);
	}
	tl_auth_free(auth);
	return rc == TL_OK ? tl__buf_status(name) : rc;
}

static int set_record(const tl__grant *grant, tl_settings_store *settings)
{
	tl__buf name = TL__BUF_INIT;
	int rc = choose_name(grant, settings, &name);

	if (rc == TL_OK)
		rc = tl_settings_store_set_auth_key(settings, tl__buf_view(&name), grant->pubkey,
			grant->permission, TL_KEY_ACTIVE);
	tl__buf_free(&name);
	return rc;
}

int tl__database_grant(tl_database *db, const tl__grant *grant)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;
	bool enough = false;
	int rc = tl_database_set_default_auth_key(db, grant->signer);

	if (rc == TL_OK)
		rc = tl_transaction_new(db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_get_settings(tx, &settings);
	if (rc == TL_OK)
		rc = check(grant, settings, &enough);
	if (rc == TL_OK && !enough)
		rc = set_record(grant, settings);
	if (rc == TL_OK && !enough)
		rc = tl_transaction_commit(tx, NULL);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	return rc;
}
