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
	/* Ids in this database that it comes after: what it names, then what it cites. */
	const tl_id *names;
	size_t name_count;
	const tl_id *tips;
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

typedef struct tl__run {
	tl__tree *tree;
	tl_id db;
	const tl__ingest_page *page; /* NULL when only what was set aside is looked at */
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
} tl__run;

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

int tl__run_init(
	tl__run *run, tl__tree *tree, const tl_id *db, const tl__ingest_page *page) TL_MUST_USE;
void tl__run_free(tl__run *run);

/* What is known of an id: an item, a mark, or NULL when nobody asked. */
tl__item *tl__run_find(const tl__run *run, const tl_id *id);
/* ingest_lines.c: the lines of a page whose turn has come: as tl__ingest_prepare, without
 * signatures. */
int tl__prepared_now(tl__prepared **out, tl__tree *tree, const tl__ingest_page *page) TL_MUST_USE;
/* Waits until all is done. TL_E_NOMEM. The lines belong to `prepared`. */
int tl__prepared_lines(tl__prepared *prepared, tl__line **out) TL_MUST_USE;

/* Takes the received entries that are new. */
int tl__run_take_lines(tl__run *run, const tl__line *lines, size_t count) TL_MUST_USE;
/* Loads an entry set aside, whatever it waits for, unless it is an item already. */
int tl__run_take_aside(tl__run *run, const tl_id *id) TL_MUST_USE;
/* Brings all items in order, and behind them the pending ones whose wait is over. */
int tl__run_arrange(tl__run *run) TL_MUST_USE;

/* Gives every item in order its state. */
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

/* Fates, missing ids and databases. */
int tl__run_report(tl__run *run, const tl__line *lines, tl__ingest_result *out) TL_MUST_USE;

int tl__foreign_add(
	tl__arena *arena, tl__foreign_list *list, const tl_id *db, const tl_id *id) TL_MUST_USE;

#endif
