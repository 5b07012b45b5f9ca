/* Entries and the state of a database as hosts read them: pages, exports, views of the past. */
#include "tree_foreign.h"
#include "tree/api/handles.h"
#include "verify_help.h"

/* --- entries and walks ------------------------------------------------------------------------ */

typedef struct infos {
	tl_entry_info at[4096];
	size_t count, stop_after;
} infos;

static infos all;

static int note_info(void *ud, const tl_entry_info *info)
{
	(void)ud;
	if (all.count < 4096)
		all.at[all.count++] = *info;
	return all.count == all.stop_after ? TL_STOP : TL_OK;
}

static void changes_by_arrival(void)
{
	tl_database *db = new_database("admin");
	tl_id ids[5];
	uint64_t arrival;

	for (int i = 0; i < 5; i++)
		ids[i] = write_text(db, "data", "k", "v");
	all.count = all.stop_after = 0;
	CHECK_OK(tl_database_changes(db, 0, 0, note_info, NULL));
	CHECK(all.count == 6 && all.at[0].arrival == 1 && all.at[0].parent_count == 0);
	CHECK(same_id(&all.at[0].id, tl_database_root_id(db)));
	for (size_t i = 1; i < all.count; i++)
		CHECK(all.at[i].arrival == i + 1 && all.at[i].height == i &&
			same_id(&all.at[i].id, &ids[i - 1]) && !all.at[i].is_void);
	all.count = 0;
	CHECK_OK(tl_database_changes(db, 3, 2, note_info, NULL));
	CHECK(all.count == 2 && all.at[0].arrival == 4);
	all.count = 0;
	all.stop_after = 1;
	CHECK_OK(tl_database_changes(db, 0, 0, note_info, NULL));
	CHECK(all.count == 1);
	all.count = 0;
	CHECK_OK(tl_database_changes(db, 6, 0, note_info, NULL));
	CHECK_CODE(tl_database_changes(db, 7, 0, note_info, NULL), TL_E_INDEX_OUT_OF_BOUNDS);
	CHECK_CODE(
		tl_database_changes(db, UINT64_MAX, 0, note_info, NULL), TL_E_INDEX_OUT_OF_BOUNDS);
	CHECK(all.count == 0);
	CHECK_OK(tl_database_arrival(db, &arrival));
	CHECK(arrival == 6);
	tl_database_free(db);
}

static void the_log_shows_the_newest(void)
{
	tl_database *db = new_database("admin");
	tl_id base = write_text(db, "data", "k", "v");

	for (int i = 0; i < 4; i++)
		write_text_at(db, &base, 1, "data", "fork", "v");
	write_text_at(db, &base, 1, "data", "other", "v");
	write_text(db, "data", "join", "v");
	write_text(db, "data", "end", "v");
	/* Equal forks are one entry: heights 0 1 2 2 3 4. */
	all.count = all.stop_after = 0;
	CHECK_OK(tl_database_log(db, 0, note_info, NULL));
	REQUIRE(all.count == 6);
	for (size_t i = 1; i < all.count; i++)
		CHECK(all.at[i - 1].height < all.at[i].height ||
			(all.at[i - 1].height == all.at[i].height &&
				memcmp(&all.at[i - 1].id, &all.at[i].id, sizeof(tl_id)) < 0));
	CHECK(all.at[4].parent_count == 2);
	all.count = 0;
	CHECK_OK(tl_database_log(db, 3, note_info, NULL));
	CHECK(all.count == 3 && all.at[0].height == 2 && all.at[2].height == 4);
	all.count = 0;
	CHECK_OK(tl_database_log(db, 100, note_info, NULL));
	CHECK(all.count == 6);
	tl_database_free(db);
}

static void walks_cross_pages(void)
{
	enum { MANY = 1100 };
	tl_database *db = new_database("admin");
	uint64_t findings;

	for (int i = 0; i < MANY; i++)
		CHECK_OK(finish(begin(db), NULL));
	all.count = all.stop_after = 0;
	CHECK_OK(tl_database_changes(db, 0, 0, note_info, NULL));
	CHECK(all.count == MANY + 1 && all.at[MANY].arrival == MANY + 1);
	all.count = 0;
	CHECK_OK(tl_database_log(db, MANY - 1, note_info, NULL));
	CHECK(all.count == MANY - 1 && all.at[0].height == 2);
	CHECK_OK(find_all(db, NULL, &findings));
	CHECK(findings == 0);
	tl_database_free(db);
}

static int count_entry(void *ud, tl_entry *entry)
{
	(void)entry;
	++*(size_t *)ud;
	return TL_OK;
}

static int note_name(void *ud, tl_str name)
{
	char *text = ud;

	snprintf(text + strlen(text), 64, "%.*s ", TL__STR_ARG(name));
	return TL_OK;
}

static void entries_are_got(void)
{
	tl_database *db = new_database("admin"), *other = new_database("admin");
	tl_id ids[3] = {write_text(db, "b", "k", "1"), write_text(db, "a", "k", "2"),
		write_text(other, "c", "k", "3")};
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	tl_entry_info info = TL_ENTRY_INFO_INIT;
	tl_entry *entry;
	char names[128] = "";
	size_t count = 0;
	bool has;

	CHECK_OK(tl_database_has(db, &ids[1], &has));
	CHECK(has);
	CHECK_OK(tl_database_has(db, &ids[2], &has));
	CHECK(!has);
	CHECK_CODE(tl_database_get_entry(db, &ids[2], &entry), TL_E_ENTRY_NOT_FOUND);
	CHECK(entry == NULL);
	CHECK_OK(tl_database_get_entries(db, ids, 2, count_entry, &count));
	CHECK(count == 2);
	CHECK_CODE(tl_database_get_entries(db, ids, 3, count_entry, &count), TL_E_ENTRY_NOT_FOUND);
	CHECK_OK(tl_database_get_info(db, &ids[1], &info));
	CHECK(info.parent_count == 1 && same_id(&info.parents[0], &ids[0]) && info.height == 2);
	tl_free((void *)(uintptr_t)info.parents);
	CHECK_CODE(tl_database_get_info(db, &ids[2], &info), TL_E_ENTRY_NOT_FOUND);
	CHECK_OK(tl_database_store_names(db, note_name, names));
	CHECK_TEXT(names, "_root _settings a b ");
	CHECK_OK(tl_database_count(db, &counts));
	CHECK(counts.entries == 3 && counts.void_entries == 0 && counts.pending == 0 &&
		counts.quarantined == 0);
	tl_database_free(db);
	tl_database_free(other);
}

typedef struct exported {
	tl_str lines[64];
	size_t count;
} exported;

static int note_line(void *ud, uint64_t arrival, tl_str bytes)
{
	exported *e = ud;

	CHECK(arrival == e->count + 1);
	if (e->count < 64)
		e->lines[e->count++] = (tl_str){tl__copy_bytes(bytes.ptr, bytes.len), bytes.len};
	return TL_OK;
}

static void export_free(exported *e)
{
	for (size_t i = 0; i < e->count; i++)
		tl_free((void *)(uintptr_t)e->lines[i].ptr);
}

static void export_can_be_read_back(void)
{
	tl_database *db = new_database("admin");
	exported e = {.count = 0};
	tl_id root = *tl_database_root_id(db);
	char before[256];

	write_text(db, "data", "a", "1");
	write_text(db, "data", "b", "2");
	CHECK_OK(tl_database_export(db, note_line, &e));
	CHECK(e.count == 3);
	tl_doc_store *d = present(db, "data");
	snprintf(before, sizeof before, "%s", shows_all(d));
	tl_doc_store_free(d);
	tl_database_free(db);
	world_close();
	REQUIRE(world_open());
	ingest_lines(&root, e.lines, e.count);
	CHECK_OK(tl__database_open(&w.host, &root, &db));
	d = present(db, "data");
	CHECK_TEXT(shows_all(d), before);
	tl_doc_store_free(d);
	tl_database_free(db);
	export_free(&e);
}

/* --- views and history ------------------------------------------------------------------------ */

static void views_show_the_past(void)
{
	tl_database *db = new_database("admin");
	tl_id first = write_text(db, "data", "k", "1"), unknown = {{'s'}};
	tl_view *view;
	tl_doc_store *d;
	tl_table *rows;
	tl_settings_store *settings;
	char *name;
	size_t len;

	write_text(db, "data", "k", "2");
	CHECK_OK(tl_database_at(db, &first, 1, &view));
	CHECK_OK(tl_view_doc_store(view, z("data"), &d));
	CHECK_OK(tl_view_table(view, z("data"), &rows));
	CHECK_OK(tl_view_settings_store(view, &settings));
	tl_view_free(view);
	CHECK_TEXT(shows(d, "k"), "\"1\"");
	CHECK_TEXT(shows_all(d), "{\"k\":\"1\"}");
	CHECK_CODE(tl_doc_store_set_int(d, z("k"), 1), TL_E_UNSUPPORTED);
	CHECK_OK(tl_table_get(rows, z("k"), &name, &len));
	CHECK_TEXT(name, "1");
	tl_free(name);
	CHECK_CODE(tl_settings_store_get_name(settings, &name, &len), TL_E_KEY_NOT_FOUND);
	tl_doc_store_free(d);
	tl_table_free(rows);
	tl_settings_store_free(settings);
	CHECK_CODE(tl_database_at(db, &unknown, 1, &view), TL_E_INVALID_TIP);
	CHECK_CODE(tl_database_at(db, &first, 0, &view), TL_E_EMPTY_TIPS_NOT_ALLOWED);
	CHECK(view == NULL);
	tl_database_free(db);
}

static int note_step(void *ud, const tl_history_step *step)
{
	char *text = ud;

	CHECK(tl__str_eq(step->author, z(key_of("admin"))) && !step->is_void);
	snprintf(text + strlen(text), 128, "%d:%s ", (int)step->height,
		tl_value_type(step->value) == TL_DELETED ? "deleted" : json(step->value));
	return TL_OK;
}

static void history_of_a_path(void)
{
	tl_database *db = new_database("admin");
	tl_str path[] = {TL__STR("a"), TL__STR("b")};
	char steps[512] = "";
	tl_transaction *tx;
	tl_doc_store *d;

	write_text(db, "data", "a.b", "1");
	write_text(db, "data", "a.c", "other");
	write_text(db, "else", "a.b", "elsewhere");
	write_text(db, "data", "a.b", "2");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_delete(d, z("a.b"), NULL));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_OK(tl_database_history_of(db, z("data"), path, 2, note_step, steps));
	CHECK_TEXT(steps, "0:\"1\" 2:\"2\" 3:deleted ");
	steps[0] = '\0';
	CHECK_OK(tl_database_history_of(db, z("none"), path, 2, note_step, steps));
	CHECK_TEXT(steps, "");
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(changes_by_arrival);
	RUN_EACH(the_log_shows_the_newest);
	RUN_EACH(walks_cross_pages);
	RUN_EACH(entries_are_got);
	RUN_EACH(export_can_be_read_back);
	RUN_EACH(views_show_the_past);
	RUN_EACH(history_of_a_path);
	return spec_end();
}
