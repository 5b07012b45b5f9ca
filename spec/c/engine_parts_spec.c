/* Parts of the engine that need neither store files nor sockets: operations, events, keys. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "engine/parts/hub.h"
#include "engine/parts/inside.h"
#include "engine/parts/keys.h"

static void nap(long ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* --- operations ------------------------------------------------------------------------------- */

static void count_call(void *ud, tl_op *op)
{
	if (tl_op_done(op))
		++*(int *)ud;
}

static void an_operation_calls_back_once_from_dispatch(void)
{
	tl__hub *hub = NULL;
	tl_op *op;
	int calls = 0, fd;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	fd = tl__hub_fd(hub);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl_op_then(op, count_call, &calls);
	CHECK(!tl_op_done(op));
	CHECK_CODE(tl_op_result(op), TL_E_BUSY);
	CHECK(!readable(fd));
	tl__op_finish(op, TL_OK, "the text");
	CHECK(readable(fd));
	CHECK(calls == 0);
	tl__hub_dispatch(hub);
	CHECK(calls == 1);
	CHECK(!readable(fd));
	tl__hub_dispatch(hub);
	CHECK(calls == 1);
	CHECK_OK(tl_op_result(op));
	CHECK(strcmp(tl_op_text(op), "the text") == 0);
	tl_op_then(op, count_call, &calls); /* another one, set when it is done already */
	tl__hub_dispatch(hub);
	CHECK(calls == 2);
	tl_op_free(op);
	tl__hub_release(hub);
}

static void a_failure_carries_its_error_to_any_thread(void)
{
	tl__hub *hub = NULL;
	tl_op *op;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	(void)tl__fail(TL_E_NETWORK, "the wire is cut");
	tl__op_finish(op, TL_E_NETWORK, NULL);
	(void)tl__fail(TL_E_IO, "something else");
	CHECK_CODE(tl_op_wait(op, 60000), TL_E_NETWORK);
	CHECK(strcmp(tl_error_message(tl_last_error()), "the wire is cut") == 0);
	CHECK(strcmp(tl_op_text(op), "") == 0);
	tl_op_free(op);
	tl__hub_release(hub);
}

static void a_wait_times_out_and_ends_the_operation(void)
{
	tl__hub *hub = NULL;
	tl_op *op;
	int calls = 0;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl_op_then(op, count_call, &calls);
	CHECK_CODE(tl_op_wait(op, 20), TL_E_TIMEOUT);
	CHECK(calls == 1);
	tl__op_finish(op, TL_OK, "too late");
	tl__hub_dispatch(hub);
	CHECK(calls == 1);
	CHECK_CODE(tl_op_result(op), TL_E_TIMEOUT);
	tl_op_free(op);
	tl__hub_release(hub);
}

static void wake(void *ud)
{
	++*(int *)ud;
}

static void a_cancel_wakes_the_engine_once(void)
{
	tl__hub *hub = NULL;
	tl_op *op;
	int woken = 0, calls = 0;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	tl__hub_on_abandon(hub, wake, &woken);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl_op_then(op, count_call, &calls);
	tl_op_cancel(op);
	tl_op_cancel(op);
	CHECK(woken == 1);
	CHECK_CODE(tl_op_wait(op, 0), TL_E_CANCELLED);
	CHECK(calls == 1);
	tl__op_finish(op, TL_OK, NULL);
	tl_op_cancel(op);
	CHECK(woken == 1);
	tl_op_free(op);
	tl__hub_release(hub);
}

static void a_freed_operation_goes_on_and_still_calls_back(void)
{
	tl__hub *hub = NULL;
	tl_op *op;
	int calls = 0;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl_op_then(op, count_call, &calls);
	tl_op_free(op);
	tl__op_finish(op, TL_OK, NULL);
	tl__hub_dispatch(hub);
	CHECK(calls == 1);
	tl_op_free(NULL);
	tl__hub_release(hub);
}

static void an_operation_outlives_its_hub(void)
{
	tl__hub *hub = NULL;
	tl_op *op;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl__op_finish(op, TL_OK, "kept");
	tl__hub_dispatch(hub);
	tl__hub_release(hub);
	CHECK(strcmp(tl_op_text(op), "kept") == 0);
	tl_op_free(op);
}

static void *finish_later(void *ud)
{
	nap(30);
	tl__op_finish(ud, TL_OK, "from afar");
	return NULL;
}

static void a_wait_sees_what_another_thread_finishes(void)
{
	tl__hub *hub = NULL;
	tl_op *op;
	pthread_t thread;
	int calls = 0;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl_op_then(op, count_call, &calls);
	REQUIRE(pthread_create(&thread, NULL, finish_later, op) == 0);
	CHECK_OK(tl_op_wait(op, 0));
	CHECK(calls == 1);
	CHECK(strcmp(tl_op_text(op), "from afar") == 0);
	pthread_join(thread, NULL);
	tl_op_free(op);
	tl__hub_release(hub);
}

static void waiting_on_an_engine_thread_is_refused(void)
{
	tl__hub *hub = NULL;
	tl_op *op;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	op = tl__op_new(hub, true);
	REQUIRE(op != NULL);
	tl__inside_set(true);
	CHECK_CODE(tl_op_wait(op, 10), TL_E_WOULD_BLOCK);
	CHECK_CODE(tl__hub_run(hub), TL_E_WOULD_BLOCK);
	tl__inside_set(false);
	tl__op_finish(op, TL_OK, NULL);
	CHECK_OK(tl_op_wait(op, 10));
	tl_op_free(op);
	tl__hub_release(hub);
}

static tl__hub *signalled;

static void on_signal(int number)
{
	(void)number;
	tl__hub_stop(signalled); /* NOLINT(bugprone-signal-handler,cert-sig30-c): made for it */
}

static void running_ends_with_a_stop_also_from_a_signal(void)
{
	tl__hub *hub = NULL;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	tl__hub_stop(hub); /* before: the run ends at once */
	CHECK_OK(tl__hub_run(hub));
	signalled = hub;
	signal(SIGALRM, on_signal);
	ualarm(30000, 0);
	CHECK_OK(tl__hub_run(hub));
	signal(SIGALRM, SIG_DFL);
	tl__hub_release(hub);
}

/* --- events ----------------------------------------------------------------------------------- */

static void events_are_kept_from_the_first_look_on(void)
{
	tl__hub *hub = NULL;
	tl_event event = {.kind = TL_EVENT_SYNC_FINISHED, .number = 7, .has_db = true},
		 out = TL_EVENT_INIT;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	event.db.b[3] = 9;
	tl__hub_tell(hub, &event, "nobody looks yet");
	CHECK(tl__hub_next_event(hub, &out) == 0);
	tl__hub_tell(hub, &event, "hello");
	CHECK(readable(tl__hub_fd(hub)));
	CHECK(tl__hub_next_event(hub, &out) == 1);
	CHECK(out.kind == TL_EVENT_SYNC_FINISHED && out.number == 7 && out.has_db);
	CHECK(out.db.b[3] == 9 && strcmp(out.text, "hello") == 0);
	CHECK(!readable(tl__hub_fd(hub)));
	CHECK(tl__hub_next_event(hub, &out) == 0);
	CHECK(strcmp(tl_event_name(TL_EVENT_SYNC_FINISHED), "sync_finished") == 0);
	CHECK(strcmp(tl_event_name((tl_event_kind)1000), "unknown") == 0);
	tl__hub_release(hub);
}

static void a_long_text_is_cut(void)
{
	tl__hub *hub = NULL;
	tl_event event = {.kind = TL_EVENT_SYNC_FAILED}, out = TL_EVENT_INIT;
	char text[2000];

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	(void)tl__hub_fd(hub);
	tl__hub_tell(hub, &event, text);
	CHECK(tl__hub_next_event(hub, &out) == 1);
	CHECK(strlen(out.text) == sizeof out.text - 1);
	tl__hub_release(hub);
}

static void the_queue_overflows_into_one_event(void)
{
	tl__hub *hub = NULL;
	tl_event event = {.kind = TL_EVENT_ENTRY_COMMITTED}, out = TL_EVENT_INIT;
	uint64_t got = 0;

	REQUIRE(tl__hub_new(&hub) == TL_OK);
	(void)tl__hub_fd(hub);
	for (uint64_t i = 0; i < TL__EVENTS_MAX + 25; i++) {
		event.number = i;
		tl__hub_tell(hub, &event, NULL);
	}
	while (tl__hub_next_event(hub, &out) == 1 && out.kind == TL_EVENT_ENTRY_COMMITTED)
		CHECK(out.number == got++);
	CHECK(got == TL__EVENTS_MAX);
	CHECK(out.kind == TL_EVENT_OVERFLOW && out.number == 25);
	CHECK(tl__hub_next_event(hub, &out) == 0);
	tl__hub_tell(hub, &event, NULL);
	CHECK(tl__hub_next_event(hub, &out) == 1 && out.kind == TL_EVENT_ENTRY_COMMITTED);
	for (uint64_t i = 0; i < TL__EVENTS_MAX + 1; i++)
		tl__hub_tell(hub, &event, NULL);
	tl__hub_release(hub); /* with events left */
}

/* --- keys ------------------------------------------------------------------------------------- */

static int join_name(void *ud, tl_str name)
{
	char *out = ud;

	out += strlen(out);
	memcpy(out, name.ptr, name.len);
	memcpy(out + name.len, " ", 2);
	return TL_OK;
}

static void keys_are_made_found_and_removed(void)
{
	static const uint8_t seed[TL_SEED_BYTES] = {7}, other[TL_SEED_BYTES] = {8};
	tl__store *store = NULL;
	tl__keys *keys = NULL;
	tl_key a, b, c;
	tl_secret secret;
	char names[200] = "";

	REQUIRE(tl__store_open_memory(&store, NULL) == TL_OK);
	REQUIRE(tl__keys_open(&keys, store, TL__STR_NULL) == TL_OK);
	CHECK_OK(tl__keys_add(keys, TL__STR("b"), seed, &b));
	CHECK_OK(tl__keys_add(keys, TL__STR("a"), NULL, &a));
	CHECK_OK(tl__keys_add(keys, TL__STR("b"), seed, &c));
	CHECK(memcmp(&b, &c, sizeof b) == 0);
	CHECK_CODE(tl__keys_add(keys, TL__STR("b"), other, &c), TL_E_ALREADY_EXISTS);
	CHECK_CODE(tl__keys_add(keys, TL__STR("b"), NULL, &c), TL_E_ALREADY_EXISTS);
	CHECK_OK(tl__keys_public(keys, TL__STR("a"), &c));
	CHECK(memcmp(&a, &c, sizeof a) == 0);
	CHECK_OK(tl__keys_secret(keys, TL__STR("b"), &secret));
	tl_secret_public(&secret, &c);
	CHECK(memcmp(&b, &c, sizeof b) == 0);
	tl_secret_wipe(&secret);
	CHECK_OK(tl__keys_names(keys, join_name, names));
	CHECK(strcmp(names, "a b ") == 0);
	CHECK_OK(tl__keys_remove(keys, TL__STR("b")));
	CHECK_CODE(tl__keys_remove(keys, TL__STR("b")), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl__keys_secret(keys, TL__STR("b"), &secret), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl__keys_public(keys, TL__STR("b"), &c), TL_E_KEY_NOT_FOUND);
	tl__keys_free(keys);
	tl__store_close(store);
}

static void names_that_cannot_be_are_refused(void)
{
	tl__store *store = NULL;
	tl__keys *keys = NULL;
	tl_key out;
	char longest[TL__KEY_NAME_MAX + 2];

	REQUIRE(tl__store_open_memory(&store, NULL) == TL_OK);
	REQUIRE(tl__keys_open(&keys, store, TL__STR_NULL) == TL_OK);
	memset(longest, 'n', sizeof longest);
	CHECK_OK(tl__keys_add(keys, (tl_str){longest, TL__KEY_NAME_MAX}, NULL, &out));
	CHECK_CODE(tl__keys_add(keys, (tl_str){longest, TL__KEY_NAME_MAX + 1}, NULL, &out),
		TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__keys_add(keys, TL__STR(""), NULL, &out), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__keys_add(keys, TL__STR("\xff"), NULL, &out), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__keys_add(keys, TL__STR(TL__DEVICE_KEY), NULL, &out), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__keys_remove(keys, TL__STR(TL__DEVICE_KEY)), TL_E_BAD_ARGUMENT);
	tl__keys_free(keys);
	tl__store_close(store);
}

static void sealed_keys_open_with_their_passphrase_only(void)
{
	tl__store *store = NULL;
	tl__keys *keys = NULL;
	tl_key device, made, found;
	tl_secret secret;
	char *record = NULL;
	size_t len = 0;

	REQUIRE(tl__store_open_memory(&store, NULL) == TL_OK);
	REQUIRE(tl__keys_open(&keys, store, TL__STR("open sesame")) == TL_OK);
	device = *tl__keys_device(keys);
	CHECK_OK(tl__keys_add(keys, TL__STR("k"), (const uint8_t[TL_SEED_BYTES]){1, 2, 3}, &made));
	CHECK_OK(tl__read_key(store, TL__STR("k"), &record, &len));
	CHECK(len == 2 + TL_KEY_BYTES + TL_SEALED_BYTES);
	CHECK(memmem(record, len, (const uint8_t[TL_SEED_BYTES]){1, 2, 3}, TL_SEED_BYTES) == NULL);
	tl__free(record);
	tl__keys_free(keys);
	CHECK_CODE(tl__keys_open(&keys, store, TL__STR("close sesame")), TL_E_WRONG_PASSPHRASE);
	CHECK_CODE(tl__keys_open(&keys, store, TL__STR_NULL), TL_E_WRONG_PASSPHRASE);
	CHECK(keys == NULL);
	REQUIRE(tl__keys_open(&keys, store, TL__STR("open sesame")) == TL_OK);
	CHECK(memcmp(&device, tl__keys_device(keys), sizeof device) == 0);
	CHECK_OK(tl__keys_secret(keys, TL__STR("k"), &secret));
	tl_secret_public(&secret, &found);
	CHECK(memcmp(&made, &found, sizeof made) == 0);
	tl_secret_wipe(&secret);
	tl__keys_free(keys);
	tl__store_close(store);
}

static void a_record_that_is_none_is_damage(void)
{
	tl__store *store = NULL;
	tl__keys *keys = NULL;
	tl__put_key put = {.name = TL__STR("k"), .value = TL__STR("\1\0 too short")};
	tl__batch batch = {.keys = &put, .key_count = 1};
	tl_secret secret;

	REQUIRE(tl__store_open_memory(&store, NULL) == TL_OK);
	REQUIRE(tl__keys_open(&keys, store, TL__STR_NULL) == TL_OK);
	CHECK_OK(tl__store_write(store, &batch));
	CHECK_CODE(tl__keys_secret(keys, TL__STR("k"), &secret), TL_E_STORE_DAMAGED);
	tl__keys_free(keys);
	tl__store_close(store);
}

int main(void)
{
	RUN(an_operation_calls_back_once_from_dispatch);
	RUN(a_failure_carries_its_error_to_any_thread);
	RUN(a_wait_times_out_and_ends_the_operation);
	RUN(a_cancel_wakes_the_engine_once);
	RUN(a_freed_operation_goes_on_and_still_calls_back);
	RUN(an_operation_outlives_its_hub);
	RUN(a_wait_sees_what_another_thread_finishes);
	RUN(waiting_on_an_engine_thread_is_refused);
	RUN(running_ends_with_a_stop_also_from_a_signal);
	RUN(events_are_kept_from_the_first_look_on);
	RUN(a_long_text_is_cut);
	RUN(the_queue_overflows_into_one_event);
	RUN(keys_are_made_found_and_removed);
	RUN(names_that_cannot_be_are_refused);
	RUN(sealed_keys_open_with_their_passphrase_only);
	RUN(a_record_that_is_none_is_damage);
	return spec_end();
}
