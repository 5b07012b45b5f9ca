/* A node: one store, its keys and databases, the background engine, events and operations.
 *
 * Threads: every function may be called from any thread unless its comment says otherwise. A node
 * has an engine thread and a store worker of its own; callbacks given to tl_op_then and tl_hook run
 * on the threads named at their place, never on the engine's.
 *
 * A data directory belongs to one process. An open node stays in its directory wherever that is
 * moved; once it is removed, writes and what opens files anew fail with `io`. Paths are plain file
 * names. Every descriptor is closed by exec.
 *
 * fork(): a node stays with the process that opened it. In the child everything that uses it, or
 * what came from it, fails with `bad_state`; closing and freeing are fine and touch nothing. What
 * a child wants to open itself, it opens in a program that it starts with exec: it has copies of
 * the locks of threads that it lacks, those of other libraries too, and a directory that was open
 * at the fork is refused there. */
#ifndef TIDELOCK_NODE_H
#define TIDELOCK_NODE_H

#include <tidelock/database.h>
#include <tidelock/ext.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_node tl_node;

/* --- opening ---------------------------------------------------------------------------------- */

typedef enum tl_durability {
	TL_DURABILITY_FULL = 0,   /* what was acknowledged survives power loss */
	TL_DURABILITY_RELAXED = 1 /* survives SIGKILL; the last moments may be lost at power loss */
} tl_durability;

/* How the node synchronises; tl_sync_configure changes it while it runs. */
typedef struct tl_sync_options {
	size_t size;
	uint32_t periodic_ms;         /* 0 = default 300,000; TL_NEVER = off */
	uint32_t connection_check_ms; /* 0 = default 60,000; TL_NEVER = off */
	uint32_t commit_gap_ms;       /* between sends while commits keep coming; 0 = default 20 */
	uint32_t retry_max_ms;        /* longest wait between attempts; 0 = default 64,000 */
	uint32_t max_attempts;        /* in vain, in a row; 0 = default 10; TL_NEVER = unlimited */
	/* Of an answer in one piece, as 0.2.0 gives it; what does not fit 4 MiB waits in a file
	 * without a name in $TMPDIR, or /tmp, until it is verified. 0 = default 1 GiB. */
	uint64_t max_response_bytes;
	/* Switches: TL_ON or TL_OFF; 0 = default. */
	uint8_t on_commit; /* send on commit; on */
	uint8_t v0_claims; /* serve on an unproven v0 `requesting_key`, as 0.2.0 does; off */
	uint8_t require_encryption; /* refuse plain HTTP off loopback; off */
	uint8_t allow_tls_proxy;    /* accept a channel that differs, as behind a TLS proxy; off */
	/* Key texts whose owners may give us databases we do not know. */
	const char *const *accept_databases_from;
	size_t accept_databases_from_count;
	/* Largest message with entries that is sent or asked for, 64 KiB to 1 MiB; a larger entry
	 * goes alone. Reverse proxies often let no more than 1 MiB pass. 0 = default 1,048,576. */
	uint32_t max_page_bytes;
} tl_sync_options;

#define TL_NEVER UINT32_MAX
#define TL_ON    1
#define TL_OFF   2
#define TL_SYNC_OPTIONS_INIT                                                                       \
	{                                                                                          \
		sizeof(tl_sync_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0                  \
	}

/* Begin with TL_NODE_CONFIG_INIT: zeros alone would ask for every line of the log. */
typedef struct tl_node_config {
	size_t size;
	const char *path; /* data directory, created when missing; NULL: everything in memory */
	tl_durability durability;
	const char *name; /* shown to peers, at most 255 bytes of UTF-8; NULL: "tidelock" */
	/* Opens sealed keys and seals new ones. NULL: keys are stored unsealed (mode 0600). */
	const char *passphrase;
	size_t passphrase_len;
	bool without_sync;           /* no engine: store, keys and databases only */
	const tl_sync_options *sync; /* NULL: the defaults */
	tl_log_sink log;             /* NULL: stderr, in the form of tl_log_format */
	void *log_ud;
	tl_log_level log_level;
	/* Stands before the usual rights from the first question on; a node that cannot be opened
	 * calls nothing of it. NULL: none. Since 0.3. */
	const tl_policy *policy;
	/* Hooks of the node, as tl_node_add_hook adds them, that are asked about the first commit
	 * already, whoever makes it. The same holds for them. Since 0.3. */
	const tl_hook *const *hooks;
	size_t hook_count;
} tl_node_config;

#define TL_NODE_CONFIG_INIT                                                                        \
	{                                                                                          \
		sizeof(tl_node_config), NULL, TL_DURABILITY_FULL, NULL, NULL, 0, false, NULL,      \
			NULL, NULL, TL_LOG_WARNING, NULL, NULL, 0                                  \
	}

/* Opens a node, and creates store and device key when they are missing. Blocks for the store's
 * opening (and argon2id with a passphrase). *out is NULL on failure, and the thread's last error
 * says why: TL_E_ALREADY_OPEN, TL_E_STORE_LOCKED (another process, named), TL_E_STORE_DAMAGED,
 * TL_E_STORE_NEWER, TL_E_STORE_READ_ONLY, TL_E_WRONG_PASSPHRASE, TL_E_IO. *out is yours:
 * tl_node_close.
 */
TL_API int tl_node_open(tl_node **out, const tl_node_config *config) TL_MUST_USE;
/* Closes the node: sends what is due for up to 5 s, stops the engine, closes the store.
 *
 * Other threads may call the node meanwhile, and so may callbacks. From the first moment on new
 * calls give TL_E_CLOSED, on the node and on the databases and transactions that it gave out; calls
 * that are under way end as usual, and tl_node_run returns; operations that are not done end with
 * TL_E_CLOSED, their callbacks run. It returns when no other thread is in a call on the node any
 * more, so a callback that waits for the thread that closes keeps it for ever. It may itself be
 * called from a callback (not from a policy or a transport, which run on the engine's thread: there
 * it does nothing but log).
 *
 * Afterwards the pointer is not to be used again: a call that races with the closing, or comes
 * later, gives TL_E_CLOSED as long as no other node was opened, which may get the same address. A
 * thread that must be sure holds a reference of its own (tl_node_retain). Databases, transactions
 * and stores that are still open keep the store open until they are freed. Closing twice does
 * nothing, and NULL is fine. */
TL_API void tl_node_close(tl_node *node);
/* The same with another limit for the sending, in milliseconds; 0 = at once. */
TL_API void tl_node_close_within(tl_node *node, uint32_t flush_ms);
/* Another reference to the handle, of an open node or of one that somebody holds: it keeps the
 * handle's memory, not the node open. Once the node is closed, calls with it give TL_E_CLOSED. NULL
 * gives NULL. Since 0.3. */
TL_API tl_node *tl_node_retain(tl_node *node);
/* Gives back a reference of tl_node_retain (that of tl_node_open goes with tl_node_close). NULL is
 * fine. Since 0.3. */
TL_API void tl_node_free(tl_node *node);
/* The library's version as a text, "0.3.0" (static storage), and as TL_VERSION_NUMBER. */
TL_API const char *tl_version(void);
TL_API unsigned long tl_version_number(void);

/* What it is called, as peers are told; `out` has room for TL_NODE_NAME_MAX + 1 bytes. Since 0.3.
 */
#define TL_NODE_NAME_MAX 255
TL_API int tl_node_name(tl_node *node, char out[TL_NODE_NAME_MAX + 1]) TL_MUST_USE;

/* --- keys ------------------------------------------------------------------------------------- */

/* The device key's text; `out` has room for TL_KEY_TEXT_LEN + 1. */
TL_API int tl_node_device_key(tl_node *node, char out[TL_KEY_TEXT_LEN + 1]) TL_MUST_USE;
/* Makes a key, from `seed` (NULL: random). TL_E_ALREADY_EXISTS when the name is taken (a name with
 * the same seed is fine). `out` (may be NULL) receives the public key's text. */
TL_API int tl_node_add_private_key(tl_node *node, const char *name,
	const uint8_t seed[TL_SEED_BYTES], char out[TL_KEY_TEXT_LEN + 1]) TL_MUST_USE;
/* TL_E_KEY_NOT_FOUND. */
TL_API int tl_node_get_public_key(
	tl_node *node, const char *name, char out[TL_KEY_TEXT_LEN + 1]) TL_MUST_USE;
TL_API int tl_node_export_private_key(
	tl_node *node, const char *name, uint8_t seed[TL_SEED_BYTES]) TL_MUST_USE;
TL_API int tl_node_remove_private_key(tl_node *node, const char *name) TL_MUST_USE;
/* Names in ascending order, the device key left out. The texts live during the call. */
TL_API int tl_node_list_private_keys(tl_node *node, tl_name_visit visit, void *ud) TL_MUST_USE;

/* --- databases -------------------------------------------------------------------------------- */

/* Creates a database with these settings (a Doc; NULL: empty), signed by the named key, which
 * becomes its first admin unless the settings hold an `auth` Doc. *out is yours. */
TL_API int tl_node_new_database(tl_node *node, const tl_value *settings, const char *key_name,
	tl_database **out) TL_MUST_USE;
/* TL_E_DATABASE_NOT_FOUND when its root is not held. */
TL_API int tl_node_load_database(tl_node *node, const tl_id *root, tl_database **out) TL_MUST_USE;
/* The first database (by id) whose present settings have this name; TL_E_DATABASE_NOT_FOUND. */
TL_API int tl_node_find_database(tl_node *node, const char *name, tl_database **out) TL_MUST_USE;
/* Root ids in ascending order; system databases (`_sync`) only when asked for. */
TL_API int tl_node_all_databases(
	tl_node *node, bool with_system, tl_id_visit visit, void *ud) TL_MUST_USE;
/* Reads canonical entries, one a line, the root first, and verifies each; makes the database known.
 * Others may come in any order: one waits for what it builds on, which may be far behind. `read`
 * fills at most `cap` bytes, returns 0 at the end, negative on failure: TL_E_CANCELLED ends the
 * import with that code. *root receives its id. Fails when a line is no entry, an altered one, or
 * one whose parent is missing at the end: the error has its code, and names the first such line,
 * why, and how many entries entered and stay. *entered is set in every case.
 *
 * A line {"entries":N,"sha256":"D"} closes an export: N is the number of lines with entries before
 * it (since the last such line), D the exclusive or of the SHA-256 of each, without its line end,
 * as 64 lower-case hex digits. Where it does not fit, lines are missing, too many or others, which
 * fails with TL_E_BAD_ENTRY. So does, once all lines are read, a text whose first line is empty and
 * whose last one neither closes it nor is empty (as before 0.3 had counts): it was cut off. With
 * neither an empty first line nor a closing one, as 0.2 wrote them, a line that nothing builds on
 * can be missing without a word. Other empty lines are passed over. */
TL_API int tl_node_import(tl_node *node, ptrdiff_t (*read)(void *ud, void *out, size_t cap),
	void *ud, tl_id *root, uint64_t *entered) TL_MUST_USE;
/* tl_database_verify of every database, system ones included, with the store's file checked once.
 */
TL_API int tl_node_verify(
	tl_node *node, const tl_verify_options *options, tl_verify_result *result) TL_MUST_USE;
/* How to make a backup; zeroed members are left out. */
typedef struct tl_backup_options {
	size_t size;
	/* Called after each MiB or so, on the caller's thread: bytes copied and bytes there are.
	 * false ends the backup with TL_E_CANCELLED. Must not call the library. */
	bool (*progress)(void *ud, uint64_t done, uint64_t total);
	void *ud;
} tl_backup_options;

#define TL_BACKUP_OPTIONS_INIT                                                                     \
	{                                                                                          \
		sizeof(tl_backup_options), NULL, NULL                                              \
	}

/* A consistent copy of the store as the new file `file`, of the moment of the call; others read and
 * write meanwhile. Blocks. TL_E_ALREADY_EXISTS when there is such a file; one that fails or is
 * ended leaves none. `file` is a plain file name. Until the copy is whole it grows under that name
 * with TL_BACKUP_PARTIAL behind it: what is left of a process that was killed is never taken for a
 * backup, and the next backup to `file` takes it away. TL_E_BUSY while another one is under way
 * there. */
#define TL_BACKUP_PARTIAL ".backup-partial"
TL_API int tl_node_backup_with(
	tl_node *node, const char *file, const tl_backup_options *options) TL_MUST_USE;
/* The same without options. */
TL_API int tl_node_backup(tl_node *node, const char *file) TL_MUST_USE;

/* Hooks of the node: called for every local commit (tidelock/ext.h). *handle names it for removal.
 */
TL_API int tl_node_add_hook(tl_node *node, const tl_hook *hook, uint64_t *handle) TL_MUST_USE;
TL_API void tl_node_remove_hook(tl_node *node, uint64_t handle);

/* --- operations ------------------------------------------------------------------------------- */

/* An asynchronous call. Its callback runs exactly once, from tl_node_dispatch (or tl_node_run, or
 * tl_op_wait), also after a timeout or cancel. */
typedef struct tl_op tl_op;

/* Blocks until it is done, dispatching this node's callbacks and not its events meanwhile;
 * timeout_ms 0 = no limit of its own. Returns the operation's result code; TL_E_TIMEOUT cancels it.
 */
TL_API int tl_op_wait(tl_op *op, uint32_t timeout_ms) TL_MUST_USE;
TL_API bool tl_op_done(const tl_op *op);
/* Result code of a done operation; the details become this thread's last error. */
TL_API int tl_op_result(const tl_op *op);
/* What it produced: a key text, an id, or JSON, as the call that made it says; "" when nothing.
 * Belongs to the operation. */
TL_API const char *tl_op_text(const tl_op *op);
TL_API void tl_op_then(tl_op *op, void (*call)(void *ud, tl_op *op), void *ud);
TL_API void tl_op_cancel(tl_op *op);
/* Releases the handle, also from the operation's own callback, while tl_op_wait waits for it, too;
 * an unfinished operation goes on without it. NULL is fine. */
TL_API void tl_op_free(tl_op *op);

/* --- events ----------------------------------------------------------------------------------- */

/* X(symbol, number, name). Numbers are never reused; a later version may have more. */
#define TL_EVENT_KINDS(X)                                                                          \
	X(ENTRY_COMMITTED, 0, "entry_committed")      /* db, entry, number = arrival */            \
	X(ENTRIES_RECEIVED, 1, "entries_received")    /* db, peer, number = how many entered */    \
	X(PEER_CONNECTED, 2, "peer_connected")        /* peer, text = address */                   \
	X(PEER_UNREACHABLE, 3, "peer_unreachable")    /* peer, code, text = its sentence */        \
	X(SYNC_FINISHED, 4, "sync_finished")          /* peer, db, number = entries moved */       \
	X(SYNC_FAILED, 5, "sync_failed")              /* peer, db, code, text = its sentence */    \
	X(SYNC_STALLED, 6, "sync_stalled")            /* peer, db, code, text = its sentence */    \
	X(ACCESS_REQUESTED, 7, "access_requested")    /* db, text = request id */                  \
	X(SERVER_STARTED, 8, "server_started")        /* text = address */                         \
	X(SERVER_STOPPED, 9, "server_stopped")        /* text = address */                         \
	X(OVERFLOW, 10, "overflow")                   /* number = events lost */                   \
	X(ACCESS_GRANTED, 11, "access_granted")       /* peer, db, text = request id */            \
	X(ACCESS_REFUSED, 12, "access_refused")       /* peer, db, text = request id */            \
	X(PEER_DISCONNECTED, 13, "peer_disconnected") /* peer, text = where it came from */        \
	X(SYNC_PROGRESS, 14, "sync_progress")       /* peer, db, number = entries so far, text */  \
	X(FACT_CHANGED, 15, "fact_changed")         /* text = its name */                          \
	X(SCRIPT_SUSPENDED, 16, "script_suspended") /* text = its file */                          \
	X(PEER_CHANGED, 17, "peer_changed") /* peer: new, of another name or status, or gone */    \
	X(PEER_PATH, 18, "peer_path")       /* peer (when known), text = direct or relayed, where */

typedef enum tl_event_kind {
#define TL_EVENT_ENUM(symbol, number, name) TL_EVENT_##symbol = (number),
	TL_EVENT_KINDS(TL_EVENT_ENUM)
#undef TL_EVENT_ENUM
} tl_event_kind;

/* "unknown" for a number that is none. Static storage. */
TL_API const char *tl_event_name(tl_event_kind kind);

typedef struct tl_event {
	size_t size; /* set it before tl_next_event; it stays */
	tl_event_kind kind;
	bool has_peer, has_db, has_entry;
	tl_key peer;
	tl_id db;
	tl_id entry;
	uint64_t number;
	int64_t time_ms; /* Unix */
	char text[512];
	int code; /* of an error (tidelock/error.h), else TL_OK. Since 0.3 */
} tl_event;

#define TL_EVENT_INIT                                                                              \
	{                                                                                          \
		sizeof(tl_event), TL_EVENT_ENTRY_COMMITTED, false, false, false, {{0}}, {{0}},     \
			{{0}}, 0, 0, "", TL_OK                                                     \
	}

/* Takes the next event: 1 when *out was filled, 0 when there is none now, TL_E_BAD_ARGUMENT when
 * its size is not set. The queue holds 10,000, then one overflow event; the change feed by arrival
 * number loses nothing. Events are kept only after the first call of this function or of
 * tl_node_fd. */
TL_API int tl_next_event(tl_node *node, tl_event *out);

/* Tells a line of the log and an event of what is not the library's own: SCRIPT_SUSPENDED, which
 * belongs to whoever runs scripts (tidelock/script.h). `text` is cut at 511 bytes. Not from a
 * hook or a callback of the engine. TL_E_BAD_ARGUMENT for another kind. Since 0.3. */
TL_API int tl_node_tell(tl_node *node, tl_event_kind kind, const char *text) TL_MUST_USE;

/* Is called with every event, whoever else reads them. Since 0.3. */
typedef struct tl_listener {
	size_t size;
	/* On whatever thread it happened, the engine's or one that commits: must not block, nor
	 * use the node. Borrowed for the call. */
	void (*event)(void *ud, const tl_event *event);
	/* Once and behind the last event: when it is taken away, or the node closes. May be NULL.
	 */
	void (*drop)(void *ud);
	void *ud;
} tl_listener;

#define TL_LISTENER_INIT                                                                           \
	{                                                                                          \
		sizeof(tl_listener), NULL, NULL, NULL                                              \
	}

/* At most 16 (TL_E_TOO_LARGE). *handle names it for tl_node_unlisten. Since 0.3. */
TL_API int tl_node_listen(tl_node *node, const tl_listener *listener, uint64_t *handle) TL_MUST_USE;
/* It is not called any more once this returns; not from one of its own calls. Since 0.3. */
TL_API void tl_node_unlisten(tl_node *node, uint64_t handle);

/* Own loop: readable when tl_node_dispatch or tl_next_event has something to do. Belongs to the
 * node; take it out of the loop before the node is closed. A negative number is an error's code. */
TL_API int tl_node_fd(tl_node *node);
/* Runs the callbacks of done operations on this thread. Never blocks. Nothing to do in a node that
 * is closed. */
TL_API void tl_node_dispatch(tl_node *node);
/* Dispatches until tl_node_stop, or until the node is closed. Blocks meanwhile. */
TL_API int tl_node_run(tl_node *node);
/* Also from a signal handler, while the node is open or retained. */
TL_API void tl_node_stop(tl_node *node);

#ifdef __cplusplus
}
#endif
#endif
