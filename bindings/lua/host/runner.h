/* The scripts of a node as its thread and those who ask it share them. */
#ifndef TL_LUA_RUNNER_H
#define TL_LUA_RUNNER_H

#include "host/scripts.h"

#define TLUA_QUIET_MS 50 /* without a change, until a file is taken for whole */

typedef enum tlua_job_kind {
	TLUA_JOB_LOAD,
	TLUA_JOB_RELOAD,
	TLUA_JOB_UNLOAD,
	TLUA_JOB_PROMOTE
} tlua_job_kind;

typedef struct tlua_job {
	struct tlua_job *next;
	tlua_job_kind kind;
	tl_script *script;
	tlua_seat *seat;
	int rc;
	char message[TLUA_PROBLEM_MAX]; /* where it failed */
	bool done;
} tlua_job;

struct tlua_scripts {
	tlua_scripts *next; /* of the process */
	tl_node *node;      /* until the thread ends */
	const tl_node *of;  /* the same, to be known by */
	pid_t process;
	atomic_uint owners; /* the thread, each script, each seat, the node */
	pthread_mutex_t lock;
	pthread_cond_t turned;
	int wake; /* until the thread ends */
	tlua_job *jobs;
	tl_script *list;
	tlua_live *closing;
	size_t lives;          /* that are not closed */
	tlua_seat *current;    /* what the core has of us */
	bool displaced;        /* it was taken away */
	bool lost;             /* the node is closed */
	uint64_t close_handle; /* of the hook that tells so */
	bool over;             /* the thread ends: it takes no scripts any more */
	bool alive;
	/* the thread's */
	tlua_watch *watch;
	uint64_t turn_ms; /* when rules have something to do; UINT64_MAX: none have */
};

/* --- node_scripts.c --------------------------------------------------------------------------- */

/* Guards the list of all nodes' scripts, and is taken before the lock of any. */
void tlua_registry_lock(void);
void tlua_registry_unlock(void);
/* Under both locks of the registry: those of the node; NULL: it has none. */
tlua_scripts *tlua_scripts_of(const tl_node *node);
/* The same, new and without a thread. */
tlua_scripts *tlua_scripts_make(tl_node *node);
void tlua_scripts_take_out(tlua_scripts *scripts);
void tlua_scripts_wake(const tlua_scripts *scripts); /* under its lock */

/* --- loading.c: the thread's ------------------------------------------------------------------ */

/* Loads the files and puts them to work in place of what is there. `seat`: as for
 * tlua_script_load_into. */
int tlua_script_reload_now(tl_script *script, tlua_seat *seat);
int tlua_script_unload_now(tl_script *script);
int tlua_script_promote_now(tl_script *script);
/* Out of the list, of the watch and of what it was loaded as. */
void tlua_script_forget(tl_script *script);
void tlua_close_dropped(tlua_scripts *scripts);

/* --- hooks.c: the thread's -------------------------------------------------------------------- */

/* Asked from now on; takes the hook over in any case. TL_E_BAD_SCRIPT: *why tells. */
int tlua_script_replace_hook(tl_script *script, tlua_hook *hook, tlua_failure *why);
void tlua_script_end_hook(tl_script *script); /* nothing for a policy */
/* Those that were suspended since the last time. */
void tlua_tell_suspended(tlua_scripts *scripts);

/* --- ruled.c: the thread's -------------------------------------------------------------------- */

/* At work from now on; takes the rules over in any case, and on an error the old ones stay. */
int tlua_script_replace_rules(tl_script *script, tlua_rules *rules);
void tlua_script_end_rules(tl_script *script); /* nothing for a policy */

/* --- runner.c --------------------------------------------------------------------------------- */

int tlua_scripts_start(tlua_scripts *scripts); /* an errno */

#endif
