/* A call under way, seen from the call. */
#include "control/control_server.h"

bool tl__control_progress(void *job, uint64_t done, uint64_t total)
{
	tl__control_job *j = job;

	atomic_store(&j->done, done);
	atomic_store(&j->total, total);
	return !atomic_load(&j->cancelled);
}
