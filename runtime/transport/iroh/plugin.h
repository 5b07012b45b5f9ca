/* Finds and loads the Iroh plugin (bindings/iroh), which is a library of its own. */
#ifndef TL_TRANSPORT_IROH_PLUGIN_H
#define TL_TRANSPORT_IROH_PLUGIN_H

#include <tidelock/error.h>
#include "../../../bindings/iroh/tidelock_iroh.h"

#define TL__IROH_FILE "libtidelock_iroh.so"

/* *out: its calls, which stay until the process ends: it is never unloaded. From `path`, or with
 * NULL from beside the library or program that this code is in, else from where the system looks
 * for libraries. TL_E_UNSUPPORTED_TRANSPORT when there is none, with the places tried, or when it
 * is of another version. Reads files, so it may take some milliseconds. Any thread. */
int tl__iroh_load(const tl_iroh_calls **out, const char *path) TL_MUST_USE;

#endif
