#include "rules/having.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/json.h>
#include <tidelock/sync.h>

void *tlua_larger(void *array, size_t *cap, size_t size)
{
	void *larger = realloc(array, (*cap * 2 + 16) * size);

	if (larger)
		*cap = *cap * 2 + 16;
	return larger;
}

/* --- the list --------------------------------------------------------------------------------- */

static size_t place_of(const tlua_things *things, const char *text, bool *there)
{
	size_t low = 0, high = things->count;

	*there = false;
	while (low < high && !*there) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(things->at[middle].text, text);

		*there = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return *there ? high : low;
}

tlua_thing *tlua_things_find(const tlua_things *things, const char *text)
{
	bool there;
	size_t at = place_of(things, text, &there);

	return there ? &things->at[at] : NULL;
}

tlua_thing *tlua_things_put(tlua_things *things, const char *text)
{
	bool there;
	size_t at = place_of(things, text, &there);

	if (there)
		return &things->at[at];
	if (!things->at || things->count == things->cap) {
		tlua_thing *more = tlua_larger(things->at, &things->cap, sizeof *more);

		if (!more)
			return NULL;
		things->at = more;
	}
	if (at < things->count)
		memmove(&things->at[at + 1], &things->at[at],
			(things->count - at) * sizeof *things->at);
	things->count++;
	things->changed = true;
	things->at[at] = (tlua_thing){.seen = false};
	snprintf(things->at[at].text, sizeof things->at[at].text, "%s", text);
	return &things->at[at];
}

static void empty(tlua_thing *thing)
{
	free(thing->name);
	free(thing->said);
}

void tlua_things_clear(tlua_things *things)
{
	for (size_t i = 0; i < things->count; i++)
		empty(&things->at[i]);
	free(things->at);
	*things = (tlua_things){.changed = true};
}

static void unsay(tlua_thing *thing)
{
	free(thing->said);
	thing->said = NULL;
}

void tlua_things_unsay(tlua_things *things, bool failed, size_t rules)
{
	for (size_t i = 0; i < things->count; i++)
		if (!failed || (things->at[i].said &&
				       memchr(things->at[i].said, TLUA_SAID_NOTHING, rules)))
			unsay(&things->at[i]);
}

static void begin(tlua_things *things)
{
	for (size_t i = 0; i < things->count; i++)
		things->at[i].seen = false;
}

static void leave_unseen(tlua_things *things)
{
	size_t kept = 0;

	for (size_t i = 0; i < things->count; i++)
		if (things->at[i].seen)
			things->at[kept++] = things->at[i];
		else
			empty(&things->at[i]);
	things->changed = things->changed || kept < things->count;
	things->count = kept;
}

/* Takes the name, NULL: it has none. */
static void call_it(tlua_things *things, tlua_thing *thing, char *name)
{
	bool same = name && thing->name ? strcmp(name, thing->name) == 0 : name == thing->name;

	if (same) {
		free(name);
		return;
	}
	free(thing->name);
	thing->name = name;
	things->changed = true;
	unsay(thing);
}

int tlua_no_memory(void)
{
	return tl_error_set(TL_E_NOMEM, "not enough memory for the rules");
}

/* --- JSON ------------------------------------------------------------------------------------- */

static bool is_text(tl_str text, const char *other)
{
	return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

int tlua_each_text(tl_str json, int (*visit)(void *ud, tl_str text), void *ud)
{
	tl_json_token token = TL_JSON_NULL;
	tl_json_reader *reader;
	int rc = tl_json_reader_new(&reader, json);

	while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK && token != TL_JSON_END)
		if (token == TL_JSON_KEY && !is_text(tl_json_text(reader), "id"))
			rc = tl_json_skip(reader);
		else if (token == TL_JSON_STRING)
			rc = visit(ud, tl_json_text(reader));
	tl_json_reader_free(reader);
	return rc;
}

/* Of an object: its member of this name, *out of malloc; NULL where it is no text. */
static int text_member(const char *json, const char *name, char **out)
{
	tl_json_token token = TL_JSON_NULL;
	tl_json_reader *reader;
	int rc = tl_json_reader_new(&reader, (tl_str){json, strlen(json)});

	*out = NULL;
	while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK &&
		token != TL_JSON_END) {
		if (token != TL_JSON_KEY)
			continue;
		if (!is_text(tl_json_text(reader), name)) {
			rc = tl_json_skip(reader);
			continue;
		}
		rc = tl_json_next(reader, &token);
		if (rc == TL_OK && token == TL_JSON_STRING) {
			tl_str text = tl_json_text(reader);

			*out = strndup(text.ptr, text.len);
			rc = *out ? TL_OK : tlua_no_memory();
		}
		break;
	}
	tl_json_reader_free(reader);
	return rc;
}

/* --- peers ------------------------------------------------------------------------------------ */

static int read_peer(tl_node *node, tlua_things *peers, const char *key)
{
	char *json = NULL, *name = NULL;
	int rc = tl_sync_get_peer_info(node, key, &json);
	tlua_thing *peer;

	if (rc == TL_E_PEER_NOT_FOUND) /* gone meanwhile */
		return TL_OK;
	if (rc == TL_OK)
		rc = text_member(json, "display_name", &name);
	tl_free(json);
	peer = rc == TL_OK ? tlua_things_put(peers, key) : NULL;
	if (!peer) {
		free(name);
		return rc == TL_OK ? tlua_no_memory() : rc;
	}
	call_it(peers, peer, name);
	peer->seen = true;
	return TL_OK;
}

typedef struct reading {
	tl_node *node;
	tlua_things *things;
	bool names;
} reading;

static int visit_peer(void *ud, tl_str text)
{
	const reading *r = ud;
	char key[TL_KEY_TEXT_LEN + 1];

	if (text.len != TL_KEY_TEXT_LEN)
		return TL_OK;
	memcpy(key, text.ptr, text.len);
	key[text.len] = 0;
	return read_peer(r->node, r->things, key);
}

int tlua_read_peers(tl_node *node, tlua_things *peers)
{
	reading r = {.node = node, .things = peers};
	char *json = NULL;
	int rc = tl_sync_list_peers(node, &json);

	begin(peers);
	if (rc == TL_OK)
		rc = tlua_each_text((tl_str){json, strlen(json)}, visit_peer, &r);
	if (rc == TL_OK)
		leave_unseen(peers);
	tl_free(json);
	return rc;
}

/* --- databases -------------------------------------------------------------------------------- */

/* A name that is no text, or has a zero in it, is none. */
static int name_of(tl_node *node, const tl_id *id, char **out)
{
	tl_database *db = NULL;
	char *name = NULL;
	size_t len = 0;
	int rc = tl_node_load_database(node, id, &db);

	*out = NULL;
	if (rc == TL_OK)
		rc = tl_database_name(db, &name, &len);
	if (rc == TL_E_KEY_NOT_FOUND || rc == TL_E_TYPE_MISMATCH)
		rc = TL_OK;
	if (rc == TL_OK && name && !memchr(name, 0, len)) {
		*out = strndup(name, len);
		rc = *out ? TL_OK : tlua_no_memory();
	}
	tl_free(name);
	tl_database_free(db);
	return rc;
}

int tlua_read_database(tl_node *node, tlua_things *databases, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1], *name;
	tlua_thing *db;
	int rc = name_of(node, id, &name);

	if (rc == TL_E_DATABASE_NOT_FOUND)
		return TL_OK;
	if (rc != TL_OK)
		return rc;
	tl_id_format(id, text);
	db = tlua_things_put(databases, text);
	if (!db) {
		free(name);
		return tlua_no_memory();
	}
	call_it(databases, db, name);
	db->seen = true;
	return TL_OK;
}

static int visit_database(void *ud, const tl_id *id)
{
	const reading *r = ud;
	char text[TL_ID_TEXT_LEN + 1];
	tlua_thing *db;

	tl_id_format(id, text);
	db = tlua_things_find(r->things, text);
	if (!db || r->names)
		return tlua_read_database(r->node, r->things, id);
	db->seen = true;
	return TL_OK;
}

int tlua_read_databases(tl_node *node, tlua_things *databases, bool names)
{
	reading r = {node, databases, names};
	int rc;

	begin(databases);
	rc = tl_node_all_databases(node, false, visit_database, &r);
	if (rc == TL_OK)
		leave_unseen(databases);
	return rc;
}
