/* The args of v1 methods: one form each, written and read alike, limits over their edges. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/system/env.h"
#include "base/str.h"
#include "check.h"
#include "wire/v1.h"

#define KEY  "\"ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\""
#define ID   "\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define HEX  "\"000102030405060708090a0b0c0d0e0f\""
#define HASH "\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""
#define AT   "{\"incarnation\":" HEX ",\"n\":17,\"c\":" HEX "}"

/* Reads and writes again. */
typedef int (*again_call)(tl__buf *out, tl_str args);

static int again_hello(tl__buf *out, tl_str args)
{
	tl__arena memory = TL__ARENA_INIT;
	tl__v1_hello m;
	int code = tl__v1_read_hello(&m, args, &memory);

	if (code == TL_OK)
		tl__v1_write_hello(out, &m);
	tl__arena_free(&memory);
	return code;
}

static int again_access(tl__buf *out, tl_str args)
{
	tl__arena memory = TL__ARENA_INIT;
	tl__v1_access m;
	int code = tl__v1_read_access(&m, args, &memory);

	if (code == TL_OK)
		tl__v1_write_access(out, &m);
	tl__arena_free(&memory);
	return code;
}

static int again_listing(tl__buf *out, tl_str args)
{
	bool more;
	int code = tl__v1_read_listing(&more, args);

	if (code == TL_OK)
		tl__v1_write_listing(out, more);
	return code;
}

#define AGAIN(name)                                                                                \
	static int again_##name(tl__buf *out, tl_str args)                                         \
	{                                                                                          \
		tl__v1_##name m;                                                                   \
		int code = tl__v1_read_##name(&m, args);                                           \
                                                                                                   \
		if (code == TL_OK)                                                                 \
			tl__v1_write_##name(out, &m);                                              \
		return code;                                                                       \
	}
AGAIN(list)
AGAIN(pull)
AGAIN(page)
AGAIN(push)
AGAIN(fates)
AGAIN(access_answer)
AGAIN(refusal)
AGAIN(watch)
AGAIN(watched)

static const struct {
	again_call again;
	const char *text;
} good[] = {
	{again_watch, "{\"hold_ms\":0}"},
	{again_watch, "{\"hold_ms\":55000}"},
	{again_watched, "{\"page\":null}"},
	{again_watched, "{\"page\":{\"db\":" ID ",\"cursor\":" AT
			",\"tips\":{\"count\":3,\"sha256\":null}}}"},
	{again_push, "{\"seen\":" AT ",\"state\":true}"},
	{again_push, "{\"seen\":null,\"from\":16,\"to\":" AT ",\"state\":true}"},
	{again_pull, "{\"cursor\":null,\"seen\":null,\"budget\":1,\"tips\":{\"count\":0,\"sha256\":"
		     "null},\"state\":true}"},
	{again_page, "{\"cursor\":" AT ",\"more\":true,\"cursor_valid\":true,\"seen_valid\":true,"
		     "\"tips\":null,\"left\":18446744073709551615}"},
	{again_fates, "{\"seen_valid\":true,\"cursor\":" AT
		      ",\"arrivals\":7,\"tip_count\":2,\"tips_sha256\":" HASH "}"},
	{again_hello, "{\"key\":" KEY ",\"name\":\"\",\"incarnation\":" HEX
		      ",\"addresses\":[],\"max_body_bytes\":0,\"max_page_entries\":1,"
		      "\"features\":[]}"},
	{again_hello, "{\"key\":" KEY ",\"name\":\"a \\\"b\\\" \xc3\xa9\\n\",\"incarnation\":" HEX
		      ",\"addresses\":[{\"type\":\"http\",\"address\":\"[::1]:80\"},{\"type\":"
		      "\"iroh\",\"address\":\"\"}],\"max_body_bytes\":1048576,"
		      "\"max_page_entries\":18446744073709551615,\"features\":[\"zstd\",\"w-1\"]}"},
	{again_list, "{\"after\":null}"},
	{again_list, "{\"after\":" ID "}"},
	{again_listing, "{\"more\":true}"},
	{again_listing, "{\"more\":false}"},
	{again_pull, "{\"cursor\":null,\"seen\":null,\"budget\":0,\"tips\":{\"count\":0,"
		     "\"sha256\":null}}"},
	{again_pull, "{\"cursor\":" AT ",\"seen\":" AT ",\"budget\":65536,\"tips\":{\"count\":4096,"
		     "\"sha256\":null}}"},
	{again_pull, "{\"cursor\":null,\"seen\":" AT ",\"budget\":1,\"tips\":{\"count\":4097,"
		     "\"sha256\":" HASH "}}"},
	{again_page, "{\"cursor\":" AT ",\"more\":true,\"cursor_valid\":false,\"seen_valid\":true,"
		     "\"tips\":null}"},
	{again_page, "{\"cursor\":" AT ",\"more\":false,\"cursor_valid\":true,\"seen_valid\":false,"
		     "\"tips\":{\"count\":1,\"sha256\":null}}"},
	{again_push, "{\"seen\":null}"},
	{again_push, "{\"seen\":" AT "}"},
	{again_fates, "{\"seen_valid\":true,\"cursor\":" AT "}"},
	{again_fates, "{\"seen_valid\":false,\"cursor\":null}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"alice\",\"permission\":\"Read\"}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"a\\\\b\",\"permission\":{\"Write\":0}}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"x\",\"permission\":{\"Admin\":4294967295}}"},
	{again_access_answer, "{\"access\":\"granted\",\"permission\":{\"Write\":10}}"},
	{again_access_answer, "{\"access\":\"pending\",\"request_id\":\"r-1\"}"},
	{again_access_answer, "{\"access\":\"refused\",\"code\":\"policy\"}"},
	{again_refusal, "{\"code\":null,\"wait_ms\":0}"},
	{again_refusal, "{\"code\":\"insufficient_permissions\",\"wait_ms\":1500}"},
};
#define GOOD (sizeof good / sizeof *good)

static const struct {
	again_call again;
	const char *text;
} bad[] = {
	{again_hello, "{\"key\":null,\"name\":\"\",\"incarnation\":" HEX
		      ",\"addresses\":[],\"max_body_bytes\":0,\"max_page_entries\":1,"
		      "\"features\":[]}"},
	{again_hello, "{\"key\":" KEY ",\"name\":\"\",\"incarnation\":" HEX
		      ",\"addresses\":[],\"max_body_bytes\":0,\"max_page_entries\":0,"
		      "\"features\":[]}"},
	{again_hello, "{\"key\":" KEY ",\"name\":\"\\u0041\",\"incarnation\":" HEX
		      ",\"addresses\":[],\"max_body_bytes\":0,\"max_page_entries\":1,"
		      "\"features\":[]}"},
	{again_hello, "{\"key\":" KEY ",\"name\":\"\",\"incarnation\":" HEX
		      ",\"addresses\":[],\"max_body_bytes\":0,\"max_page_entries\":1,"
		      "\"features\":[\"\"]}"},
	{again_pull, "{\"cursor\":null,\"seen\":null,\"budget\":0,\"tips\":null}"},
	{again_pull, "{\"seen\":null,\"cursor\":null,\"budget\":0,\"tips\":{\"count\":0,"
		     "\"sha256\":null}}"},
	{again_pull, "{\"cursor\":null,\"seen\":null,\"budget\":0,\"tips\":{\"count\":4096,"
		     "\"sha256\":" HASH "}}"},
	{again_pull, "{\"cursor\":null,\"seen\":null,\"budget\":-1,\"tips\":{\"count\":0,"
		     "\"sha256\":null}}"},
	{again_page, "{\"cursor\":null,\"more\":true,\"cursor_valid\":true,\"seen_valid\":true,"
		     "\"tips\":null}"},
	{again_page, "{\"cursor\":" AT ",\"more\":false,\"cursor_valid\":true,\"seen_valid\":true,"
		     "\"tips\":null}"},
	{again_fates, "{\"seen_valid\":false,\"cursor\":" AT "}"},
	{again_push, "{\"seen\":null,\"state\":false}"},
	{again_push, "{\"seen\":null,\"from\":16,\"to\":" AT "}"},
	{again_push, "{\"seen\":null,\"from\":18,\"to\":" AT ",\"state\":true}"},
	{again_push, "{\"seen\":null,\"from\":16,\"to\":null,\"state\":true}"},
	{again_watch, "{}"},
	{again_watched, "{\"page\":{\"db\":" ID
			",\"cursor\":null,\"tips\":{\"count\":0,\"sha256\":null}}}"},
	{again_watched, "{}"},
	{again_fates, "{\"seen_valid\":true,\"cursor\":null}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"\",\"permission\":\"Read\"}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"*\",\"permission\":\"Read\"}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"a.b\",\"permission\":\"Read\"}"},
	{again_access, "{\"key\":\"*\",\"name\":\"a\",\"permission\":\"Read\"}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"a\",\"permission\":{\"Write\":4294967296}}"},
	{again_access, "{\"key\":" KEY ",\"name\":\"a\",\"permission\":{\"Read\":null}}"},
	{again_access_answer, "{\"access\":\"granted\",\"request_id\":\"r\"}"},
	{again_access_answer, "{\"access\":\"maybe\",\"code\":\"r\"}"},
	{again_access_answer, "{\"access\":\"refused\",\"code\":\"a b\"}"},
	{again_refusal, "{\"code\":\"\",\"wait_ms\":0}"},
	{again_refusal, "{}"},
	{again_refusal, ""},
};

static void args_come_back_as_written(void)
{
	for (size_t i = 0; i < GOOD; i++) {
		tl__buf out = TL__BUF_INIT;

		CHECK_OK(good[i].again(&out, tl__str_z(good[i].text)));
		CHECK(tl__str_eq(tl__buf_view(&out), tl__str_z(good[i].text)));
		tl__buf_free(&out);
	}
}

static void other_args_are_refused(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tl__buf out = TL__BUF_INIT;
		int code = bad[i].again(&out, tl__str_z(bad[i].text));

		if (code != TL_E_BAD_MESSAGE)
			printf("%s\n", bad[i].text);
		CHECK_CODE(code, TL_E_BAD_MESSAGE);
		tl__buf_free(&out);
	}
}

static void truncated_args_are_refused(void)
{
	for (size_t i = 0; i < GOOD; i++) {
		for (size_t len = 0; len < strlen(good[i].text); len++) {
			tl__buf out = TL__BUF_INIT, copy = TL__BUF_INIT;

			tl__buf_append(&copy, good[i].text, len);
			CHECK_CODE(good[i].again(&out, tl__buf_view(&copy)), TL_E_BAD_MESSAGE);
			tl__buf_free(&out);
			tl__buf_free(&copy);
		}
	}
}

/* What is accepted is what would be written: there is no second form. */
static void only_one_form(again_call again, tl_str text)
{
	tl__buf out = TL__BUF_INIT;

	if (again(&out, text) == TL_OK)
		CHECK(tl__str_eq(tl__buf_view(&out), text));
	tl__buf_free(&out);
}

static void altered_args_have_no_second_form(void)
{
	static const char marks[] = " \"\\{}[]:,0129afnu\x01\x80\xff.-";

	for (size_t i = 0; i < GOOD; i++) {
		size_t len = strlen(good[i].text);

		for (size_t at = 0; at <= len; at++) {
			for (size_t m = 0; m < sizeof marks - 1; m++) {
				tl__buf text = TL__BUF_INIT;

				tl__buf_append(&text, good[i].text, at);
				tl__buf_byte(&text, (uint8_t)marks[m]);
				tl__buf_append(&text, good[i].text + at, len - at);
				only_one_form(good[i].again, tl__buf_view(&text));
				if (at < len) { /* put in, and put in another's place */
					text.len = at + 1;
					tl__buf_append(&text, good[i].text + at + 1, len - at - 1);
					only_one_form(good[i].again, tl__buf_view(&text));
				}
				tl__buf_free(&text);
			}
		}
	}
}

/* --- limits ----------------------------------------------------------------------------------- */

static int hello_with(size_t name, size_t address, size_t type, size_t addresses, size_t features)
{
	static char text[TL__V1_MAX_TEXT + 1];
	tl__v1_hello m = {.max_page_entries = 1, .address_count = addresses};
	tl__buf args = TL__BUF_INIT;
	uint8_t seed[TL_SEED_BYTES] = {1};
	tl_secret secret;
	int code;

	memset(text, 'n', sizeof text);
	if (tl_secret_from_seed(&secret, seed) != TL_OK)
		return TL_E_INTERNAL;
	tl_secret_public(&secret, &m.key);
	m.name = (tl_str){text, name};
	/* The writer takes what it is given: 17 elements are put together by hand. */
	m.address_count = addresses > TL__V1_MAX_ADDRESSES ? TL__V1_MAX_ADDRESSES : addresses;
	m.feature_count = features > TL__V1_MAX_FEATURES ? TL__V1_MAX_FEATURES : features;
	for (size_t i = 0; i < m.address_count; i++) {
		m.addresses[i].type = (tl_str){text, type};
		m.addresses[i].address = (tl_str){text, address};
	}
	for (size_t i = 0; i < m.feature_count; i++)
		m.features[i] = (tl_str){text, type};
	tl__v1_write_hello(&args, &m);
	if (addresses > m.address_count || features > m.feature_count) {
		tl__buf more = TL__BUF_INIT;
		const char *mark =
			addresses > m.address_count ? "\"addresses\":[" : "\"features\":[";
		const char *element = addresses > m.address_count
					      ? "{\"type\":\"http\",\"address\":\"x\"},"
					      : "\"f\",";
		const char *at = strstr(args.ptr, mark) + strlen(mark);

		tl__buf_append(&more, args.ptr, (size_t)(at - args.ptr));
		tl__buf_text(&more, element);
		tl__buf_text(&more, at);
		tl__buf_free(&args);
		args = more;
	}
	code = again_hello(&(tl__buf){NULL, 0, 0, true}, tl__buf_view(&args));
	tl__buf_free(&args);
	return code;
}

static void hello_has_limits(void)
{
	CHECK_OK(hello_with(TL__V1_MAX_TEXT, TL__V1_MAX_TEXT, TL__V1_MAX_CODE, TL__V1_MAX_ADDRESSES,
		TL__V1_MAX_FEATURES));
	CHECK_CODE(hello_with(TL__V1_MAX_TEXT + 1, 1, 1, 1, 1), TL_E_TOO_LARGE);
	CHECK_CODE(hello_with(1, TL__V1_MAX_TEXT + 1, 1, 1, 1), TL_E_TOO_LARGE);
	CHECK_CODE(hello_with(1, 1, TL__V1_MAX_CODE + 1, 1, 0), TL_E_TOO_LARGE);
	CHECK_CODE(hello_with(1, 1, TL__V1_MAX_CODE + 1, 0, 1), TL_E_TOO_LARGE);
	CHECK_CODE(hello_with(1, 1, 1, TL__V1_MAX_ADDRESSES + 1, 1), TL_E_TOO_LARGE);
	CHECK_CODE(hello_with(1, 1, 1, 1, TL__V1_MAX_FEATURES + 1), TL_E_TOO_LARGE);
	CHECK_CODE(hello_with(1, 1, 0, 1, 0), TL_E_BAD_MESSAGE);
}

static void few_tips_are_listed_many_are_hashed(void)
{
	tl__v1_pull m = {.tips = {.count = TL__V1_MAX_TIPS}}, got;
	tl__buf args = TL__BUF_INIT;

	tl__v1_write_pull(&args, &m);
	CHECK_OK(tl__v1_read_pull(&got, tl__buf_view(&args)));
	tl__buf_clear(&args);
	m.tips.count = TL__V1_MAX_TIPS + 1;
	tl__v1_write_pull(&args, &m);
	CHECK_CODE(tl__v1_read_pull(&got, tl__buf_view(&args)), TL_E_TOO_LARGE);
	tl__buf_free(&args);
}

static void the_hash_of_tips_is_over_their_bytes(void)
{
	tl_id ids[2];
	uint8_t hash[32], expected[32];
	char bytes[2 * TL_ID_BYTES];

	tl_id_of(&ids[0], "a", 1);
	tl_id_of(&ids[1], "b", 1);
	memcpy(bytes, ids[0].b, TL_ID_BYTES);
	memcpy(bytes + TL_ID_BYTES, ids[1].b, TL_ID_BYTES);
	tl_sha256(bytes, sizeof bytes, expected);
	tl__v1_tips_hash(ids, 2, hash);
	CHECK(memcmp(hash, expected, 32) == 0);
}

static void words_and_names_have_limits(void)
{
	char text[400];
	tl__v1_refusal refusal;
	tl__buf out = TL__BUF_INIT;

	(void)snprintf(text, sizeof text, "{\"code\":\"%064d\",\"wait_ms\":0}", 0);
	CHECK_OK(tl__v1_read_refusal(&refusal, tl__str_z(text)));
	(void)snprintf(text, sizeof text, "{\"code\":\"%065d\",\"wait_ms\":0}", 0);
	CHECK_CODE(tl__v1_read_refusal(&refusal, tl__str_z(text)), TL_E_TOO_LARGE);
	(void)snprintf(text, sizeof text,
		"{\"key\":" KEY ",\"name\":\"%0255d\",\"permission\":\"Read\"}", 0);
	CHECK_OK(again_access(&out, tl__str_z(text)));
	(void)snprintf(text, sizeof text,
		"{\"key\":" KEY ",\"name\":\"%0256d\",\"permission\":\"Read\"}", 0);
	CHECK_CODE(again_access(&out, tl__str_z(text)), TL_E_TOO_LARGE);
	tl__buf_free(&out);
}

int main(void)
{
	RUN(args_come_back_as_written);
	RUN(other_args_are_refused);
	RUN(truncated_args_are_refused);
	RUN(altered_args_have_no_second_form);
	RUN(hello_has_limits);
	RUN(few_tips_are_listed_many_are_hashed);
	RUN(the_hash_of_tips_is_over_their_bytes);
	RUN(words_and_names_have_limits);
	return spec_end();
}
