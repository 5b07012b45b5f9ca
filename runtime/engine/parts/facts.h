/* What the program knows of the world, by name: JSON that is kept and shown. Any thread. */
#ifndef TL_ENGINE_FACTS_H
#define TL_ENGINE_FACTS_H

#include <pthread.h>
#include <stdbool.h>
#include "base/buf.h"

#define TL__FACTS_MAX      100
#define TL__FACT_MAX_BYTES 1024 /* name and value */

typedef struct tl__fact {
	char *name, *value;
} tl__fact;

typedef struct tl__facts {
	pthread_mutex_t lock;
	tl__fact at[TL__FACTS_MAX]; /* names ascending */
	size_t count;
} tl__facts;

void tl__facts_init(tl__facts *facts);
void tl__facts_free(tl__facts *facts);
/* value NULL: it goes. *changed: it was another. TL_OK, TL_E_TOO_LARGE, TL_E_BAD_JSON, TL_E_NOMEM.
 */
int tl__facts_set(tl__facts *facts, const char *name, const char *value, bool *changed) TL_MUST_USE;
void tl__facts_put(tl__facts *facts, tl__buf *out); /* as a JSON object */

#endif
