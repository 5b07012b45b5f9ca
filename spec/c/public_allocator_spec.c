/* A host whose memory the library uses. */
#include <stdatomic.h>
#include <stdlib.h>
#include <tidelock/tidelock.h>
#include "check.h"

/* Blocks and calls of all threads; the next ones fail when there is nothing left. */
static atomic_long blocks, calls;
static atomic_long left = 1000000;

static void *host_resize(void *ud, void *block, size_t bytes)
{
	void *moved = atomic_fetch_sub(&left, 1) > 0 ? realloc(block, bytes) : NULL;

	CHECK(ud == &blocks && bytes > 0);
	calls++;
	if (moved && !block)
		blocks++;
	return moved;
}

static void host_release(void *ud, void *block)
{
	CHECK(ud == &blocks && block);
	blocks--;
	free(block);
}

static tl_allocator host_allocator(void)
{
	tl_allocator allocator = TL_ALLOCATOR_INIT;

	allocator.resize = host_resize;
	allocator.release = host_release;
	allocator.ud = &blocks;
	return allocator;
}

static void what_is_no_allocator_is_refused(void)
{
	tl_allocator allocator = host_allocator();

	CHECK_CODE(tl_set_allocator(NULL), TL_E_BAD_ARGUMENT);
	allocator.release = NULL;
	CHECK_CODE(tl_set_allocator(&allocator), TL_E_BAD_ARGUMENT);
	allocator = host_allocator();
	allocator.size = 1;
	CHECK_CODE(tl_set_allocator(&allocator), TL_E_BAD_ARGUMENT);
}

static int use_a_node(char **name)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_database *db = NULL;
	tl_value *settings = NULL;
	tl_node *node = NULL;
	int rc = tl_node_open(&node, &config);

	if (rc == TL_OK)
		rc = tl_node_add_private_key(node, "me", NULL, NULL);
	if (rc == TL_OK && !(settings = tl_value_doc()))
		rc = TL_E_NOMEM;
	if (rc == TL_OK)
		rc = tl_doc_put(settings, (tl_str){"name", 4}, tl_value_text((tl_str){"notes", 5}));
	if (rc == TL_OK)
		rc = tl_node_new_database(node, settings, "me", &db);
	if (rc == TL_OK)
		rc = tl_database_name(db, name, NULL);
	tl_value_free(settings);
	tl_database_free(db);
	tl_node_close(node);
	return rc;
}

static void all_memory_is_the_hosts_and_comes_back(void)
{
	tl_allocator allocator = host_allocator();
	char *name = NULL;

	CHECK_OK(tl_set_allocator(&allocator));
	CHECK(calls == 0);
	CHECK_OK(use_a_node(&name));
	CHECK(calls > 100 && blocks >= 1);
	tl_free(name);
	CHECK(blocks == 0);
	CHECK_CODE(tl_set_allocator(&allocator), TL_E_BUSY);
}

static void a_host_without_memory_gets_an_error(void)
{
	for (long n = 0; n < 40; n++) {
		char *name = NULL;

		left = n;
		CHECK_CODE(use_a_node(&name), TL_E_NOMEM);
		left = 1000000;
		CHECK(!name && blocks == 0);
	}
}

int main(void)
{
	RUN(what_is_no_allocator_is_refused);
	RUN(all_memory_is_the_hosts_and_comes_back);
	RUN(a_host_without_memory_gets_an_error);
	return spec_end();
}
