/* Shares: making them, asking with them, what came of it. */
#ifndef SPEC_SYNC_SHARE_HELP_H
#define SPEC_SYNC_SHARE_HELP_H

#include "sync_access_help.h"

#define DAY ((uint64_t)24 * HOUR)

/* Its token stands for the private key of this name. */
static inline int share_as(const char *token, const char *maker, const tl_id *db,
	tl_permission permission, uint64_t expires_ms)
{
	tl__sync_share share = {.expires_ms = expires_ms};
	tl__sync_command command = {.kind = TL__SYNC_SHARE,
		.has_db = true,
		.db = *db,
		.permission = permission,
		.name = z(maker),
		.share = &share};
	tl__sim_result result;

	CHECK_OK(tl__sim_public(token, &share.key));
	CHECK_OK(tl__sim_public(maker, &share.maker));
	return run_command(bob, &command, &result, MINUTE);
}

static inline int share(const char *token, const tl_id *db, tl_permission permission)
{
	return share_as(token, "bob", db, permission, DAY);
}

static inline void id_of(const char *token, char out[TL_SHARE_ID_LEN + 1])
{
	tl_key key = device_of(token);

	snprintf(out, TL_SHARE_ID_LEN + 1, "%02x%02x%02x%02x%02x%02x%02x%02x", key.b[0], key.b[1],
		key.b[2], key.b[3], key.b[4], key.b[5], key.b[6], key.b[7]);
}

static inline int revoke_share(const char *token)
{
	char id[TL_SHARE_ID_LEN + 1];
	tl__sync_command command = {.kind = TL__SYNC_UNSHARE};
	tl__sim_result result;

	id_of(token, id);
	command.name = z(id);
	return run_command(bob, &command, &result, MINUTE);
}

/* Whether the list has this share so. */
static inline bool is_listed(const char *token, const char *state)
{
	char id[TL_SHARE_ID_LEN + 1], member[64];
	tl__buf out = TL__BUF_INIT;
	const char *at;
	bool good;

	id_of(token, id);
	snprintf(member, sizeof member, "\"state\":\"%s\"", state);
	tl__sync_put_shares(core_of(bob), tl__sim_wall(bob), &out);
	tl__buf_byte(&out, 0);
	at = strstr(out.ptr, id);
	good = at && strstr(at, "\"state\"") && strstr(at, "\"state\"") == strstr(at, member);
	tl__buf_free(&out);
	return good;
}

typedef struct tried {
	outcome o;
	tl__buf args; /* of the answer */
} tried;

/* By the key of that name, over the share of a token, with proofs by these keys. */
static inline tried redeem_with(const char *key, const char *token, const tl_id *db,
	tl_permission permission, const char *const *proofs, size_t count)
{
	tl__v1_access args = {
		.name = TL__STR("laptop"), .permission = permission, .has_share = true};
	tl__v1_access_answer answer = {0};
	tried out = {.o.result = TL__V1_ACCESS_REFUSED, .args = TL__BUF_INIT};
	tl__buf text = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	args.key = device_of(key);
	args.share = device_of(token);
	tl__v1_write_access(&text, &args);
	m = request_of("access", db, tl__buf_view(&text));
	h = say_with(&m, proofs, count, TL__STR(""));
	CHECK(h.is_signed);
	out.o.status = h.status;
	tl__buf_str(&out.args, h.args);
	if (h.status == TL__V1_OK && tl__v1_read_access_answer(&answer, h.args) == TL_OK) {
		out.o.result = answer.result;
		out.o.permission = answer.permission;
		snprintf(out.o.code, sizeof out.o.code, "%.*s", TL__STR_ARG(answer.code));
	}
	heard_free(&h);
	tl__buf_free(&text);
	return out;
}

static inline outcome redeem_for(
	const char *key, const char *token, const tl_id *db, tl_permission permission)
{
	const char *const proofs[] = {key, token};
	tried t = redeem_with(key, token, db, permission, proofs, 2);

	tl__buf_free(&t.args);
	return t.o;
}

static inline outcome redeem(const char *key, const char *token)
{
	return redeem_for(key, token, &notes, writing);
}

static inline bool is_granted(outcome o)
{
	return o.status == TL__V1_OK && o.result == TL__V1_ACCESS_GRANTED;
}

static inline bool is_refused(outcome o, const char *code)
{
	bool good = o.status == TL__V1_OK && o.result == TL__V1_ACCESS_REFUSED &&
		    strcmp(o.code, code) == 0;

	if (!good)
		printf("%s: %s\n", tl__v1_status_name(o.status), o.code);
	return good;
}

/* What the settings say of a key; its record's name goes to `name`. */
static inline bool has_record(const char *key, tl_permission permission, char name[64])
{
	tl_database *db = NULL;
	tl_settings_store *settings = NULL;
	tl_auth *auth = NULL;
	tl_permission best = {TL_READ, 0};
	char text[TL_KEY_TEXT_LEN + 1];
	tl_str record = TL__STR_NULL;
	bool has;

	key_text(key, text);
	CHECK_OK(tl__database_open(tl__sim_host(bob), &notes, &db));
	CHECK_OK(tl_database_settings_store(db, &settings));
	CHECK_OK(tl_settings_store_get_auth(settings, &auth));
	has = tl_auth_best(auth, z(text), &best, &record) == TL_OK &&
	      !tl__str_eq(record, TL__STR("*")) && tl_permission_compare(best, permission) == 0;
	if (has && name)
		snprintf(name, 64, "%.*s", TL__STR_ARG(record));
	tl_auth_free(auth);
	tl_settings_store_free(settings);
	tl_database_free(db);
	return has;
}

static inline void with_private(const tl__sim_config *config)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	(void)put(bob, &notes, "k", "from bob");
}

#endif
