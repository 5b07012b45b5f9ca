/* A check of a database of which only the number of findings matters. */
#ifndef SPEC_VERIFY_HELP_H
#define SPEC_VERIFY_HELP_H

#include <tidelock/database.h>

static inline int find_all(tl_database *db,
	void (*finding)(void *ud, const tl_id *db, const tl_id *entry, tl_str sentence),
	uint64_t *findings)
{
	tl_verify_options options = TL_VERIFY_OPTIONS_INIT;
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	int code;

	options.finding = finding;
	code = tl_database_verify(db, &options, &result);
	*findings = result.findings;
	return code;
}

#endif
