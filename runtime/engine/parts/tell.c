/* What happens in the background, told twice: as a line of the log and as an event. */
#include "base/str.h"
#include "engine/parts/node_impl.h"

#define TOLD(level, part, ...) tl__log_write(log, TL_LOG_##level, part, __VA_ARGS__)

static void log_event(const tl__log *log, const tl_event *event, const char *text)
{
	char peer[TL_KEY_TEXT_LEN + 1] = "", db[TL_ID_TEXT_LEN + 1] = "";
	unsigned long long number = event->number;

	if (event->has_peer)
		tl_key_format(&event->peer, peer);
	if (event->has_db)
		tl_id_format(&event->db, db);
	switch (event->kind) {
	case TL_EVENT_SERVER_STARTED: TOLD(INFO, "server", "serving at %s", text); return;
	case TL_EVENT_SERVER_STOPPED: TOLD(INFO, "server", "serves no more at %s", text); return;
	case TL_EVENT_PEER_CONNECTED: TOLD(INFO, "peer", "%s is at %s", peer, text); return;
	case TL_EVENT_PEER_DISCONNECTED:
		TOLD(INFO, "peer", "%s is gone from %s", peer, text);
		return;
	case TL_EVENT_PEER_UNREACHABLE:
		TOLD(INFO, "peer", "%s is not reached: %s", peer, text);
		return;
	case TL_EVENT_ENTRIES_RECEIVED:
		TOLD(INFO, "sync", "%llu entries of %s received from %s", number, db, peer);
		return;
	case TL_EVENT_SYNC_FINISHED:
		if (number > 0)
			TOLD(INFO, "sync", "%llu entries of %s moved with %s", number, db, peer);
		else
			TOLD(DEBUG, "sync", "nothing of %s to move with %s", db, peer);
		return;
	case TL_EVENT_SYNC_PROGRESS:
		TOLD(DEBUG, "sync", "%llu entries of %s moved with %s so far", number, db, peer);
		return;
	case TL_EVENT_SYNC_FAILED:
		TOLD(INFO, "sync", "%s with %s failed: %s", db, peer, text);
		return;
	case TL_EVENT_SYNC_STALLED:
		tl__log_about(log, TL_LOG_WARNING, "sync", tl__str_z(peer),
			"%s with %s gets no further: %s", db, peer, text);
		return;
	case TL_EVENT_ACCESS_REQUESTED:
		TOLD(INFO, "access", "%s asks for access to %s, request %s", peer, db, text);
		return;
	case TL_EVENT_ACCESS_GRANTED:
		TOLD(INFO, "access", "%s gives access to %s, request %s", peer, db, text);
		return;
	case TL_EVENT_ACCESS_REFUSED:
		TOLD(INFO, "access", "%s gives no access to %s, request %s", peer, db, text);
		return;
	case TL_EVENT_FACT_CHANGED: TOLD(DEBUG, "sync", "the fact \"%s\" changed", text); return;
	case TL_EVENT_SCRIPT_SUSPENDED:
		TOLD(WARNING, "script",
			"%s is suspended: it ran out of its budget again and again, and refuses "
			"until it is loaded anew",
			text);
		return;
	case TL_EVENT_PEER_PATH:
		TOLD(INFO, "peer", "%s is reached now: %s", peer[0] ? peer : "somebody", text);
		return;
	case TL_EVENT_PEER_CHANGED:
	case TL_EVENT_ENTRY_COMMITTED:
	case TL_EVENT_OVERFLOW: return;
	}
}

void tl__node_tell(tl_node *node, const tl_event *event, const char *text)
{
	log_event(&node->log, event, text ? text : "");
	tl__hub_tell(node->hub, event, text);
}
