/* Which ways exchanges take between their steps, as the log tells at debug level. */
#ifndef SPEC_SESSION_WALK_H
#define SPEC_SESSION_WALK_H

#include "sync/out/session.h"
#include "sync_rig.h"

/* One line of the table: what happens, and the steps of every exchange in it. */
typedef struct walk {
	const char *name;
	void (*drive)(void);
	const char *steps;
} walk;

static bool walked[TL__STEPS][TL__STEPS];
static char walk_steps[2000];

static inline bool step_named(const char *name, tl__step *out)
{
	for (int step = 0; step < TL__STEPS; step++)
		if (strcmp(tl__step_name((tl__step)step), name) == 0) {
			*out = (tl__step)step;
			return true;
		}
	return false;
}

static inline void walk_log(void *ud, tl_log_level level, const char *part, const char *text)
{
	const char *arrow = strstr(text, " > ");
	char from_text[40], to_text[40];
	size_t len = strlen(walk_steps);
	tl__step from, to;

	(void)ud;
	if (level != TL_LOG_DEBUG || strcmp(part, "exchange") != 0 || !arrow)
		return;
	while (arrow > text && arrow[-1] != ' ')
		arrow--;
	CHECK(sscanf(arrow, "%39s > %39s", from_text, to_text) == 2);
	REQUIRE(step_named(from_text, &from) && step_named(to_text, &to));
	walked[from][to] = true;
	if (from == TL__STEP_BEGIN)
		snprintf(walk_steps + len, sizeof walk_steps - len, "%s%s", len > 0 ? ", " : "",
			from_text);
	len = strlen(walk_steps);
	snprintf(walk_steps + len, sizeof walk_steps - len, " %s", to_text);
}

/* From here on steps are noted. */
static inline void walk_begins(void)
{
	walk_steps[0] = 0;
	w.log.sink = walk_log;
	w.log.level = TL_LOG_DEBUG;
}

static inline void run_walks(const walk *walks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		spec_case_ok = rig_open(NULL);
		if (spec_case_ok) {
			walks[i].drive();
			rig_close();
		}
		if (strcmp(walk_steps, walks[i].steps) != 0) {
			spec_case_ok = false;
			printf("went: %s\nnot:  %s\n", walk_steps, walks[i].steps);
		}
		spec_case_ok ? spec_passed++ : spec_failed++;
		printf("%s %s\n", spec_case_ok ? "ok" : "FAILED", walks[i].name);
	}
}

static inline bool is_v0(int step)
{
	return step >= TL__STEP_V0_TIPS && step <= TL__STEP_V0_SEND;
}

/* Every way was walked that touches a step of 0.2.0, or every one that does not. */
static inline void check_all_walked(bool v0)
{
	spec_case_ok = true;
	for (int from = 0; from < TL__STEPS; from++)
		for (int to = 0; to < TL__STEPS; to++) {
			if ((is_v0(from) || is_v0(to)) != v0 ||
				!tl__step_leads((tl__step)from, (tl__step)to) || walked[from][to])
				continue;
			spec_case_ok = false;
			printf("nobody went from %s to %s\n", tl__step_name((tl__step)from),
				tl__step_name((tl__step)to));
		}
	spec_case_ok ? spec_passed++ : spec_failed++;
	printf("%s every way was walked\n", spec_case_ok ? "ok" : "FAILED");
}

/* --- holding it where it is ---------------------------------------------------------------------- */

/* Runs the works that are held; those that follow from them are held in turn. */
static inline void run_held(void)
{
	tl__work *works[64];
	size_t count = r.held_count;

	memcpy(works, r.held, count * sizeof *works);
	r.held_count = 0;
	r.hold_works = false;
	for (size_t i = 0; i < count; i++)
		rig_work(works[i]);
	r.hold_works = true;
	rig_drain();
}

/* The step of the exchange under way with bob; OVER: there is none. */
static inline tl__step step_now(const tl_id *of)
{
	const tl__pair *pair = pair_of(&bob, of);

	return pair && pair->session ? pair->session->step : TL__STEP_OVER;
}

/* Its works are held until it comes to this step. */
static inline void hold_until(const tl_id *of, tl__step step)
{
	r.hold_works = true;
	for (int i = 0; i < 10 && step_now(of) != step; i++)
		run_held();
	CHECK(step_now(of) == step);
}

/* The relation goes while the exchange is under way, and what was under way comes back. */
static inline void break_off(const tl_id *of)
{
	uint64_t op = pair_command(TL__SYNC_UNRELATE, &bob.key, of, NULL);

	while (r.send_count > 0)
		answer_failure(TL_E_CANCELLED);
	rig_release_works();
	CHECK_DONE(op, TL_OK);
	CHECK(!pair_of(&bob, of));
}

static inline void only(tl_direction direction, const tl_id *of)
{
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;

	options.direction = direction;
	command.key = bob.key;
	command.db = *of;
	command.pair_options = &options;
	CHECK_DONE(rig_command(command), TL_OK);
}

#endif
