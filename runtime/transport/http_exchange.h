/* One exchange of the HTTP client, and what its files share. Everything here is the loop's thread.
 */
#ifndef TL_TRANSPORT_HTTP_EXCHANGE_H
#define TL_TRANSPORT_HTTP_EXCHANGE_H

#include <curl/curl.h>
#include "transport/http_impl.h"

struct tl_exchange {
	http *http;
	CURL *easy;
	struct curl_slist *headers;
	char *address;
	tl_response_sink sink;
	uint64_t max_response;
	uint32_t dial_ms, idle_ms, min_rate, hold_ms;
	tl__pace pace;

	tl_body body;
	void (*rewind)(void *body_ud); /* NULL: it can be read once */
	uint64_t body_given;           /* bytes of it handed to libcurl */
	bool body_held;                /* libcurl waits for body_ready */

	uint64_t received;
	size_t head_bytes, head_lines;
	bool head_told;
	bool paused;        /* the sink wants no more */
	bool received_held; /* libcurl waits for resume */

	bool added;     /* libcurl has it */
	bool connected; /* the request may begin */
	bool kept;      /* on a connection of an earlier exchange */
	bool again;     /* to be sent once more; afterwards: it was */
	bool repeated;
	bool ended; /* complete, but the sink is paused: `done` waits */
	bool cancelled;
	int failure; /* what ends it, with... */
	tl_error *cause;
	char channel[TL__CHANNEL_LEN + 1];
	int local_port; /* of its connection; 0: none yet */
	char reason[CURL_ERROR_SIZE];

	tl_exchange *next, *prev; /* client.all */
	tl_exchange *todo_next;
	bool in_todo;
};

/* http_client.c: */

/* Keeps the thread's last error as what ends this exchange (the first one stays) and queues it. */
void tl__exchange_fail(tl_exchange *exchange, int code);

/* http_client_easy.c: libcurl's callbacks for one exchange. TL_E_NOMEM. */
int tl__exchange_set_callbacks(tl_exchange *exchange) TL_MUST_USE;

/* http_client_loop.c: */

/* Comes back to the exchange outside libcurl's callbacks, in the next turn. */
void tl__exchange_queue(tl_exchange *exchange);
/* Links a new exchange in, and looks at it as often as its limits need. */
void tl__exchange_enter(tl_exchange *exchange);
/* Unlinks and releases; drops the body, makes no call. */
void tl__exchange_free(tl_exchange *exchange);

/* http_client_again.c: a kept connection turns out to be gone. */

/* Whether the exchange that ended so is to be sent once more. */
bool tl__exchange_may_repeat(const tl_exchange *exchange, CURLcode result);
/* Whether nothing has come on a kept connection for so long that a new one is worth a try. */
bool tl__exchange_is_mute(const tl_exchange *exchange, uint64_t now);
/* Begins the body again; false when it can be read only once. */
bool tl__exchange_rewind(tl_exchange *exchange);
/* Makes a removed handle ready for a new connection. TL_E_NOMEM. */
int tl__exchange_begin_again(tl_exchange *exchange) TL_MUST_USE;

/* http_client_seen.c: */

/* The channel of the connection from this local end, learnt from libcurl or remembered. */
int tl__exchange_learn_channel(tl_exchange *exchange, const char *ip, int port) TL_MUST_USE;
void tl__http_know(http *h, int fd);   /* a socket was opened */
void tl__http_forget(http *h, int fd); /* before it is closed */

/* http_sockets.c: descriptors that libcurl opens. All of them are closed by exec. */

/* Where libcurl may open descriptors. While it does no thread forks, so no child comes into being
 * between their opening and what is done about them here. */
void tl__sockets_begin(void);
void tl__sockets_end(void);

/* A CURLOPT_OPENSOCKETFUNCTION. */
curl_socket_t tl__sockets_open(void *ud, curlsocktype purpose, struct curl_sockaddr *address);
/* A socket that libcurl asks to be watched: those of its resolver are pairs, made by itself. */
void tl__sockets_seen(curl_socket_t fd);
/* The pair by which a new multi handle is woken. */
void tl__sockets_of_multi(CURLM *multi);

#endif
