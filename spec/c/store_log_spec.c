/* The log of the SQLite store: it is copied into the file behind commits, starts anew in time, and
 * is kept when the disk fails. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include "scratch.h"
#include "store_help.h"
#include "store/sqlite/sqlite.h"

static int open_again(void)
{
	return tl__store_open_sqlite(&store, spec_folder, TL__DURABLE_RELAXED, NULL);
}

static off_t log_size(void)
{
	char path[300];
	struct stat info;

	file_in_folder(path, sizeof path, "tidelock.db-wal");
	return stat(path, &info) == 0 ? info.st_size : 0;
}

static int write_large(unsigned n, unsigned names)
{
	static char value[256 * 1024];
	char name[16];
	tl__put_local local = {{name, (size_t)snprintf(name, sizeof name, "%u", n % names)},
		{value, sizeof value}};
	tl__batch batch = {.locals = &local, .local_count = 1};

	memset(value, (int)(n % 251), sizeof value);
	return tl__store_write(store, &batch);
}

/* A reader that stays keeps the log growing; once it goes the log starts anew and is cut. */
static void the_log_does_not_grow_for_ever(void)
{
	const off_t most = 65 * 1024 * 1024;
	tl__snapshot *s;

	REQUIRE(open_again() == TL_OK);
	CHECK_OK(write_large(0, 4));
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	for (unsigned i = 0; i < 300; i++)
		CHECK_OK(write_large(i, 4));
	CHECK(log_size() > most);
	tl__snapshot_close(s);
	for (unsigned i = 0; i < 60; i++)
		CHECK_OK(write_large(i, 4));
	CHECK(log_size() < most);
	for (unsigned i = 0; i < 300; i++) { /* short readers do no harm */
		REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
		CHECK_OK(write_large(i, 4));
		tl__snapshot_close(s);
	}
	CHECK(log_size() < most);
}

/* Nobody commits or reads any more: the copy comes all the same. */
static void the_log_is_copied_behind_commits(void)
{
	const off_t full = (off_t)TL__SQ_LOG_STEP_PAGES * (4096 + 24) + 32;
	char path[300];
	struct stat info;
	off_t size = 0, written = 0;

	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(open_again() == TL_OK);
	/* The commit that fills it is the last: what comes during a copy may wait for the next one.
	 */
	for (unsigned i = 0; i < 140 && log_size() < full; i++) {
		CHECK_OK(write_large(i, 140));
		written += 256 * 1024;
	}
	for (int i = 0; i < 1000 && size < written * 9 / 10; i++) {
		usleep(10000);
		size = stat(path, &info) == 0 ? info.st_size : 0;
	}
	CHECK(size >= written * 9 / 10);
}

/* Without a descriptor for the thread's connection the commit that needs the copy makes it: here
 * the one that brings the log to 24 MiB. */
static void the_log_is_copied_without_a_thread(void)
{
	const off_t written = 24 * 1024 * 1024;
	char path[300];
	struct stat info;
	int next;

	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(open_again() == TL_OK);
	CHECK_OK(write_large(0, 130));
	next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	REQUIRE(next >= 0);
	close(next);
	REQUIRE(scratch_limit(RLIMIT_NOFILE, (rlim_t)next));
	for (unsigned i = 1; i < 130; i++)
		CHECK_OK(write_large(i, 130));
	REQUIRE(scratch_limit(RLIMIT_NOFILE, RLIM_INFINITY));
	CHECK(stat(path, &info) == 0 && info.st_size >= written * 9 / 10);
	CHECK_OK(write_large(0, 130));
}

/* A store may be closed at any moment of the copy. */
static void closing_waits_for_the_copy(void)
{
	for (unsigned round = 0; round < 3; round++) {
		REQUIRE(open_again() == TL_OK);
		for (unsigned i = 0; i < 126; i++)
			CHECK_OK(write_large(i + round, 126));
		tl__store_close(store);
		store = NULL;
		CHECK(log_size() == 0);
	}
}

/* --- a disk that fails ------------------------------------------------------------------------ */

static int (*real_open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods methods;
static atomic_bool disk_fails;

static int sync_or_fail(sqlite3_file *file, int flags)
{
	return atomic_load(&disk_fails) ? SQLITE_IOERR_FSYNC : real_methods->xSync(file, flags);
}

/* Only the database itself: its log lies elsewhere, as it were. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = real_open(vfs, name, file, flags, out);

	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB)) {
		real_methods = file->pMethods;
		methods = *real_methods;
		methods.xSync = sync_or_fail;
		file->pMethods = &methods;
	}
	return rc;
}

/* The store's VFS, which the cases before have registered. */
static sqlite3_vfs *find_vfs(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	while (vfs && strncmp(vfs->zName, "tidelock-", 9) != 0)
		vfs = vfs->pNext;
	return vfs;
}

static bool holds(unsigned n, unsigned names)
{
	char name[16], *value = NULL;
	size_t len = 0;
	bool same;

	snprintf(name, sizeof name, "%u", n % names);
	if (tl__read_local(store, tl__str_z(name), &value, &len) != TL_OK)
		return false;
	same = len == 256 * 1024 && value[0] == (char)(n % 251);
	tl__free(value);
	return same;
}

static void a_log_is_kept_when_the_disk_fails(void)
{
	sqlite3_vfs *disk = find_vfs();
	off_t kept;

	REQUIRE(disk);
	real_open = disk->xOpen;
	disk->xOpen = open_file;
	REQUIRE(open_again() == TL_OK);
	CHECK_OK(write_large(0, 8));
	atomic_store(&disk_fails, true);
	for (unsigned i = 0; i < 120; i++) /* the thread tries to copy */
		CHECK_OK(write_large(i, 8));
	usleep(500000);
	atomic_store(&disk_fails, false); /* too late: who knows what was lost */
	for (unsigned i = 120; i < 400; i++)
		CHECK_OK(write_large(i, 8));
	kept = log_size();
	CHECK(kept > 400 * 256 * 1024);
	tl__store_close(store);
	store = NULL;
	CHECK(log_size() == kept);
	REQUIRE(open_again() == TL_OK);
	for (unsigned i = 392; i < 400; i++)
		CHECK(holds(i, 8));
	tl__store_close(store);
	store = NULL;
	CHECK(log_size() == 0);
	disk->xOpen = real_open;
}

int main(void)
{
	RUN_IN_FOLDER(the_log_does_not_grow_for_ever);
	RUN_IN_FOLDER(the_log_is_copied_behind_commits);
	RUN_IN_FOLDER(the_log_is_copied_without_a_thread);
	RUN_IN_FOLDER(closing_waits_for_the_copy);
	RUN_IN_FOLDER(a_log_is_kept_when_the_disk_fails);
	return spec_end();
}
