/* What strangers try: unsigned, forged, misplaced and impossible entries. */
#include "trust_fixture.h"
#include "plain_help.h"

/* An unknown writer is one for ever, whatever comes later. */
static void h11_h12_settings_of_the_past_count(void)
{
	plain p;
	tl_value *change = tl_value_doc();
	tl_entry *early, *late, *revoke;

	REQUIRE(plain_open(&p) && change);
	early = make(NOTE_BY(&p, .by = &p.x));
	CHECK_FATE(feed_one(&p.w, p.root, early), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	REQUIRE(put_key(change, p.x.text, p.x.text, writing(1), TL_KEY_ACTIVE));
	REQUIRE(put_key(change, p.b.text, p.b.text, writing(5), TL_KEY_REVOKED));
	revoke = make(&(draft){.root = p.root,
		.parents = {p.note},
		.parent_count = 1,
		.settings = change,
		.settings_parents = {p.root},
		.settings_parent_count = 1,
		.by = &p.a});
	CHECK_VERIFIED(feed_one(&p.w, p.root, revoke));
	CHECK_FATE(feed_one(&p.w, p.root, early), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	late = make_note(p.root, revoke, p.note, &p.b, "k=late");
	CHECK_FATE(feed_one(&p.w, p.root, late), TL__FATE_INVALID, TL_E_KEY_REVOKED);
	tl_entry_free(late);
	late = make_note(p.root, revoke, p.note, &p.x, "k=now");
	CHECK_VERIFIED(feed_one(&p.w, p.root, late));
	/* h12: on old parents the revoked key still writes; so all replicas agree. */
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.b)));
	tl_entry_free(early);
	tl_entry_free(late);
	tl_entry_free(revoke);
	tl_value_free(change);
	plain_close(&p);
}

static void h2_h3_what_is_not_good_is_not_visible(void)
{
	plain p;
	tl_value *grant = tl_value_doc();
	tl_entry *evil;

	REQUIRE(plain_open(&p) && grant);
	REQUIRE(put_key(grant, p.x.text, p.x.text, admin(0), TL_KEY_ACTIVE));
	evil = make(&(draft){.root = p.root,
		.parents = {p.note},
		.parent_count = 1,
		.settings = grant,
		.settings_parents = {p.root},
		.settings_parent_count = 1,
		.by = &p.x});
	CHECK_FATE(feed_one(&p.w, p.root, evil), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_FATE(feed_one(&p.w, p.root, evil), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK(is_where(&p.w, p.root, evil, TL__INVALID));
	CHECK(arrivals(&p.w, p.root) == 2);
	/* A known entry stays what it is, however often it comes. */
	CHECK_FATE(feed_one(&p.w, p.root, p.root), TL__FATE_KNOWN, TL_OK);
	CHECK(is_where(&p.w, p.root, p.root, TL__VERIFIED));
	tl_entry_free(evil);
	tl_value_free(grant);
	plain_close(&p);
}

static void h4_unknown_databases_are_taken_only_if_wanted(void)
{
	plain p;
	tl_entry *root, *list[2];
	tl__ingest_result r;

	REQUIRE(plain_open(&p));
	root = make_root(&p.x, NULL);
	list[0] = make_note(root, root, NULL, &p.x, "k=v");
	list[1] = root;
	REQUIRE(feed_as(&p.w, root, list, 2, (feeding){.known_only = true}, &r) == TL_OK);
	CHECK(r.fates[0].kind == TL__FATE_DECLINED && r.fates[0].code == TL_E_UNKNOWN_DATABASE);
	CHECK(r.fates[1].kind == TL__FATE_DECLINED && r.fates[1].code == TL_E_UNKNOWN_DATABASE);
	tl__ingest_result_free(&r);
	/* Wanted, but without its root: nothing to stand on. */
	REQUIRE(feed_as(&p.w, root, list, 1, (feeding){.known_only = false}, &r) == TL_OK);
	CHECK(r.fates[0].kind == TL__FATE_DECLINED && r.fates[0].code == TL_E_UNKNOWN_DATABASE);
	tl__ingest_result_free(&r);
	CHECK(!look_for(&p.w, root, list[0]).found);
	REQUIRE(feed_as(&p.w, root, list, 2, (feeding){.known_only = false}, &r) == TL_OK);
	CHECK(r.fates[0].kind == TL__FATE_VERIFIED && r.fates[1].kind == TL__FATE_VERIFIED);
	tl__ingest_result_free(&r);
	tl_entry_free(list[0]);
	tl_entry_free(root);
	plain_close(&p);
}

static void h9_unsigned_entries_are_invalid(void)
{
	plain p;

	REQUIRE(plain_open(&p));
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = NULL)), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.a, .name = "")), TL__FATE_INVALID,
		TL_E_KEY_NOT_FOUND);
	plain_close(&p);
}

static void h10_without_a_key_record_nobody_writes(void)
{
	world w;
	signer a = signer_of(1), x = signer_of(9);
	tl_value *gone = tl_value_doc(), *own = tl_value_doc();
	tl_entry *root = make_root(&a, NULL), *wipe, *note, *claim;
	tl_str path[] = {TL__STR("auth"), tl__str_z(a.text)};

	REQUIRE(world_open(&w) && gone && own);
	REQUIRE(tl_doc_delete_at(gone, path, 2) == TL_OK);
	REQUIRE(put_key(own, x.text, x.text, admin(0), TL_KEY_ACTIVE));
	wipe = make(&(draft){.root = root,
		.parents = {root},
		.parent_count = 1,
		.settings = gone,
		.settings_parents = {root},
		.settings_parent_count = 1,
		.by = &a});
	note = make_note(root, wipe, NULL, &x, "k=v");
	claim = make(&(draft){.root = root,
		.parents = {wipe},
		.parent_count = 1,
		.settings = own,
		.settings_parents = {wipe},
		.settings_parent_count = 1,
		.by = &x});
	CHECK_VERIFIED(feed_one(&w, root, root));
	CHECK_VERIFIED(feed_one(&w, root, wipe));
	CHECK_FATE(feed_one(&w, root, note), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_FATE(feed_one(&w, root, claim), TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	tl_entry_free(root);
	tl_entry_free(wipe);
	tl_entry_free(note);
	tl_entry_free(claim);
	tl_value_free(gone);
	tl_value_free(own);
	world_close(&w);
}

/* Refused when we write, accepted on receipt: else histories would split. */
static void h13_h14_priorities_do_not_split_histories(void)
{
	plain p;
	tl_value *change = tl_value_doc();

	REQUIRE(plain_open(&p) && change);
	REQUIRE(put_key(change, p.a.text, p.x.text, writing(9), TL_KEY_ACTIVE));
	REQUIRE(put_tree(change, "team", p.root, "{\"Admin\":0}"));
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.c, .name = "carol", .settings = change)));
	tl_value_free(change);
	plain_close(&p);
}

static void h17_a_name_speaks_for_its_own_key(void)
{
	plain p;
	tl_value *open = tl_value_doc();
	tl_entry *all;

	REQUIRE(plain_open(&p) && open);
	REQUIRE(put_key(open, "*", "*", writing(100), TL_KEY_ACTIVE));
	all = make(&(draft){.root = p.root,
		.parents = {p.note},
		.parent_count = 1,
		.settings = open,
		.settings_parents = {p.root},
		.settings_parent_count = 1,
		.by = &p.a});
	CHECK_VERIFIED(feed_one(&p.w, p.root, all));
	p.note = (tl_entry_free(p.note), tl_entry_retain(all));
#define OPEN_BY(...)                                                                               \
	(&(draft){.root = p.root, .parents = {all}, .parent_count = 1, .notes = "k=w", __VA_ARGS__})
	CHECK_VERIFIED(fate_of(&p, OPEN_BY(.by = &p.x, .name = "*", .shown = p.x.text)));
	CHECK_FATE(fate_of(&p, OPEN_BY(.by = &p.x, .name = "*")), TL__FATE_INVALID, TL_E_BAD_KEY);
	CHECK_FATE(fate_of(&p, OPEN_BY(.by = &p.x, .name = "alice", .shown = p.x.text)),
		TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_FATE(fate_of(&p, OPEN_BY(.by = &p.x, .name = "carol", .shown = p.x.text)),
		TL__FATE_INVALID, TL_E_BAD_KEY);
	CHECK_FATE(fate_of(&p, OPEN_BY(.by = &p.x, .name = "*", .shown = p.a.text)),
		TL__FATE_INVALID, TL_E_BAD_SIGNATURE);
	tl_entry_free(all);
	tl_value_free(open);
	plain_close(&p);
}

/* Feeds a text as a page of its own. */
static tl__fate feed_text(world *w, const tl_entry *root, tl_str text, tl_entry_form form)
{
	tl__ingest_page page = {.db = *tl_entry_id(root),
		.lines = &text,
		.count = 1,
		.form = form,
		.sender = PEER,
		.related = true};
	tl__fate fate = {.code = TL_E_INTERNAL};
	tl__ingest_result r;

	if (tl__ingest(&w->tree, &page, &r) == TL_OK) {
		fate = r.fates[0];
		tl__ingest_result_free(&r);
	}
	return fate;
}

static void h21_h22_impossible_structures_are_declined(void)
{
	plain p;
	char id[TL_ID_TEXT_LEN + 1];
	tl__buf text = TL__BUF_INIT;
	const char *const stores[] = {
		"{\"name\":\"_root\",\"parents\":[],\"data\":\"\"}", /* a root inside */
		"{\"name\":\"a\",\"parents\":[],\"data\":\"\"},"
		"{\"name\":\"a\",\"parents\":[],\"data\":\"\"}",
	};

	REQUIRE(plain_open(&p));
	id_text(p.root, id);
	for (size_t i = 0; i < 2; i++) {
		tl__buf_clear(&text);
		tl__buf_format(&text,
			"{\"tree\":{\"root\":\"%s\",\"parents\":[%s%s%s],\"metadata\":null},"
			"\"subtrees\":[%s],\"sig\":{\"sig\":null,\"key\":\"\"}}",
			id, i ? "\"" : "", i ? id : "", i ? "\"" : "", stores[i]);
		CHECK_FATE(feed_text(&p.w, p.root, tl__buf_view(&text), TL_ENTRY_CANONICAL),
			TL__FATE_DECLINED, TL_E_BAD_ENTRY);
	}
	tl__buf_clear(&text);
	tl__buf_format(&text,
		"{\"tree\":{\"root\":\"%s\",\"parents\":[\"%s\",\"%s\"],\"metadata\":null},"
		"\"subtrees\":[],\"sig\":{\"sig\":null,\"key\":\"\"}}",
		id, id, id);
	CHECK_FATE(feed_text(&p.w, p.root, tl__buf_view(&text), TL_ENTRY_CANONICAL),
		TL__FATE_DECLINED, TL_E_BAD_ENTRY);
	tl__buf_clear(&text);
	tl__buf_format(&text,
		"{\"tree\":{\"root\":\"%s\",\"parents\":[\"sha256:00\"],\"metadata\":null},"
		"\"subtrees\":[],\"sig\":{\"sig\":null,\"key\":\"\"}}",
		id);
	CHECK_FATE(feed_text(&p.w, p.root, tl__buf_view(&text), TL_ENTRY_CANONICAL),
		TL__FATE_DECLINED, TL_E_BAD_ENTRY);
	tl__buf_free(&text);
	plain_close(&p);
}

static void h25_lines_that_are_no_entries_are_declined(void)
{
	plain p;
	tl__buf spaced = TL__BUF_INIT;
	tl_entry *note;
	char *large = tl__alloc_zero(1, TL_ENTRY_MAX_BYTES + 1);

	REQUIRE(plain_open(&p) && large);
	note = make(NOTE_BY(&p, .by = &p.a));
	memset(large, ' ', TL_ENTRY_MAX_BYTES + 1);
	tl__buf_text(&spaced, " ");
	tl__buf_str(&spaced, tl_entry_bytes(note));
	CHECK_FATE(feed_text(&p.w, p.root, TL__STR("{"), TL_ENTRY_CANONICAL), TL__FATE_DECLINED,
		TL_E_BAD_JSON);
	CHECK_FATE(feed_text(&p.w, p.root, TL__STR("{\"tree\":1}"), TL_ENTRY_FOREIGN),
		TL__FATE_DECLINED, TL_E_BAD_ENTRY);
	/* h25 */
	CHECK_FATE(
		feed_text(&p.w, p.root, (tl_str){large, TL_ENTRY_MAX_BYTES + 1}, TL_ENTRY_FOREIGN),
		TL__FATE_DECLINED, TL_E_TOO_LARGE);
	CHECK_FATE(feed_text(&p.w, p.root, tl__buf_view(&spaced), TL_ENTRY_CANONICAL),
		TL__FATE_DECLINED, TL_E_NOT_CANONICAL);
	/* Never remembered: the same entry, well written, is as good as ever. */
	CHECK_VERIFIED(feed_text(&p.w, p.root, tl__buf_view(&spaced), TL_ENTRY_FOREIGN));
	tl__buf_free(&spaced);
	tl__free(large);
	tl_entry_free(note);
	plain_close(&p);
}

/* Junk in `_settings` contributes nothing and blocks nothing. */
static void h24_unreadable_settings_do_not_block(void)
{
	plain p;
	const char *const junk[] = {"not a doc", "{\"children\":{\"auth\":{\"Text\":\"x\"}}}"};
	tl_entry *entry;

	REQUIRE(plain_open(&p));
	entry = make(NOTE_BY(&p, .by = &p.a, .raw_settings = junk[0]));
	CHECK_VERIFIED(feed_one(&p.w, p.root, entry));
	CHECK_VERIFIED(fate_of(&p, &(draft){.root = p.root,
					   .parents = {entry},
					   .parent_count = 1,
					   .notes = "k=after",
					   .notes_parents = {entry},
					   .notes_parent_count = 1,
					   .by = &p.b}));
	CHECK(note_is(&p.w, p.root, "k", "after"));
	tl_entry_free(entry);
	/* An auth that is no Doc holds no keys: only those on other branches go on. */
	entry = make(&(draft){.root = p.root,
		.parents = {p.note},
		.parent_count = 1,
		.raw_settings = junk[1],
		.settings_parents = {p.root},
		.settings_parent_count = 1,
		.by = &p.a});
	CHECK_VERIFIED(feed_one(&p.w, p.root, entry));
	CHECK_FATE(fate_of(&p, &(draft){.root = p.root,
				       .parents = {entry},
				       .parent_count = 1,
				       .notes = "k=w",
				       .by = &p.a}),
		TL__FATE_INVALID, TL_E_KEY_NOT_FOUND);
	CHECK_VERIFIED(fate_of(&p, NOTE_BY(&p, .by = &p.b)));
	tl_entry_free(entry);
	plain_close(&p);
}

/* Two changes that know nothing of each other: which counts does not depend on who came first. */
static void h26_order_of_arrival_does_not_choose_settings(void)
{
	char *texts[2] = {NULL, NULL};
	size_t len;

	for (size_t first = 0; first < 2; first++) {
		plain p;
		tl_entry *change[2];
		tl__settings *now = NULL;
		tl__snapshot *s = NULL;

		REQUIRE(plain_open(&p));
		for (uint32_t i = 0; i < 2; i++) {
			tl_value *settings = tl_value_doc();

			REQUIRE(settings &&
				put_key(settings, p.b.text, p.b.text, writing(i), TL_KEY_ACTIVE));
			change[i] = make(&(draft){.root = p.root,
				.parents = {p.note},
				.parent_count = 1,
				.settings = settings,
				.by = &p.a});
			tl_value_free(settings);
		}
		CHECK_VERIFIED(feed_one(&p.w, p.root, change[first]));
		CHECK_VERIFIED(feed_one(&p.w, p.root, change[1 - first]));
		CHECK_OK(tl__snapshot_open(p.w.store, &s));
		CHECK_OK(tl__settings_now(&p.w.tree, s, tl_entry_id(p.root), &now));
		CHECK_OK(tl_doc_write(now->doc, &texts[first], &len));
		tl__settings_release(now);
		tl__snapshot_close(s);
		tl_entry_free(change[0]);
		tl_entry_free(change[1]);
		plain_close(&p);
	}
	CHECK(texts[0] && texts[1] && strcmp(texts[0], texts[1]) == 0);
	tl_free(texts[0]);
	tl_free(texts[1]);
}

static void h28_small_order_keys_are_refused(void)
{
	plain p;
	tl_value *weak = tl_value_doc();
	tl_entry *grant;

	REQUIRE(plain_open(&p) && weak);
	REQUIRE(put_key(weak, "weak",
		"ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", writing(0), TL_KEY_ACTIVE));
	grant = make(&(draft){.root = p.root,
		.parents = {p.note},
		.parent_count = 1,
		.settings = weak,
		.settings_parents = {p.root},
		.settings_parent_count = 1,
		.by = &p.a});
	CHECK_VERIFIED(feed_one(&p.w, p.root, grant));
	CHECK_FATE(fate_of(&p, &(draft){.root = p.root,
				       .parents = {grant},
				       .parent_count = 1,
				       .notes = "k=w",
				       .by = &p.x,
				       .name = "weak"}),
		TL__FATE_INVALID, TL_E_BAD_KEY);
	tl_entry_free(grant);
	tl_value_free(weak);
	plain_close(&p);
}

/* Metadata may point to settings that would allow it: only the ancestry counts. */
static void h29_settings_tips_in_metadata_are_not_trusted(void)
{
	plain p;
	tl_value *grant = tl_value_doc();
	tl_entry *change;
	char id[TL_ID_TEXT_LEN + 1];
	tl__buf metadata = TL__BUF_INIT;

	REQUIRE(plain_open(&p) && grant);
	REQUIRE(put_key(grant, p.x.text, p.x.text, admin(0), TL_KEY_ACTIVE));
	change = make(&(draft){.root = p.root,
		.parents = {p.note},
		.parent_count = 1,
		.settings = grant,
		.settings_parents = {p.root},
		.settings_parent_count = 1,
		.by = &p.a});
	CHECK_VERIFIED(feed_one(&p.w, p.root, change));
	id_text(change, id);
	tl__buf_format(&metadata, "{\"settings_tips\":[\"%s\"],\"entropy\":null}", id);
	CHECK_FATE(fate_of(&p, NOTE_BY(&p, .by = &p.x, .metadata = metadata.ptr)), TL__FATE_INVALID,
		TL_E_KEY_NOT_FOUND);
	tl__buf_free(&metadata);
	tl_entry_free(change);
	tl_value_free(grant);
	plain_close(&p);
}

int main(void)
{
	RUN_EACH_WAY(h2_h3_what_is_not_good_is_not_visible);
	RUN_EACH_WAY(h4_unknown_databases_are_taken_only_if_wanted);
	RUN_EACH_WAY(h9_unsigned_entries_are_invalid);
	RUN_EACH_WAY(h10_without_a_key_record_nobody_writes);
	RUN_EACH_WAY(h11_h12_settings_of_the_past_count);
	RUN_EACH_WAY(h13_h14_priorities_do_not_split_histories);
	RUN_EACH_WAY(h17_a_name_speaks_for_its_own_key);
	RUN_EACH_WAY(h21_h22_impossible_structures_are_declined);
	RUN_EACH_WAY(h25_lines_that_are_no_entries_are_declined);
	RUN_EACH_WAY(h24_unreadable_settings_do_not_block);
	RUN_EACH_WAY(h26_order_of_arrival_does_not_choose_settings);
	RUN_EACH_WAY(h28_small_order_keys_are_refused);
	RUN_EACH_WAY(h29_settings_tips_in_metadata_are_not_trusted);
	return spec_end();
}
