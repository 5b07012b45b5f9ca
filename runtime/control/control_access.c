/* Access requests over the control socket: the owner looks at them and decides. */
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_request.h"

int tl__control_access_list(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	char *json = NULL;
	int rc = tl_sync_bootstrap_requests(node, r->name.ptr ? r->name.ptr : "pending", &json);

	tl__buf_text(out, json ? json : "");
	tl__free(json);
	return rc;
}

typedef struct decision {
	tl_node *node;
	const tl__control_request *request;
	bool approve;
	char *hint;
	int code;
	tl_error *error; /* of the last key that was tried */
} decision;

static int decide_by(decision *d, const char *key)
{
	const tl__control_request *r = d->request;

	if (!d->approve)
		return tl_sync_reject_bootstrap_request(d->node, r->request.ptr, key);
	return tl_sync_approve_bootstrap_request_as(
		d->node, r->request.ptr, key, r->name.ptr, &d->hint);
}

/* The first key that is Admin there decides. */
static int try_key(void *ud, tl_str name)
{
	decision *d = ud;

	tl__error_drop(d->error);
	d->code = decide_by(d, name.ptr);
	d->error = d->code == TL_OK ? NULL : tl__error_keep();
	return d->code == TL_E_INSUFFICIENT_PERMISSIONS ? TL_OK : TL_STOP;
}

static int decide(tl_node *node, const tl__control_request *r, bool approve, char **hint)
{
	decision d = {.node = node,
		.request = r,
		.approve = approve,
		.code = TL_E_INSUFFICIENT_PERMISSIONS};
	int rc = tl__control_need(r->request, "request");

	if (rc == TL_OK && r->key.ptr)
		(void)try_key(&d, r->key);
	else if (rc == TL_OK)
		rc = tl_node_list_private_keys(node, try_key, &d);
	*hint = d.hint;
	if (rc == TL_OK && !r->key.ptr && d.code == TL_E_INSUFFICIENT_PERMISSIONS) {
		tl__error_drop(d.error);
		return tl__fail(d.code, "no private key of this node is Admin of that database");
	}
	if (rc == TL_OK)
		return tl__error_restore(d.error, d.code);
	tl__error_drop(d.error);
	return rc;
}

int tl__control_access_approve(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	char *hint = NULL;
	int rc = decide(node, r, true, &hint);

	tl__buf_text(out, "{\"hint\":");
	if (hint)
		tl__json_put_string(out, tl__str_z(hint));
	else
		tl__buf_text(out, "null");
	tl__buf_text(out, "}");
	tl__free(hint);
	return rc;
}

int tl__control_access_reject(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	char *hint = NULL;

	tl__buf_text(out, "{}");
	return decide(node, r, false, &hint);
}
