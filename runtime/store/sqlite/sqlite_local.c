/* Local documents, keys and the change counter: read at the present. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/sqlite/sqlite.h"

/* Copies the value of the row with this name. */
static int copy_value(tl__sq_conn *conn, char table, tl_str name, char **value, size_t *len)
{
	tl__sq_query q;
	bool row;
	int rc;

	tl__sq_start(&q, conn, table == 'L' ? TL__SQL_LOCAL : TL__SQL_KEY);
	tl__sq_blob(&q, name);
	rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row)
		rc = tl__sq_row_check(&q, table, 0, 2);
	else if (rc == TL_OK)
		rc = tl__fail(table == 'K' ? TL_E_KEY_NOT_FOUND : TL_E_NOT_FOUND,
			"no %s named \"%.*s\" is in this store",
			table == 'K' ? "key" : "local document", TL__STR_ARG(name));
	if (rc == TL_OK) {
		tl_str found = tl__sq_col_blob(&q, 1);

		*value = tl__copy_bytes(found.ptr, found.len);
		*len = *value ? found.len : 0;
		rc = *value ? TL_OK : TL_E_NOMEM;
	}
	tl__sq_end(&q);
	return rc;
}

static int read_value(tl__store *base, char table, tl_str name, char **value, size_t *len)
{
	tl__sqlite *store = (tl__sqlite *)base;
	tl__sq_conn *conn;
	int rc = tl__sq_reader_take(store, false, &conn);

	*value = NULL;
	*len = 0;
	if (rc != TL_OK)
		return rc;
	rc = copy_value(conn, table, name, value, len);
	tl__sq_reader_give(store, conn);
	return rc;
}

int tl__sq_local(tl__store *base, tl_str key, char **value, size_t *len)
{
	return read_value(base, 'L', key, value, len);
}

int tl__sq_key(tl__store *base, tl_str name, char **value, size_t *len)
{
	return read_value(base, 'K', name, value, len);
}

int tl__sq_locals(tl__store *base, tl_str prefix, tl__local_visit visit, void *ud)
{
	tl__sqlite *store = (tl__sqlite *)base;
	tl__sq_conn *conn;
	tl__sq_query q;
	int rc = tl__sq_reader_take(store, false, &conn);

	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_LOCALS);
	tl__sq_blob(&q, prefix);
	while (tl__sq_next(&q, &rc)) {
		tl_str key = tl__sq_col_blob(&q, 0);

		if (!tl__str_starts(key, prefix))
			break;
		rc = tl__sq_row_check(&q, 'L', 0, 2);
		if (rc == TL_OK)
			rc = visit(ud, key, tl__sq_col_blob(&q, 1));
	}
	tl__sq_end(&q);
	tl__sq_reader_give(store, conn);
	return rc;
}

int tl__sq_key_names(tl__store *base, tl__name_visit visit, void *ud)
{
	tl__sqlite *store = (tl__sqlite *)base;
	tl__sq_conn *conn;
	tl__sq_query q;
	int rc = tl__sq_reader_take(store, false, &conn);

	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_KEYS);
	while (tl__sq_next(&q, &rc)) {
		rc = tl__sq_row_check(&q, 'K', 0, 2);
		if (rc == TL_OK)
			rc = visit(ud, tl__sq_col_blob(&q, 0));
	}
	tl__sq_reader_give(store, conn);
	return rc;
}
