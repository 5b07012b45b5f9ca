/* A forked child and the databases, transactions and stores of its parent: every use is refused,
 * letting go is fine, and the parent notices nothing. */
#include <signal.h>
#include <sys/wait.h>
#include "tree_help.h"

enum { ROUNDS = 60, PATIENCE_S = 20 };

/* What the parent has in its hands when it forks. */
typedef struct held {
	tl_database *db;
	tl_transaction *tx;
	tl_view *view;
	tl_doc_store *staged, *now, *then;
	tl_table *table;
	tl_walk *walk;
} held;

static held h;

static void hold(void)
{
	tl_walk_options all = TL_WALK_OPTIONS_INIT;
	tl_id id;

	h.db = new_database("admin");
	id = write_text(h.db, "data", "k", "v");
	h.tx = begin(h.db);
	h.staged = doc(h.tx, "data");
	CHECK_TEXT(shows(h.staged, "k"), "\"v\"");
	CHECK_OK(tl_doc_store_set_string(h.staged, z("staged"), z("1")));
	h.now = present(h.db, "data");
	CHECK_OK(tl_database_table(h.db, z("data"), &h.table));
	CHECK_OK(tl_database_at(h.db, &id, 1, &h.view));
	CHECK_OK(tl_view_doc_store(h.view, z("data"), &h.then));
	CHECK_OK(tl_doc_store_walk(h.now, z(""), &all, &h.walk));
}

static void let_go(void)
{
	tl_walk_free(h.walk);
	tl_doc_store_free(h.then);
	tl_view_free(h.view);
	tl_table_free(h.table);
	tl_doc_store_free(h.now);
	tl_doc_store_free(h.staged);
	tl_transaction_free(h.tx);
	tl_database_free(h.db);
}

#define REFUSED(expression) CHECK_CODE(expression, TL_E_BAD_STATE)

static void use_databases(void)
{
	tl_database *other;
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	tl_transaction *tx;
	tl_doc_store *store;
	tl_entry *entry;
	uint64_t arrival, hook;
	char *text;
	size_t len;
	tl_hook none = {.size = sizeof none};

	REFUSED(tl__database_create(&w.host, NULL, z("admin"), &other));
	REFUSED(tl__database_open(&w.host, tl_database_root_id(h.db), &other));
	REFUSED(tl_database_name(h.db, &text, &len));
	REFUSED(tl_database_count(h.db, &counts));
	REFUSED(tl_database_arrival(h.db, &arrival));
	REFUSED(tl_database_get_entry(h.db, tl_database_root_id(h.db), &entry));
	REFUSED(tl_database_set_default_auth_key(h.db, z("admin")));
	REFUSED(tl_database_default_auth_key(h.db, &text));
	REFUSED(tl_database_add_hook(h.db, &none, &hook));
	REFUSED(tl_database_verify(h.db, NULL, NULL));
	REFUSED(tl_transaction_new(h.db, &tx));
	REFUSED(tl_transaction_new_with_tips(h.db, tl_database_root_id(h.db), 1, &tx));
	REFUSED(tl_transaction_doc_store(h.tx, z("data"), &store));
	REFUSED(tl_transaction_commit(h.tx, NULL));
	tl_database_clear_default_auth_key(h.db);
	tl_database_remove_hook(h.db, 1);
	tl_transaction_rollback(h.tx);
}

static void use_stores(void)
{
	tl_value *value;
	tl_str key;
	const tl_value *seen;
	char *row;
	bool there;
	size_t len;

	REFUSED(tl_doc_store_get(h.staged, z("k"), &value));
	REFUSED(tl_doc_store_get(h.now, z("k"), &value));
	REFUSED(tl_doc_store_get(h.then, z("k"), &value));
	REFUSED(tl_doc_store_get_all(h.now, &value));
	REFUSED(tl_doc_store_set_string(h.staged, z("k"), z("2")));
	REFUSED(tl_table_get(h.table, z("row"), &row, &len));
	REFUSED(tl_table_contains(h.table, z("row"), &there));
	REFUSED(tl_walk_next(h.walk, &key, &seen));
}

static void use_the_store(void)
{
	tl__snapshot *s;
	tl__store *again;
	char *value;
	size_t len;
	tl__put_local put = {.key = z("k"), .value = z("v")};
	tl__batch batch = {.locals = &put, .local_count = 1};

	REFUSED(tl__snapshot_open(w.store, &s));
	REFUSED(tl__store_write(w.store, &batch));
	REFUSED(tl__read_local(w.store, z("k"), &value, &len));
	REFUSED(tl__read_key(w.store, z("k"), &value, &len));
	REFUSED(tl__store_check(w.store, NULL, NULL, NULL));
	REFUSED(tl__store_backup(w.store, "nowhere/copy", NULL, NULL));
	if (w.folder[0]) /* the parent has it */
		CHECK_CODE(tl__store_open_sqlite(&again, w.folder, TL__DURABLE_FULL, NULL),
			TL_E_STORE_LOCKED);
}

/* A store of the child's own: no other thread was at work when it came into being. */
static void work_alone(void)
{
	tl__store *own = NULL;
	tl__put_local put = {.key = z("k"), .value = z("v")};
	tl__batch batch = {.locals = &put, .local_count = 1};
	char folder[300];

	snprintf(folder, sizeof folder, "%s-child-%ld", w.folder[0] ? w.folder : "/tmp/tidelock",
		(long)getpid());
	CHECK_OK(tl__store_open_sqlite(&own, folder, TL__DURABLE_RELAXED, NULL));
	CHECK_OK(tl__store_write(own, &batch));
	tl__store_close(own);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The exit status of a child that does this; one that hangs is ended by its alarm. */
static int in_child(void (*run)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(PATIENCE_S);
		spec_case_ok = true;
		run();
		fflush(stdout);
		_exit(spec_case_ok ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void use_everything(void)
{
	use_databases();
	use_stores();
	use_the_store();
	let_go();
	tl__store_close(w.store);
}

static void a_child_is_refused(void)
{
	hold();
	CHECK(in_child(use_everything) == 0);
	CHECK(in_child(work_alone) == 0);
	/* The parent goes on with all of it. */
	CHECK_TEXT(shows(h.then, "k"), "\"v\"");
	CHECK_OK(tl_transaction_commit(h.tx, NULL));
	CHECK_TEXT(shows(h.now, "staged"), "\"1\"");
	CHECK_OK(tl_database_verify(h.db, NULL, NULL));
	let_go();
}

/* --- while threads are at work ---------------------------------------------------------------- */

static atomic_bool over;

static void *be_busy(void *ud)
{
	tl_database *db = ud;

	for (unsigned i = 0; !atomic_load(&over); i++) {
		tl_doc_store *d = present(db, "data");

		(void)shows(d, "k");
		tl_doc_store_free(d);
		write_text(db, "data", "k", "v");
	}
	return NULL;
}

/* Whatever locks other threads hold at that moment. */
static void a_child_never_hangs(void)
{
	pthread_t threads[2];
	tl_database *shared[2];

	hold();
	for (size_t i = 0; i < 2; i++) {
		shared[i] = new_database("admin");
		REQUIRE(pthread_create(&threads[i], NULL, be_busy, shared[i]) == 0);
	}
	for (int i = 0; i < ROUNDS; i++)
		CHECK(in_child(use_everything) == 0);
	atomic_store(&over, true);
	for (size_t i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		tl_database_free(shared[i]);
	}
	atomic_store(&over, false);
	let_go();
}

int main(void)
{
	RUN_EACH(a_child_is_refused);
	if (SPEC_SANITIZED)
		printf("not looked at: a child of busy threads; a sanitizer's allocator hangs in "
		       "it\n");
	else
		RUN_EACH(a_child_never_hangs);
	return spec_end();
}
