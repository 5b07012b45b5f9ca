#include "base/system/env.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tidelock/error.h>
#include "base/fail.h"

static uint64_t system_monotonic(void *ud)
{
	struct timespec t;

	(void)ud;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int64_t system_wall(void *ud)
{
	struct timespec t;

	(void)ud;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const tl__clock tl__system_clock = {system_monotonic, system_wall, NULL};

/* --- seeded random: xoshiro256** seeded by splitmix64 ---------------------------------------- */

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static uint64_t step(uint64_t s[4])
{
	uint64_t out = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return out;
}

static void seeded_fill(void *ud, void *out, size_t len)
{
	tl__seeded *memory = ud;
	uint8_t *at = out;

	while (len > 0) {
		uint64_t word = step(memory->state);
		size_t part = len < sizeof word ? len : sizeof word;

		memcpy(at, &word, part);
		at += part;
		len -= part;
	}
}

tl__random tl__random_seeded(tl__seeded *memory, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		memory->state[i] = z ^ z >> 31;
	}
	return (tl__random){seeded_fill, memory};
}

uint64_t tl__random_u64(const tl__random *random)
{
	uint64_t word;

	random->fill(random->ud, &word, sizeof word);
	return word;
}

uint64_t tl__random_below(const tl__random *random, uint64_t bound)
{
	uint64_t word, unfair;

	if (bound < 2)
		return 0;
	unfair = (UINT64_MAX - bound + 1) % bound;
	do
		word = tl__random_u64(random);
	while (word < unfair);
	return word % bound;
}

void tl__random_uuid(const tl__random *random, char out[37])
{
	uint8_t b[16];

	random->fill(random->ud, b, sizeof b);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		b[13], b[14], b[15]);
}

/* --- times ---------------------------------------------------------------------------------- */

/* First and last moment of the years 0 to 9999, all that four digits can say. */
#define MIN_WALL_MS INT64_C(-62167219200000)
#define MAX_WALL_MS INT64_C(253402300799999)

void tl__time_format(int64_t wall_ms, char out[30])
{
	int64_t clamped = wall_ms < MIN_WALL_MS   ? MIN_WALL_MS
			  : wall_ms > MAX_WALL_MS ? MAX_WALL_MS
						  : wall_ms;
	int ms = (int)(((clamped % 1000) + 1000) % 1000);
	time_t seconds = (time_t)((clamped - ms) / 1000);
	struct tm t = {0};
	char text[96]; /* roomy enough for any int in each place, as the compiler sees it */

	gmtime_r(&seconds, &t);
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03d+00:00", t.tm_year + 1900,
		t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, ms);
	memcpy(out, text, 29);
	out[29] = '\0';
}

static bool digits(const char **at, const char *end, int count, int *out)
{
	*out = 0;
	for (; count > 0; count--, (*at)++) {
		if (*at == end || **at < '0' || **at > '9')
			return false;
		*out = *out * 10 + (**at - '0');
	}
	return true;
}

static bool literal(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

static bool fraction(const char **at, const char *end, int *ms)
{
	const char *first;
	int weight = 100;

	*ms = 0;
	if (!literal(at, end, '.'))
		return true;
	for (first = *at; *at < end && **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
		*ms += (**at - '0') * weight;
	return *at > first;
}

static bool offset(const char **at, const char *end, int *minutes)
{
	int sign, hours, rest;

	*minutes = 0;
	if (literal(at, end, 'Z'))
		return true;
	if (*at == end || (**at != '+' && **at != '-'))
		return false;
	sign = *(*at)++ == '-' ? -1 : 1;
	if (!digits(at, end, 2, &hours) || !literal(at, end, ':') || !digits(at, end, 2, &rest))
		return false;
	*minutes = sign * (hours * 60 + rest);
	return hours < 24 && rest < 60;
}

static bool date_and_time(const char **at, const char *end, struct tm *t)
{
	return digits(at, end, 4, &t->tm_year) && literal(at, end, '-') &&
	       digits(at, end, 2, &t->tm_mon) && literal(at, end, '-') &&
	       digits(at, end, 2, &t->tm_mday) && literal(at, end, 'T') &&
	       digits(at, end, 2, &t->tm_hour) && literal(at, end, ':') &&
	       digits(at, end, 2, &t->tm_min) && literal(at, end, ':') &&
	       digits(at, end, 2, &t->tm_sec);
}

/* Seconds since 1970; a day its month has not got, or another field out of range, is refused. */
static bool to_seconds(struct tm t, int64_t *seconds)
{
	struct tm settled;

	if (t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
		return false;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	settled = t;
	settled.tm_sec = 0; /* 60, a leap second, would move the day */
	*seconds = (int64_t)timegm(&settled) + t.tm_sec;
	return settled.tm_mon == t.tm_mon && settled.tm_mday == t.tm_mday;
}

int tl__time_parse(const char *text, size_t len, int64_t *wall_ms)
{
	const char *at = len ? text : "", *end = at + len;
	struct tm t = {0};
	int64_t seconds;
	int ms, minutes;

	if (!date_and_time(&at, end, &t) || !fraction(&at, end, &ms) || !to_seconds(t, &seconds))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a time must have the form 2026-01-31T10:00:00Z and exist in the calendar");
	if (!offset(&at, end, &minutes) || at != end)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a time must end with its offset, `Z` or for example `+01:00`");
	*wall_ms = (seconds - minutes * 60) * 1000 + ms;
	return TL_OK;
}
