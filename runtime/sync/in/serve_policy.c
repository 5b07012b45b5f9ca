/* Decisions of wire/README.md §6: what the default answers, with the policy before it. Blocked
 * peers and system databases were refused earlier and are never asked about. */
#include "sync/in/serve.h"

static tl_policy_question question(
	const tl__sync *sync, const tl__incoming *in, tl_policy_kind kind, const tl_id *db)
{
	tl_policy_question q = {.kind = kind, .db = db, .protocol = in->unproven ? 0 : 1};

	q.address = in->address;
	q.encrypted = tl__sync_encrypted(in->channel);
	q.claimed_key = in->claimed_key;
	if (in->unproven)
		return q;
	q.peer = &in->from;
	q.keys = in->proven + 1;
	q.key_count = in->proven_count - 1;
	if (kind == TL_POLICY_WRITE || kind == TL_POLICY_CREATE)
		q.related = tl__sync_takes(sync, &in->from, db) != NULL;
	else
		q.related = db && tl__sync_gives(sync, &in->from, db) != NULL;
	return q;
}

static bool allows(tl__sync *sync, tl__incoming *in, tl_policy_question *q)
{
	tl_policy_verdict verdict;
	tl_policy_answer answer = tl__sync_ask_policy(sync, q, &verdict);

	in->put_off = in->put_off || answer == TL_POLICY_BUSY;
	if (q->kind == TL_POLICY_CONNECT) {
		in->rate = verdict.rate;
		in->page = verdict.page;
	}
	return answer == TL_POLICY_ALLOW;
}

/* --- rates ------------------------------------------------------------------------------------ */

void tl__serve_hold_rate(tl__sync *sync, const tl__incoming *in)
{
	const tl_policy_question q = {.kind = TL_POLICY_CONNECT, .peer = &in->from};
	const tl_policy_verdict verdict = {.rate = in->rate, .page = in->page};

	if (in->rate > 0 || in->page > 0)
		tl__rate_hold(sync, &q, &verdict);
}

static tl__pair *pair_of(const tl__sync *sync, const tl__incoming *in)
{
	return tl__sync_related(sync, &in->from, &in->db);
}

bool tl__serve_owes(tl__sync *sync, tl__incoming *in)
{
	uint64_t free_at = tl__rate_free_at(sync, &in->from, pair_of(sync, in));
	uint64_t wait = free_at > sync->now ? free_at - sync->now : 0;

	if (wait > 0)
		tl__serve_v1_busy(sync, in, TL__V1_CODE_RATE,
			wait > UINT32_MAX ? UINT32_MAX : (uint32_t)wait);
	return wait > 0;
}

size_t tl__serve_page(const tl__sync *sync, const tl__incoming *in, size_t bytes)
{
	return tl__rate_page(sync, &in->from, pair_of(sync, in), bytes);
}

void tl__serve_spend(tl__sync *sync, const tl__incoming *in, uint64_t bytes)
{
	tl__rate_spend(sync, &in->from, pair_of(sync, in), bytes);
}

/* --- what keys hold --------------------------------------------------------------------------- */

/* A key found only under the device record of 0.2.0 never grants reading: such nodes sign whatever
 * they are asked to. */
static bool grants_read(const tl__work_rights *rights)
{
	if (rights->is_public)
		return true;
	for (size_t i = 0; i < rights->key_count; i++)
		if (rights->keys[i].active &&
			!tl__str_eq(rights->keys[i].name, TL__STR(TL__DEVICE_KEY_NAME)))
			return true;
	return false;
}

static bool grants_write(const tl__work_rights *rights)
{
	if (rights->is_public && rights->public_permission.kind != TL_READ)
		return true;
	for (size_t i = 0; i < rights->key_count; i++)
		if (rights->keys[i].active && rights->keys[i].permission.kind != TL_READ)
			return true;
	return false;
}

bool tl__serve_any_relation(const tl__sync *sync, const tl_id *db)
{
	const tl__sync_db *known = tl__sync_find_db(sync, db);

	for (const tl__pair *pair = known ? known->pairs : NULL; pair; pair = pair->next_of_db)
		if ((pair->gives & TL__PULLS) && pair->peer->status == TL__PEER_ACTIVE)
			return true;
	return false;
}

/* --- decisions -------------------------------------------------------------------------------- */

bool tl__serve_may_connect(tl__sync *sync, tl__incoming *in)
{
	tl_policy_question q = question(sync, in, TL_POLICY_CONNECT, NULL);

	q.otherwise = true;
	return allows(sync, in, &q);
}

bool tl__serve_may_list(tl__sync *sync, tl__incoming *in, const tl__work_db *db)
{
	tl_policy_question q = question(sync, in, TL_POLICY_LIST, &db->id);

	q.db_name = db->name;
	q.granted = db->granted;
	q.otherwise = true; /* the list holds what may be read */
	return allows(sync, in, &q);
}

bool tl__serve_may_read(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights)
{
	tl_policy_question q = question(sync, in, TL_POLICY_READ, &in->db);

	q.db_name = rights->db_name;
	q.granted =
		in->unproven && !sync->options.v0_claims ? rights->is_public : grants_read(rights);
	q.otherwise = q.related || q.granted;
	return allows(sync, in, &q);
}

bool tl__serve_may_write(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights)
{
	tl_policy_question q = question(sync, in, TL_POLICY_WRITE, &in->db);

	q.db_name = rights->db_name;
	if (in->unproven) {
		q.granted = rights->is_public;
		q.otherwise = q.granted || tl__serve_any_relation(sync, &in->db);
	} else {
		q.granted = grants_write(rights);
		q.otherwise = q.related || q.granted;
	}
	return allows(sync, in, &q);
}

bool tl__serve_may_create(tl__sync *sync, tl__incoming *in)
{
	tl_policy_question q = question(sync, in, TL_POLICY_CREATE, &in->db);

	/* Asked for: a relation waits for it. */
	q.otherwise = in->unproven ? tl__serve_any_relation(sync, &in->db) : q.related;
	for (size_t i = 0; !in->unproven && i < sync->accepted_count; i++)
		for (size_t k = 0; k < in->proven_count; k++)
			q.otherwise |= tl__key_equal(&sync->accepted[i], &in->proven[k]);
	return allows(sync, in, &q);
}

bool tl__serve_may_ask(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights,
	const tl__access_wish *wish)
{
	tl_policy_question q = question(sync, in, TL_POLICY_REQUEST, &in->db);
	char permission[24];

	tl_permission_format(wish->permission, permission);
	q.db_name = rights->db_name;
	q.permission = tl__str_z(permission);
	q.key_name = wish->name;
	q.otherwise = true;
	return allows(sync, in, &q);
}
