/* JSON: reading and writing it without loss.
 *
 * One definition for everything that is stored, sent or shown: RFC 8259 in UTF-8, and beyond it
 * refused are invalid UTF-8, lone surrogates, a member name that comes twice in an object, numbers
 * too large for a double, more than TL_JSON_MAX_DEPTH nested arrays and objects, and anything
 * behind the value. No locale changes what is read or written.
 *
 * Numbers. One without fraction and exponent is an integer and read exactly; beyond 64 bits with a
 * sign it is refused rather than rounded. Every other number, and "-0", is a float: the nearest
 * double. A float is written with the fewest digits that read back to the same double, and always
 * with a point ("1.0", "1.0e300"), so that it is read as a float again.
 *
 * Calls that return JSON (tl_sync_status and its like) are read easiest as values, see
 * tl_value_parse_json in tidelock/doc.h. The reader here needs no tree and tells integers from
 * floats:
 *
 *     tl_json_reader *reader = NULL;
 *     double average = 0;
 *     int rc = tl_json_reader_new(&reader, text);
 *
 *     while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK && token != TL_JSON_END)
 *         if (token == TL_JSON_KEY && is(tl_json_text(reader), "average_sync_duration_ms") &&
 *             (rc = tl_json_next(reader, &token)) == TL_OK)
 *             average = tl_json_float(reader);
 *     tl_json_reader_free(reader);
 *
 * Nothing here blocks. A reader or writer is used by one thread at a time. */
#ifndef TIDELOCK_JSON_H
#define TIDELOCK_JSON_H

#include <stdbool.h>
#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_JSON_MAX_DEPTH 127

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct tl_json_reader tl_json_reader;

typedef enum tl_json_token {
	TL_JSON_END = 0, /* the value is complete and only white space followed */
	TL_JSON_OBJECT = 1,
	TL_JSON_OBJECT_END = 2,
	TL_JSON_ARRAY = 3,
	TL_JSON_ARRAY_END = 4,
	TL_JSON_KEY = 5,
	TL_JSON_STRING = 6,
	TL_JSON_INT = 7,
	TL_JSON_FLOAT = 8,
	TL_JSON_TRUE = 9,
	TL_JSON_FALSE = 10,
	TL_JSON_NULL = 11
} tl_json_token;

/* Over a whole document, which is borrowed: keep it as long as the reader. *out is yours
 * (tl_json_reader_free). TL_E_NOMEM. */
TL_API int tl_json_reader_new(tl_json_reader **out, tl_str document) TL_MUST_USE;
TL_API void tl_json_reader_free(tl_json_reader *reader); /* NULL is fine */

/* The next token. TL_E_BAD_JSON with the place in the message, TL_E_NOMEM; after a failure every
 * call fails. A repeated member is told at the end of its object, so nothing read counts before
 * TL_JSON_END. */
TL_API int tl_json_next(tl_json_reader *reader, tl_json_token *token) TL_MUST_USE;
/* Of the token just read; borrowed until the next call. A KEY or STRING decoded (it may hold NUL
 * characters), an INT or FLOAT as it is written, else empty. */
TL_API tl_str tl_json_text(const tl_json_reader *reader);
TL_API int64_t tl_json_int(const tl_json_reader *reader);  /* of an INT, else 0 */
TL_API double tl_json_float(const tl_json_reader *reader); /* of a FLOAT or INT, else 0 */
/* After a KEY, or before an item of an array: passes over one whole value. */
TL_API int tl_json_skip(tl_json_reader *reader) TL_MUST_USE;

/* --- writing ---------------------------------------------------------------------------------- */

/* Puts texts together that the reader takes. A call that fails spoils the writer: every later one
 * returns the same code, so it is enough to look at what tl_json_writer_text returns. A value where
 * none can stand, or a key where none can, is TL_E_BAD_ARGUMENT. */
typedef struct tl_json_writer tl_json_writer;

/* `indent` is how many spaces a level is indented by, 0 for one line without spaces. *out is yours
 * (tl_json_writer_free). TL_E_NOMEM; TL_E_BAD_ARGUMENT for more than 16 spaces. */
TL_API int tl_json_writer_new(tl_json_writer **out, unsigned indent) TL_MUST_USE;
TL_API void tl_json_writer_free(tl_json_writer *writer); /* NULL is fine */

/* TL_E_TOO_LARGE when nested deeper than TL_JSON_MAX_DEPTH. */
TL_API int tl_json_put_object(tl_json_writer *writer); /* its members follow: a key, a value, ... */
TL_API int tl_json_put_array(tl_json_writer *writer);  /* its items follow */
TL_API int tl_json_put_end(tl_json_writer *writer);    /* of the innermost object or array */
/* Repeated keys are not looked for: the reader would refuse them. */
TL_API int tl_json_put_key(tl_json_writer *writer, tl_str key);
TL_API int tl_json_put_string(tl_json_writer *writer, tl_str text); /* UTF-8, NUL allowed */
TL_API int tl_json_put_int(tl_json_writer *writer, int64_t value);
TL_API int tl_json_put_float(tl_json_writer *writer, double value); /* finite */
TL_API int tl_json_put_bool(tl_json_writer *writer, bool value);
TL_API int tl_json_put_null(tl_json_writer *writer);
/* A whole JSON text as the next value. Its numbers stay as they are written. TL_E_BAD_JSON. */
TL_API int tl_json_put_json(tl_json_writer *writer, tl_str document);

/* The text, when exactly one value is complete. Borrowed until the next call; a NUL follows that
 * its length does not count. */
TL_API int tl_json_writer_text(tl_json_writer *writer, tl_str *text) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
