/* An HTTP transport in a loop on a thread of its own, for a Lua state on another. What comes from
 * there is found by asking (_done, _next), after the courier's descriptor became readable.
 *
 * Threads: every function is called by the Lua state's thread and none waits, but for the two that
 * say so. Every handle keeps the courier's memory; after tlua_courier_close they are all done. */
#ifndef TL_LUA_COURIER_H
#define TL_LUA_COURIER_H

#include <stdbool.h>
#include <tidelock/tidelock.h>

typedef struct tlua_courier tlua_courier;
typedef struct tlua_call tlua_call;
typedef struct tlua_server tlua_server;
typedef struct tlua_incoming tlua_incoming;

/* Texts in `options` are copied. *out is yours: tlua_courier_close. */
int tlua_courier_open(tlua_courier **out, const tl_http_options *options);
/* Cancels calls, stops servers, ends the thread; waits for that. Only a server that is stopping
 * already keeps the grace it was given. NULL is fine. */
void tlua_courier_close(tlua_courier *courier);
/* Readable after something was done or came; tlua_courier_calm makes it unreadable again. */
int tlua_courier_fd(const tlua_courier *courier);
void tlua_courier_calm(tlua_courier *courier);

/* --- client side ------------------------------------------------------------------------------ */

typedef struct tlua_answer {
	int code;            /* TL_OK, or the error's code */
	const char *message; /* of the error */
	int status;
	const char *content_type; /* NULL when not given */
	const char *channel;
	tl_str body;
} tlua_answer;

/* Everything is copied, the body too: what the request's own body says is ignored. *out is yours:
 * tlua_call_free, at any time; a call that is not done is cancelled by it. */
int tlua_call_start(tlua_courier *courier, const tl_request *request, tl_str body, tlua_call **out);
/* Whether it is done, and then what came; that belongs to the call. */
bool tlua_call_done(tlua_call *call, tlua_answer *answer);
void tlua_call_free(tlua_call *call);

/* --- server side ------------------------------------------------------------------------------ */

/* Waits until it listens. *out is yours: tlua_server_free, which stops it without grace. */
int tlua_server_start(tlua_courier *courier, const char *bind, const tl_serve_options *options,
	uint64_t max_body, tlua_server **out);
const char *tlua_server_address(const tlua_server *server);
/* The first call counts. */
void tlua_server_stop(tlua_server *server, uint32_t grace_ms);
bool tlua_server_stopped(tlua_server *server);
void tlua_server_free(tlua_server *server);

/* The next request whose body is whole, or NULL. Yours: tlua_incoming_free. */
tlua_incoming *tlua_server_next(tlua_server *server);

typedef struct tlua_question {
	const char *method, *path, *remote, *channel;
	const char *content_type; /* NULL when not given */
	tl_str body;
} tlua_question;
/* Belongs to the request. */
tlua_question tlua_incoming_question(const tlua_incoming *incoming);
/* Copies. TL_E_ALREADY_EXISTS after the first time; an answer to somebody who is gone is dropped.
 */
int tlua_incoming_answer(
	tlua_incoming *incoming, int status, const char *content_type, tl_str body);
/* Answers 500 when there was no answer. */
void tlua_incoming_free(tlua_incoming *incoming);

#endif
