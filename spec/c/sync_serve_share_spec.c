/* Places and shares that strangers cannot take from peers: watches that are held, requests that
 * name a peer's key, and the numbers of our own requests. */
#include "asking_help.h"
#include "sync/out/outbound.h"

#define SOMEWHERE "192.0.2.1:5000"

static uint64_t numbers;
static tl_id root;

static void make_database(void)
{
	tl_database *db = new_database("alice");

	root = *tl_database_root_id(db);
	tl_database_free(db);
}

/* --- watches of others ------------------------------------------------------------------------ */

/* Whether it is held, else refused as busy for a while. Nothing of it is looked at yet. */
static bool watch_is_held(const party *by)
{
	const tl__v1_line line = {.kind = TL__V1_LINE_WATCH, .has_id = true, .id = root};
	tl__buf frame = TL__BUF_INIT, body = TL__BUF_INIT;
	tl__v1_refusal refusal = {0};
	int status;

	tl__v1_write_line(&body, &line);
	write_signed(
		&frame, by, "watch", NULL, TL__STR("{\"hold_ms\":50000}"), tl__buf_view(&body));
	status = ask(++numbers, SOMEWHERE, TL__V1_PATH_PREFIX "watch", tl__buf_view(&frame));
	tl__buf_free(&frame);
	tl__buf_free(&body);
	if (status == 0)
		return true;
	CHECK(heard_status(&refusal) == TL__V1_BUSY && refusal.wait_ms > 0);
	CHECK(tl__str_eq(refusal.code, TL__STR("no_room")));
	return false;
}

static void make_stranger(party *p, unsigned number)
{
	uint8_t seed[TL_SEED_BYTES] = {1, (uint8_t)number, (uint8_t)(number >> 8)};

	CHECK_OK(tl_secret_from_seed(&p->secret, seed));
	tl_secret_public(&p->secret, &p->key);
	tl_key_format(&p->key, p->text);
}

static void a_key_has_so_many_watches(void)
{
	make_database();
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	for (int i = 0; i < TL__SERVE_KEY_WATCHES; i++) {
		CHECK(watch_is_held(&bob));
		CHECK(watch_is_held(&carol));
	}
	CHECK(!watch_is_held(&bob));
	CHECK(!watch_is_held(&carol));
	/* They are none of the requests under way. */
	CHECK(r.core->serve->hold_count == 2 * TL__SERVE_KEY_WATCHES);
	CHECK(r.core->serve->askers.count == 0);
	forget();
}

static void strangers_have_a_share_of_the_watches(void)
{
	party stranger;

	make_database();
	for (unsigned i = 0; i < TL__SERVE_STRANGER_WATCHES; i++) {
		make_stranger(&stranger, i / TL__SERVE_KEY_WATCHES);
		CHECK(watch_is_held(&stranger));
	}
	CHECK(!watch_is_held(&carol));
	CHECK(r.core->serve->stranger_holds == TL__SERVE_STRANGER_WATCHES);
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	CHECK(watch_is_held(&bob));
	forget();
}

static void so_many_watches_are_held_in_all(void)
{
	make_database();
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	r.core->serve->hold_count = TL__SERVE_MAX_WATCHES - 1;
	CHECK(watch_is_held(&bob));
	CHECK(!watch_is_held(&bob));
	r.core->serve->hold_count = 1;
	CHECK(watch_is_held(&bob));
	forget();
}

/* Names ids that nobody knows, as many as one watch may, and behind them the database or not. */
static void watch_unknown(const party *by, bool and_known)
{
	tl__v1_line line = {.kind = TL__V1_LINE_WATCH, .has_id = true};
	tl__buf frame = TL__BUF_INIT, body = TL__BUF_INIT;

	for (uint32_t i = and_known ? 1 : 0; i < TL__V1_MAX_WATCH_LINES; i++) {
		line.id.b[TL_ID_BYTES - 2] = (uint8_t)(i >> 8);
		line.id.b[TL_ID_BYTES - 1] = (uint8_t)i;
		tl__v1_write_line(&body, &line);
	}
	line.id = root;
	if (and_known)
		tl__v1_write_line(&body, &line);
	write_signed(
		&frame, by, "watch", NULL, TL__STR("{\"hold_ms\":50000}"), tl__buf_view(&body));
	CHECK(ask(++numbers, SOMEWHERE, TL__V1_PATH_PREFIX "watch", tl__buf_view(&frame)) == 0);
	while (kept_count > 0)
		run_kept(1);
	tl__buf_free(&frame);
	tl__buf_free(&body);
}

static size_t absent_heard(void)
{
	tl__v1_body body;
	tl__v1_line line;
	tl__v1_frame frame;
	bool end = false;
	size_t count = 0;

	CHECK(heard_status(NULL) == TL__V1_OK);
	CHECK_OK(tl__v1_frame_read(&frame, heard.answer.body.ptr, heard.answer.body.len));
	CHECK_OK(tl__v1_body_open(&body, TL__V1_BODY_WATCHED,
		(tl_str){heard.answer.body.ptr + frame.size, heard.answer.body.len - frame.size},
		NULL));
	while (tl__v1_body_next(&body, &line, &end) == TL_OK && !end)
		count += line.kind == TL__V1_LINE_ABSENT;
	return count;
}

static void what_nobody_knows_leaves_nothing(void)
{
	size_t known;

	make_database();
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	known = r.core->db_map.count;
	watch_unknown(&carol, true);
	CHECK(absent_heard() == TL__V1_MAX_WATCH_LINES);
	watch_unknown(&bob, true); /* who may read the database */
	CHECK(absent_heard() == TL__V1_MAX_WATCH_LINES - 1);
	watch_unknown(&bob, false);
	CHECK(absent_heard() == TL__V1_MAX_WATCH_LINES);
	CHECK(r.core->serve->hold_count == 0);
	CHECK(r.core->db_map.count == known);
	CHECK(tl__sync_find_db(r.core, &root)->hold_count == 0);
	forget();
}

/* They end in another order than they began in. */
static void of_many_that_name_one_database_each_is_told(void)
{
	tl__sync_event gone = {.kind = TL__SYNC_GONE};
	const tl__sync_db *db;
	uint64_t first;

	make_database();
	for (int i = 0; i < 2; i++) {
		const party *by = i == 1 ? &bob : &carol;

		CHECK_DONE(peer_command(TL__SYNC_REGISTER, &by->key, NULL), TL_OK);
		CHECK_DONE(pair_command(TL__SYNC_RELATE, &by->key, &root, NULL), TL_OK);
	}
	first = numbers + 1;
	for (int i = 0; i < 4; i++)
		CHECK(watch_is_held(i % 2 ? &bob : &carol));
	db = tl__sync_find_db(r.core, &root);
	CHECK(db->hold_count == 4);
	for (uint64_t i = 2; i > 0; i--) {
		gone.incoming = first + i;
		tell(&gone);
		CHECK(db->hold_count == 1 + i);
	}
	run_kept(kept_count); /* the others lack the root */
	CHECK(heard_count == 2 && heard_status(NULL) == TL__V1_OK);
	CHECK(db->hold_count == 0);
	forget();
}

/* --- who names the key of a peer -------------------------------------------------------------- */

static tl__v1_status status_heard(void)
{
	tl__v1_status status = TL__V1_STATUS_COUNT;

	if (heard.answer.status == 400 &&
		tl__v1_read_unsigned(&status, heard.answer.body.ptr, heard.answer.body.len))
		return status;
	return heard_status(NULL);
}

/* A list that names this key; `spoils`: its signature is none. */
static tl__v1_status list_from(const char *from, const party *named, bool spoils)
{
	tl__buf frame = TL__BUF_INIT;

	write_signed(&frame, named, "list", NULL, TL__STR("{\"after\":null}"), TL__STR(""));
	if (spoils)
		frame.ptr[frame.len - 1] ^= 1;
	(void)ask(++numbers, from, TL__V1_PATH_PREFIX "list", tl__buf_view(&frame));
	while (kept_count > 0)
		run_kept(kept_count);
	tl__buf_free(&frame);
	return status_heard();
}

static void leave_in_share(tl__serve_share share, double tokens)
{
	r.core->serve->shares[share].tokens = tokens;
	r.core->serve->shares[share].at = r.now;
}

static void who_names_a_peers_key_shares_with_his_like(void)
{
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	/* Strangers have used up theirs: those who claim to be peers are looked at all the same. */
	leave_in_share(TL__SHARE_STRANGERS, 0);
	CHECK(list_from("192.0.2.1:5000", &carol, false) == TL__V1_BUSY);
	leave_in_share(TL__SHARE_CLAIMS, 2);
	CHECK(list_from("192.0.2.1:5000", &bob, true) == TL__V1_BAD_REQUEST);
	CHECK(!tl__serve_is_source_known(r.core, TL__STR("192.0.2.1")));
	CHECK(list_from("192.0.2.2:5000", &bob, false) == TL__V1_OK);
	CHECK(tl__serve_is_source_known(r.core, TL__STR("192.0.2.2")));
	/* Whoever lied has used it up for his like, and not for where the peer was. */
	leave_in_share(TL__SHARE_CLAIMS, 0);
	CHECK(list_from("192.0.2.1:5000", &bob, true) == TL__V1_BUSY);
	CHECK(list_from("192.0.2.3:5000", &bob, false) == TL__V1_BUSY);
	CHECK(list_from("192.0.2.2:5000", &bob, false) == TL__V1_OK);
	forget();
}

/* --- who came --------------------------------------------------------------------------------- */

static void comes(const party *by)
{
	r.now++;
	r.core->now = r.now;
	tl__client_heard(r.core, &by->key, "http:" SOMEWHERE);
}

static bool is_shown(const party *by)
{
	tl__buf out = TL__BUF_INIT;
	bool shown = tl__sync_put_client(r.core, &by->key, &out);

	tl__buf_free(&out);
	return shown;
}

static void strangers_take_no_place_of_peers_among_those_who_came(void)
{
	const tl__sync_outcome outcome = {.started = 1};
	party p;

	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	comes(&bob);
	make_stranger(&p, 0);
	comes(&p);
	tl__record_served(r.core, &p.key, &root, &outcome);
	rig_pass(1000);
	CHECK(*local("sync/metadata", &p, NULL) != 0);
	for (unsigned i = 1; i < TL__SYNC_MAX_CLIENTS + 9; i++) {
		make_stranger(&p, i);
		comes(&p);
		CHECK(is_shown(&p));
		if (i == 500)
			comes(&carol);
	}
	CHECK(is_shown(&bob) && is_shown(&carol));
	CHECK(r.core->clients.map.count == TL__SYNC_MAX_CLIENTS);
	make_stranger(&p, 0);
	CHECK(!is_shown(&p));
	/* Whoever gives way was told of when it came. */
	rig_drain();
	CHECK(r.events[TL_EVENT_PEER_DISCONNECTED] == 11);
	CHECK(r.events[TL_EVENT_PEER_CONNECTED] == TL__SYNC_MAX_CLIENTS + 11);
	/* What was remembered of it goes with it. */
	rig_pass(1000);
	CHECK(*local("sync/metadata", &p, NULL) == 0);
}

static void among_peers_alone_a_stranger_finds_no_place(void)
{
	party p;

	for (unsigned i = 0; i < TL__SYNC_MAX_CLIENTS; i++) {
		make_stranger(&p, i);
		CHECK_DONE(peer_command(TL__SYNC_REGISTER, &p.key, NULL), TL_OK);
		comes(&p);
	}
	comes(&carol);
	CHECK(!is_shown(&carol));
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	comes(&bob);
	CHECK(is_shown(&bob));
	CHECK(r.core->clients.map.count == TL__SYNC_MAX_CLIENTS);
}

/* --- the numbers of our requests -------------------------------------------------------------- */

static void behind_so_many_responders_they_begin_anew_under_another_name(void)
{
	uint8_t first[TL__V1_NONCE_BYTES], nonce[TL__V1_NONCE_BYTES];
	tl_key to = {{0}};

	tl__nonce_begin(r.core);
	CHECK_OK(tl__nonce_next(r.core, &to, first));
	CHECK(tl__v1_nonce_number(first) == 1);
	for (uint32_t i = 1; i < TL__SYNC_MAX_RESPONDERS; i++) {
		memcpy(to.b, &i, sizeof i);
		CHECK_OK(tl__nonce_next(r.core, &to, nonce));
	}
	CHECK(memcmp(nonce, first, TL__V1_NONCE_PROCESS) == 0);
	CHECK(r.core->nonce_numbers.count == TL__SYNC_MAX_RESPONDERS);
	to = (tl_key){{0}};
	CHECK_OK(tl__nonce_next(r.core, &to, nonce));
	CHECK(tl__v1_nonce_number(nonce) == 1);
	CHECK(memcmp(nonce, first, TL__V1_NONCE_PROCESS) != 0);
	CHECK(r.core->nonce_numbers.count == 1);
	CHECK_OK(tl__nonce_next(r.core, &to, nonce));
	CHECK(tl__v1_nonce_number(nonce) == 2);
}

int main(void)
{
	RUN_RIG(a_key_has_so_many_watches);
	RUN_RIG(strangers_have_a_share_of_the_watches);
	RUN_RIG(so_many_watches_are_held_in_all);
	RUN_RIG(what_nobody_knows_leaves_nothing);
	RUN_RIG(of_many_that_name_one_database_each_is_told);
	RUN_RIG(who_names_a_peers_key_shares_with_his_like);
	RUN_RIG(strangers_take_no_place_of_peers_among_those_who_came);
	RUN_RIG(among_peers_alone_a_stranger_finds_no_place);
	RUN_RIG(behind_so_many_responders_they_begin_anew_under_another_name);
	return spec_end();
}
