/* v1 requests: the order of checks of the protocol (runtime/wire/README.md), and signed answers.
 *
 * Until the device signature was checked a refusal is unsigned fixed bytes. A wrong clock, epoch or
 * channel and an unknown method are told in a signed one, so these are noted early and refused
 * late.
 */
#include <string.h>
#include "sync/in/serve.h"

struct check {
	tl__v1_frame frame;
	tl__v1_request request;
	tl__v1_status late; /* refused once the signature is good */
};

static void refuse_unsigned(tl__sync *sync, tl__incoming *in, tl__v1_status status)
{
	tl__buf body = TL__BUF_INIT;

	tl__v1_write_unsigned(&body, status);
	tl__serve_answer(sync, in, 400, TL__V1_CONTENT_TYPE, &body, true);
}

/* --- answers ---------------------------------------------------------------------------------- */

void tl__serve_v1_answer(
	tl__sync *sync, tl__incoming *in, tl__v1_status status, tl_str args, tl_str body)
{
	tl__v1_response header = {.status = status,
		.time = tl__sync_time(sync),
		.channel = in->channel,
		.args = args};
	tl__buf out = TL__BUF_INIT;
	bool close = status == TL__V1_CHANNEL_MISMATCH;

	memcpy(header.re, in->re, sizeof header.re);
	memcpy(header.epoch, sync->epoch, sizeof header.epoch);
	if (tl__v1_response_write(&out, &header, sync->device, body) != TL_OK)
		out.failed = true;
	tl__serve_answer(sync, in, 200, TL__V1_CONTENT_TYPE, &out, close);
}

static void refuse_signed(
	tl__sync *sync, tl__incoming *in, tl__v1_status status, const tl__v1_refusal *refusal)
{
	tl__buf args = TL__BUF_INIT;

	tl__v1_write_refusal(&args, refusal);
	tl__serve_v1_answer(sync, in, status, tl__buf_view(&args), TL__STR(""));
	tl__buf_free(&args);
}

void tl__serve_v1_refuse(tl__sync *sync, tl__incoming *in, tl__v1_status status, const char *code)
{
	const tl__v1_refusal refusal = {.code = tl__str_z(code)};

	if (in->put_off)
		tl__serve_v1_busy(sync, in, "policy", 1000);
	else if (status == TL__V1_BUSY)
		tl__serve_v1_busy(sync, in, code, 1000);
	else
		refuse_signed(sync, in, status, &refusal);
}

void tl__serve_v1_busy(tl__sync *sync, tl__incoming *in, const char *code, uint32_t wait_ms)
{
	const tl__v1_refusal refusal = {.code = tl__str_z(code), .wait_ms = wait_ms};

	refuse_signed(sync, in, TL__V1_BUSY, &refusal);
}

/* --- checks, in their order ------------------------------------------------------------------- */

/* 1: lengths. */
static int check_lengths(struct check *check, const tl__sync_request *request)
{
	size_t need = 0;
	int rc = tl__v1_frame_need(request->body.ptr, request->body.len, &need);

	if (rc == TL_OK && need > request->body.len)
		rc = tl__fail(TL_E_BAD_MESSAGE, "the frame is cut off");
	if (rc == TL_OK)
		rc = tl__v1_frame_read(&check->frame, request->body.ptr, request->body.len);
	if (rc == TL_OK)
		rc = tl__v1_request_read(&check->request, check->frame.header);
	return rc;
}

/* What the requester must be able to believe, so that it is refused signed, later. */
static tl__v1_status check_moment(
	const tl__sync *sync, const tl__incoming *in, const tl__v1_request *request)
{
	int64_t behind = sync->wall - request->time;
	bool hello = in->method == TL__V1_HELLO;

	if (behind > TL__V1_CLOCK_SKEW_MS || behind < -TL__V1_CLOCK_SKEW_MS)
		return TL__V1_CLOCK_SKEW;
	/* hello may come without an epoch, never with a wrong one. */
	if (request->has_epoch ? memcmp(request->epoch, sync->epoch, sizeof sync->epoch) != 0
			       : !hello)
		return TL__V1_STALE_EPOCH;
	if (!tl__str_eq(request->channel, in->channel) && !sync->options.allow_tls_proxy)
		return TL__V1_CHANNEL_MISMATCH;
	return TL__V1_OK;
}

/* The form of the header as a whole; an epoch that is not there is a stale one, no bad form. */
static int check_form(struct check *check, tl__v1_method *method)
{
	tl__v1_request formal = check->request;

	formal.has_epoch = true;
	return tl__v1_request_form(&check->frame, &formal, method);
}

/* 2: who, what, when. */
static tl__v1_status check_header(
	tl__sync *sync, tl__incoming *in, struct check *check, tl_str path)
{
	const tl__v1_request *request = &check->request;
	tl_str method = {
		path.ptr + strlen(TL__V1_PATH_PREFIX), path.len - strlen(TL__V1_PATH_PREFIX)};
	int rc;

	if (request->has_to && !tl__key_equal(&request->to, &sync->key))
		return TL__V1_WRONG_RECIPIENT;
	if (tl__key_equal(&request->from, &sync->key) || !tl__str_eq(request->method, method))
		return TL__V1_BAD_REQUEST;
	rc = check_form(check, &in->method);
	if (rc != TL_OK && rc != TL_E_UNSUPPORTED)
		return TL__V1_BAD_REQUEST;
	check->late = rc == TL_OK ? check_moment(sync, in, request) : TL__V1_UNKNOWN_METHOD;
	return TL__V1_OK;
}

/* One that is blocked counts as a stranger wherever peers have it better. */
static bool is_peer(const tl__sync *sync, const tl_key *from)
{
	const tl__peer *peer = tl__sync_find_peer(sync, from);

	return peer && peer->status != TL__PEER_BLOCKED;
}

/* Who comes from where no peer was seen waits for a turn among his like before we look at his
 * signature. */
static bool take_turn(tl__sync *sync, const tl_key *from, const char *source)
{
	return tl__serve_is_source_known(sync, tl__str_z(source)) ||
	       tl__serve_take_share(
		       sync, is_peer(sync, from) ? TL__SHARE_CLAIMS : TL__SHARE_STRANGERS);
}

/* 3 and 4: new, and signed by the device key. */
static tl__v1_status check_signature(
	tl__sync *sync, const tl__incoming *in, const struct check *check)
{
	const tl__v1_request *request = &check->request;
	char source[TL__SOURCE_LEN + 1];

	tl__source_of(in->remote, source);
	if (tl__serve_is_replay(sync, request))
		return TL__V1_REPLAYED;
	if (!take_turn(sync, &request->from, source))
		return TL__V1_BUSY;
	if (tl__v1_verify_request(&check->frame, &request->from) != TL_OK)
		return TL__V1_BAD_REQUEST;
	if (is_peer(sync, &request->from))
		tl__serve_known(sync, tl__str_z(source));
	return TL__V1_OK;
}

static bool take_of_key(tl__sync *sync, const tl_key *key, bool peer)
{
	static const tl__serve_rate of_peer = {TL__SERVE_PEER_BURST, TL__SERVE_PEER_PER_S};
	static const tl__serve_rate of_stranger = {TL__SERVE_KEY_BURST, TL__SERVE_KEY_PER_S};
	bool taken = tl__serve_take(sync, tl__serve_key_name(key), peer ? of_peer : of_stranger);

	if (peer)
		tl__serve_known(sync, tl__serve_key_name(key));
	return taken;
}

static bool is_cleartext(const tl__sync *sync, const tl__incoming *in)
{
	return sync->options.require_encryption && !tl__sync_encrypted(in->channel) &&
	       !tl__sync_loopback(in->remote);
}

/* 5: not too many, for this moment, kept from being replayed, allowed at all. */
static tl__v1_status check_sender(
	tl__sync *sync, tl__incoming *in, const struct check *check, const char **code)
{
	const tl__v1_request *request = &check->request;
	tl__peer *peer = tl__sync_find_peer(sync, &request->from);

	if (!take_of_key(sync, &request->from, is_peer(sync, &request->from)))
		return TL__V1_BUSY;
	if (peer && peer->status == TL__PEER_BLOCKED) {
		*code = TL__V1_CODE_BLOCKED;
		return TL__V1_NOT_PERMITTED;
	}
	if (check->late != TL__V1_OK)
		return check->late;
	if (tl__serve_keep_nonce(sync, request) != TL_OK)
		return TL__V1_BUSY;
	if (peer && peer->protocol == TL__PROTOCOL_V0)
		return TL__V1_V0_KEY;
	if (is_cleartext(sync, in)) {
		*code = "cleartext_refused";
		return TL__V1_NOT_PERMITTED;
	}
	if (!tl__serve_may_connect(sync, in))
		return TL__V1_NOT_PERMITTED;
	return TL__V1_OK;
}

static void adopt(tl__incoming *in, const struct check *check)
{
	const tl__v1_request *request = &check->request;

	in->from = request->from;
	in->proven[0] = request->from;
	in->proven_count = 1;
	in->anonymous = !request->has_to;
	in->has_db = request->has_db;
	if (request->has_db)
		in->db = request->db;
}

/* 6 and 7 were fine. */
void tl__serve_proven(tl__sync *sync, tl__incoming *in)
{
	if (!in->anonymous) {
		tl__client_heard(sync, &in->from, in->address);
		tl__serve_hold_rate(sync, in);
		tl__sync_heard_from(sync, &in->from, in->address);
	}
	tl__serve_method(sync, in);
}

static void internal(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v1_refuse(sync, in, TL__V1_INTERNAL, "");
}

static void busy(tl__sync *sync, tl__incoming *in)
{
	tl__serve_v1_refuse(sync, in, TL__V1_BUSY, "too_many_at_once");
}

void tl__serve_v1(tl__sync *sync, tl__incoming *in, const tl__sync_request *request)
{
	static const tl__serve_way way = {.internal = internal, .busy = busy};
	struct check check = {.late = TL__V1_OK};
	tl__v1_status status;
	const char *code = "";
	tl_str body;

	in->way = &way;
	if (check_lengths(&check, request) != TL_OK) {
		refuse_unsigned(sync, in, TL__V1_BAD_REQUEST);
		return;
	}
	status = check_header(sync, in, &check, request->path);
	if (status == TL__V1_OK)
		status = check_signature(sync, in, &check);
	if (status == TL__V1_OK && tl__v1_request_hash(&check.frame, in->re) != TL_OK)
		status = TL__V1_INTERNAL;
	if (status != TL__V1_OK) {
		refuse_unsigned(sync, in, status);
		return;
	}
	adopt(in, &check);
	status = check_sender(sync, in, &check, &code);
	if (status != TL__V1_OK) {
		tl__serve_v1_refuse(sync, in, status, code);
		return;
	}
	body = (tl_str){request->body.ptr + check.frame.size, request->body.len - check.frame.size};
	tl__serve_shown(sync, in, &check.frame, &check.request, body);
}
