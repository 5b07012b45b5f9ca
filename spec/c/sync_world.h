/* Drives the core of synchronisation by hand: no driver, no network. The core's store work runs at
 * once on a memory store; what it sends waits until the case answers (sync_rig.h). */
#ifndef SPEC_SYNC_WORLD_H
#define SPEC_SYNC_WORLD_H

#include "sync/core/core.h"
#include "wire/v0_path.h"
#include "tree_help.h"

#define START_WALL 1767225600000

typedef struct rig_done {
	uint64_t op;
	int code;
	char error[400];
	char text[600];
} rig_done;

typedef struct rig {
	tl__sync *core;
	tl__seeded seed;
	uint64_t now;
	int64_t wall;
	const char *told[TL__V1_MAX_ADDRESSES][2]; /* type and text in hellos of others */
	size_t told_count;
	uint64_t stands;   /* arrivals in answers to pushes; 0: they do not tell */
	uint64_t left;     /* told in pages with more to come; 0: it is not told */
	bool no_transport; /* none is enabled when the core starts */
	bool hold_works;   /* keep works instead of running them */
	tl__work *held[64];
	size_t held_count;
	tl__sync_action sends[128]; /* not answered yet, oldest first */
	size_t send_count;
	size_t sent;        /* ever */
	uint64_t cancelled; /* exchange of the last CANCEL_SEND */
	tl__sync_action answers[8];
	size_t answer_count;
	rig_done done[64];
	size_t done_count;
	unsigned events[TL__EVENT_KINDS];
	uint64_t next_op;
	tl_id committed_db;
} rig;

static rig r;
static const tl__v0 *rig_v0; /* what cores are given: as in a build without runtime/v0 */

/* Bob answers; carol is somebody else. */
typedef struct party {
	tl_secret secret;
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	uint8_t epoch[16], incarnation[16];
} party;
static party bob, carol;

static inline void make_party(party *p, uint8_t seed_byte)
{
	uint8_t seed[TL_SEED_BYTES];

	memset(seed, seed_byte, sizeof seed);
	CHECK_OK(tl_secret_from_seed(&p->secret, seed));
	tl_secret_public(&p->secret, &p->key);
	tl_key_format(&p->key, p->text);
	memset(p->epoch, seed_byte + 1, sizeof p->epoch);
	memset(p->incarnation, seed_byte + 2, sizeof p->incarnation);
}

/* --- the core's surroundings ------------------------------------------------------------------ */

static inline void rig_drain(void);

/* No event may leave behind what changed and was not looked at again. */
static inline void rig_handle(const tl__sync_event *event)
{
	const char *overlooked;

	tl__sync_handle(r.core, event, r.now, r.wall);
	overlooked = tl__sync_overlooked(r.core);
	if (overlooked)
		fprintf(stderr, "overlooked by event %d: %s\n", (int)event->kind, overlooked);
	CHECK(!overlooked);
}

static inline void rig_event(tl__sync_event *event)
{
	rig_handle(event);
	rig_drain();
}

static inline void rig_work(tl__work *work)
{
	tl__sync_event event = {.kind = TL__SYNC_WORKED};

	if (r.hold_works) {
		if (r.held_count < sizeof r.held / sizeof *r.held)
			r.held[r.held_count++] = work;
		return;
	}
	tl__work_run(&w.host, work);
	event.work = work;
	rig_handle(&event);
}

static inline void rig_release_works(void)
{
	r.hold_works = false;
	for (size_t i = 0; i < r.held_count; i++)
		rig_work(r.held[i]);
	r.held_count = 0;
	rig_drain();
}

static inline void rig_complete(const tl__sync_action *action)
{
	rig_done *done = &r.done[r.done_count++ % 64];

	done->op = action->complete.op;
	done->code = action->complete.code;
	snprintf(done->error, sizeof done->error, "%s", action->complete.error);
	snprintf(done->text, sizeof done->text, "%s", action->complete.text);
}

static inline void rig_drain(void)
{
	tl__sync_action action;

	while (tl__sync_next(r.core, &action)) {
		switch (action.kind) {
		case TL__SYNC_SEND:
			r.sent++;
			if (r.send_count < sizeof r.sends / sizeof *r.sends)
				r.sends[r.send_count++] = action;
			break;
		case TL__SYNC_CANCEL_SEND: r.cancelled = action.exchange; break;
		case TL__SYNC_WORK: rig_work(action.work); break;
		case TL__SYNC_EVENT: r.events[action.event.kind]++; break;
		case TL__SYNC_COMPLETE: rig_complete(&action); break;
		case TL__SYNC_ANSWER:
			if (r.answer_count < 8)
				r.answers[r.answer_count++] = action;
			else
				tl__sync_action_drop(&action);
			break;
		default: tl__sync_action_drop(&action);
		}
	}
}

static inline void rig_committed(void *ud, const tl_id *db, uint64_t arrival, tl__fresh *fresh)
{
	tl__sync_event event = {.kind = TL__SYNC_COMMITTED};

	(void)ud;
	r.committed_db = *db;
	event.committed.db = *db;
	event.committed.arrival = arrival;
	event.committed.fresh = fresh;
	/* During a work the core learns of it behind the work, as in the engine. */
	if (r.core)
		rig_handle(&event);
	tl__fresh_free(fresh);
}

static inline bool rig_start(const tl_sync_options *options)
{
	tl__sync_config config = {.name = "alice", .v0 = rig_v0};
	tl__sync_event event = {.kind = TL__SYNC_TRANSPORT, .transport.type = TL__STR("http")};
	tl_secret device;
	int rc;

	if (secret_of(NULL, z(TL__DEVICE_KEY_NAME), &device) != TL_OK)
		return false;
	config.device = &device;
	memset(config.incarnation, 0x11, sizeof config.incarnation);
	config.random = tl__random_seeded(&r.seed, 42);
	config.log = &w.log;
	config.options = (tl_sync_options)TL_SYNC_OPTIONS_INIT;
	if (options)
		config.options = *options;
	rc = tl__sync_new(&r.core, &config);
	if (rc != TL_OK)
		return false;
	rig_drain();
	if (!r.no_transport)
		rig_event(&event);
	return true;
}

static tl__verify_pool *pool;

static inline bool rig_world(void)
{
	backend = "memory";
	if (!world_open() || tl__verify_pool_new(&pool, 1) != TL_OK)
		return false;
	w.tree.pool = pool;
	w.tree.listener = (tl__tree_listener){rig_committed, NULL};
	return true;
}

static inline void rig_end_world(void)
{
	world_close();
	tl__verify_pool_free(pool);
}

static inline bool rig_open(const tl_sync_options *options)
{
	memset(&r, 0, sizeof r);
	r.now = 1000;
	r.wall = START_WALL;
	make_party(&bob, 2);
	make_party(&carol, 3);
	return rig_world() && rig_start(options);
}

static inline void rig_stop(void)
{
	for (size_t i = 0; i < r.send_count; i++)
		tl__sync_action_drop(&r.sends[i]);
	for (size_t i = 0; i < r.answer_count; i++)
		tl__sync_action_drop(&r.answers[i]);
	for (size_t i = 0; i < r.held_count; i++)
		tl__work_free(r.held[i]);
	r.send_count = r.answer_count = r.held_count = 0;
	r.hold_works = false;
	tl__sync_free(r.core);
	r.core = NULL;
}

static inline void rig_close(void)
{
	rig_stop();
	rig_end_world();
}

/* Lets time pass to the next moment that the core names, at most `ms`; then to the end of it. */
static inline void rig_pass(uint64_t ms)
{
	uint64_t end = r.now + ms;

	for (unsigned turns = 0; turns < 100000; turns++) {
		tl__sync_event event = {.kind = TL__SYNC_TIMER};
		uint64_t due = tl__sync_due(r.core);
		uint64_t next = due < r.now ? r.now : due;

		if (next > end)
			next = end;
		r.wall += (int64_t)(next - r.now);
		r.now = next;
		rig_event(&event);
		if (next == end && tl__sync_due(r.core) > end)
			return;
	}
	FAIL_CASE("the core's timer stands still");
}

#define RUN_RIG(function)                                                                          \
	do {                                                                                       \
		spec_case_ok = true;                                                               \
		if (rig_open(NULL)) {                                                              \
			function();                                                                \
			rig_close();                                                               \
		} else {                                                                           \
			spec_case_ok = false;                                                      \
			printf("no rig: %s\n", tl_error_message(tl_last_error()));                 \
		}                                                                                  \
		spec_case_ok ? spec_passed++ : spec_failed++;                                      \
		printf("%s %s\n", spec_case_ok ? "ok" : "FAILED", #function);                      \
	} while (0)

/* --- commands --------------------------------------------------------------------------------- */

static inline uint64_t rig_command(tl__sync_command command)
{
	tl__sync_event event = {.kind = TL__SYNC_COMMAND};

	command.op = ++r.next_op;
	event.command = command;
	rig_event(&event);
	return command.op;
}

/* The result of a command, or NULL while it is not over. */
static inline const rig_done *rig_result(uint64_t op)
{
	for (size_t i = 0; i < r.done_count && i < 64; i++)
		if (r.done[i].op == op)
			return &r.done[i];
	return NULL;
}

/* What it produced, and why not; "" while it is not over. */
static inline const char *rig_text(uint64_t op)
{
	const rig_done *done = rig_result(op);

	return done ? done->text : "";
}

static inline const char *rig_error(uint64_t op)
{
	const rig_done *done = rig_result(op);

	return done ? done->error : "";
}

#define CHECK_DONE(op, expected)                                                                   \
	do {                                                                                       \
		const rig_done *spec_done = rig_result(op);                                        \
		if (!spec_done || spec_done->code != (expected)) {                                 \
			spec_case_ok = false;                                                      \
			printf("%s:%d: command gave %s, expected %s (%s)\n", __FILE__, __LINE__,   \
				spec_done ? tl_error_name(spec_done->code) : "nothing",            \
				tl_error_name(expected), spec_done ? spec_done->error : "");       \
		}                                                                                  \
	} while (0)

static inline tl_address http(const char *host_port)
{
	tl_address address;

	CHECK_OK(tl_address_http(&address, z(host_port)));
	return address;
}

static inline uint64_t connect_to(const char *host_port, const tl_key *pin)
{
	tl_address address = http(host_port);
	tl__sync_command command = {.kind = TL__SYNC_CONNECT, .address = &address};

	if (pin) {
		command.has_key = true;
		command.key = *pin;
	}
	return rig_command(command);
}

static inline uint64_t peer_command(tl__sync_command_kind kind, const tl_key *key, const char *name)
{
	tl__sync_command command = {.kind = kind, .has_key = true, .key = *key};

	if (name)
		command.name = z(name);
	return rig_command(command);
}

static inline uint64_t pair_command(
	tl__sync_command_kind kind, const tl_key *key, const tl_id *db, const char *name)
{
	tl__sync_command command = {.kind = kind, .has_key = true, .key = *key};

	command.has_db = db != NULL;
	if (db)
		command.db = *db;
	if (name)
		command.name = z(name);
	return rig_command(command);
}

static inline uint64_t address_command(
	tl__sync_command_kind kind, const tl_key *key, const char *host_port)
{
	tl_address address = http(host_port);
	tl__sync_command command = {
		.kind = kind, .has_key = true, .key = *key, .address = &address};

	return rig_command(command);
}

/* --- looking ---------------------------------------------------------------------------------- */

static inline tl__peer *peer_of(const party *p)
{
	return tl__sync_find_peer(r.core, &p->key);
}

static inline tl__pair *pair_of(const party *p, const tl_id *db)
{
	return tl__sync_find_pair(r.core, &p->key, db);
}

/* Text of a local document; "" when there is none. One at a time. */
static inline const char *local(const char *kind, const party *p, const tl_id *db)
{
	static char text[4096];
	char key[256], id[TL_ID_TEXT_LEN + 1] = "";
	char *value = NULL;
	size_t len = 0;

	if (db)
		tl_id_format(db, id);
	snprintf(key, sizeof key, "%s/%s%s%s", kind, p->text, db ? "/" : "", id);
	text[0] = 0;
	if (tl__read_local(w.store, z(key), &value, &len) == TL_OK)
		snprintf(text, sizeof text, "%.*s", (int)len, value);
	tl__free(value);
	return text;
}

/* A text of the `_sync` database; "" when absent. One at a time. */
static inline const char *record(const char *store, const char *first, const char *second)
{
	static char text[2048];
	tl_str path[2] = {z(first), z(second)};
	tl__snapshot *s;
	tl_value *value = NULL;
	tl_id db;

	text[0] = 0;
	if (!tl__sync_own_db(r.core, &db) || tl__snapshot_open(w.store, &s) != TL_OK)
		return text;
	if (tl__state_get(s, &db, z(store), path, 2, &value) == TL_OK && value &&
		tl_value_type(value) == TL_TEXT)
		snprintf(text, sizeof text, "%.*s", TL__STR_ARG(tl_value_as_text(value)));
	tl_value_free(value);
	tl__snapshot_close(s);
	return text;
}

#endif
