/* Transports and servers of an engine. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/run/engine_impl.h"
#include "engine/run/servers.h"
#include "transport/http.h"
#include "transport/iroh/iroh.h"

tl__carrier *tl__engine_carrier(tl__engine *engine, tl_str type)
{
	for (size_t i = 0; i < engine->carrier_count; i++)
		if (tl__str_eq(tl__str_z(engine->carriers[i].transport->type), type))
			return &engine->carriers[i];
	return NULL;
}

bool tl__servers_running(const tl__engine *engine)
{
	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS; i++)
		if (engine->servers[i].handle)
			return true;
	return false;
}

/* --- addresses -------------------------------------------------------------------------------- */

/* A wildcard bind is reachable at every address of this machine: those are what is told to peers.
 */
static bool is_wildcard(tl_str host)
{
	return tl__str_eq(host, TL__STR("0.0.0.0")) || tl__str_eq(host, TL__STR("[::]"));
}

/* "host:port" of an interface; false when it is of no use to a peer. */
static bool interface_text(
	const struct ifaddrs *at, bool v6_too, tl_str port, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const void *)at->ifa_addr;
	const struct sockaddr_in6 *v6 = (const void *)at->ifa_addr;

	if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || (at->ifa_flags & IFF_LOOPBACK))
		return false;
	if (at->ifa_addr->sa_family == AF_INET) {
		if (!inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host))
			return false;
		snprintf(out, cap, "%s:%.*s", host, TL__STR_ARG(port));
		return true;
	}
	if (at->ifa_addr->sa_family != AF_INET6 || !v6_too ||
		IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ||
		!inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host))
		return false;
	snprintf(out, cap, "[%s]:%.*s", host, TL__STR_ARG(port));
	return true;
}

/* Appends the addresses of one server; at least one. */
static size_t expand(const tl_address *bound, tl_address *out, size_t cap)
{
	const char *colon = strrchr(bound->text, ':');
	tl_str host = {bound->text, colon ? (size_t)(colon - bound->text) : strlen(bound->text)};
	tl_str port = tl__str_z(colon ? colon + 1 : "");
	struct ifaddrs *all = NULL;
	size_t count = 0;

	if (is_wildcard(host) && getifaddrs(&all) == 0) {
		for (const struct ifaddrs *at = all; at && count < cap; at = at->ifa_next) {
			out[count] = *bound;
			if (interface_text(at, host.ptr[0] == '[', port, out[count].text,
				    sizeof out[count].text))
				count++;
		}
		freeifaddrs(all);
	}
	if (count == 0 && cap > 0) {
		out[0] = *bound;
		if (is_wildcard(host)) /* no other interface: this machine only */
			snprintf(out[0].text, sizeof out[0].text, "127.0.0.1:%.*s",
				TL__STR_ARG(port));
		count = 1;
	}
	return count;
}

/* As it is bound now: an endpoint that finds its peers by key wanders. */
static tl_address bound_address(const tl__server *server)
{
	const tl_transport *transport = server->carrier->transport;
	tl_address now = {{0}, {0}};

	snprintf(now.type, sizeof now.type, "%s", transport->type);
	snprintf(now.text, sizeof now.text, "%s", transport->server_address(server->handle));
	return now;
}

size_t tl__servers_addresses(const tl__engine *engine, tl_address *out, size_t cap)
{
	size_t count = 0;

	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS && count < cap; i++) {
		const tl__server *server = &engine->servers[i];
		tl_address now;

		if (!server->handle || server->stopping)
			continue;
		now = bound_address(server);
		count += expand(&now, out + count, cap - count);
	}
	return count;
}

int tl__servers_first(const tl__engine *engine, tl_address *out)
{
	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS; i++)
		if (engine->servers[i].handle && !engine->servers[i].stopping) {
			const tl_address now = bound_address(&engine->servers[i]);

			(void)expand(&now, out, 1);
			return TL_OK;
		}
	return tl__fail(TL_E_SERVER_NOT_RUNNING, "no server is running; start one first");
}

void tl__servers_tell(tl__engine *engine)
{
	tl_address addresses[TL__SYNC_MAX_ADDRESSES];
	tl__sync_event event = {.kind = TL__SYNC_SERVERS};

	event.servers.count = tl__servers_addresses(engine, addresses, TL__SYNC_MAX_ADDRESSES);
	event.servers.addresses = addresses;
	tl__engine_tell(engine, &event);
}

static void tell_event(tl__engine *engine, tl_event_kind kind, const tl_address *address)
{
	tl_event event = {.kind = kind, .time_ms = tl__system_clock.wall_ms(tl__system_clock.ud)};
	char text[530];

	tl_address_format(address, text);
	tl__node_tell(engine->node, &event, text);
}

/* --- transports ------------------------------------------------------------------------------- */

bool tl__carriers_foresee(void *ud, const tl_address *address, char *out, size_t cap)
{
	const tl__carrier *carrier = tl__engine_carrier(ud, tl__str_z(address->type));
	tl_transport *transport = carrier ? carrier->transport : NULL;

	return transport && TL__HAS(transport, foresee) && transport->foresee &&
	       transport->foresee(transport, address->text, out, cap);
}

/* What a transport says of itself; one that was made for an older library does not say all. */
static tl__sync_event introduce(const tl_transport *transport)
{
	tl__sync_event event = {.kind = TL__SYNC_TRANSPORT};

	event.transport.type = tl__str_z(transport->type);
	event.transport.encrypted = TL__HAS(transport, encrypted) && transport->encrypted;
	event.transport.agrees = TL__HAS(transport, agrees) && transport->agrees;
	event.transport.proves_ends = TL__HAS(transport, proves_ends) && transport->proves_ends;
	event.transport.max_body = TL__HAS(transport, max_body) ? transport->max_body : 0;
	return event;
}

static void on_path(void *ud, const tl_connection_info *info)
{
	const tl__carrier *carrier = ud;
	tl__engine *engine = carrier->engine;
	tl_event event = {.kind = TL_EVENT_PEER_PATH,
		.time_ms = tl__system_clock.wall_ms(tl__system_clock.ud)};
	char text[300];

	event.has_peer = tl__sync_key_at(engine->sync, carrier->transport->type, info, &event.peer);
	snprintf(text, sizeof text, "%s %s", info->relayed ? "relayed" : "direct", info->path);
	tl__node_tell(engine->node, &event, text);
}

int tl__carriers_add(tl__engine *engine, const tl__carrier *carrier)
{
	tl__sync_event event = introduce(carrier->transport);
	tl__carrier *added = &engine->carriers[engine->carrier_count];

	if (engine->carrier_count == TL__ENGINE_MAX_TRANSPORTS)
		return tl__fail(TL_E_TOO_LARGE, "a node has at most %d transports",
			TL__ENGINE_MAX_TRANSPORTS);
	if (tl__engine_carrier(engine, tl__str_z(carrier->transport->type)))
		return tl__fail(TL_E_SERVER_ALREADY_RUNNING,
			"a transport for addresses of type \"%s\" is enabled already",
			carrier->transport->type);
	if (event.transport.max_body > 0 && event.transport.max_body < TL_TRANSPORT_LEAST_BODY)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a transport's max_body is 0 (no limit) or at least %d bytes",
			TL_TRANSPORT_LEAST_BODY);
	*added = *carrier;
	added->engine = engine;
	engine->carrier_count++;
	if (TL__HAS(added->transport, tell_paths) && added->transport->tell_paths)
		added->transport->tell_paths(added->transport, on_path, added);
	tl__engine_tell(engine, &event);
	return TL_OK;
}

static int copy_file_name(char **out, const char *name)
{
	if (name)
		*out = tl__copy_bytes(name, strlen(name));
	return !name || *out ? TL_OK : TL_E_NOMEM;
}

static void carrier_free(tl__carrier *carrier)
{
	if (carrier->transport)
		carrier->transport->free(carrier->transport);
	tl__free(carrier->certificate_file);
	tl__free(carrier->key_file);
}

/* One of the two transports of HTTP. */
static int add_http(tl__engine *engine, const tl_http_config *config, bool tls)
{
	const tl__http_options options = {
		.tls = tls, .ca_file = config->ca_file, .proxy = config->proxy};
	tl__carrier carrier = {
		.can_serve = !tls || config->certificate_file,
		.dial_ms = config->dial_ms,
		.idle_ms = config->idle_ms,
		.min_bytes_per_s = config->min_bytes_per_s,
	};
	int rc = tl__http_new(&carrier.transport, engine->loop, &options, &engine->node->log);

	if (rc == TL_OK && tls)
		rc = copy_file_name(&carrier.certificate_file, config->certificate_file);
	if (rc == TL_OK && tls)
		rc = copy_file_name(&carrier.key_file, config->key_file);
	carrier.serve = (tl_serve_options){
		.size = sizeof carrier.serve,
		.certificate_file = carrier.certificate_file,
		.key_file = carrier.key_file,
		.max_connections = config->max_connections,
		.max_connections_per_peer = config->max_connections_per_address,
		.idle_ms = config->idle_ms,
		.min_bytes_per_s = config->min_bytes_per_s,
	};
	if (rc == TL_OK)
		rc = tl__carriers_add(engine, &carrier);
	if (rc != TL_OK)
		carrier_free(&carrier);
	return rc;
}

int tl__carriers_add_iroh(
	tl__engine *engine, tl_transport *transport, uint32_t dial_ms, uint32_t idle_ms)
{
	const tl__carrier carrier = {
		.transport = transport,
		.can_serve = true,
		.dial_ms = dial_ms,
		.idle_ms = idle_ms,
		.serve = {.size = sizeof carrier.serve, .idle_ms = idle_ms},
	};
	int rc = tl__iroh_attach(transport, engine->loop);

	return rc == TL_OK ? tl__carriers_add(engine, &carrier) : rc;
}

int tl__carriers_enable_http(tl__engine *engine, const tl_http_config *config)
{
	int rc;

	if (tl__engine_carrier(engine, TL__STR("http")) ||
		tl__engine_carrier(engine, TL__STR("https")))
		return tl__fail(
			TL_E_SERVER_ALREADY_RUNNING, "the HTTP transport is enabled already");
	if (!config->certificate_file != !config->key_file)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"TLS needs a certificate file and a key file; one of them is missing");
	rc = add_http(engine, config, false);
	return rc == TL_OK ? add_http(engine, config, true) : rc;
}

static int check_text(tl_transport *transport, const tl_address *address)
{
	tl_address unused;

	if (transport && transport->check_address)
		return transport->check_address(transport, address->text);
	if (strcmp(address->type, "http") == 0)
		return tl_address_http(&unused, tl__str_z(address->text));
	if (strcmp(address->type, "https") == 0)
		return tl_address_https(&unused, tl__str_z(address->text));
	if (strcmp(address->type, "iroh") == 0)
		return tl_address_iroh(&unused, tl__str_z(address->text));
	if (transport)
		return TL_OK;
	return tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
		"no transport of this node dials addresses of type \"%s\"; an address is "
		"host:port, "
		"http:host:port or https:host:port, or of a transport that was added",
		address->type);
}

int tl__carriers_check_address(tl__engine *engine, const tl_address *address)
{
	const tl__carrier *carrier;

	if (!memchr(address->type, 0, sizeof address->type) ||
		!memchr(address->text, 0, sizeof address->text) || address->text[0] == '\0')
		return tl__fail(TL_E_BAD_ADDRESS,
			"an address needs a type and a text; read it with tl_address_parse");
	carrier = tl__engine_carrier(engine, tl__str_z(address->type));
	return check_text(carrier ? carrier->transport : NULL, address);
}

/* --- servers ---------------------------------------------------------------------------------- */

/* Whoever gave a certificate and names no transport wants it used: https comes before http. */
static tl__carrier *usual_carrier(tl__engine *engine)
{
	tl__carrier *https = tl__engine_carrier(engine, TL__STR("https"));

	for (size_t i = 0; i < engine->carrier_count; i++) {
		tl__carrier *at = &engine->carriers[i];
		bool plain = tl__str_eq(tl__str_z(at->transport->type), TL__STR("http"));

		if (at->can_serve)
			return plain && https && https->can_serve ? https : at;
	}
	return NULL;
}

static int choose_carrier(tl__engine *engine, const char *type, tl__carrier **out)
{
	*out = type ? tl__engine_carrier(engine, tl__str_z(type)) : usual_carrier(engine);
	if (!*out)
		return tl__fail(TL_E_NO_TRANSPORT_ENABLED,
			"no transport%s%s is enabled that could serve; enable one first",
			type ? " " : "", type ? type : "");
	if (!(*out)->can_serve)
		return tl__fail(TL_E_NO_TRANSPORT_ENABLED,
			"the transport \"%s\" is set up for dialling only (serving https needs a "
			"certificate and key)",
			(*out)->transport->type);
	return TL_OK;
}

static tl__server *free_slot(tl__engine *engine)
{
	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS; i++)
		if (!engine->servers[i].handle)
			return &engine->servers[i];
	return NULL;
}

int tl__servers_start(tl__engine *engine, const char *bind, const char *type)
{
	tl__carrier *carrier = NULL;
	tl__server *server = free_slot(engine);
	int rc = choose_carrier(engine, type, &carrier);

	if (rc != TL_OK)
		return rc;
	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS; i++)
		if (engine->servers[i].handle && !engine->servers[i].stopping &&
			engine->servers[i].carrier == carrier)
			return tl__fail(TL_E_SERVER_ALREADY_RUNNING,
				"a server is running already at %s; stop it first",
				engine->servers[i].address.text);
	if (!server)
		return tl__fail(TL_E_TOO_LARGE, "too many servers are still stopping");
	*server = (tl__server){.engine = engine, .carrier = carrier};
	rc = carrier->transport->serve(carrier->transport, bind, &carrier->serve,
		&tl__serving_calls, server, &server->handle);
	if (rc != TL_OK) {
		server->handle = NULL;
		return rc;
	}
	server->address = bound_address(server);
	tl__servers_tell(engine);
	tell_event(engine, TL_EVENT_SERVER_STARTED, &server->address);
	return TL_OK;
}

static bool any_stopping(const tl__engine *engine)
{
	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS; i++)
		if (engine->servers[i].handle && engine->servers[i].stopping)
			return true;
	return false;
}

static void on_stopped(void *ud)
{
	tl__server *server = ud;
	tl__engine *engine = server->engine;
	tl__call *call = engine->stop_servers;

	server->handle = NULL;
	tell_event(engine, TL_EVENT_SERVER_STOPPED, &server->address);
	if (call && !any_stopping(engine)) {
		engine->stop_servers = NULL;
		tl__call_end(call, TL_OK, NULL);
	}
	tl__engine_maybe_end(engine);
}

void tl__servers_stop(tl__engine *engine, uint32_t grace_ms)
{
	bool any = false;

	for (size_t i = 0; i < TL__ENGINE_MAX_SERVERS; i++) {
		tl__server *server = &engine->servers[i];

		if (!server->handle || server->stopping)
			continue;
		any = true;
		server->stopping = true;
		server->carrier->transport->stop(server->handle, grace_ms, on_stopped, server);
	}
	if (any)
		tl__servers_tell(engine);
}

void tl__servers_free(tl__engine *engine)
{
	while (engine->carrier_count > 0)
		carrier_free(&engine->carriers[--engine->carrier_count]);
}
