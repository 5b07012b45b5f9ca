#include "base/sized.h"

#include <string.h>
#include "base/fail.h"

static size_t size_of(const void *given)
{
	size_t size;

	memcpy(&size, given, sizeof size);
	return size;
}

int tl__sized_check_at(const char *name, const void *given, size_t first)
{
	size_t size;

	if (!given)
		return tl__fail(TL_E_BAD_ARGUMENT, "a %s is needed, not NULL", name);
	size = size_of(given);
	if (size >= first && size <= TL__SIZED_MAX_BYTES)
		return TL_OK;
	return tl__fail(TL_E_BAD_ARGUMENT,
		"the size of a %s is %zu, which is none it ever had; set it to sizeof(%s)", name,
		size, name);
}

int tl__sized_read_at(const char *name, void *out, size_t known, size_t first, const void *given)
{
	const unsigned char *bytes = given;
	int rc = tl__sized_check_at(name, given, first);
	size_t size;

	if (rc != TL_OK)
		return rc;
	size = size_of(given);
	memcpy(out, given, size < known ? size : known);
	memcpy(out, &known, sizeof known);
	for (size_t at = known; at < size; at++)
		if (bytes[at] != 0)
			return tl__fail(TL_E_UNSUPPORTED,
				"a %s has something set that this version of the library does not "
				"know (byte %zu; it knows %zu)",
				name, at, known);
	return TL_OK;
}

void tl__sized_fill_at(void *out, const void *value, size_t known)
{
	size_t size = size_of(out);
	size_t both = size < known ? size : known;

	memcpy((char *)out + sizeof size, (const char *)value + sizeof size, both - sizeof size);
	if (size > known)
		memset((char *)out + known, 0, size - known);
}
