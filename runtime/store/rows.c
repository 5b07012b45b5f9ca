#include "store/rows.h"

#include <string.h>
#include <tidelock/error.h>
#include "base/mem.h"
#include "base/str.h"

#define HALF 16 /* a node other than the root has HALF - 1 to 2 * HALF - 1 rows */
#define MOST (2 * HALF - 1)

struct tl__rows {
	tl__block block;
	unsigned count;
	bool leaf;
	tl__row *rows[MOST];
	tl__rows *children[]; /* MOST + 1 unless it is a leaf */
};

/* --- blocks ----------------------------------------------------------------------------------- */

void tl__blocks_init(tl__block_list *list)
{
	list->head.prev = list->head.next = &list->head;
}

static void push(tl__block_list *list, tl__block *block)
{
	block->prev = list->head.prev;
	block->next = &list->head;
	block->prev->next = block;
	list->head.prev = block;
}

static void unlink_block(tl__block *block)
{
	block->prev->next = block->next;
	block->next->prev = block->prev;
}

void tl__blocks_move(tl__block_list *to, tl__block_list *from, uint64_t version)
{
	tl__block *next;

	for (tl__block *block = from->head.next; block != &from->head; block = next) {
		next = block->next;
		if (block->version > version)
			continue;
		unlink_block(block);
		push(to, block);
	}
}

static void block_free(tl__block *block)
{
	if (block->wipe)
		explicit_bzero(((tl__row *)block)->data, block->wipe);
	tl__free(block);
}

void tl__blocks_free(tl__block_list *list)
{
	while (list->head.next != &list->head) {
		tl__block *block = list->head.next;

		unlink_block(block);
		block_free(block);
	}
}

/* --- edits ------------------------------------------------------------------------------------ */

void tl__rows_edit_init(tl__rows_edit *edit, uint64_t version)
{
	edit->version = version;
	tl__blocks_init(&edit->made);
	tl__blocks_init(&edit->retired);
}

void tl__rows_edit_undo(tl__rows_edit *edit)
{
	tl__blocks_free(&edit->made);
	tl__blocks_init(&edit->retired); /* still in use by the version before */
}

static void block_made(tl__rows_edit *edit, tl__block *block)
{
	block->version = edit->version;
	block->wipe = 0;
	push(&edit->made, block);
}

static void retire(tl__rows_edit *edit, tl__block *block)
{
	if (block->version == edit->version) { /* nobody else has seen it */
		unlink_block(block);
		block_free(block);
	} else {
		push(&edit->retired, block);
	}
}

tl__row *tl__row_new(tl__rows_edit *edit, tl_str key, size_t value_len)
{
	tl__row *row = tl__alloc(sizeof *row + key.len + value_len);

	if (!row)
		return NULL;
	block_made(edit, &row->block);
	row->key_len = key.len;
	row->value_len = value_len;
	if (key.len)
		memcpy(row->data, key.ptr, key.len);
	return row;
}

static size_t node_size(bool leaf)
{
	return sizeof(tl__rows) + (leaf ? 0 : (MOST + 1) * sizeof(tl__rows *));
}

static tl__rows *node_new(tl__rows_edit *edit, bool leaf)
{
	tl__rows *node = tl__alloc(node_size(leaf));

	if (!node)
		return NULL;
	block_made(edit, &node->block);
	node->count = 0;
	node->leaf = leaf;
	return node;
}

/* The node in `slot`, made a copy of this edit's own if it is not; NULL when memory ran out. */
static tl__rows *own(tl__rows_edit *edit, tl__rows **slot)
{
	tl__rows *node = *slot, *copy;

	if (node->block.version == edit->version)
		return node;
	copy = node_new(edit, node->leaf);
	if (!copy)
		return NULL;
	copy->count = node->count;
	memcpy(copy->rows, node->rows, node->count * sizeof(tl__row *));
	if (!node->leaf)
		memcpy(copy->children, node->children, (node->count + 1) * sizeof(tl__rows *));
	retire(edit, &node->block);
	*slot = copy;
	return copy;
}

/* Index of the first row that is not before the key, and whether it has the key. */
static unsigned find(const tl__rows *node, tl_str key, bool *same)
{
	unsigned low = 0, high = node->count;

	*same = false;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = tl__str_compare(tl__row_key(node->rows[middle]), key);

		if (order == 0) {
			*same = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void open_gap(tl__rows *node, unsigned at)
{
	memmove(&node->rows[at + 1], &node->rows[at], (node->count - at) * sizeof(tl__row *));
	if (!node->leaf)
		memmove(&node->children[at + 2], &node->children[at + 1],
			(node->count - at) * sizeof(tl__rows *));
	node->count++;
}

/* Takes out row `at` and the child to its right. */
static void close_gap(tl__rows *node, unsigned at)
{
	node->count--;
	memmove(&node->rows[at], &node->rows[at + 1], (node->count - at) * sizeof(tl__row *));
	if (!node->leaf)
		memmove(&node->children[at + 1], &node->children[at + 2],
			(node->count - at) * sizeof(tl__rows *));
}

/* --- putting ---------------------------------------------------------------------------------- */

/* Splits the full child `at`; both are this edit's own. */
static int split(tl__rows_edit *edit, tl__rows *node, unsigned at)
{
	tl__rows *left = node->children[at];
	tl__rows *right = node_new(edit, left->leaf);

	if (!right)
		return TL_E_NOMEM;
	right->count = HALF - 1;
	memcpy(right->rows, &left->rows[HALF], (HALF - 1) * sizeof(tl__row *));
	if (!left->leaf)
		memcpy(right->children, &left->children[HALF], HALF * sizeof(tl__rows *));
	left->count = HALF - 1;
	open_gap(node, at);
	node->rows[at] = left->rows[HALF - 1];
	node->children[at + 1] = right;
	return TL_OK;
}

/* A root of the edit's own that is not full; NULL when memory ran out. */
static tl__rows *root_for_put(tl__rows_edit *edit, tl__rows **root)
{
	tl__rows *node = *root ? own(edit, root) : node_new(edit, true);
	tl__rows *above;

	if (!node)
		return NULL;
	*root = node;
	if (node->count < MOST)
		return node;
	above = node_new(edit, false);
	if (!above)
		return NULL;
	above->children[0] = node;
	if (split(edit, above, 0) != TL_OK)
		return NULL;
	*root = above;
	return above;
}

int tl__rows_put(tl__rows_edit *edit, tl__rows **root, tl__row *row)
{
	tl_str key = tl__row_key(row);
	tl__rows *node = root_for_put(edit, root);

	while (node) {
		bool same;
		unsigned at = find(node, key, &same);
		tl__rows *child;

		if (same) {
			retire(edit, &node->rows[at]->block);
			node->rows[at] = row;
			return TL_OK;
		}
		if (node->leaf) {
			open_gap(node, at);
			node->rows[at] = row;
			return TL_OK;
		}
		child = own(edit, &node->children[at]);
		if (!child)
			return TL_E_NOMEM;
		if (child->count < MOST)
			node = child;
		else if (split(edit, node, at) != TL_OK)
			return TL_E_NOMEM;
	}
	return TL_E_NOMEM;
}

/* --- removing --------------------------------------------------------------------------------- */

/* Joins child `at`, its row and the child to the right into one. */
static int merge(tl__rows_edit *edit, tl__rows *node, unsigned at)
{
	tl__rows *left = own(edit, &node->children[at]);
	tl__rows *right = node->children[at + 1];

	if (!left)
		return TL_E_NOMEM;
	left->rows[left->count] = node->rows[at];
	memcpy(&left->rows[left->count + 1], right->rows, right->count * sizeof(tl__row *));
	if (!left->leaf)
		memcpy(&left->children[left->count + 1], right->children,
			(right->count + 1) * sizeof(tl__rows *));
	left->count += right->count + 1;
	close_gap(node, at);
	retire(edit, &right->block);
	return TL_OK;
}

static int borrow_left(tl__rows_edit *edit, tl__rows *node, unsigned at)
{
	tl__rows *child = own(edit, &node->children[at]);
	tl__rows *left = own(edit, &node->children[at - 1]);

	if (!child || !left)
		return TL_E_NOMEM;
	memmove(&child->rows[1], child->rows, child->count * sizeof(tl__row *));
	child->rows[0] = node->rows[at - 1];
	if (!child->leaf) {
		memmove(&child->children[1], child->children,
			(child->count + 1) * sizeof(tl__rows *));
		child->children[0] = left->children[left->count];
	}
	child->count++;
	left->count--;
	node->rows[at - 1] = left->rows[left->count];
	return TL_OK;
}

static int borrow_right(tl__rows_edit *edit, tl__rows *node, unsigned at)
{
	tl__rows *child = own(edit, &node->children[at]);
	tl__rows *right = own(edit, &node->children[at + 1]);

	if (!child || !right)
		return TL_E_NOMEM;
	child->rows[child->count] = node->rows[at];
	node->rows[at] = right->rows[0];
	child->count++;
	if (!child->leaf) {
		child->children[child->count] = right->children[0];
		memmove(right->children, &right->children[1], right->count * sizeof(tl__rows *));
	}
	right->count--;
	memmove(right->rows, &right->rows[1], right->count * sizeof(tl__row *));
	return TL_OK;
}

/* Sees to it that child `*at` can lose a row; `*at` follows it when it is merged. */
static int fill(tl__rows_edit *edit, tl__rows *node, unsigned *at)
{
	if (node->children[*at]->count >= HALF)
		return TL_OK;
	if (*at > 0 && node->children[*at - 1]->count >= HALF)
		return borrow_left(edit, node, *at);
	if (*at < node->count && node->children[*at + 1]->count >= HALF)
		return borrow_right(edit, node, *at);
	if (*at == node->count)
		(*at)--;
	return merge(edit, node, *at);
}

static tl__row *edge(const tl__rows *node, bool last)
{
	while (!node->leaf)
		node = node->children[last ? node->count : 0];
	return node->rows[last ? node->count - 1 : 0];
}

/* Takes the row with the key, which is there, out of the subtree in `slot`. */
static int take(tl__rows_edit *edit, tl__rows **slot, tl_str key)
{
	tl__rows *node = own(edit, slot);
	bool same;
	unsigned at;

	if (!node)
		return TL_E_NOMEM;
	at = find(node, key, &same);
	if (node->leaf) {
		close_gap(node, at);
		return TL_OK;
	}
	if (same && (node->children[at]->count >= HALF || node->children[at + 1]->count >= HALF)) {
		/* its neighbour from below takes its place */
		bool left = node->children[at]->count >= HALF;
		unsigned side = left ? at : at + 1;

		node->rows[at] = edge(node->children[side], left);
		return take(edit, &node->children[side], tl__row_key(node->rows[at]));
	}
	if ((same ? merge(edit, node, at) : fill(edit, node, &at)) != TL_OK)
		return TL_E_NOMEM;
	return take(edit, &node->children[at], key);
}

int tl__rows_remove(tl__rows_edit *edit, tl__rows **root, tl_str key)
{
	tl__row *row = (tl__row *)tl__rows_get(*root, key);
	tl__rows *top;

	if (!row)
		return TL_OK;
	if (take(edit, root, key) != TL_OK)
		return TL_E_NOMEM;
	top = *root;
	if (top->count == 0) {
		*root = top->leaf ? NULL : top->children[0];
		retire(edit, &top->block);
	}
	retire(edit, &row->block);
	return TL_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

const tl__row *tl__rows_get(const tl__rows *node, tl_str key)
{
	while (node) {
		bool same;
		unsigned at = find(node, key, &same);

		if (same)
			return node->rows[at];
		node = node->leaf ? NULL : node->children[at];
	}
	return NULL;
}

/* Goes down the left edge of a subtree. */
static void descend(tl__rows_walk *walk, const tl__rows *node)
{
	for (; node && walk->depth < TL__ROWS_MAX_DEPTH;
		node = node->leaf ? NULL : node->children[0]) {
		walk->nodes[walk->depth] = node;
		walk->at[walk->depth++] = 0;
	}
}

void tl__rows_seek(tl__rows_walk *walk, const tl__rows *root, tl_str from, tl_str prefix)
{
	bool same = false;

	walk->depth = 0;
	walk->prefix = prefix;
	for (const tl__rows *node = root; node && !same && walk->depth < TL__ROWS_MAX_DEPTH;) {
		unsigned at = find(node, from, &same);

		walk->nodes[walk->depth] = node;
		walk->at[walk->depth++] = at;
		node = node->leaf ? NULL : node->children[at];
	}
}

const tl__row *tl__rows_next(tl__rows_walk *walk)
{
	while (walk->depth > 0) {
		const tl__rows *node = walk->nodes[walk->depth - 1];
		unsigned at = walk->at[walk->depth - 1];
		const tl__row *row;

		if (at == node->count) {
			walk->depth--;
			continue;
		}
		row = node->rows[at];
		walk->at[walk->depth - 1]++;
		if (!node->leaf)
			descend(walk, node->children[at + 1]);
		if (tl__str_starts(tl__row_key(row), walk->prefix))
			return row;
		walk->depth = 0;
	}
	return NULL;
}

void tl__rows_free(tl__rows *root)
{
	if (!root)
		return;
	for (unsigned i = 0; i < root->count; i++)
		block_free(&root->rows[i]->block);
	for (unsigned i = 0; !root->leaf && i <= root->count; i++)
		tl__rows_free(root->children[i]);
	tl__free(root);
}
