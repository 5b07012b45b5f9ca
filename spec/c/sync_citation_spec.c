/* What a relation gives goes by its direction: an attack by citation, played. */
#include <tidelock/entry.h>
#include "base/json/json.h"
#include "serve_help.h"

static tl_id notes;

/* An admin of a shared database, who is a peer, has it name keys in `cited`. */
static void name_keys_in(const tl_id *cited, const tl_id *unheard)
{
	char root[TL_ID_TEXT_LEN + 1], at[TL_ID_TEXT_LEN + 1], record[512];
	tl__buf data = TL__BUF_INIT;
	tl_id tip = tip_of(&notes);
	made settings;
	fates f;

	tl_id_format(cited, root);
	tl_id_format(unheard, at);
	snprintf(record, sizeof record,
		"{\"permission-bounds\":{\"max\":{\"Write\":1},\"min\":null},"
		"\"tree\":{\"root\":\"%s\",\"tips\":[\"%s\"]}}",
		root, at);
	tl__buf_text(&data, "{\"children\":{\"auth\":{\"Doc\":{\"children\":{\"team\":{\"Text\":");
	tl__json_put_string(&data, z(record));
	tl__buf_text(&data, "}}}}}}");
	settings = make_entry(&notes, &tip, "_settings", data.ptr, "alice");
	f = push_lines(&notes, &settings.text, 1, NULL, 0);
	CHECK(f.count == 1 && f.at[0].fate == TL__V1_FATE_VERIFIED);
	made_free(&settings);
	tl__buf_free(&data);
}

/* An entry of the shared database by a key of those, as of entries that bob never heard of. */
static fates write_by_cited(const tl_id *unheard)
{
	char root[TL_ID_TEXT_LEN + 1], on[TL_ID_TEXT_LEN + 1], tip[TL_ID_TEXT_LEN + 1];
	char key[TL_KEY_TEXT_LEN + 1];
	const tl_str tips[] = {{tip, TL_ID_TEXT_LEN}};
	tl_id parent = tip_of(&notes);
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;
	fates f = {0};
	tl_str line;

	tl_id_format(&notes, root);
	tl_id_format(&parent, on);
	tl_id_format(unheard, tip);
	tl_key_format(&alice_key, key);
	CHECK_OK(tl_entry_builder_new(&b));
	tl_entry_builder_tree(b, z(root));
	tl_entry_builder_parent(b, z(on));
	tl_entry_builder_store(b, TL__STR("data"), TL__STR(DATA));
	tl_entry_builder_step(b, TL__STR("team"), tips, 1);
	tl_entry_builder_step(b, z(key), NULL, 0);
	CHECK_OK(tl_entry_builder_finish(b, &alice, &entry));
	if (entry) {
		line = tl_entry_bytes(entry);
		f = push_lines(&notes, &line, 1, NULL, 0);
	}
	tl_entry_free(entry);
	tl_entry_builder_free(b);
	return f;
}

/* Whoever administers a shared database can have it cite one that is none of theirs. Bob asks them
 * for it, as he must; that gives them nothing of it. */
static void citing_a_private_database_opens_nothing(void)
{
	tl_id private, unheard, tip;
	made good;

	begin_serve(NULL);
	notes = make_db(bob, "notes");
	private = make_db(bob, "private");
	put(bob, &private, "k", "secret");
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_ADMIN, 1}));
	relate_alice(&notes);
	tl_id_of(&unheard, "unheard", 7);
	name_keys_in(&private, &unheard);
	CHECK(write_by_cited(&unheard).at[0].fate == TL__V1_FATE_PENDING);
	REQUIRE(tl__sync_related(core_of(bob), &alice_key, &private) != NULL);
	CHECK(!tl__sync_gives(core_of(bob), &alice_key, &private));
	CHECK(pulled(&private, NULL, 0) == 0);
	CHECK(listed(NULL, 0, &notes) == 1);
	/* What bob asked for may come. */
	tip = tip_of(&private);
	good = make_entry(&private, &tip, "data", DATA, "bob");
	CHECK(push_lines(&private, &good.text, 1, NULL, 0).at[0].fate == TL__V1_FATE_VERIFIED);
	CHECK(pulled(&private, NULL, 0) == 0);
	/* The owner may give it, and take that back. */
	relate_alice(&private);
	CHECK(pulled(&private, NULL, 0) > 0);
	made_free(&good);
}

typedef struct fetched {
	unsigned asked;
	bool right; /* what it was asked */
	tl_id db;
} fetched;

static void refuse_to_fetch(
	void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	fetched *f = ud;

	if (question->kind != TL_POLICY_DELEGATED)
		return;
	f->asked++;
	f->right = question->outbound && question->protocol == 1 && question->otherwise &&
		   !question->encrypted && question->peer &&
		   memcmp(question->peer, &alice_key, sizeof alice_key) == 0 && question->db &&
		   memcmp(question->db, &f->db, sizeof f->db) == 0;
	verdict->answer = TL_POLICY_DENY;
}

static void the_policy_is_asked_before_what_is_cited_is_fetched(void)
{
	tl__sim_config config = {.name = "bob"};
	fetched f = {0};
	tl_id unheard;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .judge = refuse_to_fetch, .ud = &f};
	begin_serve(&config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_ADMIN, 1}));
	relate_alice(&notes);
	tl_id_of(&f.db, "cited", 5);
	tl_id_of(&unheard, "unheard", 7);
	name_keys_in(&f.db, &unheard);
	CHECK(write_by_cited(&unheard).at[0].fate == TL__V1_FATE_PENDING);
	CHECK(f.asked > 0 && f.right);
	CHECK(!tl__sync_find_pair(core_of(bob), &alice_key, &f.db));
}

int main(void)
{
	RUN_SIM(citing_a_private_database_opens_nothing);
	RUN_SIM(the_policy_is_asked_before_what_is_cited_is_fetched);
	return spec_end();
}
