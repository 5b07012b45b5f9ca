/* What the specs of requests for access share: a database, and asking for it. */
#ifndef SPEC_SYNC_ACCESS_HELP_H
#define SPEC_SYNC_ACCESS_HELP_H

#include "serve_help.h"

static tl_id notes;
static const tl_permission writing = {TL_WRITE, 5}, reading = {TL_READ, 0};

static inline void with_notes(const tl__sim_config *config)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "writer", writing));
	CHECK_OK(set_public(bob, &notes, reading));
}

typedef struct outcome {
	tl__v1_status status;
	tl__v1_access_result result;
	tl_permission permission;
	char id[40], code[TL__V1_MAX_CODE + 1];
} outcome;

/* By the key of that name, with a proof by `proof` (NULL: none). */
static inline outcome ask_for(const tl_id *db, const char *key, const char *name,
	tl_permission permission, const char *proof)
{
	tl__v1_access args = {.name = z(name), .permission = permission};
	tl__v1_access_answer answer = {0};
	tl__buf text = TL__BUF_INIT;
	outcome out = {.result = TL__V1_ACCESS_REFUSED};
	tl__v1_request m;
	heard h;

	CHECK_OK(tl__sim_public(key, &args.key));
	tl__v1_write_access(&text, &args);
	m = request_of("access", db, tl__buf_view(&text));
	h = say_with(&m, &proof, proof ? 1 : 0, TL__STR(""));
	CHECK(h.is_signed);
	out.status = h.status;
	if (h.status == TL__V1_OK) {
		CHECK_OK(tl__v1_read_access_answer(&answer, h.args));
		out.result = answer.result;
		out.permission = answer.permission;
		snprintf(out.id, sizeof out.id, "%.*s", TL__STR_ARG(answer.request_id));
		snprintf(out.code, sizeof out.code, "%.*s", TL__STR_ARG(answer.code));
	}
	heard_free(&h);
	tl__buf_free(&text);
	return out;
}

/* A request of the old protocol, for this key text. */
static inline tl__buf old_answer(const tl_id *db, const char *key, const char *name)
{
	char id[TL_ID_TEXT_LEN + 1], request[500];

	tl_id_format(db, id);
	snprintf(request, sizeof request,
		"{\"SyncTree\":{\"tree_id\":\"%s\",\"our_tips\":[],\"requesting_key\":\"%s\","
		"\"requesting_key_name\":\"%s\",\"requested_permission\":{\"Write\":1}}}",
		id, key, name);
	return say_v0(request);
}

static inline bool old_asks(const char *key, const char *name, const char *wanted)
{
	tl__buf body = old_answer(&notes, key, name);
	bool good = body.ptr && strstr(body.ptr, wanted);

	if (!good)
		printf("heard %.200s\n", body.ptr ? body.ptr : "");
	tl__buf_free(&body);
	return good;
}

#define PENDING "{\"BootstrapPending\":{"
#define FULL    "{\"Error\":\"too many access requests are waiting"

#endif
