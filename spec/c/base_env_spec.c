/* Clocks, the seeded source and times in text. */
#include "check.h"
#include "base/system/env.h"
#include "base/str.h"

static void the_system_clock_does_not_go_back(void)
{
	const tl__clock *clock = &tl__system_clock;
	uint64_t before = clock->monotonic_ms(clock->ud);

	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock->monotonic_ms(clock->ud);

		CHECK(now >= before);
		before = now;
	}
	CHECK(clock->wall_ms(clock->ud) > INT64_C(1500000000000));
}

static void the_same_seed_gives_the_same_bytes(void)
{
	tl__seeded a, b, c;
	tl__random ra = tl__random_seeded(&a, 1), rb = tl__random_seeded(&b, 1);
	tl__random rc = tl__random_seeded(&c, 2);
	uint8_t one[37], other[37], third[37];

	ra.fill(ra.ud, one, sizeof one);
	rb.fill(rb.ud, other, sizeof other);
	rc.fill(rc.ud, third, sizeof third);
	CHECK(memcmp(one, other, sizeof one) == 0);
	CHECK(memcmp(one, third, sizeof one) != 0);
	CHECK(tl__random_u64(&ra) == tl__random_u64(&rb));
}

static void numbers_stay_below_their_bound(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, 3);
	size_t seen[7] = {0};

	CHECK(tl__random_below(&random, 0) == 0 && tl__random_below(&random, 1) == 0);
	for (int i = 0; i < 7000; i++) {
		uint64_t value = tl__random_below(&random, 7);

		REQUIRE(value < 7);
		seen[value]++;
	}
	for (size_t i = 0; i < 7; i++)
		CHECK(seen[i] > 800 && seen[i] < 1200);
	for (int i = 0; i < 100; i++)
		CHECK(tl__random_below(&random, UINT64_C(1) << 63 | 1) <= UINT64_C(1) << 63);
}

static void uuids_are_version_4(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, 4);
	char uuid[37];

	for (int i = 0; i < 200; i++) {
		tl__random_uuid(&random, uuid);
		REQUIRE(strlen(uuid) == 36 && strspn(uuid, "0123456789abcdef-") == 36);
		CHECK(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
		CHECK(uuid[14] == '4' && strchr("89ab", uuid[19]) != NULL);
	}
}

static bool formats(int64_t wall_ms, const char *text)
{
	char out[30];

	tl__time_format(wall_ms, out);
	if (strcmp(out, text) != 0)
		printf("%lld gave %s\n", (long long)wall_ms, out);
	return strcmp(out, text) == 0;
}

static void times_are_written(void)
{
	CHECK(formats(0, "1970-01-01T00:00:00.000+00:00"));
	CHECK(formats(INT64_C(1769853600123), "2026-01-31T10:00:00.123+00:00"));
	CHECK(formats(-1, "1969-12-31T23:59:59.999+00:00"));
	CHECK(formats(INT64_C(951782400000), "2000-02-29T00:00:00.000+00:00"));
	CHECK(formats(INT64_C(-61000000000000), "0036-12-26T11:33:20.000+00:00"));
	CHECK(formats(INT64_MAX, "9999-12-31T23:59:59.999+00:00"));
	CHECK(formats(INT64_MIN, "0000-01-01T00:00:00.000+00:00"));
}

static int64_t parsed(const char *text)
{
	int64_t wall_ms = INT64_MIN;

	CHECK_OK(tl__time_parse(text, strlen(text), &wall_ms));
	return wall_ms;
}

static void times_are_read(void)
{
	CHECK(parsed("1970-01-01T00:00:00Z") == 0);
	CHECK(parsed("2026-01-31T10:00:00.123456789+00:00") == INT64_C(1769853600123));
	CHECK(parsed("2026-01-31T10:00:00.1Z") == INT64_C(1769853600100));
	CHECK(parsed("2026-01-31T11:30:00+01:30") == INT64_C(1769853600000));
	CHECK(parsed("2026-01-31T05:00:00-05:00") == INT64_C(1769853600000));
	CHECK(parsed("1969-12-31T23:59:59.999Z") == -1);
	CHECK(parsed("2016-12-31T23:59:60Z") == INT64_C(1483228800000));
	CHECK(parsed("2024-02-29T00:00:00Z") == INT64_C(1709164800000));
}

static const char *const no_times[] = {"", "2026-01-31", "2026-01-31T10:00:00",
	"2026-1-31T10:00:00Z", "2026-01-31 10:00:00Z", "2026-01-31T10:00:00.Z",
	"2026-01-31T10:00:00+0100", "2026-01-31T10:00:00+24:00", "2026-01-31T10:00:00Zx",
	"2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
	"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
	"2026-01-31T24:00:00Z", "2026-01-31T10:60:00Z", "2026-01-31T10:00:61Z",
	"-026-01-31T10:00:00Z", "2026-01-31T10:00:00+"};

static void what_is_no_time_is_refused(void)
{
	int64_t wall_ms;

	for (size_t i = 0; i < sizeof no_times / sizeof *no_times; i++)
		CHECK_CODE(tl__time_parse(no_times[i], strlen(no_times[i]), &wall_ms),
			TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl__time_parse(NULL, 0, &wall_ms), TL_E_BAD_ARGUMENT);
}

static void written_times_are_read_back(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, 5);
	char text[30];

	for (int i = 0; i < 5000; i++) {
		int64_t wall_ms = (int64_t)tl__random_below(&random, UINT64_C(315569520000000)) -
				  INT64_C(62167219200000);

		tl__time_format(wall_ms, text);
		REQUIRE(parsed(text) == wall_ms);
	}
}

int main(void)
{
	RUN(the_system_clock_does_not_go_back);
	RUN(the_same_seed_gives_the_same_bytes);
	RUN(numbers_stay_below_their_bound);
	RUN(uuids_are_version_4);
	RUN(times_are_written);
	RUN(times_are_read);
	RUN(what_is_no_time_is_refused);
	RUN(written_times_are_read_back);
	return spec_end();
}
