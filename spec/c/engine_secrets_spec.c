/* Private keys in memory: while a node works they are nowhere but in the vault, and after its end
 * nowhere at all. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "check.h"
#include "crypto/vault.h"
#include "duo_help.h"

enum { PART = 1 << 20, OVERLAP = TL_SEED_BYTES - 1 };

/* Everything this spec itself knows of the secrets lies in a vault, so that it does not find
 * itself. */
typedef struct secrets {
	uint8_t seed[TL_SEED_BYTES];
	char passphrase[32];
	char window[PART + TL_SEED_BYTES];
} secrets;

static secrets *own;

static void make_secrets(void)
{
	own = tl__vault_alloc(sizeof *own);
	if (!own)
		exit(2);
	for (size_t i = 0; i < sizeof own->seed; i++)
		own->seed[i] = (uint8_t)(0x5a ^ (i * 37 + 11));
	for (size_t i = 0; i < sizeof own->passphrase - 1; i++)
		own->passphrase[i] = (char)('a' + (i * 7 + 3) % 26);
}

/* How often these bytes stand in [from, to). */
static size_t count_in(int memory, uint64_t from, uint64_t to, const void *bytes, size_t len)
{
	size_t count = 0, kept = 0;

	while (from < to) {
		size_t part = to - from < PART ? (size_t)(to - from) : PART;
		ssize_t got = pread(memory, own->window + kept, part, (off_t)from);
		const char *at = own->window, *end;

		if (got <= 0) /* a hole */
			return count;
		end = own->window + kept + got;
		while ((at = memmem(at, (size_t)(end - at), bytes, len)) != NULL) {
			count++;
			at++;
		}
		kept = (size_t)(end - own->window) < len - 1 ? (size_t)(end - own->window)
							     : len - 1;
		memmove(own->window, end - kept, kept);
		from += (uint64_t)got;
	}
	return count;
}

/* Looks through all memory that can be written, stacks too, that is no vault (left out of core
 * dumps) nor a sanitizer's. */
static size_t count_outside(const void *bytes, size_t len)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	uint64_t from = 0, to = 0;
	char line[512];
	size_t count = 0;

	CHECK(maps && memory >= 0);
	while (maps && memory >= 0 && fgets(line, sizeof line, maps)) {
		char *rest;
		uint64_t first = strtoull(line, &rest, 16);

		if (rest > line && *rest == '-') { /* the head of a mapping */
			from = first;
			to = strtoull(rest + 1, NULL, 16);
		} else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wr") &&
			   !strstr(line, " dd") && to - from < (uint64_t)1 << 30) {
			count += count_in(memory, from, to, bytes, len);
		}
	}
	if (maps)
		fclose(maps);
	if (memory >= 0)
		close(memory);
	return count;
}

static size_t seeds_outside(void)
{
	return count_outside(own->seed, sizeof own->seed);
}

static uint8_t *copy; /* where the compiler must really put it */

static void the_spec_finds_what_lies_about(void)
{
	copy = malloc(sizeof own->seed);
	REQUIRE(copy != NULL);
	CHECK(seeds_outside() == 0);
	memcpy(copy, own->seed, sizeof own->seed);
	CHECK(seeds_outside() == 1);
	explicit_bzero(copy, sizeof own->seed);
	CHECK(seeds_outside() == 0);
	free(copy);
}

static bool open_sealed(site *s, const char *dir)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_sync_options sync = quick();

	memset(s, 0, sizeof *s);
	config.path = dir;
	config.passphrase = own->passphrase;
	config.passphrase_len = strlen(own->passphrase);
	config.durability = TL_DURABILITY_RELAXED;
	config.sync = &sync;
	return tl_node_open(&s->node, &config) == TL_OK &&
	       tl_node_device_key(s->node, s->key) == TL_OK &&
	       tl_sync_enable_http_transport(s->node, NULL) == TL_OK &&
	       tl_sync_start_server(s->node, "127.0.0.1:0", NULL) == TL_OK &&
	       tl_sync_get_server_address(s->node, &s->at) == TL_OK;
}

/* Signs, proves, asks for access. */
static void work(site *a, site *b, tl_database *db)
{
	tl_id id = *tl_database_root_id(db);
	char key[TL_KEY_TEXT_LEN + 1];
	tl_database *mine;
	tl_op *op = NULL;

	CHECK_OK(tl_node_add_private_key(b->node, "b", own->seed, key));
	CHECK_OK(finish(
		tl_sync_request_database_access(b->node, &a->at, &id, "b", "write:10", &op), &op));
	CHECK_OK(grant(db, key, WRITE10));
	CHECK_OK(greet(a, b));
	CHECK_OK(tl_sync_add_tree_sync(a->node, b->key, &id));
	CHECK_OK(fetch(b, a, &id));
	mine = writer(b->node, &id, "b");
	REQUIRE(mine != NULL);
	for (int i = 0; i < 3; i++)
		CHECK_OK(put(mine, "by", "b"));
	CHECK_OK(exchange(b, a, &id));
	tl_database_free(mine);
}

static void keys_stay_in_the_vault_and_end_with_it(void)
{
	char dir[SCRATCH_PATH];
	tl_database *db;
	site a, b;

	scratch_make(dir);
	REQUIRE(site_open(&a, NULL) && open_sealed(&b, dir));
	db = make_db(a.node, "guarded");
	REQUIRE(db != NULL);
	work(&a, &b, db);
	CHECK(seeds_outside() == 0);
	CHECK(count_outside(own->passphrase, strlen(own->passphrase)) == 0);
	tl_database_free(db);
	site_close(&a);
	site_close(&b);
	CHECK(seeds_outside() == 0);
	/* Opened again it is unsealed from the file. */
	REQUIRE(open_sealed(&b, dir));
	site_close(&b);
	CHECK(seeds_outside() == 0);
	CHECK(count_outside(own->passphrase, strlen(own->passphrase)) == 0);
	scratch_remove(dir);
}

/* Keys that never reached the core: commands before it has loaded, and an opening that fails. */
static void failures_leave_nothing_behind(void)
{
	char dir[SCRATCH_PATH];
	tl_node *node = NULL;
	tl_node_config config = offline(NULL);
	site b;

	scratch_make(dir);
	REQUIRE(open_sealed(&b, dir));
	CHECK_OK(tl_node_add_private_key(b.node, "b", own->seed, NULL));
	CHECK_CODE(tl_node_add_private_key(b.node, "b", NULL, NULL), TL_E_ALREADY_EXISTS);
	CHECK_OK(tl_node_remove_private_key(b.node, "b"));
	CHECK(seeds_outside() == 0);
	site_close(&b);
	config.path = dir;
	config.passphrase = "another one";
	config.passphrase_len = strlen(config.passphrase);
	CHECK_CODE(tl_node_open(&node, &config), TL_E_WRONG_PASSPHRASE);
	CHECK(seeds_outside() == 0);
	scratch_remove(dir);
}

int main(void)
{
	make_secrets();
	RUN(the_spec_finds_what_lies_about);
	RUN(keys_stay_in_the_vault_and_end_with_it);
	RUN(failures_leave_nothing_behind);
	tl__vault_free(own, sizeof *own);
	return spec_end();
}
