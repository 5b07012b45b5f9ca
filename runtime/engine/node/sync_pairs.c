/* The calls of sync.h about how pairs are kept in step: options, sets of relations, facts. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/node/status.h"
#include "engine/node/visit.h"
#include "engine/run/engine.h"

static int read_options(tl_pair_options *out, const tl_pair_options *given)
{
	*out = (tl_pair_options)TL_PAIR_OPTIONS_INIT;
	return tl__sized_read(out, given, tl_pair_options, rule);
}

TL__PUBLIC_OF_NODE(tl_sync_configure_pair, node && peer && db,
	(tl_node *node, const char *peer, const tl_id *db, const tl_pair_options *options),
	(node, peer, db, options))
{
	tl_pair_options full;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE_PAIR,
		.has_key = true,
		.has_db = true,
		.db = *db,
		.pair_options = options ? &full : NULL};
	int rc = tl_key_parse(&command.key, tl__str_z(peer));

	if (rc == TL_OK && options)
		rc = read_options(&full, options);
	return rc == TL_OK ? tl__command_run(node, &command, "configure_pair", NULL) : rc;
}

/* --- sets of relations ------------------------------------------------------------------------ */

typedef struct relation_list {
	tl__sync_relation *at;
	tl_pair_options *options; /* of each */
	size_t count;
} relation_list;

static void free_list(relation_list *list)
{
	tl__free(list->at);
	tl__free(list->options);
}

static int read_relation(relation_list *list, size_t index, const tl_relation *given)
{
	tl__sync_relation *to = &list->at[index];
	int rc;

	if (!given->peer)
		return tl__fail(TL_E_BAD_ARGUMENT, "relation %zu names no peer", index);
	rc = tl_key_parse(&to->peer, tl__str_z(given->peer));
	to->db = given->db;
	if (rc != TL_OK || !given->options)
		return rc;
	to->options = &list->options[index];
	return read_options(&list->options[index], given->options);
}

static int read_list(relation_list *list, const tl_relation *given, size_t count)
{
	int rc = TL_OK;

	if (count > TL__SYNC_MAX_RELATIONS)
		return tl__fail(
			TL_E_TOO_LARGE, "a set has at most %d relations", TL__SYNC_MAX_RELATIONS);
	list->count = count;
	list->at = tl__alloc_zero(count + 1, sizeof *list->at);
	list->options = tl__alloc_zero(count + 1, sizeof *list->options);
	if (!list->at || !list->options)
		return TL_E_NOMEM;
	for (size_t i = 0; rc == TL_OK && i < count; i++)
		rc = read_relation(list, i, &given[i]);
	return rc;
}

/* Runs it; *number: what it says, 0 where that is none. *more (may be NULL): it is to come again.
 */
static int run(tl_node *node, const tl__sync_command *command, uint64_t *number, bool *more)
{
	char *text = NULL;
	int rc = tl__command_run(node, command, "set_relations", &text);

	*number = text ? strtoull(text, NULL, 10) : 0;
	if (more)
		*more = text && strcmp(text, "more") == 0;
	tl__free(text);
	return rc;
}

static int set_all(tl_node *node, const char *tag, const relation_list *list, uint64_t *touched)
{
	tl__sync_command command = {.kind = TL__SYNC_RELATIONS,
		.name = tl__str_z(tag),
		.relations = list->at,
		.relation_count = list->count};
	bool more = true;
	uint64_t ignored;
	int rc = run(node, &command, &command.number, NULL);

	command.kind = TL__SYNC_RELATIONS_SLICE;
	for (size_t at = 0; rc == TL_OK && at < list->count; at += command.relation_count) {
		size_t left = list->count - at;

		command.relations = list->at + at;
		command.relation_count =
			left < TL__SYNC_RELATION_SLICE ? left : TL__SYNC_RELATION_SLICE;
		rc = run(node, &command, &ignored, NULL);
	}
	command.kind = TL__SYNC_RELATIONS_END;
	while (rc == TL_OK && more)
		rc = run(node, &command, touched, &more);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_set_relations, node && tag && (relations || count == 0),
	(tl_node *node, const char *tag, const tl_relation *relations, size_t count,
		uint64_t *touched), (node, tag, relations, count, touched))
{
	relation_list list = {0};
	uint64_t number = 0;
	int rc = read_list(&list, relations, count);

	if (rc == TL_OK)
		rc = set_all(node, tag, &list, &number);
	if (touched)
		*touched = number;
	free_list(&list);
	return rc;
}

/* --- facts ------------------------------------------------------------------------------------ */

static int check_sync(const tl_node *node)
{
	return node->engine ? TL_OK
			    : tl__fail(TL_E_SYNC_NOT_ENABLED, "the node was opened without sync");
}

TL__PUBLIC_OF_NODE(tl_sync_set_fact, node && name,
	(tl_node *node, const char *name, const char *value), (node, name, value))
{
	tl_event event = TL_EVENT_INIT;
	bool changed = false;
	int rc = check_sync(node);

	if (rc == TL_OK)
		rc = tl__facts_set(&node->facts, name, value, &changed);
	if (rc != TL_OK || !changed)
		return rc;
	event.kind = TL_EVENT_FACT_CHANGED;
	event.time_ms = tl__system_clock.wall_ms(tl__system_clock.ud);
	tl__node_tell(node, &event, name);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_get_facts, node && json,
	(tl_node *node, char **json), (node, json))
{
	tl__buf out = TL__BUF_INIT;
	int rc = check_sync(node);

	*json = NULL;
	if (rc != TL_OK)
		return rc;
	tl__facts_put(&node->facts, &out);
	return tl__json_take(&out, json);
}
