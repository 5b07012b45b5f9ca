/* A consistent copy of the whole file, made while others read and write. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "store/sqlite.h"

enum { PAGES_AT_ONCE = 1024 };

/* The new file: its name, and the directory that it stays in whatever becomes of the path. */
typedef struct target {
	const char *path; /* as given */
	char *folder;
	const char *name; /* the last part of the path */
	char *place;
	int directory; /* -1: not opened */
} target;

static int split(target *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	*t = (target){.path = path, .name = slash ? slash + 1 : path, .directory = -1};
	if (*t->name == '\0')
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a backup needs the name of a new file, not "
			"\"%s\"",
			path);
	t->folder = len > 0 ? tl__copy_bytes(path, len) : tl__copy_bytes("./", 2);
	return t->folder ? TL_OK : TL_E_NOMEM;
}

/* Claims the name, so that nothing is overwritten, readable by its owner alone. */
static int claim(target *t)
{
	int fd;

	t->directory = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = t->directory < 0
		     ? -1
		     : openat(t->directory, t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return tl__fail(TL_E_ALREADY_EXISTS,
			"%s exists already; choose a new file for the backup", t->path);
	if (fd < 0)
		return tl__fail(TL_E_IO, "cannot create %s: %s", t->path, strerror(errno));
	close(fd);
	return TL_OK;
}

static void release(target *t)
{
	if (t->directory >= 0)
		close(t->directory);
	tl__free(t->place);
	tl__free(t->folder);
}

static int copy(tl__sq_conn *conn, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", conn->db, "main");
	int rc = SQLITE_OK;

	if (!backup)
		return sqlite3_errcode(to);
	while (rc == SQLITE_OK)
		rc = sqlite3_backup_step(backup, PAGES_AT_ONCE);
	/* tells an error of any step */
	rc = sqlite3_backup_finish(backup);
	return rc;
}

static int copy_to(tl__sq_conn *conn, const target *t)
{
	sqlite3 *to;
	int rc = tl__sq_open_place(&to, t->place);

	if (rc == SQLITE_OK)
		rc = copy(conn, to);
	if (rc != SQLITE_OK)
		rc = tl__fail((rc & 0xff) == SQLITE_CORRUPT ? TL_E_STORE_DAMAGED : TL_E_IO,
			"cannot copy %s to %s: %s; see that the disk has room", conn->file, t->path,
			sqlite3_errstr(rc));
	if (sqlite3_close(to) != SQLITE_OK && rc == TL_OK)
		rc = tl__fail(TL_E_IO, "cannot close %s", t->path);
	if (rc == TL_OK && fsync(t->directory) != 0)
		rc = tl__fail(TL_E_IO, "cannot make %s last: %s", t->path, strerror(errno));
	return rc;
}

/* The copy is of the moment its reader's transaction began. */
static int back_up(tl__store *base, target *t)
{
	tl__snapshot *s;
	int rc = tl__sq_place(t->directory, t->folder, t->name, &t->place);

	if (rc == TL_OK)
		rc = base->backend->snapshot_open(base, false, &s);
	if (rc == TL_OK) {
		s->store = base;
		rc = copy_to(tl__sq_conn_of(s), t);
		base->backend->snapshot_close(s);
	}
	if (rc != TL_OK)
		unlinkat(t->directory, t->name, 0);
	return rc;
}

int tl__sq_backup(tl__store *base, const char *file)
{
	target t;
	int rc = split(&t, file);

	if (rc == TL_OK)
		rc = claim(&t);
	if (rc == TL_OK)
		rc = back_up(base, &t);
	release(&t);
	return rc;
}
