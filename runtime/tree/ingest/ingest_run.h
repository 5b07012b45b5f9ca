/* One turn of ingest in one database: the entries it looks at, from lines of a page or from aside,
 * in an order parents first, and what becomes of each. Only for the files ingest*.c. */
#ifndef TL_TREE_INGEST_RUN_H
#define TL_TREE_INGEST_RUN_H

#include "base/arena.h"
#include "base/map.h"
#include "tree/trust/judge.h"

typedef enum tl__origin { TL__FROM_LINE, TL__FROM_PENDING, TL__FROM_QUARANTINE } tl__origin;

typedef enum tl__item_state {
	TL__ITEM_OPEN,
	TL__ITEM_GOOD, /* for now, until its signature is looked at */
	TL__ITEM_BAD,
	TL__ITEM_PENDING,
	TL__ITEM_DECLINED
} tl__item_state;

typedef struct tl__item {
	tl_entry *entry; /* retained; NULL in the marks below */
	tl__origin origin;
	tl__item_state state;
	int reason;
	bool fixed;    /* judged not good by the present rules, in an earlier turn */
	bool hollow;   /* fixed, but what it stands on is not known any more */
	bool ready;    /* all it names is known or ready; so it will be judged */
	bool expanded; /* those that wait for it were looked for */
	bool ordered;  /* has its place in the order */
	bool planned;  /* is in the plan */
	bool enters;   /* enters the DAG in this turn */
	bool left;     /* for a later turn */
	bool awaited;  /* something in this database waits for it */
	/* Ids in this database that it comes after: what it names, then what it cites. */
	const tl_id *names;
	size_t name_count;
	tl_id *tips;
	size_t tip_count;
	size_t next; /* of both; private to ordering */
	/* Judging. */
	size_t planned_before; /* length of the plan when its turn came */
	size_t planned_at;     /* and when it went in itself */
	tl__opinion *opinion;  /* of a delegation path; else NULL */
	tl_key key;
	uint8_t signature[TL_SIGNATURE_BYTES];
	bool checked, genuine; /* whether the signature was verified with this key, and held */
	/* What a pending one waits for; of a hollow one, what it lacks. */
	tl_id *waits;
	size_t wait_count;
	tl_id waits_db; /* where the waited for are; another one: cited */
	/* As it was set aside. */
	tl_str sender;
	bool related;
	uint64_t arrival;
} tl__item;

/* A received line. */
typedef struct tl__line {
	tl_entry *entry; /* NULL: the line is none */
	int declined;    /* why the line is refused, whatever becomes of its entry elsewhere */
	bool checked, genuine; /* whether the signature was verified with this key, and held */
	tl_key key;
} tl__line;

typedef struct tl__foreign {
	tl_id db;
	tl_id id;
} tl__foreign;

typedef struct tl__foreign_list {
	tl__foreign *at;
	size_t count, cap;
} tl__foreign_list;

/* What a turn looks at. */
typedef struct tl__take {
	tl__tree *tree;
	tl_id db;
	const tl__ingest_page *page; /* NULL: only what was set aside */
	tl__line *lines;             /* all of the page */
	const size_t *window;        /* those of this turn, by place in the page */
	size_t window_count;
	bool last;          /* no line is left behind them */
	bool quiet;         /* whoever gave the page tells what it brought */
	bool admitted;      /* the page may come in: seen to in its first turn */
	const tl_id *seeds; /* set aside: their wait may be over */
	size_t seed_count;
	tl__others others;
	bool brief;   /* somebody waits: else the turn ends early when somebody comes */
	bool widened; /* nothing to stand on was kept for later turns: with more in this one */
} tl__take;

typedef struct tl__run {
	tl__tree *tree;
	tl_id db;
	tl__take *take;
	const tl__ingest_page *page; /* as in `take` */
	tl__snapshot *snapshot;
	tl__arena arena;
	tl__item **items;
	size_t item_count, item_cap;
	size_t resolved, arranged; /* of the items, from the first */
	tl__map by_id;             /* id -> item or one of the marks */
	tl__item **order;
	size_t order_count, order_cap;
	bool has_pending; /* something is pending in this database */
	tl__plan *plan;
	tl__judge judge;
	/* What is written. */
	tl__put_aside *asides;
	size_t aside_count, aside_cap;
	tl_id *drops;
	size_t drop_count, drop_cap;
	uint64_t before, entered, last_arrival;
	size_t evicted;
	/* For after the turn, when the lock is free. */
	tl__foreign_list evict, pin;
	/* Set aside in this database: for turns of their own. */
	tl__foreign_list later;
	bool cut; /* some of the items are left for later turns */
} tl__run;

/* What is to be looked at when a turn is over: pending entries whose wait may have ended. */
typedef struct tl__followup {
	tl__arena arena;
	tl__foreign_list list;
} tl__followup;

/* Ends a turn, as an error would, in which nothing was judged yet: somebody waits. */
#define TL__RUN_INTERRUPTED (-1)
/* Likewise: there is no room in quarantine for what is left to stand on. */
#define TL__RUN_CROWDED (-2)

/* What by_id says of ids that are no items. */
extern tl__item tl__mark_in_dag, tl__mark_pending, tl__mark_unknown, tl__mark_declined;

static inline bool tl__item_real(const tl__item *item)
{
	return item && item->entry;
}

/* Nothing is pending in any database. */
static inline bool tl__none_pending(tl__tree *tree)
{
	return atomic_load(&tree->none_pending) == atomic_load(&tree->pendings);
}

int tl__run_init(tl__run *run, tl__take *take) TL_MUST_USE;
void tl__run_free(tl__run *run);

static inline bool tl__others_wait(const tl__others *others)
{
	return others->wait && others->wait(others->ud);
}

/* Entries of a piece, when somebody waits. */
#define TL__RUN_WIDENED 16 /* times as much */
static inline size_t tl__piece_entries(const tl__take *take)
{
	size_t set = take->tree->piece_entries;

	return (set ? set : TL__INGEST_PIECE_ENTRIES) * (take->widened ? TL__RUN_WIDENED : 1);
}

/* ingest.c: one database's lock is held from the snapshot to the end of the write. Also on an error
 * the run is to be freed. */
int tl__run_turn(tl__run *run, tl__take *take) TL_MUST_USE;
/* What follows from it; cannot fail: what could not be done now is looked at with the next page. */
void tl__run_follow(tl__run *run, tl__followup *after);
/* A turn for entries of one database on the list, which is not empty; told (may be NULL) sees it
 * before it is freed. Cannot fail: see tl__run_follow. */
typedef void (*tl__run_told)(void *ud, tl__run *run);
void tl__followup_step(
	tl__tree *tree, tl__followup *after, tl__others others, tl__run_told told, void *ud);
void tl__followup_free(tl__followup *after);

/* ingest_resume.c: what a crash may have left behind, some rows at a time. */
typedef struct tl__resumption {
	tl__buf dbs; /* ids */
	size_t at;
	bool begun, invalid; /* of the database at `at` the pending ones come first */
	uint64_t sequence;   /* seen up to here */
} tl__resumption;
int tl__resume_step(tl__tree *tree, tl__resumption *r, tl__followup *after, bool *done) TL_MUST_USE;
void tl__resumption_free(tl__resumption *r);

/* What is known of an id: an item, a mark, or NULL when nobody asked. */
tl__item *tl__run_find(const tl__run *run, const tl_id *id);
/* ingest_lines.c: the lines of a page whose turn has come: as tl__ingest_prepare, without
 * signatures. */
int tl__prepared_now(tl__prepared **out, tl__tree *tree, const tl__ingest_page *page) TL_MUST_USE;
/* Reads a few of them; false: none is left that nobody has begun. */
bool tl__prepared_some(tl__prepared *prepared);
/* Waits until all is done. TL_E_NOMEM. The lines belong to `prepared`. */
int tl__prepared_lines(tl__prepared *prepared, tl__line **out) TL_MUST_USE;
/* Places of the lines that are entries, root first, then parents before children; of one that comes
 * twice the first. `first` of each line: that place. Both have room for all lines. */
int tl__lines_order(const tl__line *lines, size_t count, size_t *order, size_t *ordered,
	size_t *first) TL_MUST_USE;

/* ingest_items.c: */
int tl__run_add(tl__run *run, tl_entry *entry, tl__origin origin, tl__item **out) TL_MUST_USE;
/* An entry set aside becomes an item. Bytes that cannot be read any more are dropped: what was set
 * aside can be asked for again. */
int tl__run_add_aside(tl__run *run, const tl__aside_row *row) TL_MUST_USE;
/* Which of them are in the DAG, and which aside. TL__RUN_INTERRUPTED: somebody waits. */
int tl__run_look_up(tl__run *run, const tl_id *ids, size_t count, unsigned with,
	tl__aside_visit on_set_aside) TL_MUST_USE;
/* Makes sure that something is known of each id; what is in quarantine becomes an item. */
int tl__run_find_out(tl__run *run, const tl_id *ids, size_t count) TL_MUST_USE;
/* Puts the items that are new in order. */
int tl__run_order(tl__run *run) TL_MUST_USE;

/* ingest_load.c: */
/* Takes the received entries that are new. */
int tl__run_take_lines(tl__run *run) TL_MUST_USE;
/* Loads an entry set aside, unless it goes on waiting for others of this database or is an item
 * already. */
int tl__run_take_seed(tl__run *run, const tl_id *id) TL_MUST_USE;
/* Brings all items in order, and behind them the pending ones whose wait is over. */
int tl__run_arrange(tl__run *run) TL_MUST_USE;

/* Gives the items in order their states: all, or the first ones when somebody waits. */
int tl__run_judge(tl__run *run) TL_MUST_USE;

/* Adds a judged item to the plan. */
int tl__run_plan(tl__run *run, tl__item *item) TL_MUST_USE;

/* Decides what enters and what is set aside, and writes it with the page's locals. */
int tl__run_write(tl__run *run) TL_MUST_USE;
/* Of tl__run_write: fills asides, drops, evict; turns newcomers without room into declined. */
int tl__run_set_aside(tl__run *run) TL_MUST_USE;
/* Bounds the quarantine; the rows from `newcomers_from` on want to get in. */
int tl__run_make_room(tl__run *run, size_t newcomers_from) TL_MUST_USE;
int tl__run_drop(tl__run *run, const tl_id *id) TL_MUST_USE;

/* What became of a line that was looked at, or (run NULL) that was declined before. */
tl__fate tl__run_fate(const tl__run *run, const tl__line *line);
/* Adds the ids that the pending ones among these lines wait for in the end, and databases: up to
 * TL__INGEST_MAX_MISSING each. */
int tl__run_missing(tl__run *run, const tl__fate *fates, const size_t *window, size_t count,
	tl__buf *missing, tl__buf *databases) TL_MUST_USE;

int tl__foreign_add(
	tl__arena *arena, tl__foreign_list *list, const tl_id *db, const tl_id *id) TL_MUST_USE;

#endif
