#include "tree/trust/signers.h"

#include <pthread.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "model/ids.h"
#include "model/entry_impl.h"

#define SLOTS 256

/* One key a slot: another signer of the same slot takes it over. A wrong guess costs a
 * verification, no more. */
typedef struct slot {
	uint64_t of; /* hash of database and names; 0 is none */
	tl_key key;
} slot;

struct tl__signers {
	pthread_mutex_t lock;
	slot slots[SLOTS];
};

int tl__signers_new(tl__signers **out)
{
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	pthread_mutex_init(&(*out)->lock, NULL);
	return TL_OK;
}

void tl__signers_free(tl__signers *signers)
{
	if (!signers)
		return;
	pthread_mutex_destroy(&signers->lock);
	tl__free(signers);
}

/* 0 for a path of delegations, whose key cannot be guessed. */
static uint64_t hash_of(const tl_entry *entry)
{
	static const uint64_t seed[2];
	tl_str name = tl_entry_key_name(entry), shown = tl_entry_pubkey(entry);
	const tl_id *db = tl__entry_tree_id(entry);
	uint64_t parts[3];

	if (!name.ptr)
		return 0;
	parts[0] = tl__siphash(seed, db->b, sizeof db->b);
	parts[1] = tl__siphash(seed, name.ptr, name.len);
	parts[2] = shown.ptr ? tl__siphash(seed, shown.ptr, shown.len) : 0;
	return tl__siphash(seed, parts, sizeof parts) | 1;
}

static bool find(tl__signers *signers, uint64_t of, tl_key *key)
{
	const slot *at = &signers->slots[of / 2 % SLOTS];
	bool found;

	pthread_mutex_lock(&signers->lock);
	found = at->of == of;
	if (found)
		*key = at->key;
	pthread_mutex_unlock(&signers->lock);
	return found;
}

static void put(tl__signers *signers, uint64_t of, const tl_key *key)
{
	slot *at = &signers->slots[of / 2 % SLOTS];

	pthread_mutex_lock(&signers->lock);
	*at = (slot){of, *key};
	pthread_mutex_unlock(&signers->lock);
}

bool tl__signers_guess(tl__signers *signers, const tl_entry *entry, tl_key *key)
{
	uint64_t of = hash_of(entry);
	tl_str shown = tl_entry_pubkey(entry);

	if (of == 0)
		return false;
	if (find(signers, of, key))
		return true;
	if (!shown.ptr)
		shown = tl_entry_key_name(entry);
	if (tl_key_parse(key, shown) != TL_OK)
		return false;
	put(signers, of, key);
	return true;
}

void tl__signers_note(tl__signers *signers, const tl_entry *entry, const tl_key *key)
{
	uint64_t of = hash_of(entry);
	tl_key known;

	if (of != 0 && (!find(signers, of, &known) || !tl__key_equal(&known, key)))
		put(signers, of, key);
}
