#include "v0/work/intake.h"

#include "base/fail.h"
#include "base/mem.h"
#include "v0/spool/spool.h"

struct tl__intake {
	tl__v0_reader *reader;
	tl__spool *spool;
	uint64_t left; /* bytes that may still be fed */
	bool has_root;
	tl_id root;
	uint64_t refused;
	int refused_code;
};

/* The root entry must be one before it can be told which. */
static void note_root(tl__intake *intake, tl_str text)
{
	tl_entry *entry;

	if (tl_entry_parse(&entry, text, TL_ENTRY_FOREIGN) != TL_OK)
		return;
	intake->has_root = true;
	intake->root = *tl_entry_id(entry);
	tl_entry_free(entry);
}

static int take_entry(void *ud, tl_str text, bool is_root)
{
	tl__intake *intake = ud;
	int refused = TL_OK, rc;

	if (is_root)
		note_root(intake, text);
	rc = tl__spool_add(intake->spool, text, TL_ENTRY_FOREIGN, &refused);
	if (rc == TL_OK && refused != TL_OK && intake->refused++ == 0)
		intake->refused_code = refused;
	return rc;
}

int tl__intake_new(tl__intake **out, tl__tree *tree, const tl_id *db, uint64_t max_bytes)
{
	tl__intake *intake = tl__alloc_zero(1, sizeof *intake);
	tl__spool_options options = {.db = *db, .max_bytes = max_bytes, .held = tl__spool_held};
	int rc;

	*out = NULL;
	if (!intake)
		return TL_E_NOMEM;
	options.ud = tree;
	intake->left = max_bytes;
	rc = tl__spool_new(&intake->spool, &options);
	if (rc == TL_OK)
		rc = tl__v0_reader_new(&intake->reader, take_entry, intake);
	if (rc != TL_OK) {
		tl__intake_free(intake);
		return rc;
	}
	*out = intake;
	return TL_OK;
}

void tl__intake_free(tl__intake *intake)
{
	if (!intake)
		return;
	tl__v0_reader_free(intake->reader);
	tl__spool_free(intake->spool);
	tl__free(intake);
}

int tl__intake_feed(tl__intake *intake, const void *bytes, size_t len)
{
	if (len > intake->left)
		return tl__fail(
			TL_E_TOO_LARGE, "the answer is longer than max_response_bytes allows");
	intake->left -= len;
	return tl__v0_reader_feed(intake->reader, bytes, len);
}

int tl__intake_finish(tl__intake *intake)
{
	int rc = tl__v0_reader_finish(intake->reader);

	if (rc == TL_OK)
		tl__spool_finish(intake->spool);
	return rc;
}

const tl__v0_response *tl__intake_response(const tl__intake *intake)
{
	return tl__v0_reader_response(intake->reader);
}

bool tl__intake_root(const tl__intake *intake, tl_id *root)
{
	*root = intake->root;
	return intake->has_root;
}

int tl__intake_next(tl__intake *intake, const tl_str **lines, size_t *count, bool *more)
{
	tl__spool_page page = {0};
	int rc = tl__spool_next(intake->spool, &page);

	*lines = page.lines;
	*count = page.count;
	*more = rc == TL_OK && !page.end && page.count > 0;
	return rc;
}

uint64_t tl__intake_refused(tl__intake *intake, int *code)
{
	uint64_t refused = intake->refused;

	if (refused > 0 && *code == TL_OK)
		*code = intake->refused_code;
	intake->refused = 0;
	return refused;
}
