/* What the two files of `client_verdicts` share. */
#ifndef SPEC_VECTORS_TOLD_H
#define SPEC_VECTORS_TOLD_H

#include "actor.h"

bool told(tl_str text, const char *words);
/* Whether 0.2.0 was content. */
bool recorded_well(check *c);
/* The first number in it, or `otherwise`. */
int number_in(tl_str text, int otherwise);
/* Result of an operation; its text is copied. */
int wait_for(int started, tl_op *op, char text[256]);
void expect_code(check *c, int got, int wanted, const char *what);

/* check_told.c: answers to SyncTree and to pushes. */
void check_tree_stage(check *c, bool with_credentials);
void check_step(check *c);

#endif
