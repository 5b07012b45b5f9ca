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

enum { HOST_BAD_ERROR = 3, HOST_PATIENCE_S = 120 };

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

static inline tl_node *host_open(const char *dir)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_sync_options options = quick();
	tl_node *node = NULL;

	config.path = dir;
	config.sync = &options;
	config.log = host_log;
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
	tl_node *node = open_offline(dir);
	tl_database *db = NULL;
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	bool has, sound = node && tl_node_verify(node, NULL, &result) == TL_OK &&
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

#endif
