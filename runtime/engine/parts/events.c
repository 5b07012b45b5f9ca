#include <string.h>
#include "base/system/env.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/parts/hub_impl.h"

/* What comes before a tl_event's text. */
#define HEAD_BYTES offsetof(tl_event, text)

struct tl__event_node {
	tl__event_node *next;
	tl_event_kind kind;
	int code;
	size_t len; /* of data: a head, then the text's bytes, so that an event costs what it says
		     */
	char data[];
};

/* Under the lock. false when memory ran out. */
static bool append(tl__hub *hub, const tl_event *event, tl_str text)
{
	tl__event_node *node = tl__alloc(sizeof *node + HEAD_BYTES + text.len);

	if (!node)
		return false;
	node->next = NULL;
	node->kind = event->kind;
	node->code = event->code;
	node->len = HEAD_BYTES + text.len;
	memcpy(node->data, event, HEAD_BYTES);
	if (text.len)
		memcpy(node->data + HEAD_BYTES, text.ptr, text.len);
	if (hub->last_event)
		hub->last_event->next = node;
	else
		hub->first_event = node;
	hub->last_event = node;
	hub->event_count++;
	tl__hub_raise(hub->events_fd);
	return true;
}

/* Under the lock. An event is lost: counted in the overflow event at the end of the queue. */
static void count_lost(tl__hub *hub)
{
	tl_event event = {.kind = TL_EVENT_OVERFLOW};

	hub->lost++;
	if (!hub->last_event || hub->last_event->kind != TL_EVENT_OVERFLOW) {
		event.number = hub->lost;
		event.time_ms = tl__system_clock.wall_ms(tl__system_clock.ud);
		if (append(hub, &event, TL__STR_NULL))
			hub->lost = 0;
		return;
	}
	memcpy(&event, hub->last_event->data, HEAD_BYTES);
	event.number += hub->lost;
	memcpy(hub->last_event->data, &event, HEAD_BYTES);
	hub->lost = 0;
}

void tl__hub_tell(tl__hub *hub, const tl_event *event, const char *text)
{
	tl_str cut = tl__str_z(text);

	if (cut.len >= sizeof event->text)
		cut.len = sizeof event->text - 1;
	pthread_mutex_lock(&hub->lock);
	if (hub->listening && (hub->event_count >= TL__EVENTS_MAX || !append(hub, event, cut)))
		count_lost(hub);
	pthread_mutex_unlock(&hub->lock);
	tl__hub_call_listeners(hub, event, cut);
}

int tl__hub_next_event(tl__hub *hub, tl_event *out)
{
	tl_event event = TL_EVENT_INIT;
	tl__event_node *node;
	int rc = tl__sized_check(out, tl_event, text);

	if (rc != TL_OK)
		return rc;
	pthread_mutex_lock(&hub->lock);
	hub->listening = true;
	node = hub->first_event;
	if (node) {
		hub->first_event = node->next;
		hub->event_count--;
		if (!hub->first_event) {
			hub->last_event = NULL;
			tl__hub_lower(hub->events_fd);
		}
	}
	pthread_mutex_unlock(&hub->lock);
	if (node) {
		memcpy(&event, node->data, node->len);
		event.code = node->code;
	}
	tl__sized_fill(out, &event, tl_event);
	tl__free(node);
	return node ? 1 : 0;
}

int tl__hub_fd(tl__hub *hub)
{
	pthread_mutex_lock(&hub->lock);
	hub->listening = true;
	pthread_mutex_unlock(&hub->lock);
	return hub->both_fd;
}

void tl__hub_free_events(tl__hub *hub)
{
	while (hub->first_event) {
		tl__event_node *node = hub->first_event;

		hub->first_event = node->next;
		tl__free(node);
	}
	hub->last_event = NULL;
}
