/* What stands in line: each once, the first comes first. The links lie in what is listed. */
#ifndef TL_BASE_LIST_H
#define TL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* All zero: in no list. */
typedef struct tl__link {
	struct tl__link *next;
	bool listed;
} tl__link;

/* All zero: empty. */
typedef struct tl__list {
	tl__link *first, *last;
} tl__list;

/* Behind the last one; one that stands there already keeps its place. */
static inline void tl__list_add(tl__list *list, tl__link *link)
{
	if (link->listed)
		return;
	*link = (tl__link){.listed = true};
	if (list->last)
		list->last->next = link;
	else
		list->first = link;
	list->last = link;
}

/* Walks; one that is in none is fine. */
static inline void tl__list_remove(tl__list *list, tl__link *link)
{
	tl__link *before = NULL;

	if (!link->listed)
		return;
	for (tl__link *at = list->first; at != link; at = at->next)
		before = at;
	if (before)
		before->next = link->next;
	else
		list->first = link->next;
	if (list->last == link)
		list->last = before;
	*link = (tl__link){0};
}

/* The first one, which is in it no more; NULL: there is none. */
static inline tl__link *tl__list_take(tl__list *list)
{
	tl__link *first = list->first;

	if (first)
		tl__list_remove(list, first);
	return first;
}

#endif
