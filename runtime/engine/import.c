/* Reading a database from lines of canonical entries. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/node_impl.h"

#define READ_BYTES    65536
#define PAGE_BYTES    (1024 * 1024)
#define PAGE_LINES    1000
#define IMPORT_SENDER "import"

typedef struct importing {
	tl_node *node;
	ptrdiff_t (*read)(void *ud, void *out, size_t cap);
	void *ud;
	tl__buf text;             /* lines not yet given to ingest, and the one being read */
	size_t lines_end;         /* behind the last complete line */
	tl_str lines[PAGE_LINES]; /* offsets in ptr until the page is given */
	size_t starts[PAGE_LINES];
	size_t count;
	uint64_t line; /* number of the first line of the page, from 1 */
	bool has_root;
	tl_id root;
	uint64_t entered;
} importing;

/* Learns the database's id from the first line, which must be its root. */
static int read_root(importing *i)
{
	tl_entry *entry = NULL;
	int rc = tl_entry_parse(&entry, i->lines[0], TL_ENTRY_CANONICAL);

	if (rc == TL_OK && !tl_entry_is_root(entry))
		rc = tl__fail(TL_E_BAD_ENTRY,
			"line 1 is not the root entry of a database; export it again");
	if (rc == TL_OK)
		i->root = *tl_entry_id(entry);
	tl_entry_release(entry);
	i->has_root = rc == TL_OK;
	return rc;
}

/* A line that no entry can come from ends the import; an entry that is judged invalid may still be
 * taken in by a later one, as void. */
static int look_at_fates(const importing *i, const tl__ingest_result *result)
{
	for (size_t n = 0; n < i->count; n++)
		if (result->fates[n].kind == TL__FATE_DECLINED)
			return tl__fail(result->fates[n].code,
				"line %llu is refused: %s; nothing after line %llu was read",
				(unsigned long long)(i->line + n),
				tl_error_name(result->fates[n].code),
				(unsigned long long)(i->line + i->count - 1));
	return TL_OK;
}

static int give_page(importing *i)
{
	tl__ingest_result result = {0};
	tl__ingest_page page = {
		.lines = i->lines,
		.count = i->count,
		.form = TL_ENTRY_CANONICAL,
		.sender = TL__STR(IMPORT_SENDER),
		.related = true,
		.accept_unknown = true,
	};
	int rc = TL_OK;

	if (i->count == 0)
		return TL_OK;
	for (size_t n = 0; n < i->count; n++)
		i->lines[n].ptr = i->text.ptr + i->starts[n];
	if (!i->has_root)
		rc = read_root(i);
	if (rc != TL_OK)
		return rc;
	page.db = i->root;
	rc = tl__ingest(&i->node->tree, &page, &result);
	if (rc == TL_OK) {
		i->entered += result.entered;
		rc = look_at_fates(i, &result);
		tl__ingest_result_free(&result);
	}
	i->line += i->count;
	i->count = 0;
	i->text.len -= i->lines_end;
	memmove(i->text.ptr, i->text.ptr + i->lines_end, i->text.len);
	i->lines_end = 0;
	return rc;
}

/* Takes the line between lines_end and `end`; empty lines are passed over. */
static int take_line(importing *i, size_t end)
{
	if (end > i->lines_end) {
		i->starts[i->count] = i->lines_end;
		i->lines[i->count++].len = end - i->lines_end;
	}
	i->lines_end = end + 1;
	return TL_OK;
}

/* Splits what was read from `from` on. */
static int split(importing *i, size_t from)
{
	int rc = TL_OK;

	for (;;) {
		char *at = memchr(i->text.ptr + from, '\n', i->text.len - from);

		if (!at || rc != TL_OK)
			return rc;
		from = (size_t)(at - i->text.ptr) + 1;
		rc = take_line(i, from - 1);
		if (rc == TL_OK && (i->count == PAGE_LINES || i->lines_end >= PAGE_BYTES)) {
			from -= i->lines_end;
			rc = give_page(i);
		}
	}
}

static int read_all(importing *i)
{
	for (;;) {
		size_t before = i->text.len;
		char *room = tl__buf_reserve(&i->text, READ_BYTES);
		ptrdiff_t got = room ? i->read(i->ud, room, READ_BYTES) : 0;
		int rc;

		if (!room)
			return TL_E_NOMEM;
		if (got < 0 || got > READ_BYTES)
			return tl__fail(TL_E_IO, "the entries to import cannot be read");
		if (got == 0)
			return TL_OK;
		i->text.len += (size_t)got;
		rc = split(i, before);
		if (rc != TL_OK)
			return rc;
		if (i->text.len - i->lines_end > TL_ENTRY_MAX_BYTES)
			return tl__fail(TL_E_TOO_LARGE, "line %llu is longer than an entry can be",
				(unsigned long long)(i->line + i->count));
	}
}

int tl_node_import(tl_node *node, ptrdiff_t (*read)(void *ud, void *out, size_t cap), void *ud,
	tl_id *root, uint64_t *entered)
{
	importing *i = tl__alloc_zero(1, sizeof *i);
	int rc = tl__node_check(node);

	if (!i)
		return TL_E_NOMEM;
	*i = (importing){.node = node, .read = read, .ud = ud, .line = 1};
	if (rc == TL_OK)
		rc = read_all(i);
	if (rc == TL_OK && i->text.len > i->lines_end) /* a last line without its end */
		rc = take_line(i, i->text.len);
	if (rc == TL_OK && i->lines_end > i->text.len)
		i->lines_end = i->text.len;
	if (rc == TL_OK)
		rc = give_page(i);
	if (rc == TL_OK && !i->has_root)
		rc = tl__fail(TL_E_BAD_ENTRY, "there are no entries to import");
	if (root && i->has_root)
		*root = i->root;
	if (entered)
		*entered = i->entered;
	tl__buf_free(&i->text);
	tl__free(i);
	return rc;
}
