/* Public calls that are under way in a node, and the nodes that are open: what lets a node be
 * closed while other threads call it. A handle is looked up before it is touched, so one that was
 * closed is told from one that is open without reading memory that is gone. */
#ifndef TL_ENGINE_VISIT_H
#define TL_ENGINE_VISIT_H

#include "base/public.h"
#include "engine/parts/node_impl.h"

/* One call on its thread's stack. */
typedef struct tl__visit {
	struct tl__visit *outer; /* of the same thread: calls nest in callbacks */
	tl_node *node;
} tl__visit;

/* From now on calls may come in. TL_E_NOMEM when fork() cannot be watched. */
int tl__visit_open(tl_node *node) TL_MUST_USE;
/* From now on none comes in any more. false when the node is not open (any more), or was opened by
 * the process that this one was forked from. */
bool tl__visit_close(tl_node *node);
/* Waits for the calls that are still under way, those of this thread excepted. */
void tl__visit_wait(tl_node *node);

/* The calling thread is the node's own, joined before it ends (the control socket's): it may finish
 * what came before the closing. */
void tl__visit_belong(tl_node *node);
bool tl__visit_belongs(const tl_node *node);

/* Holds the node until the leave, which returns `code`. TL_E_CLOSED, TL_E_BAD_STATE after fork().
 */
int tl__visit_enter(tl__visit *visit, tl_node *node) TL_MUST_USE;
int tl__visit_leave(tl__visit *visit, int code);

/* TL__PUBLIC for a call on a node. */
#define TL__PUBLIC_OF_NODE(name, needs, parameters, arguments)                                     \
	static int name##_body parameters;                                                         \
	int name parameters                                                                        \
	{                                                                                          \
		tl__errors call_errors;                                                            \
		tl__visit call_visit;                                                              \
		int call_rc;                                                                       \
		if (!(needs))                                                                      \
			return tl__fail_needs(#name, #needs);                                      \
		call_rc = tl__visit_enter(&call_visit, node);                                      \
		if (call_rc != TL_OK)                                                              \
			return call_rc;                                                            \
		tl__errors_begin(&call_errors);                                                    \
		call_rc = tl__errors_end(&call_errors, name##_body arguments);                     \
		return tl__visit_leave(&call_visit, call_rc);                                      \
	}                                                                                          \
	static int name##_body parameters

#endif
