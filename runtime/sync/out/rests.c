/* An exchange that ends before it is done, because its rate is used up, it was paused, or the peer
 * has no time: what it got counts, and the next one goes on there. */
#include "sync/out/session.h"

#include <string.h>

static bool is_paused(const tl__session *session)
{
	return session->pair->options->paused && !session->ordered;
}

/* Its direction is another meanwhile: the next one goes there. */
static bool is_turned(const tl__session *session)
{
	return !(session->pair->does & (session->pulling ? TL__PULLS : TL__PUSHES));
}

bool tl__session_is_to_rest(const tl__sync *sync, const tl__session *session)
{
	return is_paused(session) || is_turned(session) ||
	       tl__rate_free_at(sync, &session->peer->key, session->pair) > sync->now;
}

bool tl__session_rests(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	uint64_t free_at = tl__rate_free_at(sync, &session->peer->key, pair);
	const char *why = is_paused(session)   ? "it is paused"
			  : is_turned(session) ? "its direction was changed"
					       : "its rate is used up for now";

	if (!tl__session_is_to_rest(sync, session))
		return false;
	if (pair->wait_until < free_at)
		pair->wait_until = free_at;
	session->put_off = session->rests = true;
	tl__session_fail(sync, session, TL_E_BUSY, why);
	return true;
}

void tl__gain_put_off(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	const tl__v1_cursor *to = &session->pull.cursor;
	bool same = pair->has_seen &&
		    memcmp(pair->seen.incarnation, to->incarnation, sizeof to->incarnation) == 0;

	if (!session->pulling || !session->pull.has_cursor || pair->db->arrivals == 0)
		return;
	/* What was wanted is asked for in another exchange. */
	session->pull.gap = session->pull.gap || session->pull.wants.count > 0 ||
			    session->pull.wanted_count > 0;
	pair->gap = pair->gap || session->pull.gap;
	if (pair->has_seen && !same)
		return;
	if (!pair->has_seen || pair->seen.n < to->n) {
		pair->has_seen = true;
		pair->seen = *to;
	}
	if (session->pull.from_sure && session->declined == 0 && !session->pull.gap) {
		pair->has_sure = true;
		pair->sure = *to;
		pair->from_sure = pair->from_sure || to->n < pair->seen.n;
	}
	tl__pair_save_cursors(sync, pair);
}
