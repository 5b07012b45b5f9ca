/* Option tables of tidelock.open and sync:configure. */
#include "module/core.h"
#include "module/log.h"
#include "module/options.h"

/* A duration where 0 means off: the C side says that with TL_NEVER and means its default by 0. */
static uint32_t off_or_ms(lua_State *L, int arg, const char *name)
{
	uint64_t ms = tlua_option_duration(L, arg, name, UINT64_MAX);

	if (ms == UINT64_MAX)
		return 0;
	if (ms == 0)
		return TL_NEVER;
	return ms < TL_NEVER ? (uint32_t)ms : TL_NEVER - 1;
}

static uint32_t attempts(lua_State *L, int arg)
{
	uint64_t count = tlua_option_count(L, arg, "max_attempts", UINT64_MAX);

	if (count == UINT64_MAX)
		return 0;
	return count == 0 || count >= TL_NEVER ? TL_NEVER : (uint32_t)count;
}

/* 0 keeps what is set. */
static uint8_t on_or_off(lua_State *L, int arg, const char *name)
{
	if (!tlua_option(L, arg, name))
		return 0;
	lua_pop(L, 1);
	return tlua_option_bool(L, arg, name, false) ? TL_ON : TL_OFF;
}

/* The array lives in a userdata left on the stack, its texts in the option table. */
static bool accept_from(lua_State *L, int arg, tl_sync_options *options)
{
	const char **keys;
	size_t count;

	if (!tlua_option(L, arg, "accept_databases_from"))
		return true;
	if (!lua_istable(L, -1))
		luaL_error(L, "option 'accept_databases_from' is a table of key texts");
	keys = tlua_new_array(L, -1, sizeof *keys, &count);
	for (size_t i = 0; i < count; i++) {
		/* The table keeps the string alive, which a number would not be. */
		if (lua_geti(L, -2, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_error(L, "option 'accept_databases_from' is a table of key texts");
		if (!tlua_read_key_text(L, lua_gettop(L), &keys[i]))
			return false;
		lua_pop(L, 1);
	}
	options->accept_databases_from = keys;
	options->accept_databases_from_count = count;
	return true;
}

/* What does not fit is too large all the same. */
static uint32_t page_bytes(lua_State *L, int arg)
{
	uint64_t bytes = tlua_option_size(L, arg, "max_page_bytes", 0);

	return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

bool tlua_sync_options(lua_State *L, int arg, tl_sync_options *options)
{
	*options = (tl_sync_options)TL_SYNC_OPTIONS_INIT;
	options->periodic_ms = off_or_ms(L, arg, "periodic");
	options->connection_check_ms = off_or_ms(L, arg, "connection_check");
	options->commit_gap_ms = (uint32_t)tlua_option_duration(L, arg, "commit_gap", 0);
	options->retry_max_ms = (uint32_t)tlua_option_duration(L, arg, "retry_max", 0);
	options->max_attempts = attempts(L, arg);
	options->max_response_bytes = tlua_option_size(L, arg, "max_response_bytes", 0);
	options->max_page_bytes = page_bytes(L, arg);
	options->on_commit = on_or_off(L, arg, "on_commit");
	options->v0_claims = on_or_off(L, arg, "v0_claims");
	options->require_encryption = on_or_off(L, arg, "require_encryption");
	options->allow_tls_proxy = on_or_off(L, arg, "allow_tls_proxy");
	return accept_from(L, arg, options);
}

bool tlua_node_config(lua_State *L, int arg, tl_node_config *config, tl_sync_options *sync)
{
	static const char *const names[] = {"path", "memory", "durability", "name", "passphrase",
		"sync", "log_level", "policy", "rules", "hooks", TLUA_SYNC_OPTIONS, NULL};
	static const char *const durabilities[] = {"full", "relaxed", NULL};
	static const char *const levels[] = {"debug", "info", "warning", "error", "off", NULL};
	tl_str passphrase;
	bool memory, good;

	luaL_checktype(L, arg, LUA_TTABLE);
	tlua_check_options(L, arg, names);
	*config = (tl_node_config)TL_NODE_CONFIG_INIT;
	good = tlua_option_text(L, arg, "path", &config->path) &&
	       tlua_option_text(L, arg, "name", &config->name);
	memory = tlua_option_bool(L, arg, "memory", false);
	luaL_argcheck(L, memory == !config->path, arg, "give a path, or a backend of tl.memory()");
	config->durability =
		(tl_durability)tlua_option_choice(L, arg, "durability", durabilities, 0);
	if (!tlua_option_bytes(L, arg, "passphrase", &passphrase) && config->path)
		passphrase = tlua_kept_passphrase(L);
	config->passphrase = passphrase.ptr;
	config->passphrase_len = passphrase.len;
	config->without_sync = !tlua_option_bool(L, arg, "sync", true);
	config->log_level = (tl_log_level)tlua_option_choice(
		L, arg, "log_level", levels, (int)tlua_log_level(L));
	config->log = tlua_log_sink;
	config->log_ud = tlua_log_of(L);
	config->sync = sync;
	return good && tlua_sync_options(L, arg, sync);
}
