#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/env.h"
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

void tl__log_write(
	const tl__log *log, tl_log_level level, const char *part, const char *format, ...)
{
	char raw[TEXT_BYTES], text[TEXT_BYTES];
	va_list args;

	if (level < (log ? log->level : TL_LOG_WARNING) || level >= TL_LOG_OFF)
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	tl_text_escape(tl__str_z(raw), text, sizeof text);
	if (log && log->sink)
		log->sink(log->ud, level, part, text);
	else
		tl_log_print(level, part, tl__str_z(text));
}
