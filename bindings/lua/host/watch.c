/* Which files of scripts may have changed: inotify on their folders, for names that come and go,
 * and on the files themselves, for what is written to them: what is written to others wakes nobody.
 */
#include "host/scripts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES    (IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE)
#define CONTENTS (IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB)

/* A file of a script, or a name in a folder. */
typedef struct place {
	const tl_script *script;
	int number;              /* inotify's */
	char name[NAME_MAX + 1]; /* in the folder; empty: of the file */
} place;

struct tlua_watch {
	int fd;
	place *places;
	size_t count;
};

tlua_watch *tlua_watch_new(void)
{
	tlua_watch *watch = calloc(1, sizeof *watch);

	if (!watch)
		return NULL;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd >= 0)
		return watch;
	free(watch);
	return NULL;
}

void tlua_watch_free(tlua_watch *watch)
{
	if (!watch)
		return;
	close(watch->fd);
	free(watch->places);
	free(watch);
}

int tlua_watch_fd(const tlua_watch *watch)
{
	return watch ? watch->fd : -1;
}

void tlua_watch_forget(tlua_watch *watch, const tl_script *script)
{
	size_t kept = 0;

	if (!watch)
		return;
	for (size_t i = 0; i < watch->count; i++)
		if (watch->places[i].script != script)
			watch->places[kept++] = watch->places[i];
	watch->count = kept;
}

/* What is not there is watched from the next loading on. What scripts had that are gone is watched
 * until the thread ends. */
static void add(tlua_watch *watch, const tl_script *script, const char *path, uint32_t events,
	const char *name)
{
	int number = inotify_add_watch(watch->fd, path, events);
	place *more =
		number >= 0 ? realloc(watch->places, (watch->count + 1) * sizeof *more) : NULL;

	if (!more)
		return;
	watch->places = more;
	more += watch->count++;
	*more = (place){.script = script, .number = number};
	snprintf(more->name, sizeof more->name, "%s", name);
}

/* The name itself, in its folder. */
static void add_name(tlua_watch *watch, const tl_script *script, const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
		slash ? path : ".");
	add(watch, script, folder, NAMES | IN_ONLYDIR, slash ? slash + 1 : path);
}

static void add_file(tlua_watch *watch, const tl_script *script, const char *path)
{
	add_name(watch, script, path);
	add(watch, script, path, CONTENTS, "");
}

/* Folders on the way that are links: another one may take their place. */
static void add_links(tlua_watch *watch, const tl_script *script, const char *path)
{
	char way[PATH_MAX];

	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		struct stat is;

		snprintf(way, sizeof way, "%.*s", (int)(at - path), path);
		if (lstat(way, &is) == 0 && S_ISLNK(is.st_mode))
			add_name(watch, script, way);
	}
}

void tlua_watch_files(tlua_watch *watch, const tl_script *script)
{
	if (!watch)
		return;
	tlua_watch_forget(watch, script);
	for (size_t i = 0; i < script->files.count; i++) {
		const char *path = script->files.files[i].path;
		char *real = realpath(path, NULL);

		add_file(watch, script, path);
		if (real && strcmp(real, path) != 0) { /* it is reached by links */
			add_links(watch, script, path);
			add_file(watch, script, real);
		}
		free(real);
	}
}

static void match(tlua_watch *watch, const struct inotify_event *event,
	void (*changed)(void *ud, tl_script *script), void *ud)
{
	bool all = event->mask & IN_Q_OVERFLOW;

	for (size_t i = 0; i < watch->count; i++) {
		const place *p = &watch->places[i];

		if (all || (p->number == event->wd &&
				   strcmp(p->name, event->len > 0 ? event->name : "") == 0))
			changed(ud, (tl_script *)(uintptr_t)p->script);
	}
}

void tlua_watch_read(tlua_watch *watch, void (*changed)(void *ud, tl_script *script), void *ud)
{
	_Alignas(struct inotify_event) char bytes[16 << 10];
	ssize_t got;

	while ((got = read(watch->fd, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
		for (ssize_t at = 0; at < got;) {
			const struct inotify_event *event = (const void *)(bytes + at);

			match(watch, event, changed, ud);
			at += (ssize_t)(sizeof *event + event->len);
		}
}
