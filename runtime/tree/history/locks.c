/* Writer locks: a fixed number, shared by databases whose ids fall together. */
#include <pthread.h>
#include "base/fail.h"
#include "base/mem.h"
#include "tree/tree.h"

#define LOCK_COUNT 64

struct tl__tree_locks {
	pthread_rwlock_t at[LOCK_COUNT];
};

int tl__tree_locks_new(struct tl__tree_locks **out)
{
	struct tl__tree_locks *locks = tl__alloc_zero(1, sizeof *locks);
	pthread_rwlockattr_t attributes;
	size_t made = 0;

	*out = NULL;
	if (!locks)
		return TL_E_NOMEM;
	if (pthread_rwlockattr_init(&attributes) == 0) {
		/* Else a stream of commits keeps an ingest waiting for ever. */
		pthread_rwlockattr_setkind_np(
			&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
		while (made < LOCK_COUNT && pthread_rwlock_init(&locks->at[made], &attributes) == 0)
			made++;
		pthread_rwlockattr_destroy(&attributes);
	}
	if (made == LOCK_COUNT) {
		*out = locks;
		return TL_OK;
	}
	while (made > 0)
		pthread_rwlock_destroy(&locks->at[--made]);
	tl__free(locks);
	return tl__fail(TL_E_NOMEM, "the system gives no more locks");
}

void tl__tree_locks_free(struct tl__tree_locks *locks)
{
	if (!locks)
		return;
	for (size_t i = 0; i < LOCK_COUNT; i++)
		pthread_rwlock_destroy(&locks->at[i]);
	tl__free(locks);
}

static pthread_rwlock_t *lock_of(tl__tree *tree, const tl_id *db)
{
	return &tree->locks->at[db->b[TL_ID_BYTES - 1] % LOCK_COUNT];
}

void tl__tree_lock(tl__tree *tree, const tl_id *db, tl__tree_writer writer)
{
	if (writer == TL__WRITES_INGEST)
		pthread_rwlock_wrlock(lock_of(tree, db));
	else
		pthread_rwlock_rdlock(lock_of(tree, db));
}

void tl__tree_unlock(tl__tree *tree, const tl_id *db)
{
	pthread_rwlock_unlock(lock_of(tree, db));
}
