#include "engine/parts/keys.h"

#include <pthread.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/parts/node_impl.h"
#include "crypto/vault.h"

/* A stored record: version, kind, public key, then the seed or the sealed seed. */
#define RECORD_VERSION 1
enum { RECORD_PLAIN = 0, RECORD_SEALED = 1 };
#define RECORD_HEAD (2 + TL_KEY_BYTES)

/* An unsealed key. */
typedef struct cached {
	struct cached *next;
	char *name;
	tl_secret *secret; /* in the vault */
} cached;

struct tl__keys {
	pthread_mutex_t lock; /* cache, and writing */
	tl__store *store;
	char *passphrase; /* in the vault, NULL = none */
	size_t passphrase_len;
	tl_key device;
	cached *first;
};

static int check_name(tl_str name)
{
	if (name.len == 0 || name.len > TL__KEY_NAME_MAX || !tl__utf8_valid(name) ||
		memchr(name.ptr, '\0', name.len))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a key's name is 1 to %d bytes of UTF-8; choose another", TL__KEY_NAME_MAX);
	return TL_OK;
}

/* Keys that are the node itself: nobody else makes, lists or removes them. */
static bool is_own(tl_str name)
{
	return tl__str_eq(name, TL__STR(TL__DEVICE_KEY)) ||
	       tl__str_eq(name, TL__STR(TL__ENDPOINT_KEY));
}

/* --- cache ------------------------------------------------------------------------------------ */

static cached **find_cached(tl__keys *keys, tl_str name)
{
	cached **at = &keys->first;

	while (*at && !tl__str_eq(tl__str_z((*at)->name), name))
		at = &(*at)->next;
	return at;
}

static void drop_cached(cached **at)
{
	cached *gone = *at;

	if (!gone)
		return;
	*at = gone->next;
	tl__vault_free(gone->secret, sizeof *gone->secret);
	tl__free(gone->name);
	tl__free(gone);
}

/* Without memory the key is unsealed again next time. */
static void remember(tl__keys *keys, tl_str name, const tl_secret *secret)
{
	cached *fresh = tl__alloc_zero(1, sizeof *fresh);

	if (!fresh)
		return;
	fresh->name = tl__copy_bytes(name.ptr, name.len);
	fresh->secret = tl__vault_alloc(sizeof *secret);
	fresh->next = keys->first;
	if (!fresh->name || !fresh->secret) {
		drop_cached(&fresh);
		return;
	}
	*fresh->secret = *secret;
	keys->first = fresh;
}

/* --- records ---------------------------------------------------------------------------------- */

typedef struct record {
	int kind;
	tl_key pub;
	uint8_t body[TL_SEALED_BYTES]; /* seed or sealed seed */
} record;

static int damaged(tl_str name)
{
	return tl__fail(TL_E_STORE_DAMAGED,
		"the stored key \"%.*s\" cannot be read; restore the data directory from a backup",
		TL__STR_ARG(name));
}

/* TL_E_KEY_NOT_FOUND. The caller wipes *out. */
static int read_record(tl__keys *keys, tl_str name, record *out)
{
	char *value = NULL;
	size_t len = 0, body;
	int rc = tl__read_key(keys->store, name, &value, &len);

	if (rc == TL_E_KEY_NOT_FOUND)
		return tl__fail(TL_E_KEY_NOT_FOUND,
			"there is no private key named \"%.*s\"; make or import it first",
			TL__STR_ARG(name));
	if (rc != TL_OK)
		return rc;
	memset(out, 0, sizeof *out);
	out->kind = len > 1 ? value[1] : -1;
	body = out->kind == RECORD_SEALED ? TL_SEALED_BYTES : TL_SEED_BYTES;
	if (len != RECORD_HEAD + body || value[0] != RECORD_VERSION || out->kind < RECORD_PLAIN ||
		out->kind > RECORD_SEALED) {
		rc = damaged(name);
	} else {
		memcpy(out->pub.b, value + 2, TL_KEY_BYTES);
		memcpy(out->body, value + RECORD_HEAD, body);
	}
	tl__vault_wipe(value, len);
	tl__free(value);
	return rc;
}

static int record_seed(tl__keys *keys, tl_str name, const record *r, uint8_t seed[TL_SEED_BYTES])
{
	if (r->kind == RECORD_PLAIN) {
		memcpy(seed, r->body, TL_SEED_BYTES);
		return TL_OK;
	}
	if (!keys->passphrase)
		return tl__fail(TL_E_WRONG_PASSPHRASE,
			"the key \"%.*s\" is sealed; open the node with its passphrase",
			TL__STR_ARG(name));
	if (tl_unseal(seed, r->body, keys->passphrase, keys->passphrase_len) != TL_OK)
		return tl__fail_cause(tl_error_code(tl_last_error()),
			"the key \"%.*s\" does not open with this passphrase", TL__STR_ARG(name));
	return TL_OK;
}

static int write_record(tl__keys *keys, tl_str name, const tl_key *pub, const uint8_t *seed)
{
	char value[RECORD_HEAD + TL_SEALED_BYTES];
	size_t len = RECORD_HEAD + (keys->passphrase ? TL_SEALED_BYTES : TL_SEED_BYTES);
	tl__put_key put = {.name = name, .value = {value, len}};
	tl__batch batch = {.keys = &put, .key_count = 1, .local_commit = true};
	int rc = TL_OK;

	value[0] = RECORD_VERSION;
	value[1] = keys->passphrase ? RECORD_SEALED : RECORD_PLAIN;
	memcpy(value + 2, pub->b, TL_KEY_BYTES);
	if (keys->passphrase)
		rc = tl_seal((uint8_t *)value + RECORD_HEAD, seed, keys->passphrase,
			keys->passphrase_len);
	else
		memcpy(value + RECORD_HEAD, seed, TL_SEED_BYTES);
	if (rc == TL_OK)
		rc = tl__store_write(keys->store, &batch);
	tl__vault_wipe(value, sizeof value);
	return rc;
}

/* --- use, under the lock ---------------------------------------------------------------------- */

static int load_secret(tl__keys *keys, tl_str name, tl_secret *out)
{
	uint8_t seed[TL_SEED_BYTES] = {0};
	record r = {0};
	tl_key pub;
	int rc = read_record(keys, name, &r);

	if (rc == TL_OK)
		rc = record_seed(keys, name, &r, seed);
	if (rc == TL_OK)
		rc = tl_secret_from_seed(out, seed);
	if (rc == TL_OK) {
		tl_secret_public(out, &pub);
		if (!tl__key_equal(&pub, &r.pub)) {
			tl_secret_wipe(out);
			rc = damaged(name);
		}
	}
	tl__vault_wipe(seed, sizeof seed);
	tl__vault_wipe(&r, sizeof r);
	return rc;
}

static int get_secret(tl__keys *keys, tl_str name, tl_secret *out)
{
	cached *hit = *find_cached(keys, name);
	int rc;

	if (hit) {
		*out = *hit->secret;
		return TL_OK;
	}
	rc = load_secret(keys, name, out);
	if (rc == TL_OK)
		remember(keys, name, out);
	return rc;
}

static int make_key(tl__keys *keys, tl_str name, const uint8_t *given, tl_key *out)
{
	uint8_t seed[TL_SEED_BYTES];
	tl_secret secret;
	int rc;

	if (given)
		memcpy(seed, given, sizeof seed);
	else
		tl_random_bytes(seed, sizeof seed);
	rc = tl_secret_from_seed(&secret, seed);
	if (rc == TL_OK) {
		tl_secret_public(&secret, out);
		rc = write_record(keys, name, out, seed);
	}
	if (rc == TL_OK)
		remember(keys, name, &secret);
	tl_secret_wipe(&secret);
	tl__vault_wipe(seed, sizeof seed);
	return rc;
}

/* The name is taken: fine only when it holds the same key. */
static int same_key(tl_str name, const record *r, const uint8_t *seed, tl_key *out)
{
	tl_secret secret;
	int rc;

	if (seed) {
		rc = tl_secret_from_seed(&secret, seed);
		if (rc != TL_OK)
			return rc;
		tl_secret_public(&secret, out);
		tl_secret_wipe(&secret);
		if (tl__key_equal(out, &r->pub))
			return TL_OK;
	}
	return tl__fail(TL_E_ALREADY_EXISTS,
		"there is another private key named \"%.*s\"; choose another name or remove it "
		"first",
		TL__STR_ARG(name));
}

static int add_key(tl__keys *keys, tl_str name, const uint8_t *seed, tl_key *out)
{
	record r = {0};
	int rc = read_record(keys, name, &r);

	if (rc == TL_E_KEY_NOT_FOUND)
		return make_key(keys, name, seed, out);
	if (rc == TL_OK)
		rc = same_key(name, &r, seed, out);
	tl__vault_wipe(&r, sizeof r);
	return rc;
}

/* --- interface -------------------------------------------------------------------------------- */

/* A store that a node has used has a device key: without it the file was damaged, and another key
 * would be another peer to everybody. */
static int make_device(tl__keys *keys)
{
	char *value = NULL;
	size_t len;
	int rc = tl__read_local(keys->store, TL__STR(TL__LOCAL_INCARNATION), &value, &len);

	tl__free(value);
	if (rc == TL_E_NOT_FOUND)
		return make_key(keys, TL__STR(TL__DEVICE_KEY), NULL, &keys->device);
	return rc == TL_OK ? damaged(TL__STR(TL__DEVICE_KEY)) : rc;
}

static int open_device(tl__keys *keys)
{
	tl_str name = TL__STR(TL__DEVICE_KEY);
	tl_secret secret;
	int rc = get_secret(keys, name, &secret);

	if (rc == TL_E_KEY_NOT_FOUND)
		return make_device(keys);
	if (rc == TL_OK) {
		tl_secret_public(&secret, &keys->device);
		tl_secret_wipe(&secret);
	}
	return rc;
}

int tl__keys_open(tl__keys **out, tl__store *store, tl_str passphrase)
{
	tl__keys *keys = tl__alloc_zero(1, sizeof *keys);
	int rc = TL_OK;

	*out = NULL;
	if (!keys)
		return TL_E_NOMEM;
	keys->store = store;
	pthread_mutex_init(&keys->lock, NULL);
	if (passphrase.ptr) {
		keys->passphrase_len = passphrase.len;
		keys->passphrase = tl__vault_alloc(passphrase.len + 1);
		if (!keys->passphrase)
			rc = TL_E_NOMEM;
		else if (passphrase.len)
			memcpy(keys->passphrase, passphrase.ptr, passphrase.len);
	}
	if (rc == TL_OK)
		rc = open_device(keys);
	if (rc != TL_OK) {
		tl__keys_free(keys);
		return rc;
	}
	*out = keys;
	return TL_OK;
}

void tl__keys_free(tl__keys *keys)
{
	if (!keys)
		return;
	while (keys->first)
		drop_cached(&keys->first);
	tl__vault_free(keys->passphrase, keys->passphrase_len + 1);
	pthread_mutex_destroy(&keys->lock);
	tl__free(keys);
}

const tl_key *tl__keys_device(const tl__keys *keys)
{
	return &keys->device;
}

int tl__keys_add(tl__keys *keys, tl_str name, const uint8_t *seed, tl_key *out)
{
	int rc = check_name(name);

	if (rc != TL_OK)
		return rc;
	if (is_own(name))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"\"%.*s\" is the node's own; choose another name", TL__STR_ARG(name));
	pthread_mutex_lock(&keys->lock);
	rc = add_key(keys, name, seed, out);
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

int tl__keys_public(tl__keys *keys, tl_str name, tl_key *out)
{
	record r = {0};
	int rc = read_record(keys, name, &r);

	if (rc == TL_OK)
		*out = r.pub;
	tl__vault_wipe(&r, sizeof r);
	return rc;
}

int tl__keys_secret(tl__keys *keys, tl_str name, tl_secret *out)
{
	int rc;

	pthread_mutex_lock(&keys->lock);
	rc = get_secret(keys, name, out);
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

int tl__keys_endpoint(tl__keys *keys, tl_secret *out)
{
	tl_str name = TL__STR(TL__ENDPOINT_KEY);
	tl_key made;
	int rc;

	pthread_mutex_lock(&keys->lock);
	rc = get_secret(keys, name, out);
	if (rc == TL_E_KEY_NOT_FOUND) {
		rc = make_key(keys, name, NULL, &made);
		if (rc == TL_OK)
			rc = get_secret(keys, name, out);
	}
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

static int remove_key(tl__keys *keys, tl_str name)
{
	tl__put_key put = {.name = name, .value = TL__STR_NULL};
	tl__batch batch = {.keys = &put, .key_count = 1, .local_commit = true};
	record r = {0};
	int rc = read_record(keys, name, &r);

	tl__vault_wipe(&r, sizeof r);
	if (rc == TL_OK)
		rc = tl__store_write(keys->store, &batch);
	if (rc == TL_OK)
		drop_cached(find_cached(keys, name));
	return rc;
}

int tl__keys_remove(tl__keys *keys, tl_str name)
{
	int rc;

	if (is_own(name))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"\"%.*s\" is the node itself and cannot be removed", TL__STR_ARG(name));
	pthread_mutex_lock(&keys->lock);
	rc = remove_key(keys, name);
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

typedef struct names_call {
	tl__name_visit visit;
	void *ud;
} names_call;

static int visit_name(void *ud, tl_str name)
{
	const names_call *call = ud;

	return is_own(name) ? TL_OK : call->visit(call->ud, name);
}

int tl__keys_names(tl__keys *keys, tl__name_visit visit, void *ud)
{
	names_call call = {visit, ud};

	return tl__read_key_names(keys->store, visit_name, &call);
}
