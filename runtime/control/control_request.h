/* Requests of the control socket, for the files that answer them. */
#ifndef TL_CONTROL_REQUEST_H
#define TL_CONTROL_REQUEST_H

#include "base/arena.h"
#include "control/control_server.h"

/* Members of any request; absent ones have ptr NULL or 0. */
typedef struct tl__control_request {
	tl_str call, db, store, path, key, name, value, peer, file, row, after, request, text,
		permission;
	tl_str *keys; /* a path as literal keys; NULL: absent */
	size_t key_count;
	uint64_t since, limit, expires;
	bool progress; /* the client is told how the call goes */
	tl__control_job *job;
	tl__arena arena; /* of the texts */
} tl__control_request;

/* `job` and `arena` are set by the caller, who frees the arena. */
int tl__control_read_request(tl__control_request *r, tl_str line) TL_MUST_USE;
/* TL_E_BAD_ARGUMENT when the member is absent. */
int tl__control_need(tl_str value, const char *what) TL_MUST_USE;
/* The database that `db` names, by id or by name; yours. */
int tl__control_open_db(tl_node *node, const tl__control_request *r, tl_database **out) TL_MUST_USE;
/* The key named, or the first that may write there, becomes the handle's. */
int tl__control_choose_key(
	tl_node *node, const tl__control_request *r, tl_database *db) TL_MUST_USE;
void tl__control_put_id(tl__buf *out, const tl_id *id);

/* Calls on values of DocStores (control_values.c) and rows of Tables (control_rows.c). */
int tl__control_db_get(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_db_set(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_row_list(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_row_get(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_row_set(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_row_delete(tl_node *node, const tl__control_request *r, tl__buf *out);

/* Access requests (control_access.c). */
int tl__control_access_list(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_access_approve(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_access_reject(tl_node *node, const tl__control_request *r, tl__buf *out);

/* Shares (control_share.c). */
int tl__control_share(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_share_list(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_share_revoke(tl_node *node, const tl__control_request *r, tl__buf *out);
int tl__control_join(tl_node *node, const tl__control_request *r, tl__buf *out);

#endif
