/* Shares over the control socket: made, listed and revoked by the owner; joining. */
#include <time.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_request.h"
#include "crypto/vault.h"

#define LOOK_MS 50 /* between two looks whether a join is done, or nobody waits for it any more */

int tl__control_share(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_share_options options = TL_SHARE_OPTIONS_INIT;
	tl_database *db = NULL;
	tl_share share;
	int rc = tl__control_open_db(node, r, &db);

	options.permission = r->permission.ptr;
	options.key = r->key.ptr;
	options.expires_ms = r->expires;
	if (rc == TL_OK)
		rc = tl_sync_share(node, tl_database_root_id(db), &options, &share);
	if (rc == TL_OK)
		tl__buf_format(out, "{\"id\":\"%s\",\"text\":\"%s\"}", share.id, share.text);
	tl_database_free(db);
	tl__vault_wipe(&share, sizeof share);
	return rc;
}

int tl__control_share_list(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	char *json = NULL;
	int rc = tl_sync_shares(node, &json);

	(void)r;
	tl__buf_text(out, json ? json : "");
	tl__free(json);
	return rc;
}

int tl__control_share_revoke(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	int rc = tl__control_need(r->name, "name");

	tl__buf_text(out, "{}");
	return rc == TL_OK ? tl_sync_revoke_share(node, r->name.ptr) : rc;
}

/* Not tl_op_wait, which would call the owner's callbacks on this thread. */
static int await(tl_op *op, tl__control_job *job)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

	while (!tl_op_done(op)) {
		if (!tl__control_progress(job, 0, 0))
			tl_op_cancel(op);
		(void)nanosleep(&pause, NULL);
	}
	return tl_op_result(op);
}

int tl__control_join(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_op *op = NULL;
	int rc = tl__control_need(r->text, "text");

	if (rc == TL_OK)
		rc = tl_sync_join(node, r->text.ptr, r->key.ptr, &op);
	if (rc == TL_OK)
		rc = await(op, r->job);
	if (rc == TL_OK)
		tl__buf_format(out, "\"%s\"", tl_op_text(op));
	tl_op_free(op);
	return rc;
}
