/* Requests and answers by themselves: a loop, and the HTTP transport in it.
 *
 * What a node uses to reach its peers, without messages, entries or peers. The transport is a
 * tl_transport (ext.h): it works in the loop it was given, or in one of the host that implements
 * tl_loop. */
#ifndef TIDELOCK_TRANSPORT_H
#define TIDELOCK_TRANSPORT_H

#include <tidelock/ext.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- a loop of the library -------------------------------------------------------------------- */

/* A loop that does not turn yet; use it through tl_loop's members (ext.h). *out is yours:
 * tl_loop_free. TL_E_NOMEM, TL_E_IO when the system gives no descriptors. */
TL_API int tl_loop_new(tl_loop **out) TL_MUST_USE;
/* Turns the loop on the calling thread until it is stopped; what post() took before the stop is run
 * before it returns. At once when it was stopped before. May be called once. Blocks SIGPIPE for the
 * calling thread, since peers close sockets at any time. */
TL_API void tl_loop_run(tl_loop *loop);
/* Inside the host's own loop, instead of tl_loop_run: when the descriptor is readable, or the
 * timeout over, it is time for tl_loop_turn. The descriptor belongs to the loop. All three give
 * TL_E_BAD_STATE in a forked child. */
TL_API int tl_loop_fd(const tl_loop *loop);
/* *ms as of now, -1 when only the descriptor tells. Every turn may change it, and so may any call
 * that watches or times something, also one of a transport in this loop. */
TL_API int tl_loop_timeout(tl_loop *loop, int *ms) TL_MUST_USE;
/* One turn on the calling thread. Does not block, or with `wait` until there was something; not
 * from within a call of the loop. SIGPIPE is blocked meanwhile. */
TL_API int tl_loop_turn(tl_loop *loop, bool wait) TL_MUST_USE;
/* Ends tl_loop_run. post() gives TL_E_CLOSED from now on. Any thread, any number of times. */
TL_API void tl_loop_stop(tl_loop *loop);
/* Only for loops of tl_loop_new, after tl_loop_run has returned (or when it was never called) and
 * when nobody can post any more. What is still watched or timed ends without a call. NULL is fine.
 */
TL_API void tl_loop_free(tl_loop *loop);

/* --- HTTP ------------------------------------------------------------------------------------- */

typedef struct tl_http_options {
	size_t size;
	bool tls;            /* addresses of type "https" instead of "http" */
	const char *ca_file; /* PEM; NULL: the system's store */
	const char *proxy;   /* NULL: none; the environment is never asked */
	tl_log_sink log;     /* NULL: stderr */
	void *log_ud;
	tl_log_level log_level;
} tl_http_options;

#define TL_HTTP_OPTIONS_INIT                                                                       \
	{                                                                                          \
		sizeof(tl_http_options), false, NULL, NULL, NULL, NULL, TL_LOG_WARNING             \
	}

/* HTTP/1.1, client and server. Addresses are strict `host:port`: a name, an IPv4 address or [IPv6],
 * no scheme, no path, no user. Requests are POSTs. Call it before the loop turns or on its thread,
 * and so every member except check_address. Texts are copied. *out is yours: its `free`, when every
 * exchange is done and every server stopped, before the loop goes. */
TL_API int tl_http_new(
	tl_transport **out, tl_loop *loop, const tl_http_options *options) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
