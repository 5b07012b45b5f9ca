/* Handles of operations, and the bells that tell a loop that one is done. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "module/core.h"

#define BELL "tidelock.bell"

/* Rung on any thread that dispatches the node, which need not be the state's. */
typedef struct bell {
	atomic_uint owners; /* the state, and each operation that rings it */
	int fd;
} bell;

static void bell_release(bell *b)
{
	if (atomic_fetch_sub(&b->owners, 1) != 1)
		return;
	close(b->fd);
	free(b);
}

static void ring(void *ud, tl_op *op)
{
	const uint64_t one = 1;
	bell *b = ud;

	ssize_t written = write(b->fd, &one, sizeof one);

	/* It can only be full, and then it rings already. */
	(void)op;
	(void)written;
	bell_release(b);
}

static int bell_drop(lua_State *L)
{
	bell **handle = luaL_checkudata(L, 1, BELL);

	if (*handle)
		bell_release(*handle);
	*handle = NULL;
	return 0;
}

/* bell() -> a bell */
int tlua_bell(lua_State *L)
{
	bell **handle = (bell **)tlua_new_handle(L, BELL);
	bell *b = calloc(1, sizeof *b);

	if (!b)
		return luaL_error(L, "not enough memory");
	atomic_init(&b->owners, 1);
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd < 0) {
		free(b);
		return luaL_error(L, "no descriptor for a bell: %s", strerror(errno));
	}
	*handle = b;
	return 1;
}

static int bell_fd(lua_State *L)
{
	const bell *b = tlua_check_handle(L, 1, BELL);

	lua_pushinteger(L, b->fd);
	return 1;
}

/* still(): it has been heard */
static int bell_still(lua_State *L)
{
	const bell *b = tlua_check_handle(L, 1, BELL);
	uint64_t count;

	if (read(b->fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return luaL_error(L, "cannot read a bell: %s", strerror(errno));
	return 0;
}

/* --- operations ------------------------------------------------------------------------------- */

static tl_op *check(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_OP);
}

static int op_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_OP);

	tl_op_free(*handle);
	*handle = NULL;
	return 0;
}

static int op_done(lua_State *L)
{
	lua_pushboolean(L, tl_op_done(check(L)));
	return 1;
}

/* result() -> text, or nil, error; only of a done operation */
static int op_result(lua_State *L)
{
	tl_op *op = check(L);

	int code = tl_op_result(op);

	luaL_argcheck(L, code != TL_E_BUSY || tl_op_done(op), 1, "the operation is not done");
	if (code != TL_OK)
		return tlua_fail(L);
	lua_pushstring(L, tl_op_text(op));
	return 1;
}

/* wait([timeout]): blocks this thread */
static int op_wait(lua_State *L)
{
	tl_op *op = check(L);
	uint64_t timeout = lua_isnoneornil(L, 2) ? 0 : tlua_check_duration(L, 2);

	if (tl_op_wait(op, timeout < UINT32_MAX ? (uint32_t)timeout : UINT32_MAX) != TL_OK)
		return tlua_fail(L);
	lua_pushstring(L, tl_op_text(op));
	return 1;
}

static int op_cancel(lua_State *L)
{
	tl_op_cancel(check(L));
	return 0;
}

/* rings(bell): once, when the operation is done */
static int op_rings(lua_State *L)
{
	tl_op *op = check(L);
	bell *b = tlua_check_handle(L, 2, BELL);

	atomic_fetch_add(&b->owners, 1);
	tl_op_then(op, ring, b);
	return 0;
}

static const luaL_Reg bell_methods[] = {{"fd", bell_fd}, {"still", bell_still}, {NULL, NULL}};

static const luaL_Reg op_methods[] = {{"done", op_done}, {"result", op_result}, {"wait", op_wait},
	{"cancel", op_cancel}, {"rings", op_rings}, {"close", op_drop}, {NULL, NULL}};

void tlua_open_op(lua_State *L)
{
	tlua_new_type(L, BELL, bell_methods, bell_drop);
	tlua_new_type(L, TLUA_OP, op_methods, op_drop);
}
