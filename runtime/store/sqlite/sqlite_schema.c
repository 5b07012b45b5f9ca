/* The schema, its version, and the checksum key. */
#include <endian.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/siphash.h"
#include "store/sqlite/sqlite.h"

/* Version 1; what came later is in sqlite_upgrade.c, which brings older files up to date.
 *
 * `sum` is the keyed checksum of the columns before it. Numbers n are database << 40 | arrival. */
static const char schema[] =
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE database(k INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, voids INTEGER NOT "
	"NULL, void_bytes INTEGER NOT NULL, "
	"asides INTEGER NOT NULL, sum INTEGER NOT NULL);"
	"CREATE TABLE scope(k INTEGER PRIMARY KEY, db INTEGER NOT NULL, name BLOB NOT NULL, "
	"sum INTEGER NOT NULL, UNIQUE(db, name));"
	"CREATE TABLE entry(n INTEGER PRIMARY KEY, db INTEGER NOT NULL, id BLOB NOT NULL, "
	"height INTEGER NOT NULL, verdict INTEGER NOT NULL, frontier INTEGER NOT NULL, "
	"size INTEGER NOT NULL, parents BLOB NOT NULL, stores BLOB NOT NULL, chain BLOB NOT NULL, "
	"sum INTEGER NOT NULL, "
	"bytes BLOB NOT NULL, UNIQUE(id, db));"
	"CREATE TABLE child(parent INTEGER NOT NULL, child INTEGER NOT NULL, sum INTEGER NOT NULL, "
	"PRIMARY KEY(parent, child)) WITHOUT ROWID;"
	"CREATE TABLE place(scope INTEGER NOT NULL, height INTEGER NOT NULL, id BLOB NOT NULL, "
	"n INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(scope, height, id)) WITHOUT ROWID;"
	"CREATE TABLE tip(scope INTEGER NOT NULL, id BLOB NOT NULL, sum INTEGER NOT NULL, "
	"PRIMARY KEY(scope, id)) WITHOUT ROWID;"
	"CREATE TABLE frontier(k INTEGER PRIMARY KEY, db INTEGER NOT NULL, hash BLOB NOT NULL, "
	"ids BLOB NOT NULL, UNIQUE(db, hash));"
	"CREATE TABLE state(scope INTEGER NOT NULL, path BLOB NOT NULL, "
	"kind INTEGER NOT NULL, height INTEGER NOT NULL, id BLOB NOT NULL, value BLOB NOT NULL, "
	"sum INTEGER NOT NULL, PRIMARY KEY(scope, path, kind)) WITHOUT ROWID;"
	"CREATE TABLE aside(seq INTEGER PRIMARY KEY, db INTEGER NOT NULL, id BLOB NOT NULL, "
	"verdict INTEGER NOT NULL, sender BLOB NOT NULL, related INTEGER NOT NULL, "
	"reason INTEGER NOT NULL, rules INTEGER NOT NULL, pinned INTEGER NOT NULL, "
	"size INTEGER NOT NULL, sum INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE(id, db));"
	"CREATE INDEX aside_order ON aside(verdict, seq);"
	"CREATE INDEX aside_order_of ON aside(db, verdict, seq);"
	"CREATE TABLE wait(db INTEGER NOT NULL, pending BLOB NOT NULL, awaited BLOB NOT NULL, "
	"PRIMARY KEY(db, pending, awaited)) WITHOUT ROWID;"
	"CREATE INDEX wait_awaited ON wait(awaited, db, pending);"
	"CREATE TABLE usage(verdict INTEGER NOT NULL, sender BLOB NOT NULL, count INTEGER NOT "
	"NULL, "
	"bytes INTEGER NOT NULL, PRIMARY KEY(verdict, sender)) WITHOUT ROWID;"
	"CREATE TABLE local(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, "
	"sum INTEGER NOT NULL);"
	"CREATE TABLE secret(name BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, "
	"sum INTEGER NOT NULL);"
	"INSERT INTO meta VALUES ('sequence', 0);";

/* One number that a pragma or query gives. */
static int ask(tl__sq_conn *conn, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return tl__sq_fail(conn, rc, "open");
	rc = sqlite3_step(stmt);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		rc = tl__sq_fail(conn, rc, "open");
	else
		rc = TL_OK;
	sqlite3_finalize(stmt);
	return rc;
}

/* The key, with a checksum by itself, so that damage to it is told as such. */
static int put_key(tl__sqlite *store, tl__sq_conn *conn)
{
	uint64_t memory[3];
	sqlite3_stmt *stmt;
	int rc;

	tl_random_bytes(memory, 2 * sizeof memory[0]);
	for (int i = 0; i < 2; i++)
		store->sum_key[i] = le64toh(memory[i]);
	memory[2] = htole64(tl__siphash(store->sum_key, memory, 2 * sizeof memory[0]));
	rc = sqlite3_prepare_v2(
		conn->db, "INSERT INTO meta VALUES ('sum_key', ?1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(stmt, 1, memory, sizeof memory, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_DONE)
		rc = tl__sq_fail(conn, rc, "create");
	else
		rc = TL_OK;
	sqlite3_finalize(stmt);
	return rc;
}

static int get_key(tl__sqlite *store, tl__sq_conn *conn)
{
	uint64_t memory[3];
	sqlite3_stmt *stmt;
	bool good = false;
	int rc = sqlite3_prepare_v2(
		conn->db, "SELECT value FROM meta WHERE name = 'sum_key'", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == (int)sizeof memory) {
		memcpy(memory, sqlite3_column_blob(stmt, 0), sizeof memory);
		memcpy(store->sum_key, memory, sizeof store->sum_key);
		good = memory[2] ==
		       tl__siphash(store->sum_key, store->sum_key, sizeof store->sum_key);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		rc = tl__sq_fail(conn, rc, "open");
	else if (!good)
		rc = tl__fail(TL_E_STORE_DAMAGED,
			"%s has lost the key of its checksums: the file was damaged; restore a "
			"backup",
			store->file);
	else
		rc = TL_OK;
	sqlite3_finalize(stmt);
	return rc;
}

static int create(tl__sqlite *store, tl__sq_conn *conn)
{
	char sql[96];
	int rc = tl__sq_exec(conn, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE", "create");

	if (rc != TL_OK)
		return rc;
	sqlite3_snprintf(sizeof sql, sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
		TL__SQ_APPLICATION, TL__SQ_VERSION);
	rc = tl__sq_exec(conn, sql, "create");
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, schema, "create");
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, tl__sq_schema_2, "create");
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, tl__sq_schema_3, "create");
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, tl__sq_schema_4, "create");
	if (rc == TL_OK)
		rc = put_key(store, conn);
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, "COMMIT", "create");
	return rc;
}

static int check_version(const tl__sqlite *store, int64_t application, int64_t version)
{
	if (application != TL__SQ_APPLICATION)
		return tl__fail(TL_E_STORE_DAMAGED,
			"%s is a database, but not one of tidelock; choose another directory",
			store->file);
	if (version > TL__SQ_VERSION)
		return tl__fail(TL_E_STORE_NEWER,
			"%s was written by a newer version of tidelock (schema %" PRId64
			", this one knows %d); update tidelock",
			store->file, version, TL__SQ_VERSION);
	if (version < 1)
		return tl__fail(TL_E_STORE_DAMAGED,
			"%s says schema %" PRId64 ", which never was; restore a backup",
			store->file, version);
	return TL_OK;
}

int tl__sq_schema(tl__sqlite *store, tl__sq_conn *conn)
{
	int64_t tables = 0, application = 0, version = 0;
	int rc = ask(conn, "SELECT count(*) FROM sqlite_schema", &tables);

	if (rc == TL_OK)
		rc = ask(conn, "PRAGMA application_id", &application);
	if (rc == TL_OK)
		rc = ask(conn, "PRAGMA user_version", &version);
	if (rc != TL_OK)
		return rc;
	if (tables == 0 && application == 0)
		return create(store, conn);
	rc = check_version(store, application, version);
	if (rc == TL_OK)
		rc = get_key(store, conn);
	return rc == TL_OK && version < TL__SQ_VERSION ? tl__sq_upgrade(store, conn, version) : rc;
}
