/* The store in memory: versions of ordered rows. */
#include "store/memory/memory.h"

#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

/* --- snapshots -------------------------------------------------------------------------------- */

static int snapshot_open(tl__store *store, bool warm, tl__snapshot **out)
{
	tl__memory *memory = (tl__memory *)store;
	tl__m_snapshot *s = tl__alloc_zero(1, sizeof *s);

	(void)warm; /* everything is in memory */
	if (!s)
		return TL_E_NOMEM;
	tl__blocks_init(&s->dead);
	pthread_mutex_lock(&memory->lock);
	s->view = memory->now;
	s->older = memory->newest;
	if (s->older)
		s->older->newer = s;
	memory->newest = s;
	pthread_mutex_unlock(&memory->lock);
	*out = &s->base;
	return TL_OK;
}

/* What only this one could see goes; what an older one sees becomes its burden. */
static void snapshot_close(tl__snapshot *snapshot)
{
	tl__m_snapshot *s = (tl__m_snapshot *)snapshot;
	tl__memory *memory = (tl__memory *)snapshot->store;

	pthread_mutex_lock(&memory->lock);
	if (s->older) {
		s->older->newer = s->newer;
		tl__blocks_move(&s->older->dead, &s->dead, s->older->view.version);
	}
	if (s->newer)
		s->newer->older = s->older;
	else
		memory->newest = s->older;
	pthread_mutex_unlock(&memory->lock);
	tl__blocks_free(&s->dead);
	tl__buf_free(&s->key);
	tl__free(s);
}

/* --- reads at the present --------------------------------------------------------------------- */

static int copy_value(tl__store *store, tl__table table, tl_str key, char **value, size_t *len)
{
	tl__snapshot *s;
	const tl__row *row;
	int rc = snapshot_open(store, false, &s);

	*value = NULL;
	*len = 0;
	if (rc != TL_OK)
		return rc;
	s->store = store;
	row = tl__rows_get(((tl__m_snapshot *)s)->view.roots[table], key);
	if (!row) {
		rc = tl__fail(table == TL__T_KEY ? TL_E_KEY_NOT_FOUND : TL_E_NOT_FOUND,
			"no %s named \"%.*s\" is in this store",
			table == TL__T_KEY ? "key" : "local document", TL__STR_ARG(key));
	} else {
		tl_str found = tl__row_value(row);

		*value = tl__copy_bytes(found.ptr, found.len);
		*len = *value ? found.len : 0;
		rc = *value ? TL_OK : TL_E_NOMEM;
	}
	snapshot_close(s);
	return rc;
}

static int local(tl__store *store, tl_str key, char **value, size_t *len)
{
	return copy_value(store, TL__T_LOCAL, key, value, len);
}

static int key_value(tl__store *store, tl_str name, char **value, size_t *len)
{
	return copy_value(store, TL__T_KEY, name, value, len);
}

static int locals(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud)
{
	tl__rows_walk walk;
	tl__snapshot *s;
	int rc = snapshot_open(store, false, &s);

	if (rc != TL_OK)
		return rc;
	s->store = store;
	tl__rows_seek(&walk, ((tl__m_snapshot *)s)->view.roots[TL__T_LOCAL], prefix, prefix);
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));)
		rc = visit(ud, tl__row_key(row), tl__row_value(row));
	snapshot_close(s);
	return rc;
}

static int key_names(tl__store *store, tl__name_visit visit, void *ud)
{
	tl__rows_walk walk;
	tl__snapshot *s;
	int rc = snapshot_open(store, false, &s);

	if (rc != TL_OK)
		return rc;
	s->store = store;
	tl__rows_seek(
		&walk, ((tl__m_snapshot *)s)->view.roots[TL__T_KEY], TL__STR(""), TL__STR(""));
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));)
		rc = visit(ud, tl__row_key(row));
	snapshot_close(s);
	return rc;
}

/* --- store ------------------------------------------------------------------------------------ */

static int turn(tl__store *store)
{
	(void)store; /* each batch takes effect at once, and nothing here is durable */
	return TL_OK;
}

static int check(tl__store *store, tl__finding finding, tl__go_on go_on, void *ud)
{
	(void)store;
	(void)finding;
	(void)go_on;
	(void)ud; /* memory is not checked against itself */
	return TL_OK;
}

static void close_store(tl__store *store)
{
	tl__memory *memory = (tl__memory *)store;

	for (size_t i = 0; i < TL__TABLES; i++)
		tl__rows_free(memory->now.roots[i]);
	pthread_mutex_destroy(&memory->lock);
	tl__free(memory);
}

static const tl__backend memory_backend = {
	.begin = turn,
	.apply = tl__m_apply,
	.commit = turn,
	.close = close_store,
	.snapshot_open = snapshot_open,
	.snapshot_close = snapshot_close,
	.reads = {&tl__m_entry_reads, &tl__m_scope_reads, &tl__m_aside_reads},
	.local = local,
	.locals = locals,
	.key = key_value,
	.key_names = key_names,
	.check = check,
};

int tl__store_open_memory(tl__store **out, const tl__log *log)
{
	tl__memory *memory = tl__alloc_zero(1, sizeof *memory);
	int rc;

	*out = NULL;
	if (!memory)
		return TL_E_NOMEM;
	rc = tl__store_base_init(&memory->base, &memory_backend, log);
	if (rc != TL_OK) {
		tl__free(memory);
		return rc;
	}
	if (pthread_mutex_init(&memory->lock, NULL) != 0) {
		tl__store_base_free(&memory->base);
		tl__free(memory);
		return tl__fail(TL_E_NOMEM, "no memory for the store's lock");
	}
	*out = &memory->base;
	return TL_OK;
}
