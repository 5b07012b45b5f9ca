#include "rules/governor_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/sync.h>
#include <time.h>

#define TAG      "rules"
#define QUIET_MS 50  /* from the first change until it is looked at: others come with it */
#define RETRY_MS 200 /* after the node was busy */
#define ATTEMPTS 5   /* while somebody waits for it */

/* --- what peers offer ------------------------------------------------------------------------- */

static bool is_known(void *ud, const char *id)
{
	const tlua_governor *r = ud;

	return tlua_things_find(&r->databases, id) || tlua_things_find(&r->system, id);
}

static void on_full(void *ud, const char *peer)
{
	tlua_governor *r = ud;
	char text[160];

	snprintf(text, sizeof text,
		"%s offers more than %d databases: what is beyond that is not fetched", peer,
		TLUA_DISCOVERED_MAX);
	r->calls.log(r->calls.ud, TL_LOG_WARNING, text);
}

/* --- the relations ---------------------------------------------------------------------------- */

static void show(tlua_governor *r, uint64_t touched)
{
	atomic_store(&r->shown_rules, tlua_rules_count(r->rules));
	atomic_store(&r->shown_relations, r->had.count);
	atomic_store(&r->shown_paused, tlua_relations_paused(&r->had));
	if (touched > 0)
		atomic_store(&r->shown_touched, touched);
}

tlua_governor_shown tlua_governor_show(tlua_governor *r)
{
	return (tlua_governor_shown){atomic_load(&r->shown_rules), atomic_load(&r->shown_relations),
		atomic_load(&r->shown_paused), atomic_load(&r->shown_touched)};
}

static int set(tlua_governor *r, const tlua_relations *wanted, uint64_t *touched)
{
	tl_relation *all = calloc(wanted->count + 1, sizeof *all);
	int rc;

	if (!all)
		return tlua_no_memory();
	for (size_t i = 0; i < wanted->count; i++)
		all[i] = (tl_relation){
			wanted->at[i].peer, wanted->at[i].db, &wanted->at[i].shape->options};
	rc = tl_sync_set_relations(r->node, TAG, all, wanted->count, touched);
	free(all);
	return rc;
}

/* Takes `wanted` over. */
static int apply(tlua_governor *r, tlua_relations *wanted)
{
	uint64_t touched = 0;
	int rc = TL_OK;

	if (r->unsure || !tlua_relations_same(wanted, &r->had))
		rc = set(r, wanted, &touched);
	r->unsure = rc != TL_OK;
	if (rc != TL_OK) {
		tlua_relations_clear(wanted);
		return rc;
	}
	tlua_relations_clear(&r->had);
	r->had = *wanted;
	show(r, touched);
	return TL_OK;
}

static int match(tlua_governor *r)
{
	const tlua_matching matching = {.rules = r->rules,
		.when = r->when,
		.shapes = r->shapes,
		.peers = &r->peers,
		.databases = &r->databases,
		.discover = &r->discover,
		.had = &r->had};
	tlua_relations wanted;
	int rc = tlua_match(&matching, &wanted);

	return rc == TL_OK ? apply(r, &wanted) : rc;
}

/* Asks what was not asked yet, and has the core do what follows. */
static int decide(tlua_governor *r)
{
	int rc = tlua_governor_ask_all(r, TLUA_PEERS, &r->peers, false);

	if (rc == TL_OK)
		rc = tlua_governor_ask_all(r, TLUA_DATABASES, &r->databases, false);
	if (rc == TL_OK && r->whens)
		rc = tlua_governor_ask_whens(r);
	if (rc == TL_OK)
		rc = tlua_governor_want_offers(r);
	if (rc == TL_OK)
		rc = tlua_governor_ask_offers(r);
	if (rc == TL_OK)
		rc = match(r);
	r->peers.changed = r->databases.changed = false;
	return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int see_system(void *ud, const tl_id *id)
{
	tlua_governor *r = ud;
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	if (tlua_things_find(&r->databases, text))
		return TL_OK;
	return tlua_things_put(&r->system, text) ? TL_OK : tlua_no_memory();
}

/* The names of those that are known already with `names`. */
static int read_databases(tlua_governor *r, bool names)
{
	int rc = tlua_read_databases(r->node, &r->databases, names);

	return rc == TL_OK ? tl_node_all_databases(r->node, true, see_system, r) : rc;
}

static int read_all(tlua_governor *r, bool names)
{
	int rc = tlua_read_peers(r->node, &r->peers);

	return rc == TL_OK ? read_databases(r, names) : rc;
}

static int read_written(tlua_governor *r, const tlua_news *news)
{
	bool new = news->databases;
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < news->written_count; i++) {
		char text[TL_ID_TEXT_LEN + 1];

		tl_id_format(&news->written[i], text);
		if (tlua_things_find(&r->databases, text))
			rc = tlua_read_database(r->node, &r->databases, &news->written[i]);
		else
			new = new || !tlua_things_find(&r->system, text);
	}
	return rc == TL_OK && new ? read_databases(r, news->databases) : rc;
}

static int read_news(tlua_governor *r, const tlua_news *news)
{
	int rc = TL_OK;

	if (news->peers) {
		r->unsure = true; /* one may have gone and come again, without its relations */
		rc = tlua_read_peers(r->node, &r->peers);
	}
	if (rc == TL_OK)
		rc = read_written(r, news);
	for (size_t i = 0; i < news->met_count; i++) {
		char key[TL_KEY_TEXT_LEN + 1];

		tl_key_format(&news->met[i], key);
		tlua_discover_met(&r->discover, key);
	}
	if (news->all_met)
		tlua_discover_met(&r->discover, NULL);
	r->whens = r->whens || news->facts;
	return rc;
}

/* --- other rules ------------------------------------------------------------------------------ */

typedef struct version {
	tlua_rules *rules;
	uint8_t *when;
	tlua_shape **shapes;
} version;

/* All, or only what some rule failed to say. */
static void unsay(tlua_governor *r, bool failed)
{
	size_t count = r->rules ? tlua_rules_count(r->rules) : 0;

	tlua_things_unsay(&r->peers, failed, count);
	tlua_things_unsay(&r->databases, failed, count);
	for (size_t i = 0; i < r->discover.count; i++)
		tlua_things_unsay(&r->discover.at[i].taken, failed, count);
	r->whens = true;
}

static version swap(tlua_governor *r, version with)
{
	version before = {r->rules, r->when, r->shapes};

	r->rules = with.rules;
	r->when = with.when;
	r->shapes = with.shapes;
	unsay(r, false);
	return before;
}

static void drop_version(version *v)
{
	size_t count = v->rules ? tlua_rules_count(v->rules) : 0;

	for (size_t i = 0; v->shapes && i < 2 * count; i++)
		tlua_shape_release(v->shapes[i]);
	free(v->shapes);
	free(v->when);
	tlua_rules_close(v->rules);
}

static bool is_passing(int rc)
{
	return rc == TL_E_BUSY || rc == TL_E_PEER_NOT_FOUND;
}

static void nap(void)
{
	const struct timespec wait = {0, 20 * 1000000};

	nanosleep(&wait, NULL);
}

int tlua_governor_take(tlua_governor *r, tlua_rules *rules)
{
	size_t count = tlua_rules_count(rules);
	version fresh = {rules, malloc(count + 1), calloc(2 * count + 1, sizeof(tlua_shape *))};
	bool suspended = r->suspended;
	unsigned long long touched;
	version before;
	int rc = TL_OK;

	if (!fresh.when || !fresh.shapes) {
		drop_version(&fresh);
		return tlua_no_memory();
	}
	memset(fresh.when, TLUA_SAID_NOTHING, count);
	r->suspended = false;
	r->exhausted_count = 0;
	before = swap(r, fresh);
	touched = atomic_exchange(&r->shown_touched, 0);
	for (int i = 0; i < ATTEMPTS && (i == 0 || is_passing(rc)); i++) {
		if (i > 0)
			nap();
		rc = read_all(r, true);
		rc = rc == TL_OK ? decide(r) : rc;
	}
	if (rc != TL_OK) {
		before = swap(r, before);
		atomic_store(&r->shown_touched, touched);
		r->suspended = suspended;
	}
	drop_version(&before);
	return rc;
}

/* --- its life --------------------------------------------------------------------------------- */

/* The next full minute, by the clock on the wall. */
static uint64_t next_minute(uint64_t now_ms)
{
	return now_ms + 60000 - (uint64_t)tlua_wall_ms() % 60000;
}

int tlua_governor_new(tl_node *node, const tlua_governor_calls *calls, tlua_governor **out)
{
	tlua_governor *r = calloc(1, sizeof *r);
	int rc;

	*out = NULL;
	if (!r)
		return tlua_no_memory();
	r->node = node;
	r->calls = *calls;
	r->unsure = true;
	r->minute_ms = next_minute(tlua_now_ms());
	rc = tlua_notice(&r->noticed, node, calls->wake, calls->ud);
	if (rc == TL_OK)
		*out = r;
	else
		free(r);
	return rc;
}

int tlua_governor_leave(tlua_governor *r)
{
	int rc = tl_sync_set_relations(r->node, TAG, NULL, 0, NULL);

	for (int i = 1; i < ATTEMPTS && is_passing(rc); i++) {
		nap();
		rc = tl_sync_set_relations(r->node, TAG, NULL, 0, NULL);
	}
	return rc;
}

void tlua_governor_free(tlua_governor *r)
{
	version last;

	if (!r)
		return;
	tlua_notice_end(&r->noticed, r->node);
	last = (version){r->rules, r->when, r->shapes};
	drop_version(&last);
	tlua_discover_clear(&r->discover);
	tlua_relations_clear(&r->had);
	tlua_things_clear(&r->peers);
	tlua_things_clear(&r->databases);
	tlua_things_clear(&r->system);
	free(r);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* Tells once what is wrong, and once that nothing is any more. */
static void tell(tlua_governor *r, int rc)
{
	if (rc == TL_OK && r->troubled)
		r->calls.trouble(r->calls.ud, NULL);
	else if (rc != TL_OK && !r->troubled && rc != TL_E_CLOSED)
		r->calls.trouble(r->calls.ud, tl_error_message(tl_last_error()));
	r->troubled = rc != TL_OK;
}

/* In place of news of which nobody knows how much was read. */
static int read_lost(tlua_governor *r)
{
	r->unsure = r->whens = true;
	tlua_discover_met(&r->discover, NULL);
	return read_all(r, true);
}

/* What no event told of is seen, what somebody took away by hand comes back, and rules that failed
 * are asked again. */
static int read_minutely(tlua_governor *r, uint64_t now_ms)
{
	r->minute_ms = next_minute(now_ms);
	r->unsure = true;
	unsay(r, true);
	return read_all(r, false);
}

static int look(tlua_governor *r, uint64_t now_ms)
{
	tlua_news news = {.any = false};
	int rc = TL_OK;

	if (tlua_news_since(&r->noticed) > 0) {
		news = tlua_news_take(&r->noticed);
		rc = read_news(r, &news);
	}
	if (rc == TL_OK && r->lost)
		rc = read_lost(r);
	if (rc == TL_OK && r->minute_ms <= now_ms)
		rc = read_minutely(r, now_ms);
	r->lost = rc != TL_OK;
	return rc;
}

static void go_on(tlua_governor *r, uint64_t now_ms)
{
	int rc = look(r, now_ms);

	if (rc == TL_OK && (r->peers.changed || r->databases.changed || r->whens || r->unsure ||
				   r->retry_ms > 0))
		rc = decide(r);
	r->retry_ms =
		rc != TL_OK && rc != TL_E_TOO_LARGE && rc != TL_E_CLOSED ? now_ms + RETRY_MS : 0;
	r->unsure = r->unsure && rc != TL_E_TOO_LARGE;
	if (!is_passing(rc))
		tell(r, rc);
}

uint64_t tlua_governor_turn(tlua_governor *r, uint64_t now_ms)
{
	uint64_t since, due = UINT64_MAX;

	if (r->suspended || !r->rules)
		return 0;
	if (tlua_discover_turn(&r->discover, r->node, now_ms, &due, is_known, on_full, r))
		r->databases.changed = true;
	since = tlua_news_since(&r->noticed);
	if ((since > 0 && since + QUIET_MS <= now_ms) || r->minute_ms <= now_ms ||
		r->databases.changed || (r->retry_ms > 0 && r->retry_ms <= now_ms)) {
		go_on(r, now_ms);
		since = tlua_news_since(&r->noticed);
		if (tlua_discover_turn(&r->discover, r->node, now_ms, &due, is_known, on_full, r)) {
			r->databases.changed = true;
			due = now_ms;
		}
	}
	if (r->suspended)
		return 0;
	if (since > 0 && since + QUIET_MS < due)
		due = since + QUIET_MS;
	if (r->retry_ms > 0 && r->retry_ms < due)
		due = r->retry_ms;
	return r->minute_ms < due ? r->minute_ms : due;
}
