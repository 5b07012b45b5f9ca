/* The texts of lines that wait, one behind the other in blocks: the first blocks in a file without
 * a name, the others, of which the last is being filled, in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "v0/spool/spool_impl.h"

static int open_file(tl__spool *spool)
{
	tl__buf name = TL__BUF_INIT;
	int code;

	tl__buf_format(&name, "%s/tidelock-XXXXXX", spool->directory);
	code = tl__buf_status(&name);
	if (code == TL_OK) {
		spool->file = mkostemp(name.ptr, O_CLOEXEC);
		if (spool->file < 0)
			code = tl__fail(TL_E_IO, "no temporary file can be made in %s: %s",
				spool->directory, strerror(errno));
		else
			unlink(name.ptr);
	}
	tl__buf_free(&name);
	return code;
}

static int append_to_file(tl__spool *spool, tl_str bytes)
{
	int code = spool->file < 0 ? open_file(spool) : TL_OK;

	if (code != TL_OK)
		return code;
	for (size_t done = 0; done < bytes.len;) {
		ssize_t n = pwrite(spool->file, bytes.ptr + done, bytes.len - done,
			(off_t)(spool->usage.file_bytes + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tl__fail(TL_E_IO, "the temporary file in %s cannot be written: %s",
				spool->directory, strerror(n < 0 ? errno : ENOSPC));
		done += (size_t)n;
	}
	spool->usage.file_bytes += bytes.len;
	return TL_OK;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static void drop_first(tl__spool *spool)
{
	tl__pages_free(spool->texts[spool->text_first], TL__SPOOL_WRITE_BYTES);
	spool->texts[spool->text_first++] = NULL;
}

static int write_first(tl__spool *spool)
{
	int code = append_to_file(
		spool, (tl_str){spool->texts[spool->text_first], TL__SPOOL_WRITE_BYTES});

	if (code == TL_OK)
		drop_first(spool);
	return code;
}

/* Writes full blocks until the limit holds the others, the index and `more` blocks. The last one
 * stays unless another one follows. */
static int fit(tl__spool *spool, uint32_t more)
{
	int code = TL_OK;

	while (code == TL_OK && spool->text_first + 1 < spool->text_count + more) {
		uint64_t blocks = spool->text_count + more - spool->text_first;

		if (blocks * TL__SPOOL_WRITE_BYTES + spool->usage.index_bytes <=
			spool->memory_limit)
			break;
		code = write_first(spool);
	}
	return code;
}

static int add_block(tl__spool *spool)
{
	void *array = spool->texts;
	char *block;
	int code = fit(spool, 1);

	if (code != TL_OK)
		return code;
	if (spool->text_count == spool->text_cap) {
		code = tl__spool_grow(spool, &array, &spool->text_cap, sizeof *spool->texts);
		if (code != TL_OK)
			return code;
		spool->texts = array;
	}
	block = tl__pages_alloc(TL__SPOOL_WRITE_BYTES);
	if (!block)
		return TL_E_NOMEM;
	spool->texts[spool->text_count++] = block;
	return TL_OK;
}

/* The place of a text in memory; *len becomes how much of it follows there. */
static char *place(const tl__spool *spool, uint64_t offset, size_t *len)
{
	size_t into = (size_t)(offset % TL__SPOOL_WRITE_BYTES);

	if (*len > TL__SPOOL_WRITE_BYTES - into)
		*len = TL__SPOOL_WRITE_BYTES - into;
	return spool->texts[offset / TL__SPOOL_WRITE_BYTES] + into;
}

/* --- for the spool ---------------------------------------------------------------------------- */

int tl__spool_keep(tl__spool *spool, tl_str text, uint64_t *offset)
{
	int code = fit(spool, 0); /* the index has grown */

	*offset = spool->text_end;
	for (size_t done = 0; done < text.len && code == TL_OK;) {
		size_t n = text.len - done;
		char *at;

		if (spool->text_end == (uint64_t)spool->text_count * TL__SPOOL_WRITE_BYTES)
			code = add_block(spool);
		if (code != TL_OK)
			break;
		at = place(spool, spool->text_end, &n);
		memcpy(at, text.ptr + done, n);
		spool->text_end += n;
		done += n;
	}
	spool->usage.memory_bytes = spool->text_end - spool->usage.file_bytes;
	return code;
}

static int read_file(const tl__spool *spool, uint64_t offset, size_t len, char *out)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(spool->file, out + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tl__fail(TL_E_IO, "the temporary file in %s cannot be read: %s",
				spool->directory, n < 0 ? strerror(errno) : "it was cut");
		done += (size_t)n;
	}
	return TL_OK;
}

int tl__spool_recall(const tl__spool *spool, uint64_t offset, size_t len, char *out)
{
	uint64_t end = offset + len, in_file = spool->usage.file_bytes;
	int code = TL_OK;

	if (offset < in_file) {
		size_t n = end < in_file ? len : (size_t)(in_file - offset);

		code = read_file(spool, offset, n, out);
		out += n;
		offset += n;
	}
	while (code == TL_OK && offset < end) {
		size_t n = (size_t)(end - offset);
		const char *at = place(spool, offset, &n);

		memcpy(out, at, n);
		out += n;
		offset += n;
	}
	return code;
}

void tl__spool_clear_texts(tl__spool *spool)
{
	while (spool->text_first < spool->text_count)
		drop_first(spool);
	spool->text_first = spool->text_count = 0;
	spool->text_end = 0;
	spool->usage.memory_bytes = spool->usage.file_bytes = 0;
}

void tl__spool_free_texts(tl__spool *spool)
{
	tl__spool_clear_texts(spool);
	tl__free(spool->texts);
	if (spool->file >= 0)
		close(spool->file);
	spool->file = -1;
}
