/* Who is called with each event, beside those who read them one by one. */
#include <string.h>
#include "base/fail.h"
#include "base/sized.h"
#include "engine/parts/hub_impl.h"

int tl__hub_listen(tl__hub *hub, const tl_listener *listener, uint64_t *handle)
{
	tl_listener full = TL_LISTENER_INIT;
	int rc = tl__sized_read(&full, listener, tl_listener, ud);
	size_t count;

	if (rc == TL_OK && !full.event)
		rc = tl__fail(TL_E_BAD_ARGUMENT, "a listener has a function `event`");
	if (rc != TL_OK)
		return rc;
	pthread_mutex_lock(&hub->listeners.lock);
	count = atomic_load(&hub->listeners.count);
	if (count < TL__LISTENERS_MAX) {
		hub->listeners.at[count] = full;
		hub->listeners.handles[count] = ++hub->listeners.last_handle;
		*handle = hub->listeners.last_handle;
		atomic_store(&hub->listeners.count, count + 1);
	} else {
		rc = tl__fail(TL_E_TOO_LARGE, "a node has at most %d listeners", TL__LISTENERS_MAX);
	}
	pthread_mutex_unlock(&hub->listeners.lock);
	return rc;
}

/* Under the lock. */
static tl_listener take_out(tl__hub *hub, size_t at)
{
	tl_listener gone = hub->listeners.at[at];
	size_t left = atomic_load(&hub->listeners.count) - 1;

	memmove(&hub->listeners.at[at], &hub->listeners.at[at + 1],
		(left - at) * sizeof hub->listeners.at[0]);
	memmove(&hub->listeners.handles[at], &hub->listeners.handles[at + 1],
		(left - at) * sizeof hub->listeners.handles[0]);
	atomic_store(&hub->listeners.count, left);
	return gone;
}

void tl__hub_unlisten(tl__hub *hub, uint64_t handle)
{
	tl_listener gone = TL_LISTENER_INIT;

	pthread_mutex_lock(&hub->listeners.lock);
	for (size_t i = 0; i < atomic_load(&hub->listeners.count); i++)
		if (hub->listeners.handles[i] == handle) {
			gone = take_out(hub, i);
			break;
		}
	pthread_mutex_unlock(&hub->listeners.lock);
	if (gone.drop)
		gone.drop(gone.ud);
}

void tl__hub_unlisten_all(tl__hub *hub)
{
	while (atomic_load(&hub->listeners.count) > 0)
		tl__hub_unlisten(hub, hub->listeners.handles[0]);
}

void tl__hub_call_listeners(tl__hub *hub, const tl_event *event, tl_str text)
{
	tl_event whole = TL_EVENT_INIT;

	if (atomic_load(&hub->listeners.count) == 0)
		return;
	whole = *event;
	whole.size = sizeof whole;
	memset(whole.text, 0, sizeof whole.text);
	if (text.len > 0)
		memcpy(whole.text, text.ptr, text.len);
	pthread_mutex_lock(&hub->listeners.lock);
	for (size_t i = 0; i < atomic_load(&hub->listeners.count); i++)
		hub->listeners.at[i].event(hub->listeners.at[i].ud, &whole);
	pthread_mutex_unlock(&hub->listeners.lock);
}
