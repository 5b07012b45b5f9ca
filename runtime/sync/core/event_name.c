#include <tidelock/node.h>

static const char *const names[] = {
#define EVENT_NAME(symbol, number, name) [number] = (name),
	TL_EVENT_KINDS(EVENT_NAME)
#undef EVENT_NAME
};

const char *tl_event_name(tl_event_kind kind)
{
	return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}
