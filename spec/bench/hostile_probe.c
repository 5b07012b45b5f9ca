/* A known peer of the hub, which comes with one entry at a time, each standing on the last one. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "hostile.h"

#define PROBE_S    60.0 /* at most for one */
#define LINE_LIVES 10   /* probes of one connection */

static int keep_entry(void *ud, uint64_t arrival, tl_str bytes)
{
	probe *p = ud;

	if (arrival <= p->next)
		return TL_OK;
	p->entries[p->count].ptr = tl__copy_bytes(bytes.ptr, bytes.len);
	need_that(p->entries[p->count].ptr != NULL, "memory");
	p->entries[p->count++].len = bytes.len;
	return TL_OK;
}

/* Made in a copy of the seed. */
void probe_make(probe *p, size_t n, size_t count)
{
	char dir[SCRATCH_PATH];
	tl_database *db;
	tl_node *node;
	tl_id id;

	memset(p, 0, sizeof *p);
	p->line = BARE_LINE_INIT;
	bare_new(&p->who);
	work_path(dir, "writer");
	copy_dir(seed_dir(n, &id), dir);
	node = open_store(dir, TL_DURABILITY_RELAXED);
	db = open_db(node, &id, KEY_NAME);
	p->next = (size_t)arrivals(db);
	for (size_t i = 0; i < count; i++)
		commit_one(db, n + i);
	p->entries = calloc(count + 1, sizeof *p->entries);
	need_that(p->entries != NULL, "memory");
	need(tl_database_export(db, keep_entry, p), "the entries of a peer");
	p->next = 0;
	tl_database_free(db);
	tl_node_close(node);
	scratch_remove(dir);
}

void probe_free(probe *p)
{
	for (size_t i = 0; i < p->count; i++)
		tl__free((char *)(uintptr_t)p->entries[i].ptr);
	free(p->entries);
	bare_close(&p->line);
}

static void probe_ask(probe *p, const hub *h)
{
	tl__buf body = TL__BUF_INIT, request = TL__BUF_INIT;
	bare_ask ask = {.method = "push", .db = &h->db, .args = TL__STR("{\"seen\":null}")};

	need_that(p->next < p->count, "entries left to a peer");
	if (p->line.fd >= 0 && p->lives == 0)
		bare_close(&p->line);
	if (p->line.fd < 0) {
		bare_dial(&p->line, &h->bare, NULL);
		p->lives = LINE_LIVES;
	}
	p->lives--;
	tl__v1_write_entry(&body, p->entries[p->next]);
	ask.body = tl__buf_view(&body);
	bare_write(&request, &p->who, &h->bare, &ask);
	if (!bare_send(&p->line, tl__buf_view(&request)))
		bare_close(&p->line); /* once more when it is looked at */
	tl__buf_free(&body);
	tl__buf_free(&request);
}

static bool took(const bare_answer *answer, const hub *h)
{
	bare_heard heard;

	if (answer->status != 200)
		return false;
	bare_hear(&heard, &h->bare, answer->body);
	return heard.header.status == TL__V1_OK && strstr(heard.body.ptr, "verified") != NULL;
}

void probe_step(probe *p, const hub *h)
{
	bare_answer answer;
	bare_state state;

	if (p->begun == 0 && now_s() >= p->due) {
		p->begun = now_s();
		p->due = p->begun + 1 / PROBES_PER_S;
		probe_ask(p, h);
	}
	if (p->begun == 0)
		return;
	state = p->line.fd >= 0 ? bare_take(&p->line, &answer) : BARE_GONE;
	need_that(now_s() - p->begun < PROBE_S, "an entry of a peer that is taken");
	if (state == BARE_WAITS)
		return;
	if (state == BARE_WHOLE && took(&answer, h)) {
		need_that(p->taken < PROBE_MOST, "room for times");
		p->seconds[p->taken++] = now_s() - p->begun;
		p->begun = 0;
		p->next++;
		return;
	}
	bare_close(&p->line);
	nap_ms(5);
	probe_ask(p, h);
}
