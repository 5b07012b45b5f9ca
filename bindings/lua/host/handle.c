/* Scripts that decide for a node: node:load_script, and handles of what was loaded. */
#include "module/core.h"
#include "module/log.h"
#include "gate/door.h"
#include "host/scripts.h"
#include "host/handle.h"

#include <string.h>

#define TYPE "tidelock.script_handle"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TYPE);

	tl_script_free(*handle);
	*handle = NULL;
	return 0;
}

/* The lines of a host's node go where that is told, long after this state is closed. */
static tl_script_options options_of(lua_State *L, int node)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;

	if (node == 0 || lua_getiuservalue(L, node, 1) != LUA_TBOOLEAN) {
		options.log = tlua_log_sink;
		options.log_ud = tlua_log_of(L);
	}
	return options;
}

/* load_script(kind, file, shadow) */
int tlua_node_load_script(lua_State *L)
{
	static const char *const kinds[] = {
		"policy", "rules", "hook", NULL}; /* as tl_script_kind */
	tl_node *node = tlua_check_node(L);
	tl_script_kind kind = (tl_script_kind)tlua_check_choice(L, 2, NULL, kinds);
	tl_script_options options = options_of(L, 1);
	tl_script *script = NULL;
	const char *path;
	void **handle;
	int rc;

	if (!tlua_read_text(L, 3, &path))
		return tlua_fail(L);
	options.shadow = lua_toboolean(L, 4);
	handle = tlua_new_handle(L, TYPE);
	rc = tl_script_load(node, kind, path, &options, &script);
	return tlua_opened(L, handle, rc, script);
}

static int script_reload(lua_State *L)
{
	return tlua_ok(L, tl_script_reload(tlua_check_handle(L, 1, TYPE)));
}

static int script_unload(lua_State *L)
{
	return tlua_ok(L, tl_script_unload(tlua_check_handle(L, 1, TYPE)));
}

static int push_shown(lua_State *L, int (*show)(tl_script *script, const char **json))
{
	const char *json;
	int rc = show(tlua_check_handle(L, 1, TYPE), &json);

	if (rc != TL_OK)
		return tlua_fail(L);
	lua_pushstring(L, json);
	return 1;
}

static int script_status(lua_State *L)
{
	return push_shown(L, tl_script_status);
}

static int script_failures(lua_State *L)
{
	return push_shown(L, tl_script_failures);
}

static int script_differences(lua_State *L)
{
	return push_shown(L, tl_script_differences);
}

static int script_promote(lua_State *L)
{
	return tlua_ok(L, tl_script_promote(tlua_check_handle(L, 1, TYPE)));
}

void tlua_open_script(lua_State *L)
{
	static const luaL_Reg methods[] = {{"reload", script_reload}, {"unload", script_unload},
		{"status", script_status}, {"failures", script_failures},
		{"differences", script_differences}, {"promote", script_promote}, {NULL, NULL}};

	tlua_new_type(L, TYPE, methods, drop);
}

int tlua_answer_about_scripts(tl_node *node)
{
	return tl_control_set_calls(node, &tlua_script_calls);
}

/* --- with the node that is opened ------------------------------------------------------------- */

static int load(lua_State *L, tl_node *node, tl_script_kind kind, tlua_seat *seat, const char *path)
{
	tl_script_options options = options_of(L, 0);
	tl_script *script = NULL;
	int rc = tlua_script_load_into(node, kind, seat, path, &options, &script);

	tl_script_free(script); /* it stays with the node */
	return rc;
}

static int open_with_policy(
	lua_State *L, tl_node_config *config, const char *policy, tl_node **node)
{
	const tlua_seated nobody = {.denies = true};
	tl_policy empty;
	tlua_seat *seat = tlua_seat_empty(&empty);
	int rc;

	if (!seat)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a policy");
	config->policy = &empty;
	rc = tl_node_open(node, config);
	if (rc != TL_OK) {
		empty.drop(seat);
		return rc;
	}
	rc = load(L, *node, TL_SCRIPT_POLICY, seat, policy);
	if (rc != TL_OK)
		tlua_seat_fill(seat, &nobody);
	return rc;
}

/* The table keeps the texts, which of numbers it would not. */
bool tlua_option_scripts(lua_State *L, int options, tlua_opened_with *out)
{
	size_t count;

	out->hook_count = 0;
	if (!tlua_option_text(L, options, "policy", &out->policy) ||
		!tlua_option_text(L, options, "rules", &out->rules))
		return false;
	if (!tlua_option(L, options, "hooks"))
		return true;
	count = lua_istable(L, -1) ? (size_t)luaL_len(L, -1) : 0;
	if (!lua_istable(L, -1) || count > TL_SCRIPT_HOOKS_MAX)
		luaL_error(L, "option 'hooks' is a list of at most %d files", TL_SCRIPT_HOOKS_MAX);
	for (; out->hook_count < count; out->hook_count++) {
		if (lua_geti(L, -1, (lua_Integer)out->hook_count + 1) != LUA_TSTRING)
			luaL_error(L, "option 'hooks' is a list of files, as { 'hook.lua' }");
		if (!tlua_read_text(L, lua_gettop(L), &out->hooks[out->hook_count]))
			return false;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return true;
}

static int open_node(
	lua_State *L, tl_node_config *config, const tlua_opened_with *scripts, tl_node **node)
{
	return scripts->policy ? open_with_policy(L, config, scripts->policy, node)
			       : tl_node_open(node, config);
}

/* The control socket is there as soon as the node is: nobody commits before the hooks are asked. */
static int open_with_hooks(
	lua_State *L, tl_node_config *config, const tlua_opened_with *scripts, tl_node **node)
{
	tlua_door *door = tlua_door_new();
	const tl_hook *list[1];
	tl_hook hook;
	int rc;

	if (!door)
		return tl_error_set(TL_E_NOMEM, "not enough memory for hook files");
	hook = tlua_door_for_node(door);
	list[0] = &hook;
	config->hooks = list;
	config->hook_count = 1;
	rc = open_node(L, config, scripts, node);
	if (!*node)
		hook.drop(hook.ud);
	for (size_t i = 0; i < scripts->hook_count && rc == TL_OK; i++)
		rc = load(L, *node, TL_SCRIPT_HOOK, NULL, scripts->hooks[i]);
	tlua_door_open(door, rc == TL_OK);
	tlua_door_release(door);
	return rc;
}

int tlua_open_with(
	lua_State *L, tl_node_config *config, const tlua_opened_with *scripts, tl_node **node)
{
	int rc = scripts->hook_count > 0 ? open_with_hooks(L, config, scripts, node)
					 : open_node(L, config, scripts, node);

	if (scripts->rules && rc == TL_OK)
		rc = load(L, *node, TL_SCRIPT_RULES, NULL, scripts->rules);
	return rc;
}
