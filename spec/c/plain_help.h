/* One database, its owner, and notes of his. */
#ifndef SPEC_PLAIN_HELP_H
#define SPEC_PLAIN_HELP_H

#include "trust_fixture.h"

/* A database of a: its root, and one note; b may write, c is Admin. */
typedef struct plain {
	world w;
	signer a, b, c, x;
	tl_entry *root, *note;
} plain;

static inline bool plain_open(plain *p)
{
	tl_value *settings = tl_value_doc();

	memset(p, 0, sizeof *p);
	p->a = signer_of(1);
	p->b = signer_of(2);
	p->c = signer_of(3);
	p->x = signer_of(9);
	if (!settings || !world_open(&p->w) ||
		!put_key(settings, p->a.text, p->a.text, admin(0), TL_KEY_ACTIVE) ||
		!put_key(settings, p->b.text, p->b.text, writing(5), TL_KEY_ACTIVE) ||
		!put_key(settings, "carol", p->c.text, admin(7), TL_KEY_ACTIVE) ||
		!put_key(settings, "reader", p->x.text, (tl_permission){TL_READ, 0},
			TL_KEY_ACTIVE) ||
		!put_key(settings, "gone", p->x.text, admin(0), TL_KEY_REVOKED))
		return false;
	p->root = make(&(draft){.settings = settings, .by = &p->a});
	p->note = make_note(p->root, p->root, NULL, &p->a, "k=v");
	tl_value_free(settings);
	return p->root && p->note && feed_one(&p->w, p->root, p->root).kind == TL__FATE_VERIFIED &&
	       feed_one(&p->w, p->root, p->note).kind == TL__FATE_VERIFIED;
}

static inline void plain_close(plain *p)
{
	world_close(&p->w);
	tl_entry_free(p->root);
	tl_entry_free(p->note);
}

/* Makes, feeds and forgets. */
static inline tl__fate fate_of(plain *p, const draft *d)
{
	tl_entry *entry = make(d);
	tl__fate fate = entry ? feed_one(&p->w, p->root, entry)
			      : (tl__fate){.code = TL_E_INTERNAL, .kind = TL__FATE_DECLINED};

	tl_entry_free(entry);
	return fate;
}

/* A note on the note. */
#define NOTE_BY(p, ...)                                                                            \
	(&(draft){.root = (p)->root,                                                               \
		.parents = {(p)->note},                                                            \
		.parent_count = 1,                                                                 \
		.notes = "k=w",                                                                    \
		.notes_parents = {(p)->note},                                                      \
		.notes_parent_count = 1,                                                           \
		__VA_ARGS__})

#endif
