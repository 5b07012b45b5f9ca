/* Log lines go to a sink the host chose; the default sink writes them to stderr. Never pass
 * secrets. */
#ifndef TL_BASE_LOG_H
#define TL_BASE_LOG_H

#include <pthread.h>
#include <stdint.h>
#include <tidelock/log.h>

#define TL__LOG_SELDOM_MS 60000 /* between two lines that one other has caused */
#define TL__LOG_OTHERS    64    /* others who are told apart at once; the rest is one */

/* What lines others have caused of late. */
typedef struct tl__log_seldom {
	pthread_mutex_t lock;
	uint64_t seed[2];
	struct tl__log_other {
		uint64_t who;
		uint64_t next_ms; /* monotonic; 0: a free place */
		uint64_t left_out;
	} others[TL__LOG_OTHERS + 1];
} tl__log_seldom;

typedef struct tl__log {
	tl_log_sink sink; /* NULL = default sink */
	void *ud;
	tl_log_level level;
	tl__log_seldom *seldom; /* NULL: nothing is left out */
} tl__log;

/* `part` names the folder or subject ("store", "http"). log may be NULL (default sink,
 * warnings and errors). */
void tl__log_write(const tl__log *log, tl_log_level level, const char *part, const char *format,
	...) TL_FORMAT(4, 5);

void tl__log_seldom_init(tl__log_seldom *seldom);
void tl__log_seldom_end(tl__log_seldom *seldom);
/* A line that somebody else can cause as often as he likes: `who` is the key text of a peer, empty
 * for all strangers together, or where it cannot be told. One a minute is written; the next one
 * says how many were left out. */
void tl__log_about(const tl__log *log, tl_log_level level, const char *part, tl_str who,
	const char *format, ...) TL_FORMAT(5, 6);

#endif
