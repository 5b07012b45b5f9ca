/* Doubles as texts. The C library writes and reads them with the locale's decimal point, so what is
 * given to it here has none: digits and an exponent. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"

#define MAX_DIGITS     17 /* enough for every double */
#define SURE_DIGITS    15 /* what a double always keeps of a decimal, subnormal ones apart */
#define SHORT_NUMBER   64
#define EXPONENT_ROOM  24
#define EXPONENT_LIMIT INT64_C(1000000000000) /* beyond the length of any text */

/* --- reading ---------------------------------------------------------------------------------- */

static int64_t read_exponent(tl_str digits)
{
	bool negative = digits.len > 0 && digits.ptr[0] == '-';
	int64_t value = 0;

	for (size_t at = 0; at < digits.len && value < EXPONENT_LIMIT; at++)
		if (digits.ptr[at] >= '0' && digits.ptr[at] <= '9')
			value = value * 10 + (digits.ptr[at] - '0');
	return negative ? -value : value;
}

/* `text` has room for the number and EXPONENT_ROOM more. */
static double read_decimal(tl_str number, char *text)
{
	size_t at = 0, len = 0, point = 0;
	int64_t exponent = 0;

	for (; at < number.len && (number.ptr[at] | 0x20) != 'e'; at++) {
		if (number.ptr[at] == '.')
			point = at;
		else
			text[len++] = number.ptr[at];
	}
	if (at < number.len)
		exponent = read_exponent((tl_str){number.ptr + at + 1, number.len - at - 1});
	if (point > 0)
		exponent -= (int64_t)(at - point - 1);
	snprintf(text + len, EXPONENT_ROOM, "e%" PRId64, exponent);
	return strtod(text, NULL);
}

int tl__json_double(tl_str number, double *out)
{
	char text[SHORT_NUMBER + EXPONENT_ROOM];
	char *longer = NULL;

	if (number.len > SHORT_NUMBER) {
		longer = tl__alloc(number.len + EXPONENT_ROOM);
		if (!longer)
			return TL_E_NOMEM;
	}
	*out = read_decimal(number, longer ? longer : text);
	tl__free(longer);
	if (!isfinite(*out))
		return tl__fail(TL_E_BAD_JSON, "the number %.*s is too large for a double",
			number.len < 40 ? (int)number.len : 40, number.ptr);
	return TL_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* d.ddd times ten to the exponent. */
typedef struct decimal {
	char digits[MAX_DIGITS];
	int count, exponent;
} decimal;

/* The value, above zero, rounded to so many digits. */
static void round_to(decimal *out, double value, int count)
{
	char text[64];
	const char *at = text;

	snprintf(text, sizeof text, "%.*e", count - 1, value);
	for (out->count = 0; *at != 'e'; at++)
		if (*at >= '0' && *at <= '9')
			out->digits[out->count++] = *at;
	out->exponent = (int)strtol(at + 1, NULL, 10);
}

static double value_of(const decimal *d)
{
	char text[MAX_DIGITS + EXPONENT_ROOM];

	memcpy(text, d->digits, (size_t)d->count);
	snprintf(text + d->count, EXPONENT_ROOM, "e%d", d->exponent - d->count + 1);
	return strtod(text, NULL);
}

/* The next decimal with as many digits. */
static void step_up(decimal *d)
{
	int at = d->count - 1;

	for (; at >= 0 && d->digits[at] == '9'; at--)
		d->digits[at] = '0';
	if (at >= 0) {
		d->digits[at]++;
		return;
	}
	d->digits[0] = '1';
	d->exponent++;
}

/* Above a power of two doubles lie twice as far apart as below it: there a decimal may read back
 * that is not the nearest of its length. */
static bool steps_up(decimal *d, double value)
{
	int exponent;

	if (frexp(value, &exponent) != 0.5)
		return false;
	step_up(d);
	return value_of(d) == value;
}

static void shorten(decimal *out, double value)
{
	int count = value < DBL_MIN ? 1 : SURE_DIGITS;

	for (;; count++) {
		round_to(out, value, count);
		if (count == MAX_DIGITS || value_of(out) == value || steps_up(out, value))
			break;
	}
	while (out->count > 1 && out->digits[out->count - 1] == '0')
		out->count--;
}

static void put_zeros(tl__buf *out, int count)
{
	for (; count > 0; count--)
		tl__buf_byte(out, '0');
}

/* Digits with a point behind the first `whole` ones, which may be more than there are or less. */
static void put_digits(tl__buf *out, const decimal *d, int whole)
{
	int before = whole < 0 ? 0 : whole < d->count ? whole : d->count;

	if (before == 0)
		tl__buf_byte(out, '0');
	tl__buf_append(out, d->digits, (size_t)before);
	put_zeros(out, whole - d->count);
	tl__buf_byte(out, '.');
	put_zeros(out, -whole);
	if (before == d->count)
		tl__buf_byte(out, '0');
	tl__buf_append(out, d->digits + before, (size_t)(d->count - before));
}

void tl__json_put_double(tl__buf *out, double value)
{
	decimal d;

	if (signbit(value))
		tl__buf_byte(out, '-');
	if (value == 0) {
		tl__buf_text(out, "0.0");
		return;
	}
	shorten(&d, fabs(value));
	if (d.exponent >= -5 && d.exponent < SURE_DIGITS + 1) {
		put_digits(out, &d, d.exponent + 1);
		return;
	}
	put_digits(out, &d, 1);
	tl__buf_format(out, "e%d", d.exponent);
}
