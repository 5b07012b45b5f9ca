/* Answers to SyncTree and to pushes that are told in words, given to a real client. */
#include <string.h>
#include <tidelock/entry.h>
#include "cast.h"
#include "told.h"
#include "v0/wire/v0.h"

/* --- trees ------------------------------------------------------------------------------------ */

/* An answer to SyncTree: its variant, what it holds, and what becomes of that. */
typedef struct tale {
	tl_str document;
	int status;
	int code;        /* of the exchange */
	bool has[3];     /* E0, E1, E2 are in the DAG afterwards */
	bool pending2;   /* E2 waits */
	const char *why; /* where 0.2.0 decides otherwise */
} tale;

static void put_tree(tl__buf *out, const cast *k, const tl_id *tree, tl_str root,
	const tl_str *entries, size_t count)
{
	char id[TL_ID_TEXT_LEN + 1];

	(void)k;
	tl_id_format(tree, id);
	tl__v0_begin_bootstrap(out, tl__str_z(id), root);
	for (size_t i = 0; i < count; i++)
		tl__v0_stream_entry(out, entries[i], i == 0);
	tl__v0_end_bootstrap(out, false, NULL);
}

static void tell_bootstrap(const cast *k, tl_str words, tale *t, tl__buf *out)
{
	const tl_str *e = k->text;
	tl_str ordered[] = {e[1], e[2]}, reversed[] = {e[2], e[1]}, gap[] = {e[2]};
	tl_str forged[] = {k->unsigned_settings}, broken[] = {e[1], k->malformed};
	const tl_id *tree = &k->id[0];

	*t = (tale){.has = {true, true, true}};
	if (told(words, "children first")) {
		put_tree(out, k, tree, e[0], reversed, 2);
	} else if (told(words, "gap")) {
		put_tree(out, k, tree, e[0], gap, 1);
		t->has[1] = t->has[2] = false;
		t->pending2 = true;
		t->why = "an entry is not visible before what it stands on";
	} else if (told(words, "other tree_id")) {
		put_tree(out, k, &k->other_id, e[0], NULL, 0);
		*t = (tale){
			.code = TL_E_WRONG_ROOT, .why = "an answer about another database is none"};
	} else if (told(words, "root of another")) {
		put_tree(out, k, tree, k->other_root, NULL, 0);
		*t = (tale){.code = TL_E_WRONG_ROOT, .why = "the root given must be the one asked"};
	} else if (told(words, "not a root")) {
		put_tree(out, k, tree, e[1], NULL, 0);
		*t = (tale){.code = TL_E_WRONG_ROOT, .why = "the root given must be the one asked"};
	} else if (told(words, "unsigned")) {
		put_tree(out, k, tree, e[0], forged, 1);
		t->has[1] = t->has[2] = false;
		t->why = "what nobody signed is not visible";
	} else if (told(words, "invalid entry")) {
		put_tree(out, k, tree, e[0], broken, 2);
		t->has[2] = false;
		t->why = "a line that is no entry is passed over, the others count";
	} else {
		put_tree(out, k, tree, e[0], ordered, 2);
	}
}

static void tell_incremental(const cast *k, const tl_id *tips, size_t tip_count,
	const tl_str *entries, size_t count, tl__buf *out)
{
	char id[TL_ID_TEXT_LEN + 1], texts[4][TL_ID_TEXT_LEN + 1];
	tl_str tip_texts[4];

	tl_id_format(&k->id[0], id);
	for (size_t i = 0; i < tip_count; i++) {
		tl_id_format(&tips[i], texts[i]);
		tip_texts[i] = tl__str_z(texts[i]);
	}
	tl__v0_begin_incremental(out, tl__str_z(id), tip_texts, tip_count);
	for (size_t i = 0; i < count; i++)
		tl__v0_stream_entry(out, entries[i], i == 0);
	tl__v0_end_incremental(out);
}

/* By words; unknown ones by what the recorded client said of the answer. */
static void tell_other(const cast *k, check *c, tl_str words, tale *t, tl__buf *out)
{
	tl_str result = node_text(c->item, "result");

	*t = (tale){0};
	if (told(words, "status ") || told(result, "Server returned error")) {
		t->status = number_in(told(words, "status ") ? words : result, 500);
		t->code = TL_E_NETWORK;
	} else if (told(words, "BootstrapPending") || told(result, "pending")) {
		tl__buf_text(out, "{\"BootstrapPending\":{\"request_id\":\"r1\",\"message\":"
				  "\"m1\"}}");
		t->code = TL_E_BOOTSTRAP_PENDING;
	} else if (told(words, "Error") || told(result, "protocol error: Sync error")) {
		tl__buf_text(out, "{\"Error\":\"nope\"}");
		t->code = TL_E_SYNC_PROTOCOL_ERROR;
	} else if (told(words, "Ack") || told(words, "Count")) {
		tl__buf_text(out, told(words, "Ack") ? "\"Ack\"" : "{\"Count\":2}");
		t->code = TL_E_UNEXPECTED_RESPONSE;
	} else if (recorded_well(c)) {
		tell_bootstrap(k, TL__STR(""), t, out);
	} else {
		tl__buf_text(out, "junk");
		t->code = TL_E_NETWORK;
	}
}

static void tell_tree(const cast *k, check *c, tale *t, tl__buf *out)
{
	tl_str words = node_text(c->item, "answer");

	if (told(words, "Incremental")) {
		*t = (tale){.has = {true, true, false},
			.why = "what came from the peer is not pushed back to it"};
		tell_incremental(k, &k->id[0], 1, k->text, 2, out);
	} else if (told(words, "bootstrap")) {
		tell_bootstrap(k, words, t, out);
	} else {
		tell_other(k, c, words, t, out);
	}
}

static int fetch(live *l, actor *a, const tl_id *db, char text[256])
{
	tl_address to;
	tl_op *op = NULL;
	int rc = tl_address_http(&to, tl__str_z(a->server.address));

	if (rc == TL_OK)
		rc = tl_sync_sync_with_peer(l->node, &to, db, &op);
	return wait_for(rc, op, text);
}

static void check_held(check *c, live *l, const cast *k, const tale *t)
{
	for (size_t i = 0; i < 3; i++)
		if (live_has(l, &k->id[0], &k->id[i]) != t->has[i])
			wrong(c, "E%zu is %svisible afterwards", i, t->has[i] ? "not " : "");
	if (t->pending2)
		expect(c, live_keeps(l, &k->id[0], &k->id[2]), "E2 waits");
}

/* With credentials it is a request for access first, answered by the same server. */
static int ask_first(live *l, actor *a, const tl_id *db, char text[256])
{
	tl_address to;
	tl_op *op = NULL;
	int rc = tl_address_http(&to, tl__str_z(a->server.address));

	if (rc == TL_OK)
		rc = tl_node_add_private_key(l->node, "me", NULL, NULL);
	if (rc == TL_OK)
		rc = tl_sync_request_database_access(l->node, &to, db, "me", "write:10", &op);
	return wait_for(rc, op, text);
}

static void check_access(check *c, live *l, actor *a, const cast *k, const tale *t)
{
	bool pending = t->code == TL_E_BOOTSTRAP_PENDING;
	char text[256];
	int rc = ask_first(l, a, &k->id[0], text);

	if (pending) {
		expect_code(c, rc, TL_OK, "access");
		expect(c, strstr(text, "\"pending\"") && strstr(text, "\"r1\""), "pending r1");
	} else if (t->status) {
		expect_code(c, rc, TL_E_NETWORK, "access");
	}
	expect(c, a->trees > 0, "asked for access");
}

void check_tree_stage(check *c, bool with_credentials)
{
	tl__buf document = TL__BUF_INIT;
	actor a = {0};
	char text[256];
	bend how = {0};
	tale t;
	cast k;
	live l;

	cast_make(&k, c);
	tell_tree(&k, c, &t, &document);
	how.status = t.status;
	a.tree = raw_answer(&c->arena, &how, tl__buf_view(&document));
	a.push = told(node_text(c->item, "answer"), "Incremental") ? a.tree : TL__STR_NULL;
	if (live_open(&l, c, TL__STR_NULL, NULL, false) && actor_start(&a, c, TL__STR_NULL)) {
		if (with_credentials)
			check_access(c, &l, &a, &k, &t);
		expect_code(c, fetch(&l, &a, &k.id[0], text), t.code, "exchange");
		check_held(c, &l, &k, &t);
		actor_stop(&a);
		if (with_credentials && !t.status && t.code != TL_E_NETWORK)
			expect(c, told(a.last_tree, "\"requesting_key\":"), "credentials");
	}
	live_close(&l);
	actor_free(&a);
	tl__buf_free(&document);
	if ((t.code == TL_OK) != recorded_well(c) && !t.why)
		wrong(c, "no rule says why our client decides otherwise than 0.2.0");
	else if (t.why)
		differs(c, t.why);
}

/* --- incremental ------------------------------------------------------------------------------ */

/* The client holds E0 and E1. */
static void tell_step(const cast *k, tl_str words, tale *t, tl__buf *out)
{
	const tl_id nowhere = {{'s', 7, 7, 7}};

	*t = (tale){.has = {true, true, false}};
	if (told(words, "Bootstrap although")) {
		put_tree(out, k, &k->id[0], k->text[0], &k->text[1], 2);
		t->has[2] = true;
	} else if (told(words, "missing") && !told(words, "nothing")) {
		tell_incremental(k, &k->id[2], 1, &k->text[2], 1, out);
		t->has[2] = true;
	} else if (told(words, "behind")) {
		tell_incremental(k, &k->id[0], 1, NULL, 0, out);
	} else if (told(words, "tips empty")) {
		tell_incremental(k, NULL, 0, NULL, 0, out);
	} else if (told(words, "tip unknown")) {
		tell_incremental(k, &nowhere, 1, NULL, 0, out);
	} else if (told(words, "orphan")) {
		tell_incremental(k, &k->orphan_id, 1, &k->orphan, 1, out);
		t->why = "an entry is not visible before what it stands on";
	} else {
		tell_incremental(k, &k->id[1], 1, NULL, 0, out);
	}
}

static tl_str push_said(check *c, tl_str words)
{
	const bend plain = {0};

	if (told(words, "answers Count 0"))
		return raw_answer(&c->arena, &plain, TL__STR("{\"Count\":0}"));
	if (told(words, "answers Error"))
		return raw_answer(&c->arena, &plain, TL__STR("{\"Error\":\"x\"}"));
	return TL__STR_NULL;
}

static size_t recorded_pushes(check *c)
{
	const node *list = node_get(c->item, "pushed_entries");
	size_t total = 0;

	for (size_t i = 0; i < list->count; i++)
		total += (size_t)strtoul(list->children[i].text.ptr, NULL, 10);
	return total;
}

void check_step(check *c)
{
	tl_str words = node_text(c->item, "answer");
	tl__buf document = TL__BUF_INIT;
	const bend plain = {0};
	actor a = {.push = push_said(c, words)};
	size_t pushed = 0;
	char text[256];
	tale t;
	cast k;
	live l;

	cast_make(&k, c);
	tell_step(&k, words, &t, &document);
	a.tree = raw_answer(&c->arena, &plain, tl__buf_view(&document));
	if (told(words, "answers Incremental")) {
		a.push = a.tree;
		t.code = TL_E_UNEXPECTED_RESPONSE;
	}
	if (told(words, "answers Error"))
		t.code = TL_E_SYNC_PROTOCOL_ERROR;
	if (live_open(&l, c, TL__STR_NULL, NULL, false) && actor_start(&a, c, TL__STR_NULL)) {
		live_take(&l, c, &k.id[0], k.text, 2);
		expect_code(c, fetch(&l, &a, &k.id[0], text), t.code, "exchange");
		check_held(c, &l, &k, &t);
		actor_stop(&a);
		for (size_t i = 0; i < a.pushes; i++)
			pushed += a.entries[i];
		if (pushed != recorded_pushes(c))
			wrong(c, "%zu entries are pushed, 0.2.0 pushed %zu", pushed,
				recorded_pushes(c));
	}
	live_close(&l);
	actor_free(&a);
	tl__buf_free(&document);
	if ((t.code == TL_OK) != recorded_well(c) && !t.why)
		wrong(c, "no rule says why our client decides otherwise than 0.2.0");
	else if (t.why)
		differs(c, t.why);
}
