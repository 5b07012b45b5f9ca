/* Who a remote address counts as, where limits are kept by address. */
#ifndef TL_BASE_SOURCE_H
#define TL_BASE_SOURCE_H

#include <stdbool.h>
#include "base/str.h"

#define TL__SOURCE_LEN 255

/* Of "host:port": the host as it is written, but a whole /64 for IPv6, because one machine may have
 * all addresses of it. An IPv4 address mapped into IPv6 is that IPv4 address. Texts of another form
 * stay as they are; what is too long for `out` is cut off. Any thread. */
void tl__source_of(tl_str remote, char out[TL__SOURCE_LEN + 1]);

#endif
