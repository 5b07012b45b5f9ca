#include "base/fail.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

#define MESSAGE_BYTES 1024 /* room for the traceback of a hook */
#define MAX_CAUSES    8

struct tl_error {
	int code;
	const char *where; /* static text */
	const tl_error *cause;
	char message[MESSAGE_BYTES];
};

/* The chain of the last error, newest first, kept inline so that running out of memory can be told.
 */
static _Thread_local struct {
	tl_error chain[MAX_CAUSES];
	size_t count;
} last;

static void link_chain(void)
{
	for (size_t i = 0; i < last.count; i++)
		last.chain[i].cause = i + 1 < last.count ? &last.chain[i + 1] : NULL;
}

static void set_message(
	tl_error *error, const char *where, int code, const char *format, va_list args)
{
	char text[MESSAGE_BYTES];

	error->code = code;
	error->where = where;
	text[0] = '\0';
	vsnprintf(text, sizeof text, format, args);
	tl__text_copy(error->message, sizeof error->message, tl__str_z(text));
}

int tl__fail_at(const char *where, int code, const char *format, ...)
{
	tl_error fresh; /* the arguments may point into the error being replaced */
	va_list args;

	va_start(args, format);
	set_message(&fresh, where, code, format, args);
	va_end(args);
	last.chain[0] = fresh;
	last.count = 1;
	link_chain();
	return code;
}

int tl__fail_cause_at(const char *where, int code, const char *format, ...)
{
	tl_error fresh;
	va_list args;

	va_start(args, format);
	set_message(&fresh, where, code, format, args);
	va_end(args);
	if (last.count == MAX_CAUSES)
		last.count--;
	memmove(&last.chain[1], &last.chain[0], last.count * sizeof last.chain[0]);
	last.chain[0] = fresh;
	last.count++;
	link_chain();
	return code;
}

int tl_error_set(int code, const char *message)
{
	return tl__fail_at("callback", code, "%s", message);
}

const tl_error *tl_last_error(void)
{
	return last.count ? &last.chain[0] : NULL;
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

tl_error *tl__error_keep(void)
{
	size_t count = last.count;
	tl_error *kept = tl__alloc_zero(count ? count : 1, sizeof *kept);

	if (!kept)
		return NULL;
	memcpy(kept, last.chain, count * sizeof *kept);
	for (size_t i = 0; i < count; i++)
		kept[i].cause = i + 1 < count ? &kept[i + 1] : NULL;
	return kept;
}

void tl__error_drop(tl_error *error)
{
	tl__free(error);
}

int tl__error_raise(const tl_error *error)
{
	last.count = 0;
	for (const tl_error *at = error; at && last.count < MAX_CAUSES; at = at->cause)
		last.chain[last.count++] = *at;
	link_chain();
	return tl_error_code(error);
}
