/* Adding lines and giving them out; the order is kept by spool_index.c. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/fail.h"
#include "base/mem.h"
#include "model/entry_impl.h"
#include "v0/spool/spool_impl.h"

#define ASK_MAX 256 /* ids in one question for what is held */

/* --- making ----------------------------------------------------------------------------------- */

static char *choose_directory(const char *directory)
{
	if (!directory)
		directory = getenv("TMPDIR");
	if (!directory || !*directory)
		directory = "/tmp";
	return tl__copy_bytes(directory, strlen(directory));
}

int tl__spool_new(tl__spool **out, const tl__spool_options *options)
{
	tl__spool *spool = tl__alloc_zero(1, sizeof *spool);

	*out = NULL;
	if (!spool)
		return TL_E_NOMEM;
	spool->file = -1;
	spool->page = spool->pages;
	spool->directory = choose_directory(options->directory);
	if (!spool->directory) {
		tl__free(spool);
		return TL_E_NOMEM;
	}
	spool->db = options->db;
	spool->memory_limit =
		options->memory_bytes ? options->memory_bytes : TL__SPOOL_MEMORY_BYTES;
	spool->max_bytes = options->max_bytes ? options->max_bytes : TL__SPOOL_MAX_BYTES;
	spool->held = options->held;
	spool->ud = options->ud;
	tl__spool_index_init(spool);
	/* Without random bytes it still works; ids chosen to collide would only make it slower. */
	if (getrandom(spool->seed, sizeof spool->seed, GRND_NONBLOCK) < 0)
		spool->seed[0] = (uint64_t)(uintptr_t)spool;
	*out = spool;
	return TL_OK;
}

void tl__spool_free(tl__spool *spool)
{
	if (!spool)
		return;
	for (size_t i = 0; i < 2; i++)
		tl__free(spool->pages[i].text);
	tl__spool_free_texts(spool);
	tl__spool_index_free(spool);
	tl__free(spool->directory);
	tl__free(spool);
}

/* --- adding ----------------------------------------------------------------------------------- */

static int insert(tl__spool *spool, const tl_entry *entry)
{
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);
	tl_str text = tl_entry_bytes(entry);
	uint32_t number = tl__spool_find(spool, tl_entry_id(entry));
	struct node *node;
	int code = TL_OK;

	if (number == TL__SPOOL_NONE)
		code = tl__spool_new_node(spool, tl_entry_id(entry), &number);
	else if (tl__spool_node(spool, number)->len != 0)
		return TL_OK;
	if (code != TL_OK)
		return code;
	node = tl__spool_node(spool, number);
	code = tl__spool_keep(spool, text, &node->offset);
	if (code != TL_OK)
		return code;
	node->len = (uint32_t)text.len;
	spool->usage.waiting++;
	/* One more, so that it is not ready before all its parents are looked at. */
	node->is.missing = 1;
	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = tl__spool_wait(spool, number, &names[i]);
	if (--node->is.missing == 0)
		tl__spool_make_ready(spool, number);
	return code;
}

int tl__spool_add(tl__spool *spool, tl_str line, tl_entry_form form, int *refused)
{
	tl_entry *entry;
	int code;

	*refused = TL_OK;
	if (spool->finished)
		return tl__fail(TL_E_BAD_ARGUMENT, "the spool was told that no line follows");
	if (line.len > spool->max_bytes - spool->added)
		return tl__fail(TL_E_TOO_LARGE,
			"the answer is longer than max_response_bytes (%llu)",
			(unsigned long long)spool->max_bytes);
	spool->added += line.len;
	code = tl_entry_parse(&entry, line, form);
	if (code == TL_OK)
		code = tl_entry_check(entry);
	if (code == TL_OK && !tl__id_equal(tl__entry_tree_id(entry), &spool->db))
		code = tl__fail(
			TL_E_FOREIGN_ENTRY, "the entry belongs to another database than this one");
	if (code == TL_E_NOMEM) {
		tl_entry_free(entry);
		return code;
	}
	*refused = code;
	if (code == TL_OK)
		code = insert(spool, entry);
	tl_entry_free(entry);
	return *refused == TL_OK ? code : TL_OK;
}

void tl__spool_finish(tl__spool *spool)
{
	spool->finished = true;
}

/* --- giving out ------------------------------------------------------------------------------- */

/* The next of the ids that nobody has sent so far: their nodes to `numbers`. */
static size_t next_absent(tl__spool *spool, uint32_t *numbers, tl_id *ids)
{
	size_t count = 0;

	while (spool->ask_count > 0 && count < ASK_MAX) {
		uint32_t number = spool->ask[--spool->ask_count];

		if (tl__spool_node(spool, number)->len == 0) {
			ids[count] = *tl__spool_id(spool, number);
			numbers[count++] = number;
		}
	}
	return count;
}

/* Asks which of them are held. */
static int ask(tl__spool *spool)
{
	uint32_t numbers[ASK_MAX];
	tl_id ids[ASK_MAX];
	size_t count;

	while ((count = next_absent(spool, numbers, ids)) > 0) {
		bool held[ASK_MAX] = {false};
		int code = spool->held(spool->ud, &spool->db, ids, count, held);

		if (code != TL_OK)
			return code;
		for (size_t i = 0; i < count; i++)
			if (held[i]) {
				tl__spool_release(spool, numbers[i]);
				tl__spool_forget(spool, numbers[i]);
			}
	}
	return TL_OK;
}

/* Drops the page before the last one, to be filled anew. */
static void next_page(tl__spool *spool)
{
	spool->page = spool->page == spool->pages ? spool->pages + 1 : spool->pages;
	tl__free(spool->page->text);
	spool->page->text = NULL;
	spool->page->count = 0;
}

/* The first of those ready; its text is read with the others of the page. */
static void give_out(tl__spool *spool)
{
	uint32_t number = spool->ready_first;
	struct node *node = tl__spool_node(spool, number);

	spool->page_offsets[spool->page->count] = node->offset;
	spool->page->lines[spool->page->count++] = (tl_str){NULL, node->len};
	spool->usage.waiting--;
	spool->ready_first = node->is.next;
	if (spool->ready_first == TL__SPOOL_NONE)
		spool->ready_last = TL__SPOOL_NONE;
	tl__spool_release(spool, number);
	if (spool->held || spool->sealed)
		tl__spool_forget(spool, number);
	else
		node->len = TL__SPOOL_NONE;
}

static size_t choose_page(tl__spool *spool)
{
	size_t bytes = 0;

	while (spool->ready_first != TL__SPOOL_NONE && spool->page->count < TL__PAGE_MAX_ENTRIES) {
		size_t len = tl__spool_node(spool, spool->ready_first)->len;

		if (spool->page->count > 0 && bytes + len > TL__PAGE_MAX_BYTES)
			break;
		bytes += len;
		give_out(spool);
	}
	return bytes;
}

/* Texts that follow each other are read at once. */
static int read_page(tl__spool *spool, size_t bytes)
{
	const uint64_t *offsets = spool->page_offsets;
	char *at = spool->page->text = tl__alloc(bytes);
	int code = at ? TL_OK : TL_E_NOMEM;

	for (size_t i = 0; i < spool->page->count && code == TL_OK;) {
		uint64_t first = offsets[i], end = first;

		for (; i < spool->page->count && offsets[i] == end; i++) {
			spool->page->lines[i].ptr = at + (end - first);
			end += spool->page->lines[i].len;
		}
		code = tl__spool_recall(spool, first, (size_t)(end - first), at);
		at += end - first;
	}
	return code;
}

int tl__spool_next(tl__spool *spool, tl__spool_page *page)
{
	size_t bytes;
	int code;

	*page = (tl__spool_page){NULL, 0, false};
	next_page(spool);
	code = ask(spool);
	if (code != TL_OK)
		return code;
	if (spool->finished && !spool->sealed)
		tl__spool_seal(spool);
	if (spool->finished && !spool->released && spool->ready_first == TL__SPOOL_NONE)
		tl__spool_release_absent(spool);
	bytes = choose_page(spool);
	if (spool->page->count > 0)
		code = read_page(spool, bytes);
	if (code != TL_OK)
		return code;
	if (spool->usage.waiting == 0)
		tl__spool_clear_texts(spool);
	page->lines = spool->page->lines;
	page->count = spool->page->count;
	page->end = spool->finished && spool->usage.waiting == 0;
	return TL_OK;
}
