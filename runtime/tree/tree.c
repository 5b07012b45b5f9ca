#include "tree/tree.h"

#include <string.h>
#include "tree/history/dag.h"
#include "tree/history/recent.h"
#include "tree/trust/quarantine.h"
#include "tree/trust/rights.h"
#include "tree/trust/signers.h"
#include "tree/history/tips_cache.h"

int tl__tree_init(tl__tree *tree, tl__store *store, tl__verify_pool *pool, const tl__clock *clock,
	tl__random random, const tl__log *log)
{
	int code;

	memset(tree, 0, sizeof *tree);
	tree->store = store;
	tree->pool = pool;
	tree->clock = clock;
	tree->random = random;
	tree->log = log;
	atomic_init(&tree->pendings, 1);
	code = tl__settings_cache_new(&tree->settings);
	if (code == TL_OK)
		code = tl__rights_cache_new(&tree->rights);
	if (code == TL_OK)
		code = tl__tips_cache_new(&tree->tips);
	if (code == TL_OK)
		code = tl__recent_new(&tree->recent);
	if (code == TL_OK)
		code = tl__tree_locks_new(&tree->locks);
	if (code == TL_OK)
		code = tl__signers_new(&tree->signers);
	if (code == TL_OK)
		code = tl__quarantine_new(&tree->quarantine);
	if (code != TL_OK)
		tl__tree_free(tree);
	return code;
}

void tl__tree_free(tl__tree *tree)
{
	tl__settings_cache_free(tree->settings);
	tl__rights_cache_free(tree->rights);
	tl__tips_cache_free(tree->tips);
	tl__recent_free(tree->recent);
	tl__tree_locks_free(tree->locks);
	tl__signers_free(tree->signers);
	tl__quarantine_free(tree->quarantine);
	tree->settings = NULL;
	tree->rights = NULL;
	tree->tips = NULL;
	tree->recent = NULL;
	tree->locks = NULL;
	tree->signers = NULL;
	tree->quarantine = NULL;
}
