/* The spool: order, limits, the temporary file. */
#include <dirent.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/system/env.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "model/entry_impl.h"
#include "v0/spool/spool_impl.h"

/* A chain (or a random DAG) of unsigned entries; the spool looks at no signature. */
typedef struct dag {
	tl_entry **at;
	size_t count;
} dag;

static tl_entry *build(const tl_entry *root, tl_entry *const *parents, size_t count, tl_str data)
{
	tl_entry_builder *builder = NULL;
	tl_entry *entry = NULL;
	char text[TL_ID_TEXT_LEN + 1];

	if (tl_entry_builder_new(&builder) != TL_OK)
		return NULL;
	if (root) {
		tl_id_format(tl_entry_id(root), text);
		tl_entry_builder_tree(builder, tl__str_z(text));
	} else {
		tl_entry_builder_store(builder, TL__STR("_root"), TL__STR(""));
	}
	for (size_t i = 0; i < count; i++) {
		tl_id_format(tl_entry_id(parents[i]), text);
		tl_entry_builder_parent(builder, tl__str_z(text));
		tl_entry_builder_store_parent(builder, TL__STR("notes"), tl__str_z(text));
	}
	tl_entry_builder_store(builder, TL__STR("notes"), data);
	if (tl_entry_builder_finish(builder, NULL, &entry) != TL_OK)
		entry = NULL;
	tl_entry_builder_free(builder);
	return entry;
}

static void dag_free(dag *d)
{
	for (size_t i = 0; i < d->count; i++)
		tl_entry_free(d->at[i]);
	tl__free(d->at);
	*d = (dag){NULL, 0};
}

static bool dag_make(dag *d, size_t count, uint64_t seed)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, seed);
	char data[160];

	d->at = tl__alloc_zero(count, sizeof(tl_entry *));
	for (d->count = 0; d->at && d->count < count; d->count++) {
		tl_entry *parents[2];
		size_t n = 0;

		memset(data, 'x', sizeof data);
		snprintf(data, sizeof data, "%zu of %zu", d->count, (size_t)seed);
		data[strlen(data)] = ' ';
		if (d->count > 0) {
			size_t back = 1 + tl__random_below(&random, d->count < 5 ? d->count : 5);

			parents[n++] = d->at[d->count - back];
			if (back > 1)
				parents[n++] = d->at[d->count - 1];
		}
		d->at[d->count] =
			build(d->count ? d->at[0] : NULL, parents, n, (tl_str){data, sizeof data});
		if (!d->at[d->count])
			return false;
	}
	return d->at != NULL;
}

static void shuffle(tl_entry **list, size_t count, uint64_t seed)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, seed);

	for (size_t i = count; i > 1; i--) {
		size_t j = tl__random_below(&random, i);
		tl_entry *other = list[i - 1];

		list[i - 1] = list[j];
		list[j] = other;
	}
}

/* Takes everything that comes out; checks that parents went before. */
typedef struct drain {
	tl__map seen;
	size_t lines, pages, largest;
	bool parents_first, end;
} drain;

static int take(tl__spool *spool, drain *d)
{
	tl__spool_page page;
	int code;

	do {
		code = tl__spool_next(spool, &page);
		for (size_t i = 0; code == TL_OK && i < page.count; i++) {
			tl_entry *entry;
			const tl_id *names;
			size_t count;

			code = tl_entry_parse(&entry, page.lines[i], TL_ENTRY_CANONICAL);
			if (code != TL_OK)
				break;
			names = tl__entry_names(entry, &count);
			for (size_t k = 0; k < count; k++)
				if (!tl__map_has(&d->seen, tl__map_key_id(&names[k])))
					d->parents_first = false;
			code = tl__map_set(&d->seen, tl__map_key_id(tl_entry_id(entry)), d);
			tl_entry_free(entry);
		}
		d->lines += page.count;
		d->pages += page.count > 0;
		d->largest = page.count > d->largest ? page.count : d->largest;
		d->end = page.end;
	} while (code == TL_OK && page.count > 0);
	return code;
}

static void drain_init(drain *d)
{
	*d = (drain){.parents_first = true};
	tl__map_init(&d->seen);
}

static int add(tl__spool *spool, const tl_entry *entry, int *refused)
{
	return tl__spool_add(spool, tl_entry_bytes(entry), TL_ENTRY_CANONICAL, refused);
}

static void lines_in_order_go_out_at_once(void)
{
	dag d;
	drain out;
	tl__spool *spool = NULL;
	tl__spool_usage usage;
	int refused;

	REQUIRE(dag_make(&d, 2000, 1));
	drain_init(&out);
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0])}) == TL_OK);
	for (size_t i = 0; i < d.count; i++) {
		CHECK_OK(add(spool, d.at[i], &refused));
		if (i % 100 == 99) {
			CHECK_OK(take(spool, &out));
			CHECK(out.lines == i + 1);
		}
	}
	usage = spool->usage;
	CHECK(usage.waiting == 0 && usage.memory_bytes == 0 && usage.file_bytes == 0);
	CHECK(!out.end && out.parents_first);
	tl__spool_finish(spool);
	CHECK_OK(take(spool, &out));
	CHECK(out.end && out.lines == d.count);
	CHECK_CODE(add(spool, d.at[0], &refused), TL_E_BAD_ARGUMENT);
	tl__spool_free(spool);
	tl__map_free(&out.seen);
	dag_free(&d);
}

static size_t files_in(const char *directory)
{
	DIR *dir = opendir(directory);
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* What the limit promises after a line was added, given the index before. */
static bool within(const tl__spool_usage *now, uint64_t index_before, size_t limit)
{
	return now->memory_bytes <= TL__SPOOL_WRITE_BYTES ||
	       index_before + now->memory_bytes <= limit;
}

static void random_order_goes_through_a_file_without_a_name(void)
{
	char directory[] = "/tmp/tidelock-spool-XXXXXX";
	tl__spool_options options = {.memory_bytes = 65536, .directory = directory};
	tl__spool *spool = NULL;
	tl__spool_usage usage = {0};
	tl_entry *root;
	dag d;
	drain out;
	int refused;

	REQUIRE(mkdtemp(directory) != NULL);
	REQUIRE(dag_make(&d, 100000, 2));
	root = d.at[0];
	options.db = *tl_entry_id(root);
	shuffle(d.at, d.count, 3);
	drain_init(&out);
	REQUIRE(tl__spool_new(&spool, &options) == TL_OK);
	for (size_t i = 0; i < d.count; i++) {
		CHECK_OK(add(spool, d.at[i], &refused));
		if (i % 5000 == 0)
			CHECK_OK(take(spool, &out));
		usage = spool->usage;
		CHECK(usage.memory_bytes <= TL__SPOOL_WRITE_BYTES);
	}
	CHECK(usage.file_bytes > 32 * 1024 * 1024);
	/* Node, id, its places in the table, and an edge for each second line that waits. */
	CHECK(usage.index_bytes > d.count * 60 && usage.index_bytes < d.count * 80);
	CHECK(files_in(directory) == 2);
	tl__spool_finish(spool);
	CHECK_OK(take(spool, &out));
	CHECK(out.end && out.parents_first && out.lines == d.count);
	CHECK(out.largest == TL__PAGE_MAX_ENTRIES);
	tl__spool_free(spool);
	tl__map_free(&out.seen);
	dag_free(&d);
	CHECK(rmdir(directory) == 0);
}

static void index_and_lines_share_one_limit(void)
{
	tl__spool_options options = {.memory_bytes = 1024 * 1024};
	tl__spool *spool = NULL;
	tl__spool_usage usage = {0}, before = {0};
	dag d;
	uint64_t most = 0;
	int refused;

	REQUIRE(dag_make(&d, 20000, 14));
	options.db = *tl_entry_id(d.at[0]);
	REQUIRE(tl__spool_new(&spool, &options) == TL_OK);
	for (size_t i = d.count; i > 0; i--) {
		before = spool->usage;
		CHECK_OK(add(spool, d.at[i - 1], &refused));
		usage = spool->usage;
		CHECK(within(&usage, before.index_bytes, options.memory_bytes));
		most = usage.memory_bytes > most ? usage.memory_bytes : most;
	}
	/* Lines filled what the index left, and gave way when it grew. */
	CHECK(most > options.memory_bytes / 2);
	CHECK(usage.index_bytes > options.memory_bytes);
	CHECK(usage.memory_bytes <= TL__SPOOL_WRITE_BYTES);
	tl__spool_free(spool);
	dag_free(&d);
}

/* Held: everything up to a number of the chain, counted in calls. */
typedef struct holder {
	const dag *d;
	size_t upto, calls;
} holder;

static int held(void *ud, const tl_id *db, const tl_id *ids, size_t count, bool *out)
{
	holder *h = ud;

	(void)db;
	h->calls++;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < h->upto; k++)
			if (memcmp(&ids[i], tl_entry_id(h->d->at[k]), sizeof(tl_id)) == 0)
				out[i] = true;
	return TL_OK;
}

static void what_is_held_is_not_waited_for(void)
{
	dag d;
	holder h = {&d, 50, 0};
	tl__spool *spool = NULL;
	tl__spool_page page;
	int refused;

	REQUIRE(dag_make(&d, 100, 4));
	REQUIRE(tl__spool_new(&spool,
			&(tl__spool_options){
				.db = *tl_entry_id(d.at[0]), .held = held, .ud = &h}) == TL_OK);
	for (size_t i = 99; i >= 50; i--)
		CHECK_OK(add(spool, d.at[i], &refused));
	CHECK_OK(tl__spool_next(spool, &page));
	CHECK(page.count == 50 && h.calls == 1 && !page.end);
	CHECK(tl__str_eq(page.lines[0], tl_entry_bytes(d.at[50])));
	/* Ids that went out are not remembered: the store is asked again. */
	h.upto = 100;
	CHECK_OK(add(spool, d.at[99], &refused));
	tl__spool_finish(spool);
	CHECK_OK(tl__spool_next(spool, &page));
	CHECK(page.count == 1 && page.end && h.calls == 2);
	tl__spool_free(spool);
	dag_free(&d);
}

static void the_index_goes_as_the_pages_go_out(void)
{
	dag d;
	holder h = {&d, 0, 0};
	tl__spool *spool = NULL;
	tl__spool_page page;
	tl__spool_usage usage;
	uint64_t full, last;
	int refused;

	REQUIRE(dag_make(&d, 20000, 15));
	REQUIRE(tl__spool_new(&spool,
			&(tl__spool_options){
				.db = *tl_entry_id(d.at[0]), .held = held, .ud = &h}) == TL_OK);
	for (size_t i = 0; i < d.count; i++)
		CHECK_OK(add(spool, d.at[i], &refused));
	tl__spool_finish(spool);
	usage = spool->usage;
	full = usage.index_bytes;
	CHECK_OK(tl__spool_next(spool, &page));
	usage = spool->usage;
	CHECK(page.count == TL__PAGE_MAX_ENTRIES && usage.index_bytes < full / 2);
	last = usage.index_bytes;
	while (!page.end) {
		CHECK_OK(tl__spool_next(spool, &page));
		REQUIRE(page.count > 0);
	}
	usage = spool->usage;
	/* Only the lists of blocks are left. */
	CHECK(usage.index_bytes < 8192 && last > 20 * usage.index_bytes);
	CHECK(usage.waiting == 0 && usage.memory_bytes == 0 && usage.file_bytes == 0);
	tl__spool_free(spool);
	dag_free(&d);
}

static void what_nobody_sent_is_given_up_at_the_end(void)
{
	dag d;
	tl__spool *spool = NULL;
	tl__spool_page page;
	int refused;

	REQUIRE(dag_make(&d, 30, 5));
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0])}) == TL_OK);
	for (size_t i = 29; i >= 10; i--)
		CHECK_OK(add(spool, d.at[i], &refused));
	CHECK_OK(tl__spool_next(spool, &page));
	CHECK(page.count == 0 && !page.end);
	tl__spool_finish(spool);
	CHECK_OK(tl__spool_next(spool, &page));
	CHECK(page.count == 20 && page.end);
	CHECK(page.count == 20 && tl__str_eq(page.lines[0], tl_entry_bytes(d.at[10])));
	tl__spool_free(spool);
	dag_free(&d);
}

static void repeated_lines_wait_once(void)
{
	dag d;
	tl__spool *spool = NULL;
	tl__spool_usage usage;
	int refused;

	REQUIRE(dag_make(&d, 3, 6));
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0])}) == TL_OK);
	CHECK_OK(add(spool, d.at[2], &refused));
	CHECK_OK(add(spool, d.at[2], &refused));
	CHECK(refused == TL_OK);
	usage = spool->usage;
	CHECK(usage.waiting == 1);
	tl__spool_free(spool);
	dag_free(&d);
}

static void a_line_that_is_no_entry_is_left_out(void)
{
	dag d, other;
	tl__spool *spool = NULL;
	tl__spool_page page;
	tl__buf spaced = TL__BUF_INIT;
	int refused;

	REQUIRE(dag_make(&d, 2, 7) && dag_make(&other, 3, 8));
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0])}) == TL_OK);
	CHECK_OK(tl__spool_add(spool, TL__STR("{"), TL_ENTRY_FOREIGN, &refused));
	CHECK(refused == TL_E_BAD_JSON);
	CHECK_OK(tl__spool_add(spool, TL__STR("{}"), TL_ENTRY_FOREIGN, &refused));
	CHECK(refused == TL_E_BAD_ENTRY);
	tl__buf_str(&spaced, tl_entry_bytes(d.at[0]));
	tl__buf_text(&spaced, " ");
	CHECK_OK(tl__spool_add(spool, tl__buf_view(&spaced), TL_ENTRY_CANONICAL, &refused));
	CHECK(refused == TL_E_NOT_CANONICAL);
	CHECK_OK(add(spool, other.at[2], &refused));
	CHECK(refused == TL_E_FOREIGN_ENTRY);
	CHECK_OK(tl__spool_add(spool, tl__buf_view(&spaced), TL_ENTRY_FOREIGN, &refused));
	CHECK(refused == TL_OK);
	CHECK_OK(tl__spool_next(spool, &page));
	CHECK(page.count == 1 && tl__str_eq(page.lines[0], tl_entry_bytes(d.at[0])));
	tl__buf_free(&spaced);
	tl__spool_free(spool);
	dag_free(&d);
	dag_free(&other);
}

static void an_answer_over_the_limit_ends(void)
{
	dag d;
	tl__spool *spool = NULL;
	tl__spool_page page;
	size_t len;
	int refused;

	REQUIRE(dag_make(&d, 2, 9));
	len = tl_entry_bytes(d.at[0]).len + tl_entry_bytes(d.at[1]).len;
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0]),
					      .max_bytes = len}) == TL_OK);
	CHECK_OK(add(spool, d.at[0], &refused));
	CHECK_OK(add(spool, d.at[1], &refused));
	CHECK_CODE(
		tl__spool_add(spool, TL__STR("{"), TL_ENTRY_CANONICAL, &refused), TL_E_TOO_LARGE);
	/* Nothing of what fitted is lost. */
	CHECK_OK(tl__spool_next(spool, &page));
	CHECK(page.count == 2);
	tl__spool_free(spool);
	/* A gibibyte would take minutes and a disk: without the option, the count is set to it. */
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0])}) == TL_OK);
	spool->added = TL__SPOOL_MAX_BYTES - tl_entry_bytes(d.at[0]).len;
	CHECK_OK(add(spool, d.at[0], &refused));
	CHECK_CODE(
		tl__spool_add(spool, TL__STR("{"), TL_ENTRY_CANONICAL, &refused), TL_E_TOO_LARGE);
	tl__spool_free(spool);
	dag_free(&d);
}

static void pages_keep_to_bytes_and_a_large_entry_travels_alone(void)
{
	size_t sizes[] = {10, 500000, 500000, 2000000, 10};
	tl_entry *entries[6];
	char *data = tl__alloc(2000000);
	tl__spool *spool = NULL;
	tl__spool_page page;
	size_t counts[8] = {0}, pages = 0;
	int refused;

	REQUIRE(data != NULL);
	memset(data, 'a', 2000000);
	entries[0] = build(NULL, NULL, 0, TL__STR(""));
	REQUIRE(entries[0] != NULL);
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(entries[0])}) ==
		TL_OK);
	CHECK_OK(add(spool, entries[0], &refused));
	for (size_t i = 0; i < 5; i++) {
		entries[i + 1] = build(entries[0], &entries[i], 1, (tl_str){data, sizes[i]});
		REQUIRE(entries[i + 1] != NULL);
		CHECK_OK(add(spool, entries[i + 1], &refused));
	}
	do {
		CHECK_OK(tl__spool_next(spool, &page));
		counts[pages++] = page.count;
	} while (page.count > 0 && pages < 8);
	CHECK(counts[0] == 4 && counts[1] == 1 && counts[2] == 1 && counts[3] == 0);
	for (size_t i = 0; i < 6; i++)
		tl_entry_free(entries[i]);
	tl__spool_free(spool);
	tl__free(data);
}

/* Ingest works on one page while the next is read. */
static void a_page_stays_while_the_next_is_out(void)
{
	tl__spool *spool = NULL;
	tl__spool_page first, second;
	int refused;
	dag d;

	REQUIRE(dag_make(&d, 2500, 4));
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = *tl_entry_id(d.at[0])}) == TL_OK);
	for (size_t i = 0; i < 2500; i++)
		CHECK_OK(add(spool, d.at[i], &refused));
	tl__spool_finish(spool);
	CHECK_OK(tl__spool_next(spool, &first));
	for (size_t out = first.count; !first.end && out > 0; out = second.count) {
		tl_str *copies = tl__alloc_zero(first.count, sizeof *copies);

		REQUIRE(copies != NULL);
		for (size_t i = 0; i < first.count; i++)
			copies[i] = (tl_str){tl__copy_bytes(first.lines[i].ptr, first.lines[i].len),
				first.lines[i].len};
		CHECK_OK(tl__spool_next(spool, &second));
		for (size_t i = 0; i < first.count; i++) {
			CHECK(tl__str_eq(copies[i], first.lines[i]));
			tl__free((char *)copies[i].ptr);
		}
		tl__free(copies);
		first = second;
	}
	CHECK(first.end);
	tl__spool_free(spool);
	dag_free(&d);
}

static void a_directory_that_is_not_there_is_an_error(void)
{
	tl__spool_options options = {.memory_bytes = 1, .directory = "/nonexistent/tidelock"};
	tl__spool *spool = NULL;
	dag d;
	size_t bytes = 0;
	int refused, code = TL_OK;

	REQUIRE(dag_make(&d, 1000, 10));
	options.db = *tl_entry_id(d.at[0]);
	REQUIRE(tl__spool_new(&spool, &options) == TL_OK);
	/* The file is made for the first block that is full. */
	for (size_t i = 0; i < d.count && code == TL_OK; i++) {
		code = add(spool, d.at[i], &refused);
		bytes += tl_entry_bytes(d.at[i]).len;
		CHECK(code == (bytes <= TL__SPOOL_WRITE_BYTES ? TL_OK : TL_E_IO));
	}
	CHECK_CODE(code, TL_E_IO);
	tl__spool_free(spool);
	dag_free(&d);
}

/* A chain of few entries that do not fit into one block of the spool. */
static bool heavy_chain(tl_entry **chain, size_t count)
{
	char data[30000];

	memset(data, 'x', sizeof data);
	for (size_t i = 0; i < count; i++) {
		chain[i] = build(i ? chain[0] : NULL, i ? &chain[i - 1] : NULL, i > 0,
			(tl_str){data, sizeof data});
		if (!chain[i])
			return false;
	}
	return true;
}

/* Every allocation fails once; nothing leaks or crashes, and the spool says so. */
static void memory_that_runs_out_is_an_error(void)
{
	tl_entry *chain[8] = {NULL};
	bool done = false;

	REQUIRE(heavy_chain(chain, 8));
	for (size_t n = 1; !done && n < 10000; n++) {
		tl__spool_options options = {.db = *tl_entry_id(chain[0]), .memory_bytes = 2000};
		tl__spool *spool = NULL;
		tl__spool_page page = {NULL, 0, false};
		long balance = tl__alloc_balance();
		int code, refused;

		(void)tl__alloc_fail_at(n);
		code = tl__spool_new(&spool, &options);
		for (size_t i = 8; code == TL_OK && i > 0; i--)
			code = add(spool, chain[i - 1], &refused);
		if (code == TL_OK)
			tl__spool_finish(spool);
		while (code == TL_OK && !page.end)
			code = tl__spool_next(spool, &page);
		done = !tl__alloc_fail_at(0);
		CHECK(done ? code == TL_OK : code == TL_E_NOMEM);
		tl__spool_free(spool);
		CHECK(tl__alloc_balance() == balance);
	}
	CHECK(done);
	for (size_t i = 0; i < 8; i++)
		tl_entry_free(chain[i]);
}

int main(void)
{
	RUN(lines_in_order_go_out_at_once);
	RUN(random_order_goes_through_a_file_without_a_name);
	RUN(index_and_lines_share_one_limit);
	RUN(what_is_held_is_not_waited_for);
	RUN(the_index_goes_as_the_pages_go_out);
	RUN(what_nobody_sent_is_given_up_at_the_end);
	RUN(repeated_lines_wait_once);
	RUN(a_line_that_is_no_entry_is_left_out);
	RUN(an_answer_over_the_limit_ends);
	RUN(pages_keep_to_bytes_and_a_large_entry_travels_alone);
	RUN(a_page_stays_while_the_next_is_out);
	RUN(a_directory_that_is_not_there_is_an_error);
	RUN(memory_that_runs_out_is_an_error);
	return spec_end();
}
