/* How many requests of others are under way at once: by party, and strangers none in the places of
 * peers. And on whose behalf the works are that they make. */
#include "asking_help.h"

#define SOMEWHERE "192.0.2.1:5000"

static uint64_t numbers;
static tl_id root;
static tl__buf handshake;

static const char *source(unsigned number)
{
	static char text[40];

	snprintf(text, sizeof text, "198.51.%u.%u:5000", number >> 8, number & 255);
	return text;
}

/* 0: it is under way. */
static int stranger_asks(unsigned from)
{
	return ask(++numbers, source(from), TL__V0_PATH, tl__buf_view(&handshake));
}

/* Whether it is under way, else refused as busy for a while. */
static bool asks(const party *from, const char *method, const char *args)
{
	tl__buf frame = TL__BUF_INIT;
	tl__v1_refusal refusal = {0};
	char path[64];
	int status;

	write_signed(&frame, from, method, strcmp(method, "list") == 0 ? NULL : &root, z(args),
		TL__STR(""));
	snprintf(path, sizeof path, TL__V1_PATH_PREFIX "%s", method);
	status = ask(++numbers, SOMEWHERE, path, tl__buf_view(&frame));
	tl__buf_free(&frame);
	if (status == 0)
		return true;
	CHECK(heard_status(&refusal) == TL__V1_BUSY && refusal.wait_ms > 0);
	CHECK(tl__str_eq(refusal.code, TL__STR("too_many_at_once")));
	return false;
}

static bool lists(const party *from)
{
	return asks(from, "list", "{\"after\":null}");
}

static void make_peer(party *p, uint8_t seed)
{
	make_party(p, seed);
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &p->key, NULL), TL_OK);
}

static void make_database(void)
{
	tl_database *db = new_database("alice");

	root = *tl_database_root_id(db);
	tl_database_free(db);
	handshake = TL__BUF_INIT;
	write_handshake(&handshake);
}

static void end(void)
{
	run_kept(kept_count);
	CHECK(r.core->serve->incoming.count == 0 && r.core->serve->askers.count == 0);
	for (size_t i = 0; i < TL__PARTY_RANKS; i++)
		CHECK(r.core->serve->under_way[i] == 0);
	tl__buf_free(&handshake);
	forget();
}

static void so_many_of_one_place_are_under_way(void)
{
	tl__sync_event gone = {.kind = TL__SYNC_GONE};

	make_database();
	for (unsigned i = 0; i < TL__SERVE_STRANGER_AT_ONCE; i++)
		CHECK(stranger_asks(1) == 0);
	CHECK(stranger_asks(1) == 429);
	CHECK(stranger_asks(2) == 0);
	/* Going away frees nothing while the store works for it. */
	gone.incoming = 1;
	tell(&gone);
	CHECK(stranger_asks(1) == 429);
	run_kept(1);
	CHECK(stranger_asks(1) == 0);
	CHECK(stranger_asks(1) == 429);
	end();
}

/* However many places and keys they have. */
static void so_many_of_all_strangers_are_under_way(void)
{
	unsigned i = 0;
	party known;

	make_database();
	while (i < TL__SERVE_STRANGERS_AT_ONCE - 1)
		CHECK(stranger_asks(i++) == 0);
	CHECK(lists(&carol));
	CHECK(!lists(&carol));
	CHECK(!lists(&bob));
	CHECK(stranger_asks(i) == 429);
	make_peer(&known, 9);
	for (i = 0; i < TL__SERVE_PEER_AT_ONCE; i++)
		CHECK(lists(&known));
	end();
}

static void so_many_of_a_key_are_under_way(void)
{
	make_database();
	for (int i = 0; i < TL__SERVE_STRANGER_AT_ONCE; i++)
		CHECK(lists(&carol));
	CHECK(!lists(&carol));
	CHECK(lists(&bob));
	/* It counts by key, whatever is asked. */
	CHECK(!asks(&carol, "pull",
		"{\"cursor\":null,\"seen\":null,\"budget\":1,\"tips\":{\"count\":0,\"sha256\":null}"
		"}"));
	end();
}

static void so_many_of_a_peer_are_under_way(void)
{
	party known, other;

	make_database();
	make_peer(&known, 9);
	make_peer(&other, 19);
	for (int i = 0; i < TL__SERVE_PEER_AT_ONCE; i++)
		CHECK(lists(&known));
	CHECK(!lists(&known));
	CHECK(lists(&other));
	run_kept(1);
	CHECK(lists(&known));
	CHECK(!lists(&known));
	end();
}

static void so_many_of_all_peers_are_under_way(void)
{
	enum {
		PEERS = (TL__SYNC_MAX_INCOMING - TL__SERVE_STRANGERS_AT_ONCE) /
			TL__SERVE_PEER_AT_ONCE
	};
	party known;

	make_database();
	for (int i = 0; i < PEERS; i++) {
		make_peer(&known, (uint8_t)(20 + 3 * i));
		for (int k = 0; k < TL__SERVE_PEER_AT_ONCE; k++)
			CHECK(lists(&known));
	}
	make_peer(&known, 9);
	CHECK(!lists(&known));
	CHECK(stranger_asks(1) == 0); /* they have places of their own */
	end();
}

/* --- whose works they are --------------------------------------------------------------------- */

static bool is_for(const tl__work *work, tl__party_rank rank, const party *who)
{
	return work->party.rank == rank &&
	       (!who || memcmp(work->party.name, who->key.b, TL_KEY_BYTES) == 0);
}

static void a_work_is_done_on_behalf_of_who_asks(void)
{
	party known;

	make_database();
	make_peer(&known, 9);
	kept_count = 0;
	CHECK(lists(&known));
	CHECK(lists(&carol));
	CHECK(stranger_asks(1) == 0);
	CHECK(stranger_asks(1) == 0);
	CHECK(stranger_asks(2) == 0);
	REQUIRE(kept_count == 5);
	CHECK(is_for(kept[0], TL__PARTY_PEER, &known));
	CHECK(is_for(kept[1], TL__PARTY_STRANGER, &carol));
	CHECK(is_for(kept[2], TL__PARTY_STRANGER, NULL));
	CHECK(memcmp(&kept[2]->party, &kept[3]->party, sizeof(tl__party)) == 0);
	CHECK(memcmp(&kept[2]->party, &kept[4]->party, sizeof(tl__party)) != 0);
	end();
}

/* Exchanges of ours are the peer's doing, too; what we remember is our own. */
static void works_of_an_exchange_are_the_peers(void)
{
	size_t pages = 0, own = 0;

	make_database();
	meet(&bob, "127.0.0.1:9001");
	r.hold_works = true;
	(void)pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL);
	rig_pass(TL__SYNC_SAVE_MS);
	for (size_t i = 0; i < r.held_count; i++)
		if (r.held[i]->kind == TL__WORK_SAVE || r.held[i]->kind == TL__WORK_EXPIRE)
			own += r.held[i]->party.rank == TL__PARTY_SELF;
		else
			pages += is_for(r.held[i], TL__PARTY_PEER, &bob);
	CHECK(own >= 1 && pages >= 1 && own + pages == r.held_count);
	end();
}

static bool has_place(const party *peer, const tl_id *db)
{
	char key[192], id[TL_ID_TEXT_LEN + 1];
	char *value = NULL;
	size_t len = 0;
	int code;

	tl_id_format(db, id);
	snprintf(key, sizeof key, "sync/pull/%s/%s", peer->text, id);
	code = tl__read_local(w.store, z(key), &value, &len);
	CHECK(code == TL_OK || code == TL_E_NOT_FOUND);
	tl__free(value);
	return code == TL_OK;
}

/* Its works take turns with ours: what a page stored of a relation that has ended goes, too. */
static void a_late_page_leaves_no_place_behind(void)
{
	tl__work *late;
	remote theirs;

	make_remote(&theirs, 2);
	meet(&bob, "127.0.0.1:9001");
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &theirs.id[0], NULL), TL_OK);
	r.hold_works = true;
	answer_page(&bob, &(page_answer){.n = 2, .more = true, .from = &theirs, .count = 2});
	REQUIRE(r.held_count == 1 && r.held[0]->kind == TL__WORK_INGEST);
	late = r.held[0];
	r.held_count = 0;
	r.hold_works = false;
	CHECK_DONE(pair_command(TL__SYNC_UNRELATE, &bob.key, &theirs.id[0], NULL), TL_OK);
	CHECK(!has_place(&bob, &theirs.id[0]));
	rig_work(late);
	rig_drain();
	CHECK(has_place(&bob, &theirs.id[0]));
	rig_pass(TL__SYNC_SAVE_MS);
	CHECK(!has_place(&bob, &theirs.id[0]));
	free_remote(&theirs);
}

int main(void)
{
	rig_v0 = tl__v0_spoken();
	RUN_V0(RUN_RIG, so_many_of_one_place_are_under_way);
	RUN_V0(RUN_RIG, so_many_of_all_strangers_are_under_way);
	RUN_RIG(so_many_of_a_key_are_under_way);
	RUN_RIG(so_many_of_a_peer_are_under_way);
	RUN_V0(RUN_RIG, so_many_of_all_peers_are_under_way);
	RUN_V0(RUN_RIG, a_work_is_done_on_behalf_of_who_asks);
	RUN_RIG(works_of_an_exchange_are_the_peers);
	RUN_RIG(a_late_page_leaves_no_place_behind);
	return spec_end();
}
