/* A script: its file, whom it logs to, how often it was asked. */
#include "host/scripts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- its life --------------------------------------------------------------------------------- */

void tlua_script_log(const tl_script *script, tl_log_level level, const char *text)
{
	char line[2048];

	if (script->log) {
		(void)tl_text_escape((tl_str){text, strlen(text)}, line, sizeof line);
		script->log(script->log_ud, level, "script", line);
	} else {
		tl_log_print(level, "script", (tl_str){text, strlen(text)});
	}
}

void tlua_script_log_named(const tl_script *script, tl_log_level level, const char *text)
{
	char line[1024];

	snprintf(line, sizeof line, "%s: %s", script->source.name, text);
	tlua_script_log(script, level, line);
}

static void log_line(void *ud, tl_log_level level, const char *line)
{
	tlua_script_log(ud, level, line);
}

static void say(void *ud, tl_log_level level, const char *where, tl_str text)
{
	char line[1024];

	snprintf(line, sizeof line, "%s: %.*s", where, (int)(text.len < 900 ? text.len : 900),
		text.ptr);
	tlua_script_log(ud, level, line);
}

/* The process may go to another folder later. */
static char *absolute(const char *path)
{
	char folder[PATH_MAX], *whole = NULL;

	if (path[0] == '/')
		return strdup(path);
	if (!getcwd(folder, sizeof folder) || asprintf(&whole, "%s/%s", folder, path) < 0)
		return NULL;
	return whole;
}

static void free_script(tl_script *script)
{
	tlua_scripts_release(script->scripts);
	tlua_version_drop(&script->files);
	pthread_mutex_destroy(&script->tally.lock);
	free(script->tally.differences);
	free(script->shown);
	free(script->path);
	free(script);
}

tl_script *tlua_script_new(tl_script_kind kind, const char *path, const tl_script_options *options)
{
	tl_script *script = calloc(1, sizeof *script);
	const char *slash;

	if (!script)
		return NULL;
	atomic_init(&script->owners, 1);
	pthread_mutex_init(&script->tally.lock, NULL);
	script->path = absolute(path);
	if (!script->path) {
		free_script(script);
		return NULL;
	}
	slash = strrchr(script->path, '/');
	script->shadow = options->shadow;
	script->log = options->log;
	script->log_ud = options->log_ud;
	script->tally.log = log_line;
	script->tally.log_ud = script;
	script->source = (tlua_source){.kind = kind,
		.path = script->path,
		.name = slash ? slash + 1 : script->path,
		.say = say,
		.ud = script};
	return script;
}

void tlua_script_retain(tl_script *script)
{
	atomic_fetch_add(&script->owners, 1);
}

void tlua_script_release(tl_script *script)
{
	if (atomic_fetch_sub(&script->owners, 1) == 1)
		free_script(script);
}
