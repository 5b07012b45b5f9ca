/* How scripts are, as JSON. */
#include "host/scripts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/json.h>

static const char *state_of(const tl_script *script)
{
	static const char *const names[] = {"loading", "running", "stale", "unloaded"};

	if (script->gate && tlua_gate_suspended(script->gate))
		return "suspended";
	if (script->state == TLUA_SCRIPT_RUNNING && script->suspended)
		return "suspended";
	if (script->state == TLUA_SCRIPT_RUNNING && script->shadow)
		return "shadow";
	return names[script->state];
}

/* --- members: what fails is told by the writer's end ------------------------------------------ */

static void put_text(tl_json_writer *writer, const char *name, const char *text)
{
	(void)tl_json_put_key(writer, (tl_str){name, strlen(name)});
	if (text)
		(void)tl_json_put_string(writer, (tl_str){text, strlen(text)});
	else
		(void)tl_json_put_null(writer);
}

static void put_count(tl_json_writer *writer, const char *name, int64_t count)
{
	(void)tl_json_put_key(writer, (tl_str){name, strlen(name)});
	(void)tl_json_put_int(writer, count);
}

static void put_tally(tl_json_writer *writer, tlua_tally *tally, bool shadow)
{
	pthread_mutex_lock(&tally->lock);
	put_count(writer, "calls", (int64_t)tally->calls);
	put_count(writer, "failures", (int64_t)tally->failed);
	put_count(writer, "units_p50", (int64_t)tlua_tally_part(tally, 50));
	put_count(writer, "units_p99", (int64_t)tlua_tally_part(tally, 99));
	if (shadow) {
		put_count(writer, "differed", (int64_t)tally->differed);
		put_text(writer, "first", tally->differed > 0 ? tally->first : NULL);
		put_text(writer, "last", tally->differed > 0 ? tally->last : NULL);
	}
	pthread_mutex_unlock(&tally->lock);
}

static const char *kind_of(const tl_script *script)
{
	static const char *const names[] = {"policy", "rules", "hook"};

	return names[script->source.kind];
}

static void put_rules(tl_json_writer *writer, const tlua_governor_shown *shown)
{
	put_count(writer, "rules", (int64_t)shown->rules);
	put_count(writer, "relations", (int64_t)shown->relations);
	put_count(writer, "paused", (int64_t)shown->paused);
	put_count(writer, "touched", (int64_t)shown->touched);
}

int tlua_script_put_status(tl_script *script, tl_json_writer *writer)
{
	(void)tl_json_put_object(writer);
	put_text(writer, "kind", kind_of(script));
	put_text(writer, "file", script->path);
	put_text(writer, "name", script->source.name);
	put_text(writer, "state", state_of(script));
	put_text(writer, "hash", script->hash[0] ? script->hash : NULL);
	put_count(writer, "loaded", script->loaded_ms);
	put_tally(writer, &script->tally, script->shadow);
	put_text(writer, "problem", script->problem[0] ? script->problem : NULL);
	if (script->source.kind == TL_SCRIPT_RULES) {
		tlua_governor_shown shown = {0};

		if (script->governor)
			shown = tlua_governor_show(script->governor);
		put_rules(writer, &shown);
	}
	return tl_json_put_end(writer);
}

static void put_failure(tl_json_writer *writer, const struct tlua_failed *failed)
{
	(void)tl_json_put_object(writer);
	put_text(writer, "where", failed->failure.where);
	put_text(writer, "kind", tlua_end_name(failed->failure.end));
	put_text(writer, "text", failed->failure.text);
	put_text(writer, "input", failed->failure.input);
	put_count(writer, "time", failed->time_ms);
	put_count(writer, "count", (int64_t)failed->failure.here);
	(void)tl_json_put_end(writer);
}

int tlua_script_put_failures(tl_script *script, tl_json_writer *writer)
{
	tlua_tally *tally = &script->tally;

	(void)tl_json_put_array(writer);
	pthread_mutex_lock(&tally->lock);
	for (uint64_t i = 0; i < tally->failed && i < TLUA_FAILURES_KEPT; i++)
		put_failure(writer, &tally->failures[(tally->failed - 1 - i) % TLUA_FAILURES_KEPT]);
	pthread_mutex_unlock(&tally->lock);
	return tl_json_put_end(writer);
}

static void put_difference(tl_json_writer *writer, const tlua_difference *difference)
{
	(void)tl_json_put_object(writer);
	put_text(writer, "kind", tlua_kind_names[difference->kind]);
	put_text(writer, "peer", difference->peer[0] ? difference->peer : NULL);
	put_count(writer, "count", (int64_t)difference->count);
	put_text(writer, "first", difference->first);
	put_text(writer, "last", difference->last);
	(void)tl_json_put_end(writer);
}

int tlua_script_put_differences(tl_script *script, tl_json_writer *writer)
{
	tlua_tally *tally = &script->tally;

	(void)tl_json_put_array(writer);
	pthread_mutex_lock(&tally->lock);
	for (size_t i = 0; i < tally->difference_count; i++)
		put_difference(writer, &tally->differences[i]);
	pthread_mutex_unlock(&tally->lock);
	return tl_json_put_end(writer);
}

/* --- public ----------------------------------------------------------------------------------- */

static int show(
	tl_script *script, int (*put)(tl_script *script, tl_json_writer *writer), const char **json)
{
	tl_json_writer *writer;
	char *shown = NULL;
	tl_str text;
	int rc = tl_json_writer_new(&writer, 0);

	if (rc != TL_OK)
		return rc;
	tlua_scripts_lock(script->scripts);
	rc = put(script, writer);
	rc = rc == TL_OK ? tl_json_writer_text(writer, &text) : rc;
	if (rc == TL_OK)
		shown = strndup(text.ptr, text.len);
	if (rc == TL_OK && !shown)
		rc = tl_error_set(TL_E_NOMEM, "not enough memory for the status of a script");
	if (rc == TL_OK) {
		free(script->shown);
		script->shown = shown;
		*json = shown;
	}
	tlua_scripts_unlock(script->scripts);
	tl_json_writer_free(writer);
	return rc;
}

static int check(const char *call, const tl_script *script, const char **json)
{
	char text[96];

	if (script && json)
		return TL_OK;
	snprintf(text, sizeof text, "%s was called without %s", call, script ? "json" : "script");
	return tl_error_set(TL_E_BAD_ARGUMENT, text);
}

int tl_script_status(tl_script *script, const char **json)
{
	int rc = check("tl_script_status", script, json);

	return rc == TL_OK ? show(script, tlua_script_put_status, json) : rc;
}

int tl_script_failures(tl_script *script, const char **json)
{
	int rc = check("tl_script_failures", script, json);

	return rc == TL_OK ? show(script, tlua_script_put_failures, json) : rc;
}

int tl_script_differences(tl_script *script, const char **json)
{
	int rc = check("tl_script_differences", script, json);

	return rc == TL_OK ? show(script, tlua_script_put_differences, json) : rc;
}
