/* Lines that others cause: one a minute for each of them, and how many were left out. */
#include <string.h>
#include "base/system/env.h"
#include "base/system/log.h"
#include "base/str.h"
#include "check.h"

static char last[1200];
static size_t lines;

static void note(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	CHECK(level == TL_LOG_WARNING && strcmp(part, "part") == 0);
	snprintf(last, sizeof last, "%s", text);
	lines++;
}

static tl__log_seldom seldom;
static tl__log logger = {note, NULL, TL_LOG_INFO, &seldom};

static void begin(void)
{
	tl__log_seldom_init(&seldom);
	logger.seldom = &seldom;
	lines = 0;
}

static void tell(const char *who, int number)
{
	tl__log_about(&logger, TL_LOG_WARNING, "part", tl__str_z(who), "%s did %d", who, number);
}

/* As if a minute had passed since all that was written. */
static void a_minute_passes(void)
{
	for (size_t i = 0; i <= TL__LOG_OTHERS; i++)
		if (seldom.others[i].next_ms > 0)
			seldom.others[i].next_ms -= TL__LOG_SELDOM_MS;
}

static void each_writes_one_line_a_minute(void)
{
	begin();
	for (int i = 0; i < 1000; i++) {
		tell("bob", i);
		tell("carol", i);
		tell("", i);
	}
	CHECK(lines == 3);
	a_minute_passes();
	tell("bob", 7);
	CHECK(lines == 4 && strcmp(last, "bob did 7 (999 lines of its doing were left out)") == 0);
	tell("bob", 8);
	CHECK(lines == 4);
	a_minute_passes();
	tell("bob", 9);
	CHECK(strcmp(last, "bob did 9 (1 lines of its doing were left out)") == 0);
	tl__log_seldom_end(&seldom);
}

static void a_line_after_a_quiet_minute_says_nothing_of_others(void)
{
	begin();
	tell("bob", 1);
	a_minute_passes();
	tell("bob", 2);
	CHECK(lines == 2 && strcmp(last, "bob did 2") == 0);
	tl__log_seldom_end(&seldom);
}

/* However many names they have. */
static void too_many_others_share_one_line(void)
{
	char who[40];

	begin();
	for (int i = 0; i < 10000; i++) {
		snprintf(who, sizeof who, "stranger %d", i);
		tell(who, i);
	}
	CHECK(lines == TL__LOG_OTHERS + 1);
	a_minute_passes();
	/* Those who had their minute make room. */
	tell("bob", 1);
	CHECK(lines == TL__LOG_OTHERS + 2 && strcmp(last, "bob did 1") == 0);
	tl__log_seldom_end(&seldom);
}

static void what_is_below_the_level_takes_no_turn(void)
{
	begin();
	tl__log_about(&logger, TL_LOG_DEBUG, "part", TL__STR("bob"), "nothing");
	CHECK(lines == 0);
	tell("bob", 1);
	CHECK(lines == 1);
	tl__log_seldom_end(&seldom);
}

static void without_a_table_all_is_written(void)
{
	begin();
	logger.seldom = NULL;
	for (int i = 0; i < 10; i++)
		tell("bob", i);
	CHECK(lines == 10);
	tl__log_seldom_end(&seldom);
}

int main(void)
{
	RUN(each_writes_one_line_a_minute);
	RUN(a_line_after_a_quiet_minute_says_nothing_of_others);
	RUN(too_many_others_share_one_line);
	RUN(what_is_below_the_level_takes_no_turn);
	RUN(without_a_table_all_is_written);
	return spec_end();
}
