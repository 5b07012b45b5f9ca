#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/fail.h"
#include "transport/iroh/plugin.h"

/* Never unloaded: its threads and its thread-local data would outlive its code. */
static void *open_at(const char *path)
{
	return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static const char *open_failure(void)
{
	const char *text = dlerror();

	return text ? text : "it cannot be loaded";
}

/* The file of whatever this code is part of. A program is not told with its whole path. */
static bool own_file(char *out, size_t size)
{
	Dl_info own;
	ssize_t len;

	if (dladdr(TL__IROH_FILE, &own) != 0 && own.dli_fname && own.dli_fname[0] == '/')
		return snprintf(out, size, "%s", own.dli_fname) < (int)size;
	len = readlink("/proc/self/exe", out, size - 1);
	out[len > 0 ? len : 0] = 0;
	return len > 0;
}

/* The path beside it; false when that cannot be told. */
static bool path_beside(char *out, size_t size)
{
	char *slash = own_file(out, size) ? strrchr(out, '/') : NULL;
	size_t folder = slash ? (size_t)(slash + 1 - out) : size;

	return folder < size &&
	       snprintf(slash + 1, size - folder, "%s", TL__IROH_FILE) < (int)(size - folder);
}

static int use(const tl_iroh_calls **out, void *library, const char *path)
{
	tl_iroh_plugin_call plugin = NULL;
	const tl_iroh_calls *calls;

	/* A function's address comes out as one of data. */
	*(void **)&plugin = dlsym(library, TL_IROH_SYMBOL);
	if (!plugin)
		return tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
			"%s is not the Iroh plugin: it has no %s", path, TL_IROH_SYMBOL);
	calls = plugin();
	if (!calls || calls->abi != TL_IROH_ABI || calls->size < sizeof *calls)
		return tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
			"the Iroh plugin %s has version %u of its interface, version %u is needed; "
			"build it from the same source (make iroh)",
			path, calls ? calls->abi : 0, TL_IROH_ABI);
	*out = calls;
	return TL_OK;
}

static int load_anywhere(const tl_iroh_calls **out)
{
	char beside[PATH_MAX] = "";
	void *library = NULL;

	if (!path_beside(beside, sizeof beside))
		beside[0] = 0;
	if (beside[0] && access(beside, F_OK) == 0) {
		library = open_at(beside);
		/* One that is there and broken is not passed over for another one. */
		if (!library)
			return tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
				"the Iroh plugin cannot be loaded: %s", open_failure());
		return use(out, library, beside);
	}
	library = open_at(TL__IROH_FILE);
	if (!library)
		return tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
			"there is no Iroh plugin; make iroh builds it. Tried: %s, and the system's "
			"places (%s)",
			beside[0] ? beside : "nothing beside the library", open_failure());
	return use(out, library, TL__IROH_FILE);
}

int tl__iroh_load(const tl_iroh_calls **out, const char *path)
{
	void *library;

	*out = NULL;
	if (!path)
		return load_anywhere(out);
	library = open_at(path);
	if (!library)
		return tl__fail(TL_E_UNSUPPORTED_TRANSPORT,
			"the Iroh plugin cannot be loaded. Tried: %s (%s)", path, open_failure());
	return use(out, library, path);
}
