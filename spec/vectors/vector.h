/* A JSON document as a tree, for the vector checker: numbers stay text, objects keep their order.
 */
#ifndef SPEC_VECTOR_H
#define SPEC_VECTOR_H

#include <stdbool.h>
#include <tidelock/error.h>
#include <tidelock/types.h>
#include "base/arena.h"

typedef enum node_kind {
	NODE_NULL,
	NODE_TRUE,
	NODE_FALSE,
	NODE_NUMBER,
	NODE_STRING,
	NODE_ARRAY,
	NODE_OBJECT
} node_kind;

typedef struct node {
	node_kind kind;
	tl_str name; /* as a member */
	tl_str text; /* of strings and numbers */
	struct node *children;
	size_t count;
} node;

/* Ends the program with a message when the text is no JSON or memory runs out: a checker without
 * vectors has nothing to say. */
node *node_parse(tl__arena *arena, tl_str text);

/* A member; a null node when absent. */
const node *node_get(const node *object, const char *name);
tl_str node_text(const node *object, const char *name); /* ptr NULL when absent or no string */
bool node_has(const node *object, const char *name);
bool node_true(const node *object, const char *name);
/* The value as compact JSON with object members in ascending order: to compare values. */
tl_str node_sorted(tl__arena *arena, const node *value);
/* The same of a JSON text; ptr NULL when it is none. */
tl_str text_sorted(tl__arena *arena, tl_str text);

#endif
