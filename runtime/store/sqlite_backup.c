/* A consistent copy of the whole file, made while others read and write. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "store/sqlite.h"

enum { PAGES_AT_ONCE = 256 };

/* The new file: its name, and the directory that it stays in whatever becomes of the path. */
typedef struct target {
	const char *path; /* as given */
	char *folder;
	const char *name; /* the last part of the path */
	char *place;
	int directory; /* -1: not opened */
	tl__copied copied;
	void *ud;
	uint64_t page_bytes;
	bool ended; /* because `copied` said so */
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

/* How `copied` counts; without it nothing is counted. */
static int ask_page_bytes(target *t, sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &stmt, NULL);

	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		t->page_bytes = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc;
}

static bool goes_on(target *t, sqlite3_backup *backup)
{
	uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup) * t->page_bytes;
	uint64_t left = (uint64_t)sqlite3_backup_remaining(backup) * t->page_bytes;

	t->ended = t->copied && !t->copied(t->ud, total - left, total);
	return !t->ended;
}

static int copy(target *t, tl__sq_conn *conn, sqlite3 *to)
{
	sqlite3_backup *backup;
	/* A copy that does not come to its end is removed: nothing goes back to what was. */
	int rc = sqlite3_exec(to, "PRAGMA journal_mode=OFF", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = ask_page_bytes(t, conn->db);
	if (rc != SQLITE_OK)
		return rc;
	backup = sqlite3_backup_init(to, "main", conn->db, "main");
	if (!backup)
		return sqlite3_errcode(to);
	do
		rc = sqlite3_backup_step(backup, PAGES_AT_ONCE);
	while ((rc == SQLITE_OK || rc == SQLITE_DONE) && goes_on(t, backup) && rc == SQLITE_OK);
	/* tells an error of any step */
	rc = sqlite3_backup_finish(backup);
	return rc;
}

static int copy_to(tl__sq_conn *conn, target *t)
{
	sqlite3 *to;
	int rc = tl__sq_open_place(&to, t->place);

	if (rc == SQLITE_OK)
		rc = copy(t, conn, to);
	if (rc == SQLITE_OK && t->ended)
		rc = tl__fail(TL_E_CANCELLED, "the backup was ended; there is no %s", t->path);
	else if (rc != SQLITE_OK)
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
		rc = tl__snapshot_open(base, &s);
	if (rc == TL_OK) {
		rc = copy_to(tl__sq_conn_of(s), t);
		tl__snapshot_close(s);
	}
	if (rc != TL_OK)
		unlinkat(t->directory, t->name, 0);
	return rc;
}

int tl__sq_backup(tl__store *base, const char *file, tl__copied copied, void *ud)
{
	target t;
	int rc = split(&t, file);

	t.copied = copied;
	t.ud = ud;
	if (t.folder)
		rc = claim(&t);
	if (rc == TL_OK)
		rc = back_up(base, &t);
	release(&t);
	return rc;
}
