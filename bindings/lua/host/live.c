#include "host/live.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "clock.h"

/* What a policy may use in a second; beyond it who is no peer of ours has to come again. */
#define UNITS_A_SECOND 40000000
#define KEYS_SHOWN     64 /* of those that were proven; nobody proves more */

struct tlua_live {
	tlua_policy *policy;
	tlua_tally *tally;
	atomic_uint owners;
	tlua_live *next;
	void (*dropped)(void *ud, tlua_live *live);
	void *ud;
	int64_t second; /* in which so many units were used; the engine's thread */
	uint64_t used;
};

/* --- owners ----------------------------------------------------------------------------------- */

tlua_live *tlua_live_new(tlua_policy *policy, tlua_tally *tally,
	void (*dropped)(void *ud, tlua_live *live), void *ud)
{
	tlua_live *live = calloc(1, sizeof *live);

	if (!live)
		return NULL;
	live->policy = policy;
	live->tally = tally;
	live->dropped = dropped;
	live->ud = ud;
	atomic_init(&live->owners, 1);
	return live;
}

void tlua_live_close(tlua_live *live)
{
	tlua_policy_close(live->policy);
	free(live);
}

void *tlua_live_owner(const tlua_live *live)
{
	return live->ud;
}

tlua_live *tlua_live_next(const tlua_live *live)
{
	return live->next;
}

void tlua_live_chain(tlua_live *live, tlua_live *next)
{
	live->next = next;
}

static void retain(tlua_live *live)
{
	if (live)
		atomic_fetch_add(&live->owners, 1);
}

void tlua_live_release(tlua_live *live)
{
	if (live && atomic_fetch_sub(&live->owners, 1) == 1)
		live->dropped(live->ud, live);
}

/* --- counting --------------------------------------------------------------------------------- */

static size_t step_of(uint64_t units)
{
	size_t step = 0;

	while (units > 0 && step < TLUA_UNITS_STEPS - 1) {
		units >>= 1;
		step++;
	}
	return step;
}

uint64_t tlua_tally_part(const tlua_tally *tally, unsigned hundredths)
{
	uint64_t all = 0, seen = 0;
	size_t step = 0;

	for (size_t i = 0; i < TLUA_UNITS_STEPS; i++)
		all += tally->units[i];
	while (step < TLUA_UNITS_STEPS - 1 && (seen += tally->units[step]) * 100 < all * hundredths)
		step++;
	return step == 0 ? 0 : (UINT64_C(1) << step) - 1;
}

static void keep_failure(tlua_tally *tally, const tlua_failure *failure, int64_t time_ms)
{
	tally->failures[tally->failed++ % TLUA_FAILURES_KEPT] =
		(struct tlua_failed){*failure, time_ms};
}

/* A place that fails again and again is told at its 1st, 2nd, 4th, 8th time. */
static void tell(const tlua_tally *tally, const tlua_failure *failure)
{
	char line[TLUA_TEXT_MAX + 512];

	if (failure->here & (failure->here - 1))
		return;
	snprintf(line, sizeof line, "%s: %s (failures here: %llu; asked: %s)", failure->where,
		failure->text, (unsigned long long)failure->here, failure->input);
	tally->log(tally->log_ud, TL_LOG_WARNING, line);
}

void tlua_tally_note(tlua_tally *tally, tlua_cell *cell, bool failed)
{
	const tlua_failure *failure = failed ? tlua_cell_failure(cell, 0) : NULL;

	pthread_mutex_lock(&tally->lock);
	tally->calls++;
	tally->units[step_of(tlua_cell_units(cell))]++;
	if (failure)
		keep_failure(tally, failure, tlua_wall_ms());
	pthread_mutex_unlock(&tally->lock);
	if (failure)
		tell(tally, failure);
}

static void count(tlua_live *live, const tlua_verdict *verdict, int64_t time_ms)
{
	tlua_cell *cell = tlua_policy_cell(live->policy);

	if (live->second != time_ms / 1000) {
		live->second = time_ms / 1000;
		live->used = 0;
	}
	live->used += tlua_cell_units(cell);
	tlua_tally_note(live->tally, cell, verdict->failed);
}

/* --- questions -------------------------------------------------------------------------------- */

typedef struct texts {
	char peer[TL_KEY_TEXT_LEN + 1], db[TL_ID_TEXT_LEN + 1];
	char key_texts[KEYS_SHOWN][TL_KEY_TEXT_LEN + 1];
	tl_str keys[KEYS_SHOWN];
} texts;

static tl_str key_text(const tl_key *key, char out[TL_KEY_TEXT_LEN + 1])
{
	tl_key_format(key, out);
	return (tl_str){out, TL_KEY_TEXT_LEN};
}

static tlua_request request_of(const tl_policy_question *q, texts *t)
{
	tlua_request r = {.kind = (tlua_kind)q->kind,
		.keys = t->keys,
		.key_count = q->key_count < KEYS_SHOWN ? q->key_count : KEYS_SHOWN,
		.name = q->peer_name,
		.said_name = q->said_name,
		.claimed_key = q->claimed_key,
		.db_name = q->db_name,
		.transport = q->transport,
		.protocol = (int)q->protocol,
		.outbound = q->outbound,
		.related = q->related,
		.granted = q->granted,
		.encrypted = q->encrypted,
		.usual = q->otherwise,
		.now = q->time_ms / 1000,
		.permission = q->permission,
		.key_name = q->key_name};

	if (q->peer)
		r.peer = key_text(q->peer, t->peer);
	for (size_t i = 0; i < r.key_count; i++)
		t->keys[i] = key_text(&q->keys[i], t->key_texts[i]);
	if (q->db) {
		tl_id_format(q->db, t->db);
		r.db = (tl_str){t->db, strlen(t->db)};
	}
	if (q->address)
		r.address = (tl_str){q->address, strlen(q->address)};
	return r;
}

/* --- the two together ------------------------------------------------------------------------- */

#define WAIT_S 5 /* for a policy that is being loaded */

struct tlua_seat {
	tlua_seated who;
	tlua_latch filled;
};

static bool ask(tlua_live *live, const tlua_request *request, int64_t time_ms, tlua_verdict *out)
{
	*out = (tlua_verdict){.answer = TLUA_NO_OPINION};
	if (!live)
		return false;
	tlua_policy_decide(live->policy, request, out);
	count(live, out, time_ms);
	return true;
}

/* The place of this kind and peer; NULL where there are too many, or no memory. */
static tlua_difference *difference_of(tlua_tally *tally, const tlua_request *request)
{
	tlua_difference *all = tally->differences;
	char peer[TL_KEY_TEXT_LEN + 1];

	snprintf(peer, sizeof peer, "%.*s", (int)request->peer.len,
		request->peer.ptr ? request->peer.ptr : "");
	if (!all)
		all = tally->differences = calloc(TL_SCRIPT_DIFFERENCES_MAX, sizeof *all);
	for (size_t i = 0; all && i < tally->difference_count; i++)
		if (all[i].kind == request->kind && strcmp(all[i].peer, peer) == 0)
			return &all[i];
	if (!all || tally->difference_count == TL_SCRIPT_DIFFERENCES_MAX)
		return NULL;
	all += tally->difference_count++;
	all->kind = request->kind;
	memcpy(all->peer, peer, sizeof peer);
	return all;
}

static void note_difference(tlua_tally *tally, const tlua_request *request)
{
	tlua_difference *difference = difference_of(tally, request);

	if (tally->differed++ == 0)
		memcpy(tally->first, tally->last, sizeof tally->first);
	if (!difference)
		return;
	memcpy(difference->last, tally->last, sizeof tally->last);
	if (difference->count++ == 0)
		memcpy(difference->first, tally->last, sizeof tally->last);
}

static void differ(tlua_live *shadow, const tlua_request *request, const tlua_verdict *active,
	const tlua_verdict *other)
{
	const char *is = tlua_answer_name(active->answer), *would = tlua_answer_name(other->answer);
	tlua_tally *tally = shadow->tally;

	if (active->answer == other->answer)
		return;
	pthread_mutex_lock(&tally->lock);
	snprintf(tally->last, sizeof tally->last, "%s peer=%.*s db=%.*s: %s, and not %s (%.90s)",
		tlua_kind_names[request->kind], (int)request->peer.len,
		request->peer.ptr ? request->peer.ptr : "", (int)request->db.len,
		request->db.ptr ? request->db.ptr : "", would ? would : "no opinion",
		is ? is : "no opinion", other->where);
	note_difference(tally, request);
	pthread_mutex_unlock(&tally->lock);
}

static tl_policy_answer answer_of(tlua_answer answer)
{
	switch (answer) {
	case TLUA_USUAL: return TL_POLICY_USUAL;
	case TLUA_GRANT: return TL_POLICY_ALLOW;
	case TLUA_DENY: return TL_POLICY_DENY;
	default: return TL_POLICY_PASS;
	}
}

static bool is_spent(const tlua_live *live, const tl_policy_question *q)
{
	return live && live->used > UNITS_A_SECOND && live->second == q->time_ms / 1000 &&
	       !q->peer_name.ptr;
}

static void refuse(tl_policy_verdict *verdict, tl_policy_answer answer, const char *reason)
{
	verdict->answer = answer;
	snprintf(verdict->reason, sizeof verdict->reason, "%s", reason);
}

static void judge(void *ud, const tl_policy_question *q, tl_policy_verdict *verdict)
{
	tlua_seat *seat = ud;
	const tlua_seated *who = &seat->who;
	tlua_verdict active, shadow;
	tlua_request request;
	texts t;

	/* While a node is being opened the engine's thread waits here. */
	if (!tlua_latch_wait(&seat->filled, WAIT_S) || who->denies) {
		refuse(verdict, TL_POLICY_DENY, "the policy is not loaded");
		return;
	}
	if (is_spent(who->active, q) || is_spent(who->shadow, q)) {
		refuse(verdict, TL_POLICY_BUSY, "the policy has used its share of this second");
		return;
	}
	request = request_of(q, &t);
	if (ask(who->active, &request, q->time_ms, &active)) {
		verdict->answer = answer_of(active.answer);
		verdict->rate = active.rate;
		verdict->page = active.page;
		memcpy(verdict->reason, active.reason, sizeof active.reason);
		memcpy(verdict->where, active.where, sizeof active.where);
	}
	if (ask(who->shadow, &request, q->time_ms, &shadow))
		differ(who->shadow, &request, &active, &shadow);
}

static void drop(void *ud)
{
	tlua_seat *seat = ud;

	tlua_live_release(seat->who.active);
	tlua_live_release(seat->who.shadow);
	if (seat->who.gone)
		seat->who.gone(seat->who.ud, seat);
	tlua_latch_destroy(&seat->filled);
	free(seat);
}

tlua_seat *tlua_seat_empty(tl_policy *out)
{
	tlua_seat *seat = calloc(1, sizeof *seat);

	if (!seat)
		return NULL;
	tlua_latch_init(&seat->filled);
	*out = (tl_policy)TL_POLICY_INIT;
	out->judge = judge;
	out->drop = drop;
	out->ud = seat;
	return seat;
}

void tlua_seat_fill(tlua_seat *seat, const tlua_seated *who)
{
	retain(who->active);
	retain(who->shadow);
	seat->who = *who;
	tlua_latch_set(&seat->filled, 1);
}

tlua_seat *tlua_seat_new(const tlua_seated *who, tl_policy *out)
{
	tlua_seat *seat = tlua_seat_empty(out);

	if (seat)
		tlua_seat_fill(seat, who);
	return seat;
}
