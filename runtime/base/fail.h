/* Raising errors inside the core. `return tl__fail(TL_E_X, "sentence", ...)` is the usual form. */
#ifndef TL_BASE_FAIL_H
#define TL_BASE_FAIL_H

#include <tidelock/error.h>

#define TL__STRINGIFY_(x) #x
#define TL__STRINGIFY(x)  TL__STRINGIFY_(x)
#define TL__WHERE         __FILE__ ":" TL__STRINGIFY(__LINE__)

/* Both set the calling thread's last error and return `code`. `tl__fail` has no cause;
 * `tl__fail_cause` keeps the previous last error as its cause (the cause chain is cut at 8). */
#define tl__fail(code, ...)       tl__fail_at(TL__WHERE, code, __VA_ARGS__)
#define tl__fail_cause(code, ...) tl__fail_cause_at(TL__WHERE, code, __VA_ARGS__)

int tl__fail_at(const char *where, int code, const char *format, ...) TL_FORMAT(3, 4);
int tl__fail_cause_at(const char *where, int code, const char *format, ...) TL_FORMAT(3, 4);

/* An error that outlives the call: a copy owned by the caller (NULL when memory ran out), its
 * release, and making a kept one the last error of this thread again (returns its code). */
tl_error *tl__error_keep(void);
void tl__error_drop(tl_error *error);
int tl__error_raise(const tl_error *error);

#endif
