/* Watches that carry proofs: the rights of the keys they show count as long as they are held, and
 * no longer. */
#include "asking_help.h"

#define SOMEWHERE "192.0.2.1:5000"

static uint64_t numbers;
static tl_database *db; /* of alice; "writer" is a key of it, carol is none */
static tl_id root;

static void make_database(void)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	add_key(db, "writer", (tl_permission){TL_READ, 0});
	take_actions();
}

/* All works, and a second, in which whoever was just told something is told more. */
static void run_all(void)
{
	tl__sync_event timer = {.kind = TL__SYNC_TIMER};

	take_actions();
	r.now += 1000;
	r.wall += 1000;
	tell(&timer);
	for (size_t turns = 0; kept_count > 0 && turns < 100; turns++)
		run_kept(1);
}

/* Carol watches from a place on (NULL: from the first), with the proof of a key or (NULL) none;
 * `spoiled`: with one that is none. Whether it is held. */
static bool watch(const tl__v1_cursor *place, const char *key, bool spoiled)
{
	tl__v1_line line = {.kind = TL__V1_LINE_WATCH, .has_id = true, .id = root};
	tl__buf frame = TL__BUF_INIT, body = TL__BUF_INIT;
	size_t before = heard_count;
	tl__v1_frame parts;
	tl_secret secret;

	line.has_cursor = place != NULL;
	if (place)
		line.cursor = *place;
	tl__v1_write_line(&body, &line);
	if (key)
		CHECK_OK(secret_of(NULL, z(key), &secret));
	write_proving(&frame, &carol, key ? &secret : NULL, "watch", NULL,
		TL__STR("{\"hold_ms\":50000}"), tl__buf_view(&body));
	CHECK_OK(tl__v1_frame_read(&parts, frame.ptr, frame.len));
	if (spoiled)
		frame.ptr[parts.size - 1] = (char)(frame.ptr[parts.size - 1] ^ 8);
	(void)ask(++numbers, SOMEWHERE, TL__V1_PATH_PREFIX "watch", tl__buf_view(&frame));
	run_all();
	tl__buf_free(&frame);
	tl__buf_free(&body);
	return heard_count == before;
}

/* What the last answer says of the database. */
typedef struct said {
	bool absent, has_page;
	size_t entries;
	tl__v1_cursor cursor;
} said;

static said take_answer(void)
{
	tl__v1_response response;
	tl__v1_watched watched;
	tl__v1_frame frame;
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	said out = {.absent = false};
	tl_str bytes;

	if (heard_status(NULL) != TL__V1_OK ||
		tl__v1_frame_read(&frame, heard.answer.body.ptr, heard.answer.body.len) != TL_OK ||
		tl__v1_response_read(&response, frame.header) != TL_OK ||
		tl__v1_read_watched(&watched, response.args) != TL_OK) {
		FAIL_CASE("no answer to a watch");
		return out;
	}
	bytes = (tl_str){heard.answer.body.ptr + frame.size, heard.answer.body.len - frame.size};
	CHECK_OK(tl__v1_body_open(
		&body, TL__V1_BODY_WATCHED, bytes, watched.has_page ? &watched.tips : NULL));
	while (tl__v1_body_next(&body, &line, &end) == TL_OK && !end) {
		out.absent = out.absent || line.kind == TL__V1_LINE_ABSENT;
		out.entries += line.kind == TL__V1_LINE_ENTRY;
	}
	CHECK(end);
	out.has_page = watched.has_page;
	out.cursor = watched.cursor;
	return out;
}

static void end_case(void)
{
	forget();
	tl_database_free(db);
}

static void set_writer(tl_key_status status)
{
	tl_transaction *tx = begin(db);
	tl_settings_store *settings;
	tl_id id;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_set_auth_key(
		settings, TL__STR_NULL, z(key_of("writer")), (tl_permission){TL_READ, 0}, status));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, &id));
	run_all();
}

/* A place behind everything, known to whoever shows the key. */
static tl__v1_cursor present_place(void)
{
	said s;

	CHECK(!watch(NULL, "writer", false));
	s = take_answer();
	CHECK(s.has_page && s.entries == 2 && !s.absent);
	return s.cursor;
}

static void a_key_that_is_shown_gives_its_rights(void)
{
	tl__v1_cursor place;
	said s;

	make_database();
	place = present_place();
	CHECK(watch(&place, "writer", false));
	write_text(db, "data", "k", "1");
	run_all();
	s = take_answer();
	CHECK(s.has_page && s.entries == 1 && !s.absent);
	end_case();
}

static void without_a_good_proof_there_is_nothing(void)
{
	tl__v1_cursor place;

	make_database();
	place = present_place();
	CHECK(!watch(&place, NULL, false));
	CHECK(take_answer().absent);
	CHECK(!watch(&place, "writer", true));
	CHECK(take_answer().absent);
	CHECK(!watch(&place, "nobody", false));
	CHECK(take_answer().absent);
	end_case();
}

/* Neither the settings that revoke the key nor what comes after them. */
static void it_ends_with_the_rights_of_the_key(void)
{
	tl__v1_cursor place;
	said s;

	make_database();
	place = present_place();
	CHECK(watch(&place, "writer", false));
	set_writer(TL_KEY_REVOKED);
	s = take_answer();
	CHECK(s.absent && !s.has_page && s.entries == 0);
	write_text(db, "data", "k", "1");
	run_all();
	CHECK(!watch(&place, "writer", false));
	s = take_answer();
	CHECK(s.absent && !s.has_page && s.entries == 0);
	set_writer(TL_KEY_ACTIVE);
	CHECK(!watch(&place, "writer", false));
	s = take_answer();
	CHECK(!s.absent && s.entries == 3);
	end_case();
}

int main(void)
{
	RUN_RIG(a_key_that_is_shown_gives_its_rights);
	RUN_RIG(without_a_good_proof_there_is_nothing);
	RUN_RIG(it_ends_with_the_rights_of_the_key);
	return spec_end();
}
