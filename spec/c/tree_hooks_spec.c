/* What hooks may do to the transaction that runs them. */
#include "tree_help.h"

typedef struct meddler {
	tl_transaction *tx;
	tl_doc_store *store;
	bool frees, refuses;
	int calls;
} meddler;

static int meddle(meddler *m)
{
	tl_hook hook = {.size = sizeof hook};
	char *text = NULL;

	m->calls++;
	CHECK_CODE(tl_transaction_commit(m->tx, NULL), TL_E_ALREADY_COMMITTED);
	CHECK_CODE(tl_doc_store_set_string(m->store, z("k"), z("2")), TL_E_ALREADY_COMMITTED);
	CHECK_CODE(tl_transaction_set_data(m->tx, z("raw"), z("x")), TL_E_ALREADY_COMMITTED);
	CHECK_CODE(tl_transaction_set_auth_key(m->tx, z("other")), TL_E_ALREADY_COMMITTED);
	CHECK_CODE(tl_transaction_add_hook(m->tx, &hook), TL_E_ALREADY_COMMITTED);
	tl_transaction_rollback(m->tx);
	CHECK_OK(tl_doc_store_get_string(m->store, z("k"), &text, NULL));
	CHECK_TEXT(text, "1");
	tl_free(text);
	if (m->frees) {
		m->frees = false;
		tl_doc_store_free(m->store);
		tl_transaction_free(m->tx);
	}
	return m->refuses ? tl_error_set(TL_E_TOO_LARGE, "not today") : TL_OK;
}

static int before(void *ud, const tl_hook_context *context)
{
	(void)context;
	return meddle(ud);
}

/* A transaction that stages k = 1 and runs the hook. */
static void begin_with(meddler *m, tl_database *db)
{
	tl_hook hook = {sizeof hook, before, NULL, NULL, m};

	m->tx = begin(db);
	m->store = doc(m->tx, "data");
	CHECK_OK(tl_doc_store_set_string(m->store, z("k"), z("1")));
	CHECK_OK(tl_transaction_add_hook(m->tx, &hook));
}

static void a_hook_reads_its_transaction_and_changes_nothing(void)
{
	tl_database *db = new_database("admin");
	meddler m = {.refuses = true};

	begin_with(&m, db);
	CHECK_CODE(tl_transaction_commit(m.tx, NULL), TL_E_HOOK_FAILED);
	m.refuses = false;
	CHECK_OK(tl_transaction_commit(m.tx, NULL)); /* no setter of the hook has spoilt it */
	CHECK(m.calls == 2);
	CHECK_TEXT(now_shows(db, "data", "k"), "\"1\"");
	tl_doc_store_free(m.store);
	tl_transaction_free(m.tx);
	tl_database_free(db);
}

static void a_hook_may_free_its_transaction(void)
{
	tl_database *db = new_database("admin");

	for (int refuses = 0; refuses < 2; refuses++) {
		meddler m = {.frees = true, .refuses = refuses};
		tl_id id;

		begin_with(&m, db);
		CHECK_CODE(tl_transaction_commit(m.tx, &id), refuses ? TL_E_HOOK_FAILED : TL_OK);
		CHECK(m.calls == 1 && !m.frees);
	}
	CHECK_TEXT(now_shows(db, "data", "k"), "\"1\"");
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(a_hook_reads_its_transaction_and_changes_nothing);
	RUN_EACH(a_hook_may_free_its_transaction);
	return spec_end();
}
