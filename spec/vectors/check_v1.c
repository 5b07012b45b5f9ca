/* Recorded messages of protocol v1: read, verified, and written again to the same bytes. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "check.h"
#include "wire/share.h"
#include "wire/v1.h"

static void secret_of(check *c, tl_secret *out, tl_str hex)
{
	tl_str seed = unhex(c, hex);

	if (seed.len != TL_SEED_BYTES ||
		tl_secret_from_seed(out, (const uint8_t *)seed.ptr) != TL_OK)
		wrong(c, "the vector's seed is none");
}

static tl__v1_body_form request_body(tl__v1_method method)
{
	switch (method) {
	case TL__V1_PULL: return TL__V1_BODY_PULL;
	case TL__V1_PUSH: return TL__V1_BODY_PUSH;
	case TL__V1_WATCH: return TL__V1_BODY_WATCH;
	default: return TL__V1_BODY_EMPTY;
	}
}

static tl__v1_body_form answer_body(tl__v1_method method, tl__v1_status status)
{
	if (status != TL__V1_OK)
		return TL__V1_BODY_EMPTY;
	switch (method) {
	case TL__V1_LIST: return TL__V1_BODY_LIST;
	case TL__V1_PULL: return TL__V1_BODY_PAGE;
	case TL__V1_PUSH: return TL__V1_BODY_FATES;
	case TL__V1_WATCH: return TL__V1_BODY_WATCHED;
	default: return TL__V1_BODY_EMPTY;
	}
}

/* --- args and bodies -------------------------------------------------------------------------- */

/* Reads the body and writes it again. */
static int again_body(tl__buf *out, tl__v1_body_form form, tl_str bytes, const tl__v1_tips *tips)
{
	tl__v1_body body;
	bool end = false;
	int code = tl__v1_body_open(&body, form, bytes, tips);

	while (code == TL_OK && !end) {
		tl__v1_line line;

		code = tl__v1_body_next(&body, &line, &end);
		if (code == TL_OK && !end)
			tl__v1_write_line(out, &line);
	}
	return code;
}

static int again_hello(tl__buf *out, tl_str args, tl__arena *memory)
{
	tl__v1_hello hello;
	int code = tl__v1_read_hello(&hello, args, memory);

	if (code == TL_OK)
		tl__v1_write_hello(out, &hello);
	return code;
}

/* Args of a request; *tips as told. */
static int again_args(check *c, tl__buf *out, tl__v1_method method, tl_str args, tl__v1_tips *tips)
{
	union {
		tl__v1_list list;
		tl__v1_pull pull;
		tl__v1_push push;
		tl__v1_access access;
		tl__v1_watch watch;
	} m;
	int code;

	switch (method) {
	case TL__V1_HELLO: return again_hello(out, args, &c->arena);
	case TL__V1_LIST:
		code = tl__v1_read_list(&m.list, args);
		if (code == TL_OK)
			tl__v1_write_list(out, &m.list);
		return code;
	case TL__V1_PULL:
		code = tl__v1_read_pull(&m.pull, args);
		*tips = m.pull.tips;
		if (code == TL_OK)
			tl__v1_write_pull(out, &m.pull);
		return code;
	case TL__V1_PUSH:
		code = tl__v1_read_push(&m.push, args);
		if (code == TL_OK)
			tl__v1_write_push(out, &m.push);
		return code;
	case TL__V1_WATCH:
		code = tl__v1_read_watch(&m.watch, args);
		if (code == TL_OK)
			tl__v1_write_watch(out, &m.watch);
		return code;
	default:
		code = tl__v1_read_access(&m.access, args, &c->arena);
		if (code == TL_OK)
			tl__v1_write_access(out, &m.access);
		return code;
	}
}

static int again_page(tl__buf *out, tl_str args, tl__v1_tips *tips)
{
	tl__v1_page page;
	int code = tl__v1_read_page(&page, args);

	*tips = page.tips;
	if (code == TL_OK)
		tl__v1_write_page(out, &page);
	return code;
}

static int again_fates(tl__buf *out, tl_str args)
{
	tl__v1_fates fates;
	int code = tl__v1_read_fates(&fates, args);

	if (code == TL_OK)
		tl__v1_write_fates(out, &fates);
	return code;
}

static int again_watched(tl__buf *out, tl_str args, tl__v1_tips *tips)
{
	tl__v1_watched watched;
	int code = tl__v1_read_watched(&watched, args);

	*tips = watched.tips;
	if (code == TL_OK)
		tl__v1_write_watched(out, &watched);
	return code;
}

static int again_refusal(tl__buf *out, tl_str args)
{
	tl__v1_refusal refusal;
	int code = tl__v1_read_refusal(&refusal, args);

	if (code == TL_OK)
		tl__v1_write_refusal(out, &refusal);
	return code;
}

static int again_answer(
	check *c, tl__buf *out, tl__v1_method method, const tl__v1_response *r, tl__v1_tips *tips)
{
	tl__v1_access_answer access;
	bool more;
	int code;

	if (r->status != TL__V1_OK)
		return again_refusal(out, r->args);
	switch (method) {
	case TL__V1_HELLO: return again_hello(out, r->args, &c->arena);
	case TL__V1_LIST:
		code = tl__v1_read_listing(&more, r->args);
		if (code == TL_OK)
			tl__v1_write_listing(out, more);
		return code;
	case TL__V1_PULL: return again_page(out, r->args, tips);
	case TL__V1_PUSH: return again_fates(out, r->args);
	case TL__V1_WATCH: return again_watched(out, r->args, tips);
	default:
		code = tl__v1_read_access_answer(&access, r->args);
		if (code == TL_OK)
			tl__v1_write_access_answer(out, &access);
		return code;
	}
}

/* --- requests --------------------------------------------------------------------------------- */

static bool hash_fits(tl_str body, uint64_t len, const uint8_t sha256[32])
{
	uint8_t digest[32];

	tl_sha256(body.ptr, body.len, digest);
	return body.len == len && memcmp(digest, sha256, 32) == 0;
}

/* Everything that a recipient checks without memory of other requests; what was read is written
 * again into *args and *body. */
static int accept(check *c, tl_str bytes, tl__v1_frame *frame, tl__v1_request *m, tl__buf *args,
	tl__buf *body)
{
	tl__v1_method method = TL__V1_HELLO;
	tl__v1_tips tips = {0};
	tl_str rest;
	tl_key us;
	int code = tl__v1_frame_read(frame, bytes.ptr, bytes.len);

	if (code == TL_OK)
		code = tl__v1_request_read(m, frame->header);
	if (code == TL_OK)
		code = tl__v1_request_form(frame, m, &method);
	if (code == TL_OK)
		code = tl_key_parse(&us, node_text(c->item, "us"));
	if (code == TL_OK && m->has_to && memcmp(&m->to, &us, sizeof us) != 0)
		code = tl__fail(TL_E_BAD_MESSAGE, "the request is for another recipient");
	if (code == TL_OK)
		code = tl__v1_verify_request(frame, &m->from);
	for (size_t i = 0; code == TL_OK && i < m->key_count; i++)
		code = tl__v1_verify_proof(frame, i, &m->keys[i]);
	if (code != TL_OK)
		return code;
	rest = (tl_str){bytes.ptr + frame->size, bytes.len - frame->size};
	if (!hash_fits(rest, m->body_len, m->body_sha256))
		return tl__fail(TL_E_BAD_MESSAGE, "the body is another");
	code = again_args(c, args, method, m->args, &tips);
	return code == TL_OK ? again_body(body, request_body(method), rest, &tips) : code;
}

/* From the structure back to the frame. */
static void write_request(check *c, tl__v1_request *m, tl_str args, tl_str body, tl_str wanted)
{
	const node *seeds = node_get(c->item, "proof_seeds_hex");
	const tl_secret *proofs[TL__V1_MAX_KEYS];
	tl_secret device, secrets[TL__V1_MAX_KEYS];
	tl__buf out = TL__BUF_INIT;
	tl_str re_wanted = unhex(c, node_text(c->item, "re_hex"));
	uint8_t re[32];

	secret_of(c, &device, node_text(c->item, "device_seed_hex"));
	for (size_t i = 0; i < seeds->count && i < TL__V1_MAX_KEYS; i++) {
		secret_of(c, &secrets[i], seeds->children[i].text);
		proofs[i] = &secrets[i];
	}
	m->args = args;
	if (tl__v1_request_write(&out, m, &device, proofs, seeds->count, body, re) != TL_OK)
		wrong(c, "not written: %s", tl_error_message(tl_last_error()));
	expect(c, tl__str_eq(tl__buf_view(&out), wanted), "the frame written again");
	expect(c, tl__str_eq((tl_str){(const char *)re, 32}, re_wanted), "re");
	tl__buf_free(&out);
}

void check_v1_request(check *c, const node *section)
{
	tl_str bytes = unhex(c, node_text(c->item, "frame_hex"));
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_frame frame;
	tl__v1_request m;
	uint8_t re[32];

	(void)section;
	if (accept(c, bytes, &frame, &m, &args, &body) != TL_OK) {
		wrong(c, "not accepted: %s", tl_error_message(tl_last_error()));
	} else {
		expect_text(c, frame.header, node_text(c->item, "header"), "header");
		expect_text(c, tl__buf_view(&args), m.args, "args written again");
		expect_text(c, tl__buf_view(&body), node_text(c->item, "body"), "body again");
		expect(c, tl__v1_request_hash(&frame, re) == TL_OK, "hash");
		write_request(c, &m, tl__buf_view(&args), tl__buf_view(&body), bytes);
	}
	tl__buf_free(&args);
	tl__buf_free(&body);
}

void check_v1_refused(check *c, const node *section)
{
	tl_str bytes = unhex(c, node_text(c->item, "frame_hex"));
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_frame frame;
	tl__v1_request m;
	int code = accept(c, bytes, &frame, &m, &args, &body);

	(void)section;
	expect_text(c, tl__str_z(tl_error_name(code)), node_text(c->item, "why"), "why");
	tl__buf_free(&args);
	tl__buf_free(&body);
}

/* --- answers ---------------------------------------------------------------------------------- */

static int accept_answer(check *c, tl_str bytes, tl__v1_frame *frame, tl__v1_response *m,
	tl__buf *args, tl__buf *body)
{
	tl__v1_method method = TL__V1_HELLO;
	tl__v1_tips tips = {0};
	tl_str rest, re = unhex(c, node_text(c->item, "re_hex"));
	tl_key by;
	int code = tl__v1_frame_read(frame, bytes.ptr, bytes.len);

	if (code == TL_OK)
		code = tl__v1_response_read(m, frame->header);
	if (code == TL_OK)
		code = tl_key_parse(&by, node_text(c->item, "by"));
	if (code == TL_OK)
		code = tl__v1_verify_response(frame, &by);
	if (code == TL_OK)
		code = tl__v1_method_parse(&method, node_text(c->item, "method"));
	if (code != TL_OK)
		return code;
	rest = (tl_str){bytes.ptr + frame->size, bytes.len - frame->size};
	if (!tl__str_eq((tl_str){(const char *)m->re, 32}, re) ||
		!hash_fits(rest, m->body_len, m->body_sha256))
		return tl__fail(TL_E_BAD_MESSAGE, "the answer belongs to another request or body");
	code = again_answer(c, args, method, m, &tips);
	return code == TL_OK ? again_body(body, answer_body(method, m->status), rest, &tips) : code;
}

void check_v1_response(check *c, const node *section)
{
	tl_str bytes = unhex(c, node_text(c->item, "frame_hex"));
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT, out = TL__BUF_INIT;
	tl__v1_frame frame;
	tl__v1_response m;
	tl_secret device;

	(void)section;
	secret_of(c, &device, node_text(c->item, "device_seed_hex"));
	if (accept_answer(c, bytes, &frame, &m, &args, &body) != TL_OK) {
		wrong(c, "not accepted: %s", tl_error_message(tl_last_error()));
	} else {
		expect_text(c, frame.header, node_text(c->item, "header"), "header");
		expect_text(c, tl__buf_view(&args), m.args, "args written again");
		expect_text(c, tl__buf_view(&body), node_text(c->item, "body"), "body again");
		m.args = tl__buf_view(&args);
		if (tl__v1_response_write(&out, &m, &device, tl__buf_view(&body)) != TL_OK)
			wrong(c, "not written: %s", tl_error_message(tl_last_error()));
		expect(c, tl__str_eq(tl__buf_view(&out), bytes), "the frame written again");
	}
	tl__buf_free(&args);
	tl__buf_free(&body);
	tl__buf_free(&out);
}

/* --- the rest --------------------------------------------------------------------------------- */

void check_v1_unsigned(check *c, const node *section)
{
	tl_str bytes = unhex(c, node_text(c->item, "hex")), name = node_text(c->item, "status");
	tl__v1_status status = TL__V1_STATUS_COUNT;
	tl__buf out = TL__BUF_INIT;

	(void)section;
	expect(c, tl__v1_read_unsigned(&status, bytes.ptr, bytes.len), "read");
	expect_text(c, tl__str_z(tl__v1_status_name(status)), name, "status");
	tl__v1_write_unsigned(&out, status);
	expect(c, tl__str_eq(tl__buf_view(&out), bytes), "written again");
	tl__buf_free(&out);
}

void check_v1_tips(check *c, const node *section)
{
	const node *texts = node_get(c->item, "ids");
	tl_id *ids = tl__arena_alloc(&c->arena, texts->count + 1, sizeof *ids);
	tl_str wanted = unhex(c, node_text(c->item, "sha256_hex"));
	uint8_t hash[32];

	(void)section;
	for (size_t i = 0; i < texts->count; i++)
		expect(c, tl_id_parse(&ids[i], texts->children[i].text) == TL_OK, "an id");
	tl__v1_tips_hash(ids, texts->count, hash);
	expect(c, tl__str_eq((tl_str){(const char *)hash, 32}, wanted), "hash of the tips");
}

/* --- shares ----------------------------------------------------------------------------------- */

static void check_token(check *c, const tl__share_text *share)
{
	char key_text[TL_KEY_TEXT_LEN + 1], id[TL_SHARE_ID_LEN + 1];
	uint8_t seed[TL_SEED_BYTES];
	tl_secret secret;
	tl_key key;

	expect(c, tl__share_secret(&secret, share->token) == TL_OK, "the token's key");
	tl_secret_seed(&secret, seed);
	tl_secret_public(&secret, &key);
	tl_key_format(&key, key_text);
	tl__share_id(id, &key);
	expect(c,
		tl__str_eq((tl_str){(const char *)share->token, sizeof share->token},
			unhex(c, node_text(c->item, "token_hex"))),
		"token");
	expect(c,
		tl__str_eq((tl_str){(const char *)seed, sizeof seed},
			unhex(c, node_text(c->item, "seed_hex"))),
		"seed");
	expect_text(c, tl__str_z(key_text), node_text(c->item, "key"), "key");
	expect_text(c, tl__str_z(id), node_text(c->item, "id"), "id");
}

void check_v1_share(check *c, const node *section)
{
	const node *addresses = node_get(c->item, "addresses");
	tl_str text = node_text(c->item, "text");
	char out[TL_SHARE_MAX_TEXT + 1], node_key[TL_KEY_TEXT_LEN + 1], db[TL_ID_TEXT_LEN + 1];
	char permission[24];
	tl__share_text share;

	(void)section;
	if (tl__share_read(&share, text) != TL_OK) {
		wrong(c, "not read: %s", tl_error_message(tl_last_error()));
		return;
	}
	tl_key_format(&share.node, node_key);
	tl_id_format(&share.db, db);
	tl_permission_format(share.permission, permission);
	expect_text(c, tl__str_z(node_key), node_text(c->item, "node"), "node");
	expect_text(c, tl__str_z(db), node_text(c->item, "db"), "db");
	expect_text(c, tl__str_z(permission), node_text(c->item, "permission"), "permission");
	expect(c, share.address_count == addresses->count, "number of addresses");
	for (size_t i = 0; i < share.address_count && i < addresses->count; i++)
		expect_text(c, share.addresses[i], addresses->children[i].text, "address");
	check_token(c, &share);
	expect(c, tl__share_write(out, &share) == TL_OK, "written");
	expect_text(c, tl__str_z(out), text, "the text written again");
}

void check_v1_bad_share(check *c, const node *section)
{
	tl__share_text share;
	int code = tl__share_read(&share, node_text(c->item, "text"));

	(void)section;
	expect_text(c, tl__str_z(tl_error_name(code)), node_text(c->item, "why"), "why");
}
