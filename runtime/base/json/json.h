/* Strict JSON, for everything whose bytes are hashed, signed or received from a peer.
 *
 * The reader is a pull parser that can be fed pieces: it never needs more memory than the longest
 * single string or number. It refuses what 0.2.0 refuses (invalid UTF-8, raw control characters,
 * lone surrogates, byte order mark, trailing data, more than `max_depth` nested containers) and
 * keeps numbers as text, so that no value passes through a double. It does not look for repeated
 * members: callers know their members. What it is read with by those who do not, and by programs,
 * is tidelock/json.h, which stands on it. */
#ifndef TL_BASE_JSON_H
#define TL_BASE_JSON_H

#include "base/buf.h"

#define TL__JSON_MAX_DEPTH 127

typedef enum tl__json_token {
	TL__JSON_ERROR = -1, /* last error set (bad_json, too_large, out_of_memory); stays so */
	TL__JSON_MORE = 0,   /* the piece is used up: feed or finish */
	TL__JSON_OBJECT,
	TL__JSON_OBJECT_END,
	TL__JSON_ARRAY,
	TL__JSON_ARRAY_END,
	TL__JSON_KEY,    /* reader->text = decoded member name */
	TL__JSON_STRING, /* reader->text = decoded UTF-8 */
	TL__JSON_NUMBER, /* reader->text = the number as written */
	TL__JSON_TRUE,
	TL__JSON_FALSE,
	TL__JSON_NULL,
	TL__JSON_END /* the document is complete and nothing but white space followed */
} tl__json_token;

/* Treat all members but `text`, `depth`, `offset` and `max_text` as private. */
typedef struct tl__json_reader {
	tl_str text;     /* valid until the next call; points into the fed piece when it can */
	unsigned depth;  /* containers open after the token just returned */
	uint64_t offset; /* bytes consumed of all pieces so far: end of the token just returned */
	size_t max_text; /* a longer string or number is an error (too_large); default SIZE_MAX */
	const char *piece;
	size_t piece_len;
	size_t at;
	size_t run;          /* where the part of a token not yet in scratch begins */
	uint64_t before;     /* bytes of earlier pieces */
	tl__buf scratch;     /* earlier parts of the token, when it is not in one piece */
	tl__buf deep;        /* levels of a skipped value that `stack` has no room for */
	uint32_t code_point; /* of the \u escape being read */
	uint16_t surrogate;  /* high half that waits for its low half; 0 = none */
	uint8_t hex_left;    /* digits missing of the escape */
	uint8_t state;       /* what may come next */
	uint8_t lexing;      /* token being read, when it went over a piece's end */
	uint8_t in_string;   /* plain, behind a backslash, in hex digits */
	bool use_scratch;
	bool finished;
	bool skipping;
	int code;
	unsigned max_depth;
	uint8_t stack[(TL__JSON_MAX_DEPTH + 8) / 8]; /* one bit a level: 1 = object */
} tl__json_reader;

/* max_depth is at most TL__JSON_MAX_DEPTH. */
void tl__json_init(tl__json_reader *reader, unsigned max_depth);
void tl__json_free(tl__json_reader *reader);
/* The piece must stay valid until MORE is returned. Feeding is legal only at the start and then. */
void tl__json_feed(tl__json_reader *reader, const char *ptr, size_t len);
void tl__json_finish(tl__json_reader *reader); /* no more pieces will come */
tl__json_token tl__json_next(tl__json_reader *reader);

/* init + feed + finish. */
void tl__json_whole(tl__json_reader *reader, tl_str document, unsigned max_depth);
/* After a KEY or inside an array: consumes one whole value, checked as strictly as the rest except
 * for its nesting, which 0.2.0 does not limit in members it passes over (memory: one bit a level).
 * Only for readers that hold the whole document. TL_OK or an error code. */
int tl__json_skip(tl__json_reader *reader) TL_MUST_USE;

/* Number texts: plain decimal integers in range; TL_E_BAD_JSON on fraction, exponent, "-0", or
 * out of range. */
int tl__json_u64(tl_str number, uint64_t *out) TL_MUST_USE;
int tl__json_i64(tl_str number, int64_t *out) TL_MUST_USE;
/* Any number text: the nearest double, whatever the locale. TL_E_BAD_JSON when it is too large. */
int tl__json_double(tl_str number, double *out) TL_MUST_USE;

/* Whether the text is one JSON value by the rules of tidelock/json.h. TL_OK or an error code. */
int tl__json_check(tl_str document) TL_MUST_USE;

/* Canonical writer: compact, the escapes that README.md lists, nothing sorted. */
void tl__json_put_string(tl__buf *out, tl_str text); /* with the quotes */
void tl__json_put_u64(tl__buf *out, uint64_t value);
void tl__json_put_i64(tl__buf *out, int64_t value);
/* The fewest digits that read back to the same double, always with a point, whatever the locale.
 * Must be finite. */
void tl__json_put_double(tl__buf *out, double value);

#endif
