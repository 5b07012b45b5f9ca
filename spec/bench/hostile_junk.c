/* A peer of the hub that always has more, and all of it is junk. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "fake_peer.h"
#include "forge.h"
#include "hostile.h"

#define PAGE 100

typedef enum junk_kind { FORGED, REPEATED } junk_kind;

typedef struct junk {
	hostile *h;
	fake_peer peer;
	bare self; /* what it signs with, as a stranger's entries are made */
	junk_kind kind;
	uint64_t n; /* its order of arrival, which never ends */
	atomic_size_t pages;
	uint8_t epoch[TL__V1_EPOCH_BYTES];
} junk;

static void write_page(junk *j, tl__buf *args, tl__buf *body)
{
	tl__v1_page page = {.more = true, .seen_valid = true, .cursor_valid = true};
	bool repeats = j->kind == REPEATED;

	for (size_t i = 0; i < PAGE; i++)
		forge_line(body, &j->h->db, &j->h->head, &j->self, repeats ? i : j->n + i, false);
	j->n += PAGE;
	page.cursor.n = j->n;
	memcpy(page.cursor.incarnation, j->epoch, sizeof page.cursor.incarnation);
	tl__v1_write_page(args, &page);
	atomic_fetch_add(&j->pages, 1);
}

static void write_hello(junk *j, tl__buf *args)
{
	tl__v1_hello hello = {.key = j->self.key,
		.name = TL__STR("junk"),
		.max_body_bytes = TL__V1_MAX_BODY_BYTES,
		.max_page_entries = TL__V1_MAX_PAGE_ENTRIES};

	memcpy(hello.incarnation, j->epoch, sizeof hello.incarnation);
	tl__v1_write_hello(args, &hello);
}

static int answer(fake_peer *peer, tl_str path, tl_str body, tl__buf *out, size_t *announced)
{
	junk *j = peer->ud;
	tl__v1_response header = {.status = TL__V1_OK, .channel = TL__STR("none")};
	tl__buf args = TL__BUF_INIT, lines = TL__BUF_INIT;
	tl__v1_frame frame;
	struct timespec now;

	(void)announced;
	if (tl__v1_frame_read(&frame, body.ptr, body.len) != TL_OK ||
		tl__v1_request_hash(&frame, header.re) != TL_OK)
		return 404;
	clock_gettime(CLOCK_REALTIME, &now);
	header.time = (int64_t)now.tv_sec * 1000;
	memcpy(header.epoch, j->epoch, sizeof header.epoch);
	if (tl__str_eq(path, TL__STR(TL__V1_PATH_PREFIX "hello"))) {
		write_hello(j, &args);
	} else if (tl__str_eq(path, TL__STR(TL__V1_PATH_PREFIX "pull"))) {
		write_page(j, &args, &lines);
	} else {
		header.status = TL__V1_UNKNOWN_METHOD;
		tl__v1_write_refusal(&args, &(tl__v1_refusal){.code = TL__STR("")});
	}
	header.args = tl__buf_view(&args);
	need(tl__v1_response_write(out, &header, &j->self.secret, tl__buf_view(&lines)),
		"an answer of junk");
	tl__buf_free(&args);
	tl__buf_free(&lines);
	return 200;
}

static junk *begin(hostile *h, junk_kind kind)
{
	junk *j = calloc(1, sizeof *j);

	need_that(j != NULL, "memory");
	j->h = h;
	j->kind = kind;
	bare_new(&j->self);
	tl_random_bytes(j->epoch, sizeof j->epoch);
	need_that(fake_start(&j->peer, answer, j), "a peer that answers junk");
	hub_dial(&h->hub, j->self.text, &j->peer.at);
	return j;
}

void *junk_begin_forged(hostile *h, const attack *a, double seconds)
{
	(void)a;
	(void)seconds;
	return begin(h, FORGED);
}

void *junk_begin_repeated(hostile *h, const attack *a, double seconds)
{
	(void)a;
	(void)seconds;
	return begin(h, REPEATED);
}

size_t junk_end(void *ud)
{
	junk *j = ud;
	size_t pages = atomic_load(&j->pages);

	hub_forget(&j->h->hub, j->self.text);
	fake_stop(&j->peer);
	free(j);
	return pages;
}
