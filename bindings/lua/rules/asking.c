/* What is asked of the rules' cell: about things, about the time, and which peers are asked in
 * turn.
 */
#include "rules/governor_impl.h"

#include <stdlib.h>
#include <tidelock/sync.h>

#define EXHAUSTED_MS 60000 /* calls that run out of their budget within so long suspend it */

/* --- the cell --------------------------------------------------------------------------------- */

/* Its budget, which no other end is about. */
static bool is_exhausted(const tlua_failure *why)
{
	return why && why->end != TLUA_RAISED && why->end != TLUA_FINE;
}

static void on_called(void *ud, tlua_cell *cell, const tlua_failure *why)
{
	tlua_governor *r = ud;
	uint64_t now = tlua_now_ms(), *oldest;

	r->calls.called(r->calls.ud, cell, why);
	if (!is_exhausted(why))
		return;
	oldest = &r->exhausted[r->exhausted_count++ % TLUA_EXHAUSTED];
	*oldest = now;
	oldest = &r->exhausted[r->exhausted_count % TLUA_EXHAUSTED];
	if (r->suspended || r->exhausted_count < TLUA_EXHAUSTED || now - *oldest > EXHAUSTED_MS)
		return;
	r->suspended = true;
	r->calls.suspended(r->calls.ud);
}

int tlua_governor_ask_all(tlua_governor *r, tlua_field field, tlua_things *things, bool listed)
{
	size_t count = tlua_rules_count(r->rules);

	for (size_t i = 0; i < things->count && !r->suspended; i++) {
		tlua_thing *thing = &things->at[i];
		const tlua_asked asked = {thing->text, thing->name, listed};

		if (thing->said)
			continue;
		thing->said = malloc(count + 1);
		if (!thing->said)
			return tlua_no_memory();
		tlua_rules_ask(r->rules, field, &asked, thing->said, on_called, r);
	}
	return TL_OK;
}

int tlua_governor_ask_offers(tlua_governor *r)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < r->discover.count; i++)
		rc = tlua_governor_ask_all(r, TLUA_DATABASES, &r->discover.at[i].taken, true);
	return rc;
}

/* --- when ------------------------------------------------------------------------------------- */

static tlua_moment moment_now(const char *facts)
{
	time_t now = time(NULL);
	struct tm local = {0};

	localtime_r(&now, &local);
	return (tlua_moment){.hour = local.tm_hour,
		.minute = local.tm_min,
		.weekday = local.tm_wday == 0 ? 7 : local.tm_wday,
		.now = (int64_t)now,
		.facts = facts};
}

int tlua_governor_ask_whens(tlua_governor *r)
{
	char *facts = NULL;
	int rc = tl_sync_get_facts(r->node, &facts);
	tlua_moment moment;

	if (rc != TL_OK)
		return rc;
	moment = moment_now(facts);
	for (size_t i = 0; i < tlua_rules_count(r->rules) && !r->suspended; i++) {
		tlua_said said = TLUA_SAID_YES;

		if (tlua_rules_at(r->rules, i)->has_when)
			said = tlua_rules_when(r->rules, i, &moment, on_called, r);
		if (said != TLUA_SAID_NOTHING)
			r->when[i] = (uint8_t)said;
	}
	tl_free(facts);
	r->whens = false;
	return TL_OK;
}

/* --- discovering ------------------------------------------------------------------------------ */

/* The first rule that discovers and means this peer says how often it is asked; it rests while all
 * of them do. */
static bool want_peer(tlua_governor *r, const tlua_thing *peer)
{
	bool found = false, rests = true;
	uint32_t every_ms = 0;

	for (size_t i = 0; peer->said && i < tlua_rules_count(r->rules); i++) {
		const tlua_rule *rule = tlua_rules_at(r->rules, i);

		if (!rule->discover || peer->said[i] != TLUA_SAID_YES)
			continue;
		if (!found)
			every_ms = rule->every_ms;
		found = true;
		rests = rests && r->when[i] != TLUA_SAID_YES;
	}
	return !found || tlua_discover_want(&r->discover, peer->text, every_ms, rests);
}

int tlua_governor_want_offers(tlua_governor *r)
{
	bool good = true;

	tlua_discover_begin(&r->discover);
	for (size_t i = 0; good && i < r->peers.count; i++)
		good = want_peer(r, &r->peers.at[i]);
	if (!good)
		return tlua_no_memory();
	tlua_discover_end(&r->discover);
	return TL_OK;
}
