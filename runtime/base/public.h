/* What every public call does at its border, so that its body need not: refuse to work without its
 * handles, and keep the failures that it handled inside to itself. */
#ifndef TL_BASE_PUBLIC_H
#define TL_BASE_PUBLIC_H

#include "base/fail.h"

/* Defines the public function `name`; its body follows. `needs` is an expression over its
 * parameters: without it the call fails with TL_E_BAD_ARGUMENT.
 *
 *   TL__PUBLIC(tl_thing_count, thing && out, (tl_thing *thing, size_t *out), (thing, out))
 *   {
 *           …
 *   } */
#define TL__PUBLIC(name, needs, parameters, arguments)                                             \
	static int name##_body parameters;                                                         \
	int name parameters                                                                        \
	{                                                                                          \
		tl__errors call_errors;                                                            \
		if (!(needs))                                                                      \
			return tl__fail_needs(#name, #needs);                                      \
		tl__errors_begin(&call_errors);                                                    \
		return tl__errors_end(&call_errors, name##_body arguments);                        \
	}                                                                                          \
	static int name##_body parameters

/* The same for one that takes over a value, which is freed when the call is refused. */
#define TL__PUBLIC_TAKING(name, value, needs, parameters, arguments)                               \
	static int name##_body parameters;                                                         \
	int name parameters                                                                        \
	{                                                                                          \
		tl__errors call_errors;                                                            \
		if (!(needs)) {                                                                    \
			tl_value_free(value);                                                      \
			return tl__fail_needs(#name, #needs);                                      \
		}                                                                                  \
		tl__errors_begin(&call_errors);                                                    \
		return tl__errors_end(&call_errors, name##_body arguments);                        \
	}                                                                                          \
	static int name##_body parameters

/* For public calls that handle no failure inside: the first statement of one that returns a code,
 * and of one that takes over a value too. */
#define TL__NEED(needs)                                                                            \
	do {                                                                                       \
		if (!(needs))                                                                      \
			return tl__fail_needs(__func__, #needs);                                   \
	} while (0)
#define TL__NEED_TAKING(needs, value)                                                              \
	do {                                                                                       \
		if (!(needs)) {                                                                    \
			tl_value_free(value);                                                      \
			return tl__fail_needs(__func__, #needs);                                   \
		}                                                                                  \
	} while (0)

#endif
