#include "base/fail.h"
#include "transport/iroh/inside.h"

static int code_of_reset(uint64_t peer_code)
{
	switch (peer_code) {
	case TL_IROH_RESET_LARGE: return TL_E_TOO_LARGE;
	case TL_IROH_RESET_SLOW:
	case TL_IROH_RESET_NO_ANSWER: return TL_E_TIMEOUT;
	case TL__IROH_RESET_CLOSED: return TL_E_CONNECTION_FAILED;
	default: return TL_E_NETWORK;
	}
}

static int code_of(int code, uint64_t peer_code)
{
	switch (code) {
	case TL_IROH_BAD_ARGUMENT: return TL_E_BAD_ARGUMENT;
	case TL_IROH_STATE: return TL_E_CLOSED;
	case TL_IROH_CANCELLED: return TL_E_CANCELLED;
	case TL_IROH_TIMEOUT: return TL_E_TIMEOUT;
	case TL_IROH_BAD_ADDRESS:
	case TL_IROH_OWN_ID: return TL_E_BAD_ADDRESS;
	case TL_IROH_ALPN: return TL_E_PROTOCOL_MISMATCH;
	case TL_IROH_NO_ADDRESS:
	case TL_IROH_CONNECT:
	case TL_IROH_UNKNOWN_ID:
	case TL_IROH_RELAY_REFUSED:
	case TL_IROH_RELAY_UNREACHABLE: return TL_E_CONNECTION_FAILED;
	case TL_IROH_LOST:
	case TL_IROH_CLOSED: return TL_E_NETWORK;
	case TL_IROH_RESET: return code_of_reset(peer_code);
	case TL_IROH_TOO_LARGE: return TL_E_TOO_LARGE;
	case TL_IROH_BIND: return TL_E_SERVER_BIND;
	case TL_IROH_LIMIT: return TL_E_BUSY;
	default: return TL_E_INTERNAL;
	}
}

static const char *sentence_of(int code, uint64_t peer_code)
{
	switch (code) {
	case TL_IROH_STATE: return "the Iroh endpoint is closed, or broken; open the node again";
	case TL_IROH_CANCELLED: return "cancelled";
	case TL_IROH_TIMEOUT: return "the other side does not answer in time";
	case TL_IROH_NO_ADDRESS:
		return "nothing tells where this endpoint id is: use a ticket with addresses or a "
		       "relay, or enable a lookup";
	case TL_IROH_OWN_ID: return "that address is this node itself";
	case TL_IROH_ALPN:
		return "who answers there does not offer this protocol (ALPN): it is no tidelock";
	case TL_IROH_CONNECT: return "no connection to this address";
	case TL_IROH_LOST: return "the connection broke";
	case TL_IROH_CLOSED: return "the other side closed the connection";
	case TL_IROH_RESET:
		return peer_code == TL__IROH_RESET_CLOSED ? "the other side does not serve"
							  : "the other side gave this up";
	case TL_IROH_RELAY_REFUSED: return "the relay refused our token";
	case TL_IROH_RELAY_UNREACHABLE: return "no relay can be reached";
	case TL_IROH_PANIC: return "the Iroh plugin failed inside; open the node again";
	default: return "Iroh";
	}
}

int tl__iroh_fail(int code, uint64_t peer_code, const void *text, size_t len)
{
	return tl__fail(code_of(code, peer_code), "%s%s%.*s", sentence_of(code, peer_code),
		len > 0 ? ": " : "", (int)(len > 400 ? 400 : len),
		len > 0 ? (const char *)text : "");
}
