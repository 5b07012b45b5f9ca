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
#include "base/system/fork.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

typedef struct holder {
	dev_t device;
	ino_t inode;
	unsigned forks; /* of the process that opened it */
	tl__sqlite *store;
	struct holder *next;
} holder;

static pthread_mutex_t holders_lock = PTHREAD_MUTEX_INITIALIZER;
static holder *holders;

/* --- fork() ----------------------------------------------------------------------------------- */

static void before_fork(void)
{
	pthread_mutex_lock(&holders_lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&holders_lock);
}

/* The lock is one of the open file, which parent and child share: a child that lived on would hold
 * it when the parent is gone. */
static void in_child(void)
{
	for (holder *h = holders; h; h = h->next) {
		if (h->store->lock_fd >= 0)
			close(h->store->lock_fd);
		h->store->lock_fd = -1;
	}
	pthread_mutex_unlock(&holders_lock);
}

static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static int watch_failure;

static void watch(void)
{
	watch_failure = pthread_atfork(before_fork, in_parent, in_child);
}

static int watch_forks(void)
{
	int rc = tl__fork_watch();

	pthread_once(&watch_once, watch);
	if (rc == TL_OK && watch_failure != 0)
		rc = tl__fail(TL_E_NOMEM, "no memory to watch for fork()");
	return rc;
}

/* --- stores of this process ------------------------------------------------------------------- */

/* The store of this process in the folder, or one that it inherited; NULL for none. */
static holder *find_holder(const holder *of, bool inherited)
{
	holder *h = holders;

	while (h && !(h->device == of->device && h->inode == of->inode &&
			    (h->forks != of->forks) == inherited))
		h = h->next;
	return h;
}

static int register_folder(tl__sqlite *store, const struct stat *folder)
{
	holder *mine = tl__alloc(sizeof *mine);
	bool taken;

	if (!mine)
		return TL_E_NOMEM;
	*mine = (holder){folder->st_dev, folder->st_ino, store->base.forks, store, NULL};
	pthread_mutex_lock(&holders_lock);
	taken = find_holder(mine, false) != NULL;
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

	while (*at && (*at)->store != store)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	tl__free(found);
}

/* SQLite remembers files by their inode, and in a child it remembers those of the parent, with
 * locks that the child does not hold. */
static int refuse_inherited(const tl__sqlite *store)
{
	holder *mine = holders;

	while (mine->store != store)
		mine = mine->next;
	if (!find_holder(mine, true))
		return TL_OK;
	return tl__fail(TL_E_BAD_STATE,
		"%s was open in the process that this one was forked from: here it can be opened "
		"by a program started with exec alone",
		store->folder);
}

/* --- the folder ------------------------------------------------------------------------------- */

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

/* With the holders' lock held: no child comes into being with the lock. */
static int take_lock(tl__sqlite *store)
{
	store->lock_fd = openat(
		store->folder_fd, TL__SQ_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return fail_errno(store, errno, "open the lock file in");
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		int rc = refuse_inherited(store);

		return rc == TL_OK ? write_pid(store) : rc;
	}
	if (errno != EWOULDBLOCK)
		return fail_errno(store, errno, "lock");
	return fail_locked(store);
}

/* The file, readable by its owner alone; SQLite gives its log the same mode. */
static int make_file(tl__sqlite *store)
{
	struct stat info = {0};
	int fd = openat(
		store->folder_fd, TL__SQ_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = fd < 0 || fstat(fd, &info) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (error == ELOOP)
		return tl__fail(TL_E_IO,
			TL__SQ_FILE " in %s is a symbolic link; give the directory where the file "
				    "is",
			store->folder);
	if (error != 0)
		return fail_errno(store, error, "open " TL__SQ_FILE " in");
	if (!S_ISREG(info.st_mode))
		return tl__fail(TL_E_IO, TL__SQ_FILE " in %s is no file", store->folder);
	store->device = info.st_dev;
	store->inode = info.st_ino;
	return tl__sq_place(store->folder_fd, store->folder, TL__SQ_FILE, &store->place);
}

int tl__sq_lock(tl__sqlite *store)
{
	int rc = watch_forks();

	if (rc == TL_OK)
		rc = open_folder(store);
	if (rc != TL_OK)
		return rc;
	pthread_mutex_lock(&holders_lock);
	rc = take_lock(store);
	pthread_mutex_unlock(&holders_lock);
	return rc == TL_OK ? make_file(store) : rc;
}

/* A child that lives on shares the lock until it is given up. */
void tl__sq_unlock(tl__sqlite *store)
{
	pthread_mutex_lock(&holders_lock);
	if (store->lock_fd >= 0) {
		(void)flock(store->lock_fd, LOCK_UN);
		close(store->lock_fd);
	}
	if (store->folder_fd >= 0)
		close(store->folder_fd);
	if (store->registered)
		unregister_folder(store);
	store->lock_fd = store->folder_fd = -1;
	store->registered = false;
	pthread_mutex_unlock(&holders_lock);
}
