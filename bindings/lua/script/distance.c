#include "script/distance.h"

#include <string.h>

size_t tlua_distance(const char *a, const char *b)
{
	size_t row[TLUA_NAME_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > TLUA_NAME_MAX || lb > TLUA_NAME_MAX)
		return TLUA_NAME_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[lb];
}
