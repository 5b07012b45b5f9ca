/* Transactions: changes to the stores of one database, committed as one signed entry.
 *
 * A transaction holds only what it changes. Without tips of its own it stands on the database as of
 * its first read, which then does not change under it (a snapshot; after TL_SNAPSHOT_MAX_AGE_MS it
 * goes on from history, reading the same); one that never reads stands on the tips found when
 * committing. Used by one thread at a time.
 *
 * Setters return their error and the transaction keeps the first one: commit returns it, so setters
 * need not be checked one by one. */
#ifndef TIDELOCK_TRANSACTION_H
#define TIDELOCK_TRANSACTION_H

#include <tidelock/database.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an entry we write may hold; over one of them: TL_E_TOO_LARGE. */
#define TL_WRITE_MAX_BYTES      (1024u * 1024)
#define TL_WRITE_MAX_STORES     1024u
#define TL_WRITE_MAX_PARENTS    4096u /* main, and of each store */
#define TL_WRITE_MAX_STORE_NAME 255u  /* bytes */
#define TL_WRITE_MAX_PATH       1024u /* bytes of all components and the dots between them */
#define TL_SNAPSHOT_MAX_AGE_MS  30000u

typedef struct tl_transaction tl_transaction;

/* On the database's tips; signs with its default key unless told otherwise. *out is yours. */
TL_API int tl_transaction_new(tl_database *db, tl_transaction **out) TL_MUST_USE;
/* On exactly these entries: reads, parents and permissions follow what they saw; other tips stay
 * tips. TL_E_INVALID_TIP when one is not part of the database, TL_E_EMPTY_TIPS_NOT_ALLOWED without
 * any. Reads fold history. */
TL_API int tl_transaction_new_with_tips(
	tl_database *db, const tl_id *tips, size_t count, tl_transaction **out) TL_MUST_USE;
/* Rolls back what was not committed. NULL is fine. Store handles may outlive it; they fail with
 * TL_E_CLOSED then. */
TL_API void tl_transaction_free(tl_transaction *tx);
/* Drops everything staged and the snapshot, and makes the transaction unusable. Nothing was or is
 * written. In a before_commit hook of the transaction it refuses the commit (TL_E_HOOK_FAILED) and
 * rolls back after that; once it is committed there is nothing to roll back. */
TL_API void tl_transaction_rollback(tl_transaction *tx);

/* The database it belongs to; borrowed. */
TL_API tl_database *tl_transaction_database(const tl_transaction *tx);
/* Signs with this private key of the node. */
TL_API int tl_transaction_set_auth_key(tl_transaction *tx, tl_str key_name);
/* *out is NULL when none is set, else yours (tl_free). */
TL_API int tl_transaction_auth_key(tl_transaction *tx, char **out) TL_MUST_USE;

/* Main parents, ascending. Counts as a read. */
TL_API int tl_transaction_tips(tl_transaction *tx, tl_id_visit visit, void *ud) TL_MUST_USE;

/* Stores that read what the transaction sees, its own changes included, and stage into it. Opening
 * one stages nothing. TL_E_BAD_ARGUMENT for an empty name and for `_root`. *out is yours. */
TL_API int tl_transaction_doc_store(
	tl_transaction *tx, tl_str name, tl_doc_store **out) TL_MUST_USE;
TL_API int tl_transaction_table(tl_transaction *tx, tl_str name, tl_table **out) TL_MUST_USE;
TL_API int tl_transaction_get_settings(tl_transaction *tx, tl_settings_store **out) TL_MUST_USE;

/* Stages opaque data as one store's delta, for formats of which tidelock keeps bytes only. Replaces
 * what is staged there; mixing with the typed stores on one name is an error
 * (TL_E_BAD_ARGUMENT). "" and "{}" stage nothing. */
TL_API int tl_transaction_set_data(tl_transaction *tx, tl_str name, tl_str data);

/* A hook for this commit alone; the struct is copied. When this fails, drop is not called. */
TL_API int tl_transaction_add_hook(tl_transaction *tx, const tl_hook *hook) TL_MUST_USE;

/* Builds, signs, checks and stores the entry; returns when it is durable. An empty transaction is
 * an entry without stores, which joins the tips. *id (may be NULL) receives the entry's id.
 *
 * After TL_OK the transaction is used up (TL_E_ALREADY_COMMITTED); after an error nothing was
 * written, and it may be changed and committed again, except that the first setter error stays.
 * Errors: that of a setter; TL_E_AUTHENTICATION_REQUIRED (no key set), TL_E_SIGNING_KEY_NOT_FOUND
 * (the node lacks it), TL_E_KEY_NOT_FOUND (the settings do not know it), TL_E_NO_AUTH_CONFIGURATION
 * (they know no key), TL_E_SIGNATURE_VERIFICATION_FAILED (it is revoked, there or at present),
 * TL_E_INSUFFICIENT_PERMISSIONS (also: raising a key above one's own permission),
 * TL_E_CORRUPTED_AUTH_CONFIGURATION (would destroy `auth`), TL_E_HOOK_FAILED, TL_E_TOO_LARGE and
 * what the store says. */
TL_API int tl_transaction_commit(tl_transaction *tx, tl_id *id) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
