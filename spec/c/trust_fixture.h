/* What the trust specs share: a node's tree over a memory store, keys, and entries made by hand. */
#ifndef SPEC_TRUST_FIXTURE_H
#define SPEC_TRUST_FIXTURE_H

#include <ftw.h>
#include <tidelock/auth.h>
#include "base/buf.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "tree/tree.h"

#define PEER  TL__STR("ed25519:peer")
#define NOTES TL__STR("notes")

typedef struct world {
	tl__store *store;
	tl__verify_pool *pool;
	tl__tree tree;
	tl__seeded seeded;
	char folder[128]; /* of the store; empty: in memory */
} world;

/* Where the next worlds keep what they hold. */
static bool worlds_on_disk;
/* Whether pages come in as many pieces as they have entries, as if somebody always waited. */
static bool worlds_in_pieces;

static inline int open_store(world *w)
{
	const char *top = getenv("TMPDIR");

	if (!worlds_on_disk)
		return tl__store_open_memory(&w->store, NULL);
	snprintf(w->folder, sizeof w->folder, "%s/tidelock-trust-XXXXXX",
		top && *top ? top : "/tmp");
	if (!mkdtemp(w->folder))
		return TL_E_IO;
	return tl__store_open_sqlite(&w->store, w->folder, TL__DURABLE_RELAXED, NULL);
}

static inline int remove_file(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline bool world_open(world *w)
{
	memset(w, 0, sizeof *w);
	if (open_store(w) != TL_OK || tl__verify_pool_new(&w->pool, 2) != TL_OK ||
		tl__tree_init(&w->tree, w->store, w->pool, &tl__system_clock,
			tl__random_seeded(&w->seeded, 1), NULL) != TL_OK)
		return false;
	w->tree.piece_entries = worlds_in_pieces ? 1 : 0;
	return true;
}

static inline void world_close(world *w)
{
	tl__tree_free(&w->tree);
	tl__verify_pool_free(w->pool);
	tl__store_close(w->store);
	if (w->folder[0])
		nftw(w->folder, remove_file, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool somebody_waits(void *ud)
{
	(void)ud;
	return worlds_in_pieces;
}

/* A case with the histories in memory, and again with them on disk; both also in pieces. */
#define RUN_EACH_WAY(function)                                                                     \
	for (int spec_way = 0; spec_way < 4; spec_way++) {                                         \
		worlds_on_disk = (spec_way & 1) != 0;                                              \
		worlds_in_pieces = (spec_way & 2) != 0;                                            \
		if (worlds_on_disk)                                                                \
			printf("on disk: ");                                                       \
		if (worlds_in_pieces)                                                              \
			printf("in pieces: ");                                                     \
		RUN(function);                                                                     \
		worlds_on_disk = worlds_in_pieces = false;                                         \
	}

/* --- keys ------------------------------------------------------------------------------------- */

typedef struct signer {
	tl_secret secret;
	char text[TL_KEY_TEXT_LEN + 1];
} signer;

/* The same number, the same key. */
static inline signer signer_of(uint8_t number)
{
	uint8_t seed[TL_SEED_BYTES] = {number, 1, 2, 3};
	signer s;
	tl_key key;

	memset(&s, 0, sizeof s);
	if (tl_secret_from_seed(&s.secret, seed) != TL_OK)
		printf("a key cannot be made\n");
	tl_secret_public(&s.secret, &key);
	tl_key_format(&key, s.text);
	return s;
}

/* --- settings --------------------------------------------------------------------------------- */

static inline bool put_text(tl_value *settings, const char *name, tl_str text)
{
	tl_str path[2] = {TL__STR("auth"), tl__str_z(name)};

	return tl_doc_set_at(settings, path, 2, tl_value_text(text)) == TL_OK;
}

/* Adds a key record to a settings Doc; pubkey "*" for the global one. */
static inline bool put_key(tl_value *settings, const char *name, const char *pubkey,
	tl_permission permission, tl_key_status status)
{
	tl_auth_key key = {tl__str_z(pubkey), permission, status};
	char *text;
	size_t len;
	bool done;

	if (tl_auth_key_write(&key, &text, &len) != TL_OK)
		return false;
	done = put_text(settings, name, (tl_str){text, len});
	tl_free(text);
	return done;
}

/* Adds a delegated tree record; max is JSON such as {"Write":10}. */
static inline bool put_tree(
	tl_value *settings, const char *name, const tl_entry *root, const char *max)
{
	tl__buf text = TL__BUF_INIT;
	char id[TL_ID_TEXT_LEN + 1];
	bool done;

	tl_id_format(tl_entry_id(root), id);
	tl__buf_format(&text,
		"{\"permission-bounds\":{\"max\":%s,\"min\":null},"
		"\"tree\":{\"root\":\"%s\",\"tips\":[\"%s\"]}}",
		max, id, id);
	done = tl__buf_status(&text) == TL_OK && put_text(settings, name, tl__buf_view(&text));
	tl__buf_free(&text);
	return done;
}

static inline tl_permission admin(uint32_t priority)
{
	return (tl_permission){TL_ADMIN, priority};
}

static inline tl_permission writing(uint32_t priority)
{
	return (tl_permission){TL_WRITE, priority};
}

/* --- entries ---------------------------------------------------------------------------------- */

#define DRAFT_MAX 24

/* What an entry is to be made of. */
typedef struct draft {
	const tl_entry *root; /* NULL: it is one */
	const tl_entry *parents[DRAFT_MAX];
	size_t parent_count;
	/* Stores: settings are made from the Doc, notes from the text. */
	const tl_value *settings;
	const char *raw_settings; /* instead of a Doc */
	const tl_entry *settings_parents[DRAFT_MAX];
	size_t settings_parent_count;
	const char *notes; /* key=value */
	const tl_entry *notes_parents[DRAFT_MAX];
	size_t notes_parent_count;
	const char *metadata;
	/* Signing. */
	const signer *by;  /* NULL: unsigned */
	const char *name;  /* of the key; NULL: its text */
	const char *shown; /* sig.pubkey */
	bool forged;       /* by a key that is not the one named */
	/* Delegation instead of a name: steps through trees, then the key. */
	const char *steps[12];
	const tl_entry *cited[12][4]; /* of each step but the last */
	size_t step_count;
} draft;

static inline void id_text(const tl_entry *entry, char out[TL_ID_TEXT_LEN + 1])
{
	tl_id_format(tl_entry_id(entry), out);
}

static inline void draft_parents(tl_entry_builder *b, const draft *d)
{
	char text[TL_ID_TEXT_LEN + 1];

	for (size_t i = 0; i < d->parent_count; i++) {
		id_text(d->parents[i], text);
		tl_entry_builder_parent(b, tl__str_z(text));
	}
}

static inline void draft_store_parents(
	tl_entry_builder *b, tl_str store, const tl_entry *const *parents, size_t count)
{
	char text[TL_ID_TEXT_LEN + 1];

	for (size_t i = 0; i < count; i++) {
		id_text(parents[i], text);
		tl_entry_builder_store_parent(b, store, tl__str_z(text));
	}
}

static inline void draft_settings(tl_entry_builder *b, const draft *d)
{
	char *text;
	size_t len;

	if (d->raw_settings)
		tl_entry_builder_store(b, TL__STR(TL__STORE_SETTINGS), tl__str_z(d->raw_settings));
	if (d->settings && tl_doc_write(d->settings, &text, &len) == TL_OK) {
		tl_entry_builder_store(b, TL__STR(TL__STORE_SETTINGS), (tl_str){text, len});
		tl_free(text);
	}
	draft_store_parents(
		b, TL__STR(TL__STORE_SETTINGS), d->settings_parents, d->settings_parent_count);
}

static inline void draft_notes(tl_entry_builder *b, const draft *d)
{
	const char *equals = d->notes ? strchr(d->notes, '=') : NULL;
	tl_value *doc = tl_value_doc();
	tl_str key;
	char *text;
	size_t len;

	if (d->notes && !equals) {
		tl_entry_builder_store(b, NOTES, tl__str_z(d->notes));
	} else if (d->notes && doc) {
		key = (tl_str){d->notes, (size_t)(equals - d->notes)};
		if (tl_doc_put(doc, key, tl_value_text(tl__str_z(equals + 1))) == TL_OK &&
			tl_doc_write(doc, &text, &len) == TL_OK) {
			tl_entry_builder_store(b, NOTES, (tl_str){text, len});
			tl_free(text);
		}
	}
	tl_value_free(doc);
	draft_store_parents(b, NOTES, d->notes_parents, d->notes_parent_count);
}

static inline void draft_steps(tl_entry_builder *b, const draft *d)
{
	for (size_t i = 0; i < d->step_count; i++) {
		char text[4][TL_ID_TEXT_LEN + 1];
		tl_str tips[4];
		size_t n = 0;

		for (; n < 4 && d->cited[i][n]; n++) {
			id_text(d->cited[i][n], text[n]);
			tips[n] = tl__str_z(text[n]);
		}
		tl_entry_builder_step(b, tl__str_z(d->steps[i]),
			i + 1 < d->step_count ? tips : NULL, i + 1 < d->step_count ? n : 0);
	}
}

/* NULL when it cannot be made. */
static inline tl_entry *make(const draft *d)
{
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;
	signer other = signer_of(251);
	char text[TL_ID_TEXT_LEN + 1];

	if (tl_entry_builder_new(&b) != TL_OK)
		return NULL;
	if (d->root) {
		id_text(d->root, text);
		tl_entry_builder_tree(b, tl__str_z(text));
	} else {
		tl_entry_builder_store(b, TL__STR(TL__STORE_ROOT), TL__STR("\"\""));
	}
	draft_parents(b, d);
	if (d->metadata)
		tl_entry_builder_metadata(b, tl__str_z(d->metadata));
	draft_settings(b, d);
	draft_notes(b, d);
	if (d->step_count > 0)
		draft_steps(b, d);
	else if (d->by)
		tl_entry_builder_key(b, tl__str_z(d->name ? d->name : d->by->text),
			d->shown ? tl__str_z(d->shown) : TL__STR_NULL);
	if (tl_entry_builder_finish(b,
		    d->forged ? &other.secret
		    : d->by   ? &d->by->secret
			      : NULL,
		    &entry) != TL_OK) {
		printf("an entry cannot be made: %s\n", tl_error_message(tl_last_error()));
		entry = NULL;
	}
	tl_entry_builder_free(b);
	return entry;
}

/* A root whose only key is its signer's, Admin(0) under its text. */
static inline tl_entry *make_root(const signer *by, const char *metadata)
{
	tl_value *settings = tl_value_doc();
	tl_entry *root = NULL;

	if (settings && put_key(settings, by->text, by->text, admin(0), TL_KEY_ACTIVE))
		root = make(&(draft){.settings = settings, .by = by, .metadata = metadata});
	tl_value_free(settings);
	return root;
}

/* A note on one parent; `before` (may be NULL) is its parent in the store. */
static inline tl_entry *make_note(const tl_entry *root, const tl_entry *parent,
	const tl_entry *before, const signer *by, const char *note)
{
	return make(&(draft){.root = root,
		.parents = {parent},
		.parent_count = 1,
		.notes = note,
		.notes_parents = {before},
		.notes_parent_count = before ? 1 : 0,
		.by = by});
}

/* --- feeding ---------------------------------------------------------------------------------- */

typedef struct feeding {
	tl_str sender;
	bool stranger, known_only;
	bool prepared; /* ahead of its turn, as is every page for a store on disk */
} feeding;

static inline int feed_as(world *w, const tl_entry *root, tl_entry *const *entries, size_t count,
	feeding how, tl__ingest_result *out)
{
	tl_str *lines = tl__alloc((count + 1) * sizeof *lines);
	tl__ingest_page page = {.db = *tl_entry_id(root),
		.lines = lines,
		.count = count,
		.form = TL_ENTRY_CANONICAL,
		.sender = how.sender.ptr ? how.sender : PEER,
		.related = !how.stranger,
		.accept_unknown = !how.known_only,
		.others.wait = somebody_waits};
	int code;

	if (!lines)
		return TL_E_NOMEM;
	for (size_t i = 0; i < count; i++)
		lines[i] = tl_entry_bytes(entries[i]);
	code = how.prepared || w->folder[0] ? tl__ingest_prepare(&page.prepared, &w->tree, &page)
					    : TL_OK;
	if (code == TL_OK)
		code = tl__ingest(&w->tree, &page, out);
	tl__prepared_free(page.prepared);
	tl__free(lines);
	return code;
}

/* One entry; its fate. */
static inline tl__fate feed_one(world *w, const tl_entry *root, tl_entry *entry)
{
	tl__ingest_result result;
	tl__fate fate = {.kind = TL__FATE_DECLINED, .code = TL_E_INTERNAL};
	int code = feed_as(w, root, &entry, 1, (feeding){.stranger = false}, &result);

	if (code != TL_OK) {
		printf("ingest failed: %s\n", tl_error_message(tl_last_error()));
		return fate;
	}
	fate = result.fates[0];
	tl__ingest_result_free(&result);
	return fate;
}

#define CHECK_FATE(expression, wanted_kind, wanted_code)                                           \
	do {                                                                                       \
		tl__fate spec_fate = (expression);                                                 \
		if (spec_fate.kind != (wanted_kind) || spec_fate.code != (wanted_code)) {          \
			spec_case_ok = false;                                                      \
			printf("%s:%d: %s became %d (%s), expected %d (%s)\n", __FILE__, __LINE__, \
				#expression, (int)spec_fate.kind, tl_error_name(spec_fate.code),   \
				(int)(wanted_kind), tl_error_name(wanted_code));                   \
		}                                                                                  \
	} while (0)
#define CHECK_VERIFIED(expression) CHECK_FATE(expression, TL__FATE_VERIFIED, TL_OK)

/* --- looking ---------------------------------------------------------------------------------- */

typedef struct look {
	bool found;
	tl__verdict verdict;
	uint64_t arrival, height;
	bool pinned;
	int reason;
} look;

static inline int look_at_entry(void *ud, const tl__entry_row *row)
{
	*(look *)ud = (look){true, row->verdict, row->arrival, row->height, false, TL_OK};
	return TL_OK;
}

static inline int look_at_aside(void *ud, const tl__aside_row *row)
{
	*(look *)ud = (look){true, row->verdict, 0, 0, row->pinned, row->reason};
	return TL_OK;
}

/* Where an entry is: in the DAG or aside. */
static inline look look_for(world *w, const tl_entry *root, const tl_entry *entry)
{
	tl__snapshot *s = NULL;
	look l = {.found = false};
	const tl_id *db = tl_entry_id(root), *id = tl_entry_id(entry);
	int code = tl__snapshot_open(w->store, &s);

	if (code == TL_OK)
		code = tl__read_entries(s, db, id, 1, 0, look_at_entry, &l);
	if (code == TL_OK && !l.found)
		code = tl__read_asides(s, db, id, 1, 0, look_at_aside, &l);
	if (code != TL_OK)
		printf("looking failed: %s\n", tl_error_message(tl_last_error()));
	tl__snapshot_close(s);
	return l;
}

static inline bool is_where(
	world *w, const tl_entry *root, const tl_entry *entry, tl__verdict verdict)
{
	look l = look_for(w, root, entry);

	return l.found && l.verdict == verdict;
}

/* Whether the note at a key reads so; value NULL: absent. */
static inline bool note_is(world *w, const tl_entry *root, const char *key, const char *value)
{
	tl__snapshot *s = NULL;
	tl_str path = tl__str_z(key);
	tl_value *found = NULL;
	bool same = false;

	if (tl__snapshot_open(w->store, &s) == TL_OK &&
		tl__state_get(s, tl_entry_id(root), NOTES, &path, 1, &found) == TL_OK)
		same = value ? found && tl_value_type(found) == TL_TEXT &&
				       tl__str_eq(tl_value_as_text(found), tl__str_z(value))
			     : !found;
	tl_value_free(found);
	tl__snapshot_close(s);
	return same;
}

static inline uint64_t arrivals(world *w, const tl_entry *root)
{
	tl__snapshot *s = NULL;
	tl__db_row row = {.arrivals = 0};

	if (tl__snapshot_open(w->store, &s) == TL_OK)
		(void)!tl__read_database(s, tl_entry_id(root), &row);
	tl__snapshot_close(s);
	return row.arrivals;
}

static inline uint64_t aside_count(world *w, tl__verdict verdict, tl_str sender)
{
	tl__snapshot *s = NULL;
	uint64_t count = UINT64_MAX, bytes;

	if (tl__snapshot_open(w->store, &s) == TL_OK)
		(void)!tl__read_aside_usage(s, verdict, sender, &count, &bytes);
	tl__snapshot_close(s);
	return count;
}

#endif
