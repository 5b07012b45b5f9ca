/* A folder belongs to one process, told by a lock file with its pid, and to one store in it, told
 * by a table of this process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "store/sqlite.h"

typedef struct holder {
	dev_t device;
	ino_t inode;
	pid_t pid; /* a forked child holds nothing of its parent's */
	const tl__sqlite *store;
	struct holder *next;
} holder;

static pthread_mutex_t holders_lock = PTHREAD_MUTEX_INITIALIZER;
static holder *holders;

static int register_folder(tl__sqlite *store, const struct stat *folder)
{
	holder *mine = tl__alloc(sizeof *mine);
	bool taken = false;

	if (!mine)
		return TL_E_NOMEM;
	*mine = (holder){folder->st_dev, folder->st_ino, getpid(), store, NULL};
	pthread_mutex_lock(&holders_lock);
	for (const holder *h = holders; h; h = h->next)
		taken = taken || (h->device == mine->device && h->inode == mine->inode &&
					 h->pid == mine->pid);
	if (!taken) {
		mine->next = holders;
		holders = mine;
		store->registered = true;
	}
	pthread_mutex_unlock(&holders_lock);
	if (!taken)
		return TL_OK;
	tl__free(mine);
	return tl__fail(TL_E_ALREADY_OPEN,
		"%s is open in this process already, by a node or store that is not closed, or "
		"whose databases, transactions or stores are still held; use those, or close "
		"them first",
		store->folder);
}

static void unregister_folder(const tl__sqlite *store)
{
	holder **at = &holders, *found;

	pthread_mutex_lock(&holders_lock);
	while (*at && (*at)->store != store)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	pthread_mutex_unlock(&holders_lock);
	tl__free(found);
}

static int fail_errno(const tl__sqlite *store, int error, const char *doing)
{
	if (error == EACCES || error == EPERM)
		return tl__fail(TL_E_STORE_READ_ONLY,
			"no permission to %s %s (%s); run this as the user it belongs to, or make "
			"it "
			"and the files in it readable and writable for this one",
			doing, store->folder, strerror(error));
	if (error == EROFS)
		return tl__fail(TL_E_STORE_READ_ONLY,
			"cannot %s %s: %s; choose a directory that can be written", doing,
			store->folder, strerror(error));
	return tl__fail(TL_E_IO, "cannot %s %s: %s", doing, store->folder, strerror(error));
}

static int open_folder(tl__sqlite *store)
{
	struct stat info;

	if (mkdir(store->folder, 0700) != 0 && errno != EEXIST)
		return fail_errno(store, errno, "create the data directory");
	store->folder_fd = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->folder_fd < 0)
		return fail_errno(store, errno, "open the data directory");
	if (fstat(store->folder_fd, &info) != 0)
		return fail_errno(store, errno, "look at the data directory");
	if ((info.st_mode & 077) != 0)
		tl__log_write(store->base.log, TL_LOG_WARNING, "store",
			"other users may look into %s, which holds keys; chmod 700 closes it",
			store->folder);
	if (faccessat(store->folder_fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return fail_errno(store, errno, "write to");
	return register_folder(store, &info);
}

/* The pid in the lock file, for the message alone: 0 while the holder has not written its own yet,
 * and the file is empty or tells of an earlier one that has ended. */
static long holder_pid(int fd)
{
	char text[32] = "";
	ssize_t len = pread(fd, text, sizeof text - 1, 0);
	long pid = len > 0 ? strtol(text, NULL, 10) : 0;

	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

static int fail_locked(const tl__sqlite *store)
{
	char who[40] = "another process";
	long pid = holder_pid(store->lock_fd);

	if (pid > 0)
		snprintf(who, sizeof who, "process %ld", pid);
	return tl__fail(TL_E_STORE_LOCKED,
		"%s is in use by %s; stop that process, or choose another directory", store->folder,
		who);
}

/* Shortened after it is written, so that the file is never empty for others. */
static int write_pid(tl__sqlite *store)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (pwrite(store->lock_fd, text, (size_t)len, 0) != len ||
		ftruncate(store->lock_fd, len) != 0)
		return fail_errno(store, errno, "write the lock file in");
	return TL_OK;
}

static int take_lock(tl__sqlite *store)
{
	store->lock_fd = openat(
		store->folder_fd, TL__SQ_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return fail_errno(store, errno, "open the lock file in");
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return write_pid(store);
	if (errno != EWOULDBLOCK)
		return fail_errno(store, errno, "lock");
	return fail_locked(store);
}

/* The file, readable by its owner alone; SQLite gives its log the same mode. */
static int make_file(tl__sqlite *store)
{
	int fd = openat(store->folder_fd, TL__SQ_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(store, errno, "open " TL__SQ_FILE " in");
	close(fd);
	return TL_OK;
}

int tl__sq_lock(tl__sqlite *store)
{
	int rc = open_folder(store);

	if (rc == TL_OK)
		rc = take_lock(store);
	return rc == TL_OK ? make_file(store) : rc;
}

void tl__sq_unlock(tl__sqlite *store)
{
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->folder_fd >= 0)
		close(store->folder_fd);
	if (store->registered)
		unregister_folder(store);
	store->lock_fd = store->folder_fd = -1;
	store->registered = false;
}
