/* What happened, for people: the last lines, and counts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "sim/sim_impl.h"
#include "wire/v0_path.h"

void tl__sim_note(tl__sim *sim, const char *format, ...)
{
	char *line = sim->story[sim->story_lines++ % TL__SIM_STORY_LINES];
	int len = snprintf(line, TL__SIM_LINE, "%9" PRIu64 ".%03" PRIu64 " ", sim->now / 1000,
		sim->now % 1000);
	va_list args;

	va_start(args, format);
	vsnprintf(line + len, (size_t)(TL__SIM_LINE - len), format, args);
	va_end(args);
}

void tl__sim_story(const tl__sim *sim, FILE *to, size_t lines)
{
	uint64_t first = 0;

	if (lines > TL__SIM_STORY_LINES)
		lines = TL__SIM_STORY_LINES;
	if (sim->story_lines > lines)
		first = sim->story_lines - lines;
	for (uint64_t at = first; at < sim->story_lines; at++)
		fprintf(to, "%s\n", sim->story[at % TL__SIM_STORY_LINES]);
}

/* --- answers in a few words ------------------------------------------------------------------- */

static void describe_v1(tl_str body, char out[80])
{
	tl__v1_frame frame;
	tl__v1_response header;
	tl__v1_status status;

	if (tl__v1_read_unsigned(&status, body.ptr, body.len))
		snprintf(out, 80, "unsigned %s", tl__v1_status_name(status));
	else if (tl__v1_frame_read(&frame, body.ptr, body.len) == TL_OK &&
		 tl__v1_response_read(&header, frame.header) == TL_OK)
		snprintf(out, 80, "%s %.*s, body %" PRIu64 " B", tl__v1_status_name(header.status),
			header.args.len > 40 ? 40 : (int)header.args.len, header.args.ptr,
			header.body_len);
	else
		snprintf(out, 80, "%zu bytes that are no frame", body.len);
}

void tl__sim_describe(const char *path, int status, tl_str body, char out[80])
{
	if (status != 200)
		snprintf(out, 80, "HTTP %d", status);
	else if (tl__str_starts(tl__str_z(path), TL__STR(TL__V1_PATH_PREFIX)))
		describe_v1(body, out);
	else
		snprintf(out, 80, "%.*s", body.len > 60 ? 60 : (int)body.len,
			body.len > 0 ? body.ptr : "a stream");
}

/* --- counts ----------------------------------------------------------------------------------- */

void tl__sim_count_request(
	tl__sim *sim, const tl__sim_peer *from, const tl__sim_peer *to, const char *path)
{
	tl__sim_count *count = sim->counts;

	while (count && !(count->from == from && count->to == to && strcmp(count->path, path) == 0))
		count = count->next;
	if (!count) {
		count = tl__alloc_zero(1, sizeof *count);
		if (!count) {
			tl__sim_broken(sim, TL_E_NOMEM);
			return;
		}
		count->from = from;
		count->to = to;
		snprintf(count->path, sizeof count->path, "%s", path);
		count->next = sim->counts;
		sim->counts = count;
	}
	count->count++;
}

uint64_t tl__sim_requests(
	const tl__sim *sim, const tl__sim_peer *from, const tl__sim_peer *to, const char *path)
{
	uint64_t total = 0;

	for (const tl__sim_count *count = sim->counts; count; count = count->next)
		if ((!from || count->from == from) && (!to || count->to == to) &&
			tl__str_starts(tl__str_z(count->path), tl__str_z(path)))
			total += count->count;
	return total;
}
