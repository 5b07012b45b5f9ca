/* The public store (tidelock/backend.h): snapshots and batches behind calls of one step each. */
#include "store/access/access.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"
#include "model/doc_path.h"

_Static_assert((int)TL_STORE_VERIFIED == TL__VERIFIED && (int)TL_STORE_VOID == TL__VOID &&
		       (int)TL_STORE_INVALID == TL__INVALID && (int)TL_STORE_PENDING == TL__PENDING,
	"verdicts keep their numbers");
_Static_assert((int)TL_STORE_DOC == TL__STAMP_DOC && (int)TL_STORE_LIST == TL__STAMP_LIST &&
		       (int)TL_STORE_LEAF == TL__STAMP_LEAF,
	"kinds keep their numbers");
_Static_assert(TL_STOP == TL__STORE_STOP, "visitors end a walk the same way");
_Static_assert(TL_STORE_MAX_LOCAL_BYTES == TL__STORE_MAX_LOCAL_BYTES, "one limit");

struct tl_store {
	tl__store *inner;
	tl__log log;
	void (*drop)(void *owner); /* NULL: `inner` is ours */
	void *owner;
};

/* --- opening ---------------------------------------------------------------------------------- */

static int open_inner(tl_store *store, const tl_store_config *config)
{
	if (!config->path)
		return tl__store_open_memory(&store->inner, &store->log);
	return tl__store_open_sqlite(&store->inner, config->path,
		config->relaxed ? TL__DURABLE_RELAXED : TL__DURABLE_FULL, &store->log);
}

TL__PUBLIC(tl_store_open, out, (tl_store **out, const tl_store_config *config), (out, config))
{
	tl_store_config full = TL_STORE_CONFIG_INIT;
	tl_store *store;
	int rc = tl__sized_read(&full, config, tl_store_config, log_level);

	*out = NULL;
	if (rc != TL_OK)
		return rc;
	store = tl__alloc_zero(1, sizeof *store);
	if (!store)
		return TL_E_NOMEM;
	store->log = (tl__log){full.log, full.log_ud, full.log_level, NULL};
	rc = open_inner(store, &full);
	if (rc != TL_OK) {
		tl__free(store);
		return rc;
	}
	*out = store;
	return TL_OK;
}

int tl__store_lend(tl_store **out, tl__store *inner, void (*drop)(void *owner), void *owner)
{
	tl_store *store = tl__alloc_zero(1, sizeof *store);

	*out = store;
	if (!store)
		return TL_E_NOMEM;
	store->inner = inner;
	store->drop = drop;
	store->owner = owner;
	return TL_OK;
}

void tl_store_close(tl_store *store)
{
	if (!store || tl__store_inherited(store->inner))
		return;
	if (store->drop)
		store->drop(store->owner);
	else
		tl__store_close(store->inner);
	tl__free(store);
}

/* --- databases -------------------------------------------------------------------------------- */

static int count_one(void *ud, const tl__aside_row *row)
{
	(void)row;
	++*(uint64_t *)ud;
	return TL_OK;
}

static int fill_database(tl__snapshot *s, const tl__db_row *row, tl_store_database *out)
{
	int rc;

	*out = (tl_store_database){.size = sizeof *out,
		.id = row->db,
		.arrivals = row->arrivals,
		.void_count = row->void_count,
		.void_bytes = row->void_bytes};
	memcpy(out->chain, row->chain, sizeof out->chain);
	rc = tl__read_aside_list(
		s, &row->db, TL__PENDING, 0, SIZE_MAX, 0, count_one, &out->pending);
	if (rc != TL_OK)
		return rc;
	return tl__read_aside_list(
		s, &row->db, TL__INVALID, 0, SIZE_MAX, 0, count_one, &out->quarantined);
}

typedef struct db_rows {
	tl__db_row *at;
	size_t count, cap;
} db_rows;

static int keep_row(void *ud, const tl__db_row *row)
{
	db_rows *rows = ud;

	tl__db_row *grown = tl__grow(rows->at, rows->count, &rows->cap, sizeof *grown);

	if (!grown)
		return TL_E_NOMEM;
	rows->at = grown;
	rows->at[rows->count++] = *row;
	return TL_OK;
}

/* Counting reads the snapshot, which no visitor may: so the rows are gathered before. */
static int show_databases(tl__snapshot *s, tl_store_database_visit visit, void *ud)
{
	db_rows rows = {NULL, 0, 0};
	tl_store_database database;
	int rc = tl__read_databases(s, keep_row, &rows);

	for (size_t i = 0; rc == TL_OK && i < rows.count; i++) {
		rc = fill_database(s, &rows.at[i], &database);
		if (rc == TL_OK)
			rc = visit(ud, &database);
	}
	tl__free(rows.at);
	return rc == TL_STOP ? TL_OK : rc;
}

TL__PUBLIC(tl_store_databases, store && visit,
	(tl_store *store, tl_store_database_visit visit, void *ud), (store, visit, ud))
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(store->inner, &s);

	if (rc != TL_OK)
		return rc;
	rc = show_databases(s, visit, ud);
	tl__snapshot_close(s);
	return rc;
}

TL__PUBLIC(tl_store_find, store && db && out,
	(tl_store *store, const tl_id *db, tl_store_database *out), (store, db, out))
{
	tl_store_database found = TL_STORE_DATABASE_INIT;
	tl__db_row row;
	tl__snapshot *s;
	int rc = tl__sized_check(out, tl_store_database, quarantined);

	if (rc == TL_OK)
		rc = tl__snapshot_open(store->inner, &s);
	if (rc != TL_OK)
		return rc;
	rc = tl__read_database(s, db, &row);
	if (rc == TL_OK)
		rc = fill_database(s, &row, &found);
	if (rc == TL_OK)
		tl__sized_fill(out, &found, tl_store_database);
	tl__snapshot_close(s);
	return rc;
}

/* --- entries ---------------------------------------------------------------------------------- */

const char *tl_store_verdict_name(tl_store_verdict verdict)
{
	static const char *const names[] = {"verified", "void", "invalid", "pending"};

	return (unsigned)verdict < sizeof names / sizeof names[0] ? names[verdict] : "unknown";
}

typedef struct shown {
	tl_store_entry_visit visit;
	void *ud;
	bool stopped;
} shown;

static int show(shown *to, const tl_store_entry *entry)
{
	int rc = to->visit(to->ud, entry);

	to->stopped = rc == TL_STOP;
	return rc;
}

static int show_entry(void *ud, const tl__entry_row *row)
{
	const tl_store_entry entry = {.size = sizeof entry,
		.id = row->id,
		.arrival = row->arrival,
		.height = row->height,
		.verdict = (tl_store_verdict)row->verdict,
		.bytes = row->bytes,
		.parents = row->parents,
		.parent_count = row->parent_count};

	return show(ud, &entry);
}

static int show_aside(void *ud, const tl__aside_row *row)
{
	const tl_store_entry entry = {.size = sizeof entry,
		.id = row->id,
		.verdict = (tl_store_verdict)row->verdict,
		.bytes = row->bytes,
		.sender = row->sender,
		.reason = row->reason};

	return show(ud, &entry);
}

TL__PUBLIC(tl_store_entries, store && db && visit,
	(tl_store *store, const tl_id *db, const tl_id *ids, size_t count,
		tl_store_entry_visit visit, void *ud), (store, db, ids, count, visit, ud))
{
	shown to = {visit, ud, false};
	tl__snapshot *s;
	int rc = tl__snapshot_open(store->inner, &s);

	if (rc != TL_OK)
		return rc;
	rc = tl__read_entries(
		s, db, ids, count, TL__WITH_BYTES | TL__WITH_PARENTS, show_entry, &to);
	if (rc == TL_OK && !to.stopped)
		rc = tl__read_asides(s, db, ids, count, TL__WITH_BYTES, show_aside, &to);
	tl__snapshot_close(s);
	return rc;
}

TL__PUBLIC(tl_store_arrivals, store && db && visit,
	(tl_store *store, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
		tl_store_entry_visit visit, void *ud), (store, db, from, to, limit, visit, ud))
{
	shown shown_to = {visit, ud, false};
	tl__snapshot *s;
	int rc = tl__snapshot_open(store->inner, &s);

	if (rc != TL_OK)
		return rc;
	rc = tl__read_arrivals(
		s, db, from, to, limit, TL__WITH_BYTES | TL__WITH_PARENTS, show_entry, &shown_to);
	tl__snapshot_close(s);
	return rc;
}

TL__PUBLIC(tl_store_aside, store && db && visit,
	(tl_store *store, const tl_id *db, tl_store_verdict verdict, tl_store_entry_visit visit,
		void *ud), (store, db, verdict, visit, ud))
{
	shown to = {visit, ud, false};
	tl__snapshot *s;
	int rc;

	if (verdict != TL_STORE_INVALID && verdict != TL_STORE_PENDING)
		return tl__fail(
			TL_E_BAD_ARGUMENT, "only invalid and pending entries are set aside");
	rc = tl__snapshot_open(store->inner, &s);
	if (rc != TL_OK)
		return rc;
	rc = tl__read_aside_list(
		s, db, (tl__verdict)verdict, 0, SIZE_MAX, TL__WITH_BYTES, show_aside, &to);
	tl__snapshot_close(s);
	return rc;
}

TL__PUBLIC(tl_store_tips, store && db && visit,
	(tl_store *store, const tl_id *db, tl_str name, tl_id_visit visit, void *ud),
	(store, db, name, visit, ud))
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(store->inner, &s);

	if (rc != TL_OK)
		return rc;
	rc = tl__read_tips(s, db, name, visit, ud);
	tl__snapshot_close(s);
	return rc;
}

TL__PUBLIC(tl_store_names, store && db && visit,
	(tl_store *store, const tl_id *db, tl_name_visit visit, void *ud), (store, db, visit, ud))
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(store->inner, &s);

	if (rc != TL_OK)
		return rc;
	rc = tl__read_store_names(s, db, visit, ud);
	tl__snapshot_close(s);
	return rc;
}

/* --- state ------------------------------------------------------------------------------------ */

typedef struct state_walk {
	tl_store_state_visit visit;
	void *ud;
	tl_store_part *parts; /* of the row */
	size_t cap;
	tl__buf scratch; /* of one key with zero bytes */
	tl__buf keys;    /* all such keys of the row; room for them is made before */
} state_walk;

static tl_store_part *next_part(state_walk *walk, size_t count)
{
	tl_store_part *grown = tl__grow(walk->parts, count, &walk->cap, sizeof *grown);

	if (!grown)
		return NULL;
	walk->parts = grown;
	return &walk->parts[count];
}

/* Keys that were decoded into the scratch buffer must outlive the next component. */
static tl_str kept_key(state_walk *walk, tl_str key)
{
	size_t at = walk->keys.len;

	if (key.len == 0 || key.ptr != walk->scratch.ptr)
		return key;
	tl__buf_str(&walk->keys, key);
	return (tl_str){walk->keys.ptr + at, key.len};
}

static int take_parts(state_walk *walk, tl_str path, size_t *count)
{
	tl__path_part decoded;
	tl_store_part *part;
	int rc = TL_OK;

	tl__buf_clear(&walk->keys);
	if (!tl__buf_reserve(&walk->keys, path.len + 1))
		return TL_E_NOMEM;
	for (*count = 0; path.len > 0; ++*count) {
		part = next_part(walk, *count);
		rc = part ? tl__path_take(&path, &decoded, &walk->scratch) : TL_E_NOMEM;
		if (rc != TL_OK)
			return rc;
		*part = (tl_store_part){.item = decoded.item};
		if (decoded.item)
			part->position = decoded.position;
		else
			part->key = kept_key(walk, decoded.key);
	}
	return tl__buf_status(&walk->keys);
}

static int show_state(void *ud, const tl__state_row *row)
{
	state_walk *walk = ud;
	tl_store_state_row out = {.size = sizeof out,
		.kind = (tl_store_state_kind)row->kind,
		.height = row->stamp.height,
		.id = row->stamp.id,
		.value = row->value};
	int rc = take_parts(walk, row->path, &out.part_count);

	if (rc != TL_OK)
		return rc;
	out.parts = walk->parts;
	return walk->visit(walk->ud, &out);
}

static int encode(tl__buf *path, const tl_store_part *parts, size_t count)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		if (!parts[i].item)
			tl__path_key(path, parts[i].key);
		else if (parts[i].position.denominator == 0)
			rc = tl__fail(TL_E_BAD_PATH, "a position has no denominator 0");
		else
			rc = tl__path_item(path, &parts[i].position);
	}
	return rc == TL_OK ? tl__buf_status(path) : rc;
}

TL__PUBLIC(tl_store_state, store && db && visit,
	(tl_store *store, const tl_id *db, tl_str name, const tl_store_part *prefix, size_t count,
		tl_store_state_visit visit, void *ud), (store, db, name, prefix, count, visit, ud))
{
	state_walk walk = {.visit = visit, .ud = ud};
	tl__buf path = TL__BUF_INIT;
	tl__snapshot *s = NULL;
	int rc = encode(&path, prefix, count);

	if (rc == TL_OK)
		rc = tl__snapshot_open(store->inner, &s);
	if (rc == TL_OK)
		rc = tl__read_state_range(s, db, name, tl__buf_view(&path), (tl_str){"", 0},
			SIZE_MAX, show_state, &walk);
	tl__snapshot_close(s);
	tl__buf_free(&path);
	tl__buf_free(&walk.scratch);
	tl__buf_free(&walk.keys);
	tl__free(walk.parts);
	return rc;
}

/* --- local documents -------------------------------------------------------------------------- */

TL__PUBLIC(tl_store_local_get, store && value,
	(tl_store *store, tl_str key, char **value, size_t *len), (store, key, value, len))
{
	*value = NULL;
	return tl__read_local(store->inner, key, value, len);
}

static int write_local(tl_store *store, tl_str key, tl_str value)
{
	const tl__put_local local = {key, value};
	tl__batch batch = {.locals = &local, .local_count = 1, .local_commit = true};

	int rc = tl__store_own(store->inner);

	if (rc != TL_OK)
		return rc;
	if (store->drop)
		return tl__fail(TL_E_STORE_READ_ONLY,
			"the store of an open node is only read; open the directory by itself to "
			"write local documents");
	return tl__store_write(store->inner, &batch);
}

TL__PUBLIC(tl_store_local_put, store,
	(tl_store *store, tl_str key, tl_str value), (store, key, value))
{
	return write_local(store, key, value.ptr ? value : (tl_str){"", 0});
}

TL__PUBLIC(tl_store_local_remove, store, (tl_store *store, tl_str key), (store, key))
{
	return write_local(store, key, (tl_str){NULL, 0});
}

TL__PUBLIC(tl_store_locals, store && visit,
	(tl_store *store, tl_str prefix, tl_store_local_visit visit, void *ud),
	(store, prefix, visit, ud))
{
	return tl__read_locals(store->inner, prefix, visit, ud);
}

/* --- upkeep ----------------------------------------------------------------------------------- */

TL__PUBLIC(tl_store_check, store,
	(tl_store *store, tl_store_finding finding, tl_store_go_on go_on, void *ud),
	(store, finding, go_on, ud))
{
	return tl__store_check(store->inner, finding, go_on, ud);
}

TL__PUBLIC(tl_store_backup, store && file, (tl_store *store, const char *file), (store, file))
{
	return tl__store_backup(store->inner, file, NULL, NULL);
}
