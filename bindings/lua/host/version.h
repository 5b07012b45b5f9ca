/* One version of a script: its files as they were when it was loaded, and what was made of them. */
#ifndef TL_LUA_VERSION_H
#define TL_LUA_VERSION_H

#include <limits.h>
#include <sys/stat.h>
#include <tidelock/script.h>
#include "gate/hook.h"
#include "host/policy.h"
#include "rules/rules.h"

/* Lives longer than what is loaded of it. */
typedef struct tlua_source {
	tl_script_kind kind;
	const char *path; /* absolute, or as the process finds it */
	const char *name; /* of the file, as errors show it */
	char me_name[TL_NODE_NAME_MAX + 1], me_key[TL_KEY_TEXT_LEN + 1];
	void (*say)(void *ud, tl_log_level level, const char *where, tl_str text);
	void *ud;
	struct loading *loading; /* while a version is loaded */
} tlua_source;

/* A file that was asked for, whether it was there or not. */
typedef struct tlua_read {
	char path[PATH_MAX];
	off_t size; /* -1: it was not there */
	struct timespec changed;
} tlua_read;

typedef struct tlua_version {
	tlua_policy *policy; /* what was made: one of these, which whoever has the version closes */
	tlua_hook *hook;
	tlua_rules *rules;
	tlua_read *files; /* its own first */
	size_t count;
	uint8_t digest[32]; /* of their names and texts */
	tlua_failure why;   /* where nothing was made */
} tlua_version;

/* Reads, compiles and runs the files; false: `why` tells. Drop the version in any case. */
bool tlua_version_load(tlua_source *source, tlua_version *out);
/* The files and what was noted of them; not what was made. */
void tlua_version_drop(tlua_version *version);
void tlua_version_close(tlua_version *version); /* what was made */
/* Whether a file is not as it was noted; notes it. */
bool tlua_version_changed(tlua_version *version);

#endif
