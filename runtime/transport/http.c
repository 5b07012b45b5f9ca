#include <pthread.h>
#include <string.h>
#include <tidelock/transport.h>
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"
#include "transport/address.h"
#include "transport/http_impl.h"

static pthread_mutex_t curl_lock = PTHREAD_MUTEX_INITIALIZER;
static bool curl_ready;

/* Tried again when it failed: it may have been memory that was missing. */
static int init_curl(void)
{
	CURLcode rc = CURLE_OK;

	pthread_mutex_lock(&curl_lock);
	if (!curl_ready)
		rc = curl_global_init(CURL_GLOBAL_DEFAULT);
	curl_ready = curl_ready || rc == CURLE_OK;
	pthread_mutex_unlock(&curl_lock);
	if (rc == CURLE_OK)
		return TL_OK;
	return tl__fail(rc == CURLE_OUT_OF_MEMORY ? TL_E_NOMEM : TL_E_IO,
		"libcurl does not start (%s); close what is not needed and try again",
		curl_easy_strerror(rc));
}

static int check_address(tl_transport *transport, const char *address)
{
	(void)transport;
	return tl__address_check(address);
}

/* Which certificate a server will show is not known before. */
static bool foresee(tl_transport *transport, const char *address, char *out, size_t cap)
{
	(void)address;
	if (tl__http_of(transport)->tls || cap < sizeof "none")
		return false;
	memcpy(out, "none", sizeof "none");
	return true;
}

/* A forked child must not end connections that are its parent's. */
static void http_free(tl_transport *transport)
{
	http *h = tl__http_of(transport);

	if (!h || tl__fork_inherited(h->forks))
		return;
	tl__http_client_free(h);
	tl__free(h->ca_file);
	tl__free(h->proxy);
	tl__free(h);
}

static const tl_transport vtable = {
	.size = sizeof vtable,
	.check_address = check_address,
	.send = tl__http_send,
	.resume = tl__http_resume,
	.body_ready = tl__http_body_ready,
	.cancel = tl__http_cancel,
	.serve = tl__http_serve,
	.server_address = tl__http_server_address,
	.stop = tl__http_stop,
	.answer = tl__http_answer,
	.answer_ready = tl__http_answer_ready,
	.incoming_resume = tl__http_incoming_resume,
	.close_after = tl__http_close_after,
	.hold = tl__http_hold,
	.keep = tl__http_keep,
	.free = http_free,
	.channel = tl__http_channel,
	.connections = tl__http_connections,
	.foresee = foresee,
};

static int copy_text(char **out, const char *text)
{
	*out = text ? tl__copy_bytes(text, strlen(text)) : NULL;
	return text && !*out ? TL_E_NOMEM : TL_OK;
}

int tl__http_new(
	tl_transport **out, tl_loop *loop, const tl__http_options *options, const tl__log *log)
{
	http *h;
	int rc = tl__fork_watch();

	*out = NULL;
	if (rc == TL_OK)
		rc = init_curl();
	if (rc != TL_OK)
		return rc;
	h = tl__alloc_zero(1, sizeof *h);
	if (!h)
		return TL_E_NOMEM;
	h->base = vtable;
	h->loop = loop;
	h->forks = tl__fork_count();
	h->log = log;
	h->tls = options && options->tls;
	h->base.type = h->tls ? "https" : "http";
	h->base.encrypted = h->tls;
	rc = copy_text(&h->ca_file, options ? options->ca_file : NULL);
	if (rc == TL_OK)
		rc = copy_text(&h->proxy, options ? options->proxy : NULL);
	if (rc == TL_OK)
		rc = tl__http_client_init(h);
	if (rc != TL_OK) {
		http_free(&h->base);
		return rc;
	}
	*out = &h->base;
	return TL_OK;
}

TL__PUBLIC(tl_http_new, out && loop,
	(tl_transport **out, tl_loop *loop, const tl_http_options *options), (out, loop, options))
{
	tl_http_options o = TL_HTTP_OPTIONS_INIT;
	tl__http_options inner;
	http *h;
	int rc = tl__sized_check(loop, tl_loop, now_ms);

	*out = NULL;
	if (rc == TL_OK && options)
		rc = tl__sized_read(&o, options, tl_http_options, log_level);
	if (rc != TL_OK)
		return rc;
	inner = (tl__http_options){o.tls, o.ca_file, o.proxy};
	rc = tl__http_new(out, loop, &inner, NULL);
	if (rc != TL_OK)
		return rc;
	h = tl__http_of(*out);
	h->own_log = (tl__log){o.log, o.log_ud, o.log_level, NULL};
	h->log = &h->own_log;
	return TL_OK;
}
