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
	tl_hook hook = {sizeof hook, before, NULL, NULL, m, false};

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

static int roll_back(void *ud, const tl_hook_context *context)
{
	(void)context;
	tl_transaction_rollback(((meddler *)ud)->tx);
	return TL_OK;
}

static void a_hook_that_rolls_back_refuses(void)
{
	tl_database *db = new_database("admin");

	for (int after = 0; after < 2; after++) {
		tl_hook hook = TL_HOOK_INIT;
		meddler m = {0};

		hook.ud = &m;
		hook.before_commit = after ? NULL : roll_back;
		hook.on_entry_committed = after ? roll_back : NULL;
		m.tx = begin(db);
		m.store = doc(m.tx, "data");
		CHECK_OK(tl_doc_store_set_string(m.store, z("k"), z(after ? "1" : "0")));
		CHECK_OK(tl_transaction_add_hook(m.tx, &hook));
		CHECK_CODE(tl_transaction_commit(m.tx, NULL), after ? TL_OK : TL_E_HOOK_FAILED);
		CHECK_CODE(tl_transaction_commit(m.tx, NULL),
			after ? TL_E_ALREADY_COMMITTED : TL_E_CLOSED);
		tl_doc_store_free(m.store);
		tl_transaction_free(m.tx);
		CHECK_OK(tl_database_verify(db, NULL, NULL));
	}
	CHECK_TEXT(now_shows(db, "data", "k"), "\"1\"");
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

typedef struct counted {
	int asked, told, drops;
} counted;

static int count_asked(void *ud, const tl_hook_context *context)
{
	(void)context;
	((counted *)ud)->asked++;
	return TL_OK;
}

static int count_told(void *ud, const tl_hook_context *context)
{
	(void)context;
	((counted *)ud)->told++;
	return TL_OK;
}

static void count_drop(void *ud)
{
	((counted *)ud)->drops++;
}

static void a_hook_belongs_to_the_database_and_not_to_a_handle(void)
{
	counted c = {0}, other = {0};
	tl_hook hook = {sizeof hook, count_asked, count_told, count_drop, &c, false};
	tl_hook on_node = {sizeof on_node, count_asked, NULL, count_drop, &other, false};
	tl_database *first = new_database("admin"), *second = new_database("admin"), *later = NULL;
	uint64_t handle, node_handle;

	CHECK_OK(tl__database_open(&w.host, tl_database_root_id(first), &later));
	CHECK_OK(tl_database_set_default_auth_key(later, z("admin")));
	CHECK_OK(tl__hooks_add(&w.hooks, NULL, &on_node, &node_handle));
	CHECK_OK(tl_database_add_hook(first, &hook, &handle));
	write_text(first, "data", "k", "1");
	write_text(later, "data", "k", "2");
	write_text(second, "data", "k", "1");
	CHECK(c.asked == 2 && c.told == 2 && other.asked == 3);
	tl_database_free(first);
	write_text(later, "data", "k", "3");
	CHECK(c.asked == 3 && c.told == 3 && c.drops == 0);
	/* Numbers of other owners name nothing. */
	tl_database_remove_hook(second, handle);
	tl_database_remove_hook(later, node_handle);
	tl__hooks_remove(&w.hooks, NULL, handle);
	CHECK(c.drops == 0 && other.drops == 0);
	tl_database_remove_hook(later, handle);
	CHECK(c.drops == 1);
	write_text(later, "data", "k", "4");
	CHECK(c.asked == 3 && other.asked == 5);
	tl__hooks_remove(&w.hooks, NULL, node_handle);
	tl_database_free(second);
	tl_database_free(later);
}

int main(void)
{
	RUN_EACH(a_hook_reads_its_transaction_and_changes_nothing);
	RUN_EACH(a_hook_that_rolls_back_refuses);
	RUN_EACH(a_hook_may_free_its_transaction);
	RUN_EACH(a_hook_belongs_to_the_database_and_not_to_a_handle);
	return spec_end();
}
