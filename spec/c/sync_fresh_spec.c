/* A watch that is held is answered from the commit itself where that leaves no doubt, and by a look
 * at the store where it does. */
#include "asking_help.h"

#define SOMEWHERE "192.0.2.1:5000"

static uint64_t numbers;
static tl_database *db;
static tl_id root;
static tl__v1_cursor told; /* up to where bob has it */
static tl__fresh *caught;  /* of the last commit, which the core was not told of */
static uint64_t newest;

static void catch_commit(void *ud, const tl_id *id, uint64_t arrival, tl__fresh *fresh)
{
	(void)ud;
	(void)id;
	tl__fresh_free(caught);
	caught = fresh;
	newest = arrival;
}

static size_t looks(void)
{
	size_t count = 0;

	for (size_t i = 0; i < kept_count; i++)
		count += kept[i]->kind == TL__WORK_WATCH;
	return count;
}

static void run_all(void)
{
	while (kept_count > 0)
		run_kept(kept_count);
}

static void watch_by(const party *by)
{
	const tl__v1_line line = {.kind = TL__V1_LINE_WATCH,
		.has_id = true,
		.id = root,
		.has_cursor = told.n > 0,
		.cursor = told};
	tl__buf frame = TL__BUF_INIT, body = TL__BUF_INIT;

	tl__v1_write_line(&body, &line);
	write_signed(
		&frame, by, "watch", NULL, TL__STR("{\"hold_ms\":50000}"), tl__buf_view(&body));
	CHECK(ask(++numbers, SOMEWHERE, TL__V1_PATH_PREFIX "watch", tl__buf_view(&frame)) == 0);
	tl__buf_free(&frame);
	tl__buf_free(&body);
	run_all();
}

/* Entries of the last answer, which moves the place; its only tip is the entry. */
static size_t hear_page(const tl_id *entry)
{
	tl__v1_response response;
	tl__v1_watched page = {0};
	tl__v1_frame frame;
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	size_t entries = 0;
	tl_id id;

	CHECK(heard_status(NULL) == TL__V1_OK);
	CHECK_OK(tl__v1_frame_read(&frame, heard.answer.body.ptr, heard.answer.body.len));
	CHECK_OK(tl__v1_response_read(&response, frame.header));
	CHECK_OK(tl__v1_read_watched(&page, response.args));
	CHECK(page.has_page && page.tips.count >= 1);
	told = page.cursor;
	CHECK_OK(tl__v1_body_open(&body, TL__V1_BODY_WATCHED,
		(tl_str){heard.answer.body.ptr + frame.size, heard.answer.body.len - frame.size},
		NULL));
	while (tl__v1_body_next(&body, &line, &end) == TL_OK && !end) {
		if (line.kind == TL__V1_LINE_TIP && entry)
			CHECK(memcmp(&line.id, entry, sizeof line.id) == 0);
		if (line.kind != TL__V1_LINE_ENTRY)
			continue;
		entries++;
		tl_id_of(&id, line.entry.ptr, line.entry.len);
		CHECK(!entry || memcmp(&id, entry, sizeof id) == 0);
	}
	return entries;
}

static tl_id commit_text(const char *text, size_t len)
{
	tl_transaction *tx = begin(db);
	tl_doc_store *store = doc(tx, "notes");
	tl_id id = {{0}};

	CHECK_OK(tl_doc_store_set_string(store, TL__STR("k"), (tl_str){text, len}));
	tl_doc_store_free(store);
	CHECK_OK(finish(tx, &id));
	return id;
}

static tl_id commit(const char *text)
{
	return commit_text(text, strlen(text));
}

/* Bob watches, level, and what he was told last had one tip. */
static void bob_is_level(void)
{
	told = (tl__v1_cursor){0};
	db = new_database("alice");
	root = *tl_database_root_id(db);
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, NULL), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	watch_by(&bob);
	CHECK(hear_page(NULL) == 1);
	r.now += 2000;
	watch_by(&bob);
	CHECK(r.core->serve->hold_count == 1 && heard_count == 1);
	w.tree.listener = (tl__tree_listener){catch_commit, NULL};
}

static void end(void)
{
	run_all();
	forget();
	tl__fresh_free(caught);
	caught = NULL;
	tl_database_free(db);
}

static void tell_commit(uint64_t arrival, const tl__fresh *fresh)
{
	tl__sync_event event = {.kind = TL__SYNC_COMMITTED};

	r.now += 2000;
	event.committed = (tl__sync_committed){root, arrival, true, fresh};
	tell(&event);
}

/* The old way: nothing is told before a look, which tells so many. */
static void takes_a_look(size_t entries)
{
	size_t before = heard_count;

	CHECK(looks() == 1 && heard_count == before);
	run_all();
	CHECK(heard_count == before + 1 && hear_page(NULL) == entries);
}

static void a_commit_is_told_without_a_look(void)
{
	bob_is_level();
	for (int i = 0; i < 3; i++) {
		tl_id id = commit(i % 2 ? "odd" : "even");
		size_t before = heard_count;

		REQUIRE(caught);
		tell_commit(newest, caught);
		CHECK(looks() == 0 && heard_count == before + 1);
		CHECK(hear_page(&id) == 1 && told.n == newest);
		watch_by(&bob); /* the place is one of ours, else it were told to pull */
		CHECK(heard_count == before + 1 && r.core->serve->hold_count == 1);
	}
	end();
}

/* Others get their turn in between. */
static void of_very_many_some_are_looked_at(void)
{
	bob_is_level();
	for (unsigned i = 0; i < TL__SERVE_LOOK_TOGETHER; i++) {
		party p;

		make_party(&p, (uint8_t)(i + 100));
		CHECK_DONE(peer_command(TL__SYNC_REGISTER, &p.key, NULL), TL_OK);
		CHECK_DONE(pair_command(TL__SYNC_RELATE, &p.key, &root, NULL), TL_OK);
		watch_by(&p);
	}
	CHECK(r.core->serve->hold_count == TL__SERVE_LOOK_TOGETHER + 1 && heard_count == 1);
	(void)commit("for all");
	tell_commit(newest, caught);
	CHECK(looks() == 1 && heard_count == 1 + TL__SERVE_LOOK_TOGETHER);
	run_all();
	CHECK(heard_count == 2 + TL__SERVE_LOOK_TOGETHER && hear_page(NULL) == 1);
	CHECK(r.core->serve->hold_count == 0);
	end();
}

static void let_everybody_read(void)
{
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = NULL;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(
		tl_settings_store_set_global(settings, (tl_permission){TL_READ, 0}, TL_KEY_ACTIVE));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
}

/* However many of these wait. */
static void peers_are_told_before_strangers(void)
{
	uint64_t bobs;
	size_t before;

	bob_is_level();
	let_everybody_read();
	tell_commit(newest, NULL);
	takes_a_look(1);
	watch_by(&bob);
	bobs = numbers;
	for (unsigned i = 0; i <= TL__SERVE_LOOK_TOGETHER; i++) {
		party p;

		make_party(&p, (uint8_t)(i + 100));
		watch_by(&p);
	}
	CHECK(r.core->serve->stranger_holds == TL__SERVE_LOOK_TOGETHER + 1);
	before = heard_count;
	(void)commit("for all");
	tell_commit(newest, caught);
	CHECK(looks() == 1 && heard_count == before + 1 + TL__SERVE_LOOK_TOGETHER);
	CHECK(r.core->serve->hold_count == 1 && r.core->serve->stranger_holds == 1);
	CHECK(heard.answer.incoming != bobs);
	end();
}

static void several_are_read_together(void)
{
	bob_is_level();
	(void)commit("one");
	(void)commit("two");
	tell_commit(newest, NULL);
	takes_a_look(2);
	end();
}

static void a_gap_is_looked_at(void)
{
	bob_is_level();
	(void)commit("one");
	(void)commit("two");
	REQUIRE(caught);
	tell_commit(newest, caught);
	takes_a_look(2);
	/* From there on it is known again. */
	watch_by(&bob);
	(void)commit("three");
	tell_commit(newest, caught);
	CHECK(looks() == 0 && hear_page(NULL) == 1);
	end();
}

static void what_stands_beside_is_looked_at(void)
{
	tl_transaction *tx;
	tl_doc_store *store;

	bob_is_level();
	tx = begin_at(db, &root, 1);
	store = doc(tx, "notes");
	(void)commit("one");
	tell_commit(newest, caught);
	CHECK(looks() == 0 && hear_page(NULL) == 1);
	watch_by(&bob);
	CHECK_OK(tl_doc_store_set_string(store, TL__STR("k"), TL__STR("beside")));
	tl_doc_store_free(store);
	CHECK_OK(finish(tx, NULL));
	tell_commit(newest, caught);
	takes_a_look(1);
	/* Two tips: the next one stands on both. */
	watch_by(&bob);
	(void)commit("joins");
	CHECK(!caught);
	tell_commit(newest, caught);
	takes_a_look(1);
	end();
}

static void a_long_one_is_looked_at(void)
{
	size_t len = TL__FRESH_MAX_BYTES;
	char *text = malloc(len);

	REQUIRE(text);
	memset(text, 'x', len);
	bob_is_level();
	(void)commit_text(text, len);
	CHECK(!caught);
	free(text);
	end();
}

static void a_change_of_rights_is_looked_at(void)
{
	bob_is_level();
	(void)add_key(db, "carol", (tl_permission){TL_READ, 0});
	CHECK(!caught);
	tell_commit(newest, caught);
	takes_a_look(1);
	end();
}

/* Nor is it told of that. */
static void what_came_from_the_watcher_before_hinders_nothing(void)
{
	tl__pair *pair;
	tl_id id;

	bob_is_level();
	pair = tl__sync_find_pair(r.core, &bob.key, &root);
	REQUIRE(pair);
	tl__came_add(&pair->came, told.n);
	id = commit("one");
	tell_commit(newest, caught);
	CHECK(looks() == 0 && hear_page(&id) == 1);
	end();
}

int main(void)
{
	RUN_RIG(a_commit_is_told_without_a_look);
	RUN_RIG(of_very_many_some_are_looked_at);
	RUN_RIG(peers_are_told_before_strangers);
	RUN_RIG(several_are_read_together);
	RUN_RIG(a_gap_is_looked_at);
	RUN_RIG(what_stands_beside_is_looked_at);
	RUN_RIG(a_long_one_is_looked_at);
	RUN_RIG(a_change_of_rights_is_looked_at);
	RUN_RIG(what_came_from_the_watcher_before_hinders_nothing);
	return spec_end();
}
