#include "v0/work/works.h"

#include "base/fail.h"
#include "base/mem.h"
#include "v0/spool/spool.h"

typedef struct tree_intake {
	tl__intake base;
	tl__v0_reader *reader;
	tl__spool *spool;
	uint64_t left; /* bytes that may still be fed */
	bool has_root;
	tl_id root;
	uint64_t refused;
	int refused_code;
} tree_intake;

static tree_intake *of(tl__intake *intake)
{
	return (tree_intake *)intake;
}

/* The root entry must be one before it can be told which. */
static void note_root(tree_intake *intake, tl_str text)
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
	tree_intake *intake = ud;
	int refused = TL_OK, rc;

	if (is_root)
		note_root(intake, text);
	rc = tl__spool_add(intake->spool, text, TL_ENTRY_FOREIGN, &refused);
	if (rc == TL_OK && refused != TL_OK && intake->refused++ == 0)
		intake->refused_code = refused;
	return rc;
}

static void free_intake(tl__intake *base)
{
	tree_intake *intake = of(base);

	tl__v0_reader_free(intake->reader);
	tl__spool_free(intake->spool);
	tl__free(intake);
}

static int open_intake(tl__intake **out, tl__tree *tree, const tl_id *db, uint64_t max_bytes)
{
	tree_intake *intake = tl__alloc_zero(1, sizeof *intake);
	tl__spool_options options = {.db = *db, .max_bytes = max_bytes, .held = tl__spool_held};
	int rc;

	*out = NULL;
	if (!intake)
		return TL_E_NOMEM;
	options.ud = tree;
	intake->base.way = &tl__v0_intake;
	intake->left = max_bytes;
	rc = tl__spool_new(&intake->spool, &options);
	if (rc == TL_OK)
		rc = tl__v0_reader_new(&intake->reader, take_entry, intake);
	if (rc != TL_OK) {
		free_intake(&intake->base);
		return rc;
	}
	*out = &intake->base;
	return TL_OK;
}

/* An answer that cannot be read is as good as none, whatever is wrong with it. */
static int no_message(int code)
{
	if (code != TL_E_BAD_JSON && code != TL_E_BAD_MESSAGE)
		return code;
	return tl__fail_cause(TL_E_NETWORK, "the answer is no message of eidetica 0.2.0");
}

static int feed(tl__intake *intake, const void *bytes, size_t len)
{
	if (len > of(intake)->left)
		return tl__fail(
			TL_E_TOO_LARGE, "the answer is longer than max_response_bytes allows");
	of(intake)->left -= len;
	return no_message(tl__v0_reader_feed(of(intake)->reader, bytes, len));
}

static int finish(tl__intake *intake)
{
	int rc = no_message(tl__v0_reader_finish(of(intake)->reader));

	if (rc == TL_OK)
		tl__spool_finish(of(intake)->spool);
	return rc;
}

static int next(tl__intake *intake, const tl_str **lines, size_t *count, bool *more)
{
	tl__spool_page page = {0};
	int rc = tl__spool_next(of(intake)->spool, &page);

	*lines = page.lines;
	*count = page.count;
	*more = rc == TL_OK && !page.end && page.count > 0;
	return rc;
}

static uint64_t refused(tl__intake *base, int *code)
{
	tree_intake *intake = of(base);
	uint64_t count = intake->refused;

	if (count > 0 && *code == TL_OK)
		*code = intake->refused_code;
	intake->refused = 0;
	return count;
}

const tl__intake_way tl__v0_intake = {.open = open_intake,
	.feed = feed,
	.finish = finish,
	.next = next,
	.refused = refused,
	.free = free_intake};

const tl__v0_response *tl__v0_intake_response(const tl__intake *intake)
{
	return tl__v0_reader_response(((const tree_intake *)intake)->reader);
}

bool tl__v0_intake_root(const tl__intake *intake, tl_id *root)
{
	*root = ((const tree_intake *)intake)->root;
	return ((const tree_intake *)intake)->has_root;
}
