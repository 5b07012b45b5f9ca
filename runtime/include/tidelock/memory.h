/* Where the library's memory comes from. */
#ifndef TIDELOCK_MEMORY_H
#define TIDELOCK_MEMORY_H

#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory of the host's. Any thread calls these, several at the same time, and none of them may call
 * the library. Blocks are aligned as those of malloc. */
typedef struct tl_allocator {
	size_t size; /* sizeof (tl_allocator) */
	/* A block of `bytes` (above 0) that holds what `block` did, which is gone then; block NULL:
	 * a new one. NULL when there is no memory: `block` stays as it was. */
	void *(*resize)(void *ud, void *block, size_t bytes);
	void (*release)(void *ud, void *block); /* never NULL */
	void *ud;
} tl_allocator;

#define TL_ALLOCATOR_INIT                                                                          \
	{                                                                                          \
		sizeof(tl_allocator), 0, 0, 0                                                      \
	}

/* All memory of the library comes from there, in every thread, for the rest of the process; also
 * what it hands out (tl_free). Not that of the libraries it uses (SQLite, libcurl, libmicrohttpd,
 * libuv), secrets, which lie in locked pages, and a few large blocks for single works. To be called
 * before any other function: TL_E_BUSY when memory was given out already, TL_E_BAD_ARGUMENT without
 * both functions. Does not block. */
TL_API int tl_set_allocator(const tl_allocator *allocator) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
