/* The core driven by hand (sync_world.h), and who answers it: as "bob" would. */
#ifndef SPEC_SYNC_RIG_H
#define SPEC_SYNC_RIG_H

#include "sync_world.h"

/* --- what was sent ---------------------------------------------------------------------------- */

/* The oldest request not answered yet goes to this path and address (NULL: any). */
static inline bool sends(const char *path, const char *address)
{
	if (r.send_count == 0)
		return false;
	return strcmp(r.sends[0].send.path, path) == 0 &&
	       (!address || strcmp(r.sends[0].send.address.text, address) == 0);
}

typedef struct asked {
	uint64_t exchange;
	tl__v1_request header;
	uint8_t re[32];
	char args[4096], channel[160];
	char *body;
	size_t body_len;
} asked;

static inline void drop_send(size_t index)
{
	tl__sync_action_drop(&r.sends[index]);
	r.send_count--;
	memmove(&r.sends[index], &r.sends[index + 1], (r.send_count - index) * sizeof *r.sends);
}

/* Takes the oldest v1 request off, read and verified. Free with asked_free. */
static inline bool take_v1(asked *out)
{
	tl__buf *body = &r.sends[0].send.body;
	tl__v1_frame frame;
	bool good;

	memset(out, 0, sizeof *out);
	if (r.send_count == 0)
		return false;
	out->exchange = r.sends[0].send.exchange;
	good = tl__v1_frame_read(&frame, body->ptr, body->len) == TL_OK &&
	       tl__v1_request_read(&out->header, frame.header) == TL_OK &&
	       tl__v1_verify_request(&frame, &out->header.from) == TL_OK &&
	       tl__v1_request_hash(&frame, out->re) == TL_OK;
	for (size_t i = 0; good && i < out->header.key_count; i++)
		good = tl__v1_verify_proof(&frame, i, &out->header.keys[i]) == TL_OK;
	if (good) {
		snprintf(out->args, sizeof out->args, "%.*s", TL__STR_ARG(out->header.args));
		out->header.args = z(out->args);
		snprintf(out->channel, sizeof out->channel, "%.*s",
			TL__STR_ARG(out->header.channel));
		out->header.channel = z(out->channel);
		out->body_len = body->len - frame.size;
		out->body = tl__copy_bytes(body->ptr + frame.size, out->body_len);
	}
	drop_send(0);
	return good;
}

static inline void asked_free(asked *a)
{
	tl__free(a->body);
	a->body = NULL;
}

/* --- answering -------------------------------------------------------------------------------- */

static inline void answer_bytes(uint64_t exchange, int status, tl_str bytes)
{
	tl__sync_event event = {.kind = TL__SYNC_ANSWERED};

	event.answered.exchange = exchange;
	event.answered.status = status;
	event.answered.channel = TL__STR("none");
	event.answered.body = bytes;
	rig_event(&event);
}

static inline void answer_failure(int code)
{
	tl__sync_event event = {.kind = TL__SYNC_ANSWERED};

	event.answered.exchange = r.sends[0].send.exchange;
	event.answered.code = code;
	event.answered.error = TL__STR("no connection");
	drop_send(0);
	rig_event(&event);
}

/* A signed response as its bytes. */
static inline void make_response(tl__buf *out, const asked *to, const party *by,
	tl__v1_status status, tl_str args, tl_str body)
{
	tl__v1_response response = {.status = status, .time = r.wall, .channel = TL__STR("none")};

	memcpy(response.re, to->re, 32);
	memcpy(response.epoch, by->epoch, 16);
	response.args = args;
	CHECK_OK(tl__v1_response_write(out, &response, &by->secret, body));
}

static inline void answer_v1(
	const asked *to, const party *by, tl__v1_status status, tl_str args, tl_str body)
{
	tl__buf out = TL__BUF_INIT;

	make_response(&out, to, by, status, args, body);
	answer_bytes(to->exchange, 200, tl__buf_view(&out));
	tl__buf_free(&out);
}

static inline void refuse_v1(const asked *to, const party *by, tl__v1_status status)
{
	tl__v1_refusal refusal = {0};
	tl__buf args = TL__BUF_INIT;

	refusal.code = TL__STR("");
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(to, by, status, tl__buf_view(&args), TL__STR(""));
	tl__buf_free(&args);
}

static inline void hello_args(tl__buf *args, const party *by)
{
	tl__v1_hello hello = {.key = by->key, .name = TL__STR("bob")};

	memcpy(hello.incarnation, by->incarnation, 16);
	for (size_t i = 0; i < r.told_count; i++) {
		hello.addresses[i].type = z(r.told[i][0]);
		hello.addresses[i].address = z(r.told[i][1]);
	}
	hello.address_count = r.told_count;
	hello.max_body_bytes = TL__V1_MAX_BODY_BYTES;
	hello.max_page_entries = TL__V1_MAX_PAGE_ENTRIES;
	tl__v1_write_hello(args, &hello);
}

/* The oldest request must be a hello. */
static inline void answer_hello(const party *by)
{
	tl__buf args = TL__BUF_INIT;
	asked a;

	CHECK(sends("/tidelock/v1/hello", NULL));
	if (!take_v1(&a)) {
		FAIL_CASE("a hello was expected");
		return;
	}
	hello_args(&args, by);
	answer_v1(&a, by, TL__V1_OK, tl__buf_view(&args), TL__STR(""));
	tl__buf_free(&args);
	asked_free(&a);
}

/* A whole first contact; the core knows bob as a v1 peer afterwards. */
static inline void meet(const party *by, const char *host_port)
{
	uint64_t op = connect_to(host_port, &by->key);

	answer_hello(by);
	CHECK_DONE(op, TL_OK);
}

/* --- entries of the other side ---------------------------------------------------------------- */

#define REMOTE_MAX 64
typedef struct remote {
	tl_id id[REMOTE_MAX];
	char *bytes[REMOTE_MAX];
	size_t len[REMOTE_MAX];
	size_t count;
} remote;

/* Copies every entry of a database, in arrival order. */
static inline int note_entry(void *ud, const tl__entry_row *row)
{
	remote *to = ud;

	if (to->count == REMOTE_MAX)
		return TL__STORE_STOP;
	to->id[to->count] = row->id;
	to->len[to->count] = row->bytes.len;
	to->bytes[to->count] = tl__copy_bytes(row->bytes.ptr, row->bytes.len);
	to->count++;
	return TL_OK;
}

static inline void copy_entries(remote *to, const tl_id *db)
{
	tl__snapshot *s;

	to->count = 0;
	CHECK_OK(tl__snapshot_open(w.store, &s));
	CHECK_OK(tl__read_arrivals(
		s, db, 1, UINT64_MAX, REMOTE_MAX, TL__WITH_BYTES, note_entry, to));
	tl__snapshot_close(s);
}

/* A chain of entries that only the other side holds: made in a world of its own. The rig is open
 * (and empty) afterwards. */
static inline void make_remote(remote *to, size_t count)
{
	tl_database *db;
	tl_id root;

	rig_stop();
	db = new_database("bob");
	root = *tl_database_root_id(db);
	for (size_t i = 1; i < count; i++) {
		char text[16];

		snprintf(text, sizeof text, "%zu", i);
		(void)write_text(db, "data", "n", text);
	}
	tl_database_free(db);
	copy_entries(to, &root);
	rig_end_world();
	CHECK(rig_world());
	CHECK(rig_start(NULL));
}

static inline void free_remote(remote *to)
{
	for (size_t i = 0; i < to->count; i++)
		tl__free(to->bytes[i]);
	to->count = 0;
}

static inline tl__v1_cursor place(const party *by, uint64_t n)
{
	tl__v1_cursor cursor = {.n = n};

	memcpy(cursor.incarnation, by->incarnation, 16);
	memset(cursor.c, (int)n, sizeof cursor.c);
	return cursor;
}

typedef struct page_answer {
	uint64_t n; /* the cursor */
	bool more, cursor_invalid, seen_invalid;
	const tl_id *tips; /* ascending */
	size_t tip_count;
	const remote *from;
	size_t first, count; /* entries given */
	const tl_id *absent;
	size_t absent_count;
} page_answer;

/* The oldest request must be a pull. */
static inline void answer_page(const party *by, const page_answer *page)
{
	tl__v1_page args = {.more = page->more};
	tl__buf header = TL__BUF_INIT, body = TL__BUF_INIT;
	asked a;

	CHECK(sends("/tidelock/v1/pull", NULL));
	if (!take_v1(&a)) {
		FAIL_CASE("a pull was expected");
		return;
	}
	args.cursor = place(by, page->n);
	args.cursor_valid = !page->cursor_invalid;
	args.seen_valid = !page->seen_invalid;
	args.has_tips = !page->more;
	args.has_left = r.left > 0;
	args.left = r.left;
	args.tips.count = page->tip_count;
	tl__v1_tips_hash(page->tips, page->tip_count, args.tips.sha256);
	tl__v1_write_page(&header, &args);
	for (size_t i = 0; args.has_tips && i < page->tip_count; i++)
		tl__v1_write_id(&body, TL__V1_LINE_TIP, &page->tips[i]);
	for (size_t i = 0; i < page->absent_count; i++)
		tl__v1_write_id(&body, TL__V1_LINE_ABSENT, &page->absent[i]);
	for (size_t i = page->first; i < page->first + page->count; i++)
		tl__v1_write_entry(&body, (tl_str){page->from->bytes[i], page->from->len[i]});
	answer_v1(&a, by, TL__V1_OK, tl__buf_view(&header), tl__buf_view(&body));
	tl__buf_free(&header);
	tl__buf_free(&body);
	asked_free(&a);
}

/* The oldest request must be a push: every entry gets this fate, the cursor moves to n. Tells where
 * the peer stands if r.stands says so. Returns how many entries it held. */
static inline size_t answer_push(const party *by, tl__v1_fate fate, uint64_t n, const tl_id *waits)
{
	tl__v1_fates args = {.seen_valid = true,
		.has_cursor = true,
		.cursor = place(by, n),
		.has_state = r.stands > 0,
		.arrivals = r.stands};
	tl__buf header = TL__BUF_INIT, body = TL__BUF_INIT;
	size_t count = 0;
	tl_str rest, line;
	asked a;

	CHECK(sends("/tidelock/v1/push", NULL));
	if (!take_v1(&a)) {
		FAIL_CASE("a push was expected");
		return 0;
	}
	rest = (tl_str){a.body, a.body_len};
	while (tl__v1_next_line(&rest, &line)) {
		tl__v1_line out = {.kind = TL__V1_LINE_FATE, .has_id = true, .fate = fate};
		tl_entry *entry;

		CHECK_OK(tl_entry_parse(&entry, line, TL_ENTRY_CANONICAL));
		out.id = *tl_entry_id(entry);
		tl_entry_free(entry);
		out.code = fate == TL__V1_FATE_DECLINED ? TL__STR("declined") : TL__STR("");
		if (fate == TL__V1_FATE_PENDING && waits) {
			out.waits_count = 1;
			out.waits_for[0] = *waits;
		}
		tl__v1_write_line(&body, &out);
		count++;
	}
	tl__v1_write_fates(&header, &args);
	answer_v1(&a, by, TL__V1_OK, tl__buf_view(&header), tl__buf_view(&body));
	tl__buf_free(&header);
	tl__buf_free(&body);
	asked_free(&a);
	return count;
}

#endif
