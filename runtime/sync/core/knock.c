/* Peers that only knocked: local documents, never dialled, gone after a week. */
#include "sync/core/core.h"

#include <stdlib.h>
#include <string.h>
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"

#define LOCAL_PREFIX "sync/knock/"
#define KEPT_MS      ((int64_t)TL__SYNC_KNOCKING_DAYS * 24 * 3600 * 1000)
/* A peer that knocks all the time is written down once an hour. */
#define AGAIN_MS (3600 * 1000)

struct tl__sync_knock {
	tl_key key;
	int64_t last; /* wall */
	tl__sync_knock *next;
};

static void local_key(const tl_key *key, char out[80])
{
	char text[TL_KEY_TEXT_LEN + 1];

	tl_key_format(key, text);
	snprintf(out, 80, LOCAL_PREFIX "%s", text);
}

static void remove_at(tl__sync *sync, tl__sync_knock **at)
{
	tl__sync_knock *knock = *at;
	char key[80];

	local_key(&knock->key, key);
	tl__sync_put_local(sync, tl__str_z(key), TL__STR_NULL);
	*at = knock->next;
	tl__free(knock);
	sync->knock_count--;
}

static void drop_old(tl__sync *sync)
{
	tl__sync_knock **at = &sync->knocks;

	while (*at) {
		if (llabs(sync->wall - (*at)->last) > KEPT_MS)
			remove_at(sync, at);
		else
			at = &(*at)->next;
	}
}

static tl__sync_knock *add(tl__sync *sync, const tl_key *key)
{
	tl__sync_knock *knock = tl__alloc_zero(1, sizeof *knock);

	if (!knock)
		return NULL;
	knock->key = *key;
	knock->next = sync->knocks;
	sync->knocks = knock;
	sync->knock_count++;
	return knock;
}

static tl__sync_knock *find(tl__sync *sync, const tl_key *key)
{
	tl__sync_knock *knock = sync->knocks;

	while (knock && !tl__key_equal(&knock->key, key))
		knock = knock->next;
	return knock;
}

void tl__sync_knocked(tl__sync *sync, const tl_key *key, tl_str name, const char *address)
{
	tl_str remote = tl__str_z(address);
	tl__sync_knock *knock;
	tl__buf out = TL__BUF_INIT;
	char text[80], time[30];

	if (tl__sync_find_peer(sync, key))
		return;
	knock = find(sync, key);
	if (knock && llabs(sync->wall - knock->last) < AGAIN_MS)
		return;
	if (!knock) {
		drop_old(sync);
		if (sync->knock_count >= TL__SYNC_MAX_KNOCKING)
			return;
		knock = add(sync, key);
		if (!knock)
			return;
	}
	knock->last = sync->wall;
	tl__time_format(sync->wall, time);
	tl__buf_format(&out, "{\"last\":\"%s\",\"name\":", time);
	tl__json_put_string(
		&out, name.len > TL__V1_MAX_TEXT || !tl__utf8_valid(name) ? TL__STR("") : name);
	tl__buf_text(&out, ",\"remote\":");
	tl__json_put_string(&out,
		remote.len > TL__V1_MAX_TEXT || !tl__utf8_valid(remote) ? TL__STR("") : remote);
	tl__buf_text(&out, "}");
	local_key(key, text);
	tl__log_write(sync->log, TL_LOG_INFO, "peer", "%s, no peer yet, came from %s",
		text + strlen(LOCAL_PREFIX), address);
	tl__sync_put_text(sync, tl__str_z(text), &out);
}

void tl__knock_drop(tl__sync *sync, const tl_key *key)
{
	tl__sync_knock **at = &sync->knocks;

	while (*at && !tl__key_equal(&(*at)->key, key))
		at = &(*at)->next;
	if (*at)
		remove_at(sync, at);
}

int tl__knock_load(tl__sync *sync, tl_str key_text, tl_str document)
{
	tl__arena arena = TL__ARENA_INIT;
	tl_str last = TL__STR_NULL;
	const tl__field members[] = {{"last", TL__FIELD_TEXT, &last, false}};
	tl_key key;
	int rc = tl_key_parse(&key, key_text);

	if (rc == TL_OK)
		rc = TL__FIELDS_READ(document, &arena, "knock document", TL_E_BAD_MESSAGE, members);
	if (rc == TL_OK && !find(sync, &key) && sync->knock_count < TL__SYNC_MAX_KNOCKING) {
		tl__sync_knock *knock = add(sync, &key);

		if (!knock)
			rc = TL_E_NOMEM;
		else if (tl__time_parse(last.ptr, last.len, &knock->last) != TL_OK)
			knock->last = sync->wall;
	}
	tl__arena_free(&arena);
	return rc;
}

void tl__knocks_free(tl__sync *sync)
{
	while (sync->knocks) {
		tl__sync_knock *knock = sync->knocks;

		sync->knocks = knock->next;
		tl__free(knock);
	}
}
