/* Requests of strangers: made beforehand, so that making them takes nobody's time meanwhile. */
#include <stdlib.h>
#include <string.h>
#include "hostile.h"

#define CONNECTIONS SOURCES

typedef struct flood {
	const bare_hub *hub;
	double per_s;
	tl__buf *requests;
	size_t count, next;
	struct {
		bare_line line;
		bool asked;
	} at[CONNECTIONS];
} flood;

static void dial(flood *f, size_t i)
{
	char source[32];

	snprintf(source, sizeof source, "127.0.2.%zu", i + 1);
	bare_dial(&f->at[i].line, f->hub, source);
	f->at[i].asked = false;
}

void *flood_begin(hostile *h, const attack *a, double seconds)
{
	flood *f = calloc(1, sizeof *f);

	need_that(f != NULL, "memory");
	f->hub = &h->hub.bare;
	f->per_s = a->per_s;
	f->count = (size_t)(a->per_s * seconds) + 1;
	f->requests = calloc(f->count, sizeof *f->requests);
	need_that(f->requests != NULL, "memory");
	for (size_t i = 0; i < f->count; i++)
		a->write(h, i, &f->requests[i]);
	for (size_t i = 0; i < CONNECTIONS; i++)
		dial(f, i);
	return f;
}

static void take(flood *f, size_t i)
{
	bare_answer answer = {0};
	bare_state state = bare_take(&f->at[i].line, &answer);

	if (state == BARE_WAITS)
		return;
	f->at[i].asked = false;
	if (state == BARE_WHOLE && !answer.closes)
		return;
	bare_close(&f->at[i].line);
	dial(f, i);
}

static void ask(flood *f, size_t i)
{
	tl__buf *request = &f->requests[f->next++];

	f->at[i].asked = bare_send(&f->at[i].line, tl__buf_view(request));
	if (!f->at[i].asked) {
		bare_close(&f->at[i].line);
		dial(f, i);
	}
}

void flood_step(void *ud, double since)
{
	flood *f = ud;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		if (f->at[i].asked)
			take(f, i);
		if (!f->at[i].asked && f->next < f->count && (double)f->next < since * f->per_s)
			ask(f, i);
	}
}

size_t flood_end(void *ud)
{
	flood *f = ud;
	size_t asked = f->next;

	for (size_t i = 0; i < CONNECTIONS; i++)
		bare_close(&f->at[i].line);
	for (size_t i = 0; i < f->count; i++)
		tl__buf_free(&f->requests[i]);
	free(f->requests);
	free(f);
	return asked;
}
