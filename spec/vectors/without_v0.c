/* In the stead of v0/, for a build that does not speak 0.2.0. */
#include "check.h"

void check_wire(check *c, const node *section)
{
	(void)section;
	skip(c, "0.2.0 is not spoken");
}

void check_client_verdict(check *c, const node *section)
{
	check_wire(c, section);
}

tl_str *texts_of_db(check *c, const tl_id *db, size_t *count)
{
	(void)c;
	(void)db;
	*count = 0;
	return NULL;
}
