/* Commands of the application on their way to the core, and their completion. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/run/engine_impl.h"
#include "engine/parts/inside.h"
#include "engine/parts/names.h"
#include "engine/run/servers.h"
#include "crypto/vault.h"

/* A command the core has not completed yet: somebody waits in a call or holds an operation. */
struct tl__pending {
	tl__pending *next;
	uint64_t number;
	tl_op *op;
	tl__call *call;
};

static void finish(tl_op *op, tl__call *call, int code, const char *text)
{
	tl__op_finish(op, code, text);
	if (call)
		tl__call_end(call, code, text);
}

/* Gives the core a command under a fresh number, which is returned; 0 when nobody waits. */
static uint64_t give(tl__engine *engine, const tl__sync_command *command, tl_op *op, tl__call *call)
{
	tl__sync_event event = {.kind = TL__SYNC_COMMAND, .command = *command};
	tl__pending *pending = NULL;
	int rc = TL_OK;

	/* What stands in the records already can be taken out, whatever it is. */
	if (command->address && command->kind != TL__SYNC_REMOVE_ADDRESS)
		rc = tl__carriers_check_address(engine, command->address);
	if (rc != TL_OK) {
		finish(op, call, rc, NULL);
		return 0;
	}
	event.command.op = ++engine->numbers;
	if (op || call) {
		pending = tl__alloc_zero(1, sizeof *pending);
		if (!pending) {
			finish(op, call, TL_E_NOMEM, NULL);
			return 0;
		}
		*pending = (tl__pending){engine->pending, event.command.op, op, call};
		engine->pending = pending;
	}
	tl__engine_tell(engine, &event);
	return event.command.op;
}

void tl__command_complete(
	tl__engine *engine, uint64_t op, int code, const char *error, const char *text)
{
	tl__pending **at = &engine->pending, *pending;

	while (*at && (*at)->number != op)
		at = &(*at)->next;
	pending = *at;
	if (!pending)
		return;
	*at = pending->next;
	if (code != TL_OK)
		(void)tl__fail(code, "%s", error);
	finish(pending->op, pending->call, code, text);
	tl__free(pending);
}

void tl__command_forget(tl__engine *engine)
{
	while (engine->pending)
		tl__command_complete(engine, engine->pending->number, TL_E_CLOSED,
			"the node was closed before this was done", NULL);
}

void tl__command_abandoned(tl__engine *engine)
{
	tl__pending *p = engine->pending;

	while (p) {
		uint64_t number = p->number;
		tl__sync_command cancel = {.kind = TL__SYNC_CANCEL, .number = number};

		if (!p->op || !tl_op_done(p->op)) {
			p = p->next;
			continue;
		}
		(void)give(engine, &cancel, NULL, NULL);
		/* The core has completed it by now; if not, nobody waits for it any more. */
		tl__command_complete(engine, number, TL_E_CANCELLED, "cancelled", NULL);
		p = engine->pending;
	}
}

/* --- waiting ---------------------------------------------------------------------------------- */

typedef struct command_call {
	tl__call base; /* first: a call is its command_call */
	const tl__sync_command *command;
} command_call;

static void begin_command(tl__engine *engine, tl__call *call)
{
	(void)give(engine, ((command_call *)call)->command, NULL, call);
}

int tl__command_run(tl_node *node, const tl__sync_command *command, const char *what, char **text)
{
	command_call call = {.base.begin = begin_command, .command = command};
	int rc = tl__engine_call(node, &call.base, what);

	if (text)
		*text = call.base.text;
	else
		tl__free(call.base.text);
	return rc;
}

/* --- not waiting ------------------------------------------------------------------------------ */

/* A command with everything it needs, on its way to the loop's thread. */
typedef struct started {
	tl__task task; /* first: a task is its started */
	tl__engine *engine;
	tl__sync_command command;
	tl_address address;
	char *name;
	tl_address *addresses; /* NULL: none */
	tl_secret *secrets;    /* in the vault; NULL: none */
	tl_op *op;
} started;

static void started_free(started *s)
{
	tl__vault_free(s->secrets, s->command.secret_count * sizeof *s->secrets);
	tl__free(s->addresses);
	tl__free(s->name);
	tl__free(s);
}

static void on_started(tl__task *task)
{
	started *s = (started *)task;

	(void)give(s->engine, &s->command, s->op, NULL);
	started_free(s);
}

static int copy_command(started *s, const tl__sync_command *command)
{
	s->command = *command;
	if (command->address) {
		s->address = *command->address;
		s->command.address = &s->address;
	}
	if (command->name.ptr) {
		s->name = tl__copy_bytes(command->name.ptr, command->name.len);
		s->command.name.ptr = s->name;
		if (!s->name)
			return TL_E_NOMEM;
	}
	if (command->address_count) {
		s->addresses = (tl_address *)tl__copy_bytes((const char *)command->addresses,
			command->address_count * sizeof *s->addresses);
		s->command.addresses = s->addresses;
		if (!s->addresses)
			return TL_E_NOMEM;
	}
	if (command->secret_count) {
		size_t size = command->secret_count * sizeof *s->secrets;

		s->secrets = tl__vault_alloc(size);
		if (!s->secrets)
			return TL_E_NOMEM;
		memcpy(s->secrets, command->secrets, size);
		s->command.secrets = s->secrets;
		s->command.secret_names = &s->command.name;
	}
	return TL_OK;
}

static int no_engine(const char *what)
{
	return tl__fail(
		TL_E_SYNC_NOT_ENABLED, "%s needs sync, and this node was opened without it", what);
}

int tl__command_start(tl_node *node, const tl__sync_command *command, const char *what, tl_op **op)
{
	started *s;
	int rc;

	if (op)
		*op = NULL;
	if (!node->engine)
		return no_engine(what);
	s = tl__alloc_zero(1, sizeof *s);
	if (!s)
		return TL_E_NOMEM;
	s->task.call = on_started;
	s->engine = node->engine;
	rc = copy_command(s, command);
	if (rc == TL_OK) {
		s->op = tl__op_new(node->hub, op != NULL);
		rc = s->op ? TL_OK : TL_E_NOMEM;
	}
	if (rc != TL_OK) {
		started_free(s);
		return rc;
	}
	if (op)
		*op = s->op;
	if (!tl__inbox_put(node->engine->inbox, &s->task)) {
		(void)tl__fail(TL_E_CLOSED, "the node is being closed");
		tl__op_finish(s->op, TL_E_CLOSED, NULL);
		started_free(s);
	}
	return TL_OK;
}

/* --- calls ------------------------------------------------------------------------------------ */

static void on_call(tl__task *task)
{
	tl__call *call = (tl__call *)task;

	call->begin(call->engine, call);
}

int tl__engine_call(tl_node *node, tl__call *call, const char *what)
{
	tl__engine *e = node->engine;
	int rc;

	if (!e)
		return no_engine(what);
	rc = tl__inside_refuse(what);
	if (rc != TL_OK)
		return rc;
	call->task.call = on_call;
	call->engine = e;
	call->done = false;
	if (!tl__inbox_put(e->inbox, &call->task))
		return tl__fail(TL_E_CLOSED, "the node is being closed");
	pthread_mutex_lock(&e->call_lock);
	while (!call->done)
		pthread_cond_wait(&e->call_done, &e->call_lock);
	pthread_mutex_unlock(&e->call_lock);
	return tl__error_restore(call->error, call->code);
}

void tl__call_end(tl__call *call, int code, const char *text)
{
	tl__engine *e = call->engine;

	call->code = code;
	call->error = code == TL_OK ? NULL : tl__error_keep();
	/* What says nothing needs no memory: what was done is not to be told as a failure. */
	if (code == TL_OK && text && text[0]) {
		call->text = tl__copy_bytes(text, strlen(text));
		if (!call->text) {
			call->code = TL_E_NOMEM;
			call->error = tl__error_keep();
		}
	}
	pthread_mutex_lock(&e->call_lock);
	call->done = true;
	pthread_cond_broadcast(&e->call_done);
	pthread_mutex_unlock(&e->call_lock);
}

/* --- keys ------------------------------------------------------------------------------------- */

static int give_keys(tl_node *node, const tl__names *names, tl_secret *secrets)
{
	tl__sync_command command = {
		.kind = TL__SYNC_SET_KEYS, .secrets = secrets, .secret_names = names->at};
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < names->count; i++) {
		rc = tl__keys_secret(node->keys, names->at[i], &secrets[i]);
		command.secret_count = i + 1;
	}
	return rc == TL_OK ? tl__command_run(node, &command, "changing keys", NULL) : rc;
}

int tl__engine_keys_changed(tl_node *node)
{
	tl__names names = TL__NAMES_INIT;
	tl_secret *secrets = NULL;
	size_t size = 0;
	int rc = tl__keys_names(node->keys, tl__names_add, &names);

	if (rc == TL_OK) {
		size = (names.count + 1) * sizeof *secrets;
		secrets = tl__vault_alloc(size);
		rc = secrets ? give_keys(node, &names, secrets) : TL_E_NOMEM;
	}
	tl__vault_free(secrets, size);
	tl__names_free(&names);
	return rc;
}
