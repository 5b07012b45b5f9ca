#include "crypto/vault.h"

#include <string.h>
#include <sys/mman.h>
#include "base/fail.h"

void *tl__vault_alloc(size_t size)
{
	void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ptr == MAP_FAILED) {
		(void)tl__fail(TL_E_NOMEM, "no memory for secrets; close what is not needed");
		return NULL;
	}
	/* Both are a matter of what the system allows (RLIMIT_MEMLOCK); without them the secret is
	 * as safe as any other memory of the process. */
	(void)mlock(ptr, size);
	(void)madvise(ptr, size, MADV_DONTDUMP);
	return ptr;
}

void tl__vault_free(void *ptr, size_t size)
{
	if (!ptr)
		return;
	tl__vault_wipe(ptr, size);
	munmap(ptr, size);
}

void tl__vault_wipe(void *ptr, size_t size)
{
	explicit_bzero(ptr, size);
}
