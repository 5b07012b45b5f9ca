/* Entries that fit no message to a 0.2.0 peer, and those that stand on them: its store would break
 * on an entry without its parents. The marks go with each plan and come back with it. */
#include "v0/out/out.h"

#include <string.h>

static void forget(tl__pair *pair)
{
	tl__map_free(&pair->left.ids);
	memset(&pair->left, 0, sizeof pair->left);
	tl__map_init(&pair->left.ids);
	pair->left_lent = false;
}

void tl__left_out_begin(tl__pair *pair)
{
	bool held = pair->left.first > 0 && pair->ack >= pair->left.first;

	if (!pair->left_lent && !held)
		return;
	forget(pair);
	pair->offered = pair->ack;
}

void tl__left_out_lend(tl__pair *pair, tl__work_plan *plan)
{
	if (pair->left.first == 0 || plan->from < pair->left.first)
		forget(pair); /* all of it comes by once more */
	plan->left = pair->left;
	memset(&pair->left, 0, sizeof pair->left);
	tl__map_init(&pair->left.ids);
	pair->left_lent = true;
}

void tl__left_out_return(tl__session *session, tl__work_plan *plan)
{
	tl__pair *pair = session->pair;

	pair->left = plan->left;
	tl__map_init(&plan->left.ids);
	pair->left_lent = false;
	if (pair->left.first == 0) {
		/* By now it is known that the peer has what was to be left out. */
		if (tl__v0_of(session)->left_out && session->unsettled == TL__UNSETTLED)
			session->unsettled = TL__SETTLED;
		tl__v0_of(session)->left_out = false;
		return;
	}
	tl__v0_of(session)->left_out = true;
	tl__session_unsettled(session);
	session->declined_code = TL_E_TOO_LARGE;
	snprintf(session->error, sizeof session->error,
		"%zu entries are not sent: they fit no message of the old protocol, or stand on "
		"one "
		"that does not",
		pair->left.ids.count);
}
