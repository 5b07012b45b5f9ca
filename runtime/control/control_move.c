/* Control calls that read or write a whole database or store. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "control/control_server.h"

/* A source that gives nothing (a terminal) is asked so often whether the call is to end. */
#define LOOK_UP_MS 100

/* --- import ----------------------------------------------------------------------------------- */

typedef struct source {
	tl__control_job *job;
	tl__import_state state;
	uint64_t bytes; /* read so far */
	uint64_t size;  /* of the file from where it was read; 0: not known */
} source;

/* How many lines there will be is a guess from those so far. */
static bool goes_on(const source *s)
{
	uint64_t lines = s->state.lines;
	double whole = s->bytes ? (double)lines / (double)s->bytes * (double)s->size : 0;

	return tl__control_progress(s->job, lines,
		s->size == 0            ? 0
		: whole > (double)lines ? (uint64_t)whole
					: lines);
}

static ptrdiff_t read_source(void *ud, void *out, size_t cap)
{
	source *s = ud;
	struct pollfd ready = {.fd = s->job->input, .events = POLLIN};

	for (;;) {
		ssize_t n;

		if (!goes_on(s))
			return TL_E_CANCELLED;
		if (poll(&ready, 1, LOOK_UP_MS) <= 0)
			continue;
		n = read(s->job->input, out, cap);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return TL_E_IO;
		s->bytes += (uint64_t)n;
		return n;
	}
}

static void measure(source *s)
{
	struct stat info;
	off_t at = lseek(s->job->input, 0, SEEK_CUR);

	if (at >= 0 && fstat(s->job->input, &info) == 0 && S_ISREG(info.st_mode) &&
		info.st_size > at)
		s->size = (uint64_t)(info.st_size - at);
}

int tl__control_import(tl_node *node, tl__control_job *job, tl__buf *out)
{
	source s = {.job = job};
	char text[TL_ID_TEXT_LEN + 1];
	uint64_t entered = 0;
	tl_id root;
	int rc;

	if (job->input < 0)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"an import reads from a descriptor that comes with its request");
	measure(&s);
	rc = tl__node_import(node, read_source, &s, &s.state, &root, &entered);
	if (rc != TL_OK)
		return rc;
	tl_id_format(&root, text);
	tl__buf_format(out, "{\"id\":\"%s\",\"entered\":%llu,\"counted\":%s}", text,
		(unsigned long long)entered, s.state.counted ? "true" : "false");
	return TL_OK;
}

/* --- backup ----------------------------------------------------------------------------------- */

int tl__control_backup(tl_node *node, tl_str file, tl__control_job *job, tl__buf *out)
{
	tl_backup_options options = TL_BACKUP_OPTIONS_INIT;
	struct stat info;
	char *path;
	int rc;

	if (file.len == 0 || file.ptr[0] != '/' || memchr(file.ptr, '\0', file.len))
		return tl__fail(TL_E_BAD_ARGUMENT, "the file of a backup is an absolute path");
	path = tl__copy_bytes(file.ptr, file.len);
	if (!path)
		return TL_E_NOMEM;
	options.progress = tl__control_progress;
	options.ud = job;
	rc = tl_node_backup_with(node, path, &options);
	if (rc == TL_OK)
		tl__buf_format(out, "{\"bytes\":%llu}",
			stat(path, &info) == 0 ? (unsigned long long)info.st_size : 0ULL);
	tl__free(path);
	return rc;
}
