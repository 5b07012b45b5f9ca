/* How a pair is kept in step: options by hand, which are stored and win, and those of sets of
 * relations; and what follows from them and from the pair's tags. */
#include <string.h>
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "sync/core/core.h"

#define PRIORITY_MAX 9

static const tl__pair_options plain;

static const char *const directions[] = {"both", "pull", "push"};

/* --- made of what is given -------------------------------------------------------------------- */

static int check_text(const char *what, const char *text)
{
	if (!text || (strlen(text) <= TL_PAIR_TEXT_BYTES && tl__utf8_valid(tl__str_z(text))))
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT, "%s of a pair is at most %d bytes of UTF-8", what,
		TL_PAIR_TEXT_BYTES);
}

int tl__pair_options_check(const tl_pair_options *given)
{
	int rc = check_text("the reason", given->reason);

	if (rc == TL_OK)
		rc = check_text("the rule", given->rule);
	if (rc != TL_OK)
		return rc;
	if (given->direction < TL_DIRECTION_BOTH || given->direction > TL_DIRECTION_PUSH)
		return tl__fail(TL_E_BAD_ARGUMENT, "the direction is one of tl_direction");
	if (given->on_commit > TL_OFF)
		return tl__fail(TL_E_BAD_ARGUMENT, "on_commit is TL_ON, TL_OFF or 0");
	if (given->every_ms > 0 && given->every_ms < TL_PAIR_MIN_EVERY_MS)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"every_ms is 0, or at least %d: a pair is not exchanged more often",
			TL_PAIR_MIN_EVERY_MS);
	if (given->priority > PRIORITY_MAX)
		return tl__fail(
			TL_E_BAD_ARGUMENT, "a priority is a number from 0 to %d", PRIORITY_MAX);
	return TL_OK;
}

void tl__pair_options_free(tl__pair_options *options)
{
	if (!options)
		return;
	tl__free(options->reason);
	tl__free(options->rule);
	tl__free(options);
}

static bool copy_text(char **to, const char *text)
{
	*to = text ? tl__copy_bytes(text, strlen(text)) : NULL;
	return *to || !text;
}

tl__pair_options *tl__pair_options_new(const tl_pair_options *given)
{
	tl__pair_options *new = tl__alloc_zero(1, sizeof *new);

	if (!new)
		return NULL;
	new->direction = given->direction;
	new->every_ms = given->every_ms;
	new->rate = given->rate;
	new->on_commit = given->on_commit;
	new->priority = given->priority;
	new->paused = given->paused;
	if (copy_text(&new->reason, given->reason) && copy_text(&new->rule, given->rule))
		return new;
	tl__pair_options_free(new);
	return NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool tl__pair_options_same(const tl__pair_options *has, const tl_pair_options *given)
{
	return has->direction == given->direction && has->every_ms == given->every_ms &&
	       has->rate == given->rate && has->on_commit == given->on_commit &&
	       has->priority == given->priority && has->paused == given->paused &&
	       is_same_text(has->reason, given->reason) && is_same_text(has->rule, given->rule);
}

/* --- in force --------------------------------------------------------------------------------- */

static uint8_t of_direction(const tl__pair_options *options)
{
	return options->direction == TL_DIRECTION_PULL   ? TL__PULLS
	       : options->direction == TL_DIRECTION_PUSH ? TL__PUSHES
							 : TL__PULLS | TL__PUSHES;
}

/* What its tags give together; one that is there because a database is cited only takes. */
static uint8_t given(const tl__pair *pair, const tl__pair_options *hand)
{
	uint8_t gives = 0;

	for (const tl__pair_tag *tag = pair->tags; tag; tag = tag->next)
		gives |= tl__str_eq(tl__str_z(tag->text), TL__STR("delegated")) ? TL__PULLS
			 : hand                                                 ? of_direction(hand)
			 : tag->options ? of_direction(tag->options)
					: TL__PULLS | TL__PUSHES;
	return gives;
}

static const tl__pair_options *in_force(const tl__pair *pair, const tl__pair_options *hand)
{
	for (const tl__pair_tag *tag = pair->tags; !hand && tag; tag = tag->next)
		hand = tag->options;
	return hand ? hand : &plain;
}

/* What it is allowed to begin from now on, it begins with. */
static void begin_anew(tl__pair *pair, const tl__pair_options *before, uint8_t did)
{
	if (pair->does & ~did & TL__PULLS)
		pair->from_sure = true;
	if ((pair->does & ~did) || (before->paused && !pair->options->paused))
		pair->wanted = true;
}

/* Texts are for the owner's eyes. */
static bool is_same_shape(const tl__pair_options *a, const tl__pair_options *b)
{
	return a->direction == b->direction && a->every_ms == b->every_ms && a->rate == b->rate &&
	       a->on_commit == b->on_commit && a->priority == b->priority && a->paused == b->paused;
}

static const tl__pair_options *hand_of(const tl__sync *sync, const tl__pair *pair)
{
	tl__pair_name name = tl__pair_name_of(&pair->peer->key, &pair->db->id);

	return tl__map_get(&sync->by_hand, tl__pair_name_str(&name));
}

void tl__pair_judge(tl__sync *sync, tl__pair *pair)
{
	const tl__pair_options *before = pair->options;
	const tl__pair_options *hand = hand_of(sync, pair);
	uint8_t gave = pair->gives, did = pair->does;

	pair->options = in_force(pair, hand);
	pair->gives = given(pair, hand);
	pair->does = pair->gives & of_direction(pair->options);
	if (tl__pair_has_tag(pair, TL__STR("delegated")))
		pair->does |= TL__PULLS;
	if (!before || before->every_ms != pair->options->every_ms)
		pair->tick_at = pair->options->every_ms == 0 || pair->options->every_ms == TL_NEVER
					? 0
					: sync->now + pair->options->every_ms;
	if (!before ||
		(is_same_shape(before, pair->options) && pair->gives == gave && pair->does == did))
		return;
	begin_anew(pair, before, did);
	if (before->rate != pair->options->rate)
		pair->free_at = pair->wait_until = 0;
	tl__pair_changed(sync, pair);
	sync->out->pair_reshaped(sync, pair);
	if (pair->gives != gave || before->rate != pair->options->rate)
		sync->in->rights_changed(sync, &pair->peer->key);
}

bool tl__pair_rests(const tl__pair *pair)
{
	return pair->options->paused && !pair->asked;
}

bool tl__pair_on_commit(const tl__sync *sync, const tl__pair *pair)
{
	uint8_t on_commit = pair->options->on_commit;

	return on_commit == 0 ? sync->options.on_commit != 0 : on_commit == TL_ON;
}

void tl__pair_put_options(const tl__sync *sync, const tl__pair *pair, tl__buf *out)
{
	const tl__pair_options *of = pair->options;
	const char *by = of == &plain ? NULL : hand_of(sync, pair) ? "hand" : "set";

	tl__buf_format(out,
		"{\"direction\":\"%s\",\"on_commit\":%s,\"every_ms\":", directions[of->direction],
		tl__pair_on_commit(sync, pair) ? "true" : "false");
	if (of->every_ms == TL_NEVER)
		tl__buf_text(out, "\"never\"");
	else if (of->every_ms > 0)
		tl__buf_format(out, "%u", of->every_ms);
	else
		tl__buf_text(out, "null");
	tl__buf_format(out, ",\"priority\":%u,\"rate\":%llu,\"paused\":%s,", of->priority,
		(unsigned long long)of->rate, of->paused ? "true" : "false");
	tl__put_text(out, "reason", of->reason);
	tl__buf_text(out, ",");
	tl__put_text(out, "rule", of->rule);
	tl__buf_text(out, ",");
	tl__put_text(out, "by", by);
	tl__buf_text(out, "}");
}

/* --- by hand ---------------------------------------------------------------------------------- */

/* From now on these are in force (NULL: none), and the core's. */
static int put_by_hand(
	tl__sync *sync, const tl_key *peer, const tl_id *db, tl__pair_options *options)
{
	tl__pair_name name = tl__pair_name_of(peer, db);
	tl_str key = tl__pair_name_str(&name);
	tl__pair_options *old = tl__map_get(&sync->by_hand, key);
	tl__pair *pair = tl__sync_find_pair(sync, peer, db);
	int rc = TL_OK;

	if (options)
		rc = tl__map_set(&sync->by_hand, key, options);
	else
		tl__map_remove(&sync->by_hand, key);
	if (rc != TL_OK) {
		tl__pair_options_free(options);
		return rc;
	}
	if (pair)
		tl__pair_judge(sync, pair);
	tl__pair_options_free(old);
	return TL_OK;
}

static void write_text(tl__buf *out, const char *name, const char *text)
{
	if (!text || !text[0])
		return;
	tl__buf_text(out, ",");
	tl__put_text(out, name, text);
}

static void write_options(tl__buf *out, const tl__pair_options *of)
{
	tl__buf_format(out,
		"{\"direction\":\"%s\",\"every_ms\":%u,\"rate\":%llu,\"on_commit\":%u,"
		"\"priority\":%u,\"paused\":%u",
		directions[of->direction], of->every_ms, (unsigned long long)of->rate,
		of->on_commit, of->priority, of->paused);
	write_text(out, "reason", of->reason);
	write_text(out, "rule", of->rule);
	tl__buf_text(out, "}");
}

static void save_options(
	tl__sync *sync, const tl__peer *peer, const tl_id *db, const tl__pair_options *options)
{
	tl__sync_local_key key = tl__pair_key("sync/options", peer, db);
	tl__buf out = TL__BUF_INIT;

	if (!options) {
		tl__sync_put_local(sync, tl__str_z(key.text), TL__STR_NULL);
		return;
	}
	write_options(&out, options);
	tl__sync_put_text(sync, tl__str_z(key.text), &out);
}

int tl__pair_configure(
	tl__sync *sync, tl__peer *peer, const tl_id *db, const tl_pair_options *given)
{
	tl__pair_options *new = given ? tl__pair_options_new(given) : NULL;
	tl__pair_name name = tl__pair_name_of(&peer->key, db);

	if (given && !new)
		return TL_E_NOMEM;
	if (new && sync->by_hand.count >= TL__SYNC_MAX_RELATIONS &&
		!tl__map_has(&sync->by_hand, tl__pair_name_str(&name))) {
		tl__pair_options_free(new);
		return tl__fail(TL_E_TOO_LARGE, "at most %d pairs are configured by hand",
			TL__SYNC_MAX_RELATIONS);
	}
	if (put_by_hand(sync, &peer->key, db, new) != TL_OK)
		return TL_E_NOMEM;
	save_options(sync, peer, db, new);
	return TL_OK;
}

static bool read_direction(tl_str text, tl_direction *out)
{
	for (int i = TL_DIRECTION_BOTH; i <= TL_DIRECTION_PUSH; i++)
		if (tl__str_eq(text, tl__str_z(directions[i]))) {
			*out = (tl_direction)i;
			return true;
		}
	return false;
}

static int read_options(tl_str document, tl__arena *arena, tl_pair_options *out)
{
	tl_str direction = TL__STR("both"), reason = TL__STR_NULL, rule = TL__STR_NULL;
	uint64_t every = 0, on_commit = 0, priority = 0, paused = 0;
	const tl__field members[] = {{"direction", TL__FIELD_TEXT, &direction, true},
		{"every_ms", TL__FIELD_U64, &every, true},
		{"rate", TL__FIELD_U64, &out->rate, true},
		{"on_commit", TL__FIELD_U64, &on_commit, true},
		{"priority", TL__FIELD_U64, &priority, true},
		{"paused", TL__FIELD_U64, &paused, true},
		{"reason", TL__FIELD_TEXT, &reason, false}, {"rule", TL__FIELD_TEXT, &rule, false}};
	int rc = TL__FIELDS_READ(document, arena, "pair options", TL_E_BAD_MESSAGE, members);

	if (rc != TL_OK)
		return rc;
	if (!read_direction(direction, &out->direction) || every > UINT32_MAX ||
		on_commit > TL_OFF || priority > PRIORITY_MAX)
		return tl__fail(TL_E_BAD_MESSAGE, "stored options of a pair are none");
	out->every_ms = (uint32_t)every;
	out->on_commit = (uint8_t)on_commit;
	out->priority = (uint8_t)priority;
	out->paused = paused != 0;
	out->reason = tl__arena_str(arena, reason).ptr;
	out->rule = tl__arena_str(arena, rule).ptr;
	return tl__pair_options_check(out);
}

int tl__pair_options_load(tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str document)
{
	tl__arena arena = TL__ARENA_INIT;
	tl_pair_options read = TL_PAIR_OPTIONS_INIT;
	int rc = read_options(document, &arena, &read);
	tl__pair_options *new = rc == TL_OK ? tl__pair_options_new(&read) : NULL;

	if (rc == TL_OK)
		rc = new ? put_by_hand(sync, peer, db, new) : TL_E_NOMEM;
	tl__arena_free(&arena);
	return rc;
}

void tl__pair_options_forget(tl__sync *sync, const tl__peer *peer)
{
	size_t at = 0;
	tl_str key;
	void *options;

	while (tl__map_next(&sync->by_hand, &at, &key, &options)) {
		tl_id db;

		if (memcmp(key.ptr, peer->key.b, TL_KEY_BYTES) != 0)
			continue;
		memcpy(db.b, key.ptr + TL_KEY_BYTES, TL_ID_BYTES);
		save_options(sync, peer, &db, NULL);
		tl__map_remove(&sync->by_hand, key);
		tl__pair_options_free(options);
	}
}

void tl__pair_options_free_all(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *options;

	while (tl__map_next(&sync->by_hand, &at, &key, &options))
		tl__pair_options_free(options);
	tl__map_free(&sync->by_hand);
}
