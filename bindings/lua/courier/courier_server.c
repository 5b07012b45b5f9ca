/* The courier's servers: requests are gathered on the loop's thread, queued when they are whole,
 * and answered from the Lua state's thread. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "courier/courier_impl.h"

typedef enum listening { NOT_YET, LISTENS, FAILED } listening;

struct tlua_server {
	tlua_job start, stop;
	tlua_ring link; /* in courier.servers */
	tlua_courier *courier;
	char *bind, *certificate, *key;
	tl_serve_options options; /* its texts are ours */
	uint64_t max_body;
	tl_server *server; /* the loop's thread */
	uint32_t grace_ms;
	bool asked; /* to stop; the Lua thread */
	char *address;
	int code; /* why it does not listen */
	char *message;
	/* under the courier's lock: */
	listening state;
	bool stopped;
	bool abandoned;               /* nobody asks for requests any more */
	tlua_incoming *first, **last; /* whole requests */
	unsigned refs;
};

struct tlua_incoming {
	tlua_job answer;
	tlua_incoming *next;
	tlua_server *server;
	tl_incoming *in; /* the loop's thread; NULL once it is gone */
	char *method, *path, *remote, *channel, *type;
	tlua_bytes body;
	bool whole; /* memory sufficed */
	bool answered;
	int status;
	char *answer_type;
	tlua_bytes answer_body;
	size_t answer_at;
	unsigned refs; /* under the courier's lock */
};

/* --- references ------------------------------------------------------------------------------- */

static void retain(tlua_courier *courier, unsigned *refs)
{
	pthread_mutex_lock(&courier->lock);
	++*refs;
	pthread_mutex_unlock(&courier->lock);
}

static bool was_last(tlua_courier *courier, unsigned *refs)
{
	bool last;

	pthread_mutex_lock(&courier->lock);
	last = --*refs == 0;
	pthread_mutex_unlock(&courier->lock);
	return last;
}

static void release_server(tlua_server *server)
{
	tlua_courier *courier = server->courier;

	if (!was_last(courier, &server->refs))
		return;
	free(server->bind);
	free(server->certificate);
	free(server->key);
	free(server->address);
	free(server->message);
	free(server);
	tlua__courier_release(courier);
}

static void release_incoming(tlua_incoming *incoming)
{
	if (!was_last(incoming->server->courier, &incoming->refs))
		return;
	release_server(incoming->server);
	free(incoming->method);
	free(incoming->path);
	free(incoming->remote);
	free(incoming->channel);
	free(incoming->type);
	free(incoming->body.ptr);
	free(incoming->answer_type);
	free(incoming->answer_body.ptr);
	free(incoming);
}

/* --- requests, on the loop's thread ----------------------------------------------------------- */

static void refuse(tlua_server *server, tl_incoming *in, int status)
{
	const tl_body empty = {.length = 0};

	server->courier->transport->answer(in, status, NULL, &empty);
}

static tlua_incoming *make_incoming(
	tlua_server *server, tl_incoming *in, const tl_incoming_head *head)
{
	tlua_incoming *incoming = calloc(1, sizeof *incoming);

	if (!incoming)
		return NULL;
	incoming->refs = 1;
	incoming->server = server;
	incoming->in = in;
	incoming->whole = true;
	incoming->method = tlua__copy(head->method, &incoming->whole);
	incoming->path = tlua__copy(head->path, &incoming->whole);
	incoming->remote = tlua__copy(head->remote, &incoming->whole);
	incoming->channel = tlua__copy(head->channel, &incoming->whole);
	if (head->content_type.ptr) {
		incoming->type = strndup(head->content_type.ptr, head->content_type.len);
		incoming->whole = incoming->whole && incoming->type;
	}
	retain(server->courier, &server->refs);
	return incoming;
}

static void on_begin(void *ud, tl_incoming *in, const tl_incoming_head *head, void **request_ud,
	uint64_t *max_body)
{
	tlua_server *server = ud;

	*max_body = server->max_body;
	*request_ud = make_incoming(server, in, head);
	if (!*request_ud)
		refuse(server, in, 503);
}

static bool on_piece(void *ud, tl_incoming *in, const void *bytes, size_t len)
{
	tlua_incoming *incoming = ud;

	(void)in;
	if (incoming)
		incoming->whole =
			incoming->whole && tlua__bytes_append(&incoming->body, bytes, len);
	return true;
}

static void on_end(void *ud, tl_incoming *in)
{
	tlua_incoming *incoming = ud;
	tlua_server *server;
	tlua_courier *courier;
	bool wanted;

	if (!incoming)
		return;
	server = incoming->server;
	courier = server->courier;
	pthread_mutex_lock(&courier->lock);
	wanted = incoming->whole && !server->abandoned;
	if (wanted) {
		incoming->refs++; /* the queue's, then whoever takes it */
		*server->last = incoming;
		server->last = &incoming->next;
	}
	pthread_mutex_unlock(&courier->lock);
	if (wanted)
		tlua__courier_tell(courier);
	else
		refuse(server, in, 503);
}

static void on_gone(void *ud)
{
	tlua_incoming *incoming = ud;

	if (!incoming)
		return;
	incoming->in = NULL;
	release_incoming(incoming);
}

static ptrdiff_t read_answer(void *ud, void *out, size_t cap)
{
	tlua_incoming *incoming = ud;
	size_t len = incoming->answer_body.len - incoming->answer_at;

	len = len < cap ? len : cap;
	if (len > 0)
		memcpy(out, incoming->answer_body.ptr + incoming->answer_at, len);
	incoming->answer_at += len;
	return (ptrdiff_t)len;
}

static void drop_answer(void *ud)
{
	release_incoming(ud);
}

/* The job's reference becomes the body's. */
static void run_answer(tlua_job *job)
{
	tlua_incoming *incoming = (tlua_incoming *)((char *)job - offsetof(tlua_incoming, answer));
	const tl_body body = {
		read_answer, drop_answer, incoming, (int64_t)incoming->answer_body.len};

	if (incoming->in)
		incoming->server->courier->transport->answer(
			incoming->in, incoming->status, incoming->answer_type, &body);
	else
		release_incoming(incoming);
}

/* --- servers, on the loop's thread ------------------------------------------------------------ */

static const tl_server_calls calls = {sizeof calls, on_begin, on_piece, on_end, on_gone};

static void run_start(tlua_job *job)
{
	tlua_server *server = (tlua_server *)((char *)job - offsetof(tlua_server, start));
	tlua_courier *courier = server->courier;
	tl_transport *transport = courier->transport;
	bool ok = true;
	int rc = transport->serve(
		transport, server->bind, &server->options, &calls, server, &server->server);

	server->code = rc;
	if (rc == TL_OK)
		server->address = tlua__copy(transport->server_address(server->server), &ok);
	else
		server->message = strdup(tl_error_message(tl_last_error()));
	if (rc == TL_OK)
		tlua__ring_enter(&courier->servers, &server->link);
	pthread_mutex_lock(&courier->lock);
	server->state = rc == TL_OK ? LISTENS : FAILED;
	pthread_cond_broadcast(&courier->listening);
	pthread_mutex_unlock(&courier->lock);
	if (rc != TL_OK)
		release_server(server);
}

static void on_stopped(void *ud)
{
	tlua_server *server = ud;
	tlua_courier *courier = server->courier;
	bool closing;

	tlua__ring_leave(&server->link);
	pthread_mutex_lock(&courier->lock);
	server->stopped = true;
	closing = courier->closing;
	pthread_mutex_unlock(&courier->lock);
	tlua__courier_tell(courier);
	if (closing)
		tlua__courier_wake(courier);
	release_server(server);
}

static void stop(tlua_server *server, uint32_t grace_ms)
{
	tl_server *running = server->server;

	server->server = NULL;
	if (running)
		server->courier->transport->stop(running, grace_ms, on_stopped, server);
}

static void run_stop(tlua_job *job)
{
	tlua_server *server = (tlua_server *)((char *)job - offsetof(tlua_server, stop));

	stop(server, server->grace_ms);
	release_server(server);
}

void tlua__servers_stop(tlua_courier *courier)
{
	tlua_ring *next;

	for (tlua_ring *at = courier->servers.next; at != &courier->servers; at = next) {
		next = at->next; /* stopping may end it at once */
		stop((tlua_server *)((char *)at - offsetof(tlua_server, link)), 0);
	}
}

/* --- the Lua state's thread ------------------------------------------------------------------- */

static tlua_server *make_server(
	tlua_courier *courier, const char *bind, const tl_serve_options *options)
{
	tlua_server *server = calloc(1, sizeof *server);
	bool ok = true;

	if (!server)
		return NULL;
	tlua__courier_retain(courier);
	server->courier = courier;
	server->refs = 1;
	server->link = (tlua_ring){&server->link, &server->link};
	server->last = &server->first;
	server->start.run = run_start;
	server->stop.run = run_stop;
	server->options = *options;
	server->bind = tlua__copy(bind, &ok);
	server->certificate = tlua__copy(options->certificate_file, &ok);
	server->key = tlua__copy(options->key_file, &ok);
	server->options.certificate_file = server->certificate;
	server->options.key_file = server->key;
	if (ok)
		return server;
	release_server(server);
	return NULL;
}

static int await_listening(tlua_server *server)
{
	tlua_courier *courier = server->courier;

	pthread_mutex_lock(&courier->lock);
	while (server->state == NOT_YET)
		pthread_cond_wait(&courier->listening, &courier->lock);
	pthread_mutex_unlock(&courier->lock);
	if (server->state == FAILED)
		return tl_error_set(
			server->code, server->message ? server->message : "not enough memory");
	return server->address ? TL_OK : tl_error_set(TL_E_NOMEM, "not enough memory");
}

int tlua_server_start(tlua_courier *courier, const char *bind, const tl_serve_options *options,
	uint64_t max_body, tlua_server **out)
{
	tlua_server *server = make_server(courier, bind, options);
	int rc;

	*out = NULL;
	if (!server)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a server");
	server->max_body = max_body;
	if (!tlua__courier_hand(courier, &server->start, &server->refs)) {
		release_server(server);
		return tl_error_set(TL_E_CLOSED, "the transport is closed");
	}
	rc = await_listening(server);
	if (rc == TL_OK)
		*out = server;
	else
		tlua_server_free(server);
	return rc;
}

const char *tlua_server_address(const tlua_server *server)
{
	return server->address;
}

void tlua_server_stop(tlua_server *server, uint32_t grace_ms)
{
	if (server->asked)
		return;
	server->asked = true;
	server->grace_ms = grace_ms;
	/* Refused: closing has stopped it. */
	tlua__courier_hand(server->courier, &server->stop, &server->refs);
}

bool tlua_server_stopped(tlua_server *server)
{
	bool stopped;

	pthread_mutex_lock(&server->courier->lock);
	stopped = server->stopped;
	pthread_mutex_unlock(&server->courier->lock);
	return stopped;
}

tlua_incoming *tlua_server_next(tlua_server *server)
{
	tlua_incoming *incoming;

	pthread_mutex_lock(&server->courier->lock);
	incoming = server->first;
	if (incoming)
		server->first = incoming->next;
	if (!server->first)
		server->last = &server->first;
	pthread_mutex_unlock(&server->courier->lock);
	return incoming;
}

void tlua_server_free(tlua_server *server)
{
	tlua_incoming *incoming;

	if (!server)
		return;
	tlua_server_stop(server, 0);
	pthread_mutex_lock(&server->courier->lock);
	server->abandoned = true;
	pthread_mutex_unlock(&server->courier->lock);
	while ((incoming = tlua_server_next(server)))
		tlua_incoming_free(incoming);
	release_server(server);
}

tlua_question tlua_incoming_question(const tlua_incoming *incoming)
{
	return (tlua_question){incoming->method, incoming->path, incoming->remote,
		incoming->channel, incoming->type,
		{incoming->body.ptr ? incoming->body.ptr : "", incoming->body.len}};
}

int tlua_incoming_answer(tlua_incoming *incoming, int status, const char *content_type, tl_str body)
{
	bool ok = true;

	if (incoming->answered)
		return tl_error_set(TL_E_ALREADY_EXISTS, "this request has been answered already");
	incoming->answer.run = run_answer;
	incoming->status = status;
	incoming->answer_type = tlua__copy(content_type, &ok);
	ok = ok && tlua__bytes_append(&incoming->answer_body, body.ptr, body.len);
	if (!ok)
		return tl_error_set(TL_E_NOMEM, "not enough memory for an answer");
	incoming->answered = true;
	/* Refused: the connection is gone. */
	tlua__courier_hand(incoming->server->courier, &incoming->answer, &incoming->refs);
	return TL_OK;
}

void tlua_incoming_free(tlua_incoming *incoming)
{
	if (!incoming)
		return;
	if (!incoming->answered)
		(void)tlua_incoming_answer(incoming, 500, NULL, (tl_str){"", 0});
	release_incoming(incoming);
}
