/* Log lines go to a sink the host chose; the default sink writes them to stderr. Never pass
 * secrets. */
#ifndef TL_BASE_LOG_H
#define TL_BASE_LOG_H

#include <tidelock/log.h>

typedef struct tl__log {
	tl_log_sink sink; /* NULL = default sink */
	void *ud;
	tl_log_level level;
} tl__log;

/* `part` names the folder or subject ("store", "http"). log may be NULL (default sink,
 * warnings and errors). */
void tl__log_write(const tl__log *log, tl_log_level level, const char *part, const char *format,
	...) TL_FORMAT(4, 5);

#endif
