/* What a node gives to the database handles made from it, and how it makes them. */
#ifndef TL_TREE_DATABASE_H
#define TL_TREE_DATABASE_H

#include <pthread.h>
#include <tidelock/transaction.h>
#include "tree/tree.h"

/* --- hooks ------------------------------------------------------------------------------------ */

typedef struct tl__hook_node tl__hook_node;

/* Hooks of a node, those of its databases among them, or of a transaction, in the order they were
 * added. Any thread. */
typedef struct tl__hooks {
	pthread_mutex_t mutex;
	tl__hook_node *first;
	uint64_t last_handle;
	bool over; /* they were cleared */
} tl__hooks;

int tl__hooks_init(tl__hooks *hooks) TL_MUST_USE;
/* Drops those that no round is running; the others drop when their round ends. */
void tl__hooks_clear(tl__hooks *hooks);
void tl__hooks_free(tl__hooks *hooks); /* the same, and ends the list */
/* db NULL: for all databases. handle may be NULL. TL_E_BAD_ARGUMENT, TL_E_NOMEM. */
int tl__hooks_add(
	tl__hooks *hooks, const tl_id *db, const tl_hook *hook, uint64_t *handle) TL_MUST_USE;
/* The same of several for all databases, in two steps, of which the second cannot fail: what was
 * made and is not added is discarded, and nothing of it is dropped. */
int tl__hooks_make(const tl_hook *const *list, size_t count, tl__hook_node **out) TL_MUST_USE;
void tl__hooks_add_made(tl__hooks *hooks, tl__hook_node *made);
void tl__hooks_discard(tl__hook_node *made); /* NULL is fine */
/* Only one of the same owner: the same db, or NULL. */
void tl__hooks_remove(tl__hooks *hooks, const tl_id *db, uint64_t handle);
/* A moment of a commit. */
typedef struct tl__moment {
	tl__hooks *const *lists; /* in this order */
	size_t count;
	const tl_hook_context *context;
	bool by_node; /* the node itself commits: hooks that are `of_node` alone */
} tl__moment;

/* before: TL_E_HOOK_FAILED at the first refusal; TL_E_CLOSED where the node itself commits and
 * there are no hooks any more. committed: never fails, errors are logged. */
int tl__hooks_before(const tl__moment *moment) TL_MUST_USE;
void tl__hooks_committed(const tl__moment *moment, const tl__log *log);

/* --- host ------------------------------------------------------------------------------------- */

/* The node as database handles see it. Handles call retain once when made and release once when
 * freed, so that tree and store outlive them. */
typedef struct tl__host {
	tl__tree *tree;
	tl__hooks *hooks; /* of the node and its databases; NULL: nothing here calls any */
	bool by_node;     /* what commits is the node itself */
	/* The private key of this name: TL_E_SIGNING_KEY_NOT_FOUND, TL_E_CLOSED. Any thread. The
	 * caller wipes *out. */
	int (*secret)(void *ud, tl_str name, tl_secret *out);
	/* TL_OK, or TL_E_CLOSED once the node is closed. May be NULL. Any thread. */
	int (*check)(void *ud);
	void (*retain)(void *ud); /* may be NULL */
	void (*release)(void *ud);
	void *ud;
	uint32_t snapshot_max_age_ms; /* 0 = TL_SNAPSHOT_MAX_AGE_MS */
	/* Private: transactions that hold a snapshot. */
	pthread_mutex_t mutex;
	struct tl_transaction *pinned;
} tl__host;

/* Fill the upper members first. */
int tl__host_init(tl__host *host) TL_MUST_USE;
/* No handle may be left. */
void tl__host_free(tl__host *host);
/* Closes snapshots held longer than their age limit by transactions that are not reading right now;
 * call it now and then (each new snapshot does it too). */
void tl__host_sweep(tl__host *host);

/* Compares `version` (TL__RULES_VERSION) with the rules that the store's DAG was judged by, and
 * notes it. Under newer rules every entry is judged once more (reads all databases):
 * TL_E_UNSUPPORTED when a verdict differs, since a history cannot be judged otherwise in place.
 * TL_E_STORE_NEWER when the store was judged by later rules. Call it before anything else uses the
 * tree. */
int tl__rules_check(tl__host *host, uint32_t version) TL_MUST_USE;
#define TL__LOCAL_RULES "tree/rules" /* local document: the version as a decimal number */

/* --- databases -------------------------------------------------------------------------------- */

/* Creates a database and its first handle, whose default key is key_name. `settings` is a Doc
 * (NULL: empty), only read. Without a key record in its `auth` the key becomes Admin(0) under its
 * public key's text; otherwise the records must let it sign as Admin. Errors as
 * tl_transaction_commit. */
int tl__database_create(
	tl__host *host, const tl_value *settings, tl_str key_name, tl_database **out) TL_MUST_USE;
/* TL_E_DATABASE_NOT_FOUND when its root is not held. */
int tl__database_open(tl__host *host, const tl_id *root, tl_database **out) TL_MUST_USE;
/* Root ids of every database whose root is held, ascending. *ids is yours (tl__free). */
int tl__database_all(tl__host *host, tl_id **ids, size_t *count) TL_MUST_USE;
/* tl_database_verify of each of these, with the store's file checked once. */
int tl__verify_databases(tl__host *host, const tl_id *dbs, size_t count,
	const tl_verify_options *options, tl_verify_result *result) TL_MUST_USE;
/* Those whose present settings have this name (case-sensitive), ascending by id; unreadable ones
 * are passed over. TL_E_DATABASE_NOT_FOUND without any. */
int tl__database_find(tl__host *host, tl_str name, tl_id **ids, size_t *count) TL_MUST_USE;

/* --- grant.c: what an owner decides about a key --------------------------------------------------- */

typedef struct tl__grant {
	tl_str signer; /* name of the private key that gives it */
	tl_str record; /* under which name */
	bool any_name; /* a record of the key under another name counts, too, and where another key
			  has this name, a number goes behind it */
	tl_str pubkey; /* text */
	tl_permission permission;
} tl__grant;

/* Makes the record; nothing is written where the key has that much already. Errors as
 * tl_transaction_commit; TL_E_CONFLICT: the key was revoked; TL_E_KEY_NAME_CONFLICT. Blocks. */
int tl__database_grant(tl_database *db, const tl__grant *grant) TL_MUST_USE;

#endif
