/* Where a new item of a list stands. Between two items it takes the simplest fraction, which lets
 * thousands go in at one place one behind the other, or one before the other; at an end the next
 * whole number. Items of one fraction (two peers pushed while apart) are ordered by their ids:
 * there the id is chosen. */
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "model/fraction.h"
#include "model/value.h"

__extension__ typedef __int128 signed_wide;

/* Of a gap between two ids: what is left behind the new one when items go in one after the other.
 */
#define STEP_SHIFT 12

static int exhausted(void)
{
	return tl__fail(TL_E_POSITION_EXHAUSTED,
		"no position is left between these items; write the list anew");
}

/* --- fractions -------------------------------------------------------------------------------- */

static uint64_t magnitude(int64_t number)
{
	return number < 0 ? ~(uint64_t)number + 1 : (uint64_t)number;
}

static tl__end end_of(const tl_position *position)
{
	uint64_t n = magnitude(position->numerator), d = position->denominator;

	return (tl__end){n / d, n % d, d, false, false};
}

static int set_fraction(tl_position *out, bool negative, uint64_t p, uint64_t q)
{
	if (p > (uint64_t)INT64_MAX + negative)
		return exhausted();
	out->numerator = (int64_t)(negative ? ~p + 1 : p);
	out->denominator = q;
	return TL_OK;
}

/* The simplest between two of different fractions; of those on both sides of 0 that is 0. */
static int between(tl_position *out, const tl_position *left, const tl_position *right)
{
	bool negative = right->numerator <= 0;
	uint64_t p = 0, q = 1;

	if (left->numerator < 0 && !negative)
		return set_fraction(out, false, 0, 1);
	if (!tl__fraction_simplest(
		    end_of(negative ? right : left), end_of(negative ? left : right), &p, &q))
		return exhausted();
	return set_fraction(out, negative, p, q);
}

/* The next whole number before (step -1) or behind (+1) an item. */
static int beside(tl_position *out, const tl_position *item, int step)
{
	signed_wide n = item->numerator, d = (signed_wide)item->denominator, whole = n / d;

	if (n % d != 0 && (n < 0) == (step > 0))
		whole -= step;
	whole += step;
	if (whole < INT64_MIN || whole > INT64_MAX)
		return exhausted();
	out->numerator = (int64_t)whole;
	out->denominator = 1;
	return TL_OK;
}

static void reduce(tl_position *position)
{
	uint64_t a = magnitude(position->numerator), b = position->denominator;

	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	position->numerator = (int64_t)((signed_wide)position->numerator / (signed_wide)a);
	position->denominator /= a;
}

/* --- ids -------------------------------------------------------------------------------------- */

static void mark_random(uint8_t uuid[16])
{
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void set_random_id(tl_position *out)
{
	tl_random_bytes(out->uuid, sizeof out->uuid);
	mark_random(out->uuid);
}

static tl__wide number_of(const uint8_t uuid[16])
{
	tl__wide id = 0;

	for (size_t i = 0; i < 16; i++)
		id = id << 8 | uuid[i];
	return id;
}

static tl__wide id_of(const tl_value *list, size_t at)
{
	return number_of(list->as.items[at].position.uuid);
}

static void set_id(tl_position *out, tl__wide id)
{
	for (size_t i = 16; i-- > 0; id >>= 8)
		out->uuid[i] = (uint8_t)(id & 0xff);
}

static bool same_fraction(const tl_value *list, size_t a, size_t b)
{
	const tl_position *left = &list->as.items[a].position;
	const tl_position *right = &list->as.items[b].position;

	return (signed_wide)left->numerator * (signed_wide)right->denominator ==
	       (signed_wide)right->numerator * (signed_wide)left->denominator;
}

/* At random from [from, from + count): two who choose at the same time choose differently. */
static tl__wide random_id(tl__wide from, tl__wide count)
{
	tl__wide number;

	tl_random_bytes(&number, sizeof number);
	return from + number % count;
}

/* Whether the items on this side of a gap stand so close that they were put in one after the other:
 * two of them within a few times the gap. Halving the gap on both sides in turn leaves more. */
static bool dense(const tl_value *list, size_t near, size_t far, tl__wide gap)
{
	tl__wide a, b;

	if (far >= list->count || !same_fraction(list, near, far))
		return false;
	a = id_of(list, near);
	b = id_of(list, far);
	return (a < b ? b - a : a - b) / 4 < gap;
}

/* An id between those of the items at `left` and `left` + 1, of one fraction. In the middle; but
 * beside the one just put in when one goes in after the other, so that thousands find room. */
static void choose_id(tl_position *out, const tl_value *list, size_t left)
{
	tl__wide low = id_of(list, left), high = id_of(list, left + 1), gap = high - low;
	tl__wide step = gap >> STEP_SHIFT, id, with_mark;
	tl_position marked = *out;

	if (step == 0)
		id = random_id(low + 1, gap - 1);
	else if (left >= 2 && dense(list, left, left - 2, gap))
		id = random_id(low + step, step);
	else if (dense(list, left + 1, left + 3, gap))
		id = random_id(high - 2 * step, step);
	else
		id = random_id(low + gap / 2 - step, 2 * step);
	set_id(out, id);
	set_id(&marked, id);
	/* The marks of a random id only where they leave it beside where it was chosen: further off
	 * it could take nearly all the room of one side. */
	mark_random(marked.uuid);
	with_mark = number_of(marked.uuid);
	if ((with_mark > id ? with_mark - id : id - with_mark) < step / 2)
		*out = marked;
}

/* Between two visible items of one fraction. Deleted ones may lie between them: any of the gaps
 * will do. */
static int squeeze(tl_position *out, const tl_value *list, size_t left, size_t right)
{
	*out = list->as.items[left].position;
	reduce(out);
	while (right > left && id_of(list, right) - id_of(list, right - 1) < 2)
		right--;
	if (right == left)
		return exhausted();
	choose_id(out, list, right - 1);
	return TL_OK;
}

/* --- both ------------------------------------------------------------------------------------- */

int tl__list_place(tl_position *out, const tl_value *list, size_t left, size_t right)
{
	const tl_position *before = left < list->count ? &list->as.items[left].position : NULL;
	const tl_position *behind = right < list->count ? &list->as.items[right].position : NULL;
	int code;

	/* Nothing can stand behind what is no number; a list is pushed to all the same. */
	if (!behind && before && before->denominator == 0)
		before = NULL;
	if ((before && before->denominator == 0) || (behind && behind->denominator == 0))
		return tl__fail(
			TL_E_POSITION_EXHAUSTED, "a neighbour's position has denominator 0");
	if (before && behind && same_fraction(list, left, right))
		return squeeze(out, list, left, right);
	if (before && behind)
		code = between(out, before, behind);
	else if (before || behind)
		code = beside(out, before ? before : behind, before ? 1 : -1);
	else
		code = set_fraction(out, false, 0, 1);
	if (code == TL_OK)
		set_random_id(out);
	return code;
}
