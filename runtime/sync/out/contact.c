/* Who is this peer? Asked of an address, by somebody who wants to meet whoever is there, and of a
 * peer of ours: by which protocol, when that is not known yet, and for a sign of life when it could
 * not be reached. The ways between the words are drawn in README.md. A key counts when a hello to
 * it is signed; what comes before tells only whom to address that to, and whether to do so. */
#include "sync/out/outbound.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"

/* What is under way. */
typedef enum contact_words {
	ANYBODY,   /* a hello to nobody */
	HANDSHAKE, /* that of eidetica 0.2.0, with an offer of ours */
	HELLO      /* to the key */
} contact_words;

struct tl__sync_contact {
	uint64_t number;
	tl__sync_ask *ask; /* on whose behalf; NULL: a peer of ours is asked, wherever it answers */
	tl__contact_done done;
	bool there; /* at this address and no other */
	tl_address address;
	contact_words words;
	bool turned;        /* from the first words of one protocol to those of the other: once */
	tl__peer *stranger; /* not known yet: ours until it is */
	uint64_t call;
	tl__sync_contact *next;
};

static tl__sync_contact *find(tl__sync *sync, uint64_t number)
{
	tl__sync_contact *contact = sync->contacts;

	while (contact && contact->number != number)
		contact = contact->next;
	return contact;
}

static void free_contact(tl__sync *sync, tl__sync_contact *contact)
{
	tl__sync_contact **at = &sync->contacts;

	while (*at && *at != contact)
		at = &(*at)->next;
	if (*at)
		*at = contact->next;
	if (contact->stranger) {
		contact->stranger->removed = true; /* its call may still hold it */
		tl__peer_release(sync, contact->stranger);
	}
	tl__free(contact);
}

/* --- a peer of ours --------------------------------------------------------------------------- */

/* Whom this contact asks; NULL: it is gone. */
static tl__peer *asked_peer(const tl__sync *sync, uint64_t number)
{
	tl__peer *peer = sync->peers;

	while (peer && peer->check != number)
		peer = peer->next;
	return peer;
}

/* By which protocol it is spoken to is not known, so its relations have failed. */
static void relations_failed(tl__sync *sync, tl__peer *peer, int code, const char *error)
{
	tl__pair *pair = peer->pairs;

	tl__peer_failed(sync, peer, code, error);
	while (pair) {
		tl__pair *next = pair->next_of_peer;

		if (pair->wanted || pair->attempts > 0 || tl__pair_dirty(pair)) {
			pair->wanted = false;
			tl__schedule_failed(sync, pair, code, error);
			tl__waiters_session(sync, pair, code, error, NULL);
		}
		pair = next;
	}
}

static void asked(tl__sync *sync, uint64_t number, int code, const char *error)
{
	tl__peer *peer = asked_peer(sync, number);

	if (!peer)
		return;
	peer->check = 0;
	tl__peer_changed(sync, peer);
	if (code != TL_OK && peer->protocol == TL__PROTOCOL_UNKNOWN)
		relations_failed(sync, peer, code, error);
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void end(
	tl__sync *sync, tl__sync_contact *contact, int code, const char *error, tl__peer *peer)
{
	tl__sync_contact ended = *contact;

	free_contact(sync, contact);
	if (ended.ask)
		ended.done(sync, ended.ask, code, error, peer);
	else
		asked(sync, ended.number, code, error);
}

static void fail(tl__sync *sync, tl__sync_contact *contact, int code, const char *error)
{
	if (contact->ask)
		tl__log_write(sync->log, TL_LOG_INFO, "contact", "no contact with %s:%s: %s",
			contact->address.type, contact->address.text, error);
	end(sync, contact, code, error, NULL);
}

static void fail_last(tl__sync *sync, tl__sync_contact *contact, int code)
{
	const tl_error *error = tl_last_error();
	char text[TL__SYNC_ERROR_TEXT];

	tl__text_copy(text, sizeof text,
		tl__str_z(error ? tl_error_message(error) : tl_error_name(code)));
	fail(sync, contact, code, text);
}

/* It becomes a peer of ours, with the address it answered at. */
static int enlist(tl__sync *sync, tl__sync_contact *contact, tl__peer *peer)
{
	int rc = TL_OK;

	if (peer == contact->stranger) {
		rc = tl__peer_enlist(sync, peer);
		if (rc == TL_OK)
			contact->stranger = NULL;
	}
	if (rc == TL_OK)
		rc = tl__peer_add_address(peer, &contact->address, NULL);
	/* A list full of the owner's gives up the last: this one, which is the owner's too, works.
	 */
	if (rc == TL_E_TOO_LARGE) {
		tl__peer_drop_address(peer, TL__SYNC_MAX_ADDRESSES - 1);
		rc = tl__peer_add_address(peer, &contact->address, NULL);
	}
	return rc;
}

/* `channel`: what the connection showed where it answered. */
static void known(tl__sync *sync, tl__sync_contact *contact, tl__peer *peer,
	tl__peer_protocol protocol, const char *channel)
{
	int rc = contact->ask ? enlist(sync, contact, peer) : TL_OK;
	int at = tl__peer_address_at(peer, &contact->address);

	if (rc != TL_OK) {
		fail_last(sync, contact, rc);
		return;
	}
	if (peer->protocol == TL__PROTOCOL_UNKNOWN)
		peer->protocol = protocol;
	if (at >= 0) {
		tl__peer_address *address = &peer->addresses[at];

		address->proven = true;
		tl__text_copy(address->channel, sizeof address->channel, tl__str_z(channel));
		address->success = ++sync->successes;
	}
	tl__peer_changed(sync, peer);
	tl__peer_succeeded(sync, peer, &contact->address);
	tl__peer_wake(sync, peer);
	if (contact->ask) {
		tl__knock_drop(sync, &peer->key);
		tl__peer_save(sync, peer);
	} else {
		tl__peer_save_local(sync, peer);
	}
	end(sync, contact, TL_OK, NULL, peer);
}

/* --- whose answers these are ------------------------------------------------------------------ */

/* The peer's record if there is one, else a new one that nobody knows yet. */
static tl__peer *subject(tl__sync *sync, tl__sync_contact *contact, const tl_key *key)
{
	tl__peer *peer = tl__sync_find_peer(sync, key);

	if (peer)
		return peer;
	if (!contact->stranger)
		contact->stranger = tl__peer_new(key, TL__STR_NULL);
	return contact->stranger;
}

static int check_subject(const tl__sync *sync, const tl_key *key, const tl__peer *peer)
{
	if (tl__key_equal(key, &sync->key))
		return tl__fail(TL_E_BAD_ARGUMENT, "that address is this node itself");
	if (!peer)
		return TL_E_NOMEM;
	if (peer->status == TL__PEER_BLOCKED)
		return tl__fail(TL_E_PEER_BLOCKED,
			"the peer at that address is blocked; change its status first");
	return TL_OK;
}

/* Who answered has signed for a channel of which it is an end: that cannot be passed on. */
static bool proves_ends(const tl__sync *sync, const tl__sync_contact *contact)
{
	const struct tl__sync_transport *transport = tl__transport_of(sync, &contact->address);

	return transport && transport->agrees && transport->proves_ends;
}

/* --- the words -------------------------------------------------------------------------------- */

static void answered(tl__sync *sync, void *ud, uint64_t number, tl__call_result *result);

/* peer NULL: to whoever answers. */
static void say(tl__sync *sync, tl__sync_contact *contact, contact_words words, tl__peer *peer)
{
	tl__call *call =
		words == HANDSHAKE ? sync->v0->greet(sync, peer) : tl__call_hello(sync, peer);

	if (!call) {
		fail_last(sync, contact, TL_E_NOMEM);
		return;
	}
	contact->words = words;
	contact->call = call->number;
	call->fixed = contact->there;
	call->address = contact->address;
	call->owner = contact->number;
	call->done = answered;
	tl__call_start(sync, call);
}

/* A 0.2.0 node signs whatever it is asked to, so its key would prove nothing in v1. */
static void keep_to_v0(
	tl__sync *sync, tl__sync_contact *contact, tl__peer *peer, const tl__call_result *result)
{
	if (result->tidelock)
		tl__log_about(sync->log, TL_LOG_WARNING, "sync", tl__str_z(peer->text),
			"%s was known as a 0.2.0 node and now offers tidelock's protocol; it stays "
			"with the old one until you remove the peer and connect again",
			peer->text);
	peer->greeted = true;
	(void)!tl__peer_set_said_name(peer, result->name);
	known(sync, contact, peer, TL__PROTOCOL_V0, result->channel);
}

static void believe(
	tl__sync *sync, tl__sync_contact *contact, tl__peer *peer, const tl__call_result *result)
{
	int rc = tl__hello_read(sync, peer, result->args, result->epoch);

	if (rc != TL_OK)
		fail_last(sync, contact, rc);
	else
		known(sync, contact, peer, TL__PROTOCOL_V1, result->channel);
}

static void judge(tl__sync *sync, tl__sync_contact *contact, const tl__call_result *result)
{
	tl__peer *peer = subject(sync, contact, &result->key);
	int rc = check_subject(sync, &result->key, peer);

	if (rc == TL_OK && peer->protocol == TL__PROTOCOL_V1 && !result->tidelock)
		rc = tl__fail(TL_E_DOWNGRADE_REFUSED,
			"this peer has proven tidelock's protocol and now offers only the old one: "
			"somebody may be in between, or remove the peer and connect again");
	if (rc != TL_OK)
		fail_last(sync, contact, rc);
	else if (!result->tidelock || peer->protocol == TL__PROTOCOL_V0)
		keep_to_v0(sync, contact, peer, result);
	else if (contact->words == HELLO ||
		 (contact->words == ANYBODY && proves_ends(sync, contact)))
		believe(sync, contact, peer, result);
	else
		say(sync, contact, HELLO, peer);
}

static void answered(tl__sync *sync, void *ud, uint64_t number, tl__call_result *result)
{
	tl__sync_contact *contact = find(sync, number);
	tl__peer *ours = contact && !contact->ask ? asked_peer(sync, number) : NULL;
	int code = result->code;

	(void)ud;
	if (!contact)
		return;
	contact->call = 0;
	contact->address = result->address;
	contact->there = true;
	if (!contact->ask && !ours) {
		free_contact(sync, contact);
	} else if (code == TL_E_V0_NOT_SPOKEN && contact->words == HANDSHAKE && !contact->turned) {
		contact->turned = true;
		say(sync, contact, ours ? HELLO : ANYBODY, ours);
	} else if (code == TL_E_PROTOCOL_MISMATCH && contact->words == ANYBODY &&
		   !contact->turned && sync->v0) {
		contact->turned = true;
		say(sync, contact, HANDSHAKE, NULL);
	} else if (code == TL_E_V0_NOT_SPOKEN && contact->words == HANDSHAKE) {
		fail(sync, contact, TL_E_PROTOCOL_MISMATCH,
			"who answers there offers neither tidelock's protocol nor that of 0.2.0 "
			"(ALPN)");
	} else if (code != TL_OK) {
		fail(sync, contact, code, result->error);
	} else {
		judge(sync, contact, result);
	}
}

/* --- start and end ---------------------------------------------------------------------------- */

static tl__sync_contact *new_contact(tl__sync *sync, tl__contact_done done, tl__sync_ask *ask)
{
	tl__sync_contact *contact = tl__alloc_zero(1, sizeof *contact);

	if (!contact)
		return NULL;
	contact->number = tl__sync_number(sync);
	contact->ask = ask;
	contact->done = done;
	contact->next = sync->contacts;
	sync->contacts = contact;
	return contact;
}

static void start_pinned(tl__sync *sync, tl__sync_contact *contact, const tl_key *pin)
{
	tl__peer *peer = subject(sync, contact, pin);
	int rc = check_subject(sync, pin, peer);

	if (rc == TL_OK && peer->protocol == TL__PROTOCOL_V0)
		rc = tl__fail(TL_E_V0_KEY,
			"this key is known as that of a 0.2.0 node, which signs whatever it is "
			"asked to; remove the peer and connect again if it is tidelock now");
	if (rc != TL_OK)
		fail_last(sync, contact, rc);
	else
		say(sync, contact, HELLO, peer);
}

void tl__contact_start(tl__sync *sync, const tl_address *address, const tl_key *pin,
	tl__contact_done done, tl__sync_ask *ask)
{
	const struct tl__sync_transport *transport = tl__transport_of(sync, address);
	bool ours_first = !sync->v0 || (transport && transport->agrees);
	tl__sync_contact *contact = new_contact(sync, done, ask);

	if (!contact) {
		done(sync, ask, TL_E_NOMEM, "out of memory", NULL);
		return;
	}
	contact->address = *address;
	contact->there = true;
	if (pin)
		start_pinned(sync, contact, pin);
	else
		say(sync, contact, ours_first ? ANYBODY : HANDSHAKE, NULL);
}

/* Without memory nothing is asked: it is tried again with the next tick, or when it is due. */
void tl__contact_peer(tl__sync *sync, tl__peer *peer)
{
	bool hello = !sync->v0 || peer->protocol == TL__PROTOCOL_V1;
	tl__sync_contact *contact = peer->check == 0 && tl__peer_has_way(sync, peer)
					    ? new_contact(sync, NULL, NULL)
					    : NULL;

	if (!contact)
		return;
	peer->check = contact->number;
	tl__peer_changed(sync, peer);
	say(sync, contact, hello ? HELLO : HANDSHAKE, peer);
}

void tl__contact_drop(tl__sync *sync, const tl__sync_ask *ask)
{
	tl__sync_contact *contact = sync->contacts;

	while (contact && contact->ask != ask)
		contact = contact->next;
	if (!contact)
		return;
	if (contact->call)
		tl__call_cancel(sync, contact->call);
	free_contact(sync, contact);
}

void tl__contacts_free(tl__sync *sync)
{
	while (sync->contacts)
		free_contact(sync, sync->contacts);
}
