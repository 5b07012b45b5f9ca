/* What a node does when something became visible in its store. */
#include "engine/parts/inside.h"
#include "engine/parts/node_impl.h"

/* The arrival the store's listener told of, for the hook that follows it on the same thread. */
static _Thread_local tl__commit last_commit;

static void on_visible(void *ud, const tl_id *db, uint64_t arrival, tl__fresh *fresh)
{
	tl_node *node = ud;
	const tl__commit commit = {*db, arrival, !tl__inside(), fresh};

	last_commit = (tl__commit){.db = *db, .arrival = arrival};
	if (!tl__commits_note(&node->commits, &commit))
		tl__log_write(&node->log, TL_LOG_WARNING, "node",
			"no memory to note a commit; the next one or the next periodic sync sends "
			"it");
}

static int on_entry_committed(void *ud, const tl_hook_context *context)
{
	tl_node *node = ud;
	tl_event event = {
		.kind = TL_EVENT_ENTRY_COMMITTED,
		.has_db = true,
		.has_entry = true,
		.db = *context->tree_id,
		.entry = *tl_entry_id(context->entry),
		.time_ms = tl__system_clock.wall_ms(tl__system_clock.ud),
	};

	if (tl__id_equal(&last_commit.db, context->tree_id))
		event.number = last_commit.arrival;
	tl__hub_tell(node->hub, &event, NULL);
	return TL_OK;
}

int tl__node_watch_commits(tl_node *node)
{
	const tl_hook hook = {
		.size = sizeof hook,
		.on_entry_committed = on_entry_committed,
		.ud = node,
	};

	node->tree.listener = (tl__tree_listener){on_visible, node};
	return tl__hooks_add(&node->hooks, NULL, &hook, NULL);
}
