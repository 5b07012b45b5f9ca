/* tidelock.script_core: cells for the program and for specifications. A script is opened from a
 * file, or from a text; its functions are called with plain data. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "module/lib.h"
#include "module/log.h"
#include "host/folder.h"
#include "host/policy.h"

#define SCRIPT_TYPE "tidelock.script"

typedef struct script {
	tlua_cell *cell;     /* that of the policy where it is one */
	tlua_policy *policy; /* NULL: it is none */
	char folder[PATH_MAX];
	void *log;
} script;

static void close_script(script *s)
{
	if (s && s->policy)
		tlua_policy_close(s->policy);
	else if (s)
		tlua_cell_close(s->cell);
	free(s);
}

static int script_drop(lua_State *L)
{
	script **handle = luaL_checkudata(L, 1, SCRIPT_TYPE);

	close_script(*handle);
	*handle = NULL;
	return 0;
}

static void say(void *ud, tl_log_level level, const char *where, tl_str text)
{
	const script *s = ud;
	char line[2048];
	size_t len = (size_t)snprintf(line, sizeof line, "%s: ", where);

	(void)tl_text_escape(text, line + len, sizeof line - len);
	tlua_log_sink(s->log, level, "script", line);
}

static bool find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out)
{
	return tlua_folder_find(((script *)ud)->folder, wanted, name, out);
}

/* --- failures --------------------------------------------------------------------------------- */

static void push_failure(lua_State *L, const tlua_failure *why)
{
	lua_createtable(L, 0, 6);
	lua_pushstring(L, tlua_end_name(why->end));
	lua_setfield(L, -2, "kind");
	lua_pushstring(L, why->where);
	lua_setfield(L, -2, "where");
	lua_pushstring(L, why->text);
	lua_setfield(L, -2, "text");
	lua_pushstring(L, why->input);
	lua_setfield(L, -2, "input");
	lua_pushinteger(L, (lua_Integer)why->number);
	lua_setfield(L, -2, "number");
	lua_pushinteger(L, (lua_Integer)why->here);
	lua_setfield(L, -2, "here");
}

static int fail(lua_State *L, const tlua_failure *why)
{
	lua_pushnil(L);
	push_failure(L, why);
	return 2;
}

/* --- opening ---------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void set_folder(script *s, const char *path)
{
	const char *name = base_name(path);

	snprintf(s->folder, sizeof s->folder, "%.*s", (int)(name - path), path);
	if (name == path)
		snprintf(s->folder, sizeof s->folder, ".");
}

static tlua_end open_text(script *s, tlua_cell_options *options, bool policy, tlua_failure *why)
{
	tlua_end end;

	options->find = find;
	options->say = say;
	options->ud = s;
	if (!policy)
		return tlua_cell_open(options, &s->cell, why);
	end = tlua_policy_open(options, &s->policy, why);
	if (end == TLUA_FINE)
		s->cell = tlua_policy_cell(s->policy);
	return end;
}

static tlua_end open_file(
	script *s, const char *path, tlua_cell_options *options, bool policy, tlua_failure *why)
{
	tlua_found found = {0};
	tlua_end end = TLUA_UNREADABLE;

	snprintf(found.name, sizeof found.name, "%s", options->name);
	if (tlua_folder_read(path, TLUA_FILE_MAX, &found)) {
		options->source = (tl_str){found.text, found.len};
		end = open_text(s, options, policy, why);
		free(found.text);
	} else {
		*why = (tlua_failure){.end = end};
		tlua_copy_part(why->where, sizeof why->where,
			(tl_str){options->name, strlen(options->name)});
		tlua_copy_part(why->text, sizeof why->text,
			(tl_str){found.problem, strlen(found.problem)});
	}
	return end;
}

/* open(kind, path[, text[, me]]): a script of this kind ('policy', 'work', 'decide'), of the file
 * or of the text that stands for it; nil and the failure. */
static int core_open(lua_State *L)
{
	static const char *const kinds[] = {"policy", "work", "decide", NULL};
	int kind = luaL_checkoption(L, 1, NULL, kinds);
	const char *path = luaL_checkstring(L, 2);
	tlua_cell_options options = {.profile = kind == 1 ? TLUA_WORK : TLUA_DECIDE};
	tlua_failure why = {0};
	script **handle;
	tlua_end end;

	options.name = base_name(path);
	options.source = tlua_opt_str(L, 3);
	options.me_name = tlua_opt_str(L, 4);
	handle = (script **)tlua_new_handle(L, SCRIPT_TYPE);
	*handle = calloc(1, sizeof **handle);
	if (!*handle)
		return luaL_error(L, "not enough memory");
	set_folder(*handle, path);
	(*handle)->log = tlua_log_of(L);
	end = options.source.ptr ? open_text(*handle, &options, kind == 0, &why)
				 : open_file(*handle, path, &options, kind == 0, &why);
	return end == TLUA_FINE ? 1 : fail(L, &why);
}

/* --- calling ---------------------------------------------------------------------------------- */

typedef struct plain_call {
	tlua_data arguments, results;
} plain_call;

/* Takes the arguments from 4 on; (call) is at 1. */
static int take_arguments(lua_State *L)
{
	plain_call *call = lua_touserdata(L, 1);

	for (int i = 2; i <= lua_gettop(L); i++)
		tlua_data_take(L, i, &call->arguments);
	return 0;
}

static int push_results(lua_State *L)
{
	const plain_call *call = lua_touserdata(L, 1);

	return tlua_data_push(L, &call->results);
}

/* Both protected, so that the data is dropped: what they left on the stack, or raises. */
static int protected(lua_State *L, plain_call *call, lua_CFunction fn, int arguments)
{
	int base = lua_gettop(L) - arguments, status;

	lua_pushcfunction(L, fn);
	lua_insert(L, base + 1);
	lua_pushlightuserdata(L, call);
	lua_insert(L, base + 2);
	status = lua_pcall(L, arguments + 1, LUA_MULTRET, 0);
	if (status != LUA_OK) {
		tlua_data_drop(&call->arguments);
		tlua_data_drop(&call->results);
		lua_error(L);
	}
	return lua_gettop(L) - base;
}

/* script:call(key, profile, …): the results of that function of its value (nil: of the value
 * itself); nil and the failure. */
static int script_call(lua_State *L)
{
	static const char *const profiles[] = {"decide", "work", "observe", "load", NULL};
	script *s = tlua_check_handle(L, 1, SCRIPT_TYPE);
	tlua_profile profile = (tlua_profile)luaL_checkoption(L, 3, NULL, profiles);
	const char *key = luaL_optstring(L, 2, NULL);
	plain_call plain = {{0}, {0}};
	tlua_exchange exchange = {&plain.arguments, &plain.results};
	tlua_call call = {profile, 0, tlua_exchange_push, tlua_exchange_take, NULL, &exchange};
	tlua_failure why;
	tlua_end end;
	int count;

	call.function = key ? tlua_cell_function(s->cell, key) : tlua_cell_value(s->cell);
	if (call.function == TLUA_REF_NONE)
		luaL_error(L, "the script has no function '%s'", key);
	(void)protected(L, &plain, take_arguments, lua_gettop(L) - 3);
	end = tlua_cell_call(s->cell, &call, &why);
	if (end == TLUA_FINE)
		count = protected(L, &plain, push_results, 0);
	tlua_data_drop(&plain.arguments);
	tlua_data_drop(&plain.results);
	return end == TLUA_FINE ? count : fail(L, &why);
}

/* The file's value at 1, the data at 2: what tidelock.script.check says of it. */
static int take_check(lua_State *L)
{
	tlua_push_half(L, "tidelock.script.check");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 2);
	tlua_data_take(L, -2, lua_touserdata(L, 2));
	tlua_data_take(L, -1, lua_touserdata(L, 2));
	lua_pushnil(L);
	return 1;
}

/* What a function says of the file's value, as data; nil and the failure. */
static int made_of(lua_State *L, script *s, lua_CFunction take)
{
	plain_call plain = {{0}, {0}};
	tlua_ref none;
	tlua_failure why;
	tlua_end end = tlua_cell_make(s->cell, take, &plain.results, &none, &why);
	int count = end == TLUA_FINE ? protected(L, &plain, push_results, 0) : 0;

	tlua_data_drop(&plain.results);
	return end == TLUA_FINE ? count : fail(L, &why);
}

/* script:check(): 'policy', 'rules' or 'hook', and warnings, each { where =, text = } */
static int script_check(lua_State *L)
{
	return made_of(L, tlua_check_handle(L, 1, SCRIPT_TYPE), take_check);
}

/* --- rules ------------------------------------------------------------------------------------ */

/* The file's value at 1, the data at 2. */
static int take_match(lua_State *L)
{
	plain_call *call = lua_touserdata(L, 2);

	tlua_push_half(L, "tidelock.script.explain");
	lua_pushvalue(L, 1);
	lua_call(L, 1 + tlua_data_push(L, &call->arguments), 1);
	tlua_data_take(L, -1, &call->results);
	lua_pushnil(L);
	return 1;
}

/* script:match(peer, db, ctx): what the rule says that counts, nil: none does; nil and the failure
 */
static int script_match(lua_State *L)
{
	script *s = tlua_check_handle(L, 1, SCRIPT_TYPE);
	plain_call plain = {{0}, {0}};
	tlua_ref none;
	tlua_failure why;
	tlua_end end;
	int count;

	(void)protected(L, &plain, take_arguments, lua_gettop(L) - 1);
	end = tlua_cell_make(s->cell, take_match, &plain, &none, &why);
	count = end == TLUA_FINE ? protected(L, &plain, push_results, 0) : 0;
	tlua_data_drop(&plain.arguments);
	tlua_data_drop(&plain.results);
	return end == TLUA_FINE ? count : fail(L, &why);
}

/* --- policies --------------------------------------------------------------------------------- */

static tl_str text_field(lua_State *L, const char *name)
{
	tl_str text = {NULL, 0};

	(void)tlua_option_bytes(L, 2, name, &text);
	return text;
}

#define KEYS_MAX 64

/* Further keys, kept by the table at 2 and by the block that is left on the stack. */
static void read_keys(lua_State *L, tlua_request *r)
{
	tl_str *keys;

	if (!tlua_option(L, 2, "keys"))
		return;
	luaL_checktype(L, -1, LUA_TTABLE);
	r->key_count = (size_t)lua_rawlen(L, -1);
	r->key_count = r->key_count < KEYS_MAX ? r->key_count : KEYS_MAX;
	keys = lua_newuserdatauv(L, (r->key_count + 1) * sizeof *keys, 0);
	for (size_t i = 0; i < r->key_count; i++) {
		if (lua_rawgeti(L, -2, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_error(L, "keys of a request are texts");
		keys[i].ptr = lua_tolstring(L, -1, &keys[i].len);
		lua_pop(L, 1);
	}
	r->keys = keys;
}

/* The fields stand in the table at 2, which keeps the texts. */
static void read_request(lua_State *L, tlua_request *r)
{
	static const char *const names[] = {"kind", "peer", "keys", "name", "said_name",
		"claimed_key", "db", "db_name", "address", "transport", "protocol", "outbound",
		"related", "granted", "encrypted", "usual", "now", "permission", "key_name", NULL};

	int kind;

	tlua_check_options(L, 2, names);
	kind = tlua_option_choice(L, 2, "kind", tlua_kind_names, TLUA_KIND_COUNT);
	luaL_argcheck(L, kind != TLUA_KIND_COUNT, 2, "a request has a kind");
	r->kind = (tlua_kind)kind;
	r->peer = text_field(L, "peer");
	r->name = text_field(L, "name");
	r->said_name = text_field(L, "said_name");
	r->claimed_key = text_field(L, "claimed_key");
	r->db = text_field(L, "db");
	r->db_name = text_field(L, "db_name");
	r->address = text_field(L, "address");
	r->transport = text_field(L, "transport");
	r->protocol = (int)tlua_option_count(L, 2, "protocol", 1);
	r->outbound = tlua_option_bool(L, 2, "outbound", false);
	r->related = tlua_option_bool(L, 2, "related", false);
	r->granted = tlua_option_bool(L, 2, "granted", false);
	r->encrypted = tlua_option_bool(L, 2, "encrypted", false);
	r->usual = tlua_option_bool(L, 2, "usual", false);
	r->now = (int64_t)tlua_option_count(L, 2, "now", 0);
	r->permission = text_field(L, "permission");
	r->key_name = text_field(L, "key_name");
	read_keys(L, r);
}

static void push_verdict(lua_State *L, const tlua_verdict *verdict)
{
	const char *answer = tlua_answer_name(verdict->answer);

	lua_createtable(L, 0, 6);
	lua_pushstring(L, answer);
	lua_setfield(L, -2, "answer");
	lua_pushstring(L, verdict->reason[0] ? verdict->reason : NULL);
	lua_setfield(L, -2, "reason");
	lua_pushstring(L, verdict->where);
	lua_setfield(L, -2, "where");
	lua_pushboolean(L, verdict->failed);
	lua_setfield(L, -2, "failed");
	if (verdict->rate > 0) {
		lua_pushinteger(L, (lua_Integer)verdict->rate);
		lua_setfield(L, -2, "rate");
	}
	if (verdict->page > 0) {
		lua_pushinteger(L, (lua_Integer)verdict->page);
		lua_setfield(L, -2, "page");
	}
}

/* script:decide(request): { answer, reason, where, failed, rate, page } */
static int script_decide(lua_State *L)
{
	script *s = tlua_check_handle(L, 1, SCRIPT_TYPE);
	tlua_request request = {0};
	tlua_verdict verdict;

	luaL_argcheck(L, s->policy != NULL, 1, "this script was not opened as a policy");
	read_request(L, &request);
	tlua_policy_decide(s->policy, &request, &verdict);
	push_verdict(L, &verdict);
	return 1;
}

/* --- what it used ----------------------------------------------------------------------------- */

/* script:used(): units of the last call, bytes now, the most of the last call */
static int script_used(lua_State *L)
{
	const script *s = tlua_check_handle(L, 1, SCRIPT_TYPE);

	lua_pushinteger(L, (lua_Integer)tlua_cell_units(s->cell));
	lua_pushinteger(L, (lua_Integer)tlua_cell_memory(s->cell));
	lua_pushinteger(L, (lua_Integer)tlua_cell_peak(s->cell));
	return 3;
}

/* script:failures(): those that are kept, the newest first; how many there were */
static int script_failures(lua_State *L)
{
	const script *s = tlua_check_handle(L, 1, SCRIPT_TYPE);
	const tlua_failure *failure;

	lua_newtable(L);
	for (size_t i = 0; (failure = tlua_cell_failure(s->cell, i)); i++) {
		push_failure(L, failure);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushinteger(L, (lua_Integer)tlua_cell_failed(s->cell));
	return 2;
}

/* Appends "string.byte" for each function of the table on top to the list at 3. */
static void list_functions(lua_State *L, const char *before)
{
	int table = lua_gettop(L);

	lua_pushnil(L);
	while (lua_next(L, table)) {
		const char *name = lua_tostring(L, -2);

		if (lua_istable(L, -1) && !before[0]) {
			char inner[64];

			snprintf(inner, sizeof inner, "%s.", name);
			list_functions(L, inner);
		} else {
			lua_pushfstring(L, "%s%s", before, name);
			lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
		}
		lua_pop(L, 1);
	}
}

static int take_names(lua_State *L)
{
	lua_newtable(L);
	lua_pushglobaltable(L);
	list_functions(L, "");
	tlua_data_take(L, 3, lua_touserdata(L, 2));
	lua_pushnil(L);
	return 1;
}

/* script:names(): everything that a script finds in its environment, in no order */
static int script_names(lua_State *L)
{
	return made_of(L, tlua_check_handle(L, 1, SCRIPT_TYPE), take_names);
}

int luaopen_tidelock_script_core(lua_State *L)
{
	static const luaL_Reg methods[] = {{"call", script_call}, {"decide", script_decide},
		{"used", script_used}, {"failures", script_failures}, {"close", script_drop},
		{"names", script_names}, {"check", script_check}, {"match", script_match},
		{NULL, NULL}};
	static const luaL_Reg functions[] = {{"open", core_open}, {NULL, NULL}};

	tlua_new_type(L, SCRIPT_TYPE, methods, script_drop);
	luaL_newlib(L, functions);
	return 1;
}
