/* A hub: a node with a file that serves, in a process of its own, told what to do line by line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "hub.h"

#define WAIT_MS     60000
#define DESCRIPTORS 8192

/* --- its process ------------------------------------------------------------------------------ */

static void print_address(const tl_address *at)
{
	char line[530];

	tl_address_format(at, line);
	printf("%s\n", line);
}

static int print_each(void *ud, const tl_address *at)
{
	(void)ud;
	print_address(at);
	return TL_OK;
}

/* Its addresses, http's first. */
static tl_node *serve(const char *dir, const char *tls_dir)
{
	char certificate[SCRATCH_PATH * 2], key[SCRATCH_PATH * 2];
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_http_config http = TL_HTTP_CONFIG_INIT;
	bool iroh = strcmp(tls_dir, HUB_IROH) == 0, tls = !iroh && strcmp(tls_dir, "-") != 0;
	tl_node *node = NULL;

	config.path = dir;
	config.durability = TL_DURABILITY_RELAXED;
	need(tl_node_open(&node, &config), "opening a hub");
	snprintf(certificate, sizeof certificate, "%s/" HUB_CERTIFICATE, tls_dir);
	snprintf(key, sizeof key, "%s/" HUB_KEY, tls_dir);
	if (tls) {
		http.certificate_file = certificate;
		http.key_file = key;
	}
	need(tl_sync_enable_http_transport(node, &http), "HTTP");
	need(tl_sync_start_server(node, "127.0.0.1:0", "http"), "a server");
	if (tls)
		need(tl_sync_start_server(node, "127.0.0.1:0", "https"), "a server with TLS");
	if (iroh) {
		enable_iroh(node);
		need(tl_sync_start_server(node, "", "iroh"), "a server over Iroh");
	}
	need(tl_sync_get_server_addresses(node, print_each, NULL), "its addresses");
	return node;
}

static void commit(tl_database *db, uint64_t key)
{
	double start = now_s();

	commit_one(db, key);
	printf("%.9f\n", start);
}

static void relate(tl_node *node, const char *key, const tl_id *db)
{
	int rc = tl_sync_register_peer(node, key, NULL);

	if (rc != TL_E_PEER_ALREADY_EXISTS)
		need(rc, "a peer of the hub");
	need(tl_sync_add_tree_sync(node, key, db), "a relation of the hub");
	printf("related\n");
}

static void forget(tl_node *node, const char *key)
{
	need(tl_sync_remove_peer(node, key), "a peer less of the hub");
	printf("forgotten\n");
}

/* From now on the hub asks whoever listens there. */
static void dial(tl_node *node, const char *key, const tl_id *db, const char *address)
{
	tl_address at;
	tl_op *op = NULL;

	need(tl_address_parse(&at, tl__str_z(address)), "an address");
	need(tl_sync_connect_to_peer(node, &at, key, &op), "a connection of the hub");
	need(tl_op_wait(op, WAIT_MS), "a connection of the hub");
	tl_op_free(op);
	relate(node, key, db);
}

/* Lines: "commit", "relate KEY", "forget KEY", "dial KEY ADDRESS". */
static void obey(tl_node *node, tl_database *db, char *line, uint64_t *commits)
{
	const tl_id *id = tl_database_root_id(db);
	char *rest = NULL, *word = strtok_r(line, " \n", &rest);
	char *key = strtok_r(NULL, " \n", &rest), *address = strtok_r(NULL, " \n", &rest);

	if (word && strcmp(word, "commit") == 0)
		commit(db, (*commits)++);
	else if (word && strcmp(word, "relate") == 0 && key)
		relate(node, key, id);
	else if (word && strcmp(word, "forget") == 0 && key)
		forget(node, key);
	else if (word && strcmp(word, "dial") == 0 && address)
		dial(node, key, id, address);
	else
		give_up("a word to the hub", "is none of those it knows");
	fflush(stdout);
}

int role_hub(const char *dir, const char *db_text, const char *tls_dir)
{
	tl_node *node = serve(dir, tls_dir);
	uint64_t commits = UINT64_C(1) << 32; /* keys that nobody else writes */
	char line[1024];
	tl_database *db;
	tl_id id;

	need_that(scratch_limit(RLIMIT_NOFILE, DESCRIPTORS), "descriptors");
	need(tl_id_parse(&id, tl__str_z(db_text)), "an id");
	db = open_db(node, &id, KEY_NAME);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin))
		obey(node, db, line, &commits);
	tl_database_free(db);
	tl_node_close(node);
	return 0;
}

/* --- ours ------------------------------------------------------------------------------------- */

void hub_start(hub *h, const char *dir, const tl_id *db, const char *tls_dir)
{
	char line[600], text[TL_ID_TEXT_LEN + 1];

	memset(h, 0, sizeof *h);
	need_that(scratch_limit(RLIMIT_NOFILE, DESCRIPTORS), "descriptors");
	h->db = *db;
	tl_id_format(db, text);
	h->process =
		child_start((const char *[]){"--hub", dir, text, tls_dir ? tls_dir : "-", NULL});
	for (;;) {
		tl_address at;

		child_line(&h->process, line, sizeof line);
		if (strcmp(line, "ready") == 0)
			break;
		need(tl_address_parse(&at, tl__str_z(line)), "an address of the hub");
		*(strcmp(at.type, "https") == 0        ? &h->https
			: strcmp(at.type, "iroh") == 0 ? &h->iroh
						       : &h->http) = at;
	}
	bare_meet(&h->bare, &h->http);
}

static void tell(hub *h, const char *line, char *answer, size_t size)
{
	size_t len = strlen(line);

	need_that(write(h->process.in, line, len) == (ssize_t)len, "a word to the hub");
	child_line(&h->process, answer, size);
}

double hub_commit(hub *h)
{
	char answer[64];

	tell(h, "commit\n", answer, sizeof answer);
	return strtod(answer, NULL);
}

static void tell_key(hub *h, const char *word, const char *key)
{
	char line[TL_KEY_TEXT_LEN + 16], answer[64];

	snprintf(line, sizeof line, "%s %s\n", word, key);
	tell(h, line, answer, sizeof answer);
}

void hub_relate(hub *h, const char *key)
{
	tell_key(h, "relate", key);
}

void hub_forget(hub *h, const char *key)
{
	tell_key(h, "forget", key);
}

void hub_dial(hub *h, const char *key, const tl_address *at)
{
	char line[TL_KEY_TEXT_LEN + 600], address[530], answer[64];

	tl_address_format(at, address);
	snprintf(line, sizeof line, "dial %s %s\n", key, address);
	tell(h, line, answer, sizeof answer);
}

void hub_end(hub *h)
{
	child_end(&h->process);
}
