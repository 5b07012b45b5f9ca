/* Directories for specs: made under $TMPDIR or /tmp, removed with everything in them. */
#ifndef SPEC_SCRATCH_H
#define SPEC_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SCRATCH_PATH 256

static inline void scratch_make(char out[SCRATCH_PATH])
{
	const char *tmp = getenv("TMPDIR");

	snprintf(out, SCRATCH_PATH, "%s/tidelock-spec-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(out)) {
		perror("mkdtemp");
		exit(1);
	}
}

static inline int scratch_remove_one(
	const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void scratch_remove(const char *path)
{
	nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The soft limit of a resource, as RLIMIT_FSIZE is for what files may grow to. RLIM_INFINITY: up to
 * the hard one. */
static inline bool scratch_limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) != 0)
		return false;
	limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
	return setrlimit(resource, &limit) == 0;
}

#endif
