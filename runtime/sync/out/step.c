/* The steps of an exchange and the ways between them, which README.md draws: here alone it goes
 * from one to the next, so that nothing of one step can come to another that does not expect it. */
#include "sync/out/session.h"

#include "base/fail.h"

#define WAY(step) (1u << TL__STEP_##step)
#define FAILS     WAY(ENDING)

static const struct {
	const char *name;
	unsigned ways;
} steps[TL__STEPS] = {
	[TL__STEP_BEGIN] = {"begin",
		WAY(TIPS) | WAY(PLAN) | WAY(V0_TIPS) | WAY(V0_PLAN) | WAY(OVER) | FAILS},
	[TL__STEP_TIPS] = {"tips", WAY(PAGES) | FAILS},
	[TL__STEP_PAGES] = {"pages", WAY(NAMED) | WAY(PLAN) | FAILS},
	[TL__STEP_NAMED] = {"named", WAY(PAGES) | WAY(CHECK) | WAY(PLAN) | WAY(OVER) | FAILS},
	[TL__STEP_CHECK] = {"check", WAY(NAMED) | WAY(PLAN) | WAY(OVER) | FAILS},
	[TL__STEP_PLAN] = {"plan", WAY(FATES) | WAY(TIPS) | WAY(OVER) | FAILS},
	[TL__STEP_FATES] = {"fates", WAY(PLAN) | WAY(TIPS) | WAY(OVER) | FAILS},
	[TL__STEP_V0_TIPS] = {"v0_tips", WAY(V0_ASK) | FAILS},
	[TL__STEP_V0_ASK] = {"v0_ask", WAY(V0_STORE) | WAY(V0_PLAN) | WAY(OVER) | FAILS},
	[TL__STEP_V0_STORE] = {"v0_store", WAY(V0_TIPS) | WAY(V0_PLAN) | WAY(OVER) | FAILS},
	[TL__STEP_V0_PLAN] = {"v0_plan", WAY(V0_SEND) | WAY(V0_TIPS) | WAY(OVER) | FAILS},
	[TL__STEP_V0_SEND] = {"v0_send", WAY(V0_PLAN) | WAY(V0_TIPS) | WAY(OVER) | FAILS},
	[TL__STEP_ENDING] = {"ending", WAY(OVER)},
	[TL__STEP_OVER] = {"over", 0},
};

const char *tl__step_name(tl__step step)
{
	return steps[step].name;
}

bool tl__step_leads(tl__step from, tl__step to)
{
	return (steps[from].ways >> to) & 1;
}

bool tl__session_go(tl__sync *sync, tl__session *session, tl__step to)
{
	const char *from = steps[session->step].name;

	if (to == session->step)
		return true;
	if (!tl__step_leads(session->step, to)) {
		sync->misstep = true;
		tl__log_write(sync->log, TL_LOG_ERROR, "sync",
			"an exchange with %s was to go from %s to %s, where no way leads: this is "
			"a fault of the program",
			session->peer->text, from, steps[to].name);
		tl__session_fail(sync, session, TL_E_INTERNAL,
			"the exchange came to a step that does not follow: this is a fault of the "
			"program");
		return false;
	}
	tl__log_write(sync->log, TL_LOG_DEBUG, "exchange", "%llu with %s: %s > %s",
		(unsigned long long)session->number, session->peer->text, from, steps[to].name);
	if (to == TL__STEP_ENDING)
		session->failed_in = session->step;
	session->step = to;
	return true;
}

bool tl__session_pulls(const tl__session *session)
{
	tl__step at = tl__session_runs(session) ? session->step : session->failed_in;

	return at >= TL__STEP_TIPS && at <= TL__STEP_CHECK;
}
