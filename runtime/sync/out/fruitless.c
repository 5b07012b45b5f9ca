/* What becomes of an exchange that gets nowhere, and of one that did. */
#include <string.h>
#include "sync/out/session.h"

void tl__session_fruitless(tl__sync *sync, tl__session *session, const char *error)
{
	tl__pair *pair = session->pair;

	if (pair && !session->failing) {
		session->fruitless = true;
		pair->useless_until = tl__peer_fruitless(sync, session->peer);
	}
	tl__session_fail(sync, session, TL_E_SYNC_PROTOCOL_ERROR, error);
}

/* What was given is stored as far as it is worth it: the next time it goes on behind that. */
static void keep_place(tl__sync *sync, tl__pair *pair, const tl__v1_cursor *place)
{
	bool same = pair->has_seen && memcmp(pair->seen.incarnation, place->incarnation,
					      sizeof place->incarnation) == 0;

	pair->gap = true;
	if (pair->db->arrivals == 0 || (same && pair->seen.n >= place->n))
		return;
	pair->has_seen = true;
	pair->seen = *place;
	tl__pair_save_cursors(sync, pair);
}

void tl__gain_concluded(tl__sync *sync, tl__session *session)
{
	if (session->fruitless && session->pull.has_cursor)
		keep_place(sync, session->pair, &session->pull.cursor);
	if (session->received == 0 || session->code != TL_OK)
		return;
	session->peer->fruitless = 0;
	for (size_t i = 0; i < TL__PEER_WATCHES; i++)
		session->peer->watches[i].idle = 0;
}
