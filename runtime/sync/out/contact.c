/* First contact: who is at this address? A pinned key gets hello directly. Else first words come
 * before it: those of eidetica 0.2.0 with an offer of ours, or, where these are not spoken, a hello
 * to nobody. Where the transport agrees on a protocol it is the other way round. */
#include "sync/out/outbound.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

struct tl__sync_contact {
	uint64_t number, op;
	tl_address address;
	tl__peer *stranger; /* not known yet: ours until it is */
	tl_key key;         /* of the peer, once known */
	uint64_t call;
	bool ours_first; /* first words are tidelock's own */
	tl__contact_done done;
	void *ud;
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
		contact->stranger->removed = true;
		tl__peer_release(sync, contact->stranger);
	}
	tl__free(contact->ud);
	tl__free(contact);
}

static void end(
	tl__sync *sync, tl__sync_contact *contact, int code, const char *error, tl__peer *peer)
{
	tl__contact_done done = contact->done;
	tl_address address = contact->address;

	contact->op = 0;
	if (code != TL_OK && code != TL_E_CANCELLED && code != TL_E_CLOSED)
		tl__log_write(sync->log, TL_LOG_INFO, "contact", "no contact with %s:%s: %s",
			address.type, address.text, error);
	if (done)
		done(sync, contact->ud, code, error, peer, &address);
	free_contact(sync, contact);
}

static void end_failed(tl__sync *sync, tl__sync_contact *contact, int code)
{
	const tl_error *error = tl_last_error();
	char text[TL__SYNC_ERROR_TEXT];

	tl__text_copy(text, sizeof text,
		tl__str_z(error ? tl_error_message(error) : tl_error_name(code)));
	end(sync, contact, code, text, NULL);
}

/* Registers the peer with the address it answered at, and tells. */
static void known(
	tl__sync *sync, tl__sync_contact *contact, tl__peer *peer, tl__peer_protocol protocol)
{
	bool fresh = peer == contact->stranger;
	size_t index = 0;
	int rc = TL_OK;

	if (fresh) {
		rc = tl__peer_enlist(sync, peer);
		if (rc == TL_OK)
			contact->stranger = NULL;
	}
	if (rc == TL_OK)
		rc = tl__peer_add_address(peer, &contact->address, &index);
	/* A list full of the owner's gives up the last: this one, which is the owner's too, works.
	 */
	if (rc == TL_E_TOO_LARGE) {
		tl__peer_drop_address(peer, TL__SYNC_MAX_ADDRESSES - 1);
		rc = tl__peer_add_address(peer, &contact->address, &index);
	}
	if (rc != TL_OK) {
		end_failed(sync, contact, rc);
		return;
	}
	tl__peer_changed(sync, peer);
	peer->protocol = protocol;
	peer->addresses[index].proven = true;
	peer->addresses[index].success = ++sync->successes;
	tl__peer_succeeded(sync, peer, &contact->address);
	tl__peer_wake(sync, peer);
	tl__knock_drop(sync, &peer->key);
	tl__peer_save(sync, peer);
	end(sync, contact, TL_OK, NULL, peer);
}

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
	if (memcmp(key->b, sync->key.b, TL_KEY_BYTES) == 0)
		return tl__fail(TL_E_BAD_ARGUMENT, "that address is this node itself");
	if (!peer)
		return TL_E_NOMEM;
	if (peer->status == TL__PEER_BLOCKED)
		return tl__fail(TL_E_PEER_BLOCKED,
			"the peer at that address is blocked; change its status first");
	return TL_OK;
}

static void send_call(tl__sync *sync, tl__sync_contact *contact, tl__call *call)
{
	call->fixed = true;
	call->address = contact->address;
	call->owner = contact->number;
	contact->call = call->number;
	tl__call_start(sync, call);
}

/* --- v1 --------------------------------------------------------------------------------------- */

static void believe(
	tl__sync *sync, tl__sync_contact *contact, tl__peer *peer, const tl__call_result *result)
{
	int rc = tl__hello_read(sync, peer, result->args, result->epoch);

	if (rc != TL_OK)
		end_failed(sync, contact, rc);
	else
		known(sync, contact, peer, TL__PROTOCOL_V1);
}

static void hello_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__sync_contact *contact = find(sync, owner);
	tl__peer *peer;

	(void)ud;
	if (!contact)
		return;
	contact->call = 0;
	if (result->code != TL_OK) {
		end(sync, contact, result->code, result->error, NULL);
		return;
	}
	peer = subject(sync, contact, &contact->key);
	if (peer)
		believe(sync, contact, peer, result);
	else
		end_failed(sync, contact, TL_E_NOMEM);
}

static void say_hello(tl__sync *sync, tl__sync_contact *contact, tl__peer *peer)
{
	tl__call *call = tl__call_hello(sync, peer);

	if (!call) {
		end_failed(sync, contact, TL_E_NOMEM);
		return;
	}
	contact->key = peer->key;
	call->done = hello_done;
	send_call(sync, contact, call);
}

/* --- first words ------------------------------------------------------------------------------ */

/* Who answered has signed for a channel of which it is an end: that cannot be passed on. */
static bool is_proven(const tl__sync *sync, const tl__sync_contact *contact)
{
	const struct tl__sync_transport *transport = tl__transport_of(sync, &contact->address);

	return contact->ours_first && transport && transport->proves_ends;
}

static void judge(tl__sync *sync, tl__sync_contact *contact, const tl__call_result *result)
{
	tl__peer *peer = subject(sync, contact, &result->key);
	int rc = check_subject(sync, &result->key, peer);

	if (rc == TL_OK && peer->protocol == TL__PROTOCOL_V1 && !result->tidelock)
		rc = tl__fail(TL_E_DOWNGRADE_REFUSED,
			"this peer has proven tidelock's protocol and now offers only the old one: "
			"somebody may be in between, or remove the peer and connect again");
	if (rc != TL_OK) {
		end_failed(sync, contact, rc);
		return;
	}
	if (result->tidelock && peer->protocol != TL__PROTOCOL_V0) {
		if (is_proven(sync, contact))
			believe(sync, contact, peer, result);
		else
			say_hello(sync, contact, peer);
		return;
	}
	/* A 0.2.0 node signs whatever it is asked to, so its key would prove nothing in v1. */
	if (result->tidelock)
		tl__log_about(sync->log, TL_LOG_WARNING, "sync", tl__str_z(peer->text),
			"%s was known as a 0.2.0 node and now offers tidelock's protocol; it stays "
			"with the old one until you remove the peer and connect again",
			peer->text);
	contact->key = peer->key;
	peer->greeted = true;
	(void)!tl__peer_set_said_name(peer, result->name);
	known(sync, contact, peer, TL__PROTOCOL_V0);
}

static void greet(tl__sync *sync, tl__sync_contact *contact, tl__call *call);

static void greeted(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__sync_contact *contact = find(sync, owner);

	(void)ud;
	if (!contact)
		return;
	contact->call = 0;
	if (result->code == TL_E_V0_NOT_SPOKEN && sync->v0 && !contact->ours_first) {
		greet(sync, contact, tl__call_hello(sync, NULL));
	} else if (result->code == TL_E_PROTOCOL_MISMATCH && sync->v0 && contact->ours_first) {
		contact->ours_first = false;
		greet(sync, contact, tl__call_greet(sync, NULL));
	} else if (result->code != TL_OK) {
		end(sync, contact, result->code, result->error, NULL);
	} else {
		judge(sync, contact, result);
	}
}

static void greet(tl__sync *sync, tl__sync_contact *contact, tl__call *call)
{
	if (!call) {
		end_failed(sync, contact, TL_E_NOMEM);
		return;
	}
	call->done = greeted;
	send_call(sync, contact, call);
}

/* --- start and end ---------------------------------------------------------------------------- */

static void start_pinned(tl__sync *sync, tl__sync_contact *contact, const tl_key *pin)
{
	tl__peer *peer = subject(sync, contact, pin);
	int rc = check_subject(sync, pin, peer);

	if (rc == TL_OK && peer->protocol == TL__PROTOCOL_V0)
		rc = tl__fail(TL_E_V0_KEY,
			"this key is known as that of a 0.2.0 node, which signs whatever it is "
			"asked to; remove the peer and connect again if it is tidelock now");
	if (rc != TL_OK)
		end_failed(sync, contact, rc);
	else
		say_hello(sync, contact, peer);
}

void tl__contact_start(tl__sync *sync, const tl_address *address, const tl_key *pin,
	tl__contact_done done, void *ud, uint64_t op)
{
	tl__sync_contact *contact = tl__alloc_zero(1, sizeof *contact);
	const struct tl__sync_transport *transport;

	if (!contact) {
		done(sync, ud, TL_E_NOMEM, "out of memory", NULL, address);
		tl__free(ud);
		return;
	}
	contact->number = tl__sync_number(sync);
	contact->op = op;
	contact->address = *address;
	contact->done = done;
	contact->ud = ud;
	contact->next = sync->contacts;
	sync->contacts = contact;
	transport = tl__transport_of(sync, address);
	contact->ours_first = transport && transport->agrees;
	if (pin)
		start_pinned(sync, contact, pin);
	else if (contact->ours_first)
		greet(sync, contact, tl__call_hello(sync, NULL));
	else
		greet(sync, contact, tl__call_greet(sync, NULL));
}

void tl__contact_cancel(tl__sync *sync, uint64_t op)
{
	tl__sync_contact *contact = sync->contacts;

	while (contact && contact->op != op)
		contact = contact->next;
	if (!contact || op == 0)
		return;
	if (contact->call)
		tl__call_cancel(sync, contact->call);
	end(sync, contact, TL_E_CANCELLED, "cancelled", NULL);
}

void tl__contacts_free(tl__sync *sync)
{
	while (sync->contacts) {
		tl__sync_contact *contact = sync->contacts;

		sync->contacts = contact->next;
		if (contact->stranger) {
			contact->stranger->removed = true; /* its call may still hold it */
			tl__peer_release(sync, contact->stranger);
		}
		tl__free(contact->ud);
		tl__free(contact);
	}
}
