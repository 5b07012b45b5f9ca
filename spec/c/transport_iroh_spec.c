/* Where the Iroh plugin is looked for, and what is no plugin of ours. */
#include "iroh_help.h"
#include "transport/iroh/plugin.h"
#include <limits.h>

static char folder[PATH_MAX]; /* of this program */

static bool find_folder(void)
{
	ssize_t len = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	char *slash;

	folder[len > 0 ? len : 0] = 0;
	slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	return slash != NULL;
}

static bool last_error_has(const char *text)
{
	return strstr(tl_error_message(tl_last_error()), text) != NULL;
}

static void a_missing_one_is_told_with_the_places_tried(void)
{
	const tl_iroh_calls *calls;

	CHECK_CODE(tl__iroh_load(&calls, "/nowhere/plugin.so"), TL_E_UNSUPPORTED_TRANSPORT);
	CHECK(!calls && last_error_has("/nowhere/plugin.so"));
	/* None lies beside this program, and none is installed where the system looks. */
	if (tl__iroh_load(&calls, NULL) != TL_OK) {
		CHECK(!calls && last_error_has(folder) && last_error_has(TL__IROH_FILE));
		CHECK(last_error_has("make iroh"));
	}
}

static void what_is_no_plugin_is_refused(void)
{
	const tl_iroh_calls *calls;

	CHECK_CODE(tl__iroh_load(&calls, "/proc/self/status"), TL_E_UNSUPPORTED_TRANSPORT);
	CHECK(!calls);
	CHECK_CODE(tl__iroh_load(&calls, "libm.so.6"), TL_E_UNSUPPORTED_TRANSPORT);
	CHECK(!calls && last_error_has(TL_IROH_SYMBOL));
}

static void another_version_is_refused(void)
{
	const tl_iroh_calls *calls;
	char path[PATH_MAX + 20], versions[80];

	snprintf(path, sizeof(path), "%s/iroh_other.so", folder);
	snprintf(versions, sizeof(versions), "version %u of its interface, version %u is needed",
		TL_IROH_ABI + 1, TL_IROH_ABI);
	CHECK_CODE(tl__iroh_load(&calls, path), TL_E_UNSUPPORTED_TRANSPORT);
	CHECK(!calls && last_error_has(versions));
}

static void ours_is_loaded_once_and_for_all(void)
{
	const tl_iroh_calls *first, *second;

	CHECK_OK(tl__iroh_load(&first, iroh_path()));
	CHECK_OK(tl__iroh_load(&second, iroh_path()));
	CHECK(first && first == second);
	CHECK(first && strstr(first->version, "iroh 1."));
}

int main(void)
{
	if (!find_folder())
		return 1;
	RUN(a_missing_one_is_told_with_the_places_tried);
	RUN(what_is_no_plugin_is_refused);
	RUN(another_version_is_refused);
	RUN_IF(access(iroh_path(), R_OK) == 0, ours_is_loaded_once_and_for_all);
	return spec_end();
}
