#include "engine/parts/facts.h"

#include <string.h>
#include <tidelock/json.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/str.h"

void tl__facts_init(tl__facts *facts)
{
	pthread_mutex_init(&facts->lock, NULL);
}

static void free_fact(tl__fact *fact)
{
	tl__free(fact->name);
	tl__free(fact->value);
	*fact = (tl__fact){NULL, NULL};
}

void tl__facts_free(tl__facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		free_fact(&facts->at[i]);
	pthread_mutex_destroy(&facts->lock);
}

/* --- setting ---------------------------------------------------------------------------------- */

static int check_json(const char *value)
{
	tl_json_token token = TL_JSON_NULL;
	tl_json_reader *reader = NULL;
	int rc = tl_json_reader_new(&reader, tl__str_z(value));

	while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK && token != TL_JSON_END)
		continue;
	tl_json_reader_free(reader);
	return rc;
}

static int check(const char *name, const char *value)
{
	if (!name[0] || !tl__utf8_valid(tl__str_z(name)))
		return tl__fail(TL_E_BAD_ARGUMENT, "a fact has a name, in UTF-8");
	if (strlen(name) + (value ? strlen(value) : 0) > TL__FACT_MAX_BYTES)
		return tl__fail(TL_E_TOO_LARGE, "name and value of a fact have at most %d bytes",
			TL__FACT_MAX_BYTES);
	return value ? check_json(value) : TL_OK;
}

/* Where it stands, or would. */
static size_t place_of(const tl__facts *facts, const char *name, bool *there)
{
	size_t at = 0;

	while (at < facts->count && strcmp(facts->at[at].name, name) < 0)
		at++;
	*there = at < facts->count && strcmp(facts->at[at].name, name) == 0;
	return at;
}

static void take_out(tl__facts *facts, size_t at)
{
	free_fact(&facts->at[at]);
	facts->count--;
	memmove(&facts->at[at], &facts->at[at + 1], (facts->count - at) * sizeof *facts->at);
}

static int put_in(tl__facts *facts, size_t at, const tl__fact *fact)
{
	if (facts->count == TL__FACTS_MAX)
		return tl__fail(TL_E_TOO_LARGE, "there are at most %d facts", TL__FACTS_MAX);
	memmove(&facts->at[at + 1], &facts->at[at], (facts->count - at) * sizeof *facts->at);
	facts->at[at] = *fact;
	facts->count++;
	return TL_OK;
}

/* Under the lock. Takes `fact` over where it is put in; value NULL: it goes. */
static int place(tl__facts *facts, const char *name, tl__fact *fact, bool *changed)
{
	bool there;
	size_t at = place_of(facts, name, &there);
	int rc = TL_OK;

	*changed = there ? !fact->value || strcmp(facts->at[at].value, fact->value) != 0
			 : fact->value != NULL;
	if (!*changed)
		return TL_OK;
	if (there)
		take_out(facts, at);
	if (fact->value)
		rc = put_in(facts, at, fact);
	if (fact->value && rc == TL_OK)
		*fact = (tl__fact){NULL, NULL};
	return rc;
}

int tl__facts_set(tl__facts *facts, const char *name, const char *value, bool *changed)
{
	tl__fact fact = {NULL, NULL};
	int rc = check(name, value);

	*changed = false;
	if (rc != TL_OK)
		return rc;
	if (value) {
		fact.name = tl__copy_bytes(name, strlen(name));
		fact.value = tl__copy_bytes(value, strlen(value));
	}
	if (value && (!fact.name || !fact.value)) {
		rc = TL_E_NOMEM;
	} else {
		pthread_mutex_lock(&facts->lock);
		rc = place(facts, name, &fact, changed);
		pthread_mutex_unlock(&facts->lock);
	}
	free_fact(&fact);
	return rc;
}

void tl__facts_put(tl__facts *facts, tl__buf *out)
{
	pthread_mutex_lock(&facts->lock);
	tl__buf_text(out, "{");
	for (size_t i = 0; i < facts->count; i++) {
		tl__buf_text(out, i > 0 ? "," : "");
		tl__json_put_string(out, tl__str_z(facts->at[i].name));
		tl__buf_text(out, ":");
		tl__buf_text(out, facts->at[i].value);
	}
	tl__buf_text(out, "}");
	pthread_mutex_unlock(&facts->lock);
}
