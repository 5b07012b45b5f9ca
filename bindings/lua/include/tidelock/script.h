/* Scripts that decide for a node: loaded, watched and reloaded by one thread of its own.
 *
 * A script is a Lua file that runs in a cell: it can neither harm nor hold up the node (what it may
 * use and call is told in the page "Scripts"). The library's own script thread reads, compiles and
 * watches it; whenever the file, or one that it asked for, changes, it is loaded anew and takes the
 * old one's place between two decisions. One that does not load changes nothing: the old one stays
 * and the log says file and line. `tidelock script` shows the scripts of a node that runs.
 *
 * Any thread may call these functions, except from a policy or a hook. They block while the file is
 * read and compiled: some milliseconds, at most about a second. Hosts link the module
 * (pkg-config tidelock-lua); they need no Lua state of their own. */
#ifndef TIDELOCK_SCRIPT_H
#define TIDELOCK_SCRIPT_H

#include <tidelock/node.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_script tl_script;

typedef enum tl_script_kind {
	TL_SCRIPT_POLICY = 0, /* who may do what with the node: tl_policy in Lua; one a node */
	/* What the node starts: which databases are kept in step with which peers, how and when;
	 * one a node. They make one set of relations, tag "rules" (tl_sync_set_relations), and are
	 * asked anew when a peer, a database, a name or a fact changes, and each full minute. */
	TL_SCRIPT_RULES = 1,
	TL_SCRIPT_HOOK = 2 /* what may be written: before_commit, asked on the thread that
			    * commits; at most TL_SCRIPT_HOOKS_MAX a node, each file once */
} tl_script_kind;

#define TL_SCRIPT_HOOKS_MAX 16

typedef struct tl_script_options {
	size_t size;
	/* A policy beside the one that is there, or none: it is asked all the same and decides
	 * nothing, and the status tells where it would have differed. One a node. */
	bool shadow;
	/* Lines of the script and about it; called on the script thread, the engine's and, for
	 * hooks, those that commit, until the node is closed or the script unloaded. What it does
	 * must not commit, nor call functions of this header. NULL: stderr. */
	tl_log_sink log;
	void *log_ud;
} tl_script_options;

#define TL_SCRIPT_OPTIONS_INIT                                                                     \
	{                                                                                          \
		sizeof(tl_script_options), false, NULL, NULL                                       \
	}

/* Loads a script of the file `path` and puts it to work. *out is the caller's (tl_script_free),
 * NULL on failure; the script stays at work without it, until it is unloaded or the node is closed.
 * `options` may be NULL. TL_E_BAD_SCRIPT: what the file says is none, the message begins with file
 * and line; TL_E_IO: it cannot be read; TL_E_ALREADY_EXISTS: the node has such a script;
 * TL_E_TOO_LARGE: it has TL_SCRIPT_HOOKS_MAX hooks. */
TL_API int tl_script_load(tl_node *node, tl_script_kind kind, const char *path,
	const tl_script_options *options, tl_script **out) TL_MUST_USE;
/* Loads the file again. Files with the same bytes change nothing, but one that was suspended is
 * asked again; on a failure the old one stays (TL_E_BAD_SCRIPT, TL_E_IO). TL_E_CLOSED: it was
 * unloaded, or its node is closed. */
TL_API int tl_script_reload(tl_script *script) TL_MUST_USE;
/* Takes it away; without a policy the usual rights decide, relations of rules end, what a
 * hook was asked about passes.
 * TL_E_CLOSED when it is no longer there. */
TL_API int tl_script_unload(tl_script *script) TL_MUST_USE;
/* How it is, as a JSON object, which lives until the next such call with this handle: {"kind",
 * "file","name","state","hash","loaded","calls","failures","units_p50","units_p99","problem"}:
 * kind is "policy", "rules" or "hook"; state is "running", "shadow", "stale" (the file does not
 * load: "problem" says why, and what was loaded before decides), "suspended" (it ran out of its
 * budget ten times in a minute: until it is loaded again a hook refuses, and relations of rules
 * stay as they are; event script_suspended) or "unloaded"; "hash" the first 16 digits of a SHA-256
 * over all its files; "loaded" Unix time in ms; "units" of which half of all calls, and 99 of 100,
 * took no more, to the next power of two; "problem" null where there is none. Of a shadow also
 * "differed", how often, with "first" and "last", sentences or null. Of rules also "rules",
 * "relations" that follow from them, how many of these are "paused", and "touched", how many the
 * last change touched. */
TL_API int tl_script_status(tl_script *script, const char **json) TL_MUST_USE;
/* Its last failures, newest first, at most 20, and as long: a JSON array of {"where","kind","text",
 * "input","time","count"}: "kind" as "error", "units", "cpu", "memory"; "count" how often this
 * version has failed there. */
TL_API int tl_script_failures(tl_script *script, const char **json) TL_MUST_USE;
/* Where a shadow answered something else than what decides, and as long: a JSON array of {"kind",
 * "peer","count","first","last"}, one for each kind of question and peer (null: one that proves no
 * key), in the order in which they came, at most TL_SCRIPT_DIFFERENCES_MAX; "first" and "last" are
 * sentences. */
#define TL_SCRIPT_DIFFERENCES_MAX 100
TL_API int tl_script_differences(tl_script *script, const char **json) TL_MUST_USE;
/* A shadow decides from now on, and the policy that did is unloaded. TL_E_BAD_STATE: it is none. */
TL_API int tl_script_promote(tl_script *script) TL_MUST_USE;
/* Releases the handle; the script stays. NULL is fine. */
TL_API void tl_script_free(tl_script *script);

#ifdef __cplusplus
}
#endif
#endif
