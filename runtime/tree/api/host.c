/* The host of handles, and the snapshots that its transactions hold. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "tree/api/handles.h"

int tl__host_init(tl__host *host)
{
	host->pinned = NULL;
	if (host->snapshot_max_age_ms == 0)
		host->snapshot_max_age_ms = TL_SNAPSHOT_MAX_AGE_MS;
	if (pthread_mutex_init(&host->mutex, NULL) != 0)
		return tl__fail(TL_E_NOMEM, "the system gives no more locks");
	return TL_OK;
}

void tl__host_free(tl__host *host)
{
	pthread_mutex_destroy(&host->mutex);
}

static uint64_t now(const tl__host *host)
{
	return host->tree->clock->monotonic_ms(host->tree->clock->ud);
}

/* With the mutex held. Returns the snapshot, to be closed outside. */
static tl__snapshot *unlink_pinned(tl__host *host, tl_transaction *tx)
{
	tl__snapshot *snapshot = tx->snapshot;

	if (!snapshot)
		return NULL;
	if (tx->previous)
		tx->previous->next = tx->next;
	else
		host->pinned = tx->next;
	if (tx->next)
		tx->next->previous = tx->previous;
	tx->next = tx->previous = NULL;
	tx->snapshot = NULL;
	return snapshot;
}

static tl__snapshot *take_expired(tl__host *host)
{
	uint64_t at = now(host);
	tl__snapshot *found = NULL;

	pthread_mutex_lock(&host->mutex);
	for (tl_transaction *tx = host->pinned; tx && !found; tx = tx->next)
		if (tx->readers == 0 && at - tx->pinned_at >= host->snapshot_max_age_ms) {
			found = unlink_pinned(host, tx);
			break;
		}
	pthread_mutex_unlock(&host->mutex);
	return found;
}

void tl__host_sweep(tl__host *host)
{
	tl__snapshot *expired;

	while ((expired = take_expired(host)))
		tl__snapshot_close(expired);
}

void tl__transaction_unpin(tl_transaction *tx)
{
	tl__host *host = tx->db->host;
	tl__snapshot *snapshot;

	if (tl__database_inherited(tx->db))
		return;
	pthread_mutex_lock(&host->mutex);
	snapshot = unlink_pinned(host, tx);
	pthread_mutex_unlock(&host->mutex);
	tl__snapshot_close(snapshot);
}

static void pin(tl_transaction *tx, tl__snapshot *snapshot)
{
	tl__host *host = tx->db->host;

	pthread_mutex_lock(&host->mutex);
	tx->snapshot = snapshot;
	tx->pinned_at = now(host);
	tx->readers = 1;
	tx->next = host->pinned;
	if (tx->next)
		tx->next->previous = tx;
	host->pinned = tx;
	pthread_mutex_unlock(&host->mutex);
}

/* First read: the snapshot is the basis and is kept. */
static int first_read(tl_transaction *tx, tl__read *read)
{
	tl__snapshot *snapshot;
	int code;

	tl__host_sweep(tx->db->host);
	code = tl__database_snapshot(tx->db, &snapshot);
	if (code != TL_OK)
		return code;
	code = tl__basis_take_tips(&tx->basis, tx->db->host->tree, snapshot, &tx->db->id);
	if (code != TL_OK) {
		tl__snapshot_close(snapshot);
		return code;
	}
	tx->has_basis = true;
	pin(tx, snapshot);
	*read = (tl__read){snapshot, true, false};
	return TL_OK;
}

/* The snapshot kept, if it is there and young. */
static tl__snapshot *use_pinned(tl_transaction *tx)
{
	tl__host *host = tx->db->host;
	tl__snapshot *snapshot;

	pthread_mutex_lock(&host->mutex);
	snapshot = tx->snapshot;
	if (snapshot && now(host) - tx->pinned_at < host->snapshot_max_age_ms)
		tx->readers++;
	else
		snapshot = NULL;
	pthread_mutex_unlock(&host->mutex);
	return snapshot;
}

int tl__transaction_read(tl_transaction *tx, tl__read *read)
{
	tl__snapshot *snapshot;
	int code = tl__database_check(tx->db);

	if (code != TL_OK)
		return code;
	if (!tx->has_basis)
		return first_read(tx, read);
	snapshot = use_pinned(tx);
	*read = (tl__read){snapshot, true, false};
	if (snapshot)
		return TL_OK;
	tl__transaction_unpin(tx);
	code = tl__database_snapshot(tx->db, &snapshot);
	if (code != TL_OK)
		return code;
	*read = (tl__read){snapshot, false, true};
	code = tl__basis_is_present(&tx->basis, snapshot, &tx->db->id, &read->present);
	if (code != TL_OK)
		tl__snapshot_close(snapshot);
	return code;
}

void tl__transaction_read_end(tl_transaction *tx, tl__read *read)
{
	tl__host *host = tx->db->host;

	if (read->own) {
		tl__snapshot_close(read->snapshot);
		return;
	}
	if (tl__database_inherited(tx->db))
		return;
	pthread_mutex_lock(&host->mutex);
	tx->readers--;
	pthread_mutex_unlock(&host->mutex);
}
