#include "engine/parts/upkeep.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

void tl__upkeep_init(tl__upkeep *upkeep, tl__tree *tree)
{
	*upkeep = (tl__upkeep){.tree = tree};
	tl__map_init(&upkeep->done);
}

void tl__upkeep_free(tl__upkeep *upkeep)
{
	tl__map_free(&upkeep->done);
	tl__buf_free(&upkeep->scope);
	tl__buf_free(&upkeep->cursor);
}

static uint64_t now(const tl__upkeep *u)
{
	return u->tree->clock->monotonic_ms(u->tree->clock->ud);
}

/* --- the next database ------------------------------------------------------------------------ */

typedef struct search {
	const tl__upkeep *upkeep;
	tl__db_row found;
	bool any;
} search;

static int on_database(void *ud, const tl__db_row *row)
{
	search *s = ud;
	const tl__upkeep *u = s->upkeep;
	void *before = (void *)(uintptr_t)row->arrivals;

	if (u->begun && memcmp(row->db.b, u->db.b, sizeof row->db.b) <= 0)
		return TL_OK;
	if (s->any && memcmp(row->db.b, s->found.db.b, sizeof row->db.b) >= 0)
		return TL_OK;
	if (row->arrivals == 0 || tl__map_get(&u->done, tl__map_key_id(&row->db)) == before)
		return TL_OK;
	s->found = *row;
	s->any = true;
	return TL_OK;
}

/* The least changed one behind where we are. */
static int next_database(tl__upkeep *u, tl__snapshot *snapshot)
{
	search s = {.upkeep = u};
	int rc = tl__read_databases(snapshot, on_database, &s);

	if (rc != TL_OK || !s.any)
		return rc;
	u->db = s.found.db;
	u->arrivals = s.found.arrivals;
	u->begun = u->in_db = true;
	tl__buf_clear(&u->scope);
	return TL_OK;
}

/* --- the next store --------------------------------------------------------------------------- */

/* By scopes, since nothing comes behind the empty name. */
static int on_name(void *ud, tl_str name)
{
	tl__upkeep *u = ud;
	tl_str scope = tl__store_scope(name);

	if (tl__str_compare(scope, tl__buf_view(&u->scope)) <= 0)
		return TL_OK;
	tl__buf_clear(&u->scope);
	tl__buf_str(&u->scope, scope);
	u->in_store = true;
	return TL__STORE_STOP;
}

static int next_store(tl__upkeep *u, tl__snapshot *snapshot)
{
	int rc;

	u->in_store = false;
	tl__buf_clear(&u->cursor);
	rc = tl__read_store_names(snapshot, &u->db, on_name, u);
	return rc == TL_OK ? tl__buf_status(&u->scope) : rc;
}

/* --- slices ----------------------------------------------------------------------------------- */

/* What arrived since its turn began is for the next one. */
static int finish_database(tl__upkeep *u)
{
	u->in_db = u->in_store = false;
	return tl__map_set(&u->done, tl__map_key_id(&u->db), (void *)(uintptr_t)u->arrivals);
}

/* Finds the store to go on with; without one the round is through. */
static int seek(tl__upkeep *u)
{
	tl__snapshot *snapshot = NULL;
	int rc;

	if (u->in_store)
		return TL_OK;
	rc = tl__snapshot_open(u->tree->store, &snapshot);
	while (rc == TL_OK && !u->in_store) {
		if (!u->in_db)
			rc = next_database(u, snapshot);
		if (rc != TL_OK || !u->in_db)
			break;
		rc = next_store(u, snapshot);
		if (rc == TL_OK && !u->in_store)
			rc = finish_database(u);
	}
	tl__snapshot_close(snapshot);
	return rc;
}

static int clean(tl__upkeep *u)
{
	size_t dropped = 0;
	tl_str store = tl__store_called(tl__buf_view(&u->scope));
	int rc = tl__state_clean(u->tree, &u->db, store, TL__UPKEEP_ROWS, &u->cursor, &dropped);

	u->dropped += dropped;
	u->in_store = rc == TL_OK && u->cursor.len > 0;
	return rc;
}

static void give_up(tl__upkeep *u)
{
	tl__log_write(u->tree->log, TL_LOG_WARNING, "engine", "upkeep of the store was put off: %s",
		tl_error_message(tl_last_error()));
	if (u->in_db && finish_database(u) != TL_OK)
		u->begun = false;
}

bool tl__upkeep_slice(tl__upkeep *upkeep)
{
	uint64_t end = now(upkeep) + TL__UPKEEP_SLICE_MS;
	int rc;

	do {
		rc = seek(upkeep);
		if (rc == TL_OK && upkeep->in_store)
			rc = clean(upkeep);
		else if (rc == TL_OK)
			upkeep->begun = false;
	} while (rc == TL_OK && upkeep->begun && now(upkeep) < end);
	if (rc != TL_OK) {
		give_up(upkeep);
		return false;
	}
	return upkeep->begun;
}

uint64_t tl__upkeep_rest(uint64_t spent_ms)
{
	uint64_t rest = spent_ms * TL__UPKEEP_REST_FACTOR;

	if (spent_ms > TL__UPKEEP_REST_MAX_MS / TL__UPKEEP_REST_FACTOR)
		return TL__UPKEEP_REST_MAX_MS;
	return rest < TL__UPKEEP_REST_MIN_MS ? TL__UPKEEP_REST_MIN_MS : rest;
}
