/* Decisions of a policy script: five presets over a keyring of 1,000, asked through a cell with its
 * budget on, beside empty calls of Lua under the same hook. */
#include <lauxlib.h>
#include <string.h>
#include "bench.h"
#include "host/folder.h"
#include "host/policy.h"

#define KEYS 1000

static const char text[] =
	"local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'\n"
	"local fleet = keyring 'field.keys'\n"
	"return policy.first {\n"
	"  policy.deny  { peer = fleet.viewers, may = { 'write', 'create' }, reason = 'screens "
	"only read' },\n"
	"  policy.grant { peer = fleet.viewers, may = 'read', database = 'site-*' },\n"
	"  policy.grant { peer = fleet.field, may = 'create', rate = '256KiB/s' },\n"
	"  policy.usual { peer = fleet.field },\n"
	"  policy.deny 'unknown device',\n"
	"}\n";

static void key_text(char out[TL_KEY_TEXT_LEN + 1], int number)
{
	snprintf(out, TL_KEY_TEXT_LEN + 1, "ed25519:%042dA=", number);
}

static bool find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out)
{
	char key[TL_KEY_TEXT_LEN + 1];

	if (wanted == TLUA_MODULE)
		return tlua_half_find(ud, wanted, name, out);
	out->text = malloc(KEYS * 100);
	for (int i = 0; out->text && i < KEYS; i++) {
		key_text(key, i);
		out->len += (size_t)snprintf(out->text + out->len, 100, "%s device-%d %s\n", key, i,
			i % 10 == 0 ? "viewers" : "field");
	}
	return out->text != NULL;
}

/* --- decisions -------------------------------------------------------------------------------- */

/* Whoever asks is another one each time. Writing, which the fourth preset gives to nine of ten, is
 * told by who asks alone; for reading the database is looked at as well, and the second preset
 * gives it to the tenth. */
static double decide(tlua_policy *policy, tlua_kind kind, int count)
{
	static const tl_str db = {"sha256:1", 8}, name = {"site-7", 6};
	tlua_request request = {.kind = kind, .db = db, .db_name = name};
	char keys[KEYS][TL_KEY_TEXT_LEN + 1];
	tlua_verdict verdict;
	double from;
	int usual = 0;

	for (int i = 0; i < KEYS; i++)
		key_text(keys[i], i);
	from = now_s();
	for (int i = 0; i < count; i++) {
		request.peer = (tl_str){keys[i % KEYS], TL_KEY_TEXT_LEN};
		tlua_policy_decide(policy, &request, &verdict);
		usual += verdict.answer == TLUA_USUAL;
	}
	from = now_s() - from;
	need_that(usual == count / 10 * 9, "the decisions that the policy means");
	return count / from;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	(void)L;
	(void)ar;
}

/* Empty calls a second. */
static double call_nothing(lua_State *L, int count)
{
	double from = now_s();

	for (int i = 0; i < count; i++) {
		lua_pushvalue(L, 1);
		need_that(lua_pcall(L, 0, 0, 0) == LUA_OK, "an empty call");
	}
	return count / (now_s() - from);
}

static void line_of_kind(tlua_policy *policy, lua_State *L, tlua_kind kind, const char *part)
{
	const int count = bench_quick ? 1000 : 500000;
	bench_line line = line_of("policy");
	double rates[REPEATS], ratios[REPEATS];

	for (int i = 0; i < REPEATS; i++) {
		rates[i] = decide(policy, kind, count);
		ratios[i] = rates[i] / call_nothing(L, count);
	}
	line.part = part;
	line.keys = KEYS;
	line.per_s = median(rates, REPEATS);
	line.ratio = median(ratios, REPEATS);
	line.of = "pcall";
	line_print(&line);
}

void bench_policy(void)
{
	const tlua_cell_options options = {
		.name = "policy.lua", .source = {text, sizeof text - 1}, .find = find};
	lua_State *L = luaL_newstate();
	tlua_policy *policy;
	tlua_failure why;

	need_that(L && luaL_loadstring(L, "") == LUA_OK, "an empty function");
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1000);
	if (tlua_policy_open(&options, &policy, &why) != TLUA_FINE)
		give_up("the policy", why.text);
	line_of_kind(policy, L, TLUA_KIND_WRITE, "key");
	line_of_kind(policy, L, TLUA_KIND_READ, "database");
	tlua_policy_close(policy);
	lua_close(L);
}
