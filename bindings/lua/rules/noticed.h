/* What has changed in a node since its rules were looked at: told by its events, on whatever thread
 * they happen, and taken by the script thread. */
#ifndef TL_LUA_NOTICED_H
#define TL_LUA_NOTICED_H

#include <pthread.h>
#include <tidelock/node.h>

#define TLUA_NOTICED_DATABASES 64 /* beyond it all are read */
#define TLUA_NOTICED_PEERS     64

typedef struct tlua_news {
	bool any, peers, databases, facts, all_met;
	tl_id written[TLUA_NOTICED_DATABASES]; /* perhaps their settings */
	size_t written_count;
	tl_key met[TLUA_NOTICED_PEERS]; /* that have connected */
	size_t met_count;
	uint64_t since_ms; /* of the monotonic clock, when the first came */
} tlua_news;

typedef struct tlua_noticed {
	pthread_mutex_t lock;
	pthread_cond_t dropped;
	tlua_news news;
	bool closed; /* it is called no more */
	uint64_t listener;
	void (*wake)(void *ud);
	void *ud;
} tlua_noticed;

/* `wake` is called for the first thing after a look. */
int tlua_notice(tlua_noticed *noticed, tl_node *node, void (*wake)(void *ud), void *ud);
/* What there is since the last call. */
tlua_news tlua_news_take(tlua_noticed *noticed);
/* Since when something is there; 0: nothing is. */
uint64_t tlua_news_since(tlua_noticed *noticed);
/* Blocks until no call is under way. */
void tlua_notice_end(tlua_noticed *noticed, tl_node *node);

#endif
