/* HTTP transport: libcurl as client, libmicrohttpd as server, both in the loop they are given. */
#ifndef TL_TRANSPORT_HTTP_H
#define TL_TRANSPORT_HTTP_H

#include <tidelock/ext.h>
#include "base/system/log.h"

#define TL__HTTP_MAX_HEADER_BYTES  32768 /* of an answer's head */
#define TL__HTTP_MAX_REQUEST_BYTES 8192  /* of a request's: each connection has room for one */
#define TL__HTTP_MAX_HEADERS       100   /* of either */

typedef struct tl__http_options {
	bool tls;            /* addresses of type "https" instead of "http" */
	const char *ca_file; /* PEM; NULL = the system's store. Copied. */
	const char *proxy;   /* NULL = none; the environment is never asked. Copied. */
} tl__http_options;

/* Addresses are strict `host:port`: a name, an IPv4 address or [IPv6], no scheme, no path, no user.
 * *out is yours: transport->free. Any thread, before the loop runs, or the loop's thread. */
int tl__http_new(tl_transport **out, tl_loop *loop, const tl__http_options *options,
	const tl__log *log) TL_MUST_USE;

#endif
