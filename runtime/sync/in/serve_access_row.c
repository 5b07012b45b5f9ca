/* How an access request is written down and read: core/README.md has both forms. */
#include "sync/in/serve_access.h"

#include <stdio.h>
#include <string.h>

const char *const tl__access_states[] = {"pending", "approved", "rejected"};

/* --- written ---------------------------------------------------------------------------------- */

static void local_key(const tl__access_row *row, char out[64])
{
	snprintf(out, 64, "%s%s", row->proven ? TL__ACCESS_LOCAL : TL__ACCESS_CLAIM_LOCAL, row->id);
}

void tl__access_put_local(tl__sync *sync, const tl__access_row *row)
{
	char key[64], db[TL_ID_TEXT_LEN + 1];
	tl__buf value = TL__BUF_INIT;

	local_key(row, key);
	tl_id_format(&row->db, db);
	tl__buf_format(&value, "%s\n%s\n%s\n%lld %s", row->key, row->permission, db,
		(long long)row->time, tl__access_states[row->state]);
	if (!row->known)
		tl__buf_format(&value, " %s", row->source);
	tl__buf_format(&value, "\n%s", row->name);
	tl__sync_put_text(sync, tl__str_z(key), &value);
}

static void put_member(tl__buf *out, const char *name, tl_str text)
{
	tl__buf_text(out, name);
	tl__json_put_string(out, text);
}

void tl__access_put_record(tl__sync *sync, const tl__access_row *row, const tl__access_wish *wish)
{
	tl__work_record record = {.store = TL__SYNC_REQUESTS, .path_len = 1};
	char db[TL_ID_TEXT_LEN + 1], permission[24], time[30];
	tl__buf json = TL__BUF_INIT;

	tl_id_format(&row->db, db);
	tl_permission_to_json(wish->permission, permission);
	tl__time_format(row->time, time);
	put_member(&json, "{\"tree_id\":", tl__str_z(db));
	put_member(&json, ",\"requesting_pubkey\":", tl__str_z(row->key));
	put_member(&json, ",\"requesting_key_name\":", wish->name);
	tl__buf_format(&json, ",\"requested_permission\":%s", permission);
	put_member(&json, ",\"timestamp\":", tl__str_z(time));
	tl__buf_text(&json, ",\"status\":\"Pending\",\"peer_address\":{");
	put_member(&json, "\"transport_type\":", wish->transport);
	put_member(&json, ",\"address\":", wish->remote);
	tl__buf_text(&json, "}}");
	record.path[0] = tl__access_id(row);
	record.text = tl__buf_view(&json);
	if (tl__buf_status(&json) == TL_OK)
		tl__sync_put_record(sync, &record);
	else
		tl__sync_put_lost(sync);
	tl__buf_free(&json);
}

void tl__access_forget_local(tl__sync *sync, const tl__access_row *row)
{
	char key[64];

	local_key(row, key);
	tl__sync_put_local(sync, tl__str_z(key), TL__STR_NULL);
}

/* --- read ------------------------------------------------------------------------------------- */

/* The next line of a local document; ptr NULL when there is none. */
static tl_str take_line(tl_str *text)
{
	const char *end = text->ptr ? memchr(text->ptr, '\n', text->len) : NULL;
	tl_str line = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};

	*text = end ? (tl_str){end + 1, text->len - line.len - 1} : TL__STR_NULL;
	return line;
}

static bool copy_text(char *out, size_t cap, tl_str text)
{
	if (!text.ptr || text.len >= cap)
		return false;
	memcpy(out, text.ptr, text.len);
	out[text.len] = 0;
	return true;
}

/* The next word of a line; ptr NULL when there is none. */
static tl_str take_word(tl_str *line)
{
	const char *end = line->ptr ? memchr(line->ptr, ' ', line->len) : NULL;
	tl_str word = {line->ptr, end ? (size_t)(end - line->ptr) : line->len};

	*line = end ? (tl_str){end + 1, line->len - word.len - 1} : TL__STR_NULL;
	return word;
}

/* "1767225600000 rejected", of a stranger with its source; without a state it waits. */
static bool read_time(tl__access_row *row, tl_str line)
{
	tl_str time = take_word(&line), state = take_word(&line);

	row->state = TL__ACCESS_PENDING;
	while (state.ptr && !tl__str_eq(state, tl__str_z(tl__access_states[row->state])))
		if (row->state++ == TL__ACCESS_REJECTED)
			return false;
	row->known = row->proven && !line.ptr;
	if (line.ptr && !copy_text(row->source, sizeof row->source, line))
		return false;
	return time.ptr && tl__json_i64(time, &row->time) == TL_OK;
}

bool tl__access_read(tl__access_row *row, tl_str key, tl_str value)
{
	size_t prefix =
		row->proven ? sizeof TL__ACCESS_LOCAL - 1 : sizeof TL__ACCESS_CLAIM_LOCAL - 1;
	tl_str id = {key.ptr + prefix, key.len - prefix}, db;
	bool ok = copy_text(row->id, sizeof row->id, id) && id.len == sizeof row->id - 1 &&
		  copy_text(row->key, sizeof row->key, take_line(&value)) &&
		  copy_text(row->permission, sizeof row->permission, take_line(&value));

	db = take_line(&value);
	return ok && tl_id_parse(&row->db, db) == TL_OK && read_time(row, take_line(&value)) &&
	       copy_text(row->name, sizeof row->name, value);
}
