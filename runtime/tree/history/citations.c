/* Citations: what the good entries at and above a place cite of delegated databases. Every entry
 * hands on what those it names do, and a good one that cites a database puts its own tips in place
 * of theirs: it was found not to cite older ones. */
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "tree/history/dag.h"

static int load(tl__dag *dag, tl__dag_node *node)
{
	tl_str number = {(const char *)&node->cited_number, sizeof node->cited_number};
	tl__ids ids = {0};
	int code = TL_OK;

	if (!node->cited)
		node->cited = tl__map_get(&dag->cited_numbers, number);
	if (node->cited)
		return TL_OK;
	if (node->cited_number != 0)
		code = tl__read_frontier(
			dag->snapshot, &dag->db, node->cited_number, tl__ids_visit, &ids);
	if (code == TL_OK)
		code = tl__dag_cited_from(dag, (const tl__citation *)(const void *)ids.at,
			ids.count / 2, &node->cited);
	if (code == TL_OK)
		code = tl__map_set(&dag->cited_numbers, number, node->cited);
	tl__ids_free(&ids);
	return code;
}

/* Appends what they hand on, each different one once; *one is the last. How many there were. */
static int gather(tl__dag *dag, const tl_id *ids, size_t count, tl__buf *all, tl__dag_cited **one,
	size_t *different)
{
	int code = TL_OK;

	*different = 0;
	dag->walk++;
	for (size_t i = 0; code == TL_OK && i < count; i++) {
		tl__dag_node *node = tl__dag_node_of(dag, &ids[i]);

		code = load(dag, node);
		if (code != TL_OK || node->cited->count == 0 || node->cited->walk == dag->walk)
			continue;
		node->cited->walk = dag->walk;
		*one = node->cited;
		++*different;
		tl__buf_append(all, node->cited->at, node->cited->count * sizeof *node->cited->at);
	}
	return code == TL_OK ? tl__buf_status(all) : code;
}

int tl__dag_cited_of(tl__dag *dag, const tl_id *ids, size_t count, tl__dag_cited **out)
{
	tl__buf all = TL__BUF_INIT;
	size_t different;
	int code = gather(dag, ids, count, &all, out, &different);

	if (code == TL_OK && different != 1) {
		tl__citation *at = (tl__citation *)(void *)all.ptr;

		code = tl__dag_cited_from(
			dag, at, tl__citations_unique(at, all.len / sizeof *at), out);
	}
	tl__buf_free(&all);
	return code;
}

int tl__dag_hand_on(tl__dag *dag, const tl_id *id, const tl_id *names, size_t count, tl__buf *own,
	size_t most, tl__dag_cited **out)
{
	tl__buf all = TL__BUF_INIT;
	size_t different;
	int code = gather(dag, names, count, &all, out, &different);

	if (code == TL_OK && (own->len > 0 || different != 1)) {
		code = tl__citations_hand_on(&all, own, id, most);
		if (code == TL_OK)
			code = tl__dag_cited_from(dag, (const tl__citation *)(const void *)all.ptr,
				all.len / sizeof(tl__citation), out);
	}
	tl__buf_free(&all);
	return code;
}
