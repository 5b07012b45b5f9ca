/* The modules that scripts require, and the files beside a script. */
#ifndef TL_LUA_FOLDER_H
#define TL_LUA_FOLDER_H

#include "script/cell.h"

/* tlua_cell_options.find for the folder that `ud` names (a path, `const char *`): the library's
 * modules, `require 'a.b'` is a/b.lua, a keyring is a path in it. Only files in the folder or below
 * it, links followed but not out of it, of at most TLUA_FILE_MAX and TLUA_RING_MAX bytes. Reads
 * files, so it may wait. */
bool tlua_folder_find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out);
/* tlua_cell_options.find for scripts without a folder: the library's modules alone. */
bool tlua_half_find(void *ud, tlua_wanted wanted, const char *name, tlua_found *out);
/* Reads a whole text of at most `most` bytes; false with a problem in `out`. */
bool tlua_folder_read(const char *path, size_t most, tlua_found *out);

#endif
