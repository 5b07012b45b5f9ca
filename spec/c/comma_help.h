/* A locale with a decimal comma and grouped digits, made for the spec: machines have none. */
#ifndef SPEC_COMMA_HELP_H
#define SPEC_COMMA_HELP_H

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scratch.h"

/* Switches to it. False, and says so, where `localedef` cannot make it. */
static inline bool comma_begin(void)
{
	static const char source[] = "LC_NUMERIC\ndecimal_point \"<U002C>\"\nthousands_sep "
				     "\"<U002E>\"\ngrouping 3;3\nEND LC_NUMERIC\n";
	char dir[SCRATCH_PATH], command[2 * SCRATCH_PATH + 80];
	FILE *file;
	bool made;

	scratch_make(dir);
	snprintf(command, sizeof command, "%s/source", dir);
	file = fopen(command, "w");
	made = file && fputs(source, file) >= 0;
	made = file && fclose(file) == 0 && made;
	snprintf(command, sizeof command, "localedef -c -i %s/source %s/comma >/dev/null 2>&1", dir,
		dir);
	(void)!system(command); /* warns about what is not told, and makes it all the same */
	setenv("LOCPATH", dir, 1);
	made = made && setlocale(LC_ALL, "comma") && strcmp(localeconv()->decimal_point, ",") == 0;
	scratch_remove(dir);
	if (!made)
		printf("there is no locale with a decimal comma on this machine\n");
	return made;
}

static inline void comma_end(void)
{
	setlocale(LC_ALL, "C");
	unsetenv("LOCPATH");
}

#endif
