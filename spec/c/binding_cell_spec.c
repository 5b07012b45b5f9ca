/* Cells from C: memory that fails at every request, threads that take turns, lazy fields, keyrings
 * of the largest size, the locale of the process. What scripts can do is in spec/lua/cell_spec.lua.
 */
#include <malloc.h>
#include <pthread.h>
#include <time.h>
#include <lauxlib.h>
#include "host/folder.h"
#include "host/policy.h"
#include "script/ring.h"
#include "check.h"
#include "comma_help.h"

static const char policy_text[] =
	"local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'\n"
	"local fleet = keyring 'fleet.keys'\n"
	"return policy.first {\n"
	"  policy.deny { peer = fleet.viewers, may = 'write', reason = 'screens only read' },\n"
	"  policy.usual { peer = fleet.all, rate = '1MiB/s' },\n"
	"  function(req) if req.name == 'x' then return 'grant' end end,\n"
	"  policy.deny 'unknown device',\n"
	"}\n";

/* A key of 32 bytes that are all alike but for a number. */
static void key_text(char out[TL_KEY_TEXT_LEN + 1], unsigned number)
{
	snprintf(out, TL_KEY_TEXT_LEN + 1, "ed25519:%042uA=", number);
}

static tl_str text_of(const char *text)
{
	return (tl_str){text, strlen(text)};
}

/* --- a host ----------------------------------------------------------------------------------- */

typedef struct host {
	unsigned keys; /* in its keyring; every second one is a viewer */
	size_t blocks, count, fails;
	bool lasting, fired;
	char lines[256];
} host;

static void *resize(void *ud, void *block, size_t size)
{
	host *h = ud;
	void *moved;

	/* Lua collects its garbage and asks once more. */
	if (h->fails > 0 && ++h->count >= h->fails && (h->lasting || h->count <= h->fails + 1)) {
		h->fired = true;
		return NULL;
	}
	moved = realloc(block, size);
	h->blocks += moved && !block;
	return moved;
}

static void release(void *ud, void *block)
{
	((host *)ud)->blocks--;
	free(block);
}

static bool find_ring(const host *h, tlua_found *out)
{
	char key[TL_KEY_TEXT_LEN + 1];

	out->text = malloc((size_t)h->keys * 100 + 1);
	for (unsigned i = 0; i < h->keys; i++) {
		key_text(key, i);
		out->len += (size_t)sprintf(
			out->text + out->len, "%s device-%u%s\n", key, i, i % 2 ? " viewers" : "");
	}
	return true;
}

static bool find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out)
{
	return wanted == TLUA_RING ? find_ring(ud, out) : tlua_half_find(NULL, wanted, name, out);
}

static void say(void *ud, tl_log_level level, const char *where, tl_str text)
{
	(void)level;
	snprintf(((host *)ud)->lines, 256, "%s %.*s", where, (int)text.len, text.ptr);
}

static tlua_cell_options options_of(host *h, const char *text)
{
	return (tlua_cell_options){.name = "policy.lua",
		.source = text_of(text),
		.find = find,
		.say = say,
		.ud = h,
		.resize = resize,
		.release = release};
}

/* --- memory ----------------------------------------------------------------------------------- */

static void ask(tlua_policy *policy, tlua_kind kind, unsigned number, tlua_verdict *out)
{
	char key[TL_KEY_TEXT_LEN + 1];
	tlua_request request = {
		.kind = kind, .db = text_of("sha256:1"), .db_name = text_of("notes")};

	key_text(key, number);
	request.peer = text_of(key);
	tlua_policy_decide(policy, &request, out);
}

/* Opens, asks and closes; whether the failure has been met. */
static bool live_at(size_t n, bool lasting, bool unpooled)
{
	host h = {.keys = 4, .fails = n, .lasting = lasting};
	tlua_cell_options options = options_of(&h, policy_text);
	tlua_failure why = {.end = TLUA_FINE};
	tlua_policy *policy;
	tlua_verdict verdict;
	tlua_end end;

	options.unpooled = unpooled;
	end = tlua_policy_open(&options, &policy, &why);
	CHECK(h.fired || end == TLUA_FINE);
	CHECK(end == TLUA_FINE || (end == TLUA_NO_MEMORY && strstr(why.text, "memory") && !policy));
	if (end == TLUA_FINE) {
		ask(policy, TLUA_KIND_WRITE, 1, &verdict);
		CHECK(verdict.answer == TLUA_DENY);
		CHECK(verdict.failed ? h.fired : strcmp(verdict.reason, "screens only read") == 0);
		h.fails = 0;
		ask(policy, TLUA_KIND_READ, 1, &verdict);
		CHECK(verdict.answer == TLUA_USUAL && verdict.rate == 1 << 20 && !verdict.failed);
	}
	tlua_policy_close(policy);
	CHECK(h.blocks == 0);
	return h.fired;
}

/* Thread sanitizers take minutes for all of them. */
#ifdef SPEC_THREAD_SANITIZED
#define STEP 23
#else
#define STEP 1
#endif

static size_t sweep(bool lasting, bool unpooled)
{
	size_t n = 1;

	while (live_at(n, lasting, unpooled) && spec_case_ok)
		n += STEP;
	printf("%zu requests failed\n", n / STEP);
	return n;
}

static void every_request_for_memory_may_fail(void)
{
	CHECK(sweep(false, true) > 1000);
	CHECK(sweep(false, false) > 20);
}

static void memory_may_end_at_every_request(void)
{
	CHECK(sweep(true, true) > 1000);
	CHECK(sweep(true, false) > 20);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define CELLS   6
#define THREADS 4
#define TURNS   200

static struct queue {
	pthread_mutex_t lock;
	tlua_policy *policies[CELLS];
	size_t count;
	unsigned right;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static tlua_policy *take_policy(void)
{
	tlua_policy *policy = NULL;

	pthread_mutex_lock(&queue.lock);
	if (queue.count > 0)
		policy = queue.policies[--queue.count];
	pthread_mutex_unlock(&queue.lock);
	return policy;
}

static void give_policy(tlua_policy *policy, bool right)
{
	pthread_mutex_lock(&queue.lock);
	for (size_t i = queue.count; i > 0; i--)
		queue.policies[i] = queue.policies[i - 1];
	queue.policies[0] = policy;
	queue.count++;
	queue.right += right;
	pthread_mutex_unlock(&queue.lock);
}

static void *ask_in_turn(void *ud)
{
	(void)ud;
	for (int i = 0; i < TURNS; i++) {
		tlua_policy *policy = take_policy();
		tlua_verdict verdict;

		if (!policy)
			continue;
		ask(policy, TLUA_KIND_WRITE, (unsigned)i % 4, &verdict);
		give_policy(policy, verdict.answer == (i % 2 ? TLUA_DENY : TLUA_USUAL));
	}
	return NULL;
}

static void *close_all(void *ud)
{
	tlua_policy *policy;

	(void)ud;
	while ((policy = take_policy()))
		tlua_policy_close(policy);
	return NULL;
}

static void a_cell_is_handed_from_thread_to_thread(void)
{
	host hosts[CELLS] = {{0}};
	pthread_t threads[THREADS], closer;
	tlua_failure why;

	for (size_t i = 0; i < CELLS; i++) {
		tlua_cell_options options = options_of(&hosts[i], policy_text);

		hosts[i].keys = 4;
		REQUIRE(tlua_policy_open(&options, &queue.policies[queue.count], &why) ==
			TLUA_FINE);
		queue.count++;
	}
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, ask_in_turn, NULL) == 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(queue.count == CELLS && queue.right == THREADS * TURNS);
	REQUIRE(pthread_create(&closer, NULL, close_all, NULL) == 0);
	pthread_join(closer, NULL);
	for (size_t i = 0; i < CELLS; i++)
		CHECK(hosts[i].blocks == 0);
}

/* --- fields that are made when they are read -------------------------------------------------- */

static const char *const names[] = {"first", "second", "list", NULL};

static void push_number(lua_State *L, void *ud, size_t index)
{
	((int *)ud)[index]++;
	lua_pushinteger(L, (lua_Integer)index + 1);
}

typedef struct asking {
	tlua_lazy lazy;
	char answer[64];
} asking;

static int push_asking(lua_State *L, void *ud)
{
	tlua_push_lazy(L, &((asking *)ud)->lazy);
	return 1;
}

static void take_answer(lua_State *L, void *ud)
{
	snprintf(((asking *)ud)->answer, 64, "%s", luaL_optstring(L, 1, "nil"));
}

static void fields_are_made_once_and_when_read(void)
{
	int made[3] = {0};
	host h = {0};
	asking a = {.lazy = {"a thing", names, push_number, made}};
	tlua_cell_options options = options_of(&h,
		"local kept\n"
		"return { read = function(t) kept = t return t.first .. t.first end,\n"
		"  late = function(t) return kept.second end, again = function(t) return "
		"kept.first end,\n"
		"  wrong = function(t) return t.frist end,\n"
		"  all = function(t) local s = '' for k, v in pairs(t) do s = s .. k .. v end "
		"return s end }");
	tlua_call call = {.push = push_asking, .take = take_answer, .ud = &a};
	tlua_failure why;
	tlua_cell *cell;

	REQUIRE(tlua_cell_open(&options, &cell, &why) == TLUA_FINE);
	call.function = tlua_cell_function(cell, "read");
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_FINE && strcmp(a.answer, "11") == 0);
	CHECK(made[0] == 1 && made[1] == 0 && made[2] == 0);
	call.function = tlua_cell_function(cell, "late");
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_RAISED &&
		strstr(why.text, "during its call"));
	call.function = tlua_cell_function(cell, "again");
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_RAISED &&
		strstr(why.text, "during its call"));
	call.function = tlua_cell_function(cell, "wrong");
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_RAISED);
	CHECK(strcmp(why.text,
		      "there is no field in a thing called frist here; did you mean first?") == 0);
	CHECK(strcmp(why.where, "policy.lua:4") == 0);
	call.function = tlua_cell_function(cell, "all");
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_FINE);
	CHECK(strcmp(a.answer, "first1list3second2") == 0);
	CHECK(tlua_cell_function(cell, "none") == TLUA_REF_NONE);
	tlua_cell_close(cell);
	CHECK(h.blocks == 0);
}

/* --- time ------------------------------------------------------------------------------------- */

/* As one instruction that takes too long: nothing looks at the clock meanwhile. */
static int push_slowly(lua_State *L, void *ud)
{
	struct timespec now;
	double until;

	(void)L;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	until = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + *(double *)ud;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < until);
	return 0;
}

static void what_took_too_long_is_noticed_at_its_end(void)
{
	static double quick = 0, slow = 0.3, rather = 0.02;
	int calls = 0;
	host h = {0};
	tlua_cell_options options = options_of(&h, "return function() return 1 end");
	tlua_call call = {.profile = TLUA_WORK, .push = push_slowly, .ud = &slow};
	tlua_failure why;
	tlua_cell *cell;

	REQUIRE(tlua_cell_open(&options, &cell, &why) == TLUA_FINE);
	call.function = tlua_cell_value(cell);
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_NO_TIME);
	/* The clock of a decision starts with its first look, until one of some shows how long they
	 * take. */
	call.profile = TLUA_DECIDE;
	call.ud = &rather;
	while (tlua_cell_call(cell, &call, &why) == TLUA_FINE && calls < 100)
		calls++;
	CHECK(calls > 0 && calls <= 16 && why.end == TLUA_NO_TIME);
	call.ud = &quick;
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_FINE);
	tlua_cell_close(cell);
	CHECK(h.blocks == 0);
}

/* --- memory that was used for blocks of another size ------------------------------------------ */

typedef struct counted {
	size_t bytes, peak;
} counted;

static void *resize_counted(void *ud, void *block, size_t size)
{
	counted *c = ud;
	size_t before = block ? malloc_usable_size(block) : 0;
	void *moved = realloc(block, size);

	if (moved)
		c->bytes += malloc_usable_size(moved) - before;
	c->peak = c->bytes > c->peak ? c->bytes : c->peak;
	return moved;
}

static void release_counted(void *ud, void *block)
{
	((counted *)ud)->bytes -= block ? malloc_usable_size(block) : 0;
	free(block);
}

static void a_cell_has_no_more_than_its_memory(void)
{
	const tlua_limits limits = tlua_profile_limits(TLUA_DECIDE);
	counted c = {0, 0};
	tlua_cell_options options = {.name = "policy.lua",
		.source = text_of("local kept\n"
				  "return function(width)\n"
				  "  kept = nil kept = {}\n"
				  "  for i = 1, 1000000 do\n"
				  "    local row = {}\n"
				  "    for column = 1, i % 24 do row[column] = i end\n"
				  "    kept[#kept + 1] = row\n"
				  "  end end"),
		.ud = &c,
		.resize = resize_counted,
		.release = release_counted};
	tlua_call call = {.profile = TLUA_WORK};
	tlua_failure why;
	tlua_cell *cell;

	REQUIRE(tlua_cell_open(&options, &cell, &why) == TLUA_FINE);
	call.function = tlua_cell_value(cell);
	for (int i = 0; i < 8; i++)
		CHECK(tlua_cell_call(cell, &call, &why) == TLUA_NO_MEMORY);
	/* The cell itself, and what the system adds to each block. */
	CHECK(c.peak < limits.memory + limits.memory / 8);
	CHECK(tlua_cell_peak(cell) <= limits.memory && tlua_cell_memory(cell) <= c.bytes);
	tlua_cell_close(cell);
	CHECK(c.bytes == 0);
}

/* --- keyrings --------------------------------------------------------------------------------- */

static void a_keyring_of_the_largest_size_lies_outside_the_cell(void)
{
	host h = {.keys = TLUA_RING_KEYS};
	tlua_cell_options options = options_of(&h, policy_text);
	tlua_failure why;
	tlua_policy *policy;
	tlua_verdict verdict;

	why.text[0] = 0;
	if (tlua_policy_open(&options, &policy, &why) != TLUA_FINE)
		printf("%s %s\n", why.where, why.text);
	REQUIRE(policy != NULL);
	CHECK(tlua_cell_memory(tlua_policy_cell(policy)) < 1 << 20);
	ask(policy, TLUA_KIND_WRITE, TLUA_RING_KEYS - 1, &verdict);
	CHECK(verdict.answer == TLUA_DENY && strcmp(verdict.where, "policy.lua:4") == 0);
	ask(policy, TLUA_KIND_WRITE, TLUA_RING_KEYS - 2, &verdict);
	CHECK(verdict.answer == TLUA_USUAL && strcmp(verdict.where, "policy.lua:5") == 0);
	ask(policy, TLUA_KIND_READ, TLUA_RING_KEYS, &verdict);
	CHECK(verdict.answer == TLUA_DENY && strcmp(verdict.reason, "unknown device") == 0);
	tlua_policy_close(policy);
	h.keys++;
	CHECK(tlua_policy_open(&options, &policy, &why) == TLUA_RAISED);
	CHECK(strcmp(why.text, "fleet.keys:100001: a keyring has at most 100,000 keys") == 0);
	CHECK(strcmp(why.where, "policy.lua:2") == 0);
	CHECK(h.blocks == 0);
}

/* --- the process around it -------------------------------------------------------------------- */

static void numbers_are_written_without_the_locale(void)
{
	host h = {0};
	asking a = {.lazy = {"a thing", names, push_number, (int[3]){0}}};
	tlua_cell_options options =
		options_of(&h, "return function() return 1.5 .. ' ' .. tonumber('2.5') .. "
			       "string.format(' %.1f', 3.5) end");
	tlua_call call = {.push = push_asking, .take = take_answer, .ud = &a};
	tlua_failure why;
	tlua_cell *cell;
	bool comma = comma_begin();

	if (!comma)
		return;
	REQUIRE(tlua_cell_open(&options, &cell, &why) == TLUA_FINE);
	call.function = tlua_cell_value(cell);
	CHECK(tlua_cell_call(cell, &call, &why) == TLUA_FINE);
	CHECK(strcmp(a.answer, "1.5 2.5 3.5") == 0);
	tlua_cell_close(cell);
	CHECK(strcmp(localeconv()->decimal_point, ",") == 0);
	comma_end();
}

static void a_script_knows_who_this_node_is(void)
{
	host h = {0};
	tlua_cell_options options = options_of(&h, "print(me.name, me.key, me.other) return 1");
	tlua_failure why;
	tlua_cell *cell;

	options.me_name = text_of("nas");
	options.me_key = text_of("ed25519:x");
	REQUIRE(tlua_cell_open(&options, &cell, &why) == TLUA_FINE);
	CHECK(strcmp(h.lines, "policy.lua:1 nas\ted25519:x\tnil") == 0);
	tlua_cell_close(cell);
}

int main(void)
{
	RUN(every_request_for_memory_may_fail);
	RUN(memory_may_end_at_every_request);
	RUN(a_cell_is_handed_from_thread_to_thread);
	RUN(fields_are_made_once_and_when_read);
	RUN(what_took_too_long_is_noticed_at_its_end);
	RUN(a_cell_has_no_more_than_its_memory);
	RUN(a_keyring_of_the_largest_size_lies_outside_the_cell);
	RUN(numbers_are_written_without_the_locale);
	RUN(a_script_knows_who_this_node_is);
	return spec_end();
}
