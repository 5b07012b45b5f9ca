/* What the store holds already, for spools. */
#include "base/map.h"
#include "v0/spool/spool.h"

struct held_search {
	tl__map *wanted; /* id -> its bool */
};

static int mark_held(const struct held_search *search, const tl_id *id)
{
	bool *held = tl__map_get(search->wanted, tl__map_key_id(id));

	if (held)
		*held = true;
	return TL_OK;
}

static int mark_entry(void *ud, const tl__entry_row *row)
{
	return mark_held(ud, &row->id);
}

static int mark_aside(void *ud, const tl__aside_row *row)
{
	return mark_held(ud, &row->id);
}

int tl__spool_held(void *ud, const tl_id *db, const tl_id *ids, size_t count, bool *held)
{
	tl__tree *tree = ud;
	tl__snapshot *s = NULL;
	tl__map wanted;
	struct held_search search = {&wanted};
	int code = TL_OK;

	tl__map_init(&wanted);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = tl__map_set(&wanted, tl__map_key_id(&ids[i]), &held[i]);
	if (code == TL_OK)
		code = tl__snapshot_open(tree->store, &s);
	if (code == TL_OK)
		code = tl__read_entries(s, db, ids, count, 0, mark_entry, &search);
	if (code == TL_OK)
		code = tl__read_asides(s, db, ids, count, 0, mark_aside, &search);
	tl__snapshot_close(s);
	tl__map_free(&wanted);
	return code;
}
