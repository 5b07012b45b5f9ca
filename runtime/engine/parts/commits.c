#include "engine/parts/commits.h"

#include <string.h>
#include "base/mem.h"

void tl__commits_init(tl__commits *commits)
{
	memset(commits, 0, sizeof *commits);
	pthread_mutex_init(&commits->lock, NULL);
}

static void drop_fresh(tl__commit *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		tl__fresh_free(at[i].fresh);
		at[i].fresh = NULL;
	}
}

void tl__commits_drop(tl__commit *at, size_t count)
{
	drop_fresh(at, count);
	tl__free(at);
}

void tl__commits_attach(tl__commits *commits, tl__inbox *inbox, void (*task)(tl__task *task))
{
	pthread_mutex_lock(&commits->lock);
	commits->inbox = inbox;
	if (inbox) /* else it may lie in the inbox before, to be run when that closes */
		commits->task.call = task;
	commits->put = false;
	drop_fresh(commits->at, commits->count);
	commits->count = 0;
	pthread_mutex_unlock(&commits->lock);
}

void tl__commits_free(tl__commits *commits)
{
	tl__commits_drop(commits->at, commits->count);
	pthread_mutex_destroy(&commits->lock);
}

/* Under the lock. Few databases are written between two turns of the loop: a walk is enough. */
static tl__commit *find(tl__commits *commits, const tl_id *db)
{
	for (size_t i = commits->count; i > 0; i--)
		if (tl__id_equal(&commits->at[i - 1].db, db))
			return &commits->at[i - 1];
	return NULL;
}

static bool add(tl__commits *commits, const tl__commit *commit)
{
	tl__commit *grown = tl__grow(commits->at, commits->count, &commits->cap, sizeof *grown);

	if (!grown)
		return false;
	commits->at = grown;
	commits->at[commits->count] = *commit;
	if (commits->count++ < TL__COMMITS_MAX_FRESH)
		return true;
	tl__fresh_free(commit->fresh);
	commits->at[commits->count - 1].fresh = NULL;
	return true;
}

bool tl__commits_note(tl__commits *commits, const tl__commit *commit)
{
	tl__commit *known;
	bool noted = true;

	pthread_mutex_lock(&commits->lock);
	known = find(commits, &commit->db);
	if (!commits->inbox) {
		tl__fresh_free(commit->fresh);
	} else if (known) {
		tl__fresh_free(commit->fresh); /* several: they are read together */
		drop_fresh(known, 1);
		if (commit->arrival > known->arrival)
			known->arrival = commit->arrival;
		known->local = known->local || commit->local;
	} else {
		noted = add(commits, commit);
		if (!noted)
			tl__fresh_free(commit->fresh);
	}
	if (noted && commits->inbox && !commits->put)
		commits->put = tl__inbox_put(commits->inbox, &commits->task);
	pthread_mutex_unlock(&commits->lock);
	return noted;
}

size_t tl__commits_take(tl__commits *commits, tl__commit **at)
{
	size_t count;

	pthread_mutex_lock(&commits->lock);
	*at = commits->at;
	count = commits->count;
	commits->at = NULL;
	commits->count = commits->cap = 0;
	commits->put = false;
	pthread_mutex_unlock(&commits->lock);
	return count;
}
