/* The control socket of a node: a thread that answers other processes, one call after the other. */
#ifndef TL_ENGINE_CONTROL_SERVER_H
#define TL_ENGINE_CONTROL_SERVER_H

#include "base/buf.h"
#include "engine/node_impl.h"

#define TL__CONTROL_FILE "control.sock"

/* Listens in the node's data directory. *out is yours. */
int tl__control_open(tl__control **out, tl_node *node) TL_MUST_USE;
/* Ends the thread and removes the socket; a call under way is finished first. NULL is fine. */
void tl__control_close(tl__control *control);

/* Opens `control.sock` of a directory for connect or bind, whatever the length of its path: the
 * descriptor of the directory is returned and the name written to `out`. -1 with errno set. */
int tl__control_name(const char *path, char *out, size_t cap);

/* One call: reads the request's line, runs it, appends the answer's line (with its end). */
void tl__control_answer(tl_node *node, tl_str request, tl__buf *out);

#endif
