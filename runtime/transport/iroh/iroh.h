/* Iroh transport: endpoints that reach each other by key, over the plugin of bindings/iroh. */
#ifndef TL_TRANSPORT_IROH_H
#define TL_TRANSPORT_IROH_H

#include <tidelock/ext.h>
#include "base/system/log.h"
#include "transport/iroh/plugin.h"

/* Bytes of a server's own address: as many as a hello has room for. */
#define TL__IROH_MAX_SERVER_ADDRESS 255

typedef struct tl__iroh_options {
	const char *plugin;        /* its path; NULL: where it is looked for */
	const uint8_t *secret_key; /* 32 bytes; NULL: a new random one */
	const char *bind;          /* "127.0.0.1:0": the only socket; NULL: every address */
	bool without_v0;           /* the protocol of 0.2.0 is not offered */
	uint32_t relay_mode;       /* tl_iroh_relay_mode */
	uint32_t lookup;           /* tl_iroh_lookup */
	const tl_iroh_relay *relays;
	size_t relay_count;
	unsigned max_connections; /* of others; 0: 1,024 */
} tl__iroh_options;

/* An endpoint that is bound: one for what is dialled and what is served. Loads the plugin and waits
 * for the sockets, some milliseconds, so better not on a loop's thread. It can be used once
 * tl__iroh_attach has given it a loop. Addresses of type "iroh" are tickets, endpoint ids, JSON and
 * iroh://id@relay. *out is yours: transport->free, which blocks until the endpoint's thread is
 * over, at most two seconds. TL_E_UNSUPPORTED_TRANSPORT, TL_E_BAD_ARGUMENT, TL_E_SERVER_BIND. */
int tl__iroh_new(
	tl_transport **out, const tl__iroh_options *options, const tl__log *log) TL_MUST_USE;
/* Before the loop runs, or on its thread; once. */
int tl__iroh_attach(tl_transport *transport, tl_loop *loop) TL_MUST_USE;

#endif
