/* Talking to the process that has a data directory open.
 *
 * A node with a data directory listens on the socket `control.sock` in it (mode 0600): one JSON
 * object a line as the request, one as the answer. Calls and their members are listed in
 * runtime/engine/README.md. */
#ifndef TIDELOCK_CONTROL_H
#define TIDELOCK_CONTROL_H

#include <tidelock/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_CONTROL_MAX_REQUEST     (1024u * 1024)      /* bytes of a request's line */
#define TL_CONTROL_MAX_ANSWER      (16u * 1024 * 1024) /* bytes of an answer's line */
#define TL_CONTROL_MAX_CONNECTIONS 16                  /* at once; further ones wait */

/* Sends `request`, a JSON object like {"call":"db list"}, to the node that has the data directory
 * `path` open, and waits for its answer (blocks, for as long as the call takes there). *result is
 * the JSON text of the answer's `result` and yours (tl_free). TL_E_CONNECTION_FAILED when no node
 * has the directory open; else the code and sentence of the call's own failure. */
TL_API int tl_control_call(const char *path, const char *request, char **result) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
