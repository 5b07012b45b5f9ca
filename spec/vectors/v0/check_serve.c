/* Recorded requests, said to a real server byte for byte.
 *
 * Before each one the node is given what the recorded server must have held: of the entries that
 * the file shows anywhere, those that the recorded answer stands on. */
#include <string.h>
#include <tidelock/entry.h>
#include "play.h"

/* --- what the server held --------------------------------------------------------------------- */

static bool tree_id(play *p)
{
	if (p->readable && p->request.kind == TL__V0_SYNC_TREE)
		return tl_id_parse(&p->db, p->request.sync_tree.tree_id) == TL_OK;
	return false;
}

/* The tips a recorded incremental answer tells. */
static void mark_recorded_tips(play *p, bool *marks)
{
	tl__v0_reader *reader = NULL;
	const tl__v0_response *r = read_answer(&reader, p->recorded);

	for (size_t i = 0; r && i < r->tip_count; i++) {
		tl_id id;

		if (tl_id_parse(&id, r->their_tips[i]) == TL_OK)
			pool_mark(p->pool, &id, 1, marks);
	}
	tl__v0_reader_free(reader);
}

/* What a push stands on, without the pushed entries themselves. */
static void mark_before_push(play *p, bool *marks)
{
	entry_list pushed;

	if (!entries_of_request(&p->c->arena, p->body, &pushed))
		return;
	for (size_t i = 0; i < pushed.count; i++)
		pool_mark(p->pool, &pushed.ids[i], 1, marks);
	for (size_t i = 0; i < p->pool->count; i++)
		if (list_has(&pushed, &p->pool->at[i].id))
			marks[i] = false;
}

static void give(play *p, const bool *marks)
{
	for (size_t i = 0; i < p->pool->count; i++)
		if (marks[i])
			live_take(&p->live, p->c, &p->pool->at[i].db, &p->pool->at[i].text, 1);
	for (size_t i = 0; i < p->pool->count; i++)
		p->held[i] = marks[i] && live_has(&p->live, &p->pool->at[i].db, &p->pool->at[i].id);
}

/* An error says nothing of what was held: once with nothing, once with all that the file shows of
 * that database (`everything`). */
static void prepare(play *p, bool everything)
{
	bool *marks = tl__arena_alloc(&p->c->arena, p->pool->count + 1, sizeof *marks);

	p->held = tl__arena_alloc(&p->c->arena, p->pool->count + 1, sizeof *p->held);
	if (!marks || !p->held)
		return;
	p->has_db = tree_id(p);
	if (p->readable && p->request.kind == TL__V0_SEND_ENTRIES) {
		mark_before_push(p, marks);
	} else if (p->recorded_kind == TL__V0_RESPONSE_BOOTSTRAP) {
		pool_mark(p->pool, p->recorded_entries.ids, p->recorded_entries.count, marks);
	} else if (p->recorded_kind == TL__V0_RESPONSE_INCREMENTAL) {
		mark_recorded_tips(p, marks);
	} else if (p->has_db && (everything || p->recorded_kind == TL__V0_RESPONSE_PENDING)) {
		pool_mark_db(p->pool, &p->db, marks);
	}
	give(p, marks);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static bool says(tl_str text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* What a request must be answered with because of its form alone; 0: its document decides. */
static int status_by_form(play *p)
{
	bool http1 = says(p->said, " HTTP/1.");
	tl_str length = http_header(p->said, "content-length");

	if (!http1)
		return -1;
	if (says(p->said, " HTTP/1.1\r\n") && !http_header(p->said, "host").ptr)
		return 400;
	if (length.ptr && strtoul(length.ptr, NULL, 10) > TL__V0_MAX_REQUEST_BYTES)
		return 413;
	if (p->recorded_status == 404 || p->recorded_status == 405 || p->recorded_status == 415)
		return p->recorded_status;
	return 0;
}

static void explain_status(play *p, int wanted)
{
	if (wanted == -1)
		differs(p->c, "HTTP/1 and nothing else is spoken: the connection is closed");
	else if (wanted == 400 && p->recorded_status == 200)
		differs(p->c, "a request without Host is refused");
	else if (wanted == 413 && p->recorded_status == 0)
		differs(p->c, "a length over the limit is refused when it is announced");
	else if (wanted == 422 && p->recorded_status == 200)
		differs(p->c, "structures written as arrays are refused");
}

/* Whether all of them have the shape of an entry. What has more members than that is none that we
 * know, but no reason to refuse the others. */
static bool all_shaped(const tl__v0_request *request)
{
	bool good = true;

	for (size_t i = 0; i < request->entry_count; i++) {
		tl_entry *entry = NULL;

		good = good && tl_entry_parse(&entry, request->entries[i], TL_ENTRY_FOREIGN) !=
				       TL_E_BAD_ENTRY;
		tl_entry_free(entry);
	}
	return good;
}

static int status_by_document(play *p)
{
	if (!p->readable)
		return (int)p->refusal;
	return p->request.kind == TL__V0_SEND_ENTRIES && !all_shaped(&p->request) ? 422 : 200;
}

/* The first answer that is one: a 100 goes before. */
static tl_str final_answer(tl_str said)
{
	while (http_status(said) == 100)
		said = http_body(said);
	return said;
}

static void check_said(play *p)
{
	int wanted = status_by_form(p);
	size_t recorded = http_complete(node_text(p->c->item, "response"), false);
	tl_str all = live_say(p->c, &p->live, p->said, recorded > 0 ? recorded : 1);
	tl_str answer = final_answer(all);
	int status = http_status(answer);

	if (wanted == 0)
		wanted = status_by_document(p);
	if (wanted == -1)
		expect(p->c, status == 0 || status >= 400, "another protocol is refused");
	else if (status != wanted)
		wrong(p->c, "answered %d instead of %d, 0.2.0 answered %d: %.*s", status, wanted,
			p->recorded_status, answer.len > 300 ? 300 : (int)answer.len, answer.ptr);
	if (wanted != p->recorded_status)
		explain_status(p, wanted);
	if (wanted != p->recorded_status && !p->c->differs)
		wrong(p->c, "no rule says why %d is right where 0.2.0 answered %d", wanted,
			p->recorded_status);
	if (recorded > 1 && wanted == 200)
		expect(p->c, http_complete(all, false) == recorded, "as many answers");
	if (status == 200 && wanted == 200 && p->readable)
		check_answer(p, http_document(p->c, answer));
}

/* --- the section ------------------------------------------------------------------------------ */

static void play_once(play *p, tl_str seed, bool claims, bool everything)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;

	options.v0_claims = p->claims = claims;
	if (live_open(&p->live, p->c, seed, &options, true)) {
		prepare(p, everything);
		check_said(p);
	}
	live_close(&p->live);
}

void check_served(check *c, const node *section)
{
	tl_str seed = node_text(vector_section("wire_keys"), "server_device_seed");
	tl_str answer = node_text(c->item, "response");
	play p = {.c = c, .pool = pool_of(section), .said = whole_text(c, bytes_of(c, "request"))};
	bool unsaid;

	p.body = http_document(c, p.said);
	p.readable = p.body.ptr && tl__v0_request_read(&p.request, p.body, &p.refusal) == TL_OK;
	while (http_status(answer) == 100)
		answer = http_body(answer);
	p.recorded_status = http_status(answer);
	p.recorded = http_document(c, answer);
	if (p.recorded.ptr && p.recorded_status == 200) {
		p.recorded_kind = answer_kind(p.recorded);
		if (!entries_of_answer(&c->arena, p.recorded, &p.recorded_entries))
			p.recorded_entries = (entry_list){0};
	}
	play_once(&p, seed, false, false);
	if (p.readable && p.request.kind == TL__V0_SYNC_TREE) {
		play_once(&p, seed, true, false);
		unsaid = p.recorded_kind == TL__V0_RESPONSE_ERROR;
		if (unsaid)
			play_once(&p, seed, false, true);
	}
	if (p.readable)
		tl__v0_request_free(&p.request);
}
