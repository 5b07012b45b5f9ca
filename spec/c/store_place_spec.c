/* An opened store stays that store, whatever happens to its path; and names are names. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "store_help.h"

enum { DB = 1000000, READERS = 12 };

static char home[300], away[300];
static tl__store *second;

static int open_at(const char *path, tl__store **out)
{
	return tl__store_open_sqlite(out, path, TL__DURABLE_FULL, NULL);
}

static void below(char out[300], const char *name)
{
	snprintf(out, 300, "%s/%s", spec_folder, name);
}

static bool there(const char *folder, const char *name)
{
	char path[600];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static bool message_has(const char *text)
{
	bool found = strstr(tl_error_message(tl_last_error()), text) != NULL;

	if (!found)
		printf("message: %s\n", tl_error_message(tl_last_error()));
	return found;
}

/* The store in the directory `home`, with two entries. */
static bool open_home(void)
{
	below(home, "home");
	below(away, "away");
	second = NULL;
	return open_at(home, &store) == TL_OK && write_chain(DB, 1, 2, NULL) == TL_OK;
}

/* More readers at once than are kept, so that connections are opened. */
static int open_readers(void)
{
	tl__snapshot *readers[READERS] = {0};
	int rc = TL_OK;

	for (size_t i = 0; i < READERS && rc == TL_OK; i++) {
		tl_id db = id_number(DB);
		tl__db_row row;

		rc = tl__snapshot_open(store, &readers[i]);
		if (rc == TL_OK)
			rc = tl__read_database(readers[i], &db, &row);
	}
	for (size_t i = 0; i < READERS; i++)
		tl__snapshot_close(readers[i]);
	return rc;
}

static void close_all(void)
{
	tl__store_close(store);
	tl__store_close(second);
	store = second = NULL;
}

/* Everything works on, in the place where the directory is now. */
static void check_it_goes_on(unsigned first)
{
	char copy[300];

	below(copy, "copy.db");
	CHECK_OK(open_readers());
	CHECK_OK(write_chain(DB, first, 2, NULL));
	CHECK(arrivals_of(DB) == first + 1);
	CHECK_OK(tl__store_backup(store, copy, NULL, NULL));
	CHECK(unlink(copy) == 0);
}

/* --- the path goes elsewhere ------------------------------------------------------------------ */

static void a_renamed_directory_is_followed(void)
{
	REQUIRE(open_home());
	REQUIRE(rename(home, away) == 0);
	check_it_goes_on(3);
	CHECK(access(home, F_OK) != 0);
	close_all();
	CHECK(there(away, "tidelock.db") && !there(away, "tidelock.db-wal"));
	CHECK_OK(open_at(away, &store));
	CHECK(arrivals_of(DB) == 4);
}

/* Under the old name there is another store, which has nothing to do with this one. */
static void what_is_made_under_the_old_name_is_left_alone(void)
{
	tl__store *mine;

	REQUIRE(open_home());
	REQUIRE(rename(home, away) == 0 && mkdir(home, 0700) == 0);
	check_it_goes_on(3);
	CHECK(rmdir(home) == 0); /* nothing was put there */
	REQUIRE(open_at(home, &second) == TL_OK);
	mine = store;
	store = second;
	CHECK_OK(write_chain(DB, 1, 1, NULL));
	store = mine;
	check_it_goes_on(5);
	tl__store_close(mine);
	CHECK(there(home, "tidelock.db-wal")); /* the other's log */
	store = second;
	second = NULL;
	CHECK_OK(write_chain(DB, 2, 1, NULL));
	CHECK(arrivals_of(DB) == 2);
	close_all();
	CHECK_OK(open_at(away, &store));
	CHECK(arrivals_of(DB) == 6);
}

static void a_link_that_moves_on_is_not_followed(void)
{
	char link[300], other[300];

	REQUIRE(open_home());
	close_all();
	below(link, "link");
	below(other, "other");
	REQUIRE(symlink(home, link) == 0 && mkdir(other, 0700) == 0);
	REQUIRE(open_at(link, &store) == TL_OK);
	REQUIRE(unlink(link) == 0 && symlink(other, link) == 0);
	check_it_goes_on(3);
	CHECK(rmdir(other) == 0);
}

static void the_working_directory_may_change(void)
{
	char before[300];

	REQUIRE(getcwd(before, sizeof before) && chdir(spec_folder) == 0);
	below(home, "home");
	CHECK_OK(open_at("home", &store));
	CHECK_OK(write_chain(DB, 1, 2, NULL));
	REQUIRE(mkdir("elsewhere", 0700) == 0 && chdir("elsewhere") == 0);
	check_it_goes_on(3);
	CHECK(access("home", F_OK) != 0);
	CHECK_OK(tl__store_backup(store, "here.db", NULL, NULL));
	CHECK(access("here.db", F_OK) == 0);
	CHECK(chdir(before) == 0);
}

/* --- the path goes away ----------------------------------------------------------------------- */

static void a_removed_directory_is_told(void)
{
	REQUIRE(open_home());
	remove_folder(home);
	CHECK_CODE(write_chain(DB, 3, 1, NULL), TL_E_IO);
	CHECK(message_has("was removed"));
	CHECK_CODE(open_readers(), TL_E_IO);
	CHECK(access(home, F_OK) != 0);
	REQUIRE(mkdir(home, 0700) == 0);
	CHECK_CODE(write_chain(DB, 3, 1, NULL), TL_E_IO);
	CHECK_CODE(open_readers(), TL_E_IO);
	close_all();
	CHECK(rmdir(home) == 0);
}

/* The same directory, with the file of another store in it. */
static void a_replaced_file_is_told(void)
{
	char from[300], to[300];

	REQUIRE(open_home());
	REQUIRE(open_at(away, &second) == TL_OK);
	tl__store_close(second);
	second = NULL;
	below(from, "away/tidelock.db");
	below(to, "home/tidelock.db");
	REQUIRE(rename(from, to) == 0);
	CHECK_CODE(write_chain(DB, 3, 1, NULL), TL_E_IO);
	CHECK_CODE(open_readers(), TL_E_IO);
}

static void a_file_that_is_a_link_is_refused(void)
{
	char from[300], to[300];

	REQUIRE(open_home());
	close_all();
	below(from, "home/tidelock.db");
	below(to, "elsewhere.db");
	REQUIRE(rename(from, to) == 0 && symlink(to, from) == 0);
	CHECK_CODE(open_at(home, &store), TL_E_IO);
	CHECK(message_has("symbolic link"));
}

/* --- what a process may do to itself ---------------------------------------------------------- */

/* Root of its own small system, so that it may mount and change its root. */
static bool may_mount(void)
{
	return (geteuid() == 0 && unshare(CLONE_NEWNS) == 0) ||
	       unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
}

static int in_child(int (*run)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		int rc;

		spec_case_ok = true;
		rc = run();
		fflush(stdout);
		_exit(rc != 0 ? rc : spec_case_ok ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

enum { NOT_ALLOWED = 77 };

static int go_on_below_a_mount(void)
{
	if (!may_mount() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		!open_home() || mount("none", home, "tmpfs", 0, NULL) != 0)
		return NOT_ALLOWED;
	check_it_goes_on(3);
	CHECK(!there(home, "tidelock.db"));
	close_all();
	CHECK(!there(home, "tidelock.db"));
	return 0;
}

static void a_mount_above_does_not_hide_it(void)
{
	int rc = in_child(go_on_below_a_mount);

	if (rc == NOT_ALLOWED)
		printf("not looked at: this system lets nobody mount\n");
	else
		CHECK(rc == 0);
}

/* Where there is no /proc the path has to do: what would lead elsewhere is an error. */
static int go_on_without_proc(void)
{
	if (!may_mount() || chroot(spec_folder) != 0 || chdir("/") != 0)
		return NOT_ALLOWED;
	CHECK(access("/proc", F_OK) != 0);
	snprintf(spec_folder, sizeof spec_folder, "%s", "");
	CHECK_OK(open_at("./home", &store));
	if (!store)
		return 1;
	CHECK_OK(write_chain(DB, 1, 2, NULL));
	CHECK_OK(open_readers());
	CHECK_OK(tl__store_backup(store, "copy.db", NULL, NULL));
	CHECK(rename("/home", "/away") == 0);
	CHECK_CODE(write_chain(DB, 3, 1, NULL), TL_E_IO);
	CHECK_CODE(open_readers(), TL_E_IO);
	CHECK(mkdir("/home", 0700) == 0);
	CHECK_OK(open_at("/home", &second));
	if (!second)
		return 1;
	CHECK_CODE(write_chain(DB, 3, 1, NULL), TL_E_IO);
	CHECK_CODE(open_readers(), TL_E_IO);
	tl__store_close(store);
	CHECK(there("/home", "tidelock.db-wal")); /* the other's */
	tl__store_close(second);
	second = NULL;
	CHECK_OK(open_at("/away", &store));
	CHECK(arrivals_of(DB) == 2);
	close_all();
	return 0;
}

static void without_proc_a_moved_directory_is_told(void)
{
	int rc = in_child(go_on_without_proc);

	if (rc == NOT_ALLOWED)
		printf("not looked at: this system lets nobody change the root\n");
	else
		CHECK(rc == 0);
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_are_plain(void)
{
	static const char *const names[] = {"file:data", "file:data?mode=memory",
		":memory:", "data?mode=ro", "data#part", "100%41", "two words", "-n", "a;b",
		"slash/", "slashes//", "data\nbreak"};
	char before[300];

	REQUIRE(getcwd(before, sizeof before) && chdir(spec_folder) == 0);
	for (size_t i = 0; i < COUNT(names); i++) {
		char copy[100];
		size_t len = strcspn(names[i], "/");

		CHECK_OK(open_at(names[i], &store));
		if (!store)
			continue;
		CHECK_OK(write_chain(DB, 1, 2, NULL));
		CHECK_OK(open_readers());
		CHECK(there(names[i], "tidelock.db"));
		snprintf(copy, sizeof copy, "%.*s.copy", (int)len, names[i]);
		CHECK_OK(tl__store_backup(store, copy, NULL, NULL));
		CHECK(access(copy, F_OK) == 0);
		CHECK_CODE(tl__store_backup(store, copy, NULL, NULL), TL_E_ALREADY_EXISTS);
		close_all();
		CHECK_OK(open_at(names[i], &store));
		CHECK(arrivals_of(DB) == 2);
		close_all();
	}
	CHECK(chdir(before) == 0);
}

static void a_backup_needs_a_name(void)
{
	static const char *const names[] = {"", "./", "none/"};
	char missing[300];

	REQUIRE(open_home());
	for (size_t i = 0; i < COUNT(names); i++)
		CHECK_CODE(tl__store_backup(store, names[i], NULL, NULL), TL_E_BAD_ARGUMENT);
	below(missing, "none/copy.db");
	CHECK_CODE(tl__store_backup(store, missing, NULL, NULL), TL_E_IO);
	CHECK_CODE(tl__store_backup(store, ".", NULL, NULL), TL_E_ALREADY_EXISTS);
}

int main(void)
{
	RUN_IN_FOLDER(a_renamed_directory_is_followed);
	RUN_IN_FOLDER(what_is_made_under_the_old_name_is_left_alone);
	RUN_IN_FOLDER(a_link_that_moves_on_is_not_followed);
	RUN_IN_FOLDER(the_working_directory_may_change);
	RUN_IN_FOLDER(a_removed_directory_is_told);
	RUN_IN_FOLDER(a_replaced_file_is_told);
	RUN_IN_FOLDER(a_file_that_is_a_link_is_refused);
	RUN_IN_FOLDER(a_mount_above_does_not_hide_it);
	RUN_IN_FOLDER(without_proc_a_moved_directory_is_told);
	RUN_IN_FOLDER(names_are_plain);
	RUN_IN_FOLDER(a_backup_needs_a_name);
	return spec_end();
}
