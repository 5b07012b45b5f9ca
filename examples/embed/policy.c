/* A policy and pair options from C, in one process: `home` decides who may read, `guest` comes to
 * it. First home knows nobody. Then the guest is on its list, and home gives it the database, first
 * of all and at a megabyte a second.
 *
 * Build it with `cc policy.c $(pkg-config --cflags --libs tidelock)`. */
#include <stdio.h>
#include <string.h>
#include <tidelock/tidelock.h>

#define MAX_KNOWN 8

/* Who may come. Never changed once a node has it: another one takes its place. */
typedef struct guests {
	tl_key keys[MAX_KNOWN];
	size_t count;
} guests;

static tl_str text(const char *zero_terminated)
{
	return (tl_str){zero_terminated, strlen(zero_terminated)};
}

/* On the engine's thread: looks and answers. What we start ourselves is left to the usual rights.
 */
static void judge(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	const guests *known = ud;

	if (question->outbound)
		return;
	for (size_t i = 0; i < known->count && question->peer; i++)
		if (memcmp(&known->keys[i], question->peer, sizeof(tl_key)) == 0) {
			verdict->answer = TL_POLICY_USUAL;
			return;
		}
	verdict->answer = TL_POLICY_DENY;
	snprintf(verdict->reason, sizeof verdict->reason, "unknown device");
	snprintf(verdict->where, sizeof verdict->where, "policy.c");
}

static tl_policy policy_of(guests *known)
{
	tl_policy policy = TL_POLICY_INIT;

	policy.judge = judge;
	policy.ud = known;
	return policy;
}

static int wait(int rc, tl_op *op)
{
	if (rc == TL_OK)
		rc = tl_op_wait(op, 10000);
	tl_op_free(op);
	return rc;
}

/* --- home ------------------------------------------------------------------------------------- */

static int write_hello(tl_database *db)
{
	tl_transaction *tx = NULL;
	tl_doc_store *data = NULL;
	tl_id id;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, text("data"), &data);
	if (rc == TL_OK)
		tl_doc_store_set_string(data, text("message"), text("Hello from home!"));
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, &id);
	tl_doc_store_free(data);
	tl_transaction_free(tx);
	return rc;
}

static int open_home(tl_node **home, guests *known, tl_id *db_id, tl_address *address)
{
	tl_policy policy = policy_of(known);
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_database *db = NULL;
	int rc;

	config.policy = &policy; /* from the first question on */
	rc = tl_node_open(home, &config);
	if (rc == TL_OK)
		rc = tl_node_add_private_key(*home, "owner", NULL, (char[TL_KEY_TEXT_LEN + 1]){""});
	if (rc == TL_OK)
		rc = tl_node_new_database(*home, NULL, "owner", &db);
	if (rc == TL_OK)
		rc = write_hello(db);
	if (rc == TL_OK)
		*db_id = *tl_database_root_id(db);
	tl_database_free(db);
	if (rc == TL_OK)
		rc = tl_sync_enable_http_transport(*home, NULL);
	if (rc == TL_OK)
		rc = tl_sync_start_server(*home, "127.0.0.1:0", NULL);
	return rc == TL_OK ? tl_sync_get_server_address(*home, address) : rc;
}

/* The last thing that home decided. */
static int show_decision(tl_node *home)
{
	char *json = NULL;
	int rc = tl_sync_decisions(home, 1, &json);

	if (rc == TL_OK)
		printf("%s\n", strstr(json, "\"reason\":\"unknown device\",\"where\":\"policy.c\"")
				       ? "home refused an unknown device"
				       : json);
	tl_free(json);
	return rc;
}

/* From now on the guest may come, and gets this database. */
static int let_in(tl_node *home, guests *known, const char *guest, const tl_id *db)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl_policy policy = policy_of(known);
	tl_relation relation = {guest, *db, &options};
	int rc = tl_key_parse(&known->keys[0], text(guest));

	known->count = 1;
	options.direction = TL_DIRECTION_PUSH;
	options.priority = 9;
	options.rate = 1 << 20;
	options.rule = "everything to the guest";
	if (rc == TL_OK)
		rc = tl_sync_set_policy(home, &policy);
	if (rc == TL_OK)
		rc = tl_sync_register_peer(home, guest, "guest");
	if (rc == TL_OK)
		rc = tl_sync_set_relations(home, "rules", &relation, 1, NULL);
	return rc;
}

/* --- the guest -------------------------------------------------------------------------------- */

/* By its key: who is to be told apart proves one from the first word on. */
static int connect_to(tl_node *guest, const tl_address *address, const char *key)
{
	tl_op *op = NULL;
	int rc = tl_sync_connect_to_peer(guest, address, key, &op);

	return wait(rc, op);
}

static int fetch(tl_node *guest, const char *key, const tl_id *id)
{
	tl_op *op = NULL;
	int rc = tl_sync_add_tree_sync(guest, key, id);

	if (rc == TL_OK)
		rc = tl_sync_sync_tree_with_peer(guest, key, id, &op);
	return wait(rc, op);
}

static int read_hello(tl_node *guest, const tl_id *id)
{
	tl_database *db = NULL;
	tl_doc_store *data = NULL;
	char *message = NULL;
	int rc = tl_node_load_database(guest, id, &db);

	if (rc == TL_OK)
		rc = tl_database_doc_store(db, text("data"), &data);
	if (rc == TL_OK)
		rc = tl_doc_store_get_string(data, text("message"), &message, NULL);
	if (rc == TL_OK)
		printf("%s\n", message);
	tl_free(message);
	tl_doc_store_free(data);
	tl_database_free(db);
	return rc;
}

/* --- both ------------------------------------------------------------------------------------- */

static int meet(
	tl_node *home, tl_node *guest, const tl_address *address, const tl_id *db, guests *known)
{
	char key[TL_KEY_TEXT_LEN + 1], home_key[TL_KEY_TEXT_LEN + 1];
	int rc = tl_node_device_key(guest, key);

	if (rc == TL_OK)
		rc = tl_node_device_key(home, home_key);
	if (rc == TL_OK)
		rc = tl_sync_enable_http_transport(guest, NULL);
	if (rc == TL_OK && connect_to(guest, address, home_key) == TL_OK)
		printf("home let a stranger in\n");
	if (rc == TL_OK)
		rc = show_decision(home);
	if (rc == TL_OK)
		rc = let_in(home, known, key, db);
	if (rc == TL_OK)
		rc = connect_to(guest, address, home_key);
	if (rc == TL_OK)
		rc = fetch(guest, home_key, db);
	return rc == TL_OK ? read_hello(guest, db) : rc;
}

int main(void)
{
	guests nobody = {.count = 0}, known = {.count = 0};
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *home = NULL, *guest = NULL;
	tl_address address;
	tl_id db;
	int rc = open_home(&home, &nobody, &db, &address);

	if (rc == TL_OK)
		rc = tl_node_open(&guest, &config);
	if (rc == TL_OK)
		rc = meet(home, guest, &address, &db, &known);
	if (rc != TL_OK)
		fprintf(stderr, "policy: %s\n", tl_error_message(tl_last_error()));
	tl_node_close(guest);
	tl_node_close(home); /* behind it nobody asks the policy any more */
	return rc != TL_OK;
}
