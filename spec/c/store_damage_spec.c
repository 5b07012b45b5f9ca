/* The SQLite store and bad luck: flipped bytes, a full disk, SIGKILL while writing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "scratch.h"
#include "store_help.h"
#include "base/buf.h"
#include "base/system/env.h"

enum { DB = 1000000, FLIPS = 400, ROUNDS = 8 };

static int open_here(tl__durability durability)
{
	return tl__store_open_sqlite(&store, spec_folder, durability, NULL);
}

static void close_here(void)
{
	tl__store_close(store);
	store = NULL;
}

/* --- everything that can be read, as text ----------------------------------------------------- */

static int dump_entry(void *ud, const tl__entry_row *row)
{
	tl__buf_format(ud, "entry %" PRIu64 " %" PRIu64 " %d %" PRIu64 " %zu %.*s\n", row->arrival,
		row->height, (int)row->verdict, row->frontier, row->parent_count,
		TL__STR_ARG(row->bytes));
	tl__buf_append(ud, row->id.b, TL_ID_BYTES);
	tl__buf_append(ud, row->chain, 32);
	tl__buf_append(ud, row->parents, row->parent_count * sizeof(tl_id));
	return TL_OK;
}

static int dump_member(void *ud, const tl__member_row *row)
{
	tl__buf_format(
		ud, "member %" PRIu64 " %d %d\n", row->height, (int)row->verdict, row->unreadable);
	tl__buf_append(ud, row->parents, row->parent_count * sizeof(tl_id));
	return TL_OK;
}

static int dump_id(void *ud, const tl_id *id)
{
	tl__buf_append(ud, id->b, TL_ID_BYTES);
	return TL_OK;
}

static int dump_name(void *ud, tl_str name)
{
	tl__buf_format(ud, "name %.*s\n", TL__STR_ARG(name));
	return TL_OK;
}

static int dump_state(void *ud, const tl__state_row *row)
{
	tl__buf_format(ud, "state %.*s %d %" PRIu64 " %.*s\n", TL__STR_ARG(row->path),
		(int)row->kind, row->stamp.height, TL__STR_ARG(row->value));
	return dump_id(ud, &row->stamp.id);
}

static int dump_aside(void *ud, const tl__aside_row *row)
{
	tl__buf_format(ud, "aside %d %d %d %u %" PRIu64 " %.*s %.*s\n", (int)row->verdict,
		row->pinned, row->reason, row->rules, row->sequence, TL__STR_ARG(row->sender),
		TL__STR_ARG(row->bytes));
	return dump_id(ud, &row->id);
}

static int dump_local(void *ud, tl_str key, tl_str value)
{
	tl__buf_format(ud, "local %.*s %.*s\n", TL__STR_ARG(key), TL__STR_ARG(value));
	return TL_OK;
}

static int dump_db(void *ud, const tl__db_row *row)
{
	tl__buf_format(ud, "db %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", row->arrivals,
		row->void_count, row->void_bytes);
	tl__buf_append(ud, row->chain, 32);
	return dump_id(ud, &row->db);
}

static int dump_snapshot(tl__snapshot *s, tl__buf *out)
{
	const unsigned all = TL__WITH_BYTES | TL__WITH_PARENTS | TL__WITH_CHAIN;
	tl_id db = id_number(DB), ids[20];
	int rc = tl__read_databases(s, dump_db, out);

	for (unsigned i = 0; i < COUNT(ids); i++)
		ids[i] = id_number(i + 1);
	if (rc == TL_OK)
		rc = tl__read_arrivals(s, &db, 1, 1000, 1000, all, dump_entry, out);
	if (rc == TL_OK)
		rc = tl__read_by_height(s, &db, TL__STR("notes"), NULL, 99, 0, dump_entry, out);
	if (rc == TL_OK)
		rc = tl__read_entries(s, &db, ids, COUNT(ids), all, dump_entry, out);
	if (rc == TL_OK)
		rc = tl__read_members(s, &db, TL__STR("notes"), ids, COUNT(ids), dump_member, out);
	for (unsigned i = 0; rc == TL_OK && i < COUNT(ids); i++)
		rc = tl__read_children(s, &db, &ids[i], dump_entry, out);
	if (rc == TL_OK)
		rc = tl__read_tips(s, &db, TL__STR("notes"), dump_id, out);
	if (rc == TL_OK)
		rc = tl__read_tips(s, &db, TL__STR(""), dump_id, out);
	if (rc == TL_OK)
		rc = tl__read_store_names(s, &db, dump_name, out);
	if (rc == TL_OK)
		rc = tl__read_state_range(
			s, &db, TL__STR("notes"), TL__STR(""), TL__STR(""), 999, dump_state, out);
	if (rc == TL_OK)
		rc = tl__read_aside_list(s, NULL, TL__PENDING, 0, 99, all, dump_aside, out);
	return rc;
}

static int dump(tl__buf *out)
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(store, &s);

	if (rc != TL_OK)
		return rc;
	rc = dump_snapshot(s, out);
	tl__snapshot_close(s);
	if (rc == TL_OK)
		rc = tl__read_locals(store, TL__STR(""), dump_local, out);
	return rc;
}

static void count_finding(void *ud, tl_str sentence)
{
	(void)sentence;
	++*(size_t *)ud;
}

static void print_finding(void *ud, tl_str sentence)
{
	printf("finding: %.*s\n", TL__STR_ARG(sentence));
	++*(size_t *)ud;
}

/* --- flipped bytes ---------------------------------------------------------------------------- */

static bool fill(void)
{
	tl_id waits = id_number(500);
	spec_entry pending = *entry_number(600);
	tl__put_aside aside = {.id = pending.id,
		.bytes = {pending.text, pending.bytes.len},
		.verdict = TL__PENDING,
		.sender = TL__STR("somebody"),
		.waits_for = &waits,
		.waits_count = 1};
	tl__put_local local = {TL__STR("cursor"), TL__STR("a value to flip")};
	tl__batch batch = {.db = id_number(DB),
		.asides = &aside,
		.aside_count = 1,
		.locals = &local,
		.local_count = 1};
	int rc = write_chain(DB, 1, 20, "notes");

	for (unsigned i = 0; rc == TL_OK && i < 40; i++) {
		char path[32], value[32];
		tl__raise raise = {TL__STR("notes"),
			{path, (size_t)snprintf(path, sizeof path, "path %u", i)}, TL__STAMP_LEAF,
			{i, id_number(1 + i % 20)},
			{value, (size_t)snprintf(value, sizeof value, "\"leaf %u\"", i)}};
		tl__batch state = {.db = batch.db, .raises = &raise, .raise_count = 1};

		rc = tl__store_write(store, &state);
	}
	return rc == TL_OK && tl__store_write(store, &batch) == TL_OK;
}

static bool read_file(const char *path, tl__buf *out)
{
	FILE *file = fopen(path, "rb");
	char part[4096];
	size_t len;

	if (!file)
		return false;
	while ((len = fread(part, 1, sizeof part, file)) > 0)
		tl__buf_append(out, part, len);
	fclose(file);
	return out->len > 0 && !out->failed;
}

static bool write_file(const char *path, const tl__buf *bytes)
{
	FILE *file = fopen(path, "wb");
	bool good;

	if (!file)
		return false;
	good = fwrite(bytes->ptr, 1, bytes->len, file) == bytes->len;
	return fclose(file) == 0 && good;
}

/* What came of one flip. */
typedef enum outcome { UNHARMED, TOLD, FOUND, UNNOTICED } outcome;

/* Opens the store and reads everything: it must say what it said before, or that it is damaged, or
 * (for what is missing from an index) the check must find it. */
static outcome look(const tl__buf *expected)
{
	tl__buf seen_now = TL__BUF_INIT;
	size_t findings = 0;
	outcome result = TOLD;

	if (open_here(TL__DURABLE_RELAXED) != TL_OK)
		return TOLD;
	if (dump(&seen_now) == TL_OK) {
		bool same = tl__str_eq(tl__buf_view(&seen_now), tl__buf_view(expected));

		if (same)
			result = UNHARMED;
		else if (tl__store_check(store, count_finding, NULL, &findings) == TL_OK &&
			 findings > 0)
			result = FOUND;
		else
			result = UNNOTICED;
	}
	close_here();
	tl__buf_free(&seen_now);
	return result;
}

static void no_flipped_byte_gives_wrong_data(void)
{
	tl__buf good = TL__BUF_INIT, bytes = TL__BUF_INIT;
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(5));
	size_t count[4] = {0}, findings = 0;
	char path[300];

	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(open_here(TL__DURABLE_RELAXED) == TL_OK);
	REQUIRE(fill() && dump(&good) == TL_OK);
	CHECK_OK(tl__store_check(store, print_finding, NULL, &findings));
	CHECK(findings == 0);
	close_here();
	REQUIRE(read_file(path, &bytes));
	for (int i = 0; i < FLIPS; i++) {
		size_t at = (size_t)tl__random_below(&random, bytes.len);
		char bit = (char)(1 << tl__random_below(&random, 8));
		outcome result;

		/* most of a young file is empty: aim where something is */
		while (bytes.ptr[at] == 0)
			at = (size_t)tl__random_below(&random, bytes.len);
		bytes.ptr[at] = (char)(bytes.ptr[at] ^ bit);
		REQUIRE(write_file(path, &bytes));
		result = look(&good);
		if (result == UNNOTICED)
			printf("byte %zu of page %zu, bit %d: unnoticed\n", at % 4096, at / 4096,
				bit);
		count[result]++;
		bytes.ptr[at] = (char)(bytes.ptr[at] ^ bit);
	}
	printf("of %d flips %zu did no harm, %zu were told, %zu were found by the check\n", FLIPS,
		count[UNHARMED], count[TOLD], count[FOUND]);
	CHECK(count[UNNOTICED] == 0 && count[TOLD] > FLIPS / 4);
	REQUIRE(write_file(path, &bytes));
	CHECK(look(&good) == UNHARMED);
	tl__buf_free(&good);
	tl__buf_free(&bytes);
}

/* Flips the first byte of a text that stands once in the file. */
static bool flip_text(const char *text)
{
	tl__buf bytes = TL__BUF_INIT;
	char path[300], *found;
	bool good = false;

	file_in_folder(path, sizeof path, "tidelock.db");
	if (read_file(path, &bytes)) {
		found = memmem(bytes.ptr, bytes.len, text, strlen(text));
		if (found) {
			*found = (char)(*found ^ 1);
			good = write_file(path, &bytes);
		}
	}
	tl__buf_free(&bytes);
	return good;
}

static void damage_is_told_where_it_is_read(void)
{
	tl_id db = id_number(DB);
	tl_str hurt = TL__STR("path 7"), whole = TL__STR("path 8");
	size_t findings = 0;
	tl__snapshot *s;
	char *value;
	size_t len;

	REQUIRE(open_here(TL__DURABLE_RELAXED) == TL_OK && fill());
	close_here();
	REQUIRE(flip_text("\"leaf 7\"") && flip_text("entry 9") && flip_text("a value to flip"));
	REQUIRE(open_here(TL__DURABLE_RELAXED) == TL_OK);
	REQUIRE(tl__snapshot_open(store, &s) == TL_OK);
	CHECK_CODE(tl__read_state(s, &db, TL__STR("notes"), &hurt, 1, see_state, fresh()),
		TL_E_STORE_DAMAGED);
	CHECK(seen.count == 0);
	CHECK_OK(tl__read_state(s, &db, TL__STR("notes"), &whole, 1, see_state, fresh()));
	CHECK(seen.count == 1);
	CHECK_CODE(tl__read_arrivals(s, &db, 1, 99, 99, TL__WITH_BYTES, see_entry, fresh()),
		TL_E_STORE_DAMAGED);
	CHECK(seen.count == 8); /* those before it */
	CHECK_OK(tl__read_arrivals(s, &db, 1, 99, 99, 0, see_entry, fresh()));
	CHECK(seen.count == 20);
	tl__snapshot_close(s);
	CHECK_CODE(tl__read_local(store, TL__STR("cursor"), &value, &len), TL_E_STORE_DAMAGED);
	CHECK_OK(tl__store_check(store, count_finding, NULL, &findings));
	CHECK(findings == 3);
}

/* --- pages in the wrong place ----------------------------------------------------------------- */

enum { PAGE = 4096, MANY_ENTRIES = 300, STEP = 16, PLACES = 6 };

typedef struct place {
	tl__stamp at;
	uint64_t arrival;
	size_t count;
} place;

static int note_place(void *ud, const tl__entry_row *row)
{
	place *p = ud;

	p->at = (tl__stamp){row->height, row->id};
	p->arrival = row->arrival;
	p->count++;
	return TL_OK;
}

/* Goes on behind the last row until there is none; false when that takes more steps than there can
 * be. */
static bool walk_ends(tl__snapshot *s, bool by_height)
{
	tl_id db = id_number(DB);
	place p = {.arrival = 0};

	for (size_t steps = 0; steps < MANY_ENTRIES; steps++) {
		size_t before = p.count;
		int rc = by_height ? tl__read_by_height(s, &db, TL__STR("notes"),
					     p.count ? &p.at : NULL, STEP, 0, note_place, &p)
				   : tl__read_arrivals(s, &db, p.arrival + 1, UINT64_MAX, STEP, 0,
					     note_place, &p);

		if (rc != TL_OK || p.count == before)
			return p.count <= MANY_ENTRIES;
	}
	return false;
}

static bool walks_end(void)
{
	tl__snapshot *s = NULL;
	bool good = true;

	if (open_here(TL__DURABLE_RELAXED) != TL_OK)
		return true;
	if (tl__snapshot_open(store, &s) == TL_OK)
		good = walk_ends(s, false) && walk_ends(s, true);
	tl__snapshot_close(s);
	close_here();
	return good;
}

static void misplaced_pages_lead_nobody_in_circles(void)
{
	tl__buf bytes = TL__BUF_INIT, spoilt = TL__BUF_INIT;
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(3));
	char path[300];

	file_in_folder(path, sizeof path, "tidelock.db");
	REQUIRE(open_here(TL__DURABLE_RELAXED) == TL_OK);
	CHECK_OK(write_chain(DB, 1, MANY_ENTRIES, "notes"));
	close_here();
	REQUIRE(read_file(path, &bytes));
	tl__buf_append(&spoilt, bytes.ptr, bytes.len);
	for (size_t to = 0; to < bytes.len / PAGE; to++) {
		for (int i = 0; i < PLACES; i++) {
			size_t from = (size_t)tl__random_below(&random, bytes.len / PAGE);

			memcpy(spoilt.ptr + to * PAGE, bytes.ptr + from * PAGE, PAGE);
			REQUIRE(write_file(path, &spoilt));
			CHECK(walks_end());
		}
		memcpy(spoilt.ptr + to * PAGE, bytes.ptr + to * PAGE, PAGE);
	}
	tl__buf_free(&bytes);
	tl__buf_free(&spoilt);
}

/* --- a full disk ------------------------------------------------------------------------------ */

static void a_full_disk_leaves_nothing_half_written(void)
{
	enum { MANY = 300 };
	static spec_entry memory[MANY];
	static tl__put_entry entries[MANY];
	tl__batch batch = {.db = id_number(DB), .entries = entries, .entry_count = MANY};
	size_t findings = 0;

	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(open_here(TL__DURABLE_FULL) == TL_OK);
	CHECK_OK(write_chain(DB, 1, 5, "notes"));
	for (unsigned i = 0; i < MANY; i++)
		entries[i] = put_number(100 + i, &memory[i], 1, NULL, 0);
	REQUIRE(scratch_limit(RLIMIT_FSIZE, 100 * 1024));
	CHECK_CODE(tl__store_write(store, &batch), TL_E_IO);
	CHECK(entries[0].arrival == 0);
	REQUIRE(scratch_limit(RLIMIT_FSIZE, RLIM_INFINITY));
	CHECK(arrivals_of(DB) == 5);
	CHECK_OK(write_entry(DB, 50, 1, NULL, 0, NULL));
	CHECK_OK(tl__store_write(store, &batch));
	CHECK(entries[0].arrival == 7 && arrivals_of(DB) == 6 + MANY);
	CHECK_OK(tl__store_check(store, print_finding, NULL, &findings));
	CHECK(findings == 0);
}

/* --- SIGKILL ---------------------------------------------------------------------------------- */

/* Writes commits of one and of many entries for ever; tells each acknowledged arrival. */
static void write_until_killed(int tell, unsigned from)
{
	if (open_here(TL__DURABLE_FULL) != TL_OK)
		_exit(1);
	for (unsigned n = from;; n++) {
		enum { MANY = 20 };
		spec_entry memory[MANY];
		tl__put_entry entries[MANY];
		tl__put_store in = {TL__STR("notes"), n, NULL, 0, false};
		char path[16];
		tl__raise raise = {TL__STR("notes"),
			{path, (size_t)snprintf(path, sizeof path, "k%u", n % 50)}, TL__STAMP_LEAF,
			{n, id_number(n * MANY)}, TL__STR("1")};
		tl__batch batch = {.db = id_number(DB),
			.entries = entries,
			.entry_count = n % 4 == 0 ? MANY : 1,
			.raises = &raise,
			.raise_count = 1};

		for (unsigned i = 0; i < MANY; i++) {
			entries[i] = put_number(n * MANY + i, &memory[i], n, NULL, 0);
			entries[i].stores = &in;
			entries[i].store_count = 1;
		}
		if (tl__store_write(store, &batch) != TL_OK ||
			write(tell, &entries[batch.entry_count - 1].arrival, 8) != 8)
			_exit(1);
	}
}

static uint64_t kill_a_writer(unsigned round, long milliseconds)
{
	struct timespec pause = {0, milliseconds * 1000000};
	uint64_t last = 0, next;
	int tell[2], status;
	pid_t child;

	if (pipe(tell) != 0)
		return 0;
	child = fork();
	if (child == 0) {
		close(tell[0]);
		write_until_killed(tell[1], round * 100000 + 1);
	}
	close(tell[1]);
	/* not before its first commit */
	if (child > 0 && read(tell[0], &last, sizeof last) == sizeof last) {
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
	}
	while (read(tell[0], &next, sizeof next) == sizeof next)
		last = next;
	close(tell[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	return last;
}

static void a_killed_writer_loses_nothing_acknowledged(void)
{
	for (unsigned round = 1; round <= ROUNDS; round++) {
		uint64_t acknowledged = kill_a_writer(round, 3 + (long)round * 7 % 40);
		size_t findings = 0;
		uint64_t held;

		CHECK(acknowledged > 0);
		REQUIRE(open_here(TL__DURABLE_FULL) == TL_OK);
		held = arrivals_of(DB);
		/* at most one batch was written and not yet told */
		CHECK(held >= acknowledged && held <= acknowledged + 20);
		CHECK_OK(tl__store_check(store, print_finding, NULL, &findings));
		CHECK(findings == 0);
		close_here();
	}
}

int main(void)
{
	RUN_IN_FOLDER(no_flipped_byte_gives_wrong_data);
	RUN_IN_FOLDER(damage_is_told_where_it_is_read);
	RUN_IN_FOLDER(misplaced_pages_lead_nobody_in_circles);
	RUN_IN_FOLDER(a_full_disk_leaves_nothing_half_written);
	RUN_IN_FOLDER(a_killed_writer_loses_nothing_acknowledged);
	return spec_end();
}
