/* What the machine can do at all: signatures by libsodium, the disk, SQLite. */
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"

#define MESSAGE 700  /* bytes: what an entry signs */
#define WINDOW  0.15 /* seconds of one measurement */
#define ROWS    10000
#define ROW     1024

/* --- signatures ------------------------------------------------------------------------------- */

typedef struct signing {
	unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES], message[MESSAGE];
	double per_s; /* of this thread */
} signing;

static void signing_make(signing *s)
{
	crypto_sign_keypair(s->public, s->secret);
	randombytes_buf(s->message, MESSAGE);
	crypto_sign_detached(s->signature, NULL, s->message, MESSAGE, s->secret);
}

static void *verify_on(void *ud)
{
	signing *s = ud;
	double start = now_s(), end;
	size_t count = 0;

	do {
		for (int i = 0; i < 20; i++)
			need_that(crypto_sign_verify_detached(
					  s->signature, s->message, MESSAGE, s->public) == 0,
				"a good signature");
		count += 20;
		end = now_s();
	} while (end - start < WINDOW);
	s->per_s = (double)count / (end - start);
	return NULL;
}

static double measure_verify(void)
{
	signing s;

	signing_make(&s);
	verify_on(&s);
	return s.per_s;
}

static double measure_verify2(void)
{
	signing s[2];
	pthread_t other;

	signing_make(&s[0]);
	signing_make(&s[1]);
	need_that(pthread_create(&other, NULL, verify_on, &s[1]) == 0, "a second thread");
	verify_on(&s[0]);
	pthread_join(other, NULL);
	return s[0].per_s + s[1].per_s;
}

static double measure_sign(void)
{
	signing s;
	double start, end;
	size_t count = 0;

	signing_make(&s);
	start = now_s();
	do {
		for (int i = 0; i < 20; i++)
			crypto_sign_detached(s.signature, NULL, s.message, MESSAGE, s.secret);
		count += 20;
		end = now_s();
	} while (end - start < WINDOW);
	return (double)count / (end - start);
}

/* --- disk ------------------------------------------------------------------------------------- */

static double measure_fdatasync(void)
{
	char path[SCRATCH_PATH], block[1024] = {1};
	double start, end;
	size_t count = 0;
	int fd;

	work_path(path, "fdatasync");
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	need_that(fd >= 0, "a file to append to");
	start = now_s();
	do {
		need_that(write(fd, block, sizeof block) == sizeof block, "an append");
		need_that(fdatasync(fd) == 0, "fdatasync");
		count++;
		end = now_s();
	} while (end - start < WINDOW);
	close(fd);
	unlink(path);
	return (double)count / (end - start);
}

/* --- SQLite ----------------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	need_that(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, sql);
	return stmt;
}

/* A file of ROWS rows under ids as long as ours, in WAL mode as ours. */
static sqlite3 *rows_open(const char *path)
{
	static char body[ROW];
	sqlite3 *db = NULL;
	sqlite3_stmt *put;
	char id[80];

	need_that(sqlite3_open(path, &db) == SQLITE_OK, "an SQLite file");
	sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(id TEXT PRIMARY KEY, body BLOB)",
		NULL, NULL, NULL);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	put = prepare(db, "INSERT INTO t VALUES(?,?)");
	for (int i = 0; i < ROWS; i++) {
		snprintf(id, sizeof id, "sha256:%064d", i);
		sqlite3_bind_text(put, 1, id, -1, SQLITE_STATIC);
		sqlite3_bind_blob(put, 2, body, sizeof body, SQLITE_STATIC);
		need_that(sqlite3_step(put) == SQLITE_DONE, "a row");
		sqlite3_reset(put);
	}
	sqlite3_finalize(put);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return db;
}

static double measure_point_read(void)
{
	char path[SCRATCH_PATH], id[80], out[ROW];
	double start, end;
	size_t count = 0;
	sqlite3_stmt *get;
	sqlite3 *db;

	work_path(path, "point_read.db");
	db = rows_open(path);
	get = prepare(db, "SELECT body FROM t WHERE id=?");
	start = now_s();
	do {
		snprintf(id, sizeof id, "sha256:%064u", randombytes_uniform(ROWS));
		sqlite3_bind_text(get, 1, id, -1, SQLITE_STATIC);
		need_that(sqlite3_step(get) == SQLITE_ROW, "a row by its id");
		memcpy(out, sqlite3_column_blob(get, 0), sizeof out);
		sqlite3_reset(get);
		count++;
		end = now_s();
	} while (end - start < WINDOW);
	sqlite3_finalize(get);
	sqlite3_close(db);
	unlink(path);
	return (double)count / (end - start);
}

/* --- names ------------------------------------------------------------------------------------ */

static struct stick {
	const char *name;
	double (*measure)(void);
	bool printed;
} sticks[] = {
	{"verify", measure_verify, false},
	{"verify2", measure_verify2, false},
	{"sign", measure_sign, false},
	{"fdatasync", measure_fdatasync, false},
	{"point_read", measure_point_read, false},
	{"raw_http", measure_raw_http, false},
};
#define STICKS (sizeof sticks / sizeof *sticks)

bool is_yardstick(const char *name)
{
	for (size_t i = 0; i < STICKS; i++)
		if (strcmp(sticks[i].name, name) == 0)
			return true;
	return false;
}

static double measure(struct stick *stick)
{
	bench_line line = line_of(stick->name);
	double per_s[REPEATS];

	for (size_t i = 0; i < REPEATS; i++)
		per_s[i] = stick->measure();
	line.per_s = median(per_s, REPEATS);
	line.median_ms = 1e3 / line.per_s;
	if (!stick->printed)
		line_print(&line);
	stick->printed = true;
	return line.per_s;
}

double yardstick(const char *name)
{
	for (size_t i = 0; i < STICKS; i++)
		if (strcmp(sticks[i].name, name) == 0)
			return measure(&sticks[i]);
	need_that(false, "a yardstick of that name");
	return 0;
}
