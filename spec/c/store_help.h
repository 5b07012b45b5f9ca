/* What the store specs share: the backends, entries made by number, and collectors for visitors. */
#ifndef SPEC_STORE_HELP_H
#define SPEC_STORE_HELP_H

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tidelock/crypto.h>
#include "check.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { COLLECT = 4096 };

static tl__store *store;      /* of the running case */
static char spec_folder[256]; /* where it lives; empty: in memory */

/* --- backends --------------------------------------------------------------------------------- */

static inline int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void remove_folder(const char *path)
{
	(void)chmod(path, 0700);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void make_folder(char *out, size_t size)
{
	const char *top = getenv("TMPDIR");

	snprintf(out, size, "%s/tidelock-store-XXXXXX", top && *top ? top : "/tmp");
	if (!mkdtemp(out))
		out[0] = '\0';
}

typedef struct spec_backend {
	const char *name;
	int (*open)(void);
} spec_backend;

static inline int open_memory(void)
{
	return tl__store_open_memory(&store, NULL);
}

static inline int open_sqlite(void)
{
	make_folder(spec_folder, sizeof spec_folder);
	return tl__store_open_sqlite(&store, spec_folder, TL__DURABLE_RELAXED, NULL);
}

static const spec_backend backends[] = {{"memory", open_memory}, {"sqlite", open_sqlite}};

static const spec_backend *backend;

static inline bool begin_case(void)
{
	spec_folder[0] = '\0';
	store = NULL;
	return backend->open() == TL_OK;
}

static inline void end_case(void)
{
	tl__store_close(store);
	store = NULL;
	if (spec_folder[0])
		remove_folder(spec_folder);
}

static inline void file_in_folder(char *out, size_t size, const char *name)
{
	snprintf(out, size, "%s/%s", spec_folder, name);
}

/* A case with a fresh folder, which it opens as it likes. */
#define RUN_IN_FOLDER(function)                                                                    \
	do {                                                                                       \
		store = NULL;                                                                      \
		make_folder(spec_folder, sizeof spec_folder);                                      \
		RUN(function);                                                                     \
		end_case();                                                                        \
	} while (0)

/* Each case with each backend. */
#define RUN_EACH(function)                                                                         \
	do {                                                                                       \
		for (size_t spec_i = 0; spec_i < COUNT(backends); spec_i++) {                      \
			backend = &backends[spec_i];                                               \
			printf("%s: ", backend->name);                                             \
			spec_case_ok = true;                                                       \
			if (begin_case())                                                          \
				function();                                                        \
			else                                                                       \
				CHECK_OK(tl_error_code(tl_last_error()));                          \
			end_case();                                                                \
			spec_case_ok ? spec_passed++ : spec_failed++;                              \
			printf("%s %s\n", spec_case_ok ? "ok" : "FAILED", #function);              \
		}                                                                                  \
	} while (0)

/* --- entries by number ------------------------------------------------------------------------ */

typedef struct spec_entry {
	char text[64];
	tl_str bytes;
	tl_id id;
} spec_entry;

static inline spec_entry *entry_number(unsigned n)
{
	static _Thread_local spec_entry ring[16];
	static _Thread_local unsigned at;
	spec_entry *e = &ring[at++ % COUNT(ring)];

	e->bytes = (tl_str){e->text, (size_t)snprintf(e->text, sizeof e->text, "entry %u", n)};
	tl_id_of(&e->id, e->bytes.ptr, e->bytes.len);
	return e;
}

static inline tl_id id_number(unsigned n)
{
	return entry_number(n)->id;
}

static inline bool same_id(const tl_id *a, const tl_id *b)
{
	return memcmp(a->b, b->b, TL_ID_BYTES) == 0;
}

/* An entry of `height` on top of these parents, in no store. Bytes live in `memory`. */
static inline tl__put_entry put_number(
	unsigned n, spec_entry *memory, uint64_t height, const tl_id *parents, size_t count)
{
	*memory = *entry_number(n);
	memory->bytes.ptr = memory->text;
	return (tl__put_entry){.id = memory->id,
		.bytes = memory->bytes,
		.verdict = TL__VERIFIED,
		.height = height,
		.parents = parents,
		.parent_count = count,
		.frontier = TL__STR("")};
}

/* Writes one entry that carries one store (height and parents as in the database). */
static inline int write_entry(unsigned db, unsigned n, uint64_t height, const tl_id *parents,
	size_t count, const char *name)
{
	spec_entry memory;
	tl__put_entry entry = put_number(n, &memory, height, parents, count);
	tl__put_store in = {tl__str_z(name), height, parents, count, false};
	tl__batch batch = {.db = id_number(db), .entries = &entry, .entry_count = 1};

	entry.stores = &in;
	entry.store_count = name ? 1 : 0;
	return tl__store_write(store, &batch);
}

/* Entries first..first+count-1, each on top of the one before it. */
static inline int write_chain(unsigned db, unsigned first, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		tl_id parent = id_number(first + i - 1);
		int rc = write_entry(db, first + i, i, &parent, i > 0, name);

		if (rc != TL_OK)
			return rc;
	}
	return TL_OK;
}

/* --- collectors ------------------------------------------------------------------------------- */

typedef struct spec_seen {
	size_t count;
	size_t stop_at; /* 0 = never */
	int stop_with;
	tl_id ids[COLLECT];
	uint64_t numbers[COLLECT];
	char texts[COLLECT][48];
} spec_seen;

static spec_seen seen;

static inline int note(spec_seen *to, const tl_id *id, uint64_t number, tl_str text)
{
	if (to->count < COLLECT) {
		if (id)
			to->ids[to->count] = *id;
		to->numbers[to->count] = number;
		snprintf(to->texts[to->count], sizeof to->texts[0], "%.*s", TL__STR_ARG(text));
	}
	to->count++;
	return to->stop_at && to->count == to->stop_at ? to->stop_with : TL_OK;
}

static inline int see_id(void *ud, const tl_id *id)
{
	return note(ud, id, 0, TL__STR(""));
}

static inline int see_name(void *ud, tl_str name)
{
	return note(ud, NULL, 0, name);
}

static inline int see_entry(void *ud, const tl__entry_row *row)
{
	return note(ud, &row->id, row->arrival, row->bytes);
}

static inline int see_height(void *ud, const tl__entry_row *row)
{
	return note(ud, &row->id, row->height, row->bytes);
}

static inline int see_state(void *ud, const tl__state_row *row)
{
	char text[64];
	int len = snprintf(text, sizeof text, "%.*s/%d/%" PRIu64 "/%.*s", TL__STR_ARG(row->path),
		(int)row->kind, row->stamp.height, TL__STR_ARG(row->value));

	return note(ud, &row->stamp.id, row->stamp.height, (tl_str){text, (size_t)len});
}

static inline int see_aside(void *ud, const tl__aside_row *row)
{
	return note(ud, &row->id, row->sequence, row->bytes);
}

static inline int see_local(void *ud, tl_str key, tl_str value)
{
	(void)value;
	return note(ud, NULL, 0, key);
}

static inline spec_seen *fresh(void)
{
	seen.count = 0;
	seen.stop_at = 0;
	return &seen;
}

/* Arrival numbers held, by the database row; 0 when it is not held. */
static inline uint64_t arrivals_of(unsigned db)
{
	tl__snapshot *s;
	tl__db_row row = {.arrivals = 0};
	tl_id id = id_number(db);
	int rc;

	if (tl__snapshot_open(store, &s) != TL_OK)
		return 0;
	rc = tl__read_database(s, &id, &row);
	tl__snapshot_close(s);
	return rc == TL_OK ? row.arrivals : 0;
}

/* The tips of a store (NULL: of the database) into `seen`. */
static inline int collect_tips(unsigned db, const char *name)
{
	tl__snapshot *s;
	tl_id id = id_number(db);
	int rc = tl__snapshot_open(store, &s);

	if (rc != TL_OK)
		return rc;
	rc = tl__read_tips(s, &id, tl__str_z(name ? name : ""), see_id, fresh());
	tl__snapshot_close(s);
	return rc;
}

static inline mode_t mode_of(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 ? info.st_mode & 0777 : 0;
}

#endif
