/* A consistent copy of the whole file, made while others read and write. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <tidelock/node.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

enum { PAGES_AT_ONCE = 256 };

/* The new file: its name, and the directory that it stays in whatever becomes of the path. The copy
 * grows beside it under a name that says so, locked as long as somebody writes it, and gets its own
 * name when it is whole. */
typedef struct target {
	const char *path; /* as given */
	char *folder;
	const char *name; /* the last part of the path */
	char *part;       /* the name meanwhile */
	char *place;      /* of that */
	int directory;    /* -1: not opened */
	int part_fd;      /* holds the lock; -1: none */
	tl__copied copied;
	void *ud;
	uint64_t page_bytes;
	bool ended; /* because `copied` said so */
} target;

static int split(target *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0, size;

	*t = (target){
		.path = path, .name = slash ? slash + 1 : path, .directory = -1, .part_fd = -1};
	if (*t->name == '\0')
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a backup needs the name of a new file, not "
			"\"%s\"",
			path);
	size = strlen(t->name) + sizeof TL_BACKUP_PARTIAL;
	t->folder = len > 0 ? tl__copy_bytes(path, len) : tl__copy_bytes("./", 2);
	t->part = tl__alloc(size);
	if (!t->folder || !t->part)
		return TL_E_NOMEM;
	snprintf(t->part, size, "%s%s", t->name, TL_BACKUP_PARTIAL);
	return TL_OK;
}

static int fail_to_create(const target *t)
{
	return tl__fail(TL_E_IO, "cannot create %s: %s", t->path, strerror(errno));
}

static int fail_existing(const target *t)
{
	return tl__fail(TL_E_ALREADY_EXISTS, "%s exists already; choose a new file for the backup",
		t->path);
}

static bool is_part(const target *t, int fd)
{
	struct stat there, here;

	return fstatat(t->directory, t->part, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &here) == 0 && there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* Takes away what a backup left that was killed; one that is under way holds the lock. */
static int clear_part(const target *t)
{
	int fd = openat(t->directory, t->part, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int rc = TL_OK;

	if (fd < 0)
		return errno == ENOENT ? TL_OK : fail_to_create(t);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		rc = tl__fail(TL_E_BUSY, "another backup to %s is under way", t->path);
	else if (is_part(t, fd) && unlinkat(t->directory, t->part, 0) != 0)
		rc = fail_to_create(t);
	close(fd);
	return rc;
}

/* A new file, readable by its owner alone. */
static int make_part(target *t)
{
	int rc = clear_part(t);

	if (rc != TL_OK)
		return rc;
	t->part_fd = openat(t->directory, t->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->part_fd < 0 && errno != EEXIST)
		return fail_to_create(t);
	/* Another backup may have come in between, also before the lock. */
	if (t->part_fd < 0 || flock(t->part_fd, LOCK_EX | LOCK_NB) != 0 || !is_part(t, t->part_fd))
		return tl__fail(TL_E_BUSY, "another backup to %s is under way", t->path);
	return TL_OK;
}

static int claim(target *t)
{
	struct stat info;

	t->directory = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->directory < 0)
		return fail_to_create(t);
	if (fstatat(t->directory, t->name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return fail_existing(t);
	return make_part(t);
}

/* Gives the whole copy its name, where nothing has it. Not every file system has links, nor the
 * renaming that does not replace. */
static int put_in_place(const target *t)
{
	int rc = linkat(t->directory, t->part, t->directory, t->name, 0);

	if (rc == 0)
		rc = unlinkat(t->directory, t->part, 0);
	else if (errno != EEXIST)
		rc = renameat2(t->directory, t->part, t->directory, t->name, RENAME_NOREPLACE);
	if (rc != 0 && errno == EEXIST)
		return fail_existing(t);
	return rc == 0 ? TL_OK : fail_to_create(t);
}

static void release(target *t)
{
	if (t->part_fd >= 0)
		close(t->part_fd);
	if (t->directory >= 0)
		close(t->directory);
	tl__free(t->place);
	tl__free(t->part);
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
	return rc;
}

static int finish(const target *t)
{
	int rc = put_in_place(t);

	if (rc == TL_OK && fsync(t->directory) != 0)
		rc = tl__fail(TL_E_IO, "cannot make %s last: %s; look whether it is there", t->path,
			strerror(errno));
	return rc;
}

/* The copy is of the moment its reader's transaction began. */
static int back_up(tl__store *base, target *t)
{
	tl__snapshot *s;
	int rc = tl__sq_place(t->directory, t->folder, t->part, &t->place);

	if (rc == TL_OK)
		rc = tl__snapshot_open(base, &s);
	if (rc == TL_OK) {
		rc = copy_to(tl__sq_conn_of(s), t);
		tl__snapshot_close(s);
	}
	if (rc == TL_OK)
		rc = finish(t);
	if (rc != TL_OK)
		(void)unlinkat(t->directory, t->part, 0);
	return rc;
}

int tl__sq_backup(tl__store *base, const char *file, tl__copied copied, void *ud)
{
	target t;
	int rc = split(&t, file);

	t.copied = copied;
	t.ud = ud;
	if (rc == TL_OK && t.folder)
		rc = claim(&t);
	if (rc == TL_OK)
		rc = back_up(base, &t);
	release(&t);
	return rc;
}
