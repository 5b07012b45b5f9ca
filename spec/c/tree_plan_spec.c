/* The plan: what must be there before an entry, what is readable, lack of memory. */
#include <tidelock/transaction.h>
#include "model/doc_path.h"
#include "tree_history.h"

static void parents_must_be_there(void)
{
	fixture f;
	tl__settings *settings = NULL;
	item *child;

	set_up(&f);
	child = add_settings(&f.h, 1, 1, "name", 2);
	CHECK_CODE(tl__plan_add(f.plan, child->entry, TL__VERIFIED), TL_E_ENTRY_NOT_FOUND);
	CHECK_CODE(tl__plan_settings(f.plan, child->entry, &settings), TL_E_ENTRY_NOT_FOUND);
	CHECK(tl__plan_count(f.plan) == 0);
	CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
	CHECK_OK(tl__plan_add(f.plan, child->entry, TL__VERIFIED));
	CHECK_CODE(tl__plan_add(f.plan, child->entry, TL__VERIFIED), TL_E_ALREADY_EXISTS);
	tear_down(&f);
}

/* A store parent outside the main ancestry is legal, and must be there as well. */
static void store_parents_must_be_there(void)
{
	fixture f;
	item *other, *child;

	set_up(&f);
	other = add_settings(&f.h, 1, 1, "name", 2);
	child = add_settings(&f.h, 1, 2, "name", 3);
	CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
	CHECK_CODE(tl__plan_add(f.plan, child->entry, TL__VERIFIED), TL_E_ENTRY_NOT_FOUND);
	CHECK_OK(tl__plan_add(f.plan, other->entry, TL__VERIFIED));
	CHECK_OK(tl__plan_add(f.plan, child->entry, TL__VERIFIED));
	tear_down(&f);
}

static void the_plan_knows_who_carries_a_store(void)
{
	fixture f;
	item *plain;
	bool carries;
	const tl_id nobody = {{'s', 1, 2, 3}};

	set_up(&f);
	plain = add_plain(&f.h, 1);
	for (int written = 0; written < 2; written++) {
		if (written == 0) {
			CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
			CHECK_OK(tl__plan_add(f.plan, plain->entry, TL__VOID));
		} else {
			write_plan(&f);
			CHECK_OK(tl__plan_prefetch(f.plan, &plain->id, 1));
			CHECK_OK(tl__plan_prefetch(f.plan, &nobody, 1));
		}
		CHECK_OK(tl__plan_carries(f.plan, TL__STR("notes"), &plain->id, &carries));
		CHECK(carries);
		CHECK_OK(tl__plan_carries(f.plan, TL__STR("notes"), &f.h.items[0].id, &carries));
		CHECK(!carries);
		CHECK_OK(tl__plan_carries(f.plan, TL__STR("notes"), &nobody, &carries));
		CHECK(!carries);
	}
	CHECK_CODE(tl__plan_add(f.plan, plain->entry, TL__VERIFIED), TL_E_ALREADY_EXISTS);
	tear_down(&f);
}

/* --- readable and not ------------------------------------------------------------------------- */

static int on_flag(void *ud, const tl__member_row *row)
{
	*(bool *)ud = row->unreadable;
	return TL_OK;
}

/* Stores an entry with this data and tells whether it was readable. */
static bool is_readable(fixture *f, tl_str data)
{
	tl_entry_builder *builder = builder_for(&f->h, 1);
	tl_value *doc = NULL;
	bool unreadable = false;
	item *x;

	tl_entry_builder_store(builder, TL__STR("notes"), data);
	x = add_item(&f->h, 1, builder);
	CHECK_OK(tl__plan_add(f->plan, x->entry, TL__VERIFIED));
	write_plan(f);
	CHECK_OK(tl__read_members(
		f->s, &f->h.items[0].id, TL__STR("notes"), &x->id, 1, on_flag, &unreadable));
	CHECK_OK(tl__state_fold(f->s, &f->h.items[0].id, TL__STR("notes"), &x->id, 1, &doc));
	CHECK(unreadable == (tl_doc_count(doc) == 0));
	tl_value_free(doc);
	CHECK_OK(tl__state_doc(f->s, &f->h.items[0].id, TL__STR("notes"), &doc));
	CHECK(unreadable || tl_doc_count(doc) > 0);
	tl_value_free(doc);
	return !unreadable;
}

static bool is_key_readable(fixture *f, size_t len)
{
	tl__buf data = TL__BUF_INIT;
	bool readable;

	tl__buf_text(&data, "{\"children\":{\"");
	while (len-- > 0)
		tl__buf_byte(&data, 'k');
	tl__buf_text(&data, "\":\"Null\"}}");
	readable = is_readable(f, tl__buf_view(&data));
	tl__buf_free(&data);
	return readable;
}

static void unreadable_data_is_stored_without_effect(void)
{
	fixture f;

	set_up(&f);
	CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
	CHECK(!is_readable(&f, TL__STR("{\"data\":[0,0]}")));
	CHECK(!is_readable(&f, TL__STR("")));
	CHECK(!is_key_readable(&f, TL__PATH_FORMAT_BYTES - 2));
	CHECK(is_key_readable(&f, TL__PATH_FORMAT_BYTES - 3));
	CHECK(is_key_readable(&f, TL_WRITE_MAX_PATH + 1)); /* longer than what we write */
	tear_down(&f);
}

/* --- lack of memory --------------------------------------------------------------------------- */

static void a_failed_addition_leaves_no_trace(void)
{
	fixture f;
	item *child;
	bool fired = true;

	set_up(&f);
	child = add_settings(&f.h, 1, 1, "name", 2);
	CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
	for (size_t n = 1; fired && n < 200; n++) {
		tl__settings *settings = NULL;
		int code;

		tl__alloc_fail_at(n);
		code = tl__plan_settings(f.plan, child->entry, &settings);
		if (code == TL_OK)
			code = tl__plan_add(f.plan, child->entry, TL__VERIFIED);
		fired = tl__alloc_fail_at(0);
		tl__settings_release(settings);
		CHECK(code == TL_OK || code == TL_E_NOMEM);
		CHECK(tl__plan_count(f.plan) == (code == TL_OK ? 2 : 1));
		if (code == TL_OK)
			tl__plan_undo(f.plan, 1);
	}
	CHECK(!fired);
	CHECK_OK(tl__plan_add(f.plan, child->entry, TL__VERIFIED));
	write_plan(&f);
	tear_down(&f);
}

static void reading_survives_lack_of_memory(void)
{
	fixture f;
	bool fired = true;

	set_up(&f);
	add_settings(&f.h, 1, 1, "name", 2);
	CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
	CHECK_OK(tl__plan_add(f.plan, f.h.items[1].entry, TL__VERIFIED));
	write_plan(&f);
	for (size_t n = 1; fired && n < 300; n++) {
		tl_value *doc = NULL, *folded = NULL, *one = NULL;
		const tl_str path = TL__STR("name"), name = TL__STR(TL__STORE_SETTINGS);
		const tl_id *db = &f.h.items[0].id;
		int code;

		tl__alloc_fail_at(n);
		code = tl__state_doc(f.s, db, name, &doc);
		if (code == TL_OK)
			code = tl__state_fold(f.s, db, name, &f.h.items[1].id, 1, &folded);
		if (code == TL_OK)
			code = tl__state_get(f.s, db, name, &path, 1, &one);
		fired = tl__alloc_fail_at(0);
		CHECK(code == (fired ? TL_E_NOMEM : TL_OK));
		CHECK(code != TL_OK || tl_value_equal(doc, folded));
		CHECK(code != TL_OK || (one && tl_value_as_int(one) == 2));
		tl_value_free(doc);
		tl_value_free(folded);
		tl_value_free(one);
	}
	CHECK(!fired);
	tear_down(&f);
}

int main(void)
{
	source = tl__random_seeded(&seeded, spec_seed(20));
	RUN(parents_must_be_there);
	RUN(store_parents_must_be_there);
	RUN(the_plan_knows_who_carries_a_store);
	RUN(unreadable_data_is_stored_without_effect);
	RUN(a_failed_addition_leaves_no_trace);
	RUN(reading_survives_lack_of_memory);
	return spec_end();
}
