/* The first words of v1: what we say of ourselves, and what becomes of what a peer says. */
#include "sync/core/core.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

/* "0.0.0.0:…" and "[::]:…" are places to listen at, nowhere to dial. */
bool tl__address_is_wildcard(const tl_address *address)
{
	tl_str text = tl__str_z(address->text);

	return tl__str_starts(text, TL__STR("0.0.0.0:")) || tl__str_starts(text, TL__STR("[::]:"));
}

void tl__hello_write(tl__sync *sync, tl__buf *args)
{
	tl__v1_hello hello = {0};

	hello.key = sync->key;
	hello.name = tl__str_z(sync->name);
	memcpy(hello.incarnation, sync->incarnation, sizeof hello.incarnation);
	for (size_t i = 0; i < sync->server_count; i++) {
		const tl_address *server = &sync->servers[i];

		if (tl__address_is_wildcard(server) || strlen(server->text) > TL__V1_MAX_TEXT ||
			hello.address_count == TL__V1_MAX_ADDRESSES)
			continue;
		hello.addresses[hello.address_count].type = tl__str_z(server->type);
		hello.addresses[hello.address_count++].address = tl__str_z(server->text);
	}
	hello.max_body_bytes = TL__V1_MAX_BODY_BYTES;
	hello.max_page_entries = TL__V1_MAX_PAGE_ENTRIES;
	hello.features[hello.feature_count++] = TL__STR(TL__V1_FEATURE_SHARE);
	hello.features[hello.feature_count++] = TL__STR(TL__V1_FEATURE_STATE);
	hello.features[hello.feature_count++] = TL__STR(TL__V1_FEATURE_WATCH);
	tl__v1_write_hello(args, &hello);
}

/* What is told apart must be read back as the same from one text, or it would be another address
 * wherever it is shown and typed. */
static bool read_told(tl_address *out, tl_str type, tl_str text)
{
	tl__buf line = TL__BUF_INIT;
	bool good;

	tl__buf_str(&line, type);
	tl__buf_byte(&line, ':');
	tl__buf_str(&line, text);
	good = tl__buf_status(&line) == TL_OK &&
	       tl_address_parse(out, tl__buf_view(&line)) == TL_OK &&
	       tl__str_eq(tl__str_z(out->type), type) && tl__str_eq(tl__str_z(out->text), text) &&
	       !tl__address_is_wildcard(out);
	tl__buf_free(&line);
	return good;
}

/* Addresses that the peer says it listens at: tried with a hello only, until it answers there. */
static bool take_addresses(tl__peer *peer, const tl__v1_hello *hello)
{
	tl_address told[TL__V1_MAX_ADDRESSES];
	size_t count = 0;

	for (size_t i = 0; i < hello->address_count; i++)
		if (read_told(&told[count], hello->addresses[i].type, hello->addresses[i].address))
			count++;
	return tl__peer_learn_addresses(peer, told, count);
}

static bool has_feature(const tl__v1_hello *hello, const char *name)
{
	for (size_t i = 0; i < hello->feature_count; i++)
		if (tl__str_eq(hello->features[i], tl__str_z(name)))
			return true;
	return false;
}

bool tl__hello_heard(tl__sync *sync, tl__peer *peer, const tl__v1_hello *hello)
{
	(void)!tl__peer_set_said_name(peer, hello->name);
	/* Another store: what it holds of ours is unknown. */
	if (peer->incarnation_known &&
		memcmp(peer->incarnation, hello->incarnation, sizeof hello->incarnation) != 0)
		for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
			tl__pair_restart(sync, pair);
	peer->incarnation_known = true;
	memcpy(peer->incarnation, hello->incarnation, sizeof hello->incarnation);
	peer->max_body_bytes = hello->max_body_bytes < TL__V1_MAX_BODY_BYTES
				       ? hello->max_body_bytes
				       : TL__V1_MAX_BODY_BYTES;
	peer->max_page_entries = hello->max_page_entries < TL__V1_MAX_PAGE_ENTRIES
					 ? hello->max_page_entries
					 : TL__V1_MAX_PAGE_ENTRIES;
	peer->hello_heard = true;
	peer->takes_shares = has_feature(hello, TL__V1_FEATURE_SHARE);
	peer->takes_state = has_feature(hello, TL__V1_FEATURE_STATE);
	tl__peer_changed(sync, peer);
	peer->watch_offered = has_feature(hello, TL__V1_FEATURE_WATCH);
	return take_addresses(peer, hello);
}
