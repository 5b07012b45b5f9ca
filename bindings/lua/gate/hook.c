#include "gate/hook.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tlua_hook {
	tlua_cell *cell;
	tlua_ref before_commit, save, restore;
	char place[TLUA_WHERE_MAX]; /* of before_commit */
	/* which databases: names with * and ?, ids; none: all */
	tl_str *patterns;
	size_t pattern_count;
};

/* --- opening ---------------------------------------------------------------------------------- */

static bool keep_pattern(tlua_hook *hook, tl_str pattern)
{
	tl_str *more = realloc(hook->patterns, (hook->pattern_count + 1) * sizeof *more);
	char *copy = malloc(pattern.len + 1);

	if (more)
		hook->patterns = more;
	if (!more || !copy) {
		free(copy);
		return false;
	}
	memcpy(copy, pattern.ptr, pattern.len);
	hook->patterns[hook->pattern_count++] = (tl_str){copy, pattern.len};
	return true;
}

/* The list of patterns on top. */
static void keep_patterns(lua_State *L, tlua_hook *hook)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, -1);

	for (lua_Integer i = 1; i <= count; i++) {
		tl_str pattern;

		lua_rawgeti(L, -1, i);
		pattern.ptr = luaL_checklstring(L, -1, &pattern.len);
		if (!keep_pattern(hook, pattern))
			luaL_error(L, "not enough memory");
		lua_pop(L, 1);
	}
}

static void keep_place(lua_State *L, tlua_hook *hook)
{
	lua_Debug ar;

	lua_getinfo(L, ">S", &ar);
	snprintf(hook->place, sizeof hook->place, "%s:%d", ar.short_src, ar.linedefined);
}

static tlua_ref keep_function(lua_State *L, const char *name)
{
	if (lua_getfield(L, 1, name) != LUA_TNIL)
		return luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
	return TLUA_REF_NONE;
}

/* The file's value at 1: what the library's half makes of it. Returns before_commit. */
static int read_file(lua_State *L)
{
	tlua_hook *hook = lua_touserdata(L, 2);

	tlua_push_half(L, "tidelock.script.hook");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	keep_patterns(L, hook);
	hook->save = keep_function(L, "save");
	hook->restore = keep_function(L, "restore");
	lua_getfield(L, 1, "before_commit");
	lua_pushvalue(L, -1);
	keep_place(L, hook);
	return 1;
}

static tlua_end open_hook(tlua_hook *hook, const tlua_cell_options *options, tlua_failure *why)
{
	tlua_end end = tlua_cell_open(options, &hook->cell, why);

	if (end == TLUA_FINE)
		end = tlua_cell_make(hook->cell, read_file, hook, &hook->before_commit, why);
	return end;
}

tlua_end tlua_hook_open(const tlua_cell_options *options, tlua_hook **out, tlua_failure *why)
{
	tlua_cell_options mine = *options;
	tlua_hook *hook = calloc(1, sizeof *hook);
	tlua_end end = TLUA_NO_MEMORY;

	*out = NULL;
	mine.profile = TLUA_WORK;
	if (hook)
		end = open_hook(hook, &mine, why);
	else
		*why = (tlua_failure){.end = end, .text = "not enough memory"};
	if (end == TLUA_FINE)
		*out = hook;
	else
		tlua_hook_close(hook);
	return end;
}

void tlua_hook_close(tlua_hook *hook)
{
	if (!hook)
		return;
	tlua_cell_close(hook->cell);
	for (size_t i = 0; i < hook->pattern_count; i++)
		free((char *)(uintptr_t)hook->patterns[i].ptr);
	free(hook->patterns);
	free(hook);
}

tlua_cell *tlua_hook_cell(tlua_hook *hook)
{
	return hook->cell;
}

/* --- which databases -------------------------------------------------------------------------- */

/* A database without a name is called "" here: `*` means it as well. */
bool tlua_hook_means(const tlua_hook *hook, tl_str db_name, const tl_id *db)
{
	tl_str name = db_name.ptr ? db_name : (tl_str){"", 0};
	char id[TL_ID_TEXT_LEN + 1];
	bool means = hook->pattern_count == 0;

	if (!means)
		tl_id_format(db, id);
	for (size_t i = 0; i < hook->pattern_count && !means; i++) {
		tl_str pattern = hook->patterns[i];

		means = (pattern.len == strlen(id) && memcmp(pattern.ptr, id, pattern.len) == 0) ||
			tlua_glob(pattern, name);
	}
	return means;
}

/* --- from one version to the next ------------------------------------------------------------- */

/* Its line is not one of the file that was changed. */
static void blame_before(tlua_failure *why)
{
	char text[TLUA_TEXT_MAX + 128];

	snprintf(text, sizeof text,
		"save of the version at work fails (without `restore` the new one begins anew): %s",
		why->text);
	tlua_copy_text(why->text, sizeof why->text, text);
}

tlua_end tlua_hook_inherit(tlua_hook *hook, tlua_hook *before, tlua_failure *why)
{
	tlua_data nothing = {0}, saved = {0}, dropped = {0};
	tlua_exchange save = {&nothing, &saved}, restore = {&saved, &dropped};
	tlua_call call = {
		TLUA_WORK, before->save, tlua_exchange_push, tlua_exchange_take, NULL, &save};
	tlua_end end = TLUA_FINE;

	if (before->save == TLUA_REF_NONE || hook->restore == TLUA_REF_NONE)
		return TLUA_FINE;
	end = tlua_cell_call(before->cell, &call, why);
	if (end != TLUA_FINE) {
		blame_before(why);
	} else {
		call.function = hook->restore;
		call.ud = &restore;
		end = tlua_cell_call(hook->cell, &call, why);
	}
	tlua_data_drop(&saved);
	tlua_data_drop(&dropped);
	return end;
}

/* --- asking ----------------------------------------------------------------------------------- */

typedef struct asking {
	tlua_commit commit;
	const tlua_hook *hook;
	tlua_ruling *ruling;
} asking;

static int push_context(lua_State *L, void *ud)
{
	tlua_push_lazy(L, &((asking *)ud)->commit.lazy);
	return 1;
}

static bool is_nonsense(lua_State *L)
{
	int said = lua_type(L, 1), why = lua_type(L, 2);

	for (int i = 3; i <= lua_gettop(L); i++)
		if (!lua_isnil(L, i))
			return true;
	if (why == LUA_TNIL)
		return said != LUA_TNIL && said != LUA_TBOOLEAN;
	return why != LUA_TSTRING ||
	       (said != LUA_TNIL && (said != LUA_TBOOLEAN || lua_toboolean(L, 1)));
}

static void raise_nonsense(lua_State *L, const tlua_hook *hook)
{
	bool two = !lua_isnil(L, 2);
	char text[TLUA_TEXT_MAX];

	snprintf(text, sizeof text,
		"before_commit answers a %s%s%s: nothing or true lets the commit pass; false, or "
		"nil and a reason, refuses it",
		luaL_typename(L, 1), two ? " and a " : "", two ? luaL_typename(L, 2) : "");
	tlua_raise_at(L, hook->place, text);
}

static void take_answer(lua_State *L, void *ud)
{
	asking *a = ud;
	tl_str reason = {NULL, 0};

	if (lua_gettop(L) < 2)
		lua_settop(L, 2);
	if (is_nonsense(L))
		raise_nonsense(L, a->hook);
	a->ruling->passes = lua_isnil(L, 2) && (lua_isnil(L, 1) || lua_toboolean(L, 1));
	if (lua_isstring(L, 2))
		reason.ptr = lua_tolstring(L, 2, &reason.len);
	if (reason.len > 0)
		tlua_copy_part(a->ruling->reason, TLUA_GATE_REASON, reason);
	else
		snprintf(a->ruling->reason, sizeof a->ruling->reason,
			"the hook at %s says no and gives no reason", a->hook->place);
}

static void describe(void *ud, char *out, size_t size)
{
	const tl_hook_context *c = ((asking *)ud)->commit.context;
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(c->tree_id, id);
	snprintf(out, size, "before_commit db=%s name=%.*s author=%.*s size=%zu", id,
		(int)(c->db_name.len < 80 ? c->db_name.len : 80),
		c->db_name.ptr ? c->db_name.ptr : "", (int)c->author.len, c->author.ptr,
		c->entry_bytes);
}

void tlua_hook_ask(tlua_hook *hook, const tl_hook_context *context, tlua_ruling *out)
{
	asking a = {.hook = hook, .ruling = out};
	const tlua_call call = {
		TLUA_WORK, hook->before_commit, push_context, take_answer, describe, &a};
	tlua_failure why;

	tlua_commit_begin(&a.commit, context);
	out->end = tlua_cell_call(hook->cell, &call, &why);
	tlua_commit_end(&a.commit);
	if (out->end == TLUA_FINE)
		return;
	out->passes = false;
	snprintf(out->reason, sizeof out->reason, "the hook failed: %s: %s", why.where, why.text);
}
