#include "engine/parts/plain_path.h"

#include <stdbool.h>
#include "base/fail.h"
#include "base/str.h"

int tl__plain_path_check(tl_str path)
{
	bool empty = true; /* the component that ends here */

	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] == '.' && empty)
			break;
		empty = path.ptr[i] == '.';
	}
	if (!empty)
		return TL_OK;
	return tl__fail(TL_E_BAD_PATH,
		"the path \"%.*s\" has an empty component; write names with one dot between them",
		TL__STR_ARG(path));
}
