/* Every public call with nothing, with its handles and nothing else, and with room for its results
 * too: none may crash, and one that returns a code says bad_argument when all is missing. The table
 * of calls is made from the headers (headers calls). nothing: runs every call in a process of its
 * own; nothing KIND N: one of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tidelock/tidelock.h>

static struct {
	tl_node *node;
	tl_database *database;
	tl_view *view;
	tl_transaction *transaction;
	tl_doc_store *doc_store;
	tl_table *table;
	tl_settings_store *settings_store;
	tl_store *store;
	tl_walk *walk;
	tl_op *op;
	tl_entry *entry;
	tl_entry_builder *entry_builder;
	tl_value *value;
	tl_auth *auth;
	tl_json_reader *json_reader;
	tl_json_writer *json_writer;
	tl_loop *loop;
} f;

static char room[8192]; /* enough for every result */
static const tl_str no_text;
static const tl_permission no_permission;

struct call {
	const char *name;
	bool is_code;
	int (*with[3])(void);
};

#pragma GCC diagnostic ignored "-Wnonnull"
#include "nothing_calls.h"

enum { COUNT = sizeof calls / sizeof calls[0] };

/* What a call with NULL returns that is allowed to have it, or that only compares. */
static bool may_return(const char *name, int code)
{
	static const char *const compare[] = {"tl_error_code", "tl_position_compare"};

	for (size_t i = 0; i < sizeof compare / sizeof compare[0]; i++)
		if (strcmp(name, compare[i]) == 0)
			return code == 0;
	return strcmp(name, "tl_error_set") == 0 ||
	       (code == TL_E_BAD_ARGUMENT && tl_error_code(tl_last_error()) == code);
}

#define NEED(call)                                                                                 \
	do {                                                                                       \
		if ((call) != TL_OK) {                                                             \
			printf("%s: %s\n", #call, tl_error_message(tl_last_error()));              \
			exit(2);                                                                   \
		}                                                                                  \
	} while (0)

static const tl_id *root(void)
{
	return tl_database_root_id(f.database);
}

static void make_fixture(void)
{
	const tl_str data = {"data", 4}, rows = {"rows", 4}, json = {"[1]", 3};
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_transaction *tx;

	config.log_level = TL_LOG_OFF;
	NEED(tl_node_open(&f.node, &config));
	NEED(tl_node_add_private_key(f.node, "me", NULL, NULL));
	NEED(tl_node_new_database(f.node, NULL, "me", &f.database));
	NEED(tl_transaction_new(f.database, &tx));
	NEED(tl_transaction_doc_store(tx, data, &f.doc_store));
	NEED(tl_doc_store_set_int(f.doc_store, data, 1));
	NEED(tl_transaction_commit(tx, NULL));
	tl_doc_store_free(f.doc_store);
	tl_transaction_free(tx);
	NEED(tl_database_at(f.database, root(), 1, &f.view));
	NEED(tl_database_get_entry(f.database, root(), &f.entry));
	NEED(tl_transaction_new(f.database, &f.transaction));
	NEED(tl_transaction_doc_store(f.transaction, data, &f.doc_store));
	NEED(tl_transaction_table(f.transaction, rows, &f.table));
	NEED(tl_transaction_get_settings(f.transaction, &f.settings_store));
	NEED(tl_table_walk(f.table, NULL, &f.walk));
	NEED(tl_node_store(f.node, &f.store));
	NEED(tl_sync_flush(f.node, 1, &f.op));
	(void)tl_op_wait(f.op, 0);
	NEED(tl_entry_builder_new(&f.entry_builder));
	f.value = tl_value_doc();
	NEED(tl_auth_from_doc(&f.auth, NULL));
	NEED(tl_json_reader_new(&f.json_reader, json));
	NEED(tl_json_writer_new(&f.json_writer, 0));
	NEED(tl_loop_new(&f.loop));
}

static int run_one(size_t kind, size_t at)
{
	int code;

	if (kind == 0) {
		code = calls[at].with[kind]();
		return calls[at].is_code && !may_return(calls[at].name, code);
	}
	make_fixture();
	(void)calls[at].with[kind]();
	fflush(NULL);
	_exit(0); /* what became of the fixture is not asked here */
}

/* Whether the call came through in a process of its own. */
static bool comes_through(const char *program, size_t kind, size_t at)
{
	char kind_number[16], number[16];
	int status = 0;
	pid_t pid;

	snprintf(kind_number, sizeof kind_number, "%zu", kind);
	snprintf(number, sizeof number, "%zu", at);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		execl(program, program, kind_number, number, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"nothing", "handles", "results"};
	unsigned failed = 0;

	if (argc == 3)
		return run_one(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
	for (size_t i = 0; i < (size_t)COUNT * 3; i++)
		if (!comes_through(argv[0], i % 3, i / 3)) {
			printf("%s with %s\n", calls[i / 3].name, kinds[i % 3]);
			failed++;
		}
	printf("%d calls, %u failures\n", COUNT, failed);
	return failed != 0 || COUNT < 300;
}
