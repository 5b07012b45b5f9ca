#include "sync/state.h"

#include "base/str.h"

tl_policy_answer tl__sync_ask_policy(
	const tl__sync *sync, tl_policy_question *question, const char **reason)
{
	tl_policy_answer answer = TL_POLICY_PASS;
	const char *why = NULL;

	question->size = sizeof *question;
	if (sync->policy.decide)
		answer = sync->policy.decide(sync->policy.ud, question, &why);
	if (reason)
		*reason = why;
	if (answer == TL_POLICY_ALLOW || answer == TL_POLICY_DENY)
		return answer;
	if (answer == TL_POLICY_DEFER)
		return question->kind == TL_POLICY_REQUEST ? TL_POLICY_DEFER : TL_POLICY_DENY;
	return question->otherwise ? TL_POLICY_ALLOW : TL_POLICY_DENY;
}

bool tl__sync_encrypted(tl_str channel)
{
	return channel.len > 0 && !tl__str_eq(channel, TL__STR("none"));
}

bool tl__sync_loopback(tl_str host_port)
{
	if (tl__str_starts(host_port, TL__STR("localhost:")) ||
		tl__str_starts(host_port, TL__STR("[::1]:")))
		return true;
	if (!tl__str_starts(host_port, TL__STR("127.")))
		return false;
	/* "127.example.org" is a name of somebody else. */
	for (size_t i = 0; i < host_port.len && host_port.ptr[i] != ':'; i++)
		if (host_port.ptr[i] != '.' && (host_port.ptr[i] < '0' || host_port.ptr[i] > '9'))
			return false;
	return true;
}
