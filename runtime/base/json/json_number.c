#include "base/fail.h"
#include "base/json/json.h"
#include "base/json/json_scan.h"

static size_t digit_run(tl_str text, size_t from)
{
	size_t at = from;

	while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
		at++;
	return at - from;
}

bool tl__json_number_valid(tl_str text)
{
	size_t at = text.len > 0 && text.ptr[0] == '-', run = digit_run(text, at);

	if (run == 0 || (run > 1 && text.ptr[at] == '0'))
		return false;
	at += run;
	if (at < text.len && text.ptr[at] == '.') {
		run = digit_run(text, at + 1);
		at += 1 + run;
		if (run == 0)
			return false;
	}
	if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
		at++;
		if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
			at++;
		run = digit_run(text, at);
		at += run;
		if (run == 0)
			return false;
	}
	return at == text.len;
}

/* Plain digits, no sign, no leading zero. */
static int read_digits(tl_str number, size_t at, uint64_t limit, uint64_t *out)
{
	uint64_t value = 0;

	if (at == number.len || (number.ptr[at] == '0' && number.len - at > 1))
		return tl__fail(TL_E_BAD_JSON, "a plain decimal integer was expected");
	for (; at < number.len; at++) {
		unsigned digit = (unsigned)((uint8_t)number.ptr[at] - '0');

		if (digit > 9)
			return tl__fail(TL_E_BAD_JSON, "a plain decimal integer was expected");
		if (digit > limit || value > (limit - digit) / 10)
			return tl__fail(TL_E_BAD_JSON, "an integer is out of range");
		value = value * 10 + digit;
	}
	*out = value;
	return TL_OK;
}

int tl__json_u64(tl_str number, uint64_t *out)
{
	return read_digits(number, 0, UINT64_MAX, out);
}

int tl__json_i64(tl_str number, int64_t *out)
{
	bool negative = number.len > 0 && number.ptr[0] == '-';
	uint64_t value = 0;
	int code = read_digits(number, negative, (uint64_t)INT64_MAX + negative, &value);

	if (code != TL_OK)
		return code;
	if (negative && value == 0)
		return tl__fail(TL_E_BAD_JSON, "the integer `-0` is not canonical");
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return TL_OK;
}
