/* Commits on top of what was committed a moment ago: the store is not asked for it, and nothing
 * else comes out. */
#include "tree_help.h"
#include "verify_help.h"
#include "store/backend.h"
#include "tree/history/recent.h"

static size_t entry_reads, member_reads;
static tl__reads asked;

static int count_entries(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
	unsigned with, tl__entry_visit visit, void *ud)
{
	entry_reads += count;
	return asked.entry->entries(s, db, ids, count, with, visit, ud);
}

static int count_members(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *ids,
	size_t count, tl__member_visit visit, void *ud)
{
	member_reads += count;
	return asked.scope->members(s, db, store, ids, count, visit, ud);
}

/* The entries, and memberships of entries, that one commit reads. */
static void count_reads(tl_database *db, const char *store)
{
	const tl__backend *plain = w.store->backend;
	tl__entry_reads entry = *plain->reads.entry;
	tl__scope_reads scope = *plain->reads.scope;
	tl__backend counting = *plain;

	asked = plain->reads;
	entry.entries = count_entries;
	scope.members = count_members;
	counting.reads.entry = &entry;
	counting.reads.scope = &scope;
	entry_reads = member_reads = 0;
	w.store->backend = &counting;
	write_text(db, store, "k", "1");
	w.store->backend = plain;
}

static void a_commit_on_the_last_one_reads_neither_entries_nor_members(void)
{
	tl_database *db = new_database("admin");

	write_text(db, "data", "k", "0");
	count_reads(db, "data");
	CHECK(entry_reads == 0 && member_reads == 0);
	count_reads(db, "other");
	CHECK(entry_reads == 0 && member_reads == 0);
	add_key(db, "writer", (tl_permission){TL_WRITE, 1}); /* settings: read by those on top */
	count_reads(db, "data");
	CHECK(entry_reads > 0 && member_reads > 0);
	count_reads(db, "data");
	CHECK(entry_reads == 0 && member_reads == 0);
	tl_database_free(db);
}

static void forget(const tl_id *db, const tl_id *id)
{
	tl__put_entry other = {.id = *id, .verdict = TL__VERIFIED, .frontier = z("")};

	other.id.b[1] ^= 0xff;
	tl__recent_note(w.tree.recent, db, &other);
}

/* One more entry, of a kind that a random number tells. */
static tl_id write_any(tl_database *db, const tl_id *ids, size_t count, uint64_t n)
{
	static const char *const stores[] = {"data", "other", "third"};
	const char *store = stores[n / 16 % 3];
	tl_id tips[2];
	size_t used = 1;

	if (count < 2 || n % 4 == 0)
		return write_text(db, store, n % 8 ? "a" : "b.c", "1");
	if (n % 4 == 1)
		return add_key(db, "writer", (tl_permission){TL_WRITE, (uint32_t)count});
	tips[0] = ids[count - 1 - n / 64 % (count < 9 ? count : 9)];
	tips[1] = ids[n / 1024 % count];
	if (n % 4 == 3 && memcmp(&tips[0], &tips[1], sizeof *tips) != 0)
		used = 2;
	return write_text_at(db, tips, used, store, "a", "2");
}

/* Chains, forks, joins, many stores and settings between, more than are kept; with what was kept
 * taken away now and then. What was written is what verify derives from the entries alone. */
static void what_is_written_on_recent_ones_is_right(void)
{
	enum { COMMITS = 3 * TL__RECENT_COUNT };
	tl_database *db = new_database("admin");
	tl_id ids[COMMITS];
	uint64_t findings = 1;

	for (size_t i = 0; i < COMMITS; i++) {
		uint64_t n = tl__random_u64(&w.tree.random);

		ids[i] = write_any(db, ids, i, n >> 3);
		if (n % 8 == 0)
			forget(tl_database_root_id(db), &ids[i]);
	}
	CHECK_OK(find_all(db, NULL, &findings));
	CHECK(findings == 0);
	tl_database_free(db);
}

static void only_what_is_kept_is_told(void)
{
	tl_database *db = new_database("admin"), *other = new_database("other");
	tl_id id = write_text(db, "data", "k", "0"), settings;

	CHECK(tl__recent_has(w.tree.recent, tl_database_root_id(db), &id, 1));
	CHECK(!tl__recent_has(w.tree.recent, tl_database_root_id(other), &id, 1));
	settings = add_key(db, "writer", (tl_permission){TL_WRITE, 1});
	CHECK(!tl__recent_has(w.tree.recent, tl_database_root_id(db), &settings, 1));
	tl_database_free(other);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(a_commit_on_the_last_one_reads_neither_entries_nor_members);
	RUN_EACH(what_is_written_on_recent_ones_is_right);
	RUN_EACH(only_what_is_kept_is_told);
	return spec_end();
}
