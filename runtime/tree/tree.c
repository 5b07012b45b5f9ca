#include "tree/tree.h"

#include <string.h>
#include "tree/dag.h"

int tl__tree_init(tl__tree *tree, tl__store *store, tl__verify_pool *pool, const tl__clock *clock,
	tl__random random, const tl__log *log)
{
	memset(tree, 0, sizeof *tree);
	tree->store = store;
	tree->pool = pool;
	tree->clock = clock;
	tree->random = random;
	tree->log = log;
	return tl__settings_cache_new(&tree->settings);
}

void tl__tree_free(tl__tree *tree)
{
	tl__settings_cache_free(tree->settings);
	tree->settings = NULL;
}
