/* Smallest test frame: a spec is a program with functions of checks. The program closes with
 * "N passed, N failed" (one a case), behind it ", N skipped" when what some cases need is not
 * there, and exits 1 when a case failed or there was none. */
#ifndef SPEC_CHECK_H
#define SPEC_CHECK_H

/* Sanitizers need much memory, are slow, and their allocators hang in the forked child of a process
 * with threads that allocate. */
#if defined(__SANITIZE_ADDRESS__)
#define SPEC_ADDRESS_SANITIZED 1
#elif defined(__SANITIZE_THREAD__)
#define SPEC_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPEC_ADDRESS_SANITIZED 1
#elif __has_feature(thread_sanitizer)
#define SPEC_THREAD_SANITIZED 1
#endif
#endif
#if defined(SPEC_ADDRESS_SANITIZED) || defined(SPEC_THREAD_SANITIZED)
#define SPEC_SANITIZED true
#else
#define SPEC_SANITIZED false
#endif

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/error.h>

static int spec_passed, spec_failed, spec_skipped;
static bool spec_case_ok, spec_is_random;

/* A seed of random input, `own` by default. SPEC_SEED in the environment moves all seeds of a run;
 * the run tells which it had. */
static inline uint64_t spec_seed(uint64_t own)
{
	const char *text = getenv("SPEC_SEED");

	spec_is_random = true;
	return own + (text ? strtoull(text, NULL, 10) : 0) * 1000003;
}

/* Records a failed check and goes on. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			spec_case_ok = false;                                                      \
			printf("%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);       \
		}                                                                                  \
	} while (0)

/* What must not be reached. */
#define FAIL_CASE(text)                                                                            \
	do {                                                                                       \
		spec_case_ok = false;                                                              \
		printf("%s:%d: %s\n", __FILE__, __LINE__, text);                                   \
	} while (0)

/* Leaves the case at once: for what later checks stand on. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			spec_case_ok = false;                                                      \
			printf("%s:%d: required: %s\n", __FILE__, __LINE__, #condition);           \
			return;                                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_CODE(expression, code)                                                               \
	do {                                                                                       \
		int spec_rc = (expression);                                                        \
		if (spec_rc != (code)) {                                                           \
			spec_case_ok = false;                                                      \
			printf("%s:%d: %s gave %s, expected %s (%s)\n", __FILE__, __LINE__,        \
				#expression, tl_error_name(spec_rc), tl_error_name(code),          \
				spec_rc == TL_OK ? "" : tl_error_message(tl_last_error()));        \
		}                                                                                  \
	} while (0)
#define CHECK_OK(expression) CHECK_CODE(expression, TL_OK)

#define RUN(function)                                                                              \
	do {                                                                                       \
		spec_case_ok = true;                                                               \
		function();                                                                        \
		spec_case_ok ? spec_passed++ : spec_failed++;                                      \
		printf("%s %s\n", spec_case_ok ? "ok" : "FAILED", #function);                      \
	} while (0)

/* A case that this build or machine cannot run: named and counted. */
#define SKIP(function)                                                                             \
	do {                                                                                       \
		spec_skipped++;                                                                    \
		printf("skipped: %s\n", #function);                                                \
	} while (0)

/* A case that needs something which not every machine has. */
#define RUN_IF(is_there, function)                                                                 \
	do {                                                                                       \
		if (is_there)                                                                      \
			RUN(function);                                                             \
		else                                                                               \
			SKIP(function);                                                            \
	} while (0)

/* One that speaks eidetica 0.2.0, run by RUN or another such: skipped without runtime/v0. */
#define RUN_V0(run, function)                                                                      \
	do {                                                                                       \
		if (tl__v0_spoken())                                                               \
			run(function);                                                             \
		else                                                                               \
			SKIP(function);                                                            \
	} while (0)

static inline int spec_end(void)
{
	if (spec_is_random)
		printf("SPEC_SEED=%s repeats this run\n",
			getenv("SPEC_SEED") ? getenv("SPEC_SEED") : "0");
	printf("%d passed, %d failed", spec_passed, spec_failed);
	if (spec_skipped)
		printf(", %d skipped", spec_skipped);
	printf("\n");
	return spec_failed != 0 || spec_passed + spec_skipped == 0;
}

#endif
