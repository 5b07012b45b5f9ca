/* How large a page may be on the way to a peer. What lies in between (a reverse proxy, a balancer)
 * may limit bodies, and say so with HTTP's 413 or just cut the connection: then smaller pages are
 * tried, and what an address takes is remembered for it. */
#include "sync/out/call.h"
#include "sync/out/session.h"

#include "base/str.h"

/* Below it entries go one by one. */
#define SMALLEST_PAGE TL__SYNC_MIN_PAGE_BYTES

static bool carries_pages(const tl__call *call)
{
	return !call->greeting && call->way->carries_pages(call);
}

size_t tl__page_bytes(const tl__sync *sync, const tl__peer *peer)
{
	uint64_t limit = sync->options.max_page_bytes;

	for (size_t i = 0; i < peer->address_count; i++) {
		const tl__peer_address *at = &peer->addresses[i];
		const struct tl__sync_transport *transport = tl__transport_of(sync, &at->address);

		if (transport && transport->max_body > 0 && transport->max_body < limit)
			limit = transport->max_body;
		if (at->page_single)
			return 1; /* one entry always comes */
		if (at->page_bytes > 0 && at->page_bytes < limit)
			limit = at->page_bytes;
	}
	limit -= TL__PAGE_ROOM;
	return (size_t)(limit < peer->max_body_bytes ? limit : peer->max_body_bytes);
}

static void warn(tl__sync *sync, const tl__call *call, uint64_t bytes, bool said)
{
	tl__log_about(sync->log, TL_LOG_WARNING, "sync", tl__str_z(call->peer->text),
		"something between us and %s at %s limits bodies: %llu bytes did not pass%s; "
		"pages are smaller there from now on",
		call->peer->text, call->address.text, (unsigned long long)bytes,
		said ? " (HTTP status 413)" : "");
}

void tl__page_cut(tl__sync *sync, tl__call *call, uint64_t bytes, bool said)
{
	tl__peer_address *at = tl__call_address(call);
	bool smallest;

	if (!at || !carries_pages(call) || bytes == 0)
		return;
	/* So little passes everywhere: the other side went away. */
	if (!said && bytes <= SMALLEST_PAGE && at->page_bytes == 0)
		return;
	smallest = bytes <= SMALLEST_PAGE || at->page_bytes == SMALLEST_PAGE;
	call->cut = true;
	if (said && !at->page_said)
		warn(sync, call, bytes, true);
	if (at->page_bytes == 0)
		at->page_cut = bytes;
	at->page_said = at->page_said || said;
	at->page_sure = at->page_sure || said;
	at->page_single = at->page_single || smallest;
	if (at->page_bytes == 0 || bytes / 2 < at->page_bytes)
		at->page_bytes = bytes / 2;
	if (at->page_bytes < SMALLEST_PAGE)
		at->page_bytes = SMALLEST_PAGE;
}

void tl__page_passed(tl__sync *sync, const tl__call *call)
{
	tl__peer_address *at = tl__call_address(call);

	if (!at || !carries_pages(call) || at->page_bytes == 0 || at->page_sure)
		return;
	at->page_sure = true;
	warn(sync, call, at->page_cut, false);
}

static void forget(tl__peer_address *at)
{
	at->page_bytes = 0;
	at->page_single = at->page_sure = false;
}

void tl__page_unsure(tl__peer *peer)
{
	for (size_t i = 0; i < peer->address_count; i++)
		if (!peer->addresses[i].page_sure)
			forget(&peer->addresses[i]);
}

void tl__page_other_process(tl__peer *peer)
{
	for (size_t i = 0; i < peer->address_count; i++)
		if (!peer->addresses[i].page_said)
			forget(&peer->addresses[i]);
}

bool tl__page_again(tl__session *session, const tl__call_result *result, bool divisible)
{
	if (!result->cut || !divisible || session->page_cuts >= TL__SYNC_MAX_PAGE_CUTS)
		return false;
	session->page_cuts++;
	return true;
}
