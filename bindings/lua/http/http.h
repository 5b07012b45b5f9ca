/* tidelock.transport: HTTP in a loop of the library, which the Lua half
 * (lua/tidelock/transport.lua) turns inside luv's.
 *
 * Calls, servers and requests are each in one ring at most: in `open` until they are done, in
 * `told` until Lua asks for them (http:next). Nothing here calls Lua from within a turn. */
#ifndef TL_LUA_HTTP_H
#define TL_LUA_HTTP_H

#include "module/lib.h"

#define TLUA_HTTP_TYPE "tidelock.http"

typedef enum tlua_kind { TLUA_CALL, TLUA_SERVER, TLUA_REQUEST } tlua_kind;

/* First in a call, a server and a request; its address is by what Lua knows a call and a server. */
typedef struct tlua_thing {
	struct tlua_thing *prev, *next;
	tlua_kind kind;
} tlua_thing;

typedef struct tlua_http {
	tl_loop *loop;
	tl_transport *transport;
	tlua_thing open, told;
	bool closing;
} tlua_http;

typedef struct tlua_bytes {
	char *ptr;
	size_t len, cap;
} tlua_bytes;

/* --- http_parts.c ------------------------------------------------------------------------ */

/* Of one that is in no ring, or the beginning of one. */
void tlua__thing_init(tlua_thing *thing, tlua_kind kind);
/* Out of its ring, and to the end of another; NULL: none. */
void tlua__thing_move(tlua_thing *thing, tlua_thing *ring);
bool tlua__thing_alone(const tlua_thing *thing);

/* False when memory ran out: then it is as before. */
bool tlua__bytes_append(tlua_bytes *bytes, const void *ptr, size_t len);
/* NULL for a ptr of NULL; *ok becomes false when memory ran out. */
char *tlua__copy(tl_str text, bool *ok);
/* A copy, to be sent; tlua__body_rewind begins it again. TL_E_NOMEM. */
int tlua__body(tl_str bytes, tl_body *out);
void tlua__body_rewind(void *ud);
/* Of an option table; without it, empty. */
tl_str tlua__option_body(lua_State *L, int arg);
uint32_t tlua__clamp(uint64_t number);

/* --- http_call.c ------------------------------------------------------------------------- */

int tlua__http_start(lua_State *L);
/* Its end comes with a later turn. */
void tlua__call_cancel(tlua_thing *call);
void tlua__call_type(lua_State *L);

/* --- http_server.c ----------------------------------------------------------------------- */

int tlua__http_listen(lua_State *L);
/* Without grace, unless it is stopping already; its end comes with a later turn. */
void tlua__server_stop(tlua_thing *server);
void tlua__server_types(lua_State *L);
/* Pushes the server's address and the request, which is Lua's then. */
int tlua__request_push(lua_State *L, tlua_thing *request);
/* Answers 500 when there was no answer. */
void tlua__request_free(tlua_thing *request);

#endif
