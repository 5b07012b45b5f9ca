/* Where log lines go. */
#ifndef TIDELOCK_LOG_H
#define TIDELOCK_LOG_H

#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tl_log_level {
	TL_LOG_DEBUG = 0,
	TL_LOG_INFO,
	TL_LOG_WARNING,
	TL_LOG_ERROR,
	TL_LOG_OFF
} tl_log_level;

/* Called for each line, from any thread of the node, one call at a time per node. `text` has no
 * line end and lives only during the call. Must not block for long and must not call the library.
 */
typedef void (*tl_log_sink)(void *ud, tl_log_level level, const char *part, const char *text);

/* "debug" ... "off". Static storage. */
TL_API const char *tl_log_level_name(tl_log_level level);

#ifdef __cplusplus
}
#endif
#endif
