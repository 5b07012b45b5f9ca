/* What is held, as JSON; read on the calling thread. */
#ifndef TL_ENGINE_STATUS_H
#define TL_ENGINE_STATUS_H

#include "base/json/json.h"
#include "engine/parts/node_impl.h"

/* Hands over what was gathered, and releases the buffer in every case. */
int tl__json_take(tl__buf *out, char **json) TL_MUST_USE;

/* Array of {"id","name","entries","tips","pending","quarantined","void"}, system databases left
 * out. Appended to `out`. */
int tl__status_databases(tl_node *node, tl__buf *out) TL_MUST_USE;
/* Array of what tl_sync_get_peer_info says of each registered peer, ascending; yours. */
int tl__status_peers(tl_node *node, char **json) TL_MUST_USE;

#endif
