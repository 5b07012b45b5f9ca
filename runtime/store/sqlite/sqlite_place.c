/* Where the files of a store are. SQLite opens by name, again and again: each connection, the log,
 * what is beside it. The names it gets lead through the descriptor of the directory that was opened
 * first, so they lead to the same place whatever becomes of its path. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/sqlite/sqlite.h"

/* --- names as they are ------------------------------------------------------------------------ */

/* SQLite's own VFS, but that names are taken as they are: it would look up where the descriptor
 * leads at that moment, and go on with that path. */
static sqlite3_vfs vfs;
static char vfs_name[32]; /* each copy of the library in a process has its own */
static pthread_once_t vfs_once = PTHREAD_ONCE_INIT;

static int take_name(sqlite3_vfs *self, const char *name, int size, char *out)
{
	size_t len = strlen(name);

	(void)self;
	if (size <= 0 || len >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, name, len + 1);
	return SQLITE_OK;
}

static void make_vfs(void)
{
	const sqlite3_vfs *system = sqlite3_vfs_find("unix");

	if (!system)
		return;
	snprintf(vfs_name, sizeof vfs_name, "tidelock-%p", (void *)&vfs);
	vfs = *system;
	vfs.zName = vfs_name;
	vfs.xFullPathname = take_name;
	if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
		vfs.zName = NULL;
}

/* The library may be unloaded while SQLite stays. */
__attribute__((destructor)) static void forget_vfs(void)
{
	if (vfs.zName)
		(void)sqlite3_vfs_unregister(&vfs);
}

int tl__sq_open_place(sqlite3 **out, const char *place)
{
	*out = NULL;
	pthread_once(&vfs_once, make_vfs);
	if (!vfs.zName)
		return SQLITE_NOMEM;
	return sqlite3_open_v2(place, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs.zName);
}

/* A name in a directory that is open. */
#define FOLDERS "/proc/self/fd/"

/* --- places ----------------------------------------------------------------------------------- */

static bool leads_to(const char *path, int directory)
{
	struct stat there, here;

	return stat(path, &there) == 0 && fstat(directory, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* Without /proc the path itself has to do; it is checked each time (tl__sq_still_there). */
static char *place_by_path(int directory, const char *path, const char *name)
{
	char *whole = realpath(path, NULL), *place = NULL;

	if (whole && leads_to(whole, directory)) {
		size_t size = strlen(whole) + strlen(name) + 2;

		place = tl__alloc(size);
		if (place)
			snprintf(place, size, "%s/%s", whole, name);
	}
	free(whole);
	return place;
}

int tl__sq_place(int directory, const char *path, const char *name, char **out)
{
	char through[sizeof FOLDERS + 12];
	size_t size = sizeof through + strlen(name) + 1;

	snprintf(through, sizeof through, FOLDERS "%d", directory);
	if (!leads_to(through, directory)) {
		*out = place_by_path(directory, path, name);
		return *out ? TL_OK
			    : tl__fail(TL_E_IO,
				      "cannot tell where %s is (%s); mount /proc, or give a path "
				      "that can be followed",
				      path, strerror(errno));
	}
	*out = tl__alloc(size);
	if (!*out)
		return TL_E_NOMEM;
	snprintf(*out, size, "%s/%s", through, name);
	return TL_OK;
}

int tl__sq_still_there(const tl__sqlite *store)
{
	struct stat now;
	bool through = tl__str_starts(tl__str_z(store->place), TL__STR(FOLDERS));
	int rc = through ? fstatat(store->folder_fd, TL__SQ_FILE, &now, AT_SYMLINK_NOFOLLOW)
			 : lstat(store->place, &now);

	if (rc == 0 && now.st_dev == store->device && now.st_ino == store->inode)
		return TL_OK;
	return tl__fail(TL_E_IO,
		"%s was removed, replaced or moved while it was open; close it, and open what is "
		"there now or restore a backup",
		store->file);
}
