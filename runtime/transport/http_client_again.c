/* A connection that was kept from an earlier exchange may be gone without anybody having said so: a
 * balancer closed it, or a NAT forgot it and drops what comes. A request that finds one is sent
 * once more, on a new connection; peers may be asked anything twice. */
#include "base/fail.h"
#include "transport/http_exchange.h"

/* A new connection is tried after this much silence on a kept one; a sweep sees it a second later
 * at most. */
#define MUTE_MS 3500

static bool can_begin_again(const tl_exchange *exchange)
{
	return exchange->kept && exchange->head_bytes == 0 && !exchange->repeated &&
	       !exchange->cancelled && exchange->failure == TL_OK &&
	       (exchange->rewind || exchange->body_given == 0);
}

bool tl__exchange_may_repeat(const tl_exchange *exchange, CURLcode result)
{
	switch (result) {
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_FAIL_REWIND: return can_begin_again(exchange);
	default: return false;
	}
}

bool tl__exchange_is_mute(const tl_exchange *exchange, uint64_t now)
{
	uint32_t most = exchange->idle_ms < MUTE_MS ? exchange->idle_ms : MUTE_MS;

	return can_begin_again(exchange) && !exchange->again && !exchange->pace.held &&
	       now >= exchange->pace.moved_ms + most;
}

bool tl__exchange_rewind(tl_exchange *exchange)
{
	if (exchange->body_given > 0 && !exchange->rewind)
		return false;
	if (exchange->body_given > 0)
		exchange->rewind(exchange->body.ud);
	exchange->body_given = 0;
	exchange->body_held = false;
	return true;
}

int tl__exchange_begin_again(tl_exchange *exchange)
{
	if (curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK)
		return tl__fail(TL_E_NOMEM, "no memory for a request");
	(void)tl__exchange_rewind(exchange); /* can_begin_again() has looked */
	exchange->connected = exchange->kept = exchange->again = false;
	exchange->repeated = true;
	exchange->reason[0] = '\0';
	return TL_OK;
}
