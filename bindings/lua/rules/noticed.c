#include "rules/noticed.h"

#include <string.h>
#include "clock.h"

static void note_database(tlua_news *news, const tl_id *db)
{
	for (size_t i = 0; i < news->written_count; i++)
		if (memcmp(&news->written[i], db, sizeof *db) == 0)
			return;
	if (news->written_count < TLUA_NOTICED_DATABASES)
		news->written[news->written_count++] = *db;
	else
		news->databases = true;
}

static void note_met(tlua_news *news, const tl_key *peer)
{
	if (news->met_count < TLUA_NOTICED_PEERS)
		news->met[news->met_count++] = *peer;
	else
		news->all_met = true;
}

/* Whether it is of interest. */
static bool note(tlua_news *news, const tl_event *event)
{
	switch (event->kind) {
	case TL_EVENT_ENTRY_COMMITTED:
	case TL_EVENT_ENTRIES_RECEIVED: note_database(news, &event->db); return true;
	case TL_EVENT_PEER_CONNECTED: note_met(news, &event->peer); return true;
	case TL_EVENT_PEER_CHANGED: news->peers = true; return true;
	case TL_EVENT_FACT_CHANGED: news->facts = true; return true;
	default: return false;
	}
}

static void on_event(void *ud, const tl_event *event)
{
	tlua_noticed *noticed = ud;
	bool first = false;

	pthread_mutex_lock(&noticed->lock);
	if (note(&noticed->news, event) && !noticed->news.any) {
		noticed->news.any = true;
		noticed->news.since_ms = tlua_now_ms();
		first = true;
	}
	pthread_mutex_unlock(&noticed->lock);
	if (first)
		noticed->wake(noticed->ud);
}

static void on_closed(void *ud)
{
	tlua_noticed *noticed = ud;

	pthread_mutex_lock(&noticed->lock);
	noticed->closed = true;
	pthread_cond_broadcast(&noticed->dropped);
	pthread_mutex_unlock(&noticed->lock);
}

static void destroy(tlua_noticed *noticed)
{
	pthread_cond_destroy(&noticed->dropped);
	pthread_mutex_destroy(&noticed->lock);
}

int tlua_notice(tlua_noticed *noticed, tl_node *node, void (*wake)(void *ud), void *ud)
{
	tl_listener listener = TL_LISTENER_INIT;
	int rc;

	listener.event = on_event;
	listener.drop = on_closed;
	listener.ud = noticed;
	memset(noticed, 0, sizeof *noticed);
	pthread_mutex_init(&noticed->lock, NULL);
	pthread_cond_init(&noticed->dropped, NULL);
	noticed->wake = wake;
	noticed->ud = ud;
	rc = tl_node_listen(node, &listener, &noticed->listener);
	if (rc != TL_OK)
		destroy(noticed);
	return rc;
}

void tlua_notice_end(tlua_noticed *noticed, tl_node *node)
{
	tl_node_unlisten(node, noticed->listener);
	pthread_mutex_lock(&noticed->lock);
	while (!noticed->closed) /* by the node, which is closing */
		pthread_cond_wait(&noticed->dropped, &noticed->lock);
	pthread_mutex_unlock(&noticed->lock);
	destroy(noticed);
}

tlua_news tlua_news_take(tlua_noticed *noticed)
{
	tlua_news news;

	pthread_mutex_lock(&noticed->lock);
	news = noticed->news;
	memset(&noticed->news, 0, sizeof noticed->news);
	pthread_mutex_unlock(&noticed->lock);
	return news;
}

uint64_t tlua_news_since(tlua_noticed *noticed)
{
	uint64_t since;

	pthread_mutex_lock(&noticed->lock);
	since = noticed->news.any ? noticed->news.since_ms : 0;
	pthread_mutex_unlock(&noticed->lock);
	return since;
}
