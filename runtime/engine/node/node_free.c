/* The end of a node that nobody refers to. */
#include "base/mem.h"
#include "base/system/fork.h"
#include "engine/parts/node_impl.h"

static void node_free(tl_node *node)
{
	if (node->has_host)
		tl__host_free(&node->host);
	if (node->has_hooks)
		tl__hooks_free(&node->hooks);
	if (node->has_tree)
		tl__tree_free(&node->tree);
	tl__verify_pool_free(node->pool);
	tl__keys_free(node->keys);
	tl__store_close(node->store);
	tl__hub_release(node->hub);
	tl__commits_free(&node->commits);
	tl__facts_free(&node->facts);
	pthread_mutex_destroy(&node->log_lock);
	tl__log_seldom_end(&node->log_seldom);
	tl__free(node->path);
	tl__free(node->name);
	tl__free(node);
}

/* In a forked child its memory is left alone: other threads may have been at work in it. */
void tl__node_release(tl_node *node)
{
	if (!tl__fork_inherited(node->forks) && atomic_fetch_sub(&node->refs, 1) == 1)
		node_free(node);
}
