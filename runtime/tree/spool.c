/* Adding lines and giving them out; the order is kept by spool_index.c. */
#include "tree/spool_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "model/entry_impl.h"

/* --- making -----------------------------------------------------------------------------------
 */

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
	spool->unused_node = spool->unused_edge = TL__SPOOL_NONE;
	spool->ready_first = spool->ready_last = TL__SPOOL_NONE;
	/* Without random bytes it still works; ids chosen to collide would only make it slower. */
	if (getrandom(spool->seed, sizeof spool->seed, GRND_NONBLOCK) < 0)
		spool->seed[0] = (uint64_t)(uintptr_t)spool;
	*out = spool;
	return TL_OK;
}

static void drop_page(tl__spool *spool)
{
	for (size_t i = 0; i < spool->page_count; i++)
		tl__free((char *)spool->page[i].ptr);
	spool->page_count = 0;
}

void tl__spool_free(tl__spool *spool)
{
	if (!spool)
		return;
	drop_page(spool);
	for (uint32_t i = 0; i < spool->node_count; i++) {
		struct node *node = &spool->nodes[i];

		if ((node->state == WAITING || node->state == READY) && !node->in_file)
			tl__free(node->at.text);
	}
	if (spool->file >= 0)
		close(spool->file);
	tl__free(spool->nodes);
	tl__free(spool->edges);
	tl__free(spool->table);
	tl__free(spool->ask);
	tl__free(spool->directory);
	tl__free(spool);
}

/* --- keeping lines ------------------------------------------------------------------------------
 */

static int open_file(tl__spool *spool)
{
	tl__buf name = TL__BUF_INIT;
	int code;

	tl__buf_format(&name, "%s/tidelock-XXXXXX", spool->directory);
	code = tl__buf_status(&name);
	if (code == TL_OK) {
		spool->file = mkostemp(name.ptr, O_CLOEXEC);
		if (spool->file < 0)
			code = tl__fail(TL_E_IO, "no temporary file can be made in %s: %s",
				spool->directory, strerror(errno));
		else
			unlink(name.ptr);
	}
	tl__buf_free(&name);
	return code;
}

static int write_line(tl__spool *spool, struct node *node, tl_str bytes)
{
	int code = spool->file < 0 ? open_file(spool) : TL_OK;

	if (code != TL_OK)
		return code;
	node->in_file = true;
	node->at.offset = spool->usage.file_bytes;
	for (size_t done = 0; done < bytes.len;) {
		ssize_t n = pwrite(spool->file, bytes.ptr + done, bytes.len - done,
			(off_t)(node->at.offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tl__fail(TL_E_IO, "the temporary file in %s cannot be written: %s",
				spool->directory, strerror(n < 0 ? errno : ENOSPC));
		done += (size_t)n;
	}
	spool->usage.file_bytes += bytes.len;
	return TL_OK;
}

static int keep_line(tl__spool *spool, struct node *node, tl_str bytes)
{
	node->len = (uint32_t)bytes.len;
	if (spool->usage.memory_bytes + bytes.len > spool->memory_limit)
		return write_line(spool, node, bytes);
	node->in_file = false;
	node->at.text = tl__copy_bytes(bytes.ptr, bytes.len);
	if (!node->at.text)
		return TL_E_NOMEM;
	spool->usage.memory_bytes += bytes.len;
	return TL_OK;
}

static char *read_line(const tl__spool *spool, const struct node *node)
{
	char *text = tl__alloc(node->len + (size_t)1);

	for (size_t done = 0; text && done < node->len;) {
		ssize_t n = pread(spool->file, text + done, node->len - done,
			(off_t)(node->at.offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			tl__free(text);
			(void)tl__fail(TL_E_IO, "the temporary file in %s cannot be read: %s",
				spool->directory, n < 0 ? strerror(errno) : "it was cut");
			return NULL;
		}
		done += (size_t)n;
	}
	return text;
}

/* --- adding -------------------------------------------------------------------------------------
 */

static int insert(tl__spool *spool, const tl_entry *entry)
{
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);
	uint32_t number = tl__spool_find(spool, tl_entry_id(entry));
	int code = TL_OK;

	if (number != TL__SPOOL_NONE && spool->nodes[number].state != ABSENT)
		return TL_OK;
	if (number == TL__SPOOL_NONE)
		code = tl__spool_new_node(spool, tl_entry_id(entry), &number);
	if (code == TL_OK)
		code = keep_line(spool, &spool->nodes[number], tl_entry_bytes(entry));
	if (code != TL_OK)
		return code;
	spool->nodes[number].state = WAITING;
	spool->usage.waiting++;
	/* One more, so that it is not ready before all its parents are looked at. */
	spool->nodes[number].missing = 1;
	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = tl__spool_wait(spool, number, &names[i]);
	if (--spool->nodes[number].missing == 0)
		tl__spool_make_ready(spool, number);
	return code;
}

int tl__spool_add(tl__spool *spool, tl_str line, tl_entry_form form, int *refused)
{
	tl_entry *entry;
	int code;

	*refused = TL_OK;
	if (spool->finished)
		return tl__fail(TL_E_INVALID_ARGUMENT, "the spool was told that no line follows");
	if (line.len > spool->max_bytes - spool->added)
		return tl__fail(TL_E_TOO_LARGE,
			"the answer is longer than max_response_bytes (%llu)",
			(unsigned long long)spool->max_bytes);
	spool->added += line.len;
	code = tl_entry_parse(&entry, line, form);
	if (code == TL_OK)
		code = tl_entry_check(entry);
	if (code == TL_OK && memcmp(tl__entry_tree_id(entry), &spool->db, sizeof spool->db) != 0)
		code = tl__fail(
			TL_E_FOREIGN_ENTRY, "the entry belongs to another database than this one");
	if (code == TL_E_NOMEM) {
		tl_entry_release(entry);
		return code;
	}
	*refused = code;
	if (code == TL_OK)
		code = insert(spool, entry);
	tl_entry_release(entry);
	return *refused == TL_OK ? code : TL_OK;
}

void tl__spool_finish(tl__spool *spool)
{
	spool->finished = true;
}

/* --- giving out ---------------------------------------------------------------------------------
 */

/* Asks which of the ids nobody has sent so far are held. */
static int ask(tl__spool *spool)
{
	size_t count = 0;
	tl_id *ids;
	bool *held;
	int code = TL_E_NOMEM;

	if (spool->ask_count == 0)
		return TL_OK;
	ids = tl__alloc(spool->ask_count * sizeof *ids);
	held = tl__alloc_zero(spool->ask_count, sizeof *held);
	if (ids && held) {
		for (size_t i = 0; i < spool->ask_count; i++)
			if (spool->nodes[spool->ask[i]].state == ABSENT) {
				ids[count] = spool->nodes[spool->ask[i]].id;
				spool->ask[count++] = spool->ask[i];
			}
		spool->ask_count = count;
		code = spool->held(spool->ud, &spool->db, ids, count, held);
	}
	for (size_t i = 0; code == TL_OK && i < count; i++)
		if (held[i]) {
			tl__spool_release(spool, spool->ask[i]);
			tl__spool_forget(spool, spool->ask[i]);
		}
	if (code == TL_OK)
		spool->ask_count = 0;
	tl__free(ids);
	tl__free(held);
	return code;
}

/* After the last line: what was never sent is waited for no longer. */
static void release_absent(tl__spool *spool)
{
	for (uint32_t i = 0; i < spool->node_count; i++)
		if (spool->nodes[i].state == ABSENT)
			tl__spool_release(spool, i);
	spool->released = true;
}

static int give_out(tl__spool *spool, uint32_t number)
{
	struct node *node = &spool->nodes[number];
	char *text = node->in_file ? read_line(spool, node) : node->at.text;

	if (!text)
		return tl_error_code(tl_last_error());
	if (!node->in_file)
		spool->usage.memory_bytes -= node->len;
	spool->page[spool->page_count++] = (tl_str){text, node->len};
	spool->usage.waiting--;
	spool->ready_first = node->next;
	if (spool->ready_first == TL__SPOOL_NONE)
		spool->ready_last = TL__SPOOL_NONE;
	tl__spool_release(spool, number);
	if (spool->held)
		tl__spool_forget(spool, number);
	else
		spool->nodes[number].state = OUT;
	return TL_OK;
}

int tl__spool_next(tl__spool *spool, tl__spool_page *page)
{
	uint64_t bytes = 0;
	int code;

	*page = (tl__spool_page){NULL, 0, false};
	drop_page(spool);
	code = ask(spool);
	if (code != TL_OK)
		return code;
	if (spool->finished && !spool->released && spool->ready_first == TL__SPOOL_NONE)
		release_absent(spool);
	while (spool->ready_first != TL__SPOOL_NONE && spool->page_count < TL__PAGE_MAX_ENTRIES) {
		bytes += spool->nodes[spool->ready_first].len;
		if (spool->page_count > 0 && bytes > TL__PAGE_MAX_BYTES)
			break;
		code = give_out(spool, spool->ready_first);
		if (code != TL_OK)
			return code;
	}
	page->lines = spool->page;
	page->count = spool->page_count;
	page->end = spool->finished && spool->usage.waiting == 0;
	return TL_OK;
}

void tl__spool_measure(const tl__spool *spool, tl__spool_usage *out)
{
	*out = spool->usage;
}

/* --- helpers ------------------------------------------------------------------------------------
 */

int tl__spool_expect_root(tl_str line, tl_entry_form form, const tl_id *asked)
{
	tl_entry *entry;
	int code = tl_entry_parse(&entry, line, form);

	if (code == TL_OK)
		code = tl_entry_check(entry);
	if (code == TL_OK &&
		(!tl_entry_is_root(entry) || memcmp(tl_entry_id(entry), asked, sizeof *asked) != 0))
		code = tl__fail(TL_E_WRONG_ROOT,
			"the answer's root entry is not the database that was asked for");
	tl_entry_release(entry);
	return code;
}
