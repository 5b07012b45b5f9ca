#include "actor.h"

#include <string.h>
#include "v0/wire/v0.h"

/* --- answers ---------------------------------------------------------------------------------- */

static tl_str kept(tl__arena *arena, tl__buf *buf)
{
	tl_str out = tl__arena_str(arena, tl__buf_view(buf));

	tl__buf_free(buf);
	return out;
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200: return "OK";
	case 302: return "Found";
	case 404: return "Not Found";
	default: return "As Told";
	}
}

tl_str raw_answer(tl__arena *arena, const bend *how, tl_str body)
{
	int status = how->status ? how->status : 200;
	const char *type = how->content_type ? how->content_type : "application/json";
	tl__buf out = TL__BUF_INIT;

	tl__buf_format(&out, "HTTP/1.%d %d %s\r\n", how->http10 ? 0 : 1, status, reason_of(status));
	if (type[0])
		tl__buf_format(&out, "content-type: %s\r\n", type);
	if (status >= 300 && status < 400)
		tl__buf_text(&out, "location: /elsewhere\r\n");
	if (how->chunked)
		tl__buf_format(&out, "transfer-encoding: chunked\r\n\r\n%zx\r\n", body.len);
	else if (how->until_close)
		tl__buf_text(&out, "connection: close\r\n\r\n");
	else
		tl__buf_format(&out, "content-length: %zu\r\n\r\n", body.len);
	tl__buf_str(&out, body);
	if (how->chunked)
		tl__buf_text(&out, "\r\n0\r\n\r\n");
	return kept(arena, &out);
}

static void put_bytes(tl__buf *out, const uint8_t *bytes, size_t len)
{
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < len; i++)
		tl__buf_format(out, "%s%u", i > 0 ? "," : "", bytes[i]);
	tl__buf_byte(out, ']');
}

static void put_key(const actor *a, tl__buf *out)
{
	tl_secret other;
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	uint8_t seed[TL_SEED_BYTES] = {77};

	snprintf(text, sizeof text, "%s", a->key_text);
	if (a->handshake.other_key && tl_secret_from_seed(&other, seed) == TL_OK) {
		tl_secret_public(&other, &key);
		tl_key_format(&key, text);
	}
	tl__buf_format(out, "\"public_key\":\"%s\"", a->handshake.junk_key ? "junk" : text);
}

static tl_str handshake_body(actor *a, const tl__v0_handshake_request *asked)
{
	const bend *b = &a->handshake;
	uint8_t signature[TL_SIGNATURE_BYTES], fresh[TL__V0_CHALLENGE_BYTES] = {1, 2, 3};
	tl__buf out = TL__BUF_INIT;

	if (b->document)
		return (tl_str){b->document, strlen(b->document)};
	if (tl_sign(&a->secret, asked->challenge.ptr, asked->challenge.len, signature) != TL_OK)
		return TL__STR("");
	if (b->flip_signature)
		signature[5] ^= 4;
	tl__buf_text(&out, "{\"Handshake\":{");
	if (b->strange_order && !b->no_trees)
		tl__buf_text(&out, "\"zz\":[1,{\"a\":null}],\"available_trees\":[],");
	tl__buf_format(&out, "\"device_id\":\"%s\",", b->other_device ? "a name" : a->key_text);
	put_key(a, &out);
	if (!b->no_name)
		tl__buf_text(&out, ",\"display_name\":\"Eidetica Peer\"");
	tl__buf_format(&out, ",\"protocol_version\":%u,\"challenge_response\":", b->version);
	put_bytes(&out, signature, sizeof signature - b->cut_signature);
	tl__buf_text(&out, ",\"new_challenge\":");
	put_bytes(&out, fresh, b->other_device ? 0 : sizeof fresh);
	if (!b->no_trees && !b->strange_order)
		tl__buf_format(&out, ",\"available_trees\":[%s]",
			b->other_device ? "{\"tree_id\":\"x\",\"name\":null,\"entry_count\":3,"
					  "\"last_modified\":0}"
					: "");
	tl__buf_text(&out, "}}");
	return kept(&a->arena, &out);
}

static tl_str push_answer(actor *a, size_t count)
{
	const bend plain = {0};
	tl__buf out = TL__BUF_INIT;

	if (a->push.ptr)
		return a->push;
	if (count <= 1)
		tl__v0_write_ack(&out);
	else
		tl__v0_write_count(&out, count);
	return raw_answer(&a->arena, &plain, kept(&a->arena, &out));
}

/* --- requests --------------------------------------------------------------------------------- */

static tl_str answer_document(actor *a, const tl__v0_request *request, tl_str body)
{
	switch (request->kind) {
	case TL__V0_HANDSHAKE:
		if (a->handshake_raw.ptr)
			return a->handshake_raw;
		if (a->handshake.silent)
			return TL__STR_NULL;
		return raw_answer(&a->arena, &a->handshake, handshake_body(a, &request->handshake));
	case TL__V0_SYNC_TREE:
		a->trees++;
		a->last_tree = tl__arena_str(&a->arena, body);
		if (!a->first_tree.ptr)
			a->first_tree = a->last_tree;
		return a->tree;
	default:
		if (a->pushes < ACTOR_PUSHES)
			a->entries[a->pushes++] = request->entry_count;
		return push_answer(a, request->entry_count);
	}
}

static tl_str answer_request(void *ud, tl_str raw)
{
	actor *a = ud;
	const bend missing = {.status = 404};
	tl_str body = http_body(raw), out;
	tl__v0_refusal refusal;
	tl__v0_request request;

	if (a->requests++ == 0)
		snprintf(a->first_line, sizeof a->first_line, "%.*s", (int)strcspn(raw.ptr, "\r\n"),
			raw.ptr);
	if (!tl__str_starts(raw, TL__STR("POST /api/v0 ")))
		return a->elsewhere.ptr ? a->elsewhere
					: raw_answer(&a->arena, &missing, TL__STR(""));
	if (tl__v0_request_read(&request, body, &refusal) != TL_OK)
		return TL__STR_NULL;
	out = answer_document(a, &request, body);
	tl__v0_request_free(&request);
	return out;
}

/* --- life ------------------------------------------------------------------------------------- */

bool actor_start(actor *a, check *c, tl_str seed_hex)
{
	uint8_t seed[TL_SEED_BYTES] = {9, 8, 7};
	tl_str given = seed_hex.ptr ? unhex(c, seed_hex) : TL__STR_NULL;

	a->c = c;
	a->arena = TL__ARENA_INIT;
	if (given.len == sizeof seed)
		memcpy(seed, given.ptr, sizeof seed);
	if (tl_secret_from_seed(&a->secret, seed) != TL_OK)
		return false;
	tl_secret_public(&a->secret, &a->key);
	tl_key_format(&a->key, a->key_text);
	return mock_start(&a->server, c, answer_request, a);
}

void actor_stop(actor *a)
{
	mock_stop(&a->server);
}

void actor_free(actor *a)
{
	tl__arena_free(&a->arena);
}
