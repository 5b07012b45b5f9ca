/* Every statement of the SQLite backend. Tables are letters in checksums: D database, S scope, E
 * entry, C child, P place, T tip, J joint, M cited, V state, A aside, L local, K secret.
 *
 * Columns that a checksum covers stand first, in the order of the table; `sum` follows. */
#ifndef TL_STORE_SQLITE_SQL_H
#define TL_STORE_SQLITE_SQL_H

#define TL__SQ_ENTRY                                                                               \
	"e.n, e.db, e.id, e.height, e.verdict, e.frontier, e.size, e.parents, e.stores, "          \
	"e.chain, e.sum, CASE WHEN ?1 THEN e.bytes END"

#define TL__SQ_ASIDE                                                                               \
	"a.seq, a.db, a.id, a.verdict, a.sender, a.related, a.reason, a.rules, a.pinned, a.size, " \
	"a.sum, CASE WHEN ?1 THEN a.bytes END"

#define TL__SQL_LIST(X)                                                                            \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(MARK, "SAVEPOINT batch")                                                                 \
	X(MARK_KEEP, "RELEASE batch")                                                              \
	X(MARK_UNDO, "ROLLBACK TO batch")                                                          \
	X(READ, "BEGIN")                                                                           \
	X(DATA_VERSION, "PRAGMA data_version")                                                     \
	/* databases and scopes */                                                                 \
	X(DATABASE_BY_ID, "SELECT k, id, voids, void_bytes, asides, sum FROM database "            \
			  "WHERE id = ?1")                                                         \
	X(DATABASES, "SELECT k, id, voids, void_bytes, asides, sum FROM database "                 \
		     "ORDER BY id")                                                                \
	X(DATABASE_PUT, "INSERT INTO database(k, id, voids, void_bytes, asides, sum) "             \
			"VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(k) DO UPDATE SET "            \
			"voids = ?3, void_bytes = ?4, asides = ?5, sum = ?6")                      \
	X(DATABASE_NEXT, "SELECT coalesce(max(k), 0) + 1 FROM database")                           \
	X(SCOPE_BY_NAME, "SELECT k, db, name, sum FROM scope WHERE db = ?1 AND name = ?2")         \
	X(SCOPES, "SELECT k, db, name, sum FROM scope WHERE db = ?1 ORDER BY name")                \
	X(SCOPE_PUT, "INSERT INTO scope(k, db, name, sum) VALUES (?1, ?2, ?3, ?4)")                \
	X(SCOPE_NEXT, "SELECT coalesce(max(k), 0) + 1 FROM scope")                                 \
	/* entries */                                                                              \
	X(ENTRY_PUT,                                                                               \
		"INSERT INTO entry(n, db, id, height, verdict, frontier, size, parents, stores, "  \
		"chain, sum, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "   \
		"ON CONFLICT(id, db) DO NOTHING")                                                  \
	X(ENTRY_NUMBER, "SELECT n FROM entry WHERE id = ?1 AND db = ?2")                           \
	X(ENTRY_BY_ID, "SELECT " TL__SQ_ENTRY " FROM entry e WHERE e.id = ?2 AND e.db = ?3")       \
	X(ENTRY_LAST, "SELECT " TL__SQ_ENTRY " FROM entry e WHERE e.n BETWEEN ?2 AND ?3 "          \
		      "ORDER BY e.n DESC LIMIT 1")                                                 \
	X(ENTRIES_BY_N,                                                                            \
		"SELECT " TL__SQ_ENTRY " FROM entry e WHERE e.n BETWEEN ?2 AND ?3 ORDER BY e.n "   \
		"LIMIT ?4")                                                                        \
	X(ENTRIES_BY_HEIGHT,                                                                       \
		"SELECT " TL__SQ_ENTRY ", p.scope, p.height, p.id, p.n, p.sum FROM place p "       \
		"CROSS JOIN entry e ON e.n = p.n WHERE p.scope = ?2 AND "                          \
		"(p.height, p.id) > (?3, ?4) ORDER BY p.height, p.id LIMIT ?5")                    \
	X(JOINT_PUT, "INSERT INTO joint(n, sum) VALUES (?1, ?2)")                                  \
	X(JOINT, "SELECT n, sum FROM joint WHERE n BETWEEN ?1 AND ?2 ORDER BY n DESC LIMIT 1")     \
	X(CITED_PUT, "INSERT INTO cited(n, frontier, sum) VALUES (?1, ?2, ?3)")                    \
	X(CITED, "SELECT n, frontier, sum FROM cited WHERE n = ?1")                                \
	X(CHILD_PUT, "INSERT INTO child(parent, child, sum) VALUES (?1, ?2, ?3) "                  \
		     "ON CONFLICT DO NOTHING")                                                     \
	X(CHILDREN, "SELECT " TL__SQ_ENTRY ", c.parent, c.child, c.sum FROM child c "              \
		    "CROSS JOIN entry e ON e.n = c.child WHERE c.parent = ?2 ORDER BY c.child")    \
	X(PLACE_PUT, "INSERT INTO place(scope, height, id, n, sum) VALUES (?1, ?2, ?3, ?4, ?5)")   \
	X(TIP_PUT, "INSERT INTO tip(scope, id, sum) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")   \
	X(TIP_DROP, "DELETE FROM tip WHERE scope = ?1 AND id = ?2")                                \
	X(TIPS, "SELECT scope, id, sum FROM tip WHERE scope = ?1 ORDER BY id")                     \
	X(FRONTIER_BY_HASH, "SELECT k FROM frontier WHERE db = ?1 AND hash = ?2")                  \
	X(FRONTIER_PUT, "INSERT INTO frontier(db, hash, ids) VALUES (?1, ?2, ?3)")                 \
	X(HOLDER, "SELECT d.id FROM entry e CROSS JOIN database d ON d.k = e.db WHERE e.id = ?1")  \
	X(FRONTIER, "SELECT hash, ids FROM frontier WHERE k = ?1 AND db = ?2")                     \
	/* state */                                                                                \
	X(STATE_RAISE,                                                                             \
		"INSERT INTO state(scope, path, kind, height, id, value, sum) "                    \
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(scope, path, kind) DO UPDATE "    \
		"SET height = ?4, id = ?5, value = ?6, sum = ?7 "                                  \
		"WHERE ?4 > height OR (?4 = height AND ?5 > id)")                                  \
	X(STATE_AT, "SELECT scope, path, kind, height, id, value, sum FROM state "                 \
		    "WHERE scope = ?1 AND path = ?2 ORDER BY kind")                                \
	X(STATE_FROM, "SELECT scope, path, kind, height, id, value, sum FROM state "               \
		      "WHERE scope = ?1 AND path >= ?2 ORDER BY path, kind")                       \
	X(STATE_DROP, "DELETE FROM state WHERE scope = ?1 AND path = ?2 AND kind = ?3 AND "        \
		      "(height < ?4 OR (height = ?4 AND id <= ?5))")                               \
	/* set aside */                                                                            \
	X(ASIDE_BY_ID, "SELECT " TL__SQ_ASIDE " FROM aside a WHERE a.id = ?2 AND a.db = ?3")       \
	X(ASIDES_OF,                                                                               \
		"SELECT " TL__SQ_ASIDE " FROM aside a WHERE a.db = ?2 AND a.verdict = ?3 AND "     \
		"a.seq > ?4 ORDER BY a.seq LIMIT ?5")                                              \
	X(ASIDES,                                                                                  \
		"SELECT " TL__SQ_ASIDE ", d.id FROM aside a CROSS JOIN database d ON d.k = a.db "  \
		"WHERE a.verdict = ?2 AND a.seq > ?3 ORDER BY a.seq LIMIT ?4")                     \
	X(ASIDE_PUT,                                                                               \
		"INSERT INTO aside(seq, db, id, verdict, sender, related, reason, rules, pinned, " \
		"size, sum, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")    \
	X(ASIDE_DROP, "DELETE FROM aside WHERE seq = ?1")                                          \
	X(ASIDE_NEXT, "UPDATE meta SET value = value + 1 WHERE name = 'sequence' RETURNING value") \
	X(WAIT_PUT, "INSERT INTO wait(db, pending, awaited) VALUES (?1, ?2, ?3) "                  \
		    "ON CONFLICT DO NOTHING")                                                      \
	X(WAIT_DROP, "DELETE FROM wait WHERE db = ?1 AND pending = ?2")                            \
	X(WAITS, "SELECT awaited FROM wait WHERE db = ?1 AND pending = ?2 ORDER BY awaited")       \
	X(WAITERS, "SELECT d.id, w.pending FROM wait w CROSS JOIN database d ON d.k = w.db "       \
		   "WHERE w.awaited = ?1 ORDER BY w.db, w.pending")                                \
	X(NEED_PUT, "INSERT INTO need(needed, db, pending) VALUES (?1, ?2, ?3) "                   \
		    "ON CONFLICT DO NOTHING")                                                      \
	X(NEED_DROP, "DELETE FROM need WHERE db = ?1 AND pending = ?2")                            \
	X(NEEDED, "SELECT 1 FROM need WHERE needed = ?1 LIMIT 1")                                  \
	X(USAGE_ADD, "INSERT INTO usage(verdict, sender, count, bytes) VALUES (?1, ?2, ?3, ?4) "   \
		     "ON CONFLICT(verdict, sender) DO UPDATE SET count = count + ?3, "             \
		     "bytes = bytes + ?4")                                                         \
	X(USAGE_DROP, "DELETE FROM usage WHERE verdict = ?1 AND sender = ?2 AND count <= 0")       \
	X(USAGE, "SELECT count, bytes FROM usage WHERE verdict = ?1 AND sender = ?2")              \
	/* local documents and keys */                                                             \
	X(LOCAL, "SELECT key, value, sum FROM local WHERE key = ?1")                               \
	X(LOCALS, "SELECT key, value, sum FROM local WHERE key >= ?1 ORDER BY key")                \
	X(LOCAL_PUT, "INSERT INTO local(key, value, sum) VALUES (?1, ?2, ?3) "                     \
		     "ON CONFLICT(key) DO UPDATE SET value = ?2, sum = ?3")                        \
	X(LOCAL_DROP, "DELETE FROM local WHERE key = ?1")                                          \
	X(KEY, "SELECT name, value, sum FROM secret WHERE name = ?1")                              \
	X(KEYS, "SELECT name, value, sum FROM secret ORDER BY name")                               \
	X(KEY_PUT, "INSERT INTO secret(name, value, sum) VALUES (?1, ?2, ?3) "                     \
		   "ON CONFLICT(name) DO UPDATE SET value = ?2, sum = ?3")                         \
	X(KEY_DROP, "DELETE FROM secret WHERE name = ?1")

typedef enum tl__sql {
#define TL__SQL_ENUM(name, text) TL__SQL_##name,
	TL__SQL_LIST(TL__SQL_ENUM)
#undef TL__SQL_ENUM
		TL__SQL_COUNT
} tl__sql;

#endif
