/* Exchanges that others begin are written down as our own are: for peers, and for those that only
 * came to us. */
#include "sim_help.h"
#include "sync/out/outbound.h"
#include "sync/in/serve.h"

static tl__sim_peer *hub, *one;
static tl_id db;

static tl__sim_peer *add_quiet(const char *name)
{
	const tl__sim_config config = {.name = name, .options = {.periodic_ms = TL_NEVER}};

	return add_peer_with(&config);
}

/* A hub that dials nobody, and one that keeps a database of it in step. */
static void hub_and_one(void)
{
	hub = add_quiet("hub");
	one = add_quiet("one");
	db = make_db(hub, "notes");
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
}

static void dials_in(void)
{
	CHECK_OK(connect_to(one, hub));
	CHECK_OK(request_access(one, hub, &db, "one"));
	CHECK_OK(relate(one, hub, &db));
	CHECK(settle(one, hub, &db, MINUTE));
	tl__sim_run(sim, 2 * TL__SERVED_QUIET_MS);
}

/* What the hub remembers of the other. */
static tl__sync_metadata remembered(void)
{
	const tl_key *key = tl__sim_key(one);
	const tl__peer *peer = tl__sync_find_peer(tl__sim_core(hub), key);
	const tl__sync_metadata *client = tl__client_metadata(tl__sim_core(hub), key);
	const tl__sync_metadata none = {0};

	return peer ? peer->metadata : client ? *client : none;
}

typedef struct found {
	unsigned records;
	uint64_t entries;
} found;

static int add_record(void *ud, tl_str key, tl_str value)
{
	static const char member[] = "\"entries_count\":";
	const char *at = memmem(value.ptr, value.len, member, sizeof member - 1);
	found *f = ud;

	(void)key;
	CHECK(at != NULL);
	f->records++;
	f->entries += at ? strtoull(at + sizeof member - 1, NULL, 10) : 0;
	return TL_OK;
}

static found history(void)
{
	char prefix[80];
	found f = {0};

	tl__sync_history_prefix(tl__sim_key(one), prefix);
	CHECK_OK(tl__read_locals(tl__sim_host(hub)->tree->store, z(prefix), add_record, &f));
	return f;
}

static void pulls_pushes_and_watches_count(bool related)
{
	tl__sync_metadata before, after;
	uint64_t entries = arrivals(hub, &db);

	before = remembered();
	CHECK(before.has && before.ok_count >= 1 && before.failed_count == 0);
	CHECK(before.entries == entries && before.bytes > 0);
	CHECK(history().entries == entries && history().records == before.ok_count);
	put(one, &db, "k", "by a push");
	CHECK(settle(one, hub, &db, MINUTE));
	tl__sim_run(sim, 2 * TL__SERVED_QUIET_MS);
	after = remembered();
	CHECK(after.ok_count == before.ok_count + 1 && after.entries == entries + 1);
	put(hub, &db, "k", "by a watch");
	CHECK(settle(one, hub, &db, MINUTE));
	tl__sim_run(sim, 2 * TL__SERVED_QUIET_MS);
	after = remembered();
	CHECK(after.ok_count == before.ok_count + 2 && after.entries == entries + 2);
	CHECK(history().entries == after.entries && history().records == after.ok_count);
	if (related) {
		const tl__pair *pair = tl__sync_find_pair(tl__sim_core(hub), tl__sim_key(one), &db);

		REQUIRE(pair);
		CHECK(pair->received == 1 && pair->sent == 1);
		CHECK(pair->has_cursor_record && pair->total_count == 2);
	}
	/* What moves nothing is none. */
	tl__sim_run(sim, 3 * MINUTE);
	CHECK(remembered().ok_count == after.ok_count);
}

static void for_one_that_only_comes(void)
{
	hub_and_one();
	dials_in();
	CHECK(!tl__sync_find_peer(tl__sim_core(hub), tl__sim_key(one)));
	pulls_pushes_and_watches_count(false);
}

static void for_a_peer_without_a_relation(void)
{
	hub_and_one();
	CHECK_OK(change(hub, TL__SYNC_REGISTER, one, NULL, "one"));
	dials_in();
	pulls_pushes_and_watches_count(false);
}

static void for_a_peer_with_one(void)
{
	hub_and_one();
	dials_in(); /* first, or both would begin at once */
	CHECK_OK(change(hub, TL__SYNC_REGISTER, one, NULL, "one"));
	CHECK_OK(relate(hub, one, &db));
	tl__sim_run(sim, MINUTE);
	pulls_pushes_and_watches_count(true);
}

static void it_outlives_the_process_and_goes_over_to_the_peer(void)
{
	tl__sync_metadata before;
	tl__buf text = TL__BUF_INIT;

	hub_and_one();
	dials_in();
	before = remembered();
	restart(hub);
	tl__sim_run(sim, 1);
	CHECK(remembered().ok_count == before.ok_count);
	CHECK(remembered().entries == before.entries);
	tl__sync_peers_with_state(tl__sim_core(hub), &text);
	tl__buf_byte(&text, 0);
	CHECK(strstr(text.ptr, "ed25519:"));
	/* It has not come to this process yet. */
	tl__buf_clear(&text);
	tl__sync_list_inbound(tl__sim_core(hub), &text);
	tl__buf_byte(&text, 0);
	CHECK(strcmp(text.ptr, "[]") == 0);
	tl__buf_free(&text);
	CHECK_OK(change(hub, TL__SYNC_REGISTER, one, NULL, "one"));
	CHECK(remembered().ok_count == before.ok_count);
	CHECK(!tl__client_metadata(tl__sim_core(hub), tl__sim_key(one)));
	put(one, &db, "k", "v");
	CHECK(settle(one, hub, &db, 5 * MINUTE));
	tl__sim_run(sim, 2 * TL__SERVED_QUIET_MS);
	CHECK(remembered().ok_count > before.ok_count);
	CHECK(history().records == remembered().ok_count);
	CHECK_OK(change(hub, TL__SYNC_REMOVE_PEER, one, NULL, NULL));
	CHECK(history().records == 0 && !remembered().has);
}

static void it_is_bounded(void)
{
	uint64_t first;

	hub_and_one();
	dials_in();
	first = remembered().ok_count;
	for (int i = 0; i < TL__SYNC_CLIENT_HISTORY + 5; i++) {
		char text[16];

		snprintf(text, sizeof text, "%d", i);
		put(one, &db, "k", text);
		tl__sim_run(sim, 2 * TL__SERVED_QUIET_MS);
	}
	CHECK(remembered().ok_count == first + TL__SYNC_CLIENT_HISTORY + 5);
	CHECK(history().records == TL__SYNC_CLIENT_HISTORY);
}

/* Without a pause: written down now and then all the same. */
static void one_that_never_rests_is_written_down_too(void)
{
	uint64_t first;

	hub_and_one();
	dials_in();
	first = remembered().ok_count;
	for (int i = 0; i < 50; i++) {
		put(one, &db, "k", i % 2 ? "odd" : "even");
		tl__sim_run(sim, TL__SERVED_QUIET_MS / 2);
	}
	CHECK(remembered().ok_count >= first + 2 && remembered().ok_count <= first + 4);
}

#define MANY (5 * TL__SERVED_PER_S)

static tl_key key_of(uint32_t number)
{
	tl_key key = {{0}};

	memcpy(key.b, &number, sizeof number);
	return key;
}

static found remembered_of_many(void)
{
	found f = {0};

	for (uint32_t i = 0; i < MANY; i++) {
		const tl_key key = key_of(i);
		const tl__sync_metadata *m = tl__client_metadata(tl__sim_core(hub), &key);

		f.records += m ? (unsigned)m->ok_count : 0;
		f.entries += m ? m->entries : 0;
	}
	return f;
}

/* Nothing is lost by that: each record has whatever was given since the last one. */
static void many_are_written_down_more_rarely(void)
{
	enum { SECONDS = 20 };
	unsigned written;

	hub_and_one();
	for (int second = 0; second < SECONDS; second++) {
		for (uint32_t i = 0; i < MANY; i++) {
			const tl_key key = key_of(i);

			tl__served_gave(tl__sim_core(hub), &key, &db, 1, 10);
		}
		put(hub, &db, "k", second % 2 ? "odd" : "even");
		tl__sim_run(sim, TL__SERVED_QUIET_MS + 1);
	}
	written = remembered_of_many().records;
	CHECK(written >= MANY && written <= SECONDS * TL__SERVED_PER_S + MANY);
	tl__sim_run(sim, TL__SERVED_MOST_MS);
	CHECK(remembered_of_many().entries == (uint64_t)SECONDS * MANY);
}

int main(void)
{
	RUN_SIM(for_one_that_only_comes);
	RUN_SIM(for_a_peer_without_a_relation);
	RUN_SIM(for_a_peer_with_one);
	RUN_SIM(it_outlives_the_process_and_goes_over_to_the_peer);
	RUN_SIM(it_is_bounded);
	RUN_SIM(one_that_never_rests_is_written_down_too);
	RUN_SIM(many_are_written_down_more_rarely);
	return spec_end();
}
