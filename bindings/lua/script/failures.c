/* What went wrong in a cell: the last failures, and how often each place failed. */
#include <stdio.h>
#include <string.h>
#include "script/cell_impl.h"

const char *tlua_end_name(tlua_end end)
{
	static const char *const names[] = {
		"fine", "error", "units", "cpu", "memory", "string", "table", "io"};

	return names[end];
}

/* --- keeping ---------------------------------------------------------------------------------- */

/* When there are too many places, the one that failed least makes room. */
static uint64_t count_place(tlua_failures *f, const char *where)
{
	size_t at = 0, least = 0;

	while (at < f->place_count && strcmp(f->places[at].where, where) != 0) {
		if (f->places[at].count < f->places[least].count)
			least = at;
		at++;
	}
	if (at == f->place_count) {
		if (at == TLUA_PLACES_KEPT)
			at = least;
		else
			f->place_count++;
		tlua_copy_text(f->places[at].where, TLUA_WHERE_MAX, where);
		f->places[at].count = 0;
	}
	return ++f->places[at].count;
}

static void keep(tlua_cell *cell, tlua_failure *failure, tlua_failure *why)
{
	tlua_failures *f = &cell->failures;

	failure->number = f->count + 1;
	failure->here = count_place(f, failure->where);
	f->kept[f->count++ % TLUA_FAILURES_KEPT] = *failure;
	if (why)
		*why = *failure;
}

uint64_t tlua_cell_failed(const tlua_cell *cell)
{
	return cell->failures.count;
}

const tlua_failure *tlua_cell_failure(const tlua_cell *cell, size_t index)
{
	const tlua_failures *f = &cell->failures;

	if (index >= TLUA_FAILURES_KEPT || index >= f->count)
		return NULL;
	return &f->kept[(f->count - 1 - index) % TLUA_FAILURES_KEPT];
}

/* --- telling ---------------------------------------------------------------------------------- */

/* The length of "policy.lua:7" in front of a message; 0: none is there. */
static size_t place_before(const char *text)
{
	size_t name = strcspn(text, ": "), digits = 0;

	if (name > 0 && text[name] == ':')
		digits = strspn(text + name + 1, "0123456789");
	return digits > 0 && strncmp(text + name + 1 + digits, ": ", 2) == 0 ? name + 1 + digits
									     : 0;
}

/* While a file is loaded, who raises says where the mistake is: no stranger has a word in it. */
static void blame_said(tlua_cell *cell, const char *text)
{
	size_t len = place_before(text);

	if (len == 0 || len >= sizeof cell->where)
		return;
	tlua_copy_part(cell->where, sizeof cell->where, (tl_str){text, len});
}

/* The error value on top: only strings are shown, and nothing is asked to show itself. */
static void tell_raised(tlua_cell *cell, tlua_failure *failure)
{
	tl_str text = {NULL, 0};
	size_t len;

	if (lua_type(cell->L, -1) == LUA_TSTRING)
		text.ptr = lua_tolstring(cell->L, -1, &text.len);
	if (text.ptr && cell->loading)
		blame_said(cell, text.ptr);
	if (cell->where[0] == 0)
		tlua_copy_text(cell->where, sizeof cell->where, cell->name);
	len = strlen(cell->where);
	if (text.ptr && len > 0 && strncmp(text.ptr, cell->where, len) == 0 &&
		strncmp(text.ptr + len, ": ", 2) == 0) {
		text.ptr += len + 2;
		text.len -= len + 2;
	}
	if (text.ptr)
		tlua_copy_part(failure->text, sizeof failure->text, text);
	else
		snprintf(failure->text, sizeof failure->text, "(a %s)", luaL_typename(cell->L, -1));
}

static void tell_limit(tlua_cell *cell, tlua_failure *failure)
{
	char *out = failure->text;
	const size_t size = sizeof failure->text;

	if (failure->end == TLUA_NO_UNITS)
		snprintf(out, size, "a call may use %llu units of work, and this one wanted more",
			(unsigned long long)cell->budget);
	else if (failure->end == TLUA_NO_TIME)
		snprintf(out, size, "a call may take %lld ms of CPU time, and this one took more",
			(long long)(cell->cpu_limit / 1000000));
	else if (failure->end == TLUA_LONG_STRING)
		snprintf(out, size,
			"a string may have %zu bytes here, and one was to become longer",
			cell->string);
	else if (failure->end == TLUA_LARGE_TABLE)
		snprintf(out, size,
			"a table may grow to %zu keys beside its list here, and one was to have "
			"more",
			cell->keys);
	else
		snprintf(out, size, "not enough memory: this script may hold %zu MiB",
			cell->memory >> 20);
}

int tlua_raise_at(lua_State *L, const char *where, const char *text)
{
	tlua_copy_text(tlua_cell_of(L)->where, TLUA_WHERE_MAX, where);
	return luaL_error(L, "%s", text);
}

tlua_end tlua_failed(tlua_cell *cell, int status, const tlua_call *call, tlua_failure *why)
{
	tlua_failure failure = {.end = cell->end};

	if (failure.end == TLUA_FINE && status == LUA_ERRMEM)
		failure.end = cell->refused == TLUA_FINE ? TLUA_NO_MEMORY : cell->refused;
	if (failure.end == TLUA_FINE) {
		failure.end = TLUA_RAISED;
		tell_raised(cell, &failure);
	} else {
		tell_limit(cell, &failure);
	}
	tlua_copy_text(
		failure.where, sizeof failure.where, cell->where[0] ? cell->where : cell->name);
	if (call && call->describe) {
		char input[TLUA_INPUT_MAX] = "";

		call->describe(call->ud, input, sizeof input);
		tlua_copy_text(failure.input, sizeof failure.input, input);
	}
	keep(cell, &failure, why);
	return failure.end;
}
