/* Reading a request of 0.2.0: up to 2 MiB of JSON, and entries by database. */
#include "base/fail.h"
#include "v0/work/works.h"

static tl__v0_group *group_of(tl__v0_read *read, const tl_id *db)
{
	size_t at = 0;

	while (at < read->group_count && !tl__id_equal(&read->groups[at].db, db))
		at++;
	if (at == TL__V0_READ_GROUPS)
		return NULL;
	if (at == read->group_count)
		read->groups[read->group_count++].db = *db;
	return &read->groups[at];
}

/* Where an entry says it belongs; *known false when that is nowhere. TL_E_BAD_ENTRY: it has not
 * even the shape of an entry, as which 0.2.0 refuses the whole message. */
static int database_of(tl_str text, tl_id *db, bool *known)
{
	tl_entry *entry = NULL;
	int rc = tl_entry_parse(&entry, text, TL_ENTRY_FOREIGN);

	*known = rc == TL_OK;
	if (rc == TL_E_BAD_ENTRY || rc == TL_E_NOMEM)
		return rc;
	if (rc == TL_OK && tl_entry_tree(entry).len == 0)
		*db = *tl_entry_id(entry);
	else if (rc == TL_OK)
		*known = tl_id_parse(db, tl_entry_tree(entry)) == TL_OK;
	tl_entry_free(entry);
	return TL_OK;
}

/* What is of one database more than may be is passed over, as is what may not be taken. */
static int add_entry(tl__work *work, tl_str text)
{
	tl__v0_group *group = NULL;
	tl_id db;
	void *array;
	bool known;
	int rc = database_of(text, &db, &known);

	if (rc == TL_OK && known)
		group = group_of(work->other.own, &db);
	if (!group)
		return rc;
	array = group->lines;
	rc = tl__arena_grow(&work->arena, &array, &group->cap, group->count, sizeof *group->lines);
	group->lines = array;
	if (rc == TL_OK)
		group->lines[group->count++] = text;
	return rc;
}

static int run(tl__tree *tree, tl__work *work)
{
	tl__v0_read *read = work->other.own;
	int rc = tl__v0_request_read(&read->request, read->document, &read->refusal);

	(void)tree;
	for (size_t i = 0; rc == TL_OK && i < read->request.entry_count; i++)
		rc = add_entry(work, read->request.entries[i]);
	if (rc == TL_E_BAD_ENTRY)
		read->refusal = TL__V0_WRONG_SHAPE;
	return rc;
}

static void clear(void *own)
{
	tl__v0_read *read = own;

	tl__v0_request_free(&read->request);
}

const tl__work_way tl__v0_read_work = {.run = run, .clear = clear, .apart = true};
