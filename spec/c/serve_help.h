/* Bob is a peer of the simulation. Alice is nobody in it: she says to bob exactly what a case
 * wants, right or wrong, and reads what comes back. */
#ifndef SPEC_SERVE_HELP_H
#define SPEC_SERVE_HELP_H

#include "sim_help.h"
#include "sync/in/serve.h"
#include "wire/v0_path.h"

#define REMOTE "203.0.113.9:51000"

static tl__sim_peer *bob;
static tl_secret alice;
static tl_key alice_key;
static uint64_t next_nonce;

/* An answer, taken apart. */
typedef struct heard {
	bool answered, closes, is_signed;
	int http;
	tl__v1_status status;
	tl__v1_response header; /* of a signed one */
	tl_str args, body;      /* views into `raw` */
	tl__buf raw;
} heard;

static inline void heard_free(heard *h)
{
	tl__buf_free(&h->raw);
}

static inline tl__sync *core_of(tl__sim_peer *peer)
{
	return tl__sim_core(peer);
}

/* --- saying ----------------------------------------------------------------------------------- */

static inline tl_key device_of(const char *name)
{
	tl_key key;

	CHECK_OK(tl__sim_public(name, &key));
	return key;
}

static inline void begin_serve(const tl__sim_config *config)
{
	const tl__sim_config plain = {.name = "bob"};

	bob = add_peer_with(config ? config : &plain);
	CHECK_OK(tl__sim_secret("alice", &alice));
	tl_secret_public(&alice, &alice_key);
	tl__sim_run(sim, 1); /* bob has loaded */
}

/* A request as it must be. Its texts live as long as the caller's. */
static inline tl__v1_request request_of(const char *method, const tl_id *db, tl_str args)
{
	tl__v1_request m = {.has_to = true,
		.to = *tl__sim_key(bob),
		.from = alice_key,
		.method = z(method),
		.has_db = db != NULL,
		.time = tl__sim_wall(bob),
		.has_epoch = strcmp(method, "hello") != 0,
		.channel = TL__STR("none"),
		.args = args};

	if (db)
		m.db = *db;
	memcpy(m.epoch, core_of(bob)->epoch, sizeof m.epoch);
	tl__v1_nonce_write(m.nonce, (const uint8_t *)"alice's.", ++next_nonce);
	return m;
}

typedef struct voice { /* where from, by which way */
	const char *remote, *channel;
} voice;

static inline void ask_from(
	const voice *from, const char *path, const char *type, tl_str bytes, tl__sim_answer *answer)
{
	const tl__sync_request request = {.path = z(path),
		.content_type = type ? z(type) : TL__STR_NULL,
		.remote = z(from->remote),
		.channel = z(from->channel),
		.body = bytes};

	tl__sim_ask(bob, &request, answer, MINUTE);
}

static const voice plain_voice = {REMOTE, "none"};

static inline void take_apart(heard *h)
{
	tl__v1_frame frame;

	if (tl__v1_read_unsigned(&h->status, h->raw.ptr, h->raw.len))
		return;
	h->status = TL__V1_STATUS_COUNT;
	if (tl__v1_frame_read(&frame, h->raw.ptr, h->raw.len) != TL_OK ||
		tl__v1_response_read(&h->header, frame.header) != TL_OK ||
		tl__v1_verify_response(&frame, tl__sim_key(bob)) != TL_OK)
		return;
	h->is_signed = true;
	h->status = h->header.status;
	h->args = h->header.args;
	h->body = (tl_str){h->raw.ptr + frame.size, h->raw.len - frame.size};
}

/* Bytes to /tidelock/v1/PATH. */
static inline heard say_bytes_from(const voice *from, const char *method, tl_str bytes)
{
	tl__sim_answer answer;
	char path[80];
	heard h = {0};

	snprintf(path, sizeof path, TL__V1_PATH_PREFIX "%s", method);
	ask_from(from, path, TL__V1_CONTENT_TYPE, bytes, &answer);
	h.answered = answer.answered;
	h.http = answer.status;
	h.closes = answer.closes;
	h.raw = answer.body;
	take_apart(&h);
	return h;
}

static inline heard say_bytes(const char *method, tl_str bytes)
{
	return say_bytes_from(&plain_voice, method, bytes);
}

/* A frame, signed by alice, with proofs by the keys of these names. */
static inline void write_frame(
	tl__buf *out, tl__v1_request *m, const char *const *keys, size_t count, tl_str body)
{
	tl_secret secrets[TL__V1_MAX_KEYS] = {{{0}}};
	const tl_secret *provers[TL__V1_MAX_KEYS] = {NULL};

	for (size_t i = 0; i < count; i++) {
		CHECK_OK(tl__sim_secret(keys[i], &secrets[i]));
		provers[i] = &secrets[i];
	}
	CHECK_OK(tl__v1_request_write(out, m, &alice, provers, count, body, NULL));
}

static inline heard say_with(tl__v1_request *m, const char *const *keys, size_t count, tl_str body)
{
	tl__buf frame = TL__BUF_INIT;
	char method[TL__V1_MAX_CODE + 1];
	heard h;

	write_frame(&frame, m, keys, count, body);
	snprintf(method, sizeof method, "%.*s", TL__STR_ARG(m->method));
	h = say_bytes(method, tl__buf_view(&frame));
	tl__buf_free(&frame);
	return h;
}

static inline heard say(tl__v1_request *m)
{
	return say_with(m, NULL, 0, TL__STR(""));
}

static inline bool refused(heard h, tl__v1_status status, bool is_signed)
{
	bool good = h.answered && h.status == status && h.is_signed == is_signed;

	if (!good)
		printf("heard %s%s (HTTP %d)\n",
			h.status < TL__V1_STATUS_COUNT ? tl__v1_status_name(h.status) : "nothing",
			h.is_signed ? ", signed" : "", h.http);
	heard_free(&h);
	return good;
}

#define CHECK_UNSIGNED(expression, what) CHECK(refused(expression, TL__V1_##what, false))
#define CHECK_SIGNED(expression, what)   CHECK(refused(expression, TL__V1_##what, true))

/* --- args ------------------------------------------------------------------------------------- */

/* A pull without anything. */
#define PULL_ARGS                                                                                  \
	TL__STR("{\"cursor\":null,\"seen\":null,\"budget\":1000000,"                               \
		"\"tips\":{\"count\":0,\"sha256\":null}}")
#define PUSH_ARGS TL__STR("{\"seen\":null}")
#define LIST_ARGS TL__STR("{\"after\":null}")

static inline void hello_args(tl__buf *out, const tl_key *key)
{
	tl__v1_hello hello = {.key = *key,
		.name = TL__STR("alice"),
		.max_body_bytes = TL__V1_MAX_BODY_BYTES,
		.max_page_entries = 10};

	tl__v1_write_hello(out, &hello);
}

static inline heard say_hello(const tl_key *key, bool to_bob)
{
	tl__buf args = TL__BUF_INIT;
	tl__v1_request m;
	heard h;

	hello_args(&args, key);
	m = request_of("hello", NULL, tl__buf_view(&args));
	m.has_to = to_bob;
	h = say(&m);
	tl__buf_free(&args);
	return h;
}

static inline heard pull(const tl_id *db, const char *const *keys, size_t count)
{
	tl__v1_request m = request_of("pull", db, PULL_ARGS);

	return say_with(&m, keys, count, TL__STR(""));
}

/* Entries of an answer to pull. */
static inline size_t entries_in(const heard *h)
{
	tl__v1_body body;
	tl__v1_line line;
	tl__v1_page page;
	bool end = false;
	size_t count = 0;

	if (!h->is_signed || tl__v1_read_page(&page, h->args) != TL_OK ||
		tl__v1_body_open(&body, TL__V1_BODY_PAGE, h->body,
			page.has_tips ? &page.tips : NULL) != TL_OK)
		return 0;
	while (tl__v1_body_next(&body, &line, &end) == TL_OK && !end)
		count += line.kind == TL__V1_LINE_ENTRY;
	return count;
}

static inline size_t pulled(const tl_id *db, const char *const *keys, size_t count)
{
	heard h = pull(db, keys, count);
	size_t entries = entries_in(&h);

	CHECK(h.is_signed && (h.status == TL__V1_OK || h.status == TL__V1_NOT_AVAILABLE));
	heard_free(&h);
	return entries;
}

/* --- entries that somebody else makes --------------------------------------------------------- */

typedef struct made {
	tl_str text; /* of `bytes` */
	tl_id id;
	tl__buf bytes;
} made;

/* A child of `parent` in `db` with one store; signed by the key of that name (NULL: by nobody),
 * which it is known by there. */
static inline made make_entry(
	const tl_id *db, const tl_id *parent, const char *store, const char *data, const char *key)
{
	char tree[TL_ID_TEXT_LEN + 1], above[TL_ID_TEXT_LEN + 1], name[TL_KEY_TEXT_LEN + 1];
	tl_entry_builder *builder = NULL;
	tl_entry *entry = NULL;
	tl_secret secret;
	made out = {0};

	CHECK_OK(tl_entry_builder_new(&builder));
	if (db) {
		tl_id_format(db, tree);
		tl_id_format(parent, above);
		tl_entry_builder_tree(builder, z(tree));
		tl_entry_builder_parent(builder, z(above));
	} else {
		tl_entry_builder_store(builder, TL__STR("_root"), TL__STR("\"\""));
	}
	tl_entry_builder_store(builder, z(store), z(data));
	key_text(key ? key : "alice", name);
	tl_entry_builder_key(builder, z(name), TL__STR_NULL);
	CHECK_OK(tl__sim_secret(key ? key : "alice", &secret));
	CHECK_OK(tl_entry_builder_finish(builder, key ? &secret : NULL, &entry));
	if (entry) {
		tl__buf_str(&out.bytes, tl_entry_bytes(entry));
		out.id = *tl_entry_id(entry);
	}
	out.text = tl__buf_view(&out.bytes);
	tl_entry_free(entry);
	tl_entry_builder_free(builder);
	return out;
}

static inline void made_free(made *m)
{
	tl__buf_free(&m->bytes);
}

/* A root whose database has this name and the key as admin. */
static inline made make_root(const char *name, const char *key)
{
	char text[TL_KEY_TEXT_LEN + 1], data[512];

	key_text(key, text);
	snprintf(data, sizeof data,
		"{\"children\":{\"name\":{\"Text\":\"%s\"},\"auth\":{\"Doc\":{\"children\":{\"%s\":"
		"{\"Text\":\"{\\\"pubkey\\\":\\\"%s\\\",\\\"permissions\\\":{\\\"Admin\\\":0},"
		"\\\"status\\\":\\\"Active\\\"}\"}}}}}}",
		name, text, text);
	return make_entry(NULL, NULL, "_settings", data, key);
}

#define DATA "{\"children\":{\"k\":{\"Text\":\"v\"}}}"

/* Pushes these entries; the fates of the answer. */
typedef struct fates {
	tl__v1_status status;
	size_t count;
	tl__v1_line at[8];
	char code[8][TL__V1_MAX_CODE + 1];
	tl__v1_fates args;
} fates;

static inline void read_fates(const heard *h, fates *out)
{
	tl__v1_body body;
	bool end = false;

	if (tl__v1_read_fates(&out->args, h->args) != TL_OK ||
		tl__v1_body_open(&body, TL__V1_BODY_FATES, h->body, NULL) != TL_OK)
		return;
	while (out->count < 8 && tl__v1_body_next(&body, &out->at[out->count], &end) == TL_OK &&
		!end) {
		tl__v1_line *line = &out->at[out->count];

		snprintf(out->code[out->count], TL__V1_MAX_CODE + 1, "%.*s",
			TL__STR_ARG(line->code));
		out->count++;
	}
}

static inline fates push_lines(const tl_id *db, const tl_str *lines, size_t count,
	const char *const *keys, size_t key_count)
{
	tl__v1_request m = request_of("push", db, TL__STR("{\"seen\":null,\"state\":true}"));
	tl__buf body = TL__BUF_INIT;
	fates out = {0};
	heard h;

	for (size_t i = 0; i < count; i++)
		tl__v1_write_entry(&body, lines[i]);
	h = say_with(&m, keys, key_count, tl__buf_view(&body));
	out.status = h.status;
	CHECK(h.is_signed);
	if (h.status == TL__V1_OK)
		read_fates(&h, &out);
	heard_free(&h);
	tl__buf_free(&body);
	return out;
}

static inline bool bob_has(const tl_id *db, const tl_id *id)
{
	tl_database *handle = NULL;
	bool has = false;

	if (tl__database_open(tl__sim_host(bob), db, &handle) == TL_OK)
		CHECK_OK(tl_database_has(handle, id, &has));
	tl_database_free(handle);
	return has;
}

/* Bob keeps this database in step with alice's device. */
static inline void relate_alice(const tl_id *db)
{
	tl__sync_command command = {.kind = TL__SYNC_REGISTER, .has_key = true};
	tl__sim_result result;
	int rc;

	command.key = alice_key;
	rc = run_command(bob, &command, &result, MINUTE);
	CHECK(rc == TL_OK || rc == TL_E_PEER_ALREADY_EXISTS);
	command.kind = TL__SYNC_RELATE;
	command.has_db = true;
	command.db = *db;
	command.name = TL__STR("manual");
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
}

static inline int copy_id(void *ud, const tl_id *id)
{
	*(tl_id *)ud = *id;
	return TL_OK;
}

static inline tl_id tip_of(const tl_id *db)
{
	tl_id tip = {{0}};
	tl__snapshot *s = NULL;

	CHECK_OK(tl__snapshot_open(tl__sim_host(bob)->tree->store, &s));
	CHECK_OK(tl__read_tips(s, db, TL__STR(""), copy_id, &tip));
	tl__snapshot_close(s);
	return tip;
}

/* How many databases bob lists; `only`: that one. */
static inline size_t listed(const char *const *keys, size_t count, const tl_id *only)
{
	tl__v1_request m = request_of("list", NULL, LIST_ARGS);
	heard h = say_with(&m, keys, count, TL__STR(""));
	tl__v1_body body;
	tl__v1_line line;
	bool end = false, more = true;
	size_t seen = 0;

	CHECK(h.is_signed && h.status == TL__V1_OK);
	CHECK_OK(tl__v1_read_listing(&more, h.args));
	CHECK(!more);
	CHECK_OK(tl__v1_body_open(&body, TL__V1_BODY_LIST, h.body, NULL));
	while (tl__v1_body_next(&body, &line, &end) == TL_OK && !end) {
		seen++;
		if (only)
			CHECK(memcmp(&line.id, only, sizeof *only) == 0 && line.arrivals > 0 &&
				line.tip_count == 1);
	}
	heard_free(&h);
	return seen;
}

/* --- v0 --------------------------------------------------------------------------------------- */

/* The document that answers this one; free it. */
static inline tl__buf say_v0(const char *document)
{
	tl__sim_answer answer;

	ask_from(&plain_voice, TL__V0_PATH, TL__V0_CONTENT_TYPE, z(document), &answer);
	CHECK(answer.answered && answer.status == 200);
	return answer.body;
}

static inline int v0_status(const char *type, const char *document)
{
	tl__sim_answer answer;

	ask_from(&plain_voice, TL__V0_PATH, type, z(document), &answer);
	tl__buf_free(&answer.body);
	return answer.answered ? answer.status : 0;
}

static inline bool v0_says(const char *document, const char *wanted)
{
	tl__buf body = say_v0(document);
	bool good = body.ptr && strstr(body.ptr, wanted);

	if (!good)
		printf("heard %s\n", body.ptr ? body.ptr : "");
	tl__buf_free(&body);
	return good;
}

/* As if so many requests had come in this very millisecond. */
static inline void empty_bucket(tl_str name, uint32_t burst, uint32_t per_second)
{
	tl__serve_rate rate = {burst, per_second};

	core_of(bob)->now = tl__sim_now(sim);
	while (tl__serve_take(core_of(bob), name, rate))
		;
}

static inline tl_policy_answer by_kind(
	void *ud, const tl_policy_question *question, const char **reason)
{
	const tl_policy_answer *answers = ud;

	(void)reason;
	return question->outbound ? TL_POLICY_PASS : answers[question->kind];
}

#endif
