/* Two Iroh transports in one loop, on loopback without relays: `far` serves the application of
 * http_app.h, `near` asks it with the exchanges of http_rig.h. */
#ifndef SPEC_IROH_RIG_H
#define SPEC_IROH_RIG_H

#include "http_rig.h"
#include "iroh_path.h"
#include "transport/iroh/inside.h"

typedef struct duo {
	rig near, far;
	uint8_t keys[2][32]; /* random unless set */
	bool keyed;
	unsigned max_connections; /* of others that `far` takes; 0: as usual */
} duo;

static inline int rig_iroh(rig *g, tl_loop *loop, const uint8_t *key, unsigned max_connections)
{
	const tl__iroh_options options = {.plugin = iroh_path(),
		.secret_key = key,
		.bind = "127.0.0.1:0",
		.max_connections = max_connections};
	int rc = tl__iroh_new(&g->http, &options, NULL);

	g->loop = loop;
	g->max_body = 64U << 20;
	return rc == TL_OK ? tl__iroh_attach(g->http, loop) : rc;
}

static inline int duo_open(duo *d)
{
	tl_loop *loop;
	int rc = tl__loop_new(&loop);

	memset(&d->near, 0, sizeof d->near);
	memset(&d->far, 0, sizeof d->far);
	if (rc == TL_OK)
		rc = rig_iroh(&d->far, loop, d->keyed ? d->keys[0] : NULL, d->max_connections);
	if (rc == TL_OK)
		rc = rig_serve(&d->far, NULL);
	if (rc == TL_OK)
		rc = rig_iroh(&d->near, loop, d->keyed ? d->keys[1] : NULL, 0);
	snprintf(d->near.address, sizeof d->near.address, "%s", d->far.address);
	return rc;
}

static inline void duo_end_one(rig *g)
{
	if (g->server && g->http)
		CHECK(rig_stop(g, 0));
	CHECK(g->begun == g->gone);
	if (g->http)
		g->http->free(g->http);
	g->http = NULL;
}

static inline void duo_close(duo *d)
{
	duo_end_one(&d->near);
	duo_end_one(&d->far);
	tl__loop_free(d->near.loop);
}

static inline unsigned connections_of(const rig *g)
{
	return tl__iroh_of(g->http)->connection_count;
}

#endif
