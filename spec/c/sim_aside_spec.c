/* What has no room now comes later: entries that were declined because too much was set aside, and
 * places in a peer's order after a crash. */
#include <tidelock/entry.h>
#include "sim_help.h"

enum { CHAIN = 60, ROOM = 20 };

/* --- entries by a delegated key --------------------------------------------------------------- */

static int delegate(tl__sim_peer *peer, const tl_id *db, const tl_id *keys, const tl_id *tip)
{
	tl_transaction *tx = begin(peer, db, tl__sim_name(peer));
	tl_settings_store *settings = NULL;
	int code = tx ? tl_transaction_get_settings(tx, &settings) : TL_E_INTERNAL;

	if (code == TL_OK)
		code = tl_settings_store_add_delegated_tree(settings, TL__STR("team"), keys, tip, 1,
			(tl_permission){TL_WRITE, 10}, NULL);
	tl_settings_store_free(settings);
	return tx ? finish(tx, NULL) : code;
}

/* An entry of `db` on `parent`, signed by the team's key. NULL: a check has failed. */
static tl_entry *by_team(const tl_id *db, const tl_id *parent, const tl_id *cited)
{
	char root[TL_ID_TEXT_LEN + 1], on[TL_ID_TEXT_LEN + 1], tip[TL_ID_TEXT_LEN + 1];
	char key[TL_KEY_TEXT_LEN + 1];
	const tl_str tips[] = {{tip, TL_ID_TEXT_LEN}};
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;
	tl_secret secret;

	tl_id_format(db, root);
	tl_id_format(parent, on);
	tl_id_format(cited, tip);
	key_text("team", key);
	CHECK_OK(tl__sim_secret("team", &secret));
	CHECK_OK(tl_entry_builder_new(&b));
	tl_entry_builder_tree(b, z(root));
	tl_entry_builder_parent(b, z(on));
	tl_entry_builder_store(b, TL__STR("notes"), TL__STR("{\"children\":{}}"));
	tl_entry_builder_step(b, TL__STR("team"), tips, 1);
	tl_entry_builder_step(b, z(key), NULL, 0);
	CHECK_OK(tl_entry_builder_finish(b, &secret, &entry));
	tl_entry_builder_free(b);
	return entry;
}

static int take(tl__sim_peer *peer, const tl_id *db, const tl_entry *entry)
{
	tl_str line = tl_entry_bytes(entry);
	tl__ingest_page page = {.db = *db,
		.lines = &line,
		.count = 1,
		.form = TL_ENTRY_CANONICAL,
		.sender = TL__STR("ed25519:nobody"),
		.related = true};
	tl__ingest_result result;
	int code = tl__ingest(tl__sim_host(peer)->tree, &page, &result);

	if (code == TL_OK && result.fates[0].kind != TL__FATE_VERIFIED)
		code = tl__fail(TL_E_INTERNAL, "became %d: %s", (int)result.fates[0].kind,
			tl_error_name(result.fates[0].code));
	tl__ingest_result_free(&result);
	return code;
}

static void write_chain(tl__sim_peer *peer, const tl_id *db, const tl_id *from, const tl_id *cited)
{
	tl_id parent = *from;

	for (int i = 0; i < CHAIN; i++) {
		tl_entry *entry = by_team(db, &parent, cited);

		if (!entry)
			return;
		CHECK_OK(take(peer, db, entry));
		parent = *tl_entry_id(entry);
		tl_entry_free(entry);
	}
}

static uint64_t waiting(tl__sim_peer *peer, const tl__sim_peer *sender)
{
	tl__snapshot *s = NULL;
	uint64_t count = 0, bytes;
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(tl__sim_key(sender), key);
	CHECK_OK(tl__snapshot_open(tl__sim_host(peer)->tree->store, &s));
	CHECK_OK(tl__read_aside_usage(s, TL__PENDING, z(key), &count, &bytes));
	tl__snapshot_close(s);
	return count;
}

static tl_id keys;

/* A database that everybody may read, written by a key of `keys`, which nobody else may read. */
static tl_id guarded(tl__sim_peer *a)
{
	tl_id db = make_db(a, "main"), tip, last;

	keys = make_db(a, "keys");
	CHECK_OK(grant(a, &keys, "team", (tl_permission){TL_WRITE, 5}));
	tip = put(a, &keys, "k", "v");
	CHECK_OK(delegate(a, &db, &keys, &tip));
	CHECK_OK(set_public(a, &db, (tl_permission){TL_READ, 0}));
	last = put(a, &db, "k", "v");
	write_chain(a, &db, &last, &tip);
	return db;
}

static void what_found_no_room_comes_when_there_is_some(void)
{
	tl__sim_peer *a = add_peer("p0"), *b = add_peer("p1");
	tl_id db = guarded(a);
	uint64_t failed;

	tl__sim_host(b)->tree->limits.pending_entries = ROOM;
	CHECK_OK(connect_to(b, a));
	CHECK_OK(relate(b, a, &db));
	tl__sim_run(sim, HOUR);
	CHECK(waiting(b, a) == ROOM);
	CHECK(arrivals(b, &db) < ROOM);
	/* Now b may read what they cite. */
	CHECK_OK(set_public(a, &keys, (tl_permission){TL_READ, 0}));
	CHECK(settle(a, b, &keys, 10 * MINUTE));
	failed = tl__sim_events(b, TL_EVENT_SYNC_FAILED);
	CHECK(settle(a, b, &db, 10 * MINUTE));
	CHECK(tl__sim_events(b, TL_EVENT_SYNC_FAILED) == failed);
	CHECK(waiting(b, a) == 0);
}

/* What a process forgets must not matter: the next one has more room. */
static void a_new_process_looks_again_at_what_was_declined(void)
{
	tl__sim_peer *a = add_peer("p0"), *b = add_peer("p1");
	tl_id db = guarded(a);

	tl__sim_host(b)->tree->limits.pending_entries = ROOM;
	CHECK_OK(connect_to(b, a));
	CHECK_OK(relate(b, a, &db));
	tl__sim_run(sim, MINUTE);
	CHECK(waiting(b, a) == ROOM);
	restart(b);
	tl__sim_run(sim, 10 * MINUTE);
	CHECK(waiting(b, a) == CHAIN);
}

int main(void)
{
	RUN_SIM(a_new_process_looks_again_at_what_was_declined);
	RUN_SIM(what_found_no_room_comes_when_there_is_some);
	return spec_end();
}
