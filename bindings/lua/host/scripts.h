/* The scripts of a node and the thread that loads, watches and closes them: what is behind
 * tidelock/script.h. One lock a node stands before all that is not said to be the thread's. */
#ifndef TL_LUA_SCRIPTS_H
#define TL_LUA_SCRIPTS_H

#include <stdatomic.h>
#include <tidelock/control.h>
#include <tidelock/json.h>
#include <tidelock/script.h>
#include "gate/gate.h"
#include "host/live.h"
#include "host/version.h"
#include "rules/governor.h"

#define TLUA_PROBLEM_MAX (TLUA_WHERE_MAX + TLUA_TEXT_MAX + 2)

typedef struct tlua_scripts tlua_scripts;

typedef enum tlua_script_state {
	TLUA_SCRIPT_LOADING,
	TLUA_SCRIPT_RUNNING,
	TLUA_SCRIPT_STALE,
	TLUA_SCRIPT_UNLOADED
} tlua_script_state;

struct tl_script {
	atomic_uint owners; /* the handle, the node's list, each version that is not closed */
	tlua_scripts *scripts;
	tl_script *next;
	bool shadow;
	char *path;
	tlua_source source;
	tlua_tally tally;
	tl_log_sink log;
	void *log_ud;
	/* the thread's */
	tlua_live *live; /* of a policy that is loaded */
	uint64_t gate_handle;
	tlua_version files; /* of the last attempt */
	uint64_t due_ms;    /* when its files are looked at; 0: nothing has changed */
	uint8_t digest[32];
	/* under the lock */
	tlua_script_state state;
	bool suspended_untold;
	tlua_gate *gate;         /* of a hook that is loaded; changed by the thread alone */
	tlua_governor *governor; /* of rules that are loaded; the same */
	bool suspended;          /* rules: they stay as they are until others are loaded */
	int64_t loaded_ms;
	char hash[17];
	char problem[TLUA_PROBLEM_MAX];
	char *shown; /* what a status gave out */
};

/* --- script.c --------------------------------------------------------------------------------- */

/* tl_script_load; `seat`, of a policy: that of a node that has just been opened, which waits for it
 * (tlua_seat_empty), NULL: none. */
int tlua_script_load_into(tl_node *node, tl_script_kind kind, tlua_seat *seat, const char *path,
	const tl_script_options *options, tl_script **out);
tl_script *tlua_script_new(tl_script_kind kind, const char *path, const tl_script_options *options);
void tlua_script_retain(tl_script *script);
void tlua_script_release(tl_script *script);
void tlua_script_log(const tl_script *script, tl_log_level level, const char *text);
/* The same of a text that does not name the file. */
void tlua_script_log_named(const tl_script *script, tl_log_level level, const char *text);

/* --- show.c: under the lock ------------------------------------------------------------------- */

int tlua_script_put_status(tl_script *script, tl_json_writer *writer);
int tlua_script_put_failures(tl_script *script, tl_json_writer *writer);
int tlua_script_put_differences(tl_script *script, tl_json_writer *writer);

/* --- node_scripts.c --------------------------------------------------------------------------------- */

void tlua_scripts_release(tlua_scripts *scripts); /* NULL is fine */
void tlua_scripts_lock(tlua_scripts *scripts);
void tlua_scripts_unlock(tlua_scripts *scripts);
/* Calls fn for each script of a node, under the lock, until it returns another code than TL_OK. */
int tlua_scripts_each(tl_node *node, int (*fn)(void *ud, tl_script *script), void *ud);
/* After the node was closed: until its thread has ended. */
void tlua_scripts_join(tl_node *node);

/* --- watch.c: the thread's -------------------------------------------------------------------- */

typedef struct tlua_watch tlua_watch;

tlua_watch *tlua_watch_new(void); /* NULL: the system has no more */
void tlua_watch_free(tlua_watch *watch);
int tlua_watch_fd(const tlua_watch *watch);
/* From now on the files of this script are those that it noted last. */
void tlua_watch_files(tlua_watch *watch, const tl_script *script);
void tlua_watch_forget(tlua_watch *watch, const tl_script *script);
/* Reads what there is; `changed` is called for each script of which a file may be another. */
void tlua_watch_read(tlua_watch *watch, void (*changed)(void *ud, tl_script *script), void *ud);

/* --- control.c -------------------------------------------------------------------------------- */

extern const tl_control_calls tlua_script_calls;

#endif
