/* Pages in pieces: others have their turn between two of them, and what comes of it is the same. */
#include "work/work.h"
#include "trust_fixture.h"

#define NOTES_MAX 40

/* A history of notes, each on the one before. */
typedef struct scene {
	world w;
	signer a;
	tl_entry *root;
	tl_entry *notes[NOTES_MAX];
} scene;

static bool scene_open(scene *s)
{
	char note[32];

	memset(s, 0, sizeof *s);
	s->a = signer_of(1);
	if (!world_open(&s->w))
		return false;
	s->root = make_root(&s->a, NULL);
	for (size_t i = 0; s->root && i < NOTES_MAX; i++) {
		const tl_entry *before = i > 0 ? s->notes[i - 1] : NULL;

		snprintf(note, sizeof note, "n%zu=v", i);
		s->notes[i] = make_note(s->root, before ? before : s->root, before, &s->a, note);
		if (!s->notes[i])
			return false;
	}
	return s->root && feed_one(&s->w, s->root, s->root).kind == TL__FATE_VERIFIED;
}

static void scene_close(scene *s)
{
	for (size_t i = 0; i < NOTES_MAX; i++)
		tl_entry_free(s->notes[i]);
	tl_entry_free(s->root);
	world_close(&s->w);
}

/* --- works ------------------------------------------------------------------------------------ */

static bool always(void *ud)
{
	++*(size_t *)ud;
	return true;
}

/* Whether that is so only when it is asked for the nth time. */
typedef struct moment {
	size_t asked, at;
} moment;

static bool at_a_moment(void *ud)
{
	moment *m = ud;

	return ++m->asked == m->at;
}

/* A work for entries from..to; the lines in `lines`. */
static tl__work *page_work(scene *s, tl_str *lines, tl_entry *const *entries, size_t count)
{
	tl__work *work = NULL;

	if (tl__work_new(&work, TL__WORK_INGEST, tl_entry_id(s->root)) != TL_OK)
		return NULL;
	for (size_t i = 0; i < count; i++)
		lines[i] = tl_entry_bytes(entries[i]);
	work->ingest.page = (tl__ingest_page){.db = *tl_entry_id(s->root),
		.lines = lines,
		.count = count,
		.form = TL_ENTRY_CANONICAL,
		.sender = PEER,
		.related = true};
	return work;
}

static uint64_t head_by_work(scene *s, tl__host *host)
{
	tl__work *tips = NULL;
	uint64_t arrivals = 0;

	if (tl__work_new(&tips, TL__WORK_TIPS, tl_entry_id(s->root)) != TL_OK)
		return 0;
	tips->tips.max_tips = 1;
	tl__work_run(host, tips);
	if (tips->code == TL_OK)
		arrivals = tips->tips.arrivals;
	tl__work_free(tips);
	return arrivals;
}

static void works_of_others_run_between_pieces(void)
{
	static const tl__put_local local = {
		{"sync/place", sizeof "sync/place" - 1}, {"1", sizeof "1" - 1}};
	tl_str lines[NOTES_MAX];
	uint64_t head = 1;
	size_t asked = 0, pieces = 1, reading = 0;
	char *value = NULL;
	size_t len;
	tl__work *work;
	tl__host host;
	scene s;

	REQUIRE(scene_open(&s));
	host = (tl__host){.tree = &s.w.tree};
	work = page_work(&s, lines, s.notes, NOTES_MAX);
	REQUIRE(work != NULL);
	work->ingest.page.locals = &local;
	work->ingest.page.local_count = 1;
	work->others = (tl__others){always, &asked};
	for (; tl__work_slice(&host, work); pieces++) {
		uint64_t now = head_by_work(&s, &host);

		/* A piece at a time, in order; the place only with the last. */
		CHECK(now - head <= TL__INGEST_PIECE_ENTRIES);
		reading += now == head;
		head = now;
		CHECK(tl__read_local(s.w.store, local.key, &value, &len) == TL_E_NOT_FOUND);
	}
	CHECK(work->code == TL_OK && asked > 0);
	CHECK(pieces - reading ==
		(NOTES_MAX + TL__INGEST_PIECE_ENTRIES - 1) / TL__INGEST_PIECE_ENTRIES);
	for (size_t i = 0; i < NOTES_MAX; i++) {
		CHECK_VERIFIED(work->ingest.result.fates[i]);
		CHECK(work->ingest.result.fates[i].arrival == i + 2);
	}
	CHECK(work->ingest.result.entered == NOTES_MAX && work->ingest.result.missing_count == 0);
	CHECK(work->ingest.fates[TL__FATE_VERIFIED] == NOTES_MAX);
	CHECK(work->ingest.before == 1 && work->ingest.after == 1 + NOTES_MAX);
	CHECK_OK(tl__read_local(s.w.store, local.key, &value, &len));
	tl__free(value);
	tl__work_free(work);
	scene_close(&s);
}

/* Another party brings the same database entries between two pieces, some of them the same. */
static void others_may_write_between_pieces(void)
{
	tl_str lines[NOTES_MAX], theirs[NOTES_MAX];
	size_t asked = 0, known = 0;
	tl__work *work, *other;
	tl__host host;
	scene s;

	REQUIRE(scene_open(&s));
	host = (tl__host){.tree = &s.w.tree};
	work = page_work(&s, lines, s.notes, NOTES_MAX);
	other = page_work(&s, theirs, s.notes, NOTES_MAX / 2);
	REQUIRE(work && other);
	work->others = (tl__others){always, &asked};
	while (arrivals(&s.w, s.root) == 1)
		REQUIRE(tl__work_slice(&host, work));
	tl__work_run(&host, other);
	CHECK(other->code == TL_OK);
	tl__work_run(&host, work);
	CHECK(work->code == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++) {
		tl__fate_kind kind = work->ingest.result.fates[i].kind;

		known += kind == TL__FATE_KNOWN;
		CHECK(kind == TL__FATE_KNOWN || kind == TL__FATE_VERIFIED);
		CHECK(is_where(&s.w, s.root, s.notes[i], TL__VERIFIED));
	}
	CHECK(known == NOTES_MAX / 2 - TL__INGEST_PIECE_ENTRIES);
	CHECK(work->ingest.result.entered == NOTES_MAX - known);
	CHECK(arrivals(&s.w, s.root) == 1 + NOTES_MAX);
	tl__work_free(work);
	tl__work_free(other);
	scene_close(&s);
}

/* Whoever comes, at whatever moment: one cut, and the rest follows. */
static void a_page_may_be_cut_at_any_moment(void)
{
	size_t cuts = 0;

	for (size_t at = 1;; at++) {
		tl_str lines[NOTES_MAX];
		moment m = {.at = at};
		tl__work *work;
		tl__host host;
		scene s;

		REQUIRE(scene_open(&s));
		host = (tl__host){.tree = &s.w.tree};
		work = page_work(&s, lines, s.notes, NOTES_MAX);
		REQUIRE(work != NULL);
		work->others = (tl__others){at_a_moment, &m};
		while (tl__work_slice(&host, work))
			cuts++;
		CHECK(work->code == TL_OK && work->ingest.result.entered == NOTES_MAX);
		for (size_t i = 0; i < NOTES_MAX; i++)
			CHECK_VERIFIED(work->ingest.result.fates[i]);
		CHECK(arrivals(&s.w, s.root) == 1 + NOTES_MAX);
		tl__work_free(work);
		scene_close(&s);
		if (m.asked < at)
			break;
	}
	CHECK(cuts > 1);
}

static void nobody_waits_and_a_page_is_one_piece(void)
{
	tl_str lines[NOTES_MAX];
	moment never = {.at = SIZE_MAX};
	tl__work *work;
	tl__host host;
	scene s;

	REQUIRE(scene_open(&s));
	host = (tl__host){.tree = &s.w.tree};
	work = page_work(&s, lines, s.notes, NOTES_MAX);
	REQUIRE(work != NULL);
	work->others = (tl__others){at_a_moment, &never};
	CHECK(!tl__work_slice(&host, work));
	CHECK(work->code == TL_OK && never.asked > 0);
	CHECK(work->ingest.result.entered == NOTES_MAX);
	tl__work_free(work);
	scene_close(&s);
}

/* A line that is larger than a piece is one. */
static void a_giant_is_a_piece_of_its_own(void)
{
	enum { LENGTH = 1024 * 1024 };
	char *note = tl__alloc(LENGTH + 8);
	tl_entry *all[3];
	tl_str lines[3];
	size_t asked = 0;
	uint64_t head = 1, now;
	tl__work *work;
	tl__host host;
	scene s;

	REQUIRE(note && scene_open(&s));
	memset(note, 'x', LENGTH + 7);
	memcpy(note, "big=", 4);
	note[LENGTH + 7] = 0;
	host = (tl__host){.tree = &s.w.tree};
	all[0] = make_note(s.root, s.root, NULL, &s.a, note);
	all[1] = s.notes[0];
	all[2] = s.notes[1];
	REQUIRE(all[0] != NULL);
	work = page_work(&s, lines, all, 3);
	REQUIRE(work != NULL);
	work->others = (tl__others){always, &asked};
	while (head == 1) {
		REQUIRE(tl__work_slice(&host, work));
		now = arrivals(&s.w, s.root);
		CHECK(now == head || now == head + 1);
		head = now;
	}
	tl__work_run(&host, work);
	CHECK(work->code == TL_OK && work->ingest.result.entered == 3);
	tl__work_free(work);
	tl_entry_free(all[0]);
	tl__free(note);
	scene_close(&s);
}

/* --- ends that come too early ----------------------------------------------------------------- */

/* Closes the store as a kill would leave it, and opens it again. */
static bool begin_anew(scene *s)
{
	tl__tree_free(&s->w.tree);
	tl__store_close(s->w.store);
	return tl__store_open_sqlite(&s->w.store, s->w.folder, TL__DURABLE_RELAXED, NULL) ==
		       TL_OK &&
	       tl__tree_init(&s->w.tree, s->w.store, s->w.pool, &tl__system_clock,
		       tl__random_seeded(&s->w.seeded, 1), NULL) == TL_OK;
}

/* Gives a work up after the first piece that brought anything. */
static void give_up_early(scene *s, tl_entry *const *entries, size_t count)
{
	tl_str lines[NOTES_MAX];
	tl__host host = {.tree = &s->w.tree};
	uint64_t before = arrivals(&s->w, s->root);
	size_t asked = 0;
	tl__work *work = page_work(s, lines, entries, count);

	REQUIRE(work != NULL);
	work->others = (tl__others){always, &asked};
	while (arrivals(&s->w, s->root) == before)
		REQUIRE(tl__work_slice(&host, work));
	tl__work_free(work);
}

static void what_came_before_the_end_is_there(void)
{
	tl__ingest_result r;
	scene s;

	worlds_on_disk = true;
	REQUIRE(scene_open(&s));
	give_up_early(&s, s.notes, NOTES_MAX);
	REQUIRE(begin_anew(&s));
	CHECK(arrivals(&s.w, s.root) == 1 + TL__INGEST_PIECE_ENTRIES);
	REQUIRE(feed_as(&s.w, s.root, s.notes, NOTES_MAX, (feeding){.sender = PEER}, &r) == TL_OK);
	for (size_t i = 0; i < NOTES_MAX; i++)
		CHECK(r.fates[i].kind ==
			(i < TL__INGEST_PIECE_ENTRIES ? TL__FATE_KNOWN : TL__FATE_VERIFIED));
	tl__ingest_result_free(&r);
	CHECK(arrivals(&s.w, s.root) == 1 + NOTES_MAX);
	scene_close(&s);
	worlds_on_disk = false;
}

/* All but the first note wait for it. It enters, and the end comes before those that it frees. */
static void what_was_freed_before_the_end_enters_later(bool same_process)
{
	tl__ingest_result r;
	scene s;

	worlds_on_disk = true;
	REQUIRE(scene_open(&s));
	REQUIRE(feed_as(&s.w, s.root, s.notes + 1, NOTES_MAX - 1, (feeding){.sender = PEER}, &r) ==
		TL_OK);
	CHECK_FATE(r.fates[NOTES_MAX - 2], TL__FATE_PENDING, TL_E_WAITS_FOR_PARENT);
	tl__ingest_result_free(&r);
	give_up_early(&s, s.notes, 1);
	CHECK(arrivals(&s.w, s.root) < NOTES_MAX);
	if (!same_process)
		REQUIRE(begin_anew(&s));
	/* Any page will do. */
	CHECK_FATE(feed_one(&s.w, s.root, s.root), TL__FATE_KNOWN, TL_OK);
	CHECK(arrivals(&s.w, s.root) == 1 + NOTES_MAX);
	CHECK(aside_count(&s.w, TL__PENDING, PEER) == 0);
	scene_close(&s);
	worlds_on_disk = false;
}

static void after_a_kill_what_was_freed_enters(void)
{
	what_was_freed_before_the_end_enters_later(false);
}

static void what_a_page_given_up_had_freed_enters(void)
{
	what_was_freed_before_the_end_enters_later(true);
}

/* What waited is taken in by pieces, and its fate is told with the page that brought it again. */
static void what_waited_comes_in_pieces(void)
{
	tl_str lines[NOTES_MAX];
	size_t asked = 0, most = 0;
	uint64_t head = 1;
	tl__ingest_result r;
	tl__work *work;
	tl__host host;
	scene s;

	REQUIRE(scene_open(&s));
	host = (tl__host){.tree = &s.w.tree};
	REQUIRE(feed_as(&s.w, s.root, s.notes + 1, NOTES_MAX - 1, (feeding){.sender = PEER}, &r) ==
		TL_OK);
	tl__ingest_result_free(&r);
	work = page_work(&s, lines, s.notes, 1);
	REQUIRE(work != NULL);
	work->others = (tl__others){always, &asked};
	while (tl__work_slice(&host, work)) {
		uint64_t now = arrivals(&s.w, s.root);

		most = now - head > most ? (size_t)(now - head) : most;
		head = now;
	}
	CHECK(most > 0 && most <= TL__INGEST_PIECE_ENTRIES + 1);
	CHECK(work->code == TL_OK && work->ingest.result.entered == NOTES_MAX);
	CHECK_VERIFIED(work->ingest.result.fates[0]);
	CHECK(arrivals(&s.w, s.root) == 1 + NOTES_MAX);
	tl__work_free(work);
	scene_close(&s);
}

/* Waits as often as it is asked, but not for ever: a page that does not end fails. */
static bool very_often(void *ud)
{
	return ++*(size_t *)ud < 10000;
}

/* One that stands on a refused entry and on a missing one is looked at once for the first. */
static void what_still_waits_is_not_looked_at_for_ever(void)
{
	size_t asked = 0;
	tl_entry *refused = NULL, *waiting = NULL;
	draft d = {.notes = "w=v", .parent_count = 2};
	signer stranger = signer_of(9);
	tl_str line;
	tl__ingest_result r;
	tl__work *work;
	tl__host host;
	scene s;

	worlds_in_pieces = true;
	REQUIRE(scene_open(&s));
	worlds_in_pieces = false;
	host = (tl__host){.tree = &s.w.tree};
	refused = make_note(s.root, s.root, NULL, &stranger, "r=v");
	REQUIRE(refused != NULL);
	d.by = &s.a;
	d.root = s.root;
	d.parents[0] = refused;
	d.parents[1] = s.notes[0];
	waiting = make(&d);
	REQUIRE(waiting && feed_one(&s.w, s.root, waiting).kind == TL__FATE_PENDING);
	work = page_work(&s, &line, &refused, 1);
	REQUIRE(work != NULL);
	work->others = (tl__others){very_often, &asked};
	while (tl__work_slice(&host, work))
		;
	CHECK(asked < 100);
	CHECK(work->code == TL_OK && work->ingest.result.fates[0].kind == TL__FATE_INVALID);
	tl__work_free(work);
	REQUIRE(feed_as(&s.w, s.root, s.notes, 1, (feeding){.sender = PEER}, &r) == TL_OK);
	CHECK_VERIFIED(r.fates[0]);
	CHECK(r.entered == 3); /* it, the one that waited, and below that the refused one as void */
	CHECK(arrivals(&s.w, s.root) == 4);
	tl__ingest_result_free(&r);
	tl_entry_free(refused);
	tl_entry_free(waiting);
	scene_close(&s);
}

int main(void)
{
	RUN(works_of_others_run_between_pieces);
	RUN(others_may_write_between_pieces);
	RUN(a_page_may_be_cut_at_any_moment);
	RUN(nobody_waits_and_a_page_is_one_piece);
	RUN(a_giant_is_a_piece_of_its_own);
	RUN(what_came_before_the_end_is_there);
	RUN(after_a_kill_what_was_freed_enters);
	RUN(what_a_page_given_up_had_freed_enters);
	RUN(what_waited_comes_in_pieces);
	RUN(what_still_waits_is_not_looked_at_for_ever);
	return spec_end();
}
