/* The v1 envelope: frame, headers, signatures. */
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "model/ids.h"
#include "wire/v1_header.h"

#define LENGTH_BYTES 4

/* Signed messages begin with these, their closing NUL included, so nothing signed here can be
 * mistaken for an entry, a challenge or another kind of message. */
static const char request_domain[] = "tidelock/v1/request";
static const char proof_domain[] = "tidelock/v1/proof";
static const char response_domain[] = "tidelock/v1/response";

static const char *const status_names[] = {
#define STATUS_NAME(symbol, name) [TL__V1_##symbol] = name,
	TL__V1_STATUSES(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const method_names[] = {[TL__V1_HELLO] = "hello",
	[TL__V1_LIST] = "list",
	[TL__V1_PULL] = "pull",
	[TL__V1_PUSH] = "push",
	[TL__V1_ACCESS] = "access",
	[TL__V1_WATCH] = "watch"};

const char *tl__v1_status_name(tl__v1_status status)
{
	return status < TL__V1_STATUS_COUNT ? status_names[status] : "unknown";
}

static bool find_status(tl__v1_status *out, tl_str name)
{
	for (int i = 0; i < TL__V1_STATUS_COUNT; i++) {
		if (tl__str_eq(name, tl__str_z(status_names[i]))) {
			*out = (tl__v1_status)i;
			return true;
		}
	}
	return false;
}

int tl__v1_status_parse(tl__v1_status *out, tl_str name)
{
	if (find_status(out, name))
		return TL_OK;
	return tl__fail(TL_E_BAD_MESSAGE, "the answer's status is none of protocol v1");
}

const char *tl__v1_method_name(tl__v1_method method)
{
	return method < TL__V1_METHOD_COUNT ? method_names[method] : "unknown";
}

int tl__v1_method_parse(tl__v1_method *out, tl_str name)
{
	for (int i = 0; i < TL__V1_METHOD_COUNT; i++) {
		if (tl__str_eq(name, tl__str_z(method_names[i]))) {
			*out = (tl__v1_method)i;
			return TL_OK;
		}
	}
	return tl__fail(TL_E_UNSUPPORTED, "protocol v1 has no method `%.*s`", TL__STR_ARG(name));
}

/* --- frame ------------------------------------------------------------------------------------ */

static size_t header_length(const uint8_t *bytes)
{
	return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

int tl__v1_frame_need(const void *bytes, size_t len, size_t *need)
{
	const uint8_t *at = bytes;
	size_t header, count;

	*need = LENGTH_BYTES;
	if (len < LENGTH_BYTES)
		return TL_OK;
	header = header_length(at);
	if (header == 0 || header > TL__V1_MAX_HEADER_BYTES)
		return tl__fail(TL_E_TOO_LARGE, "a header has 1 to %d bytes, not %zu",
			TL__V1_MAX_HEADER_BYTES, header);
	*need = LENGTH_BYTES + header + 1;
	if (len < *need)
		return TL_OK;
	count = at[LENGTH_BYTES + header];
	if (count == 0 || count > TL__V1_MAX_KEYS + 1)
		return tl__fail(TL_E_BAD_MESSAGE, "a message has 1 to %d signatures, not %zu",
			TL__V1_MAX_KEYS + 1, count);
	*need += count * TL_SIGNATURE_BYTES;
	return TL_OK;
}

int tl__v1_frame_read(tl__v1_frame *out, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t need, header;
	int code = tl__v1_frame_need(bytes, len, &need);

	if (code != TL_OK)
		return code;
	if (need > len)
		return tl__fail(TL_E_BAD_MESSAGE, "the message ends inside its frame");
	header = header_length(at);
	out->header = (tl_str){(const char *)at + LENGTH_BYTES, header};
	out->signature_count = at[LENGTH_BYTES + header];
	out->signatures = at + LENGTH_BYTES + header + 1;
	out->size = need;
	return TL_OK;
}

/* No frame begins like this: its header length is 0. */
static const char unsigned_begin[LENGTH_BYTES] = {0};

void tl__v1_write_unsigned(tl__buf *out, tl__v1_status status)
{
	tl__buf_append(out, unsigned_begin, sizeof unsigned_begin);
	tl__buf_text(out, tl__v1_status_name(status));
}

bool tl__v1_read_unsigned(tl__v1_status *out, const void *bytes, size_t len)
{
	if (len < LENGTH_BYTES || memcmp(bytes, unsigned_begin, LENGTH_BYTES) != 0)
		return false;
	return find_status(out, (tl_str){(const char *)bytes + LENGTH_BYTES, len - LENGTH_BYTES});
}

/* --- headers ---------------------------------------------------------------------------------- */

static void scan_to(tl__v1_scan *s, tl__v1_request *out)
{
	tl__v1_expect(s, "{\"to\":");
	out->has_to = !tl__v1_accept(s, "null");
	if (out->has_to)
		tl__v1_key_form(s, &out->to);
}

static void scan_db(tl__v1_scan *s, tl__v1_request *out)
{
	tl__v1_expect(s, ",\"db\":");
	out->has_db = !tl__v1_accept(s, "null");
	if (out->has_db)
		tl__v1_id(s, &out->db);
}

static void scan_time(tl__v1_scan *s, int64_t *out)
{
	uint64_t time = 0;

	tl__v1_expect(s, ",\"time\":");
	tl__v1_u64(s, &time);
	if (time > INT64_MAX)
		tl__v1_bad(s, "the time is out of range");
	*out = (int64_t)time;
}

static void scan_keys(tl__v1_scan *s, tl__v1_request *out)
{
	out->key_count = 0;
	tl__v1_expect(s, ",\"keys\":[");
	while (s->code == TL_OK && !tl__v1_accept(s, "]")) {
		if (out->key_count > 0)
			tl__v1_expect(s, ",");
		if (out->key_count == TL__V1_MAX_KEYS) {
			tl__v1_too_large(s, "keys of a request", TL__V1_MAX_KEYS);
			return;
		}
		tl__v1_key_form(s, &out->keys[out->key_count++]);
	}
}

static void scan_body(tl__v1_scan *s, uint64_t *len, uint8_t sha256[32], tl_str *args)
{
	tl__v1_expect(s, ",\"body_len\":");
	tl__v1_u64(s, len);
	if (*len > TL__V1_MAX_LARGE_BODY)
		tl__v1_too_large(s, "bytes of a body", TL__V1_MAX_LARGE_BODY);
	tl__v1_expect(s, ",\"body_sha256\":");
	tl__v1_hex(s, sha256, 32);
	tl__v1_expect(s, ",\"args\":");
	if (s->code == TL_OK && !tl__str_starts(s->rest, TL__STR("{")))
		tl__v1_bad(s, "args is an object");
	tl__v1_value(s, args);
	tl__v1_expect(s, "}");
}

int tl__v1_request_read(tl__v1_request *out, tl_str header)
{
	tl__v1_scan s = {header, TL_OK};

	memset(out, 0, sizeof *out);
	scan_to(&s, out);
	tl__v1_expect(&s, ",\"from\":");
	tl__v1_key_form(&s, &out->from);
	tl__v1_expect(&s, ",\"method\":");
	tl__v1_word(&s, &out->method, "a method was expected");
	scan_db(&s, out);
	scan_time(&s, &out->time);
	tl__v1_expect(&s, ",\"nonce\":");
	tl__v1_hex(&s, out->nonce, sizeof out->nonce);
	tl__v1_expect(&s, ",\"epoch\":");
	out->has_epoch = !tl__v1_accept(&s, "null");
	if (out->has_epoch)
		tl__v1_hex(&s, out->epoch, sizeof out->epoch);
	tl__v1_expect(&s, ",\"channel\":");
	tl__v1_limited(&s, &out->channel, TL__V1_MAX_TEXT, "a channel of at most 255 bytes");
	scan_keys(&s, out);
	scan_body(&s, &out->body_len, out->body_sha256, &out->args);
	return tl__v1_done(&s);
}

int tl__v1_response_read(tl__v1_response *out, tl_str header)
{
	tl__v1_scan s = {header, TL_OK};
	tl_str status = TL__STR("");

	memset(out, 0, sizeof *out);
	tl__v1_expect(&s, "{\"re\":");
	tl__v1_hex(&s, out->re, sizeof out->re);
	tl__v1_expect(&s, ",\"status\":");
	tl__v1_text(&s, &status, "a status was expected");
	if (s.code == TL_OK)
		s.code = tl__v1_status_parse(&out->status, status);
	scan_time(&s, &out->time);
	tl__v1_expect(&s, ",\"epoch\":");
	tl__v1_hex(&s, out->epoch, sizeof out->epoch);
	tl__v1_expect(&s, ",\"channel\":");
	tl__v1_limited(&s, &out->channel, TL__V1_MAX_TEXT, "a channel of at most 255 bytes");
	scan_body(&s, &out->body_len, out->body_sha256, &out->args);
	return tl__v1_done(&s);
}

static bool keys_differ(const tl__v1_request *m)
{
	for (size_t i = 1; i < m->key_count; i++)
		for (size_t j = 0; j < i; j++)
			if (tl__key_equal(&m->keys[i], &m->keys[j]))
				return false;
	return true;
}

int tl__v1_request_form(const tl__v1_frame *frame, const tl__v1_request *m, tl__v1_method *method)
{
	bool hello, named;
	int code = tl__v1_method_parse(method, m->method);

	if (code != TL_OK)
		return code;
	hello = *method == TL__V1_HELLO;
	if (frame->signature_count != m->key_count + 1)
		return tl__fail(TL_E_BAD_MESSAGE, "a request carries one proof for each key");
	if (!keys_differ(m))
		return tl__fail(TL_E_BAD_MESSAGE, "a request names a key twice");
	if (!hello && (!m->has_to || !m->has_epoch))
		return tl__fail(TL_E_BAD_MESSAGE, "only hello may leave out `to` or `epoch`");
	named = !hello && *method != TL__V1_LIST && *method != TL__V1_WATCH;
	if (m->has_db != named)
		return tl__fail(TL_E_BAD_MESSAGE,
			m->has_db ? "this method has no database" : "this method names a database");
	return TL_OK;
}

static void put_body(tl__buf *out, uint64_t len, const uint8_t sha256[32], tl_str args)
{
	tl__buf_text(out, ",\"body_len\":");
	tl__json_put_u64(out, len);
	tl__buf_text(out, ",\"body_sha256\":");
	tl__v1_put_hex(out, sha256, 32);
	tl__buf_text(out, ",\"args\":");
	tl__buf_str(out, args.ptr ? args : TL__STR("{}"));
	tl__buf_byte(out, '}');
}

static void put_request(tl__buf *out, const tl__v1_request *m)
{
	tl__buf_text(out, "{\"to\":");
	m->has_to ? tl__v1_put_key(out, &m->to) : tl__buf_text(out, "null");
	tl__buf_text(out, ",\"from\":");
	tl__v1_put_key(out, &m->from);
	tl__buf_text(out, ",\"method\":");
	tl__json_put_string(out, m->method);
	tl__buf_text(out, ",\"db\":");
	m->has_db ? tl__v1_put_id(out, &m->db) : tl__buf_text(out, "null");
	tl__buf_text(out, ",\"time\":");
	tl__json_put_i64(out, m->time);
	tl__buf_text(out, ",\"nonce\":");
	tl__v1_put_hex(out, m->nonce, sizeof m->nonce);
	tl__buf_text(out, ",\"epoch\":");
	m->has_epoch ? tl__v1_put_hex(out, m->epoch, sizeof m->epoch) : tl__buf_text(out, "null");
	tl__buf_text(out, ",\"channel\":");
	tl__json_put_string(out, m->channel);
	tl__buf_text(out, ",\"keys\":[");
	for (size_t i = 0; i < m->key_count; i++) {
		if (i)
			tl__buf_byte(out, ',');
		tl__v1_put_key(out, &m->keys[i]);
	}
	tl__buf_byte(out, ']');
	put_body(out, m->body_len, m->body_sha256, m->args);
}

static void put_response(tl__buf *out, const tl__v1_response *m)
{
	tl__buf_text(out, "{\"re\":");
	tl__v1_put_hex(out, m->re, sizeof m->re);
	tl__buf_text(out, ",\"status\":");
	tl__json_put_string(out, tl__str_z(tl__v1_status_name(m->status)));
	tl__buf_text(out, ",\"time\":");
	tl__json_put_i64(out, m->time);
	tl__buf_text(out, ",\"epoch\":");
	tl__v1_put_hex(out, m->epoch, sizeof m->epoch);
	tl__buf_text(out, ",\"channel\":");
	tl__json_put_string(out, m->channel);
	put_body(out, m->body_len, m->body_sha256, m->args);
}

/* --- signatures ------------------------------------------------------------------------------- */

/* domain with its NUL, then the key (proofs only), then the header. */
static void signed_message(tl__buf *out, const char *domain, const tl_key *key, tl_str header)
{
	tl__buf_append(out, domain, strlen(domain) + 1);
	if (key)
		tl__buf_append(out, key->b, sizeof key->b);
	tl__buf_str(out, header);
}

static int check_signature(const tl__v1_frame *frame, size_t index, const char *domain,
	const tl_key *prefix, const tl_key *by)
{
	tl__buf message = TL__BUF_INIT;
	int code;

	if (index >= frame->signature_count)
		return tl__fail(TL_E_BAD_SIGNATURE, "the message lacks a signature");
	signed_message(&message, domain, prefix, frame->header);
	code = tl__buf_status(&message);
	if (code == TL_OK)
		code = tl_verify(by, message.ptr, message.len,
			frame->signatures + index * TL_SIGNATURE_BYTES);
	tl__buf_free(&message);
	return code;
}

int tl__v1_verify_request(const tl__v1_frame *frame, const tl_key *from)
{
	return check_signature(frame, 0, request_domain, NULL, from);
}

int tl__v1_verify_proof(const tl__v1_frame *frame, size_t index, const tl_key *key)
{
	return check_signature(frame, index + 1, proof_domain, key, key);
}

int tl__v1_verify_response(const tl__v1_frame *frame, const tl_key *by)
{
	if (frame->signature_count != 1)
		return tl__fail(TL_E_BAD_SIGNATURE, "an answer carries exactly one signature");
	return check_signature(frame, 0, response_domain, NULL, by);
}

static int hash_request(tl_str header, uint8_t re[32])
{
	tl__buf message = TL__BUF_INIT;
	int code;

	signed_message(&message, request_domain, NULL, header);
	code = tl__buf_status(&message);
	if (code == TL_OK)
		tl_sha256(message.ptr, message.len, re);
	tl__buf_free(&message);
	return code;
}

int tl__v1_request_hash(const tl__v1_frame *frame, uint8_t re[32])
{
	return hash_request(frame->header, re);
}

static int sign_into(tl__buf *out, const tl_secret *secret, const char *domain,
	const tl_key *prefix, tl_str header)
{
	tl__buf message = TL__BUF_INIT;
	uint8_t signature[TL_SIGNATURE_BYTES];
	int code;

	signed_message(&message, domain, prefix, header);
	code = tl__buf_status(&message);
	if (code == TL_OK)
		code = tl_sign(secret, message.ptr, message.len, signature);
	if (code == TL_OK)
		tl__buf_append(out, signature, sizeof signature);
	tl__buf_free(&message);
	return code;
}

static int put_length(tl__buf *out, size_t length)
{
	if (length > TL__V1_MAX_HEADER_BYTES)
		return tl__fail(TL_E_TOO_LARGE, "a header may have %d bytes, not %zu",
			TL__V1_MAX_HEADER_BYTES, length);
	for (int shift = 24; shift >= 0; shift -= 8)
		tl__buf_byte(out, (uint8_t)(length >> shift));
	return TL_OK;
}

/* Length, header and signature count; what follows are the signatures and the body. */
static int put_frame(tl__buf *out, const tl__buf *header, size_t signatures)
{
	int code = tl__buf_status(header);

	if (code == TL_OK)
		code = put_length(out, header->len);
	tl__buf_str(out, tl__buf_view(header));
	tl__buf_byte(out, (uint8_t)signatures);
	return code;
}

int tl__v1_request_write(tl__buf *out, tl__v1_request *m, const tl_secret *device,
	const tl_secret *const *secrets, size_t secret_count, tl_str body, uint8_t re[32])
{
	tl__buf header = TL__BUF_INIT;
	int code = TL_OK;

	if (secret_count > TL__V1_MAX_KEYS)
		return tl__fail(
			TL_E_TOO_LARGE, "a request proves at most %d keys", TL__V1_MAX_KEYS);
	for (size_t i = 0; i < secret_count; i++)
		tl_secret_public(secrets[i], &m->keys[i]);
	m->key_count = secret_count;
	m->body_len = body.len;
	tl_sha256(body.ptr, body.len, m->body_sha256);
	put_request(&header, m);
	code = put_frame(out, &header, secret_count + 1);
	if (code == TL_OK)
		code = sign_into(out, device, request_domain, NULL, tl__buf_view(&header));
	for (size_t i = 0; code == TL_OK && i < secret_count; i++)
		code = sign_into(out, secrets[i], proof_domain, &m->keys[i], tl__buf_view(&header));
	if (code == TL_OK && re)
		code = hash_request(tl__buf_view(&header), re);
	tl__buf_str(out, body);
	tl__buf_free(&header);
	return code == TL_OK ? tl__buf_status(out) : code;
}

int tl__v1_response_write(tl__buf *out, tl__v1_response *m, const tl_secret *device, tl_str body)
{
	tl__buf header = TL__BUF_INIT;
	int code;

	m->body_len = body.len;
	tl_sha256(body.ptr, body.len, m->body_sha256);
	put_response(&header, m);
	code = put_frame(out, &header, 1);
	if (code == TL_OK)
		code = sign_into(out, device, response_domain, NULL, tl__buf_view(&header));
	tl__buf_str(out, body);
	tl__buf_free(&header);
	return code == TL_OK ? tl__buf_status(out) : code;
}
