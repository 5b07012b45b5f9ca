/* Memory runs out at every allocation in turn: base, crypto, model and wire answer out_of_memory
 * (or do without), leak nothing, and never take the failure for something about their input. */
#include <tidelock/auth.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/json/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "crypto/pool.h"
#include "model/doc_path.h"
#include "survive_help.h"
#include "wire/v1.h"

static tl_secret secret;
static tl_key key;
static char key_text[TL_KEY_TEXT_LEN + 1];

#define ID(digit) "sha256:000000000000000000000000000000000000000000000000000000000000000" digit

/* --- base ------------------------------------------------------------------------------------- */

static int fill_arena(tl__buf *out)
{
	tl__arena arena = TL__ARENA_INIT;
	void *array = NULL;
	size_t cap = 0;
	int code = TL_OK;

	for (size_t i = 0; code == TL_OK && i < 300; i++) {
		tl_str text = tl__arena_str(&arena, TL__STR("a text of some length"));

		code = text.ptr ? tl__arena_grow(&arena, &array, &cap, i, sizeof(tl_str))
				: TL_E_NOMEM;
		if (code == TL_OK)
			((tl_str *)array)[i] = text;
	}
	if (code == TL_OK && !tl__arena_alloc(&arena, 1, 100000))
		code = TL_E_NOMEM;
	tl__buf_format(out, "%zu", cap);
	tl__arena_free(&arena);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int fill_pages(tl__buf *out)
{
	enum { COUNT = 4, SIZE = 65536 };
	char *pages[COUNT] = {NULL};
	int code = TL_OK;

	for (size_t i = 0; code == TL_OK && i < COUNT; i++) {
		pages[i] = tl__pages_alloc(SIZE);
		if (!pages[i])
			code = TL_E_NOMEM;
		else if (pages[i][0] == 0 && pages[i][SIZE - 1] == 0)
			memset(pages[i], 'x', SIZE);
		else
			code = tl__fail(TL_E_BAD_ARGUMENT, "pages come zeroed");
	}
	for (size_t i = 0; i < COUNT; i++)
		tl__pages_free(pages[i], SIZE);
	tl__buf_text(out, "filled");
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int fill_map(tl__buf *out)
{
	tl__map map;
	int code = TL_OK;

	tl__map_init(&map);
	for (int i = 0; code == TL_OK && i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "key %d", i % 70);
		code = tl__map_set(&map, tl__str_z(name), &map);
		if (i % 3 == 0)
			tl__map_remove(&map, tl__str_z(name));
	}
	tl__buf_format(out, "%zu", map.count);
	tl__map_free(&map);
	return code == TL_OK ? tl__buf_status(out) : code;
}

/* Byte by byte, so that every text goes through the reader's own memory. */
static int read_json(tl__buf *out)
{
	static const char text[] =
		"{\"a long member name that has to be put together\":[1234567890,"
		"\"\\u00e9\\ud83d\\ude00 and more text than a small buffer\",null]}";
	tl__json_reader reader;
	tl__json_token token = TL__JSON_MORE;
	int code = TL_OK;

	tl__json_init(&reader, TL__JSON_MAX_DEPTH);
	for (size_t i = 0; token != TL__JSON_ERROR && i < sizeof text - 1; i++) {
		tl__json_feed(&reader, text + i, 1);
		while ((token = tl__json_next(&reader)) > TL__JSON_MORE)
			if (token == TL__JSON_KEY || token == TL__JSON_STRING)
				tl__buf_str(out, reader.text);
	}
	if (token == TL__JSON_ERROR)
		code = tl_error_code(tl_last_error());
	tl__json_free(&reader);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int skip_json(tl__buf *out)
{
	tl__buf text = TL__BUF_INIT;
	tl__json_reader reader;
	int code;

	tl__buf_byte(&text, '[');
	for (int i = 0; i < 1000; i++)
		tl__buf_byte(&text, '[');
	for (int i = 0; i < 1000; i++)
		tl__buf_byte(&text, ']');
	tl__buf_byte(&text, ']');
	code = tl__buf_status(&text);
	if (code == TL_OK) {
		tl__json_whole(&reader, tl__buf_view(&text), TL__JSON_MAX_DEPTH);
		if (tl__json_next(&reader) == TL__JSON_ARRAY)
			code = tl__json_skip(&reader);
		tl__json_free(&reader);
	}
	tl__buf_text(out, "skipped");
	tl__buf_free(&text);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int keep_error(tl__buf *out)
{
	tl_error *kept;

	(void)tl__fail(TL_E_NOT_FOUND, "first");
	(void)tl__fail_cause(TL_E_BAD_ENTRY, "second");
	kept = tl__error_keep();
	if (!kept)
		return tl_error_code(tl_last_error());
	tl__buf_text(out, tl_error_message(tl_error_cause(kept)));
	tl__error_drop(kept);
	return tl__buf_status(out);
}

/* --- crypto ----------------------------------------------------------------------------------- */

static int verify_in_pool(tl__buf *out)
{
	tl__verify_job jobs[40];
	tl__verify_pool *pool = NULL;
	int code;

	memset(jobs, 0, sizeof jobs);
	for (size_t i = 0; i < 40; i++) {
		jobs[i].key = key;
		jobs[i].message = TL__STR("message");
		code = tl_sign(&secret, "message", 7, jobs[i].signature);
		if (code != TL_OK)
			return code;
	}
	code = tl__verify_pool_new(&pool, 2);
	if (code == TL_OK) {
		tl__verify_batch(pool, jobs, 40);
		for (size_t i = 0; i < 40; i++)
			tl__buf_byte(out, jobs[i].good ? '+' : '-');
	}
	tl__verify_pool_free(pool);
	return code == TL_OK ? tl__buf_status(out) : code;
}

/* --- model ------------------------------------------------------------------------------------ */

static tl_entry *build(void)
{
	tl_str tips[] = {TL__STR(ID("7")), TL__STR(ID("6"))};
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;

	if (tl_entry_builder_new(&b) != TL_OK)
		return NULL;
	tl_entry_builder_tree(b, TL__STR(ID("1")));
	for (int i = 0; i < 5; i++) {
		tl_entry_builder_parent(b, TL__STR(ID("5")));
		tl_entry_builder_parent(b, TL__STR(ID("4")));
	}
	tl_entry_builder_metadata(b, TL__STR("{\"m\":\"\n\"}"));
	tl_entry_builder_store(b, TL__STR("notes"), TL__STR("\"data\" with \x01 escapes"));
	tl_entry_builder_store(b, TL__STR("a"), TL__STR(""));
	tl_entry_builder_store_parent(b, TL__STR("notes"), TL__STR(ID("5")));
	tl_entry_builder_store_parent(b, TL__STR("notes"), TL__STR(ID("4")));
	tl_entry_builder_step(b, TL__STR("team"), tips, 2);
	tl_entry_builder_step(b, TL__STR("alice"), NULL, 0);
	if (tl_entry_builder_finish(b, &secret, &entry) != TL_OK)
		entry = NULL;
	tl_entry_builder_free(b);
	return entry;
}

static int build_entry(tl__buf *out)
{
	tl_entry *entry = build();
	char *signing = NULL;
	size_t len = 0;
	int code = entry ? tl_entry_check(entry) : tl_error_code(tl_last_error());

	if (code == TL_OK)
		code = tl_entry_signing_bytes(entry, &signing, &len);
	if (code == TL_OK)
		code = tl_entry_verify(entry, &key);
	if (code == TL_OK) {
		tl__buf_str(out, tl_entry_bytes(entry));
		tl__buf_append(out, signing, len);
	}
	tl_free(signing);
	tl_entry_free(entry);
	return code == TL_OK ? tl__buf_status(out) : code;
}

/* Members out of order, escapes of another kind, lists out of order. */
static int read_foreign_entry(tl__buf *out)
{
	static const char text[] = "{\"sig\":{\"key\":[{\"key\":\"t\\u0065am\",\"tips\":[\"" ID(
		"7") "\"]},{\"key\":\"a\","
		     "\"tips\":null}],\"sig\":null},\"subtrees\":[{\"data\":\"\\/"
		     "\\n\",\"parents\":[\"" ID("5") "\",\"" ID(
			     "4") "\"],\"name\":\"z\"},{\"name\":\"\\u0061\",\"parents\":[],"
				  "\"data\":\"\"}],\"tree\":{\"metadata\":\"m\\u0001\",\"parents\":"
				  "[\"" ID("5") "\",\"" ID("4") "\"],\"root\":\"" ID("1") "\"}}";
	tl_entry *entry = NULL;
	int code = tl_entry_parse(&entry, tl__str_z(text), TL_ENTRY_FOREIGN);

	if (code == TL_OK)
		code = tl_entry_check(entry);
	if (code == TL_OK)
		tl__buf_str(out, tl_entry_bytes(entry));
	tl_entry_free(entry);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static const char doc_text[] =
	"{\"children\":{\"b\":{\"Doc\":{\"children\":{\"x\":{\"Text\":\"\\u00e9\\n\"}}}},\"a\":{"
	"\"Int\":5},\"b\":{\"Doc\":{\"children\":{\"y\":\"Null\",\"x\":\"Deleted\"}}}}}";

static int put_doc(tl__buf *out, const tl_value *doc)
{
	char *text = NULL;
	size_t len = 0;
	int code = tl_doc_write(doc, &text, &len);

	if (code == TL_OK)
		tl__buf_append(out, text, len);
	tl_free(text);
	text = NULL;
	if (code == TL_OK)
		code = tl_value_export(doc, &text, &len);
	if (code == TL_OK)
		tl__buf_append(out, text, len);
	tl_free(text);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int change_doc(tl_value *doc)
{
	tl_str path[] = {TL__STR("b"), TL__STR("deep.er"), TL__STR("z")};
	int code = tl_doc_set(doc, TL__STR("c.d.e"), tl_value_text(TL__STR("a text")));

	if (code == TL_OK)
		code = tl_doc_set_at(doc, path, 3, tl_value_bool(true));
	if (code == TL_OK)
		code = tl_doc_delete_at(doc, path, 2);
	for (int i = 0; code == TL_OK && i < 20; i++) {
		char name[8];

		(void)snprintf(name, sizeof name, "k%d", i);
		code = tl_doc_put(doc, tl__str_z(name), tl_value_int(i));
	}
	return code;
}

static int merge_docs(tl__buf *out)
{
	tl_value *doc = NULL, *later = NULL, *copy = NULL;
	int code = tl_doc_parse(&doc, tl__str_z(doc_text));

	if (code == TL_OK)
		code = change_doc(doc);
	if (code == TL_OK)
		code = tl_doc_parse(&later, tl__str_z(doc_text));
	if (code == TL_OK)
		code = tl_doc_merge(doc, later);
	if (code == TL_OK) {
		copy = tl_value_copy(doc);
		code = copy ? put_doc(out, copy) : tl_error_code(tl_last_error());
	}
	tl_value_free(doc);
	tl_value_free(later);
	tl_value_free(copy);
	return code;
}

static int fill_list(tl__buf *out)
{
	tl_value *doc = tl_value_doc(), *list = tl_value_list(), *other = NULL;
	int code = doc && list ? TL_OK : TL_E_NOMEM;

	for (int i = 0; code == TL_OK && i < 10; i++)
		code = i % 2 ? tl_list_insert(list, 1, tl_value_int(i))
			     : tl_list_push(list, tl_value_text(TL__STR("item")));
	if (code == TL_OK)
		code = tl_list_remove(list, 3);
	if (code == TL_OK) {
		other = tl_value_copy(list);
		code = other ? tl_list_set(other, 2, tl_value_null()) : TL_E_NOMEM;
	}
	if (code == TL_OK) {
		code = tl_doc_put(doc, TL__STR("l"), list);
		list = NULL;
	}
	if (code == TL_OK)
		tl__buf_format(out, "%zu", tl_list_len(tl_doc_raw(doc, TL__STR("l"))));
	tl_value_free(doc);
	tl_value_free(list);
	tl_value_free(other);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int read_unsorted_list(tl__buf *out)
{
	static const char text[] =
		"{\"children\":{\"l\":{\"List\":[[{\"numerator\":2,\"denominator\":1,\"unique_id\":"
		"\"00000000-0000-4000-8000-000000000001\"},{\"Int\":2}],[{\"numerator\":1,"
		"\"denominator\":1,\"unique_id\":\"00000000-0000-4000-8000-000000000002\"},{"
		"\"Text\":"
		"\"one\"}]]}}}";
	tl_value *doc = NULL;
	int code = tl_doc_parse(&doc, tl__str_z(text));

	if (code == TL_OK)
		code = put_doc(out, doc);
	tl_value_free(doc);
	return code;
}

static int show_node(void *ud, tl_str path, tl__node_kind kind, tl_str value)
{
	tl__buf *out = ud, scratch = TL__BUF_INIT;
	tl__path_part part;
	int code = TL_OK;

	while (code == TL_OK && path.len > 0) {
		code = tl__path_take(&path, &part, &scratch);
		if (code == TL_OK && !part.item)
			tl__buf_str(out, part.key);
	}
	tl__buf_format(out, " %d ", (int)kind);
	tl__buf_str(out, value);
	tl__buf_free(&scratch);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int walk_doc(tl__buf *out)
{
	tl_value *doc = NULL;
	int code = tl_doc_parse(&doc, tl__str_z(doc_text));

	if (code == TL_OK)
		code = tl_doc_put(doc, (tl_str){"a\0b", 3}, tl_value_text(TL__STR("x")));
	if (code == TL_OK)
		code = tl__doc_walk(doc, show_node, out);
	tl_value_free(doc);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int lookup_same(
	void *ud, tl_str root, const tl_entry *entry, size_t step, const tl_auth **auth)
{
	(void)root;
	(void)entry;
	(void)step;
	*auth = ud;
	return TL_OK;
}

/* Records with escapes, so that each of their texts takes memory. */
static int resolve_key(tl__buf *out)
{
	tl_value *auth_doc = tl_value_doc();
	tl_entry *entry = build();
	tl_auth *auth = NULL;
	tl_signer signer;
	char text[256];
	int code = auth_doc && entry ? TL_OK : tl_error_code(tl_last_error());

	(void)snprintf(text, sizeof text,
		"{\"p\\u0075bkey\":\"%s\",\"permissions\":{\"Wr\\u0069te\":3},\"status\":{"
		"\"\\u0041ctive\":null}}",
		key_text);
	if (code == TL_OK)
		code = tl_doc_put(auth_doc, TL__STR("alice"), tl_value_text(tl__str_z(text)));
	if (code == TL_OK)
		code = tl_doc_set(auth_doc, TL__STR("nest.ed"), tl_value_text(tl__str_z(text)));
	if (code == TL_OK)
		code = tl_doc_put(auth_doc, TL__STR("team"),
			tl_value_text(
				TL__STR("{\"permission-bounds\":{\"max\":\"R\\u0065ad\",\"min\":"
					"{\"\\u0052ead\":null}},\"tree\":{\"root\":\"\\u0072\","
					"\"tips\":[\"\\u0074\"]}}")));
	if (code == TL_OK)
		code = tl_auth_from_doc(&auth, auth_doc);
	if (code == TL_OK)
		code = tl_auth_resolve(&signer, auth, entry, lookup_same, auth);
	if (code == TL_OK)
		tl__buf_format(out, "%d:%u %d %zu", (int)signer.permission.kind,
			signer.permission.priority,
			tl_auth_find_key(auth, TL__STR("nest.ed")) != NULL,
			tl_auth_key_count(auth));
	tl_auth_free(auth);
	tl_value_free(auth_doc);
	tl_entry_free(entry);
	return code == TL_OK ? tl__buf_status(out) : code;
}

/* --- wire ------------------------------------------------------------------------------------- */

static int v1_hello(tl__buf *args)
{
	tl__v1_hello hello = {.key = key,
		.name = TL__STR("a \"name\""),
		.address_count = 1,
		.max_page_entries = 1,
		.features = {TL__STR("x")},
		.feature_count = 1};

	hello.addresses[0].type = TL__STR("http");
	hello.addresses[0].address = TL__STR("[::1]:1\n");
	tl__v1_write_hello(args, &hello);
	return tl__buf_status(args);
}

static int check_v1_request(tl__buf *out, const tl__buf *frame_bytes)
{
	tl__arena memory = TL__ARENA_INIT;
	tl__v1_frame frame;
	tl__v1_request m;
	tl__v1_hello hello;
	uint8_t re[32];
	int code = tl__v1_frame_read(&frame, frame_bytes->ptr, frame_bytes->len);

	if (code == TL_OK)
		code = tl__v1_request_read(&m, frame.header);
	if (code == TL_OK)
		code = tl__v1_verify_request(&frame, &m.from);
	if (code == TL_OK)
		code = tl__v1_verify_proof(&frame, 0, &m.keys[0]);
	if (code == TL_OK)
		code = tl__v1_request_hash(&frame, re);
	if (code == TL_OK)
		code = tl__v1_read_hello(&hello, m.args, &memory);
	if (code == TL_OK)
		tl__v1_write_hello(out, &hello);
	tl__arena_free(&memory);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int exchange_v1_request(tl__buf *out)
{
	tl__buf args = TL__BUF_INIT, frame = TL__BUF_INIT;
	tl__v1_request m = {.from = key, .method = TL__STR("hello"), .channel = TL__STR("none")};
	int code = v1_hello(&args);

	m.args = tl__buf_view(&args);
	if (code == TL_OK)
		code = tl__v1_request_write(&frame, &m, &secret, (const tl_secret *[]){&secret}, 1,
			TL__STR("body"), (uint8_t[32]){0});
	if (code == TL_OK)
		code = check_v1_request(out, &frame);
	tl__buf_free(&args);
	tl__buf_free(&frame);
	return code;
}

static int exchange_v1_answer(tl__buf *out)
{
	tl__v1_response m = {.status = TL__V1_OK, .channel = TL__STR("none")}, got;
	tl__v1_frame frame;
	tl__buf bytes = TL__BUF_INIT;
	int code = tl__v1_response_write(&bytes, &m, &secret, TL__STR("body"));

	if (code == TL_OK)
		code = tl__v1_frame_read(&frame, bytes.ptr, bytes.len);
	if (code == TL_OK)
		code = tl__v1_response_read(&got, frame.header);
	if (code == TL_OK)
		code = tl__v1_verify_response(&frame, &key);
	if (code == TL_OK)
		tl__buf_str(out, frame.header);
	tl__buf_free(&bytes);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int exchange_v1_access(tl__buf *out)
{
	tl__arena memory = TL__ARENA_INIT;
	tl__v1_access sent = {.key = key, .name = TL__STR("a\\b")}, got;
	tl__buf args = TL__BUF_INIT;
	int code;

	tl__v1_write_access(&args, &sent);
	code = tl__buf_status(&args);
	if (code == TL_OK)
		code = tl__v1_read_access(&got, tl__buf_view(&args), &memory);
	if (code == TL_OK)
		tl__buf_str(out, got.name);
	tl__arena_free(&memory);
	tl__buf_free(&args);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int walk_v1_body(tl__buf *out)
{
	tl__buf bytes = TL__BUF_INIT;
	tl__v1_line line = {.kind = TL__V1_LINE_FATE, .fate = TL__V1_FATE_PENDING, .has_id = true};
	tl__v1_body body;
	bool end = false;
	int code;

	tl_id_of(&line.id, "x", 1);
	for (int i = 0; i < 20; i++)
		tl__v1_write_line(&bytes, &line);
	code = tl__buf_status(&bytes);
	if (code == TL_OK)
		code = tl__v1_body_open(&body, TL__V1_BODY_FATES, tl__buf_view(&bytes), NULL);
	while (code == TL_OK && !end) {
		code = tl__v1_body_next(&body, &line, &end);
		if (code == TL_OK && !end)
			tl__v1_write_line(out, &line);
	}
	tl__buf_free(&bytes);
	return code == TL_OK ? tl__buf_status(out) : code;
}

/* --- the sweep -------------------------------------------------------------------------------- */

SURVIVES(fill_arena, 4)
SURVIVES(fill_pages, 4)
SURVIVES(fill_map, 70)
SURVIVES(read_json, 2)
SURVIVES(skip_json, 3)
SURVIVES(keep_error, 2)
SURVIVES(verify_in_pool, 1)
SURVIVES(build_entry, 10)
SURVIVES(read_foreign_entry, 3)
SURVIVES(merge_docs, 50)
SURVIVES(fill_list, 15)
SURVIVES(read_unsorted_list, 8)
SURVIVES(walk_doc, 10)
SURVIVES(resolve_key, 20)
SURVIVES(exchange_v1_request, 10)
SURVIVES(exchange_v1_answer, 4)
SURVIVES(exchange_v1_access, 4)
SURVIVES(walk_v1_body, 4)

int main(void)
{
	uint8_t seed[TL_SEED_BYTES] = {6};

	if (tl_secret_from_seed(&secret, seed) != TL_OK)
		return 2;
	tl_secret_public(&secret, &key);
	tl_key_format(&key, key_text);
	RUN(fill_arena_survives);
	RUN(fill_pages_survives);
	RUN(fill_map_survives);
	RUN(read_json_survives);
	RUN(skip_json_survives);
	RUN(keep_error_survives);
	RUN(verify_in_pool_survives);
	RUN(build_entry_survives);
	RUN(read_foreign_entry_survives);
	RUN(merge_docs_survives);
	RUN(fill_list_survives);
	RUN(read_unsorted_list_survives);
	RUN(walk_doc_survives);
	RUN(resolve_key_survives);
	RUN(exchange_v1_request_survives);
	RUN(exchange_v1_answer_survives);
	RUN(exchange_v1_access_survives);
	RUN(walk_v1_body_survives);
	return spec_end();
}
