/* Reading objects with known members out of a whole JSON document: for entries, records and
 * messages. */
#ifndef TL_BASE_FIELDS_H
#define TL_BASE_FIELDS_H

#include "base/arena.h"
#include "base/json/json.h"

/* A reader over a whole document, and where its texts are kept. `code` is sticky: after a failure
 * every call does nothing. */
typedef struct tl__fields {
	tl__json_reader json;
	tl__arena *arena;
	tl_str document;
	const char *what;    /* named in messages: "entry", "message" */
	int wrong_shape;     /* code of a wrong type or a missing member */
	int repeated_member; /* code of a member told twice; wrong_shape unless set */
	int unknown_member;  /* code of an unknown member; TL_OK passes over it */
	bool borrow;         /* texts without escapes stay views into the document */
	int code;
} tl__fields;

/* Ready to read; close with tl__fields_whole (or tl__json_free after giving up). */
void tl__fields_open(
	tl__fields *f, tl_str document, tl__arena *arena, const char *what, int wrong_shape);
/* Nothing may be left. Releases the reader. TL_OK or the failure. */
int tl__fields_whole(tl__fields *f) TL_MUST_USE;

/* Sets the failure unless there is one. */
void tl__fields_wrong(tl__fields *f, const char *what);
/* The next token; TL__JSON_ERROR after a failure. */
tl__json_token tl__fields_token(tl__fields *f);
/* Enters an object (or array); then members one by one: the index in `names` (at most 32). A member
 * told before is a failure. false at the end of the object or on failure. */
void tl__fields_enter(tl__fields *f, tl__json_token container);
bool tl__fields_member(
	tl__fields *f, const char *const *names, size_t count, uint32_t *seen, size_t *at);
/* Whether all of these bits were seen; else a failure that names the first missing one. */
void tl__fields_need(tl__fields *f, const char *const *names, uint32_t seen, uint32_t needed);

void tl__fields_text(tl__fields *f, tl_str *out);
void tl__fields_optional_text(tl__fields *f, tl_str *out); /* ptr NULL when null */
void tl__fields_texts(tl__fields *f, tl_str **out, size_t *count, size_t limit, const char *what);
void tl__fields_bytes(tl__fields *f, tl_str *out); /* array of numbers 0..255 */
void tl__fields_u32(tl__fields *f, uint32_t *out);
void tl__fields_u64(tl__fields *f, uint64_t *out);
void tl__fields_bool(tl__fields *f, bool *out);
/* The text of the value that follows, verbatim: a view into the document. */
void tl__fields_verbatim(tl__fields *f, tl_str *out);

/* --- a whole document by a table -------------------------------------------------------------- */

typedef enum tl__field_kind {
	TL__FIELD_TEXT,     /* tl_str */
	TL__FIELD_VERBATIM, /* tl_str */
	TL__FIELD_U64       /* uint64_t */
} tl__field_kind;

typedef struct tl__field {
	const char *name;
	tl__field_kind kind;
	void *out; /* stays as it is when the member is absent */
	bool needed;
} tl__field;

/* Reads an object with these members (at most 32) and passes over others. TL_OK or the failure. */
int tl__fields_read(tl_str document, tl__arena *arena, const char *what, int wrong_shape,
	const tl__field *members, size_t count) TL_MUST_USE;
#define TL__FIELDS_READ(document, arena, what, wrong_shape, members)                               \
	tl__fields_read(                                                                           \
		document, arena, what, wrong_shape, members, sizeof(members) / sizeof *(members))

#endif
