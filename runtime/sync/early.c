/* Commands that came before the load was done: copied, and done in their order afterwards. */
#include "sync/out/outbound.h"

#include <string.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/vault.h"

#define MAX_EARLY 10000

struct tl__sync_early {
	tl__sync_command command;
	tl__arena arena;
	tl__sync_early *next;
};

static const void *copy(tl__arena *arena, const void *from, size_t size, bool *good)
{
	void *to;

	if (!from || size == 0)
		return NULL;
	to = tl__arena_alloc(arena, 1, size);
	if (to)
		memcpy(to, from, size);
	else
		*good = false;
	return to;
}

static const tl_sync_options *copy_options(
	tl__arena *arena, const tl_sync_options *from, bool *good)
{
	tl_sync_options *to = (tl_sync_options *)copy(arena, from, sizeof *from, good);
	const char **list;

	if (!to || !to->accept_databases_from)
		return to;
	list = tl__arena_alloc(arena, to->accept_databases_from_count + 1, sizeof *list);
	for (size_t i = 0; list && i < to->accept_databases_from_count; i++)
		list[i] = tl__arena_str(arena, tl__str_z(to->accept_databases_from[i])).ptr;
	to->accept_databases_from = list;
	*good = *good && list;
	return to;
}

static const tl_secret *copy_secrets(const tl__sync_command *from, bool *good)
{
	size_t size = from->secret_count * sizeof *from->secrets;
	tl_secret *to = size > 0 ? tl__vault_alloc(size) : NULL;

	if (to)
		memcpy(to, from->secrets, size);
	*good = *good && (to || size == 0);
	return to;
}

static bool copy_command(tl__sync_early *early, const tl__sync_command *from)
{
	tl__sync_command *to = &early->command;
	tl__arena *arena = &early->arena;
	bool good = true;

	*to = *from;
	to->address = copy(arena, from->address, sizeof *from->address, &good);
	if (from->name.ptr) {
		to->name = tl__arena_str(arena, from->name);
		good = good && to->name.ptr;
	}
	to->secrets = copy_secrets(from, &good);
	to->secret_names = NULL;
	to->options = copy_options(arena, from->options, &good);
	to->policy = copy(arena, from->policy, sizeof *from->policy, &good);
	return good;
}

static void release(tl__sync_early *early)
{
	tl__vault_free((void *)early->command.secrets,
		early->command.secret_count * sizeof *early->command.secrets);
	tl__arena_free(&early->arena);
	tl__free(early);
}

void tl__sync_command_keep(tl__sync *sync, const tl__sync_command *command)
{
	tl__sync_early *early = tl__alloc_zero(1, sizeof *early), **end = &sync->early;
	size_t count = 0;

	for (; *end; end = &(*end)->next)
		count++;
	if (!early || count >= MAX_EARLY || !copy_command(early, command)) {
		(void)tl__fail(TL_E_BUSY, "the node is still starting; try again");
		tl__sync_complete_failed(sync, command->op, TL_E_BUSY);
		if (early)
			release(early);
		return;
	}
	*end = early;
}

void tl__sync_do_waiting(tl__sync *sync)
{
	while (sync->early) {
		tl__sync_early *early = sync->early;

		sync->early = early->next;
		tl__sync_command_do(sync, &early->command);
		release(early);
	}
}

void tl__sync_refuse_waiting(tl__sync *sync, int code)
{
	while (sync->early) {
		tl__sync_early *early = sync->early;

		sync->early = early->next;
		tl__sync_complete_failed(sync, early->command.op, code);
		release(early);
	}
}
