/* Reading a database from lines of canonical entries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/crypto.h>
#include <tidelock/entry.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/parts/node_impl.h"

#define READ_BYTES    65536
#define PAGE_BYTES    (1024 * 1024)
#define PAGE_LINES    1000
#define IMPORT_SENDER "import"

/* How the line that closes an export begins; no entry does. */
#define END_BEGINS    "{\"entries\":"
#define END_MAX_BYTES 120

typedef struct importing {
	tl_node *node;
	tl__import_read *read;
	void *ud;
	tl__buf text;             /* lines not yet given to ingest, and the one being read */
	size_t lines_end;         /* behind the last complete line */
	tl_str lines[PAGE_LINES]; /* offsets in ptr until the page is given */
	size_t starts[PAGE_LINES];
	uint64_t numbers[PAGE_LINES];
	size_t count;
	uint64_t line;      /* number of the line being read, from 1 */
	bool framed;        /* the first line is an empty one, so an end is to come */
	bool ended;         /* the last line read closes an export, or is an empty one */
	uint64_t unended;   /* lines of entries since the last one that closed an export */
	uint8_t digest[32]; /* exclusive or of their SHA-256 */
	tl__import_state *state;
	tl__buf doubts; /* struct doubt; bounded by what is set aside of one sender */
	bool has_root;
	tl_id root;
	uint64_t entered;
} importing;

/* A line whose entry did not enter, but still may: when what it waits for comes, or as a void one
 * that later lines build on. */
typedef struct doubt {
	uint64_t line;
	tl_id id;
	int code;
} doubt;

/* --- what is wrong ---------------------------------------------------------------------------- */

static int fail_line(uint64_t line, int code, const char *why)
{
	return tl__fail(code, "line %llu is bad: %s", (unsigned long long)line, why);
}

static const char *why_not(int code)
{
	switch (code) {
	case TL_E_WAITS_FOR_PARENT: return "an entry that it builds on is missing";
	case TL_E_WAITS_FOR_DATABASE:
		return "its signer has rights from another database; import that one first";
	case TL_E_BAD_SIGNATURE: return "its signature does not fit, so it is not what was signed";
	case TL_E_BAD_ENTRY: return "it is altered: no entry can be built like this";
	case TL_E_FOREIGN_ENTRY: return "it is an entry of another database";
	case TL_E_PARENT_DECLINED: return "it builds on an entry that was refused";
	case TL_E_SET_ASIDE_FULL:
		return "too many lines before it wait for entries that are missing";
	case TL_E_KEY_NOT_FOUND: return "the database does not know the key that signed it";
	case TL_E_KEY_REVOKED: return "the key that signed it was revoked";
	case TL_E_INSUFFICIENT_PERMISSIONS: return "its signer may not write this";
	case TL_E_TOO_LARGE: return "it is larger than an entry can be";
	default: return tl_error_name(code);
	}
}

/* Says what parsing it again says; where the text is well-formed, what the code means. */
static int fail_declined(const importing *i, size_t n, int code)
{
	tl_entry *entry = NULL;
	int rc = tl_entry_parse(&entry, i->lines[n], TL_ENTRY_CANONICAL);
	char why[256];

	snprintf(why, sizeof why, "%s",
		rc != TL_OK ? tl_error_message(tl_last_error()) : why_not(code));
	tl_entry_free(entry);
	return fail_line(i->numbers[n], rc != TL_OK ? rc : code, why);
}

static int fail_doubt(const doubt *d)
{
	return fail_line(d->line, d->code, why_not(d->code));
}

/* The first doubtful line before `end` that has not been settled: fails, saying why. */
static int settle_doubts(const importing *i, uint64_t end)
{
	const doubt *at = (const doubt *)(const void *)i->doubts.ptr;
	size_t count = i->doubts.len / sizeof *at;
	tl_database *db = NULL;
	int rc = count > 0 ? tl_node_load_database(i->node, &i->root, &db) : TL_OK;

	if (rc == TL_E_DATABASE_NOT_FOUND) /* not even its root entered */
		return at->line < end ? fail_doubt(at) : TL_OK;
	for (; rc == TL_OK && count > 0 && at->line < end; at++, count--) {
		tl_entry *entry = NULL;

		rc = tl_database_get_entry(db, &at->id, &entry);
		tl_entry_free(entry);
		if (rc == TL_E_ENTRY_NOT_FOUND)
			rc = fail_doubt(at);
	}
	tl_database_free(db);
	return rc;
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Learns the database's id from the first line, which must be its root. */
static int read_root(importing *i)
{
	tl_entry *entry = NULL;
	int rc = tl_entry_parse(&entry, i->lines[0], TL_ENTRY_CANONICAL);

	if (rc != TL_OK)
		return fail_declined(i, 0, rc);
	if (!tl_entry_is_root(entry))
		rc = fail_line(i->numbers[0], TL_E_BAD_ENTRY,
			"it is not the root entry of a database; export it again");
	else
		i->root = *tl_entry_id(entry);
	tl_entry_free(entry);
	i->has_root = rc == TL_OK;
	return rc;
}

/* A line that no entry can come from ends the import. */
static int look_at_fates(importing *i, const tl__ingest_result *result)
{
	for (size_t n = 0; n < i->count; n++) {
		const tl__fate *fate = &result->fates[n];
		doubt d = {i->numbers[n], fate->id, fate->code};
		int rc;

		if (fate->kind == TL__FATE_DECLINED) {
			rc = settle_doubts(i, i->numbers[n]);
			return rc == TL_OK ? fail_declined(i, n, fate->code) : rc;
		}
		if (fate->kind == TL__FATE_PENDING || fate->kind == TL__FATE_INVALID)
			tl__buf_append(&i->doubts, &d, sizeof d);
	}
	return tl__buf_status(&i->doubts);
}

static int give_lines(importing *i)
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
	i->count = 0;
	return rc;
}

/* Gives the lines to ingest, and forgets their text. */
static int give_page(importing *i)
{
	int rc = i->count > 0 ? give_lines(i) : TL_OK;

	i->text.len -= i->lines_end;
	memmove(i->text.ptr, i->text.ptr + i->lines_end, i->text.len);
	i->lines_end = 0;
	return rc;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* The line that closes what came since the last one. */
static void write_end(const importing *i, char out[END_MAX_BYTES + 1])
{
	int len = snprintf(out, END_MAX_BYTES, END_BEGINS "%llu,\"sha256\":\"",
		(unsigned long long)i->unended);

	for (size_t n = 0; n < sizeof i->digest; n++)
		len += snprintf(out + len, 3, "%02x", i->digest[n]);
	snprintf(out + len, 3, "\"}");
}

/* Says how the line does not fit what came before it, unless a line there is at fault. */
static int fail_end(const importing *i, const char *line)
{
	char *end, why[128];
	unsigned long long count = strtoull(line + strlen(END_BEGINS), &end, 10);
	int rc = settle_doubts(i, UINT64_MAX);

	if (rc != TL_OK)
		return rc;
	if (*end != ',' || count == i->unended)
		return fail_line(i->line, TL_E_BAD_ENTRY,
			"it or a line before it is not as it was exported; export again");
	snprintf(why, sizeof why, "it counts %llu entries, and %llu came before it; export again",
		count, (unsigned long long)i->unended);
	return fail_line(i->line, TL_E_BAD_ENTRY, why);
}

/* The line closes an export, as far as it goes. */
static int take_end(importing *i, tl_str line)
{
	char given[END_MAX_BYTES + 1], expected[END_MAX_BYTES + 1];
	size_t len = line.len < END_MAX_BYTES ? line.len : END_MAX_BYTES;
	bool same; /* a zero byte does not end it */
	int rc;

	memcpy(given, line.ptr, len);
	given[len] = '\0';
	write_end(i, expected);
	same = tl__str_eq(line, tl__str_z(expected));
	rc = give_page(i);
	if (rc == TL_OK && !same)
		rc = fail_end(i, given);
	i->ended = i->state->counted = true;
	i->unended = 0;
	memset(i->digest, 0, sizeof i->digest);
	return rc;
}

static void add_line(importing *i, tl_str line)
{
	uint8_t digest[sizeof i->digest];

	tl_sha256(line.ptr, line.len, digest);
	for (size_t n = 0; n < sizeof digest; n++)
		i->digest[n] ^= digest[n];
	i->unended++;
	i->state->lines++;
	i->numbers[i->count] = i->line;
	i->starts[i->count] = i->lines_end;
	i->lines[i->count++].len = line.len;
}

/* Takes the line between lines_end and `end`; empty lines are passed over. Its page is given when
 * it is full, and then what is left of the text begins behind the line. */
static int take_line(importing *i, size_t end)
{
	tl_str line = {i->text.ptr + i->lines_end, end - i->lines_end};
	bool last = end == i->text.len;
	int rc = TL_OK;

	i->ended = line.len == 0;
	if (line.len == 0 && i->line == 1)
		i->framed = true;
	else if (line.len > 0 && !tl__str_starts(line, TL__STR(END_BEGINS)))
		add_line(i, line);
	i->lines_end = last ? end : end + 1;
	if (tl__str_starts(line, TL__STR(END_BEGINS)))
		rc = take_end(i, line);
	else if (i->count == PAGE_LINES || i->lines_end >= PAGE_BYTES)
		rc = give_page(i);
	i->line++;
	return rc;
}

/* Takes the complete lines; `from` bytes are known to hold no end of one. */
static int split(importing *i, size_t from)
{
	int rc = TL_OK;

	while (rc == TL_OK) {
		char *at = memchr(i->text.ptr + from, '\n', i->text.len - from);
		size_t left;

		if (!at)
			break;
		from = (size_t)(at - i->text.ptr);
		left = i->text.len - from - 1;
		rc = take_line(i, from);
		from = i->text.len - left;
	}
	return rc;
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
		if (got == TL_E_CANCELLED)
			return tl__fail(TL_E_CANCELLED, "the import was ended; what entered stays");
		if (got < 0 || got > READ_BYTES)
			return tl__fail(TL_E_IO, "the entries to import cannot be read");
		if (got == 0)
			return TL_OK;
		i->text.len += (size_t)got;
		rc = split(i, before);
		if (rc != TL_OK)
			return rc;
		if (i->text.len - i->lines_end > TL_ENTRY_MAX_BYTES)
			return fail_line(
				i->line, TL_E_TOO_LARGE, "it is longer than an entry can be");
	}
}

static int import_all(importing *i)
{
	int rc = read_all(i);

	if (rc == TL_OK && i->text.len > i->lines_end) /* a last line without its end */
		rc = take_line(i, i->text.len);
	if (rc == TL_OK)
		rc = give_page(i);
	if (rc == TL_OK && !i->has_root)
		rc = tl__fail(TL_E_BAD_ENTRY, "there are no entries to import");
	if (rc == TL_OK)
		rc = settle_doubts(i, UINT64_MAX);
	if (rc == TL_OK && i->framed && !i->ended)
		rc = tl__fail(TL_E_BAD_ENTRY,
			"it was cut off behind line %llu: the line that ends it is missing; "
			"export it again",
			(unsigned long long)(i->line - 1));
	return rc;
}

/* What entered stays, also when the rest is bad. */
static int tell_entered(const importing *i, int code)
{
	return tl__fail(code, "%s; %llu entries entered and are kept",
		tl_error_message(tl_last_error()), (unsigned long long)i->entered);
}

TL__PUBLIC_OF_NODE(tl__node_import, node && read,
	(tl_node *node, tl__import_read *read, void *ud, tl__import_state *state, tl_id *root,
		uint64_t *entered), (node, read, ud, state, root, entered))
{
	importing *i = tl__alloc_zero(1, sizeof *i);
	int rc = tl__node_check(node);

	if (!i)
		return TL_E_NOMEM;
	*i = (importing){.node = node, .read = read, .ud = ud, .line = 1, .state = state};
	if (rc == TL_OK) {
		rc = import_all(i);
		if (rc != TL_OK)
			rc = tell_entered(i, rc);
	}
	if (root && i->has_root)
		*root = i->root;
	if (entered)
		*entered = i->entered;
	tl__buf_free(&i->text);
	tl__buf_free(&i->doubts);
	tl__free(i);
	return rc;
}

int tl_node_import(tl_node *node, tl__import_read *read, void *ud, tl_id *root, uint64_t *entered)
{
	tl__import_state state = {0};

	return tl__node_import(node, read, ud, &state, root, entered);
}
