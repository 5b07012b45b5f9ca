/* Proofs of a v1 request, and long bodies of strangers: what is looked at, and what it counts for.
 */
#include "serve_help.h"

static tl_id notes; /* alice's device key reads it */

static void with_notes(void)
{
	begin_serve(NULL);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_WRITE, 5}));
}

/* A pull with proofs by these keys; `spoiled`: the last one is none. */
static heard pull_proving(const tl_id *db, const char *const *keys, size_t count, bool spoiled)
{
	tl__v1_request m = request_of("pull", db, PULL_ARGS);
	tl__buf frame = TL__BUF_INIT;
	tl__v1_frame parts;
	heard h;

	write_frame(&frame, &m, keys, count, TL__STR(""));
	CHECK_OK(tl__v1_frame_read(&parts, frame.ptr, frame.len));
	if (spoiled)
		frame.ptr[parts.size - 1] = (char)(frame.ptr[parts.size - 1] ^ 8);
	h = say_bytes("pull", tl__buf_view(&frame));
	tl__buf_free(&frame);
	return h;
}

/* Else the answer would tell which keys the database names. */
static void a_proof_that_is_none_counts_as_not_shown(void)
{
	const char *keys[] = {"k1", "writer"};
	tl_id private;
	heard h;

	with_notes();
	private = make_db(bob, "private");
	CHECK_OK(grant(bob, &private, "writer", (tl_permission){TL_WRITE, 5}));
	h = pull_proving(&private, keys, 2, false);
	CHECK(h.is_signed && h.status == TL__V1_OK && entries_in(&h) == 2);
	heard_free(&h);
	CHECK_SIGNED(pull_proving(&private, keys, 2, true), NOT_AVAILABLE);
	CHECK_SIGNED(pull_proving(&private, keys, 1, false), NOT_AVAILABLE);
	h = pull_proving(&notes, keys, 2, true); /* her device key reads there */
	CHECK(h.is_signed && h.status == TL__V1_OK && entries_in(&h) == 2);
	heard_free(&h);
}

static void spend(tl__serve_share share)
{
	core_of(bob)->serve->shares[share].tokens = 0;
	core_of(bob)->serve->shares[share].at = core_of(bob)->now;
}

/* Only proofs by keys that the settings name, or that we know, are looked at at all. */
static void proofs_of_strangers_are_bounded_together(void)
{
	const char *named[] = {"writer"}, *unnamed[] = {"k1", "k2", "k3"};

	with_notes();
	CHECK_OK(grant(bob, &notes, "writer", (tl_permission){TL_WRITE, 5}));
	spend(TL__SHARE_PROOFS);
	CHECK_SIGNED(pull_proving(&notes, named, 1, false), BUSY);
	spend(TL__SHARE_PROOFS);
	CHECK_SIGNED(pull_proving(&notes, unnamed, 3, false), OK);
	relate_alice(&notes);
	spend(TL__SHARE_PROOFS);
	CHECK_SIGNED(pull_proving(&notes, named, 1, false), OK);
}

static heard pull_with(tl_str body, bool changed)
{
	tl__v1_request m = request_of("pull", &notes, PULL_ARGS);
	tl__buf frame = TL__BUF_INIT;
	heard h;

	write_frame(&frame, &m, NULL, 0, body);
	if (changed)
		frame.ptr[frame.len - 20] = (char)(frame.ptr[frame.len - 20] ^ 1);
	h = say_bytes("pull", tl__buf_view(&frame));
	tl__buf_free(&frame);
	return h;
}

/* It is hashed apart from the loop, and a stranger's counts for what strangers may cost. */
static void a_long_body_is_the_one_that_was_signed_for(void)
{
	tl__buf body = TL__BUF_INIT;
	tl_id id = {{'s'}};

	with_notes();
	for (; body.len <= TL__SERVE_HASHED_BYTES; id.b[1]++) /* ascending */
		tl__v1_write_id(&body, TL__V1_LINE_HAVE, &id);
	CHECK_SIGNED(pull_with(tl__buf_view(&body), true), BAD_REQUEST);
	CHECK_SIGNED(pull_with(tl__buf_view(&body), false), OK);
	spend(TL__SHARE_PROOFS);
	CHECK_SIGNED(pull_with(tl__buf_view(&body), false), BUSY);
	relate_alice(&notes);
	spend(TL__SHARE_PROOFS);
	CHECK_SIGNED(pull_with(tl__buf_view(&body), false), OK);
	CHECK_SIGNED(pull_with(tl__buf_view(&body), true), BAD_REQUEST);
	tl__buf_free(&body);
}

/* The settings of any database may name a key that a list is asked with. */
static void a_list_needs_good_proofs(void)
{
	const char *keys[] = {"writer"};
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;
	tl_id private;
	heard h;

	with_notes();
	private = make_db(bob, "private");
	CHECK_OK(grant(bob, &private, "writer", (tl_permission){TL_READ, 0}));
	CHECK(listed(keys, 1, NULL) == 2);
	m = request_of("list", NULL, LIST_ARGS);
	write_frame(&frame, &m, keys, 1, TL__STR(""));
	frame.ptr[frame.len - 1] = (char)(frame.ptr[frame.len - 1] ^ 8);
	h = say_bytes("list", tl__buf_view(&frame));
	CHECK(h.is_signed && h.status == TL__V1_OK);
	CHECK(memchr(h.body.ptr, '\n', h.body.len) == h.body.ptr + h.body.len - 1);
	heard_free(&h);
	tl__buf_free(&frame);
}

static size_t keys_told;

static tl_policy_answer count_keys(void *ud, const tl_policy_question *q, const char **reason)
{
	(void)ud;
	(void)reason;
	if (q->kind == TL_POLICY_READ)
		keys_told = q->key_count;
	return TL_POLICY_PASS;
}

/* A policy may know keys that no settings name. */
static void the_policy_hears_of_proven_keys_alone(void)
{
	const tl__sim_config config = {.name = "bob", .policy = {.decide = count_keys}};
	const char *keys[] = {"k1", "k2"};

	begin_serve(&config);
	notes = make_db(bob, "notes");
	CHECK_SIGNED(pull_proving(&notes, keys, 2, false), NOT_AVAILABLE);
	CHECK(keys_told == 2);
	CHECK_SIGNED(pull_proving(&notes, keys, 2, true), NOT_AVAILABLE);
	CHECK(keys_told == 1);
}

int main(void)
{
	RUN_SIM(a_proof_that_is_none_counts_as_not_shown);
	RUN_SIM(proofs_of_strangers_are_bounded_together);
	RUN_SIM(a_long_body_is_the_one_that_was_signed_for);
	RUN_SIM(a_list_needs_good_proofs);
	RUN_SIM(the_policy_hears_of_proven_keys_alone);
	return spec_end();
}
