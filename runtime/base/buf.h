/* A growing byte buffer with a sticky failure: append freely, ask once at the end. */
#ifndef TL_BASE_BUF_H
#define TL_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>
#include <tidelock/types.h>

typedef struct tl__buf {
	char *ptr; /* always closed by a NUL that len does not count, once anything was appended */
	size_t len;
	size_t cap;
	bool failed; /* an allocation failed; appends do nothing from then on */
} tl__buf;

#define TL__BUF_INIT ((tl__buf){NULL, 0, 0, false})

void tl__buf_append(tl__buf *buf, const void *ptr, size_t len);
void tl__buf_str(tl__buf *buf, tl_str text);
void tl__buf_text(tl__buf *buf, const char *zero_terminated);
void tl__buf_byte(tl__buf *buf, uint8_t byte);
void tl__buf_format(tl__buf *buf, const char *format, ...) TL_FORMAT(2, 3);
/* Room for `len` more bytes at ptr + len (caller then raises len); NULL when memory ran out. */
char *tl__buf_reserve(tl__buf *buf, size_t len);
void tl__buf_clear(tl__buf *buf); /* forget contents and failure, keep the memory */
void tl__buf_free(tl__buf *buf);  /* release; the buffer is as new */
void tl__buf_wipe(tl__buf *
		buf); /* zero, then release: for secrets (reserve first: growth may leave a copy) */
/* TL_OK, or TL_E_NOMEM (set as last error) when any append failed. */
int tl__buf_status(const tl__buf *buf) TL_MUST_USE;
/* Hands the memory to the caller (tl__free), buffer as new; NULL with last error on failure. */
char *tl__buf_take(tl__buf *buf, size_t *len);

static inline tl_str tl__buf_view(const tl__buf *buf)
{
	return (tl_str){buf->ptr ? buf->ptr : "", buf->len};
}

#endif
