/* A hub: a node with a file that serves, in a process of its own. */
#ifndef SPEC_BENCH_HUB_H
#define SPEC_BENCH_HUB_H

#include "bare.h"

/* In the folder that is named when it is to serve TLS, too. */
#define HUB_CERTIFICATE "hub.pem"
#define HUB_KEY         "hub.key"
#define HUB_IROH        "iroh" /* in place of the folder: it serves Iroh, too */

typedef struct hub {
	child process;
	tl_id db; /* what it commits to and keeps in step */
	tl_address http, https, iroh;
	bare_hub bare; /* as a bare client knows it */
} hub;

/* All of the directory is its; tls_dir may be NULL. */
void hub_start(hub *h, const char *dir, const tl_id *db, const char *tls_dir);
void hub_end(hub *h);
/* One standard entry; when the call began (now_s, which is the same in all processes). */
double hub_commit(hub *h);
/* A peer that it keeps the database in step with; where to be dialled, too; not any more. */
void hub_relate(hub *h, const char *key);
void hub_dial(hub *h, const char *key, const tl_address *at);
void hub_forget(hub *h, const char *key);

#endif
