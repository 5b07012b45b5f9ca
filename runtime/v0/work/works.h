/* Works that only eidetica 0.2.0 needs, and how its answers arrive. */
#ifndef TL_V0_WORKS_H
#define TL_V0_WORKS_H

#include "v0/wire/v0.h"
#include "work/work_serve.h"

#define TL__V0_ANCESTORS        64 /* added to `our_tips` and `their_tips` */
#define TL__V0_NEAR_CHECKPOINTS 40 /* of them one behind the other in `their_tips` */
#define TL__V0_READ_GROUPS      16 /* databases that one request brings entries of */

/* --- intake.c: a tree answer as it arrives ------------------------------------------------------ */

/* Keeps its entries in a spool: they come in any order. */
extern const tl__intake_way tl__v0_intake;
/* Everything but the entries; complete after finish. Belongs to the intake. */
const tl__v0_response *tl__v0_intake_response(const tl__intake *intake);
/* Id of the root entry that a bootstrap answer held; false when there was none or it is no entry.
 */
bool tl__v0_intake_root(const tl__intake *intake, tl_id *root);

/* --- works: tl__work_begin_other with these ----------------------------------------------------- */

/* Our tips, and ancestors at doubling distance behind them. */
typedef struct tl__v0_tips {
	bool held; /* false: the root is missing and `ids` is empty */
	tl_id *ids;
	size_t count;
} tl__v0_tips;
extern const tl__work_way tl__v0_tips_work;

/* A piece of a tree answer. */
typedef struct tl__v0_stream {
	/* In */
	bool bootstrap;    /* everything but the root; else what the stop set lacks */
	const tl_id *stop; /* the other side's tips */
	size_t stop_count;
	size_t max_bytes; /* of a piece; one entry always comes */
	/* Out: fixed by the first run. */
	bool held; /* false: the root is missing */
	tl_str root;
	tl_id *our_tips; /* and checkpoints behind them, when we lack one of the other side's */
	size_t our_tip_count;
	/* Out: of this run. Run the same work again for the next piece while there is more. */
	tl_str *lines;
	size_t count;
	bool more;
	struct tl__streaming *streaming; /* private */
} tl__v0_stream;
extern const tl__work_way tl__v0_stream_work;

/* Entries of one database in a request. */
typedef struct tl__v0_group {
	tl_id db;
	tl_str *lines;
	size_t count, cap;
} tl__v0_group;

/* A request: up to 2 MiB of JSON, and its entries by database. */
typedef struct tl__v0_read {
	tl_str document; /* the caller's until the work is freed */
	/* Out */
	tl__v0_request request; /* freed with the work */
	tl__v0_refusal refusal; /* of one that cannot be read: TL_E_NOMEM apart */
	tl__v0_group groups[TL__V0_READ_GROUPS];
	size_t group_count;
} tl__v0_read;
extern const tl__work_way tl__v0_read_work;

/* --- checkpoints.c ------------------------------------------------------------------------------ */

/* Appends to the list (which moves, in the arena) up to TL__V0_ANCESTORS entries before arrival
 * `head`: the `near` newest, then at doubling distance. */
int tl__checkpoints_add(tl__snapshot *s, const tl_id *db, uint64_t head, uint64_t near,
	tl__arena *arena, tl_id **ids, size_t *count) TL_MUST_USE;

#endif
