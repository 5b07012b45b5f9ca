/* A record of an access request, as those who list them and those who decide them read it. */
#ifndef TL_ENGINE_REQUESTS_H
#define TL_ENGINE_REQUESTS_H

#include "base/arena.h"
#include "tidelock/tidelock.h"

/* In the form of sync/core/README.md. */
typedef struct tl__request {
	tl_id db;
	tl_str tree_id, pubkey, name, permission_json, timestamp, status, address;
	tl_permission permission;
	int64_t time;
} tl__request;

/* Its texts lie in `json` or in the arena. TL_E_STORE_DAMAGED: it is none. */
int tl__request_read(tl__arena *arena, tl_str json, tl__request *out) TL_MUST_USE;
const char *tl__request_state(const tl__request *r); /* "pending", "approved", "rejected" */
bool tl__request_is_expired(const tl__request *r);
/* `_sync`, where the records are; the caller's. */
int tl__requests_open(tl_node *node, tl_database **out) TL_MUST_USE;

#endif
