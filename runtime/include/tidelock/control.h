/* Talking to the process that has a data directory open.
 *
 * A node with a data directory listens on the socket `control.sock` in it (mode 0600): one JSON
 * object a line as the request, one as the answer. Calls and their members are listed in
 * doc/tidelock/control.md. */
#ifndef TIDELOCK_CONTROL_H
#define TIDELOCK_CONTROL_H

#include <tidelock/node.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_CONTROL_MAX_REQUEST     (1024u * 1024)      /* bytes of a line; 16 may be added to it */
#define TL_CONTROL_MAX_ANSWER      (16u * 1024 * 1024) /* bytes of an answer's line */
#define TL_CONTROL_MAX_CONNECTIONS 16                  /* at once; further ones wait */

#define TL_CONTROL_TIMEOUT_MS 30000u /* unless a call is given another */

/* How to wait for an answer. Zeroed members are left out, so begin with the initialiser. */
typedef struct tl_control_options {
	size_t size;
	/* The longest the node may say nothing, while connecting, being sent to and answering. Once
	 * it has begun with the call, it says each second that it still works at it, and gets two
	 * at least. 0 = TL_CONTROL_TIMEOUT_MS; TL_NEVER. */
	uint32_t timeout_ms;
	/* The call ends with TL_E_CANCELLED as soon as this descriptor is readable; -1: none. */
	int cancel_fd;
	/* Goes to the node with the request, for calls that read from one; stays yours. -1: none.
	 */
	int input_fd;
	/* How far a long call has come, some times a second and on this thread; NULL: not told.
	 * `total` is 0 when it is not known. false ends the call with TL_E_CANCELLED. */
	bool (*progress)(void *ud, uint64_t done, uint64_t total);
	void *ud;
} tl_control_options;

#define TL_CONTROL_OPTIONS_INIT                                                                    \
	{                                                                                          \
		sizeof(tl_control_options), 0, -1, -1, NULL, NULL                                  \
	}

/* Sends `request`, a JSON object like {"call":"db list"}, to the node that has the data directory
 * `path` open, and waits for its answer (blocks, as the options say; NULL: the defaults). *result
 * is the JSON text of the answer's `result` and yours (tl_free). A call that ends early is given up
 * by the node where that is possible (verify, backup, import). Errors, beside the call's own:
 * TL_E_CONNECTION_FAILED: no node has the directory open, or it ended before it took the request
 * up, and nothing was done. TL_E_TIMEOUT, TL_E_CANCELLED, TL_E_CLOSED (it ended meanwhile): a
 * request that was sent may have been carried out. */
TL_API int tl_control_call_with(const char *path, const char *request,
	const tl_control_options *options, char **result) TL_MUST_USE;
/* The same with the default options. */
TL_API int tl_control_call(const char *path, const char *request, char **result) TL_MUST_USE;

/* Calls that a host answers beside those of the node: all whose name begins with `word` and a
 * space. Since 0.3. */
typedef struct tl_control_calls {
	size_t size;
	const char *word;
	/* On a thread of its own for each call, several at the same time. `request` is the whole
	 * line, a JSON object; puts the JSON text of its result, once, with `put`. A code fails the
	 * call with the thread's last error. */
	int (*answer)(
		tl_node *node, tl_str request, void (*put)(void *out, tl_str json), void *out);
} tl_control_calls;

/* One for a node; another one takes its place. It is not copied, so it lives at least as long as
 * the node; NULL takes it away for calls to come. */
TL_API int tl_control_set_calls(tl_node *node, const tl_control_calls *calls) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
