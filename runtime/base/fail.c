#include "base/fail.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"

/* Those of the thread outside of every public call, and those of the innermost call. */
static _Thread_local tl__errors outside;
static _Thread_local tl__errors *innermost;

tl__errors *tl__errors_now(void)
{
	return innermost ? innermost : &outside;
}

void tl__errors_link(tl__errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		errors->chain[i].cause = i + 1 < errors->count ? &errors->chain[i + 1] : NULL;
}

static void set_message(
	tl_error *error, const char *where, int code, const char *format, va_list args)
{
	char text[TL__ERROR_MESSAGE_BYTES];

	error->code = code;
	error->where = where;
	text[0] = '\0';
	vsnprintf(text, sizeof text, format, args);
	tl__text_copy(error->message, sizeof error->message, tl__str_z(text));
}

int tl__fail_at(const char *where, int code, const char *format, ...)
{
	tl__errors *errors = tl__errors_now();
	tl_error fresh; /* the arguments may point into the error being replaced */
	va_list args;

	va_start(args, format);
	set_message(&fresh, where, code, format, args);
	va_end(args);
	errors->chain[0] = fresh;
	errors->count = 1;
	tl__errors_link(errors);
	return code;
}

int tl__fail_cause_at(const char *where, int code, const char *format, ...)
{
	tl__errors *errors = tl__errors_now();
	tl_error fresh;
	va_list args;

	va_start(args, format);
	set_message(&fresh, where, code, format, args);
	va_end(args);
	if (errors->count == TL__ERROR_MAX_CAUSES)
		errors->count--;
	memmove(&errors->chain[1], &errors->chain[0], errors->count * sizeof errors->chain[0]);
	errors->chain[0] = fresh;
	errors->count++;
	tl__errors_link(errors);
	return code;
}

int tl__fail_needs(const char *call, const char *needs)
{
	return tl__fail(TL_E_BAD_ARGUMENT,
		"%s was called with NULL for something that it needs: %s", call, needs);
}

void tl__errors_begin(tl__errors *errors)
{
	errors->outer = tl__errors_now();
	errors->count = 0;
	innermost = errors;
}

int tl__errors_end(tl__errors *errors, int code)
{
	tl__errors *outer = errors->outer;

	innermost = outer == &outside ? NULL : outer;
	if (code >= TL_OK)
		return code;
	if (errors->count == 0) /* a callback's code */
		return tl__fail(code, "a function of the caller's ended this and gave no reason");
	memcpy(outer->chain, errors->chain, errors->count * sizeof errors->chain[0]);
	outer->count = errors->count;
	tl__errors_link(outer);
	return code;
}

int tl_error_set(int code, const char *message)
{
	return tl__fail_at("callback", code, "%s", message);
}

const tl_error *tl_last_error(void)
{
	for (tl__errors *at = tl__errors_now(); at; at = at->outer)
		if (at->count)
			return &at->chain[0];
	return NULL;
}

int tl_error_code(const tl_error *error)
{
	return error ? error->code : TL_OK;
}

const char *tl_error_message(const tl_error *error)
{
	return error ? error->message : "";
}

const tl_error *tl_error_cause(const tl_error *error)
{
	return error ? error->cause : NULL;
}

const char *tl_error_where(const tl_error *error)
{
	return error && error->where ? error->where : "";
}

const char *tl_error_name(int code)
{
	switch (code) {
	case TL_OK: return "ok";
#define ERROR_NAME(symbol, number, name)                                                           \
	case TL_E_##symbol: return name;
		TL_ERROR_CODES(ERROR_NAME)
#undef ERROR_NAME
	default: return "unknown";
	}
}
