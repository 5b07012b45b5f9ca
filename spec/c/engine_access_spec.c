/* Access between whole nodes: asked for, granted, taken back. */
#include "check.h"
#include "duo_help.h"
#include "engine/run/engine_impl.h"

/* The id of the only pending request; "" when there is none. */
static void pending_id(tl_node *node, char out[37])
{
	char *json = NULL, *at;

	out[0] = '\0';
	if (tl_sync_bootstrap_requests(node, "pending", &json) == TL_OK) {
		at = strstr(json, "\"request_id\":\"");
		if (at)
			snprintf(out, 37, "%.36s", at + strlen("\"request_id\":\""));
	}
	tl_free(json);
}

static int ask(site *b, const site *a, const tl_id *db, const char *key, tl_op **op)
{
	int rc = tl_sync_request_database_access(b->node, &a->at, db, key, "write:10", op);

	return rc == TL_OK ? tl_op_wait(*op, SITE_WAIT_MS) : rc;
}

static void access_is_asked_for_and_granted(void)
{
	site a, b;
	tl_database *db, *mine;
	tl_op *op = NULL;
	char id[37], again[37], *json = NULL;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	db = make_db(a.node, "guarded");
	REQUIRE(db != NULL);
	CHECK_OK(tl_node_add_private_key(b.node, "laptop", NULL, NULL));
	CHECK_OK(tl_node_add_private_key(a.node, "other", NULL, NULL));
	CHECK_OK(ask(&b, &a, tl_database_root_id(db), "laptop", &op));
	CHECK(strstr(tl_op_text(op), "\"status\":\"pending\"") != NULL);
	tl_op_free(op);
	CHECK(WAIT_FOR((pending_id(a.node, id), id[0] != '\0')));
	CHECK_OK(tl_sync_bootstrap_requests(a.node, "pending", &json));
	CHECK(strstr(json, "\"present\":null") != NULL);
	CHECK(json_has(json, "\"requesting_key_name\":\"laptop\""));
	CHECK_OK(ask(&b, &a, tl_database_root_id(db), "laptop", &op)); /* not kept twice */
	tl_op_free(op);
	pending_id(a.node, again);
	CHECK(strcmp(id, again) == 0);
	CHECK_CODE(tl_sync_approve_bootstrap_request(a.node, id, "other"),
		TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_CODE(tl_sync_reject_bootstrap_request(a.node, id, "other"),
		TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_CODE(tl_sync_approve_bootstrap_request(
			   a.node, "00000000-0000-4000-8000-000000000000", "k"),
		TL_E_REQUEST_NOT_FOUND);
	CHECK_OK(tl_sync_approve_bootstrap_request(a.node, id, "k"));
	CHECK_CODE(tl_sync_approve_bootstrap_request(a.node, id, "k"), TL_E_INVALID_REQUEST_STATE);
	CHECK_OK(tl_sync_bootstrap_requests(a.node, "approved", &json));
	CHECK(strstr(json, "\"status\":\"approved\"") && strstr(json, "\"decided_by\":\"k\""));
	CHECK(strstr(json, "\"requested_permission\":\"write:10\""));
	CHECK(json_has(json, "\"peer_address\":\"http:127.0.0.1:"));
	CHECK_OK(ask(&b, &a, tl_database_root_id(db), "laptop", &op));
	CHECK(strstr(tl_op_text(op), "\"status\":\"granted\"") != NULL);
	tl_op_free(op);
	CHECK_OK(fetch(&b, &a, tl_database_root_id(db)));
	mine = writer(b.node, tl_database_root_id(db), "laptop");
	REQUIRE(mine != NULL);
	CHECK_OK(put(mine, "thanks", "a"));
	CHECK_OK(exchange(&b, &a, tl_database_root_id(db)));
	CHECK(holds(a.node, tl_database_root_id(db), "thanks", "a"));
	tl_database_free(mine);
	tl_database_free(db);
	site_close(&a);
	site_close(&b);
}

static int revoke_key(tl_database *db, const char *name)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_get_settings(tx, &settings);
	if (rc == TL_OK)
		rc = tl_settings_store_revoke_auth_key(settings, tl__str_z(name));
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	return rc;
}

static void a_revoked_key_is_not_let_in_by_an_approval(void)
{
	site a, b;
	tl_database *db;
	tl_op *op = NULL;
	char id[37], key[TL_KEY_TEXT_LEN + 1], *json = NULL;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	db = make_db(a.node, "guarded");
	REQUIRE(db != NULL);
	CHECK_OK(tl_node_add_private_key(b.node, "laptop", NULL, key));
	CHECK_OK(grant(db, key, WRITE10));
	CHECK_OK(revoke_key(db, key));
	CHECK_OK(ask(&b, &a, tl_database_root_id(db), "laptop", &op));
	tl_op_free(op);
	CHECK(WAIT_FOR((pending_id(a.node, id), id[0] != '\0')));
	CHECK_OK(tl_sync_bootstrap_requests(a.node, "pending", &json));
	CHECK(json_has(json, "\"status\":\"revoked\""));
	CHECK_CODE(tl_sync_approve_bootstrap_request(a.node, id, "k"), TL_E_CONFLICT);
	CHECK_OK(tl_sync_reject_bootstrap_request(a.node, id, "k"));
	CHECK_OK(tl_sync_bootstrap_requests(a.node, "rejected", &json));
	CHECK(strstr(json, "\"status\":\"rejected\""));
	CHECK(json_has(json, "\"decided_by\":\"k\""));
	CHECK_CODE(tl_sync_bootstrap_requests(a.node, "maybe", &json), TL_E_BAD_ARGUMENT);
	tl_database_free(db);
	site_close(&a);
	site_close(&b);
}

/* "write:N", which the key of b may have ten of waiting at a. */
static bool asks_for(site *b, const site *a, const tl_id *db, int level, const char *outcome)
{
	char permission[24], wanted[40];
	tl_op *op = NULL;
	int rc;
	bool good;

	snprintf(permission, sizeof permission, "write:%d", level);
	snprintf(wanted, sizeof wanted, "\"status\":\"%s\"", outcome);
	rc = tl_sync_request_database_access(b->node, &a->at, db, "laptop", permission, &op);
	if (rc == TL_OK)
		rc = tl_op_wait(op, SITE_WAIT_MS);
	good = rc == TL_OK && strstr(tl_op_text(op), wanted);
	if (!good)
		printf("%s: %s\n", permission,
			rc == TL_OK ? tl_op_text(op) : tl_error_message(tl_last_error()));
	tl_op_free(op);
	return good;
}

static size_t count_pending(tl_node *node)
{
	char *json = NULL;
	size_t count = 0;

	CHECK_OK(tl_sync_bootstrap_requests(node, "pending", &json));
	for (const char *at = json; at && (at = strstr(at, "\"request_id\":")); at++)
		count++;
	tl_free(json);
	return count;
}

/* The request whose permission is written so. */
static void id_of(tl_node *node, const char *permission, char out[37])
{
	char *json = NULL, *at, *id = NULL;

	out[0] = '\0';
	CHECK_OK(tl_sync_bootstrap_requests(node, "pending", &json));
	at = json ? strstr(json, permission) : NULL;
	for (char *next = json; at && (next = strstr(next, "\"request_id\":\"")) && next < at;
		next++)
		id = next;
	if (id)
		snprintf(out, 37, "%.36s", id + strlen("\"request_id\":\""));
	tl_free(json);
}

/* Ten requests of one key may wait; each decision makes room for one more, whichever it is. */
static void a_decision_makes_room_for_another_request(void)
{
	char dir[SCRATCH_PATH], id[37], key[TL_KEY_TEXT_LEN + 1];
	site a, b;
	tl_database *db;
	tl_id root;

	scratch_make(dir);
	REQUIRE(site_open(&a, dir) && site_open(&b, NULL));
	db = make_db(a.node, "guarded");
	REQUIRE(db != NULL);
	root = *tl_database_root_id(db);
	CHECK_OK(tl_node_add_private_key(b.node, "laptop", NULL, key));
	for (int level = 19; level >= 10; level--)
		CHECK(asks_for(&b, &a, &root, level, "pending"));
	CHECK(WAIT_FOR(count_pending(a.node) == 10));
	CHECK(asks_for(&b, &a, &root, 9, "refused"));
	id_of(a.node, "\"write:15\"", id);
	CHECK_OK(tl_sync_reject_bootstrap_request(a.node, id, "k"));
	CHECK(asks_for(&b, &a, &root, 9, "pending"));
	CHECK(asks_for(&b, &a, &root, 8, "refused"));
	id_of(a.node, "\"write:19\"", id);
	CHECK_OK(tl_sync_approve_bootstrap_request(a.node, id, "k"));
	CHECK(asks_for(&b, &a, &root, 8, "pending"));
	CHECK(asks_for(&b, &a, &root, 7, "refused"));
	CHECK(WAIT_FOR(count_pending(a.node) == 10));
	/* The room is also there for who decides last before the end, and counted after a start. */
	id_of(a.node, "\"write:14\"", id);
	CHECK_OK(tl_sync_reject_bootstrap_request(a.node, id, "k"));
	tl_database_free(db);
	tl_node_close(a.node);
	REQUIRE(site_open(&a, dir));
	CHECK(count_pending(a.node) == 9);
	CHECK(asks_for(&b, &a, &root, 7, "pending"));
	CHECK(asks_for(&b, &a, &root, 6, "refused"));
	site_close(&a);
	site_close(&b);
	scratch_remove(dir);
}

int main(void)
{
	RUN(access_is_asked_for_and_granted);
	RUN(a_revoked_key_is_not_let_in_by_an_approval);
	RUN(a_decision_makes_room_for_another_request);
	return spec_end();
}
