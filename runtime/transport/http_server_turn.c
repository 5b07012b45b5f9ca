/* libmicrohttpd in the loop: one run of it, and when the next one comes. */
#include "transport/http_serving.h"
#include "transport/pace.h"

#define ENDING_CONNECTIONS 64 /* beside these: cut, but not gone yet */
#define FREE_VAIN_RUNS     8

/* How long to wait with a run that libmicrohttpd wants at once. Its epoll is edge-triggered inside,
 * so such runs are how work left over gets done; but a TLS handshake whose peer is silent makes it
 * want them for ever. Runs that achieve nothing come more and more rarely; an event ends that. */
static uint64_t patience(tl_server *server)
{
	bool vain = !server->achieved && !tl__conn_any_input(server);
	unsigned over;

	server->vain_runs = vain ? server->vain_runs + 1 : 0;
	if (server->vain_runs <= FREE_VAIN_RUNS)
		return 0;
	over = server->vain_runs - FREE_VAIN_RUNS - 1;
	return over < 10 ? (uint64_t)1 << over : TL__PACE_SWEEP_MAX;
}

void tl__server_run(tl_server *server)
{
	tl_loop *loop = server->http->loop;
	MHD_UNSIGNED_LONG_LONG ms;

	server->woken = server->achieved = false;
	MHD_run(server->daemon);
	if (server->woken)
		loop->timer_start(server->turn, 0);
	else if (MHD_get_timeout(server->daemon, &ms) == MHD_YES)
		loop->timer_start(server->turn, ms == 0 ? patience(server) : ms);
	else
		loop->timer_stop(server->turn);
}

unsigned tl__server_most(const tl_server *server)
{
	return server->max_connections + ENDING_CONNECTIONS;
}
