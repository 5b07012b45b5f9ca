/* What values look like inside, and their JSON: for the files of this folder; the functions also
 * for those above. */
#ifndef TL_MODEL_VALUE_H
#define TL_MODEL_VALUE_H

#include <tidelock/doc.h>
#include "base/buf.h"

typedef struct tl__member {
	tl_str key; /* owned */
	tl_value *value;
} tl__member;

typedef struct tl__item {
	tl_position position;
	tl_value *value;
} tl__item;

struct tl_value {
	tl_type type;
	size_t count; /* members or items */
	size_t cap;
	union {
		bool boolean;
		int64_t integer;
		tl_str text;         /* owned */
		tl__member *members; /* ascending keys */
		tl__item *items;     /* ascending positions */
	} as;
};

/* Adds at the end without looking for the key or place: for readers, who sort afterwards. Take
 * ownership of `value` in every case. */
int tl__doc_append(tl_value *doc, tl_str key, tl_value *value) TL_MUST_USE;
int tl__list_append(tl_value *list, const tl_position *position, tl_value *value) TL_MUST_USE;
/* Brings appended ones in order; of equal keys or positions the last value stays. */
int tl__doc_sort(tl_value *doc) TL_MUST_USE;
int tl__list_sort(tl_value *list) TL_MUST_USE;

/* Takes out the members from index `count` on. */
void tl__doc_cut(tl_value *doc, size_t count);

/* Index of the first member whose key is not less. */
size_t tl__doc_search(const tl_value *doc, tl_str key, bool *found);
size_t tl__list_search(const tl_value *list, const tl_position *position, bool *found);
/* A new position between the items at `left` and `right`, between which only deleted ones lie; an
 * index beyond the list is none. TL_E_POSITION_EXHAUSTED when there is no room. */
int tl__list_place(tl_position *out, const tl_value *list, size_t left, size_t right) TL_MUST_USE;
/* Room for one more member or item. */
int tl__value_grow(tl_value *value) TL_MUST_USE;

/* JSON of one value, as it stands inside a Doc: {"Int":5}, "Deleted", ... TL_E_BAD_DOC when it
 * nests deeper than a Doc holds. */
int tl__value_write(tl__buf *out, const tl_value *value) TL_MUST_USE;
/* Reads the same. *out is yours. */
int tl__value_parse(tl_value **out, tl_str text) TL_MUST_USE;

/* tl_value_parse_json for what goes into a store: TL_E_TYPE_MISMATCH for a float. *out is yours. */
int tl__value_parse_whole_json(tl_value **out, tl_str document) TL_MUST_USE;

/* Hyphenated, simple, braced, urn. */
bool tl__uuid_parse(uint8_t uuid[16], tl_str text);

#endif
