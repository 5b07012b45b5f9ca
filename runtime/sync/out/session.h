/* One exchange of a pair: what all of its steps know, and a part for each way it goes. */
#ifndef TL_SYNC_SESSION_H
#define TL_SYNC_SESSION_H

#include "sync/out/outbound.h"

#define TL__SYNC_MAX_ROUNDS    8    /* of asking for what is missing, in one exchange */
#define TL__SYNC_MAX_ASIDE     4096 /* ids remembered in one exchange */
#define TL__SYNC_SURE_AGAIN_MS (24 * 3600 * 1000) /* the next pull starts from `sure` */
#define TL__SYNC_MAX_PAGE_CUTS 16                 /* smaller pages tried, in one exchange */
#define TL__SYNC_PROGRESS_MS   1000               /* between events of an exchange that runs */

/* --- step.c: where an exchange is; README.md draws it -------------------------------------------- */

typedef enum tl__step {
	TL__STEP_BEGIN, /* nothing was asked for yet */
	/* A pull. */
	TL__STEP_TIPS,  /* our tips are read, which its requests tell */
	TL__STEP_PAGES, /* page after page is asked for and, meanwhile, the last one stored */
	TL__STEP_NAMED, /* there is no more: what entries wait for is asked for by name */
	TL__STEP_CHECK, /* are the tips here that the peer told? */
	/* A push. */
	TL__STEP_PLAN,  /* a page of what the peer lacks is gathered */
	TL__STEP_FATES, /* it was sent; the peer says what became of each entry */
	/* With a 0.2.0 peer (v0/out). */
	TL__STEP_V0_TIPS,  /* our tips are read, which the question tells */
	TL__STEP_V0_ASK,   /* it is asked what it has */
	TL__STEP_V0_STORE, /* what it gave is stored */
	TL__STEP_V0_PLAN,  /* a message of what it lacks is gathered */
	TL__STEP_V0_SEND,  /* that was sent */
	/* The end. */
	TL__STEP_ENDING, /* it failed, or is put off: over when nothing is under way any more */
	TL__STEP_OVER    /* its outcome is being noted; it goes */
} tl__step;

#define TL__STEPS (TL__STEP_OVER + 1)

const char *tl__step_name(tl__step step);
bool tl__step_leads(tl__step from, tl__step to); /* whether there is a way */
/* Goes there; to where it is it need not go. False: no way leads there, and the session fails with
 * TL_E_INTERNAL, so that it may be gone. */
bool tl__session_go(tl__sync *sync, tl__session *session, tl__step to) TL_MUST_USE;
/* Whether it is in a pull, or failed in one. */
bool tl__session_pulls(const tl__session *session);

/* --- pull.c, pull_page.c: what the peer has ---------------------------------------------------- */

/* What a pull is for; a later one is for more. */
typedef enum tl__pull_reason {
	TL__PULL_NONE, /* there was none */
	TL__PULL_FIRST,
	TL__PULL_LOOK, /* a push was refused, or said that the peer is ahead */
	TL__PULL_AGAIN /* reading was refused, then the peer took a page */
} tl__pull_reason;

/* What was given again from `sure` on, and is of no use, is passed over up to `seen`, once. */
typedef enum tl__skip { TL__SKIP_NOT, TL__SKIP_NEXT, TL__SKIP_DONE } tl__skip;

typedef struct tl__session_pull {
	tl__pull_reason reason; /* of the last one */
	bool done;              /* it came to its end */
	bool held;              /* we hold the root */
	tl__ids tips;           /* ours, as told; none where `tips_told` is their hash */
	tl__v1_tips tips_told;
	bool has_cursor;
	tl__v1_cursor cursor; /* of the last page */
	bool from_sure;       /* `sure` may follow */
	bool rereads;         /* it began below `seen` */
	bool gap;             /* nor does it: there was no room, or too much is missing */
	tl__skip skip;
	bool differs;         /* the peer's tips were listed, and are others than ours */
	tl__ids wants;        /* to be asked for by name */
	size_t wanted_count;  /* of them in the request under way */
	unsigned rounds;      /* of asking so */
	unsigned empty_pages; /* one after the other */
	bool page_smallest;   /* it was asked for single entries */
	int refused_code;     /* reading was refused: what the exchange ends with … */
	char refused_error[TL__SYNC_ERROR_TEXT]; /* … once it has pushed */
} tl__session_pull;

/* --- push.c: what the peer lacks --------------------------------------------------------------- */

typedef enum tl__plan_kind {
	TL__PLAN_NEXT,   /* what it lacks behind the place that it was told up to */
	TL__PLAN_NAMED,  /* what its pending entries wait for */
	TL__PLAN_BY_TIPS /* what lies above its tips, where it lost what it was given; the last */
} tl__plan_kind;

/* Where the peer stands, as its answer to a page says. */
typedef enum tl__stand {
	TL__STAND_UNTOLD,
	TL__STAND_AHEAD, /* of our place in its order */
	TL__STAND_EVEN,
	TL__STAND_OURS /* and all it holds came in this exchange */
} tl__stand;

typedef struct tl__session_push {
	uint64_t from;      /* told so far */
	uint64_t open_from; /* smallest arrival without a final fate; UINT64_MAX: none */
	tl__ids wants;      /* of what is pending there */
	/* The page under way. */
	tl__plan_kind kind;
	size_t wanted_count; /* of `wants` in it */
	tl__ids ids;
	uint64_t *arrivals;
	uint64_t to;
	bool more;
	bool took; /* the peer took a page */
	tl__stand stand;
} tl__session_push;

/* --- the exchange ------------------------------------------------------------------------------ */

/* Whether entries stay without a final fate on either side. */
typedef enum tl__unsettled {
	TL__SETTLED,
	TL__UNSETTLED,       /* something was declined or stays pending */
	TL__UNSETTLED_BEFORE /* also before this exchange */
} tl__unsettled;

/* How an exchange ends. */
typedef enum tl__ending {
	TL__ENDING_DONE,
	TL__ENDING_FAILED,
	TL__ENDING_FRUITLESS, /* what was given is of no use: counts against the peer */
	TL__ENDING_BUSY,      /* the peer was, and said for how long: no failure */
	TL__ENDING_RESTS /* nor is what a rate, or we, put off: whoever waits goes on waiting */
} tl__ending;

struct tl__session {
	uint64_t number;
	tl__pair *pair; /* NULL: the relation was taken away */
	tl__peer *peer;
	tl__session *next;
	tl__step step;
	tl__step failed_in; /* once it is ENDING */
	bool wanted;        /* by a command or a tick, not by a commit alone */
	bool ordered;       /* by a command that names it */
	/* Under way. */
	uint64_t call; /* number; 0 = none */
	unsigned ingests, works;
	/* How it goes. */
	uint64_t started;
	uint64_t told; /* monotonic: when its progress was told last, or it began */
	int64_t started_wall;
	uint64_t received, sent, bytes;
	bool has_last;
	tl_id last; /* the newest that moved */
	tl__unsettled unsettled;
	uint64_t declined; /* by us */
	int declined_code; /* by either side */
	tl__gain gain;
	tl__map asked;  /* ids already wanted, sent on request, or declined */
	tl__ids theirs; /* tips of the last answer that told them */
	unsigned page_cuts;
	bool offer_again; /* what was declined so far is to be offered again afterwards */
	/* How it ends. */
	tl__ending ending;
	int code;
	char error[TL__SYNC_ERROR_TEXT];

	tl__session_pull pull;
	tl__session_push push;
	void *v0; /* of v0/out; freed with it */
};

/* It has neither failed nor come to its end. */
static inline bool tl__session_runs(const tl__session *session)
{
	return session->step < TL__STEP_ENDING;
}

/* --- session.c, session_end.c ------------------------------------------------------------------- */

/* Starts an exchange of this pair; TL_E_NOMEM. */
int tl__session_start(tl__sync *sync, tl__pair *pair) TL_MUST_USE;
/* Remembers the failure; the session ends once nothing is under way. error NULL: the last error. */
void tl__session_fail(tl__sync *sync, tl__session *session, int code, const char *error);
/* The same for what the peer refused; the text says what it was sent all the same. */
void tl__session_refused(tl__sync *sync, tl__session *session, const tl__call_result *result);
/* Well done: ends it. */
void tl__session_finish(tl__sync *sync, tl__session *session);
/* Ends a failing session that has nothing under way. */
void tl__session_settle(tl__sync *sync, tl__session *session);
void tl__session_cancel(tl__sync *sync, tl__session *session, int code, const char *error);
/* Those that run with this peer, or all (NULL), fail as cancelled. */
void tl__sessions_cancel(tl__sync *sync, const tl__peer *peer, const char *error);
void tl__session_free(tl__session *session);
void tl__sessions_free(tl__sync *sync);
/* An event of each one that runs, every TL__SYNC_PROGRESS_MS. */
void tl__sessions_tell(tl__sync *sync);
uint64_t tl__sessions_due(const tl__sync *sync); /* UINT64_MAX: none runs */
/* A work of this session, which goes to `step` for it. NULL: the session fails. */
tl__work *tl__session_work(tl__sync *sync, tl__session *session, tl__step step, tl__work_kind kind,
	void (*done)(void *sync, tl__work *work));
/* A copy of ids for the work; without memory it is freed and the session fails: false. */
bool tl__session_copy_ids(tl__sync *sync, tl__session *session, tl__work *work, const tl__ids *from,
	const tl_id **to, size_t *count);
/* A plan of what the peer lacks of our arrivals behind `from`, besides what its tips tell. NULL:
 * the session fails. */
tl__work *tl__session_plan(tl__sync *sync, tl__session *session, tl__step step, uint64_t from,
	void (*done)(void *sync, tl__work *work));
/* Takes a work back: the session it belongs to, or NULL (over, or the work failed and so does the
 * session): then it has been freed. */
tl__session *tl__session_worked(tl__sync *sync, tl__work *work);
tl__session *tl__session_planned(tl__sync *sync, tl__work *work); /* the same of a plan */
void tl__session_give(tl__sync *sync, tl__session *session, tl__work *work);
/* The same for one whose result is there already. */
void tl__session_take(tl__sync *sync, tl__session *session, tl__work *work);
/* A call about its database, which goes to `step` for it: fills in whose it is. `call` may be NULL.
 * NULL: the session fails. */
tl__call *tl__session_call(tl__sync *sync, tl__session *session, tl__step step, tl__call *call);
void tl__session_send(tl__sync *sync, tl__session *session, tl__call *call);
/* Nothing more passes for now: by rates, or because it is paused. What moved counts, the rest comes
 * later, which is no failure. Whether it is so. */
bool tl__session_rests(tl__sync *sync, tl__session *session);
/* The same, and nothing is done yet. */
bool tl__session_is_to_rest(const tl__sync *sync, const tl__session *session);
/* The session of a call's result, whatever it is; NULL: over. */
tl__session *tl__session_back(tl__sync *sync, uint64_t owner, const tl__call_result *result);
/* Another process answers there, or what it knows of us may have changed: declined entries are
 * offered again. */
void tl__peer_offer_again(tl__sync *sync, tl__peer *peer);
bool tl__session_note(tl__session *session, const tl_id *id); /* false: known, or no room */
void tl__session_unsettled(tl__session *session); /* something stays without a final fate */
const tl_key *tl__session_keys(tl__sync *sync, tl__work *work, size_t *count);
void tl__session_ingested(tl__sync *sync, tl__session *session, const tl__work *work);

/* The session fails, and this counts against the peer. error NULL: the last error. */
void tl__session_fruitless(tl__sync *sync, tl__session *session, const char *error);

void tl__pull_start(tl__sync *sync, tl__session *session, tl__pull_reason reason);
void tl__push_start(tl__sync *sync, tl__session *session);

/* pull_page.c */
/* A page of the peer's: the session knows from then on what it says; the work stores its lines and
 * has been given for that, or freed where there are none; *more: it says that there are more. On an
 * error it stays the caller's. */
int tl__pull_take(tl__sync *sync, tl__session *session, tl__work *work,
	const tl__call_result *result, bool *more) TL_MUST_USE;
/* What both a pull and a watch do with a page: its lines and our place behind it, in one batch. */
int tl__pull_store(tl__pair *pair, const tl__v1_cursor *cursor, tl__work *work, const tl_str *lines,
	size_t count) TL_MUST_USE;

#endif
