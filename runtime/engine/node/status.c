#include "engine/node/status.h"

#include "base/mem.h"
#include "base/str.h"

int tl__json_take(tl__buf *out, char **json)
{
	size_t len;
	int rc = tl__buf_status(out);

	*json = rc == TL_OK ? tl__buf_take(out, &len) : NULL;
	tl__buf_free(out);
	return *json || rc != TL_OK ? rc : TL_E_NOMEM;
}

static int count_id(void *ud, const tl_id *id)
{
	(void)id;
	++*(size_t *)ud;
	return TL_OK;
}

static void put_name(tl__buf *out, tl_database *db)
{
	char *name = NULL;
	size_t len = 0;

	if (tl_database_name(db, &name, &len) == TL_OK)
		tl__json_put_string(out, (tl_str){name, len});
	else
		tl__buf_text(out, "null"); /* it has none, or none that can be read */
	tl_free(name);
}

static int put_database(tl_database *db, tl__buf *out)
{
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	size_t tips = 0;
	char id[TL_ID_TEXT_LEN + 1];
	int rc = tl_database_count(db, &counts);

	if (rc == TL_OK)
		rc = tl_database_tips(db, count_id, &tips);
	if (rc != TL_OK)
		return rc;
	tl_id_format(tl_database_root_id(db), id);
	tl__buf_format(out, "{\"id\":\"%s\",\"name\":", id);
	put_name(out, db);
	tl__buf_format(out,
		",\"entries\":%llu,\"tips\":%zu,\"pending\":%llu,\"quarantined\":%llu,\"void\":%"
		"llu}",
		(unsigned long long)counts.entries, tips, (unsigned long long)counts.pending,
		(unsigned long long)counts.quarantined, (unsigned long long)counts.void_entries);
	return TL_OK;
}

typedef struct walk {
	tl_node *node;
	tl__buf *out;
	bool any;
} walk;

static int visit(void *ud, const tl_id *id)
{
	walk *w = ud;
	tl_database *db = NULL;
	int rc = tl_node_load_database(w->node, id, &db);

	if (rc == TL_OK) {
		tl__buf_text(w->out, w->any ? "," : "");
		w->any = true;
		rc = put_database(db, w->out);
	}
	tl_database_free(db);
	return rc;
}

int tl__status_databases(tl_node *node, tl__buf *out)
{
	walk w = {node, out, false};
	int rc;

	tl__buf_text(out, "[");
	rc = tl_node_all_databases(node, false, visit, &w);
	tl__buf_text(out, "]");
	return rc;
}
