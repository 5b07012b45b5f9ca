/* Two sites that share one database. */
#ifndef SPEC_DUO_HELP_H
#define SPEC_DUO_HELP_H

#include "site_help.h"

#define WRITE10 ((tl_permission){TL_WRITE, 10})

/* `a` owns a database that `b` holds too; both have the relation. */
typedef struct duo {
	site a, b;
	char dir_a[SCRATCH_PATH], dir_b[SCRATCH_PATH];
	bool on_disk;
	tl_database *db; /* of a, written by its key "k" */
	tl_id id;
} duo;

static inline void duo_close(duo *d)
{
	tl_database_free(d->db);
	site_close(&d->a);
	site_close(&d->b);
	if (d->on_disk) {
		scratch_remove(d->dir_a);
		scratch_remove(d->dir_b);
	}
}

static inline bool duo_open(duo *d, bool on_disk, const tl_sync_options *options)
{
	char key[TL_KEY_TEXT_LEN + 1];

	memset(d, 0, sizeof *d);
	d->on_disk = on_disk;
	if (on_disk) {
		scratch_make(d->dir_a);
		scratch_make(d->dir_b);
	}
	if (!site_open_at(&d->a, on_disk ? d->dir_a : NULL, options, NULL) ||
		!site_open_at(&d->b, on_disk ? d->dir_b : NULL, options, NULL))
		return false;
	d->db = make_db(d->a.node, "shared");
	if (!d->db)
		return false;
	d->id = *tl_database_root_id(d->db);
	if (tl_node_add_private_key(d->b.node, "b", NULL, key) == TL_OK &&
		grant(d->db, key, WRITE10) == TL_OK && put(d->db, "from", "a") == TL_OK &&
		greet(&d->a, &d->b) == TL_OK &&
		tl_sync_add_tree_sync(d->a.node, d->b.key, &d->id) == TL_OK &&
		fetch(&d->b, &d->a, &d->id) == TL_OK)
		return true;
	printf("duo: %s\n", tl_error_message(tl_last_error()));
	return false;
}

#endif
