#include "rules/rules.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/json.h>
#include <tidelock/node.h>

struct tlua_rules {
	tlua_cell *cell;
	tlua_ref ask; /* fn(field, number, thing) of the library's half */
	tlua_rule *at;
	size_t count;
};

static const char *const fields[] = {"peers", "databases"};

/* --- what they say ---------------------------------------------------------------------------- */

/* The fields have passed the library's half, unless the script made such a table itself. */
static int refuse(lua_State *L, const char *field)
{
	return luaL_error(L,
		"a rules file returns rules, as rule { … } makes them: one has no good `%s`",
		field);
}

static void read_text(lua_State *L, const char *field, char *out, size_t size)
{
	size_t len = 0;
	const char *text = NULL;

	if (lua_getfield(L, -1, field) == LUA_TSTRING)
		text = lua_tolstring(L, -1, &len);
	if (!text || len >= size || memchr(text, 0, len))
		refuse(L, field);
	else
		memcpy(out, text, len + 1);
	lua_pop(L, 1);
}

static uint64_t read_count(lua_State *L, const char *field, uint64_t most)
{
	lua_Integer count = 0;

	if (lua_getfield(L, -1, field) != LUA_TNIL) {
		count = lua_tointeger(L, -1);
		if (!lua_isinteger(L, -1) || count < 0 || (uint64_t)count > most)
			refuse(L, field);
	}
	lua_pop(L, 1);
	return (uint64_t)count;
}

static bool read_flag(lua_State *L, const char *field)
{
	bool flag;

	lua_getfield(L, -1, field);
	flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

static tl_direction read_direction(lua_State *L)
{
	char text[8] = "";

	read_text(L, "direction", text, sizeof text);
	return text[2] == 'l'   ? TL_DIRECTION_PULL
	       : text[2] == 's' ? TL_DIRECTION_PUSH
				: TL_DIRECTION_BOTH;
}

static uint32_t read_every(lua_State *L)
{
	bool never = lua_getfield(L, -1, "every") == LUA_TSTRING;

	lua_pop(L, 1);
	return never ? TL_NEVER : 1000 * (uint32_t)read_count(L, "every", (TL_NEVER - 1) / 1000);
}

/* The rule on top of the stack. */
static void read_rule(lua_State *L, tlua_rule *out)
{
	if (!lua_istable(L, -1))
		refuse(L, "name");
	read_text(L, "name", out->name, sizeof out->name);
	if (lua_getfield(L, -1, "at") == LUA_TSTRING)
		snprintf(out->where, sizeof out->where, "%s", lua_tostring(L, -1));
	lua_pop(L, 1);
	out->direction = read_direction(L);
	out->every_ms = read_every(L);
	out->rate = read_count(L, "rate", INT64_MAX);
	out->priority = (int)read_count(L, "priority", 9);
	out->on_commit = read_flag(L, "on_commit");
	out->discover = read_flag(L, "discover");
	out->has_when = read_flag(L, "when");
}

static void read_rules(lua_State *L, tlua_rules *rules)
{
	size_t count = lua_rawlen(L, -1);

	if (count > TLUA_RULES_MAX)
		luaL_error(L, "there are at most %d rules", TLUA_RULES_MAX);
	rules->at = calloc(count + 1, sizeof *rules->at);
	if (!rules->at)
		luaL_error(L, "not enough memory for the rules"); /* does not return */
	rules->count = rules->at ? count : 0;
	for (size_t i = 0; i < rules->count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		read_rule(L, &rules->at[i]);
		lua_pop(L, 1);
	}
}

/* The file's value at 1, the rules at 2. */
static int make(lua_State *L)
{
	tlua_rules *rules = lua_touserdata(L, 2);

	tlua_push_half(L, "tidelock.script.match");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 2);
	lua_insert(L, 1); /* the function */
	read_rules(L, rules);
	lua_settop(L, 1);
	return 1;
}

/* --- opening ---------------------------------------------------------------------------------- */

tlua_end tlua_rules_open(const tlua_cell_options *options, tlua_rules **out, tlua_failure *why)
{
	tlua_cell_options mine = *options;
	tlua_rules *rules = calloc(1, sizeof *rules);
	tlua_end end = TLUA_NO_MEMORY;

	*out = NULL;
	mine.profile = TLUA_WORK;
	if (rules) {
		end = tlua_cell_open(&mine, &rules->cell, why);
		if (end == TLUA_FINE)
			end = tlua_cell_make(rules->cell, make, rules, &rules->ask, why);
	} else {
		*why = (tlua_failure){.end = end, .text = "not enough memory"};
	}
	if (end == TLUA_FINE)
		*out = rules;
	else
		tlua_rules_close(rules);
	return end;
}

void tlua_rules_close(tlua_rules *rules)
{
	if (!rules)
		return;
	tlua_cell_close(rules->cell);
	free(rules->at);
	free(rules);
}

size_t tlua_rules_count(const tlua_rules *rules)
{
	return rules->count;
}

const tlua_rule *tlua_rules_at(const tlua_rules *rules, size_t index)
{
	return &rules->at[index];
}

/* --- asking ----------------------------------------------------------------------------------- */

typedef struct question {
	const tlua_rules *rules;
	const char *field;
	size_t number; /* of a rule, from 1; 0: all that are not functions of the script */
	const tlua_asked *asked;
	const tlua_moment *moment;
	tl_json_reader *facts;
	uint8_t *said; /* one, or of each rule */
} question;

static void push_text_field(lua_State *L, const char *name, const char *text)
{
	if (!text)
		return;
	tlua_push_text(L, (tl_str){text, strlen(text)});
	lua_setfield(L, -2, name);
}

static void push_asked(lua_State *L, const tlua_asked *asked, tlua_field field)
{
	lua_createtable(L, 0, 3);
	push_text_field(L, field == TLUA_PEERS ? "key" : "id", asked->text);
	push_text_field(L, "name", asked->name);
	if (asked->listed) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "listed");
	}
}

static void push_json(lua_State *L, tl_json_reader *reader, tl_json_token token);

static tl_json_token next_token(lua_State *L, tl_json_reader *reader)
{
	tl_json_token token = TL_JSON_END;

	if (tl_json_next(reader, &token) != TL_OK)
		luaL_error(L, "not enough memory for the facts");
	return token;
}

static void push_items(lua_State *L, tl_json_reader *reader, tl_json_token end)
{
	tl_json_token token;

	luaL_checkstack(L, 4, "facts");
	lua_newtable(L);
	for (lua_Integer i = 1; (token = next_token(L, reader)) != end; i++) {
		if (token == TL_JSON_KEY) {
			tlua_push_text(L, tl_json_text(reader));
			token = next_token(L, reader);
		} else {
			lua_pushinteger(L, i);
		}
		push_json(L, reader, token);
		lua_rawset(L, -3);
	}
}

/* The value that begins with this token; null is nil. */
static void push_json(lua_State *L, tl_json_reader *reader, tl_json_token token)
{
	switch (token) {
	case TL_JSON_OBJECT: push_items(L, reader, TL_JSON_OBJECT_END); break;
	case TL_JSON_ARRAY: push_items(L, reader, TL_JSON_ARRAY_END); break;
	case TL_JSON_STRING: tlua_push_text(L, tl_json_text(reader)); break;
	case TL_JSON_INT: lua_pushinteger(L, tl_json_int(reader)); break;
	case TL_JSON_FLOAT: lua_pushnumber(L, tl_json_float(reader)); break;
	case TL_JSON_TRUE:
	case TL_JSON_FALSE: lua_pushboolean(L, token == TL_JSON_TRUE); break;
	default: lua_pushnil(L); break;
	}
}

static void push_number(lua_State *L, const char *name, lua_Integer number)
{
	lua_pushinteger(L, number);
	lua_setfield(L, -2, name);
}

static void push_moment(lua_State *L, const question *q)
{
	lua_createtable(L, 0, 5);
	push_number(L, "hour", q->moment->hour);
	push_number(L, "minute", q->moment->minute);
	push_number(L, "weekday", q->moment->weekday);
	push_number(L, "now", q->moment->now);
	push_json(L, q->facts, next_token(L, q->facts));
	lua_setfield(L, -2, "facts");
}

static int push(lua_State *L, void *ud)
{
	const question *q = ud;

	lua_pushstring(L, q->field);
	if (q->number > 0)
		lua_pushinteger(L, (lua_Integer)q->number);
	else
		lua_pushnil(L);
	if (q->moment)
		push_moment(L, q);
	else
		push_asked(
			L, q->asked, q->field == fields[TLUA_PEERS] ? TLUA_PEERS : TLUA_DATABASES);
	return 3;
}

static tlua_said said_of(char letter)
{
	return letter == 'y' ? TLUA_SAID_YES : letter == 'n' ? TLUA_SAID_NO : TLUA_SAID_NOTHING;
}

/* What the library's half answers: a boolean, or a letter for each rule. */
static void take(lua_State *L, void *ud)
{
	const question *q = ud;
	const char *letters;
	size_t len = 0;

	if (q->number > 0) {
		*q->said = lua_toboolean(L, 1) ? TLUA_SAID_YES : TLUA_SAID_NO;
		return;
	}
	letters = lua_tolstring(L, 1, &len);
	for (size_t i = 0; letters && i < len && i < q->rules->count; i++)
		q->said[i] = (uint8_t)said_of(letters[i]);
}

static void describe(void *ud, char *out, size_t size)
{
	const question *q = ud;
	const char *rule = q->number > 0 ? q->rules->at[q->number - 1].name : "all rules";

	if (q->moment)
		snprintf(out, size, "when of '%.120s' at %02d:%02d", rule, q->moment->hour,
			q->moment->minute);
	else
		snprintf(out, size, "%s of '%.120s': %.80s %.40s", q->field, rule, q->asked->text,
			q->asked->name ? q->asked->name : "");
}

static void call(tlua_rules *rules, question *q, tlua_called called, void *ud)
{
	const tlua_call made = {TLUA_WORK, rules->ask, push, take, describe, q};
	tlua_failure why;
	tlua_end end = tlua_cell_call(rules->cell, &made, &why);

	called(ud, rules->cell, end == TLUA_FINE ? NULL : &why);
}

void tlua_rules_ask(tlua_rules *rules, tlua_field field, const tlua_asked *asked, uint8_t *said,
	tlua_called called, void *ud)
{
	question q = {.rules = rules, .field = fields[field], .asked = asked, .said = said};

	memset(said, TLUA_SAID_NOTHING, rules->count);
	if (rules->count == 0)
		return;
	call(rules, &q, called, ud);
	for (size_t i = 0; i < rules->count; i++) {
		if (said[i] != TLUA_SAID_NOTHING)
			continue;
		q.number = i + 1;
		q.said = &said[i];
		call(rules, &q, called, ud);
	}
}

tlua_said tlua_rules_when(
	tlua_rules *rules, size_t index, const tlua_moment *moment, tlua_called called, void *ud)
{
	uint8_t said = TLUA_SAID_NOTHING;
	question q = {.rules = rules,
		.field = "when",
		.number = index + 1,
		.moment = moment,
		.said = &said};

	if (tl_json_reader_new(&q.facts, (tl_str){moment->facts, strlen(moment->facts)}) == TL_OK)
		call(rules, &q, called, ud);
	tl_json_reader_free(q.facts);
	return (tlua_said)said;
}
