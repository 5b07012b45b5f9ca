/* Pages read and verified ahead of their turn: never another verdict than without. */
#include <fcntl.h>
#include <unistd.h>
#include "scratch.h"
#include "tree/trust/signers.h"
#include "work/work.h"
#include "trust_fixture.h"

#define NOTES_MAX 40

/* A database of a, in which b may write under a name of its own. */
typedef struct scene {
	world w;
	signer a, b;
	tl_entry *root;
	tl_entry *notes[NOTES_MAX];
} scene;

static bool scene_open(scene *s)
{
	tl_value *settings = tl_value_doc();

	memset(s, 0, sizeof *s);
	s->a = signer_of(1);
	s->b = signer_of(2);
	if (!settings || !world_open(&s->w) ||
		!put_key(settings, s->a.text, s->a.text, admin(0), TL_KEY_ACTIVE) ||
		!put_key(settings, "bob", s->b.text, writing(5), TL_KEY_ACTIVE))
		return false;
	s->root = make(&(draft){.settings = settings, .by = &s->a});
	tl_value_free(settings);
	return s->root && feed_one(&s->w, s->root, s->root).kind == TL__FATE_VERIFIED;
}

static void drop_notes(scene *s)
{
	for (size_t i = 0; i < NOTES_MAX; i++)
		tl_entry_free(s->notes[i]);
	memset((void *)s->notes, 0, sizeof s->notes);
}

static void scene_close(scene *s)
{
	drop_notes(s);
	tl_entry_free(s->root);
	world_close(&s->w);
}

static bool is_forged(size_t i)
{
	return i % 7 == 3;
}

/* Each on the root: by a, or by b under the name. */
static bool make_notes(scene *s, const char *series, const signer *bob)
{
	char note[32];

	drop_notes(s);
	for (size_t i = 0; i < NOTES_MAX; i++) {
		snprintf(note, sizeof note, "%s%zu=v", series, i);
		s->notes[i] = make(&(draft){.root = s->root,
			.parents = {s->root},
			.parent_count = 1,
			.notes = note,
			.by = i % 2 ? bob : &s->a,
			.name = i % 2 ? "bob" : NULL,
			.forged = is_forged(i)});
		if (!s->notes[i])
			return false;
	}
	return true;
}

static int feed(scene *s, bool prepared, tl__ingest_result *r)
{
	return feed_as(&s->w, s->root, s->notes, NOTES_MAX, (feeding){.prepared = prepared}, r);
}

static void fates_are_the_same(void)
{
	tl__ingest_result plain, ahead;
	scene one, two;

	REQUIRE(scene_open(&one) && make_notes(&one, "n", &one.b));
	REQUIRE(scene_open(&two) && make_notes(&two, "n", &two.b));
	REQUIRE(feed(&one, false, &plain) == TL_OK);
	REQUIRE(feed(&two, true, &ahead) == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++) {
		CHECK(plain.fates[i].kind == ahead.fates[i].kind);
		CHECK(plain.fates[i].code == ahead.fates[i].code);
		CHECK(ahead.fates[i].kind == (is_forged(i) ? TL__FATE_INVALID : TL__FATE_VERIFIED));
	}
	CHECK(plain.entered == ahead.entered);
	tl__ingest_result_free(&plain);
	tl__ingest_result_free(&ahead);
	scene_close(&one);
	scene_close(&two);
}

/* Of a key that is guessed wrong each signature is looked at again. */
static void a_wrong_guess_decides_nothing(void)
{
	signer other = signer_of(77);
	tl__ingest_result r;
	tl_key key;
	scene s;

	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	tl_secret_public(&other.secret, &key);
	for (size_t i = 0; i < NOTES_MAX; i++)
		tl__signers_note(s.w.tree.signers, s.notes[i], &key);
	REQUIRE(feed(&s, true, &r) == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++)
		CHECK(r.fates[i].kind == (is_forged(i) ? TL__FATE_INVALID : TL__FATE_VERIFIED));
	tl__ingest_result_free(&r);
	/* The other way round: good under the guess, not under the settings. */
	REQUIRE(make_notes(&s, "m", &other));
	for (size_t i = 1; i < NOTES_MAX; i += 2)
		tl__signers_note(s.w.tree.signers, s.notes[i], &key);
	REQUIRE(feed(&s, true, &r) == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++)
		CHECK(r.fates[i].kind ==
			(i % 2 || is_forged(i) ? TL__FATE_INVALID : TL__FATE_VERIFIED));
	tl__ingest_result_free(&r);
	scene_close(&s);
}

static void signers_are_guessed_by_what_was_judged(void)
{
	tl_key key, bob;
	tl__ingest_result r;
	scene s;

	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	tl_secret_public(&s.b.secret, &bob);
	CHECK(!tl__signers_guess(s.w.tree.signers, s.notes[1], &key)); /* a mere name */
	CHECK(tl__signers_guess(s.w.tree.signers, s.notes[0], &key));  /* a key's own text */
	REQUIRE(feed(&s, false, &r) == TL_OK);
	tl__ingest_result_free(&r);
	CHECK(tl__signers_guess(s.w.tree.signers, s.notes[1], &key));
	CHECK(memcmp(&key, &bob, sizeof key) == 0);
	scene_close(&s);
}

static void lines_of_every_kind_are_told_apart(void)
{
	tl_str lines[20];
	tl__ingest_page page = {.lines = lines, .count = 20, .sender = PEER, .related = true};
	tl__ingest_result r;
	tl_entry *foreign;
	scene s;

	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	foreign = make_root(&s.b, "x");
	REQUIRE(foreign);
	page.db = *tl_entry_id(s.root);
	for (size_t i = 0; i < 20; i++)
		lines[i] = tl_entry_bytes(s.notes[i]);
	lines[4] = TL__STR("{\"tree\":");
	lines[5] = tl_entry_bytes(foreign);
	lines[6] = tl_entry_bytes(s.notes[0]);
	lines[8].len--;
	CHECK_OK(tl__ingest_prepare(&page.prepared, &s.w.tree, &page));
	REQUIRE(tl__ingest(&s.w.tree, &page, &r) == TL_OK);
	CHECK(r.fates[4].kind == TL__FATE_DECLINED && !r.fates[4].has_id);
	CHECK(r.fates[5].kind == TL__FATE_DECLINED && r.fates[5].code == TL_E_FOREIGN_ENTRY);
	CHECK(r.fates[6].kind == TL__FATE_VERIFIED && r.fates[8].kind == TL__FATE_DECLINED);
	tl__ingest_result_free(&r);
	tl__prepared_free(page.prepared);
	tl_entry_free(foreign);
	scene_close(&s);
}

static void what_is_prepared_may_be_dropped(void)
{
	tl_str lines[NOTES_MAX];
	tl__ingest_page page = {
		.lines = lines, .count = NOTES_MAX, .sender = PEER, .related = true};
	scene s;

	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	page.db = *tl_entry_id(s.root);
	for (size_t i = 0; i < NOTES_MAX; i++)
		lines[i] = tl_entry_bytes(s.notes[i]);
	for (int round = 0; round < 100; round++) {
		tl__prepared *first = NULL, *second = NULL;

		CHECK_OK(tl__ingest_prepare(&first, &s.w.tree, &page));
		CHECK_OK(tl__ingest_prepare(&second, &s.w.tree, &page));
		tl__prepared_free(round % 2 ? first : second);
		tl__prepared_free(round % 2 ? second : first);
	}
	tl__prepared_free(NULL);
	CHECK(arrivals(&s.w, s.root) == 1);
	scene_close(&s);
}

/* Whoever sends again what is known, or what nobody may write, does not make us verify it. */
static void pages_of_no_use_are_noticed(void)
{
	tl__ingest_result r;
	scene s;

	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	REQUIRE(feed(&s, true, &r) == TL_OK);
	tl__ingest_result_free(&r);
	CHECK(!atomic_load(&s.w.tree.fruitless));
	REQUIRE(feed(&s, true, &r) == TL_OK);
	tl__ingest_result_free(&r);
	CHECK(atomic_load(&s.w.tree.fruitless));
	REQUIRE(make_notes(&s, "m", &s.b));
	REQUIRE(feed(&s, true, &r) == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++)
		CHECK(r.fates[i].kind == (is_forged(i) ? TL__FATE_INVALID : TL__FATE_VERIFIED));
	tl__ingest_result_free(&r);
	CHECK(!atomic_load(&s.w.tree.fruitless));
	REQUIRE(make_notes(&s, "x", &s.b));
	for (size_t i = 0; i < NOTES_MAX; i += 2) { /* by nobody who may */
		tl_entry_free(s.notes[i]);
		s.notes[i] = make_note(s.root, s.root, NULL, &s.b, "x=y");
		REQUIRE(s.notes[i] != NULL);
	}
	REQUIRE(feed(&s, true, &r) == TL_OK);
	tl__ingest_result_free(&r);
	CHECK(atomic_load(&s.w.tree.fruitless));
	scene_close(&s);
}

static void only_so_many_are_prepared(void)
{
	tl_str lines[NOTES_MAX];
	tl__ingest_page page = {
		.lines = lines, .count = NOTES_MAX, .sender = PEER, .related = true};
	tl__prepared *all[TL__INGEST_MAX_AHEAD + 1];
	scene s;

	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	page.db = *tl_entry_id(s.root);
	for (size_t i = 0; i < NOTES_MAX; i++)
		lines[i] = tl_entry_bytes(s.notes[i]);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i <= TL__INGEST_MAX_AHEAD; i++) {
			CHECK_OK(tl__ingest_prepare(&all[i], &s.w.tree, &page));
			CHECK((all[i] != NULL) == (i < TL__INGEST_MAX_AHEAD));
		}
		for (size_t i = 0; i <= TL__INGEST_MAX_AHEAD; i++)
			tl__prepared_free(all[i]);
	}
	scene_close(&s);
}

/* The lines belong to whoever gave the work, who may drop them first. */
static void a_work_that_fails_lets_go_of_its_lines(void)
{
	enum { HELD = 4 };
	tl_str lines[NOTES_MAX];
	tl__snapshot *held[HELD];
	tl__work *work = NULL;
	int next;
	scene s;

	worlds_on_disk = true;
	REQUIRE(scene_open(&s) && make_notes(&s, "n", &s.b));
	worlds_on_disk = false;
	REQUIRE(tl__work_new(&work, TL__WORK_INGEST, tl_entry_id(s.root)) == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++)
		lines[i] = tl_entry_bytes(s.notes[i]);
	work->ingest.page = (tl__ingest_page){.db = *tl_entry_id(s.root),
		.lines = lines,
		.count = NOTES_MAX,
		.sender = PEER,
		.related = true};
	for (size_t i = 0; i < HELD; i++) /* no connection is idle */
		REQUIRE(tl__snapshot_open(s.w.store, &held[i]) == TL_OK);
	next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	REQUIRE(next >= 0);
	close(next);
	tl__work_ingest_prepare(&s.w.tree, work);
	CHECK(work->ingest.page.prepared != NULL);
	REQUIRE(scratch_limit(RLIMIT_NOFILE, (rlim_t)next));
	CHECK(tl__work_ingest_run(&s.w.tree, work) != TL_OK);
	REQUIRE(scratch_limit(RLIMIT_NOFILE, RLIM_INFINITY));
	for (size_t i = 0; i < HELD; i++)
		tl__snapshot_close(held[i]);
	CHECK(work->ingest.page.prepared == NULL);
	drop_notes(&s);
	tl__work_free(work);
	CHECK(arrivals(&s.w, s.root) == 1);
	scene_close(&s);
}

int main(void)
{
	RUN_EACH_WAY(fates_are_the_same);
	RUN_EACH_WAY(a_wrong_guess_decides_nothing);
	RUN(signers_are_guessed_by_what_was_judged);
	RUN(lines_of_every_kind_are_told_apart);
	RUN(what_is_prepared_may_be_dropped);
	RUN(pages_of_no_use_are_noticed);
	RUN(only_so_many_are_prepared);
	RUN(a_work_that_fails_lets_go_of_its_lines);
	return spec_end();
}
