/* Memory for secrets: locked against swapping (as far as the system allows), left out of core
 * dumps, and wiped when released. */
#ifndef TL_CRYPTO_VAULT_H
#define TL_CRYPTO_VAULT_H

#include <stddef.h>

/* Zeroed; NULL with the last error set. Each piece takes whole pages. */
void *tl__vault_alloc(size_t size);
void tl__vault_free(void *ptr, size_t size); /* NULL is fine */
void tl__vault_wipe(void *ptr, size_t size); /* not optimised away */

#endif
