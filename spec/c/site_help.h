/* Whole nodes with a server on loopback, for specs of synchronisation. */
#ifndef SPEC_SITE_HELP_H
#define SPEC_SITE_HELP_H

#include <time.h>
#include "node_help.h"
#include "scratch.h"

#define SITE_WAIT_MS 60000

typedef struct site {
	tl_node *node;
	char key[TL_KEY_TEXT_LEN + 1]; /* device key */
	tl_address at;
} site;

static inline void nap(long ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static inline int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until the condition holds, at most SITE_WAIT_MS; its value at the end. */
#define WAIT_FOR(condition)                                                                        \
	({                                                                                         \
		int64_t wait_end = now_ms() + SITE_WAIT_MS;                                        \
		bool wait_ok;                                                                      \
		while (!(wait_ok = (condition)) && now_ms() < wait_end)                            \
			nap(5);                                                                    \
		wait_ok;                                                                           \
	})

/* Quick retries, and nothing periodic unless a case asks for it. */
static inline tl_sync_options quick(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;

	options.periodic_ms = TL_NEVER;
	options.connection_check_ms = TL_NEVER;
	options.retry_max_ms = 200;
	return options;
}

static inline tl_node *open_node(const char *dir, const tl_sync_options *options)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_sync_options plain = quick();
	tl_node *node = NULL;

	config.path = dir;
	config.durability = TL_DURABILITY_RELAXED;
	config.sync = options ? options : &plain;
	if (tl_node_open(&node, &config) != TL_OK)
		printf("open: %s\n", tl_error_message(tl_last_error()));
	return node;
}

/* In memory when dir is NULL. `listen` may be NULL: a port that the system chooses. */
static inline bool site_open_at(
	site *s, const char *dir, const tl_sync_options *options, const char *listen)
{
	char bind[80];

	snprintf(bind, sizeof bind, "%s", listen ? listen : "127.0.0.1:0"); /* may lie in *s */
	memset(s, 0, sizeof *s);
	s->node = open_node(dir, options);
	if (!s->node)
		return false;
	if (tl_node_device_key(s->node, s->key) == TL_OK &&
		tl_sync_enable_http_transport(s->node, NULL) == TL_OK &&
		tl_sync_start_server(s->node, bind, NULL) == TL_OK &&
		tl_sync_get_server_address(s->node, &s->at) == TL_OK)
		return true;
	printf("site: %s\n", tl_error_message(tl_last_error()));
	return false;
}

static inline bool site_open(site *s, const char *dir)
{
	return site_open_at(s, dir, NULL, NULL);
}

static inline void site_close(site *s)
{
	tl_node_close_within(s->node, 0);
	s->node = NULL;
}

/* Waits for an operation and releases it; says what went wrong. */
static inline int finish(int rc, tl_op **op)
{
	if (rc == TL_OK)
		rc = tl_op_wait(*op, SITE_WAIT_MS);
	tl_op_free(*op);
	*op = NULL;
	return rc;
}

static inline int greet(site *a, const site *b)
{
	tl_op *op = NULL;

	return finish(tl_sync_connect_to_peer(a->node, &b->at, NULL, &op), &op);
}

static inline int fetch(site *a, const site *b, const tl_id *db)
{
	tl_op *op = NULL;

	return finish(tl_sync_sync_with_peer(a->node, &b->at, db, &op), &op);
}

static inline int exchange(site *a, const site *b, const tl_id *db)
{
	tl_op *op = NULL;

	return finish(tl_sync_sync_tree_with_peer(a->node, b->key, db, &op), &op);
}

/* Gives a public key a permission in the database, as its admin. */
static inline int grant(tl_database *db, const char *pubkey, tl_permission permission)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_get_settings(tx, &settings);
	if (rc == TL_OK)
		rc = tl_settings_store_set_auth_key(
			settings, TL__STR_NULL, tl__str_z(pubkey), permission, TL_KEY_ACTIVE);
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	return rc;
}

static inline int make_public(tl_database *db)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_get_settings(tx, &settings);
	if (rc == TL_OK)
		rc = tl_settings_store_set_global(
			settings, (tl_permission){TL_READ, 0}, TL_KEY_ACTIVE);
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	return rc;
}

/* The text of data.key there; false also when the database is not held. */
static inline bool holds(tl_node *node, const tl_id *id, const char *key, const char *text)
{
	tl_database *db = NULL;
	bool same = tl_node_load_database(node, id, &db) == TL_OK && reads(db, key, text);

	tl_database_free(db);
	return same;
}

static inline uint64_t entries_of(tl_node *node, const tl_id *id)
{
	tl_database *db = NULL;
	uint64_t count = 0;

	if (tl_node_load_database(node, id, &db) != TL_OK ||
		tl_database_arrival(db, &count) != TL_OK)
		count = 0;
	tl_database_free(db);
	return count;
}

/* A handle that writes with the node's key of this name. */
static inline tl_database *writer(tl_node *node, const tl_id *id, const char *key_name)
{
	tl_database *db = NULL;

	if (tl_node_load_database(node, id, &db) != TL_OK ||
		tl_database_set_default_auth_key(db, tl__str_z(key_name)) != TL_OK) {
		printf("writer: %s\n", tl_error_message(tl_last_error()));
		tl_database_free(db);
		return NULL;
	}
	return db;
}

static inline bool json_has(char *json, const char *part)
{
	bool has = json && strstr(json, part);

	if (!has)
		printf("no %s in %s\n", part, json ? json : "nothing");
	tl_free(json);
	return has;
}

#endif
