/* A host under hard conditions, in a process of its own: it does everything a host does, takes
 * errors as they come, and tells each entry that was acknowledged. Whoever started it looks at the
 * directory afterwards. */
#ifndef SPEC_HOST_RUN_H
#define SPEC_HOST_RUN_H

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"
#include "site_help.h"
#include "verify_help.h"

enum { HOST_BAD_ERROR = 3, HOST_PATIENCE_S = 120, HOST_COMMITS = 40 };

/* --- the host --------------------------------------------------------------------------------- */

/* An error must say what it is; `internal` is a fault of the library. */
static inline bool host_ok(int rc)
{
	const tl_error *error = tl_last_error();

	if (rc == TL_OK)
		return true;
	if (rc == TL_E_INTERNAL || tl_error_code(error) != rc || !*tl_error_message(error)) {
		printf("a bad error: %s, \"%s\" at %s\n", tl_error_name(rc),
			tl_error_message(error), tl_error_where(error));
		fflush(stdout);
		_exit(HOST_BAD_ERROR);
	}
	return false;
}

static inline void host_log(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static tl_log_sink host_sink = host_log; /* NULL: standard error */

static inline tl_node *host_open(const char *dir)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_sync_options options = quick();
	tl_node *node = NULL;

	config.path = dir;
	config.sync = &options;
	config.log = host_sink;
	config.log_level = TL_LOG_DEBUG;
	return host_ok(tl_node_open(&node, &config)) ? node : NULL;
}

static inline tl_database *host_make_database(tl_node *node)
{
	tl_value *settings = NULL;
	tl_database *db = NULL;

	if (!host_ok(tl_node_add_private_key(node, "k", (const uint8_t[TL_SEED_BYTES]){5}, NULL)))
		return NULL;
	settings = tl_value_doc();
	if (settings &&
		host_ok(tl_doc_put(settings, TL__STR("name"), tl_value_text(TL__STR("notes")))))
		(void)host_ok(tl_node_new_database(node, settings, "k", &db));
	tl_value_free(settings);
	return db;
}

/* The database "notes", made when it is not there. */
static inline tl_database *host_database(tl_node *node)
{
	tl_database *db = NULL;
	int rc = tl_node_find_database(node, "notes", &db);

	if (!host_ok(rc))
		db = rc == TL_E_DATABASE_NOT_FOUND ? host_make_database(node) : NULL;
	if (!db || host_ok(tl_database_set_default_auth_key(db, TL__STR("k"))))
		return db;
	tl_database_free(db);
	return NULL;
}

/* One entry; told once it is acknowledged. */
static inline void host_commit(tl_database *db, int tell, unsigned number)
{
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	char key[16];
	tl_id id;
	bool ok = host_ok(tl_transaction_new(db, &tx)) &&
		  host_ok(tl_transaction_doc_store(tx, TL__STR("data"), &store));

	snprintf(key, sizeof key, "key%u", number % 50);
	ok = ok && host_ok(tl_doc_store_set_string(store, tl__str_z(key), tl__str_z(key))) &&
	     host_ok(tl_transaction_commit(tx, &id));
	if (ok && write(tell, &id, sizeof id) != sizeof id)
		_exit(1);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
}

static inline void host_serve_and_dial(tl_node *node)
{
	tl_address here;
	tl_op *op = NULL;

	if (!host_ok(tl_sync_enable_http_transport(node, NULL)) ||
		!host_ok(tl_sync_start_server(node, "127.0.0.1:0", NULL)) ||
		!host_ok(tl_sync_get_server_address(node, &here)))
		return;
	if (host_ok(tl_sync_connect_to_peer(node, &here, NULL, &op)))
		(void)host_ok(tl_op_wait(op, 60000));
	tl_op_free(op);
}

static inline int host_take_line(void *ud, uint64_t arrival, tl_str bytes)
{
	uint64_t *sum = ud;

	*sum += arrival + bytes.len;
	return TL_OK;
}

static inline void host_read_all(tl_node *node, tl_database *db, const char *dir)
{
	tl_doc_store *store = NULL;
	tl_value *value = NULL;
	uint64_t sum = 0;
	char copy[SCRATCH_PATH + 16], *json = NULL;

	if (host_ok(tl_database_doc_store(db, TL__STR("data"), &store)))
		(void)host_ok(tl_doc_store_get_all(store, &value));
	(void)host_ok(tl_database_export(db, host_take_line, &sum));
	(void)host_ok(tl_database_verify(db, NULL, NULL));
	snprintf(copy, sizeof copy, "%s/copy.db", dir);
	unlink(copy);
	(void)host_ok(tl_node_backup(node, copy));
	(void)host_ok(tl_sync_status(node, &json));
	tl_free(json);
	tl_value_free(value);
	tl_doc_store_free(store);
}

/* Opens the directory, and does everything a host does. */
static inline void host_live(const char *dir, int tell)
{
	tl_node *node = host_open(dir);
	tl_database *db;

	if (!node)
		return;
	host_serve_and_dial(node);
	db = host_database(node);
	for (unsigned i = 0; db && i < HOST_COMMITS; i++)
		host_commit(db, tell, i);
	if (db)
		host_read_all(node, db, dir);
	tl_database_free(db);
	tl_node_close_within(node, 100);
}

/* --- whoever looks at it ---------------------------------------------------------------------- */

typedef struct host_told {
	tl_id at[20000];
	size_t count;
} host_told;

/* Runs it in a child, whose exit status is returned (128 + a signal), and reads what it tells. */
static inline int host_run(void (*run)(const char *dir, int tell), const char *dir, host_told *told)
{
	int tell[2], status = -1;
	pid_t child;
	tl_id id;

	if (pipe(tell) != 0)
		return -1;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(tell[0]);
		alarm(HOST_PATIENCE_S);
		run(dir, tell[1]);
		fflush(stdout);
		_exit(0);
	}
	close(tell[1]);
	while (read(tell[0], &id, sizeof id) == sizeof id)
		if (told->count < sizeof told->at / sizeof *told->at)
			told->at[told->count++] = id;
	close(tell[0]);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Everything is sound, and all that was acknowledged is there. */
static inline bool host_is_sound(const char *dir, const host_told *told)
{
	tl_node *node = NULL;
	tl_database *db = NULL;
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	bool has, sound;

	/* A daemon's last moments: it has told everything, and still has the lock. */
	sound = WAIT_FOR((node = open_offline(dir)) != NULL ||
			 tl_error_code(tl_last_error()) != TL_E_STORE_LOCKED);
	sound = sound && node && tl_node_verify(node, NULL, &result) == TL_OK &&
		result.findings == 0;
	if (sound && told->count > 0)
		sound = tl_node_find_database(node, "notes", &db) == TL_OK;
	for (size_t i = 0; i < told->count && sound; i++)
		sound = tl_database_has(db, &told->at[i], &has) == TL_OK && has;
	if (!sound)
		printf("not sound: %" PRIu64 " findings, %zu told, %s\n", result.findings,
			told->count, tl_error_message(tl_last_error()));
	tl_database_free(db);
	tl_node_close_within(node, 0);
	return sound;
}

/* --- chance ----------------------------------------------------------------------------------- */

static uint64_t host_seed;

static inline uint32_t host_random(uint32_t below)
{
	host_seed = host_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(host_seed >> 33) % below;
}

/* `spec [ROUNDS [SEED]]`: a few rounds unless more are asked for. */
static inline unsigned host_rounds(int argc, char **argv, unsigned few)
{
	host_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	printf("seed %" PRIu64 "\n", host_seed);
	return argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : few;
}

/* --- again and again -------------------------------------------------------------------------- */

typedef struct host_series {
	unsigned rounds;
	void (*run)(const char *dir, int tell);
	void (*prepare)(unsigned round); /* before each */
	bool (*may_end)(int status);     /* another way than with 0; NULL: none */
	void (*describe)(void);          /* what was prepared, where a round fails */
} host_series;

/* Runs hosts one after the other in one directory; what each acknowledged must be there. How many
 * entries that were. */
static inline size_t host_run_series(const host_series *series)
{
	static host_told told;
	char dir[SCRATCH_PATH];

	told.count = 0;
	scratch_make(dir);
	for (unsigned i = 0; i < series->rounds && spec_case_ok; i++) {
		int status;

		series->prepare(i);
		status = host_run(series->run, dir, &told);
		CHECK(status == 0 || (series->may_end && series->may_end(status)));
		CHECK(host_is_sound(dir, &told));
		if (!spec_case_ok) {
			printf("round %u: status %d, ", i, status);
			series->describe();
		}
	}
	printf("%zu entries were acknowledged\n", told.count);
	scratch_remove(dir);
	return told.count;
}

#endif
