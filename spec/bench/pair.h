/* Two nodes of this process that are in step, over HTTP or Iroh on loopback. */
#ifndef SPEC_BENCH_PAIR_H
#define SPEC_BENCH_PAIR_H

#include "bench.h"

#define PAIR_WAIT_MS   60000
#define PAIR_SETTLE_MS 250 /* nothing more comes after that */
#define PAIR_GAP_MS    30  /* between commits: longer than sending waits for the next one */

typedef enum pair_kind {
	PAIR_REACH,  /* each dials the other */
	PAIR_PUSHES, /* the same, and neither watches */
	PAIR_IROH,   /* each dials the other, over Iroh */
	PAIR_DIALS   /* only B dials; A does not know it as a peer */
} pair_kind;

typedef struct pair {
	char dir_a[SCRATCH_PATH], dir_b[SCRATCH_PATH];
	tl_node *a, *b;
	tl_database *db_a, *db_b;
	uint64_t next;
} pair;

/* `n` standard entries in both files. */
void pair_open(pair *p, pair_kind kind, size_t n);
void pair_close(pair *p);
/* Waits for an operation and releases it. */
void pair_wait(tl_op *op, const char *what);
/* Commits at A; seconds until B has it. */
double pair_commit(pair *p);
/* The same, each PAIR_GAP_MS behind the last. */
void pair_commits(pair *p, double *seconds, size_t count);
/* Lines of sets of relations (relations.c). */
void pair_sets(void);

#endif
