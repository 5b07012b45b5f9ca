#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/str.h"

#define LINE_BYTES 1024

static const char *const level_names[] = {"debug", "info", "warning", "error", "off"};

const char *tl_log_level_name(tl_log_level level)
{
	return level <= TL_LOG_OFF ? level_names[level] : "unknown";
}

void tl__log_write(
	const tl__log *log, tl_log_level level, const char *part, const char *format, ...)
{
	bool own_sink = log && log->sink;
	tl_log_level least = log ? log->level : TL_LOG_WARNING;
	char line[LINE_BYTES];
	va_list args;

	if (!own_sink && least < TL_LOG_WARNING)
		least = TL_LOG_WARNING;
	if (level < least || level >= TL_LOG_OFF)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	tl__text_clean(line, true);
	if (own_sink)
		log->sink(log->ud, level, part, line);
	else
		fprintf(stderr, "tidelock %s: %s: %s\n", tl_log_level_name(level), part, line);
}
