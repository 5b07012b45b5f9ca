#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tidelock/entry.h>
#include "base/fail.h"

#define FIRST_CAP 4 /* elements of an array that grows */

/* The host's, or the C library's. Read by all threads, written before the first of them allocates.
 */
static tl_allocator host;
static bool has_host;
static atomic_bool in_use;

static _Thread_local size_t fail_countdown;
static _Thread_local int fail_fired;
static _Thread_local long balance;

int tl__alloc_fail_at(size_t n)
{
	int fired = fail_fired;

	fail_countdown = n;
	fail_fired = 0;
	return fired;
}

size_t tl__alloc_fail_left(void)
{
	return fail_countdown;
}

long tl__alloc_balance(void)
{
	return balance;
}

/* --- whose it is ------------------------------------------------------------------------------ */

bool tl__alloc_take(const tl_allocator *allocator)
{
	if (atomic_load(&in_use))
		return false;
	host = *allocator;
	has_host = true;
	return true;
}

static void *take(void *ptr, size_t size)
{
	if (!atomic_load_explicit(&in_use, memory_order_relaxed))
		atomic_store(&in_use, true);
	if (has_host)
		return host.resize(host.ud, ptr, size);
	return ptr ? realloc(ptr, size) : malloc(size);
}

static void *take_zero(size_t size)
{
	void *ptr;

	if (!has_host && atomic_load_explicit(&in_use, memory_order_relaxed))
		return calloc(1, size);
	ptr = take(NULL, size);
	return ptr ? memset(ptr, 0, size) : NULL;
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* Whether this allocation is the one a test wants to fail. */
static int must_fail(void)
{
	if (fail_countdown == 0 || --fail_countdown > 0)
		return 0;
	fail_fired = 1;
	return 1;
}

static void *checked(void *ptr, size_t size)
{
	balance += ptr != NULL;
	if (!ptr)
		tl__fail(TL_E_NOMEM,
			"no memory for %zu bytes; close what is not needed and try again", size);
	return ptr;
}

static int product(size_t count, size_t size, size_t *out)
{
	if (size != 0 && count > SIZE_MAX / size)
		return 0;
	*out = count * size;
	if (*out == 0)
		*out = 1;
	return 1;
}

void *tl__alloc(size_t size)
{
	return checked(must_fail() ? NULL : take(NULL, size ? size : 1), size);
}

void *tl__alloc_zero(size_t count, size_t size)
{
	size_t total;

	if (!product(count, size, &total))
		return checked(NULL, SIZE_MAX);
	return checked(must_fail() ? NULL : take_zero(total), total);
}

void *tl__resize(void *ptr, size_t count, size_t size)
{
	size_t total;
	void *moved;

	if (!product(count, size, &total))
		return checked(NULL, SIZE_MAX);
	moved = must_fail() ? NULL : take(ptr, total);
	balance -= ptr && moved;
	return checked(moved, total);
}

void *tl__grow(void *array, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap > 0 ? *cap * 2 : FIRST_CAP;
	void *grown;

	if (count < *cap)
		return array;
	grown = tl__resize(array, more, size);
	if (grown)
		*cap = more;
	return grown;
}

char *tl__copy_bytes(const char *ptr, size_t len)
{
	char *copy = len < SIZE_MAX ? tl__alloc(len + 1) : checked(NULL, len);

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, ptr, len);
	copy[len] = '\0';
	return copy;
}

void tl__free(void *ptr)
{
	balance -= ptr != NULL;
	if (!has_host)
		free(ptr);
	else if (ptr)
		host.release(host.ud, ptr);
}

void *tl__pages_alloc(size_t size)
{
	void *pages = MAP_FAILED;

	if (!must_fail())
		pages = mmap(
			NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return checked(pages == MAP_FAILED ? NULL : pages, size);
}

void tl__pages_free(void *pages, size_t size)
{
	if (!pages)
		return;
	balance--;
	munmap(pages, size);
}

void tl_free(void *ptr)
{
	tl__free(ptr);
}
