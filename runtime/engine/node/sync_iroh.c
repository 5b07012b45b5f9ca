/* Enabling Iroh: what the application says of it becomes options of an endpoint, which is opened on
 * the caller's thread, since that waits for sockets, and then handed to the engine's. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "crypto/vault.h"
#include "engine/node/visit.h"
#include "engine/run/servers.h"
#include "transport/iroh/iroh.h"

#define WHAT           "enable_iroh_transport"
#define MAX_ROOT_BYTES 65536

/* What the options of an endpoint point to. */
typedef struct settings {
	tl__iroh_options options;
	uint8_t seed[TL_SEED_BYTES];
	tl_iroh_relay relays[TL_IROH_MAX_RELAYS];
	tl__buf roots[TL_IROH_MAX_RELAYS];
} settings;

typedef struct iroh_call {
	tl__call base; /* first: a call is its iroh_call */
	tl_transport *transport;
	const tl_iroh_config *config;
} iroh_call;

/* --- settings --------------------------------------------------------------------------------- */

static int choose(
	const char *what, const char *given, const char *const *names, size_t count, uint32_t *out)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(given, names[i]) == 0) {
			*out = (uint32_t)i;
			return TL_OK;
		}
	return tl__fail(TL_E_BAD_ARGUMENT, "\"%.40s\" is no %s of Iroh", given, what);
}

static int read_root(tl__buf *out, const char *path)
{
	FILE *file = fopen(path, "rbe");
	char *room = file ? tl__buf_reserve(out, MAX_ROOT_BYTES) : NULL;

	if (room)
		out->len = fread(room, 1, MAX_ROOT_BYTES, file);
	if (file)
		(void)fclose(file); /* it was only read */
	if (file && !room)
		return TL_E_NOMEM;
	if (out->len == 0 || (uint8_t)out->ptr[0] != 0x30)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"%s is no certificate in DER; openssl x509 -outform der writes one", path);
	return TL_OK;
}

static tl_iroh_bytes bytes_of(const char *text)
{
	return (tl_iroh_bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static int read_relays(settings *s, const tl_iroh_config *config)
{
	int rc = TL_OK;

	if (config->relay_count > TL_IROH_MAX_RELAYS)
		return tl__fail(TL_E_TOO_LARGE, "at most %u relays", TL_IROH_MAX_RELAYS);
	if ((s->options.relay_mode == TL_IROH_RELAY_LIST) != (config->relay_count > 0))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"the relay mode \"list\" and a list of relays go together");
	for (size_t i = 0; rc == TL_OK && i < config->relay_count; i++) {
		const tl_iroh_relay_config *from = &config->relays[i];

		if (from->root_file)
			rc = read_root(&s->roots[i], from->root_file);
		s->relays[i] = (tl_iroh_relay){
			.url = from->url,
			.quic_port = from->quic_port,
			.token = bytes_of(from->token),
			.root = {(const uint8_t *)s->roots[i].ptr, s->roots[i].len},
		};
		if (rc == TL_OK && !from->url)
			rc = tl__fail(TL_E_BAD_ARGUMENT, "a relay needs a URL");
	}
	s->options.relays = s->relays;
	s->options.relay_count = config->relay_count;
	return rc;
}

/* In the order of the plugin's numbers. */
static int read_settings(settings *s, const tl_iroh_config *config, tl__keys *keys)
{
	static const char *const relays[] = {"disabled", "default", "staging", "list"};
	static const char *const lookups[] = {"none", "n0", "mdns"};
	tl_secret secret;
	int rc;

	s->options.plugin = config->plugin;
	s->options.bind = config->bind;
	s->options.without_v0 = !tl__v0_spoken();
	rc = choose("relay mode", config->relay_mode ? config->relay_mode : "default", relays,
		sizeof relays / sizeof *relays, &s->options.relay_mode);
	if (rc == TL_OK)
		rc = choose("lookup", config->lookup ? config->lookup : "none", lookups,
			sizeof lookups / sizeof *lookups, &s->options.lookup);
	if (rc == TL_OK)
		rc = read_relays(s, config);
	if (rc == TL_OK)
		rc = tl__keys_endpoint(keys, &secret);
	if (rc != TL_OK)
		return rc;
	tl_secret_seed(&secret, s->seed);
	tl_secret_wipe(&secret);
	s->options.secret_key = s->seed;
	return TL_OK;
}

static int open_endpoint(tl_node *node, const tl_iroh_config *config, tl_transport **out)
{
	settings *s = tl__vault_alloc(sizeof *s); /* zeroed */
	int rc = s ? read_settings(s, config, node->keys) : TL_E_NOMEM;

	*out = NULL;
	if (rc == TL_OK)
		rc = tl__iroh_new(out, &s->options, &node->log);
	for (size_t i = 0; s && i < TL_IROH_MAX_RELAYS; i++)
		tl__buf_free(&s->roots[i]);
	tl__vault_free(s, sizeof *s);
	return rc;
}

/* --- the call --------------------------------------------------------------------------------- */

static void begin_look(tl__engine *engine, tl__call *call)
{
	bool there = tl__engine_carrier(engine, TL__STR("iroh")) != NULL;

	tl__call_end(call,
		there ? tl__fail(TL_E_SERVER_ALREADY_RUNNING,
				"the Iroh transport is enabled already")
		      : TL_OK,
		NULL);
}

static void begin_add(tl__engine *engine, tl__call *call)
{
	iroh_call *add = (iroh_call *)call;
	tl_transport *transport = add->transport;
	int rc = tl__carriers_add_iroh(
		engine, transport, add->config->dial_ms, add->config->idle_ms);

	/* It may be in the loop already, so it ends here. */
	add->transport = NULL;
	if (rc != TL_OK)
		transport->free(transport);
	tl__call_end(call, rc, NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_enable_iroh_transport, node,
	(tl_node *node, const tl_iroh_config *config), (node, config))
{
	tl_iroh_config full = TL_IROH_CONFIG_INIT;
	tl__call look = {.begin = begin_look};
	iroh_call add = {.base.begin = begin_add, .config = &full};
	int rc = config ? tl__sized_read(&full, config, tl_iroh_config, dial_ms) : TL_OK;

	if (rc == TL_OK)
		rc = tl__engine_call(node, &look, WHAT);
	if (rc == TL_OK)
		rc = open_endpoint(node, &full, &add.transport);
	if (rc != TL_OK)
		return rc;
	rc = tl__engine_call(node, &add.base, WHAT);
	if (add.transport) /* the node is being closed */
		add.transport->free(add.transport);
	return rc;
}
