/* What the files of v0's outbound half share. */
#ifndef TL_V0_OUT_H
#define TL_V0_OUT_H

#include "sync/out/session.h"
#include "v0/work/works.h"

/* --- call_v0.c ---------------------------------------------------------------------------------- */

typedef enum tl__v0_call_kind {
	TL__V0_CALL_HANDSHAKE, /* peer may be NULL */
	TL__V0_CALL_TREE,      /* SyncTree: the body is given */
	TL__V0_CALL_SEND       /* SendEntries: the body is given */
} tl__v0_call_kind;

extern const tl__call_way tl__call_v0;

/* NULL when memory ran out. */
tl__call *tl__v0_call_new(tl__sync *sync, tl__v0_call_kind kind, tl__peer *peer);
void tl__v0_call_bound(tl__call *call, uint64_t most_bytes); /* of a tree answer */
/* A document that may hold no entries; *out is yours, also on an error (may be NULL then). */
int tl__v0_read_plain(tl__v0_reader **out, tl_str document) TL_MUST_USE;

/* --- tree_v0.c, send_v0.c: one exchange --------------------------------------------------------- */

/* How sending went. */
typedef enum tl__v0_sent {
	TL__V0_OFFERED, /* all up to a head was */
	TL__V0_UNTOLD,  /* it takes what it is sent, but what it keeps of it cannot be known */
	TL__V0_ASK      /* what it has now is to be asked */
} tl__v0_sent;

/* What a plan of what it lacks is for. */
typedef enum tl__v0_aim {
	TL__V0_AIM_SEND,
	TL__V0_AIM_BLIND,  /* the same, though it does not say what it holds */
	TL__V0_AIM_CONFIRM /* what was sent should show now */
} tl__v0_aim;

/* What only it knows, beside its session. */
typedef struct tl__v0_exchange {
	void (*sent)(tl__sync *sync, tl__session *session, tl__v0_sent how, uint64_t head);
	uint64_t from;   /* told so far */
	uint64_t to;     /* behind the message under way */
	size_t count;    /* in it */
	bool more;       /* behind it */
	unsigned sends;  /* messages */
	unsigned rounds; /* of asking for all of it because something is missing */
	bool held;       /* we hold the root */
	bool told;       /* it said what it has, since something was sent */
	tl__v0_aim aim;
	bool left_out;      /* something cannot be sent */
	bool whole;         /* asked with no tips */
	bool confirm_later; /* a commit is sent; whether it shows is asked when it is quiet */
	bool retold;        /* it gave all of it to somebody who holds some; asked again */
} tl__v0_exchange;

static inline tl__v0_exchange *tl__v0_of(const tl__session *session)
{
	return session->v0;
}

void tl__send_v0_plan(tl__sync *sync, tl__session *session); /* sends what it lacks */

/* left_out.c: at the begin of an exchange, and around each plan of it. */
void tl__left_out_begin(tl__pair *pair);
void tl__left_out_lend(tl__pair *pair, tl__work_plan *plan);
/* The session says what is left out. */
void tl__left_out_return(tl__session *session, tl__work_plan *plan);

/* --- the table's (v0.c) ------------------------------------------------------------------------- */

tl__call *tl__v0_greet(tl__sync *sync, tl__peer *peer);
void tl__v0_exchange_begin(tl__sync *sync, tl__session *session);
void tl__v0_list(tl__sync *sync, tl__sync_ask *ask);
void tl__v0_access(tl__sync *sync, tl__sync_ask *ask);

#endif
