/* What the answers to 0.2.0 peers share, and the works that they wait for. */
#include "v0/in/in.h"

void tl__v0_answer(tl__sync *sync, tl__incoming *in, tl__buf *document)
{
	tl__serve_answer(sync, in, 200, TL__V0_CONTENT_TYPE, document, false);
}

void tl__v0_answer_error(tl__sync *sync, tl__incoming *in, const char *text)
{
	tl__buf document = TL__BUF_INIT;

	tl__v0_write_error(&document, tl__str_z(text));
	tl__v0_answer(sync, in, &document);
}

tl__work *tl__v0_serve_work(tl__sync *sync, tl__incoming *in, const tl__work_way *way, size_t size,
	void (*done)(void *sync, tl__work *work))
{
	tl__work *work = tl__serve_work(sync, in, TL__WORK_OTHER, done);

	if (!work || tl__work_begin_other(work, way, size))
		return work;
	tl__work_free(work);
	in->works--;
	tl__serve_internal(sync, in, NULL);
	return NULL;
}
