#include "rules/matching.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/crypto.h>

/* --- shapes ----------------------------------------------------------------------------------- */

void tlua_shape_release(tlua_shape *shape)
{
	if (shape && --shape->owners == 0)
		free(shape);
}

static tlua_shape *new_shape(const tlua_rule *rule, bool paused)
{
	tlua_shape *shape = calloc(1, sizeof *shape);

	if (!shape)
		return NULL;
	shape->owners = 1;
	memcpy(shape->rule, rule->name, sizeof shape->rule);
	if (paused)
		snprintf(shape->reason, sizeof shape->reason, "`when` of %s says not now",
			rule->where[0] ? rule->where : "its rule");
	shape->options = (tl_pair_options)TL_PAIR_OPTIONS_INIT;
	shape->options.direction = rule->direction;
	shape->options.every_ms = rule->every_ms;
	shape->options.rate = rule->rate;
	shape->options.on_commit = rule->on_commit ? 0 : TL_OFF;
	shape->options.priority = (uint8_t)rule->priority;
	shape->options.paused = paused;
	shape->options.reason = paused ? shape->reason : NULL;
	shape->options.rule = shape->rule;
	return shape;
}

static tlua_shape *shape_of(const tlua_matching *m, size_t rule)
{
	bool paused = m->when[rule] == TLUA_SAID_NO;
	tlua_shape **shape = &m->shapes[2 * rule + paused];

	if (!*shape)
		*shape = new_shape(tlua_rules_at(m->rules, rule), paused);
	return *shape;
}

/* --- lists of relations ----------------------------------------------------------------------- */

void tlua_relations_clear(tlua_relations *relations)
{
	for (size_t i = 0; i < relations->count; i++)
		tlua_shape_release(relations->at[i].shape);
	free(relations->at);
	*relations = (tlua_relations){NULL, 0, 0};
}

static int order(const tlua_related *a, const tlua_related *b)
{
	int peers = strcmp(a->peer, b->peer);

	return peers ? peers : memcmp(a->db.b, b->db.b, sizeof a->db.b);
}

/* Rules that were loaded anew have others that say the same. */
static bool same_shape(const tlua_shape *a, const tlua_shape *b)
{
	const tl_pair_options *x = &a->options, *y = &b->options;

	return a == b ||
	       (x->direction == y->direction && x->every_ms == y->every_ms && x->rate == y->rate &&
		       x->on_commit == y->on_commit && x->priority == y->priority &&
		       x->paused == y->paused && strcmp(a->rule, b->rule) == 0 &&
		       strcmp(a->reason, b->reason) == 0);
}

bool tlua_relations_same(const tlua_relations *a, const tlua_relations *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = same_shape(a->at[i].shape, b->at[i].shape) &&
		       order(&a->at[i], &b->at[i]) == 0;
	return same;
}

size_t tlua_relations_paused(const tlua_relations *relations)
{
	size_t count = 0;

	for (size_t i = 0; i < relations->count; i++)
		count += relations->at[i].shape->options.paused;
	return count;
}

static int compare(const void *a, const void *b)
{
	return order(a, b);
}

static tlua_shape *shape_before(const tlua_relations *had, const tlua_related *wanted)
{
	const tlua_related *found =
		had->count == 0 ? NULL
				: bsearch(wanted, had->at, had->count, sizeof *wanted, compare);

	return found ? found->shape : NULL;
}

static int append(tlua_relations *out, const tlua_related *related)
{
	if (out->count == TLUA_RELATIONS_MAX) {
		char text[96];

		snprintf(text, sizeof text, "the rules make more than %d relations",
			TLUA_RELATIONS_MAX);
		return tl_error_set(TL_E_TOO_LARGE, text);
	}
	if (out->count == out->cap) {
		tlua_related *more = tlua_larger(out->at, &out->cap, sizeof *more);

		if (!more)
			return tlua_no_memory();
		out->at = more;
	}
	related->shape->owners++;
	out->at[out->count++] = *related;
	return TL_OK;
}

/* --- matching --------------------------------------------------------------------------------- */

/* The rules that may mean a peer, and the database that is looked at. */
typedef struct candidates {
	const tlua_matching *m;
	const tlua_thing *peer;
	size_t *rules;
	size_t count;
	tlua_relations *out;
} candidates;

static int relate(const candidates *c, const tlua_thing *db, tlua_shape *shape, bool keep)
{
	tlua_related related = {.shape = shape};
	int rc = tl_id_parse(&related.db, (tl_str){db->text, strlen(db->text)});

	if (rc != TL_OK)
		return TL_OK; /* a peer may list what it likes */
	memcpy(related.peer, c->peer->text, sizeof related.peer);
	if (keep)
		related.shape = shape_before(c->m->had, &related);
	else if (!shape)
		return tlua_no_memory();
	return related.shape ? append(c->out, &related) : TL_OK;
}

/* The first rule that means the pair; one that said nothing leaves it as it was. `listed`: the node
 * does not hold the database. */
static int match_pair(const candidates *c, const tlua_thing *db, bool listed)
{
	for (size_t i = 0; db->said && i < c->count; i++) {
		size_t rule = c->rules[i];
		tlua_said peer = c->peer->said[rule], means = db->said[rule];

		if (means == TLUA_SAID_NO ||
			(listed && !tlua_rules_at(c->m->rules, rule)->discover))
			continue;
		if (peer == TLUA_SAID_NOTHING || means == TLUA_SAID_NOTHING ||
			c->m->when[rule] == TLUA_SAID_NOTHING)
			return relate(c, db, NULL, true);
		return relate(c, db, shape_of(c->m, rule), false);
	}
	return db->said ? TL_OK : relate(c, db, NULL, true);
}

static int match_peer(candidates *c)
{
	const tlua_matching *m = c->m;
	const tlua_offer *offer = tlua_discover_find(m->discover, c->peer->text);
	int rc = TL_OK;

	c->count = 0;
	for (size_t rule = 0; c->peer->said && rule < tlua_rules_count(m->rules); rule++)
		if (c->peer->said[rule] != TLUA_SAID_NO)
			c->rules[c->count++] = rule;
	for (size_t i = 0; rc == TL_OK && c->count > 0 && i < m->databases->count; i++)
		rc = match_pair(c, &m->databases->at[i], false);
	for (size_t i = 0; rc == TL_OK && offer && i < offer->taken.count; i++)
		if (offer->taken.at[i].seen &&
			!tlua_things_find(m->databases, offer->taken.at[i].text))
			rc = match_pair(c, &offer->taken.at[i], true);
	return rc;
}

int tlua_match(const tlua_matching *m, tlua_relations *out)
{
	candidates c = {.m = m, .out = out};
	int rc = TL_OK;

	*out = (tlua_relations){NULL, 0, 0};
	c.rules = malloc((tlua_rules_count(m->rules) + 1) * sizeof *c.rules);
	if (!c.rules)
		return tlua_no_memory();
	for (size_t i = 0; rc == TL_OK && i < m->peers->count; i++) {
		c.peer = &m->peers->at[i];
		rc = match_peer(&c);
	}
	free(c.rules);
	if (rc != TL_OK)
		tlua_relations_clear(out);
	else if (out->count > 0)
		qsort(out->at, out->count, sizeof *out->at, compare);
	return rc;
}
