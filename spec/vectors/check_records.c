/* Recorded documents of a sync database: put into the one of a real node, which is opened again and
 * must show what they say. */
#include <string.h>
#include <tidelock/entry.h>
#include "base/system/env.h"
#include "base/mem.h"
#include "tree/history/dag.h"
#include "live.h"

#define REQUEST_AGE_MS (INT64_C(30) * 24 * 3600 * 1000)

/* --- getting them in -------------------------------------------------------------------------- */

static int stage(tl_node *into, const char *store, tl_str content)
{
	tl_database *db = NULL;
	tl_transaction *tx = NULL;
	int rc = tl_sync_tree(into, &db);

	if (rc == TL_OK)
		rc = tl_database_set_default_auth_key(db, TL__STR("_device_key"));
	if (rc == TL_OK)
		rc = tl_transaction_new(db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_set_data(tx, tl__str_z(store), content);
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, NULL);
	tl_transaction_free(tx);
	tl_database_free(db);
	return rc;
}

static const node *parsed(check *c, tl_str text)
{
	static const node none;

	if (text.ptr && text_sorted(&c->arena, text).ptr)
		return node_parse(&c->arena, text);
	wrong(c, "the vector's text is no JSON");
	return &none;
}

static const node *children_of(check *c, tl_str content)
{
	return node_get(parsed(c, content), "children");
}

/* A member's text: {"x":{"Text":T}}. */
static tl_str text_in(const node *doc, const char *name)
{
	return node_text(node_get(doc, name), "Text");
}

/* A parsed JSON that a call of the node returned. */
static const node *shown(check *c, int rc, char *json)
{
	const node *out = NULL;

	if (rc == TL_OK) {
		tl_str text = tl__arena_str(&c->arena, tl__str_z(json));

		out = node_parse(&c->arena, text);
	}
	tl_free(json);
	return out;
}

static bool lists(const node *array, tl_str text)
{
	for (size_t i = 0; array && i < array->count; i++)
		if (tl__str_eq(array->children[i].text, text))
			return true;
	return false;
}

/* --- peers ------------------------------------------------------------------------------------ */

static bool is_peer(const node *item)
{
	tl_key key;

	return tl_key_parse(&key, item->name) == TL_OK && node_has(item, "Doc");
}

static void compare_addresses(check *c, const node *got, tl_str recorded)
{
	const node *wanted = parsed(c, recorded);
	size_t count = wanted->count > 16 ? 16 : wanted->count;

	if (got->count != count) {
		wrong(c, "%zu addresses are shown, %zu were stored", got->count, wanted->count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const node *a = &got->children[i], *b = &wanted->children[i];
		tl_str type = node_text(b, "transport_type"), at = node_text(b, "address");
		char text[1024];

		snprintf(text, sizeof text, "%.*s:%.*s", TL__STR_ARG(type), TL__STR_ARG(at));
		expect_text(c, node_text(a, "address"), tl__str_z(text), "address");
	}
	if (wanted->count > count)
		differs(c, "a peer has at most 16 addresses");
}

static void check_peer(check *c, tl_node *node_of, const node *item)
{
	const node *doc = node_get(node_get(item, "Doc"), "children"), *info;
	tl_str key = tl__arena_str(&c->arena, item->name), addresses = text_in(doc, "addresses");
	char *json = NULL;
	int rc = tl_sync_get_peer_info(node_of, key.ptr, &json);

	info = shown(c, rc, json);
	if (!info) {
		wrong(c, "a stored peer is not known: %s", tl_error_message(tl_last_error()));
		return;
	}
	expect_text(c, node_text(info, "pubkey"), text_in(doc, "pubkey"), "pubkey");
	expect_text(c, node_text(info, "status"), text_in(doc, "status"), "status");
	expect_text(c, node_text(info, "display_name"), text_in(doc, "display_name"), "name");
	if (addresses.ptr)
		compare_addresses(c, node_get(info, "addresses"), addresses);
}

static void check_peers(check *c, tl_node *node_of, const node *children)
{
	char *json = NULL;
	int rc = tl_sync_list_peers(node_of, &json);
	const node *list = shown(c, rc, json);
	size_t peers = 0;

	for (size_t i = 0; i < children->count; i++) {
		const node *item = &children->children[i];

		if (!is_peer(item)) {
			differs(c, "what stands under no key is no peer, and harms none");
			continue;
		}
		peers++;
		expect(c, lists(list, item->name), "a stored peer is listed");
		check_peer(c, node_of, item);
	}
	expect(c, list && list->count == peers, "as many peers as were stored");
}

/* --- relations -------------------------------------------------------------------------------- */

/* Peers of a relation must be known. */
static void register_peers(check *c, tl_node *node_of, const node *children)
{
	for (size_t i = 0; i < children->count; i++) {
		const node *doc = node_get(node_get(&children->children[i], "Doc"), "children");
		const node *keys = parsed(c, text_in(doc, "peer_pubkeys"));

		for (size_t k = 0; k < keys->count; k++) {
			tl_str key = tl__arena_str(&c->arena, keys->children[k].text);
			int rc = tl_sync_register_peer(node_of, key.ptr, NULL);

			expect(c, rc == TL_OK || rc == TL_E_PEER_ALREADY_EXISTS, "register");
		}
	}
}

static void check_trees(check *c, tl_node *node_of, const node *children)
{
	for (size_t i = 0; i < children->count; i++) {
		const node *item = &children->children[i], *list;
		const node *doc = node_get(node_get(item, "Doc"), "children");
		const node *keys = parsed(c, text_in(doc, "peer_pubkeys"));
		char *json = NULL;
		tl_id db;
		int rc = tl_id_parse(&db, item->name);

		if (rc == TL_OK)
			rc = tl_sync_get_tree_peers(node_of, &db, &json);
		list = shown(c, rc, json);
		expect(c, list && list->count == keys->count, "as many peers as were stored");
		for (size_t k = 0; k < keys->count; k++)
			expect(c, lists(list, keys->children[k].text), "a stored relation");
	}
}

/* --- requests for access ---------------------------------------------------------------------- */

static const node *find_request(const node *list, tl_str id)
{
	for (size_t i = 0; list && i < list->count; i++)
		if (tl__str_eq(node_text(&list->children[i], "request_id"), id))
			return &list->children[i];
	return NULL;
}

static const char *state_of(const node *record)
{
	const node *status = node_get(record, "status");

	if (status->kind == NODE_STRING)
		return "pending";
	return node_has(status, "Approved") ? "approved" : "rejected";
}

static bool is_fresh(const node *record)
{
	tl_str text = node_text(record, "timestamp");
	int64_t time;

	return tl__time_parse(text.ptr, text.len, &time) == TL_OK &&
	       tl__system_clock.wall_ms(tl__system_clock.ud) - time <= REQUEST_AGE_MS;
}

/* What is stored in the form of 0.2.0 is shown in the form that everything has. */
static void check_shown(check *c, const node *found, const node *record)
{
	static const char *const same[] = {"tree_id", "requesting_pubkey", "requesting_key_name"};
	tl_str stored = node_sorted(&c->arena, node_get(record, "requested_permission"));
	tl_str asked = node_text(record, "timestamp"), told = node_text(found, "timestamp");
	tl_permission permission;
	char text[24] = "";
	int64_t then = 0, shown_then = -1;

	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		expect_text(c, node_text(found, same[i]), node_text(record, same[i]), same[i]);
	/* It stands in brackets. */
	stored = (tl_str){stored.ptr + 1, stored.len - 2};
	if (tl_permission_from_json(&permission, stored) == TL_OK)
		tl_permission_format(permission, text);
	expect_text(c, node_text(found, "requested_permission"), tl__str_z(text),
		"requested_permission");
	expect_text(c, node_text(found, "status"), tl__str_z(state_of(record)), "status");
	if (tl__time_parse(asked.ptr, asked.len, &then) == TL_OK)
		(void)!tl__time_parse(told.ptr, told.len, &shown_then);
	expect(c, then == shown_then, "timestamp");
}

static void check_requests(check *c, tl_node *node_of, const node *children)
{
	for (size_t i = 0; i < children->count; i++) {
		const node *item = &children->children[i], *list, *found;
		const node *record = parsed(c, node_text(item, "Text"));
		char *json = NULL;
		int rc = tl_sync_bootstrap_requests(node_of, state_of(record), &json);

		list = shown(c, rc, json);
		found = find_request(list, item->name);
		if (!found) {
			if (is_fresh(record) || strcmp(state_of(record), "pending") != 0)
				wrong(c, "a stored request is not listed as %s", state_of(record));
			else
				differs(c, "a request that nobody answered ends after 30 days");
			continue;
		}
		check_shown(c, found, record);
	}
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Signed by a key that its own settings name. */
static bool signed_by_its_own(tl_entry *root)
{
	ptrdiff_t store = tl_entry_find_store(root, TL__STR("_settings"));
	tl_value *settings = NULL;
	tl_auth *auth = NULL;
	tl_signer signer;
	bool good = store >= 0 &&
		    tl_doc_parse(&settings, tl_entry_store_data(root, (size_t)store)) == TL_OK &&
		    tl_auth_from_settings(&auth, settings) == TL_OK &&
		    tl_auth_resolve(&signer, auth, root, NULL, NULL) == TL_OK &&
		    tl_entry_verify(root, &signer.key) == TL_OK;

	tl_auth_free(auth);
	tl_value_free(settings);
	return good;
}

/* A stored entry is judged as a received one: good, on the entries that the recorded exchanges
 * show.
 */
static void check_stored_entry(check *c, tl_str content)
{
	tl_entry *entry = NULL;
	tl_str *others;
	bool is_system;
	size_t count;
	tl_id id, db;
	live l;

	if (tl_entry_parse(&entry, content, TL_ENTRY_CANONICAL) != TL_OK ||
		tl_entry_check(entry) != TL_OK) {
		wrong(c, "no entry: %s", tl_error_message(tl_last_error()));
		tl_entry_free(entry);
		return;
	}
	expect_text(c, tl_entry_bytes(entry), content, "written again");
	is_system = tl_entry_is_root(entry) && tl__root_is_system(entry);
	if (is_system)
		expect(c, signed_by_its_own(entry), "signed by a key of its own settings");
	id = db = *tl_entry_id(entry);
	if (tl_entry_tree(entry).len > 0 && tl_id_parse(&db, tl_entry_tree(entry)) != TL_OK)
		wrong(c, "an entry of no database");
	tl_entry_free(entry);
	others = texts_of_db(c, &db, &count);
	if (!others) {
		skip(c, "what it stands on is told in messages of 0.2.0");
		return;
	}
	if (live_open(&l, c, TL__STR_NULL, NULL, false)) {
		live_take(&l, c, &db, others, count);
		live_take(&l, c, &db, &content, 1);
		if (is_system)
			differs(c, "system databases are never taken from anybody");
		expect(c, live_has(&l, &db, &id) == !is_system, "it is good");
	}
	live_close(&l);
}

/* --- the section ------------------------------------------------------------------------------ */

static void check_written_again(check *c, tl_str content)
{
	tl_value *doc = NULL;
	char *text = NULL;
	size_t len = 0;

	if (tl_doc_parse(&doc, content) != TL_OK || tl_doc_write(doc, &text, &len) != TL_OK)
		wrong(c, "not read: %s", tl_error_message(tl_last_error()));
	else
		expect_json(c, (tl_str){text, len}, content, "written again");
	tl_free(text);
	tl_value_free(doc);
}

static void check_store(check *c, const char *store, tl_str content)
{
	const node *children = children_of(c, content);
	live l;

	if (live_open_kept(&l, c)) {
		if (strcmp(store, "trees") == 0)
			register_peers(c, l.node, children);
		if (stage(l.node, store, content) != TL_OK)
			wrong(c, "not stored: %s", tl_error_message(tl_last_error()));
		live_end(&l);
		if (live_again(&l, c)) {
			if (strcmp(store, "peers") == 0)
				check_peers(c, l.node, children);
			else if (strcmp(store, "trees") == 0)
				check_trees(c, l.node, children);
			else if (strcmp(store, "bootstrap_requests") == 0)
				check_requests(c, l.node, children);
			else
				differs(c, "users' settings are not part of this version: kept, "
					   "and nothing is decided by them");
		}
	}
	live_close(&l);
}

void check_sync_record(check *c, const node *section)
{
	tl_str content = node_text(c->item, "content"), name = node_text(c->item, "store");
	char store[64];

	(void)section;
	snprintf(store, sizeof store, "%.*s", TL__STR_ARG(name));
	if (strcmp(store, "entry") == 0) {
		check_stored_entry(c, content);
		return;
	}
	check_written_again(c, content);
	check_store(c, store, content);
}
