/* All public headers of tidelock.
 *
 * Threads: functions may be called from any thread unless their header says otherwise; an object is
 * used by one thread at a time. The last error is per thread. No signal handlers are installed and
 * no environment variables are read. Running out of memory is an error (TL_E_NOMEM), never an
 * abort. */
#ifndef TIDELOCK_TIDELOCK_H
#define TIDELOCK_TIDELOCK_H

#include <tidelock/auth.h>
#include <tidelock/backend.h>
#include <tidelock/control.h>
#include <tidelock/crypto.h>
#include <tidelock/database.h>
#include <tidelock/doc.h>
#include <tidelock/entry.h>
#include <tidelock/error.h>
#include <tidelock/ext.h>
#include <tidelock/json.h>
#include <tidelock/log.h>
#include <tidelock/node.h>
#include <tidelock/stores.h>
#include <tidelock/sync.h>
#include <tidelock/transaction.h>
#include <tidelock/transport.h>
#include <tidelock/types.h>

#endif
