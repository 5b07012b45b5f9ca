/* Permissions and the key records of a database's settings. Pure data; nothing here blocks. */
#ifndef TIDELOCK_AUTH_H
#define TIDELOCK_AUTH_H

#include <tidelock/doc.h>
#include <tidelock/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tl_permission_kind { TL_READ = 0, TL_WRITE = 1, TL_ADMIN = 2 } tl_permission_kind;

/* Inside a kind a smaller number is stronger; Read has priority 0. Never grows, like the records
 * below: the format of settings fixes them. */
typedef struct tl_permission {
	tl_permission_kind kind;
	uint32_t priority;
} tl_permission;

/* Negative, 0, positive: a is weaker, equal, stronger. */
TL_API int tl_permission_compare(tl_permission a, tl_permission b);
/* Within the bounds of a delegation (doc/tidelock/model.md); min may be NULL. */
TL_API tl_permission tl_permission_clamp(
	tl_permission p, tl_permission max, const tl_permission *min);
/* People's form: "read", "write:10", "admin:0". TL_E_BAD_ARGUMENT says what is accepted. A kind
 * that is none is written as "unknown", in the stored form as null, and permits no more than
 * reading. */
TL_API int tl_permission_parse(tl_permission *out, tl_str text) TL_MUST_USE;
/* out has room for 24. */
TL_API void tl_permission_format(tl_permission p, char out[24]);
/* Stored form: "Read", {"Write":10}. Reads what 0.2.0 reads (a Read object with null included). */
TL_API int tl_permission_from_json(tl_permission *out, tl_str json) TL_MUST_USE;
/* out has room for 24. */
TL_API void tl_permission_to_json(tl_permission p, char out[24]);

typedef enum tl_key_status { TL_KEY_ACTIVE = 0, TL_KEY_REVOKED = 1 } tl_key_status;

/* A key record; `pubkey` is the text as stored ("*" in the global record). Never grows. */
typedef struct tl_auth_key {
	tl_str pubkey;
	tl_permission permission;
	tl_key_status status;
} tl_auth_key;

/* A delegated tree record. Never grows. */
typedef struct tl_auth_tree {
	tl_str root; /* as stored; may be no id */
	tl_permission max;
	tl_permission min;
	bool has_min;
} tl_auth_tree;

/* Parsed `auth` part of a settings Doc. Keeps its own copies. */
typedef struct tl_auth tl_auth;

/* From the whole settings Doc (its child "auth"); an absent or non-Doc auth gives an empty one.
 * *out is yours. */
TL_API int tl_auth_from_settings(tl_auth **out, const tl_value *settings) TL_MUST_USE;
/* From the auth Doc itself; NULL gives an empty one. */
TL_API int tl_auth_from_doc(tl_auth **out, const tl_value *auth_doc) TL_MUST_USE;
TL_API void tl_auth_free(tl_auth *auth); /* NULL is fine */
/* By name, with the path rules of Docs (a dot nests). Pointers belong to `auth`; NULL when the name
 * is absent or holds no such record. */
TL_API const tl_auth_key *tl_auth_find_key(const tl_auth *auth, tl_str name);
TL_API const tl_auth_tree *tl_auth_find_tree(const tl_auth *auth, tl_str name);
/* The global record ("*" with pubkey "*") if it is Active, else NULL. */
TL_API const tl_auth_key *tl_auth_global(const tl_auth *auth);
/* Top-level key records in ascending name order; false past the end. */
TL_API size_t tl_auth_key_count(const tl_auth *auth);
TL_API bool tl_auth_key_at(
	const tl_auth *auth, size_t index, tl_str *name, const tl_auth_key **key);
/* Best permission the key text holds now: Active records of that pubkey and the Active global one.
 * TL_E_NOT_FOUND when none. *name (may be NULL) belongs to `auth`. */
TL_API int tl_auth_best(
	const tl_auth *auth, tl_str pubkey, tl_permission *out, tl_str *name) TL_MUST_USE;

/* JSON text of a key record, members in the stored order. *out is yours (tl_free).
 * TL_E_BAD_ARGUMENT for a permission or status that is none. */
TL_API int tl_auth_key_write(const tl_auth_key *key, char **out, size_t *len) TL_MUST_USE;

/* Who signed an entry, and with what permission. Never grows: it is what resolution gives. */
typedef struct tl_signer {
	tl_key key;
	tl_permission permission; /* clamped by the delegation bounds */
	tl_key_status status;
} tl_signer;

/* Finds the settings of a delegated database at the tips a step cites. Sets *auth (borrowed until
 * the next call) or returns an error code, which resolution passes through. `root` belongs to the
 * auth of the step before. */
typedef int (*tl_delegation_lookup)(
	void *ud, tl_str root, const tl_entry *entry, size_t step, const tl_auth **auth);

/* Resolves an entry's key against `auth` (doc/tidelock/model.md, with holes H9, H10, H16, H17
 * closed as doc/tidelock/model.md lists). Errors: TL_E_KEY_NOT_FOUND, TL_E_BAD_KEY,
 * TL_E_BAD_ENTRY, or what `lookup` returned. */
TL_API int tl_auth_resolve(tl_signer *out, const tl_auth *auth, const tl_entry *entry,
	tl_delegation_lookup lookup, void *ud) TL_MUST_USE;

/* Whether this permission suffices for what the entry carries: Admin when it has `_settings`, else
 * Write. */
TL_API bool tl_auth_may_write(tl_permission permission, const tl_entry *entry);

#ifdef __cplusplus
}
#endif
#endif
