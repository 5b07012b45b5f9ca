/* Transports and servers of an engine; everything on the loop's thread. */
#ifndef TL_ENGINE_SERVERS_H
#define TL_ENGINE_SERVERS_H

#include "engine/run/engine_impl.h"

/* Takes the transport over on success. TL_E_SERVER_ALREADY_RUNNING when its type is there. */
int tl__carriers_add(tl__engine *engine, const tl__carrier *carrier) TL_MUST_USE;
/* http and https; serving the one that `config` describes. */
int tl__carriers_enable_http(tl__engine *engine, const tl_http_config *config) TL_MUST_USE;
/* An endpoint that is bound; taken over on success. */
int tl__carriers_add_iroh(tl__engine *engine, tl_transport *transport, uint32_t dial_ms,
	uint32_t idle_ms) TL_MUST_USE;
/* TL_OK when the address is one that this node can have: of a transport it has, which looks at the
 * text, or of one that can still be enabled. TL_E_BAD_ADDRESS, TL_E_UNSUPPORTED_TRANSPORT. */
int tl__carriers_check_address(tl__engine *engine, const tl_address *address) TL_MUST_USE;
/* type NULL: the first transport that can serve. */
int tl__servers_start(tl__engine *engine, const char *bind, const char *type) TL_MUST_USE;
/* The address the first server is bound to; TL_E_SERVER_NOT_RUNNING. */
int tl__servers_first(const tl__engine *engine, tl_address *out) TL_MUST_USE;
/* Where peers can reach the servers, at most `cap`: a wildcard bind gives the addresses of this
 * machine's interfaces. */
size_t tl__servers_addresses(const tl__engine *engine, tl_address *out, size_t cap);

#endif
