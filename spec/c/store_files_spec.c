/* The SQLite store and its directory: who may open it, what it says of files it cannot use, what it
 * leaves behind. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "scratch.h"
#include <sqlite3.h>
#include "store_help.h"

enum { DB = 1000000 };

static tl__store *other;

static int open_at(const char *path)
{
	return tl__store_open_sqlite(&store, path, TL__DURABLE_RELAXED, NULL);
}

static bool message_has(const char *text)
{
	bool found = strstr(tl_error_message(tl_last_error()), text) != NULL;

	if (!found)
		printf("message: %s\n", tl_error_message(tl_last_error()));
	return found;
}

/* RUN_IN_FOLDER for cases that open a second store. */
#define RUN_WITH_OTHER(function)                                                                   \
	do {                                                                                       \
		store = other = NULL;                                                              \
		make_folder(spec_folder, sizeof spec_folder);                                      \
		RUN(function);                                                                     \
		tl__store_close(other);                                                            \
		end_case();                                                                        \
	} while (0)

/* --- who may open it -------------------------------------------------------------------------- */

static void a_second_open_is_refused(void)
{
	char same[300];

	REQUIRE(open_at(spec_folder) == TL_OK);
	file_in_folder(same, sizeof same, "../");
	snprintf(same, sizeof same, "%s/../%s", spec_folder, strrchr(spec_folder, '/') + 1);
	CHECK_CODE(tl__store_open_sqlite(&other, same, TL__DURABLE_FULL, NULL), TL_E_ALREADY_OPEN);
	CHECK(other == NULL);
	CHECK_OK(write_chain(DB, 1, 2, NULL));
	tl__store_close(store);
	store = NULL;
	CHECK_OK(open_at(spec_folder));
	CHECK(arrivals_of(DB) == 2);
}

/* A child that holds the store until its input ends. */
static pid_t hold_in_child(int *release)
{
	int ready[2], hold[2];
	char byte = 0;
	pid_t child;

	if (pipe(ready) != 0 || pipe(hold) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		close(hold[1]);
		byte = open_at(spec_folder) == TL_OK ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			while (read(hold[0], &byte, 1) > 0)
				continue;
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	if (child > 0 && (read(ready[0], &byte, 1) != 1 || byte != 'y'))
		FAIL_CASE("the child could not open the store");
	close(ready[0]);
	*release = hold[1];
	return child;
}

static void a_second_process_is_told_the_pid(void)
{
	int release = -1, status;
	pid_t child = hold_in_child(&release);
	char pid[32];

	REQUIRE(child > 0);
	snprintf(pid, sizeof pid, "process %ld", (long)child);
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_LOCKED);
	CHECK(message_has(pid));
	close(release);
	waitpid(child, &status, 0);
	CHECK_OK(open_at(spec_folder)); /* the lock died with its process */
}

static void a_forked_child_does_not_share_it(void)
{
	int status = -1;
	pid_t child;

	REQUIRE(open_at(spec_folder) == TL_OK);
	child = fork();
	if (child == 0)
		_exit(tl__store_open_sqlite(&other, spec_folder, TL__DURABLE_FULL, NULL) ==
					TL_E_STORE_LOCKED
				? 0
				: 1);
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A child that says its pid (unless `tell` is -1), lives until its input ends, and does nothing
 * with what it inherited. */
static pid_t live_on(int *release, int tell)
{
	int hold[2];
	char byte;
	pid_t child;

	if (pipe(hold) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		pid_t self = getpid();

		close(hold[1]);
		if (tell >= 0 && write(tell, &self, sizeof self) != sizeof self)
			_exit(1);
		while (read(hold[0], &byte, 1) > 0)
			continue;
		_exit(0);
	}
	close(hold[0]);
	*release = hold[1];
	return child;
}

static void a_child_that_lives_on_does_not_keep_it(void)
{
	int release = -1, status;
	pid_t child;

	REQUIRE(open_at(spec_folder) == TL_OK);
	child = live_on(&release, -1);
	REQUIRE(child > 0);
	tl__store_close(store);
	store = NULL;
	CHECK_OK(open_at(spec_folder));
	CHECK_OK(write_chain(DB, 1, 1, NULL));
	close(release);
	waitpid(child, &status, 0);
}

/* Opens the store, has a child that says its pid, and waits to be killed. */
static void open_and_fork(int tell)
{
	int release = -1;

	if (open_at(spec_folder) != TL_OK || write_chain(DB, 1, 2, NULL) != TL_OK)
		_exit(1);
	if (live_on(&release, tell) > 0)
		pause();
	_exit(1);
}

static void nor_when_its_parent_is_killed(void)
{
	int tell[2], status;
	pid_t parent, child = 0;

	REQUIRE(pipe(tell) == 0);
	parent = fork();
	if (parent == 0)
		open_and_fork(tell[1]);
	close(tell[1]);
	REQUIRE(parent > 0 && read(tell[0], &child, sizeof child) == sizeof child && child > 0);
	/* The child's input ends with its parent: it is held, not to end before the check. */
	REQUIRE(kill(child, SIGSTOP) == 0);
	REQUIRE(kill(parent, SIGKILL) == 0 && waitpid(parent, &status, 0) == parent);
	CHECK_OK(open_at(spec_folder));
	CHECK(store && arrivals_of(DB) == 2);
	CHECK(kill(child, SIGKILL) == 0);
	close(tell[0]);
}

/* --- modes and descriptors -------------------------------------------------------------------- */

static void others_cannot_look_in(void)
{
	char path[300], file[320];

	file_in_folder(path, sizeof path, "data");
	REQUIRE(open_at(path) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 1, NULL));
	CHECK(mode_of(path) == 0700);
	snprintf(file, sizeof file, "%s/tidelock.db", path);
	CHECK(mode_of(file) == 0600);
	snprintf(file, sizeof file, "%s/tidelock.db-wal", path);
	CHECK(mode_of(file) == 0600);
}

/* Open descriptors, and how many of them a child program would get. */
static int descriptors(int *inherited)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	*inherited = 0;
	if (!folder)
		return -1;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || fd == dirfd(folder))
			continue;
		count++;
		*inherited += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
	}
	closedir(folder);
	return count;
}

static void hold_many(int *at_most, int *inherited)
{
	tl__snapshot *held[20];

	for (size_t i = 0; i < COUNT(held); i++)
		REQUIRE(tl__snapshot_open(store, &held[i]) == TL_OK);
	*at_most = descriptors(inherited);
	for (size_t i = 0; i < COUNT(held); i++)
		tl__snapshot_close(held[i]);
}

static void descriptors_come_back_and_are_not_inherited(void)
{
	int before_inherited, inherited, before = descriptors(&before_inherited);
	int first = 0, again = 0;

	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 2, NULL));
	hold_many(&first, &inherited);
	CHECK(first > before + 20 && inherited == before_inherited);
	for (int i = 0; i < 10; i++)
		hold_many(&again, &inherited);
	CHECK(again == first && inherited == before_inherited);
	tl__store_close(store);
	store = NULL;
	CHECK(descriptors(&inherited) == before);
}

/* --- files that are no store ------------------------------------------------------------------ */

static bool put_file(const char *name, const void *bytes, size_t len)
{
	char path[300];
	FILE *file;
	bool good;

	file_in_folder(path, sizeof path, name);
	file = fopen(path, "wb");
	if (!file)
		return false;
	good = fwrite(bytes, 1, len, file) == len;
	return fclose(file) == 0 && good;
}

static void garbage_is_no_store(void)
{
	char junk[8192];

	for (size_t i = 0; i < sizeof junk; i++)
		junk[i] = (char)(i * 7 + 3);
	REQUIRE(put_file("tidelock.db", junk, sizeof junk));
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_DAMAGED);
	CHECK(message_has("tidelock.db"));
	REQUIRE(put_file("tidelock.db", "", 0)); /* an empty file is a store not yet made */
	CHECK_OK(open_at(spec_folder));
}

/* Overwrites four bytes of the file's header (big-endian). */
static bool patch_header(long at, uint32_t value)
{
	uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
		(uint8_t)value};
	char path[300];
	FILE *file;
	bool good;

	file_in_folder(path, sizeof path, "tidelock.db");
	file = fopen(path, "r+b");
	if (!file)
		return false;
	good = fseek(file, at, SEEK_SET) == 0 && fwrite(b, 1, 4, file) == 4;
	return fclose(file) == 0 && good;
}

static void newer_and_foreign_files_are_refused(void)
{
	REQUIRE(open_at(spec_folder) == TL_OK);
	tl__store_close(store);
	REQUIRE(patch_header(60, 5)); /* user_version */
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_NEWER);
	CHECK(message_has("newer version"));
	REQUIRE(patch_header(60, 0));
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_DAMAGED);
	REQUIRE(patch_header(60, 4));
	REQUIRE(patch_header(68, 12345)); /* application_id */
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_DAMAGED);
	CHECK(message_has("not one of tidelock"));
	REQUIRE(patch_header(68, 0x746c6b31));
	CHECK_OK(open_at(spec_folder));
}

static uint64_t last_joint(void)
{
	tl_id db = id_number(DB);
	tl__snapshot *s = NULL;
	uint64_t joint = UINT64_MAX;

	CHECK_OK(tl__snapshot_open(store, &s));
	CHECK_OK(tl__read_joint(s, &db, UINT64_MAX, &joint));
	tl__snapshot_close(s);
	return joint;
}

static void count_finding(void *ud, tl_str sentence)
{
	printf("%.*s\n", TL__STR_ARG(sentence));
	++*(int *)ud;
}

/* Makes the file one of an older version. */
static void age(const char *sql)
{
	char path[300];
	sqlite3 *raw = NULL;

	tl__store_close(store);
	store = NULL;
	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(sqlite3_open(path, &raw) == SQLITE_OK);
	CHECK(sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_close(raw) == SQLITE_OK);
}

static void check_upgraded(uint64_t joint)
{
	int findings = 0;

	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK(joint > 0 && last_joint() == joint);
	CHECK_OK(tl__store_check(store, count_finding, NULL, &findings));
	CHECK(findings == 0);
}

/* What later versions brought is made of what an older file holds. */
static void older_files_are_upgraded(void)
{
	uint64_t joint;

	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 200, "notes"));
	joint = last_joint();
	age("DROP TABLE joint; DROP TABLE need; DROP TABLE cited; PRAGMA user_version = 1");
	check_upgraded(joint);
	age("DROP TABLE need; DROP TABLE cited; PRAGMA user_version = 2");
	check_upgraded(joint);
}

static void a_truncated_file_is_damaged(void)
{
	char path[300];
	struct stat info;

	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 200, "notes"));
	tl__store_close(store);
	store = NULL;
	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(stat(path, &info) == 0 && truncate(path, info.st_size / 2) == 0);
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_DAMAGED);
	REQUIRE(truncate(path, 300) == 0);
	CHECK_CODE(open_at(spec_folder), TL_E_STORE_DAMAGED);
}

static void paths_that_are_no_folder(void)
{
	char path[300];

	CHECK_CODE(open_at(""), TL_E_BAD_ARGUMENT);
	REQUIRE(put_file("plain", "x", 1));
	file_in_folder(path, sizeof path, "plain");
	CHECK_CODE(open_at(path), TL_E_IO);
	file_in_folder(path, sizeof path, "none/below");
	CHECK_CODE(open_at(path), TL_E_IO);
	CHECK(message_has("none/below"));
}

/* Root may write anywhere: then the attempt is made by a child as somebody else. */
static int open_as_nobody(void)
{
	int status = -1, code;
	pid_t child = fork();

	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(99);
		code = open_at(spec_folder);
		_exit(code == TL_E_STORE_READ_ONLY ? 0 : code == TL_OK ? 1 : 2);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool give_away(const char *name)
{
	char path[300];

	file_in_folder(path, sizeof path, name);
	return geteuid() != 0 || chown(path, 65534, 65534) == 0;
}

static void read_only_places_are_told(void)
{
	char path[300];

	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 1, NULL));
	tl__store_close(store);
	store = NULL;
	REQUIRE(give_away(".") && give_away("tidelock.db") && give_away("lock"));
	CHECK(open_as_nobody() == 1);
	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(chmod(path, 0400) == 0);
	CHECK(open_as_nobody() == 0);
	REQUIRE(chmod(path, 0600) == 0 && chmod(spec_folder, 0500) == 0);
	CHECK(open_as_nobody() == 0);
	REQUIRE(chmod(spec_folder, 0700) == 0);
	CHECK(open_as_nobody() == 1);
}

/* --- while it is open ------------------------------------------------------------------------- */

/* A child that holds SQLite's write lock the way any program does that writes the file. */
static pid_t lock_in_child(int *release)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 120, .l_len = 1};
	int ready[2], hold[2];
	char path[300], byte = 0;
	pid_t child;

	file_in_folder(path, sizeof path, "tidelock.db-shm");
	if (pipe(ready) != 0 || pipe(hold) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		close(hold[1]);
		byte = fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			while (read(hold[0], &byte, 1) > 0)
				continue;
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	if (child > 0 && (read(ready[0], &byte, 1) != 1 || byte != 'y'))
		FAIL_CASE("the child could not take the lock");
	close(ready[0]);
	*release = hold[1];
	return child;
}

static void a_foreign_writer_is_told(void)
{
	int release = -1, status;
	pid_t child;

	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 1, NULL));
	child = lock_in_child(&release);
	REQUIRE(child > 0);
	CHECK_CODE(write_entry(DB, 2, 1, NULL, 0, NULL), TL_E_BUSY);
	CHECK(message_has("another program"));
	CHECK(arrivals_of(DB) == 1); /* readers go on */
	close(release);
	waitpid(child, &status, 0);
	CHECK_OK(write_entry(DB, 2, 1, NULL, 0, NULL));
	CHECK(arrivals_of(DB) == 2);
}

int main(void)
{
	RUN_WITH_OTHER(a_second_open_is_refused);
	RUN_WITH_OTHER(a_second_process_is_told_the_pid);
	RUN_WITH_OTHER(a_forked_child_does_not_share_it);
	RUN_WITH_OTHER(a_child_that_lives_on_does_not_keep_it);
	RUN_WITH_OTHER(nor_when_its_parent_is_killed);
	RUN_WITH_OTHER(others_cannot_look_in);
	RUN_WITH_OTHER(descriptors_come_back_and_are_not_inherited);
	RUN_WITH_OTHER(garbage_is_no_store);
	RUN_WITH_OTHER(newer_and_foreign_files_are_refused);
	RUN_WITH_OTHER(older_files_are_upgraded);
	RUN_WITH_OTHER(a_truncated_file_is_damaged);
	RUN_WITH_OTHER(paths_that_are_no_folder);
	RUN_WITH_OTHER(read_only_places_are_told);
	RUN_WITH_OTHER(a_foreign_writer_is_told);
	return spec_end();
}
