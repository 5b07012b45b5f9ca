#include "host/policy.h"
#include "host/folder.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tlua_policy {
	tlua_cell *cell;
	struct compiled {
		tlua_ref function;
		bool reads_request, reads_database; /* or the channel; beside who asks */
		tlua_verdict *rows;                 /* what presets answer, by their numbers */
	} compiled[TLUA_KIND_COUNT];
};

const char *const tlua_kind_names[] = {
	"connect", "dial", "list", "read", "write", "create", "request", "fetch", NULL};

static const char *const answers[] = {NULL, "usual", "grant", "deny"};

const char *tlua_answer_name(tlua_answer answer)
{
	return answers[answer];
}

/* --- the request ------------------------------------------------------------------------------ */

enum {
	KIND,
	PEER,
	KEYS,
	NAME,
	SAID_NAME,
	CLAIMED_KEY,
	DB,
	DB_NAME,
	ADDRESS,
	TRANSPORT,
	PROTOCOL,
	OUTBOUND,
	RELATED,
	GRANTED,
	ENCRYPTED,
	USUAL,
	NOW,
	PERMISSION,
	KEY_NAME
};

static const char *const fields[] = {"kind", "peer", "keys", "name", "said_name", "claimed_key",
	"db", "db_name", "address", "transport", "protocol", "outbound", "related", "granted",
	"encrypted", "usual", "now", "permission", "key_name", NULL};

static void push_text(lua_State *L, tl_str text)
{
	if (text.ptr)
		tlua_push_text(L, text);
	else
		lua_pushnil(L);
}

static void push_keys(lua_State *L, const tlua_request *request)
{
	lua_createtable(L, (int)request->key_count, 0);
	for (size_t i = 0; i < request->key_count; i++) {
		push_text(L, request->keys[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_field(lua_State *L, void *ud, size_t index)
{
	const tlua_request *r = ud;

	switch (index) {
	case KIND: lua_pushstring(L, tlua_kind_names[r->kind]); break;
	case PEER: push_text(L, r->peer); break;
	case KEYS: push_keys(L, r); break;
	case NAME: push_text(L, r->name); break;
	case SAID_NAME: push_text(L, r->said_name); break;
	case CLAIMED_KEY: push_text(L, r->claimed_key); break;
	case DB: push_text(L, r->db); break;
	case DB_NAME: push_text(L, r->db_name); break;
	case ADDRESS: push_text(L, r->address); break;
	case TRANSPORT: push_text(L, r->transport); break;
	case PROTOCOL: lua_pushinteger(L, r->protocol); break;
	case OUTBOUND: lua_pushboolean(L, r->outbound); break;
	case RELATED: lua_pushboolean(L, r->related); break;
	case GRANTED: lua_pushboolean(L, r->granted); break;
	case ENCRYPTED: lua_pushboolean(L, r->encrypted); break;
	case USUAL: lua_pushboolean(L, r->usual); break;
	case NOW: lua_pushinteger(L, r->now); break;
	case PERMISSION: push_text(L, r->permission); break;
	default: push_text(L, r->key_name); break;
	}
}

/* --- a decision ------------------------------------------------------------------------------- */

typedef struct decision {
	tlua_lazy lazy; /* its ud is the request */
	tlua_verdict *verdict;
	const struct compiled *compiled;
} decision;

static int push_request(lua_State *L, void *ud)
{
	const decision *d = ud;
	const tlua_request *request = d->lazy.ud;

	if (d->compiled->reads_request)
		tlua_push_lazy(L, &d->lazy);
	else
		lua_pushnil(L);
	push_text(L, request->peer);
	if (!d->compiled->reads_database)
		return 2;
	push_text(L, request->db);
	push_text(L, request->db_name);
	lua_pushboolean(L, request->encrypted);
	return 5;
}

/* The compiled policy has seen to it that it is one of these. */
static tlua_answer answer_of(lua_State *L, int index)
{
	const char *text = lua_tostring(L, index);

	if (!text)
		return TLUA_NO_OPINION;
	return text[0] == 'u' ? TLUA_USUAL : text[0] == 'g' ? TLUA_GRANT : TLUA_DENY;
}

static void copy_text(lua_State *L, int index, char *out, size_t size)
{
	tl_str text = {"", 0};

	if (lua_type(L, index) == LUA_TSTRING)
		text.ptr = lua_tolstring(L, index, &text.len);
	tlua_copy_part(out, size, text);
}

/* answer, reason, place, rate and page of a preset, from the row on top. */
static void read_row(lua_State *L, tlua_verdict *out)
{
	int row = lua_gettop(L);

	for (lua_Integer i = 1; i <= 5; i++)
		lua_rawgeti(L, row, i);
	out->answer = answer_of(L, row + 1);
	copy_text(L, row + 2, out->reason, sizeof out->reason);
	copy_text(L, row + 3, out->where, sizeof out->where);
	out->rate = (uint64_t)lua_tointeger(L, row + 4);
	out->page = (uint64_t)lua_tointeger(L, row + 5);
	lua_settop(L, row);
}

/* The number of a row, a row, or answer, reason and place: the compiled policy has checked them. */
static void take_verdict(lua_State *L, void *ud)
{
	const decision *d = ud;
	tlua_verdict *verdict = d->verdict;
	int type = lua_type(L, 1);

	if (type == LUA_TNUMBER) {
		*verdict = d->compiled->rows[lua_tointeger(L, 1) - 1];
		return;
	}
	lua_settop(L, type == LUA_TTABLE ? 1 : 3);
	*verdict = (tlua_verdict){.answer = TLUA_NO_OPINION};
	if (type == LUA_TTABLE) {
		read_row(L, verdict);
		return;
	}
	verdict->answer = answer_of(L, 1);
	copy_text(L, 2, verdict->reason, sizeof verdict->reason);
	copy_text(L, 3, verdict->where, sizeof verdict->where);
}

static void describe(void *ud, char *out, size_t size)
{
	const tlua_request *r = ((decision *)ud)->lazy.ud;

	snprintf(out, size, "%s peer=%.*s db=%.*s name=%.*s", tlua_kind_names[r->kind],
		(int)r->peer.len, r->peer.ptr ? r->peer.ptr : "", (int)r->db.len,
		r->db.ptr ? r->db.ptr : "", (int)r->db_name.len,
		r->db_name.ptr ? r->db_name.ptr : "");
}

static void deny_failed(tlua_verdict *out, const tlua_failure *why)
{
	*out = (tlua_verdict){.answer = TLUA_DENY, .failed = true};
	snprintf(out->where, sizeof out->where, "%s", why->where);
	snprintf(out->reason, sizeof out->reason, "the policy failed: %.150s", why->text);
}

void tlua_policy_decide(tlua_policy *policy, const tlua_request *request, tlua_verdict *out)
{
	const struct compiled *compiled = &policy->compiled[request->kind];
	decision d = {{"a request", fields, push_field, (void *)(uintptr_t)request}, out, compiled};
	const tlua_call call = {
		TLUA_DECIDE, compiled->function, push_request, take_verdict, describe, &d};
	tlua_failure why;

	out->failed = false;
	out->where[0] = 0;
	if (tlua_cell_call(policy->cell, &call, &why) != TLUA_FINE)
		deny_failed(out, &why);
	else if (out->where[0] == 0)
		snprintf(out->where, sizeof out->where, "%s", tlua_cell_name(policy->cell));
}

/* --- opening ---------------------------------------------------------------------------------- */

typedef struct compiling {
	const char *kind;
	struct compiled *compiled;
} compiling;

/* The list on top: what presets answer is read once, and not whenever they do. Without memory there
 * are no rows. */
static void read_rows(lua_State *L, struct compiled *compiled)
{
	size_t count = lua_rawlen(L, -1);

	compiled->rows = calloc(count + 1, sizeof *compiled->rows);
	for (size_t i = 0; compiled->rows && i < count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		read_row(L, &compiled->rows[i]);
		lua_pop(L, 1);
	}
}

/* The file's value at 1, what is being compiled at 2: a closure by the library's half. */
static int compile(lua_State *L)
{
	compiling *c = lua_touserdata(L, 2);

	tlua_push_half(L, "tidelock.policy");
	lua_getfield(L, -1, "compile_kind");
	lua_pushvalue(L, 1);
	lua_pushstring(L, c->kind);
	lua_call(L, 2, 4);
	c->compiled->reads_request = lua_toboolean(L, -3);
	c->compiled->reads_database = lua_toboolean(L, -2);
	read_rows(L, c->compiled);
	lua_pop(L, 3);
	return 1;
}

static tlua_end no_memory(tlua_failure *why)
{
	*why = (tlua_failure){.end = TLUA_NO_MEMORY, .text = "not enough memory"};
	return TLUA_NO_MEMORY;
}

static tlua_end compile_all(tlua_policy *policy, tlua_failure *why)
{
	tlua_end end = TLUA_FINE;

	for (int kind = 0; kind < TLUA_KIND_COUNT && end == TLUA_FINE; kind++) {
		struct compiled *compiled = &policy->compiled[kind];
		compiling c = {tlua_kind_names[kind], compiled};

		end = tlua_cell_make(policy->cell, compile, &c, &compiled->function, why);
		if (end == TLUA_FINE && !compiled->rows)
			end = no_memory(why);
	}
	return end;
}

tlua_end tlua_policy_open(const tlua_cell_options *options, tlua_policy **out, tlua_failure *why)
{
	tlua_cell_options mine = *options;
	tlua_policy *policy = calloc(1, sizeof *policy);
	tlua_end end;

	*out = NULL;
	mine.profile = TLUA_DECIDE;
	if (!mine.find)
		mine.find = tlua_half_find;
	if (policy) {
		end = tlua_cell_open(&mine, &policy->cell, why);
		if (end == TLUA_FINE)
			end = compile_all(policy, why);
	} else {
		end = no_memory(why);
	}
	if (end == TLUA_FINE)
		*out = policy;
	else
		tlua_policy_close(policy);
	return end;
}

void tlua_policy_close(tlua_policy *policy)
{
	if (!policy)
		return;
	tlua_cell_close(policy->cell);
	for (size_t i = 0; i < TLUA_KIND_COUNT; i++)
		free(policy->compiled[i].rows);
	free(policy);
}

tlua_cell *tlua_policy_cell(tlua_policy *policy)
{
	return policy->cell;
}
