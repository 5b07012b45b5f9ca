#include "transport/iroh/inside.h"

void tl__iroh_kick(iroh *h)
{
	if (!h->busy)
		h->loop->timer_start(h->kick, 0);
}

void tl__iroh_queue(iroh_stream *stream)
{
	tl__list_add(&stream->iroh->todo, &stream->todo);
	tl__iroh_kick(stream->iroh);
}
