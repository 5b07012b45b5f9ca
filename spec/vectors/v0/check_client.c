/* What our client makes of answers: of those that a live 0.2.0 client was given.
 *
 * The section `client_verdicts` tells the answers in words. Words that are known below are turned
 * into an answer; of others the recorded result tells what kind of answer it was. What our client
 * must say follows from the answer alone. Here: handshakes, redirects, addresses. */
#include <string.h>
#include "told.h"
#include "v0/wire/v0.h"

bool told(tl_str text, const char *words)
{
	return text.ptr && memmem(text.ptr, text.len, words, strlen(words)) != NULL;
}

bool recorded_well(check *c)
{
	tl_str result = node_text(c->item, "result");

	return tl__str_starts(result, TL__STR("ok"));
}

/* The first number in it, or `otherwise`. */
int number_in(tl_str text, int otherwise)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] >= '0' && text.ptr[i] <= '9')
			return (int)strtol(text.ptr + i, NULL, 10);
	return otherwise;
}

/* Result of an operation; its text is copied. */
int wait_for(int started, tl_op *op, char text[256])
{
	int rc = started;

	text[0] = '\0';
	if (rc == TL_OK) {
		rc = tl_op_wait(op, LIVE_PATIENCE_MS);
		snprintf(text, 256, "%s", tl_op_text(op));
	}
	tl_op_free(op);
	return rc;
}

void expect_code(check *c, int got, int wanted, const char *what)
{
	if (got != wanted)
		wrong(c, "%s: our client says %s, must be %s (%s)", what, tl_error_name(got),
			tl_error_name(wanted),
			got == TL_OK ? "" : tl_error_message(tl_last_error()));
}

/* --- handshakes ------------------------------------------------------------------------------- */

#define NO_MESSAGE "{\"Other\":{}}"

static const struct words {
	const char *text;
	bend how;
} handshakes[] = {
	{"good handshake", {0}},
	{"version", {.version = 1}},
	{"flipped signature bit", {.flip_signature = true}},
	{"short signature", {.cut_signature = 1}},
	{"empty signature", {.cut_signature = TL_SIGNATURE_BYTES}},
	{"other public key", {.other_key = true}},
	{"junk public key", {.junk_key = true}},
	{"device_id differs", {.other_device = true}},
	{"unknown field", {.strange_order = true}},
	{"other field order", {.strange_order = true}},
	{"without display_name", {.no_name = true}},
	{"without available_trees", {.no_trees = true}},
	{"Error", {.document = "{\"Error\":\"go away\"}"}},
	{"Ack", {.document = "\"Ack\""}},
	{"unknown variant", {.document = NO_MESSAGE}},
	{"not JSON", {.document = "hello"}},
	{"empty body", {.document = ""}},
	{"text/plain", {.content_type = "text/plain"}},
	{"no content type", {.content_type = "", .until_close = true}},
	{"chunked", {.chunked = true}},
	{"HTTP/1.0", {.http10 = true, .until_close = true}},
	{"closed without an answer", {.silent = true}},
};

/* Words unknown: what the recorded client concluded says what it was given. */
static bend by_result(check *c)
{
	tl_str result = node_text(c->item, "result");
	bend b = {0};

	if (told(result, "version mismatch"))
		b.version = 1;
	else if (told(result, "Signature verification") || told(result, "Invalid signature"))
		b.flip_signature = true;
	else if (told(result, "Failed to parse"))
		b.document = NO_MESSAGE;
	else if (told(result, "Server returned error"))
		b.status = number_in(result, 500);
	else if (told(result, "Failed to connect"))
		b.silent = true;
	else if (!recorded_well(c))
		b.document = "{\"Error\":\"go away\"}";
	return b;
}

static bend bend_of(check *c)
{
	tl_str answer = node_text(c->item, "answer");
	bool good_body = told(answer, "good body"), known = false;
	bend b = {0};

	for (size_t i = 0; i < sizeof handshakes / sizeof *handshakes && !known; i++)
		if (told(answer, handshakes[i].text)) {
			b = handshakes[i].how;
			known = true;
		}
	if (b.version == 1)
		b.version = (uint32_t)number_in(answer, 1);
	if (told(answer, "status ") || told(answer, "redirect")) {
		b = (bend){.status = number_in(answer, 500)};
		b.document = good_body ? NULL : "";
		known = true;
	}
	return known ? b : by_result(c);
}

/* What must come of it. */
static int code_of(const bend *b)
{
	int status = b->status ? b->status : 200;

	if (b->silent)
		return TL_E_CONNECTION_FAILED;
	if (status < 200 || status > 299)
		return TL_E_NETWORK;
	if (b->no_trees)
		return TL_E_NETWORK; /* a member that is always there */
	if (b->document)
		return strstr(b->document, "Error") || strstr(b->document, "Ack")
			       ? TL_E_HANDSHAKE_FAILED
			       : TL_E_NETWORK;
	if (b->version != TL__V0_VERSION)
		return TL_E_PROTOCOL_MISMATCH;
	if (b->flip_signature || b->cut_signature || b->other_key || b->junk_key)
		return TL_E_HANDSHAKE_FAILED;
	return TL_OK;
}

static int connect_once(live *l, const char *address, char text[256])
{
	tl_address to;
	tl_op *op = NULL;
	int rc = tl_address_http(&to, (tl_str){address, strlen(address)});

	if (rc == TL_OK)
		rc = tl_sync_connect_to_peer(l->node, &to, NULL, &op);
	return wait_for(rc, op, text);
}

static void check_connect(check *c)
{
	actor a = {.handshake = bend_of(c)};
	int wanted = code_of(&a.handshake), got;
	char text[256];
	live l;

	if (live_open(&l, c, TL__STR_NULL, NULL, false) && actor_start(&a, c, TL__STR_NULL)) {
		got = connect_once(&l, a.server.address, text);
		expect_code(c, got, wanted, "connect");
		if (got == TL_OK)
			expect_text(c, (tl_str){text, strlen(text)}, tl__str_z(a.key_text), "key");
		actor_stop(&a);
		expect_text(
			c, tl__str_z(a.first_line), TL__STR("POST /api/v0 HTTP/1.1"), "request");
	}
	live_close(&l);
	actor_free(&a);
	if ((wanted == TL_OK) != recorded_well(c))
		wrong(c, "no rule says why our client decides otherwise than 0.2.0");
}

/* A redirect is no answer. */
static void check_redirect(check *c)
{
	int status = number_in(node_text(c->item, "answer"), 302);
	actor a = {.handshake = {.status = status, .document = ""}};
	char text[256];
	live l;

	if (live_open(&l, c, TL__STR_NULL, NULL, false) && actor_start(&a, c, TL__STR_NULL)) {
		expect_code(c, connect_once(&l, a.server.address, text), TL_E_NETWORK, "redirect");
		actor_stop(&a);
		expect(c, a.requests == 1, "nothing is asked elsewhere");
		differs(c, "redirects are not followed: an address says who is asked");
	}
	live_close(&l);
	actor_free(&a);
}

/* --- addresses -------------------------------------------------------------------------------- */

/* The address as 0.2.0 was given it; `here` stands for ADDR. False: an answer at `here`. */
static bool address_of(check *c, const char *here, char type[32], char out[256])
{
	tl_str result = node_text(c->item, "result"), line = node_text(c->item, "request_line");
	const char *from, *to;

	snprintf(type, 32, "http");
	snprintf(out, 256, "%s", here);
	from = memmem(result.ptr, result.len, "Transport type '", 16);
	if (from) {
		snprintf(type, 32, "%.*s", (int)strcspn(from + 16, "'"), from + 16);
		return true;
	}
	from = memmem(result.ptr, result.len, "Failed to connect to ", 21);
	to = from ? strstr(from, ": error") : NULL;
	if (from && to) {
		const char *mark = memmem(from, (size_t)(to - from), "ADDR", 4);

		from += 21;
		snprintf(out, 256, "%.*s%s%.*s", (int)((mark ? mark : to) - from), from,
			mark ? here : "", mark ? (int)(to - mark - 4) : 0, mark ? mark + 4 : "");
		return true;
	}
	/* It was asked for something else than the path: the rest was in the address. */
	if (line.ptr && tl__str_starts(line, TL__STR("POST ")) &&
		!tl__str_starts(line, TL__STR("POST /api/v0 ")))
		snprintf(out, 256, "%s%.*s", here,
			(int)(strcspn(line.ptr + 5, " ") - strlen("/api/v0")), line.ptr + 5);
	else if (told(node_text(c->item, "answer"), "name"))
		snprintf(out, 256, "localhost%s", strrchr(here, ':'));
	return false;
}

static void check_address(check *c)
{
	actor a = {0};
	char type[32], text[256], out[256], line[300];
	tl_address to;
	tl_op *op = NULL;
	int rc = TL_E_INTERNAL;
	bool strict;
	live l;

	if (live_open(&l, c, TL__STR_NULL, NULL, false) && actor_start(&a, c, TL__STR_NULL)) {
		(void)address_of(c, a.server.address, type, out);
		snprintf(line, sizeof line, "%s:%s", type, out);
		strict = strcmp(type, "http") == 0;
		rc = strict ? tl_address_http(&to, tl__str_z(out))
			    : tl_address_parse(&to, tl__str_z(line));
		if (rc == TL_OK)
			rc = tl_sync_connect_to_peer(l.node, &to, NULL, &op);
		rc = wait_for(rc, op, text);
		actor_stop(&a);
		if (recorded_well(c) && rc == TL_E_BAD_ADDRESS)
			differs(c, "an address is host:port and nothing else");
		else
			expect(c, (rc == TL_OK) == recorded_well(c), "reached or not");
		expect(c, rc == TL_OK || a.requests == 0, "nobody is asked in vain");
	}
	live_close(&l);
	actor_free(&a);
}

/* --- the section ------------------------------------------------------------------------------ */

void check_client_verdict(check *c, const node *section)
{
	tl_str stage = node_text(c->item, "stage");

	(void)section;
	if (told(stage, "connect"))
		check_connect(c);
	else if (told(stage, "redirect"))
		check_redirect(c);
	else if (told(stage, "address"))
		check_address(c);
	else if (told(stage, "incremental"))
		check_step(c);
	else if (told(stage, "sync_tree") || told(stage, "bootstrap"))
		check_tree_stage(c, told(stage, "auth"));
	else
		wrong(c, "a stage that this checker does not know");
}
