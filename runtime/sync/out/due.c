/* Who is due. A pair is dirty when its database's arrival number is above what the peer has
 * acknowledged: there is no queue. What changed is judged once more before an event is over; then a
 * pair lies in a heap under the time at which it wants an exchange, or stands in line with its peer
 * when that time has come and there was no place. The line keeps the order in which they came, and
 * peers take turns, so that nobody is passed over by those who are always due. */
#include "sync/out/session.h"

#define LINE_LOOK_MS 1000 /* between two looks who has waited too long */

/* --- when ------------------------------------------------------------------------------------- */

static tl__peer_facts facts_of(const tl__sync *sync, const tl__peer *peer)
{
	return (tl__peer_facts){
		.reachable = peer->status == TL__PEER_ACTIVE && tl__peer_has_way(sync, peer),
		.asked = peer->protocol == TL__PROTOCOL_UNKNOWN && peer->check != 0,
		.wait_until = peer->wait_until};
}

/* When a commit may go out. */
static uint64_t free_at(const tl__pair *pair)
{
	uint64_t at =
		pair->pulling_until > pair->not_before ? pair->pulling_until : pair->not_before;

	if (pair->held > 0)
		return UINT64_MAX; /* its watch is told */
	return pair->told_until > at ? pair->told_until : at;
}

static uint64_t wanted_at(const tl__sync *sync, const tl__pair *pair)
{
	uint64_t at = UINT64_MAX;

	if (pair->wanted)
		at = pair->attempts > 0 ? pair->next_attempt : pair->pulling_until;
	else if (tl__pair_dirty(pair) && tl__pair_on_commit(sync, pair))
		at = pair->attempts > 0 ? pair->next_attempt : free_at(pair);
	else if (pair->attempts > 0)
		at = pair->next_attempt;
	if (pair->attempts == 0 && pair->again_at > 0 && pair->again_at < at)
		at = pair->again_at;
	return at;
}

/* When this pair wants an exchange; UINT64_MAX: it does not. */
static uint64_t pair_due(const tl__sync *sync, const tl__pair *pair, const tl__peer_facts *facts)
{
	uint64_t at = UINT64_MAX;

	if (pair->session || pair->ingesting > 0 || !facts->reachable || facts->asked ||
		tl__pair_rests(pair))
		return UINT64_MAX;
	if (!pair->stalled || pair->wanted)
		at = wanted_at(sync, pair);
	if (pair->tick_at > 0 && pair->tick_at < at)
		at = pair->tick_at;
	return at != UINT64_MAX && at < tl__pair_waits_until(pair) ? tl__pair_waits_until(pair)
								   : at;
}

/* --- judging what changed --------------------------------------------------------------------- */

static tl__pair *ready_pair(tl__link *link)
{
	return (tl__pair *)((char *)link - offsetof(tl__pair, ready));
}

/* It is in its heap, which never fails. */
static void lay(tl__heap *heap, tl__heap_node *node, uint64_t at)
{
	(void)!tl__heap_set(heap, node, at);
}

/* In the line of the best of its pairs; one that stands no worse keeps its place. */
static void line_up_peer(tl__sync *sync, tl__peer *peer)
{
	unsigned line = TL__LINES;

	while (line > 0 && !peer->ready_pairs[line - 1].first)
		line--;
	if (line == 0 || (peer->ready.listed && peer->line >= line - 1))
		return;
	tl__list_remove(&sync->ready_peers[peer->line], &peer->ready);
	peer->line = (uint8_t)(line - 1);
	tl__list_add(&sync->ready_peers[peer->line], &peer->ready);
}

static void stand_in_line(tl__sync *sync, tl__pair *pair)
{
	lay(&sync->pair_dues, &pair->due, UINT64_MAX);
	if (pair->ready.listed)
		return;
	pair->line = pair->options->priority;
	pair->ready_since = sync->now;
	tl__list_add(&pair->peer->ready_pairs[pair->line], &pair->ready);
	line_up_peer(sync, pair->peer);
}

static void count_stalled(tl__pair *pair)
{
	pair->peer->stalled -= pair->gave_up;
	pair->gave_up = pair->stalled;
	pair->peer->stalled += pair->gave_up;
}

static void judge_pair(tl__sync *sync, tl__pair *pair)
{
	uint64_t at = pair_due(sync, pair, &pair->peer->facts);

	tl__watch_count(pair);
	count_stalled(pair);
	if (tl__pair_has_gap(sync, pair))
		tl__list_add(&sync->gap_pairs, &pair->gaps);
	else
		tl__list_remove(&sync->gap_pairs, &pair->gaps);
	if (at <= sync->now) {
		stand_in_line(sync, pair);
		return;
	}
	tl__pair_leave_line(pair);
	lay(&sync->pair_dues, &pair->due, at);
}

static void judge_peer(tl__sync *sync, tl__peer *peer)
{
	tl__peer_facts facts = facts_of(sync, peer), *known = &peer->facts;

	if (facts.reachable == known->reachable && facts.asked == known->asked &&
		facts.wait_until == known->wait_until)
		return;
	*known = facts;
	tl__peer_pairs_changed(sync, peer);
}

static void judge_pairs(tl__sync *sync)
{
	tl__link *link;

	for (link = sync->changed_peers.first; link; link = link->next)
		judge_peer(sync, tl__changed_peer(link));
	while ((link = tl__list_take(&sync->changed_pairs)))
		judge_pair(sync, tl__changed_pair(link));
}

void tl__due_judge(tl__sync *sync)
{
	tl__link *link;

	judge_pairs(sync);
	while ((link = tl__list_take(&sync->changed_peers))) {
		tl__peer *peer = tl__changed_peer(link);

		lay(&sync->peer_dues, &peer->due, tl__watch_due(sync, peer));
	}
}

/* --- starting --------------------------------------------------------------------------------- */

/* A 0.2.0 node may lock itself up over two requests at once: its pairs take turns, the one that
 * rested longest first. */
static tl__pair *rested_longest(tl__list *line)
{
	tl__link *link = line->first;
	tl__pair *best = link ? ready_pair(link) : NULL;

	for (; link; link = link->next) {
		tl__pair *pair = ready_pair(link);

		if (pair->not_before < best->not_before)
			best = pair;
	}
	if (best)
		tl__list_remove(line, &best->ready);
	return best;
}

/* Whose turn it is, out of the line; NULL: nobody's. */
static tl__pair *next_of(tl__peer *peer)
{
	unsigned most = tl__peer_is_v0(peer) ? 1 : TL__SYNC_MAX_PEER_EXCHANGES;
	unsigned line = TL__LINES - 1;
	tl__link *link;

	if ((peer->protocol == TL__PROTOCOL_UNKNOWN && peer->check != 0) || peer->sessions >= most)
		return NULL;
	while (line > 0 && !peer->ready_pairs[line].first)
		line--;
	if (tl__peer_is_v0(peer))
		return rested_longest(&peer->ready_pairs[line]);
	link = tl__list_take(&peer->ready_pairs[line]);
	return link ? ready_pair(link) : NULL;
}

static void begin(tl__sync *sync, tl__pair *pair)
{
	tl__pair_changed(sync, pair);
	tl__schedule_own_tick(sync, pair);
	if (pair->peer->protocol == TL__PROTOCOL_UNKNOWN)
		tl__contact_peer(sync, pair->peer);
	else if (tl__session_start(sync, pair) != TL_OK)
		tl__schedule_failed(sync, pair, TL_E_NOMEM, "out of memory");
}

/* What became due stands in line from now on. */
static void line_up(tl__sync *sync)
{
	tl__heap_node *first;

	while ((first = tl__heap_first(&sync->pair_dues)) && first->at <= sync->now)
		stand_in_line(sync, (tl__pair *)((char *)first - offsetof(tl__pair, due)));
	while ((first = tl__heap_first(&sync->peer_dues)) && first->at <= sync->now) {
		tl__peer *peer = (tl__peer *)((char *)first - offsetof(tl__peer, due));

		lay(&sync->peer_dues, first, UINT64_MAX);
		tl__peer_changed(sync, peer);
	}
}

static bool has_ready(const tl__peer *peer)
{
	for (unsigned line = 0; line < TL__LINES; line++)
		if (peer->ready_pairs[line].first)
			return true;
	return false;
}

/* One exchange with each of those who stand in this line, in turn, until there is no place or
 * nobody may start. */
static void start_line(tl__sync *sync, tl__list *line)
{
	tl__link *link, *blocked = NULL;

	while (sync->session_count < TL__SYNC_MAX_EXCHANGES && line->first != blocked) {
		tl__peer *peer;
		tl__pair *pair;

		link = tl__list_take(line);
		peer = (tl__peer *)((char *)link - offsetof(tl__peer, ready));
		pair = next_of(peer);
		if (pair)
			begin(sync, pair);
		if (pair || !has_ready(peer))
			blocked = NULL;
		else if (!blocked)
			blocked = link;
		if (pair)
			line_up_peer(sync, peer);
		else if (has_ready(peer))
			tl__list_add(line, link);
	}
}

/* Those of one peer who waited too long: the first of each line is the one that waits longest. */
static void age(tl__sync *sync, tl__peer *peer)
{
	for (unsigned line = 0; line < TL__LINES - 1; line++) {
		tl__list *from = &peer->ready_pairs[line];

		while (from->first &&
			ready_pair(from->first)->ready_since + TL__LINE_MS <= sync->now) {
			tl__pair *pair = ready_pair(tl__list_take(from));

			pair->line = TL__LINES - 1;
			tl__list_add(&peer->ready_pairs[pair->line], &pair->ready);
		}
	}
	line_up_peer(sync, peer);
}

static void age_all(tl__sync *sync)
{
	if (sync->now < sync->line_look)
		return;
	sync->line_look = sync->now + LINE_LOOK_MS;
	for (unsigned line = 0; line < TL__LINES - 1; line++)
		for (tl__link *link = sync->ready_peers[line].first, *next; link; link = next) {
			next = link->next;
			age(sync, (tl__peer *)((char *)link - offsetof(tl__peer, ready)));
		}
}

static void start_some(tl__sync *sync)
{
	age_all(sync);
	for (unsigned line = TL__LINES; line > 0; line--)
		start_line(sync, &sync->ready_peers[line - 1]);
}

static bool any_ready(const tl__sync *sync)
{
	for (unsigned line = 0; line < TL__LINES; line++)
		if (sync->ready_peers[line].first)
			return true;
	return false;
}

void tl__due_run(tl__sync *sync)
{
	if (!sync->loaded || sync->stopping)
		return;
	judge_pairs(sync);
	line_up(sync);
	start_some(sync);
}

uint64_t tl__due_next(const tl__sync *sync)
{
	const tl__heap_node *pair = tl__heap_first(&sync->pair_dues);
	const tl__heap_node *peer = tl__heap_first(&sync->peer_dues);
	uint64_t least =
		sync->next_periodic < sync->next_check ? sync->next_periodic : sync->next_check;

	if (!sync->loaded || sync->stopping)
		return UINT64_MAX;
	if (pair && pair->at < least)
		least = pair->at;
	if (peer && peer->at < least)
		least = peer->at;
	/* Who stands in line is started when an exchange ends. */
	return sync->session_count == 0 && any_ready(sync) ? sync->now : least;
}

/* --- for those who test ----------------------------------------------------------------------- */

static const char *pair_overlooked(const tl__sync *sync, const tl__pair *pair)
{
	tl__peer_facts facts = facts_of(sync, pair->peer);
	uint64_t at = pair_due(sync, pair, &facts);

	if (pair->local_changed && !pair->unsaved.listed)
		return "a pair that is to be saved";
	if (pair->ready.listed ? at > sync->now : at != pair->due.at)
		return "when a pair is due";
	if (pair->gaps.listed != tl__pair_has_gap(sync, pair))
		return "a gap";
	if (pair->gave_up != pair->stalled)
		return "a pair that gave up";
	return tl__watch_counted(pair) ? NULL : "what a watch is to name";
}

const char *tl__sync_overlooked(const tl__sync *sync)
{
	const char *what = sync->misstep ? "where an exchange goes" : NULL;

	if (!sync->loaded || sync->stopping)
		return what;
	for (const tl__pair *pair = sync->pairs; !what && pair; pair = pair->next)
		what = pair_overlooked(sync, pair);
	for (const tl__peer *peer = sync->peers; !what && peer; peer = peer->next) {
		if (peer->local_changed && !peer->unsaved.listed)
			what = "a peer that is to be saved";
		else if (peer->due.at != tl__watch_due(sync, peer))
			what = "when a watch is due";
	}
	return what;
}
