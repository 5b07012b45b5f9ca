#include "host/folder.h"
#include "module/halves.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(tlua_found *out, const char *why)
{
	snprintf(out->problem, sizeof out->problem, "'%s' %s", out->name, why);
	return false;
}

static bool refuse_system(tlua_found *out)
{
	char why[128];

	snprintf(why, sizeof why, "cannot be read: %s", strerror(errno));
	return refuse(out, why);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool refuse_length(size_t most, tlua_found *out)
{
	char why[128];

	snprintf(why, sizeof why, "is too long: %s has at most %zu MiB",
		most == TLUA_RING_MAX ? "a keyring" : "a script", most >> 20);
	return refuse(out, why);
}

/* One byte more than allowed shows that it is too long. */
static bool read_all(int fd, size_t most, tlua_found *out)
{
	size_t cap = 4096;

	out->text = malloc(cap);
	while (out->text) {
		ssize_t got = read(fd, out->text + out->len, cap - out->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse_system(out);
		if (got == 0)
			return true;
		out->len += (size_t)got;
		if (out->len > most)
			return refuse_length(most, out);
		if (out->len == cap) {
			char *more = realloc(out->text, cap *= 2);

			if (!more)
				return refuse(out, "cannot be read: not enough memory");
			out->text = more;
		}
	}
	return refuse(out, "cannot be read: not enough memory");
}

bool tlua_folder_read(const char *path, size_t most, tlua_found *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat is;
	bool good = false;

	out->text = NULL;
	out->len = 0;
	if (fd < 0)
		return refuse_system(out);
	if (fstat(fd, &is) != 0)
		refuse_system(out);
	else if (!S_ISREG(is.st_mode))
		refuse(out, "is no file");
	else
		good = read_all(fd, most, out);
	(void)close(fd);
	if (!good) {
		free(out->text);
		out->text = NULL;
	}
	return good;
}

/* --- places ----------------------------------------------------------------------------------- */

/* Whether a path as the system resolved it lies in a folder, resolved as well. */
static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	if (strcmp(folder, "/") == 0)
		return true;
	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* The path as it is without links; false where it does not lie in the folder. */
static bool resolve(const char *folder, tlua_found *out, char path[PATH_MAX])
{
	char joined[PATH_MAX], *real_folder = realpath(folder, NULL), *real = NULL;
	bool good = false;

	if (!real_folder) {
		refuse_system(out);
	} else if (snprintf(joined, sizeof joined, "%s/%s", real_folder, out->name) >=
		   (int)sizeof joined) {
		refuse(out, "has too long a path");
	} else {
		real = realpath(joined, NULL);
		if (!real)
			refuse_system(out);
		else if (!lies_in(real, real_folder))
			refuse(out, "lies outside the folder of the script");
		else
			good = snprintf(path, PATH_MAX, "%s", real) < PATH_MAX;
	}
	free(real);
	free(real_folder);
	return good;
}

/* "a.b" is a/b.lua. */
static bool module_path(const char *name, tlua_found *out)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t len = strlen(name);

	if (len == 0 || strspn(name, allowed) != len || name[0] == '.' || name[len - 1] == '.' ||
		strstr(name, "..") || len + sizeof ".lua" > sizeof out->name) {
		snprintf(out->name, sizeof out->name, "%.60s", name);
		return refuse(out, "is no name of a module: letters, digits, _ and -, with single "
				   "dots between");
	}
	snprintf(out->name, sizeof out->name, "%s.lua", name);
	for (size_t i = 0; i < len; i++)
		if (out->name[i] == '.')
			out->name[i] = '/';
	return true;
}

static bool ring_path(const char *name, tlua_found *out)
{
	size_t len = strlen(name);

	snprintf(out->name, sizeof out->name, "%s", name);
	if (len == 0 || len >= sizeof out->name)
		return refuse(out, "is no name of a file");
	return true;
}

/* The halves that run in cells. */
static bool find_half(const char *name, tlua_found *out)
{
	static const char *const names[] = {"tidelock.policy", "tidelock.rule",
		"tidelock.script.preset", "tidelock.script.cover", "tidelock.script.hook",
		"tidelock.script.schema", "tidelock.script.check", "tidelock.script.match",
		"tidelock.script.explain", NULL};
	const struct tlua_half *half = tlua_halves;
	size_t i = 0;

	while (names[i] && strcmp(name, names[i]) != 0)
		i++;
	while (names[i] && half->module && strcmp(name, half->module) != 0)
		half++;
	if (!names[i] || !half->module)
		return false;
	out->text = (char *)(uintptr_t)half->text;
	out->len = half->len;
	out->ours = true;
	snprintf(out->name, sizeof out->name, "tidelock:%s", name);
	return true;
}

/* What is called like the library's modules, and is none of those that scripts have. Such a file
 * beside the script is found before. */
static bool refuse_library(const char *name, tlua_found *out)
{
	if (strcmp(name, "tidelock") != 0 && strncmp(name, "tidelock.", 9) != 0)
		return false;
	snprintf(out->name, sizeof out->name, "%.60s", name);
	return refuse(out, "is no module of scripts that decide: they have tidelock.policy, "
			   "tidelock.rule, tidelock.keyring and tidelock.text");
}

bool tlua_half_find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out)
{
	(void)ud;
	if (wanted == TLUA_MODULE && find_half(name, out))
		return true;
	snprintf(out->name, sizeof out->name, "%s", name);
	return refuse(out, "is not there: this script has no files beside it");
}

bool tlua_folder_find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out)
{
	char path[PATH_MAX];

	if (wanted == TLUA_MODULE && find_half(name, out))
		return true;
	if (wanted == TLUA_MODULE)
		return module_path(name, out) &&
		       (resolve(ud, out, path) || refuse_library(name, out)) &&
		       tlua_folder_read(path, TLUA_FILE_MAX, out);
	return ring_path(name, out) && resolve(ud, out, path) &&
	       tlua_folder_read(path, TLUA_RING_MAX, out);
}
