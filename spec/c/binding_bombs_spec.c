/* spec/bombs: scripts that try to hurt. Each ends by the limit, or the error, that its first lines
 * name. With `--show` it plays them with the limits of all profiles and prints what each took (make
 * bombs). */
#include <dirent.h>
#include <time.h>
#include "host/folder.h"
#include "check.h"

#define BOMBS "spec/bombs"
#define LEAST 30
/* Of the CPU time that a call has: noise, and the step that was being made. */
#define LATE_TIMES 4

typedef struct bomb {
	char name[64];
	tlua_found text;
	char ends[64]; /* the words behind "ends:" */
	int calls;     /* of its function until it must have ended */
} bomb;

typedef struct outcome {
	tlua_end end;
	tlua_failure why;
	uint64_t units;
	size_t peak;
	double cpu_ms; /* of the call that ended it */
	int calls;
} outcome;

/* --- files ------------------------------------------------------------------------------------ */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_script(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".lua") == 0;
}

/* The rest of the first line that holds `mark`. */
static bool header(const bomb *b, const char *mark, char *out, size_t size)
{
	const char *at = memmem(b->text.text, b->text.len, mark, strlen(mark));
	const char *end = at ? memchr(at, '\n', b->text.len - (size_t)(at - b->text.text)) : NULL;

	if (end)
		snprintf(
			out, size, "%.*s", (int)(end - at - (long)strlen(mark)), at + strlen(mark));
	return end != NULL;
}

static bool read_bomb(const char *file, bomb *out)
{
	char path[512], calls[16];

	*out = (bomb){.calls = 1};
	snprintf(out->name, sizeof out->name, "%.60s", file);
	snprintf(path, sizeof path, BOMBS "/%s", file);
	if (!tlua_folder_read(path, TLUA_FILE_MAX, &out->text) ||
		!header(out, "-- ends: ", out->ends, sizeof out->ends))
		return false;
	if (header(out, "-- calls: ", calls, sizeof calls))
		out->calls = (int)strtol(calls, NULL, 10);
	return true;
}

static bool expects(const bomb *b, const char *end)
{
	const char *at = strstr(b->ends, end);

	return at && (at == b->ends || at[-1] == ' ') &&
	       (at[strlen(end)] == 0 || at[strlen(end)] == ' ');
}

/* --- playing ---------------------------------------------------------------------------------- */

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void take_nothing_but_data(lua_State *L, void *ud)
{
	(void)ud;
	for (int i = 1; i <= lua_gettop(L); i++)
		tlua_data_take(L, i, ud);
}

static void call_until_it_ends(tlua_cell *cell, const bomb *b, tlua_profile profile, outcome *out)
{
	tlua_data results = {.charged = true};
	tlua_call call = {.profile = profile,
		.function = tlua_cell_value(cell),
		.take = take_nothing_but_data,
		.ud = &results};

	for (out->calls = 0; out->calls < b->calls && out->end == TLUA_FINE; out->calls++) {
		double from = cpu_ms();

		out->end = tlua_cell_call(cell, &call, &out->why);
		out->cpu_ms = cpu_ms() - from;
		tlua_data_drop(&results);
		results.charged = true;
	}
	out->units = tlua_cell_units(cell);
	out->peak = tlua_cell_peak(cell);
}

/* Loading is a part of it: some never end that. */
static outcome play(const bomb *b, tlua_profile room, tlua_profile profile)
{
	tlua_cell_options options = {.profile = room,
		.name = b->name,
		.source = {b->text.text, b->text.len},
		.find = tlua_half_find};
	outcome out = {TLUA_FINE, {.end = TLUA_FINE}, 0, 0, 0, 0};
	tlua_cell *cell;
	double from = cpu_ms();

	out.end = tlua_cell_open(&options, &cell, &out.why);
	out.cpu_ms = cpu_ms() - from;
	if (out.end == TLUA_FINE)
		call_until_it_ends(cell, b, profile, &out);
	tlua_cell_close(cell);
	return out;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* What would go on ends by the clock on a slow machine. */
static bool ends_right(const bomb *b, const outcome *o)
{
	if (o->end == TLUA_NO_TIME && (expects(b, "units") || expects(b, "memory")))
		return true;
	return expects(b, tlua_end_name(o->end));
}

static bool is_within(const outcome *o, tlua_profile room, tlua_profile profile)
{
	tlua_limits has = tlua_profile_limits(room), may = tlua_profile_limits(profile);

	/* The last step may have wanted as much again as there is. */
	return o->peak <= has.memory && o->units <= 2 * may.units + 2;
}

static void judge(const bomb *b)
{
	outcome o = play(b, TLUA_DECIDE, TLUA_DECIDE);

	if (!ends_right(b, &o) || !is_within(&o, TLUA_DECIDE, TLUA_DECIDE)) {
		printf("%s: %s at %s (%s) after %llu units and %zu bytes\n", b->name,
			tlua_end_name(o.end), o.why.where, o.why.text, (unsigned long long)o.units,
			o.peak);
		FAIL_CASE("a bomb does not end as it must");
	}
	if (o.end != TLUA_FINE && strncmp(o.why.where, b->name, strlen(b->name)) != 0) {
		printf("%s: '%s'\n", b->name, o.why.where);
		FAIL_CASE("its end names another place");
	}
}

static int count_bombs(bool (*each)(const bomb *b, bool show), bool show)
{
	struct dirent **files;
	int count = scandir(BOMBS, &files, is_script, by_name), good = 0;

	for (int i = 0; i < count; i++) {
		bomb b;

		if (!read_bomb(files[i]->d_name, &b)) {
			printf("%s: cannot be read, or says not how it ends\n", files[i]->d_name);
			spec_case_ok = false;
		} else if (each(&b, show)) {
			good++;
		}
		free(b.text.text);
		free(files[i]);
	}
	if (count >= 0)
		free(files);
	return good;
}

static bool judge_one(const bomb *b, bool show)
{
	(void)show;
	judge(b);
	return true;
}

static void every_bomb_ends_as_it_says(void)
{
	CHECK(count_bombs(judge_one, false) >= LEAST);
}

/* --- showing ---------------------------------------------------------------------------------- */

static bool show_profile(const bomb *b, tlua_profile room, tlua_profile profile, const char *name)
{
	outcome o = play(b, room, profile);
	tlua_profile counts = o.calls > 0 ? profile : TLUA_LOAD;
	double most = (double)tlua_profile_limits(counts).cpu_ms * LATE_TIMES;
	bool right = room != TLUA_DECIDE || ends_right(b, &o), late = o.cpu_ms > most;

	printf("%-26s %-8s %-8s %9llu units %8.2f ms %7zu KiB  %s%s\n", b->name, name,
		tlua_end_name(o.end), (unsigned long long)o.units, o.cpu_ms, o.peak >> 10,
		right ? "" : "ENDS WRONG ", late ? "LATE" : "");
	return right && !late && is_within(&o, room, counts);
}

static bool show_one(const bomb *b, bool show)
{
	bool good = show_profile(b, TLUA_DECIDE, TLUA_DECIDE, "decide");

	(void)show;
	good = show_profile(b, TLUA_WORK, TLUA_WORK, "work") && good;
	good = show_profile(b, TLUA_WORK, TLUA_OBSERVE, "observe") && good;
	if (!good)
		spec_case_ok = false;
	return good;
}

static void every_bomb_is_shown(void)
{
	printf("%d bombs within their limits\n", count_bombs(show_one, true));
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--show") == 0)
		RUN(every_bomb_is_shown);
	else
		RUN(every_bomb_ends_as_it_says);
	return spec_end();
}
