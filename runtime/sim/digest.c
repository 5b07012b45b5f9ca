/* What replicas must agree on, as text. */
#include <inttypes.h>
#include "sim/sim_impl.h"

#define AT_ONCE 500

typedef struct digesting {
	tl__buf *out;
	tl__snapshot *s;
	const tl_id *db;
	tl__stamp last;
	size_t rows;
	tl__arena arena;
	tl_str *names;
	size_t name_count, name_cap;
} digesting;

static int put_entry(void *ud, const tl__entry_row *row)
{
	digesting *d = ud;
	char id[TL_ID_TEXT_LEN + 1];
	uint8_t hash[32];

	tl_id_format(&row->id, id);
	tl_sha256(row->bytes.ptr, row->bytes.len, hash);
	tl__buf_format(d->out, "entry %" PRIu64 " %s %d %02x%02x%02x%02x\n", row->height, id,
		(int)row->verdict, hash[0], hash[1], hash[2], hash[3]);
	d->last = (tl__stamp){row->height, row->id};
	d->rows++;
	return TL_OK;
}

static int put_entries(digesting *d)
{
	bool first = true;
	int rc = TL_OK;

	do {
		d->rows = 0;
		rc = tl__read_by_height(d->s, d->db, TL__STR(""), first ? NULL : &d->last, AT_ONCE,
			TL__WITH_BYTES, put_entry, d);
		first = false;
	} while (rc == TL_OK && d->rows == AT_ONCE);
	return rc;
}

static int put_tip(void *ud, const tl_id *id)
{
	digesting *d = ud;
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	tl__buf_format(d->out, "tip %s\n", text);
	return TL_OK;
}

static int keep_name(void *ud, tl_str name)
{
	digesting *d = ud;
	void *names = d->names;
	int rc = tl__arena_grow(&d->arena, &names, &d->name_cap, d->name_count, sizeof name);

	d->names = names;
	if (rc == TL_OK)
		d->names[d->name_count++] = tl__arena_str(&d->arena, name);
	return rc;
}

static int put_store(digesting *d, tl_str name)
{
	tl_value *doc = NULL;
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (tl__str_eq(name, TL__STR(TL__STORE_ROOT)))
		return TL_OK;
	rc = tl__state_doc(d->s, d->db, name, &doc);
	if (rc == TL_OK)
		rc = tl_doc_write(doc, &text, &len);
	if (rc == TL_OK)
		tl__buf_format(d->out, "state %.*s %.*s\n", TL__STR_ARG(name), (int)len, text);
	tl_free(text);
	tl_value_free(doc);
	return rc;
}

/* A visitor may not read what it is called from, so the names come first. */
static int put_stores(digesting *d)
{
	int rc = tl__read_store_names(d->s, d->db, keep_name, d);

	for (size_t i = 0; rc == TL_OK && i < d->name_count; i++)
		rc = put_store(d, d->names[i]);
	return rc;
}

static int put_all(digesting *d)
{
	tl__db_row row;
	int rc = tl__read_database(d->s, d->db, &row);

	if (rc == TL_E_DATABASE_NOT_FOUND || (rc == TL_OK && row.arrivals == 0)) {
		tl__buf_text(d->out, "not held\n");
		return TL_OK;
	}
	if (rc == TL_OK)
		rc = put_entries(d);
	if (rc == TL_OK)
		rc = tl__read_tips(d->s, d->db, TL__STR(""), put_tip, d);
	return rc == TL_OK ? put_stores(d) : rc;
}

void tl__sim_digest(tl__sim_peer *peer, const tl_id *db, tl__buf *out)
{
	digesting d = {.out = out, .db = db};
	int rc = tl__snapshot_open(peer->store, &d.s);

	if (rc == TL_OK)
		rc = put_all(&d);
	tl__snapshot_close(d.s);
	tl__arena_free(&d.arena);
	if (rc != TL_OK)
		tl__sim_broken(peer->sim, rc);
}

bool tl__sim_same(tl__sim_peer *const *peers, size_t count, const tl_id *db)
{
	tl__buf first = TL__BUF_INIT;
	bool same = true;

	if (count == 0)
		return true;
	tl__sim_digest(peers[0], db, &first);
	for (size_t i = 1; i < count && same; i++) {
		tl__buf other = TL__BUF_INIT;

		tl__sim_digest(peers[i], db, &other);
		same = tl__str_eq(tl__buf_view(&first), tl__buf_view(&other)) &&
		       tl__buf_status(&other) == TL_OK;
		tl__buf_free(&other);
	}
	same = same && tl__buf_status(&first) == TL_OK && peers[0]->sim->code == TL_OK;
	tl__buf_free(&first);
	return same;
}
