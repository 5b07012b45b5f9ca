#include "base/sized.h"

#include <stdint.h>
#include <string.h>
#include "check.h"

typedef struct options {
	size_t size;
	uint64_t old;
	uint64_t added; /* in a later version */
} options;

typedef struct newer_options {
	options known;
	uint64_t unknown;
} newer_options;

static int read_options(options *out, const void *given)
{
	*out = (options){sizeof *out, 1, 2};
	return tl__sized_read(out, given, options, old);
}

static void an_older_struct_is_read_over_the_defaults(void)
{
	options out;
	const struct {
		size_t size;
		uint64_t old;
	} older = {sizeof older, 7};

	CHECK(read_options(&out, &older) == TL_OK);
	CHECK(out.size == sizeof out && out.old == 7 && out.added == 2);
}

static void a_newer_struct_is_read_when_it_asks_for_nothing_unknown(void)
{
	options out;
	newer_options newer = {{sizeof newer, 7, 8}, 0};

	CHECK(read_options(&out, &newer) == TL_OK);
	CHECK(out.size == sizeof out && out.old == 7 && out.added == 8);
	newer.unknown = UINT64_C(1) << 63;
	CHECK(read_options(&out, &newer) == TL_E_UNSUPPORTED);
	CHECK(strstr(tl_error_message(tl_last_error()), "options") != NULL);
}

static void a_size_that_it_never_had_is_refused(void)
{
	static const size_t bad[] = {0, 1, sizeof(size_t), TL__SIZED_UP_TO(options, old) - 1,
		TL__SIZED_MAX_BYTES + 1, SIZE_MAX};
	options out, given = {0};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		given.size = bad[i];
		CHECK(read_options(&out, &given) == TL_E_BAD_ARGUMENT);
		CHECK(tl__sized_check(&given, options, old) == TL_E_BAD_ARGUMENT);
	}
	CHECK(read_options(&out, NULL) == TL_E_BAD_ARGUMENT);
}

static void filling_respects_both_ends(void)
{
	const options value = {sizeof value, 3, 4};
	newer_options newer = {{sizeof newer, 1, 1}, 1};
	options older = {offsetof(options, added), 1, 9};

	tl__sized_fill(&newer, &value, options);
	CHECK(newer.known.size == sizeof newer && newer.known.old == 3 && newer.known.added == 4);
	CHECK(newer.unknown == 0);
	tl__sized_fill(&older, &value, options);
	CHECK(older.size == offsetof(options, added) && older.old == 3 && older.added == 9);
}

int main(void)
{
	RUN(an_older_struct_is_read_over_the_defaults);
	RUN(a_newer_struct_is_read_when_it_asks_for_nothing_unknown);
	RUN(a_size_that_it_never_had_is_refused);
	RUN(filling_respects_both_ends);
	return spec_end();
}
