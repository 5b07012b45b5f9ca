/* Sets of relations: all of a tag, as somebody worked them out. They come as one list, in slices
 * that others get in between, and only what differs is touched. They are not stored; whoever made
 * them makes them again. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "sync/core/core.h"

#define TAG_MAX_BYTES 64

static void complete_number(tl__sync *sync, const tl__sync_command *command, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	tl__sync_complete(sync, command->op, TL_OK, NULL, text);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static int check_tag(tl_str tag)
{
	if (tag.len == 0 || tag.len > TAG_MAX_BYTES || !tl__utf8_valid(tag))
		return tl__fail(
			TL_E_BAD_ARGUMENT, "a tag is 1 to %d bytes of UTF-8", TAG_MAX_BYTES);
	if (tl__str_eq(tag, TL__STR("manual")) || tl__str_eq(tag, TL__STR("delegated")))
		return tl__fail(TL_E_BAD_ARGUMENT, "the tag \"%.*s\" is the library's own",
			TL__STR_ARG(tag));
	return TL_OK;
}

int tl__relations_check_tag(
	const tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str text, bool set)
{
	tl__pair *pair = tl__sync_find_pair(sync, peer, db);
	tl__pair_tag *tag = pair ? tl__pair_find_tag(pair, text) : NULL;

	if (!tag || tag->set == set)
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT,
		set ? "a relation has the tag \"%.*s\" already, by hand; take it away, or name the "
		      "set differently"
		    : "the tag \"%.*s\" is that of a set of relations; use another one",
		TL__STR_ARG(text));
}

static int check_relation(const tl__sync *sync, const tl__sync_relation *relation, tl_str tag)
{
	char text[TL_KEY_TEXT_LEN + 1];
	int rc;

	if (tl__id_equal(&relation->db, &sync->own_db))
		return tl__fail(TL_E_BAD_ARGUMENT, "the database `_sync` is never synchronised");
	if (tl__sync_find_peer(sync, &relation->peer)) {
		rc = tl__relations_check_tag(sync, &relation->peer, &relation->db, tag, true);
		return rc == TL_OK && relation->options ? tl__pair_options_check(relation->options)
							: rc;
	}
	tl_key_format(&relation->peer, text);
	return tl__fail(TL_E_PEER_NOT_FOUND, "%s is no peer; register it first", text);
}

/* All is checked before anything is changed. */
static int begin(tl__sync *sync, const tl__sync_command *command)
{
	int rc = check_tag(command->name);
	char *tag;

	if (rc == TL_OK && command->relation_count > TL__SYNC_MAX_RELATIONS)
		rc = tl__fail(
			TL_E_TOO_LARGE, "a set has at most %d relations", TL__SYNC_MAX_RELATIONS);
	for (size_t i = 0; rc == TL_OK && i < command->relation_count; i++)
		rc = check_relation(sync, &command->relations[i], command->name);
	if (rc != TL_OK)
		return rc;
	tag = tl__copy_bytes(command->name.ptr, command->name.len);
	if (!tag)
		return TL_E_NOMEM;
	tl__rests_forget_old(sync);
	tl__free(sync->relation_set.text);
	sync->relation_set.text = tag;
	sync->relation_set.run = ++sync->relation_run;
	sync->relation_changes = 0;
	return TL_OK;
}

void tl__relations_begin(tl__sync *sync, const tl__sync_command *command)
{
	int rc = begin(sync, command);

	if (rc == TL_OK)
		complete_number(sync, command, sync->relation_set.run);
	else
		tl__sync_complete_failed(sync, command->op, rc);
}

/* Another one began in between: this one is over. */
static bool is_current(tl__sync *sync, const tl__sync_command *command)
{
	if (sync->relation_set.text && sync->relation_set.run == command->number)
		return true;
	(void)tl__fail(TL_E_BUSY, "another set of relations came in between");
	tl__sync_complete_failed(sync, command->op, TL_E_BUSY);
	return false;
}

/* --- slices ----------------------------------------------------------------------------------- */

static const tl_pair_options none = TL_PAIR_OPTIONS_INIT;
static const tl__pair_options plain;

static int reshape(
	tl__sync *sync, tl__pair *pair, tl__pair_tag *tag, const tl__sync_relation *relation)
{
	tl__pair_options *old = tag->options, *new = NULL;

	if (tl__pair_options_same(
		    old ? old : &plain, relation->options ? relation->options : &none))
		return TL_OK;
	if (relation->options)
		new = tl__pair_options_new(relation->options);
	if (relation->options && !new)
		return TL_E_NOMEM;
	tag->options = new;
	tl__pair_judge(sync, pair);
	tl__pair_options_free(old);
	sync->relation_changes++;
	return TL_OK;
}

static int relate(tl__sync *sync, tl__peer *peer, const tl__sync_relation *relation)
{
	tl__pair_as as = {.tag = tl__str_z(sync->relation_set.text),
		.set = true,
		.run = sync->relation_set.run};
	int rc;

	if (relation->options)
		as.options = tl__pair_options_new(relation->options);
	if (relation->options && !as.options)
		return TL_E_NOMEM;
	rc = tl__pair_relate_as(sync, peer, &relation->db, &as, NULL);
	if (rc == TL_OK)
		sync->relation_changes++;
	else
		tl__pair_options_free(as.options);
	return rc;
}

/* A peer may be gone since the beginning. Of several that are the same the first counts. */
static int put(tl__sync *sync, const tl__sync_relation *relation)
{
	tl__peer *peer = tl__sync_find_peer(sync, &relation->peer);
	tl__pair *pair = tl__sync_find_pair(sync, &relation->peer, &relation->db);
	tl_str text = tl__str_z(sync->relation_set.text);
	tl__pair_tag *tag = pair ? tl__pair_find_tag(pair, text) : NULL;

	if (tag && !tag->set) /* made by hand since */
		return tl__relations_check_tag(sync, &relation->peer, &relation->db, text, true);
	if (!peer || (tag && tag->run == sync->relation_set.run))
		return TL_OK;
	if (!tag)
		return relate(sync, peer, relation);
	tag->run = sync->relation_set.run;
	return reshape(sync, pair, tag, relation);
}

void tl__relations_slice(tl__sync *sync, const tl__sync_command *command)
{
	int rc = TL_OK;

	if (!is_current(sync, command))
		return;
	for (size_t i = 0; rc == TL_OK && i < command->relation_count; i++)
		rc = put(sync, &command->relations[i]);
	if (rc == TL_OK)
		complete_number(sync, command, sync->relation_changes);
	else
		tl__sync_complete_failed(sync, command->op, rc);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Those that the list did not name go, some at a time. Whether there are more. */
static bool take_away(tl__sync *sync)
{
	tl_str text = tl__str_z(sync->relation_set.text);
	size_t gone = 0;

	for (tl__pair *pair = sync->pairs, *next; pair; pair = next) {
		tl__pair_tag *tag = tl__pair_find_tag(pair, text);

		next = pair->next;
		if (!tag || !tag->set || tag->run == sync->relation_set.run)
			continue;
		if (gone++ == TL__SYNC_RELATION_SLICE)
			return true;
		tl__pair_unrelate(sync, pair, text);
		sync->relation_changes++;
	}
	return false;
}

void tl__relations_end(tl__sync *sync, const tl__sync_command *command)
{
	if (!is_current(sync, command))
		return;
	if (take_away(sync)) {
		tl__sync_complete(sync, command->op, TL_OK, NULL, "more");
		return;
	}
	tl__free(sync->relation_set.text);
	sync->relation_set.text = NULL;
	complete_number(sync, command, sync->relation_changes);
}
