/* Errors, memory and log lines: what is told, kept and bounded when something goes wrong. */
#include "check.h"
#include "base/fail.h"
#include "base/system/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <tidelock/entry.h>
#include <pthread.h>

static void an_error_has_code_message_and_place(void)
{
	CHECK_CODE(tl__fail(TL_E_NOT_FOUND, "no `%s` in %d places", "key", 3), TL_E_NOT_FOUND);
	CHECK(tl_error_code(tl_last_error()) == TL_E_NOT_FOUND);
	CHECK(strcmp(tl_error_message(tl_last_error()), "no `key` in 3 places") == 0);
	CHECK(strstr(tl_error_where(tl_last_error()), "base_error_spec.c:") != NULL);
	CHECK(tl_error_cause(tl_last_error()) == NULL);
}

static void accessors_accept_null(void)
{
	CHECK(tl_error_code(NULL) == TL_OK);
	CHECK(strcmp(tl_error_message(NULL), "") == 0);
	CHECK(strcmp(tl_error_where(NULL), "") == 0);
	CHECK(tl_error_cause(NULL) == NULL);
	tl__error_drop(NULL);
}

static void names_are_stable(void)
{
	CHECK(strcmp(tl_error_name(TL_OK), "ok") == 0);
	CHECK(strcmp(tl_error_name(TL_E_BAD_JSON), "bad_json") == 0);
	CHECK(strcmp(tl_error_name(-90), "signing_key_not_found") == 0);
	CHECK(strcmp(tl_error_name(-9999), "unknown") == 0);
	CHECK(strcmp(tl_error_name(1), "unknown") == 0);
	CHECK(strcmp(tl_log_level_name(TL_LOG_WARNING), "warning") == 0);
	CHECK(strcmp(tl_log_level_name((tl_log_level)77), "unknown") == 0);
}

static void causes_form_a_chain_cut_at_eight(void)
{
	const tl_error *at;
	size_t length = 0;

	tl__fail(TL_E_IO, "cause 0");
	for (int i = 1; i < 20; i++)
		tl__fail_cause(TL_E_INTERNAL, "cause %d", i);
	at = tl_last_error();
	CHECK(strcmp(tl_error_message(at), "cause 19") == 0);
	CHECK(strcmp(tl_error_message(tl_error_cause(at)), "cause 18") == 0);
	for (; at; at = tl_error_cause(at))
		length++;
	CHECK(length == 8);
	tl__fail(TL_E_IO, "fresh");
	CHECK(tl_error_cause(tl_last_error()) == NULL);
}

static void a_message_may_quote_the_error_it_replaces(void)
{
	tl__fail(TL_E_IO, "inner");
	tl__fail(TL_E_HOOK_FAILED, "outer: %s", tl_error_message(tl_last_error()));
	CHECK(strcmp(tl_error_message(tl_last_error()), "outer: inner") == 0);
	tl__fail_cause(TL_E_IO, "most outer: %s", tl_error_message(tl_last_error()));
	CHECK(strcmp(tl_error_message(tl_last_error()), "most outer: outer: inner") == 0);
}

static void messages_are_bounded_and_safe_to_show(void)
{
	char text[2000];

	for (size_t i = 0; i + 1 < sizeof text; i++)
		text[i] = "x\xc3\xa9"[i % 3];
	text[sizeof text - 1] = '\0';
	for (int shift = 0; shift < 3; shift++) {
		tl__fail(TL_E_IO, "%s", text + 3 - shift);
		CHECK(strlen(tl_error_message(tl_last_error())) > 1020 &&
			strlen(tl_error_message(tl_last_error())) < 1024); /* whole characters */
		CHECK(tl__utf8_valid(tl__str_z(tl_error_message(tl_last_error()))));
	}
	tl__fail(TL_E_IO, "%s", "bell \x07 bad \xff two\nlines \xc3\xa9");
	CHECK(strcmp(tl_error_message(tl_last_error()),
		      "bell \\u0007 bad \\xff two\nlines \xc3\xa9") == 0);
}

static void a_kept_error_outlives_the_next(void)
{
	tl_error *kept;

	tl__fail(TL_E_IO, "disk");
	tl__fail_cause(TL_E_CLOSED, "store");
	kept = tl__error_keep();
	REQUIRE(kept);
	tl__fail(TL_E_BUSY, "other");
	CHECK(tl_error_code(kept) == TL_E_CLOSED);
	CHECK(tl_error_code(tl_error_cause(kept)) == TL_E_IO);
	CHECK(strcmp(tl_error_message(tl_error_cause(kept)), "disk") == 0);
	CHECK(tl__error_raise(kept, TL_E_CLOSED) == TL_E_CLOSED);
	tl__error_drop(kept);
	CHECK(strcmp(tl_error_message(tl_last_error()), "store") == 0);
	CHECK(strcmp(tl_error_message(tl_error_cause(tl_last_error())), "disk") == 0);
	CHECK(tl_error_cause(tl_error_cause(tl_last_error())) == NULL);
}

static void a_cause_can_be_raised_in_place(void)
{
	tl__fail(TL_E_IO, "disk");
	tl__fail_cause(TL_E_CLOSED, "store");
	CHECK(tl__error_raise(tl_error_cause(tl_last_error()), TL_E_IO) == TL_E_IO);
	CHECK(strcmp(tl_error_message(tl_last_error()), "disk") == 0);
	CHECK(tl_error_cause(tl_last_error()) == NULL);
}

static void one_that_could_not_be_kept_is_told(void)
{
	tl_error *kept;

	tl__fail(TL_E_IO, "disk");
	tl__alloc_fail_at(1);
	kept = tl__error_keep();
	tl__alloc_fail_at(0);
	CHECK(!kept);
	tl__fail(TL_E_BUSY, "meanwhile");
	CHECK(tl__error_restore(kept, TL_E_IO) == TL_E_IO);
	CHECK(tl_error_code(tl_last_error()) == TL_E_IO);
	CHECK(strstr(tl_error_message(tl_last_error()), "memory"));
	CHECK(tl__error_restore(NULL, TL_OK) == TL_OK);
}

static void *look_and_fail(void *seen)
{
	*(const tl_error **)seen = tl_last_error();
	tl__fail(TL_E_TIMEOUT, "of the other thread");
	return NULL;
}

static void each_thread_has_its_own(void)
{
	const tl_error *seen = (const tl_error *)1;
	pthread_t thread;

	tl__fail(TL_E_IO, "mine");
	REQUIRE(pthread_create(&thread, NULL, look_and_fail, &seen) == 0);
	REQUIRE(pthread_join(thread, NULL) == 0);
	CHECK(seen == NULL);
	CHECK(tl_error_code(tl_last_error()) == TL_E_IO);
}

/* --- memory --- */

static void only_the_armed_allocation_fails(void)
{
	void *first, *third;

	tl__alloc_fail_at(2);
	first = tl__alloc(8);
	CHECK(first && !tl__alloc_zero(1, 8));
	CHECK(tl_error_code(tl_last_error()) == TL_E_NOMEM);
	third = tl__alloc(8);
	CHECK(third != NULL);
	CHECK(tl__alloc_fail_at(5) == 1);
	CHECK(tl__alloc_fail_at(0) == 0);
	tl__free(first);
	tl__free(third);
}

static void resize_failure_keeps_the_old_memory(void)
{
	char *text = tl__copy_bytes("abc", 3);

	REQUIRE(text);
	tl__alloc_fail_at(1);
	CHECK(tl__resize(text, 100, 1) == NULL);
	CHECK(tl__alloc_fail_at(0) == 1);
	CHECK(strcmp(text, "abc") == 0);
	CHECK(tl__resize(text, SIZE_MAX / 2, 3) == NULL);
	CHECK(tl_error_code(tl_last_error()) == TL_E_NOMEM);
	tl_free(text);
	tl_free(NULL);
}

static void sizes_of_zero_and_too_much(void)
{
	void *nothing = tl__alloc(0), *none = tl__alloc_zero(0, 8);
	char *empty = tl__copy_bytes(NULL, 0);

	CHECK(nothing && none && empty && empty[0] == '\0');
	CHECK(tl__alloc_zero(SIZE_MAX / 4, 8) == NULL);
	CHECK(tl__copy_bytes("", SIZE_MAX) == NULL);
	tl__free(nothing);
	tl__free(none);
	tl__free(empty);
}

static void memory_running_out_can_always_be_told(void)
{
	tl__fail(TL_E_IO, "before");
	tl__alloc_fail_at(1);
	CHECK(tl__error_keep() == NULL);
	tl__alloc_fail_at(0);
	CHECK(tl_error_code(tl_last_error()) == TL_E_NOMEM);
	CHECK(strlen(tl_error_message(tl_last_error())) > 0);
}

/* --- log lines --- */

typedef struct seen {
	int count;
	tl_log_level level;
	char part[32], text[2048];
} seen;

static void note(void *ud, tl_log_level level, const char *part, const char *text)
{
	seen *s = ud;

	s->count++;
	s->level = level;
	snprintf(s->part, sizeof s->part, "%s", part);
	snprintf(s->text, sizeof s->text, "%s", text);
}

static void a_sink_gets_lines_from_its_level_on(void)
{
	seen s = {0};
	tl__log log = {note, &s, TL_LOG_INFO, NULL};

	tl__log_write(&log, TL_LOG_DEBUG, "store", "dropped");
	CHECK(s.count == 0);
	tl__log_write(&log, TL_LOG_INFO, "store", "opened %d", 3);
	CHECK(s.count == 1 && s.level == TL_LOG_INFO);
	CHECK(strcmp(s.part, "store") == 0 && strcmp(s.text, "opened 3") == 0);
	log.level = TL_LOG_OFF;
	tl__log_write(&log, TL_LOG_ERROR, "store", "dropped");
	CHECK(s.count == 1);
}

static void a_log_line_is_one_line_and_bounded(void)
{
	seen s = {0};
	tl__log log = {note, &s, TL_LOG_DEBUG, NULL};
	char text[3000];

	tl__log_write(&log, TL_LOG_ERROR, "http", "%s", "a\r\nERROR forged \x1b[31m \xfe");
	CHECK(strcmp(s.text, "a\\r\\nERROR forged \\u001b[31m \\xfe") == 0);
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	tl__log_write(&log, TL_LOG_ERROR, "http", "%s", text);
	CHECK(strlen(s.text) == 1023);
}

static void a_line_has_time_level_and_part(void)
{
	char line[TL_LOG_LINE_BYTES];
	char text[3000];

	tl_log_format(1769853600123, TL_LOG_INFO, "sync", TL__STR("a\nb"), line);
	CHECK(strcmp(line, "2026-01-31T10:00:00.123+00:00 info sync: a\\nb") == 0);
	memset(text, 'x', sizeof text);
	tl_log_format(0, TL_LOG_ERROR, "sync", (tl_str){text, sizeof text}, line);
	CHECK(strlen(line) < sizeof line);
}

int main(void)
{
	RUN(an_error_has_code_message_and_place);
	RUN(accessors_accept_null);
	RUN(names_are_stable);
	RUN(causes_form_a_chain_cut_at_eight);
	RUN(a_message_may_quote_the_error_it_replaces);
	RUN(messages_are_bounded_and_safe_to_show);
	RUN(a_kept_error_outlives_the_next);
	RUN(a_cause_can_be_raised_in_place);
	RUN(one_that_could_not_be_kept_is_told);
	RUN(each_thread_has_its_own);
	RUN(only_the_armed_allocation_fails);
	RUN(resize_failure_keeps_the_old_memory);
	RUN(sizes_of_zero_and_too_much);
	RUN(memory_running_out_can_always_be_told);
	RUN(a_sink_gets_lines_from_its_level_on);
	RUN(a_log_line_is_one_line_and_bounded);
	RUN(a_line_has_time_level_and_part);
	return spec_end();
}
