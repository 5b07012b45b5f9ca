/* Entries: immutable signed records, and the builder that makes them.
 *
 * Format: an entry is compact JSON of tree, subtrees and sig (doc/tidelock/model.md). Its id is
 * the SHA-256 of these canonical bytes; its signature covers the same bytes with "sig":null inside.
 * Data text and metadata are opaque and kept verbatim. */
#ifndef TIDELOCK_ENTRY_H
#define TIDELOCK_ENTRY_H

#include <stdbool.h>
#include <tidelock/crypto.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Format constants (never options): an entry over them is never known. */
#define TL_ENTRY_MAX_BYTES      (4u * 1024 * 1024)
#define TL_DELEGATION_MAX_STEPS 10

typedef struct tl_entry tl_entry;

/* How an entry text is read. */
typedef enum tl_entry_form {
	/* The text must be the canonical bytes themselves (TL_E_NOT_CANONICAL). */
	TL_ENTRY_CANONICAL = 0,
	/* What 0.2.0 may send: members in any order, white space, other escapes are normalised;
	 * unknown and repeated members are refused (TL_E_NOT_CANONICAL). */
	TL_ENTRY_FOREIGN = 1
} tl_entry_form;

/* Reads one entry. `text` is not kept. Errors: TL_E_BAD_JSON, TL_E_BAD_ENTRY (wrong type, missing
 * member), TL_E_NOT_CANONICAL, TL_E_TOO_LARGE, TL_E_NOMEM. Does not check the structure rules.
 * *out is yours: tl_entry_free. */
TL_API int tl_entry_parse(tl_entry **out, tl_str text, tl_entry_form form) TL_MUST_USE;

TL_API tl_entry *tl_entry_retain(tl_entry *entry);
TL_API void tl_entry_free(tl_entry *entry); /* gives back one reference; NULL is fine */

/* Structure rules (doc/tidelock/model.md) and the holes closed with them (H21, H22):
 * TL_OK or TL_E_BAD_ENTRY with a sentence. An entry that passes has only well-formed ids as root
 * and parents, no repeated parents and no repeated store. */
TL_API int tl_entry_check(const tl_entry *entry) TL_MUST_USE;

/* Accessors: results belong to the entry. */
TL_API const tl_id *tl_entry_id(const tl_entry *entry);
TL_API tl_str tl_entry_bytes(const tl_entry *entry);    /* canonical bytes */
TL_API bool tl_entry_is_root(const tl_entry *entry);    /* has store _root and no main parents */
TL_API tl_str tl_entry_tree(const tl_entry *entry);     /* id text of the database; "" in a root */
TL_API tl_str tl_entry_metadata(const tl_entry *entry); /* ptr NULL when null */
TL_API size_t tl_entry_parent_count(const tl_entry *entry);
TL_API tl_str tl_entry_parent(const tl_entry *entry, size_t index);
TL_API size_t tl_entry_store_count(const tl_entry *entry);
TL_API tl_str tl_entry_store_name(const tl_entry *entry, size_t store);
TL_API tl_str tl_entry_store_data(const tl_entry *entry, size_t store);
TL_API size_t tl_entry_store_parent_count(const tl_entry *entry, size_t store);
TL_API tl_str tl_entry_store_parent(const tl_entry *entry, size_t store, size_t index);
/* Index of the store of that name, or -1. */
TL_API ptrdiff_t tl_entry_find_store(const tl_entry *entry, tl_str name);
TL_API tl_str tl_entry_signature(const tl_entry *entry); /* base64 text; ptr NULL when null */
/* Name of the signing key: the direct name, or ptr NULL for a delegation path. */
TL_API tl_str tl_entry_key_name(const tl_entry *entry);
TL_API tl_str tl_entry_pubkey(const tl_entry *entry); /* sig.pubkey; ptr NULL when absent */
TL_API size_t tl_entry_step_count(
	const tl_entry *entry); /* delegation steps; 0 for a direct name */
TL_API tl_str tl_entry_step_key(const tl_entry *entry, size_t step);
/* Number of tips of a step, or -1 when they are null. */
TL_API ptrdiff_t tl_entry_step_tip_count(const tl_entry *entry, size_t step);
TL_API tl_str tl_entry_step_tip(const tl_entry *entry, size_t step, size_t index);

/* The bytes the signature covers. *out is yours (tl_free). */
TL_API int tl_entry_signing_bytes(const tl_entry *entry, char **out, size_t *len) TL_MUST_USE;
/* Signature alone, strict rule: TL_OK, TL_E_BAD_SIGNATURE (also missing or badly coded). */
TL_API int tl_entry_verify(const tl_entry *entry, const tl_key *key) TL_MUST_USE;

/* Builder. Setters copy and are sticky: the first error is returned by the finish. */
typedef struct tl_entry_builder tl_entry_builder;

TL_API int tl_entry_builder_new(tl_entry_builder **out) TL_MUST_USE;
TL_API void tl_entry_builder_free(tl_entry_builder *builder);                 /* NULL is fine */
TL_API void tl_entry_builder_tree(tl_entry_builder *builder, tl_str root_id); /* "" by default */
TL_API void tl_entry_builder_parent(tl_entry_builder *builder, tl_str id);
TL_API void tl_entry_builder_metadata(tl_entry_builder *builder, tl_str text); /* null by default */
/* Replaces the data when the store is already there. */
TL_API void tl_entry_builder_store(tl_entry_builder *builder, tl_str name, tl_str data);
TL_API void tl_entry_builder_store_parent(tl_entry_builder *builder, tl_str name, tl_str id);
/* Direct or wildcard form; pubkey is written only when its ptr is not NULL. */
TL_API void tl_entry_builder_key(tl_entry_builder *builder, tl_str name, tl_str pubkey);
/* Appends a delegation step (then the direct name is unused); tips NULL writes null. */
TL_API void tl_entry_builder_step(
	tl_entry_builder *builder, tl_str key, const tl_str *tips, size_t n);
/* Sorts and dedups parents, sorts stores, signs when `secret` is not NULL. The builder stays
 * usable. *out is yours. */
TL_API int tl_entry_builder_finish(
	tl_entry_builder *builder, const tl_secret *secret, tl_entry **out) TL_MUST_USE;

/* Releases memory that a call of this library handed out as `char *`. NULL is fine. */
TL_API void tl_free(void *ptr);

#ifdef __cplusplus
}
#endif
#endif
