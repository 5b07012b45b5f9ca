/* Whole nodes on bad files: flipped bytes, a full disk, places that may not be written. Whatever
 * happens is an error that says so or right data; the other side is never harmed. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/system/env.h"
#include "check.h"
#include "duo_help.h"
#include "verify_help.h"

enum { FLIPS = 200, PAGES = 15, PAGE = 4096, NOTES = 60 };

static void no_log(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

/* --- the other side's file -------------------------------------------------------------------- */

/* Reads a file; false when that does not work. */
static bool read_file(const char *path, tl__buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 1;

	while (fd >= 0 && got > 0) {
		char *room = tl__buf_reserve(out, 65536);

		got = room ? read(fd, room, 65536) : -1;
		if (got > 0)
			out->len += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return fd >= 0 && got == 0 && out->len > 0;
}

/* Over the file that is there, so that it stays the same one; what lay beside it goes. */
static bool write_file(const char *dir, const tl__buf *bytes)
{
	char path[SCRATCH_PATH + 20];
	ssize_t put;
	int fd;

	snprintf(path, sizeof path, "%s/tidelock.db-wal", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/tidelock.db-shm", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/tidelock.db", dir);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return false;
	put = write(fd, bytes->ptr, bytes->len);
	return close(fd) == 0 && put == (ssize_t)bytes->len;
}

/* --- everything there is to read -------------------------------------------------------------- */

static int note_entry(void *ud, uint64_t arrival, tl_str bytes)
{
	tl__buf_format(ud, "%llu ", (unsigned long long)arrival);
	tl__buf_str(ud, bytes);
	return TL_OK;
}

static int note_store(tl_database *db, const char *name, tl__buf *out)
{
	tl_doc_store *store = NULL;
	tl_value *doc = NULL;
	char *text = NULL;
	size_t len = 0;
	int rc = tl_database_doc_store(db, tl__str_z(name), &store);

	if (rc == TL_OK)
		rc = tl_doc_store_get_all(store, &doc);
	if (rc == TL_OK)
		rc = tl_doc_write(doc, &text, &len);
	if (rc == TL_OK)
		tl__buf_append(out, text, len);
	tl_free(text);
	tl_value_free(doc);
	tl_doc_store_free(store);
	return rc;
}

static int read_all(tl_database *db, tl__buf *out)
{
	int rc = tl_database_export(db, note_entry, out);

	if (rc == TL_OK)
		rc = note_store(db, "data", out);
	return rc == TL_OK ? note_store(db, "_settings", out) : rc;
}

/* --- flipped bytes ---------------------------------------------------------------------------- */

typedef struct tally {
	unsigned unharmed, told, found, mended;
	unsigned wrong; /* must stay 0 */
} tally;

/* A failure must be one that this can be, and say so. */
static bool is_told(int rc)
{
	const tl_error *error = tl_last_error();

	if (rc != TL_E_INTERNAL && rc != TL_E_NOMEM && error && *tl_error_message(error))
		return true;
	printf("%s: %s\n", tl_error_name(rc), error ? tl_error_message(error) : "no word");
	return false;
}

static tl_node *open_damaged(const char *dir, int *rc)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_sync_options sync = quick();
	tl_node *node = NULL;

	config.path = dir;
	config.durability = TL_DURABILITY_RELAXED;
	config.sync = &sync;
	config.log = no_log;
	*rc = tl_node_open(&node, &config);
	if (*rc == TL_OK)
		*rc = tl_sync_enable_http_transport(node, NULL);
	return node;
}

/* What is read is what was there, or the reading or the check tells. */
static void look(tl_node *node, const tl_id *id, tl_str expected, tally *t)
{
	tl_database *db = NULL;
	tl__buf all = TL__BUF_INIT;
	uint64_t findings = 0;
	bool same;
	int rc = tl_node_load_database(node, id, &db);

	if (rc == TL_OK)
		rc = read_all(db, &all);
	same = rc == TL_OK && tl__str_eq(tl__buf_view(&all), expected);
	if (rc == TL_OK && !same)
		rc = find_all(db, NULL, &findings);
	if (rc != TL_OK)
		is_told(rc) ? t->told++ : t->wrong++;
	else if (same)
		t->unharmed++;
	else
		findings > 0 ? t->found++ : t->wrong++;
	tl__buf_free(&all);
	tl_database_free(db);
}

/* Goes on to sync: it gets what the other wrote meanwhile, or says what is wrong. */
static void meet(tl_node *node, const duo *d, const char *text, tally *t)
{
	tl_database *db = NULL;
	tl_op *op = NULL;
	uint64_t findings = 0;
	int rc = finish(tl_sync_sync_tree_with_peer(node, d->a.key, &d->id, &op), &op);

	if (rc != TL_OK) {
		t->wrong += !is_told(rc);
		return;
	}
	rc = tl_node_load_database(node, &d->id, &db);
	if (rc == TL_OK && reads(db, "n", text))
		t->mended++;
	else if (rc == TL_OK && (find_all(db, NULL, &findings) != TL_OK || findings > 0))
		t->found++;
	else
		t->wrong += rc == TL_OK || !is_told(rc);
	tl_database_free(db);
}

/* A node over these bytes; `what` and `at` name the damage. */
static void try_file(
	duo *d, const tl__buf *bytes, tl_str expected, const char *what, size_t at, tally *t)
{
	unsigned wrong = t->wrong;
	char text[60], key[TL_KEY_TEXT_LEN + 1] = "";
	tl_node *node;
	int rc;

	snprintf(text, sizeof text, "%s %zu", what, at);
	CHECK_OK(put(d->db, "n", text));
	CHECK(write_file(d->dir_b, bytes));
	node = open_damaged(d->dir_b, &rc);
	if (rc != TL_OK) {
		is_told(rc) ? t->told++ : t->wrong++;
	} else {
		t->wrong += tl_node_device_key(node, key) != TL_OK || strcmp(key, d->b.key) != 0;
		look(node, &d->id, expected, t);
		meet(node, d, text, t);
	}
	tl_node_close_within(node, 0);
	if (t->wrong > wrong)
		printf("%s, page %zu + %zu: unnoticed\n", what, at / 4096, at % 4096);
}

/* Fills the database of both; b is closed afterwards and its file is in `bytes`. */
static bool make_file(duo *d, tl__buf *bytes, tl__buf *expected)
{
	char path[SCRATCH_PATH + 20], key[20];
	tl_database *db = NULL;
	bool good = duo_open(d, true, NULL);

	for (int i = 0; good && i < NOTES; i++) {
		snprintf(key, sizeof key, "note%d.part%d", i / 4, i % 4);
		good = put(d->db, key, "some text of some length") == TL_OK;
	}
	good = good && exchange(&d->a, &d->b, &d->id) == TL_OK &&
	       tl_node_load_database(d->b.node, &d->id, &db) == TL_OK &&
	       read_all(db, expected) == TL_OK;
	tl_database_free(db);
	site_close(&d->b);
	snprintf(path, sizeof path, "%s/tidelock.db", d->dir_b);
	return good && read_file(path, bytes);
}

static size_t below(tl__random *random, size_t bound)
{
	return (size_t)tl__random_below(random, bound);
}

static void flip_one(duo *d, tl__buf *bytes, tl__random *random, tl_str expected, tally *t)
{
	size_t at = below(random, bytes->len);
	char bit = (char)(1 << below(random, 8));

	while (bytes->ptr[at] == 0) /* where something is */
		at = below(random, bytes->len);
	bytes->ptr[at] = (char)(bytes->ptr[at] ^ bit);
	try_file(d, bytes, expected, "flipped", at, t);
	bytes->ptr[at] = (char)(bytes->ptr[at] ^ bit);
}

/* What a disk does that loses a write, or puts it elsewhere. */
static void spoil_page(duo *d, const tl__buf *bytes, tl__random *random, tl_str expected, tally *t)
{
	size_t pages = bytes->len / PAGE, to = below(random, pages), from = below(random, pages);
	tl__buf spoilt = TL__BUF_INIT;

	tl__buf_append(&spoilt, bytes->ptr, bytes->len);
	if (spoilt.failed)
		return;
	memset(spoilt.ptr + to * PAGE, 0, PAGE);
	try_file(d, &spoilt, expected, "zeroed", to * PAGE, t);
	memcpy(spoilt.ptr + to * PAGE, bytes->ptr + from * PAGE, PAGE);
	try_file(d, &spoilt, expected, "misplaced", to * PAGE, t);
	spoilt.len = 1 + below(random, bytes->len - 1);
	memcpy(spoilt.ptr, bytes->ptr, spoilt.len);
	try_file(d, &spoilt, expected, "cut", spoilt.len, t);
	tl__buf_free(&spoilt);
}

static void no_damage_makes_a_node_lie(void)
{
	tl__buf bytes = TL__BUF_INIT, expected = TL__BUF_INIT;
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(11));
	uint64_t before, findings = 1;
	tally t = {0};
	duo d;

	REQUIRE(make_file(&d, &bytes, &expected));
	before = entries_of(d.a.node, &d.id);
	for (int i = 0; i < FLIPS; i++)
		flip_one(&d, &bytes, &random, tl__buf_view(&expected), &t);
	for (int i = 0; i < PAGES; i++)
		spoil_page(&d, &bytes, &random, tl__buf_view(&expected), &t);
	printf("of %d files %u were unharmed, %u told, %u found by the check; %u synced\n",
		FLIPS + 3 * PAGES, t.unharmed, t.told, t.found, t.mended);
	CHECK(t.wrong == 0 && t.told > 0 && t.mended > FLIPS / 4);
	/* Nothing of all that came over. */
	CHECK(entries_of(d.a.node, &d.id) == before + FLIPS + 3 * PAGES);
	CHECK_OK(find_all(d.db, NULL, &findings));
	CHECK(findings == 0);
	tl__buf_free(&bytes);
	tl__buf_free(&expected);
	duo_close(&d);
}

/* --- a full disk ------------------------------------------------------------------------------ */

static void a_full_disk_is_told_and_left_behind(void)
{
	char dir[SCRATCH_PATH], key[TL_KEY_TEXT_LEN + 1], big[4000];
	tl_database *db, *mine;
	uint64_t findings = 1;
	site a, b;
	tl_id id;

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	scratch_make(dir);
	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(site_open(&a, NULL) && site_open(&b, dir)); /* a writes no files */
	db = make_db(a.node, "full");
	REQUIRE(db != NULL);
	id = *tl_database_root_id(db);
	CHECK_OK(tl_node_add_private_key(b.node, "b", NULL, key));
	CHECK_OK(grant(db, key, WRITE10));
	CHECK_OK(greet(&a, &b));
	CHECK_OK(tl_sync_add_tree_sync(a.node, b.key, &id));
	CHECK_OK(fetch(&b, &a, &id));
	mine = writer(b.node, &id, "b");
	REQUIRE(mine != NULL);
	CHECK_OK(put(mine, "before", "b"));
	REQUIRE(scratch_limit(RLIMIT_FSIZE, 100 * 1024)); /* its log stops growing soon */
	for (int i = 0; i < 400; i++)
		CHECK_OK(put(db, "n", big));
	CHECK(exchange(&b, &a, &id) != TL_OK);
	CHECK(WAIT_FOR(put(mine, "full", big) == TL_E_IO));
	CHECK(strlen(tl_error_message(tl_last_error())) > 0);
	CHECK(reads(mine, "before", "b") && !reads(mine, "full", big));
	REQUIRE(scratch_limit(RLIMIT_FSIZE, RLIM_INFINITY));
	CHECK_OK(put(mine, "after", "b"));
	CHECK_OK(exchange(&b, &a, &id));
	CHECK(WAIT_FOR(entries_of(a.node, &id) == entries_of(b.node, &id)));
	CHECK(WAIT_FOR(holds(a.node, &id, "after", "b") && holds(b.node, &id, "n", big)));
	CHECK_OK(find_all(mine, NULL, &findings));
	CHECK(findings == 0);
	tl_database_free(db);
	tl_database_free(mine);
	site_close(&a);
	site_close(&b);
	scratch_remove(dir);
}

int main(void)
{
	RUN(no_damage_makes_a_node_lie);
	RUN(a_full_disk_is_told_and_left_behind);
	return spec_end();
}
