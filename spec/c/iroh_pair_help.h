/* Two endpoints, and a way between them. */
#ifndef SPEC_IROH_PAIR_HELP_H
#define SPEC_IROH_PAIR_HELP_H

#include "iroh_help.h"

static struct end server, client;

static tl_iroh_id way;

static inline bool open_both(enum manner manner, tl_iroh_options *options)
{
	if (!end_open(&server, manner, options) || !end_open(&client, SILENT, NULL))
		return false;
	way = dial(&client, &server, server.address);
	return way != 0;
}

static inline void free_both(void)
{
	end_free(&client);
	end_free(&server);
}

static inline bool is_through(const struct stream *stream)
{
	return stream->over || stream->ended;
}

static inline bool all_through(const struct end *end)
{
	for (size_t i = 0; i < end->stream_count; i++)
		if (end->streams[i].id && !is_through(&end->streams[i]))
			return false;
	return true;
}

#endif
