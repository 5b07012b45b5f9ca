/* Where log lines go. */
#ifndef TIDELOCK_LOG_H
#define TIDELOCK_LOG_H

#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tl_log_level {
	TL_LOG_DEBUG = 0,
	TL_LOG_INFO = 1,
	TL_LOG_WARNING = 2,
	TL_LOG_ERROR = 3,
	TL_LOG_OFF = 4
} tl_log_level;

/* Called for each line, from any thread of the node, one call at a time per node. `part` names the
 * area ("store", "sync", "http"; static). `text` is escaped as by tl_text_escape, holds no secret,
 * and lives only during the call. Must not block for long and must not call the library.
 */
typedef void (*tl_log_sink)(void *ud, tl_log_level level, const char *part, const char *text);

/* "debug" ... "off". Static storage. */
TL_API const char *tl_log_level_name(tl_log_level level);

/* The form that lines have on stderr, for sinks that write texts and for lines of the host's own:
 *
 *	2026-01-31T10:00:00.123+00:00 info sync: text
 *
 * without a line end; longer ones are cut. `text` is escaped as by tl_text_escape. */
#define TL_LOG_LINE_BYTES 1280
TL_API void tl_log_format(int64_t time_ms, tl_log_level level, const char *part, tl_str text,
	char out[TL_LOG_LINE_BYTES]);
/* Writes such a line of now to stderr. */
TL_API void tl_log_print(tl_log_level level, const char *part, tl_str text);

/* A text that others wrote, made fit for a terminal or a line: control characters, line ends, marks
 * that change the direction of text and characters that nobody sees become `\n` `\r` `\t`
 * `\u202e`, bytes that are no UTF-8 `\xff`; all else stays. A JSON text stays the same JSON.
 * Writes at most cap - 1 bytes and a NUL, never a part of a character or escape, and returns the
 * length that the whole result has (at most 6 times the text's). */
TL_API size_t tl_text_escape(tl_str text, char *out, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
