/* good(E): a pure function of an entry's bytes, its ancestry and the ancestry of the delegation
 * tips it cites (README.md). The signature is left to the caller, who verifies
 * many at once. */
#ifndef TL_TREE_JUDGE_H
#define TL_TREE_JUDGE_H

#include "base/arena.h"
#include "base/map.h"
#include "tree/tree.h"

/* Where an entry of the judged database stands in the eyes of the caller. */
typedef enum tl__place {
	TL__PLACE_STORED, /* as the snapshot says */
	TL__PLACE_GOOD,
	TL__PLACE_BAD,
	TL__PLACE_OPEN /* not judged yet */
} tl__place;

/* Judges entries of one database over one snapshot and plan. One thread at a time. */
typedef struct tl__judge {
	tl__tree *tree;
	tl__snapshot *snapshot;
	tl_id db;
	tl__plan *plan; /* holds every judged ancestor that the snapshot's DAG lacks */
	/* Of an entry that the snapshot's DAG lacks; *entry is borrowed, for good and bad ones. */
	tl__place (*place)(void *ud, const tl_id *id, tl_entry **entry);
	void *ud;
	/* private */
	tl__arena arena;
	tl__settings *settings; /* of the entry judged last, and who signs what under them */
	tl__map signers;
} tl__judge;

typedef enum tl__standing {
	TL__GOOD_IF_SIGNED, /* good if the signature and its citations' age are */
	TL__NOT_GOOD,
	TL__WAITS /* cited entries are not known */
} tl__standing;

typedef struct tl__opinion {
	tl__standing standing;
	int reason; /* of what is not good */
	tl_signer signer;
	uint8_t signature[TL_SIGNATURE_BYTES];   /* decoded, when good if signed */
	tl__cite cites[TL_DELEGATION_MAX_STEPS]; /* memory of the judge, as are the next */
	size_t cite_count;
	tl__cite waits;   /* those of one step that are not known */
	tl__cite refused; /* those of one step that are in quarantine */
} tl__opinion;

/* Zero the judge and fill its upper members first. */
void tl__judge_init(tl__judge *judge);
void tl__judge_free(tl__judge *judge);

/* Judges an entry that passed tl_entry_check, is of this database and names nothing that is not in
 * the snapshot's DAG or the plan. An error is one of the store or of memory, never the entry's. */
int tl__judge_entry(tl__judge *judge, tl_entry *entry, tl__opinion *out) TL_MUST_USE;

/* Whether an entry that is good otherwise cites older tips of a delegated database than a good
 * ancestor of it does: *stale. To be asked once all its ancestors are judged for certain. */
int tl__judge_citations(
	tl__judge *judge, tl_entry *entry, const tl__opinion *opinion, bool *stale) TL_MUST_USE;

/* Puts the tips that a step cites, ascending and each once, behind those that are there, in the
 * arena. TL_E_INVALID_TIP: one is no id, and nothing has changed. */
int tl__judge_add_tips(const tl_entry *entry, size_t step, tl__arena *arena, tl_id **tips,
	size_t *count) TL_MUST_USE;

#endif
