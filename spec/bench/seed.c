/* Databases of standard entries, made once a run and copied. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"

#define SIZES 8

typedef struct seed {
	size_t n;
	tl_id id;
	char dir[SCRATCH_PATH], twin[SCRATCH_PATH], lines[SCRATCH_PATH];
} seed;

static char work[SCRATCH_PATH];
static pid_t work_owner;
static seed seeds[SIZES];

static tl_str text(const char *zero_terminated)
{
	return (tl_str){zero_terminated, strlen(zero_terminated)};
}

/* --- files ------------------------------------------------------------------------------------ */

const char *work_dir(void)
{
	if (!*work) {
		scratch_make(work);
		work_owner = getpid();
	}
	return work;
}

void work_remove(void)
{
	if (*work && work_owner == getpid())
		scratch_remove(work);
}

void work_path(char out[SCRATCH_PATH], const char *name)
{
	int len = snprintf(out, SCRATCH_PATH, "%s/%s", work_dir(), name);

	need_that(len > 0 && len < SCRATCH_PATH, "a path that is short enough");
}

static void copy_file(int from, int to)
{
	char block[1 << 16];
	ssize_t n;

	while ((n = read(from, block, sizeof block)) > 0)
		need_that(write(to, block, (size_t)n) == n, "a copy");
	need_that(n == 0, "reading what is copied");
}

void copy_dir(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *entry;

	need_that(dir && mkdir(to, 0700) == 0, "a directory to copy to");
	while ((entry = readdir(dir))) {
		char a[SCRATCH_PATH * 2], b[SCRATCH_PATH * 2];
		int in, out;

		if (entry->d_type != DT_REG)
			continue;
		snprintf(a, sizeof a, "%s/%s", from, entry->d_name);
		snprintf(b, sizeof b, "%s/%s", to, entry->d_name);
		in = open(a, O_RDONLY | O_CLOEXEC);
		out = open(b, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		need_that(in >= 0 && out >= 0, "a file to copy");
		copy_file(in, out);
		close(in);
		close(out);
	}
	closedir(dir);
}

/* --- nodes ------------------------------------------------------------------------------------ */

tl_node *open_store(const char *dir, tl_durability durability)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	config.path = dir;
	config.durability = durability;
	config.without_sync = true;
	need(tl_node_open(&node, &config), "opening a node");
	return node;
}

tl_node *open_peer(const char *dir)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	config.path = dir;
	config.durability = TL_DURABILITY_RELAXED;
	need(tl_node_open(&node, &config), "opening a node");
	need(tl_sync_enable_http_transport(node, NULL), "HTTP");
	return node;
}

const char *iroh_path(void)
{
	const char *path = getenv("TIDELOCK_IROH");

	return path ? path : "build/libtidelock_iroh.so";
}

bool iroh_is_there(const char *line)
{
	bool there = access(iroh_path(), R_OK) == 0;

	if (!there)
		fprintf(stderr, "bench: %s is left out, there is no Iroh plugin (make iroh)\n",
			line);
	return there;
}

void enable_iroh(tl_node *node)
{
	tl_iroh_config config = TL_IROH_CONFIG_INIT;

	config.relay_mode = "disabled";
	config.bind = "127.0.0.1:0";
	config.plugin = iroh_path();
	need(tl_sync_enable_iroh_transport(node, &config), "Iroh");
}

tl_database *open_db(tl_node *node, const tl_id *id, const char *key_name)
{
	tl_database *db = NULL;

	need(tl_node_load_database(node, id, &db), "opening a database");
	if (key_name)
		need(tl_database_set_default_auth_key(db, text(key_name)), "a default key");
	return db;
}

uint64_t arrivals(tl_database *db)
{
	uint64_t out = 0;

	need(tl_database_arrival(db, &out), "counting entries");
	return out;
}

/* --- standard entries ------------------------------------------------------------------------- */

void commit_one(tl_database *db, uint64_t key)
{
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	char name[32], value[101];

	snprintf(name, sizeof name, "key%07llu", (unsigned long long)key);
	snprintf(value, sizeof value, "%0100llu", (unsigned long long)(UINT64_C(2654435761) * key));
	need(tl_transaction_new(db, &tx), "a transaction");
	need(tl_transaction_doc_store(tx, text(STORE), &store), "a store");
	need(tl_doc_store_set_string(store, text(name), text(value)), "a value");
	need(tl_transaction_commit(tx, NULL), "a commit");
	tl_doc_store_free(store);
	tl_transaction_free(tx);
}

void open_to_everybody(tl_database *db, tl_permission permission)
{
	tl_transaction *tx = NULL;
	tl_settings_store *settings = NULL;

	need(tl_transaction_new(db, &tx), "a transaction");
	need(tl_transaction_get_settings(tx, &settings), "settings");
	need(tl_settings_store_set_global(settings, permission, TL_KEY_ACTIVE),
		"a public database");
	need(tl_transaction_commit(tx, NULL), "a commit");
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
}

tl_database *new_db(tl_node *node)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;

	need(tl_doc_put(settings, text("name"), tl_value_text(text("bench"))), "settings");
	need(tl_node_new_database(node, settings, KEY_NAME, &db), "a database");
	tl_value_free(settings);
	return db;
}

static void seed_make(seed *s)
{
	tl_node *node = open_store(s->dir, TL_DURABILITY_RELAXED);
	tl_database *db;

	need(tl_node_add_private_key(node, KEY_NAME, NULL, NULL), "a key");
	db = new_db(node);
	s->id = *tl_database_root_id(db);
	open_to_everybody(db, (tl_permission){TL_READ, 0});
	for (size_t i = 0; i < s->n; i++)
		commit_one(db, i);
	need_that(arrivals(db) == s->n + SETUP, "a database of that size");
	tl_database_free(db);
	tl_node_close(node);
}

static seed *seed_of(size_t n)
{
	seed *s = seeds;
	char name[64];

	while (s < seeds + SIZES && *s->dir && s->n != n)
		s++;
	need_that(s < seeds + SIZES, "room for another size");
	if (*s->dir)
		return s;
	s->n = n;
	snprintf(name, sizeof name, "seed-%zu", n);
	work_path(s->dir, name);
	seed_make(s);
	return s;
}

const char *seed_dir(size_t n, tl_id *id)
{
	seed *s = seed_of(n);

	*id = s->id;
	return s->dir;
}

static int write_line(void *ud, uint64_t arrival, tl_str bytes)
{
	(void)arrival;
	need_that(fwrite(bytes.ptr, 1, bytes.len, ud) == bytes.len && fputc('\n', ud) != EOF,
		"writing entries");
	return TL_OK;
}

const char *seed_lines(size_t n)
{
	seed *s = seed_of(n);
	tl_database *db;
	tl_node *node;
	char name[64];
	FILE *file;

	if (*s->lines)
		return s->lines;
	snprintf(name, sizeof name, "lines-%zu", n);
	work_path(s->lines, name);
	file = fopen(s->lines, "we");
	need_that(file != NULL, "a file of entries");
	node = open_store(s->dir, TL_DURABILITY_RELAXED);
	db = open_db(node, &s->id, NULL);
	need(tl_database_export(db, write_line, file), "export");
	need_that(fclose(file) == 0, "writing entries");
	tl_database_free(db);
	tl_node_close(node);
	return s->lines;
}

static ptrdiff_t read_line_file(void *ud, void *out, size_t cap)
{
	return (ptrdiff_t)fread(out, 1, cap, ud);
}

const char *twin_dir(size_t n, tl_id *id)
{
	seed *s = seed_of(n);
	uint64_t entered = 0;
	tl_node *node;
	char name[64];
	FILE *file;

	*id = s->id;
	if (*s->twin)
		return s->twin;
	snprintf(name, sizeof name, "twin-%zu", n);
	work_path(s->twin, name);
	file = fopen(seed_lines(n), "re");
	need_that(file != NULL, "a file of entries");
	node = open_store(s->twin, TL_DURABILITY_RELAXED);
	need(tl_node_import(node, read_line_file, file, id, &entered), "import");
	need_that(entered == n + SETUP, "taking in every entry");
	fclose(file);
	tl_node_close(node);
	return s->twin;
}
