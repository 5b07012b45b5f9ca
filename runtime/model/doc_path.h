/* Paths inside a Doc as byte strings, and a Doc as the list of its nodes with their paths.
 *
 * A path is the chain of its components. A component is a kind byte and what names the child:
 *   01  child of a Doc: the key as UTF-8 with 00 written as 00 FF, closed by 00 01
 *   02  item of a List: floor(n/d) as 8 bytes (big-endian, 2^63 added), floor(fraction * 2^128) as
 *       16 bytes (big-endian), the UUID as 16 bytes
 * memcmp order of paths is the order of keys and of positions, a container comes right before what
 * it contains, and no component is the beginning of another. Positions that compare equal have one
 * encoding: how a fraction was written is no state. The root Doc is the empty path.
 *
 * Nothing here blocks. */
#ifndef TL_MODEL_DOC_PATH_H
#define TL_MODEL_DOC_PATH_H

#include <stdbool.h>
#include <tidelock/doc.h>
#include "base/buf.h"

/* Format constants, never options, since every replica must find the same deltas readable: a delta
 * with a longer path, or whose paths come to more, contributes nothing. They bound what one entry
 * can make of a long key with many children. */
#define TL__PATH_FORMAT_BYTES        (64u * 1024)
#define TL__DELTA_FORMAT_PATHS_BYTES (32u * 1024 * 1024)

#define TL__PATH_KEY        0x01
#define TL__PATH_ITEM       0x02
#define TL__PATH_ITEM_BYTES 41
#define TL__PATH_KEY_END    2 /* bytes that close a key */

/* Append one component. A failed allocation sticks in the buffer. TL_E_BAD_DOC: denominator 0. */
void tl__path_key(tl__buf *path, tl_str key);
int tl__path_item(tl__buf *path, const tl_position *position) TL_MUST_USE;

/* Length of the first component; 0 when the path is empty or no path. */
size_t tl__path_first(tl_str path);

typedef struct tl__path_part {
	bool item;
	tl_str key;           /* unless item; points into the path, or into the scratch buffer */
	tl_position position; /* of an item, in lowest terms */
} tl__path_part;

/* Decodes the first component and takes it off. `scratch` is cleared and used for keys that hold a
 * zero byte. TL_E_BAD_PATH when these bytes are no path (also at the end), TL_E_NOMEM. */
int tl__path_take(tl_str *path, tl__path_part *part, tl__buf *scratch) TL_MUST_USE;

/* Appends the smallest byte string greater than everything that begins with `prefix`, so that the
 * prefix is the range [prefix, bound). An empty prefix has no bound: nothing is appended. */
void tl__path_bound(tl__buf *out, tl_str prefix);

typedef enum tl__node_kind {
	TL__NODE_DOC = 0,
	TL__NODE_LIST = 1,
	TL__NODE_LEAF = 2 /* scalar or tombstone */
} tl__node_kind;

/* path is not empty; value is the value's JSON for a leaf, empty for a container. Both live during
 * the call only. A code other than TL_OK ends the walk and is returned. */
typedef int (*tl__node_visit)(void *ud, tl_str path, tl__node_kind kind, tl_str value);

/* Visits every node below the root, a container before what it contains. TL_E_BAD_DOC (perhaps
 * after some visits) when the Doc holds a position with denominator 0 or breaks a format limit
 * above; TL_E_NOMEM. */
int tl__doc_walk(const tl_value *doc, tl__node_visit visit, void *ud) TL_MUST_USE;

/* Brings every position in the tree to lowest terms, as paths hold them. */
void tl__value_reduce(tl_value *value);

#endif
