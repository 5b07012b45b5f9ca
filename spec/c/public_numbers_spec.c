/* Numbers that are none of an enumeration: every public call that names one has a word for them,
 * and what would be stored is refused. */
#include <limits.h>
#include "check.h"
#include "node_help.h"

static const int strange[] = {INT_MIN, -1000, -2, -1, 64, 99, 255, 256, 65536, 1 << 30, INT_MAX};

enum { STRANGE = sizeof strange / sizeof *strange };

#define CHECK_UNKNOWN(text) CHECK(strcmp(text, "unknown") == 0)

static int last_event(void)
{
#define NUMBER(symbol, number, name) (number),
	static const int numbers[] = {TL_EVENT_KINDS(NUMBER)};
#undef NUMBER
	int last = 0;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		last = numbers[i] > last ? numbers[i] : last;
	return last;
}

static void names_are_unknown(void)
{
	for (size_t i = 0; i < STRANGE; i++) {
		CHECK_UNKNOWN(tl_event_name((tl_event_kind)strange[i]));
		CHECK_UNKNOWN(tl_log_level_name((tl_log_level)strange[i]));
		CHECK_UNKNOWN(tl_store_verdict_name((tl_store_verdict)strange[i]));
		CHECK_UNKNOWN(tl_type_name((tl_type)strange[i]));
		CHECK(tl_error_name(strange[i] < 0 ? strange[i] : -strange[i]) != NULL);
	}
	CHECK_UNKNOWN(tl_error_name(INT_MIN));
	CHECK_UNKNOWN(tl_error_name(INT_MAX));
	CHECK_UNKNOWN(tl_event_name((tl_event_kind)(last_event() + 1)));
	CHECK_UNKNOWN(tl_log_level_name((tl_log_level)(TL_LOG_OFF + 1)));
	CHECK_UNKNOWN(tl_store_verdict_name((tl_store_verdict)(TL_STORE_PENDING + 1)));
}

static void lines_of_the_log_are_written(void)
{
	char line[TL_LOG_LINE_BYTES];

	for (size_t i = 0; i < STRANGE; i++) {
		tl_log_format(0, (tl_log_level)strange[i], "part", TL__STR("a text"), line);
		CHECK(strstr(line, " unknown part: a text") != NULL);
	}
}

static void permissions_are_written_and_permit_nothing_more(void)
{
	char text[24];

	for (size_t i = 0; i < STRANGE; i++) {
		const tl_permission p = {(tl_permission_kind)strange[i], 0};
		tl_permission back;

		tl_permission_format(p, text);
		CHECK_UNKNOWN(text);
		CHECK_CODE(tl_permission_parse(&back, tl__str_z(text)), TL_E_BAD_ARGUMENT);
		tl_permission_to_json(p, text);
		CHECK_CODE(tl_permission_from_json(&back, tl__str_z(text)), TL_E_BAD_MESSAGE);
		CHECK(tl_permission_compare(p, (tl_permission){TL_WRITE, UINT32_MAX}) < 0);
		CHECK(tl_permission_compare(p, (tl_permission){TL_READ, 0}) == 0);
	}
}

/* Each setter has a transaction of its own: a failure of one sticks. */
static void refuse_in(tl_database *db, tl_permission p, tl_key_status status, const tl_str key)
{
	tl_transaction *tx[4] = {NULL};
	tl_settings_store *settings[4] = {NULL};
	const tl_id *root = tl_database_root_id(db);

	for (int i = 0; i < 4; i++) {
		REQUIRE(tl_transaction_new(db, &tx[i]) == TL_OK);
		REQUIRE(tl_transaction_get_settings(tx[i], &settings[i]) == TL_OK);
	}
	CHECK_CODE(tl_settings_store_set_auth_key(settings[0], TL__STR("n"), key, p, status),
		TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_settings_store_set_global(settings[1], p, status), TL_E_BAD_ARGUMENT);
	if ((unsigned)p.kind > TL_ADMIN) {
		CHECK_CODE(tl_settings_store_add_auth_key(settings[2], TL__STR("n"), key, p),
			TL_E_BAD_ARGUMENT);
		CHECK_CODE(tl_settings_store_add_delegated_tree(
				   settings[3], TL__STR("d"), root, root, 1, p, NULL),
			TL_E_BAD_ARGUMENT);
	}
	for (int i = 0; i < 4; i++) {
		tl_settings_store_free(settings[i]);
		tl_transaction_free(tx[i]);
	}
}

static void none_is_stored(void)
{
	tl_node *node = open_offline(NULL);
	tl_database *db = make_db(node, "x");
	char text[TL_KEY_TEXT_LEN + 1];

	REQUIRE(db != NULL);
	CHECK_OK(tl_node_get_public_key(node, "k", text));
	for (size_t i = 0; i < STRANGE; i++) {
		refuse_in(db, (tl_permission){(tl_permission_kind)strange[i], 1}, TL_KEY_ACTIVE,
			tl__str_z(text));
		refuse_in(db, (tl_permission){TL_WRITE, 1}, (tl_key_status)strange[i],
			tl__str_z(text));
	}
	tl_database_free(db);
	tl_node_close_within(node, 0);
}

int main(void)
{
	RUN(names_are_unknown);
	RUN(lines_of_the_log_are_written);
	RUN(permissions_are_written_and_permit_nothing_more);
	RUN(none_is_stored);
	return spec_end();
}
