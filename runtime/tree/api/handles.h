/* What database, view, transaction and store handles look like inside. Only for the files of this
 * folder that implement them. */
#ifndef TL_TREE_HANDLES_H
#define TL_TREE_HANDLES_H

#include <stdatomic.h>
#include <tidelock/transaction.h>
#include "base/map.h"
#include "model/ids.h"
#include "tree/api/database.h"

/* --- basis ------------------------------------------------------------------------------------ */

/* What a view or transaction stands on. While the database's tips are still `seen`, the present is
 * read; afterwards the stores are folded from history, once each. */
typedef struct tl__basis {
	tl__ids seen;    /* the tips it saw */
	tl__ids parents; /* main parents of an entry made on it, ascending */
	tl__map closure; /* ids of all main ancestors-or-self, once it was needed */
	bool has_closure;
	tl__map folded; /* store name -> tl_value *, owned */
} tl__basis;

void tl__basis_init(tl__basis *basis);
void tl__basis_free(tl__basis *basis);
/* Takes the tips of the snapshot: seen are all of them; parents those that are not void, and for
 * void ones what is nearest below them. */
int tl__basis_take_tips(
	tl__basis *basis, tl__tree *tree, tl__snapshot *s, const tl_id *db) TL_MUST_USE;
/* Takes given tips, checked; void ones only when allowed. */
int tl__basis_take_given(tl__basis *basis, tl__snapshot *s, const tl_id *db, const tl_id *tips,
	size_t count, bool allow_void) TL_MUST_USE;
/* Whether the snapshot's tips are still those seen. */
int tl__basis_is_present(
	const tl__basis *basis, tl__snapshot *s, const tl_id *db, bool *present) TL_MUST_USE;
/* Tips of a store among the main ancestors-or-self, ascending; void entries pass on to their
 * parents. *out must be new. */
int tl__basis_store_tips(
	tl__basis *basis, tl__snapshot *s, const tl_id *db, tl_str store, tl__ids *out) TL_MUST_USE;
/* A store folded from those tips; belongs to the basis. */
int tl__basis_doc(tl__basis *basis, tl__snapshot *s, const tl_id *db, tl_str store,
	const tl_value **out) TL_MUST_USE;

/* --- handles ---------------------------------------------------------------------------------- */

struct tl_database {
	atomic_uint owners;
	tl__host *host;
	tl_id id;
	pthread_mutex_t mutex; /* of key_name */
	char *key_name;        /* default key; NULL: none */
};

/* TL_OK, TL_E_CLOSED, or TL_E_BAD_STATE in a forked child. */
int tl__database_check(const tl_database *db) TL_MUST_USE;
/* In a forked child its handles are let go of as they are: other threads may have been at work in
 * them, and they end with the process. */
bool tl__database_inherited(const tl_database *db);
/* A handle without looking whether the database exists. */
int tl__database_new(tl__host *host, const tl_id *id, tl_database **out) TL_MUST_USE;
/* How many entries of the database are pending, or in quarantine. */
int tl__aside_count(
	tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t *out) TL_MUST_USE;
/* A snapshot for one read. */
int tl__database_snapshot(const tl_database *db, tl__snapshot **out) TL_MUST_USE;

struct tl_view {
	atomic_uint owners;
	tl_database *db;
	pthread_mutex_t mutex; /* of basis */
	tl__basis basis;
};

/* What a transaction changes in one store: a Doc, or opaque data. */
typedef struct tl__staged {
	tl_str name; /* owned */
	tl_value *doc;
	char *data;
	size_t data_len;
} tl__staged;

typedef enum tl__tx_state { TL__TX_OPEN = 0, TL__TX_COMMITTED, TL__TX_CLOSED } tl__tx_state;

struct tl_transaction {
	atomic_uint owners; /* the caller and each store handle */
	tl_database *db;
	tl__tx_state state;
	bool committing; /* its hooks may run: nothing changes it, nothing frees it */
	bool refused;    /* one of them rolled it back */
	int failed;      /* code of the first setter that failed */
	tl_error *failure;
	char *key_name;
	tl__hooks hooks;
	tl__staged *staged; /* ascending names */
	size_t staged_count, staged_cap;
	uint64_t changes; /* how often something was staged: walks look whether they must read anew
			   */
	bool has_basis;
	tl__basis basis;
	/* Guarded by the host's mutex: */
	tl__snapshot *snapshot;
	uint64_t pinned_at; /* ms, monotonic */
	unsigned readers;
	struct tl_transaction *next, *previous;
};

/* TL_OK when it can be read and changed; TL_E_ALREADY_COMMITTED, TL_E_CLOSED, TL_E_BAD_STATE. */
int tl__transaction_check(const tl_transaction *tx) TL_MUST_USE;
/* The same for changes, which a commit under way refuses too (TL_E_ALREADY_COMMITTED). */
int tl__transaction_changeable(const tl_transaction *tx) TL_MUST_USE;
/* Keeps the last error as the transaction's failure unless there is one or code is TL_OK; returns
 * code. */
int tl__transaction_stick(tl_transaction *tx, int code);
void tl__transaction_release(tl_transaction *tx);
/* What is staged for a store; NULL when nothing is. */
tl__staged *tl__transaction_staged(tl_transaction *tx, tl_str name);
/* The same, made when it is not there. TL_E_TOO_LARGE over the limit of stores. */
int tl__transaction_stage(tl_transaction *tx, tl_str name, tl__staged **out) TL_MUST_USE;
/* Forgets everything staged and the basis. */
void tl__transaction_drop(tl_transaction *tx);
/* Forgets what it stands on: the next read takes it anew. */
void tl__transaction_forget_basis(tl_transaction *tx);
/* Checks a name of a store to write. */
int tl__check_store_name(tl_str name) TL_MUST_USE;

/* --- reading ---------------------------------------------------------------------------------- */

/* One read: between begin and end the snapshot stays. */
typedef struct tl__read {
	tl__snapshot *snapshot;
	bool present; /* the snapshot's state is what the reader stands on */
	bool own;     /* the snapshot ends with this read */
} tl__read;

/* Makes sure the transaction has a basis: its snapshot, unless it has tips of its own. */
int tl__transaction_read(tl_transaction *tx, tl__read *read) TL_MUST_USE;
void tl__transaction_read_end(tl_transaction *tx, tl__read *read);
/* Gives up the snapshot. */
void tl__transaction_unpin(tl_transaction *tx);

/* A path cut at its dots. */
#define TL__PATH_MAX_COMPONENTS (TL_DOC_MAX_NESTING + 1)
typedef struct tl__path {
	tl_str at[TL__PATH_MAX_COMPONENTS];
	size_t count;
} tl__path;
/* TL_E_BAD_PATH without components or with too many. The components point into the text. */
int tl__path_split(tl__path *path, tl_str text) TL_MUST_USE;

/* What a store handle is bound to: exactly one of tx, view and db. Holds a reference. */
typedef struct tl__bound {
	tl_transaction *tx;
	tl_view *view;
	tl_database *db;
	tl_str name; /* owned */
} tl__bound;

int tl__bound_init(tl__bound *bound, tl_transaction *tx, tl_view *view, tl_database *db,
	tl_str name) TL_MUST_USE;
void tl__bound_free(tl__bound *bound);
/* That what it is bound to can be read. */
int tl__bound_check(const tl__bound *bound) TL_MUST_USE;
/* Value at literal components without what is staged: NULL when absent. *out is yours. */
int tl__bound_history(
	tl__bound *bound, const tl_str *components, size_t count, tl_value **out) TL_MUST_USE;
/* The same with what is staged merged over it; a tombstone comes as such. */
int tl__bound_value(
	tl__bound *bound, const tl_str *components, size_t count, tl_value **out) TL_MUST_USE;

/* A page of the Doc there, staged children merged in; *out NULL when there is no Doc. */
int tl__bound_page(tl__bound *bound, const tl_str *components, size_t count, tl__page *page,
	tl_value **out) TL_MUST_USE;
/* The value at a path that leads through a List: NULL when it does not, or nothing is there. */
int tl__bound_through_list(tl__bound *bound, const tl__path *path, tl_value **out) TL_MUST_USE;

/* TL_E_TYPE_MISMATCH when the way to the last component leads through a List: the sentence says how
 * its items are changed. */
int tl__bound_refuse_list(tl__bound *bound, const tl_str *components, size_t count) TL_MUST_USE;
/* Merges a value into *base of the same type, Doc or List; on failure *base may be NULL. */
int tl__value_merge(tl_value **base, const tl_value *later) TL_MUST_USE;

/* --- staging ---------------------------------------------------------------------------------- */

typedef enum tl__put { TL__PUT_REPLACE, TL__PUT_MERGE } tl__put;

/* Stages a value (taken over) so that a read afterwards gives it (replace), or what is there merged
 * with it (merge). Sticks failures to the transaction. */
int tl__bound_put(
	tl__bound *bound, const tl_str *components, size_t count, tl_value *value, tl__put how);
/* The error of a value that is NULL: what its constructor left. */
int tl__no_value(void) TL_MUST_USE;
/* Sticks a failure that arose before staging. */
int tl__bound_fail(tl__bound *bound, int code);
/* TL_OK when the handle can be written through. */
int tl__bound_writable(tl__bound *bound) TL_MUST_USE;

struct tl_doc_store {
	tl__bound bound;
};
int tl__doc_store_new(tl_doc_store **out, tl_transaction *tx, tl_view *view, tl_database *db,
	tl_str name) TL_MUST_USE;

struct tl_table {
	tl__bound bound;
};
int tl__table_new(tl_table **out, tl_transaction *tx, tl_view *view, tl_database *db,
	tl_str name) TL_MUST_USE;

int tl__settings_store_new(
	tl_settings_store **out, tl_transaction *tx, tl_view *view, tl_database *db) TL_MUST_USE;

/* --- committing ------------------------------------------------------------------------------- */

/* The private key that signs, and the record of the settings it signs under. */
typedef struct tl__signing {
	tl_secret secret;
	tl_key key;
	char key_text[TL_KEY_TEXT_LEN + 1];
	char *record; /* name; owned */
	tl_permission permission;
} tl__signing;

/* The private key alone. */
int tl__signing_key(tl__signing *out, tl__host *host, tl_str key_name) TL_MUST_USE;
/* With the strongest record of `auth` that the key may sign under. */
int tl__signing_find(
	tl__signing *out, tl__host *host, tl_str key_name, const tl_auth *auth) TL_MUST_USE;
void tl__signing_free(tl__signing *signing); /* wipes; zeroed is fine */
/* Whether the permission suffices for the entry, at its parents and in the present settings (`now`
 * NULL: they are the same, or there are none yet). */
int tl__check_may_write(
	const tl__signing *signing, const tl_entry *entry, const tl_auth *now) TL_MUST_USE;
/* Whether the signer may stage this change of the settings `before`. */
int tl__check_settings_change(
	const tl__signing *signing, const tl_value *before, const tl_value *staged) TL_MUST_USE;

/* Adds a store's delta; TL_E_TOO_LARGE for a path over the limit. */
int tl__build_doc(tl_entry_builder *builder, tl_str name, const tl_value *doc) TL_MUST_USE;
void tl__build_key(tl_entry_builder *builder, const tl__signing *signing);

/* An entry on its way into the store. */
typedef struct tl__commit {
	tl__host *host;
	tl_database *db; /* shown to hooks; NULL for a root entry */
	const tl_id *db_id;
	tl_entry *entry;
	tl__plan *plan;           /* over a snapshot that holds everything the entry names */
	const tl_value *settings; /* of the database; of a new one those that it gets */
	tl__hooks *lists[2];      /* in the order they are called */
	size_t list_count;
	tl_str author;
	const bool *refused; /* set by a hook that rolls back; NULL for a root entry */
} tl__commit;
/* Limits, hooks before, the write, hooks after. */
int tl__commit_entry(tl__commit *commit) TL_MUST_USE;

#endif
