/* Peers: a store that lasts, and processes over it that come and go. */
#include <stdio.h>
#include <string.h>
#include "sim/sim_impl.h"

#define WALL_START INT64_C(1700000000000)

/* --- keys ------------------------------------------------------------------------------------- */

static int secret_from(const char *kind, tl_str name, tl_secret *out)
{
	tl__buf text = TL__BUF_INIT;
	uint8_t seed[TL_SEED_BYTES];
	int rc;

	tl__buf_text(&text, kind);
	tl__buf_str(&text, name);
	rc = tl__buf_status(&text);
	if (rc == TL_OK) {
		tl_sha256(text.ptr, text.len, seed);
		rc = tl_secret_from_seed(out, seed);
	}
	tl__buf_free(&text);
	return rc;
}

int tl__sim_secret(const char *name, tl_secret *out)
{
	return secret_from("key ", tl__str_z(name), out);
}

int tl__sim_public(const char *name, tl_key *out)
{
	tl_secret secret;
	int rc = tl__sim_secret(name, &secret);

	if (rc == TL_OK)
		tl_secret_public(&secret, out);
	return rc;
}

static int secret_of(void *ud, tl_str name, tl_secret *out)
{
	const tl__sim_peer *peer = ud;

	if (tl__str_eq(name, TL__STR(TL__DEVICE_KEY_NAME))) {
		*out = peer->device;
		return TL_OK;
	}
	return secret_from("key ", name, out);
}

/* --- clocks and log --------------------------------------------------------------------------- */

static uint64_t mono_of(void *ud)
{
	const tl__sim_peer *peer = ud;

	return peer->sim->now;
}

static int64_t wall_of(void *ud)
{
	const tl__sim_peer *peer = ud;

	return WALL_START + (int64_t)peer->sim->now + peer->skew_ms;
}

static void log_line(void *ud, tl_log_level level, const char *part, const char *text)
{
	const tl__sim_peer *peer = ud;

	tl__sim_note(peer->sim, "%s %s %s: %s", peer->name, tl_log_level_name(level), part, text);
}

/* --- a process -------------------------------------------------------------------------------- */

/* A process draws other bytes than the one before it, from the same seed of the simulation. */
static tl__random random_of(tl__sim_peer *peer, tl__seeded *memory, unsigned what)
{
	return tl__random_seeded(memory, tl__random_u64(&peer->sim->random) ^ what);
}

static int open_store(tl__sim_peer *peer)
{
	if (peer->store)
		return TL_OK;
	return peer->folder ? tl__store_open_sqlite(
				      &peer->store, peer->folder, TL__DURABLE_RELAXED, &peer->log)
			    : tl__store_open_memory(&peer->store, &peer->log);
}

static int open_host(tl__sim_peer *peer)
{
	int rc = tl__tree_init(&peer->tree, peer->store, peer->sim->pool, &peer->clock,
		random_of(peer, &peer->tree_seed, 1), &peer->log);

	if (rc != TL_OK)
		return rc;
	peer->tree.listener = (tl__tree_listener){tl__sim_note_commit, peer};
	peer->host = (tl__host){.tree = &peer->tree, .secret = secret_of, .ud = peer};
	rc = tl__host_init(&peer->host);
	if (rc != TL_OK)
		tl__tree_free(&peer->tree);
	return rc;
}

static int open_core(tl__sim_peer *peer)
{
	tl__sync_config config = {.device = &peer->device,
		.name = peer->name,
		.random = random_of(peer, &peer->core_seed, 2),
		.log = &peer->log,
		.options = peer->options,
		.policy = peer->policy,
		.v0 = tl__v0_spoken()};

	memcpy(config.incarnation, peer->incarnation, sizeof config.incarnation);
	return tl__sync_new(&peer->core, &config);
}

static void begin(tl__sim_peer *peer)
{
	tl__sync_event event = {.kind = TL__SYNC_TRANSPORT, .transport.type = TL__STR("http")};
	tl_address address;

	tl__sim_address(peer, &address);
	tl__sim_tell(peer, &event);
	event = (tl__sync_event){.kind = TL__SYNC_SERVERS};
	event.servers.addresses = &address;
	event.servers.count = 1;
	tl__sim_tell(peer, &event);
}

void tl__sim_start(tl__sim_peer *peer)
{
	int rc;

	if (peer->core)
		return;
	peer->life++;
	peer->timer_at = UINT64_MAX;
	peer->run_at = peer->told_at = 0;
	rc = open_store(peer);
	if (rc == TL_OK)
		rc = open_host(peer);
	if (rc == TL_OK) {
		rc = open_core(peer);
		if (rc != TL_OK) {
			tl__host_free(&peer->host);
			tl__tree_free(&peer->tree);
		}
	}
	if (rc != TL_OK) {
		tl__sim_broken(peer->sim, rc);
		return;
	}
	tl__sim_note(peer->sim, "%s starts", peer->name);
	begin(peer);
}

void tl__sim_kill(tl__sim_peer *peer)
{
	if (!peer->core)
		return;
	tl__sim_note(peer->sim, "%s is killed", peer->name);
	tl__sync_free(peer->core);
	peer->core = NULL;
	tl__sim_forget_commits(peer);
	tl__sim_forget_waiting(peer);
	tl__sim_cut(peer);
	tl__host_free(&peer->host);
	tl__tree_free(&peer->tree);
	if (!peer->folder)
		return;
	tl__store_close(peer->store);
	peer->store = NULL;
}

/* --- object ----------------------------------------------------------------------------------- */

static int set_identity(tl__sim_peer *peer)
{
	uint8_t hash[32];
	int rc = secret_from("device ", tl__str_z(peer->name), &peer->device);

	if (rc != TL_OK)
		return rc;
	tl_secret_public(&peer->device, &peer->key);
	tl_sha256(peer->key.b, sizeof peer->key.b, hash);
	memcpy(peer->incarnation, hash, sizeof peer->incarnation);
	return TL_OK;
}

static int set_up(tl__sim_peer *peer, const tl__sim_config *config)
{
	snprintf(peer->name, sizeof peer->name, "%s", config->name);
	if (config->folder) {
		peer->folder = tl__copy_bytes(config->folder, strlen(config->folder));
		if (!peer->folder)
			return TL_E_NOMEM;
	}
	peer->options = config->options;
	peer->policy = config->policy;
	peer->policy.drop = NULL; /* every process gets it */
	peer->skew_ms = config->skew_ms;
	peer->v0_only = config->v0_only;
	peer->clock = (tl__clock){mono_of, wall_of, peer};
	peer->log = (tl__log){log_line, peer, TL_LOG_WARNING, NULL};
	return set_identity(peer);
}

tl__sim_peer *tl__sim_add(tl__sim *sim, const tl__sim_config *config)
{
	tl__sim_peer *peer = tl__alloc_zero(1, sizeof *peer), **end = &sim->peers;
	int rc;

	if (!peer) {
		tl__sim_broken(sim, TL_E_NOMEM);
		return NULL;
	}
	peer->sim = sim;
	rc = set_up(peer, config);
	if (rc != TL_OK) {
		tl__sim_peer_free(peer);
		tl__sim_broken(sim, rc);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = peer;
	tl__sim_start(peer);
	return sim->code == TL_OK ? peer : NULL;
}

void tl__sim_peer_free(tl__sim_peer *peer)
{
	if (peer->core) {
		tl__sync_free(peer->core);
		tl__host_free(&peer->host);
		tl__tree_free(&peer->tree);
	}
	peer->core = NULL;
	tl__sim_forget_waiting(peer);
	tl__store_close(peer->store);
	tl_secret_wipe(&peer->device);
	tl__sim_forget_commits(peer);
	tl__free(peer->commits);
	tl__free(peer->folder);
	tl__free(peer);
}

/* --- looking and changing --------------------------------------------------------------------- */

const char *tl__sim_name(const tl__sim_peer *peer)
{
	return peer->name;
}

const tl_key *tl__sim_key(const tl__sim_peer *peer)
{
	return &peer->key;
}

void tl__sim_address_by(const tl__sim_peer *peer, unsigned way, tl_address *out)
{
	*out = (tl_address){.type = "http"};
	snprintf(out->text, sizeof out->text, "%s:%u", peer->name, way + 1);
}

void tl__sim_address(const tl__sim_peer *peer, tl_address *out)
{
	tl__sim_address_by(peer, 0, out);
}

void tl__sim_set_mute(tl__sim_peer *peer, unsigned way, bool mute)
{
	peer->mute[way] = mute;
}

tl__sync *tl__sim_core(tl__sim_peer *peer)
{
	return peer->core;
}

tl__host *tl__sim_host(tl__sim_peer *peer)
{
	return peer->core ? &peer->host : NULL;
}

int64_t tl__sim_wall(const tl__sim_peer *peer)
{
	return peer->clock.wall_ms(peer->clock.ud);
}

uint64_t tl__sim_events(const tl__sim_peer *peer, tl_event_kind kind)
{
	return peer->events[kind];
}

uint64_t tl__sim_spins(const tl__sim_peer *peer)
{
	return peer->spins;
}

void tl__sim_set_skew(tl__sim_peer *peer, int64_t skew_ms)
{
	tl__sim_note(peer->sim, "%s: clock off by %lld ms", peer->name, (long long)skew_ms);
	peer->skew_ms = skew_ms;
}

void tl__sim_partition(tl__sim_peer *peer, unsigned group)
{
	tl__sim_note(peer->sim, "%s is in group %u", peer->name, group);
	peer->group = group;
}

void tl__sim_heal(tl__sim *sim)
{
	tl__sim_note(sim, "all reach each other");
	for (tl__sim_peer *peer = sim->peers; peer; peer = peer->next)
		peer->group = 0;
}

void tl__sim_set_v0_only(tl__sim_peer *peer, bool v0_only)
{
	tl__sim_note(peer->sim, "%s speaks %s", peer->name, v0_only ? "v0 alone" : "v1 too");
	peer->v0_only = v0_only;
}

void tl__sim_set_hanging(tl__sim_peer *peer, bool hanging)
{
	tl__sim_note(peer->sim, "%s %s", peer->name, hanging ? "hangs" : "answers again");
	peer->hanging = hanging;
}

void tl__sim_set_incarnation(tl__sim_peer *peer, uint8_t fill)
{
	memset(peer->incarnation, fill, sizeof peer->incarnation);
}
