/* Entries on their way: how many, and which of them once more between the same two peers. */
#include <string.h>
#include "base/mem.h"
#include "sim/flight.h"
#include "wire/v0_path.h"

/* Around something that broke: what was sent so late need not be known at the other end, or not be
 * saved; and until both sides have found each other again either may send first. */
#define UNSURE_MS 2000

#define HASH_BYTES 32

typedef struct carried {
	uint8_t hash[HASH_BYTES];
	uint64_t at; /* the last time */
	const tl__sim_peer *by;
	bool again; /* it went once more than needed then, and may come back as if it were new */
} carried;

/* What went between two peers, either way. */
struct tl__sim_link {
	tl__sim_link *next;
	const tl__sim_peer *a, *b;
	carried *items;
	size_t count, cap;
	bool broke;
	uint64_t broke_at; /* the last time */
};

static bool joins(const tl__sim_link *link, const tl__sim_peer *a, const tl__sim_peer *b)
{
	return (link->a == a && link->b == b) || (link->a == b && link->b == a);
}

static tl__sim_link *find_link(const tl__sim_flight *flight)
{
	tl__sim_link *link = flight->sim->links;

	while (link && !joins(link, flight->from, flight->to))
		link = link->next;
	return link;
}

static tl__sim_link *link_of(const tl__sim_flight *flight)
{
	tl__sim_link *link = find_link(flight);

	if (link)
		return link;
	link = tl__alloc_zero(1, sizeof *link);
	if (!link) {
		tl__sim_broken(flight->sim, TL_E_NOMEM);
		return NULL;
	}
	link->a = flight->from;
	link->b = flight->to;
	link->next = flight->sim->links;
	flight->sim->links = link;
	return link;
}

static carried *find(tl__sim_link *link, const uint8_t hash[HASH_BYTES])
{
	for (size_t i = 0; i < link->count; i++)
		if (memcmp(link->items[i].hash, hash, HASH_BYTES) == 0)
			return &link->items[i];
	return NULL;
}

static carried *append(tl__sim *sim, tl__sim_link *link, const uint8_t hash[HASH_BYTES])
{
	carried *more = tl__grow(link->items, link->count, &link->cap, sizeof *more);

	if (!more) {
		tl__sim_broken(sim, TL_E_NOMEM);
		return NULL;
	}
	link->items = more;
	link->items[link->count] = (carried){0};
	memcpy(link->items[link->count].hash, hash, HASH_BYTES);
	return &link->items[link->count++];
}

/* Something broke since it went, or did and one end does not know it yet. */
static bool is_unsure(const tl__sim *sim, const tl__sim_link *link, const carried *item)
{
	if (link->broke && link->broke_at + UNSURE_MS >= item->at)
		return true;
	for (const tl__sim_flight *flight = sim->flights; flight; flight = flight->next)
		if (flight->broke && !flight->client_over && joins(link, flight->from, flight->to))
			return true;
	return false;
}

static void repeat(const tl__sim_flight *flight, const tl__sim_link *link, carried *item,
	const tl__sim_peer *by)
{
	tl__sim *sim = flight->sim;
	bool unsure = is_unsure(sim, link, item);

	sim->repeats++;
	if (!unsure && !(item->again && item->by != by)) {
		sim->needless++;
		tl__sim_note(sim, "needless: an entry goes again between %s and %s (%s)",
			flight->from->name, flight->to->name, flight->path);
	}
	item->again = unsure;
}

static void carry(
	const tl__sim_flight *flight, tl__sim_link *link, tl_str entry, const tl__sim_peer *by)
{
	uint8_t hash[HASH_BYTES];
	carried *item;

	tl_sha256(entry.ptr, entry.len, hash);
	item = find(link, hash);
	if (item)
		repeat(flight, link, item, by);
	else
		item = append(flight->sim, link, hash);
	if (!item)
		return;
	item->at = flight->sim->now;
	item->by = by;
}

/* Inside of an entry no such text stands unescaped. In v1 it ends with its line; 0.2.0 knows no
 * other way than to send again. */
void tl__sim_set_out(const tl__sim_flight *flight, const tl__buf *body)
{
	static const char begin[] = "{\"tree\":{\"root\":";
	bool v1 = flight->from && flight->to && strcmp(flight->path, TL__V0_PATH) != 0;
	tl__sim_link *link = v1 ? link_of(flight) : NULL;
	const tl__sim_peer *by = body == &flight->body ? flight->from : flight->to;
	const char *at = body->ptr, *end = body->ptr + body->len;

	flight->sim->bytes += body->len;
	while (at && (at = memmem(at, (size_t)(end - at), begin, sizeof begin - 1)) != NULL) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		flight->sim->entries++;
		if (link && line_end)
			carry(flight, link, (tl_str){at, (size_t)(line_end - at)}, by);
		at += sizeof begin - 1;
	}
}

static void breaks(tl__sim *sim, tl__sim_link *link)
{
	link->broke = true;
	link->broke_at = sim->now;
	sim->breaks++;
}

void tl__sim_flight_broke(tl__sim_flight *flight)
{
	tl__sim_link *link = flight->from && flight->to ? find_link(flight) : NULL;

	if (!link)
		return;
	link->broke_at = flight->sim->now;
	if (!flight->broke)
		breaks(flight->sim, link);
	flight->broke = true;
}

void tl__sim_peer_broke(const tl__sim_peer *peer)
{
	for (tl__sim_link *link = peer->sim->links; link; link = link->next)
		if (link->a == peer || link->b == peer)
			breaks(peer->sim, link);
}

void tl__sim_links_free(tl__sim *sim)
{
	while (sim->links) {
		tl__sim_link *link = sim->links;

		sim->links = link->next;
		tl__free(link->items);
		tl__free(link);
	}
}

/* --- looking ---------------------------------------------------------------------------------- */

uint64_t tl__sim_entries(const tl__sim *sim)
{
	return sim->entries;
}

uint64_t tl__sim_bytes(const tl__sim *sim)
{
	return sim->bytes;
}

uint64_t tl__sim_repeats(const tl__sim *sim)
{
	return sim->repeats;
}

uint64_t tl__sim_needless(const tl__sim *sim)
{
	return sim->needless;
}

uint64_t tl__sim_breaks(const tl__sim *sim)
{
	return sim->breaks;
}
