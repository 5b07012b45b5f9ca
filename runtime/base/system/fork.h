/* fork(): what was opened before it belongs to the parent. A child has copies of its memory and
 * descriptors, but none of its threads, and locks as they stood at that moment. */
#ifndef TL_BASE_FORK_H
#define TL_BASE_FORK_H

#include <stdbool.h>
#include <tidelock/error.h>

/* Begins to count. Due before something is opened that a child must not use: TL_E_NOMEM. */
int tl__fork_watch(void) TL_MUST_USE;
/* How many forks lie between this process and the one that began to count. Any thread. */
unsigned tl__fork_count(void);
/* Whether something opened at that count is the parent's. */
static inline bool tl__fork_inherited(unsigned count)
{
	return count != tl__fork_count();
}
/* Between the two no other thread of the process forks: for what must not be inherited as it is at
 * that moment. They nest. tl__fork_watch comes first. */
void tl__fork_hold(void);
void tl__fork_release(void);
/* TL_E_BAD_STATE when it is. Takes no lock. */
int tl__fork_check(unsigned count) TL_MUST_USE;

#endif
