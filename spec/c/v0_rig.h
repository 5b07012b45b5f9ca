/* The rig with a core that speaks eidetica 0.2.0, and bob as one of its nodes: a spec sets rig_v0.
 */
#ifndef SPEC_V0_RIG_H
#define SPEC_V0_RIG_H

#include "sync_rig.h"
#include "v0/work/works.h"

/* The oldest request must be a v0 handshake. */
static inline void answer_handshake(const party *by, bool tidelock)
{
	tl__v0_handshake_response response = {.protocol_version = 0};
	uint8_t signature[64], challenge[32] = {9};
	tl__v0_request request;
	tl__v0_refusal refusal;
	tl__buf out = TL__BUF_INIT;
	uint64_t exchange;

	CHECK(sends("/api/v0", NULL));
	if (r.send_count == 0 || tl__v0_request_read(&request, tl__buf_view(&r.sends[0].send.body),
					 &refusal) != TL_OK) {
		FAIL_CASE("a handshake was expected");
		return;
	}
	CHECK(request.kind == TL__V0_HANDSHAKE && request.handshake.tidelock_v1);
	CHECK_OK(tl_sign(&by->secret, request.handshake.challenge.ptr,
		request.handshake.challenge.len, signature));
	response.device_id = response.public_key = z(by->text);
	response.display_name = TL__STR("Bob");
	response.challenge_response = (tl_str){(const char *)signature, 64};
	response.new_challenge = (tl_str){(const char *)challenge, 32};
	response.tidelock_v1 = tidelock;
	tl__v0_write_handshake_response(&out, &response);
	tl__v0_request_free(&request);
	exchange = r.sends[0].send.exchange;
	drop_send(0);
	answer_bytes(exchange, 200, tl__buf_view(&out));
	tl__buf_free(&out);
}

/* A whole first contact; the core knows bob as a v1 peer afterwards. */
static inline void met(const party *by, const char *host_port)
{
	uint64_t op = connect_to(host_port, NULL);

	answer_handshake(by, true);
	answer_hello(by);
	CHECK_DONE(op, TL_OK);
}

static inline void meet_v0(const party *by, const char *host_port)
{
	uint64_t op = connect_to(host_port, NULL);

	answer_handshake(by, false);
	CHECK_DONE(op, TL_OK);
}

#endif
