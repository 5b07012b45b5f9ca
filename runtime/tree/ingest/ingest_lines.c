/* Lines of a page, read by the threads of the pool: at once, or ahead of the page's turn. */
#include "base/fail.h"
#include "base/mem.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/ingest/ingest_run.h"
#include "tree/trust/signers.h"

struct tl__prepared {
	tl__pool_batch batch;
	tl__tree *tree;
	tl_id db;
	tl_entry_form form;
	const tl_str *texts;
	size_t count;
	bool verify, is_ahead;
	tl__line *lines;
};

static int read_line(const tl__prepared *p, tl_str text, tl__line *line)
{
	int code = tl_entry_parse(&line->entry, text, p->form);

	if (code == TL_OK)
		code = tl_entry_check(line->entry);
	if (code == TL_OK && !tl__id_equal(tl__entry_tree_id(line->entry), &p->db))
		code = TL_E_FOREIGN_ENTRY;
	return code;
}

/* With the key that its settings will give it, or for nothing. */
static void verify(const tl__prepared *p, tl__line *line)
{
	int code;

	if (!tl__signers_guess(p->tree->signers, line->entry, &line->key))
		return;
	code = tl_entry_verify(line->entry, &line->key);
	line->checked = code != TL_E_NOMEM;
	line->genuine = code == TL_OK;
}

static void prepare_line(void *ud, size_t index)
{
	const tl__prepared *p = ud;
	tl__line *line = &p->lines[index];

	line->declined = read_line(p, p->texts[index], line);
	if (line->declined == TL_OK && p->verify)
		verify(p, line);
}

static int start(tl__prepared **out, tl__tree *tree, const tl__ingest_page *page, bool verify)
{
	tl__prepared *p = tl__alloc_zero(1, sizeof *p);

	*out = NULL;
	if (!p)
		return TL_E_NOMEM;
	p->lines = tl__alloc_zero(page->count + 1, sizeof *p->lines);
	if (!p->lines) {
		tl__free(p);
		return TL_E_NOMEM;
	}
	p->tree = tree;
	p->db = page->db;
	p->form = page->form;
	p->texts = page->lines;
	p->count = page->count;
	p->verify = verify;
	p->batch.run = prepare_line;
	p->batch.ud = p;
	p->batch.count = page->count;
	tl__pool_start(tree->pool, &p->batch);
	*out = p;
	return TL_OK;
}

/* Signatures are dear: where most entries were known already, or were refused for something that
 * is cheaper to see, pages are read but not verified ahead. */
int tl__ingest_prepare(tl__prepared **out, tl__tree *tree, const tl__ingest_page *page)
{
	bool room = atomic_fetch_add(&tree->ahead, 1) < TL__INGEST_MAX_AHEAD;
	int code = TL_OK;

	*out = NULL;
	if (room)
		code = start(out, tree, page, !atomic_load(&tree->fruitless));
	if (*out)
		(*out)->is_ahead = true;
	else
		atomic_fetch_sub(&tree->ahead, 1);
	return code;
}

int tl__prepared_now(tl__prepared **out, tl__tree *tree, const tl__ingest_page *page)
{
	return start(out, tree, page, false);
}

bool tl__prepared_some(tl__prepared *p)
{
	return tl__pool_some(&p->batch);
}

int tl__prepared_lines(tl__prepared *p, tl__line **out)
{
	tl__pool_finish(p->tree->pool, &p->batch);
	*out = p->lines;
	for (size_t i = 0; i < p->count; i++)
		if (p->lines[i].declined == TL_E_NOMEM)
			return tl__fail(TL_E_NOMEM, "out of memory while reading a page");
	return TL_OK;
}

void tl__prepared_free(tl__prepared *p)
{
	if (!p)
		return;
	tl__pool_abandon(p->tree->pool, &p->batch);
	for (size_t i = 0; i < p->count; i++)
		tl_entry_free(p->lines[i].entry);
	if (p->is_ahead)
		atomic_fetch_sub(&p->tree->ahead, 1);
	tl__free(p->lines);
	tl__free(p);
}
