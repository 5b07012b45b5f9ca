/* What strangers ask for. */
#include <string.h>
#include "base/str.h"
#include "forge.h"
#include "hostile.h"

#define PAGE 100 /* entries */

static bare *stranger(hostile *h, size_t i)
{
	return &h->strangers[i % STRANGERS];
}

/* A pull of next to nothing. */
static void write_pull(hostile *h, size_t i, bare_ask *ask, const tl_id *tip, tl__buf *out)
{
	tl__v1_pull pull = {.budget = 1};
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	if (tip) {
		pull.tips.count = 1;
		tl__v1_write_id(&body, TL__V1_LINE_TIP, tip);
	}
	tl__v1_write_pull(&args, &pull);
	ask->method = "pull";
	ask->args = tl__buf_view(&args);
	ask->body = tl__buf_view(&body);
	bare_write(out, stranger(h, i), &h->hub.bare, ask);
	tl__buf_free(&args);
	tl__buf_free(&body);
}

/* --- nothing at all, for comparison ----------------------------------------------------------- */

static void write_nothing(hostile *h, size_t i, tl__buf *out)
{
	(void)h;
	(void)i;
	bare_post(out, "/nothing", TL__V1_CONTENT_TYPE, TL__STR(""));
}

/* --- envelopes -------------------------------------------------------------------------------- */

static void write_pull_plain(hostile *h, size_t i, tl__buf *out)
{
	bare_ask ask = {.db = &h->db};

	write_pull(h, i, &ask, NULL, out);
}

/* The same request again and again. */
static void write_replay(hostile *h, size_t i, tl__buf *out)
{
	static tl__buf same;

	if (i == 0) {
		tl__buf_free(&same);
		write_pull_plain(h, 0, &same);
	}
	tl__buf_str(out, tl__buf_view(&same));
}

/* The signature of another message, so that only checking it shows that it is none. */
static void write_forged(hostile *h, size_t i, tl__buf *out)
{
	uint8_t *frame;
	size_t header;

	write_pull_plain(h, i, out);
	frame = (uint8_t *)strstr(out->ptr, "\r\n\r\n") + 4;
	header = (size_t)frame[2] << 8 | frame[3];
	frame[4 + header + 1 + 32] ^= 1; /* behind the count of signatures and R */
}

/* As many proofs as fit, all of them right, of keys that mean nothing there. */
static void write_proofs(hostile *h, size_t i, tl__buf *out)
{
	bare_ask ask = {.db = &h->db, .provers = h->unknown, .prover_count = TL__V1_MAX_KEYS};

	write_pull(h, i, &ask, NULL, out);
}

static void write_access(hostile *h, size_t i, tl__buf *out)
{
	tl__v1_access access = {.name = TL__STR("me"), .permission = {TL_WRITE, 10}};
	tl__buf args = TL__BUF_INIT;
	bare_ask ask = {.method = "access", .db = &h->db, .prover_count = 1};
	bare made_up;

	bare_new(&made_up);
	access.key = made_up.key;
	tl__v1_write_access(&args, &access);
	ask.provers = &made_up;
	ask.args = tl__buf_view(&args);
	bare_write(out, stranger(h, i), &h->hub.bare, &ask);
	tl__buf_free(&args);
}

/* --- what is to be looked up ------------------------------------------------------------------ */

static void write_list(hostile *h, size_t i, tl__buf *out)
{
	bare_ask ask = {.method = "list", .args = TL__STR("{\"after\":null}")};

	bare_write(out, stranger(h, i), &h->hub.bare, &ask);
}

static void write_pull_many(hostile *h, size_t i, tl__buf *out)
{
	bare_ask ask = {.db = &h->many};

	write_pull(h, i, &ask, NULL, out);
}

static void write_pull_head(hostile *h, size_t i, tl__buf *out)
{
	bare_ask ask = {.db = &h->db};

	write_pull(h, i, &ask, &h->head, out);
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Standing on one another, or each on the root when none of them will ever be there. */
static void write_page(hostile *h, size_t i, bool good, tl__buf *out)
{
	static uint64_t number;
	bare *by = stranger(h, i);
	tl_id parent = h->wall;
	tl__buf body = TL__BUF_INIT;
	bare_ask ask = {.method = "push", .db = &h->wall, .args = TL__STR("{\"seen\":null}")};

	for (size_t k = 0; k < PAGE; k++) {
		tl_id id = forge_line(&body, &h->wall, &parent, by, number++, good);

		if (good)
			parent = id;
	}
	ask.body = tl__buf_view(&body);
	bare_write(out, by, &h->hub.bare, &ask);
	tl__buf_free(&body);
}

static void write_good_page(hostile *h, size_t i, tl__buf *out)
{
	write_page(h, i, true, out);
}

static void write_bad_page(hostile *h, size_t i, tl__buf *out)
{
	write_page(h, i, false, out);
}

/* As many invalid entries as the hub keeps. */
static void fill_quarantine(hostile *h)
{
	size_t pages = bench_quick ? 2 : 100;
	bare_line line;

	bare_dial(&line, &h->hub.bare, NULL);
	for (size_t i = 0; i < pages; i++) {
		tl__buf request = TL__BUF_INIT;
		bare_answer answer;

		write_bad_page(h, i, &request);
		need_that(bare_send(&line, tl__buf_view(&request)), "a page");
		bare_await(&line, &answer);
		need_that(answer.status == 200, "a page of invalid entries that is answered");
		tl__buf_free(&request);
	}
	bare_close(&line);
}

#define BY_REQUESTS flood_begin, flood_step, flood_end

const attack attacks[] = {
	{"nothing", BY_REQUESTS, 1000, write_nothing, NULL},
	{"pull", BY_REQUESTS, 500, write_pull_plain, NULL},
	{"replays", BY_REQUESTS, 1000, write_replay, NULL},
	{"signatures", BY_REQUESTS, 1000, write_forged, NULL},
	{"proofs", BY_REQUESTS, 200, write_proofs, NULL},
	{"access", BY_REQUESTS, 200, write_access, NULL},
	{"list", BY_REQUESTS, 200, write_list, NULL},
	{"many_tips", BY_REQUESTS, 200, write_pull_many, NULL},
	{"head_as_tips", BY_REQUESTS, 200, write_pull_head, NULL},
	{"page", BY_REQUESTS, 20, write_good_page, NULL},
	{"invalid_page", BY_REQUESTS, 20, write_bad_page, NULL},
	{"invalid_page_full", BY_REQUESTS, 20, write_bad_page, fill_quarantine},
	{"connections", silence_begin, silence_step, silence_end, 500, NULL, NULL},
	{"tls_silent", silence_begin_tls, silence_step, silence_end, 300, NULL, NULL},
	{"junk_forged", junk_begin_forged, NULL, junk_end, 0, NULL, NULL},
	{"junk_repeated", junk_begin_repeated, NULL, junk_end, 0, NULL, NULL},
};
const size_t attack_count = sizeof attacks / sizeof *attacks;
