/* Private keys of a node, kept in the store: sealed when the node has a passphrase, and unsealed
 * only in memory that is locked, left out of core dumps and wiped. Any thread. */
#ifndef TL_ENGINE_KEYS_H
#define TL_ENGINE_KEYS_H

#include <tidelock/crypto.h>
#include "store/store.h"

#define TL__DEVICE_KEY   "_device_key"
#define TL__ENDPOINT_KEY "_iroh_endpoint_key" /* by which Iroh finds the node */
#define TL__KEY_NAME_MAX 255                  /* bytes */

typedef struct tl__keys tl__keys;

/* Borrows the store; copies the passphrase (ptr NULL: keys are stored unsealed). Makes the device
 * key in a fresh store (TL_E_STORE_DAMAGED when a used one has none), and proves that the
 * passphrase opens it: TL_E_WRONG_PASSPHRASE. *out is yours. */
int tl__keys_open(tl__keys **out, tl__store *store, tl_str passphrase) TL_MUST_USE;
void tl__keys_free(tl__keys *keys); /* NULL is fine */

const tl_key *tl__keys_device(const tl__keys *keys);
/* seed NULL: random. TL_E_ALREADY_EXISTS when the name holds another key, TL_E_BAD_ARGUMENT for
 * a name that cannot be one. */
int tl__keys_add(tl__keys *keys, tl_str name, const uint8_t *seed, tl_key *out) TL_MUST_USE;
/* TL_E_KEY_NOT_FOUND. Without argon2id. */
int tl__keys_public(tl__keys *keys, tl_str name, tl_key *out) TL_MUST_USE;
/* TL_E_KEY_NOT_FOUND. The caller wipes *out. Blocks for argon2id the first time. */
int tl__keys_secret(tl__keys *keys, tl_str name, tl_secret *out) TL_MUST_USE;
/* The endpoint's key, made at the first call: another one than the device key, and not derived from
 * it. The caller wipes *out. */
int tl__keys_endpoint(tl__keys *keys, tl_secret *out) TL_MUST_USE;
/* TL_E_KEY_NOT_FOUND; TL_E_BAD_ARGUMENT for those of the node itself. */
int tl__keys_remove(tl__keys *keys, tl_str name) TL_MUST_USE;
/* Ascending, without those of the node itself. */
int tl__keys_names(tl__keys *keys, tl__name_visit visit, void *ud) TL_MUST_USE;

#endif
