#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"

char *tl__buf_reserve(tl__buf *buf, size_t len)
{
	size_t need, cap;
	char *grown;

	if (buf->failed)
		return NULL;
	if (buf->cap > buf->len && buf->cap - buf->len > len)
		return buf->ptr + buf->len;
	if (len >= SIZE_MAX / 2 - buf->len) {
		buf->failed = true;
		return NULL;
	}
	need = buf->len + len + 1;
	cap = buf->cap ? buf->cap : 64;
	while (cap < need)
		cap *= 2;
	grown = tl__resize(buf->ptr, cap, 1);
	if (!grown) {
		buf->failed = true;
		return NULL;
	}
	buf->ptr = grown;
	buf->cap = cap;
	return buf->ptr + buf->len;
}

void tl__buf_append(tl__buf *buf, const void *ptr, size_t len)
{
	char *at = tl__buf_reserve(buf, len);

	if (!at)
		return;
	if (len)
		memcpy(at, ptr, len);
	at[len] = '\0';
	buf->len += len;
}

void tl__buf_str(tl__buf *buf, tl_str text)
{
	tl__buf_append(buf, text.ptr, text.len);
}

void tl__buf_text(tl__buf *buf, const char *zero_terminated)
{
	tl__buf_append(buf, zero_terminated, strlen(zero_terminated));
}

void tl__buf_byte(tl__buf *buf, uint8_t byte)
{
	tl__buf_append(buf, &byte, 1);
}

void tl__buf_format(tl__buf *buf, const char *format, ...)
{
	va_list args, again;
	int len;
	char *at;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	at = len < 0 ? NULL : tl__buf_reserve(buf, (size_t)len);
	if (at) {
		vsnprintf(at, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	} else {
		buf->failed = true;
	}
	va_end(again);
	va_end(args);
}

void tl__buf_clear(tl__buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->ptr)
		buf->ptr[0] = '\0';
}

void tl__buf_free(tl__buf *buf)
{
	tl__free(buf->ptr);
	*buf = TL__BUF_INIT;
}

void tl__buf_wipe(tl__buf *buf)
{
	if (buf->ptr)
		explicit_bzero(buf->ptr, buf->cap);
	tl__buf_free(buf);
}

int tl__buf_status(const tl__buf *buf)
{
	if (buf->failed)
		return tl__fail(TL_E_NOMEM, "no memory for a text of %zu bytes and more", buf->len);
	return TL_OK;
}

char *tl__buf_take(tl__buf *buf, size_t *len)
{
	char *taken;

	tl__buf_append(buf, "", 0); /* so that even an empty buffer is closed by a NUL */
	taken = tl__buf_status(buf) == TL_OK ? buf->ptr : NULL;
	if (!taken) {
		tl__buf_free(buf);
		return NULL;
	}
	*len = buf->len;
	*buf = TL__BUF_INIT;
	return taken;
}
