/* A copy of a store: whole, or not there. */
#include <fcntl.h>
#include <tidelock/node.h>
#include "scratch.h"
#include "store_help.h"

enum { DB = 1000000 };

static int open_at(const char *path)
{
	return tl__store_open_sqlite(&store, path, TL__DURABLE_RELAXED, NULL);
}

static void a_backup_is_a_store(void)
{
	char copy[300], folder[300];
	tl__put_key key = {TL__STR("device"), TL__STR("seed")};
	tl__batch batch = {.keys = &key, .key_count = 1};
	char *value;
	size_t len;

	file_in_folder(folder, sizeof folder, "copy");
	file_in_folder(copy, sizeof copy, "copy/tidelock.db");
	REQUIRE(mkdir(folder, 0700) == 0);
	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 300, "notes"));
	CHECK_OK(tl__store_write(store, &batch));
	CHECK_OK(tl__store_backup(store, copy, NULL, NULL));
	CHECK(mode_of(copy) == 0600);
	CHECK_CODE(tl__store_backup(store, copy, NULL, NULL), TL_E_ALREADY_EXISTS);
	CHECK_CODE(tl__store_backup(store, "/nonexistent-folder/file", NULL, NULL), TL_E_IO);
	CHECK_OK(write_chain(DB, 301, 1, "notes"));
	tl__store_close(store);
	store = NULL;
	REQUIRE(open_at(folder) == TL_OK);
	CHECK(arrivals_of(DB) == 300);
	CHECK_OK(tl__read_key(store, TL__STR("device"), &value, &len));
	CHECK(len == 4 && memcmp(value, "seed", 4) == 0);
	tl__free(value);
}

/* Ends it at the second time it is told. */
static bool end_copy(void *ud, uint64_t done, uint64_t total)
{
	int *told = ud;

	CHECK(done > 0 && done < total);
	return ++*told < 2;
}

static void a_backup_that_is_ended_leaves_nothing(void)
{
	char copy[300], journal[320];
	int told = 0;

	file_in_folder(copy, sizeof copy, "stopped.db");
	snprintf(journal, sizeof journal, "%s-journal", copy);
	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 6000, "notes"));
	CHECK_CODE(tl__store_backup(store, copy, end_copy, &told), TL_E_CANCELLED);
	CHECK(told == 2);
	CHECK(access(copy, F_OK) != 0 && access(journal, F_OK) != 0);
	CHECK_OK(tl__store_backup(store, copy, NULL, NULL));
}

static char growing[300], grown[320];

static bool look_at_copy(void *ud, uint64_t done, uint64_t total)
{
	int *told = ud;

	if (++*told > 1)
		return true;
	CHECK(done < total);
	CHECK(access(growing, F_OK) != 0 && access(grown, F_OK) == 0);
	CHECK_CODE(tl__store_backup(store, growing, NULL, NULL), TL_E_BUSY);
	return true;
}

static void a_backup_has_its_name_once_it_is_whole(void)
{
	int told = 0, fd;

	file_in_folder(growing, sizeof growing, "growing.db");
	snprintf(grown, sizeof grown, "%s%s", growing, TL_BACKUP_PARTIAL);
	fd = open(grown, O_WRONLY | O_CREAT, 0644); /* as one that was killed left it */
	REQUIRE(fd >= 0 && write(fd, "torso", 5) == 5 && close(fd) == 0);
	REQUIRE(open_at(spec_folder) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 6000, "notes"));
	CHECK_OK(tl__store_backup(store, growing, look_at_copy, &told));
	CHECK(told > 1 && mode_of(growing) == 0600);
	CHECK(access(growing, F_OK) == 0 && access(grown, F_OK) != 0);
	REQUIRE(symlink(growing, grown) == 0); /* is not followed */
	REQUIRE(unlink(growing) == 0);
	CHECK_CODE(tl__store_backup(store, growing, NULL, NULL), TL_E_IO);
	CHECK(access(growing, F_OK) != 0);
}

static void memory_has_no_backup(void)
{
	REQUIRE(open_memory() == TL_OK);
	CHECK_CODE(tl__store_backup(store, "/tmp/never", NULL, NULL), TL_E_UNSUPPORTED);
}

int main(void)
{
	RUN_IN_FOLDER(a_backup_is_a_store);
	RUN_IN_FOLDER(a_backup_that_is_ended_leaves_nothing);
	RUN_IN_FOLDER(a_backup_has_its_name_once_it_is_whole);
	RUN_IN_FOLDER(memory_has_no_backup);
	return spec_end();
}
