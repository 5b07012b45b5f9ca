/* The v1 envelope: what is read is what was signed, for this recipient and this request only. */
#include "base/mem.h"
#include "v1_fixture.h"

static int accept_response(tl_str bytes, const tl_key *by, const uint8_t re[32])
{
	tl__v1_frame frame;
	tl__v1_response m;
	uint8_t digest[32];
	int code = tl__v1_frame_read(&frame, bytes.ptr, bytes.len);

	if (code == TL_OK)
		code = tl__v1_response_read(&m, frame.header);
	if (code == TL_OK)
		code = tl__v1_verify_response(&frame, by);
	if (code == TL_OK && memcmp(m.re, re, 32) != 0)
		code = TL_E_BAD_MESSAGE;
	if (code != TL_OK)
		return code;
	tl_sha256(bytes.ptr + frame.size, bytes.len - frame.size, digest);
	return bytes.len - frame.size == m.body_len && memcmp(digest, m.body_sha256, 32) == 0
		       ? TL_OK
		       : TL_E_BAD_MESSAGE;
}

static int write_answer(tl__buf *out, const uint8_t re[32])
{
	tl__v1_response m = {.status = TL__V1_OK,
		.time = 7,
		.channel = TL__STR("none"),
		.args = TL__STR("{\"more\":false}")};

	memcpy(m.re, re, 32);
	return tl__v1_response_write(out, &m, &bob, TL__STR("answer\n"));
}

/* --- round trips ------------------------------------------------------------------------------ */

static void requests_come_back_as_written(void)
{
	static const size_t proofs[] = {0, 1, 2, TL__V1_MAX_KEYS};

	for (size_t p = 0; p < 4; p++) {
		tl__v1_request sent = plain_request(), got;
		tl__v1_frame frame;
		tl__buf out = TL__BUF_INIT;
		uint8_t re[32], again[32];

		CHECK_OK(tl__v1_request_write(
			&out, &sent, &alice, provers, proofs[p], TL__STR("body"), re));
		CHECK_OK(accept_request(tl__buf_view(&out), &bob_key));
		REQUIRE(tl__v1_frame_read(&frame, out.ptr, out.len) == TL_OK);
		CHECK(frame.signature_count == proofs[p] + 1);
		REQUIRE(tl__v1_request_read(&got, frame.header) == TL_OK);
		CHECK(memcmp(&got.to, &bob_key, sizeof got.to) == 0);
		CHECK(memcmp(&got.from, &alice_key, sizeof got.from) == 0);
		CHECK(tl__str_eq(got.method, TL__STR("pull")));
		CHECK(got.has_db && memcmp(&got.db, &sent.db, sizeof got.db) == 0);
		CHECK(got.time == sent.time);
		CHECK(memcmp(got.nonce, sent.nonce, sizeof got.nonce) == 0);
		CHECK(got.has_epoch && memcmp(got.epoch, sent.epoch, sizeof got.epoch) == 0);
		CHECK(tl__str_eq(got.channel, sent.channel));
		CHECK(got.key_count == proofs[p]);
		CHECK(memcmp(got.keys, sent.keys, proofs[p] * sizeof *got.keys) == 0);
		CHECK(got.body_len == 4);
		CHECK(tl__str_eq(got.args, sent.args));
		CHECK_OK(tl__v1_request_hash(&frame, again));
		CHECK(memcmp(re, again, 32) == 0);
		tl__buf_free(&out);
	}
}

static void absent_parts_come_back_absent(void)
{
	tl__v1_request sent = {.from = alice_key, .method = TL__STR("hello")}, got;
	tl__v1_frame frame;
	tl__v1_method method = TL__V1_PUSH;
	tl__buf out = TL__BUF_INIT;

	sent.channel = TL__STR("");
	CHECK_OK(tl__v1_request_write(&out, &sent, &alice, NULL, 0, TL__STR(""), NULL));
	REQUIRE(tl__v1_frame_read(&frame, out.ptr, out.len) == TL_OK);
	CHECK(frame.size == out.len);
	REQUIRE(tl__v1_request_read(&got, frame.header) == TL_OK);
	CHECK(!got.has_to && !got.has_db && !got.has_epoch);
	CHECK(tl__str_eq(got.args, TL__STR("{}")));
	CHECK_OK(tl__v1_request_form(&frame, &got, &method));
	CHECK(method == TL__V1_HELLO);
	tl__buf_free(&out);
}

static void answers_come_back_with_every_status(void)
{
	for (int status = 0; status < TL__V1_STATUS_COUNT; status++) {
		tl__v1_response sent = {.status = (tl__v1_status)status,
			.time = INT64_MAX,
			.channel = TL__STR("tls:00")};
		tl__v1_response got;
		tl__v1_frame frame;
		tl__buf out = TL__BUF_INIT;
		uint8_t re[32];

		memset(re, status, sizeof re);
		memcpy(sent.re, re, sizeof re);
		memset(sent.epoch, 9, sizeof sent.epoch);
		CHECK_OK(tl__v1_response_write(&out, &sent, &bob, TL__STR("")));
		CHECK_OK(accept_response(tl__buf_view(&out), &bob_key, re));
		REQUIRE(tl__v1_frame_read(&frame, out.ptr, out.len) == TL_OK);
		REQUIRE(tl__v1_response_read(&got, frame.header) == TL_OK);
		CHECK((int)got.status == status);
		CHECK(got.time == INT64_MAX);
		CHECK(memcmp(got.epoch, sent.epoch, sizeof got.epoch) == 0);
		CHECK(tl__str_eq(got.channel, sent.channel));
		CHECK(tl__str_eq(got.args, TL__STR("{}")));
		tl__buf_free(&out);
	}
}

static void names_go_both_ways(void)
{
	for (int i = 0; i < TL__V1_STATUS_COUNT; i++) {
		tl__v1_status got = TL__V1_STATUS_COUNT;

		CHECK_OK(
			tl__v1_status_parse(&got, tl__str_z(tl__v1_status_name((tl__v1_status)i))));
		CHECK((int)got == i);
	}
	for (int i = 0; i < TL__V1_METHOD_COUNT; i++) {
		tl__v1_method got = TL__V1_METHOD_COUNT;

		CHECK_OK(
			tl__v1_method_parse(&got, tl__str_z(tl__v1_method_name((tl__v1_method)i))));
		CHECK((int)got == i);
	}
	CHECK(strcmp(tl__v1_status_name(TL__V1_STATUS_COUNT), "unknown") == 0);
	CHECK(strcmp(tl__v1_method_name(TL__V1_METHOD_COUNT), "unknown") == 0);
	CHECK_CODE(tl__v1_status_parse(&(tl__v1_status){0}, TL__STR("Ok")), TL_E_BAD_MESSAGE);
	CHECK_CODE(
		tl__v1_method_parse(&(tl__v1_method){0}, TL__STR("reconcile")), TL_E_UNSUPPORTED);
}

/* --- damage and deceit ------------------------------------------------------------------------ */

static void truncations_are_noticed_at_every_byte(void)
{
	tl__buf out = TL__BUF_INIT;
	uint8_t re[32];
	tl__v1_frame frame;

	REQUIRE(write_plain(&out, 2, re) == TL_OK);
	REQUIRE(tl__v1_frame_read(&frame, out.ptr, out.len) == TL_OK);
	for (size_t len = 0; len < out.len; len++) {
		/* Memory of exactly that length: reading over its end shows. */
		char *copy = tl__copy_bytes(out.ptr, len);
		size_t need = 0;

		REQUIRE(copy != NULL);
		CHECK(accept_request((tl_str){copy, len}, &bob_key) != TL_OK);
		CHECK_OK(tl__v1_frame_need(copy, len, &need));
		CHECK(len < frame.size ? need > len : need == frame.size);
		tl__free(copy);
	}
	for (size_t len = 0; len < frame.header.len; len++) {
		tl__v1_request m;

		CHECK_CODE(
			tl__v1_request_read(&m, (tl_str){frame.header.ptr, len}), TL_E_BAD_MESSAGE);
	}
	tl__buf_byte(&out, 'x');
	CHECK(accept_request(tl__buf_view(&out), &bob_key) != TL_OK);
	tl__buf_free(&out);
}

static void altered_bytes_never_verify(void)
{
	static const uint8_t flips[] = {0x01, 0x20, 0x80};
	tl__buf request = TL__BUF_INIT, answer = TL__BUF_INIT;
	uint8_t re[32];

	REQUIRE(write_plain(&request, 2, re) == TL_OK);
	REQUIRE(write_answer(&answer, re) == TL_OK);
	CHECK_OK(accept_request(tl__buf_view(&request), &bob_key));
	CHECK_OK(accept_response(tl__buf_view(&answer), &bob_key, re));
	for (size_t f = 0; f < sizeof flips; f++) {
		for (size_t i = 0; i < request.len; i++) {
			request.ptr[i] = (char)(request.ptr[i] ^ flips[f]);
			CHECK(accept_request(tl__buf_view(&request), &bob_key) != TL_OK);
			request.ptr[i] = (char)(request.ptr[i] ^ flips[f]);
		}
		for (size_t i = 0; i < answer.len; i++) {
			answer.ptr[i] = (char)(answer.ptr[i] ^ flips[f]);
			CHECK(accept_response(tl__buf_view(&answer), &bob_key, re) != TL_OK);
			answer.ptr[i] = (char)(answer.ptr[i] ^ flips[f]);
		}
	}
	CHECK_OK(accept_request(tl__buf_view(&request), &bob_key));
	tl__buf_free(&request);
	tl__buf_free(&answer);
}

static void redirected_requests_are_refused(void)
{
	tl__buf out = TL__BUF_INIT;
	char text[TL_KEY_TEXT_LEN + 1];
	uint8_t re[32];
	char *to;

	REQUIRE(write_plain(&out, 1, re) == TL_OK);
	CHECK_CODE(accept_request(tl__buf_view(&out), &carol_key), TL_E_BAD_MESSAGE);
	tl_key_format(&bob_key, text);
	to = memmem(out.ptr, out.len, text, TL_KEY_TEXT_LEN);
	REQUIRE(to != NULL);
	tl_key_format(&carol_key, text);
	memcpy(to, text, TL_KEY_TEXT_LEN);
	CHECK_CODE(accept_request(tl__buf_view(&out), &carol_key), TL_E_BAD_SIGNATURE);
	tl__buf_free(&out);
}

static void an_answer_belongs_to_one_request_and_one_key(void)
{
	tl__buf first = TL__BUF_INIT, second = TL__BUF_INIT, answer = TL__BUF_INIT;
	tl__v1_request m = plain_request();
	uint8_t re[32], other[32];

	REQUIRE(write_plain(&first, 1, re) == TL_OK);
	m.nonce[0] ^= 1;
	REQUIRE(tl__v1_request_write(&second, &m, &alice, provers, 1, TL__STR("line\n"), other) ==
		TL_OK);
	CHECK(memcmp(re, other, 32) != 0);
	REQUIRE(write_answer(&answer, re) == TL_OK);
	CHECK_OK(accept_response(tl__buf_view(&answer), &bob_key, re));
	CHECK_CODE(accept_response(tl__buf_view(&answer), &bob_key, other), TL_E_BAD_MESSAGE);
	CHECK_CODE(accept_response(tl__buf_view(&answer), &carol_key, re), TL_E_BAD_SIGNATURE);
	CHECK_CODE(accept_response(tl__buf_view(&answer), &alice_key, re), TL_E_BAD_SIGNATURE);
	tl__buf_free(&first);
	tl__buf_free(&second);
	tl__buf_free(&answer);
}

static void swap_bytes(char *a, char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = a[i];

		a[i] = b[i];
		b[i] = c;
	}
}

static void proofs_keep_their_place(void)
{
	tl__buf one = TL__BUF_INIT, two = TL__BUF_INIT;
	tl__v1_request m = plain_request();
	tl__v1_frame frame, other;
	uint8_t re[32];
	char *proofs;

	REQUIRE(write_plain(&one, 2, re) == TL_OK);
	REQUIRE(tl__v1_frame_read(&frame, one.ptr, one.len) == TL_OK);
	proofs = (char *)(one.ptr + (frame.size - 2 * TL_SIGNATURE_BYTES));
	swap_bytes(proofs, proofs + TL_SIGNATURE_BYTES, TL_SIGNATURE_BYTES);
	CHECK_CODE(accept_request(tl__buf_view(&one), &bob_key), TL_E_BAD_SIGNATURE);
	swap_bytes(proofs, proofs + TL_SIGNATURE_BYTES, TL_SIGNATURE_BYTES);
	CHECK_OK(accept_request(tl__buf_view(&one), &bob_key));

	/* A proof made for another request of the same device. */
	m.nonce[3] ^= 8;
	REQUIRE(tl__v1_request_write(&two, &m, &alice, provers, 2, TL__STR("line\n"), NULL) ==
		TL_OK);
	REQUIRE(tl__v1_frame_read(&other, two.ptr, two.len) == TL_OK);
	memcpy(proofs, other.signatures + TL_SIGNATURE_BYTES, TL_SIGNATURE_BYTES);
	CHECK_CODE(accept_request(tl__buf_view(&one), &bob_key), TL_E_BAD_SIGNATURE);
	CHECK_CODE(tl__v1_verify_proof(&frame, 2, &m.keys[0]), TL_E_BAD_SIGNATURE);
	tl__buf_free(&one);
	tl__buf_free(&two);
}

/* Puts a signature in front of a header, as a frame. */
static void frame_of(tl__v1_frame *out, tl_str header, const uint8_t *signature)
{
	*out = (tl__v1_frame){.header = header, .signature_count = 1, .signatures = signature};
}

static void domains_do_not_overlap(void)
{
	tl__v1_frame request, answer, forged;
	tl__buf out = TL__BUF_INIT, reply = TL__BUF_INIT;
	uint8_t signature[TL_SIGNATURE_BYTES], re[32];
	const tl_key *prover;
	tl__v1_request m;

	REQUIRE(write_plain(&out, 1, re) == TL_OK && write_answer(&reply, re) == TL_OK);
	REQUIRE(tl__v1_frame_read(&request, out.ptr, out.len) == TL_OK);
	REQUIRE(tl__v1_frame_read(&answer, reply.ptr, reply.len) == TL_OK);
	REQUIRE(tl__v1_request_read(&m, request.header) == TL_OK);
	prover = &m.keys[0];
	/* Each kind of signature in the place of each other kind. */
	frame_of(&forged, request.header, request.signatures);
	CHECK_OK(tl__v1_verify_request(&forged, &alice_key));
	CHECK_CODE(tl__v1_verify_response(&forged, &alice_key), TL_E_BAD_SIGNATURE);
	frame_of(&forged, answer.header, answer.signatures);
	CHECK_OK(tl__v1_verify_response(&forged, &bob_key));
	CHECK_CODE(tl__v1_verify_request(&forged, &bob_key), TL_E_BAD_SIGNATURE);
	frame_of(&forged, request.header, request.signatures + TL_SIGNATURE_BYTES);
	CHECK_CODE(tl__v1_verify_request(&forged, prover), TL_E_BAD_SIGNATURE);
	CHECK_CODE(tl__v1_verify_response(&forged, prover), TL_E_BAD_SIGNATURE);
	/* The header alone, as an entry's signing bytes or a challenge would be signed. */
	REQUIRE(tl_sign(&alice, request.header.ptr, request.header.len, signature) == TL_OK);
	frame_of(&forged, request.header, signature);
	CHECK_CODE(tl__v1_verify_request(&forged, &alice_key), TL_E_BAD_SIGNATURE);
	REQUIRE(tl_sign(&alice, re, 32, signature) == TL_OK);
	CHECK_CODE(tl__v1_verify_request(&forged, &alice_key), TL_E_BAD_SIGNATURE);
	/* An answer with more than one signature is none. */
	forged = answer;
	forged.signature_count = 2;
	CHECK_CODE(tl__v1_verify_response(&forged, &bob_key), TL_E_BAD_SIGNATURE);
	tl__buf_free(&out);
	tl__buf_free(&reply);
}

int main(void)
{
	make_keys();
	RUN(requests_come_back_as_written);
	RUN(absent_parts_come_back_absent);
	RUN(answers_come_back_with_every_status);
	RUN(names_go_both_ways);
	RUN(truncations_are_noticed_at_every_byte);
	RUN(altered_bytes_never_verify);
	RUN(redirected_requests_are_refused);
	RUN(an_answer_belongs_to_one_request_and_one_key);
	RUN(proofs_keep_their_place);
	RUN(domains_do_not_overlap);
	return spec_end();
}
