/* Control calls on values of DocStores. A value is at `path`, or at the literal `keys`. */
#include "base/fail.h"
#include "base/str.h"
#include "control/control_request.h"
#include "engine/parts/plain_path.h"
#include "model/value.h"

/* A value of a DocStore; without a path the whole store. */
int tl__control_db_get(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_database *db = NULL;
	tl_doc_store *store = NULL;
	tl_value *value = NULL;
	char *text = NULL;
	size_t len = 0;
	int rc = tl__control_need(r->store, "store");

	if (rc == TL_OK && r->path.ptr)
		rc = tl__plain_path_check(r->path);
	if (rc == TL_OK)
		rc = tl__control_open_db(node, r, &db);
	if (rc == TL_OK)
		rc = tl_database_doc_store(db, r->store, &store);
	if (rc == TL_OK)
		rc = r->path.ptr ? tl_doc_store_get(store, r->path, &value)
				 : tl_doc_store_get_at_path(store, r->keys, r->key_count, &value);
	if (rc == TL_OK)
		rc = tl_value_export(value, &text, &len);
	if (rc == TL_OK)
		tl__buf_str(out, (tl_str){text, len});
	tl_free(text);
	tl_value_free(value);
	tl_doc_store_free(store);
	tl_database_free(db);
	return rc;
}

/* Takes the value. */
static int set_value(tl_doc_store *store, const tl__control_request *r, tl_value *value)
{
	bool deletes = tl_value_type(value) == TL_NULL;

	if (deletes)
		tl_value_free(value);
	if (r->path.ptr)
		return deletes ? tl_doc_store_delete(store, r->path, NULL)
			       : tl_doc_store_set(store, r->path, value);
	return deletes ? tl_doc_store_delete_at_path(store, r->keys, r->key_count, NULL)
		       : tl_doc_store_set_at_path(store, r->keys, r->key_count, value);
}

static int commit_value(tl_database *db, const tl__control_request *r, tl_id *id)
{
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	tl_value *value = NULL;
	int rc = tl__value_parse_whole_json(&value, r->value);

	if (rc == TL_OK)
		rc = tl_transaction_new(db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, r->store, &store);
	if (rc == TL_OK) {
		rc = set_value(store, r, value);
		value = NULL; /* taken over, also on failure */
	}
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, id);
	tl_value_free(value);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
	return rc;
}

/* Sets a value of a DocStore; null deletes it. */
int tl__control_db_set(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_database *db = NULL;
	tl_id id;
	int rc = tl__control_need(r->store, "store");

	if (rc == TL_OK && r->key_count == 0)
		rc = tl__control_need(r->path, "path");
	if (rc == TL_OK && r->path.ptr)
		rc = tl__plain_path_check(r->path);
	if (rc == TL_OK)
		rc = tl__control_need(r->value, "value");
	if (rc == TL_OK)
		rc = tl__control_open_db(node, r, &db);
	if (rc == TL_OK)
		rc = tl__control_choose_key(node, r, db);
	if (rc == TL_OK)
		rc = commit_value(db, r, &id);
	if (rc == TL_OK)
		tl__control_put_id(out, &id);
	tl_database_free(db);
	return rc;
}
