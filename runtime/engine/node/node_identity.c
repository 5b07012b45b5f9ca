#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/parts/node_impl.h"
#include "work/work.h"

#define STORE_FILE        "tidelock.db"
#define MAX_IDENTITY_TEXT 96

/* --- incarnation ------------------------------------------------------------------------------ */

/* Names the store's file on this machine: a copy has another. "" for a store in memory, and where
 * the system cannot tell (then only the chain of arrivals tells a copy apart). */
static void file_identity(const tl_node *node, char out[MAX_IDENTITY_TEXT])
{
	struct statx info;
	int directory = tl__store_directory(node->store);

	out[0] = '\0';
	if (directory >= 0 && statx(directory, STORE_FILE, 0, STATX_INO | STATX_BTIME, &info) == 0)
		snprintf(out, MAX_IDENTITY_TEXT, "%llu:%lld.%u", (unsigned long long)info.stx_ino,
			info.stx_mask & STATX_BTIME ? (long long)info.stx_btime.tv_sec : 0LL,
			info.stx_mask & STATX_BTIME ? info.stx_btime.tv_nsec : 0U);
}

static void hex(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool unhex(tl_str text, uint8_t *out, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		const char *at = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;

		if (!at)
			return false;
		if (i % 2 == 0)
			out[i / 2] = (uint8_t)((at - digits) << 4);
		else
			out[i / 2] |= (uint8_t)(at - digits);
	}
	return true;
}

static int write_incarnation(tl_node *node, const char *identity)
{
	char text[2 * TL__INCARNATION_BYTES + 1];
	tl__buf json = TL__BUF_INIT;
	tl__put_local put = {.key = TL__STR(TL__LOCAL_INCARNATION)};
	tl__batch batch = {.locals = &put, .local_count = 1, .local_commit = true};
	int rc;

	tl_random_bytes(node->incarnation, sizeof node->incarnation);
	hex(node->incarnation, sizeof node->incarnation, text);
	tl__buf_format(&json, "{\"incarnation\":\"%s\",\"file\":\"%s\"}", text, identity);
	rc = tl__buf_status(&json);
	put.value = tl__buf_view(&json);
	if (rc == TL_OK)
		rc = tl__store_write(node->store, &batch);
	tl__buf_free(&json);
	return rc;
}

/* Whether the document is readable and of this file. */
static bool read_incarnation(tl_node *node, tl_str document, const char *identity)
{
	tl__arena arena = TL__ARENA_INIT;
	tl_str hex = TL__STR_NULL, file = TL__STR_NULL;
	const tl__field members[] = {
		{"incarnation", TL__FIELD_TEXT, &hex, true}, {"file", TL__FIELD_TEXT, &file, true}};
	int rc = TL__FIELDS_READ(document, &arena, "incarnation", TL_E_STORE_DAMAGED, members);
	bool good = rc == TL_OK && unhex(hex, node->incarnation, sizeof node->incarnation) &&
		    tl__str_eq(file, tl__str_z(identity));
	tl__arena_free(&arena);
	return good;
}

int tl__node_load_incarnation(tl_node *node)
{
	char identity[MAX_IDENTITY_TEXT];
	char *value = NULL;
	size_t len = 0;
	bool good;
	int rc = tl__read_local(node->store, TL__STR(TL__LOCAL_INCARNATION), &value, &len);

	file_identity(node, identity);
	if (rc == TL_E_NOT_FOUND)
		return write_incarnation(node, identity);
	if (rc != TL_OK)
		return rc;
	good = read_incarnation(node, (tl_str){value, len}, identity);
	tl__free(value);
	if (good)
		return TL_OK;
	tl__log_write(&node->log, TL_LOG_INFO, "node",
		"this store is a copy of another; peers will compare everything once");
	return write_incarnation(node, identity);
}

/* --- the `_sync` database --------------------------------------------------------------------- */

int tl__node_load_sync_db(tl_node *node)
{
	char *value = NULL;
	size_t len = 0;
	int rc = tl__read_local(node->store, TL__STR(TL__LOCAL_SYNC_DB), &value, &len);

	if (rc == TL_E_NOT_FOUND)
		return TL_OK;
	if (rc == TL_OK) {
		rc = tl_id_parse(&node->sync_db, (tl_str){value, len});
		node->has_sync_db = rc == TL_OK;
	}
	tl__free(value);
	return rc;
}
