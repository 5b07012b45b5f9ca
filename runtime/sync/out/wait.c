/* Commands that wait for exchanges: one pair, all pairs of a peer, everything (flush), or until
 * both sides hold the same tips. */
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

typedef enum wait_kind { WAIT_EXCHANGE, WAIT_FLUSH, WAIT_LEVEL } wait_kind;

typedef struct awaited {
	tl__pair *pair;
	bool done;
	bool met;      /* flush: it took all meanwhile, and said that both sides are level */
	unsigned lost; /* and could not be reached since, so often one after the other */
} awaited;

enum { ATTEMPTS_AT_WHO_MET = 2 }; /* one connection may break on a good way */

struct tl__sync_waiter {
	wait_kind kind;
	uint64_t op;
	awaited *pairs; /* of an exchange or level */
	size_t count;
	uint64_t received, sent;
	int code; /* first failure */
	char error[TL__SYNC_ERROR_TEXT];
	char *text;        /* result instead of the counts */
	uint64_t deadline; /* UINT64_MAX: none */
	uint64_t again_at; /* level, flush: when another exchange is wanted */
	bool send_only;    /* flush */
	tl__sync_waiter *next;
};

static tl__sync_waiter *add(tl__sync *sync, wait_kind kind, uint64_t op, uint32_t timeout_ms)
{
	tl__sync_waiter *waiter = tl__alloc_zero(1, sizeof *waiter);
	tl__sync_waiter **end = &sync->waiters;

	if (!waiter) {
		tl__sync_complete_failed(sync, op, TL_E_NOMEM);
		return NULL;
	}
	waiter->kind = kind;
	waiter->op = op;
	waiter->deadline = timeout_ms == 0 ? UINT64_MAX : sync->now + timeout_ms;
	waiter->again_at = kind == WAIT_FLUSH ? sync->now + TL__SYNC_WAIT_RETRY_MS : UINT64_MAX;
	while (*end)
		end = &(*end)->next;
	*end = waiter;
	return waiter;
}

static void drop(tl__sync *sync, tl__sync_waiter *waiter)
{
	tl__sync_waiter **at = &sync->waiters;

	while (*at && *at != waiter)
		at = &(*at)->next;
	if (*at)
		*at = waiter->next;
	tl__free(waiter->pairs);
	tl__free(waiter->text);
	tl__free(waiter);
}

static void complete(tl__sync *sync, tl__sync_waiter *waiter)
{
	char counts[96];

	snprintf(counts, sizeof counts, "{\"received\":%llu,\"sent\":%llu}",
		(unsigned long long)waiter->received, (unsigned long long)waiter->sent);
	if (waiter->code != TL_OK)
		tl__sync_complete(sync, waiter->op, waiter->code, waiter->error, NULL);
	else if (waiter->text) /* it made a peer and a relation, which are to outlive us */
		tl__sync_save_now(sync, waiter->op, waiter->text);
	else
		tl__sync_complete(sync, waiter->op, TL_OK, NULL, counts);
	drop(sync, waiter);
}

static bool await(tl__sync_waiter *waiter, tl__pair *pair)
{
	awaited *bigger = tl__resize(waiter->pairs, waiter->count + 1, sizeof *bigger);

	if (!bigger)
		return false;
	waiter->pairs = bigger;
	waiter->pairs[waiter->count++] = (awaited){.pair = pair};
	return true;
}

/* One attempt of this pair now, whatever its state; but who said when to come is left alone. */
static void want_again(tl__sync *sync, tl__pair *pair)
{
	tl__pair_changed(sync, pair);
	pair->wanted = true;
	pair->next_attempt = sync->now;
}

/* The same for whoever asks for it by name. */
static void want(tl__sync *sync, tl__pair *pair)
{
	want_again(sync, pair);
	pair->asked = true;
	pair->wait_until = pair->useless_until = pair->peer->wait_until = 0;
	if (pair->confirm_by == 0 && !pair->untold)
		pair->offered = pair->ack;
}

/* --- starting --------------------------------------------------------------------------------- */

static int usable(const tl__sync *sync, const tl__peer *peer)
{
	if (peer->status == TL__PEER_BLOCKED)
		return tl__fail(
			TL_E_PEER_BLOCKED, "the peer is blocked; change its status to talk to it");
	if (peer->status == TL__PEER_INACTIVE)
		return tl__fail(TL_E_REFUSED, "the peer is inactive; make it active to talk to it");
	if (peer->address_count == 0)
		return tl__fail(TL_E_NETWORK, "the peer has no address; add one or connect to it");
	if (!tl__peer_has_way(sync, peer))
		return tl__fail(tl__sync_no_transport(sync),
			"no transport for an address of the peer is enabled; enable one");
	return TL_OK;
}

void tl__wait_exchange(tl__sync *sync, uint64_t op, tl__pair *pair, const char *text)
{
	int rc = usable(sync, pair->peer);
	tl__sync_waiter *waiter;

	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, op, rc);
		return;
	}
	waiter = add(sync, WAIT_EXCHANGE, op, 0);
	if (!waiter)
		return;
	waiter->text = text ? tl__copy_bytes(text, strlen(text)) : NULL;
	if (!await(waiter, pair)) {
		tl__sync_complete_failed(sync, op, TL_E_NOMEM);
		drop(sync, waiter);
		return;
	}
	want(sync, pair);
}

void tl__wait_pair(tl__sync *sync, uint64_t op, tl__peer *peer, const tl_id *db)
{
	tl__pair *one = db ? tl__sync_find_pair(sync, &peer->key, db) : NULL;
	tl__sync_waiter *waiter;
	int rc = usable(sync, peer);

	if (rc == TL_OK && db && !one)
		rc = tl__fail(TL_E_UNKNOWN_DATABASE,
			"this database is not kept in step with that peer; add the relation first");
	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, op, rc);
		return;
	}
	if (one) {
		tl__wait_exchange(sync, op, one, NULL);
		return;
	}
	waiter = add(sync, WAIT_EXCHANGE, op, 0);
	if (!waiter)
		return;
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer) {
		if (!await(waiter, pair)) {
			tl__sync_complete_failed(sync, op, TL_E_NOMEM);
			drop(sync, waiter);
			return;
		}
		want(sync, pair);
	}
	if (waiter->count == 0)
		complete(sync, waiter);
}

static bool unfinished(const tl__pair *pair)
{
	return tl__pair_dirty(pair) || ((pair->does & TL__PUSHES) && pair->confirm_by > 0);
}

/* Whoever cannot be reached can only be waited for: he may come himself. */
static bool may_look(const tl__pair *pair)
{
	return pair->peer->status == TL__PEER_ACTIVE && pair->peer->address_count > 0;
}

void tl__wait_flush(tl__sync *sync, uint64_t op, uint32_t timeout_ms, bool send_only)
{
	tl__sync_waiter *waiter = add(sync, WAIT_FLUSH, op, timeout_ms);
	bool good = true;

	if (!waiter)
		return;
	waiter->send_only = send_only;
	for (tl__pair *pair = sync->pairs; good && pair; pair = pair->next) {
		if (!may_look(pair) || pair->options->paused || (send_only && !unfinished(pair)))
			continue;
		want_again(sync, pair);
		pair->not_before = sync->now;
		good = send_only || await(waiter, pair);
	}
	if (good)
		return;
	tl__sync_complete_failed(sync, op, TL_E_NOMEM);
	drop(sync, waiter);
}

void tl__wait_level(tl__sync *sync, uint64_t op, tl__pair *pair, uint32_t timeout_ms)
{
	int rc = usable(sync, pair->peer);
	tl__sync_waiter *waiter;

	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, op, rc);
		return;
	}
	waiter = add(sync, WAIT_LEVEL, op, timeout_ms);
	if (!waiter)
		return;
	if (!await(waiter, pair)) {
		tl__sync_complete_failed(sync, op, TL_E_NOMEM);
		drop(sync, waiter);
		return;
	}
	want(sync, pair);
}

/* --- what happens ----------------------------------------------------------------------------- */

static bool all_done(const tl__sync_waiter *waiter)
{
	for (size_t i = 0; i < waiter->count; i++)
		if (!waiter->pairs[i].done)
			return false;
	return true;
}

static void note_failure(tl__sync_waiter *waiter, int code, const char *error)
{
	if (waiter->code != TL_OK || code == TL_OK)
		return;
	waiter->code = code;
	tl__text_copy(waiter->error, sizeof waiter->error,
		tl__str_z(error ? error : tl_error_name(code)));
}

static bool level(const tl__pair *pair)
{
	return pair->level && (pair->level_at == pair->db->arrivals || !(pair->does & TL__PUSHES));
}

/* Whether an exchange of this pair that ended so is what the waiter waits for. One that began
 * before the command does not count when another is wanted. */
static bool is_enough(const tl__sync_waiter *waiter, const tl__pair *pair, int code)
{
	switch (waiter->kind) {
	case WAIT_LEVEL: return tl__sync_is_refusal(code) || (code == TL_OK && level(pair));
	case WAIT_FLUSH: return code == TL_OK && !pair->wanted;
	default: return code != TL_OK || !pair->wanted;
	}
}

/* How a contact that a flush waits for went; true: there is nobody to wait for any more. Whoever
 * answered since the flush began, and was level with us then, may end: what it was given it has,
 * and nobody can tell what else it had. */
static bool note_contact(awaited *at, int code)
{
	if (code == TL_OK)
		at->met = level(at->pair);
	at->lost = code == TL_E_CONNECTION_FAILED ? at->lost + 1 : 0;
	return at->met && at->lost >= ATTEMPTS_AT_WHO_MET && !unfinished(at->pair);
}

bool tl__waiters_wait_for(const tl__sync *sync, const tl__pair *pair)
{
	for (const tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next) {
		if (waiter->kind == WAIT_FLUSH && waiter->send_only && unfinished(pair))
			return true;
		for (size_t i = 0; i < waiter->count; i++)
			if (waiter->pairs[i].pair == pair && !waiter->pairs[i].done)
				return true;
	}
	return false;
}

/* An exchange of `pair` ended; which of the waiters are over with it? */
static void note_session(tl__sync *sync, tl__sync_waiter *waiter, tl__pair *pair, int code,
	const char *error, const tl__session *session)
{
	for (size_t i = 0; i < waiter->count; i++) {
		if (waiter->pairs[i].pair != pair || waiter->pairs[i].done)
			continue;
		if (!is_enough(waiter, pair, code) &&
			!(waiter->kind == WAIT_FLUSH && note_contact(&waiter->pairs[i], code))) {
			uint64_t pace =
				code == TL_OK ? TL__SYNC_WAIT_PACE_MS : TL__SYNC_WAIT_RETRY_MS;

			if (waiter->again_at > sync->now + pace)
				waiter->again_at = sync->now + pace;
			continue;
		}
		waiter->pairs[i].done = true;
		tl__pair_changed(sync, pair);
		/* The exchange that it asked for is not needed any more. */
		if (waiter->kind == WAIT_LEVEL)
			pair->wanted = pair->from_sure;
		if (session) {
			waiter->received += session->received;
			waiter->sent += session->sent;
		}
		if (waiter->kind != WAIT_FLUSH)
			note_failure(waiter, code, error);
	}
}

void tl__waiters_session(
	tl__sync *sync, tl__pair *pair, int code, const char *error, const tl__session *session)
{
	for (tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next)
		note_session(sync, waiter, pair, code, error, session);
}

void tl__waiters_level(tl__sync *sync, tl__pair *pair)
{
	for (tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next)
		if (waiter->kind == WAIT_LEVEL)
			note_session(sync, waiter, pair, TL_OK, NULL, NULL);
}

/* Nothing more comes of it: for a flush it is passed over. */
static void give_up(const tl__sync *sync, const tl__pair *pair, const char *why)
{
	for (tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next)
		for (size_t i = 0; i < waiter->count; i++)
			if (waiter->pairs[i].pair == pair && !waiter->pairs[i].done) {
				waiter->pairs[i].done = true;
				if (waiter->kind != WAIT_FLUSH)
					note_failure(waiter, TL_E_CANCELLED, why);
			}
}

void tl__waiters_peer_rests(tl__sync *sync, const tl__peer *peer)
{
	for (const tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		give_up(sync, pair, "the peer's status was changed meanwhile");
}

void tl__waiters_pair_gone(tl__sync *sync, const tl__pair *pair)
{
	give_up(sync, pair, "the relation was taken away");
	for (tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next)
		for (size_t i = 0; i < waiter->count; i++)
			if (waiter->pairs[i].pair == pair)
				waiter->pairs[i].pair = NULL;
}

void tl__waiters_pair_rests(tl__sync *sync, const tl__pair *pair)
{
	for (tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next)
		for (size_t i = 0; waiter->kind == WAIT_FLUSH && i < waiter->count; i++)
			if (waiter->pairs[i].pair == pair)
				waiter->pairs[i].done = true;
}

static bool unsent(const tl__pair *pair)
{
	return pair->peer->status == TL__PEER_ACTIVE && !pair->options->paused &&
	       (unfinished(pair) || (pair->session && tl__session_runs(pair->session)));
}

static bool flushed(const tl__sync *sync)
{
	for (const tl__pair *pair = sync->pairs; pair; pair = pair->next)
		if (unsent(pair))
			return false;
	return true;
}

/* Every second, and when an exchange ended: what is left is tried again. What became dirty since a
 * flush began belongs to it too. */
static void try_again(tl__sync *sync, tl__sync_waiter *waiter)
{
	for (size_t i = 0; i < waiter->count; i++)
		if (waiter->pairs[i].pair && !waiter->pairs[i].done &&
			!waiter->pairs[i].pair->session) {
			want_again(sync, waiter->pairs[i].pair);
			if (waiter->kind != WAIT_FLUSH)
				waiter->pairs[i].pair->asked = true;
		}
	for (tl__pair *pair = waiter->kind == WAIT_FLUSH ? sync->pairs : NULL; pair;
		pair = pair->next)
		if (unsent(pair) && !pair->session && may_look(pair))
			want_again(sync, pair);
	waiter->again_at =
		waiter->kind == WAIT_FLUSH ? sync->now + TL__SYNC_WAIT_RETRY_MS : UINT64_MAX;
}

/* Why it is no further; "" when nothing is known. */
static const char *reason(const tl__sync *sync, const tl__pair *pair)
{
	if (pair->peer->address_count > 0 && !tl__peer_has_way(sync, pair->peer))
		return "no transport for an address of the peer is enabled";
	return pair->last_code == TL_OK ? "" : pair->last_error;
}

/* What a flush still waits for, and of the first why. */
static void tell_flush(const tl__sync *sync, const tl__sync_waiter *waiter, char *text, size_t room)
{
	const tl__pair *first = NULL;
	size_t unasked = 0, left = 0;
	char id[TL_ID_TEXT_LEN + 1];
	const char *why;

	for (size_t i = 0; i < waiter->count; i++)
		if (waiter->pairs[i].pair && !waiter->pairs[i].done && ++unasked == 1)
			first = waiter->pairs[i].pair;
	for (const tl__pair *pair = sync->pairs; pair; pair = pair->next)
		if (unsent(pair) && ++left == 1)
			first = pair;
	if (!first)
		return;
	tl_id_format(&first->db->id, id);
	why = reason(sync, first);
	snprintf(text, room,
		"time is over: %zu databases have entries to send, %zu are still to be asked for; "
		"the first is %.20s… for %.24s…%s%.100s",
		left, unasked, id, first->peer->text, *why ? ": " : "", why);
}

static void time_over(tl__sync *sync, tl__sync_waiter *waiter)
{
	const tl__pair *pair = waiter->count > 0 ? waiter->pairs[0].pair : NULL;
	const char *why = pair ? reason(sync, pair) : "";

	waiter->code = TL_E_TIMEOUT;
	snprintf(waiter->error, sizeof waiter->error, "not in step yet%s%.180s", *why ? ": " : "",
		why);
	if (waiter->kind == WAIT_FLUSH)
		tell_flush(sync, waiter, waiter->error, sizeof waiter->error);
	complete(sync, waiter);
}

void tl__waiters_run(tl__sync *sync)
{
	tl__sync_waiter *waiter = sync->waiters;

	while (waiter) {
		tl__sync_waiter *next = waiter->next;

		if (all_done(waiter) && (waiter->kind != WAIT_FLUSH || flushed(sync)))
			complete(sync, waiter);
		else if (sync->now >= waiter->deadline)
			time_over(sync, waiter);
		else if (sync->now >= waiter->again_at)
			try_again(sync, waiter);
		waiter = next;
	}
}

uint64_t tl__waiters_due(const tl__sync *sync)
{
	uint64_t least = UINT64_MAX;

	for (const tl__sync_waiter *waiter = sync->waiters; waiter; waiter = waiter->next) {
		if (waiter->deadline < least)
			least = waiter->deadline;
		if (waiter->again_at < least)
			least = waiter->again_at;
	}
	return least;
}

bool tl__waiters_cancel(tl__sync *sync, uint64_t op)
{
	tl__sync_waiter *waiter = sync->waiters;

	while (waiter && waiter->op != op)
		waiter = waiter->next;
	if (!waiter)
		return false;
	waiter->code = TL_E_CANCELLED;
	snprintf(waiter->error, sizeof waiter->error, "cancelled");
	complete(sync, waiter);
	return true;
}

void tl__waiters_free(tl__sync *sync)
{
	while (sync->waiters)
		drop(sync, sync->waiters);
}
