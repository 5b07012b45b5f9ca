/* A consistent copy of the whole file, made while others read and write. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/fail.h"
#include "store/sqlite.h"

enum { PAGES_AT_ONCE = 1024 };

/* Claims the name, so that nothing is overwritten, readable by its owner alone. */
static int claim(const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return tl__fail(TL_E_ALREADY_EXISTS,
			"%s exists already; choose a new file for the backup", file);
	if (fd < 0)
		return tl__fail(TL_E_IO, "cannot create %s: %s", file, strerror(errno));
	close(fd);
	return TL_OK;
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

static int copy_to(tl__sq_conn *conn, const char *file)
{
	sqlite3 *to;
	int rc = sqlite3_open_v2(file, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = copy(conn, to);
	if (rc != SQLITE_OK)
		rc = tl__fail((rc & 0xff) == SQLITE_CORRUPT ? TL_E_STORE_DAMAGED : TL_E_IO,
			"cannot copy %s to %s: %s; see that the disk has room", conn->file, file,
			sqlite3_errstr(rc));
	if (sqlite3_close(to) != SQLITE_OK && rc == TL_OK)
		rc = tl__fail(TL_E_IO, "cannot close %s", file);
	return rc;
}

/* The copy is of the moment its reader's transaction began. */
int tl__sq_backup(tl__store *base, const char *file)
{
	tl__snapshot *s;
	int rc = claim(file);

	if (rc != TL_OK)
		return rc;
	rc = base->backend->snapshot_open(base, false, &s);
	if (rc == TL_OK) {
		s->store = base;
		rc = copy_to(tl__sq_conn_of(s), file);
		base->backend->snapshot_close(s);
	}
	if (rc != TL_OK)
		unlink(file);
	return rc;
}
