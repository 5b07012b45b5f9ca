/* Structs that travel between a host and the library begin with their size, so that one side may
 * know members that the other does not. A member is only ever added behind the old end (padding
 * included), and means "as before" when it is zero. */
#ifndef TL_BASE_SIZED_H
#define TL_BASE_SIZED_H

#include <tidelock/error.h>

/* Over it a size is taken for memory that nobody set. */
#define TL__SIZED_MAX_BYTES 65536u

/* Bytes up to and with a member. */
#define TL__SIZED_UP_TO(type, last) (offsetof(type, last) + sizeof((type *)0)->last)

/* Copies what is given over the defaults in *out, which is of the library's own `type`; `last` is
 * the last member of that type's first version. bad_argument when the size is not set or smaller
 * than that, unsupported when a member that the library does not know is set (the others are read
 * then). */
#define tl__sized_read(out, given, type, last)                                                     \
	tl__sized_read_at(#type, out, sizeof(type), TL__SIZED_UP_TO(type, last), given)

/* Whether a struct to be filled, or a table of calls, has all of the first version. */
#define tl__sized_check(given, type, last)                                                         \
	tl__sized_check_at(#type, given, TL__SIZED_UP_TO(type, last))

/* Fills a struct that was checked: members that it lacks are left out, those beyond what the
 * library knows become zero. Its size stays. */
#define tl__sized_fill(out, value, type) tl__sized_fill_at(out, value, sizeof(type))

int tl__sized_read_at(
	const char *name, void *out, size_t known, size_t first, const void *given) TL_MUST_USE;
int tl__sized_check_at(const char *name, const void *given, size_t first) TL_MUST_USE;
void tl__sized_fill_at(void *out, const void *value, size_t known);

#endif
