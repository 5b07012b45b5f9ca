/* Store contract, reading: entries, heights, members, children, frontiers, state; limits and
 * visitors. Each case runs on every backend. */
#include "store_help.h"

enum { DB = 1000000, OTHER = 2000000 };

static tl__snapshot *s; /* of the running case */
static tl_id db;

/* A root, five children of it, one on top of all; each in store "notes", the last in "more" too. */
static bool make_fan(void)
{
	tl_id root = id_number(1), middle[5];
	spec_entry memory;
	tl__put_entry top;
	tl__put_store in[2];
	tl__batch batch = {.db = id_number(DB), .entries = &top, .entry_count = 1};
	tl__put_entry *t = &top;

	if (write_entry(DB, 1, 0, NULL, 0, "notes") != TL_OK)
		return false;
	for (unsigned i = 0; i < 5; i++) {
		middle[i] = id_number(2 + i);
		if (write_entry(DB, 2 + i, 1, &root, 1, "notes") != TL_OK)
			return false;
	}
	*t = put_number(7, &memory, 2, middle, 5);
	t->verdict = TL__VOID;
	in[0] = (tl__put_store){TL__STR("notes"), 2, middle, 3, true};
	in[1] = (tl__put_store){TL__STR("more"), 40, NULL, 0, false};
	t->stores = in;
	t->store_count = 2;
	db = id_number(DB);
	return tl__store_write(store, &batch) == TL_OK && tl__snapshot_open(store, &s) == TL_OK;
}

static int see_row(void *ud, const tl__entry_row *row)
{
	*(tl__entry_row *)ud = *row;
	CHECK(row->parent_count == 5);
	for (unsigned i = 0; row->parents && i < 5; i++) {
		tl_id expected = id_number(2 + i);

		CHECK(same_id(&row->parents[i], &expected));
	}
	CHECK(tl__str_eq(row->bytes, entry_number(7)->bytes));
	return TL_OK;
}

static void entries_by_id(void)
{
	tl_id ids[5] = {id_number(7), id_number(99), id_number(3), id_number(7), id_number(DB)};
	tl__entry_row row = {.height = 0};
	tl_id other = id_number(OTHER);

	REQUIRE(make_fan());
	CHECK_OK(tl__read_entries(s, &db, ids, 5, 0, see_entry, fresh()));
	CHECK(seen.count == 2 && seen.numbers[0] + seen.numbers[1] == 7 + 3);
	CHECK(seen.texts[0][0] == '\0');
	CHECK_OK(tl__read_entries(s, &other, ids, 5, 0, see_entry, fresh()));
	CHECK(seen.count == 0);
	CHECK_OK(tl__read_entries(
		s, &db, ids, 1, TL__WITH_BYTES | TL__WITH_PARENTS | TL__WITH_CHAIN, see_row, &row));
	CHECK(row.arrival == 7 && row.height == 2 && row.verdict == TL__VOID);
	CHECK(row.size == entry_number(7)->bytes.len && row.chain[0] + row.chain[1] > 0);
	tl__snapshot_close(s);
}

static void arrivals_in_a_range(void)
{
	REQUIRE(make_fan());
	CHECK_OK(tl__read_arrivals(s, &db, 3, 5, 100, 0, see_entry, fresh()));
	CHECK(seen.count == 3 && seen.numbers[0] == 3 && seen.numbers[2] == 5);
	CHECK_OK(tl__read_arrivals(s, &db, 3, 100, 2, 0, see_entry, fresh()));
	CHECK(seen.count == 2 && seen.numbers[1] == 4);
	CHECK_OK(tl__read_arrivals(s, &db, 5, 4, 100, 0, see_entry, fresh()));
	CHECK(seen.count == 0);
	CHECK_OK(tl__read_arrivals(s, &db, 0, UINT64_MAX, SIZE_MAX, 0, see_entry, fresh()));
	CHECK(seen.count == 7);
	CHECK_OK(tl__read_arrivals(s, &db, 0, 100, 0, 0, see_entry, fresh()));
	CHECK(seen.count == 0);
	tl__snapshot_close(s);
}

static void visitors_stop_and_fail(void)
{
	REQUIRE(make_fan());
	fresh();
	seen.stop_at = 2;
	seen.stop_with = TL__STORE_STOP;
	CHECK_OK(tl__read_arrivals(s, &db, 1, 7, 100, 0, see_entry, &seen));
	CHECK(seen.count == 2);
	fresh();
	seen.stop_at = 3;
	seen.stop_with = TL_E_CANCELLED;
	CHECK_CODE(tl__read_by_height(s, &db, TL__STR(""), NULL, 100, 0, see_entry, &seen),
		TL_E_CANCELLED);
	CHECK(seen.count == 3);
	tl__snapshot_close(s);
}

static void order_of_height_then_id(void)
{
	tl__stamp after;

	REQUIRE(make_fan());
	CHECK_OK(tl__read_by_height(s, &db, TL__STR(""), NULL, 100, 0, see_height, fresh()));
	CHECK(seen.count == 7 && seen.numbers[0] == 0 && seen.numbers[6] == 2);
	for (size_t i = 1; i < 5; i++)
		CHECK(memcmp(&seen.ids[i], &seen.ids[i + 1], TL_ID_BYTES) < 0);
	after = (tl__stamp){1, seen.ids[3]};
	CHECK_OK(tl__read_by_height(s, &db, TL__STR(""), &after, 2, 0, see_height, fresh()));
	CHECK(seen.count == 2 && memcmp(&after.id, &seen.ids[0], TL_ID_BYTES) < 0);
	CHECK_OK(tl__read_by_height(
		s, &db, TL__STR("more"), NULL, 9, TL__WITH_BYTES, see_height, fresh()));
	CHECK(seen.count == 1 && seen.numbers[0] == 40);
	CHECK(strcmp(seen.texts[0], "entry 7") == 0);
	CHECK_OK(tl__read_by_height(s, &db, TL__STR("none"), NULL, 9, 0, see_height, fresh()));
	CHECK(seen.count == 0);
	tl__snapshot_close(s);
}

static void children_of_an_entry(void)
{
	tl_id root = id_number(1), middle = id_number(4), top = id_number(7);

	REQUIRE(make_fan());
	CHECK_OK(tl__read_children(s, &db, &root, see_entry, fresh()));
	CHECK(seen.count == 5);
	CHECK_OK(tl__read_children(s, &db, &middle, see_entry, fresh()));
	CHECK(seen.count == 1 && same_id(&seen.ids[0], &top));
	CHECK_OK(tl__read_children(s, &db, &top, see_entry, fresh()));
	CHECK(seen.count == 0);
	tl__snapshot_close(s);
}

static uint64_t joint_at(uint64_t upto)
{
	uint64_t out = UINT64_MAX;

	CHECK_OK(tl__read_joint(s, &db, upto, &out));
	return out;
}

/* A chain has one now and then; from a branch on there is none until the branches meet. */
static void joints_are_noted_where_one_tip_is_left(void)
{
	enum { LENGTH = 3 * TL__STORE_JOINT_EVERY };
	tl_id ends[2], last;
	uint64_t joint;

	db = id_number(DB);
	REQUIRE(write_chain(DB, 1, LENGTH, "notes") == TL_OK);
	last = id_number(LENGTH);
	for (unsigned i = 0; i < 2 * TL__STORE_JOINT_EVERY; i++) {
		tl_id parent = i < 2 ? last : ends[i % 2];

		REQUIRE(write_entry(DB, LENGTH + 1 + i, LENGTH + i / 2, &parent, 1, "notes") ==
			TL_OK);
		ends[i % 2] = id_number(LENGTH + 1 + i);
	}
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	joint = joint_at(UINT64_MAX);
	CHECK(joint > LENGTH - TL__STORE_JOINT_EVERY && joint <= LENGTH + 1);
	CHECK(joint_at(joint) == joint && joint_at(joint - 1) < joint);
	CHECK(joint_at(joint - 1) + TL__STORE_JOINT_EVERY <= joint && joint_at(0) == 0);
	tl__snapshot_close(s);
	REQUIRE(write_entry(DB, 2 * LENGTH, 2 * LENGTH, ends, 2, "notes") == TL_OK);
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK(joint_at(UINT64_MAX) == LENGTH + 2 * TL__STORE_JOINT_EVERY + 1);
	db = id_number(OTHER);
	CHECK(joint_at(UINT64_MAX) == 0);
	tl__snapshot_close(s);
}

static int see_member(void *ud, const tl__member_row *row)
{
	tl_id second = id_number(3);

	CHECK(row->unreadable == (row->height == 2));
	CHECK(row->verdict == (row->height == 2 ? TL__VOID : TL__VERIFIED));
	if (row->height == 2)
		CHECK(row->parent_count == 3 && same_id(&row->parents[1], &second));
	return note(ud, &row->id, row->height, TL__STR(""));
}

static void members_and_names_of_stores(void)
{
	tl_id ids[3] = {id_number(7), id_number(2), id_number(50)};

	REQUIRE(make_fan());
	CHECK_OK(tl__read_members(s, &db, TL__STR("notes"), ids, 3, see_member, fresh()));
	CHECK(seen.count == 2 && seen.numbers[0] + seen.numbers[1] == 3);
	CHECK_OK(tl__read_members(s, &db, TL__STR("none"), ids, 3, see_member, fresh()));
	CHECK(seen.count == 0);
	CHECK_OK(tl__read_store_names(s, &db, see_name, fresh()));
	CHECK(seen.count == 2 && strcmp(seen.texts[0], "more") == 0 &&
		strcmp(seen.texts[1], "notes") == 0);
	tl__snapshot_close(s);
}

static int see_frontier_number(void *ud, const tl__entry_row *row)
{
	return note(ud, &row->id, row->frontier, TL__STR(""));
}

static void frontiers_are_interned(void)
{
	tl_id pair[2] = {id_number(1), id_number(2)};
	spec_entry memory[4];
	tl__put_entry entries[4];
	tl__batch batch = {.db = id_number(DB), .entries = entries, .entry_count = 4};

	db = id_number(DB);
	for (unsigned i = 0; i < 4; i++) {
		entries[i] = put_number(i, &memory[i], 0, NULL, 0);
		if (i > 0)
			entries[i].frontier =
				(tl_str){(const char *)pair, i == 2 ? TL_ID_BYTES : sizeof pair};
	}
	CHECK_OK(tl__store_write(store, &batch));
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_arrivals(s, &db, 1, 4, 9, 0, see_frontier_number, fresh()));
	CHECK(seen.count == 4 && seen.numbers[1] == seen.numbers[3]);
	CHECK(seen.numbers[0] != seen.numbers[1] && seen.numbers[1] != seen.numbers[2] &&
		seen.numbers[0] != seen.numbers[2]);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t number = seen.numbers[i];

		CHECK_OK(tl__read_frontier(s, &db, number, see_id, fresh()));
		CHECK(seen.count == (i == 0 ? 0 : i == 1 ? 2 : 1));
		CHECK(i == 0 || same_id(&seen.ids[0], &pair[0]));
		CHECK_OK(tl__read_arrivals(s, &db, 1, 4, 9, 0, see_frontier_number, fresh()));
	}
	tl__snapshot_close(s);
}

static int see_cited_number(void *ud, const tl__entry_row *row)
{
	return note(ud, &row->id, row->cited, TL__STR(""));
}

/* What an entry hands on of citations is kept like a frontier, and shown to who asks for it. */
static void citations_are_interned(void)
{
	tl_id pairs[4] = {id_number(1), id_number(2), id_number(1), id_number(3)};
	spec_entry memory[4];
	tl__put_entry entries[4];
	tl__batch batch = {.db = id_number(DB), .entries = entries, .entry_count = 4};
	uint64_t number;

	db = id_number(DB);
	for (unsigned i = 0; i < 4; i++) {
		entries[i] = put_number(i, &memory[i], 0, NULL, 0);
		if (i > 0)
			entries[i].cited = (tl_str){
				(const char *)pairs, i == 2 ? sizeof pairs : sizeof pairs / 2};
	}
	CHECK_OK(tl__store_write(store, &batch));
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_arrivals(s, &db, 1, 4, 9, 0, see_cited_number, fresh()));
	CHECK(seen.count == 4 && seen.numbers[1] == 0 && seen.numbers[2] == 0);
	CHECK_OK(tl__read_arrivals(s, &db, 1, 4, 9, TL__WITH_CITED, see_cited_number, fresh()));
	CHECK(seen.count == 4 && seen.numbers[0] == 0 && seen.numbers[1] == seen.numbers[3]);
	CHECK(seen.numbers[1] != 0 && seen.numbers[2] != 0 && seen.numbers[1] != seen.numbers[2]);
	number = seen.numbers[2];
	CHECK_OK(tl__read_frontier(s, &db, number, see_id, fresh()));
	CHECK(seen.count == 4);
	for (size_t i = 0; i < 4; i++)
		CHECK(same_id(&seen.ids[i], &pairs[i]));
	tl__snapshot_close(s);
}

static int see_db(void *ud, const tl__db_row *row)
{
	return note(ud, &row->db, row->arrivals, TL__STR(""));
}

static void databases_are_listed(void)
{
	tl__db_row row;
	tl_id other = id_number(OTHER);

	CHECK_OK(write_chain(DB, 1, 3, NULL));
	db = id_number(DB);
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_CODE(tl__read_database(s, &other, &row), TL_E_DATABASE_NOT_FOUND);
	CHECK_OK(tl__read_databases(s, see_db, fresh()));
	CHECK(seen.count == 1 && seen.numbers[0] == 3 && same_id(&seen.ids[0], &db));
	tl__snapshot_close(s);
}

/* --- state ------------------------------------------------------------------------------------ */

static int raise_one(
	unsigned n, uint64_t height, const char *path, tl__stamp_kind kind, const char *value)
{
	tl__raise raise = {
		TL__STR("notes"), tl__str_z(path), kind, {height, id_number(n)}, tl__str_z(value)};
	tl__batch batch = {.db = id_number(DB), .raises = &raise, .raise_count = 1};

	return tl__store_write(store, &batch);
}

static const char *state_at(const char *path)
{
	tl_str one = tl__str_z(path);

	db = id_number(DB);
	fresh();
	seen.texts[0][0] = '\0';
	if (tl__snapshot_open(store, &s) != TL_OK)
		return "no snapshot";
	CHECK_OK(tl__read_state(s, &db, TL__STR("notes"), &one, 1, see_state, &seen));
	tl__snapshot_close(s);
	return seen.texts[0];
}

static void stamps_only_rise(void)
{
	tl_id one = id_number(1), two = id_number(2);
	unsigned low = memcmp(&one, &two, TL_ID_BYTES) < 0 ? 1 : 2, high = 3 - low;

	CHECK_OK(raise_one(low, 5, "a", TL__STAMP_LEAF, "five"));
	CHECK_OK(raise_one(high, 4, "a", TL__STAMP_LEAF, "four"));
	CHECK(strcmp(state_at("a"), "a/2/5/five") == 0);
	CHECK_OK(raise_one(low, 5, "a", TL__STAMP_LEAF, "same"));
	CHECK(strcmp(state_at("a"), "a/2/5/five") == 0);
	CHECK_OK(raise_one(high, 5, "a", TL__STAMP_LEAF, "id"));
	CHECK(strcmp(state_at("a"), "a/2/5/id") == 0);
	CHECK_OK(raise_one(low, 300, "a", TL__STAMP_LEAF, "300"));
	CHECK(strcmp(state_at("a"), "a/2/300/300") == 0);
	CHECK_OK(raise_one(low, UINT32_MAX + UINT64_C(5), "a", TL__STAMP_LEAF, ""));
	CHECK(strcmp(state_at("a"), "a/2/4294967300/") == 0);
	CHECK_OK(raise_one(low, 7, "a", TL__STAMP_DOC, ""));
	CHECK(strcmp(state_at("a"), "a/0/7/") == 0 && seen.count == 2);
	CHECK(strcmp(seen.texts[1], "a/2/4294967300/") == 0);
}

static int drop_one(unsigned n, uint64_t height, const char *path, tl__stamp_kind kind)
{
	tl__raise drop = {
		TL__STR("notes"), tl__str_z(path), kind, {height, id_number(n)}, TL__STR("")};
	tl__batch batch = {.db = id_number(DB), .drops = &drop, .drop_count = 1};

	return tl__store_write(store, &batch);
}

static void stamps_are_dropped_unless_newer(void)
{
	tl_id one = id_number(1), two = id_number(2);
	unsigned low = memcmp(&one, &two, TL_ID_BYTES) < 0 ? 1 : 2, high = 3 - low;

	CHECK_OK(raise_one(high, 5, "a", TL__STAMP_LEAF, "five"));
	CHECK_OK(raise_one(high, 5, "a", TL__STAMP_DOC, ""));
	CHECK_OK(raise_one(high, 5, "ab", TL__STAMP_LEAF, "other"));
	CHECK_OK(drop_one(high, 4, "a", TL__STAMP_LEAF));
	CHECK_OK(drop_one(low, 5, "a", TL__STAMP_LEAF));
	CHECK_OK(drop_one(high, 5, "a", TL__STAMP_LIST));
	CHECK_OK(drop_one(high, 5, "none", TL__STAMP_LEAF));
	CHECK(strcmp(state_at("a"), "a/0/5/") == 0 && seen.count == 2);
	CHECK_OK(drop_one(high, 5, "a", TL__STAMP_LEAF));
	CHECK(strcmp(state_at("a"), "a/0/5/") == 0 && seen.count == 1);
	CHECK_OK(drop_one(low, 6, "a", TL__STAMP_DOC));
	CHECK(strcmp(state_at("a"), "") == 0 && seen.count == 0);
	CHECK(strcmp(state_at("ab"), "ab/2/5/other") == 0);
	CHECK_OK(raise_one(low, 1, "a", TL__STAMP_LEAF, "anew"));
	CHECK(strcmp(state_at("a"), "a/2/1/anew") == 0);
	CHECK_CODE(drop_one(1, 1, "", TL__STAMP_LEAF), TL_E_BAD_ARGUMENT);
}

static void state_by_path_and_range(void)
{
	static const char *const paths[] = {"a", "a1", "a1b", "a2", "b", "\377\377"};
	tl_str asked[3] = {TL__STR("b"), TL__STR("none"), TL__STR("a1")};

	for (size_t i = 0; i < COUNT(paths); i++)
		CHECK_OK(raise_one(1, 1 + i, paths[i], TL__STAMP_LEAF, "v"));
	CHECK_OK(raise_one(1, 9, "a1", TL__STAMP_LIST, ""));
	CHECK_OK(raise_one(1, 8, "a1", TL__STAMP_DOC, ""));
	db = id_number(DB);
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(tl__read_state(s, &db, TL__STR("notes"), asked, 3, see_state, fresh()));
	CHECK(seen.count == 4 && strcmp(seen.texts[0], "b/2/5/v") == 0);
	CHECK(strcmp(seen.texts[1], "a1/0/8/") == 0 && strcmp(seen.texts[2], "a1/1/9/") == 0);
	CHECK(strcmp(seen.texts[3], "a1/2/2/v") == 0);
#define RANGE(prefix, after, limit)                                                                \
	CHECK_OK(tl__read_state_range(s, &db, TL__STR("notes"), TL__STR(prefix), TL__STR(after),   \
		limit, see_state, fresh()))
	RANGE("", "", 100);
	CHECK(seen.count == 8 && strcmp(seen.texts[0], "a/2/1/v") == 0);
	RANGE("a1", "", 100);
	CHECK(seen.count == 4 && strcmp(seen.texts[3], "a1b/2/3/v") == 0);
	RANGE("a", "a1", 100);
	CHECK(seen.count == 2 && strcmp(seen.texts[0], "a1b/2/3/v") == 0);
	RANGE("a", "", 2); /* a path is not cut */
	CHECK(seen.count == 4);
	RANGE("a", "a", 1);
	CHECK(seen.count == 3);
	RANGE("b", "a", 9);
	CHECK(seen.count == 1);
	RANGE("a", "b", 9);
	CHECK(seen.count == 0);
	RANGE("", "b", 9);
	CHECK(seen.count == 1);
	RANGE("\377", "", 9);
	CHECK(seen.count == 1);
	RANGE("\377\377", "\377\377", 9);
	CHECK(seen.count == 0);
	CHECK_OK(tl__read_state_range(
		s, &db, TL__STR("else"), TL__STR(""), TL__STR(""), 9, see_state, fresh()));
	CHECK(seen.count == 0);
	tl__snapshot_close(s);
}

/* --- lack of memory --------------------------------------------------------------------------- */

/* One of every kind of read; what it saw is summed up in `seen`. */
static int read_some(tl_id *ids)
{
	tl_str path = TL__STR("a");
	int rc = tl__read_entries(s, &db, ids, 3, TL__WITH_BYTES, see_entry, fresh());

	if (rc == TL_OK)
		rc = tl__read_arrivals(s, &db, 1, 9, 9, 0, see_entry, &seen);
	if (rc == TL_OK)
		rc = tl__read_by_height(s, &db, TL__STR("notes"), NULL, 9, 0, see_entry, &seen);
	if (rc == TL_OK)
		rc = tl__read_children(s, &db, &ids[1], see_entry, &seen);
	if (rc == TL_OK)
		rc = tl__read_members(s, &db, TL__STR("notes"), ids, 3, see_member, &seen);
	if (rc == TL_OK)
		rc = tl__read_tips(s, &db, TL__STR("notes"), see_id, &seen);
	if (rc == TL_OK)
		rc = tl__read_store_names(s, &db, see_name, &seen);
	if (rc == TL_OK)
		rc = tl__read_state(s, &db, TL__STR("notes"), &path, 1, see_state, &seen);
	if (rc == TL_OK)
		rc = tl__read_state_range(
			s, &db, TL__STR("notes"), TL__STR("a"), TL__STR(""), 9, see_state, &seen);
	if (rc == TL_OK)
		rc = tl__read_aside_list(s, &db, TL__PENDING, 0, 9, 0, see_aside, &seen);
	return rc;
}

/* Each allocation in turn fails once: the read says so, or gives what it gives otherwise. */
static void no_allocation_failure_makes_a_wrong_answer(void)
{
	tl_id ids[3] = {id_number(7), id_number(1), id_number(99)};
	bool fired = true;
	size_t expected;

	REQUIRE(make_fan());
	tl__snapshot_close(s);
	CHECK_OK(raise_one(1, 5, "a", TL__STAMP_LEAF, "five"));
	db = id_number(DB);
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_OK(read_some(ids));
	expected = seen.count;
	CHECK(expected == 2 + 7 + 7 + 5 + 2 + 3 + 2 + 1 + 1);
	tl__snapshot_close(s);
	for (unsigned n = 1; fired && n < 500; n++) {
		int rc;

		tl__alloc_fail_at(n);
		rc = tl__snapshot_open(store, &s);
		if (rc == TL_OK) {
			rc = read_some(ids);
			fired = tl__alloc_fail_at(0);
			CHECK(rc == TL_OK ? seen.count == expected : rc == TL_E_NOMEM && fired);
			CHECK_OK(read_some(ids)); /* the snapshot is as good as before */
			CHECK(seen.count == expected);
			tl__snapshot_close(s);
		} else {
			fired = tl__alloc_fail_at(0);
			CHECK(rc == TL_E_NOMEM && fired);
		}
	}
	CHECK(!fired);
}

int main(void)
{
	RUN_EACH(entries_by_id);
	RUN_EACH(arrivals_in_a_range);
	RUN_EACH(visitors_stop_and_fail);
	RUN_EACH(order_of_height_then_id);
	RUN_EACH(children_of_an_entry);
	RUN_EACH(joints_are_noted_where_one_tip_is_left);
	RUN_EACH(members_and_names_of_stores);
	RUN_EACH(frontiers_are_interned);
	RUN_EACH(citations_are_interned);
	RUN_EACH(databases_are_listed);
	RUN_EACH(stamps_only_rise);
	RUN_EACH(stamps_are_dropped_unless_newer);
	RUN_EACH(state_by_path_and_range);
	RUN_EACH(no_allocation_failure_makes_a_wrong_answer);
	return spec_end();
}
