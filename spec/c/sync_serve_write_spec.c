/* Pushes to protocol v1: fates, who may carry, databases that are not held. */
#include "serve_help.h"

static tl_id notes;

static void with_notes(const tl__sim_config *config, tl_permission permission)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "writer", permission));
}

static const tl_permission writing = {TL_WRITE, 5}, reading = {TL_READ, 0};

static const char *const writer[] = {"writer"}, *const stranger[] = {"stranger"};

/* --- push ------------------------------------------------------------------------------------- */

static void every_line_has_its_fate(void)
{
	made good, orphan, forged, unsigned_one, foreign;
	tl_id nowhere, other;
	fates f;

	with_notes(NULL, writing);
	tl_id_of(&nowhere, "nowhere", 7);
	other = make_db(bob, "other");
	good = make_entry(&notes, &notes, "data", DATA, "writer");
	orphan = make_entry(&notes, &nowhere, "data", DATA, "writer");
	forged = make_entry(&notes, &notes, "data", DATA, "stranger");
	unsigned_one = make_entry(&notes, &notes, "other", DATA, NULL);
	foreign = make_entry(&other, &other, "data", DATA, "writer");
	{
		const tl_str lines[] = {good.text, orphan.text, forged.text, unsigned_one.text,
			foreign.text, good.text};

		f = push_lines(&notes, lines, 6, writer, 1);
	}
	CHECK(f.status == TL__V1_OK && f.count == 6);
	/* `writer` may write only behind the entry that grants it, which these do not stand on. */
	CHECK(f.at[0].fate == TL__V1_FATE_INVALID && strcmp(f.code[0], "key_not_found") == 0);
	CHECK(f.at[1].fate == TL__V1_FATE_PENDING && f.at[1].waits_count == 1 &&
		memcmp(&f.at[1].waits_for[0], &nowhere, sizeof nowhere) == 0);
	CHECK(f.at[2].fate == TL__V1_FATE_INVALID && strcmp(f.code[2], "key_not_found") == 0);
	CHECK(f.at[3].fate == TL__V1_FATE_INVALID);
	CHECK(f.at[4].fate == TL__V1_FATE_DECLINED && strcmp(f.code[4], "foreign_entry") == 0);
	CHECK(arrivals(bob, &notes) == 2 && arrivals(bob, &other) == 1);
	made_free(&good);
	made_free(&orphan);
	made_free(&forged);
	made_free(&unsigned_one);
	made_free(&foreign);
}

/* The entry that granted the key: what good entries stand on. */
static void a_good_entry_becomes_visible_once(void)
{
	made good;
	tl_id tip;
	fates f;

	with_notes(NULL, writing);
	tip = tip_of(&notes);
	good = make_entry(&notes, &tip, "data", DATA, "writer");
	f = push_lines(&notes, &good.text, 1, writer, 1);
	CHECK(f.count == 1 && f.at[0].fate == TL__V1_FATE_VERIFIED);
	CHECK(bob_has(&notes, &good.id) && reads(bob, &notes, "k", "v"));
	f = push_lines(&notes, &good.text, 1, writer, 1);
	CHECK(f.count == 1 && f.at[0].fate == TL__V1_FATE_KNOWN);
	CHECK(arrivals(bob, &notes) == 3);
	made_free(&good);
}

static void forged_and_unsigned_entries_are_never_visible(void)
{
	made forged, bare;
	tl_id tip;
	tl__buf bent = TL__BUF_INIT;
	tl_str line;
	fates f;
	char *at;

	with_notes(NULL, writing);
	tip = tip_of(&notes);
	forged = make_entry(&notes, &tip, "data", DATA, "writer");
	bare = make_entry(&notes, &tip, "data", DATA, NULL);
	tl__buf_str(&bent, forged.text);
	at = strstr(bent.ptr, "\\\"v\\\"");
	REQUIRE(at);
	at[2] = 'w'; /* signed for another text */
	line = tl__buf_view(&bent);
	f = push_lines(&notes, &line, 1, writer, 1);
	CHECK(f.at[0].fate == TL__V1_FATE_INVALID && strcmp(f.code[0], "bad_signature") == 0);
	tl__sim_run(sim, TL__SERVE_JUNK_MS);
	f = push_lines(&notes, &bare.text, 1, writer, 1);
	CHECK(f.at[0].fate == TL__V1_FATE_INVALID);
	CHECK(arrivals(bob, &notes) == 2 && !bob_has(&notes, &bare.id));
	CHECK(!reads(bob, &notes, "k", "v") && !reads(bob, &notes, "k", "w"));
	made_free(&forged);
	made_free(&bare);
	tl__buf_free(&bent);
}

static void who_may_carry(void)
{
	made good;
	tl_id tip;

	with_notes(NULL, reading);
	tip = tip_of(&notes);
	good = make_entry(&notes, &tip, "data", DATA, "bob");
	/* Nobody; a key that may only read; a key that may write; a relation. */
	CHECK(push_lines(&notes, &good.text, 1, NULL, 0).status == TL__V1_NOT_AVAILABLE);
	CHECK(push_lines(&notes, &good.text, 1, writer, 1).status == TL__V1_NOT_PERMITTED);
	CHECK(!bob_has(&notes, &good.id));
	relate_alice(&notes);
	CHECK(push_lines(&notes, &good.text, 1, NULL, 0).at[0].fate == TL__V1_FATE_VERIFIED);
	made_free(&good);
}

static void the_policy_has_the_first_word_on_writing(void)
{
	tl_policy_answer answers[8] = {0};
	tl__sim_config config = {.name = "bob"};
	made good;
	tl_id tip;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = by_kind, .ud = answers};
	with_notes(&config, writing);
	tip = tip_of(&notes);
	good = make_entry(&notes, &tip, "data", DATA, "writer");
	answers[TL_POLICY_WRITE] = TL_POLICY_DENY;
	CHECK(push_lines(&notes, &good.text, 1, writer, 1).status == TL__V1_NOT_PERMITTED);
	answers[TL_POLICY_WRITE] = TL_POLICY_ALLOW;
	CHECK(push_lines(&notes, &good.text, 1, NULL, 0).status == TL__V1_OK);
	CHECK(bob_has(&notes, &good.id));
	made_free(&good);
}

/* Arrivals and tips of a database say what others do there. */
static void where_we_stand_is_told_to_readers_alone(void)
{
	tl_policy_answer answers[8] = {0};
	tl__sim_config config = {.name = "bob"};
	made good, root;
	tl_id tip;
	fates f;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = by_kind, .ud = answers};
	with_notes(&config, writing);
	tip = tip_of(&notes);
	good = make_entry(&notes, &tip, "data", DATA, "writer");
	root = make_root("mine", "alice");
	f = push_lines(&notes, &good.text, 1, writer, 1);
	CHECK(f.args.has_state && f.args.arrivals == arrivals(bob, &notes));
	CHECK(f.args.tip_count == 1);
	answers[TL_POLICY_READ] = TL_POLICY_DENY;
	f = push_lines(&notes, &good.text, 1, writer, 1);
	CHECK(f.count == 1 && f.at[0].fate == TL__V1_FATE_KNOWN && !f.args.has_state);
	/* What came with the push itself is no news to its sender. */
	answers[TL_POLICY_CREATE] = TL_POLICY_ALLOW;
	f = push_lines(&root.id, &root.text, 1, NULL, 0);
	CHECK(f.args.has_state && f.args.arrivals == 1);
	answers[TL_POLICY_WRITE] = TL_POLICY_ALLOW;
	f = push_lines(&root.id, &root.text, 1, NULL, 0);
	CHECK(f.count == 1 && !f.args.has_state);
	made_free(&good);
	made_free(&root);
}

/* --- databases that are not held -------------------------------------------------------------- */

static void an_unknown_database_is_refused(void)
{
	made root;

	begin_serve(NULL);
	root = make_root("mine", "alice");
	CHECK(push_lines(&root.id, &root.text, 1, NULL, 0).status == TL__V1_NOT_AVAILABLE);
	CHECK(!holds(bob, &root.id));
	made_free(&root);
}

static void an_unknown_database_is_taken_from_whom_is_trusted(void)
{
	char text[TL_KEY_TEXT_LEN + 1];
	const char *list[] = {text};
	tl__sim_config config = {.name = "bob"};
	made root, child;
	fates f;

	key_text("trusted", text);
	config.options.accept_databases_from = list;
	config.options.accept_databases_from_count = 1;
	begin_serve(&config);
	root = make_root("mine", "alice");
	child = make_entry(&root.id, &root.id, "data", DATA, "alice");
	CHECK(push_lines(&root.id, &root.text, 1, stranger, 1).status == TL__V1_NOT_AVAILABLE);
	{
		static const char *const trusted[] = {"trusted"};
		const tl_str both[] = {root.text, child.text};

		/* Without its root it does not come in. */
		f = push_lines(&root.id, &child.text, 1, trusted, 1);
		CHECK(f.count == 1 && f.at[0].fate == TL__V1_FATE_DECLINED &&
			strcmp(f.code[0], "unknown_database") == 0);
		CHECK(!holds(bob, &root.id));
		f = push_lines(&root.id, both, 2, trusted, 1);
		CHECK(f.count == 2 && f.at[0].fate == TL__V1_FATE_VERIFIED &&
			f.at[1].fate == TL__V1_FATE_VERIFIED);
	}
	CHECK(holds(bob, &root.id) && reads(bob, &root.id, "k", "v"));
	made_free(&root);
	made_free(&child);
}

static void an_unknown_database_is_taken_when_asked_for(void)
{
	made root;

	begin_serve(NULL);
	root = make_root("mine", "alice");
	relate_alice(&root.id);
	CHECK(push_lines(&root.id, &root.text, 1, NULL, 0).at[0].fate == TL__V1_FATE_VERIFIED);
	CHECK(holds(bob, &root.id));
	made_free(&root);
}

static void system_databases_are_never_taken(void)
{
	static const char *const names[] = {
		"_users", "_databases", "_instance", "_sync", "_user_alice"};
	tl_policy_answer answers[8] = {0};
	tl__sim_config config = {.name = "bob"};

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = by_kind, .ud = answers};
	answers[TL_POLICY_CREATE] = answers[TL_POLICY_WRITE] = TL_POLICY_ALLOW;
	begin_serve(&config);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		made root = make_root(names[i], "alice");
		fates f = push_lines(&root.id, &root.text, 1, NULL, 0);

		CHECK(f.count == 1 && f.at[0].fate == TL__V1_FATE_DECLINED);
		relate_alice(&root.id);
		f = push_lines(&root.id, &root.text, 1, NULL, 0);
		CHECK(f.at[0].fate == TL__V1_FATE_DECLINED);
		CHECK(!holds(bob, &root.id));
		made_free(&root);
	}
}

/* The old protocol only says that the message came. */
static void nor_over_the_old_protocol(void)
{
	made root = make_root("_users", "alice");
	tl_policy_answer answers[8] = {0};
	tl__sim_config config = {.name = "bob"};
	tl__buf document = TL__BUF_INIT;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = by_kind, .ud = answers};
	answers[TL_POLICY_CREATE] = answers[TL_POLICY_WRITE] = TL_POLICY_ALLOW;
	begin_serve(&config);
	tl__buf_format(&document, "{\"SendEntries\":[%.*s]}", TL__STR_ARG(root.text));
	CHECK_OK(tl__buf_status(&document));
	tl__buf_byte(&document, 0);
	CHECK(v0_says(document.ptr, "\"Ack\""));
	CHECK(!holds(bob, &root.id));
	tl__buf_free(&document);
	made_free(&root);
}

int main(void)
{
	RUN_SIM(every_line_has_its_fate);
	RUN_SIM(a_good_entry_becomes_visible_once);
	RUN_SIM(forged_and_unsigned_entries_are_never_visible);
	RUN_SIM(who_may_carry);
	RUN_SIM(the_policy_has_the_first_word_on_writing);
	RUN_SIM(where_we_stand_is_told_to_readers_alone);
	RUN_SIM(an_unknown_database_is_refused);
	RUN_SIM(an_unknown_database_is_taken_from_whom_is_trusted);
	RUN_SIM(an_unknown_database_is_taken_when_asked_for);
	RUN_SIM(system_databases_are_never_taken);
	RUN_V0(RUN_SIM, nor_over_the_old_protocol);
	return spec_end();
}
