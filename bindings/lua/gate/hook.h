/* A hook file: asked about a commit, it lets it pass or refuses it. Knows no node. */
#ifndef TL_LUA_HOOK_FILE_H
#define TL_LUA_HOOK_FILE_H

#include <tidelock/database.h>
#include "script/cell.h"

#define TLUA_REFUSAL_MAX (TLUA_WHERE_MAX + TLUA_TEXT_MAX + 32)
#define TLUA_GATE_REASON 201   /* of a hook's own words: 200 bytes and a zero */
#define TLUA_CHANGES_MAX 10000 /* of an entry; reading more of them raises */

typedef struct tlua_hook tlua_hook;

/* What it says of a commit. */
typedef struct tlua_ruling {
	bool passes;
	tlua_end end; /* TLUA_FINE: it said so itself; else it failed, and refuses */
	char reason[TLUA_REFUSAL_MAX];
} tlua_ruling;

/* Loads a hook file: the options' profile is set here, `find` is the caller's. *out is the
 * caller's, NULL unless TLUA_FINE. */
tlua_end tlua_hook_open(const tlua_cell_options *options, tlua_hook **out, tlua_failure *why);
void tlua_hook_close(tlua_hook *hook); /* NULL is fine */
/* Whether it speaks of this database. Reads what never changes: any thread. */
bool tlua_hook_means(const tlua_hook *hook, tl_str db_name, const tl_id *db);
/* What `before` saves is restored here, where both can. */
tlua_end tlua_hook_inherit(tlua_hook *hook, tlua_hook *before, tlua_failure *why);
/* Asks before_commit. */
void tlua_hook_ask(tlua_hook *hook, const tl_hook_context *context, tlua_ruling *out);
/* For its failures and what it used. */
tlua_cell *tlua_hook_cell(tlua_hook *hook);

/* --- context.c -------------------------------------------------------------------------------- */

/* What a hook is told of a commit. */
typedef struct tlua_commit {
	tlua_lazy lazy;
	const tl_hook_context *context;
	tl_value *held; /* is being pushed; freed when the call has ended, however it did */
	size_t changes; /* pushed so far */
} tlua_commit;

void tlua_commit_begin(tlua_commit *commit, const tl_hook_context *context);
void tlua_commit_end(tlua_commit *commit);

#endif
