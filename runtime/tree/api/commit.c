/* Committing: from what is staged to a stored entry. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "tree/api/fresh.h"
#include "tree/api/handles.h"
#include "tree/history/recent.h"
#include "tree/trust/rights.h"

/* --- storing ---------------------------------------------------------------------------------- */

/* Whether a database is the library's own is told by its root; another one may be called so too. */
static int name_database(const tl__commit *commit, tl_hook_context *context)
{
	tl__rights *rights = NULL;
	int code;

	context->db_name = tl__settings_name(commit->settings);
	context->is_system = tl__is_system_name(context->db_name);
	if (!context->is_system || context->is_root_entry)
		return TL_OK;
	code = tl__rights_now(commit->host->tree, commit->db_id, &rights);
	context->is_system = rights && rights->system;
	tl__rights_release(rights);
	return code;
}

/* Texts of the context are gathered in *names, which the caller frees. */
static int fill_context(const tl__commit *commit, tl_hook_context *context, tl_str **names)
{
	size_t count = tl_entry_store_count(commit->entry);

	*names = tl__alloc_zero(count + 1, sizeof **names);
	if (!*names)
		return TL_E_NOMEM;
	for (size_t i = 0; i < count; i++)
		(*names)[i] = tl_entry_store_name(commit->entry, i);
	*context = (tl_hook_context){
		.size = sizeof *context,
		.entry = commit->entry,
		.tree_id = commit->db_id,
		.is_root_entry = tl_entry_is_root(commit->entry),
		.entry_bytes = tl_entry_bytes(commit->entry).len,
		.stores = *names,
		.store_count = count,
		.author = commit->author,
		.database = commit->db,
	};
	return name_database(commit, context);
}

/* A Doc of which nobody could read the state (many children below a long key) is not written;
 * opaque data is. */
static int check_readable(const tl_entry *entry, const tl__put_entry *put)
{
	for (size_t i = 0; i < put->store_count; i++) {
		ptrdiff_t at = tl_entry_find_store(entry, put->stores[i].name);
		tl_value *doc = NULL;
		int code;

		if (!put->stores[i].unreadable || at < 0)
			continue;
		code = tl_doc_parse(&doc, tl_entry_store_data(entry, (size_t)at));
		tl_value_free(doc);
		if (code == TL_E_NOMEM)
			return code;
		if (code == TL_OK)
			return tl__fail(TL_E_TOO_LARGE,
				"the paths staged in store `%.*s` come to more than %u bytes: "
				"commit in smaller parts or use shorter keys",
				TL__STR_ARG(put->stores[i].name), TL__DELTA_FORMAT_PATHS_BYTES);
	}
	return TL_OK;
}

static int write_entry(const tl__commit *commit, uint64_t *arrival, tl__fresh **fresh)
{
	tl__tree *tree = commit->host->tree;
	tl__batch batch;
	int code;

	*arrival = 0;
	tl__tree_lock(tree, commit->db_id, TL__WRITES_COMMIT);
	code = tl__plan_add(commit->plan, commit->entry, TL__VERIFIED);
	if (code == TL_OK)
		code = tl__plan_batch(commit->plan, &batch);
	if (code == TL_OK && batch.entry_count > 0)
		code = check_readable(commit->entry, &batch.entries[0]);
	if (code == TL_OK) {
		batch.local_commit = true;
		code = tl__store_write(tree->store, &batch);
		tl__rights_wrote(tree, &batch);
	}
	if (code == TL_OK && batch.entry_count > 0 && batch.entries[0].arrival > 0) {
		*arrival = batch.entries[0].arrival;
		*fresh = tree->listener.committed ? tl__fresh_new(tree, &batch) : NULL;
		tl__recent_note(tree->recent, commit->db_id, &batch.entries[0]);
	}
	tl__tree_unlock(tree, commit->db_id);
	/* Equal bytes were written before: that entry is this one. */
	return code == TL_E_ALREADY_EXISTS ? TL_OK : code;
}

int tl__commit_entry(tl__commit *commit)
{
	tl__tree *tree = commit->host->tree;
	tl_hook_context context;
	const tl__moment moment = {
		commit->lists, commit->list_count, &context, commit->host->by_node};
	tl__fresh *fresh = NULL;
	tl_str *names = NULL;
	uint64_t arrival;
	int code;

	if (tl_entry_bytes(commit->entry).len > TL_WRITE_MAX_BYTES)
		return tl__fail(TL_E_TOO_LARGE,
			"the entry would have %zu bytes, more than %u: commit in smaller parts",
			tl_entry_bytes(commit->entry).len, TL_WRITE_MAX_BYTES);
	code = tl_entry_check(commit->entry);
	if (code != TL_OK)
		return code;
	code = fill_context(commit, &context, &names);
	if (code == TL_OK)
		code = tl__hooks_before(&moment);
	if (code == TL_OK && commit->refused && *commit->refused)
		code = tl__fail(TL_E_HOOK_FAILED,
			"a before_commit hook rolled the transaction back, which refuses its "
			"commit");
	if (code == TL_OK && commit->host->check) /* a node that is closed has no hooks any more */
		code = commit->host->check(commit->host->ud);
	if (code == TL_OK) /* a hook may fork, and return in the child too */
		code = tl__store_own(tree->store);
	if (code == TL_OK)
		code = write_entry(commit, &arrival, &fresh);
	if (code == TL_OK && arrival > 0 && tree->listener.committed)
		tree->listener.committed(tree->listener.ud, commit->db_id, arrival, fresh);
	if (code == TL_OK)
		tl__hooks_committed(&moment, tree->log);
	tl__free(names);
	return code;
}

/* --- building --------------------------------------------------------------------------------- */

/* The longest path below a Doc, dots between the keys counted. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static size_t longest_path(const tl_value *doc)
{
	size_t longest = 0;
	tl_value *value;
	tl_str key;

	for (size_t i = 0; tl_value_type(doc) == TL_DOC && tl_doc_at(doc, i, &key, &value); i++) {
		size_t below = longest_path(value);
		size_t len = key.len + (below > 0 ? below + 1 : 0);

		longest = len > longest ? len : longest;
	}
	return longest;
}

int tl__build_doc(tl_entry_builder *builder, tl_str name, const tl_value *doc)
{
	char *text = NULL;
	size_t len;
	int code = tl_doc_write(doc, &text, &len);

	/* After the writer, which bounds the depth. */
	if (code == TL_OK && longest_path(doc) > TL_WRITE_MAX_PATH)
		code = tl__fail(TL_E_TOO_LARGE,
			"a path in store `%.*s` has more than %u bytes; use shorter keys",
			TL__STR_ARG(name), TL_WRITE_MAX_PATH);
	if (code == TL_OK)
		tl_entry_builder_store(builder, name, (tl_str){text, len});
	tl_free(text);
	return code;
}

static bool is_dropped(const tl__staged *staged)
{
	tl_str data = {staged->data, staged->data_len};

	return !staged->doc && (!staged->data || data.len == 0 || tl__str_eq(data, TL__STR("{}")));
}

static void add_store_parents(tl_entry_builder *builder, tl_str name, const tl__ids *ids)
{
	char text[TL_ID_TEXT_LEN + 1];

	/* More tips than an entry may name are joined by several entries. */
	for (size_t i = 0; i < ids->count && i < TL_WRITE_MAX_PARENTS; i++) {
		tl_id_format(&ids->at[i], text);
		tl_entry_builder_store_parent(builder, name, tl__str_z(text));
	}
}

static int add_store(tl_transaction *tx, const tl__read *read, const tl__staged *staged,
	tl_entry_builder *builder)
{
	tl__ids tips = {0};
	int code = TL_OK;

	if (read->present)
		code = tl__read_tips(read->snapshot, &tx->db->id, tl__store_scope(staged->name),
			tl__ids_visit, &tips);
	else
		code = tl__basis_store_tips(
			&tx->basis, read->snapshot, &tx->db->id, staged->name, &tips);
	if (code == TL_OK && staged->doc)
		code = tl__build_doc(builder, staged->name, staged->doc);
	else if (code == TL_OK)
		tl_entry_builder_store(
			builder, staged->name, (tl_str){staged->data, staged->data_len});
	if (code == TL_OK)
		add_store_parents(builder, staged->name, &tips);
	tl__ids_free(&tips);
	return code;
}

static int add_metadata(tl_entry_builder *builder, tl__snapshot *now, const tl_id *db)
{
	char id[TL_ID_TEXT_LEN + 1];
	tl__buf text = TL__BUF_INIT;
	tl__ids tips = {0};
	int code = tl__read_tips(now, db, TL__STR(TL__STORE_SETTINGS), tl__ids_visit, &tips);

	tl__ids_sort(&tips);
	tl__buf_text(&text, "{\"settings_tips\":[");
	for (size_t i = 0; i < tips.count; i++) {
		tl_id_format(&tips.at[i], id);
		tl__buf_format(&text, "%s\"%s\"", i > 0 ? "," : "", id);
	}
	tl__buf_text(&text, "],\"entropy\":null}");
	if (code == TL_OK)
		code = tl__buf_status(&text);
	if (code == TL_OK)
		tl_entry_builder_metadata(builder, tl__buf_view(&text));
	tl__buf_free(&text);
	tl__ids_free(&tips);
	return code;
}

void tl__build_key(tl_entry_builder *builder, const tl__signing *signing)
{
	bool global = strcmp(signing->record, "*") == 0;

	tl_entry_builder_key(builder, tl__str_z(signing->record),
		global ? (tl_str){signing->key_text, TL_KEY_TEXT_LEN} : TL__STR_NULL);
}

static int fill(tl_transaction *tx, const tl__read *read, tl__snapshot *now,
	const tl__signing *signing, tl_entry_builder *builder)
{
	char id[TL_ID_TEXT_LEN + 1];
	int code = add_metadata(builder, now, &tx->db->id);

	tl_id_format(&tx->db->id, id);
	tl_entry_builder_tree(builder, tl__str_z(id));
	for (size_t i = 0; i < tx->basis.parents.count; i++) {
		tl_id_format(&tx->basis.parents.at[i], id);
		tl_entry_builder_parent(builder, tl__str_z(id));
	}
	for (size_t i = 0; i < tx->staged_count && code == TL_OK; i++)
		if (!is_dropped(&tx->staged[i]))
			code = add_store(tx, read, &tx->staged[i], builder);
	tl__build_key(builder, signing);
	return code;
}

/* --- rules of writing ------------------------------------------------------------------------- */

static int check_change(tl_transaction *tx, const tl__signing *signing, const tl__settings *before)
{
	tl__staged *staged = tl__transaction_staged(tx, TL__STR(TL__STORE_SETTINGS));
	tl_value *parsed = NULL;
	int code = TL_OK;

	if (!staged || is_dropped(staged))
		return TL_OK;
	if (!staged->doc) {
		code = tl_doc_parse(&parsed, (tl_str){staged->data, staged->data_len});
		if (code != TL_OK)
			return tl__fail_cause(code, "the data staged for `_settings` is no Doc");
	}
	code = tl__check_settings_change(signing, before->doc, staged->doc ? staged->doc : parsed);
	tl_value_free(parsed);
	return code;
}

/* The settings that the new entry sees, and those of the present (NULL: the same). */
typedef struct seen_settings {
	tl__settings *before, *now;
} seen_settings;

static int build(tl_transaction *tx, const tl__read *read, tl__snapshot *now,
	const tl__signing *signing, const seen_settings *seen, tl_entry **out)
{
	tl_entry_builder *builder;
	int code = check_change(tx, signing, seen->before);

	*out = NULL;
	if (code == TL_OK)
		code = tl_entry_builder_new(&builder);
	if (code != TL_OK)
		return code;
	code = fill(tx, read, now, signing, builder);
	if (code == TL_OK)
		code = tl_entry_builder_finish(builder, &signing->secret, out);
	tl_entry_builder_free(builder);
	if (code == TL_OK)
		code = tl__check_may_write(signing, *out, seen->now ? seen->now->auth : NULL);
	if (code != TL_OK) {
		tl_entry_free(*out);
		*out = NULL;
	}
	return code;
}

static int store(tl_transaction *tx, tl__plan *plan, const tl__signing *signing,
	const tl_value *settings, tl_entry *entry)
{
	tl__commit commit = {
		.host = tx->db->host,
		.db = tx->db,
		.db_id = &tx->db->id,
		.entry = entry,
		.plan = plan,
		.settings = settings,
		.author = {signing->key_text, TL_KEY_TEXT_LEN},
		.refused = &tx->refused,
	};

	if (tx->db->host->hooks)
		commit.lists[commit.list_count++] = tx->db->host->hooks;
	commit.lists[commit.list_count++] = &tx->hooks;
	return tl__commit_entry(&commit);
}

static int commit_on(tl_transaction *tx, const tl__read *read, tl__snapshot *now, tl_id *id)
{
	tl__tree *tree = tx->db->host->tree;
	seen_settings seen = {NULL, NULL};
	tl__signing signing = {.record = NULL};
	tl_entry *entry = NULL;
	tl__plan *plan;
	/* Mostly the parents are the tips, and what they see is the present. */
	bool present = now == read->snapshot && read->present &&
		       tl__ids_equal(&tx->basis.parents, &tx->basis.seen);
	int code = tl__plan_new(&plan, tree, now, &tx->db->id);

	if (code != TL_OK)
		return code;
	tl__plan_on_recent(plan);
	code = tl__plan_settings_at(
		plan, tx->basis.parents.at, tx->basis.parents.count, &seen.before);
	if (code == TL_OK && !present)
		code = tl__settings_now(tree, now, &tx->db->id, &seen.now);
	if (code == TL_OK)
		code = tl__signing_find(
			&signing, tx->db->host, tl__str_z(tx->key_name), seen.before->auth);
	if (code == TL_OK)
		code = build(tx, read, now, &signing, &seen, &entry);
	if (code == TL_OK)
		code = store(tx, plan, &signing, (seen.now ? seen.now : seen.before)->doc, entry);
	if (code == TL_OK && id)
		*id = *tl_entry_id(entry);
	tl__plan_free(plan);
	tl_entry_free(entry);
	tl__signing_free(&signing);
	tl__settings_release(seen.before);
	tl__settings_release(seen.now);
	return code;
}

static int check_ready(tl_transaction *tx)
{
	int code = tl__transaction_changeable(tx);

	if (code == TL_OK)
		code = tl__database_check(tx->db);
	if (code != TL_OK)
		return code;
	if (tx->failed != TL_OK)
		return tl__error_raise(tx->failure, tx->failed);
	if (!tx->key_name)
		return tl__fail(TL_E_AUTHENTICATION_REQUIRED,
			"no key signs this transaction: set one for it or as the database's "
			"default");
	return TL_OK;
}

static int commit(tl_transaction *tx, tl_id *id)
{
	bool had_basis = tx->has_basis;
	tl__snapshot *now = NULL;
	tl__read read;
	int code = tl__transaction_read(tx, &read);

	if (code != TL_OK)
		return code;
	/* Settings tips and revocations are those of this moment, not of the snapshot. */
	if (had_basis && !read.own)
		code = tl__database_snapshot(tx->db, &now);
	if (code == TL_OK)
		code = commit_on(tx, &read, now ? now : read.snapshot, id);
	tl__snapshot_close(now);
	tl__transaction_read_end(tx, &read);
	if (code == TL_OK) {
		tx->state = TL__TX_COMMITTED;
		tl__transaction_drop(tx);
	} else if (!had_basis) {
		tl__transaction_forget_basis(tx);
	}
	return code;
}

TL__PUBLIC(tl_transaction_commit, tx, (tl_transaction *tx, tl_id *id), (tx, id))
{
	int code = check_ready(tx);

	if (code != TL_OK)
		return code;
	atomic_fetch_add(&tx->owners, 1); /* a hook may free it */
	tx->committing = true;
	code = commit(tx, id);
	tx->committing = false;
	if (tx->refused)
		tl_transaction_rollback(tx);
	tl__transaction_release(tx);
	return code;
}
