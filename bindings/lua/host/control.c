/* Calls of the control socket: script list, log, diff, reload, decisions. */
#include <tidelock/control.h>
#include "host/scripts.h"

#include <string.h>
#include <tidelock/json.h>
#include <tidelock/sync.h>

#define NAME_BYTES 256

/* Of a request: what is asked for, and of which script. */
typedef struct asked {
	char call[32], name[NAME_BYTES]; /* name "": all */
	tl_json_writer *writer;
	tl_script *found;
} asked;

static bool is_text(tl_str text, const char *other)
{
	return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

static int copy(tl_str text, char *out, size_t size)
{
	if (text.len >= size || memchr(text.ptr, 0, text.len))
		return tl_error_set(TL_E_BAD_ARGUMENT, "no script has such a name");
	memcpy(out, text.ptr, text.len);
	out[text.len] = 0;
	return TL_OK;
}

/* The value of a member: a text that is wanted is copied, all else is passed over. */
static int read_member(tl_json_reader *reader, asked *a)
{
	tl_str key = tl_json_text(reader);
	char *out = is_text(key, "call") ? a->call : is_text(key, "name") ? a->name : NULL;
	size_t size = out == a->call ? sizeof a->call : sizeof a->name;
	tl_json_token token;
	int rc;

	if (!out)
		return tl_json_skip(reader);
	rc = tl_json_next(reader, &token);
	if (rc == TL_OK && token != TL_JSON_STRING)
		return tl_error_set(TL_E_BAD_ARGUMENT, "`call` and `name` are texts");
	return rc == TL_OK ? copy(tl_json_text(reader), out, size) : rc;
}

static int read_request(tl_str request, asked *a)
{
	tl_json_reader *reader;
	tl_json_token token;
	int rc = tl_json_reader_new(&reader, request);

	if (rc != TL_OK)
		return rc;
	rc = tl_json_next(reader, &token);
	while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK && token == TL_JSON_KEY)
		rc = read_member(reader, a);
	tl_json_reader_free(reader);
	return rc;
}

/* --- calls ------------------------------------------------------------------------------------ */

static bool is_meant(const asked *a, const tl_script *script)
{
	return !a->name[0] || strcmp(a->name, script->source.name) == 0 ||
	       strcmp(a->name, script->path) == 0;
}

static int put_one(void *ud, tl_script *script)
{
	return tlua_script_put_status(script, ((asked *)ud)->writer);
}

static int list(tl_node *node, asked *a)
{
	int rc = tl_json_put_array(a->writer);

	if (rc == TL_OK)
		rc = tlua_scripts_each(node, put_one, a);
	return rc == TL_OK ? tl_json_put_end(a->writer) : rc;
}

static int find_one(void *ud, tl_script *script)
{
	asked *a = ud;

	if (!a->found && is_meant(a, script)) {
		tlua_script_retain(script);
		a->found = script;
	}
	return TL_OK;
}

static int find(tl_node *node, asked *a)
{
	int rc = tlua_scripts_each(node, find_one, a);

	if (rc == TL_OK && !a->found)
		rc = tl_error_set(TL_E_NOT_FOUND,
			a->name[0] ? "this node has no such script" : "this node has no scripts");
	return rc;
}

static int show_failures(tl_node *node, asked *a)
{
	int rc = find(node, a);

	return rc == TL_OK ? tlua_script_put_failures(a->found, a->writer) : rc;
}

static int reload(tl_node *node, asked *a)
{
	int rc = find(node, a);

	if (rc == TL_OK)
		rc = tl_script_reload(a->found);
	if (rc != TL_OK)
		return rc;
	tlua_scripts_lock(a->found->scripts);
	rc = tlua_script_put_status(a->found, a->writer);
	tlua_scripts_unlock(a->found->scripts);
	return rc;
}

static int find_shadow(void *ud, tl_script *script)
{
	return script->shadow ? find_one(ud, script) : TL_OK;
}

static int show_differences(tl_node *node, asked *a)
{
	int rc = tlua_scripts_each(node, find_shadow, a);

	if (rc == TL_OK && !a->found)
		rc = tl_error_set(TL_E_NOT_FOUND,
			"this node has no shadow: load_policy(file, { shadow = true }) adds one");
	return rc == TL_OK ? tlua_script_put_differences(a->found, a->writer) : rc;
}

/* What the policy decided last, whichever script it was. */
static int show_decisions(tl_node *node, asked *a)
{
	char *json = NULL;
	int rc = tl_sync_decisions(node, 0, &json);

	if (rc == TL_OK)
		rc = tl_json_put_json(a->writer, (tl_str){json, strlen(json)});
	tl_free(json);
	return rc;
}

static int answer_with(tl_node *node, asked *a)
{
	if (strcmp(a->call, "script list") == 0)
		return list(node, a);
	if (strcmp(a->call, "script log") == 0)
		return show_failures(node, a);
	if (strcmp(a->call, "script diff") == 0)
		return show_differences(node, a);
	if (strcmp(a->call, "script decisions") == 0)
		return show_decisions(node, a);
	if (strcmp(a->call, "script reload") == 0)
		return reload(node, a);
	return tl_error_set(TL_E_UNSUPPORTED, "there is no such call about scripts");
}

static int answer(tl_node *node, tl_str request, void (*put)(void *out, tl_str json), void *out)
{
	asked a = {.call = ""};
	int rc = tl_json_writer_new(&a.writer, 0);
	tl_str text;

	if (rc == TL_OK)
		rc = read_request(request, &a);
	if (rc == TL_OK)
		rc = answer_with(node, &a);
	if (rc == TL_OK)
		rc = tl_json_writer_text(a.writer, &text);
	if (rc == TL_OK)
		put(out, text);
	tl_script_free(a.found);
	tl_json_writer_free(a.writer);
	return rc;
}

const tl_control_calls tlua_script_calls = {sizeof tlua_script_calls, "script", answer};
