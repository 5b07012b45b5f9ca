/* Reads and upkeep: straight on to the backend. */
#include "base/fail.h"
#include "store/backend.h"

/* A visitor that has seen enough ends a walk well. */
static int walked(int rc)
{
	return rc == TL__STORE_STOP ? TL_OK : rc;
}

int tl__read_databases(tl__snapshot *s, tl__db_visit visit, void *ud)
{
	return walked(s->store->backend->databases(s, visit, ud));
}

int tl__read_database(tl__snapshot *s, const tl_id *db, tl__db_row *out)
{
	return s->store->backend->database(s, db, out);
}

int tl__read_entries(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
	unsigned with, tl__entry_visit visit, void *ud)
{
	return walked(s->store->backend->entries(s, db, ids, count, with, visit, ud));
}

int tl__read_arrivals(tl__snapshot *s, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
	unsigned with, tl__entry_visit visit, void *ud)
{
	return walked(s->store->backend->arrivals(s, db, from, to, limit, with, visit, ud));
}

int tl__read_by_height(tl__snapshot *s, const tl_id *db, tl_str store, const tl__stamp *after,
	size_t limit, unsigned with, tl__entry_visit visit, void *ud)
{
	return walked(s->store->backend->by_height(s, db, store, after, limit, with, visit, ud));
}

int tl__read_joint(tl__snapshot *s, const tl_id *db, uint64_t upto, uint64_t *out)
{
	return s->store->backend->joint(s, db, upto, out);
}

int tl__read_children(
	tl__snapshot *s, const tl_id *db, const tl_id *id, tl__entry_visit visit, void *ud)
{
	return walked(s->store->backend->children(s, db, id, visit, ud));
}

int tl__read_members(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *ids, size_t count,
	tl__member_visit visit, void *ud)
{
	return walked(
		s->store->backend->members(s, db, tl__store_scope(store), ids, count, visit, ud));
}

int tl__read_tips(tl__snapshot *s, const tl_id *db, tl_str store, tl__id_visit visit, void *ud)
{
	return walked(s->store->backend->tips(s, db, store, visit, ud));
}

int tl__read_store_names(tl__snapshot *s, const tl_id *db, tl__name_visit visit, void *ud)
{
	return walked(s->store->backend->store_names(s, db, visit, ud));
}

int tl__read_frontier(
	tl__snapshot *s, const tl_id *db, uint64_t frontier, tl__id_visit visit, void *ud)
{
	return walked(s->store->backend->frontier(s, db, frontier, visit, ud));
}

int tl__read_state(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *paths,
	size_t count, tl__state_visit visit, void *ud)
{
	return walked(
		s->store->backend->state(s, db, tl__store_scope(store), paths, count, visit, ud));
}

int tl__read_state_range(tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix,
	tl_str after, size_t limit, tl__state_visit visit, void *ud)
{
	return walked(s->store->backend->state_range(
		s, db, tl__store_scope(store), prefix, after, limit, visit, ud));
}

int tl__read_asides(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count, unsigned with,
	tl__aside_visit visit, void *ud)
{
	return walked(s->store->backend->asides(s, db, ids, count, with, visit, ud));
}

int tl__read_aside_list(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t sequence,
	size_t limit, unsigned with, tl__aside_visit visit, void *ud)
{
	return walked(
		s->store->backend->aside_list(s, db, verdict, sequence, limit, with, visit, ud));
}

int tl__read_waiters(tl__snapshot *s, const tl_id *id, tl__waiter_visit visit, void *ud)
{
	return walked(s->store->backend->waiters(s, id, visit, ud));
}

int tl__read_waits(
	tl__snapshot *s, const tl_id *db, const tl_id *pending, tl__id_visit visit, void *ud)
{
	return walked(s->store->backend->waits(s, db, pending, visit, ud));
}

int tl__read_needed(tl__snapshot *s, const tl_id *id, bool *needed)
{
	return s->store->backend->needed(s, id, needed);
}

int tl__read_aside_usage(
	tl__snapshot *s, tl__verdict verdict, tl_str sender, uint64_t *count, uint64_t *bytes)
{
	return s->store->backend->aside_usage(s, verdict, sender, count, bytes);
}

int tl__read_local(tl__store *store, tl_str key, char **value, size_t *len)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->local(store, key, value, len) : rc;
}

int tl__read_locals(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? walked(store->backend->locals(store, prefix, visit, ud)) : rc;
}

int tl__read_key(tl__store *store, tl_str name, char **value, size_t *len)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->key(store, name, value, len) : rc;
}

int tl__read_key_names(tl__store *store, tl__name_visit visit, void *ud)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? walked(store->backend->key_names(store, visit, ud)) : rc;
}

int tl__store_changes(tl__store *store, uint64_t *counter)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->changes(store, counter) : rc;
}

int tl__store_check(tl__store *store, tl__finding finding, tl__go_on go_on, void *ud)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->check(store, finding, go_on, ud) : rc;
}

int tl__store_backup(tl__store *store, const char *file, tl__copied copied, void *ud)
{
	int rc = tl__store_own(store);

	if (rc != TL_OK)
		return rc;
	if (!store->backend->backup)
		return tl__fail(TL_E_UNSUPPORTED,
			"a store in memory has no backup; export its databases instead");
	return store->backend->backup(store, file, copied, ud);
}

int tl__store_directory(tl__store *store)
{
	return store->backend->directory ? store->backend->directory(store) : -1;
}
