/* Looks at everything: SQLite's own integrity, each row's checksum, the bytes of entries against
 * their ids, the chains, and whether the derived tables agree with the entries. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/str.h"
#include "store/sqlite/sqlite.h"

enum {
	MOST_OF_A_KIND = 20, /* findings told one by one; then only that there are more */
	STEPS_BETWEEN = 4096 /* of SQLite's machine, until it is asked whether to go on */
};

typedef struct checker {
	tl__sq_conn *conn;
	tl__finding finding;
	tl__go_on go_on;
	void *ud;
	size_t of_this_kind;
	bool stopped;
} checker;

static void tell(checker *c, const char *format, ...) TL_FORMAT(2, 3);

static void tell(checker *c, const char *format, ...)
{
	char text[512];
	va_list args;

	c->of_this_kind++;
	if (c->of_this_kind > MOST_OF_A_KIND + 1)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (c->of_this_kind > MOST_OF_A_KIND)
		snprintf(text, sizeof text, "and more of this kind");
	c->finding(c->ud, tl__str_z(text));
}

/* A query of this file alone; ended by end(). */
static int start(checker *c, tl__sq_query *q, sqlite3_stmt **stmt, const char *sql)
{
	int rc = sqlite3_prepare_v2(c->conn->db, sql, -1, stmt, NULL);

	*q = (tl__sq_query){.conn = c->conn, .stmt = *stmt, .rc = rc};
	return rc == SQLITE_OK ? TL_OK : tl__sq_fail(c->conn, rc, "check");
}

static int check_sqlite(checker *c)
{
	tl__sq_query q;
	sqlite3_stmt *stmt;
	int rc = start(c, &q, &stmt, "PRAGMA integrity_check(20)");

	while (tl__sq_next(&q, &rc)) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		if (text && strcmp(text, "ok") != 0)
			tell(c, "the file is damaged: %s", text);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* --- checksums -------------------------------------------------------------------------------- */

typedef struct summed {
	char table;
	int columns;
	const char *name;
	const char *sql;
} summed;

static const summed tables[] = {
	{'D', 5, "database", "SELECT k, id, voids, void_bytes, asides, sum FROM database"},
	{'S', 3, "scope", "SELECT k, db, name, sum FROM scope"},
	{'E', 10, "entry",
		"SELECT n, db, id, height, verdict, frontier, size, parents, stores, chain, sum "
		"FROM "
		"entry"},
	{'C', 2, "child", "SELECT parent, child, sum FROM child"},
	{'P', 4, "place", "SELECT scope, height, id, n, sum FROM place"},
	{'J', 1, "joint", "SELECT n, sum FROM joint"},
	{'M', 2, "cited", "SELECT n, frontier, sum FROM cited"},
	{'T', 2, "tip", "SELECT scope, id, sum FROM tip"},
	{'V', 6, "state", "SELECT scope, path, kind, height, id, value, sum FROM state"},
	{'A', 10, "aside",
		"SELECT seq, db, id, verdict, sender, related, reason, rules, pinned, size, sum "
		"FROM aside"},
	{'L', 2, "local", "SELECT key, value, sum FROM local"},
	{'K', 2, "secret", "SELECT name, value, sum FROM secret"},
};

static int check_sums(checker *c, const summed *t)
{
	tl__sq_query q;
	sqlite3_stmt *stmt;
	size_t number = 0;
	int rc = start(c, &q, &stmt, t->sql);

	while (tl__sq_next(&q, &rc)) {
		number++;
		rc = tl__sq_row_check(&q, t->table, 0, t->columns);
		if (rc != TL_E_STORE_DAMAGED)
			continue;
		tell(c, "row %zu of table %s does not match its checksum", number, t->name);
		rc = TL_OK;
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* --- entries and chains ----------------------------------------------------------------------- */

static bool bytes_match(tl_str id, int64_t size, tl_str bytes)
{
	tl_id digest;

	if (id.len != TL_ID_BYTES || bytes.len != (size_t)size)
		return false;
	if (id.ptr[0] != 's')
		return true; /* another algorithm: only its length is checked here */
	tl_id_of(&digest, bytes.ptr, bytes.len);
	return memcmp(digest.b, id.ptr, TL_ID_BYTES) == 0;
}

static int check_asides(checker *c)
{
	tl__sq_query q;
	sqlite3_stmt *stmt;
	int rc = start(c, &q, &stmt, "SELECT seq, id, size, bytes FROM aside");

	while (tl__sq_next(&q, &rc))
		if (!bytes_match(
			    tl__sq_col_blob(&q, 1), tl__sq_col_int(&q, 2), tl__sq_col_blob(&q, 3)))
			tell(c, "the bytes of entry %" PRId64 " set aside do not match its id",
				tl__sq_col_int(&q, 0));
	sqlite3_finalize(stmt);
	return rc;
}

/* What the entries of one database add up to. */
typedef struct tally {
	int64_t db;
	int64_t voids, void_bytes;
	uint64_t arrivals;
	int64_t places; /* of every database: the entry itself, and its stores */
	uint8_t chain[32];
} tally;

static void add_chain(checker *c, tally *t, tl_str id, tl_str chain)
{
	tl_id whole;

	if (id.len == TL_ID_BYTES) {
		memcpy(whole.b, id.ptr, TL_ID_BYTES);
		tl__chain_next(t->chain, &whole);
	}
	if (chain.len == sizeof t->chain && memcmp(chain.ptr, t->chain, sizeof t->chain) == 0)
		return;
	tell(c, "the chain of database %" PRId64 " breaks at arrival %" PRIu64, t->db, t->arrivals);
	if (chain.len == sizeof t->chain)
		memcpy(t->chain, chain.ptr, sizeof t->chain);
}

static void add_entry(checker *c, tally *t, tl__sq_query *q)
{
	int64_t n = tl__sq_col_int(q, 0), size = tl__sq_col_int(q, 4);
	tl_str id = tl__sq_col_blob(q, 1), stores = tl__sq_col_blob(q, 6);
	bool is_void = tl__sq_col_int(q, 3) == TL__VOID;
	tl__sq_member member;
	size_t at = 0;

	t->arrivals++;
	t->voids += is_void;
	t->void_bytes += is_void ? size : 0;
	t->places++;
	while (tl__sq_unpack(stores, &at, &member))
		t->places++;
	if (n != tl__sq_n(t->db, t->arrivals))
		tell(c, "arrival %" PRIu64 " of database %" PRId64 " is missing", t->arrivals,
			t->db);
	t->arrivals = tl__sq_arrival(n);
	if (!bytes_match(id, size, tl__sq_col_blob(q, 5)))
		tell(c,
			"the bytes of arrival %" PRIu64 " of database %" PRId64
			" do not match its id",
			t->arrivals, t->db);
	add_chain(c, t, id, tl__sq_col_blob(q, 2));
}

static int tally_entries(checker *c, tally *t)
{
	tl__sq_query q;
	sqlite3_stmt *stmt;
	int rc = start(c, &q, &stmt,
		"SELECT n, id, chain, verdict, size, bytes, stores FROM entry "
		"WHERE n BETWEEN ?1 AND ?2 ORDER BY n");

	if (rc == TL_OK) {
		tl__sq_int(&q, tl__sq_n(t->db, 0));
		tl__sq_int(&q, tl__sq_n(t->db, TL__SQ_MAX_ARRIVAL));
	}
	while (tl__sq_next(&q, &rc))
		add_entry(c, t, &q);
	sqlite3_finalize(stmt);
	return rc;
}

/* The number of rows of the orders against what the entries carry. */
static int compare_places(checker *c, int64_t expected)
{
	tl__sq_query q;
	sqlite3_stmt *stmt;
	bool row = false;
	int rc = start(c, &q, &stmt, "SELECT count(*) FROM place");

	if (rc == TL_OK)
		rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row && tl__sq_col_int(&q, 0) != expected)
		tell(c, "the orders hold %" PRId64 " places, the entries ask for %" PRId64,
			tl__sq_col_int(&q, 0), expected);
	sqlite3_finalize(stmt);
	return rc;
}

static int check_chains(checker *c)
{
	int64_t places = 0;
	tl__sq_query q;
	sqlite3_stmt *stmt;
	int rc = start(c, &q, &stmt, "SELECT k, voids, void_bytes FROM database ORDER BY k");

	while (tl__sq_next(&q, &rc)) {
		tally t = {.db = tl__sq_col_int(&q, 0)};

		rc = tally_entries(c, &t);
		places += t.places;
		if (rc == TL_OK &&
			(t.voids != tl__sq_col_int(&q, 1) || t.void_bytes != tl__sq_col_int(&q, 2)))
			tell(c, "database %" PRId64 " miscounts its void entries", t.db);
	}
	sqlite3_finalize(stmt);
	return rc == TL_OK ? compare_places(c, places) : rc;
}

/* --- agreement of tables ---------------------------------------------------------------------- */

typedef struct agreement {
	const char *sentence; /* with the count before it */
	const char *sql;
} agreement;

static const agreement agreements[] = {
	{"entries have no place in the order of their database",
		"SELECT count(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM scope s JOIN place p "
		"ON p.scope = s.k AND p.height = e.height AND p.id = e.id AND p.n = e.n WHERE "
		"s.db = e.db AND s.name = x'')"},
	{"places in an order lead nowhere",
		"SELECT count(*) FROM place p WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE "
		"e.n = p.n AND e.id = p.id)"},
	{"tips have children",
		"SELECT count(*) FROM tip t JOIN scope s ON s.k = t.scope AND s.name = x'' JOIN "
		"entry e ON e.id = t.id AND e.db = s.db WHERE EXISTS (SELECT 1 FROM child c WHERE "
		"c.parent = e.n)"},
	{"tips are not in the DAG",
		"SELECT count(*) FROM tip t JOIN scope s ON s.k = t.scope WHERE NOT EXISTS "
		"(SELECT 1 FROM entry e WHERE e.id = t.id AND e.db = s.db)"},
	{"entries without children are no tips",
		"SELECT count(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM child c WHERE "
		"c.parent = e.n) AND NOT EXISTS (SELECT 1 FROM scope s JOIN tip t ON "
		"t.scope = s.k AND t.id = e.id WHERE s.db = e.db AND s.name = x'')"},
	{"lines between parents and children lead nowhere",
		"SELECT count(*) FROM child c WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE "
		"e.n = c.parent) OR NOT EXISTS (SELECT 1 FROM entry e WHERE e.n = c.child)"},
	{"joints lead nowhere",
		"SELECT count(*) FROM joint j WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE "
		"e.n = j.n)"},
	{"citations lead nowhere",
		"SELECT count(*) FROM cited c WHERE NOT EXISTS (SELECT 1 FROM entry e JOIN "
		"frontier f ON f.k = c.frontier AND f.db = e.db WHERE e.n = c.n)"},
	{"databases miscount what they have set aside",
		"SELECT count(*) FROM database d WHERE d.asides <> (SELECT count(*) FROM aside a "
		"WHERE a.db = d.k)"},
	{"senders' use of what is set aside is miscounted",
		"SELECT (SELECT coalesce(sum(count), 0) FROM usage WHERE substr(sender, 1, 1) = "
		"x'73') <> (SELECT count(*) FROM aside) OR (SELECT coalesce(sum(bytes), 0) FROM "
		"usage WHERE substr(sender, 1, 1) = x'73') <> (SELECT coalesce(sum(size), 0) FROM "
		"aside)"},
	{"entries need others without being set aside",
		"SELECT count(*) FROM need n WHERE NOT EXISTS (SELECT 1 FROM aside a WHERE "
		"a.id = n.pending AND a.db = n.db)"},
	{"entries wait without being set aside",
		"SELECT count(*) FROM wait w WHERE NOT EXISTS (SELECT 1 FROM aside a WHERE "
		"a.id = w.pending AND a.db = w.db)"},
};

static int check_agreement(checker *c, const agreement *a)
{
	tl__sq_query q;
	sqlite3_stmt *stmt;
	bool row = false;
	int rc = start(c, &q, &stmt, a->sql);

	if (rc == TL_OK)
		rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row && tl__sq_col_int(&q, 0) != 0)
		tell(c, "%" PRId64 " %s", tl__sq_col_int(&q, 0), a->sentence);
	sqlite3_finalize(stmt);
	return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* A part that cannot be read because of damage is a finding; the other parts are still looked at.
 */
static int told(checker *c, int rc)
{
	if (rc != TL_OK && c->stopped)
		return tl__fail(TL_E_CANCELLED, "the check of the store was stopped");
	if (rc == TL_E_STORE_DAMAGED) {
		tell(c, "%s", tl_error_message(tl_last_error()));
		rc = TL_OK;
	}
	c->of_this_kind = 0;
	return rc;
}

static int check_all(checker *c)
{
	int rc = told(c, check_sqlite(c));

	for (size_t i = 0; rc == TL_OK && i < sizeof tables / sizeof *tables; i++)
		rc = told(c, check_sums(c, &tables[i]));
	if (rc == TL_OK)
		rc = told(c, check_chains(c));
	if (rc == TL_OK)
		rc = told(c, check_asides(c));
	for (size_t i = 0; rc == TL_OK && i < sizeof agreements / sizeof *agreements; i++)
		rc = told(c, check_agreement(c, &agreements[i]));
	return rc;
}

static int may_stop(void *ud)
{
	checker *c = ud;

	c->stopped = !c->go_on(c->ud);
	return c->stopped;
}

int tl__sq_check(tl__store *base, tl__finding finding, tl__go_on go_on, void *ud)
{
	checker c = {.finding = finding, .go_on = go_on, .ud = ud};
	tl__snapshot *s;
	int rc = tl__snapshot_open(base, &s);

	if (rc != TL_OK)
		return rc;
	c.conn = tl__sq_conn_of(s);
	if (go_on)
		sqlite3_progress_handler(c.conn->db, STEPS_BETWEEN, may_stop, &c);
	rc = check_all(&c);
	sqlite3_progress_handler(c.conn->db, 0, NULL, NULL);
	tl__snapshot_close(s);
	return rc;
}
