/* Allocation. Every allocation of the core goes through here, so that a test can make the n-th one
 * fail. On failure each function sets the last error to out_of_memory and returns NULL. */
#ifndef TL_BASE_MEM_H
#define TL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <tidelock/memory.h>

void *tl__alloc(size_t size);                           /* not zeroed; size 0 is legal */
void *tl__alloc_zero(size_t count, size_t size);        /* zeroed; overflow is a failure */
void *tl__resize(void *ptr, size_t count, size_t size); /* realloc; ptr stays valid on failure */
/* Room for one more behind `count` elements of an array that grows by doubling, from NULL on: the
 * array, which may have moved, with *cap as it is then. Take it over at once. */
void *tl__grow(void *array, size_t count, size_t *cap, size_t size);
char *tl__copy_bytes(const char *ptr, size_t len); /* copy with a closing NUL */
void tl__free(void *ptr);                          /* NULL is fine */

/* Memory comes from there from now on; false: some was given out already. */
bool tl__alloc_take(const tl_allocator *allocator);

/* Whole pages, zeroed. Freed they go back to the system at once, whichever thread frees them; what
 * tl__free frees stays with the heap of the thread that allocated it. For large blocks that live
 * for one piece of work. The same `size` when freeing, above 0. */
void *tl__pages_alloc(size_t size);
void tl__pages_free(void *pages, size_t size); /* NULL is fine */

/* Test aid: the n-th allocation of this thread from now on fails (1 = the next), and only that one;
 * 0 switches it off. Returns whether the previously armed failure has fired. */
int tl__alloc_fail_at(size_t n);
/* Test aid: the n of tl__alloc_fail_at that is left, to arm it again later; 0 = it has fired or is
 * off. */
size_t tl__alloc_fail_left(void);
/* Test aid: blocks that this thread has allocated minus those that it has released. */
long tl__alloc_balance(void);

#endif
