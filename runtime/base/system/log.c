#include "base/system/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/system/env.h"
#include "base/map.h"
#include "base/siphash.h"
#include "base/str.h"

#define TEXT_BYTES 1024

static const char *const level_names[] = {"debug", "info", "warning", "error", "off"};

const char *tl_log_level_name(tl_log_level level)
{
	return (unsigned)level <= TL_LOG_OFF ? level_names[level] : "unknown";
}

void tl_log_format(int64_t time_ms, tl_log_level level, const char *part, tl_str text,
	char out[TL_LOG_LINE_BYTES])
{
	char time[30];
	int head;

	if (!out)
		return;
	tl__time_format(time_ms, time);
	head = snprintf(out, TL_LOG_LINE_BYTES, "%s %s %s: ", time, tl_log_level_name(level),
		part ? part : "");
	if (head > 0 && head < TL_LOG_LINE_BYTES)
		tl_text_escape(text, out + head, (size_t)(TL_LOG_LINE_BYTES - head));
}

void tl_log_print(tl_log_level level, const char *part, tl_str text)
{
	char line[TL_LOG_LINE_BYTES];

	tl_log_format(tl__system_clock.wall_ms(tl__system_clock.ud), level, part, text, line);
	fprintf(stderr, "%s\n", line);
}

static bool is_written(const tl__log *log, tl_log_level level)
{
	return level >= (log ? log->level : TL_LOG_WARNING) && level < TL_LOG_OFF;
}

static void write_raw(const tl__log *log, tl_log_level level, const char *part, const char *raw)
{
	char text[TEXT_BYTES];

	tl_text_escape(tl__str_z(raw), text, sizeof text);
	if (log && log->sink)
		log->sink(log->ud, level, part, text);
	else
		tl_log_print(level, part, tl__str_z(text));
}

void tl__log_write(
	const tl__log *log, tl_log_level level, const char *part, const char *format, ...)
{
	char raw[TEXT_BYTES];
	va_list args;

	if (!is_written(log, level))
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	write_raw(log, level, part, raw);
}

/* --- what others cause ------------------------------------------------------------------------ */

void tl__log_seldom_init(tl__log_seldom *seldom)
{
	tl__map seeded;

	memset(seldom, 0, sizeof *seldom);
	pthread_mutex_init(&seldom->lock, NULL);
	tl__map_init(&seeded);
	memcpy(seldom->seed, seeded.seed, sizeof seldom->seed);
	tl__map_free(&seeded);
}

void tl__log_seldom_end(tl__log_seldom *seldom)
{
	pthread_mutex_destroy(&seldom->lock);
}

/* Its place, or one that is free or has had its minute and owes nothing; else the last, which is
 * for all who have none. */
static struct tl__log_other *place_of(tl__log_seldom *seldom, uint64_t who, uint64_t now)
{
	struct tl__log_other *out = &seldom->others[TL__LOG_OTHERS];

	for (size_t i = 0; i < TL__LOG_OTHERS; i++) {
		struct tl__log_other *other = &seldom->others[i];

		if (other->next_ms != 0 && other->who == who)
			return other;
		if (other->next_ms <= now && other->left_out == 0)
			out = other;
	}
	if (out != &seldom->others[TL__LOG_OTHERS])
		*out = (struct tl__log_other){.who = who};
	return out;
}

/* Whether a line may be written now; *left_out since the last one. */
static bool has_turn(tl__log_seldom *seldom, tl_str who, uint64_t *left_out)
{
	uint64_t now = tl__system_clock.monotonic_ms(tl__system_clock.ud);
	struct tl__log_other *other;
	bool turn;

	pthread_mutex_lock(&seldom->lock);
	other = place_of(seldom, tl__siphash(seldom->seed, who.ptr, who.len), now);
	turn = now >= other->next_ms;
	*left_out = turn ? other->left_out : 0;
	other->left_out = turn ? 0 : other->left_out + 1;
	if (turn)
		other->next_ms = now + TL__LOG_SELDOM_MS;
	pthread_mutex_unlock(&seldom->lock);
	return turn;
}

void tl__log_about(const tl__log *log, tl_log_level level, const char *part, tl_str who,
	const char *format, ...)
{
	char raw[TEXT_BYTES];
	uint64_t left_out = 0;
	va_list args;
	size_t len;

	if (!is_written(log, level) ||
		(log && log->seldom && !has_turn(log->seldom, who, &left_out)))
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	len = strlen(raw);
	if (left_out > 0)
		snprintf(raw + len, sizeof raw - len, " (%llu lines of its doing were left out)",
			(unsigned long long)left_out);
	write_raw(log, level, part, raw);
}
