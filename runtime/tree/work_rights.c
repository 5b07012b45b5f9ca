/* What keys may do in a database, and which databases they may know of. */
#include "base/fail.h"
#include "tree/dag.h"
#include "tree/work_serve.h"

/* --- root ------------------------------------------------------------------------------------- */

struct root_read {
	bool found;
	bool system;
	int code;
};

static bool is_system_name(tl_str name)
{
	static const char *const names[] = {"_users", "_databases", "_instance", "_sync"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (tl__str_eq(name, tl__str_z(names[i])))
			return true;
	return tl__str_starts(name, TL__STR("_user_"));
}

bool tl__root_is_system(const tl_entry *root)
{
	ptrdiff_t store = tl_entry_find_store(root, TL__STR(TL__STORE_SETTINGS));
	tl_value *settings = NULL, *name;
	bool system = false;

	if (store < 0 || tl_doc_parse(&settings, tl_entry_store_data(root, (size_t)store)) != TL_OK)
		return false;
	name = tl_doc_raw(settings, TL__STR("name"));
	if (name && tl_value_type(name) == TL_TEXT)
		system = is_system_name(tl_value_as_text(name));
	tl_value_free(settings);
	return system;
}

static int look_at_root(void *ud, const tl__entry_row *row)
{
	struct root_read *read = ud;
	tl_entry *root = NULL;
	int rc = tl_entry_parse(&root, row->bytes, TL_ENTRY_CANONICAL);

	if (rc != TL_OK)
		return tl__fail_cause(TL_E_STORE_DAMAGED,
			"the root of a database cannot be read; run `tidelock verify`");
	read->found = true;
	read->system = tl__root_is_system(root);
	tl_entry_free(root);
	return TL_OK;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Whether record b is the better one to act under: named records before the device's own, which
 * never grants reading, then the stronger permission. */
static bool is_better(const struct tl__work_right *a, tl_str name, tl_permission permission)
{
	bool a_device = tl__str_eq(a->name, TL__STR(TL__DEVICE_KEY_NAME));
	bool b_device = tl__str_eq(name, TL__STR(TL__DEVICE_KEY_NAME));

	if (!a->active || a_device != b_device)
		return !a->active || a_device;
	return tl_permission_compare(permission, a->permission) > 0;
}

static int right_of(
	const tl_auth *auth, const tl_key *key, tl__arena *arena, struct tl__work_right *right)
{
	char text[TL_KEY_TEXT_LEN + 1];
	const tl_auth_key *record;
	tl_str name;

	tl_key_format(key, text);
	*right = (struct tl__work_right){0};
	for (size_t i = 0; tl_auth_key_at(auth, i, &name, &record); i++) {
		if (record->status != TL_KEY_ACTIVE ||
			!tl__str_eq(record->pubkey, tl__str_z(text)) ||
			!is_better(right, name, record->permission))
			continue;
		right->active = true;
		right->permission = record->permission;
		right->name = name;
	}
	if (right->active) {
		right->name = tl__arena_str(arena, right->name);
		if (!right->name.ptr)
			return TL_E_NOMEM;
	}
	return TL_OK;
}

static int fill_rights(const tl_auth *auth, const tl_key *keys, size_t count, tl__arena *arena,
	tl__work_rights *out)
{
	const tl_auth_key *global = tl_auth_global(auth);
	int rc = TL_OK;

	out->is_public = global != NULL;
	if (global)
		out->public_permission = global->permission;
	out->keys = tl__arena_alloc(arena, count, sizeof *out->keys);
	if (!out->keys)
		return TL_E_NOMEM;
	out->key_count = count;
	for (size_t i = 0; i < count && rc == TL_OK; i++)
		rc = right_of(auth, &keys[i], arena, &out->keys[i]);
	return rc;
}

int tl__work_rights_of(tl__tree *tree, tl__snapshot *s, const tl_id *db, const tl_key *keys,
	size_t count, tl__arena *arena, tl__work_rights *out)
{
	struct root_read root = {0};
	tl__settings *settings = NULL;
	int rc = tl__read_entries(s, db, db, 1, TL__WITH_BYTES, look_at_root, &root);

	*out = (tl__work_rights){0};
	if (rc == TL_E_DATABASE_NOT_FOUND)
		return TL_OK;
	if (rc != TL_OK || !root.found)
		return rc;
	out->held = true;
	out->system = root.system;
	rc = tl__settings_now(tree, s, db, &settings);
	if (rc == TL_OK)
		rc = fill_rights(settings->auth, keys, count, arena, out);
	tl__settings_release(settings);
	return rc;
}

int tl__work_access_run(tl__tree *tree, tl__work *work)
{
	tl__work_access *access = &work->access;
	tl__snapshot *s = NULL;
	tl__db_row row;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc == TL_OK)
		rc = tl__work_rights_of(tree, s, &work->db, access->keys, access->key_count,
			&work->arena, &access->rights);
	if (rc == TL_OK && access->rights.held) {
		rc = tl__read_database(s, &work->db, &row);
		access->arrivals = rc == TL_OK ? row.arrivals : 0;
	}
	tl__snapshot_close(s);
	return rc;
}

/* --- list ------------------------------------------------------------------------------------- */

struct db_rows {
	tl__arena *arena;
	tl__work_db *dbs;
	size_t count, cap;
};

static int add_db(void *ud, const tl__db_row *row)
{
	struct db_rows *rows = ud;
	void *array = rows->dbs;
	int rc = tl__arena_grow(rows->arena, &array, &rows->cap, rows->count, sizeof *rows->dbs);

	rows->dbs = array;
	if (rc == TL_OK)
		rows->dbs[rows->count++] = (tl__work_db){.id = row->db, .arrivals = row->arrivals};
	return rc;
}

static bool is_related(const tl__work_list *list, const tl_id *db)
{
	for (size_t i = 0; i < list->related_count; i++)
		if (memcmp(&list->related[i], db, sizeof *db) == 0)
			return true;
	return false;
}

static bool may_list(const tl__work_list *list, const tl__work_rights *rights, const tl_id *db)
{
	if (!rights->held || rights->system)
		return false;
	if (rights->is_public || is_related(list, db))
		return true;
	for (size_t i = 0; i < rights->key_count; i++)
		if (rights->keys[i].active &&
			!tl__str_eq(rights->keys[i].name, TL__STR(TL__DEVICE_KEY_NAME)))
			return true;
	return false;
}

static int take_tip(void *ud, const tl_id *id)
{
	tl__work_db *db = ud;

	if (db->tip_count == sizeof db->tips / sizeof *db->tips)
		return TL__STORE_STOP;
	db->tips[db->tip_count++] = *id;
	return TL_OK;
}

static int keep_readable(tl__tree *tree, tl__snapshot *s, tl__work *work, const tl__work_db *db)
{
	tl__work_list *list = &work->list;
	tl__work_rights rights;
	int rc = tl__work_rights_of(
		tree, s, &db->id, list->keys, list->key_count, &work->arena, &rights);

	if (rc != TL_OK || !may_list(list, &rights, &db->id))
		return rc;
	list->dbs[list->db_count] = *db;
	return tl__read_tips(s, &db->id, TL__STR(""), take_tip, &list->dbs[list->db_count++]);
}

int tl__work_list_run(tl__tree *tree, tl__work *work)
{
	tl__work_list *list = &work->list;
	struct db_rows rows = {.arena = &work->arena};
	tl__snapshot *s = NULL;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc == TL_OK)
		rc = tl__read_databases(s, add_db, &rows);
	list->db_count = 0;
	list->dbs =
		rc == TL_OK ? tl__arena_alloc(&work->arena, rows.count, sizeof *list->dbs) : NULL;
	if (rc == TL_OK && !list->dbs)
		rc = TL_E_NOMEM;
	for (size_t i = 0; i < rows.count && rc == TL_OK; i++)
		rc = keep_readable(tree, s, work, &rows.dbs[i]);
	tl__snapshot_close(s);
	return rc;
}
