#include "host/version.h"
#include "host/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- files ------------------------------------------------------------------------------------ */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* How the file is now; whether that is another way than before. */
static bool look(tlua_read *file)
{
	const tlua_read before = *file;
	struct stat is;

	file->size = -1;
	file->changed = (struct timespec){0, 0};
	if (stat(file->path, &is) == 0) {
		file->size = is.st_size;
		file->changed = is.st_mtim;
	}
	return before.size != file->size || !same_time(&before.changed, &file->changed);
}

bool tlua_version_changed(tlua_version *version)
{
	bool changed = false;

	for (size_t i = 0; i < version->count; i++)
		changed |= look(&version->files[i]);
	return changed;
}

/* Before it is read, so that what is written meanwhile is a change. */
static tlua_read *note_file(tlua_version *version, const char *folder, const char *name)
{
	tlua_read *more = realloc(version->files, (version->count + 1) * sizeof *version->files);

	if (!more)
		return NULL;
	version->files = more;
	more += version->count;
	memset(more, 0, sizeof *more);
	if (snprintf(more->path, sizeof more->path, "%s%s", folder, name) >= PATH_MAX)
		return NULL;
	version->count++;
	(void)look(more);
	return more;
}

/* A digest of what came before, the name and the text. */
static void add_text(tlua_version *version, const char *name, const char *text, size_t len)
{
	uint8_t parts[3][32];

	memcpy(parts[0], version->digest, 32);
	tl_sha256(name, strlen(name), parts[1]);
	tl_sha256(text, len, parts[2]);
	tl_sha256(parts, sizeof parts, version->digest);
}

/* --- loading ---------------------------------------------------------------------------------- */

typedef struct loading {
	tlua_version *version;
	char folder[PATH_MAX]; /* with a slash behind it, or empty */
} loading;

static bool find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out)
{
	loading *l = ((tlua_source *)ud)->loading;
	bool found = tlua_folder_find(l->folder[0] ? l->folder : ".", wanted, name, out);

	if (out->ours)
		return found;
	if (!note_file(l->version, l->folder, out->name)) {
		if (found)
			free(out->text);
		snprintf(out->problem, sizeof out->problem, "not enough memory for '%.60s'", name);
		return false;
	}
	if (found)
		add_text(l->version, out->name, out->text, out->len);
	return found;
}

static void say(void *ud, tl_log_level level, const char *where, tl_str text)
{
	const tlua_source *source = ud;

	source->say(source->ud, level, where, text);
}

static void fail(tlua_version *version, const char *name, const char *text, tlua_end end)
{
	version->why = (tlua_failure){.end = end};
	tlua_copy_text(version->why.where, sizeof version->why.where, name);
	tlua_copy_text(version->why.text, sizeof version->why.text, text);
}

static bool compile(tlua_source *source, const tlua_found *file)
{
	tlua_version *version = source->loading->version;
	tlua_cell_options options = {.name = source->name,
		.source = {file->text, file->len},
		.me_name = {source->me_name, strlen(source->me_name)},
		.me_key = {source->me_key, strlen(source->me_key)},
		.find = find,
		.say = say,
		.ud = source};

	add_text(version, source->name, file->text, file->len);
	if (source->kind == TL_SCRIPT_HOOK)
		return tlua_hook_open(&options, &version->hook, &version->why) == TLUA_FINE;
	if (source->kind == TL_SCRIPT_RULES)
		return tlua_rules_open(&options, &version->rules, &version->why) == TLUA_FINE;
	return tlua_policy_open(&options, &version->policy, &version->why) == TLUA_FINE;
}

bool tlua_version_load(tlua_source *source, tlua_version *out)
{
	loading l = {.version = out};
	const char *slash = strrchr(source->path, '/');
	size_t folder = slash ? (size_t)(slash - source->path) + 1 : 0;
	tlua_found file = {0};
	bool good = false;

	memset(out, 0, sizeof *out);
	source->loading = &l;
	snprintf(l.folder, sizeof l.folder, "%.*s", (int)folder, source->path);
	snprintf(file.name, sizeof file.name, "%s", source->name);
	if (strlen(source->path) >= PATH_MAX)
		fail(out, source->name, "its path is too long", TLUA_UNREADABLE);
	else if (!note_file(out, "", source->path))
		fail(out, source->name, "not enough memory", TLUA_NO_MEMORY);
	else if (!tlua_folder_read(source->path, TLUA_FILE_MAX, &file))
		fail(out, source->name, file.problem, TLUA_UNREADABLE);
	else
		good = compile(source, &file);
	source->loading = NULL;
	free(file.text);
	return good;
}

void tlua_version_drop(tlua_version *version)
{
	free(version->files);
	version->files = NULL;
	version->count = 0;
}

void tlua_version_close(tlua_version *version)
{
	tlua_policy_close(version->policy);
	tlua_hook_close(version->hook);
	tlua_rules_close(version->rules);
	version->policy = NULL;
	version->hook = NULL;
	version->rules = NULL;
}
