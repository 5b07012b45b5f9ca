/* Databases and counts for specs that drive whole nodes. */
#ifndef SPEC_NODE_HELP_H
#define SPEC_NODE_HELP_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tidelock/tidelock.h>
#include "base/str.h"

/* Nodes without sync; in memory when the path is NULL. */

static inline tl_node_config offline(const char *path)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;

	config.path = path;
	config.without_sync = true;
	config.durability = TL_DURABILITY_RELAXED;
	return config;
}

static inline tl_node *open_offline(const char *path)
{
	tl_node_config config = offline(path);
	tl_node *node = NULL;

	if (tl_node_open(&node, &config) != TL_OK)
		printf("open: %s\n", tl_error_message(tl_last_error()));
	return node;
}

/* A database with one key, "k", and its name. */
static inline tl_database *make_db(tl_node *node, const char *name)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;

	if (tl_node_add_private_key(node, "k", (const uint8_t[TL_SEED_BYTES]){5}, NULL) != TL_OK ||
		tl_doc_put(settings, TL__STR("name"), tl_value_text(tl__str_z(name))) != TL_OK ||
		tl_node_new_database(node, settings, "k", &db) != TL_OK)
		printf("database: %s\n", tl_error_message(tl_last_error()));
	tl_value_free(settings);
	return db;
}

static inline int put(tl_database *db, const char *key, const char *text)
{
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, TL__STR("data"), &store);
	if (rc == TL_OK)
		rc = tl_doc_store_set_string(store, tl__str_z(key), tl__str_z(text));
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
	return rc;
}

static inline bool reads(tl_database *db, const char *key, const char *text)
{
	tl_doc_store *store = NULL;
	char *out = NULL;
	bool same = tl_database_doc_store(db, TL__STR("data"), &store) == TL_OK &&
		    tl_doc_store_get_string(store, tl__str_z(key), &out, NULL) == TL_OK &&
		    strcmp(out, text) == 0;

	tl_free(out);
	tl_doc_store_free(store);
	return same;
}

/* Entries of a directory of /proc: open descriptors, threads. */
static inline int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* A thread that was joined stays listed for a moment longer: the count when looks over 50 ms agree.
 */
static inline int count_threads(void)
{
	const struct timespec pause = {0, 5000000};
	int last = -1;

	for (int agreed = 0; agreed < 10; agreed++) {
		int now = count_entries("/proc/self/task");

		if (now != last)
			agreed = 0;
		last = now;
		nanosleep(&pause, NULL);
	}
	return last;
}

/* Waits until no more threads than these are listed, a minute at most. */
static inline bool threads_ended(int allowed)
{
	const struct timespec pause = {0, 5000000};

	for (int look = 0; look < 12000; look++) {
		if (count_entries("/proc/self/task") <= allowed)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

#endif
