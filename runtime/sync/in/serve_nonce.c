/* Replays. The nonce of a request is a number that its process counts up, so a few bits for each
 * process tell what has been heard, however many requests there are. */
#include <string.h>
#include "sync/in/serve.h"

typedef struct process {
	uint8_t name[TL__V1_NONCE_PROCESS];
	uint64_t highest;
	uint64_t heard[TL__V1_NONCE_WINDOW /
		       64]; /* of the numbers up to the highest, by remainder */
	int64_t latest;     /* time of a request, as its sender told it */
	uint64_t at;        /* monotonic */
} process;

struct tl__sender {
	tl_key key;
	bool known; /* a peer of ours: it keeps its place */
	process processes[TL__V1_NONCE_PROCESSES];
	size_t count;
	/* Processes that made room for others made no request later than this. */
	bool displaced;
	int64_t displaced_latest;
	/* strangers, the one heard of longest ago first */
	uint64_t until;
	struct tl__sender *prev, *next;
};

static tl_str key_name(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

/* --- one process ------------------------------------------------------------------------------ */

static size_t word_of(uint64_t number)
{
	return number % TL__V1_NONCE_WINDOW / 64;
}

static uint64_t bit_of(uint64_t number)
{
	return UINT64_C(1) << number % 64;
}

static bool has_heard(const process *p, uint64_t number)
{
	if (number > p->highest)
		return false;
	return p->highest - number >= TL__V1_NONCE_WINDOW ||
	       (p->heard[word_of(number)] & bit_of(number)) != 0;
}

static void hear(process *p, uint64_t number)
{
	if (number > p->highest && number - p->highest >= TL__V1_NONCE_WINDOW) {
		memset(p->heard, 0, sizeof p->heard);
		p->highest = number;
	}
	while (p->highest < number) {
		p->highest++;
		p->heard[word_of(p->highest)] &= ~bit_of(p->highest);
	}
	p->heard[word_of(number)] |= bit_of(number);
}

static size_t find_process(const struct tl__sender *sender, const uint8_t *name)
{
	size_t at = 0;

	while (at < sender->count &&
		memcmp(sender->processes[at].name, name, TL__V1_NONCE_PROCESS) != 0)
		at++;
	return at;
}

/* A place for a process that is new: the one heard of longest ago makes room. What it has said is
 * not forgotten: nothing as old as that is taken from a process that we do not know. */
static process *add_process(struct tl__sender *sender, const uint8_t nonce[TL__V1_NONCE_BYTES])
{
	process *p = &sender->processes[0];

	if (sender->count < TL__V1_NONCE_PROCESSES) {
		p = &sender->processes[sender->count++];
	} else {
		for (size_t i = 1; i < sender->count; i++)
			if (sender->processes[i].at < p->at)
				p = &sender->processes[i];
		if (!sender->displaced || p->latest > sender->displaced_latest)
			sender->displaced_latest = p->latest;
		sender->displaced = true;
	}
	*p = (process){.highest = tl__v1_nonce_number(nonce), .latest = INT64_MIN};
	memcpy(p->name, nonce, TL__V1_NONCE_PROCESS);
	return p;
}

/* --- senders ---------------------------------------------------------------------------------- */

static void unlink_stranger(struct tl__serve *serve, struct tl__sender *sender)
{
	*(sender->prev ? &sender->prev->next : &serve->oldest) = sender->next;
	*(sender->next ? &sender->next->prev : &serve->newest) = sender->prev;
	sender->prev = sender->next = NULL;
	serve->strangers--;
}

static void link_stranger(struct tl__serve *serve, struct tl__sender *sender)
{
	sender->prev = serve->newest;
	*(serve->newest ? &serve->newest->next : &serve->oldest) = sender;
	serve->newest = sender;
	serve->strangers++;
}

static void touch(tl__sync *sync, struct tl__sender *sender, bool known)
{
	if (!sender->known)
		unlink_stranger(sync->serve, sender);
	sender->known = known;
	sender->until = sync->now + TL__V1_NONCE_KEPT_MS;
	if (!known)
		link_stranger(sync->serve, sender);
}

static struct tl__sender *add_sender(tl__sync *sync, const tl_key *key, bool known)
{
	struct tl__serve *serve = sync->serve;
	struct tl__sender *sender;

	if (!known && serve->strangers >= TL__SERVE_MAX_STRANGERS) {
		(void)tl__fail(TL_E_BUSY, "too many strangers at once; wait a moment");
		return NULL;
	}
	sender = tl__alloc_zero(1, sizeof *sender);
	if (!sender)
		return NULL;
	if (tl__map_set(&serve->senders, key_name(key), sender) != TL_OK) {
		tl__free(sender);
		return NULL;
	}
	sender->key = *key;
	sender->known = known;
	if (!known)
		link_stranger(serve, sender);
	return sender;
}

bool tl__serve_is_replay(const tl__sync *sync, const tl__v1_request *request)
{
	const struct tl__sender *sender =
		tl__map_get(&sync->serve->senders, key_name(&request->from));
	size_t at;

	if (!sender)
		return false;
	at = find_process(sender, request->nonce);
	if (at < sender->count)
		return has_heard(&sender->processes[at], tl__v1_nonce_number(request->nonce));
	return sender->displaced && request->time <= sender->displaced_latest;
}

int tl__serve_keep_nonce(tl__sync *sync, const tl__v1_request *request)
{
	bool known = tl__sync_find_peer(sync, &request->from) != NULL;
	struct tl__sender *sender;
	process *p;
	size_t at;

	tl__serve_nonces_expire(sync);
	sender = tl__map_get(&sync->serve->senders, key_name(&request->from));
	if (!sender)
		sender = add_sender(sync, &request->from, known);
	if (!sender)
		return tl_error_code(tl_last_error());
	touch(sync, sender, known);
	at = find_process(sender, request->nonce);
	p = at < sender->count ? &sender->processes[at] : add_process(sender, request->nonce);
	hear(p, tl__v1_nonce_number(request->nonce));
	p->at = sync->now;
	if (request->time > p->latest)
		p->latest = request->time;
	return TL_OK;
}

void tl__serve_peer_left(tl__sync *sync, const tl_key *key)
{
	struct tl__sender *sender = tl__map_get(&sync->serve->senders, key_name(key));

	if (sender && sender->known)
		touch(sync, sender, false);
}

/* Time and epoch refuse what is older than that. Peers keep their place: their number is ours to
 * choose, and a clock that is set back makes nothing of theirs new again. */
void tl__serve_nonces_expire(tl__sync *sync)
{
	struct tl__serve *serve = sync->serve;

	while (serve->oldest && serve->oldest->until <= sync->now) {
		struct tl__sender *sender = serve->oldest;

		unlink_stranger(serve, sender);
		tl__map_remove(&serve->senders, key_name(&sender->key));
		tl__free(sender);
	}
}

uint64_t tl__serve_nonces_due(const tl__sync *sync)
{
	/* Memory only: expiring late does no harm, so do not wake for it more than needed. */
	return sync->serve->oldest ? sync->serve->newest->until : UINT64_MAX;
}

void tl__serve_nonces_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *sender;

	while (tl__map_next(&sync->serve->senders, &at, &key, &sender))
		tl__free(sender);
	tl__map_free(&sync->serve->senders);
}
