/* What must be answered, worked out from the request, the settings and the entries alone, and
 * compared with what came; where that is another answer than 0.2.0's, the rule that says so is
 * printed. */
#include <string.h>
#include <tidelock/entry.h>
#include "play.h"

/* --- answers ---------------------------------------------------------------------------------- */

static int pass_over(void *ud, tl_str text, bool is_root)
{
	(void)ud;
	(void)text;
	(void)is_root;
	return TL_OK;
}

const tl__v0_response *read_answer(tl__v0_reader **reader, tl_str body)
{
	if (tl__v0_reader_new(reader, pass_over, NULL) != TL_OK ||
		tl__v0_reader_feed(*reader, body.ptr, body.len) != TL_OK ||
		tl__v0_reader_finish(*reader) != TL_OK)
		return NULL;
	return tl__v0_reader_response(*reader);
}

tl__v0_response_kind answer_kind(tl_str body)
{
	tl__v0_reader *reader = NULL;
	const tl__v0_response *r = read_answer(&reader, body);
	tl__v0_response_kind kind = r ? r->kind : TL__V0_RESPONSE_NONE;

	tl__v0_reader_free(reader);
	return kind;
}

static const char *kind_name(tl__v0_response_kind kind)
{
	static const char *const names[] = {"nothing readable", "Handshake", "Bootstrap",
		"Incremental", "BootstrapPending", "Ack", "Count", "Error"};

	return names[kind];
}

/* --- what must be answered -------------------------------------------------------------------- */

static bool auth_of(play *p, tl_auth **auth)
{
	tl_database *db = NULL;
	tl_value *settings = NULL;
	bool good = tl_node_load_database(p->live.node, &p->db, &db) == TL_OK &&
		    tl_database_settings(db, &settings) == TL_OK &&
		    tl_auth_from_settings(auth, settings) == TL_OK;

	tl_value_free(settings);
	tl_database_free(db);
	return good;
}

/* Best Active record of exactly this key. */
static bool record_of(const tl_auth *auth, tl_str key, tl_permission *best)
{
	const tl_auth_key *record;
	bool any = false;
	tl_str name;

	for (size_t i = 0; key.ptr && tl_auth_key_at(auth, i, &name, &record); i++)
		if (record->status == TL_KEY_ACTIVE && tl__str_eq(record->pubkey, key) &&
			!tl__str_eq(key, TL__STR("*")) &&
			(!any || tl_permission_compare(record->permission, *best) > 0)) {
			*best = record->permission;
			any = true;
		}
	return any;
}

typedef struct verdict {
	tl__v0_response_kind kind;
	bool approved;
	tl_permission granted;
} verdict;

static bool name_allowed(tl_str name)
{
	return name.len > 0 && !tl__str_eq(name, TL__STR("*")) && !memchr(name.ptr, '.', name.len);
}

/* runtime/wire/README.md section 6, for a peer that proves nothing. */
static verdict judge_tree(play *p)
{
	const tl__v0_sync_tree *t = &p->request.sync_tree;
	verdict v = {.kind = TL__V0_RESPONSE_ERROR};
	tl_auth *auth = NULL;
	const tl_auth_key *global;
	tl_permission own, best = {0};
	bool named, mine, any;
	tl_key key;

	if (!p->has_db || !live_has(&p->live, &p->db, &p->db) || !auth_of(p, &auth))
		return v;
	global = tl_auth_global(auth);
	named = record_of(auth, t->requesting_key, &own);
	mine = p->claims && named;
	any = global || mine;
	if (global)
		best = global->permission;
	if (mine && (!global || tl_permission_compare(own, best) > 0))
		best = own;
	if (t->requesting_key.ptr && t->requesting_key_name.ptr && any) {
		v.granted = t->has_permission ? t->permission : best;
		v.approved = tl_permission_compare(best, v.granted) >= 0;
	}
	if (t->tip_count == 0 && !v.approved && t->has_permission && t->requesting_key_name.ptr &&
		t->requesting_key.ptr && tl_key_parse(&key, t->requesting_key) == TL_OK)
		/* What the settings give already is not asked of the owner again. */
		v.kind = name_allowed(t->requesting_key_name) &&
					 !(named && tl_permission_compare(own, t->permission) >= 0)
				 ? TL__V0_RESPONSE_PENDING
				 : TL__V0_RESPONSE_ERROR;
	else if (any)
		v.kind =
			t->tip_count == 0 ? TL__V0_RESPONSE_BOOTSTRAP : TL__V0_RESPONSE_INCREMENTAL;
	tl_auth_free(auth);
	return v;
}

/* --- entries of the answer -------------------------------------------------------------------- */

/* Marks what the requester has, judged by the tips that are known here. */
static void mark_theirs(play *p, bool *marks)
{
	const tl__v0_sync_tree *t = &p->request.sync_tree;

	for (size_t i = 0; i < t->tip_count; i++) {
		const pool_entry *e;
		tl_id id;

		if (tl_id_parse(&id, t->our_tips[i]) != TL_OK)
			continue;
		e = pool_find(p->pool, &id);
		if (e && p->held[e - p->pool->at])
			pool_mark(p->pool, &id, 1, marks);
	}
}

static bool parents_before(const pool *among, const entry_list *list, size_t at)
{
	const pool_entry *e = pool_find(among, &list->ids[at]);

	for (size_t i = 0; e && i < e->parent_count; i++)
		for (size_t later = at + 1; later < list->count; later++)
			if (memcmp(&list->ids[later], &e->parents[i], sizeof(tl_id)) == 0)
				return false;
	return e != NULL;
}

/* Exactly what is held here and not there, parents first. */
static void check_entries(play *p, const entry_list *got)
{
	bool *theirs = tl__arena_alloc(&p->c->arena, p->pool->count + 1, sizeof *theirs);
	size_t wanted = 0;

	if (!theirs)
		return;
	mark_theirs(p, theirs);
	for (size_t i = 0; i < p->pool->count; i++) {
		if (!p->held[i] || theirs[i] ||
			memcmp(&p->pool->at[i].db, &p->db, sizeof p->db) != 0)
			continue;
		wanted++;
		if (!list_has(got, &p->pool->at[i].id))
			wrong(p->c, "an entry that the requester lacks is not sent");
	}
	if (got->count != wanted)
		wrong(p->c, "%zu entries are sent instead of %zu", got->count, wanted);
	for (size_t i = 0; i < got->count; i++)
		if (!parents_before(p->pool, got, i))
			wrong(p->c, "entry %zu comes before what it stands on", i);
}

/* Why 0.2.0 sent others. */
static void compare_entries(play *p, const entry_list *got)
{
	bool forged = false, again = false;

	for (size_t i = 0; i < p->recorded_entries.count; i++) {
		const tl_id *id = &p->recorded_entries.ids[i];
		const pool_entry *e = pool_find(p->pool, id);

		if (list_has(got, id))
			continue;
		if (!e || !p->held[e - p->pool->at])
			forged = true;
		else
			again = true;
	}
	for (size_t i = 0; i < got->count; i++)
		if (!list_has(&p->recorded_entries, &got->ids[i]))
			wrong(p->c, "an entry is sent that 0.2.0 did not send");
	if (forged)
		differs(p->c, "what nobody may have written is not shown and not sent");
	else if (again)
		differs(p->c, "what the requester's tips stand on is not sent again");
}

/* Tips are the held entries that no held entry names as a main parent. */
static void check_tips(play *p, const tl__v0_response *r)
{
	for (size_t i = 0; i < r->tip_count; i++) {
		const pool_entry *e;
		tl_id id;

		if (tl_id_parse(&id, r->their_tips[i]) != TL_OK) {
			wrong(p->c, "a tip is no id");
			continue;
		}
		e = pool_find(p->pool, &id);
		if (!e || !p->held[e - p->pool->at])
			wrong(p->c, "a tip is told that is not held");
	}
	expect(p->c, r->tip_count > 0, "tips are told");
}

static void check_tree_answer(play *p, const tl__v0_response *r, tl_str body, const verdict *v)
{
	entry_list got;

	expect_text(p->c, r->tree_id, p->request.sync_tree.tree_id, "tree_id");
	if (!entries_of_answer(&p->c->arena, body, &got)) {
		wrong(p->c, "the entries of the answer are not read");
		return;
	}
	check_entries(p, &got);
	if (v->kind == p->recorded_kind)
		compare_entries(p, &got);
	if (v->kind == TL__V0_RESPONSE_INCREMENTAL) {
		check_tips(p, r);
		return;
	}
	expect(p->c, got.has_root && memcmp(&got.ids[0], &p->db, sizeof p->db) == 0, "root");
	expect(p->c, r->key_approved == v->approved, "key_approved");
	expect(p->c,
		r->has_granted == v->approved &&
			(!v->approved || tl_permission_compare(r->granted, v->granted) == 0),
		"granted_permission");
}

/* The rule by which another variant is right. */
static void explain_variant(play *p, const verdict *v)
{
	if (v->kind == p->recorded_kind)
		return;
	if (p->recorded_kind == TL__V0_RESPONSE_ERROR)
		differs(p->c, "there is no gate by users' settings, and what nobody may have "
			      "written blocks no walk: whoever may read is answered");
	else if (p->recorded_kind == TL__V0_RESPONSE_PENDING)
		differs(p->c, "a request for access names a key and a plain name");
	else if (v->kind == TL__V0_RESPONSE_PENDING)
		differs(p->c, "a peer of the old protocol holds no key: the owner is asked");
	else if (p->claims)
		differs(p->c, "only Active records count");
	else
		differs(p->c, "a peer of the old protocol holds no key: what is not public is "
			      "answered as if it were not there");
}

static void check_tree(play *p, tl_str body)
{
	verdict v = judge_tree(p);
	tl__v0_reader *reader = NULL;
	const tl__v0_response *r = read_answer(&reader, body);

	if (!r || r->kind != v.kind) {
		wrong(p->c, "answered %s, must be %s%s: %.*s",
			kind_name(r ? r->kind : TL__V0_RESPONSE_NONE), kind_name(v.kind),
			p->claims ? " (claims count)" : "", body.len > 200 ? 200 : (int)body.len,
			body.ptr);
	} else {
		explain_variant(p, &v);
		if (v.kind == TL__V0_RESPONSE_BOOTSTRAP || v.kind == TL__V0_RESPONSE_INCREMENTAL)
			check_tree_answer(p, r, body, &v);
		if (v.kind == TL__V0_RESPONSE_PENDING)
			expect(p->c, r->request_id.len == 36, "request_id");
	}
	tl__v0_reader_free(reader);
}

/* --- the other requests ----------------------------------------------------------------------- */

static void check_handshake_answer(play *p, const tl__v0_response *r)
{
	const tl__v0_handshake_request *asked = &p->request.handshake;
	const tl__v0_handshake_response *a = &r->handshake;
	tl__v0_reader *reader = NULL;
	const tl__v0_response *then = read_answer(&reader, p->recorded);
	tl_key key;

	if (tl_key_parse(&key, a->public_key) != TL_OK || a->challenge_response.len != 64 ||
		tl_verify(&key, asked->challenge.ptr, asked->challenge.len,
			(const uint8_t *)a->challenge_response.ptr) != TL_OK)
		wrong(p->c, "the challenge is not answered by the key that is named");
	expect_text(p->c, a->device_id, a->public_key, "device_id");
	expect(p->c, a->protocol_version == TL__V0_VERSION, "protocol_version");
	expect(p->c, a->new_challenge.len == TL__V0_CHALLENGE_BYTES, "new_challenge");
	expect(p->c, a->tidelock_v1, "the offer of the newer protocol");
	expect(p->c, a->tree_count == 0, "available_trees of a node without public databases");
	if (then && then->kind == TL__V0_RESPONSE_HANDSHAKE) {
		const tl__v0_handshake_response *b = &then->handshake;

		/* With the recorded key; Ed25519 is deterministic: it says the same. */
		if (node_has(vector_section("wire_keys"), "server_device_seed")) {
			expect_text(p->c, a->public_key, b->public_key, "public_key");
			expect(p->c, tl__str_eq(a->challenge_response, b->challenge_response),
				"challenge_response as recorded");
		}
		if (b->tree_count > 0)
			differs(p->c, "only databases that everybody may read are listed");
	}
	tl__v0_reader_free(reader);
}

static void check_handshake_said(play *p, tl_str body)
{
	const tl__v0_handshake_request *asked = &p->request.handshake;
	bool refuse = asked->protocol_version != TL__V0_VERSION ||
		      asked->challenge.len != TL__V0_CHALLENGE_BYTES;
	tl__v0_reader *reader = NULL;
	const tl__v0_response *r = read_answer(&reader, body);

	if (!r)
		wrong(p->c, "the answer to a handshake is not read");
	else if (refuse)
		expect(p->c, r->kind == TL__V0_RESPONSE_ERROR, "a refused handshake");
	else if (r->kind != TL__V0_RESPONSE_HANDSHAKE)
		wrong(p->c, "a good handshake is answered by %s", kind_name(r->kind));
	else
		check_handshake_answer(p, r);
	if (refuse && p->recorded_kind == TL__V0_RESPONSE_HANDSHAKE)
		differs(p->c, "a challenge has exactly 32 bytes: nothing else is ever signed");
	tl__v0_reader_free(reader);
}

/* Ack for one or none, else the number of those that were kept. */
static void check_push(play *p, tl_str body)
{
	size_t count = p->request.entry_count, kept = 0;
	tl__v0_reader *reader = NULL;
	const tl__v0_response *r = read_answer(&reader, body);
	entry_list pushed;

	if (!r || !entries_of_request(&p->c->arena, p->body, &pushed)) {
		wrong(p->c, "the answer to a push is not read");
		tl__v0_reader_free(reader);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const pool_entry *e = pool_find(p->pool, &pushed.ids[i]);

		kept += e && live_keeps(&p->live, &e->db, &e->id);
	}
	expect(p->c, r->kind == (count <= 1 ? TL__V0_RESPONSE_ACK : TL__V0_RESPONSE_COUNT),
		"Ack for one, Count for several");
	if (r->kind == TL__V0_RESPONSE_COUNT && r->count != kept)
		wrong(p->c, "%llu are said to be kept, %zu are", (unsigned long long)r->count,
			kept);
	tl__v0_reader_free(reader);
	reader = NULL;
	r = read_answer(&reader, p->recorded);
	if (r && r->kind == TL__V0_RESPONSE_COUNT && r->count != kept)
		differs(p->c, "only entries that verify, of databases that may be carried, count");
	tl__v0_reader_free(reader);
}

void check_answer(play *p, tl_str body)
{
	switch (p->request.kind) {
	case TL__V0_HANDSHAKE: check_handshake_said(p, body); break;
	case TL__V0_SYNC_TREE: check_tree(p, body); break;
	case TL__V0_SEND_ENTRIES: check_push(p, body); break;
	}
}
