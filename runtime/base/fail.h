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

/* Results of accessors that got no handle stay neutral; a call that fails says what it needs. */
int tl__fail_needs(const char *call, const char *needs);

#define TL__ERROR_MESSAGE_BYTES 1024 /* room for the traceback of a hook */
#define TL__ERROR_MAX_CAUSES    8

struct tl_error {
	int code;
	const char *where; /* static text */
	const tl_error *cause;
	char message[TL__ERROR_MESSAGE_BYTES];
};

/* The errors of one public call: the last one with its causes, newest first, kept inline so that
 * running out of memory can be told. Calls nest where callbacks use the library. */
typedef struct tl__errors {
	struct tl__errors *outer;
	size_t count;
	tl_error chain[TL__ERROR_MAX_CAUSES];
} tl__errors;

/* From the begin to the end, on one thread, errors are those of this call. When it fails they
 * become the last error outside; when it succeeds they are forgotten. Returns `code`. */
void tl__errors_begin(tl__errors *errors);
int tl__errors_end(tl__errors *errors, int code);

/* An error that outlives the call: a copy owned by the caller (NULL when memory ran out: the code
 * must be kept beside it), and its release. */
tl_error *tl__error_keep(void);
void tl__error_drop(tl_error *error);
/* Makes a kept one the last error of this thread again; NULL becomes a sentence that says that
 * memory ran out. Returns `code`, which it was kept with; nothing happens when that is TL_OK. */
int tl__error_raise(const tl_error *kept, int code);
/* The same, and releases it. */
int tl__error_restore(tl_error *kept, int code);

/* fail.c, fail_kept.c: the chain that an error of this thread goes into now; sets its causes. */
tl__errors *tl__errors_now(void);
void tl__errors_link(tl__errors *errors);

#endif
