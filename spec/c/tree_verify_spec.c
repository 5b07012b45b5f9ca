/* Verify: what it finds, what it counts, how far it is, and how it is stopped. */
#include "model/doc_path.h"
#include "tree_foreign.h"
#include "verify_help.h"

/* --- findings --------------------------------------------------------------------------------- */

static char findings_text[4096];

static void note_finding(void *ud, const tl_id *db, const tl_id *entry, tl_str sentence)
{
	(void)db;
	(void)ud;
	(void)entry;
	snprintf(findings_text + strlen(findings_text),
		sizeof findings_text - strlen(findings_text), "%.*s\n", TL__STR_ARG(sentence));
}

static void verify_is_content_with_honest_work(void)
{
	tl_database *db = new_database("admin");
	tl_id base;
	uint64_t findings = 1;

	add_key(db, "writer", (tl_permission){TL_WRITE, 1});
	base = write_text(db, "data", "a.b", "1");
	write_text_at(db, &base, 1, "data", "a", "2");
	write_text_at(db, &base, 1, "other", "x", "2");
	write_text(db, "data", "c", "3");
	findings_text[0] = '\0';
	CHECK_OK(find_all(db, note_finding, &findings));
	CHECK_TEXT(findings_text, "");
	CHECK(findings == 0);
	tl_database_free(db);
}

/* Writes a batch of its own making, past all rules. */
static void write_raw(
	tl_database *db, tl_entry *entry, uint64_t height, tl__verdict verdict, bool unreadable)
{
	const tl_id *root = tl_database_root_id(db);
	tl__put_store store = {.name = z("data"), .unreadable = unreadable};
	tl__put_entry put = {.id = *tl_entry_id(entry),
		.bytes = tl_entry_bytes(entry),
		.verdict = verdict,
		.height = height,
		.parents = root,
		.parent_count = 1,
		.stores = &store,
		.store_count = 1,
		.frontier = {(const char *)root->b, TL_ID_BYTES}};
	tl__batch batch = {.db = *root, .entries = &put, .entry_count = 1};

	CHECK_OK(tl__store_write(w.store, &batch));
}

static void verify_finds_what_is_wrong(void)
{
	tl_database *db = new_database("admin");
	tl_id root = *tl_database_root_id(db);
	tl_entry *forged = foreign_entry(db, "stranger", &root, NULL, DATA("forged"));
	tl_entry *good = foreign_entry(db, "admin", &root, NULL, DATA("good"));
	tl_entry *junk = foreign_entry(db, "admin", &root, NULL, "junk");
	uint64_t findings = 0;

	write_raw(db, forged, 1, TL__VERIFIED, false);
	write_raw(db, good, 7, TL__VOID, false);
	write_raw(db, junk, 1, TL__VERIFIED, true);
	findings_text[0] = '\0';
	CHECK_OK(find_all(db, note_finding, &findings));
	CHECK(strstr(findings_text, "stored as verified, but is not good: key_not_found"));
	CHECK(strstr(findings_text, "stored as void, but is good"));
	CHECK(strstr(findings_text, "its stored height is 7, its parents make it 1"));
	CHECK(strstr(findings_text, "its data in store `data` is no Doc"));
	CHECK(strstr(findings_text, "the stored state of store `data` is not the fold"));
	CHECK(findings == 5);
	tl_entry_free(junk);
	junk = foreign_entry(db, "admin", &root, NULL, "{");
	write_raw(db, junk, 1, TL__VERIFIED, false);
	CHECK_OK(find_all(db, note_finding, &findings));
	CHECK(strstr(findings_text, "store `data` cannot be read: "));
	tl_entry_free(forged);
	tl_entry_free(good);
	tl_entry_free(junk);
	tl_database_free(db);
}

/* Later entries would be held to them. */
static void verify_finds_citations_that_nobody_made(void)
{
	tl_database *db = new_database("admin");
	tl_id root = *tl_database_root_id(db), pair[2] = {root, root};
	tl_entry *entry = foreign_entry(db, "admin", &root, NULL, DATA("good"));
	tl__put_store store = {.name = z("data")};
	tl__put_entry put = {.id = *tl_entry_id(entry),
		.bytes = tl_entry_bytes(entry),
		.height = 1,
		.parents = &root,
		.parent_count = 1,
		.stores = &store,
		.store_count = 1,
		.frontier = {(const char *)root.b, TL_ID_BYTES},
		.cited = {(const char *)pair, sizeof pair}};
	tl__batch batch = {.db = root, .entries = &put, .entry_count = 1};
	uint64_t findings = 0;

	CHECK_OK(tl__store_write(w.store, &batch));
	findings_text[0] = '\0';
	CHECK_OK(find_all(db, note_finding, &findings));
	CHECK(strstr(findings_text, "its row hands on other citations than it should"));
	tl_entry_free(entry);
	tl_database_free(db);
}

/* Changes one row of the state of store "data", past all rules. */
static void change_state(const tl_id *root, const char *key, bool drop, tl_str value)
{
	tl__buf path = TL__BUF_INIT;
	tl__raise row = {.store = z("data"),
		.kind = TL__STAMP_LEAF,
		.stamp = {drop ? 1000000 : 0, *root},
		.value = value};
	tl__batch batch = {.db = *root};

	tl__path_key(&path, z(key));
	row.path = tl__buf_view(&path);
	if (drop) {
		batch.drops = &row;
		batch.drop_count = 1;
	} else {
		batch.raises = &row;
		batch.raise_count = 1;
	}
	CHECK_OK(tl__store_write(w.store, &batch));
	tl__buf_free(&path);
}

static bool says_the_state_differs(tl_database *db)
{
	uint64_t findings = 0;

	findings_text[0] = '\0';
	CHECK_OK(find_all(db, note_finding, &findings));
	CHECK(findings <= 1);
	return findings == 1 &&
	       strstr(findings_text, "the stored state of store `data` is not the fold");
}

static void verify_finds_rows_of_state_that_lack_or_are_too_many(void)
{
	tl_database *db = new_database("admin");
	const tl_id *root = tl_database_root_id(db);

	write_text(db, "data", "kept", "1");
	write_text(db, "data", "lost", "2");
	CHECK(!says_the_state_differs(db));
	change_state(root, "made up", false, z("\"x\""));
	CHECK(says_the_state_differs(db));
	change_state(root, "made up", true, z(""));
	CHECK(!says_the_state_differs(db));
	change_state(root, "lost", true, z(""));
	CHECK(says_the_state_differs(db));
	write_text(db, "data", "lost", "3"); /* newer than what was lost */
	CHECK(!says_the_state_differs(db));
	tl_database_free(db);
}

/* --- what is set aside ------------------------------------------------------------------------ */

static void verify_counts_what_is_set_aside(void)
{
	tl_database *db = new_database("admin");
	tl_id root = *tl_database_root_id(db);
	tl_entry *forged = foreign_entry(db, "stranger", &root, NULL, DATA("forged"));
	tl_entry *absent = foreign_entry(db, "admin", &root, NULL, DATA("absent"));
	tl_entry *waits = foreign_entry(db, "admin", tl_entry_id(absent), NULL, DATA("waits"));
	tl_entry *waits_too = foreign_entry(db, "admin", tl_entry_id(waits), NULL, DATA("too"));
	tl_str lines[] = {tl_entry_bytes(forged), tl_entry_bytes(waits), tl_entry_bytes(waits_too)};
	tl_verify_result result = TL_VERIFY_RESULT_INIT;

	ingest_lines(&root, lines, 3);
	CHECK_OK(tl_database_verify(db, NULL, &result));
	CHECK(result.findings == 0 && result.entries == 1);
	CHECK(result.pending == 2 && result.quarantined == 1);
	tl_entry_free(forged);
	tl_entry_free(absent);
	tl_entry_free(waits);
	tl_entry_free(waits_too);
	tl_database_free(db);
}

/* --- progress --------------------------------------------------------------------------------- */

enum { ENTRIES = 700 }; /* several pages */

/* Asked at each opportunity: the clock goes on with each call. */
typedef struct asked {
	unsigned calls, refuse_at; /* 0: never */
	uint64_t done, total;
	bool fell;
} asked;

static bool ask(void *ud, uint64_t done, uint64_t total)
{
	asked *a = ud;

	atomic_fetch_add(&w.now_ms, 1000);
	a->calls++;
	a->fell = a->fell || done < a->done || done > total;
	a->done = done;
	a->total = total;
	return a->calls != a->refuse_at;
}

static int verify_asking(tl_database *db, asked *a, tl_verify_result *result)
{
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;

	options.progress = ask;
	options.ud = a;
	return tl_database_verify(db, &options, result);
}

static tl_database *filled_database(void)
{
	tl_database *db = new_database("admin");

	for (int i = 1; i < ENTRIES; i++)
		write_text(db, "data", "k", "v");
	return db;
}

static void verify_tells_how_far_it_is(void)
{
	tl_database *db = filled_database();
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	asked a = {0};

	CHECK_OK(verify_asking(db, &a, &result));
	CHECK(a.calls >= ENTRIES && !a.fell);
	CHECK(a.done == ENTRIES && a.total == ENTRIES);
	CHECK(result.entries == ENTRIES && result.findings == 0);
	tl_database_free(db);
}

/* Wherever it is stopped it says so, with what it did until then; nothing is left behind that would
 * keep the store or another check from going on. */
static void verify_can_be_stopped(void)
{
	tl_database *db = filled_database();
	asked whole = {0};
	tl_verify_result result = TL_VERIFY_RESULT_INIT;

	CHECK_OK(verify_asking(db, &whole, &result));
	for (unsigned at = 1; at <= whole.calls; at += at < 20 ? 1 : whole.calls / 7) {
		asked a = {.refuse_at = at};

		result = (tl_verify_result)TL_VERIFY_RESULT_INIT;
		CHECK_CODE(verify_asking(db, &a, &result), TL_E_CANCELLED);
		CHECK(a.calls == at && result.entries == a.done);
	}
	write_text(db, "data", "k", "after");
	CHECK_OK(tl_database_verify(db, NULL, &result));
	CHECK(result.entries == ENTRIES + 1);
	tl_database_free(db);
}

static bool close_the_node(void *ud, uint64_t done, uint64_t total)
{
	(void)ud;
	(void)done;
	(void)total;
	atomic_fetch_add(&w.now_ms, 1000);
	atomic_store(&w.closed, true);
	return true;
}

static void verify_ends_with_its_node(void)
{
	tl_database *db = new_database("admin");
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;

	options.progress = close_the_node;
	CHECK_CODE(tl_database_verify(db, &options, NULL), TL_E_CLOSED);
	tl_database_free(db);
}

static bool free_the_handle(void *ud, uint64_t done, uint64_t total)
{
	tl_database **db = ud;

	(void)done;
	(void)total;
	tl_database_free(*db);
	*db = NULL;
	return true;
}

static void the_handle_may_go_meanwhile(void)
{
	tl_database *db = new_database("admin");
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;

	options.progress = free_the_handle;
	options.ud = &db;
	CHECK_OK(tl_database_verify(db, &options, NULL));
	CHECK(!db);
}

static void options_need_their_size(void)
{
	tl_database *db = new_database("admin");
	tl_verify_options options = {0};
	tl_verify_result result = {0};

	CHECK_CODE(tl_database_verify(db, &options, NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_database_verify(db, NULL, &result), TL_E_BAD_ARGUMENT);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(verify_is_content_with_honest_work);
	RUN_EACH(verify_finds_what_is_wrong);
	RUN_EACH(verify_finds_citations_that_nobody_made);
	RUN_EACH(verify_finds_rows_of_state_that_lack_or_are_too_many);
	RUN_EACH(verify_counts_what_is_set_aside);
	RUN_EACH(verify_tells_how_far_it_is);
	RUN_EACH(verify_can_be_stopped);
	RUN_EACH(verify_ends_with_its_node);
	RUN_EACH(the_handle_may_go_meanwhile);
	RUN_EACH(options_need_their_size);
	return spec_end();
}
